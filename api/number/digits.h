/* Eight decimal digits as eight bytes. */
#ifndef API_NUMBER_DIGITS_H
#define API_NUMBER_DIGITS_H

#include <stdint.h>

#define NUMBER_ZEROS 0x3030303030303030u /* "00000000" */

/* The digits of a value below 10^8 as numbers 0 .. 9, the first in the lowest byte: halves, pairs, digits. */
static inline uint64_t number_spread8(uint32_t value)
{
    uint64_t halves = value / 10000 | (uint64_t)(value % 10000) << 32;
    uint64_t hundreds = ((halves * 10486) >> 20) & 0x0000007f0000007fu;
    uint64_t pairs = hundreds | (halves - 100 * hundreds) << 16;
    uint64_t tens = ((pairs * 103) >> 10) & 0x000f000f000f000fu;
    return tens | (pairs - 10 * tens) << 8;
}

/* How many of eight such digits, from the last, are 0. (Zeros are counted from the low end, which takes one
 * instruction on every x86-64 in use, where counting from the high end takes many.) */
static inline int number_trailing_zeros(uint64_t digits)
{
    return (__builtin_ctzll(__builtin_bswap64(digits) | 1ull << 63) >> 3) + (digits == 0);
}

#endif
