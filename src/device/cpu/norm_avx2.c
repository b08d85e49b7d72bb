/* SPDX-License-Identifier: Apache-2.0 */
/* Batch norm in vectors of 8 numbers (isa.h). */
#define LANES 8
#define NORM_TABLE norm_avx2
#include "device/cpu/norm_kernels.h"
