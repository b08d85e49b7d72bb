/* SPDX-License-Identifier: Apache-2.0 */
/* invar robustness RUN --show FILE: what the corruptions look like. */
#include "cli/robustness.h"
#include "invar/memory.h"
#include "invar/report.h"
#include "invar/view.h"

#include <math.h>
#include <string.h>

enum { PICTURES = 2, LEAST_SIDE = 64, GAP = 4 };

struct sheet {
    uint8_t *pixels;
    int height, width, scale;
    uint8_t *clean, *corrupted; /* [PICTURES] and one of [height][width][channels] of the plan */
    int64_t index[PICTURES];
    int count;
};

/* Test images, evenly spread, at the size that the encoder sees. */
static bool read_images(struct sheet *sheet, struct cli_run *run, const struct robustness_plan *plan,
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
    for (int c = 0; c < 16; ++c) {
        info.mean[c] = 0;
        info.deviation[c] = 1;
    }
    sheet->count = info.count[INVAR_TEST] < PICTURES ? (int)info.count[INVAR_TEST] : PICTURES;
    for (int i = 0; i < sheet->count; ++i)
        sheet->index[i] = i * info.count[INVAR_TEST] / sheet->count;
    maker = loader && views ? invar_view_maker_create(&options, &info, err) : NULL;
    if (!maker || !invar_loader_start(loader, sheet->index, sheet->count, err) ||
        !invar_loader_next(loader, samples, &got, err) || !invar_view_maker_plain(maker, samples, got, views, err))
        goto done;
    sheet->clean = invar_alloc(PICTURES, (size_t)size, err);
    for (int64_t i = 0; sheet->clean && i < got * size; ++i) {
        const int64_t place = i % size, pixel = place / plan->channels, c = place % plan->channels;
        sheet->clean[i] = (uint8_t)lrintf(255 * views[i - place + c * plane + pixel]);
    }
    ok = sheet->clean != NULL;
done:
    invar_loader_free(loader);
    invar_view_maker_free(maker);
    invar_free(views);
    return ok;
}

static void draw(struct sheet *sheet, const struct robustness_plan *plan, const uint8_t *image, int row, int column)
{
    const int height = plan->height * sheet->scale, width = plan->width * sheet->scale;
    const int top = GAP + row * (height + GAP), left = GAP + column * (width + GAP);

    for (int y = 0; y < height; ++y)
        for (int x = 0; x < width; ++x)
            memcpy(sheet->pixels +
                       ((size_t)(top + y) * (size_t)sheet->width + (size_t)(left + x)) * (size_t)plan->channels,
                   image + ((size_t)(y / sheet->scale) * (size_t)plan->width + (size_t)(x / sheet->scale)) *
                               (size_t)plan->channels,
                   (size_t)plan->channels);
}

static bool draw_all(struct sheet *sheet, const struct robustness_plan *plan, struct invar_error *err)
{
    const size_t size = (size_t)plan->height * (size_t)plan->width * (size_t)plan->channels;
    struct invar_corruption_scratch *scratch = invar_corruption_scratch_create(err);
    bool ok = scratch != NULL;

    sheet->corrupted = ok ? invar_alloc(size, 1, err) : NULL;
    ok = sheet->corrupted != NULL;
    for (int row = 0; ok && row < plan->corruption_count; ++row)
        for (int i = 0; ok && i < sheet->count; ++i) {
            const struct invar_corruption_image image = {sheet->clean + (size_t)i * size, plan->height, plan->width,
                                                         plan->channels};
            const int first = i * (1 + plan->severity_count);
            draw(sheet, plan, image.pixels, row, first);
            for (int s = 0; ok && s < plan->severity_count; ++s) {
                const struct invar_corruption_options how = {.severity = plan->severities[s],
                                                             .table = plan->options.table,
                                                             .seed = plan->options.seed,
                                                             .frost = plan->pictures};
                ok = invar_corrupt(plan->corruptions[row], &how, &image, (uint64_t)sheet->index[i], sheet->corrupted,
                                   scratch, err);
                draw(sheet, plan, sheet->corrupted, row, first + 1 + s);
            }
        }
    invar_corruption_scratch_free(scratch);
    return ok;
}

bool robustness_show(struct cli_run *run, const struct robustness_plan *plan, const char *path, struct invar_error *err)
{
    const int side = plan->height < plan->width ? plan->height : plan->width;
    struct sheet sheet = {.scale = side < LEAST_SIDE ? (LEAST_SIDE + side - 1) / side : 1};
    bool ok = read_images(&sheet, run, plan, err);

    sheet.height = GAP + plan->corruption_count * (plan->height * sheet.scale + GAP);
    sheet.width = GAP + sheet.count * (1 + plan->severity_count) * (plan->width * sheet.scale + GAP);
    if (ok) {
        const size_t bytes = (size_t)sheet.height * (size_t)sheet.width * (size_t)plan->channels;
        sheet.pixels = invar_alloc(bytes, 1, err);
        if (sheet.pixels)
            memset(sheet.pixels, 255, bytes);
    }
    ok = ok && sheet.pixels && draw_all(&sheet, plan, err) &&
         invar_picture_write(path, sheet.pixels, sheet.height, sheet.width, plan->channels, err);
    invar_free(sheet.pixels);
    invar_free(sheet.clean);
    invar_free(sheet.corrupted);
    return ok;
}
