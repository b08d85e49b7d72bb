/* SPDX-License-Identifier: Apache-2.0 */
/* Operations on vectors that oneDNN does not have. Each row (or channel) is one thread's, so threads never change the
 * bits. */
#include "device/cpu/plan.h"

#include <math.h>

#define TINY 1e-12f /* norm(z) = z / max(|z|, 1e-12) */

/* norm(z) of heads: a division by a floor instead of by 0, with the sum in double, as the norm() of terms has it. */
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

/* dx = (dy - y <y, dy>) / |x|; below the floor the divisor is a constant, and so dx = dy / floor. y and the lengths
 * are what the forward pass kept; the input may have been written over by then. */
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

/* Q = V + A - mean A: the mean is what makes the two parts of one sum tell themselves apart. Rows have as many numbers
 * as there are actions, so one thread does them all; sums in double, as everywhere in this file. */
void rows_duel(const struct cpu_plan *plan, const struct operation *op)
{
    const float *advantages = plan_data(plan, op, 0), *value = plan_data(plan, op, 1);
    float *q = plan_data(plan, op, 2);
    for (int64_t i = 0; i < op->rows; i++) {
        double sum = 0;
        for (int64_t j = 0; j < op->cols; j++)
            sum += (double)advantages[i * op->cols + j];
        const float shift = (float)((double)value[i] - sum / (double)op->cols);
        for (int64_t j = 0; j < op->cols; j++)
            q[i * op->cols + j] = advantages[i * op->cols + j] + shift;
    }
}

void rows_duel_backward(const struct cpu_plan *plan, const struct operation *op)
{
    const float *dq = plan_data(plan, op, 0);
    float *advantages = plan_data(plan, op, 1), *value = plan_data(plan, op, 2);
    for (int64_t i = 0; i < op->rows; i++) {
        double sum = 0;
        for (int64_t j = 0; j < op->cols; j++)
            sum += (double)dq[i * op->cols + j];
        value[i] = (float)sum;
        for (int64_t j = 0; j < op->cols; j++)
            advantages[i * op->cols + j] = (float)((double)dq[i * op->cols + j] - sum / (double)op->cols);
    }
}
