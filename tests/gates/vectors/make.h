/* What the parts of make-vectors share: numbers as JSON, and the inputs. */
#ifndef TESTS_GATES_VECTORS_MAKE_H
#define TESTS_GATES_VECTORS_MAKE_H

#include "core.h"

enum { MAX_VALUES = 128 };

/* Room for MAX_VALUES of either dtype. */
typedef union {
    float narrow[MAX_VALUES];
    double wide[MAX_VALUES];
} numbers;

/* Members of an object, each on a line of its own; `end` follows the value. A float32 has the 9 digits that name it, a
 * float64 17; what is infinite is "-Infinity" or "Infinity". */
void print_numbers(const char *name, enum core_dtype dtype, const void *values, size_t count, const char *end);
void print_integers(const char *name, const uint64_t *values, size_t count, const char *end);
void print_words(const char *name, const uint32_t *words, size_t count);
void print_indices(const char *name, const int32_t *indices, size_t count, const char *end);
void print_dtype(enum core_dtype dtype);

/* A number, or a list of one for each row. */
void print_parameter(const char *name, const double *values, size_t count);

/* The noise of rows: as the member "seed" has it, one seed (stride 0) or one for each row. */
void print_noise_source(const struct core_noise *noise, size_t rows);

/* The end of element i of so many. */
const char *brace(size_t i, size_t count);

/* Logits are multiples of 1/8 in [-2, 2), exact in both dtypes: of class j of row r, (5 r + 7 j) % 32 / 8 - 2; those of
 * the second class are -inf if `masked`. Cotangents are such in [-1, 1]: (3 r + 11 j) % 17 / 8 - 1. */
void fill_logits(enum core_dtype dtype, numbers *logits, size_t rows, size_t classes, bool masked);
void fill_cotangent(enum core_dtype dtype, numbers *cotangent, size_t rows, size_t classes);

/* Ends the program if the core did not answer. */
void must(int status);

void make_noise(void);
void make_streams(void);
void make_gumbel_softmax(void);
void make_softmax(void);
void make_categorical(void);
void make_schedule(void);
void make_vjp(void);

#endif
