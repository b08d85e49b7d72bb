/* SPDX-License-Identifier: Apache-2.0 */
/* Gradients of weights of few channels in vectors of 8 numbers (isa.h). */
#define LANES 8
#define FEW_TABLE few_avx2
#include "device/cpu/few_kernels.h"
