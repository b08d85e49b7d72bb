/* SPDX-License-Identifier: Apache-2.0 */
/* Rows onto the sphere of an L_p ball [A1], and back. A row is one thread's and its sums are in double. */
#include "device/cpu/dense.h"

#include <math.h>

#define SHORTEST 1e-12   /* norm below which a row has no direction */
#define SMALL_WORK 16384 /* elements below which threads cost more than they bring */

static bool counts(const uint8_t *mask, int64_t j)
{
    return !mask || mask[j];
}

/* eps dim^{1/p}: the norm of every delta. The radius grows with the dimension, so that eps is the size of a single
 * number whatever the shape of the sample: mean (1), root of the mean square (2) or maximum (inf) of |delta|. */
static double radius(enum invar_ball ball, double eps, const uint8_t *mask, int64_t cols)
{
    double dim = 0;

    for (int64_t j = 0; j < cols; j++)
        dim += counts(mask, j);
    return eps * (ball == INVAR_BALL_1 ? dim : ball == INVAR_BALL_2 ? sqrt(dim) : 1);
}

/* Written so that a NaN comes through: a maximum would pass it over. All three in one pass, as the ball is the same
 * for all rows and the branches are predicted. */
static double norm_of(enum invar_ball ball, const struct invar_matrix *x, int64_t row, const uint8_t *mask)
{
    double sum = 0, largest = 0;

    for (int64_t j = 0; j < x->cols; j++) {
        const double value = counts(mask, j) ? fabs(cpu_dense_get(x, row * x->cols + j)) : 0;
        sum += ball == INVAR_BALL_2 ? value * value : value;
        if (!(value <= largest))
            largest = value;
    }
    return isnan(sum) ? sum : ball == INVAR_BALL_1 ? sum : ball == INVAR_BALL_2 ? sqrt(sum) : largest;
}

/* Onto the sphere, not into the ball: a generator whose output is short would otherwise be one that gives up. A row
 * without direction becomes 0 and not NaN: a freshly made generator may put out nothing. */
void cpu_dense_project(struct invar_device *device, enum invar_ball ball, double eps, const struct invar_matrix *raw,
                       const uint8_t *mask, const struct invar_matrix *delta, double *norms)
{
    const double length = radius(ball, eps, mask, raw->cols);
    const int64_t cols = raw->cols;

#pragma omp parallel for num_threads(invar_device_threads(device)) if (raw->rows * cols > SMALL_WORK)
    for (int64_t i = 0; i < raw->rows; i++) {
        norms[i] = norm_of(ball, raw, i, mask);
        const double factor = norms[i] < SHORTEST ? 0 : length / norms[i];
        for (int64_t j = 0; j < cols; j++)
            cpu_dense_put(delta, i * cols + j,
                          factor > 0 && counts(mask, j) ? factor * cpu_dense_get(raw, i * cols + j) : 0);
    }
}

/* d norm / d x_j; `first` is the first element of largest magnitude. The maximum is not differentiable where two are
 * equal; the first of them gets it all, which is a subgradient. */
static double slope(enum invar_ball ball, double value, double norm, bool first)
{
    const double sign = value > 0 ? 1 : value < 0 ? -1 : 0;

    return ball == INVAR_BALL_2 ? value / norm : ball == INVAR_BALL_1 || first ? sign : 0;
}

/* delta = length x / |x|: dx = length / |x| (g - <g, x> / |x| * d|x|/dx) */
static void project_backward_row(enum invar_ball ball, double length, const struct invar_matrix *raw,
                                 const uint8_t *mask, double norm, const struct invar_matrix *upstream, double scale,
                                 const struct invar_matrix *out, int64_t row)
{
    const int64_t cols = raw->cols, at = row * cols;
    int64_t first = -1;
    double along = 0;

    for (int64_t j = 0; j < cols; j++) {
        const double value = counts(mask, j) ? cpu_dense_get(raw, at + j) : 0;
        along += value * cpu_dense_get(upstream, at + j);
        if (ball == INVAR_BALL_INF && first < 0 && counts(mask, j) && fabs(value) == norm)
            first = j;
    }
    for (int64_t j = 0; j < cols; j++) {
        const double way =
            cpu_dense_get(upstream, at + j) - along / norm * slope(ball, cpu_dense_get(raw, at + j), norm, j == first);
        cpu_dense_put(out, at + j, norm >= SHORTEST && counts(mask, j) ? scale * length / norm * way : 0);
    }
}

void cpu_dense_project_backward(struct invar_device *device, enum invar_ball ball, double eps,
                                const struct invar_matrix *raw, const uint8_t *mask, const double *norms,
                                const struct invar_matrix *upstream, double scale, const struct invar_matrix *out)
{
    const double length = radius(ball, eps, mask, raw->cols);

#pragma omp parallel for num_threads(invar_device_threads(device)) if (raw->rows * raw->cols > SMALL_WORK)
    for (int64_t i = 0; i < raw->rows; i++)
        project_backward_row(ball, length, raw, mask, norms[i], upstream, scale, out, i);
}
