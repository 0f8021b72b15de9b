/* The entry points: each runs the chosen kernels in a floating-point environment of its own. */
#include "core.h"
#include "cpu.h"
#include "float_environment.h"
#include "kernels.h"

static const struct {
    const char *name;
    const struct core_kernels *kernels; /* NULL if this build has none */
} isas[CORE_ISA_COUNT] = {
#if defined(__x86_64__)
    [CORE_SSE2] = {"sse2", &core_kernels_sse2},
    [CORE_AVX2] = {"avx2", &core_kernels_avx2},
    [CORE_AVX512] = {"avx512", &core_kernels_avx512},
    [CORE_NEON] = {"neon", NULL},
#else
    [CORE_SSE2] = {"sse2", NULL},
    [CORE_AVX2] = {"avx2", NULL},
    [CORE_AVX512] = {"avx512", NULL},
    [CORE_NEON] = {"neon", &core_kernels_neon},
#endif
};

/* NULL until chosen. Atomic, since threads may come first to it together: they choose the same. */
static const struct core_kernels *_Atomic selected;

const char *core_isa_name(enum core_isa isa)
{
    return isas[isa].name;
}

bool core_isa_supported(enum core_isa isa)
{
    return isas[isa].kernels != NULL && core_cpu_runs(isa);
}

enum core_isa core_isa_best(void)
{
    enum core_isa isa = CORE_ISA_COUNT - 1;
    while (isa > CORE_SSE2 && !core_isa_supported(isa))
        isa--;
    return isa;
}

int core_select(enum core_isa isa)
{
    if (!core_isa_supported(isa))
        return CORE_NO_SUCH_ISA;
    selected = isas[isa].kernels;
    return CORE_OK;
}

static const struct core_kernels *kernels(void)
{
    if (selected == NULL)
        selected = isas[core_isa_best()].kernels;
    return selected;
}

enum core_isa core_selected(void)
{
    enum core_isa isa = CORE_SSE2;
    while (isas[isa].kernels != kernels())
        isa++;
    return isa;
}

/* Blocks of 16 rows, one for each array that is packed or unpacked. */
static size_t scratch(size_t classes, size_t inner, size_t arrays)
{
    return inner <= 1 || classes < CORE_SHORT_CLASSES ? 0 : CORE_BLOCK_ROWS * classes * arrays;
}

size_t core_softmax_scratch(const struct core_softmax_call *call)
{
    return scratch(call->classes, call->inner, 1);
}

size_t core_gumbel_softmax_scratch(const struct core_gumbel_softmax_call *call)
{
    return scratch(call->classes, call->inner, (size_t)1 + (call->soft != NULL) + (call->gumbel != NULL));
}

int core_softmax(const struct core_softmax_call *call, size_t first, size_t count, size_t *invalid_row)
{
    struct float_environment caller = float_environment_enter();
    int status = kernels()->softmax(call, first, count, invalid_row);
    float_environment_leave(caller);
    return status;
}

int core_log_softmax(const struct core_softmax_call *call, size_t first, size_t count, size_t *invalid_row)
{
    struct float_environment caller = float_environment_enter();
    int status = kernels()->log_softmax(call, first, count, invalid_row);
    float_environment_leave(caller);
    return status;
}

int core_gumbel_softmax(const struct core_gumbel_softmax_call *call, size_t first, size_t count, size_t *invalid_row)
{
    struct float_environment caller = float_environment_enter();
    int status = kernels()->gumbel_softmax(call, first, count, invalid_row);
    float_environment_leave(caller);
    return status;
}

void core_noise_words(uint32_t *words, uint64_t first_word, size_t count, uint64_t seed, uint32_t row, uint32_t draw,
                      uint32_t tag)
{
    kernels()->noise_words(words, first_word, count, seed, row, draw, tag);
}

void core_exponential(const uint32_t *words, float *exponential, size_t count)
{
    struct float_environment caller = float_environment_enter();
    kernels()->exponential(words, exponential, count);
    float_environment_leave(caller);
}
