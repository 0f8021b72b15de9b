/* The names of what each kernels.c exports: compiled for CORE_TARGET (sse2, avx2, avx512, neon) and CORE_REAL (32, 64),
 * TARGET_NAME(core_vjp_kernels_) is core_vjp_kernels_avx2_f32 and the like. */
#ifndef CORE_SIMD_TARGET_H
#define CORE_SIMD_TARGET_H

#include "simd/vec.h"

#define JOIN_TOKENS(a, b, c, d) a##b##c##d
#define JOIN(a, b, c, d) JOIN_TOKENS(a, b, c, d)
#define TARGET_NAME(prefix) JOIN(prefix, CORE_TARGET, _f, CORE_REAL)

#define CORE_BYTES_sse2 16
#define CORE_BYTES_neon 16
#define CORE_BYTES_avx2 32
#define CORE_BYTES_avx512 64
_Static_assert(VEC_BYTES == JOIN(CORE_BYTES_, CORE_TARGET, , ), "the compiler's flags are not those of CORE_TARGET");

#endif
