/* SPDX-License-Identifier: Apache-2.0 */
/* Batch norm in vectors of 16 numbers (isa.h). */
#define LANES 16
#define NORM_TABLE norm_avx512
#include "device/cpu/norm_kernels.h"
