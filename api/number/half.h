/* Binary16 (IEEE 754) into float. */
#ifndef API_NUMBER_HALF_H
#define API_NUMBER_HALF_H

#include <stdint.h>
#include <string.h>

/* Exact: a half's exponent is 5 bits and its fraction 10, of 8 and 23. Subnormal halves are normal floats. */
static inline float half_value(uint16_t half)
{
    const uint32_t sign = (uint32_t)(half & 0x8000) << 16, exponent = half >> 10 & 0x1f, fraction = half & 0x3ff;
    uint32_t bits;
    float value;
    if (exponent == 0) {
        value = (float)fraction * 0x1p-24f;
        memcpy(&bits, &value, sizeof bits);
    } else {
        bits = (exponent == 0x1f ? 0xff : exponent + 112) << 23 | fraction << 13;
    }
    bits |= sign;
    memcpy(&value, &bits, sizeof value);
    return value;
}

#endif
