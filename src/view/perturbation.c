/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Adversarial views [A1]. What a generator may do to a run is bounded here, not by luck: whatever it puts out is
 * brought to the sphere of the ball; nothing (norm below 1e-12) becomes no perturbation and no gradient; NaN and Inf
 * are told of in a slot, so that no update is made of them.
 */
#include "invar/expert/perturbation.h"
#include "base/matrix.h"

#include "invar/memory.h"
#include "invar/expert/random.h"
#include "invar/view.h"

#include <math.h>

#define FIRST_STREAM                                                                                                   \
    128 /* of generator noise: lower views of this purpose belong to noise that views add themselves                   \
         */

struct invar_perturbation {
    struct invar_device *device;
    struct invar_plan *plan;
    struct invar_perturbation_options options;
    int64_t rows, perturbed;       /* V * N; coordinates of the mask */
    float *host, *input;           /* host and device [rows][dim + noise] */
    float *delta, *upstream;       /* device [rows][dim] */
    uint8_t *mask;                 /* device [dim], or NULL */
    double *norms, *found;         /* device and host [rows] */
    double *squares;               /* device: room for one sum */
    const float *raw;              /* the direction of the last apply */
    float *squashed;               /* device [rows][dim]: of Viewmaker, its tanh, else NULL */
    double *wide[2];               /* device [rows][dim] each, likewise */
    float *views[INVAR_MAX_VIEWS]; /* device: what the last apply perturbed */
};

bool invar_perturbation_mask(const struct invar_dataset_info *info, uint8_t **mask, struct invar_error *err)
{
    int64_t kept = 0;

    *mask = NULL;
    if (!info->table)
        return true;
    *mask = invar_alloc((size_t)info->channels, 1, err);
    if (!*mask)
        return false;
    for (int c = 0; c < info->table->count; c++) {
        const struct invar_column *column = &info->table->column[c];
        const int open = column->kind == INVAR_COLUMN_NUMERIC ? 1 : column->categories;
        for (int k = 0; k < open && k < column->places; k++, kept++)
            (*mask)[column->first + k] = 1;
    }
    if (kept == info->channels) {
        invar_free(*mask);
        *mask = NULL;
    }
    return true;
}

static int64_t input_width(const struct invar_perturbation *p)
{
    return p->plan ? p->options.dim + p->options.noise : p->options.dim;
}

static bool allocate(struct invar_perturbation *p, struct invar_error *err)
{
    const size_t rows = (size_t)p->rows, dim = (size_t)p->options.dim, wide = (size_t)input_width(p);

    p->host = invar_alloc(rows * wide, sizeof(float), err);
    p->found = p->host ? invar_alloc(rows, sizeof(double), err) : NULL;
    p->norms = p->found ? invar_device_alloc(p->device, rows, sizeof(double), err) : NULL;
    p->squares = p->norms ? invar_device_alloc(p->device, 1, sizeof(double), err) : NULL;
    p->input = p->squares ? invar_device_alloc(p->device, rows * wide, sizeof(float), err) : NULL;
    p->delta = p->input ? invar_device_alloc(p->device, rows * dim, sizeof(float), err) : NULL;
    p->upstream = p->delta ? invar_device_alloc(p->device, rows * dim, sizeof(float), err) : NULL;
    if (p->upstream && p->options.viewmaker) {
        p->squashed = invar_device_alloc(p->device, rows * dim, sizeof(float), err);
        p->wide[0] = p->squashed ? invar_device_alloc(p->device, rows * dim, sizeof(double), err) : NULL;
        p->wide[1] = p->wide[0] ? invar_device_alloc(p->device, rows * dim, sizeof(double), err) : NULL;
        if (!p->wide[1])
            return false;
    }
    if (!p->upstream || !p->options.mask)
        return p->upstream != NULL;
    p->mask = invar_device_alloc(p->device, dim, 1, err);
    if (p->mask)
        invar_device_upload(p->device, p->mask, p->options.mask, dim);
    return p->mask != NULL;
}

struct invar_perturbation *invar_perturbation_create(struct invar_device *device, struct invar_plan *plan,
                                                     const struct invar_perturbation_options *options,
                                                     struct invar_error *err)
{
    struct invar_perturbation *p = invar_alloc(1, sizeof *p, err);

    if (!p)
        return NULL;
    p->device = device;
    p->plan = plan;
    p->options = *options;
    p->rows = options->samples * options->views;
    for (int64_t j = 0; j < options->dim; j++)
        p->perturbed += !options->mask || options->mask[j];
    if (p->perturbed == 0) {
        invar_error_set(err, INVAR_ERROR_USAGE, "no coordinate of the input may be perturbed: leave at least one");
        goto failed;
    }
    if (invar_device_is_planning(device) || allocate(p, err))
        return p;
failed:
    invar_perturbation_free(p);
    return NULL;
}

void invar_perturbation_free(struct invar_perturbation *p)
{
    if (!p)
        return;
    invar_free(p->host);
    invar_free(p->found);
    invar_device_free(p->device, p->norms);
    invar_device_free(p->device, p->squares);
    invar_device_free(p->device, p->input);
    invar_device_free(p->device, p->delta);
    invar_device_free(p->device, p->upstream);
    invar_device_free(p->device, p->squashed);
    invar_device_free(p->device, p->wide[0]);
    invar_device_free(p->device, p->wide[1]);
    invar_device_free(p->device, p->mask);
    invar_free(p);
}

static struct invar_matrix matrix(const struct invar_perturbation *p, const float *data)
{
    return matrix_over(INVAR_FLOAT32, p->rows, p->options.dim, data);
}

/* Sample and noise of every row, beside each other. */
static void fill_input(struct invar_perturbation *p, const struct invar_perturbed_view *views,
                       const struct invar_sample *samples, uint64_t seed, uint64_t epoch)
{
    const struct invar_perturbation_options *o = &p->options;
    const int64_t wide = input_width(p), clean = p->plan ? o->dim : 0;

#pragma omp parallel for num_threads(invar_device_threads(p->device))
    for (int64_t row = 0; row < p->rows; row++) {
        const struct invar_perturbed_view *view = &views[row / o->samples];
        const int64_t i = row % o->samples;
        struct invar_random random = invar_random_stream(seed, INVAR_RANDOM_NOISE, epoch, (uint64_t)samples[i].index,
                                                         FIRST_STREAM + (uint32_t)view->number);
        float *out = p->host + row * wide;
        for (int64_t j = 0; j < clean; j++)
            out[j] = view->clean[i * o->dim + j];
        for (int64_t j = clean; o->viewmaker && j < wide; j++)
            out[j] = invar_random_uniform(&random);
        if (!o->viewmaker)
            invar_random_normals(&random, out + clean, wide - clean);
    }
    invar_device_upload(p->device, p->input, p->host, (size_t)(p->rows * wide) * sizeof(float));
}

bool invar_perturbation_check(struct invar_perturbation *p, const struct invar_sample *samples, struct invar_error *err)
{
    invar_device_download(p->device, p->found, p->norms, (size_t)p->rows * sizeof(double));
    for (int64_t row = 0; row < p->rows; row++)
        if (!isfinite(p->found[row]))
            return invar_error_set(err, INVAR_ERROR_NUMERIC, "the generator's output for sample %lld is not finite",
                                   (long long)samples[row % p->options.samples].index);
    return true;
}

/* ---- what Viewmaker does beside ---- */

static struct invar_matrix wide(const struct invar_perturbation *p, int which, int64_t rows)
{
    return (struct invar_matrix){INVAR_FLOAT64, rows, p->options.dim, p->wide[which]};
}

/* In float64, as the maps are; no norm of theirs bounds what the plan gives, so a tanh does. */
static void squash(struct invar_perturbation *p)
{
    const struct invar_matrix from = matrix(p, p->raw), to = matrix(p, p->squashed), y = wide(p, 0, p->rows);

    invar_dense_copy(p->device, &from, &y);
    invar_dense_map(p->device, INVAR_MAP_TANH, 1, 0, &y);
    invar_dense_copy(p->device, &y, &to);
    p->raw = p->squashed;
}

/* upstream <- upstream (1 - y^2) */
static void squash_backward(struct invar_perturbation *p)
{
    const struct invar_matrix from = matrix(p, p->squashed), upstream = matrix(p, p->upstream);
    const struct invar_matrix y = wide(p, 0, p->rows), by_y = wide(p, 1, p->rows);

    invar_dense_copy(p->device, &from, &y);
    invar_dense_copy(p->device, &upstream, &by_y);
    invar_dense_multiply(p->device, &y, &y);
    invar_dense_affine(p->device, -1, 1, &y);
    invar_dense_multiply(p->device, &y, &by_y);
    invar_dense_copy(p->device, &by_y, &upstream);
}

static void clamp(struct invar_perturbation *p, float *view)
{
    const struct invar_matrix x = matrix_over(INVAR_FLOAT32, p->options.samples, p->options.dim, view);
    const struct invar_matrix y = wide(p, 0, x.rows);

    invar_dense_copy(p->device, &x, &y);
    invar_dense_map(p->device, INVAR_MAP_CLAMP, 1, 0, &y);
    invar_dense_copy(p->device, &y, &x);
}

/* Where a pixel was held at an end nothing goes back. */
static void clamp_backward(struct invar_perturbation *p, const float *view, const struct invar_matrix *upstream)
{
    const struct invar_matrix x = matrix_over(INVAR_FLOAT32, p->options.samples, p->options.dim, view);
    const struct invar_matrix inside = wide(p, 0, x.rows), by_x = wide(p, 1, x.rows);

    invar_dense_copy(p->device, &x, &inside);
    invar_dense_copy(p->device, upstream, &by_x);
    invar_dense_map(p->device, INVAR_MAP_INSIDE, 1, 0, &inside);
    invar_dense_multiply(p->device, &inside, &by_x);
    invar_dense_copy(p->device, &by_x, upstream);
}

bool invar_perturbation_apply(struct invar_perturbation *p, const struct invar_perturbed_view *views,
                              const struct invar_sample *samples, uint64_t seed, uint64_t epoch, double *found,
                              struct invar_error *err)
{
    const struct invar_perturbation_options *o = &p->options;
    const int64_t size = o->samples * o->dim;

    fill_input(p, views, samples, seed, epoch);
    if (p->plan && !invar_plan_forward(p->plan, p->input, err))
        return false;
    p->raw = p->plan ? invar_plan_output(p->plan) : p->input;
    if (o->viewmaker)
        squash(p);
    const struct invar_matrix raw = matrix(p, p->raw), delta = matrix(p, p->delta);
    invar_dense_project(p->device, o->ball, o->eps, &raw, p->mask, &delta, p->norms);
    const struct invar_matrix norms = {.dtype = INVAR_FLOAT64, .rows = 1, .cols = p->rows, .data = p->norms};
    if (found)
        invar_dense_dot(p->device, &norms, &norms, 0, found);
    for (int64_t v = 0; v < o->views; v++) {
        invar_device_add(p->device, views[v].x, p->delta + v * size, 1, size);
        p->views[v] = views[v].x;
        if (o->viewmaker)
            clamp(p, views[v].x);
    }
    return true;
}

bool invar_perturbation_backward(struct invar_perturbation *p, const float *const *gradient, double scale,
                                 struct invar_error *err)
{
    const struct invar_perturbation_options *o = &p->options;
    const int64_t size = o->samples * o->dim;
    const struct invar_matrix raw = matrix(p, p->raw), upstream = matrix(p, p->upstream);

    for (int64_t v = 0; v < o->views; v++) {
        struct invar_matrix from = matrix(p, gradient[v]), to = matrix(p, p->upstream + v * size);
        from.rows = to.rows = o->samples;
        invar_dense_copy(p->device, &from, &to);
        if (o->viewmaker)
            clamp_backward(p, p->views[v], &to);
    }
    invar_dense_project_backward(p->device, o->ball, o->eps, &raw, p->mask, p->norms, &upstream, scale, &upstream);
    if (o->viewmaker)
        squash_backward(p);
    return invar_plan_backward(p->plan, p->upstream, err);
}

const float *invar_perturbation_delta(const struct invar_perturbation *p)
{
    return p->delta;
}

double invar_perturbation_rms(const struct invar_perturbation *p)
{
    const struct invar_matrix slot = {.dtype = INVAR_FLOAT64, .rows = 1, .cols = 1, .data = p->squares};
    double squares;

    invar_dense_zero(p->device, &slot);
    invar_device_sum_squares(p->device, p->delta, p->rows * p->options.dim, 1, p->squares);
    invar_device_download(p->device, &squares, p->squares, sizeof squares);
    return sqrt(squares / (double)p->rows / (double)p->perturbed);
}

size_t invar_perturbation_bytes(const struct invar_perturbation *p)
{
    return (p->options.mask ? (size_t)p->options.dim : 0) +
           (p->options.viewmaker ? (size_t)(p->rows * p->options.dim) * (2 * sizeof(double) + sizeof(float)) : 0) +
           (size_t)p->rows * (2 * sizeof(double) + sizeof(float) * (size_t)(2 * input_width(p) + 2 * p->options.dim));
}
