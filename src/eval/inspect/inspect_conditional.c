/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The entropy of the outputs around one input, x + N(0, s^2 I), twice: of draws, and of the Gaussian N(f(x), s^2 J J^T)
 * that a piecewise affine network makes of it while no draw leaves the piece of x. LogDet [I3] on either side, which a
 * covariance of few draws or of an output that does not move has too.
 */
#include "eval/inspect/inspect.h"
#include "invar/expert/objective.h"

#include <math.h>
#include <string.h>

enum { SPACES = 2 };
/* Of a difference, in deviations of a pixel: far above what float32 rounds, and below the levels of interest. */
static const float step = 1e-3F;

static double log_det(const double *eigenvalues, int64_t count, double factor)
{
    double sum = 0;

    for (int64_t i = 0; i < count; i++)
        /* log1p: at small levels the products are far below 1, and the sum 1 + x would drop their digits. */
        sum += log1p(factor * eigenvalues[i]) / 2;
    return sum;
}

/* In float64: the outputs differ by little around a large mean, and their covariance is what is asked for. */
bool inspect_conditional_sampled(struct inspect *in, const double *outputs, int64_t width, int64_t draws, double *nats,
                                 struct invar_error *err)
{
    const size_t count = (size_t)(width * draws);
    struct invar_matrix x = {INVAR_FLOAT64, draws, width, NULL};

    invar_scratch_reset(in->scratch);
    double *values = invar_scratch_take(in->scratch, (size_t)width, sizeof *values, err);
    double *rows = invar_scratch_take(in->scratch, count, sizeof *rows, err);
    x.data = invar_device_take(in->scratch, count, sizeof *rows, err);
    if (!values || !rows || !x.data)
        return false;
    for (int64_t i = 0; i < draws; i++)
        for (int64_t j = 0; j < width; j++)
            rows[i * width + j] = outputs[j * draws + i];
    invar_device_upload(in->subject->device, x.data, rows, count * sizeof *rows);
    if (!invar_measure_spectrum(in->subject->device, in->scratch, &x, NULL, values, err))
        return false;
    *nats = log_det(values, width, in->options->beta);
    return true;
}

/* Row j of J: what the outputs change by with number j of the input; base: outputs of the input itself. */
static bool differences(struct runner *runner, const float *input, float *moved, float *base[SPACES], float *j[SPACES],
                        struct invar_error *err)
{
    const int64_t width[SPACES] = {runner->h_cols, runner->z_cols}, size = runner->input_size;

    if (!runner_run(runner, input, 1, err))
        return false;
    for (int s = 0; s < SPACES; s++)
        if (j[s])
            memcpy(base[s], s ? runner->z : runner->h, (size_t)width[s] * sizeof(float));
    for (int64_t first = 0; first < size; first += RUNNER_BATCH) {
        const int64_t left = size - first, count = left < RUNNER_BATCH ? left : RUNNER_BATCH;
        for (int64_t i = 0; i < count; i++) {
            memcpy(moved + i * size, input, (size_t)size * sizeof *moved);
            /* Forwards and not on both sides, which would cost twice the passes: within an affine piece both are the
             * same. */
            moved[i * size + first + i] += step;
        }
        if (!runner_run(runner, moved, count, err))
            return false;
        for (int s = 0; s < SPACES; s++)
            for (int64_t i = 0; j[s] && i < count * width[s]; i++)
                j[s][first * width[s] + i] = ((s ? runner->z : runner->h)[i] - base[s][i % width[s]]) / step;
    }
    return true;
}

/* The spectrum of J is taken once and serves all levels: s enters as a factor of its squares, as the covariance around
 * x is s^2 J J^T. Of J the smaller side is enough, since J J^T and J^T J share what is not 0. */
static bool add_levels(struct inspect *in, const float *j, int64_t size, int64_t width, double *nats,
                       struct invar_error *err)
{
    const int64_t least = size < width ? size : width;
    struct invar_matrix x = {INVAR_FLOAT32, size, width, NULL};

    invar_scratch_reset(in->scratch);
    double *values = invar_scratch_take(in->scratch, (size_t)least, sizeof *values, err);
    x.data = invar_device_take(in->scratch, (size_t)(size * width), sizeof *j, err);
    if (!values || !x.data)
        return false;
    invar_device_upload(in->subject->device, x.data, j, (size_t)(size * width) * sizeof *j);
    /* Singular values of J as it is and not of a centred one: rows of J are no samples, and their mean is part of the
     * map. */
    if (!invar_measure_spectrum(in->subject->device, in->scratch, &x, values, NULL, err))
        return false;
    for (int64_t k = 0; k < least; k++)
        values[k] *= values[k];
    for (int i = 0; i < in->options->noise_levels.count; i++) {
        const double s = in->options->noise_levels.value[i];
        nats[i] += log_det(values, least, in->options->beta * s * s);
    }
    return true;
}

bool inspect_conditional_jacobian(struct inspect *in, struct runner *runner, const float *input, double *nats[SPACES],
                                  struct invar_error *err)
{
    const int64_t width[SPACES] = {runner->h_cols, nats[1] ? runner->z_cols : 0}, size = runner->input_size;
    float *moved = invar_alloc(RUNNER_BATCH, (size_t)size * sizeof *moved, err), *j[SPACES] = {0}, *base[SPACES] = {0};
    bool ok = moved != NULL;

    for (int s = 0; ok && s < SPACES && width[s]; s++) {
        j[s] = invar_alloc((size_t)size, (size_t)width[s] * sizeof *moved, err);
        base[s] = invar_alloc((size_t)width[s], sizeof *moved, err);
        ok = j[s] && base[s];
    }
    ok = ok && differences(runner, input, moved, base, j, err);
    for (int s = 0; ok && s < SPACES && width[s]; s++)
        ok = add_levels(in, j[s], size, width[s], nats[s], err);
    for (int s = 0; s < SPACES; s++) {
        invar_free(j[s]);
        invar_free(base[s]);
    }
    invar_free(moved);
    return ok;
}
