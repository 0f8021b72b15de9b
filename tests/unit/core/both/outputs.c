/* gumbel_softmax's further results and the noise's scale against wide precision, and against each other. */
#include "lib/suite.h"
#include "real.h"
#include "reference.h"

#include <stdlib.h>

/* One call with all further results. */
struct batch {
    size_t rows, classes;
    real *logits, *samples, *soft, *gumbel, *log_density, *log_soft, *perturbed;
    int32_t *indices;
    wide *g, *z; /* of one row: the reference's noise, and x - m + s g */
};

static struct batch batch_open(size_t rows, size_t classes, enum logits_kind kind, struct inputs *inputs)
{
    size_t count = rows * classes;
    struct batch batch = {
        .rows = rows,
        .classes = classes,
        .logits = reals(count),
        .samples = reals(count),
        .soft = reals(count),
        .gumbel = reals(count),
        .log_density = reals(rows),
        .log_soft = reals(count),
        .perturbed = reals(count),
        .indices = malloc(rows * sizeof(int32_t)),
        .g = malloc(classes * sizeof(wide)),
        .z = malloc(classes * sizeof(wide)),
    };
    ck_assert(batch.indices != NULL && batch.g != NULL && batch.z != NULL);
    fill_reals(batch.logits, rows, classes, kind, inputs);
    return batch;
}

static void batch_close(struct batch *batch)
{
    free(batch->logits);
    free(batch->samples);
    free(batch->soft);
    free(batch->gumbel);
    free(batch->log_density);
    free(batch->log_soft);
    free(batch->perturbed);
    free(batch->indices);
    free(batch->g);
    free(batch->z);
}

static const uint64_t seed = 0xfedcba9876543210;

/* scale NULL: the noise as it is. */
static struct core_gumbel_softmax_call call_of(struct batch *batch, const double *tau, const double *scale, bool hard)
{
    return (struct core_gumbel_softmax_call){
        .dtype = DTYPE,
        .logits = batch->logits,
        .classes = batch->classes,
        .tau = {tau, 0},
        .hard = hard,
        .noise = {&seed, 0, 11, 5},
        .samples = batch->samples,
        .noise_scale = {scale, 0},
        .indices = batch->indices,
        .soft = batch->soft,
        .gumbel = batch->gumbel,
        .log_density = batch->log_density,
        .log_soft = batch->log_soft,
        .perturbed = batch->perturbed,
    };
}

static void run(const struct core_gumbel_softmax_call *call, size_t rows)
{
    size_t bad = SIZE_MAX;
    ck_assert_int_eq(core_gumbel_softmax(call, 0, rows, &bad), CORE_OK);
}

/* Returns the row's maximum. */
static wide reference_row(struct batch *batch, size_t row, wide scale)
{
    const real *x = batch->logits + row * batch->classes;
    real *zeros = calloc(batch->classes, sizeof(real)), max = -INFINITY;
    ck_assert_ptr_nonnull(zeros);
    perturbed(zeros, batch->classes, seed, (uint32_t)(11 + row), 5, batch->g);
    for (size_t j = 0; j < batch->classes; j++)
        max = fmax(max, x[j]);
    for (size_t j = 0; j < batch->classes; j++)
        batch->z[j] = ((wide)x[j] - max) + scale * batch->g[j];
    free(zeros);
    return max;
}

/* The error of z: x - m rounded, g, and their sum. */
static wide z_error(const struct batch *batch, size_t row, size_t j, wide max, wide scale)
{
    wide difference = max - batch->logits[row * batch->classes + j];
    return UNIT * (2 * difference + scale * (4 * fabs(batch->g[j]) + 4));
}

static void check_gumbel(const struct batch *batch, size_t row)
{
    for (size_t j = 0; j < batch->classes; j++) {
        wide got = batch->gumbel[row * batch->classes + j];
        if (!(fabs(got - batch->g[j]) <= UNIT * (2 * fabs(batch->g[j]) + 8)) || is_negative_zero((real)got))
            ck_abort_msg("K %zu row %zu class %zu: g %a, not %a", batch->classes, row, j, D(got), D(batch->g[j]));
    }
}

/* Not relative to the row's maximum, as z is. */
static void check_perturbed(const struct batch *batch, size_t row, wide scale)
{
    for (size_t j = 0; j < batch->classes; j++) {
        real x = batch->logits[row * batch->classes + j], got = batch->perturbed[row * batch->classes + j];
        wide right = (wide)x + scale * batch->g[j], allowed = fabs(right) + scale * (2 * fabs(batch->g[j]) + 8);
        bool good = x == -INFINITY ? got == -INFINITY : fabs(got - right) <= UNIT * allowed + REAL_TRUE_MIN;
        if (!good || (got == 0 && signbit(got)))
            ck_abort_msg("K %zu row %zu class %zu: x + s g %a, not %a", batch->classes, row, j, D(got), D(right));
    }
}

static void check_index(const struct batch *batch, size_t row, wide max, wide scale)
{
    size_t best = first_max_of(batch->z, batch->classes), got = (size_t)batch->indices[row];
    ck_assert_uint_lt(got, batch->classes);
    if (!(batch->z[got] >=
          batch->z[best] - z_error(batch, row, got, max, scale) - z_error(batch, row, best, max, scale)))
        ck_abort_msg("K %zu row %zu: index %zu, not %zu", batch->classes, row, got, best);
}

static void check_soft(const struct batch *batch, size_t row, wide tau, wide max, wide scale)
{
    wide *expected = malloc(batch->classes * sizeof(expected[0])), top = max_of(batch->z, batch->classes);
    ck_assert_ptr_nonnull(expected);
    softmax_of(batch->z, batch->classes, tau, expected);
    wide top_error = 0, sum_roundings = (wide)(batch->classes < SUM_BLOCK ? batch->classes : SUM_BLOCK) / 16 + 32;
    for (size_t j = 0; j < batch->classes; j++)
        if (batch->z[j] > top - tau)
            top_error = fmax(top_error, z_error(batch, row, j, max, scale));
    for (size_t j = 0; j < batch->classes; j++) {
        wide got = batch->soft[row * batch->classes + j], a = fmin((top - batch->z[j]) / tau, 1e4);
        wide relative = UNIT * (4 * a + 16 + sum_roundings);
        if (a < 200)
            relative += 1.1 * (z_error(batch, row, j, max, scale) + top_error) / tau;
        if (!(fabs(got - expected[j]) <= expected[j] * relative + REAL_FLUSHED))
            ck_abort_msg("K %zu tau %g s %g row %zu class %zu: %a, not %a", batch->classes, D(tau), D(scale), row, j,
                         D(got), D(expected[j]));
    }
    free(expected);
}

/* log_softmax(z / tau), also where softmax is 0. */
static void check_log_soft(const struct batch *batch, size_t row, wide tau, wide max, wide scale)
{
    wide *expected = malloc(batch->classes * sizeof(expected[0])), top = max_of(batch->z, batch->classes);
    ck_assert_ptr_nonnull(expected);
    log_softmax_of(batch->z, batch->classes, tau, expected);
    wide top_error = 0, sum_roundings = (wide)(batch->classes < SUM_BLOCK ? batch->classes : SUM_BLOCK) / 16 + 32;
    for (size_t j = 0; j < batch->classes; j++)
        if (batch->z[j] > top - tau)
            top_error = fmax(top_error, z_error(batch, row, j, max, scale));
    for (size_t j = 0; j < batch->classes; j++) {
        real got = batch->log_soft[row * batch->classes + j];
        wide a = (top - batch->z[j]) / tau;
        wide allowed = UNIT * (4 * a + fabs(expected[j]) + 16 + sum_roundings) +
                       1.1 * (z_error(batch, row, j, max, scale) + top_error) / tau;
        bool good = batch->z[j] == -INFINITY ? got == -INFINITY : fabs(got - expected[j]) <= allowed;
        if (!good || (got == 0 && signbit(got)))
            ck_abort_msg("K %zu tau %g s %g row %zu class %zu: log y %a, not %a", batch->classes, D(tau), D(scale), row,
                         j, D(got), D(expected[j]));
    }
    free(expected);
}

/* The formula as it is printed, of logits x / s and temperature tau / s at log y = log_softmax(z / tau), in long
 * wide. (For a great tau, log y is nearly constant and tau log y all cancellation: there without the constant, which
 * the log_softmax removes.) */
static long double reference_log_density(const struct batch *batch, size_t row, long double tau, long double scale)
{
    const real *x = batch->logits + row * batch->classes;
    long double k = 0, top = max_of(batch->z, batch->classes), sum = 0, max = -INFINITY, result = 0;
    for (size_t j = 0; j < batch->classes; j++)
        sum += expl((batch->z[j] - top) / tau);
    long double *w = malloc(batch->classes * sizeof(w[0]));
    ck_assert_ptr_nonnull(w);
    for (size_t j = 0; j < batch->classes; j++) {
        long double log_y = (batch->z[j] - top) / tau - logl(sum);
        long double tau_log_y = tau < 1000 ? tau * log_y : batch->z[j] - top;
        w[j] = x[j] == -INFINITY ? -INFINITY : (x[j] - tau_log_y) / scale;
        max = fmaxl(max, w[j]);
        k += x[j] > -INFINITY;
    }
    sum = 0;
    for (size_t j = 0; j < batch->classes; j++)
        sum += expl(w[j] - max);
    for (size_t j = 0; j < batch->classes; j++)
        if (x[j] > -INFINITY)
            result += w[j] - max - logl(sum);
    free(w);
    return lgammal(k) + (k - 1) * logl(tau / scale) + result;
}

static void check_log_density(const struct batch *batch, size_t row, double tau, wide scale)
{
    wide t = fmax((wide)tau, 1 / (wide)REAL_MAX), got = batch->log_density[row];
    wide expected = (wide)reference_log_density(batch, row, t, scale);
    wide classes = (wide)batch->classes;
    wide allowed = UNIT * (1.01 * fabs(expected) + (classes < 64 ? 20 : 12) * classes + 4);
    if (TEST_REAL == 64) /* the density is computed in double, log tau with an error of up to 3e-16 */
        allowed += 3e-16L * classes * fabs(log(t / scale));
    if (!(fabs(got - expected) <= allowed))
        ck_abort_msg("K %zu tau %g s %g row %zu: log p %.9g, not %.9g", batch->classes, D(tau), D(scale), row, D(got),
                     D(expected));
}

static void check_all(size_t rows, size_t classes, double tau, const double *scale, enum logits_kind kind,
                      struct inputs *inputs)
{
    struct batch batch = batch_open(rows, classes, kind, inputs);
    struct core_gumbel_softmax_call call = call_of(&batch, &tau, scale, true);
    wide s = scale == NULL ? 1 : *scale;
    run(&call, batch.rows);
    for (size_t r = 0; r < rows; r++) {
        wide max = reference_row(&batch, r, s);
        check_gumbel(&batch, r);
        check_perturbed(&batch, r, s);
        check_index(&batch, r, max, s);
        if (tau > 1e-3f) {
            check_soft(&batch, r, tau, max, s);
            check_log_soft(&batch, r, tau, max, s);
        }
        if (s > 0)
            check_log_density(&batch, r, tau, s);
        for (size_t j = 0; j < classes; j++)
            ck_assert(batch.samples[r * classes + j] == (j == (size_t)batch.indices[r] ? 1.0f : 0.0f));
    }
    batch_close(&batch);
}

static const double scales[] = {1.0f, 0.5f, 0.0f, 3.0f, 1e-3f};
static const double taus[] = {0.5f, 1.0f, 2.5f, 1e-45f, 1e38f, 1e-20f, 0.07f};
static const enum logits_kind kinds[] = {LOGITS_NORMAL, LOGITS_HOLES, LOGITS_TINY, LOGITS_EQUAL};

START_TEST(test_every_class_count)
{
    struct inputs inputs = {1};
    select_isa(_i);
    for (size_t classes = 1; classes <= 130; classes++)
        for (size_t t = 0; t < 7; t++) {
            const double *scale = (classes + t) % 6 == 5 ? NULL : &scales[(classes + t) % 6];
            check_all(1 + classes * 7 % 40, classes, taus[t], scale, kinds[(classes / 3 + t) % 4], &inputs);
        }
}
END_TEST

START_TEST(test_large_class_counts)
{
    static const size_t counts[] = {255, 256, 257, 271, 272, 1000, 4095, 4096, 4097, 8193, 32000, 128256};
    struct inputs inputs = {2};
    select_isa(_i);
    for (size_t i = 0; i < sizeof(counts) / sizeof(counts[0]); i++) {
        check_all(1, counts[i], taus[i % 7], i % 3 ? &scales[i % 2] : NULL, kinds[i % 4], &inputs);
        check_all(1, counts[i], taus[(i + 1) % 7], i % 2 ? &scales[i % 3] : NULL, kinds[(i + 1) % 4], &inputs);
    }
}
END_TEST

static bool same_as(const real *a, const real *b, const struct batch *batch)
{
    return same_reals(a, b, batch->rows * batch->classes);
}

/* Asking for more does not change what there was; soft is what samples are without hard; a scale of 1 is none. */
START_TEST(test_agreement)
{
    static const double one = 1;
    struct inputs inputs = {3};
    select_isa(_i);
    for (size_t classes = 1; classes <= 300; classes += classes < 130 ? 1 : 17)
        for (int turn = 0; turn < 4; turn++) {
            double tau = turn == 3 ? 0.0f : 0.6f;
            struct batch batch = batch_open(1 + (classes + (size_t)turn) % 35, classes, kinds[turn], &inputs);
            real *soft = reals(batch.rows * classes), *hard = reals(batch.rows * classes);
            struct core_gumbel_softmax_call call = {.dtype = DTYPE,
                                                    .logits = batch.logits,
                                                    .classes = classes,
                                                    .tau = {&tau, 0},
                                                    .noise = {&seed, 0, 11, 5},
                                                    .samples = soft};
            run(&call, batch.rows);
            call.samples = hard;
            call.hard = true;
            run(&call, batch.rows);
            for (int with_scale = 0; with_scale < 2; with_scale++) {
                call = call_of(&batch, &tau, with_scale ? &one : NULL, true);
                run(&call, batch.rows);
                ck_assert(same_as(batch.samples, hard, &batch) && same_as(batch.soft, soft, &batch));
                call.hard = false;
                memset(batch.soft, 0x55, batch.rows * classes * sizeof(real));
                run(&call, batch.rows);
                ck_assert(same_as(batch.samples, soft, &batch) && same_as(batch.soft, soft, &batch));
                for (size_t r = 0; r < batch.rows; r++)
                    ck_assert(hard[r * classes + (size_t)batch.indices[r]] == 1.0f);
            }
            memcpy(batch.samples, batch.logits, batch.rows * classes * sizeof(real));
            call = call_of(&batch, &tau, NULL, true);
            call.logits = batch.samples;
            run(&call, batch.rows); /* in place */
            ck_assert(same_as(batch.samples, hard, &batch) && same_as(batch.soft, soft, &batch));
            free(soft);
            free(hard);
            batch_close(&batch);
        }
}
END_TEST

/* One result alone gives the bits that it has among the others. */
START_TEST(test_each_alone)
{
    struct inputs inputs = {4};
    select_isa(_i);
    for (size_t classes = 1; classes <= 300; classes += classes < 70 ? 3 : 31)
        for (int which = 0; which < 6; which++) {
            double tau = 0.6f, scale = 0.7f;
            size_t count = 21 * classes;
            struct batch batch = batch_open(21, classes, LOGITS_HOLES, &inputs);
            struct core_gumbel_softmax_call call = call_of(&batch, &tau, &scale, which % 2);
            run(&call, batch.rows);
            real *alone = reals(count), *samples = reals(count);
            call.samples = samples;
            call.indices = which == 0 ? (int32_t *)(void *)alone : NULL;
            call.soft = which == 1 ? alone : NULL;
            call.gumbel = which == 2 ? alone : NULL;
            call.log_density = which == 3 ? alone : NULL;
            call.log_soft = which == 4 ? alone : NULL;
            call.perturbed = which == 5 ? alone : NULL;
            run(&call, batch.rows);
            ck_assert(same_as(samples, batch.samples, &batch));
            ck_assert(which != 0 || memcmp(alone, batch.indices, 21 * sizeof(int32_t)) == 0);
            ck_assert(which != 1 || same_reals(alone, batch.soft, count));
            ck_assert(which != 2 || same_reals(alone, batch.gumbel, count));
            ck_assert(which != 3 || same_reals(alone, batch.log_density, 21));
            ck_assert(which != 4 || same_reals(alone, batch.log_soft, count));
            ck_assert(which != 5 || same_reals(alone, batch.perturbed, count));
            free(alone);
            free(samples);
            batch_close(&batch);
        }
}
END_TEST

/* Without noise the index is the logits' first maximum, exactly, and the density has no finite value. */
START_TEST(test_limits)
{
    static const double zero = 0, huge[] = {1e36f, 1e37f, REAL_MAX};
    struct inputs inputs = {5};
    select_isa(_i);
    for (size_t classes = 1; classes <= 200; classes++) {
        double tau = 0.5f, none = 0;
        struct batch batch = batch_open(19, classes, classes % 2 ? LOGITS_HOLES : LOGITS_EQUAL, &inputs);
        struct core_gumbel_softmax_call call = call_of(&batch, &tau, &zero, false);
        run(&call, batch.rows);
        for (size_t r = 0; r < batch.rows; r++) {
            size_t possible = 0;
            reference_row(&batch, r, 0);
            for (size_t j = 0; j < classes; j++)
                possible += batch.logits[r * classes + j] > -INFINITY;
            ck_assert_uint_eq((size_t)batch.indices[r], first_max_of(batch.z, classes));
            ck_assert(batch.log_density[r] == (possible == 1 ? 0 : INFINITY));
        }
        call.tau.value = &none;
        for (int scaled = 0; scaled < 2; scaled++) {
            call.noise_scale.value = scaled ? &zero : NULL;
            run(&call, batch.rows);
            for (size_t r = 0; r < batch.rows; r++)
                ck_assert(batch.log_density[r] == 0 || (classes > 1 && batch.log_density[r] == -INFINITY));
        }
        call.tau.value = &tau;
        for (int i = 0; i < 3; i++) {
            call.noise_scale.value = &huge[i];
            run(&call, batch.rows);
            for (size_t k = 0; k < batch.rows * classes; k++)
                ck_assert(batch.samples[k] == 0 || batch.samples[k] == 1);
        }
        batch_close(&batch);
    }
}
END_TEST

/* The logarithm of a one-hot row is one-hot too; perturbed logits do not overflow, and tell what is impossible. */
START_TEST(test_ends_of_logarithms)
{
    static const double none = 0, huge = 1e36, small = 0.05;
    select_isa(_i);
    for (size_t classes = 2; classes <= 200; classes++) {
        struct inputs inputs = {classes};
        struct batch batch = batch_open(19, classes, LOGITS_HOLES, &inputs);
        struct core_gumbel_softmax_call call = call_of(&batch, &none, NULL, classes % 2);
        run(&call, batch.rows);
        for (size_t k = 0; k < batch.rows * classes; k++)
            ck_assert(batch.log_soft[k] == (k % classes == (size_t)batch.indices[k / classes] ? 0 : -INFINITY));
        call = call_of(&batch, &small, NULL, false);
        run(&call, batch.rows);
        for (size_t k = 0; k < batch.rows * classes; k++)
            ck_assert_int_eq(batch.log_soft[k] > -REAL_MAX, batch.logits[k] > -INFINITY);
        for (size_t k = 0; k < batch.rows * classes; k++)
            batch.logits[k] = k % 3 == 0 ? REAL_MAX : k % 3 == 1 ? -REAL_MAX : -INFINITY;
        call = call_of(&batch, &none, &huge, false);
        run(&call, batch.rows);
        for (size_t k = 0; k < batch.rows * classes; k++)
            ck_assert(k % 3 == 2 ? batch.perturbed[k] == -INFINITY : fabs(batch.perturbed[k]) <= REAL_MAX);
        batch_close(&batch);
    }
}
END_TEST

TEST_SUITE(PART)
{
    Suite *suite = suite_create(SUITE("outputs"));
    TCase *tcase = tcase_create("gumbel_softmax");
    tcase_set_timeout(tcase, 60);
    tcase_add_isa_test(tcase, test_every_class_count);
    tcase_add_isa_test(tcase, test_large_class_counts);
    tcase_add_isa_test(tcase, test_agreement);
    tcase_add_isa_test(tcase, test_each_alone);
    tcase_add_isa_test(tcase, test_limits);
    tcase_add_isa_test(tcase, test_ends_of_logarithms);
    suite_add_tcase(suite, tcase);
    return suite;
}
