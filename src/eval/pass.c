/* SPDX-License-Identifier: Apache-2.0 */
/* Samples of a split that pass by as plain views, or as two drawn ones. */
#include "eval/pass.h"
#include "invar/memory.h"

#include <string.h>

void pass_close(struct pass *pass)
{
    invar_loader_free(pass->loader);
    invar_view_maker_free(pass->maker);
    invar_free(pass->order);
    invar_free(pass->samples);
    invar_free(pass->views);
    *pass = (struct pass){0};
}

/* The first sample of a part of so many. Whole batches, so that each is what it is of one part: what comes out of a
 * network is of the same bits however samples are shared out. The first parts get one where there are few. */
static int64_t part_begin(const struct invar_share *share, int64_t samples, int number)
{
    const int64_t batches = (samples + PASS_BATCH - 1) / PASS_BATCH;
    const int64_t first = (batches * number + share->count - 1) / share->count * PASS_BATCH;

    return first < samples ? first : samples;
}

/* A copy, as the caller's order may go before the pass is over, and pass_restart brings another. The loader has the
 * whole order, so that what a part cannot read is replaced as it is where there is one. */
static bool start(struct pass *pass, const struct pass_options *options, struct invar_error *err)
{
    const struct invar_share *share = &options->share;
    const int64_t whole = pass->total, first = share->count ? part_begin(share, whole, share->number) : 0;

    pass->order = invar_alloc((size_t)whole, sizeof *pass->order, err);
    for (int64_t i = 0; pass->order && i < whole; i++)
        pass->order[i] = options->order ? options->order[i] : i;
    pass->total = (share->count ? part_begin(share, whole, share->number + 1) : whole) - first;
    const struct invar_loader_part part = {first, pass->total, whole};
    if (!pass->order || !(pass->total ? invar_loader_start_part(pass->loader, pass->order, whole, &part, err)
                                      : invar_loader_start(pass->loader, NULL, 0, err)))
        return false;
    memmove(pass->order, pass->order + first, (size_t)pass->total * sizeof *pass->order);
    return true;
}

/* Lists by view are cut to the views that are made here, or their checks would find entries too many. */
bool pass_open(struct pass *pass, struct invar_dataset *dataset, const struct pass_options *options,
               const struct invar_dataset_info *info, struct invar_error *err)
{
    struct invar_view_options views;
    const int64_t count = options->draw && !options->single ? PASS_MAX_VIEWS : 1;

    *pass = (struct pass){.split = options->split,
                          .drawn = options->draw != NULL,
                          .bare = options->bare,
                          .perturber = options->perturber,
                          .seed = options->seed,
                          .epoch = options->epoch,
                          .total = options->order ? options->count : info->count[options->split]};
    pass->view_size = (int64_t)info->channels * info->height * info->width;
    if (pass->total < 1)
        return invar_error_set(err, INVAR_ERROR_DATA, "%s has no %s", info->source,
                               options->split == INVAR_TRAIN
                                   ? "training samples; there is nothing to embed"
                                   : "test samples; have some drawn with data.test_fraction, or take another split");
    if (options->draw)
        views = *options->draw;
    else
        invar_options_default(invar_view_option_table, &views);
    invar_view_options_trim(&views, count);
    pass->samples = invar_alloc(PASS_BATCH, sizeof *pass->samples, err);
    pass->views = invar_alloc(PASS_BATCH, (size_t)(count * pass->view_size) * sizeof *pass->views, err);
    pass->maker = invar_view_maker_create(&views, info, err);
    pass->loader = invar_loader_create(dataset, options->split, PASS_BATCH, err);
    return pass->samples && pass->views && pass->maker && pass->loader && start(pass, options, err);
}

/* As in training: after the views were made, each with noise of its own. */
static bool draw(struct pass *pass, int64_t got, struct invar_error *err)
{
    if (!invar_view_maker_batch(pass->maker, pass->samples, got, pass->seed, pass->epoch, pass->views, err))
        return false;
    /* Only views that the run perturbs, so that a clean view of training is clean here. */
    for (int v = 0; pass->perturber && v < PASS_MAX_VIEWS; v++)
        if (invar_perturber_has(pass->perturber, v) &&
            !invar_perturber_apply(pass->perturber, v, pass->samples, got, pass->seed, pass->epoch,
                                   pass->views + v * got * pass->view_size, err))
            return false;
    return true;
}

/* Loader, maker and memory stay: an epoch costs no allocation. */
bool pass_restart(struct pass *pass, const int64_t *order, uint64_t epoch, struct invar_error *err)
{
    memcpy(pass->order, order, (size_t)pass->total * sizeof *order);
    pass->epoch = epoch;
    pass->done = 0;
    return invar_loader_start(pass->loader, pass->order, pass->total, err);
}

bool pass_next(struct pass *pass, int64_t *got, struct invar_error *err)
{
    if (!invar_loader_next(pass->loader, pass->samples, got, err))
        return false;
    /* At the end there is nothing to make; bare passes are for callers who make views of their own. */
    if (*got == 0 || pass->bare)
        return true;
    return pass->drawn ? draw(pass, *got, err)
                       : invar_view_maker_plain(pass->maker, pass->samples, *got, pass->views, err);
}

/* The loader replaces what it cannot read by a neighbour, so that batches stay whole; whoever counts samples asks
 * here. */
bool pass_is_own(const struct pass *pass, int64_t i)
{
    return pass->samples[i].index == pass->order[pass->done + i];
}
