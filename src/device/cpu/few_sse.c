/* SPDX-License-Identifier: Apache-2.0 */
/* Gradients of weights of few channels in vectors of 4 numbers (isa.h). */
#define LANES 4
#define FEW_TABLE few_sse
#include "device/cpu/few_kernels.h"
