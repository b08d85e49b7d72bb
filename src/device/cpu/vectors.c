/* SPDX-License-Identifier: Apache-2.0 */
/* Vector operations of the cpu: optimiser steps and target updates. Elementwise, so any number of threads gives the
   same bits; the one reduction sums fixed blocks in a fixed order. */
#include "device/cpu/cpu.h"

#include <math.h>

#define EACH(i, count)                                                                                                 \
    _Pragma("omp parallel for simd schedule(static) num_threads(device->threads)") for (int64_t i = 0; i < (count); i++)

void invar_cpu_fill(struct invar_device *device, float *x, int64_t count, float value)
{
    EACH(i, count) x[i] = value;
}

double invar_cpu_sum_squares(struct invar_device *device, const float *x, int64_t count)
{
    enum { BLOCKS = 512 };
    double partial[BLOCKS] = {0};
#pragma omp parallel for schedule(static) num_threads(device->threads)
    for (int block = 0; block < BLOCKS; block++) {
        int64_t first = count * block / BLOCKS, end = count * (block + 1) / BLOCKS;
        double sum = 0.0;
#pragma omp simd reduction(+ : sum)
        for (int64_t i = first; i < end; i++)
            sum += (double)x[i] * (double)x[i];
        partial[block] = sum;
    }
    double total = 0.0;
    for (int block = 0; block < BLOCKS; block++)
        total += partial[block];
    return total;
}

void invar_cpu_scale(struct invar_device *device, float *x, int64_t count, double factor)
{
    float f = (float)factor;
    EACH(i, count) x[i] *= f;
}

void invar_cpu_add(struct invar_device *device, float *x, const float *y, double factor, int64_t count)
{
    float f = (float)factor;
    EACH(i, count) x[i] += f * y[i];
}

void invar_cpu_lerp(struct invar_device *device, float *x, const float *y, double m, int64_t count)
{
    float keep = (float)m, take = (float)(1.0 - m);
    EACH(i, count) x[i] = keep * x[i] + take * y[i];
}

void invar_cpu_sgd(struct invar_device *device, float *p, const float *g, float *buffer, int64_t count, double lr,
                   double momentum, bool nesterov, double decay, bool first)
{
    float rate = (float)lr, mu = first ? 0.0f : (float)momentum, lambda = (float)decay;
    float ahead = nesterov ? (float)momentum : 1.0f, direct = nesterov ? 1.0f : 0.0f;
    EACH(i, count)
    {
        float u = g[i] + lambda * p[i];
        buffer[i] = mu * buffer[i] + u;
        p[i] -= rate * (direct * u + ahead * buffer[i]);
    }
}

void invar_cpu_momentum(struct invar_device *device, float *p, const float *g, float *buffer, int64_t count, double lr,
                        double momentum, double decay, double scale)
{
    float rate = (float)lr, mu = (float)momentum, lambda = (float)decay, trust = (float)scale;
    EACH(i, count)
    {
        buffer[i] = mu * buffer[i] + trust * (g[i] + lambda * p[i]);
        p[i] -= rate * buffer[i];
    }
}

void invar_cpu_adam(struct invar_device *device, float *p, const float *g, float *m, float *v, int64_t count, double lr,
                    double beta1, double beta2, double epsilon, double decay, int64_t step)
{
    float b1 = (float)beta1, b2 = (float)beta2, c1 = (float)(1.0 - beta1), c2 = (float)(1.0 - beta2);
    float keep = (float)(1.0 - lr * decay), eps = (float)epsilon;
    float rate = (float)(lr / (1.0 - pow(beta1, (double)step)));
    float root = (float)(1.0 / sqrt(1.0 - pow(beta2, (double)step)));
    EACH(i, count)
    {
        m[i] = b1 * m[i] + c1 * g[i];
        v[i] = b2 * v[i] + c2 * g[i] * g[i];
        p[i] = keep * p[i] - rate * m[i] / (sqrtf(v[i]) * root + eps);
    }
}
