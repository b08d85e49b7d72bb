/* SPDX-License-Identifier: Apache-2.0 */
/* Batch norm in vectors of 4 numbers (isa.h). */
#define LANES 4
#define NORM_TABLE norm_sse
#include "device/cpu/norm_kernels.h"
