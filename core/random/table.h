/* What the random kernels of one instruction set and precision do for the dispatcher: kernels.c is compiled once for
 * each. */
#ifndef CORE_RANDOM_TABLE_H
#define CORE_RANDOM_TABLE_H

#include "targets.h"

struct core_random_kernels {
    void (*fill)(const struct core_mt_table *table, uint64_t seed); /* core_mt_fill */
    void (*exponentials)(const struct core_noise *noise, uint64_t first, void *exponential, size_t count);
};

DECLARE_KERNELS(core_random_kernels)

#endif
