/* Calls of core_categorical with memory of their own, which the tests of sampling share. */
#ifndef TESTS_CORE_SAMPLING_PROBLEM_H
#define TESTS_CORE_SAMPLING_PROBLEM_H

#include "sampling.h"

/* A call with memory of its own for all that it may read and write. */
struct sampling {
    struct core_categorical_call call;
    float *logits, *scores, *log_probabilities, *top_log_probabilities;
    int32_t *narrow, *top_narrow;
    int64_t *wide;
    void *scratch;
};

/* Nothing but draws, at temperature 1; set what else is wanted, then allocate. */
struct sampling sampling_of(size_t rows, size_t classes, size_t draws, bool replacement);
void sampling_allocate(struct sampling *sampling);
void sampling_close(struct sampling *sampling);

int sampling_run(const struct sampling *sampling, size_t *bad);
void sampling_run_all(const struct sampling *sampling); /* fails the test but for CORE_OK */

void require_same_draws(const struct sampling *a, const struct sampling *b);

#endif
