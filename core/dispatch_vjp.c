/* The entry points of vjp.h: each runs the chosen kernels in a floating-point environment of its own. */
#include "float_environment.h"
#include "softmax/table.h"
#include "vjp.h"
#include "vjp/table.h"

static const struct core_vjp_kernels *const tables[CORE_ISA_COUNT][2] = {KERNELS(core_vjp_kernels)};

static const struct core_vjp_kernels *kernels(enum core_dtype dtype)
{
    return tables[core_selected()][dtype];
}

/* Of a call whose dense rows need `dense` numbers. */
static size_t scratch(enum core_dtype dtype, size_t classes, size_t inner, size_t dense)
{
    size_t packed = inner > 1 ? CORE_VJP_PACKED_ARRAYS * CORE_BLOCK_ROWS * classes : 0;
    return classes < CORE_SHORT_CLASSES ? 0 : (packed + dense) * core_dtype_size(dtype);
}

static size_t rows_together(size_t classes)
{
    return classes * core_rows_together(classes, CORE_VJP_ROWS);
}

size_t core_softmax_vjp_scratch(const struct core_softmax_vjp_call *call)
{
    bool masked = call->mask.allowed != NULL && call->inner <= 1;
    return scratch(call->dtype, call->classes, call->inner, masked ? rows_together(call->classes) : 0);
}

size_t core_gumbel_softmax_vjp_scratch(const struct core_gumbel_softmax_vjp_call *call)
{
    return scratch(call->dtype, call->classes, call->inner, rows_together(call->classes));
}

size_t core_gumbel_rao_vjp_scratch(const struct core_gumbel_softmax_vjp_call *call)
{
    size_t whole = (call->classes + 15) / 16 * 16;
    return scratch(call->dtype, call->classes, call->inner, CORE_VJP_RAO_ARRAYS * whole);
}

size_t core_gumbel_rao_sums(const struct core_gumbel_softmax_vjp_call *call)
{
    return core_rao_sums(call->classes) * core_dtype_size(call->dtype);
}

int core_softmax_vjp(const struct core_softmax_vjp_call *call, size_t first, size_t count, void *scratch,
                     size_t *invalid_row)
{
    FLOAT_ENVIRONMENT_SCOPE();
    return kernels(call->dtype)->softmax(call, first, count, scratch, invalid_row);
}

int core_log_softmax_vjp(const struct core_softmax_vjp_call *call, size_t first, size_t count, void *scratch,
                         size_t *invalid_row)
{
    FLOAT_ENVIRONMENT_SCOPE();
    return kernels(call->dtype)->log_softmax(call, first, count, scratch, invalid_row);
}

int core_gumbel_softmax_vjp(const struct core_gumbel_softmax_vjp_call *call, size_t first, size_t count, void *scratch,
                            size_t *invalid_row)
{
    FLOAT_ENVIRONMENT_SCOPE();
    return kernels(call->dtype)->gumbel_softmax(call, first, count, scratch, invalid_row);
}

int core_gumbel_rao_vjp(const struct core_gumbel_softmax_vjp_call *call, size_t first, size_t count, void *scratch,
                        size_t *invalid_row)
{
    FLOAT_ENVIRONMENT_SCOPE();
    return kernels(call->dtype)->gumbel_rao(call, first, count, scratch, invalid_row);
}

void core_gradient_add(enum core_dtype dtype, void *sum, void *rest, const void *summand, size_t count, bool first)
{
    FLOAT_ENVIRONMENT_SCOPE();
    kernels(dtype)->add(sum, rest, summand, count, first);
}
