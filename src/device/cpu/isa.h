/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which instruction set our own kernels run in. A wing has its kernels in one header, written for vectors of LANES
 * numbers, and one file an instruction set that includes it: NAME_sse.c (what every processor has), NAME_avx2.c,
 * NAME_avx512.c, NAME_avx512bf16.c. src/CMakeLists.txt gives each file the flags that its name says; at run time the
 * wing takes the table of cpu_isa(). On other processors the flags are none, and all of them compute the same.
 */
#ifndef INVAR_SRC_DEVICE_CPU_ISA_H
#define INVAR_SRC_DEVICE_CPU_ISA_H

enum isa {
    ISA_SSE,        /* 4 numbers a vector, no fused multiply-add */
    ISA_AVX2,       /* 8, with FMA */
    ISA_AVX512,     /* 16: F, BW, DQ and VL */
    ISA_AVX512BF16, /* that with products of bfloat16 */
};

/** The best that processor and system have and ONEDNN_MAX_CPU_ISA allows. Each includes those before it. */
enum isa cpu_isa(void);

#endif
