/* Vector-Jacobian products: blocks of rows, the forward values of each from core.h's own functions, the gradients from
 * the kernels of the chosen instruction set. */
#include "vjp.h"
#include "float_environment.h"
#include "kernels_vjp.h"

#include <string.h>

/* A block is small enough for the first-level cache unless one row is not, and short rows come many at a time. */
enum { BLOCK_FLOATS = 4096, BLOCK_ROWS = 64 };

static const struct core_vjp_kernels *const tables[CORE_ISA_COUNT] = {
#if defined(__x86_64__)
    [CORE_SSE2] = &core_vjp_kernels_sse2,
    [CORE_AVX2] = &core_vjp_kernels_avx2,
    [CORE_AVX512] = &core_vjp_kernels_avx512,
#else
    [CORE_NEON] = &core_vjp_kernels_neon,
#endif
};

static const struct core_vjp_kernels *kernels(void)
{
    return tables[core_selected()];
}

static size_t rows_of_block(size_t classes, size_t left)
{
    size_t rows = BLOCK_FLOATS / classes;
    if (rows > BLOCK_ROWS)
        rows = BLOCK_ROWS;
    if (rows < 1)
        rows = 1;
    return rows < left ? rows : left;
}

static size_t floats_of_block(size_t classes)
{
    return classes * rows_of_block(classes, BLOCK_ROWS);
}

static struct core_per_row parameter_from(struct core_per_row parameter, size_t row)
{
    if (parameter.value != NULL)
        parameter.value += row * parameter.stride;
    return parameter;
}

static struct core_noise noise_from(struct core_noise noise, size_t row)
{
    noise.seed += row * noise.stride;
    noise.row_offset += noise.stride == 0 ? (uint32_t)row : 0;
    return noise;
}

/* y = softmax(x / T) of the rows of the block. */
static int softmax_of_block(const struct vjp_block *block, float *y, size_t *invalid_row)
{
    struct core_softmax_call forward = {.logits = block->x,
                                        .rows = block->rows,
                                        .classes = block->classes,
                                        .temperature = block->temperature,
                                        .result = y};
    return core_softmax(&forward, 0, block->rows, invalid_row);
}

static int softmax_vjp(const struct core_softmax_vjp_call *call, size_t first, size_t count, size_t *invalid_row,
                       void (*backward)(const struct vjp_block *block))
{
    for (size_t end = first + count, rows; first < end; first += rows) {
        size_t at = first * call->classes, bad;
        rows = rows_of_block(call->classes, end - first);
        struct vjp_block block = {
            .rows = rows,
            .classes = call->classes,
            .x = call->logits + at,
            .y = call->grad_logits + at,
            .cotangent = call->cotangent + at,
            .temperature = parameter_from(call->temperature, first),
            .grad_x = call->grad_logits + at,
            .grad_temperature = call->grad_temperature != NULL ? call->grad_temperature + first : NULL,
        };
        if (softmax_of_block(&block, block.grad_x, &bad) != CORE_OK) {
            *invalid_row = first + bad;
            return CORE_INVALID_ROW;
        }
        backward(&block);
    }
    return CORE_OK;
}

int core_softmax_vjp(const struct core_softmax_vjp_call *call, size_t first, size_t count, size_t *invalid_row)
{
    struct float_environment caller = float_environment_enter();
    int status = softmax_vjp(call, first, count, invalid_row, kernels()->softmax);
    float_environment_leave(caller);
    return status;
}

int core_log_softmax_vjp(const struct core_softmax_vjp_call *call, size_t first, size_t count, size_t *invalid_row)
{
    struct float_environment caller = float_environment_enter();
    int status = softmax_vjp(call, first, count, invalid_row, kernels()->log_softmax);
    float_environment_leave(caller);
    return status;
}

/* What a block of perturbed rows, its z in `scratch`, has in common for both estimators. */
static struct vjp_block perturbed_block(const struct core_gumbel_softmax_vjp_call *call, size_t first, size_t rows,
                                        const float *z, const float *y)
{
    size_t at = first * call->classes;
    return (struct vjp_block){
        .rows = rows,
        .classes = call->classes,
        .x = z,
        .y = y,
        .cotangent = call->cotangent + at,
        .temperature = parameter_from(call->tau, first),
        .grad_x = call->grad_logits + at,
        .grad_temperature = call->grad_tau != NULL ? call->grad_tau + first : NULL,
    };
}

/* Of rows first .. first+rows-1. */
typedef bool perturbed_vjp(const struct core_gumbel_softmax_vjp_call *call, size_t first, size_t rows, float *scratch,
                           size_t *invalid);

/* softmax of z has the bits of core_gumbel_softmax, which computes the same z first. */
static bool gumbel_softmax_vjp(const struct core_gumbel_softmax_vjp_call *call, size_t first, size_t rows,
                               float *scratch, size_t *invalid)
{
    struct core_noise noise = noise_from(call->noise, first);
    struct core_per_row noise_scale = parameter_from(call->noise_scale, first);
    struct vjp_block block = perturbed_block(call, first, rows, scratch, call->grad_logits + first * call->classes);
    if (!kernels()->perturb(scratch, call->logits + first * call->classes, rows, call->classes, &noise, &noise_scale,
                            invalid))
        return false;
    softmax_of_block(&block, block.grad_x, invalid);
    kernels()->softmax(&block);
    return true;
}

static bool gumbel_rao_vjp(const struct core_gumbel_softmax_vjp_call *call, size_t first, size_t rows, float *scratch,
                           size_t *invalid)
{
    static const float one = 1.0f;
    const struct core_per_row unscaled = {&one, 0};
    size_t winner[BLOCK_ROWS], floats = floats_of_block(call->classes);
    float *z = scratch, *y = z + floats, *p = y + floats, *log_p = p + floats;
    struct conditional_block given = {rows, call->classes, p, log_p, winner, noise_from(call->noise, first)};
    struct core_softmax_call plain = {.logits = call->logits + first * call->classes,
                                      .rows = rows,
                                      .classes = call->classes,
                                      .temperature = unscaled,
                                      .result = p};
    if (!kernels()->perturb(z, plain.logits, rows, call->classes, &given.noise, &unscaled, invalid))
        return false;
    kernels()->first_maxima(winner, z, rows, call->classes);
    core_softmax(&plain, 0, rows, invalid);
    plain.result = log_p;
    core_log_softmax(&plain, 0, rows, invalid);

    struct vjp_block block = perturbed_block(call, first, rows, z, y);
    memset(block.grad_x, 0, rows * call->classes * sizeof(block.grad_x[0]));
    if (block.grad_temperature != NULL)
        memset(block.grad_temperature, 0, rows * sizeof(block.grad_temperature[0]));
    for (uint32_t i = 0; i < call->conditional_samples; i++) {
        given.noise.draw = call->noise.draw * call->conditional_samples + i;
        kernels()->condition(z, &given);
        softmax_of_block(&block, y, invalid);
        kernels()->add(&block);
    }
    kernels()->mean(&block, (float)call->conditional_samples);
    return true;
}

static int by_blocks(const struct core_gumbel_softmax_vjp_call *call, size_t first, size_t count, float *scratch,
                     size_t *invalid_row, perturbed_vjp *block_vjp)
{
    struct float_environment caller = float_environment_enter();
    int status = CORE_OK;
    for (size_t end = first + count, rows, invalid; first < end && status == CORE_OK; first += rows) {
        rows = rows_of_block(call->classes, end - first);
        if (!block_vjp(call, first, rows, scratch, &invalid)) {
            *invalid_row = first + invalid;
            status = CORE_INVALID_ROW;
        }
    }
    float_environment_leave(caller);
    return status;
}

size_t core_gumbel_softmax_vjp_scratch(size_t classes)
{
    return floats_of_block(classes);
}

size_t core_gumbel_rao_vjp_scratch(size_t classes)
{
    return 4 * floats_of_block(classes);
}

int core_gumbel_softmax_vjp(const struct core_gumbel_softmax_vjp_call *call, size_t first, size_t count, float *scratch,
                            size_t *invalid_row)
{
    return by_blocks(call, first, count, scratch, invalid_row, gumbel_softmax_vjp);
}

int core_gumbel_rao_vjp(const struct core_gumbel_softmax_vjp_call *call, size_t first, size_t count, float *scratch,
                        size_t *invalid_row)
{
    return by_blocks(call, first, count, scratch, invalid_row, gumbel_rao_vjp);
}
