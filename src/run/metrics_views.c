/* SPDX-License-Identifier: Apache-2.0 */
/* Views as the networks saw them, for TensorBoard: a sheet of samples for each. */
#include "invar/memory.h"
#include "invar/metrics.h"
#include "invar/train.h"
#include "run/events.h"
#include "run/picture.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { ROW = 8, SAMPLES = 2 * ROW, GAP = 2, LEAST_SIDE = 56, LARGEST_SIDE = 128, MOST_GLOBAL = 4 };

struct sheet {
    struct invar_metrics *metrics;
    struct invar_trainer *trainer;
    struct picture_shades shades;
    int64_t step;
    int count;     /* samples */
    float *values; /* [count][C][H][W] of one view */
};

/* Small pictures by a whole factor larger, large ones smaller. */
static void sides(struct invar_shape shape, int *high, int *wide)
{
    const int height = (int)shape.height, width = (int)shape.width, longer = height > width ? height : width;
    const int factor = longer < LEAST_SIDE ? (LEAST_SIDE + longer - 1) / longer : 1;
    *high = longer > LARGEST_SIDE ? (height * LARGEST_SIDE + longer - 1) / longer : height * factor;
    *wide = longer > LARGEST_SIDE ? (width * LARGEST_SIDE + longer - 1) / longer : width * factor;
}

static bool write_sheet(const struct sheet *s, const char *tag, struct invar_shape shape, struct invar_error *err)
{
    const int64_t size = shape.channels * shape.height * shape.width;
    const int columns = s->count < ROW ? s->count : ROW, rows = (s->count + columns - 1) / columns;
    int high, wide;
    uint8_t *pixels = NULL, *encoded = NULL;
    size_t encoded_size = 0;
    bool ok = false;

    sides(shape, &high, &wide);
    const int height = rows * (high + GAP) - GAP, width = columns * (wide + GAP) - GAP;
    const size_t bytes = (size_t)height * (size_t)width * (size_t)s->shades.channels;
    pixels = invar_alloc(bytes, 1, err);
    if (!pixels)
        return false;
    memset(pixels, 255, bytes);
    for (int i = 0; i < s->count; i++) {
        const int64_t at = (int64_t)(i / columns * (high + GAP)) * width + i % columns * (wide + GAP);
        picture_draw(&s->shades, s->values + i * size, (int)shape.height, (int)shape.width,
                     pixels + at * s->shades.channels, high, wide, width);
    }
    ok = picture_encode(pixels, height, width, s->shades.channels, &encoded, &encoded_size, err) &&
         event_file_picture(metrics_events(s->metrics), s->step, tag, encoded, encoded_size, height, width,
                            s->shades.channels, err);
    free(encoded);
    invar_free(pixels);
    return ok;
}

static bool write_view(const struct sheet *s, int view, bool perturbed, const char *tag, struct invar_error *err)
{
    return invar_trainer_view(s->trainer, view, perturbed, s->count, s->values, err) &&
           write_sheet(s, tag, invar_trainer_view_shape(s->trainer, view), err);
}

bool invar_metrics_views(struct invar_metrics *metrics, struct invar_trainer *trainer,
                         const struct invar_dataset_info *info, int64_t batch, int64_t step, struct invar_error *err)
{
    const struct invar_shape shape = invar_trainer_view_shape(trainer, INVAR_VIEW_CLEAN);
    const int views = invar_trainer_views(trainer);
    struct sheet sheet = {metrics, trainer, {0}, step, (int)(batch < SAMPLES ? batch : SAMPLES), NULL};
    bool ok = false;

    if (shape.rank != 3 || info->kind == INVAR_DATA_TABLE)
        return true;
    const int64_t size = shape.channels * shape.height * shape.width; /* local views are smaller */
    sheet.values = invar_alloc((size_t)(sheet.count * size), sizeof(float), err);
    if (!sheet.values || !invar_trainer_view(trainer, INVAR_VIEW_CLEAN, false, sheet.count, sheet.values, err))
        goto done;
    sheet.shades = picture_shades_of(info, sheet.values, sheet.count * size);
    if (!write_sheet(&sheet, "views/clean", shape, err))
        goto done;
    for (int view = 0; view < views; view++) {
        const bool local = invar_trainer_view_shape(trainer, view).height != shape.height;
        char tag[64];
        if (view >= MOST_GLOBAL && !local)
            continue;
        snprintf(tag, sizeof tag, "views/%d%s", view, local ? " local" : "");
        if (!write_view(&sheet, view, false, tag, err))
            goto done;
        snprintf(tag, sizeof tag, "views/%d perturbed", view);
        if (invar_trainer_view_perturbed(trainer, view) && !write_view(&sheet, view, true, tag, err))
            goto done;
        if (local)
            break;
    }
    ok = true;
done:
    invar_free(sheet.values);
    return ok;
}
