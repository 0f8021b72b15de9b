/* core_categorical: which classes are drawn, how often, and what is told of them. */
#include "reference.h"
#include "sampling_problem.h"
#include "suites.h"
#include "support.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* ---- Against the reference ------------------------------------------------------------------------------------- */

/* z of one row in double, of the logits over T. */
static void reference_scores(const struct sampling *p, size_t row, uint32_t draw, double *z)
{
    const struct core_noise *noise = &p->call.noise;
    size_t classes = p->call.classes;
    double temperature = p->call.temperature.value[0], max = -INFINITY;
    float *zero = calloc(classes, sizeof(zero[0]));
    ck_assert_ptr_nonnull(zero);
    reference_perturb(zero, classes, noise->seed[0], noise->row_offset + (uint32_t)row, noise->draw + draw, z);
    for (size_t j = 0; j < classes; j++)
        max = fmax(max, p->logits[row * classes + j]);
    for (size_t j = 0; j < classes; j++)
        z[j] += (p->logits[row * classes + j] - max) / temperature;
    free(zero);
}

/* The class drawn has the greatest z, within the roundings of z in float, and its score is that z. */
static void check_draw(const double *z, size_t classes, int64_t index, float score, double greatest)
{
    double rounding = 2e-6 * (4 + fabs(greatest));
    ck_assert(index >= 0 && index < (int64_t)classes);
    if (!(fabs(z[index] - greatest) <= rounding && fabs(score - greatest) <= rounding))
        ck_abort_msg("K %zu: class %ld with %.9g, score %.9g, not %.9g", classes, (long)index, z[index], (double)score,
                     greatest);
}

static void check_first_maxima(size_t rows, size_t classes, size_t draws, float temperature, enum logits_kind kind,
                               struct inputs *inputs)
{
    struct sampling p = sampling_of(rows, classes, draws, true);
    double *z = malloc(classes * sizeof(z[0]));
    ck_assert_ptr_nonnull(z);
    p.call.temperature.value = &temperature;
    sampling_allocate(&p);
    fill_logits(p.logits, rows, classes, kind, inputs);
    sampling_run_all(&p);
    for (size_t i = 0; i < rows * draws; i++) {
        reference_scores(&p, i / draws, (uint32_t)(i % draws), z);
        check_draw(z, classes, p.narrow[i], p.scores[i], reference_max(z, classes));
        ck_assert_int_eq(p.narrow[i], p.wide[i]);
    }
    free(z);
    sampling_close(&p);
}

static const enum logits_kind usual_kinds[] = {LOGITS_NORMAL, LOGITS_HOLES, LOGITS_EQUAL, LOGITS_WIDE};

START_TEST(test_first_maximum)
{
    static const float temperatures[] = {0.5f, 1, 2.5f};
    static const size_t large[] = {1000, 4097, 32000, 128256};
    struct inputs inputs = {31};
    select_isa(_i);
    for (size_t classes = 1; classes <= 300; classes++)
        check_first_maxima(1 + classes % 19, classes, 1 + classes % 5, temperatures[classes % 3],
                           usual_kinds[classes % 4], &inputs);
    for (size_t i = 0; i < 4; i++)
        check_first_maxima(1, large[i], 1 + i % 2 * 3, 1, LOGITS_NORMAL, &inputs);
}
END_TEST

/* Many draws of one call are those of single calls: the thinned race against the plain one. */
START_TEST(test_many_draws)
{
    static const float temperatures[] = {1e-45f, 0.01f, 0.5f, 1, 30, 1e38f};
    static const size_t counts[] = {1, 2, 5, 15, 16, 17, 63, 64, 100, 257, 1000, 4097, 32000};
    struct inputs inputs = {32};
    select_isa(_i);
    for (size_t i = 0; i < sizeof(counts) / sizeof(counts[0]); i++)
        for (int kind = 0; kind < LOGITS_KINDS; kind++) {
            struct sampling many = sampling_of(1, counts[i], counts[i] < 5000 ? 50 : 4, true);
            many.call.temperature.value = &temperatures[inputs_below(&inputs, 6)];
            sampling_allocate(&many);
            fill_logits(many.logits, 1, counts[i], kind, &inputs);
            sampling_run_all(&many);
            for (size_t d = 0; d < many.call.draws; d++) {
                struct sampling one = many;
                int32_t index;
                float score;
                one.call.draws = 1;
                one.call.noise.draw += (uint32_t)d;
                one.call.indices = (struct core_indices){&index, NULL};
                one.call.scores = &score;
                one.call.replacement = d % 2;
                sampling_run_all(&one);
                ck_assert_int_eq(index, many.narrow[d]);
                ck_assert(same_bits(&score, &many.scores[d], 1));
            }
            sampling_close(&many);
        }
}
END_TEST

static int descending(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x < y) - (x > y);
}

static void check_top(size_t classes, size_t draws, enum logits_kind kind, struct inputs *inputs)
{
    struct sampling p = sampling_of(2, classes, draws, false);
    double *z = malloc(classes * sizeof(z[0])), *sorted = malloc(classes * sizeof(z[0]));
    bool *seen = calloc(classes, sizeof(bool));
    size_t bad, fewest = classes;
    ck_assert(z != NULL && sorted != NULL && seen != NULL);
    sampling_allocate(&p);
    fill_logits(p.logits, 2, classes, kind, inputs);
    for (size_t r = 2; r-- > 0;) {
        size_t possible = 0;
        for (size_t j = 0; j < classes; j++)
            possible += p.logits[r * classes + j] > -INFINITY;
        fewest = possible < fewest ? possible : fewest;
    }
    if (draws > fewest) {
        ck_assert_int_eq(sampling_run(&p, &bad), CORE_TOO_FEW_CLASSES);
        ck_assert_uint_lt(bad, 2);
    } else {
        sampling_run_all(&p);
        for (size_t r = 0; r < 2; r++) {
            reference_scores(&p, r, 0, z);
            memcpy(sorted, z, classes * sizeof(z[0]));
            qsort(sorted, classes, sizeof(z[0]), descending);
            memset(seen, 0, classes * sizeof(bool));
            for (size_t i = 0; i < draws; i++) {
                check_draw(z, classes, p.wide[r * draws + i], p.scores[r * draws + i], sorted[i]);
                ck_assert(!seen[p.wide[r * draws + i]]);
                seen[p.wide[r * draws + i]] = true;
                ck_assert(i == 0 || p.scores[r * draws + i] <= p.scores[r * draws + i - 1]);
            }
        }
    }
    sampling_close(&p);
    free(z);
    free(sorted);
    free(seen);
}

START_TEST(test_without_replacement)
{
    struct inputs inputs = {33};
    select_isa(_i);
    for (size_t classes = 1; classes <= 300; classes++) {
        check_top(classes, 1 + inputs_below(&inputs, classes), usual_kinds[classes % 4], &inputs);
        check_top(classes, classes, usual_kinds[classes % 3], &inputs);
    }
    check_top(10, 11, LOGITS_NORMAL, &inputs);
    check_top(1000, 17, LOGITS_NORMAL, &inputs);
    check_top(32000, 32000, LOGITS_NORMAL, &inputs);
    check_top(128256, 100, LOGITS_NORMAL, &inputs);
}
END_TEST

/* ---- Distribution ---------------------------------------------------------------------------------------------- */

static double pearson(const double *count, const double *probability, size_t cells, double draws)
{
    double sum = 0;
    for (size_t i = 0; i < cells; i++) {
        double expected = probability[i] * draws;
        sum += (count[i] - expected) * (count[i] - expected) / expected;
    }
    return sum;
}

/* Pearson's test of draws against softmax(x / T). */
static double chi_square(size_t rows, size_t classes, size_t draws, float temperature)
{
    struct sampling p = sampling_of(rows, classes, draws, true);
    struct inputs inputs = {34};
    double *x = malloc(classes * sizeof(x[0])), *q = malloc(classes * sizeof(q[0]));
    double *count = calloc(classes, sizeof(count[0]));
    ck_assert(x != NULL && q != NULL && count != NULL);
    p.call.temperature.value = &temperature;
    sampling_allocate(&p);
    for (size_t j = 0; j < classes; j++)
        x[j] = (float)(3 * inputs_uniform(&inputs));
    for (size_t i = 0; i < rows * classes; i++)
        p.logits[i] = (float)x[i % classes];
    reference_softmax(x, classes, temperature, q);
    sampling_run_all(&p);
    for (size_t i = 0; i < rows * draws; i++)
        count[p.narrow[i]]++;
    double sum = pearson(count, q, classes, (double)(rows * draws));
    sampling_close(&p);
    free(x);
    free(q);
    free(count);
    return sum;
}

/* The bounds are the quantiles of p = 1e-3: with other seeds, one in a thousand of these would fail. */
START_TEST(test_distribution)
{
    select_isa(_i);
    ck_assert_double_lt(chi_square(100000, 5, 1, 1), 18.47);     /* 4 degrees of freedom */
    ck_assert_double_lt(chi_square(1, 10, 100000, 1), 27.88);    /* 9, by the thinned race */
    ck_assert_double_lt(chi_square(20000, 10, 2, 2), 27.88);     /* 9 */
    ck_assert_double_lt(chi_square(20, 100, 2000, 1.5), 148.23); /* 99 */
}
END_TEST

/* Ordered pairs without replacement have the probabilities p_i p_j / (1 - p_i) (Plackett 1975, Luce 1959). The bound
 * is the quantile of p = 1e-3 for 29 degrees of freedom. */
START_TEST(test_pairs)
{
    enum { CLASSES = 6, ROWS = 100000, PAIRS = CLASSES * (CLASSES - 1) };
    static const double x[CLASSES] = {0.5, 0, 1.5, 2, 1, 0.25};
    double q[CLASSES], probability[PAIRS], count[PAIRS] = {0};
    struct sampling p = sampling_of(ROWS, CLASSES, 2, false);
    select_isa(_i);
    sampling_allocate(&p);
    for (size_t i = 0; i < ROWS * CLASSES; i++)
        p.logits[i] = (float)x[i % CLASSES];
    reference_softmax(x, CLASSES, 1, q);
    for (size_t i = 0; i < CLASSES; i++)
        for (size_t j = 0; j < CLASSES; j++)
            if (i != j)
                probability[i * (CLASSES - 1) + j - (j > i)] = q[i] * q[j] / (1 - q[i]);
    sampling_run_all(&p);
    for (size_t r = 0; r < ROWS; r++) {
        size_t i = (size_t)p.narrow[2 * r], j = (size_t)p.narrow[2 * r + 1];
        count[i * (CLASSES - 1) + j - (j > i)]++;
    }
    ck_assert_double_lt(pearson(count, probability, PAIRS, ROWS), 58.30);
    sampling_close(&p);
}
END_TEST

/* ---- Mask, bias, temperature 0, log-probabilities ---------------------------------------------------------------- */

/* A mask does what -inf in its place does, for all rows or row by row, and hides a NaN; a bias what added logits do. */
START_TEST(test_mask_and_bias)
{
    enum { ROWS = 7, MOST = 150 };
    static uint8_t allowed[ROWS * MOST];
    struct inputs inputs = {35};
    select_isa(_i);
    for (size_t classes = 1; classes <= MOST; classes++)
        for (size_t stride = 0; stride < 2; stride++) {
            struct sampling masked = sampling_of(ROWS, classes, 1 + classes % 4, true);
            masked.call.top = 2;
            struct sampling plain = masked;
            uint32_t biased[] = {0, (uint32_t)classes - 1, 0};
            float bias[] = {1.5f, 0.25f, -0.5f};
            sampling_allocate(&masked);
            sampling_allocate(&plain);
            fill_logits(masked.logits, ROWS, classes, LOGITS_NORMAL, &inputs);
            memcpy(plain.logits, masked.logits, ROWS * classes * sizeof(float));
            for (size_t i = 0; i < ROWS * classes; i++)
                allowed[i] = inputs_below(&inputs, 4) != 0 || i % classes == 0 ? (uint8_t)(1 + i % 255) : 0;
            masked.call.mask = (struct core_mask){allowed, stride};
            masked.call.bias = (struct core_logit_bias){biased, bias, 3};
            for (size_t i = 0; i < ROWS * classes; i++)
                if (!allowed[stride ? i : i % classes]) {
                    masked.logits[i] = i % 2 ? NAN : INFINITY;
                    plain.logits[i] = -INFINITY;
                }
            for (size_t r = 0; r < ROWS; r++)
                for (size_t i = 0; i < 3; i++)
                    plain.logits[r * classes + biased[i]] += bias[i];
            sampling_run_all(&masked);
            sampling_run_all(&plain);
            require_same_draws(&masked, &plain);
            sampling_close(&masked);
            sampling_close(&plain);
        }
}
END_TEST

START_TEST(test_temperature_zero)
{
    static const float logits[] = {1, 3, -INFINITY, 3, 2, 0, 3}, none = 0;
    static const int32_t order[] = {1, 3, 6, 4, 0, 5};
    struct sampling p = sampling_of(1, 7, 6, false);
    select_isa(_i);
    p.call.temperature.value = &none;
    p.call.top = 7;
    sampling_allocate(&p);
    p.call.log_probabilities = p.log_probabilities;
    memcpy(p.logits, logits, sizeof(logits));
    sampling_run_all(&p);
    ck_assert_mem_eq(p.narrow, order, sizeof(order));
    ck_assert_mem_eq(p.top_narrow, order, sizeof(order));
    ck_assert_int_eq(p.top_narrow[6], -1);
    for (int i = 0; i < 6; i++) {
        ck_assert_float_eq(p.scores[i], logits[order[i]] - 3);
        ck_assert_float_eq(p.log_probabilities[i], i == 0 ? 0 : -INFINITY);
    }
    p.call.replacement = true;
    sampling_run_all(&p);
    for (int i = 0; i < 6; i++)
        ck_assert_int_eq(p.narrow[i], 1);
    sampling_close(&p);
}
END_TEST

/* Raw log-probabilities are log_softmax's to a few roundings, the drawn ones among the top ones, filters or not. */
START_TEST(test_log_probabilities)
{
    static const float temperature = 0.7f, top_p = 0.6f;
    struct inputs inputs = {36};
    select_isa(_i);
    for (size_t classes = 1; classes < 5000; classes = classes * 5 / 4 + 1)
        for (int order = 0; order < 4; order++) {
            struct sampling p = sampling_of(3, classes, 4, true);
            size_t bad;
            p.call.temperature.value = &temperature;
            p.call.filters.order = order % 2 ? CORE_TEMPERATURE_LAST : CORE_TEMPERATURE_FIRST;
            if (order / 2)
                p.call.filters.top_p.value = &top_p;
            p.call.top = classes;
            sampling_allocate(&p);
            p.call.log_probabilities = p.log_probabilities;
            float *log_p = floats(3 * classes);
            fill_logits(p.logits, 3, classes, LOGITS_HOLES, &inputs);
            struct core_softmax_call softmax = {
                .logits = p.logits, .rows = 3, .classes = classes, .temperature = {&temperature, 0}, .result = log_p};
            ck_assert_int_eq(core_log_softmax(&softmax, 0, 3, &bad), CORE_OK);
            sampling_run_all(&p);
            for (size_t i = 0; i < 3 * classes; i++)
                if (p.top_narrow[i] >= 0)
                    ck_assert_float_eq_tol(p.top_log_probabilities[i],
                                           log_p[i / classes * classes + (size_t)p.top_narrow[i]], 1e-5f);
            for (size_t i = 0; i < 12; i++)
                ck_assert_float_eq_tol(p.log_probabilities[i], log_p[i / 4 * classes + (size_t)p.narrow[i]], 1e-5f);
            free(log_p);
            sampling_close(&p);
        }
}
END_TEST

Suite *test_core_sampling_suite(void)
{
    Suite *suite = suite_create("core sampling");
    TCase *draws = tcase_create("draws");
    tcase_set_timeout(draws, 120);
    tcase_add_isa_test(draws, test_first_maximum);
    tcase_add_isa_test(draws, test_many_draws);
    tcase_add_isa_test(draws, test_without_replacement);
    tcase_add_isa_test(draws, test_distribution);
    tcase_add_isa_test(draws, test_pairs);
    tcase_add_isa_test(draws, test_mask_and_bias);
    tcase_add_isa_test(draws, test_temperature_zero);
    tcase_add_isa_test(draws, test_log_probabilities);
    suite_add_tcase(suite, draws);

    return suite;
}
