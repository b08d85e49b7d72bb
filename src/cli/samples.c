/* SPDX-License-Identifier: Apache-2.0 */
/* invar inspect RUN --samples FILE: clean samples, what the run's adversary adds, and the sum. */
#include "cli/samples.h"
#include "invar/file.h"
#include "invar/perturbation.h"
#include "invar/report.h"
#include "invar/safetensors.h"
#include "invar/train.h"

#include <math.h>
#include <string.h>

enum { PATH_SIZE = 4096, PICTURES = 10, TABLE_ROWS = 4, LEAST_SIDE = 84, GAP = 4 };

struct samples {
    struct invar_recipe *recipe;
    struct invar_net *net;
    struct invar_weights *weights;
    struct invar_plan *plan;
    struct invar_perturbation *perturbation;
    struct invar_loader *loader;
    struct invar_view_maker *maker;
    struct invar_sample sample[PICTURES];
    int64_t count, dim;
    float *clean, *perturbed; /* host, device [count][dim] */
    struct invar_shape shape;
};

static void samples_free(struct samples *s, struct invar_device *device)
{
    invar_perturbation_free(s->perturbation);
    invar_plan_free(s->plan);
    invar_weights_free(s->weights);
    invar_net_free(s->net);
    invar_view_maker_free(s->maker);
    invar_loader_free(s->loader);
    invar_device_free(device, s->perturbed);
    invar_free(s->clean);
    invar_recipe_free(s->recipe);
}

static bool read_recipe(struct samples *s, const char *folder, struct invar_error *err)
{
    char path[PATH_SIZE];

    if (!invar_path_join(path, sizeof path, folder, "recipe.yaml", err))
        return false;
    s->recipe = invar_recipe_load(path, NULL, 0, err);
    if (s->recipe && strcmp(s->recipe->adversary.kind, "none") == 0)
        return invar_error_set(err, INVAR_ERROR_USAGE,
                               "%s: adversary.kind is none, so there are no perturbations to show: give a run whose "
                               "recipe has an adversary",
                               path);
    return s->recipe != NULL;
}

/* The first samples of the split as the encoder sees them. */
static bool read_samples(struct samples *s, struct cli_run *run, enum invar_split split, struct invar_error *err)
{
    const struct invar_dataset_info *info = invar_dataset_info(run->dataset);
    const int64_t wanted = s->shape.rank == 3 ? PICTURES : TABLE_ROWS;
    int64_t order[PICTURES];

    for (int64_t i = 0; i < PICTURES; i++)
        order[i] = i;
    s->count = info->count[split] < wanted ? info->count[split] : wanted;
    s->loader = s->count > 0 ? invar_loader_create(run->dataset, split, s->count, err) : NULL;
    if (s->count == 0)
        return invar_error_set(err, INVAR_ERROR_DATA, "%s has no samples in that split: choose another --split",
                               info->source);
    if (!s->loader || !invar_loader_start(s->loader, order, s->count, err) ||
        !invar_loader_next(s->loader, s->sample, &s->count, err))
        return false;
    s->clean = invar_alloc((size_t)(s->count * s->dim), sizeof(float), err);
    s->perturbed = s->clean ? invar_device_alloc(run->device, (size_t)(s->count * s->dim), sizeof(float), err) : NULL;
    s->maker = s->perturbed ? invar_view_maker_create(&s->recipe->views, info, err) : NULL;
    if (!s->maker || !invar_view_maker_plain(s->maker, s->sample, s->count, s->clean, err))
        return false;
    invar_device_upload(run->device, s->perturbed, s->clean, (size_t)(s->count * s->dim) * sizeof(float));
    return true;
}

/* generator.safetensors of the run, with its running statistics. */
static bool read_generator(struct samples *s, struct cli_run *run, struct invar_error *err)
{
    const struct invar_adversary_options *o = &s->recipe->adversary;
    const struct invar_generator_options build = {.widths = o->widths, .noise = o->noise, .blocks = o->blocks};
    const struct invar_plan_options plan = {.batch = s->count, .groups = 1, .mode = INVAR_PLAN_INFERENCE};
    const struct invar_generator_spec *spec = invar_generator_find(o->kind, s->shape, err);
    struct invar_safetensors *file = NULL;
    float *parameters = NULL, *statistics = NULL;
    char path[PATH_SIZE];
    bool ok = false;

    s->net = spec ? invar_generator_build(spec, &build, s->shape, err) : NULL;
    s->weights = s->net ? invar_weights_create(run->device, s->net, false, err) : NULL;
    if (!s->weights || !invar_path_join(path, sizeof path, run->folder, "generator.safetensors", err))
        return false;
    parameters = invar_alloc((size_t)s->net->trained_count, sizeof(float), err);
    statistics = invar_alloc((size_t)s->net->statistic_count + 1, sizeof(float), err);
    if (!parameters || !statistics || !invar_safetensors_read(&file, path, err) ||
        !invar_net_restore(s->net, parameters, statistics, "", file, path, err))
        goto done;
    invar_device_upload(run->device, s->weights->parameters, parameters, (size_t)s->net->trained_count * sizeof(float));
    invar_device_upload(run->device, s->weights->statistics, statistics,
                        (size_t)s->net->statistic_count * sizeof(float));
    s->plan = invar_plan_create(s->weights, &plan, err);
    ok = s->plan != NULL;
done:
    invar_safetensors_free(file);
    invar_free(parameters);
    invar_free(statistics);
    return ok;
}

static bool perturb(struct samples *s, struct cli_run *run, struct invar_error *err)
{
    const struct invar_adversary_options *o = &s->recipe->adversary;
    const struct invar_perturbed_view view = {(int)o->views.value[0], s->clean, s->perturbed};
    struct invar_perturbation_options options = {
        .eps = o->eps, .ball = (enum invar_ball)o->p, .samples = s->count, .views = 1, .dim = s->dim};

    if (strcmp(o->kind, "noise") != 0 && !read_generator(s, run, err))
        return false;
    if (s->net) {
        const struct invar_shape in = invar_net_input(s->net);
        options.noise = in.channels * in.height * in.width - s->dim;
    }
    s->perturbation = invar_perturbation_create(run->device, s->plan, &options, err);
    return s->perturbation &&
           invar_perturbation_apply(s->perturbation, &view, s->sample, (uint64_t)s->recipe->training.seed, 0, err);
}

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
static void shades(const struct samples *s, const struct invar_dataset_info *info, double *gain, double *offset)
{
    double least = INFINITY, most = -INFINITY;

    for (int64_t i = 0; i < s->count * s->dim; i++) {
        least = fmin(least, (double)s->clean[i]);
        most = fmax(most, (double)s->clean[i]);
    }
    for (int c = 0; c < 3; c++) {
        const bool image = info->kind == INVAR_DATA_IMAGE;
        gain[c] = image ? (double)info->deviation[c] : most > least ? 1 / (most - least) : 1;
        offset[c] = image ? (double)info->mean[c] : -least * gain[c];
    }
}

static bool write_picture(const struct samples *s, const struct cli_run *run, const float *delta,
                          const float *perturbed, const char *path, struct invar_error *err)
{
    const struct invar_dataset_info *info = invar_dataset_info(run->dataset);
    const int side = (int)(s->shape.height < s->shape.width ? s->shape.height : s->shape.width);
    const bool upside_down = info->kind == INVAR_DATA_AUDIO;
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
    shades(s, info, gain, offset);
    for (int64_t i = 0; i < s->count * s->dim; i++)
        largest = fmax(largest, fabs((double)delta[i]));
    for (int c = 0; c < 3; c++)
        strong[c] = largest > 0 ? 0.5 / largest : 0;
    for (int64_t i = 0; i < s->count; i++) {
        draw(&p, s, s->clean + i * s->dim, 0, (int)i, gain, offset, upside_down);
        draw(&p, s, delta + i * s->dim, 1, (int)i, strong, (const double[]){0.5, 0.5, 0.5}, upside_down);
        draw(&p, s, perturbed + i * s->dim, 2, (int)i, gain, offset, upside_down);
    }
    const bool ok = invar_picture_write(path, p.pixels, p.height, p.width, p.channels, err);
    if (ok)
        cli_message("%s: %d samples; from the top: clean, perturbation (gray is 0, black and white -%.3g and %.3g in "
                    "units of the standardised input, RMS %.3g), perturbed",
                    path, (int)s->count, largest, largest, invar_perturbation_rms(s->perturbation));
    invar_free(p.pixels);
    return ok;
}

/* ---- tables ---- */

static void place_name(char *out, size_t size, const struct invar_table *table, int64_t place)
{
    snprintf(out, size, "%lld", (long long)place);
    for (int k = 0; table && k < table->count; k++) {
        const struct invar_column *column = &table->column[k];
        const int64_t at = place - column->first;
        if (at < 0 || at >= column->places)
            continue;
        if (column->categories > 0)
            snprintf(out, size, "%.40s=%.40s", column->name, at < column->categories ? column->category[at] : "?");
        else
            snprintf(out, size, "%.60s%s", column->name, at > 0 ? " missing" : "");
        return;
    }
}

static bool write_table(const struct samples *s, const struct cli_run *run, const float *delta, const float *perturbed,
                        const char *path, struct invar_error *err)
{
    const struct invar_table *table = invar_dataset_info(run->dataset)->table;
    struct invar_writer *writer = invar_writer_open(path, err);
    bool ok = writer != NULL;

    for (int64_t i = 0; ok && i < s->count; i++) {
        ok = invar_writer_printf(writer, err, "%ssample %lld\n%-40s %12s %12s %12s\n", i ? "\n" : "",
                                 (long long)s->sample[i].index, "column", "clean", "perturbation", "perturbed");
        for (int64_t j = i * s->dim; ok && j < (i + 1) * s->dim; j++) {
            char name[128];
            place_name(name, sizeof name, table, j - i * s->dim);
            ok = invar_writer_printf(writer, err, "%-40s %12.4f %+12.4f %12.4f\n", name, (double)s->clean[j],
                                     (double)delta[j], (double)perturbed[j]);
        }
    }
    ok = ok && invar_writer_commit(writer, err);
    invar_writer_close(writer);
    if (ok)
        cli_message("%s: %d samples, numbers standardised, RMS of the perturbation %.3g", path, (int)s->count,
                    invar_perturbation_rms(s->perturbation));
    return ok;
}

bool cli_samples_write(struct cli_run *run, enum invar_split split, const char *path, struct invar_error *err)
{
    struct samples s = {.shape = invar_net_input(run->encoder->net)};
    float *delta = NULL, *perturbed = NULL;
    bool ok = false;

    s.dim = s.shape.rank == 3 ? s.shape.channels * s.shape.height * s.shape.width : s.shape.channels;
    if (!read_recipe(&s, run->folder, err) || !read_samples(&s, run, split, err) || !perturb(&s, run, err))
        goto done;
    const size_t bytes = (size_t)(s.count * s.dim) * sizeof(float);
    delta = invar_alloc(bytes, 1, err);
    perturbed = invar_alloc(bytes, 1, err);
    if (!delta || !perturbed)
        goto done;
    invar_device_download(run->device, delta, invar_perturbation_delta(s.perturbation), bytes);
    invar_device_download(run->device, perturbed, s.perturbed, bytes);
    ok = s.shape.rank == 3 ? write_picture(&s, run, delta, perturbed, path, err)
                           : write_table(&s, run, delta, perturbed, path, err);
done:
    invar_free(delta);
    invar_free(perturbed);
    samples_free(&s, run->device);
    return ok;
}
