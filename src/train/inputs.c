/* SPDX-License-Identifier: Apache-2.0 */
/* What the networks saw at the last step, for people to look at. */
#include "train/trainer.h"

#include <string.h>

int invar_trainer_views(const struct invar_trainer *t)
{
    return (int)t->batch.views;
}

struct invar_shape invar_trainer_view_shape(const struct invar_trainer *t, int view)
{
    return invar_net_input(view < t->batch.global_views ? t->chain.nets[INVAR_NET_ENCODER].net : t->chain.local.net);
}

/* By the recipe and not by comparing: a perturbation may be 0 for a sample. */
bool invar_trainer_view_perturbed(const struct invar_trainer *t, int view)
{
    const struct invar_int_list *views = &t->given.recipe->adversary.views;

    for (int k = 0; t->adversary.perturbation && k < views->count; k++)
        if (views->value[k] == view)
            return true;
    return false;
}

/* Where a view begins in the input of a batch, and how many numbers of it are a sample. Global views come first and
 * are larger; local ones follow, so the place of a local view counts both sizes. */
static int64_t place(const struct invar_trainer *t, int view, int64_t *size)
{
    const struct invar_shape shape = invar_trainer_view_shape(t, view);
    const int64_t before = view < t->batch.global_views ? view : t->batch.global_views;

    *size = shape.rank == 3 ? shape.channels * shape.height * shape.width : shape.channels;
    return before * t->batch.size * t->batch.global_size + (view - before) * t->batch.size * *size;
}

/* The clean view is made anew, since a batch holds it only where a term reads it. */
bool invar_trainer_view(struct invar_trainer *t, int view, bool perturbed, int64_t count, float *out,
                        struct invar_error *err)
{
    int64_t size, at;

    if (t->clock.step == 0 || count > t->batch.size)
        return invar_error_set(err, INVAR_ERROR_USAGE, "the trainer has made no batch of %lld samples yet",
                               (long long)count);
    if (view == INVAR_VIEW_CLEAN)
        return invar_view_maker_plain(t->batch.maker, t->batch.samples, count, out, err);
    at = place(t, view, &size);
    if (perturbed)
        invar_device_download(t->given.device, out, t->batch.input + at, (size_t)(count * size) * sizeof(float));
    else
        memcpy(out, t->batch.host_views + at, (size_t)(count * size) * sizeof(float));
    return true;
}
