/* exp, log and sin of one double, made of IEEE additions, multiplications and divisions only: no library, the same bits
 * on every machine. For what is computed once a row or once a call. */
#ifndef CORE_MATH_SCALAR_H
#define CORE_MATH_SCALAR_H

#include <stdint.h>
#include <string.h>

/* ln 2 = SCALAR_LN2_HIGH + SCALAR_LN2_LOW to 2^-90; the high part has 32 bits, so that small multiples are exact. */
#define SCALAR_LN2_HIGH 0x1.62e42feep-1
#define SCALAR_LN2_LOW 0x1.a39ef35793c76p-33

/* 2^n for a normal result, -1022 <= n <= 1023. */
static inline double scalar_power_of_two(int n)
{
    uint64_t bits = (uint64_t)(n + 1023) << 52;
    double power;
    memcpy(&power, &bits, sizeof(power));
    return power;
}

/* exp(x) for x <= 0; 0 below -708. x = n ln 2 + r, |r| <= ln 2 / 2, and Taylor's series to r^13 / 13!. Error below
 * 2e-16 relative. */
static inline double scalar_exp(double x)
{
    if (!(x >= -708.0))
        return 0;
    int n = (int)(x * 0x1.71547652b82fep0 - 0.5); /* rounded to nearest, since x <= 0 */
    double r = (x - n * SCALAR_LN2_HIGH) - n * SCALAR_LN2_LOW, y = 1;
    for (int i = 13; i > 0; i--)
        y = 1 + y * (r / i);
    return y * scalar_power_of_two(n);
}

/* log x for positive x = m 2^k, 1/sqrt(2) <= m < sqrt(2): with s = (m - 1) / (m + 1), log m is
 * 2 (s + s^3/3 + s^5/5 + ... + s^21/21), |s| < 0.172. Error below 3e-16 relative, or absolute near 1. */
static inline double scalar_log(double x)
{
    uint64_t bits;
    double scaled = x < 0x1p-1022 ? 54 : 0; /* a subnormal number times 2^54 is normal */
    if (scaled != 0)
        x *= 0x1p54;
    memcpy(&bits, &x, sizeof(bits));
    int64_t k = (int64_t)(bits - 0x3fe6a09e667f3bcd) >> 52; /* of 1/sqrt(2) */
    bits -= (uint64_t)k << 52;
    memcpy(&x, &bits, sizeof(x));
    double s = (x - 1) / (x + 1), square = s * s, series = 0;
    for (int i = 21; i > 0; i -= 2)
        series = series * square + 1.0 / i;
    double n = (double)k - scaled;
    return n * SCALAR_LN2_HIGH + (2 * s * series + n * SCALAR_LN2_LOW);
}

/* sin x for |x| <= pi / 4, Taylor's series to x^17 / 17!. Error below 2e-16 relative. */
static inline double scalar_sin(double x)
{
    double square = x * x, y = 1;
    for (int i = 16; i > 0; i -= 2)
        y = 1 - y * (square / (i * (i + 1)));
    return x * y;
}

#endif
