/* SPDX-License-Identifier: Apache-2.0 */
/* What the corruptions look like. */
#include "report/robustness_show.h"
#include "invar/log.h"
#include "invar/memory.h"
#include "invar/report.h"
#include "invar/view.h"

#include <math.h>

enum { PICTURES = 2 };

struct images {
    uint8_t *clean; /* [PICTURES][height][width][channels] of the plan */
    int64_t index[PICTURES];
    int count;
};

/* Test images, evenly spread, at the size that the encoder sees. */
static bool read_images(struct images *images, struct invar_run *run, const struct robustness_plan *plan,
                        struct invar_error *err)
{
    struct invar_dataset_info info = *invar_dataset_info(run->dataset);
    const int64_t size = (int64_t)plan->height * plan->width * plan->channels, plane = size / plan->channels;
    struct invar_view_options options;
    struct invar_view_maker *maker = NULL;
    struct invar_sample samples[PICTURES];
    struct invar_loader *loader = invar_loader_create(run->dataset, INVAR_TEST, PICTURES, err);
    float *views = invar_alloc(PICTURES, (size_t)size * sizeof *views, err);
    int64_t got = 0;
    bool ok = false;

    invar_options_default(invar_view_option_table, &options);
    info.height = plan->height;
    info.width = plan->width;
    for (int c = 0; c < 16; c++) {
        info.mean[c] = 0;
        info.deviation[c] = 1;
    }
    images->count = info.count[INVAR_TEST] < PICTURES ? (int)info.count[INVAR_TEST] : PICTURES;
    for (int i = 0; i < images->count; i++)
        images->index[i] = i * info.count[INVAR_TEST] / images->count;
    maker = loader && views ? invar_view_maker_create(&options, &info, err) : NULL;
    if (!maker || !invar_loader_start(loader, images->index, images->count, err) ||
        !invar_loader_next(loader, samples, &got, err) || !invar_view_maker_plain(maker, samples, got, views, err))
        goto done;
    images->clean = invar_alloc(PICTURES, (size_t)size, err);
    for (int64_t i = 0; images->clean && i < got * size; i++) {
        const int64_t place = i % size, pixel = place / plan->channels, c = place % plan->channels;
        images->clean[i] = (uint8_t)lrintf(255 * views[i - place + c * plane + pixel]);
    }
    ok = images->clean != NULL;
done:
    invar_loader_free(loader);
    invar_view_maker_free(maker);
    invar_free(views);
    return ok;
}

static bool draw(struct invar_run *run, const struct robustness_plan *plan, const char *path, struct invar_error *err)
{
    const size_t size = (size_t)plan->height * (size_t)plan->width * (size_t)plan->channels;
    const struct invar_corruption_options how = {
        .table = plan->options.table, .seed = plan->options.seed, .frost = plan->pictures};
    struct invar_corruption_image image[PICTURES];
    uint64_t index[PICTURES];
    struct images images = {0};
    bool ok = read_images(&images, run, plan, err);

    for (int i = 0; ok && i < images.count; i++) {
        image[i] =
            (struct invar_corruption_image){images.clean + (size_t)i * size, plan->height, plan->width, plan->channels};
        index[i] = (uint64_t)images.index[i];
    }
    const struct invar_corruption_sheet sheet = {.images = image,
                                                 .index = index,
                                                 .image_count = images.count,
                                                 .corruptions = plan->corruptions,
                                                 .corruption_count = plan->corruption_count,
                                                 .severities = plan->severities,
                                                 .severity_count = plan->severity_count};
    ok = ok && invar_corruption_sheet_write(path, &sheet, &how, err);
    invar_free(images.clean);
    return ok;
}

bool report_robustness_show(struct invar_run *run, const struct invar_robustness_request *request, const char *path,
                            struct invar_error *err)
{
    struct robustness_plan plan;
    const bool ok = study_robustness_plan(request, run, &plan, err) && draw(run, &plan, path, err);

    if (ok)
        invar_log(INVAR_LOG_INFO, "%s: two test images under %d corruptions at %d severities", path,
                  plan.corruption_count, plan.severity_count);
    invar_frost_free(plan.pictures);
    return ok;
}
