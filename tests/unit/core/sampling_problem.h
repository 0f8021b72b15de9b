/* Calls of core_categorical with memory of their own, in either dtype, which the tests of sampling share. */
#ifndef TESTS_UNIT_CORE_SAMPLING_PROBLEM_H
#define TESTS_UNIT_CORE_SAMPLING_PROBLEM_H

#include "sampling.h"
#include "support.h"

/* Adds the test once for each instruction set and dtype; it begins with: dtype = select_kernels(_i). */
#define tcase_add_kernels_test(tcase, test) tcase_add_loop_test(tcase, test, 2 * first_isa(), 2 * (core_isa_best() + 1))

enum core_dtype select_kernels(int i);

/* One number of an array of floats or doubles. */
double number_at(enum core_dtype dtype, const void *numbers, size_t i);
void number_put(enum core_dtype dtype, void *numbers, size_t i, double value);

/* What fill_logits makes; of float64 with more digits than a float has, huge and tiny for a double. */
void fill_numbers(enum core_dtype dtype, void *logits, size_t rows, size_t classes, enum logits_kind kind,
                  struct inputs *inputs);

/* The distance of numbers around 1: 2^-23 or 2^-52. */
double epsilon_of(enum core_dtype dtype);

/* A call with memory of its own for all that it may read and write. */
struct sampling {
    struct core_categorical_call call;
    size_t rows;
    void *logits, *scores, *log_probabilities, *top_log_probabilities; /* of call.dtype */
    int32_t *indices, *top_indices;
    bool more; /* the following are wanted */
    void *filtered_log_probabilities, *named_log_probabilities, *kept_mass, *entropy;
    int32_t *ranks, *kept;
    uint32_t *named; /* the last class and the first */
    void *scratch;
};

/* Nothing but draws, at temperature 1; set what else is wanted, then allocate. */
struct sampling sampling_of(enum core_dtype dtype, size_t rows, size_t classes, size_t draws, bool replacement);
void sampling_allocate(struct sampling *sampling);
void sampling_close(struct sampling *sampling);

int sampling_run(const struct sampling *sampling, size_t *bad);
void sampling_run_all(const struct sampling *sampling); /* fails the test but for CORE_OK */

void require_same_draws(const struct sampling *a, const struct sampling *b);

#endif
