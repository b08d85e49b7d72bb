/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Whole batches of views of one size or two (local views are smaller), OpenMP over samples and views. A view is a
 * function of its parameters and its sample, and these of the seed, so the number of threads cannot matter. Samples are
 * checked before the threads start: after that nothing can fail.
 */

#include "invar/memory.h"
#include "view/view.h"

#include <omp.h>
#include <string.h>

#define CONSTANT 1e-6f /* a channel that varies less is only centred */

/* Views of one size. */
struct size {
    struct invar_view_output output;
    struct invar_view_workspace **workspaces; /* [threads]; NULL: there are no such views */
};

/* Draws of a batch and room for its unmixed views, for as many samples as there have been so far; nothing where no view
 * is mixed. */
struct mixing {
    int64_t capacity;
    int64_t *partner;
    double *share;
    float *plain; /* one view of the batch */
};

/* Which columns were changed; nothing where none are. */
struct masking {
    int64_t capacity;
    float *mask;
};

struct invar_view_maker {
    struct invar_view_options options;
    struct size global, local;
    int threads;
    struct mixing mixing;
    struct masking masking;
    struct invar_view_drawn drawn;
};

static void output_make(struct invar_view_output *output, const struct invar_view_options *options,
                        const struct invar_dataset_info *info)
{
    memset(output, 0, sizeof(*output));
    output->kind = info->kind;
    output->height = info->height;
    output->width = info->width;
    output->channels = info->channels;
    output->interpolation = options->image.interpolation;
    output->plain = info->plain;
    output->blur_kernel = (int)options->image.blur_kernel;
    output->logmel = info->logmel;
    output->table = info->table;
    for (int c = 0; c < VIEW_MAX_CHANNELS; c++) {
        output->mean[c] = info->mean[c];
        output->deviation[c] = info->deviation[c] <= CONSTANT && info->deviation[c] >= 0.0f ? 1.0f : info->deviation[c];
    }
}

static bool size_create(struct size *size, int threads, struct invar_error *err)
{
    size->workspaces = invar_alloc((size_t)threads, sizeof(struct invar_view_workspace *), err);
    for (int i = 0; size->workspaces && i < threads; i++) {
        size->workspaces[i] = invar_view_workspace_create(&size->output, err);
        if (!size->workspaces[i])
            return false;
    }
    return size->workspaces != NULL;
}

static void size_free(struct size *size, int threads)
{
    for (int i = 0; size->workspaces && i < threads; i++)
        invar_view_workspace_free(size->workspaces[i]);
    invar_free(size->workspaces);
}

struct invar_view_maker *invar_view_maker_create(const struct invar_view_options *options,
                                                 const struct invar_dataset_info *info, struct invar_error *err)
{
    struct invar_view_maker *maker = NULL;

    if (!invar_view_options_check(options, info, err))
        return NULL;
    maker = invar_alloc(1, sizeof(*maker), err);
    if (!maker)
        return NULL;
    maker->options = *options;
    maker->threads = omp_get_max_threads();
    output_make(&maker->global.output, options, info);
    maker->local.output = maker->global.output;
    maker->local.output.height = maker->local.output.width = (int)options->local_size;
    if (size_create(&maker->global, maker->threads, err) &&
        (options->local == 0 || size_create(&maker->local, maker->threads, err)))
        return maker;
    invar_view_maker_free(maker);
    return NULL;
}

static void mixing_free(struct mixing *mixing)
{
    invar_free(mixing->partner);
    invar_free(mixing->share);
    invar_free(mixing->plain);
    *mixing = (struct mixing){0};
}

void invar_view_maker_free(struct invar_view_maker *maker)
{
    if (!maker)
        return;
    size_free(&maker->global, maker->threads);
    size_free(&maker->local, maker->threads);
    mixing_free(&maker->mixing);
    invar_free(maker->masking.mask);
    invar_free(maker);
}

static bool samples_check(const struct invar_view_maker *maker, const struct invar_sample *samples, int64_t count,
                          struct invar_error *err)
{
    for (int64_t i = 0; i < count; i++)
        if (!view_sample_check(&maker->global.output, &samples[i], err))
            return false;
    return true;
}

static int thread_count(const struct invar_view_maker *maker)
{
    const int wanted = omp_get_max_threads();
    return wanted < maker->threads ? wanted : maker->threads;
}

static size_t image_size(const struct size *size)
{
    return (size_t)size->output.channels * (size_t)size->output.height * (size_t)size->output.width;
}

static bool any_mixes(const struct invar_view_options *options)
{
    for (int v = 0; v < invar_view_count(options); v++)
        if (view_mixes(options, v))
            return true;
    return false;
}

/* Room for count samples. */
static bool mixing_reserve(struct invar_view_maker *maker, int64_t count, struct invar_error *err)
{
    struct mixing *m = &maker->mixing;
    const size_t views = (size_t)invar_view_count(&maker->options);

    if (count <= m->capacity || !any_mixes(&maker->options))
        return true;
    mixing_free(m);
    m->partner = invar_alloc((size_t)count, views * sizeof *m->partner, err);
    m->share = invar_alloc((size_t)count, views * sizeof *m->share, err);
    m->plain = invar_alloc((size_t)count, image_size(&maker->global) * sizeof *m->plain, err);
    if (!m->partner || !m->share || !m->plain)
        return false;
    m->capacity = count;
    maker->drawn.partner = m->partner;
    maker->drawn.share = m->share;
    return true;
}

/* Room for the masks of count samples. */
static bool masking_reserve(struct invar_view_maker *maker, int64_t count, struct invar_error *err)
{
    struct masking *m = &maker->masking;
    const size_t each = image_size(&maker->global) * sizeof *m->mask;

    if (count <= m->capacity || !view_masks(&maker->options))
        return true;
    invar_free(m->mask);
    *m = (struct masking){.mask = invar_alloc((size_t)(count * invar_view_count(&maker->options)), each, err)};
    m->capacity = m->mask ? count : 0;
    maker->drawn.mask = m->mask;
    return m->mask != NULL;
}

/* View number `view` of the batch, mixed in its place. */
static void mix_view(struct invar_view_maker *maker, const struct invar_sample *samples, int64_t count, uint64_t seed,
                     uint64_t epoch, int view, size_t size, float *images)
{
    int64_t *partner = maker->mixing.partner + view * count;
    double *share = maker->mixing.share + view * count;

    view_mix_draw(&maker->options, seed, epoch, samples, count, view, partner, share);
    if (!view_mixes(&maker->options, view))
        return;
    memcpy(maker->mixing.plain, images, (size_t)count * size * sizeof *images);
#pragma omp parallel for schedule(static) num_threads(thread_count(maker))
    for (int64_t i = 0; i < count; i++)
        if (partner[i] != i)
            view_mix(maker->mixing.plain, partner, share, i, size, images + (size_t)i * size);
}

const struct invar_view_drawn *invar_view_maker_drawn(const struct invar_view_maker *maker)
{
    return &maker->drawn;
}

bool invar_view_maker_batch(struct invar_view_maker *maker, const struct invar_sample *samples, int64_t count,
                            uint64_t seed, uint64_t epoch, float *out, struct invar_error *err)
{
    const int64_t views = invar_view_count(&maker->options), globals = maker->options.count;
    float *local_out = out + (size_t)(globals * count) * image_size(&maker->global);

    if (!samples_check(maker, samples, count, err) || !mixing_reserve(maker, count, err) ||
        !masking_reserve(maker, count, err))
        return false;
        /* Views of a sample are neighbours here: views may differ in cost, and threads should not. */
#pragma omp parallel for schedule(static) num_threads(thread_count(maker))
    for (int64_t i = 0; i < count * views; i++) {
        const int64_t number = i / views, view = i % views, place = view < globals ? view : view - globals;
        const struct size *size = view < globals ? &maker->global : &maker->local;
        float *images = view < globals ? out : local_out;
        struct invar_view_params params;
        float *mask = maker->masking.mask
                          ? maker->masking.mask + (size_t)(view * count + number) * image_size(&maker->global)
                          : NULL;
        const struct view_job job = {&params,
                                     &size->output,
                                     &samples[number],
                                     size->workspaces[omp_get_thread_num()],
                                     images + (size_t)(place * count + number) * image_size(size),
                                     samples,
                                     count,
                                     number,
                                     mask};
        if (mask)
            memset(mask, 0, image_size(size) * sizeof *mask);
        if (maker->options.clean && view == 0) {
            view_run_plain(&job);
            continue;
        }
        invar_view_draw(&params, &maker->options, seed, epoch, &samples[number], (int)view);
        view_run(&job);
    }
    for (int view = 0; maker->mixing.capacity > 0 && view < views; view++) {
        const size_t size = image_size(view < globals ? &maker->global : &maker->local);
        float *images = view < globals ? out : local_out;
        const int64_t place = view < globals ? view : view - globals;
        mix_view(maker, samples, count, seed, epoch, view, size, images + (size_t)(place * count) * size);
    }
    return true;
}

bool invar_view_maker_plain(struct invar_view_maker *maker, const struct invar_sample *samples, int64_t count,
                            float *out, struct invar_error *err)
{
    const size_t size = image_size(&maker->global);

    if (!samples_check(maker, samples, count, err))
        return false;
#pragma omp parallel for schedule(static) num_threads(thread_count(maker))
    for (int64_t i = 0; i < count; i++) {
        const struct view_job job = {NULL,
                                     &maker->global.output,
                                     &samples[i],
                                     maker->global.workspaces[omp_get_thread_num()],
                                     out + (size_t)i * size,
                                     samples,
                                     count,
                                     i,
                                     NULL};
        view_run_plain(&job);
    }
    return true;
}
