/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Plain loops that the compiler vectorises. The build has no -march, so a function marked INVAR_CLONES is compiled
 * twice and the processor picks; it must be static, for clang 14 gives others a name that no other file finds. What it
 * calls must be INVAR_INLINE, or it stays as the oldest processor needs it. A parallel region is never compiled twice:
 * it calls such a function. Off under sanitizers, which run before the choice is made.
 */
#ifndef INVAR_SRC_BASE_CLONES_H
#define INVAR_SRC_BASE_CLONES_H

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define INVAR_SANITIZED 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define INVAR_SANITIZED 1
#endif
#endif
#if defined(__x86_64__) && defined(__ELF__) && !defined(INVAR_SANITIZED)
#define INVAR_CLONES __attribute__((target_clones("avx2", "default")))
#else
#define INVAR_CLONES
#endif
#define INVAR_INLINE static inline __attribute__((always_inline))

/* Before a loop of at most 16 steps, a constant where it is inlined: clang takes a number for how many at a time, and
 * leaves shorter loops as they are. */
#ifdef __clang__
#define INVAR_UNROLL _Pragma("unroll")
#else
#define INVAR_UNROLL _Pragma("GCC unroll 16")
#endif

#endif
