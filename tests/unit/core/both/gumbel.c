/* gumbel_softmax against wider precision, its one-hot form, and the distribution of its samples. */
#include "lib/suite.h"
#include "real.h"
#include "reference.h"

#include <stdlib.h>

struct batch {
    size_t rows, classes;
    real *logits, *samples;
    wide *z;         /* of one row */
    wide logits_max; /* of that row */
};

static struct batch batch_open(size_t rows, size_t classes, enum logits_kind kind, struct inputs *inputs)
{
    struct batch batch = {.rows = rows,
                          .classes = classes,
                          .logits = reals(rows * classes),
                          .samples = reals(rows * classes),
                          .z = malloc(classes * sizeof(wide))};
    ck_assert_ptr_nonnull(batch.z);
    fill_reals(batch.logits, rows, classes, kind, inputs);
    return batch;
}

static void batch_close(struct batch *batch)
{
    free(batch->logits);
    free(batch->samples);
    free(batch->z);
}

static void sample(struct batch *batch, double tau, bool hard, const struct core_noise *noise)
{
    size_t bad = SIZE_MAX;
    struct core_gumbel_softmax_call call = {.dtype = DTYPE,
                                            .logits = batch->logits,
                                            .classes = batch->classes,
                                            .tau = {&tau, 0},
                                            .hard = hard,
                                            .noise = *noise,
                                            .samples = batch->samples};
    ck_assert_int_eq(core_gumbel_softmax(&call, 0, batch->rows, &bad), CORE_OK);
}

static void reference_z(struct batch *batch, size_t row, const struct core_noise *noise)
{
    const real *logits = batch->logits + row * batch->classes;
    if (noise->stride == 0)
        perturbed(logits, batch->classes, noise->seed[0], noise->row_offset + (uint32_t)row, noise->draw, batch->z);
    else
        perturbed(logits, batch->classes, noise->seed[row], noise->row_offset, noise->draw, batch->z);
    batch->logits_max = -INFINITY;
    for (size_t j = 0; j < batch->classes; j++)
        batch->logits_max = fmax(batch->logits_max, logits[j]);
}

/* z carries the rounding of x - m (the core subtracts the maximum first), of log E and of their difference. */
static wide z_error(const struct batch *batch, size_t row, size_t j)
{
    wide logit = batch->logits[row * batch->classes + j];
    wide difference = batch->logits_max - logit, noise = fabs(batch->z[j] - logit);
    return UNIT * (2 * difference + 4 * noise + 4);
}

static void check_soft_row(struct batch *batch, size_t row, real tau)
{
    wide *expected = malloc(batch->classes * sizeof(expected[0]));
    ck_assert_ptr_nonnull(expected);
    wide max = max_of(batch->z, batch->classes);
    softmax_of(batch->z, batch->classes, tau, expected);
    wide max_error = 0;
    for (size_t j = 0; j < batch->classes; j++)
        if (batch->z[j] > max - tau)
            max_error = fmax(max_error, z_error(batch, row, j));
    wide sum_roundings = (wide)(batch->classes < SUM_BLOCK ? batch->classes : SUM_BLOCK) / 16 +
                         (wide)batch->classes / SUM_BLOCK;
    for (size_t j = 0; j < batch->classes; j++) {
        wide got = batch->samples[row * batch->classes + j], a = fmin((max - batch->z[j]) / tau, 1e4);
        wide relative = UNIT * (4 * a + 16 + sum_roundings);
        if (a < 200)
            relative += 1.1 * (z_error(batch, row, j) + max_error) / tau;
        if (!(fabs(got - expected[j]) <= expected[j] * relative + REAL_FLUSHED))
            ck_abort_msg("K %zu tau %g row %zu class %zu: %a, not %a", batch->classes, D(tau), row, j, D(got),
                         D(expected[j]));
    }
    free(expected);
}

static void check_soft(size_t rows, size_t classes, real tau, enum logits_kind kind, struct inputs *inputs)
{
    struct batch batch = batch_open(rows, classes, kind, inputs);
    uint64_t seed = inputs_next(inputs);
    struct core_noise noise = {.seed = &seed,
                               .stride = 0,
                               .row_offset = (uint32_t)inputs_next(inputs),
                               .draw = (uint32_t)inputs_below(inputs, 5)};
    sample(&batch, tau, false, &noise);
    for (size_t r = 0; r < rows; r++) {
        reference_z(&batch, r, &noise);
        check_soft_row(&batch, r, tau);
    }
    batch_close(&batch);
}

static const enum logits_kind kinds[] = {LOGITS_NORMAL, LOGITS_WIDE, LOGITS_TINY, LOGITS_EQUAL, LOGITS_HOLES};

#define KINDS (sizeof(kinds) / sizeof(kinds[0]))

static const real taus[] = {0.05f, 0.5f, 1.0f, 2.5f, 100.0f, 1e30f};

#define TAUS (sizeof(taus) / sizeof(taus[0]))

START_TEST(test_soft_of_every_class_count)
{
    struct inputs inputs = {1};
    select_isa(_i);
    for (size_t classes = 1; classes <= 130; classes++)
        for (size_t t = 0; t < TAUS; t++)
            check_soft(1 + classes * 7 % 40, classes, taus[t], kinds[(classes + t) % KINDS], &inputs);
}
END_TEST

static const size_t large_counts[] = {255, 256, 257, 271, 272, 1000, 4095, 4096, 4097, 8191, 8192, 8193, 32000, 128256};

#define LARGE_COUNTS (sizeof(large_counts) / sizeof(large_counts[0]))

START_TEST(test_soft_of_large_class_counts)
{
    struct inputs inputs = {2};
    select_isa(_i);
    for (size_t i = 0; i < LARGE_COUNTS; i++)
        check_soft(1 + (i < 6), large_counts[i], taus[i % TAUS], kinds[i % KINDS], &inputs);
}
END_TEST

/* The row must be 0 but for a 1 at the maximum of z. Where the two largest z are closer than their error, either
 * may have it. Returns whether they were. */
static bool check_hard_row(struct batch *batch, size_t row)
{
    const real *sample = batch->samples + row * batch->classes;
    size_t best = first_max_of(batch->z, batch->classes), one = SIZE_MAX;
    for (size_t j = 0; j < batch->classes; j++) {
        if (sample[j] == 1.0f && one == SIZE_MAX)
            one = j;
        else if (sample[j] != 0.0f || is_negative_zero(sample[j]))
            ck_abort_msg("K %zu row %zu class %zu: %a", batch->classes, row, j, D(sample[j]));
    }
    if (one == SIZE_MAX)
        ck_abort_msg("K %zu row %zu: nothing drawn", batch->classes, row);
    if (!(batch->z[one] >= batch->z[best] - z_error(batch, row, one) - z_error(batch, row, best)))
        ck_abort_msg("K %zu row %zu: drew class %zu, not %zu", batch->classes, row, one, best);
    return one != best;
}

static size_t check_hard(size_t rows, size_t classes, real tau, bool hard, enum logits_kind kind, struct inputs *inputs)
{
    struct batch batch = batch_open(rows, classes, kind, inputs);
    uint64_t seed = inputs_next(inputs);
    struct core_noise noise = {.seed = &seed,
                               .stride = 0,
                               .row_offset = (uint32_t)inputs_next(inputs),
                               .draw = (uint32_t)inputs_below(inputs, 5)};
    size_t close = 0;
    sample(&batch, tau, hard, &noise);
    for (size_t r = 0; r < rows; r++) {
        reference_z(&batch, r, &noise);
        close += check_hard_row(&batch, r);
    }
    batch_close(&batch);
    return close;
}

START_TEST(test_hard)
{
    struct inputs inputs = {3};
    size_t close = 0;
    select_isa(_i);
    for (size_t classes = 1; classes <= 130; classes++)
        for (size_t k = 0; k < KINDS; k++) {
            size_t rows = 1 + (classes * 7 + k) % 40;
            close += check_hard(rows, classes, taus[k], true, kinds[k], &inputs);
            close += check_hard(rows, classes, 0.0f, k % 2, kinds[k], &inputs);
        }
    for (size_t i = 0; i < LARGE_COUNTS; i++)
        close += check_hard(2, large_counts[i], 1.0f, true, kinds[i % KINDS], &inputs);
    ck_assert_uint_le(close, 2); /* of 27,000 */
}
END_TEST

/* A vanishing tau gives the one-hot row wherever the maximum is clear. */
START_TEST(test_vanishing_tau)
{
    static const real vanishing[] = {1e-45f, 1e-39f, 1e-12f};
    struct inputs inputs = {4};
    uint64_t seed = 9;
    struct core_noise noise = {.seed = &seed, .stride = 0, .row_offset = 0, .draw = 0};
    select_isa(_i);
    for (size_t i = 0; i < 3; i++)
        for (size_t classes = 2; classes <= 100; classes++) {
            struct batch batch = batch_open(5, classes, LOGITS_NORMAL, &inputs);
            sample(&batch, vanishing[i], false, &noise);
            for (size_t r = 0; r < batch.rows; r++) {
                reference_z(&batch, r, &noise);
                check_hard_row(&batch, r);
            }
            batch_close(&batch);
        }
}
END_TEST

/* Two classes whose z are the same number share a soft sample in halves; the one-hot goes to the lower. The second
 * logit is moved number by number until that happens. */
static size_t check_ties(size_t classes, size_t low, size_t high, size_t moved)
{
    enum { SEEDS = 80, STEPS = 30 };
    struct inputs inputs = {5};
    struct batch batch = batch_open(1, classes, LOGITS_EQUAL, &inputs);
    size_t ties = 0, fixed = low + high - moved;
    for (uint64_t seed = 0; seed < SEEDS; seed++) {
        struct core_noise noise = {.seed = &seed, .stride = 0, .row_offset = 0, .draw = 0};
        for (size_t j = 0; j < classes; j++)
            batch.logits[j] = j == low || j == high ? 0 : -INFINITY;
        reference_z(&batch, 0, &noise);
        wide gap = batch.z[moved] - batch.z[fixed];
        if (gap <= 0)
            continue;
        batch.logits[moved] = (real)-gap;
        for (int i = 0; i < STEPS / 2; i++)
            batch.logits[moved] = nextafter(batch.logits[moved], -INFINITY);
        for (int i = 0; i < STEPS; i++) {
            sample(&batch, 1e-6f, false, &noise);
            if (batch.samples[low] == 0.5f && batch.samples[high] == 0.5f) {
                sample(&batch, 1, true, &noise);
                ck_assert(batch.samples[low] == 1 && batch.samples[high] == 0);
                sample(&batch, 0, false, &noise);
                ck_assert(batch.samples[low] == 1 && batch.samples[high] == 0);
                ties++;
            }
            batch.logits[moved] = nextafter(batch.logits[moved], (real)0);
        }
    }
    batch_close(&batch);
    return ties;
}

START_TEST(test_ties)
{
    static const struct {
        size_t classes, low, high;
    } cases[] = {{2, 0, 1}, {20, 3, 17}, {63, 0, 62}, {64, 0, 63}, {100, 5, 21}, {100, 96, 99}, {300, 255, 256}};
    select_isa(_i);
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        ck_assert_uint_gt(check_ties(cases[i].classes, cases[i].low, cases[i].high, cases[i].low), 3);
        ck_assert_uint_gt(check_ties(cases[i].classes, cases[i].low, cases[i].high, cases[i].high), 3);
    }
}
END_TEST

/* Each row of its own seed is row row_offset of that seed, wherever it stands. */
START_TEST(test_seed_lists)
{
    enum { ROWS = 37 };
    uint64_t seeds[ROWS];
    struct inputs inputs = {6};
    select_isa(_i);
    for (size_t classes = 1; classes <= 100; classes += 9) {
        struct batch batch = batch_open(ROWS, classes, LOGITS_NORMAL, &inputs);
        for (size_t r = 0; r < ROWS; r++)
            seeds[r] = r % 3 == 0 ? 42 : inputs_next(&inputs);
        struct core_noise noise = {.seed = seeds, .stride = 1, .row_offset = (uint32_t)(classes * 1000), .draw = 3};
        sample(&batch, 0.7f, false, &noise);
        for (size_t r = 0; r < ROWS; r++) {
            reference_z(&batch, r, &noise);
            check_soft_row(&batch, r, 0.7f);
        }
        batch_close(&batch);
    }
}
END_TEST

/* Pearson's test of hard samples against softmax. The bounds are the quantiles of p = 1e-3. */
static wide chi_square(size_t classes, size_t rows, uint32_t draws, uint64_t seed)
{
    struct inputs inputs = {7};
    struct batch batch = batch_open(rows, classes, LOGITS_NORMAL, &inputs);
    wide *count = calloc(classes, sizeof(count[0])), *p = calloc(classes, sizeof(p[0])), sum = 0;
    ck_assert_ptr_nonnull(count);
    ck_assert_ptr_nonnull(p);
    for (size_t j = 0; j < classes; j++) { /* the same logits in all rows, no class rarer than e^-3 of the commonest */
        batch.z[j] = inputs_uniform(&inputs) * 3;
        for (size_t r = 0; r < rows; r++)
            batch.logits[r * classes + j] = (real)batch.z[j];
    }
    softmax_of(batch.z, classes, 1, p);
    for (uint32_t draw = 0; draw < draws; draw++) {
        struct core_noise noise = {.seed = &seed, .stride = 0, .row_offset = 1000 * draw, .draw = draw};
        sample(&batch, 1, true, &noise);
        for (size_t i = 0; i < rows * classes; i++)
            count[i % classes] += batch.samples[i];
    }
    for (size_t j = 0; j < classes; j++) {
        wide expected = p[j] * (wide)rows * draws;
        sum += (count[j] - expected) * (count[j] - expected) / expected;
    }
    batch_close(&batch);
    free(count);
    free(p);
    return sum;
}

START_TEST(test_distribution)
{
    select_isa(_i);
    ck_assert_double_lt(D(chi_square(5, 200000, 1, 11)), 18.47);   /* 4 degrees of freedom */
    ck_assert_double_lt(D(chi_square(10, 1000, 200, 12)), 27.88);  /* 9 */
    ck_assert_double_lt(D(chi_square(10, 1, 20000, 13)), 27.88);   /* 9, one row at a time */
    ck_assert_double_lt(D(chi_square(100, 2000, 20, 14)), 148.23); /* 99 */
}
END_TEST

TEST_SUITE(PART)
{
    Suite *suite = suite_create(SUITE("gumbel"));
    TCase *tcase = tcase_create("against wider numbers");
    tcase_set_timeout(tcase, 60);
    tcase_add_isa_test(tcase, test_soft_of_every_class_count);
    tcase_add_isa_test(tcase, test_soft_of_large_class_counts);
    tcase_add_isa_test(tcase, test_hard);
    tcase_add_isa_test(tcase, test_vanishing_tau);
    tcase_add_isa_test(tcase, test_ties);
    tcase_add_isa_test(tcase, test_seed_lists);
    suite_add_tcase(suite, tcase);

    TCase *distribution = tcase_create("distribution");
    tcase_set_timeout(distribution, 60);
    tcase_add_isa_test(distribution, test_distribution);
    suite_add_tcase(suite, distribution);
    return suite;
}
