/* SPDX-License-Identifier: Apache-2.0 */
/* Clean samples, what the run's adversary adds, and the sum. */
#include "report/samples.h"
#include "invar/expert/file.h"
#include "invar/log.h"
#include "invar/report.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

enum { PATH_SIZE = 4096, PICTURES = 10, TABLE_ROWS = 4, LEAST_SIDE = 84, GAP = 4 };

struct samples {
    struct invar_perturbed of;
    int64_t count, dim;
    struct invar_shape shape;
    const float *clean, *perturbed; /* [count][dim] */
    float *delta;
};

/* ---- pictures ---- */

struct picture {
    uint8_t *pixels;
    int height, width, channels, scale;
};

static uint8_t level(double value)
{
    return !(value > 0) ? 0 : value < 1 ? (uint8_t)lrint(255 * value) : 255;
}

/* One tile: value(x) = x * gain[c] + offset[c], in 0..1; spectrograms have their lowest band at the bottom. */
static void draw(const struct picture *p, const struct samples *s, const float *x, int row, int column,
                 const double *gain, const double *offset, bool upside_down)
{
    const int height = (int)s->shape.height, width = (int)s->shape.width;
    const int top = GAP + row * (height * p->scale + GAP), left = GAP + column * (width * p->scale + GAP);

    for (int y = 0; y < height * p->scale; y++)
        for (int k = 0; k < width * p->scale; k++)
            for (int c = 0; c < p->channels; c++) {
                const int from = upside_down ? height - 1 - y / p->scale : y / p->scale;
                const double value = (double)x[(c * height + from) * width + k / p->scale];
                p->pixels[((top + y) * p->width + left + k) * p->channels + c] = level(value * gain[c] + offset[c]);
            }
}

/* How values become shades: images as they were, spectrograms from the least to the largest of them. */
static void shades(const struct samples *s, const struct invar_run *run, double *gain, double *offset)
{
    double least = INFINITY, most = -INFINITY;

    for (int64_t i = 0; i < s->count * s->dim; i++) {
        least = fmin(least, (double)s->clean[i]);
        most = fmax(most, (double)s->clean[i]);
    }
    for (int c = 0; c < 3; c++) {
        const bool image = invar_dataset_info(run->dataset)->kind == INVAR_DATA_IMAGE;
        gain[c] = image ? (double)run->encoder->deviation[c] : most > least ? 1 / (most - least) : 1;
        offset[c] = image ? (double)run->encoder->mean[c] : -least * gain[c];
    }
}

static bool write_picture(const struct samples *s, const struct invar_run *run, const char *path,
                          struct invar_error *err)
{
    const int side = (int)(s->shape.height < s->shape.width ? s->shape.height : s->shape.width);
    const bool upside_down = invar_dataset_info(run->dataset)->kind == INVAR_DATA_AUDIO;
    struct picture p = {.channels = s->shape.channels == 3 ? 3 : 1,
                        .scale = side < LEAST_SIDE ? (LEAST_SIDE + side - 1) / side : 1};
    double gain[3], offset[3], strong[3], largest = 0;

    p.height = GAP + 3 * ((int)s->shape.height * p.scale + GAP);
    p.width = GAP + (int)s->count * ((int)s->shape.width * p.scale + GAP);
    const size_t bytes = (size_t)p.height * (size_t)p.width * (size_t)p.channels;
    p.pixels = invar_alloc(bytes, 1, err);
    if (!p.pixels)
        return false;
    memset(p.pixels, 255, bytes);
    shades(s, run, gain, offset);
    for (int64_t i = 0; i < s->count * s->dim; i++)
        largest = fmax(largest, fabs((double)s->delta[i]));
    for (int c = 0; c < 3; c++)
        strong[c] = largest > 0 ? 0.5 / largest : 0;
    for (int64_t i = 0; i < s->count; i++) {
        draw(&p, s, s->clean + i * s->dim, 0, (int)i, gain, offset, upside_down);
        draw(&p, s, s->delta + i * s->dim, 1, (int)i, strong, (const double[]){0.5, 0.5, 0.5}, upside_down);
        draw(&p, s, s->perturbed + i * s->dim, 2, (int)i, gain, offset, upside_down);
    }
    const bool ok = invar_picture_write(path, p.pixels, p.height, p.width, p.channels, err);
    if (ok)
        invar_log(INVAR_LOG_INFO,
                  "%s: %d samples; from the top: clean, perturbation (gray is 0, black and white -%.3g and %.3g in "
                  "units of the standardised input, RMS %.3g), perturbed",
                  path, (int)s->count, largest, largest, s->of.rms);
    invar_free(p.pixels);
    return ok;
}

/* ---- tables ---- */

static bool write_table(const struct samples *s, const struct invar_run *run, const char *path, struct invar_error *err)
{
    const struct invar_table *table = invar_dataset_info(run->dataset)->table;
    const int64_t *index = s->of.index.data;
    struct invar_writer *writer = invar_writer_open(path, err);
    bool ok = writer != NULL;

    for (int64_t i = 0; ok && i < s->count; i++) {
        ok = invar_writer_printf(writer, err, "%ssample %lld\n%-40s %12s %12s %12s\n", i ? "\n" : "",
                                 (long long)index[i], "column", "clean", "perturbation", "perturbed");
        for (int64_t j = i * s->dim; ok && j < (i + 1) * s->dim; j++) {
            char name[128];
            invar_table_place_name(name, sizeof name, table, j - i * s->dim);
            ok = invar_writer_printf(writer, err, "%-40s %12.4f %+12.4f %12.4f\n", name, (double)s->clean[j],
                                     (double)s->delta[j], (double)s->perturbed[j]);
        }
    }
    ok = ok && invar_writer_commit(writer, err);
    invar_writer_close(writer);
    if (ok)
        invar_log(INVAR_LOG_INFO, "%s: %d samples, numbers standardised, RMS of the perturbation %.3g", path,
                  (int)s->count, s->of.rms);
    return ok;
}

/* The samples, and what was added to each number of them. */
static bool take(struct samples *s, struct invar_run *run, enum invar_split split, struct invar_error *err)
{
    const int64_t most = s->shape.rank == 3 ? PICTURES : TABLE_ROWS;
    uint64_t seed = 0;
    struct invar_perturber *perturber = invar_run_perturber(run, most, &seed, err);
    const bool ok =
        perturber && invar_perturber_show(perturber, run->encoder, run->dataset, split, most, seed, &s->of, err);

    invar_perturber_close(perturber);
    if (!ok)
        return false;
    s->count = s->of.clean.shape[0];
    s->dim = s->of.clean.shape[1];
    s->clean = s->of.clean.data;
    s->perturbed = s->of.perturbed.data;
    s->delta = invar_alloc((size_t)(s->count * s->dim), sizeof(float), err);
    for (int64_t i = 0; s->delta && i < s->count * s->dim; i++)
        s->delta[i] = s->perturbed[i] - s->clean[i];
    return s->delta != NULL;
}

bool report_samples_write(struct invar_run *run, enum invar_split split, const char *path, struct invar_error *err)
{
    struct samples s = {.shape = invar_net_input(run->encoder->net)};
    const bool ok = take(&s, run, split, err) &&
                    (s.shape.rank == 3 ? write_picture(&s, run, path, err) : write_table(&s, run, path, err));

    invar_free(s.delta);
    invar_perturbed_free(&s.of);
    return ok;
}
