/* SPDX-License-Identifier: Apache-2.0 */
/* Refinement groups of a batch, and whether batches are large enough to hold more than one. */
#include "train/batch.h"

#define WARN_ABOVE 0.01

/* The chance that all samples of a batch, drawn without replacement, are of one group. Hypergeometric, group by
 * group: product of (n_g - i) / (n - i). Groups of batch size or more alone can fill a batch. A batch of one group
 * gives the contrast between groups nothing to contrast, and its gradient is 0. */
static bool chance_of_one_group(const struct invar_batch *b, double *chance, struct invar_error *err)
{
    const int64_t count = b->given->info->count[INVAR_TRAIN];
    const int64_t *groups = invar_dataset_groups(b->given->dataset, INVAR_TRAIN);
    int64_t ids = 0;

    for (int64_t i = 0; i < count; i++)
        if (groups[i] >= ids)
            ids = groups[i] + 1;
    int64_t *sizes = invar_alloc((size_t)ids, sizeof *sizes, err);
    if (!sizes)
        return false;
    for (int64_t i = 0; i < count; i++)
        sizes[groups[i]]++;
    *chance = 0;
    for (int64_t g = 0; g < ids; g++) {
        double here = sizes[g] >= b->all ? 1 : 0;
        for (int64_t i = 0; i < b->all && here > 0; i++)
            here *= (double)(sizes[g] - i) / (double)(count - i);
        *chance += here;
    }
    invar_free(sizes);
    return true;
}

/* Above a half the run would mostly stand still: that is refused; a hundredth is worth a word. */
bool groups_create(struct invar_batch *b, struct invar_error *err)
{
    const char *column = b->given->recipe->data.group;
    double chance;

    if (!(invar_objective_roles(b->given->recipe->objective) & INVAR_ROLE_GROUPS))
        return true;
    if (b->given->info->assumed)
        goto make;
    if (!invar_dataset_groups(b->given->dataset, INVAR_TRAIN))
        return invar_error_set(err, INVAR_ERROR_DATA,
                               "%s was opened without refinement groups, which a term reads: set data.group",
                               b->given->info->source);
    if (!chance_of_one_group(b, &chance, err))
        return false;
    if (chance > 0.5)
        return invar_error_set(err, INVAR_ERROR_USAGE,
                               "training.batch is %lld, and %.0f %% of such batches would hold a single group of "
                               "data.group=%s, from which nothing is learned: raise training.batch, or name another "
                               "column",
                               (long long)b->all, 100 * chance, column);
    if (chance > WARN_ABOVE)
        invar_log(INVAR_LOG_WARNING,
                  "%.0f %% of the batches of %lld hold a single group of data.group=%s, from which nothing is learned: "
                  "raise training.batch",
                  100 * chance, (long long)b->all, column);
make:
    b->groups = invar_alloc((size_t)b->all, sizeof *b->groups, err);
    return b->groups != NULL;
}

bool groups_fill(struct invar_batch *b, struct invar_error *err)
{
    for (int64_t i = 0; b->groups && i < batch_loaded(b); i++)
        b->groups[i] = b->loaded[i].group;
    return !b->groups || batch_share(b, b->groups, err);
}
