/* The core's functions once more, for one row, in the plainest way: formulas in double, loops, nothing shared with
 * the core. */
#ifndef TESTS_UNIT_CORE_REFERENCE_H
#define TESTS_UNIT_CORE_REFERENCE_H

#include <stddef.h>
#include <stdint.h>

/* Philox4x32-10 of one counter (Salmon et al. 2011). */
void reference_philox(const uint32_t counter[4], const uint32_t key[2], uint32_t words[4]);

/* E of one random word: -log1p(-t) or -log t with t = (min(u, ~u) + 1/2) / 2^32. */
double reference_exponential(uint32_t word);

/* z[j] = logits[j] - log E[j], E from the noise of tag 0. */
void reference_perturb(const float *logits, size_t classes, uint64_t seed, uint32_t row, uint32_t draw, double *z);

/* exp(x / T) / sum and x / T - log sum, T > 0. */
void reference_softmax(const double *x, size_t classes, double temperature, double *probabilities);
void reference_log_softmax(const double *x, size_t classes, double temperature, double *log_probabilities);

double reference_max(const double *x, size_t classes);
size_t reference_first_max(const double *x, size_t classes);

#endif
