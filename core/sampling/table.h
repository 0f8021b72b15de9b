/* The sampling kernels of one instruction set and precision: kernels.c is compiled once for each. */
#ifndef CORE_SAMPLING_TABLE_H
#define CORE_SAMPLING_TABLE_H

#include "sampling.h"
#include "targets.h"

/* As core_categorical, but in the floating-point environment that dispatch_sampling.c sets. */
struct core_sampling_kernels {
    int (*categorical)(const struct core_categorical_call *call, size_t first, size_t count, void *scratch,
                       size_t *invalid_row);
};

DECLARE_KERNELS(core_sampling_kernels)

/* How scratch memory is cut up: for each column a logit, a mass and a candidate, then the logits that are saved,
 * those that are ranked, then the ranking; all parts at multiples of 64 bytes. Sizes in elements, and those of elements
 * in numbers of the call's dtype. */
#define CANDIDATE_REALS 3
#define RANK_REALS 2

struct core_sampling_scratch {
    size_t columns; /* the classes, in whole groups of 16 lanes */
    size_t saved;   /* as many with min_keep, or 0 */
    size_t order;   /* as many if ranks are wanted, or 0 */
    size_t ranked;  /* the longest ranking */
};

static inline struct core_sampling_scratch core_sampling_scratch(const struct core_categorical_call *call)
{
    size_t ranked = call->replacement ? 1 : call->draws;
    if (ranked > call->classes)
        ranked = call->classes;
    size_t top = call->top < call->classes ? call->top : call->classes;
    size_t columns = (call->classes + 15) / 16 * 16, saved = call->filters.min_keep.value != NULL ? columns : 0;
    size_t order = call->ranks != NULL ? columns : 0;
    return (struct core_sampling_scratch){columns, saved, order, ranked > top ? ranked : top};
}

#endif
