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

#define WIDEN(name, narrow, wide, widened)                                                                             \
    void name(void *to, const void *from, size_t count)                                                                \
    {                                                                                                                  \
        for (size_t i = 0; i < count; i++) {                                                                           \
            narrow element;                                                                                            \
            memcpy(&element, (const char *)from + i * sizeof element, sizeof element);                                 \
            const wide value = widened(element);                                                                       \
            memcpy((char *)to + i * sizeof value, &value, sizeof value);                                               \
        }                                                                                                              \
    }

WIDEN(half_widen, uint16_t, uint32_t, bits_of_half)
WIDEN(bfloat_widen, uint16_t, uint32_t, bits_of_bfloat)
WIDEN(int32_widen, int32_t, double, (double))
WIDEN(int64_widen, int64_t, double, (double))
