/* SPDX-License-Identifier: Apache-2.0 */
/* Winograd's convolution for AVX-512 with products of bfloat16: bfloat16 maps, sums in float32. */
#define LANES 16
#define ROWS 8
#define COLUMNS 3
#define NAME winograd_avx512bf16
#define MAP_BFLOAT16 1
#define PRODUCT_BFLOAT16 1

#include "device/cpu/winograd_kernels.h"
