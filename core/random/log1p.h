/* -log1p(-u) in double lanes: fdlibm's s_log1p.c (Sun Microsystems, 1993) in the order of glibc's polynomial. For
 * double results the operations are fused as glibc has them on processors that can, for the same bits as its log1p
 * gives there. What is rounded to float has no need of that: the bits differ only if a rounding of a double in its last
 * place moves it over half a unit of a float, once in about 10^12. */
#ifndef CORE_RANDOM_LOG1P_H
#define CORE_RANDOM_LOG1P_H

#include "simd/vec.h"

typedef double vdouble __attribute__((vector_size(VEC_BYTES)));

/* a where the mask of a comparison is set, else b. */
#define double_select(mask, a, b) ((vdouble)(((vwide)(mask) & (vwide)(a)) | (~(vwide)(mask) & (vwide)(b))))

#if CORE_REAL == 64
#define double_fma(a, b, c) vec_fma(a, b, c)
#else
#define double_fma(a, b, c) ((a) * (b) + (c))
#endif

/* For u = n 2^-53, 0 <= n < 2^53, of which 1 - u is exact: 1 - u = 2^k (1 + f), sqrt(1/2) <= 1 + f < sqrt(2), k = 0 for
 * u < 0.2929; with s = f / (2 + f), log(1 + f) = f - (f^2/2 - s (f^2/2 + R(s^2))). */
INLINE vdouble minus_log1p_minus(vdouble u)
{
    const vdouble zero = {0};
    const double ln2_high = 6.93147180369123816490e-01, ln2_low = 1.90821492927058770002e-10;
    const vwide bits = (vwide)(1.0 - u), mantissa = bits & 0xfffffffffffff;
    const vwide upper = (vwide)((vwide)(mantissa >> 32) >= 0x6a09e), high = mantissa >> 32;
    const vwide small = (vwide)(u < 0x1.2bec4p-2);

    vdouble k = (vdouble)(bits >> 52 | 0x4330000000000000) - (0x1p52 + 1023.0);
    k += double_select(upper, zero + 1.0, zero);
    vdouble f = (vdouble)(mantissa | (0x3ff0000000000000 - (upper & 0x10000000000000))) - 1.0;
    k = double_select(small, zero, k);
    f = double_select(small, -u, f);

    const vdouble half_square = 0.5 * f * f, s = f / (2.0 + f), z = s * s, z2 = z * z, z4 = z2 * z2, z6 = z4 * z2;
    const vdouble r2 = double_fma(z, zero + 2.857142874366239149e-01, zero + 3.999999999940941908e-01);
    const vdouble r3 = double_fma(z, zero + 1.818357216161805012e-01, zero + 2.222219843214978396e-01);
    const vdouble r4 = double_fma(z, zero + 1.479819860511658591e-01, zero + 1.531383769920937332e-01);
    vdouble r = double_fma(z, zero + 6.666666666666735130e-01, z2 * r2);
    r = double_fma(z6, r4, double_fma(z4, r3, r));
    const vdouble low = k * ln2_low;
    vdouble log = double_fma(k, zero + ln2_high, -((half_square - (s * (half_square + r) + low)) - f));

    /* Where f is so small that its square suffices, but k is not 0. */
    const vwide near = ((vwide)(high == 0) | (vwide)(high >= 0xffffd)) & ~small;
    const vdouble square = half_square * double_fma(-f, zero + 0.66666666666666666, zero + 1.0);
    log = double_select(near, double_fma(k, zero + ln2_high, -((square - low) - f)), log);
    /* Where u itself is. */
    log = double_select(u < 0x1p-29, double_fma(-(u * u), zero + 0.5, -u), log);
    return -log;
}

#endif
