/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Exact t-SNE: gradient descent with momentum and gains, attraction exaggerated at first, started from the principal
 * components so that the large distances mean something too. Rows are independent of each other and sums over rows are
 * made in their order, so that threads change nothing.
 */
#include "report/tsne.h"

#include "invar/memory.h"
#include "invar/expert/random.h"

#include <float.h>
#include <math.h>
#include <string.h>

/* Early exaggeration lets clusters form while points can still pass through each other. The start is tiny, so that the
 * first steps see all pairs as near and the long-range order comes from the principal components; the noise breaks ties
 * of rows that coincide, which no force would ever part. A gain is bounded from below, or a direction that once
 * oscillated would stand still for ever. */
static const double exaggeration = 12, start_deviation = 1e-4, start_noise = 1e-6;
static const float least_gain = 0.01F;

/* Float for what is rows x rows or read in the inner loop, where the memory bandwidth decides; double for sums over all
 * rows, whose rounding would otherwise grow with their number. */
struct tsne {
    int64_t rows;
    float *affinity;        /* [rows][rows] P, symmetric, sums to 1 */
    float *x, *y;           /* [rows] the map */
    float *step_x, *step_y; /* [rows] last steps */
    float *gain_x, *gain_y; /* [rows] */
    float *pull_x, *pull_y; /* [rows] sums of attraction */
    float *push_x, *push_y; /* [rows] sums of repulsion, not normalised */
    double *mass;           /* [rows] sums of the kernel */
    float *memory;
};

struct tsne_options tsne_options_default(void)
{
    return (struct tsne_options){.perplexity = 30, .iterations = 750, .seed = 0};
}

static bool allocate(struct tsne *t, struct invar_error *err)
{
    float **const column[] = {&t->x,      &t->y,      &t->step_x, &t->step_y, &t->gain_x,
                              &t->gain_y, &t->pull_x, &t->pull_y, &t->push_x, &t->push_y};
    const size_t columns = sizeof column / sizeof column[0], rows = (size_t)t->rows;

    t->affinity = invar_alloc(rows, rows * sizeof(float), err);
    t->memory = invar_alloc(rows, columns * sizeof(float), err);
    t->mass = invar_alloc(rows, sizeof(double), err);
    for (size_t k = 0; t->memory && k < columns; k++)
        *column[k] = t->memory + k * rows;
    return t->affinity && t->memory && t->mass;
}

/* Squared distances of row i to all. */
static void distances(const float *points, int64_t rows, int64_t cols, int64_t i, float *out)
{
    const float *a = points + i * cols;

    for (int64_t j = 0; j < rows; j++) {
        const float *b = points + j * cols;
        float sum = 0;
#pragma omp simd reduction(+ : sum)
        for (int64_t k = 0; k < cols; k++)
            sum += (a[k] - b[k]) * (a[k] - b[k]);
        out[j] = sum;
    }
}

/* Turns the squared distances of row i into probabilities of that perplexity: bisection on the width of the kernel. */
static void neighbourhood(float *row, int64_t rows, int64_t i, double perplexity)
{
    /* The least distance is taken off all of them: it cancels in the probabilities, and without it exp underflows to 0
     * for every neighbour where the data are far apart, so that the sum is 0 and nothing can be divided by it. */
    const double wanted = log(perplexity);
    double beta = 1, low = 0, high = INFINITY, least = INFINITY, sum = 0, mean = 0;

    for (int64_t j = 0; j < rows; j++)
        if (j != i)
            least = fmin(least, (double)row[j]);
    for (int64_t j = 0; j < rows; j++)
        if (j != i)
            mean += (double)row[j] - least;
    mean /= (double)(rows - 1);
    if (!(mean > 0)) { /* all are equally far */
        for (int64_t j = 0; j < rows; j++)
            row[j] = j == i ? 0 : (float)(1 / (double)(rows - 1));
        return;
    }
    /* The right width is of the order of the mean distance whatever the unit of the data: bisection from there takes a
     * few rounds, and from 1 dozens where features are in the thousands. */
    beta = 1 / mean;
    for (int round = 0; round < 100; round++) {
        double weighted = 0;
        sum = 0;
        for (int64_t j = 0; j < rows; j++)
            if (j != i) {
                const double d = (double)row[j] - least, p = exp(-beta * d);
                sum += p;
                weighted += p * d;
            }
        const double entropy = log(sum) + beta * weighted / sum;
        if (fabs(entropy - wanted) < 1e-5)
            break;
        if (entropy > wanted) {
            low = beta;
            beta = isinf(high) ? 2 * beta : (beta + high) / 2;
        } else {
            high = beta;
            beta = (beta + low) / 2;
        }
    }
    for (int64_t j = 0; j < rows; j++)
        row[j] = j == i ? 0 : (float)(exp(-beta * ((double)row[j] - least)) / sum);
}

/* P is made symmetric, so that a far outlier, which nobody counts as a neighbour, is still pulled by those that it
 * counts itself: otherwise it would drift off and stretch the map. */
static void affinities(struct tsne *t, const float *points, int64_t cols, double perplexity)
{
    const int64_t rows = t->rows;
    const float scale = (float)(0.5 / (double)rows);

#pragma omp parallel for schedule(static)
    for (int64_t i = 0; i < rows; i++) {
        distances(points, rows, cols, i, t->affinity + i * rows);
        neighbourhood(t->affinity + i * rows, rows, i, perplexity);
    }
#pragma omp parallel for schedule(dynamic, 16)
    for (int64_t i = 0; i < rows; i++)
        for (int64_t j = i + 1; j < rows; j++) {
            const float both = (t->affinity[i * rows + j] + t->affinity[j * rows + i]) * scale;
            t->affinity[i * rows + j] = t->affinity[j * rows + i] = both;
        }
}

/* Both axes take the scale of the first, so that the start keeps the shape of the principal plane. */
static void begin(struct tsne *t, const float *start, uint64_t seed)
{
    double sum = 0, squares = 0;

    for (int64_t i = 0; i < t->rows; i++) {
        sum += (double)start[2 * i];
        squares += (double)start[2 * i] * (double)start[2 * i];
    }
    const double mean = sum / (double)t->rows, variance = squares / (double)t->rows - mean * mean;
    const double scale = variance > 0 ? start_deviation / sqrt(variance) : 0;
    struct invar_random random = invar_random_stream(seed, INVAR_RANDOM_NOISE, 0, 0, 0);
    for (int64_t i = 0; i < t->rows; i++) {
        t->x[i] = (float)(scale * (double)start[2 * i] + start_noise * (double)invar_random_normal(&random));
        t->y[i] = (float)(scale * (double)start[2 * i + 1] + start_noise * (double)invar_random_normal(&random));
        t->gain_x[i] = t->gain_y[i] = 1;
    }
}

static void forces(struct tsne *t, int64_t i)
{
    const float *p = t->affinity + i * t->rows, *x = t->x, *y = t->y;
    const float xi = x[i], yi = y[i];
    float pull_x = 0, pull_y = 0, push_x = 0, push_y = 0, mass = 0;

#pragma omp simd reduction(+ : pull_x, pull_y, push_x, push_y, mass)
    for (int64_t j = 0; j < t->rows; j++) {
        const float dx = xi - x[j], dy = yi - y[j];
        const float kernel = 1.0F / (1.0F + dx * dx + dy * dy);
        const float pull = p[j] * kernel, push = kernel * kernel;
        pull_x += pull * dx;
        pull_y += pull * dy;
        push_x += push * dx;
        push_y += push * dy;
        mass += kernel;
    }
    t->pull_x[i] = pull_x;
    t->pull_y[i] = pull_y;
    t->push_x[i] = push_x;
    t->push_y[i] = push_y;
    t->mass[i] = (double)mass - 1; /* itself */
}

/* A step that goes on in the direction of the last one may grow, one that turns back shrinks (Jacobs 1988): the
 * gradient has the sign of what is descended, so that equal signs of gradient and step mean a turn. */
static void move(float *place, float *step, float *gain, double gradient, double momentum, double rate)
{
    *gain = (gradient > 0) == (*step > 0) ? fmaxf(*gain * 0.8F, least_gain) : *gain + 0.2F;
    *step = (float)(momentum * (double)*step - rate * (double)*gain * gradient);
    *place += *step;
}

static double total_mass(const struct tsne *t)
{
    double sum = 0;
    for (int64_t i = 0; i < t->rows; i++)
        sum += t->mass[i];
    return fmax(sum, DBL_MIN);
}

static void centre(float *x, int64_t rows)
{
    double sum = 0;
    for (int64_t i = 0; i < rows; i++)
        sum += (double)x[i];
    for (int64_t i = 0; i < rows; i++)
        x[i] -= (float)(sum / (double)rows);
}

/* A rate in proportion to the rows keeps the steps of one point the same in small maps and large ones (Belkina et al.
 * 2019); below 50 small maps would not unfold in the iterations there are. */
static void descend(struct tsne *t, int64_t iterations)
{
    const int64_t early = iterations / 3 < 250 ? iterations / 3 : 250;
    const double rate = fmax((double)t->rows / exaggeration / 4, 50);

    for (int64_t step = 0; step < iterations; step++) {
        const double attraction = step < early ? exaggeration : 1, momentum = step < early ? 0.5 : 0.8;
#pragma omp parallel for schedule(static)
        for (int64_t i = 0; i < t->rows; i++)
            forces(t, i);
        const double mass = total_mass(t);
        for (int64_t i = 0; i < t->rows; i++) {
            const double x = attraction * (double)t->pull_x[i] - (double)t->push_x[i] / mass;
            const double y = attraction * (double)t->pull_y[i] - (double)t->push_y[i] / mass;
            move(&t->x[i], &t->step_x[i], &t->gain_x[i], 4 * x, momentum, rate);
            move(&t->y[i], &t->step_y[i], &t->gain_y[i], 4 * y, momentum, rate);
        }
        centre(t->x, t->rows);
        centre(t->y, t->rows);
    }
}

static double kl(const struct tsne *t)
{
    double mass = 0, sum = 0;

    for (int round = 0; round < 2; round++)
        for (int64_t i = 0; i < t->rows; i++)
            for (int64_t j = 0; j < t->rows; j++) {
                const double dx = (double)t->x[i] - (double)t->x[j], dy = (double)t->y[i] - (double)t->y[j];
                const double kernel = 1 / (1 + dx * dx + dy * dy), p = (double)t->affinity[i * t->rows + j];
                if (round == 0)
                    mass += i == j ? 0 : kernel;
                else if (p > 0)
                    sum += p * log(p * mass / kernel);
            }
    return sum;
}

static bool all_finite(const float *x, int64_t count)
{
    for (int64_t i = 0; i < count; i++)
        if (!isfinite(x[i]))
            return false;
    return true;
}

bool tsne_map(const float *points, int64_t rows, int64_t cols, const float *start, const struct tsne_options *options,
              float *out, double *divergence, struct invar_error *err)
{
    struct tsne t = {.rows = rows};
    bool ok = false;

    if (rows < 4)
        return invar_error_set(err, INVAR_ERROR_DATA, "a t-SNE map needs 4 samples or more, there are %lld",
                               (long long)rows);
    if (!all_finite(points, rows * cols) || !all_finite(start, 2 * rows))
        return invar_error_set(err, INVAR_ERROR_NUMERIC,
                               "the points of a t-SNE map hold NaN or Inf; expected finite numbers");
    if (!allocate(&t, err))
        goto done;
    affinities(&t, points, cols, fmin(options->perplexity, (double)(rows - 1) / 3));
    begin(&t, start, options->seed);
    descend(&t, options->iterations);
    for (int64_t i = 0; i < rows; i++) {
        out[2 * i] = t.x[i];
        out[2 * i + 1] = t.y[i];
    }
    if (divergence)
        *divergence = kl(&t);
    ok = true;
done:
    invar_free(t.affinity);
    invar_free(t.memory);
    invar_free(t.mass);
    return ok;
}
