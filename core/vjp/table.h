/* The kernels of vjp.h for one instruction set and precision: kernels.c is compiled once for each, and each object
 * exports one table. */
#ifndef CORE_VJP_TABLE_H
#define CORE_VJP_TABLE_H

#include "targets.h"
#include "vjp.h"

/* What the kernels take of the scratch memory, in arrays of a row's classes: one for each of the rows that go together,
 * at most CORE_VJP_ROWS; strided rows are packed to CORE_BLOCK_ROWS before. A row of Gumbel-Rao has CORE_VJP_RAO_ARRAYS
 * of whole groups of 16 classes. */
enum { CORE_VJP_ROWS = 16, CORE_VJP_PACKED_ARRAYS = 3, CORE_VJP_RAO_ARRAYS = 7 };

/* Numbers of a row's sums in struct core_rao_part: those of the products, and what these round off, of whole groups of
 * 16 classes; then the same of the temperature's. */
static inline size_t core_rao_sums(size_t classes)
{
    return 2 * ((classes + 15) / 16 * 16) + 2;
}

/* As the functions of the same names in vjp.h, but in the floating-point environment that dispatch_vjp.c sets. */
struct core_vjp_kernels {
    int (*softmax)(const struct core_softmax_vjp_call *call, size_t first, size_t count, void *scratch,
                   size_t *invalid_row);
    int (*log_softmax)(const struct core_softmax_vjp_call *call, size_t first, size_t count, void *scratch,
                       size_t *invalid_row);
    int (*gumbel_softmax)(const struct core_gumbel_softmax_vjp_call *call, size_t first, size_t count, void *scratch,
                          size_t *invalid_row);
    int (*gumbel_rao)(const struct core_gumbel_softmax_vjp_call *call, size_t first, size_t count, void *scratch,
                      size_t *invalid_row);
    void (*add)(void *sum, void *rest, const void *summand, size_t count, bool first);
};

DECLARE_KERNELS(core_vjp_kernels)

#endif
