/* SPDX-License-Identifier: Apache-2.0 */
#ifndef INVAR_REPORT_PCA_H
#define INVAR_REPORT_PCA_H

#include "invar/device.h"
#include "invar/error.h"
#include <stdint.h>

/**
 * Scores of the first `components` principal components of points [rows][cols] into out [rows][components], columns
 * that do not exist 0; share[components]: their parts of the variance, may be NULL. The sign of a component is that
 * which makes its largest score positive. Refused: no rows, points that are not finite.
 */
bool pca_map(struct invar_device *device, const float *points, int64_t rows, int64_t cols, int64_t components,
             float *out, double *share, struct invar_error *err);

#endif
