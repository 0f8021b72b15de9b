/* One number for the bits of many results: equal on every instruction set and in every version of "rng": "v1".
 * Needs the core alone, so that a small program can print it under an emulator. */
#ifndef TESTS_CORE_DIGEST_H
#define TESTS_CORE_DIGEST_H

#include <stdint.h>

#define DIGEST_V1 UINT64_C(0x7817542c6d012032)

/* The same of gumbel_softmax's further results with scaled noise, masks and strided arrays. */
#define DIGEST_OF_MORE_V1 UINT64_C(0x064c7f58e1dd976e)

uint64_t digest_of_more(void);
uint64_t digest_of_results(void); /* of the kernels that are selected; 0 if a call failed */

#endif
