/* The entry points of sampling.h: the chosen kernels, in a floating-point environment of their own. */
#include "float_environment.h"
#include "sampling.h"
#include "sampling/table.h"

#define KERNELS(isa) &core_sampling_kernels_##isa##_f32, &core_sampling_kernels_##isa##_f64

static const struct core_sampling_kernels *kernels(enum core_dtype dtype)
{
#if defined(__x86_64__)
    static const struct core_sampling_kernels *const all[][2] = {
        [CORE_SSE2] = {KERNELS(sse2)}, [CORE_AVX2] = {KERNELS(avx2)}, [CORE_AVX512] = {KERNELS(avx512)}};
#else
    static const struct core_sampling_kernels *const all[][2] = {[CORE_NEON] = {KERNELS(neon)}};
#endif
    return all[core_selected()][dtype];
}

size_t core_categorical_scratch(const struct core_categorical_call *call)
{
    struct core_sampling_scratch scratch = core_sampling_scratch(call);
    return 64 + core_dtype_size(call->dtype) * (scratch.columns * (2 + CANDIDATE_REALS) + scratch.ranked * RANK_REALS);
}

int core_categorical(const struct core_categorical_call *call, size_t first, size_t count, void *scratch,
                     size_t *invalid_row)
{
    struct float_environment caller = float_environment_enter();
    int status = kernels(call->dtype)->categorical(call, first, count, scratch, invalid_row);
    float_environment_leave(caller);
    return status;
}
