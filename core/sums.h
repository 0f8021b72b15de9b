/* Long sums, in the one order that all targets share: in blocks of SUM_BLOCK columns, lane l of a block adding its
 * columns l, l + 16, ... in order, the lanes added by lanes_sum, the blocks in order. Blocks bound the error. Those of
 * doubles are shorter, and what the additions of blocks round off is added at the end (Knuth's TwoSum), so that a sum
 * errs by an ulp or two however long it is. */
#ifndef CORE_SUMS_H
#define CORE_SUMS_H

#include "vec.h"

#define SUM_BLOCK ((size_t)(CORE_REAL == 32 ? 4096 : 256)) /* a multiple of LANES */

struct total {
    real sum, rest;
};

INLINE void total_add(struct total *total, const vreal lanes[VECS])
{
    real block = lanes_sum(lanes), before = total->sum;
    total->sum += block;
#if CORE_REAL == 64
    real part = total->sum - before;
    total->rest += (before - (total->sum - part)) + (block - part);
#else
    (void)before;
#endif
}

INLINE real total_value(const struct total *total)
{
    return CORE_REAL == 64 ? total->sum + total->rest : total->sum;
}

#endif
