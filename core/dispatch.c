/* The entry points of core.h: each runs the chosen kernels in a floating-point environment of its own. */
#include "core.h"
#include "cpu.h"
#include "float_environment.h"
#include "softmax/table.h"

static const char *const names[CORE_ISA_COUNT] = {
    [CORE_SSE2] = "sse2", [CORE_AVX2] = "avx2", [CORE_AVX512] = "avx512", [CORE_NEON] = "neon"};

static const struct core_softmax_kernels *const tables[CORE_ISA_COUNT][2] = {KERNELS(core_softmax_kernels)};

/* One more than the chosen isa, 0 until one is. Atomic, since several threads may be the first to choose: they choose
 * the same. */
static _Atomic int selected;

const char *core_isa_name(enum core_isa isa)
{
    return names[isa];
}

bool core_isa_supported(enum core_isa isa)
{
    return tables[isa][CORE_FLOAT32] != NULL && core_cpu_runs(isa);
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
    selected = (int)isa + 1;
    return CORE_OK;
}

enum core_isa core_selected(void)
{
    if (selected == 0)
        selected = (int)core_isa_best() + 1;
    return (enum core_isa)(selected - 1);
}

static const struct core_softmax_kernels *kernels(enum core_dtype dtype)
{
    return tables[core_selected()][dtype];
}

/* Blocks of 16 rows, one for each array that is packed or unpacked. */
static size_t scratch(enum core_dtype dtype, size_t classes, size_t inner, size_t arrays)
{
    bool packed = inner > 1 && classes >= CORE_SHORT_CLASSES;
    return packed ? CORE_BLOCK_ROWS * classes * arrays * core_dtype_size(dtype) : 0;
}

size_t core_softmax_scratch(const struct core_softmax_call *call)
{
    return scratch(call->dtype, call->classes, call->inner, 1);
}

size_t core_gumbel_softmax_scratch(const struct core_gumbel_softmax_call *call)
{
    const size_t further = (size_t)(call->soft != NULL) + (call->gumbel != NULL) + (call->log_soft != NULL) +
                           (call->perturbed != NULL);
    return scratch(call->dtype, call->classes, call->inner, 1 + further);
}

int core_softmax(const struct core_softmax_call *call, size_t first, size_t count, size_t *invalid_row)
{
    FLOAT_ENVIRONMENT_SCOPE();
    return kernels(call->dtype)->softmax(call, first, count, invalid_row);
}

int core_log_softmax(const struct core_softmax_call *call, size_t first, size_t count, size_t *invalid_row)
{
    FLOAT_ENVIRONMENT_SCOPE();
    return kernels(call->dtype)->log_softmax(call, first, count, invalid_row);
}

int core_gumbel_softmax(const struct core_gumbel_softmax_call *call, size_t first, size_t count, size_t *invalid_row)
{
    FLOAT_ENVIRONMENT_SCOPE();
    return kernels(call->dtype)->gumbel_softmax(call, first, count, invalid_row);
}

void core_noise_words(uint32_t *words, uint64_t first_word, size_t count, uint64_t seed, uint32_t row, uint32_t draw,
                      uint32_t tag)
{
    kernels(CORE_FLOAT32)->noise_words(words, first_word, count, seed, row, draw, tag);
}

void core_exponential(enum core_dtype dtype, const uint32_t *words, const uint32_t *low_words, void *exponential,
                      size_t count)
{
    FLOAT_ENVIRONMENT_SCOPE();
    kernels(dtype)->exponential(words, low_words, exponential, count);
}
