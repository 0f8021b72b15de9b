/* Long sums, in one order on all targets: in blocks of SUM_BLOCK columns, lane l of a block adding its
 * columns l, l + 16, ... in order, the lanes added by lanes_sum, the blocks in order. What the additions of blocks
 * round off is added at the end (Knuth's TwoSum), so that the error is that of one block however long the sum is: at
 * most SUM_BLOCK / 16 + 4 roundings of positive terms, 68 units of 2^-24 or 20 of 2^-53. It comes near that where one
 * term outweighs the others; of equal terms it is at most 2^-20 and 2^-51. */
#ifndef CORE_MATH_SUMS_H
#define CORE_MATH_SUMS_H

#include "simd/vec.h"

#define SUM_BLOCK ((size_t)(CORE_REAL == 32 ? 1024 : 256)) /* a multiple of LANES */

struct total {
    real sum, rest;
};

INLINE void total_add(struct total *total, const vreal lanes[VECS])
{
    real block = lanes_sum(lanes), before = total->sum, sum = before + block, part = sum - before;
    total->sum = sum;
    total->rest += (before - (sum - part)) + (block - part);
}

INLINE real total_value(const struct total *total)
{
    return total->sum + total->rest;
}

/* Adds x to a sum over samples, of which there may be millions: sum + rest, `sum` being that rounded. Each addition has
 * a relative error of at most 2 u^2, u = 2^-24 or 2^-53 (DWPlusFP, algorithm 4 of M. Joldes, J.-M. Muller, V. Popescu:
 * Tight and rigorous error bounds for basic building blocks of double-word arithmetic, ACM TOMS 2017). So `sum` is off
 * by u of itself and, after n additions, 2 n u^2 of the sum of magnitudes: of 2^20 floats 2^-27. One and two numbers
 * have the sum that a plain addition gives; what is not finite has it too. */
INLINE void sum_add(vreal *sum, vreal *rest, vreal x)
{
    vreal high = *sum + x, part = high - *sum;
    vreal low = *rest + ((*sum - (high - part)) + (x - part));
    low = vec_keep(low == low, low);
    *sum = high + low;
    *rest = low - (*sum - high);
}

#endif
