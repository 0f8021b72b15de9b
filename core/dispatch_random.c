/* The entry points of core.h for the streams beside v1. */
#include "core.h"
#include "float_environment.h"
#include "random/table.h"

static const struct core_random_kernels *const tables[CORE_ISA_COUNT][2] = {KERNELS(core_random_kernels)};

void core_mt_fill(const struct core_mt_table *table, uint64_t seed)
{
    tables[core_selected()][CORE_FLOAT32]->fill(table, seed);
}

void core_stream_exponentials(enum core_dtype dtype, const struct core_noise *noise, uint64_t first, void *exponential,
                              size_t count)
{
    FLOAT_ENVIRONMENT_SCOPE();
    tables[core_selected()][dtype]->exponentials(noise, first, exponential, count);
}
