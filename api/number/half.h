/* Binary16 (IEEE 754) and bfloat16 into float, exactly; signed integers into double, exactly up to 2^53. */
#ifndef API_NUMBER_HALF_H
#define API_NUMBER_HALF_H

#include <stddef.h>

/* `count` elements, which may lie anywhere, least significant byte first, into as many floats. */
void half_widen(void *to, const void *from, size_t count);
void bfloat_widen(void *to, const void *from, size_t count);

/* Likewise into doubles, which may be in the same place if they have the same size. */
void int32_widen(void *to, const void *from, size_t count);
void int64_widen(void *to, const void *from, size_t count);

#endif
