/* The filters once more, in the plainest way: long doubles, sorting, one row at a time, nothing shared with the core.
 *
 * After what two engines document: vLLM (temperature, then min_p, top_k, top_p) and llama.cpp (its default chain of
 * samplers: top_k, typical, top_p, min_p, temperature), each filter on the probabilities of what is left. */
#ifndef TESTS_UNIT_CORE_REFERENCE_FILTERS_H
#define TESTS_UNIT_CORE_REFERENCE_FILTERS_H

#include <stdbool.h>
#include <stddef.h>

struct reference_filters {
    bool temperature_last;
    double temperature; /* > 0 */
    size_t top_k;       /* 0: off */
    double top_p, typical_p, min_p;
};

/* kept[j] and log_probabilities[j] (-inf where not kept) of a row of logits; returns by how little, in mass or in
 * logits, the closest of the decisions was taken. */
long double reference_filter(const double *logits, size_t classes, const struct reference_filters *filters, bool *kept,
                             long double *log_probabilities);

#endif
