/* make stats: whether the noise and the samples have the distributions that they claim, on many draws.
 *
 *   run-stats [--draws N] [--threads N]      10^9 draws unless told otherwise
 *
 * Seeds are fixed, so that a result is the same in every run: a failure is a fault, or one of the false alarms whose
 * rate stands beside each threshold (how often a true random source would pass it). */
#include "core.h"

#include <math.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    BLOCK = 1 << 16, /* words of one unit of work */
    CELLS = 1 << 16, /* equal cells of (0, 1) of which the empirical distribution is made */
    SIDE = 16,       /* pairs are counted in SIDE x SIDE cells */
    PAIRS = 64,      /* tables of pairs at most */
    TAILS = 64,
    CLASSES = 1000, /* of a hard sample at most */
    MAX_THREADS = 256
};

#define FALSE_ALARM 1e-6
#define Z_TWO_SIDED 4.8916 /* of the normal distribution: P(|z| > Z_TWO_SIDED) = FALSE_ALARM */
#define Z_ONE_SIDED 4.7534

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static int passed, failed;

static void *allocate(size_t size)
{
    void *memory = calloc(1, size);
    if (memory == NULL) {
        fputs("stats: out of memory\n", stderr);
        exit(2);
    }
    return memory;
}

/* One line of the report; the check fails above the threshold. */
static void check(const char *what, double statistic, double threshold)
{
    bool good = statistic <= threshold;
    printf("%-58s%12.5g%12.5g%10.0e  %s\n", what, statistic, threshold, FALSE_ALARM, good ? "ok" : "FAILED");
    fflush(stdout);
    *(good ? &passed : &failed) += 1;
}

/* ---- Thresholds --------------------------------------------------------------------------------------------- */

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

/* How surprising a count is that is expected to be n p: in standard deviations, or for rare events by Poisson. */
static void check_count(const char *what, double count, double n, double p)
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
static void check_uniform(const char *what, const uint64_t cell[CELLS])
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

/* ---- Work on several threads ---------------------------------------------------------------------------------- */

/* What the threads count; each has its own, added up at the end. */
struct counts {
    uint64_t exponential[CELLS], gumbel[CELLS], logistic[CELLS];
    uint64_t lower[TAILS], upper[TAILS]; /* E < 2^-i, E > i */
    uint64_t pairs[PAIRS][SIDE * SIDE];
    uint64_t hard[CLASSES];
    uint64_t not_one_hot;
};

struct work {
    void (*unit)(struct counts *counts, uint32_t index, const void *argument);
    const void *argument;
    uint32_t units;
    atomic_uint next;
    pthread_mutex_t lock;
    struct counts total;
};

static void *work_thread(void *argument)
{
    struct work *work = argument;
    struct counts *counts = allocate(sizeof(*counts));
    for (uint32_t index; (index = atomic_fetch_add(&work->next, 1)) < work->units;)
        work->unit(counts, index, work->argument);
    uint64_t *to = (uint64_t *)&work->total;
    pthread_mutex_lock(&work->lock);
    for (size_t i = 0; i < sizeof(*counts) / sizeof(uint64_t); i++)
        to[i] += ((const uint64_t *)counts)[i];
    pthread_mutex_unlock(&work->lock);
    free(counts);
    return NULL;
}

static size_t thread_count = 4;

/* Runs unit 0 .. units-1; the sums are the caller's to free. */
static struct counts *run(void (*unit)(struct counts *, uint32_t, const void *), const void *argument, double units)
{
    pthread_t thread[MAX_THREADS];
    struct work *work = allocate(sizeof(*work));
    work->unit = unit;
    work->argument = argument;
    work->units = (uint32_t)fmax(1, units);
    pthread_mutex_init(&work->lock, NULL);
    for (size_t t = 0; t < thread_count; t++)
        if (pthread_create(&thread[t], NULL, work_thread, work) != 0)
            exit(2);
    for (size_t t = 0; t < thread_count; t++)
        pthread_join(thread[t], NULL);
    struct counts *total = allocate(sizeof(*total));
    *total = work->total;
    pthread_mutex_destroy(&work->lock);
    free(work);
    return total;
}

/* ---- The noise of one class ------------------------------------------------------------------------------------ */

static const uint64_t noise_seed = 20200229;

static size_t cell_of(double probability)
{
    double cell = probability * CELLS;
    return cell < CELLS ? (size_t)cell : CELLS - 1;
}

/* The noise of row `index`: E by its distribution function 1 - exp(-E), g = -log E by its own, exp(-exp(-g)). */
static void noise_unit(struct counts *counts, uint32_t index, const void *argument)
{
    static _Thread_local uint32_t words[BLOCK];
    static _Thread_local float exponential[BLOCK];
    (void)argument;
    core_noise_words(words, 0, BLOCK, noise_seed, index, 0, 0);
    core_exponential(CORE_FLOAT32, words, NULL, exponential, BLOCK);
    for (size_t i = 0; i < BLOCK; i++) {
        double e = (double)exponential[i];
        float g = -logf(exponential[i]);
        counts->exponential[cell_of(-expm1(-e))]++;
        counts->gumbel[cell_of(exp(-exp(-(double)g)))]++;
        if (e < 0.5)
            for (int k = 1; k <= 31 && e < ldexp(1, -k); k++)
                counts->lower[k]++;
        for (int k = 1; k <= 22 && e > k; k++)
            counts->upper[k]++;
    }
}

static void test_noise(double draws)
{
    char what[80];
    struct counts *counts = run(noise_unit, NULL, draws / BLOCK);
    double n = fmax(1, floor(draws / BLOCK)) * BLOCK;
    check_uniform("Exp(1) of the core's E: Kolmogorov-Smirnov", counts->exponential);
    check_uniform("Gumbel of -log E: Kolmogorov-Smirnov", counts->gumbel);
    for (int k = 1; k <= 31; k++) { /* Gumbel's right tail, E near 0 */
        snprintf(what, sizeof(what), "E < 2^-%d, g > %.2f: %.0f of %.1f", k, k * log(2), (double)counts->lower[k],
                 n * -expm1(-ldexp(1, -k)));
        check_count(what, (double)counts->lower[k], n, -expm1(-ldexp(1, -k)));
    }
    for (int k = 1; k <= 22; k++) { /* its left one */
        snprintf(what, sizeof(what), "E > %d, g < %.2f: %.0f of %.1f", k, -log(k), (double)counts->upper[k],
                 n * exp(-k));
        check_count(what, (double)counts->upper[k], n, exp(-k));
    }
    free(counts);
}

/* ---- Independence ---------------------------------------------------------------------------------------------- */

/* Two noises that must know nothing of each other: the second is that of the first's class, row, draw, seed and tag
 * each moved on by so much. */
static const struct neighbours {
    const char *name;
    uint64_t class, seed;
    uint32_t row, draw, tag;
} neighbours[] = {
    {.name = "classes j, j+1", .class = 1},
    {.name = "classes j, j+2", .class = 2},
    {.name = "classes j, j+3", .class = 3},
    {.name = "classes j, j+4 (the next block)", .class = 4},
    {.name = "classes j, j+64 (sixteen blocks on)", .class = 64},
    {.name = "rows r, r+1", .row = 1},
    {.name = "rows r, r+2^31", .row = 0x80000000},
    {.name = "draws d, d+1", .draw = 1},
    {.name = "draws d, d+2^31", .draw = 0x80000000},
    {.name = "seeds s, s+1", .seed = 1},
    {.name = "seeds s, s+2^32", .seed = UINT64_C(1) << 32},
    {.name = "tags t, t+1", .tag = 1},
    {.name = "row and draw exchanged by 1", .row = 1, .draw = 0xffffffff},
};

/* Of the same words: by their upper bits, of which E is a monotone function, and by their lowest. */
static void pairs_unit(struct counts *counts, uint32_t index, const void *argument)
{
    enum { MARGIN = 64 };
    static _Thread_local uint32_t first[BLOCK + MARGIN], second[BLOCK];
    const uint64_t seed = 1000 + index % 1000;
    const uint32_t row = index * 5, draw = index % 7, tag = 0;
    (void)argument;
    core_noise_words(first, 0, BLOCK + MARGIN, seed, row, draw, tag);
    for (size_t p = 0; p < COUNT(neighbours); p++) {
        const struct neighbours *n = &neighbours[p];
        const uint32_t *other = first + n->class;
        if (n->class == 0) {
            core_noise_words(second, 0, BLOCK, seed + n->seed, row + n->row, draw + n->draw, tag + n->tag);
            other = second;
        }
        for (size_t i = 0; i < BLOCK; i++) {
            counts->pairs[2 * p][(first[i] >> 28) * SIDE + (other[i] >> 28)]++;
            counts->pairs[2 * p + 1][first[i] % SIDE * SIDE + other[i] % SIDE]++;
        }
    }
}

static void test_independence(double draws)
{
    char what[80];
    struct counts *counts = run(pairs_unit, NULL, draws / BLOCK);
    for (size_t p = 0; p < 2 * COUNT(neighbours); p++) {
        double n = 0, expected[SIDE * SIDE], freedom;
        for (size_t i = 0; i < SIDE * SIDE; i++)
            n += (double)counts->pairs[p][i];
        for (size_t i = 0; i < SIDE * SIDE; i++)
            expected[i] = n / (SIDE * SIDE);
        snprintf(what, sizeof(what), "pairs, %s, %s bits", neighbours[p / 2].name, p % 2 == 0 ? "upper" : "lowest");
        double statistic = chi_square(counts->pairs[p], expected, SIDE * SIDE, &freedom);
        check(what, statistic, chi_square_limit(freedom));
    }
    free(counts);
}

/* ---- Samples ----------------------------------------------------------------------------------------------------- */

/* Hard samples of one row of logits, drawn again and again: by rows, or by draws and seeds. */
struct hard_case {
    const char *name;
    size_t classes;
    float slope; /* logits[j] = -slope * j, but the last is a copy of the first */
    bool by_draw;
};

static const struct hard_case hard_cases[] = {
    {"equal", 2, 0, false},       {"equal", 10, 0, false},     {"uneven", 10, 0.5f, false},
    {"uneven", 10, 0.5f, true},   {"uneven", 63, 0.1f, false}, {"uneven", 64, 0.1f, false},
    {"uneven", 100, 0.05f, true}, {"equal", 1000, 0, false},   {"uneven", 1000, 0.01f, false},
};

static float logit_of(const struct hard_case *c, size_t j)
{
    return j == c->classes - 1 ? 0 : -c->slope * (float)j;
}

static size_t rows_of_unit(const struct hard_case *c)
{
    return BLOCK / c->classes;
}

static void hard_unit(struct counts *counts, uint32_t index, const void *argument)
{
    static _Thread_local float logits[BLOCK], samples[BLOCK];
    static _Thread_local uint64_t seeds[BLOCK];
    static const double tau = 1;
    const struct hard_case *c = argument;
    size_t rows = rows_of_unit(c), bad;
    for (size_t r = 0; r < rows; r++) {
        seeds[r] = c->by_draw ? r : 77;
        for (size_t j = 0; j < c->classes; j++)
            logits[r * c->classes + j] = logit_of(c, j);
    }
    struct core_gumbel_softmax_call call = {
        .logits = logits,
        .rows = rows,
        .classes = c->classes,
        .tau = {&tau, 0},
        .hard = true,
        .noise = {.seed = seeds,
                  .stride = c->by_draw,
                  .row_offset = c->by_draw ? 0 : index * (uint32_t)rows,
                  .draw = c->by_draw ? index : 0},
        .samples = samples,
    };
    if (core_gumbel_softmax(&call, 0, rows, &bad) != CORE_OK)
        exit(2);
    for (size_t r = 0; r < rows; r++) {
        size_t ones = 0, others = 0;
        for (size_t j = 0; j < c->classes; j++) {
            float y = samples[r * c->classes + j];
            counts->hard[j] += y == 1.0f;
            ones += y == 1.0f;
            others += y != 0.0f;
        }
        counts->not_one_hot += ones != 1 || others != 1;
    }
}

static void test_hard(const struct hard_case *c, double draws)
{
    char what[80];
    double expected[CLASSES], sum = 0, n = 0, freedom;
    struct counts *counts = run(hard_unit, c, draws / BLOCK);
    for (size_t j = 0; j < c->classes; j++) {
        sum += exp((double)logit_of(c, j));
        n += (double)counts->hard[j];
    }
    for (size_t j = 0; j < c->classes; j++)
        expected[j] = n * exp((double)logit_of(c, j)) / sum;
    snprintf(what, sizeof(what), "hard samples, %s, K = %zu, %s: chi-square", c->name, c->classes,
             c->by_draw ? "by draw and seed" : "by row");
    double statistic = chi_square(counts->hard, expected, c->classes, &freedom);
    check(what, counts->not_one_hot > 0 ? INFINITY : statistic, chi_square_limit(freedom));
    free(counts);
}

/* Soft samples of two equal classes at tau = 1: y = 1 / (1 + exp(g1 - g0)), a logistic variable's own distribution
 * function, is uniform. It goes through all of the core, its logarithm of E too. */
static void logistic_unit(struct counts *counts, uint32_t index, const void *argument)
{
    static _Thread_local float logits[BLOCK], samples[BLOCK];
    static const double tau = 1;
    static const uint64_t seed = 5;
    size_t rows = BLOCK / 2, bad;
    (void)argument;
    struct core_gumbel_softmax_call call = {
        .logits = logits,
        .rows = rows,
        .classes = 2,
        .tau = {&tau, 0},
        .noise = {.seed = &seed, .row_offset = index * (uint32_t)rows, .draw = 1},
        .samples = samples,
    };
    if (core_gumbel_softmax(&call, 0, rows, &bad) != CORE_OK)
        exit(2);
    for (size_t r = 0; r < rows; r++)
        counts->logistic[cell_of((double)samples[2 * r])]++;
}

static void test_logistic(double draws)
{
    struct counts *counts = run(logistic_unit, NULL, draws / BLOCK);
    check_uniform("soft samples, K = 2: Kolmogorov-Smirnov of the logistic", counts->logistic);
    free(counts);
}

static double number_after(int argc, char **argv, const char *option, double otherwise, double most)
{
    for (int i = 1; i + 1 < argc; i += 2)
        if (strcmp(argv[i], option) == 0) {
            char *end;
            double value = strtod(argv[i + 1], &end);
            if (*end != '\0' || !(value >= 1 && value <= most)) {
                fprintf(stderr, "stats: %s %s: not in 1..%g\n", option, argv[i + 1], most);
                exit(2);
            }
            return value;
        }
    return otherwise;
}

int main(int argc, char **argv)
{
    for (int i = 1; i < argc; i += 2)
        if (i + 1 == argc || (strcmp(argv[i], "--draws") != 0 && strcmp(argv[i], "--threads") != 0)) {
            fputs("usage: run-stats [--draws N] [--threads N]\n", stderr);
            return 2;
        }
    double draws = number_after(argc, argv, "--draws", 1e9, 1e12);
    thread_count = (size_t)number_after(argc, argv, "--threads", 4, MAX_THREADS);
    printf("%.3g draws for the marginals and tails, a tenth for each other test; %s\n", draws,
           core_isa_name(core_selected()));
    printf("%-58s%12s%12s%10s\n", "test", "statistic", "threshold", "false");
    test_noise(draws);
    test_independence(draws / 10);
    test_logistic(draws / 10);
    for (size_t i = 0; i < COUNT(hard_cases); i++)
        test_hard(&hard_cases[i], draws / 10);
    printf("counts: in standard deviations, or -log10 P of both tails of Poisson's where fewer than 1000 are expected\n"
           "a true source fails any of the %d checks with probability %.1e\n",
           passed + failed, (passed + failed) * FALSE_ALARM);
    printf("%d passed, %d failed\n", passed, failed);
    return failed > 0;
}
