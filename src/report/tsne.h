/* SPDX-License-Identifier: Apache-2.0 */
#ifndef INVAR_REPORT_TSNE_H
#define INVAR_REPORT_TSNE_H

#include "invar/error.h"
#include <stdint.h>

/** t-SNE (van der Maaten and Hinton 2008), exact: all pairs, time and memory grow with rows squared. */
struct tsne_options {
    double perplexity;  /**< at most (rows - 1) / 3 is used */
    int64_t iterations; /**< the first 250 of them, or a third, with exaggerated attraction */
    uint64_t seed;      /**< of the noise that parts equal rows at the start */
};
struct tsne_options tsne_options_default(void);

/**
 * points [rows][cols], start [rows][2] (a map by principal components), out [rows][2]. The same bits for the same seed
 * whatever the number of threads. divergence: KL(P || Q) at the end, in nats; may be NULL. Refused: fewer than 4 rows,
 * points that are not finite.
 */
bool tsne_map(const float *points, int64_t rows, int64_t cols, const float *start, const struct tsne_options *options,
              float *out, double *divergence, struct invar_error *err);

#endif
