/* SPDX-License-Identifier: Apache-2.0 */
/* Winograd's convolution for AVX-512: float32 maps. */
#define LANES 16
#define ROWS 8
#define COLUMNS 3
#define NAME winograd_avx512
#define MAP_BFLOAT16 0
#define PRODUCT_BFLOAT16 0

#include "device/cpu/winograd_kernels.h"
