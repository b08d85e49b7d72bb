/* SPDX-License-Identifier: Apache-2.0 */
/* Vector operations of the cpu: optimiser steps and target updates. Elementwise, so any number of threads gives the
   same bits; the one reduction sums fixed blocks in a fixed order. */
#include "device/cpu/cpu.h"

#include "base/clones.h"

#include <math.h>

#define SMALL_WORK 8192 /* numbers below which threads cost more than they bring */
#define LINE 16         /* numbers of a cache line, which no two threads write */

/* Threads take one share each. */
#define EACH_SHARE(k, shares)                                                                                          \
    _Pragma("omp parallel for schedule(static, 1) num_threads(shares) if (shares > 1)") for (int k = 0; k < (shares);  \
                                                                                             k++)

static int share_count(const struct invar_device *device, int64_t count)
{
    return count > SMALL_WORK ? device->threads : 1;
}

static int64_t share_start(int k, int shares, int64_t count)
{
    return k == shares ? count : count / LINE * k / shares * LINE;
}

INVAR_CLONES static void fill(float *x, int64_t from, int64_t to, float value)
{
#pragma omp simd
    for (int64_t i = from; i < to; i++)
        x[i] = value;
}

void invar_cpu_fill(struct invar_device *device, float *x, int64_t count, float value)
{
    const int shares = share_count(device, count);
    EACH_SHARE(k, shares)
    fill(x, share_start(k, shares, count), share_start(k + 1, shares, count), value);
}

INVAR_CLONES static double sum_squares(const float *x, int64_t from, int64_t to)
{
    double sum = 0.0;
#pragma omp simd reduction(+ : sum)
    for (int64_t i = from; i < to; i++)
        sum += (double)x[i] * (double)x[i];
    return sum;
}

double invar_cpu_sum_squares(struct invar_device *device, const float *x, int64_t count)
{
    enum { BLOCKS = 512 };
    const int shares = share_count(device, count);
    double partial[BLOCKS];
    EACH_SHARE(k, shares)
    for (int block = BLOCKS * k / shares; block < BLOCKS * (k + 1) / shares; block++)
        partial[block] = sum_squares(x, count * block / BLOCKS, count * (block + 1) / BLOCKS);
    double total = 0.0;
    for (int block = 0; block < BLOCKS; block++)
        total += partial[block];
    return total;
}

INVAR_CLONES static void scale(float *x, int64_t from, int64_t to, float f)
{
#pragma omp simd
    for (int64_t i = from; i < to; i++)
        x[i] *= f;
}

void invar_cpu_scale(struct invar_device *device, float *x, int64_t count, double factor)
{
    const int shares = share_count(device, count);
    EACH_SHARE(k, shares)
    scale(x, share_start(k, shares, count), share_start(k + 1, shares, count), (float)factor);
}

INVAR_CLONES static void add(float *x, const float *y, int64_t from, int64_t to, float f)
{
#pragma omp simd
    for (int64_t i = from; i < to; i++)
        x[i] += f * y[i];
}

void invar_cpu_add(struct invar_device *device, float *x, const float *y, double factor, int64_t count)
{
    const int shares = share_count(device, count);
    EACH_SHARE(k, shares)
    add(x, y, share_start(k, shares, count), share_start(k + 1, shares, count), (float)factor);
}

INVAR_CLONES static void lerp(float *x, const float *y, int64_t from, int64_t to, float keep, float take)
{
#pragma omp simd
    for (int64_t i = from; i < to; i++)
        x[i] = keep * x[i] + take * y[i];
}

void invar_cpu_lerp(struct invar_device *device, float *x, const float *y, double m, int64_t count)
{
    const int shares = share_count(device, count);
    EACH_SHARE(k, shares)
    lerp(x, y, share_start(k, shares, count), share_start(k + 1, shares, count), (float)m, (float)(1.0 - m));
}

/* A step: rates and decays in float, as the loops take them. */
struct sgd {
    float rate, keep, decay, ahead, direct;
};

INVAR_CLONES static void sgd(float *p, const float *g, float *buffer, int64_t from, int64_t to, struct sgd s)
{
#pragma omp simd
    for (int64_t i = from; i < to; i++) {
        const float u = g[i] + s.decay * p[i];
        buffer[i] = s.keep * buffer[i] + u;
        p[i] -= s.rate * (s.direct * u + s.ahead * buffer[i]);
    }
}

void invar_cpu_sgd(struct invar_device *device, float *p, const float *g, float *buffer, int64_t count, double lr,
                   double momentum, bool nesterov, double decay, bool first)
{
    const int shares = share_count(device, count);
    const struct sgd s = {.rate = (float)lr,
                          .keep = first ? 0.0f : (float)momentum,
                          .decay = (float)decay,
                          .ahead = nesterov ? (float)momentum : 1.0f,
                          .direct = nesterov ? 1.0f : 0.0f};
    EACH_SHARE(k, shares)
    sgd(p, g, buffer, share_start(k, shares, count), share_start(k + 1, shares, count), s);
}

struct momentum {
    float rate, keep, decay, trust;
};

INVAR_CLONES static void momentum_step(float *p, const float *g, float *buffer, int64_t from, int64_t to,
                                       struct momentum s)
{
#pragma omp simd
    for (int64_t i = from; i < to; i++) {
        buffer[i] = s.keep * buffer[i] + s.trust * (g[i] + s.decay * p[i]);
        p[i] -= s.rate * buffer[i];
    }
}

void invar_cpu_momentum(struct invar_device *device, float *p, const float *g, float *buffer, int64_t count, double lr,
                        double momentum, double decay, double scale_of_gradient)
{
    const int shares = share_count(device, count);
    const struct momentum s = {(float)lr, (float)momentum, (float)decay, (float)scale_of_gradient};
    EACH_SHARE(k, shares)
    momentum_step(p, g, buffer, share_start(k, shares, count), share_start(k + 1, shares, count), s);
}

struct adam {
    float b1, b2, c1, c2, keep, epsilon, rate, root;
};

INVAR_CLONES static void adam(float *p, const float *g, float *m, float *v, int64_t from, int64_t to, struct adam s)
{
#pragma omp simd
    for (int64_t i = from; i < to; i++) {
        m[i] = s.b1 * m[i] + s.c1 * g[i];
        v[i] = s.b2 * v[i] + s.c2 * g[i] * g[i];
        p[i] = s.keep * p[i] - s.rate * m[i] / (sqrtf(v[i]) * s.root + s.epsilon);
    }
}

void invar_cpu_adam(struct invar_device *device, float *p, const float *g, float *m, float *v, int64_t count, double lr,
                    double beta1, double beta2, double epsilon, double decay, int64_t step)
{
    const int shares = share_count(device, count);
    const struct adam s = {.b1 = (float)beta1,
                           .b2 = (float)beta2,
                           .c1 = (float)(1.0 - beta1),
                           .c2 = (float)(1.0 - beta2),
                           .keep = (float)(1.0 - lr * decay),
                           .epsilon = (float)epsilon,
                           .rate = (float)(lr / (1.0 - pow(beta1, (double)step))),
                           .root = (float)(1.0 / sqrt(1.0 - pow(beta2, (double)step)))};
    EACH_SHARE(k, shares)
    adam(p, g, m, v, share_start(k, shares, count), share_start(k + 1, shares, count), s);
}
