/* SPDX-License-Identifier: Apache-2.0 */
/* Vector operations of the cpu: gradients, target networks, and the optimisers' kernels over whole nets. Elementwise,
   so any number of threads gives the same bits; reductions sum fixed blocks in a fixed order. */
#include "device/cpu/cpu.h"

#include "base/clones.h"

#include <math.h>

#define SMALL_WORK 8192 /* numbers below which threads cost more than they bring */
#define BLOCKS 512      /* parts of a sum, whatever the number of threads */
#define LINE 16         /* numbers of a cache line, which no two threads write */

/* Threads take one share each. */
#define EACH_SHARE(k, shares)                                                                                          \
    _Pragma("omp parallel for schedule(static, 1) num_threads(shares) if (shares > 1)") for (int k = 0; k < (shares);  \
                                                                                             k++)

/* A share per thread, not more: the work of an element is the same everywhere. */
static int share_count(const struct invar_device *device, int64_t count)
{
    return count > SMALL_WORK ? device->threads : 1;
}

/* At whole cache lines, so that no two threads write into one. */
static int64_t share_start(int k, int shares, int64_t count)
{
    return k == shares ? count : count / LINE * k / shares * LINE;
}

/* Not memset, as the value is any; a value of 0 takes the same loop. */
INVAR_CLONES static void fill(float *x, int64_t from, int64_t to, float value)
{
#pragma omp simd
    for (int64_t i = from; i < to; i++)
        x[i] = value;
}

/* The calls below have one form: shares at cache lines, a loop that the compiler clones for each instruction set, and
 * no number that depends on another. */
void cpu_fill(struct invar_device *device, float *x, int64_t count, float value)
{
    const int shares = share_count(device, count);
    EACH_SHARE(k, shares)
    fill(x, share_start(k, shares, count), share_start(k + 1, shares, count), value);
}

/* Squares of floats are exact in double, so that only the sum rounds. */
INVAR_CLONES static double sum_squares(const float *x, int64_t from, int64_t to)
{
    double sum = 0.0;
#pragma omp simd reduction(+ : sum)
    for (int64_t i = from; i < to; i++)
        sum += (double)x[i] * (double)x[i];
    return sum;
}

/* 512 blocks whatever the number of threads, each in double: the last bits of a gradient norm decide a clip factor,
 * and so the whole run. */
void cpu_sum_squares(struct invar_device *device, const float *x, int64_t count, double factor, double *slot)
{
    const int shares = share_count(device, count);
    double partial[BLOCKS];
    EACH_SHARE(k, shares)
    for (int block = BLOCKS * k / shares; block < BLOCKS * (k + 1) / shares; block++)
        partial[block] = sum_squares(x, count * block / BLOCKS, count * (block + 1) / BLOCKS);
    double total = 0.0;
    for (int block = 0; block < BLOCKS; block++)
        total += partial[block];
    *slot += factor * total;
}

INVAR_CLONES static void scale(float *x, int64_t from, int64_t to, float f)
{
#pragma omp simd
    for (int64_t i = from; i < to; i++)
        x[i] *= f;
}

void cpu_scale(struct invar_device *device, float *x, int64_t count, double factor)
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

void cpu_add(struct invar_device *device, float *x, const float *y, double factor, int64_t count)
{
    const int shares = share_count(device, count);
    EACH_SHARE(k, shares)
    add(x, y, share_start(k, shares, count), share_start(k + 1, shares, count), (float)factor);
}

/* Both factors come from double, so that they add up to 1 as closely as floats can. */
INVAR_CLONES static void lerp(float *x, const float *y, int64_t from, int64_t to, float keep, float take)
{
#pragma omp simd
    for (int64_t i = from; i < to; i++)
        x[i] = keep * x[i] + take * y[i];
}

void cpu_lerp(struct invar_device *device, float *x, const float *y, double m, int64_t count)
{
    const int shares = share_count(device, count);
    EACH_SHARE(k, shares)
    lerp(x, y, share_start(k, shares, count), share_start(k + 1, shares, count), (float)m, (float)(1.0 - m));
}

/* The switch is read where it is used: on this device that costs nothing, on another it is why it lies there. */
void cpu_follow(struct invar_device *device, float *x, const float *y, const double *scalars, int64_t count)
{
    if (scalars[INVAR_SCALAR_GO] == 1)
        cpu_lerp(device, x, y, scalars[INVAR_SCALAR_FOLLOW], count);
}

/* Anything that is not finite in any slot stops all updates of the step: a loss that is NaN may come with gradients
 * that are not, and weights must not follow them. The limit on the norm is a factor that is 1 where it does not bind,
 * so that nothing has to be decided on the host. */
void cpu_decide(struct invar_device *device, const double *slots, int count, const double *squares, double limit,
                double *scalars)
{
    const double norm = sqrt(*squares);
    bool finite = true;

    (void)device;
    for (int i = 0; i < count; i++)
        finite = finite && isfinite(slots[i]);
    scalars[INVAR_SCALAR_GO] = finite ? 1 : 0;
    scalars[INVAR_SCALAR_CLIP] = limit > 0 && norm > limit ? limit / norm : 1;
}

/* What a share of the vector has of a segment. */
static void update_part(const struct invar_update *u, int segment, int64_t from, int64_t to)
{
    const struct invar_segment *s = &u->segments[segment];
    const int64_t first = from > s->offset ? from : s->offset;
    const int64_t last = to < s->offset + s->count ? to : s->offset + s->count;
    if (first < last)
        u->kernel(u, segment, first, last);
}

/* Shares are cut over the whole vector and not by segment, so that threads have equal work however unequal segments
 * are; a segment that a border cuts is updated in two parts, which no kernel notices. */
void cpu_update(struct invar_device *device, const struct invar_update *u)
{
    if (u->count == 0 || u->scalars[INVAR_SCALAR_GO] != 1)
        return;
    const struct invar_segment *last = &u->segments[u->count - 1];
    const int64_t start = u->segments[0].offset, count = last->offset + last->count - start;
    const int shares = share_count(device, count);
    EACH_SHARE(k, shares)
    for (int s = 0; s < u->count; s++)
        update_part(u, s, start + share_start(k, shares, count), start + share_start(k + 1, shares, count));
}

/* Of the gradient with its decay in it, which LARS takes the norm of, without a vector to hold it. */
INVAR_CLONES static double sum_squares_of_both(const float *x, const float *y, float f, int64_t from, int64_t to)
{
    double sum = 0.0;
#pragma omp simd reduction(+ : sum)
    for (int64_t i = from; i < to; i++) {
        const float both = x[i] + f * y[i];
        sum += (double)both * (double)both;
    }
    return sum;
}

static double squares_of_both(struct invar_device *device, const float *x, const float *y, float f, int64_t count)
{
    const int shares = share_count(device, count);
    double partial[BLOCKS];
    EACH_SHARE(k, shares)
    for (int block = BLOCKS * k / shares; block < BLOCKS * (k + 1) / shares; block++)
        partial[block] = sum_squares_of_both(x, y, f, count * block / BLOCKS, count * (block + 1) / BLOCKS);
    double total = 0.0;
    for (int block = 0; block < BLOCKS; block++)
        total += partial[block];
    return total;
}

/* Blocks within each segment, whatever the number of threads: a ratio of norms scales every step of its layer. */
void cpu_segment_squares(struct invar_device *device, const struct invar_update *u, const double *decay)
{
    for (int s = 0; s < u->count; s++) {
        const float *p = u->parameters + u->segments[s].offset, *g = u->gradients + u->segments[s].offset;
        u->norms[2 * s] = 0;
        cpu_sum_squares(device, p, u->segments[s].count, 1, &u->norms[2 * s]);
        u->norms[2 * s + 1] = squares_of_both(device, g, p, (float)decay[s], u->segments[s].count);
    }
}
