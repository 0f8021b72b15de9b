/* What the core computes, for one row, in the plainest way: formulas in `wide`, loops, nothing shared with the core. */
#ifndef TESTS_UNIT_CORE_BOTH_REFERENCE_H
#define TESTS_UNIT_CORE_BOTH_REFERENCE_H

#include "real.h"
#include "unit/core/reference.h"

/* E of the random word and, of a double, the word of the lower bits: -log1p(-t) or -log t. */
static inline wide exponential_of(uint32_t word, uint32_t low_word)
{
    uint64_t all = TEST_REAL == 32 ? (uint64_t)UINT32_MAX : UINT64_MAX >> 11;
    uint64_t u = TEST_REAL == 32 ? word : ((uint64_t)word << 32 | low_word) >> 11;
    long double t = ((long double)(u < all - u ? u : all - u) + 0.5L) / ((long double)all + 1);
    return (wide)(u <= all / 2 ? -log1pl(-t) : -logl(t));
}

/* z[j] = logits[j] - log E[j], E from the noise of tag 0, and tag 2 for the lower bits. */
static inline void perturbed(const real *logits, size_t classes, uint64_t seed, uint32_t row, uint32_t draw, wide *z)
{
    const uint32_t key[2] = {(uint32_t)seed, (uint32_t)(seed >> 32)};
    for (size_t j = 0; j < classes; j++) {
        const uint32_t counter[4] = {(uint32_t)(j / 4), row, draw, 0},
                       low_counter[4] = {(uint32_t)(j / 4), row, draw, 2};
        uint32_t words[4], low_words[4];
        reference_philox(counter, key, words);
        reference_philox(low_counter, key, low_words);
        z[j] = (wide)logits[j] - log(exponential_of(words[j % 4], low_words[j % 4]));
    }
}

static inline size_t first_max_of(const wide *x, size_t classes)
{
    size_t best = 0;
    for (size_t j = 1; j < classes; j++)
        if (x[j] > x[best])
            best = j;
    return best;
}

static inline wide max_of(const wide *x, size_t classes)
{
    return x[first_max_of(x, classes)];
}

static inline wide sum_of_exp(const wide *x, size_t classes, wide max, wide temperature)
{
    wide sum = 0;
    for (size_t j = 0; j < classes; j++)
        sum += exp((x[j] - max) / temperature);
    return sum;
}

/* exp(x / T) / sum and x / T - log sum, T > 0. */
static inline void softmax_of(const wide *x, size_t classes, wide temperature, wide *probabilities)
{
    wide max = max_of(x, classes), sum = sum_of_exp(x, classes, max, temperature);
    for (size_t j = 0; j < classes; j++)
        probabilities[j] = exp((x[j] - max) / temperature) / sum;
}

static inline void log_softmax_of(const wide *x, size_t classes, wide temperature, wide *log_probabilities)
{
    wide max = max_of(x, classes), sum = sum_of_exp(x, classes, max, temperature);
    for (size_t j = 0; j < classes; j++)
        log_probabilities[j] = (x[j] - max) / temperature - log(sum);
}

#endif
