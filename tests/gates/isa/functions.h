/* The functions whose bits are compared. */
#ifndef TESTS_GATES_ISA_FUNCTIONS_H
#define TESTS_GATES_ISA_FUNCTIONS_H

#include "core.h"

/* One batch. Every function takes from it what it needs. */
struct problem {
    enum core_dtype dtype;
    size_t rows, classes, inner;
    const void *logits, *cotangent;
    const uint8_t *allowed; /* in the layout of the logits, or NULL */
    const uint32_t *words;  /* as many as logits, any bits */
    struct core_per_row parameter;
    struct core_noise noise;
};

/* A function under test: computes rows first .. first+count-1 into `result`, of rows * row_size(classes) bytes, where
 * arrays of all rows follow one another. To add a function is to add a row to `functions`. */
struct function {
    const char *name;
    enum core_dtype dtype;
    int (*run)(const struct problem *problem, void *result, size_t first, size_t count);
    size_t (*row_size)(enum core_dtype dtype, size_t classes);
};

extern const struct function functions[];
extern const size_t function_count;

/* malloc that ends the program instead of returning NULL. */
void *allocate(size_t size);

#endif
