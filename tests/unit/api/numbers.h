/* Numbers in answers against numbers in memory, bit for bit. */
#ifndef TESTS_UNIT_API_NUMBERS_H
#define TESTS_UNIT_API_NUMBERS_H

#include "lib/ask.h"

/* The numbers of nested arrays, or a single one, in their order: "NaN", "Infinity" and "-Infinity" are what they say.
 * At most `most`, which is not exceeded; returns how many. */
size_t numbers_flat(const json_t *value, double *numbers, size_t most);

/* Asserts that a member holds these numbers in this shape, a list of sizes up to 0: of a float32 answer the floats that
 * the numbers read as are the same bits. */
void assert_floats(const struct answer *answer, const char *member, const float *expected, const size_t *shape);
void assert_doubles(const struct answer *answer, const char *member, const double *expected, const size_t *shape);
void assert_classes(const struct answer *answer, const char *member, const int32_t *expected, const size_t *shape);

/* Whether two members hold the same. */
void assert_same_member(const struct answer *one, const struct answer *other, const char *member);

#define SHAPE(...) ((const size_t[]){__VA_ARGS__ __VA_OPT__(, ) 0})

/* Asserts that a request is answered by 200, or by that problem. */
void assert_answered(const struct answer *answer);
void assert_problem(const char *path, const char *body, int status, const char *code, const char *pointer);

#endif
