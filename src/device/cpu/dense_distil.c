/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Online scores against a teacher's: a row of every target and every online view at a time, while they are in the
 * first caches. Scores are read once and gradients written once; no matrix is made in between.
 */
#include "device/cpu/dense.h"
#include "device/cpu/exponential.h"

#include <math.h>
#include <omp.h>
#include <string.h>

#define BLOCKS 32        /* parts that sums are made of, whatever the number of threads */
#define PIECE 128        /* columns whose exponentials are added up at a time */
#define LINE 64          /* bytes of a line of the cache */
#define SMALL_WORK 16384 /* elements below which threads cost more than they bring */

#define REAL float
#define NAME(x) x##_f32
#include "dense_distil_kernels.h"

#define REAL double
#define NAME(x) x##_f64
#include "dense_distil_kernels.h"

/* In the order of blocks, as values: the running centre is part of what a resumed run repeats to the bit. */
static void put_means(const struct invar_dense_distil *how, const double *parts)
{
    const int64_t cols = how->t[0].cols;
    const double count = (double)how->targets * (double)how->t[0].rows;

    memcpy(how->mean, parts, sizeof *parts * (size_t)cols);
    for (int k = 1; k < BLOCKS; k++)
        for (int64_t j = 0; j < cols; j++)
            how->mean[j] += parts[k * cols + j];
    for (int64_t j = 0; j < cols; j++)
        how->mean[j] /= count;
}

/* Work space of the host's kind: rows of probabilities of a thread stay in its caches, and nothing is read of them
 * afterwards. */
bool cpu_dense_distil(struct invar_device *device, struct invar_scratch *scratch, const struct invar_dense_distil *how,
                      struct invar_error *err)
{
    const int threads = invar_device_threads(device);
    const bool narrow = how->t[0].dtype == INVAR_FLOAT32;
    const size_t cols = (size_t)how->t[0].cols, size = invar_dtype_size(how->t[0].dtype);
    double values[2] = {0};

    void *centre = invar_scratch_take(scratch, cols, size, err);
    void *rooms = invar_scratch_take(scratch, (size_t)threads * (size_t)(how->targets + 2) * cols, size, err);
    double *parts = invar_scratch_take(scratch, BLOCKS * cols, sizeof *parts, err);
    if (!centre || !rooms || !parts)
        return false;
    if (narrow)
        distil_f32(threads, how, centre, rooms, parts, values);
    else
        distil_f64(threads, how, centre, rooms, parts, values);
    put_means(how, parts);
    *how->slot += how->factor * values[0];
    *how->entropy += how->entropy_factor * values[1];
    return true;
}
