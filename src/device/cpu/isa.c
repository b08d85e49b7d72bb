/* SPDX-License-Identifier: Apache-2.0 */
/* The instruction set as oneDNN sees it, so that one limit holds for its kernels and ours. */
#include "device/cpu/isa.h"

#include <oneapi/dnnl/dnnl.h>
#include <stdbool.h>

/* Of the effective instruction set, which ONEDNN_MAX_CPU_ISA lowers: tests run the kernels of lesser processors that
 * way. */
static bool has(dnnl_cpu_isa_t wanted)
{
    return ((unsigned)dnnl_get_effective_cpu_isa() & (unsigned)wanted) == (unsigned)wanted;
}

enum isa cpu_isa(void)
{
#if defined __x86_64__
    if (!has(dnnl_cpu_isa_avx2) || !__builtin_cpu_supports("fma"))
        return ISA_SSE;
    if (!has(dnnl_cpu_isa_avx512_core))
        return ISA_AVX2;
    return has(dnnl_cpu_isa_avx512_core_bf16) ? ISA_AVX512BF16 : ISA_AVX512;
#else
    (void)has;
    return ISA_SSE;
#endif
}
