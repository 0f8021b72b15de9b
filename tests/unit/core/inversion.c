/* core_categorical with CORE_INVERSE_CDF: which classes are drawn, against cumulative sums in wider precision. */
#include "lib/suite.h"
#include "reference.h"
#include "sampling_problem.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static const size_t class_counts[] = {1, 2, 10, 16, 17, 63, 64, 65, 300, 1000};

/* The uniform number of draw i: 53 bits of two words of the row. */
static double uniform_of(const struct core_noise *noise, size_t row, size_t i)
{
    const uint64_t draw = (uint64_t)noise->draw + i, seed = noise->seed[row * noise->stride];
    const uint32_t key[2] = {(uint32_t)seed, (uint32_t)(seed >> 32)};
    const uint32_t counter[4] = {(uint32_t)(draw / 2), noise->row_offset + (noise->stride == 0 ? (uint32_t)row : 0), 0,
                                 5};
    uint32_t words[4];
    reference_philox(counter, key, words);
    const uint64_t pair = (uint64_t)words[draw % 2 * 2] << 32 | words[draw % 2 * 2 + 1];
    return ldexp((double)(pair >> 11), -53);
}

static double logit_of(const struct sampling *p, size_t row, size_t class)
{
    return number_at(p->call.dtype, p->logits, row * p->call.classes + class);
}

/* c[j] = the sum of exp((x - max) / T) up to class j. */
static void cumulate(const struct sampling *p, size_t row, long double temperature, long double *c)
{
    long double max = -INFINITY, sum = 0;
    for (size_t j = 0; j < p->call.classes; j++)
        max = fmaxl(max, logit_of(p, row, j));
    for (size_t j = 0; j < p->call.classes; j++)
        c[j] = sum += expl((logit_of(p, row, j) - max) / temperature);
}

/* The draw's number is in the part of its class, but for the roundings of the masses; and that has a mass. */
static void check_draw(const struct sampling *p, size_t row, size_t i, const long double *c)
{
    const size_t classes = p->call.classes, class = (size_t)p->indices[row * p->call.draws + i];
    ck_assert_uint_lt(class, classes);
    const long double target = uniform_of(&p->call.noise, row, i) * c[classes - 1];
    const long double before = class > 0 ? c[class - 1] : 0, slack = 40 * epsilon_of(p->call.dtype);
    if (!(before <= target * (1 + slack) && target <= c[class] * (1 + slack)))
        ck_abort_msg("K %zu, row %zu, draw %zu: class %zu of %.18Lg .. %.18Lg, not of %.18Lg", classes, row, i, class,
                     before, c[class], target);
    ck_assert(logit_of(p, row, class) > -INFINITY);
}

static struct sampling problem(enum core_dtype dtype, size_t rows, size_t classes, size_t draws)
{
    struct sampling p = sampling_of(dtype, rows, classes, draws, true);
    p.call.method = CORE_INVERSE_CDF;
    return p;
}

static void allocate(struct sampling *p, enum logits_kind kind, struct inputs *inputs)
{
    sampling_allocate(p);
    p->call.scores = NULL;
    fill_numbers(p->call.dtype, p->logits, p->rows, p->call.classes, kind, inputs);
}

static const enum logits_kind kinds[] = {LOGITS_NORMAL, LOGITS_HOLES, LOGITS_EQUAL, LOGITS_WIDE};

static void check(enum core_dtype dtype, size_t classes, size_t draws, double temperature, enum logits_kind kind,
                  struct inputs *inputs)
{
    struct sampling p = problem(dtype, 3, classes, draws);
    long double *c = malloc(classes * sizeof *c);
    ck_assert_ptr_nonnull(c);
    p.call.temperature.value = &temperature;
    p.call.noise.draw += (uint32_t)(classes % 2);
    allocate(&p, kind, inputs);
    sampling_run_all(&p);
    for (size_t row = 0; row < 3; row++) {
        cumulate(&p, row, temperature, c);
        for (size_t i = 0; i < draws; i++)
            check_draw(&p, row, i, c);
    }
    free(c);
    sampling_close(&p);
}

/* With few draws the sums are searched, with many there is a guide to them. */
START_TEST(test_the_part_of_the_sum)
{
    static const double temperatures[] = {0.5, 1, 2.5};
    static const size_t draws[] = {1, 2, 255, 513};
    struct inputs inputs = {81};
    const enum core_dtype dtype = select_kernels(_i);
    for (size_t i = 0; i < COUNT(class_counts); i++)
        for (size_t k = 0; k < 4; k++)
            for (size_t n = 0; n < 4; n++)
                check(dtype, class_counts[i], draws[n], temperatures[(i + n) % 3], kinds[k], &inputs);
    check(dtype, 128256, 1, 1, LOGITS_NORMAL, &inputs);
    check(dtype, 128256, 5000, 1, LOGITS_NORMAL, &inputs);
}
END_TEST

/* A draw is the same by itself, in any part, with any offset; strided; and with what else is asked for. */
START_TEST(test_the_same_draw_on_every_way)
{
    struct inputs inputs = {82};
    const enum core_dtype dtype = select_kernels(_i);
    enum { ROWS = 6, DRAWS = 700 };
    for (size_t i = 0; i < COUNT(class_counts); i++) {
        const size_t classes = class_counts[i];
        struct sampling p = problem(dtype, ROWS, classes, DRAWS);
        allocate(&p, kinds[i % 4], &inputs);
        sampling_run_all(&p);
        int32_t *whole = malloc(ROWS * DRAWS * sizeof *whole), *one = malloc(ROWS * sizeof *one);
        ck_assert(whole != NULL && one != NULL);
        memcpy(whole, p.indices, ROWS * DRAWS * sizeof *whole);
        memset(p.indices, 0x55, ROWS * DRAWS * sizeof *whole);
        p.call.log_probabilities = p.log_probabilities;
        for (size_t first = 0, step = 1; first < DRAWS; first += step, step += 13) {
            p.call.part = (struct core_draws){first, first + step < DRAWS ? step : DRAWS - first};
            sampling_run_all(&p);
        }
        ck_assert_mem_eq(p.indices, whole, ROWS * DRAWS * sizeof *whole);
        struct core_categorical_call single = p.call;
        single.part.count = 0;
        single.draws = 1;
        single.indices = one;
        single.log_probabilities = NULL;
        single.noise.draw += 333;
        size_t bad;
        ck_assert_int_eq(core_categorical(&single, 0, ROWS, p.scratch, &bad), CORE_OK);
        for (size_t row = 0; row < ROWS; row++)
            ck_assert_int_eq(one[row], whole[row * DRAWS + 333]);
        char *strided = malloc(ROWS * classes * core_dtype_size(dtype));
        ck_assert_ptr_nonnull(strided);
        for (size_t k = 0; k < ROWS * classes; k++)
            number_put(dtype, strided, (k / classes / 3 * classes + k % classes) * 3 + k / classes % 3,
                       number_at(dtype, p.logits, k));
        single = p.call;
        single.part.count = 0;
        single.logits = strided;
        single.inner = 3;
        ck_assert_int_eq(core_categorical(&single, 0, ROWS, p.scratch, &bad), CORE_OK);
        ck_assert_mem_eq(p.indices, whole, ROWS * DRAWS * sizeof *whole);
        free(strided);
        free(whole);
        free(one);
        sampling_close(&p);
    }
}
END_TEST

/* Filters, mask and bias make the classes impossible that they make so with noise; greedy is greedy. */
START_TEST(test_what_is_kept)
{
    static const double three = 3, zero = 0, bias = -INFINITY;
    static const uint32_t biased = 1;
    struct inputs inputs = {83};
    const enum core_dtype dtype = select_kernels(_i);
    enum { CLASSES = 100, DRAWS = 2000 };
    uint8_t allowed[CLASSES], seen[2][CLASSES];
    for (size_t j = 0; j < CLASSES; j++)
        allowed[j] = j % 7 != 3;
    for (int way = 0; way < 8; way++) {
        memset(seen, 0, sizeof seen);
        for (int method = 0; method < 2; method++) {
            inputs.state = 83;
            struct sampling p = problem(dtype, 1, CLASSES, DRAWS);
            p.call.method = method ? CORE_INVERSE_CDF : CORE_GUMBEL_MAX;
            if (way & 1)
                p.call.filters.values[CORE_TOP_K].value = &three;
            if (way & 2)
                p.call.mask.allowed = allowed;
            if (way & 4)
                p.call.bias = (struct core_logit_bias){&biased, &bias, 1};
            if (way == 2)
                p.call.temperature.value = &zero;
            allocate(&p, LOGITS_NORMAL, &inputs);
            sampling_run_all(&p);
            for (size_t i = 0; i < DRAWS; i++)
                seen[method][p.indices[i]] = 1;
            sampling_close(&p);
        }
        if ((way & 1) || way == 2)
            ck_assert_mem_eq(seen[0], seen[1], CLASSES);
        for (size_t j = 0; j < CLASSES; j++)
            ck_assert(!seen[1][j] || !((way & 2 && !allowed[j]) || (way & 4 && j == biased)));
    }
}
END_TEST

/* Of 200,000 draws each class comes as often as its probability says: chi-square with 9 degrees, 99.999 % of it. */
START_TEST(test_frequencies)
{
    enum { CLASSES = 10, DRAWS = 200000 };
    struct inputs inputs = {84};
    int32_t counts[CLASSES] = {0};
    long double c[CLASSES], statistic = 0;
    struct sampling p = problem(select_kernels(_i), 1, CLASSES, DRAWS);
    p.call.counts = counts;
    allocate(&p, LOGITS_EQUAL, &inputs);
    for (size_t j = 0; j < CLASSES; j++)
        number_put(p.call.dtype, p.logits, j, -0.3 * (double)j);
    sampling_run_all(&p);
    cumulate(&p, 0, 1, c);
    for (size_t j = 0; j < CLASSES; j++) {
        const long double expected = DRAWS * (c[j] - (j > 0 ? c[j - 1] : 0)) / c[CLASSES - 1];
        statistic += (counts[j] - expected) * (counts[j] - expected) / expected;
    }
    ck_assert_ldouble_lt(statistic, 41.0L);
    sampling_close(&p);
}
END_TEST

TEST_SUITE("core")
{
    Suite *suite = suite_create("core inversion");
    TCase *inversion = tcase_create("inversion");
    tcase_set_timeout(inversion, 60);
    tcase_add_kernels_test(inversion, test_the_part_of_the_sum);
    tcase_add_kernels_test(inversion, test_the_same_draw_on_every_way);
    tcase_add_kernels_test(inversion, test_what_is_kept);
    tcase_add_kernels_test(inversion, test_frequencies);
    suite_add_tcase(suite, inversion);
    return suite;
}
