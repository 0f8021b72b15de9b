/* The kernels of vjp.h, compiled once for each instruction set and precision as softmax/kernels.c is. Everything here
 * but the table at the end is static. vjp.h defines the results; the forward values are made by the passes of softmax,
 * log_softmax and gumbel_softmax, and have the same bits. */
#include "simd/target.h"
#include "vjp/short_rao.h"
#include "vjp/table.h"

static int dense_softmax_vjp(const struct vjp_call *call, size_t first, size_t count, size_t *invalid_row)
{
    return long_vjp(call, first, count, invalid_row, false);
}

static int dense_log_softmax_vjp(const struct vjp_call *call, size_t first, size_t count, size_t *invalid_row)
{
    return long_vjp(call, first, count, invalid_row, true);
}

static int short_softmax_vjp(const struct vjp_call *call, size_t first, size_t count, size_t *invalid_row)
{
    return short_vjp(call, first, count, invalid_row, false);
}

static int short_log_softmax_vjp(const struct vjp_call *call, size_t first, size_t count, size_t *invalid_row)
{
    return short_vjp(call, first, count, invalid_row, true);
}

/* Short rows as they lie; long ones dense, or packed. */
static int run(const struct vjp_call *call, size_t first, size_t count, size_t *invalid_row, dense_vjp *short_rows,
               dense_vjp *long_rows)
{
    if (call->layout.classes < SHORT_CLASSES)
        return short_rows(call, first, count, invalid_row);
    if (call->layout.step > 1)
        return strided_vjp(call, first, count, invalid_row, long_rows);
    return long_rows(call, first, count, invalid_row);
}

static struct vjp_call of_softmax(const struct core_softmax_vjp_call *call, void *scratch)
{
    return (struct vjp_call){
        .logits = call->logits,
        .cotangent = call->cotangent,
        .mask = call->mask,
        .layout = layout_of(call->classes, call->inner),
        .temperature = call->temperature,
        .grad_logits = call->grad_logits,
        .grad_temperature = call->grad_temperature,
        .scratch = scratch,
    };
}

static struct vjp_call of_gumbel_softmax(const struct core_gumbel_softmax_vjp_call *call, void *scratch)
{
    return (struct vjp_call){
        .logits = call->logits,
        .cotangent = call->cotangent,
        .mask = call->mask,
        .layout = layout_of(call->classes, call->inner),
        .temperature = call->tau,
        .noise = &call->noise,
        .noise_scale = call->noise_scale,
        .samples = call->conditional_samples,
        .part = call->part.count > 0 ? call->part : (struct core_rao_part){.count = call->conditional_samples},
        .grad_logits = call->grad_logits,
        .grad_temperature = call->grad_tau,
        .scratch = scratch,
    };
}

static int softmax_vjp(const struct core_softmax_vjp_call *call, size_t first, size_t count, void *scratch,
                       size_t *invalid_row)
{
    struct vjp_call any = of_softmax(call, scratch);
    return run(&any, first, count, invalid_row, short_softmax_vjp, dense_softmax_vjp);
}

static int log_softmax_vjp(const struct core_softmax_vjp_call *call, size_t first, size_t count, void *scratch,
                           size_t *invalid_row)
{
    struct vjp_call any = of_softmax(call, scratch);
    return run(&any, first, count, invalid_row, short_log_softmax_vjp, dense_log_softmax_vjp);
}

static int gumbel_softmax_vjp(const struct core_gumbel_softmax_vjp_call *call, size_t first, size_t count,
                              void *scratch, size_t *invalid_row)
{
    struct vjp_call any = of_gumbel_softmax(call, scratch);
    return run(&any, first, count, invalid_row, short_softmax_vjp, dense_softmax_vjp);
}

static int gumbel_rao_vjp(const struct core_gumbel_softmax_vjp_call *call, size_t first, size_t count, void *scratch,
                          size_t *invalid_row)
{
    struct vjp_call any = of_gumbel_softmax(call, scratch);
    return run(&any, first, count, invalid_row, short_rao, long_rao);
}

static void add_gradients(real *sum, real *rest, const real *summand, size_t count, bool first)
{
    for (size_t j = 0; j < count; j += VEC_LANES) {
        vreal high = vec_load(sum + j), low = first ? vec_splat(0) : vec_load(rest + j);
        sum_add(&high, &low, vec_load(summand + j));
        vec_store(sum + j, canonical(high));
        vec_store(rest + j, low);
    }
}

static void add(void *sum, void *rest, const void *summand, size_t count, bool first)
{
    enum { SUM, REST, SUMMAND };
    real tail[3][LANES] __attribute__((aligned(64)));
    size_t left = count % LANES, whole = count - left;
    real *sum_left = (real *)sum + whole, *rest_left = (real *)rest + whole;
    add_gradients(sum, rest, summand, whole, first);
    if (left == 0)
        return;
    tail_load(tail[SUM], sum_left, left, 0);
    tail_load(tail[REST], rest_left, left, 0);
    tail_load(tail[SUMMAND], (const real *)summand + whole, left, 0);
    add_gradients(tail[SUM], tail[REST], tail[SUMMAND], LANES, first);
    copy_few(sum_left, tail[SUM], left);
    copy_few(rest_left, tail[REST], left);
}

const struct core_vjp_kernels TARGET_NAME(core_vjp_kernels_) = {
    .softmax = softmax_vjp,
    .log_softmax = log_softmax_vjp,
    .gumbel_softmax = gumbel_softmax_vjp,
    .gumbel_rao = gumbel_rao_vjp,
    .add = add,
};
