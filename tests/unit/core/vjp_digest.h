/* One number for the bits of many gradients of a precision: equal on every instruction set and in every version of
 * "rng": "v1". Needs the core alone, so that a small program can print it under an emulator. */
#ifndef TESTS_UNIT_CORE_VJP_DIGEST_H
#define TESTS_UNIT_CORE_VJP_DIGEST_H

#include "core.h"

#define VJP_DIGEST_V1 UINT64_C(0x3035538055cb8338)
#define VJP_DIGEST_V1_FLOAT64 UINT64_C(0x10183737173c8c81)

/* The Gumbel gradients with other scales of the noise than 1. */
#define VJP_SCALED_DIGEST_V1 UINT64_C(0x245e382bf1fde76d)
#define VJP_SCALED_DIGEST_V1_FLOAT64 UINT64_C(0xed45b516118517e6)

/* Of the kernels that are selected; 0 if a call failed. */
uint64_t vjp_digest_of_results(enum core_dtype dtype);
uint64_t vjp_digest_of_scaled_results(enum core_dtype dtype);

#endif
