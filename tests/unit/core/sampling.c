/* core_categorical: which classes are drawn, how often, and what is told of them. */
#include "lib/suite.h"
#include "reference.h"
#include "sampling_problem.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* ---- Against the reference ------------------------------------------------------------------------------------- */

/* E of class j: of the words of the tags 0 and, in double, 2. */
static long double reference_noise(enum core_dtype dtype, const struct core_noise *noise, uint32_t row, uint32_t draw,
                                   size_t j)
{
    const uint32_t key[2] = {(uint32_t)noise->seed[0], (uint32_t)(noise->seed[0] >> 32)};
    const uint32_t high_counter[4] = {(uint32_t)(j / 4), noise->row_offset + row, noise->draw + draw, 0};
    const uint32_t low_counter[4] = {high_counter[0], high_counter[1], high_counter[2], 2};
    uint32_t high[4], low[4];
    const int bits = dtype == CORE_FLOAT64 ? 53 : 32;
    reference_philox(high_counter, key, high);
    reference_philox(low_counter, key, low);
    const uint64_t random = ((uint64_t)high[j % 4] << 32 | low[j % 4]) >> (64 - bits), all = ((uint64_t)1 << bits) - 1;
    const uint64_t nearer = random < all - random ? random : all - random;
    const long double t = ldexpl((long double)nearer + 0.5L, -bits);
    return random < all - random ? -log1pl(-t) : -logl(t);
}

/* z of one row of the logits over T; returns what scores are greater by, the row's maximum over T. */
static long double reference_scores(const struct sampling *p, size_t row, uint32_t draw, long double *z)
{
    const enum core_dtype dtype = p->call.dtype;
    size_t classes = p->call.classes;
    long double temperature = p->call.temperature.value[0], max = -INFINITY;
    for (size_t j = 0; j < classes; j++)
        max = fmaxl(max, number_at(dtype, p->logits, row * classes + j));
    for (size_t j = 0; j < classes; j++) {
        const long double d = (number_at(dtype, p->logits, row * classes + j) - max) / temperature;
        z[j] = d - logl(reference_noise(dtype, &p->call.noise, (uint32_t)row, draw, j));
    }
    return max / temperature;
}

static long double greatest_of(const long double *z, size_t classes)
{
    long double greatest = -INFINITY;
    for (size_t j = 0; j < classes; j++)
        greatest = fmaxl(greatest, z[j]);
    return greatest;
}

/* The class of draw i has the greatest z, within the roundings of z, and its score is that z and the offset. */
static void check_draw(const struct sampling *p, const long double *z, size_t i, long double greatest,
                       long double offset)
{
    const double epsilon = epsilon_of(p->call.dtype), rounding = 17 * epsilon * (4 + (double)fabsl(greatest));
    const double score_rounding = rounding + 2 * epsilon * (double)fabsl(offset);
    const int64_t index = p->indices[i];
    const double score = number_at(p->call.dtype, p->scores, i);
    ck_assert(index >= 0 && index < (int64_t)p->call.classes);
    if (!(fabsl(z[index] - greatest) <= rounding && fabsl(score - (greatest + offset)) <= score_rounding))
        ck_abort_msg("K %zu: class %ld with %.18Lg, not %.18Lg, score %.18g, not %.18Lg", p->call.classes, (long)index,
                     z[index], greatest, score, greatest + offset);
}

static void check_first_maxima(enum core_dtype dtype, size_t rows, size_t classes, size_t draws, double temperature,
                               enum logits_kind kind, struct inputs *inputs)
{
    struct sampling p = sampling_of(dtype, rows, classes, draws, true);
    long double *z = malloc(classes * sizeof(z[0]));
    ck_assert_ptr_nonnull(z);
    p.call.temperature.value = &temperature;
    sampling_allocate(&p);
    fill_numbers(dtype, p.logits, rows, classes, kind, inputs);
    sampling_run_all(&p);
    for (size_t i = 0; i < rows * draws; i++) {
        const long double offset = reference_scores(&p, i / draws, (uint32_t)(i % draws), z);
        check_draw(&p, z, i, greatest_of(z, classes), offset);
    }
    free(z);
    sampling_close(&p);
}

static const enum logits_kind usual_kinds[] = {LOGITS_NORMAL, LOGITS_HOLES, LOGITS_EQUAL, LOGITS_WIDE};

START_TEST(test_first_maximum)
{
    static const double temperatures[] = {0.5, 1, 2.5};
    static const size_t large[] = {1000, 4097, 32000, 128256};
    struct inputs inputs = {31};
    const enum core_dtype dtype = select_kernels(_i);
    for (size_t classes = 1; classes <= 300; classes++)
        check_first_maxima(dtype, 1 + classes % 19, classes, 1 + classes % 5, temperatures[classes % 3],
                           usual_kinds[classes % 4], &inputs);
    for (size_t i = 0; i < 4; i++)
        check_first_maxima(dtype, 1, large[i], 1 + i % 2 * 3, 1, LOGITS_NORMAL, &inputs);
}
END_TEST

/* The same draw in a call of its own: with and without replacement it is the same too. */
static void check_single(const struct sampling *many, size_t d)
{
    struct sampling one = *many;
    const enum core_dtype dtype = many->call.dtype;
    int32_t index;
    double score; /* or a float */
    one.call.draws = 1;
    one.call.noise.draw += (uint32_t)d;
    one.call.indices = &index;
    one.call.scores = &score;
    one.call.replacement = d % 2;
    sampling_run_all(&one);
    ck_assert_int_eq(index, many->indices[d]);
    ck_assert(number_at(dtype, &score, 0) == number_at(dtype, many->scores, d));
}

/* Many draws of one call are those of single calls. */
START_TEST(test_many_draws)
{
    static const double temperatures[] = {1e-45f, 0.01, 0.5, 1, 30, 1e38};
    static const size_t counts[] = {1, 2, 5, 15, 16, 17, 63, 64, 100, 257, 1000, 4097, 32000};
    struct inputs inputs = {32};
    const enum core_dtype dtype = select_kernels(_i);
    for (size_t i = 0; i < sizeof(counts) / sizeof(counts[0]); i++)
        for (int kind = 0; kind < LOGITS_KINDS; kind++) {
            struct sampling many = sampling_of(dtype, 1, counts[i], counts[i] < 5000 ? 50 : 4, true);
            many.call.temperature.value = &temperatures[inputs_below(&inputs, 6)];
            sampling_allocate(&many);
            fill_numbers(dtype, many.logits, 1, counts[i], kind, &inputs);
            sampling_run_all(&many);
            for (size_t d = 0; d < many.call.draws; d++)
                check_single(&many, d);
            sampling_close(&many);
        }
}
END_TEST

/* The same class, its score within float32's roundings and the 2^-33 by which the 32 bits of its noise miss E; false
 * for another class. */
static bool check_same_draw(const struct sampling *narrow, const struct sampling *wide, size_t i)
{
    size_t r = i / wide->call.draws, class = (size_t)wide->indices[i];
    double a = number_at(CORE_FLOAT32, narrow->scores, i), b = number_at(CORE_FLOAT64, wide->scores, i);
    double noise = b - number_at(CORE_FLOAT64, wide->logits, r * wide->call.classes + class);
    if (narrow->indices[i] != wide->indices[i])
        return false;
    ck_assert_double_le(fabs(a - b), 2e-6 * (4 + fabs(b)) + 0x1.1p-33 * exp(noise));
    return true;
}

/* Float64 draws the classes that float32 draws unless the two greatest z are as close as float32's roundings and the
 * missing bits of its noise, some 1e-6. Gaps are of the order of 1, so that is about one draw in a million (none in
 * 2 10^6 draws each of normal and of equal logits); at most one of these 40,000 may differ. */
START_TEST(test_precisions_agree)
{
    enum { ROWS = 200, CLASSES = 1000, DRAWS = 100, MOST = 1 };
    struct inputs inputs = {38};
    size_t differ = 0;
    select_isa(_i);
    struct sampling narrow = sampling_of(CORE_FLOAT32, ROWS, CLASSES, DRAWS, true);
    struct sampling wide = sampling_of(CORE_FLOAT64, ROWS, CLASSES, DRAWS, true);
    sampling_allocate(&narrow);
    sampling_allocate(&wide);
    for (int kind = 0; kind < 2; kind++) {
        fill_numbers(CORE_FLOAT32, narrow.logits, ROWS, CLASSES, kind == 0 ? LOGITS_NORMAL : LOGITS_EQUAL, &inputs);
        for (size_t i = 0; i < ROWS * CLASSES; i++)
            number_put(CORE_FLOAT64, wide.logits, i, number_at(CORE_FLOAT32, narrow.logits, i));
        sampling_run_all(&narrow);
        sampling_run_all(&wide);
        for (size_t i = 0; i < ROWS * DRAWS; i++)
            differ += !check_same_draw(&narrow, &wide, i);
    }
    ck_assert_uint_le(differ, MOST);
    sampling_close(&narrow);
    sampling_close(&wide);
}
END_TEST

static int descending(const void *a, const void *b)
{
    long double x = *(const long double *)a, y = *(const long double *)b;
    return (x < y) - (x > y);
}

/* The draws of one row are the greatest z in order, and no class comes twice. */
static void check_top_of_row(const struct sampling *p, size_t r)
{
    size_t classes = p->call.classes, draws = p->call.draws;
    long double *z = malloc(classes * sizeof(z[0])), *sorted = malloc(classes * sizeof(z[0]));
    bool *seen = calloc(classes, sizeof(bool));
    ck_assert(z != NULL && sorted != NULL && seen != NULL);
    const long double offset = reference_scores(p, r, 0, z);
    memcpy(sorted, z, classes * sizeof(z[0]));
    qsort(sorted, classes, sizeof(z[0]), descending);
    for (size_t i = 0; i < draws; i++) {
        size_t at = r * draws + i;
        check_draw(p, z, at, sorted[i], offset);
        ck_assert(!seen[p->indices[at]]);
        seen[p->indices[at]] = true;
        ck_assert(i == 0 || number_at(p->call.dtype, p->scores, at) <= number_at(p->call.dtype, p->scores, at - 1));
    }
    free(z);
    free(sorted);
    free(seen);
}

static size_t possible_classes(const struct sampling *p, size_t r)
{
    size_t possible = 0;
    for (size_t j = 0; j < p->call.classes; j++)
        possible += number_at(p->call.dtype, p->logits, r * p->call.classes + j) > -INFINITY;
    return possible;
}

static void check_top(enum core_dtype dtype, size_t classes, size_t draws, enum logits_kind kind, struct inputs *inputs)
{
    struct sampling p = sampling_of(dtype, 2, classes, draws, false);
    size_t bad;
    sampling_allocate(&p);
    fill_numbers(dtype, p.logits, 2, classes, kind, inputs);
    if (draws > possible_classes(&p, 0) || draws > possible_classes(&p, 1)) {
        ck_assert_int_eq(sampling_run(&p, &bad), CORE_TOO_FEW_CLASSES);
        ck_assert_uint_eq(bad, draws > possible_classes(&p, 0) ? 0 : 1);
    } else {
        sampling_run_all(&p);
        check_top_of_row(&p, 0);
        check_top_of_row(&p, 1);
    }
    sampling_close(&p);
}

START_TEST(test_without_replacement)
{
    struct inputs inputs = {33};
    const enum core_dtype dtype = select_kernels(_i);
    for (size_t classes = 1; classes <= 300; classes++) {
        check_top(dtype, classes, 1 + inputs_below(&inputs, classes), usual_kinds[classes % 4], &inputs);
        check_top(dtype, classes, classes, usual_kinds[classes % 3], &inputs);
    }
    check_top(dtype, 10, 11, LOGITS_NORMAL, &inputs);
    check_top(dtype, 1000, 17, LOGITS_NORMAL, &inputs);
    check_top(dtype, 32000, 32000, LOGITS_NORMAL, &inputs);
    check_top(dtype, 128256, 100, LOGITS_NORMAL, &inputs);
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
static double chi_square(enum core_dtype dtype, size_t rows, size_t classes, size_t draws, double temperature)
{
    struct sampling p = sampling_of(dtype, rows, classes, draws, true);
    struct inputs inputs = {34};
    double *x = malloc(classes * sizeof(x[0])), *q = malloc(classes * sizeof(q[0]));
    double *count = calloc(classes, sizeof(count[0]));
    ck_assert(x != NULL && q != NULL && count != NULL);
    p.call.temperature.value = &temperature;
    sampling_allocate(&p);
    for (size_t j = 0; j < classes; j++)
        x[j] = (float)(3 * inputs_uniform(&inputs));
    for (size_t i = 0; i < rows * classes; i++)
        number_put(dtype, p.logits, i, x[i % classes]);
    reference_softmax(x, classes, temperature, q);
    sampling_run_all(&p);
    for (size_t i = 0; i < rows * draws; i++)
        count[p.indices[i]]++;
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
    const enum core_dtype dtype = select_kernels(_i);
    ck_assert_double_lt(chi_square(dtype, 100000, 5, 1, 1), 18.47);     /* 4 degrees of freedom */
    ck_assert_double_lt(chi_square(dtype, 1, 10, 100000, 1), 27.88);    /* 9 */
    ck_assert_double_lt(chi_square(dtype, 20000, 10, 2, 2), 27.88);     /* 9 */
    ck_assert_double_lt(chi_square(dtype, 20, 100, 2000, 1.5), 148.23); /* 99 */
    ck_assert_double_lt(chi_square(dtype, 4, 200, 25000, 1), 266.4);    /* 199, by the thinned race */
}
END_TEST

/* Ordered pairs without replacement have the probabilities p_i p_j / (1 - p_i) (Plackett 1975, Luce 1959). The bound
 * is the quantile of p = 1e-3 for 29 degrees of freedom. */
START_TEST(test_pairs)
{
    enum { CLASSES = 6, ROWS = 100000, PAIRS = CLASSES * (CLASSES - 1) };
    static const double x[CLASSES] = {0.5, 0, 1.5, 2, 1, 0.25};
    double q[CLASSES], probability[PAIRS], count[PAIRS] = {0};
    const enum core_dtype dtype = select_kernels(_i);
    struct sampling p = sampling_of(dtype, ROWS, CLASSES, 2, false);
    sampling_allocate(&p);
    for (size_t i = 0; i < ROWS * CLASSES; i++)
        number_put(dtype, p.logits, i, x[i % CLASSES]);
    reference_softmax(x, CLASSES, 1, q);
    for (size_t i = 0; i < CLASSES; i++)
        for (size_t j = 0; j < CLASSES; j++)
            if (i != j)
                probability[i * (CLASSES - 1) + j - (j > i)] = q[i] * q[j] / (1 - q[i]);
    sampling_run_all(&p);
    for (size_t r = 0; r < ROWS; r++) {
        size_t i = (size_t)p.indices[2 * r], j = (size_t)p.indices[2 * r + 1];
        count[i * (CLASSES - 1) + j - (j > i)]++;
    }
    ck_assert_double_lt(pearson(count, probability, PAIRS, ROWS), 58.30);
    sampling_close(&p);
}
END_TEST

/* ---- Mask, bias, temperature 0, log-probabilities ---------------------------------------------------------------- */

/* What mask and bias of a row do, done to the logits. */
static void apply(const struct core_categorical_call *call, size_t rows, void *logits)
{
    for (size_t i = 0; i < rows * call->classes; i++)
        if (!call->mask.allowed[call->mask.stride ? i : i % call->classes])
            number_put(call->dtype, logits, i, -INFINITY);
    for (size_t r = 0; r < rows; r++)
        for (size_t i = 0; i < call->bias.count; i++) {
            size_t at = r * call->classes + call->bias.classes[i];
            number_put(call->dtype, logits, at, number_at(call->dtype, logits, at) + call->bias.bias[i]);
        }
}

static void check_mask_and_bias(enum core_dtype dtype, size_t rows, size_t classes, size_t mask_stride,
                                struct inputs *inputs)
{
    static uint8_t allowed[2000];
    struct sampling masked = sampling_of(dtype, rows, classes, 1 + classes % 4, true), plain = masked;
    const uint32_t biased[] = {0, (uint32_t)classes - 1, 0};
    const double bias[] = {1.5, 0.25, -0.5};
    masked.call.top = plain.call.top = 2;
    masked.call.distribution = plain.call.distribution = CORE_SCALED;
    sampling_allocate(&masked);
    sampling_allocate(&plain);
    fill_numbers(dtype, masked.logits, rows, classes, LOGITS_NORMAL, inputs);
    memcpy(plain.logits, masked.logits, rows * classes * core_dtype_size(dtype));
    for (size_t i = 0; i < rows * classes; i++)
        allowed[i] = inputs_below(inputs, 4) != 0 || i % classes == 0 ? (uint8_t)(1 + i % 255) : 0;
    masked.call.mask = (struct core_mask){allowed, mask_stride};
    masked.call.bias = (struct core_logit_bias){biased, bias, 3};
    apply(&masked.call, rows, plain.logits);
    for (size_t i = 0; i < rows * classes; i++)
        if (!allowed[mask_stride ? i : i % classes])
            number_put(dtype, masked.logits, i, i % 2 ? NAN : INFINITY);
    sampling_run_all(&masked);
    sampling_run_all(&plain);
    require_same_draws(&masked, &plain);
    sampling_close(&masked);
    sampling_close(&plain);
}

/* A mask does what -inf in its place does, for all rows or row by row, and hides a NaN; a bias what added logits do. */
START_TEST(test_mask_and_bias)
{
    struct inputs inputs = {35};
    const enum core_dtype dtype = select_kernels(_i);
    for (size_t classes = 1; classes <= 150; classes++)
        for (size_t stride = 0; stride < 2; stride++)
            check_mask_and_bias(dtype, 7, classes, stride, &inputs);
}
END_TEST

START_TEST(test_temperature_zero)
{
    static const double logits[] = {1, 3, -INFINITY, 3, 2, 0, 3}, none = 0;
    static const int32_t order[] = {1, 3, 6, 4, 0, 5};
    const enum core_dtype dtype = select_kernels(_i);
    struct sampling p = sampling_of(dtype, 1, 7, 6, false);
    p.call.temperature.value = &none;
    p.call.top = 7;
    p.call.distribution = CORE_SCALED;
    sampling_allocate(&p);
    p.call.log_probabilities = p.log_probabilities;
    for (size_t i = 0; i < 7; i++)
        number_put(dtype, p.logits, i, logits[i]);
    sampling_run_all(&p);
    ck_assert_mem_eq(p.indices, order, sizeof(order));
    ck_assert_mem_eq(p.top_indices, order, sizeof(order));
    ck_assert_int_eq(p.top_indices[6], -1);
    for (size_t i = 0; i < 6; i++) {
        ck_assert_double_eq(number_at(dtype, p.scores, i), logits[order[i]] - 3);
        ck_assert_double_eq(number_at(dtype, p.log_probabilities, i), i == 0 ? 0 : -INFINITY);
    }
    p.call.replacement = true;
    sampling_run_all(&p);
    for (int i = 0; i < 6; i++)
        ck_assert_int_eq(p.indices[i], 1);
    sampling_close(&p);
}
END_TEST

/* log softmax(x / T) of one row. */
static void reference_log_probabilities(const struct sampling *p, size_t r, long double *log_p)
{
    size_t classes = p->call.classes;
    long double max = -INFINITY, sum = 0;
    for (size_t j = 0; j < classes; j++)
        max = fmaxl(max, number_at(p->call.dtype, p->logits, r * classes + j));
    for (size_t j = 0; j < classes; j++) {
        log_p[j] = (number_at(p->call.dtype, p->logits, r * classes + j) - max) / p->call.temperature.value[0];
        sum += expl(log_p[j]);
    }
    for (size_t j = 0; j < classes; j++)
        log_p[j] -= logl(sum);
}

/* Whether x is the right number to `ulps`, of 1 where it is smaller. */
static void check_close(enum core_dtype dtype, size_t classes, double x, long double right, double ulps)
{
    const double ulp = epsilon_of(dtype) * exp2(floor(log2(fmax(1, fabs((double)right)))));
    if (!(fabsl(x - right) <= ulps * ulp))
        ck_abort_msg("K %zu: %.18g, not %.18Lg: %.2Lf ulp", classes, x, right, fabsl(x - right) / ulp);
}

static void check_log_probabilities(const struct sampling *p, double ulps)
{
    size_t classes = p->call.classes, draws = p->call.draws;
    const enum core_dtype dtype = p->call.dtype;
    long double *log_p = malloc(classes * sizeof(log_p[0]));
    ck_assert_ptr_nonnull(log_p);
    for (size_t r = 0; r < p->rows; r++) {
        reference_log_probabilities(p, r, log_p);
        for (size_t i = r * classes; i < (r + 1) * classes; i++)
            if (p->top_indices[i] >= 0)
                check_close(dtype, classes, number_at(dtype, p->top_log_probabilities, i), log_p[p->top_indices[i]],
                            ulps);
        for (size_t i = r * draws; i < (r + 1) * draws; i++)
            check_close(dtype, classes, number_at(dtype, p->log_probabilities, i), log_p[p->indices[i]], ulps);
    }
    free(log_p);
}

/* Scaled log-probabilities, the drawn ones among the top ones, filters or not. */
START_TEST(test_log_probabilities)
{
    static const double temperature = 0.75, top_p = 0.6;
    struct inputs inputs = {36};
    const enum core_dtype dtype = select_kernels(_i);
    for (size_t classes = 1; classes < 200000; classes = classes < 5000 ? classes * 5 / 4 + 1 : classes * 20)
        for (int order = 0; order < 4; order++) {
            struct sampling p = sampling_of(dtype, 3, classes, 4, true);
            p.call.temperature.value = &temperature;
            p.call.filters.order = &core_orders[order % 2 ? CORE_TEMPERATURE_LAST : CORE_TEMPERATURE_FIRST];
            if (order / 2)
                p.call.filters.values[CORE_TOP_P].value = &top_p;
            p.call.top = classes;
            p.call.distribution = CORE_SCALED;
            sampling_allocate(&p);
            p.call.log_probabilities = p.log_probabilities;
            fill_numbers(dtype, p.logits, 3, classes, LOGITS_HOLES, &inputs);
            sampling_run_all(&p);
            check_log_probabilities(&p, 4);
            sampling_close(&p);
        }
}
END_TEST

TEST_SUITE("core")
{
    Suite *suite = suite_create("core sampling");
    TCase *draws = tcase_create("draws");
    tcase_set_timeout(draws, 120);
    tcase_add_kernels_test(draws, test_first_maximum);
    tcase_add_kernels_test(draws, test_many_draws);
    tcase_add_isa_test(draws, test_precisions_agree);
    tcase_add_kernels_test(draws, test_without_replacement);
    tcase_add_kernels_test(draws, test_distribution);
    tcase_add_kernels_test(draws, test_pairs);
    tcase_add_kernels_test(draws, test_mask_and_bias);
    tcase_add_kernels_test(draws, test_temperature_zero);
    tcase_add_kernels_test(draws, test_log_probabilities);
    suite_add_tcase(suite, draws);

    return suite;
}
