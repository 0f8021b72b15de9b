/* The entry points of sampling.h: the chosen kernels, in a floating-point environment of their own. */
#include "sampling.h"
#include "float_environment.h"
#include "kernels_sampling.h"

static const struct core_sampling_kernels *kernels(void)
{
#if defined(__x86_64__)
    switch (core_selected()) {
    case CORE_AVX512:
        return &core_sampling_kernels_avx512;
    case CORE_AVX2:
        return &core_sampling_kernels_avx2;
    default:
        return &core_sampling_kernels_sse2;
    }
#else
    return &core_sampling_kernels_neon;
#endif
}

size_t core_categorical_scratch(const struct core_categorical_call *call)
{
    /* A logit and a mass (float), a candidate (12 bytes) for each column; a ranked entry is 8 bytes. */
    struct core_sampling_scratch scratch = core_sampling_scratch(call);
    return 64 + scratch.columns * (2 * sizeof(float) + 12) + scratch.ranked * sizeof(uint64_t);
}

int core_categorical(const struct core_categorical_call *call, size_t first, size_t count, void *scratch,
                     size_t *invalid_row)
{
    struct float_environment caller = float_environment_enter();
    int status = kernels()->categorical(call, first, count, scratch, invalid_row);
    float_environment_leave(caller);
    return status;
}
