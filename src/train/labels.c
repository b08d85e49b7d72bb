/* SPDX-License-Identifier: Apache-2.0 */
/* Labels of a batch, which a supervised baseline and the online classifier read. */
#include "train/batch.h"

/* A supervised term reads one column of z a class, so classes are bounded by its width; the online classifier makes
 * its own layer and is bounded by nothing. */
bool labels_create(struct invar_batch *b, int64_t width, bool classified, struct invar_error *err)
{
    const struct invar_dataset_info *info = b->given->info;

    const bool read = invar_objective_roles(b->given->recipe->objective) & INVAR_ROLE_LABELS;

    if (!read && !classified)
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
    b->labels = invar_alloc((size_t)b->all, sizeof *b->labels, err);
    return b->labels != NULL;
}

bool labels_fill(struct invar_batch *b, struct invar_error *err)
{
    for (int64_t i = 0; b->labels && i < batch_loaded(b); i++)
        b->labels[i] = b->loaded[i].label;
    return !b->labels || batch_share(b, b->labels, err);
}
