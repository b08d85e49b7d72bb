/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Whole batches of views, OpenMP over samples and views. A view is a function of its parameters and its sample, and
 * these of the seed, so the number of threads cannot matter. Samples are checked before the threads start: after that
 * nothing can fail.
 */

#include "invar/memory.h"
#include "view/view.h"

#include <omp.h>
#include <string.h>

#define CONSTANT 1e-6f /* a channel that varies less is only centred */

struct invar_view_maker {
    struct invar_view_options options;
    struct invar_view_output output;
    int threads;
    struct invar_view_workspace **workspaces; /* [threads] */
};

static void output_make(struct invar_view_output *output, const struct invar_view_options *options,
                        const struct invar_dataset_info *info)
{
    memset(output, 0, sizeof(*output));
    output->height = info->height;
    output->width = info->width;
    output->channels = info->channels;
    output->interpolation = options->interpolation;
    output->solarise_threshold = options->solarise_threshold;
    for (int c = 0; c < VIEW_MAX_CHANNELS; c++) {
        output->mean[c] = info->mean[c];
        output->deviation[c] = info->deviation[c] <= CONSTANT && info->deviation[c] >= 0.0f ? 1.0f : info->deviation[c];
    }
}

struct invar_view_maker *invar_view_maker_create(const struct invar_view_options *options,
                                                 const struct invar_dataset_info *info, struct invar_error *err)
{
    struct invar_view_maker *maker = NULL;
    bool ok = false;

    if (!view_options_check(options, err))
        return NULL;
    maker = invar_alloc(1, sizeof(*maker), err);
    if (!maker)
        return NULL;
    maker->options = *options;
    output_make(&maker->output, options, info);
    maker->threads = omp_get_max_threads();
    maker->workspaces = invar_alloc((size_t)maker->threads, sizeof(struct invar_view_workspace *), err);
    if (!maker->workspaces)
        goto done;
    for (int i = 0; i < maker->threads; i++) {
        maker->workspaces[i] = invar_view_workspace_create(&maker->output, err);
        if (!maker->workspaces[i])
            goto done;
    }
    ok = true;
done:
    if (!ok) {
        invar_view_maker_free(maker);
        maker = NULL;
    }
    return maker;
}

void invar_view_maker_free(struct invar_view_maker *maker)
{
    if (!maker)
        return;
    for (int i = 0; maker->workspaces && i < maker->threads; i++)
        invar_view_workspace_free(maker->workspaces[i]);
    invar_free(maker->workspaces);
    invar_free(maker);
}

static bool samples_check(const struct invar_view_maker *maker, const struct invar_sample *samples, int64_t count,
                          struct invar_error *err)
{
    for (int64_t i = 0; i < count; i++)
        if (!view_sample_check(&maker->output, &samples[i], err))
            return false;
    return true;
}

static int thread_count(const struct invar_view_maker *maker)
{
    const int wanted = omp_get_max_threads();
    return wanted < maker->threads ? wanted : maker->threads;
}

static size_t image_size(const struct invar_view_maker *maker)
{
    return (size_t)maker->output.channels * (size_t)maker->output.height * (size_t)maker->output.width;
}

bool invar_view_maker_batch(struct invar_view_maker *maker, const struct invar_sample *samples, int64_t count,
                            uint64_t seed, uint64_t epoch, float *out, struct invar_error *err)
{
    const int64_t views = maker->options.count;
    const size_t size = image_size(maker);

    if (!samples_check(maker, samples, count, err))
        return false;
        /* Views of a sample are neighbours here: views may differ in cost, and threads should not. */
#pragma omp parallel for schedule(static) num_threads(thread_count(maker))
    for (int64_t i = 0; i < count * views; i++) {
        const int64_t number = i / views, view = i % views;
        struct invar_view_params params;
        const struct view_job job = {&params, &maker->output, &samples[number], maker->workspaces[omp_get_thread_num()],
                                     out + (size_t)(view * count + number) * size};
        invar_view_draw(&params, &maker->options, seed, epoch, &samples[number], (int)view);
        view_run(&job);
    }
    return true;
}

bool invar_view_maker_plain(struct invar_view_maker *maker, const struct invar_sample *samples, int64_t count,
                            float *out, struct invar_error *err)
{
    const size_t size = image_size(maker);

    if (!samples_check(maker, samples, count, err))
        return false;
#pragma omp parallel for schedule(static) num_threads(thread_count(maker))
    for (int64_t i = 0; i < count; i++) {
        const struct view_job job = {NULL, &maker->output, &samples[i], maker->workspaces[omp_get_thread_num()],
                                     out + (size_t)i * size};
        view_run_plain(&job);
    }
    return true;
}
