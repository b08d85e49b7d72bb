/* SPDX-License-Identifier: Apache-2.0 */
/* Operations on vectors that oneDNN does not have. Each row (or channel) is one thread's, so threads never change the
 * bits. */
#include "device/cpu/plan.h"

#include <math.h>

#define TINY 1e-12f /* norm(z) = z / max(|z|, 1e-12) */

void rows_l2normalise(const struct cpu_plan *plan, const struct operation *op)
{
    const float *x = plan_data(plan, op, 0);
    float *norms = plan_data(plan, op, 1), *y = plan_data(plan, op, 2);
    int64_t cols = op->cols;
#pragma omp parallel for schedule(static)
    for (int64_t i = 0; i < op->rows; i++) {
        double sum = 0.0;
        for (int64_t j = 0; j < cols; j++)
            sum += (double)x[i * cols + j] * (double)x[i * cols + j];
        float norm = (float)sqrt(sum);
        norms[i] = norm;
        float scale = 1.0f / (norm < TINY ? TINY : norm);
        for (int64_t j = 0; j < cols; j++)
            y[i * cols + j] = x[i * cols + j] * scale;
    }
}

/* dx = (dy - y <y, dy>) / |x|; below the floor the divisor is a constant, and so dx = dy / floor. */
void rows_l2normalise_backward(const struct cpu_plan *plan, const struct operation *op)
{
    const float *y = plan_data(plan, op, 0), *norms = plan_data(plan, op, 1), *dy = plan_data(plan, op, 2);
    float *dx = plan_data(plan, op, 3);
    int64_t cols = op->cols;
#pragma omp parallel for schedule(static)
    for (int64_t i = 0; i < op->rows; i++) {
        double dot = 0.0;
        for (int64_t j = 0; j < cols; j++)
            dot += (double)y[i * cols + j] * (double)dy[i * cols + j];
        float along = norms[i] < TINY ? 0.0f : (float)dot;
        float scale = 1.0f / (norms[i] < TINY ? TINY : norms[i]);
        for (int64_t j = 0; j < cols; j++)
            dx[i * cols + j] = (dy[i * cols + j] - y[i * cols + j] * along) * scale;
    }
}

/* The variance of the batch is the biased one, the running variance takes the unbiased. */
void rows_running_statistics(const struct cpu_plan *plan, const struct operation *op)
{
    const float *batch = plan_data(plan, op, 0); /* [groups][mean, variance][stride] */
    float *mean = plan_data(plan, op, 1), *variance = plan_data(plan, op, 2);
    float take = (float)op->number, keep = (float)(1.0 - op->number);
    float unbiased = op->rows > 1 ? (float)((double)op->rows / (double)(op->rows - 1)) : 1.0f;
    for (int64_t group = 0; group < op->groups; group++) {
        const float *m = batch + group * 2 * op->stride, *v = m + op->stride;
        for (int64_t j = 0; j < op->cols; j++) {
            mean[j] = keep * mean[j] + take * m[j];
            variance[j] = keep * variance[j] + take * unbiased * v[j];
        }
    }
}

/* Gradients of scale and shift: the sum over groups. */
void rows_sum_groups(const struct cpu_plan *plan, const struct operation *op)
{
    const float *sums = plan_data(plan, op, 0); /* [groups][scale, shift][stride] */
    float *scale = plan_data(plan, op, 1), *shift = plan_data(plan, op, 2);
    for (int64_t j = 0; j < op->cols; j++) {
        float a = 0.0f, b = 0.0f;
        for (int64_t group = 0; group < op->groups; group++) {
            a += sums[group * 2 * op->stride + j];
            b += sums[(group * 2 + 1) * op->stride + j];
        }
        scale[j] = a;
        shift[j] = b;
    }
}
