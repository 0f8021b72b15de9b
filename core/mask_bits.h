/* Masks of vectors as bits, to walk over the lanes that are set. */
#ifndef CORE_MASK_BITS_H
#define CORE_MASK_BITS_H

#include "vec.h"

/* Bit l is set where lane l of the mask is. To walk over them: for (; bits != 0; bits &= bits - 1), the lowest being
 * __builtin_ctz(bits). */
INLINE uint32_t mask_bits(vint mask)
{
#if VEC_LANES == 16
    return _mm512_movepi32_mask((__m512i)mask);
#elif VEC_LANES == 8
    return (uint32_t)_mm256_movemask_ps((__m256)mask);
#elif defined(__x86_64__)
    return (uint32_t)_mm_movemask_ps((__m128)mask);
#else
    return vaddvq_u32((uint32x4_t)(mask & (vint){1, 2, 4, 8}));
#endif
}

#endif
