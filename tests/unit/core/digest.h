/* One number for the bits of many results: equal on every instruction set and in every version of "rng": "v1".
 * Needs the core alone, so that a small program can print it under an emulator. */
#ifndef TESTS_UNIT_CORE_DIGEST_H
#define TESTS_UNIT_CORE_DIGEST_H

#include "core.h"

#define DIGEST_V1(dtype) ((dtype) == CORE_FLOAT32 ? UINT64_C(0x8e97eb2126f2a515) : UINT64_C(0xad4ef75763d5d422))

/* The same of gumbel_softmax's further results with scaled noise, masks and strided arrays. */
#define DIGEST_OF_MORE_V1(dtype) ((dtype) == CORE_FLOAT32 ? UINT64_C(0x064c7f58e1dd976e) : UINT64_C(0x721607b9779b6fef))

uint64_t digest_of_more(enum core_dtype dtype);
uint64_t digest_of_results(enum core_dtype dtype); /* of the kernels that are selected; 0 if a call failed */

#endif
