/* The kernels of core.h for one instruction set and precision: kernels.c is compiled once for each, and each object
 * exports one table. */
#ifndef CORE_SOFTMAX_TABLE_H
#define CORE_SOFTMAX_TABLE_H

#include "targets.h"

/* How many rows of a strided array are packed at a time: their floats of one class fill a cache line. */
#define CORE_BLOCK_ROWS 16

/* How many dense rows, at most `most`, go through each step together. A row of many classes has enough independent work
 * by itself, and several would evict each other from the cache. */
static inline size_t core_rows_together(size_t classes, size_t most)
{
    size_t rows = 2048 / classes;
    return rows > most ? most : rows > 1 ? rows : 1;
}

/* As the functions of the same names in core.h, but in the floating-point environment that dispatch.c sets. */
struct core_softmax_kernels {
    int (*softmax)(const struct core_softmax_call *call, size_t first, size_t count, size_t *invalid_row);
    int (*log_softmax)(const struct core_softmax_call *call, size_t first, size_t count, size_t *invalid_row);
    int (*gumbel_softmax)(const struct core_gumbel_softmax_call *call, size_t first, size_t count, size_t *invalid_row);
    void (*noise_words)(uint32_t *words, uint64_t first_word, size_t count, uint64_t seed, uint32_t row, uint32_t draw,
                        uint32_t tag);
    void (*exponential)(const uint32_t *words, const uint32_t *low_words, void *exponential, size_t count);
};

DECLARE_KERNELS(core_softmax_kernels)

#endif
