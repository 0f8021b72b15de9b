/* What the parts of `make stats` share: checks with their thresholds, and counting on several threads. */
#ifndef TESTS_GATES_STATS_STATS_H
#define TESTS_GATES_STATS_STATS_H

#include "core.h"

#include <math.h>

enum {
    BLOCK = 1 << 16, /* draws of one unit of work */
    CELLS = 1 << 16, /* equal cells of (0, 1) of which the empirical distribution is made */
    SIDE = 16,       /* pairs are counted in SIDE x SIDE cells */
    PAIRS = 64,      /* tables of pairs at most */
    TAILS = 64,
    OUTCOMES = 1 << 13 /* of one draw, or of several in a row */
};

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

/* What the threads count; each has its own, added up at the end. */
struct counts {
    uint64_t uniform[CELLS], fine[CELLS]; /* of a distribution function, and of its bits further down */
    uint64_t lower[TAILS], upper[TAILS];  /* E < 2^-i, E > i */
    uint64_t pairs[PAIRS][SIDE * SIDE];
    uint64_t outcome[OUTCOMES];
    uint64_t impossible; /* results that may never be */
};

/* ---- Checks: each with the threshold that a true random source passes but with the probability FALSE_ALARM --------
 */

#define FALSE_ALARM 1e-6

void checks_quiet(void);      /* only what fails is told */
int checks_done(bool failed); /* how many passed, or failed */

/* How surprising a count is that is expected to be n p. */
void check_count(const char *what, double count, double n, double p);

/* Chi-square of observed counts. No `impossible` result may have been. */
void check_outcomes(const char *what, const uint64_t *observed, const double *expected, size_t cells,
                    uint64_t impossible);

/* Kolmogorov-Smirnov of what should be uniform. */
void check_uniform(const char *what, const uint64_t cell[CELLS]);

/* The cell of a value of a distribution function. */
size_t cell_of(double probability);

/* ---- Work ------------------------------------------------------------------------------------------------------- */

void work_threads(size_t count);

/* Runs unit 0 .. units-1; the sums are the caller's to free. */
struct counts *work_run(void (*unit)(struct counts *, uint32_t, const void *), const void *argument, double units);

/* calloc, or the end of the program. */
void *allocate(size_t size);

/* ---- Tests: of about so many draws ------------------------------------------------------------------------------- */

void test_noise(double draws);
void test_independence(double draws);
void test_samples(double draws);
void test_categorical(double draws);

#endif
