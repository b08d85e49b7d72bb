/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BASE_THREADS_H
#define BASE_THREADS_H

#include <omp.h>

/* The number of OpenMP's threads belongs to the thread that calls the library: oneDNN and OpenBLAS read it, so that it
   is the device's for the length of a call, and the caller's again after it. */
struct threads_had {
    int threads, dynamic;
};

static inline struct threads_had threads_take(int threads)
{
    const struct threads_had had = {omp_get_max_threads(), omp_get_dynamic()};

    omp_set_num_threads(threads);
    omp_set_dynamic(0);
    return had;
}

static inline void threads_back(const struct threads_had *had)
{
    omp_set_num_threads(had->threads);
    omp_set_dynamic(had->dynamic);
}

/** Until the end of the block parallel regions of the calling thread have so many threads. */
#define THREADS_FOR(number)                                                                                            \
    __attribute__((cleanup(threads_back), unused)) const struct threads_had threads_had = threads_take(number)

#endif
