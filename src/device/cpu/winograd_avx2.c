/* SPDX-License-Identifier: Apache-2.0 */
/* Winograd's convolution for AVX2 and FMA: float32 maps. */
#define LANES 8
#define ROWS 4
#define COLUMNS 3
#define NAME winograd_avx2
#define MAP_BFLOAT16 0
#define PRODUCT_BFLOAT16 0

#include "device/cpu/winograd_kernels.h"
