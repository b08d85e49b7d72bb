/* SPDX-License-Identifier: Apache-2.0 */
/* Gradients of weights of few channels in vectors of 16 numbers (isa.h). */
#define LANES 16
#define FEW_TABLE few_avx512
#include "device/cpu/few_kernels.h"
