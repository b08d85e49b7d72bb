/* SPDX-License-Identifier: Apache-2.0 */
/* Some columns of a matrix against another matrix of that width: what reconstructions are compared by. */
#include "device/cpu/dense.h"

#include <math.h>

#define BLOCKS 64        /* sums are made of this many parts, whatever the number of threads */
#define SMALL_WORK 16384 /* elements below which threads cost more than they bring */

static void add(const struct invar_matrix *x, int64_t at, double value)
{
    if (x->dtype == INVAR_FLOAT32)
        ((float *)x->data)[at] += (float)value;
    else
        ((double *)x->data)[at] += value;
}

/* What one call works on; a part is made of some of its rows. One walk over rows for all comparisons: what differs is
 * a function of a row, its gradient made on the way, since both read the same numbers. */
struct job {
    const struct invar_matrix *z, *x, *mask, *dz;
    int64_t first;
    double scale; /* over how many numbers are compared */
    double (*row)(const struct job *job, int64_t i);
};

/* With a mask only what was changed counts, or counts more: its weight is a number and not a yes or no. */
static double square_row(const struct job *job, int64_t i)
{
    double sum = 0;

    for (int64_t j = 0; j < job->x->cols; j++) {
        const int64_t at = i * job->x->cols + j, place = i * job->z->cols + job->first + j;
        const double share = job->mask ? cpu_dense_get(job->mask, at) : 1,
                     apart = cpu_dense_get(job->z, place) - cpu_dense_get(job->x, at);
        sum += share * apart * apart;
        if (job->dz)
            add(job->dz, place, job->scale * share * apart);
    }
    return sum;
}

/* log(1 + exp(z)) - m z, so that no large logit overflows. From logits: log(1 + e^-|z|) has no overflow and loses no
 * digits where a probability is near 0 or 1. */
static double bernoulli_row(const struct job *job, int64_t i)
{
    double sum = 0;

    for (int64_t j = 0; j < job->x->cols; j++) {
        const int64_t place = i * job->z->cols + job->first + j;
        const double z = cpu_dense_get(job->z, place), m = cpu_dense_get(job->x, i * job->x->cols + j),
                     e = exp(-fabs(z));
        sum += (z > 0 ? z : 0) + log1p(e) - m * z;
        if (job->dz)
            add(job->dz, place, job->scale * ((z > 0 ? 1 : e) / (1 + e) - m));
    }
    return sum;
}

/* The mask counts where values do not: how much of it there is divides the sum. */
static double mask_row(const struct job *job, int64_t i)
{
    double sum = 0;

    for (int64_t j = 0; j < job->x->cols; j++)
        sum += cpu_dense_get(job->mask, i * job->x->cols + j);
    return sum;
}

/* Parts of rows by number, put together in their order, as everywhere in this folder. */
static double sum_rows(struct invar_device *device, const struct job *job)
{
    const int threads = invar_device_threads(device);
    const int64_t rows = job->z->rows;
    double part[BLOCKS] = {0}, sum = 0;

#pragma omp parallel for num_threads(threads) if (rows * job->x->cols > SMALL_WORK)
    for (int k = 0; k < BLOCKS; k++)
        for (int64_t i = rows * k / BLOCKS; i < rows * (k + 1) / BLOCKS; i++)
            part[k] += job->row(job, i);
    for (int k = 0; k < BLOCKS; k++)
        sum += part[k];
    return sum;
}

/* Without a mask all numbers are compared; a mask of zeros alone leaves nothing to divide, a NaN stays one. Gradients
 * are added to on the way, with a scale that is known before the sum is. */
static double compared(struct invar_device *device, struct job job)
{
    if (!job.mask)
        return (double)job.x->rows * (double)job.x->cols;
    job.row = mask_row;
    const double count = sum_rows(device, &job);
    return count < 1 ? 1 : count;
}

static double mean_of(struct invar_device *device, struct job job)
{
    const double count = compared(device, job);

    job.scale /= count;
    return sum_rows(device, &job) / count;
}

static const struct invar_matrix *wanted(const struct invar_matrix *dz)
{
    return dz && dz->data ? dz : NULL;
}

void cpu_dense_columns_distance(struct invar_device *device, const struct invar_matrix *z, int64_t first,
                                const struct invar_matrix *x, const struct invar_matrix *mask, double scale,
                                const struct invar_matrix *dz, double factor, double *slot)
{
    *slot += factor * mean_of(device, (struct job){z, x, mask, wanted(dz), first, scale, square_row});
}

void cpu_dense_columns_bernoulli(struct invar_device *device, const struct invar_matrix *z, int64_t first,
                                 const struct invar_matrix *m, double scale, const struct invar_matrix *dz,
                                 double factor, double *slot)
{
    *slot += factor * mean_of(device, (struct job){z, m, NULL, wanted(dz), first, scale, bernoulli_row});
}
