/* The filters once more, in the plainest way: long doubles, sorting, one row at a time, nothing shared with the core.
 *
 * After what three engines document, vLLM, llama.cpp and transformers: each filter on the probabilities of what is
 * left.
 */
#ifndef TESTS_UNIT_CORE_REFERENCE_FILTERS_H
#define TESTS_UNIT_CORE_REFERENCE_FILTERS_H

#include <stdbool.h>
#include <stddef.h>

enum reference_step { TEMPERATURE, TOP_K, TOP_P, MIN_P, TYPICAL_P, TOP_N_SIGMA, EPSILON_CUTOFF, ETA_CUTOFF, STEPS };

struct reference_filters {
    enum reference_step order[STEPS]; /* each once */
    double value[STEPS];              /* the temperature is > 0 */
    size_t min_keep;                  /* at least 1 */
};

/* kept[j] and log_probabilities[j] (-inf where not kept) of a row of logits; returns by how little, in mass or in
 * logits, the closest of the decisions was taken. */
long double reference_filter(const double *logits, size_t classes, const struct reference_filters *filters, bool *kept,
                             long double *log_probabilities);

#endif
