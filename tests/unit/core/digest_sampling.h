/* Calls of core_categorical with everything in them, and one number for the bits of many results, as digest.h has one
 * for the other functions. Needs the core alone, so that a small program can print it under an emulator. */
#ifndef TESTS_UNIT_CORE_DIGEST_SAMPLING_H
#define TESTS_UNIT_CORE_DIGEST_SAMPLING_H

#include "sampling.h"

#define SAMPLING_CASES 600
#define SAMPLING_CASE_VALUES 20000 /* logits of a case, at most */
#define SAMPLING_CASE_RESULTS 2000 /* draws, and top classes, of a case, at most */

#define DIGEST_SAMPLING_V1 UINT64_C(0xd263e99bee669d57)     /* float32 */
#define DIGEST_SAMPLING_F64_V1 UINT64_C(0x0ee845081ef0f9cf) /* float64 */

/* What case `number` reads: its number of rows, and shapes, parameters, logits, mask, bias; none of its results. It is
 * valid until the next. */
size_t sampling_case_rows(uint32_t number);
struct core_categorical_call sampling_case(enum core_dtype dtype, uint32_t number);

/* Of the kernels that are selected; 0 if a call failed. */
uint64_t digest_of_draws(enum core_dtype dtype);

#endif
