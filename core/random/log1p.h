/* -log1p(-u) in double lanes, in the operations of fdlibm's s_log1p.c (Sun Microsystems, 1993) and in glibc's order of
 * its polynomial: the same bits as log1p of a C library that is built without fused operations. */
#ifndef CORE_RANDOM_LOG1P_H
#define CORE_RANDOM_LOG1P_H

#include "simd/vec.h"

typedef double vdouble __attribute__((vector_size(VEC_BYTES)));

/* a where the mask of a comparison is set, else b. */
#define double_select(mask, a, b) ((vdouble)(((vwide)(mask) & (vwide)(a)) | (~(vwide)(mask) & (vwide)(b))))

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
    const vdouble r1 = z * 6.666666666666735130e-01;
    const vdouble r2 = 3.999999999940941908e-01 + z * 2.857142874366239149e-01;
    const vdouble r3 = 2.222219843214978396e-01 + z * 1.818357216161805012e-01;
    const vdouble r4 = 1.531383769920937332e-01 + z * 1.479819860511658591e-01;
    const vdouble r = r1 + z2 * r2 + z4 * r3 + z6 * r4;
    vdouble log = k * ln2_high - ((half_square - (s * (half_square + r) + k * ln2_low)) - f);

    /* Where f is so small that its square suffices, but k is not 0. */
    const vwide near = ((vwide)(high == 0) | (vwide)(high >= 0xffffd)) & ~small;
    const vdouble square = half_square * (1.0 - 0.66666666666666666 * f);
    log = double_select(near, k * ln2_high - ((square - k * ln2_low) - f), log);
    /* Where u itself is. */
    log = double_select(u < 0x1p-29, -u - u * u * 0.5, log);
    return -log;
}

#endif
