/* The entry points of sampling.h: each runs the chosen kernels in a floating-point environment of its own. */
#include "float_environment.h"
#include "sampling.h"
#include "sampling/table.h"

static const struct core_sampling_kernels *const tables[CORE_ISA_COUNT][2] = {KERNELS(core_sampling_kernels)};

const struct core_order core_orders[CORE_ORDER_COUNT] = {
    [CORE_TEMPERATURE_FIRST] = {8,
                                {CORE_TEMPERATURE, CORE_TOP_N_SIGMA, CORE_MIN_P, CORE_TOP_K, CORE_TYPICAL_P, CORE_TOP_P,
                                 CORE_EPSILON_CUTOFF, CORE_ETA_CUTOFF}},
    [CORE_TEMPERATURE_LAST] = {8,
                               {CORE_TOP_N_SIGMA, CORE_TOP_K, CORE_TYPICAL_P, CORE_TOP_P, CORE_MIN_P,
                                CORE_EPSILON_CUTOFF, CORE_ETA_CUTOFF, CORE_TEMPERATURE}},
    [CORE_JOINT] = {8,
                    {CORE_TEMPERATURE, CORE_TOP_P, CORE_TOP_K, CORE_TOP_N_SIGMA, CORE_MIN_P, CORE_TYPICAL_P,
                     CORE_EPSILON_CUTOFF, CORE_ETA_CUTOFF}},
};

size_t core_categorical_scratch(const struct core_categorical_call *call)
{
    struct core_sampling_scratch scratch = core_sampling_scratch(call);
    return 64 + core_dtype_size(call->dtype) * (scratch.columns * (2 + CANDIDATE_REALS) + scratch.saved +
                                                scratch.order + scratch.ranked * RANK_REALS);
}

int core_categorical(const struct core_categorical_call *call, size_t first, size_t count, void *scratch,
                     size_t *invalid_row)
{
    FLOAT_ENVIRONMENT_SCOPE();
    return tables[core_selected()][call->dtype]->categorical(call, first, count, scratch, invalid_row);
}
