/* The instruction sets that this build has kernels for, and what declares and lists a table of kernels for each. */
#ifndef CORE_TARGETS_H
#define CORE_TARGETS_H

#include "core.h"

#if defined(__x86_64__)
#define FOR_TARGETS(each, table)                                                                                       \
    each(table, CORE_SSE2, sse2) each(table, CORE_AVX2, avx2) each(table, CORE_AVX512, avx512)
#else
#define FOR_TARGETS(each, table) each(table, CORE_NEON, neon)
#endif

/* Declares struct TABLE TABLE_avx2_f32 and so on. */
#define DECLARE_KERNELS(table) FOR_TARGETS(DECLARE_TARGET, table)
#define DECLARE_TARGET(table, id, target) extern const struct table table##_##target##_f32, table##_##target##_f64;

/* The elements of an array of pointers to them, by enum core_isa and enum core_dtype. */
#define KERNELS(table) FOR_TARGETS(KERNELS_OF_TARGET, table)
#define KERNELS_OF_TARGET(table, id, target) [id] = {&table##_##target##_f32, &table##_##target##_f64},

#endif
