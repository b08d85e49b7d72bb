/* SPDX-License-Identifier: Apache-2.0 */
/* Labels of a batch, which a supervised baseline and the online classifier read, and what the views of a batch were
 * mixed of. */
#include "train/trainer.h"

bool invar_labels_create(struct invar_trainer *t, struct invar_error *err)
{
    const struct invar_dataset_info *info = invar_dataset_info(t->dataset);
    const int64_t width = t->nets[invar_chain_source(t, INVAR_ROLE_Z)].width;

    const bool read = invar_objective_roles(t->recipe->objective) & INVAR_ROLE_LABELS;

    if (!read && !t->classifier)
        return true;
    if (read && !info->assumed && info->classes < 2)
        return invar_error_set(
            err, INVAR_ERROR_DATA,
            "%s has %d classes; a term that reads labels needs at least 2: choose labelled data%s", info->source,
            info->classes, info->label_number ? " (its label is a number, data.label_kind=class makes classes)" : "");
    if (read && !info->assumed && info->classes > width)
        return invar_error_set(err, INVAR_ERROR_USAGE,
                               "%s has %d classes, but z has %lld columns, and cross_entropy reads one a class: set "
                               "projector.output=%d",
                               info->source, info->classes, (long long)width, info->classes);
    t->labels = invar_alloc((size_t)t->batch, sizeof *t->labels, err);
    t->embeddings.labels = t->labels;
    return t->labels != NULL;
}

void invar_labels_fill(struct invar_trainer *t)
{
    const struct invar_view_drawn *drawn = invar_view_maker_drawn(t->maker);

    for (int64_t i = 0; t->labels && i < t->batch; i++)
        t->labels[i] = t->samples[i].label;
    t->embeddings.partner = drawn->partner;
    t->embeddings.share = drawn->share;
}
