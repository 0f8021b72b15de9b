/* What the core's tests share: every instruction set in turn, repeatable inputs, comparison of bits. */
#ifndef TESTS_UNIT_CORE_SUPPORT_H
#define TESTS_UNIT_CORE_SUPPORT_H

#include "core.h"

#include "lib/assertions.h"

/* Adds the test once for each instruction set that this machine runs; the test begins with select_isa(_i). */
#define tcase_add_isa_test(tcase, test) tcase_add_loop_test(tcase, test, first_isa(), core_isa_best() + 1)

int first_isa(void);
void select_isa(int isa);

/* A generator of inputs (that of lib/random.h): the same in every run. */
struct inputs {
    uint64_t state;
};

uint64_t inputs_next(struct inputs *inputs);
double inputs_uniform(struct inputs *inputs);             /* in [0, 1) */
size_t inputs_below(struct inputs *inputs, size_t limit); /* in 0 .. limit-1 */

/* What a matrix of logits is like. */
enum logits_kind {
    LOGITS_NORMAL, /* about a standard deviation of 3 */
    LOGITS_WIDE,   /* up to +-100: some probabilities vanish */
    LOGITS_HUGE,   /* up to +-1.5e38, or of doubles +-8e307 */
    LOGITS_TINY,   /* subnormal, zeros of both signs among them */
    LOGITS_EQUAL,  /* all the same */
    LOGITS_HOLES,  /* as normal, a third of them -inf, but never all of a row */
    LOGITS_KINDS
};

void fill_logits(float *logits, size_t rows, size_t classes, enum logits_kind kind, struct inputs *inputs);
void fill_logits_f64(double *logits, size_t rows, size_t classes, enum logits_kind kind, struct inputs *inputs);

/* malloc of floats that fails the test instead of returning NULL; freed by free(). */
float *floats(size_t count);

bool same_bits(const float *a, const float *b, size_t count);
bool is_negative_zero(float x);

/* The thread's floating-point environment: modes and flags; and one in which careless code errs: subnormals flushed,
 * rounding upwards, a flag raised. */
uint64_t get_environment(void);
void set_strange_environment(void);

#endif
