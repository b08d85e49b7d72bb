/* SPDX-License-Identifier: Apache-2.0 */
#ifndef INVAR_SRC_DATA_TRANSFORM_H
#define INVAR_SRC_DATA_TRANSFORM_H

#include "invar/error.h"
#include <stdint.h>

#define DATA_LANES 8 /* signals that are transformed side by side */

/** One number of each, as one vector: in loops over them compilers would have to fear that what is written is read. */
typedef float data_lanes __attribute__((vector_size(DATA_LANES * sizeof(float)), aligned(sizeof(float)), may_alias));

/** The discrete Fourier transform of DATA_LANES real signals at once: number i of signal l, and power k, stand at
 * [i][l], so that every step of the transform is one of whole vectors. One thread at a time may use it. */
struct data_transform;
/** Of signals of `size` numbers, which is even; NULL with err set where memory is short. */
struct data_transform *data_transform_create(int64_t size, struct invar_error *err);
void data_transform_free(struct data_transform *transform);

/** The place of the DATA_LANES numbers i of the signals. All are to be written before each transform, which uses
 * the places up. */
float *data_transform_place(struct data_transform *transform, int64_t i);
/** power[size / 2 + 1][DATA_LANES] becomes |X_k|^2 of every signal. */
void data_transform_power(struct data_transform *transform, float *power);

#endif
