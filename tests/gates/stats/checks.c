/* Thresholds, each beside the rate of its false alarms. */
#include "stats.h"

#include <stdio.h>
#include <stdlib.h>

#define Z_TWO_SIDED 4.8916 /* of the normal distribution: P(|z| > Z_TWO_SIDED) = FALSE_ALARM */
#define Z_ONE_SIDED 4.7534

static int passed, failed;
static bool quiet;

void checks_quiet(void)
{
    quiet = true;
}

int checks_done(bool of_failed)
{
    return of_failed ? failed : passed;
}

/* One line of the report; the check fails above the threshold. */
static void check(const char *what, double statistic, double threshold)
{
    bool good = statistic <= threshold;
    if (!quiet || !good)
        printf("%-58s%12.5g%12.5g%10.0e  %s\n", what, statistic, threshold, FALSE_ALARM, good ? "ok" : "FAILED");
    fflush(stdout);
    *(good ? &passed : &failed) += 1;
}

/* -log10 of the smaller tail's probability of `count` under Poisson(mean), doubled for both sides. Exact sums; far
 * from the mean the terms vanish fast. */
static double poisson_surprise(double count, double mean)
{
    double sum = 0, step = count >= mean ? 1 : -1;
    for (double k = count; k >= 0 && sum + 1e-18 != sum - 1e-18; k += step) {
        double term = exp(k * log(mean) - mean - lgamma(k + 1));
        sum += term;
        if (term < 1e-17 * sum || term == 0)
            break;
    }
    return fabs(log10(fmin(1, 2 * sum)));
}

/* In standard deviations, or for rare events by Poisson. */
void check_count(const char *what, double count, double n, double p)
{
    if (n * p < 1000)
        check(what, poisson_surprise(count, n * p), -log10(FALSE_ALARM));
    else
        check(what, fabs(count - n * p) / sqrt(n * p * (1 - p)), Z_TWO_SIDED);
}

/* The chi-square that is passed with FALSE_ALARM (E. Wilson, M. Hilferty, 1931). */
static double chi_square_limit(double freedom)
{
    double spread = 2 / (9 * freedom), cube = 1 - spread + Z_ONE_SIDED * sqrt(spread);
    return freedom * cube * cube * cube;
}

/* Neighbouring cells are taken together until at least 10 are expected. */
static double chi_square(const uint64_t *observed, const double *expected, size_t cells, double *freedom)
{
    double sum = 0, seen = 0, due = 0, left = 0;
    for (size_t i = 0; i < cells; i++)
        left += expected[i];
    *freedom = -1;
    for (size_t i = 0; i < cells; i++) {
        seen += (double)observed[i];
        due += expected[i];
        left -= expected[i];
        if (i + 1 == cells || (due >= 10 && left >= 10)) {
            sum += (seen - due) * (seen - due) / due;
            seen = due = 0;
            ++*freedom;
        }
    }
    return sum;
}

/* The greatest distance of the empirical distribution from the uniform one, at the edges of the cells, times sqrt n;
 * its limit by Kolmogorov's first term, 2 exp(-2 d^2). (Between edges it could only be greater: the false alarms are
 * fewer than said.) */
void check_uniform(const char *what, const uint64_t cell[CELLS])
{
    double n = 0, below = 0, worst = 0;
    for (size_t i = 0; i < CELLS; i++)
        n += (double)cell[i];
    for (size_t i = 0; i < CELLS; i++) {
        below += (double)cell[i];
        worst = fmax(worst, fabs(below / n - (double)(i + 1) / CELLS));
    }
    check(what, worst * sqrt(n), sqrt(-log(FALSE_ALARM / 2) / 2));
}

void check_outcomes(const char *what, const uint64_t *observed, const double *expected, size_t cells,
                    uint64_t impossible)
{
    double freedom, statistic = chi_square(observed, expected, cells, &freedom);
    check(what, impossible > 0 ? INFINITY : statistic, chi_square_limit(freedom));
}

size_t cell_of(double probability)
{
    double cell = probability * CELLS;
    return cell < CELLS ? (size_t)cell : CELLS - 1;
}
