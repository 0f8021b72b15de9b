#include "number/half.h"

#include <stdint.h>
#include <string.h>

/* A half's exponent is 5 bits and its fraction 10, of 8 and 23. Subnormal halves are normal floats. */
static uint32_t bits_of_half(uint16_t half)
{
    const uint32_t sign = (uint32_t)(half & 0x8000) << 16, exponent = half >> 10 & 0x1f, fraction = half & 0x3ff;
    if (exponent != 0)
        return sign | (exponent == 0x1f ? 0xff : exponent + 112) << 23 | fraction << 13;
    const float value = (float)fraction * 0x1p-24f;
    uint32_t bits;
    memcpy(&bits, &value, sizeof bits);
    return sign | bits;
}

/* The upper half of a float. */
static uint32_t bits_of_bfloat(uint16_t bfloat)
{
    return (uint32_t)bfloat << 16;
}

#define WIDEN(name, bits_of)                                                                                           \
    void name(void *to, const void *from, size_t count)                                                                \
    {                                                                                                                  \
        for (size_t i = 0; i < count; i++) {                                                                           \
            uint16_t narrow;                                                                                           \
            memcpy(&narrow, (const char *)from + i * sizeof narrow, sizeof narrow);                                    \
            const uint32_t bits = bits_of(narrow);                                                                     \
            memcpy((char *)to + i * sizeof bits, &bits, sizeof bits);                                                  \
        }                                                                                                              \
    }

WIDEN(half_widen, bits_of_half)
WIDEN(bfloat_widen, bits_of_bfloat)
