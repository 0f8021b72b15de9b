/* core_categorical: log-probabilities of the three distributions, ranks, what the filters kept and the entropy, against
 * sums of long doubles over the classes that the core says it kept. */
#include "lib/suite.h"
#include "sampling_problem.h"

#include <math.h>
#include <stdlib.h>

enum { ROWS = 5, DRAWS = 3 };

/* A row as it is defined: logits, with mask alone and with the bias too, and which classes were kept. */
struct reference {
    size_t classes, kept_count;
    double temperature;
    long double *raw, *scaled, *log_p[CORE_DISTRIBUTION_COUNT];
    bool *kept;
};

static struct reference reference_of(size_t classes)
{
    struct reference r = {.classes = classes, .kept = calloc(classes, sizeof(bool))};
    ck_assert_ptr_nonnull(r.kept);
    long double **arrays[] = {&r.raw, &r.scaled, &r.log_p[CORE_RAW], &r.log_p[CORE_SCALED], &r.log_p[CORE_FILTERED]};
    for (size_t i = 0; i < sizeof(arrays) / sizeof(arrays[0]); i++)
        ck_assert_ptr_nonnull(*arrays[i] = calloc(classes, sizeof(long double)));
    return r;
}

static void reference_close(struct reference *r)
{
    free(r->raw);
    free(r->scaled);
    for (int i = 0; i < CORE_DISTRIBUTION_COUNT; i++)
        free(r->log_p[i]);
    free(r->kept);
}

static long double biased(const struct sampling *p, size_t class, long double x)
{
    for (size_t i = 0; i < p->call.bias.count; i++)
        if (p->call.bias.classes[i] == class)
            x = p->call.dtype == CORE_FLOAT64 ? (double)x + p->call.bias.bias[i]
                                              : (float)x + (float)p->call.bias.bias[i];
    return x;
}

/* log softmax(x / T) over the classes that `among` has, or all; for T = 0 all on the first maximum. */
static void log_softmax(const struct reference *r, const long double *x, double temperature, const bool *among,
                        long double *log_p)
{
    long double max = -INFINITY, sum = 0;
    size_t first = 0;
    for (size_t j = r->classes; j-- > 0;)
        if ((among == NULL || among[j]) && x[j] >= max) {
            max = x[j];
            first = j;
        }
    for (size_t j = 0; j < r->classes; j++) {
        const bool in = among == NULL || among[j];
        log_p[j] = !in ? -INFINITY : temperature > 0 ? (x[j] - max) / temperature : j == first ? 0 : -INFINITY;
        sum += expl(log_p[j]);
    }
    for (size_t j = 0; j < r->classes; j++)
        log_p[j] -= logl(sum);
}

/* The classes kept are the top ones of the filtered distribution, all of them, in a call by itself. */
static void find_kept(const struct sampling *p, size_t row, const int32_t *top, struct reference *r)
{
    r->kept_count = 0;
    for (size_t j = 0; j < r->classes; j++)
        r->kept[j] = false;
    for (size_t i = 0; i < r->classes && top[row * r->classes + i] >= 0; i++, r->kept_count++)
        r->kept[top[row * r->classes + i]] = true;
    for (size_t j = 0; j < r->classes; j++) {
        const bool allowed = p->call.mask.allowed == NULL || p->call.mask.allowed[j] != 0;
        r->raw[j] = allowed ? number_at(p->call.dtype, p->logits, row * r->classes + j) : -(long double)INFINITY;
        r->scaled[j] = biased(p, j, r->raw[j]);
    }
    r->temperature = p->call.temperature.value[row * p->call.temperature.stride];
    log_softmax(r, r->raw, 1, NULL, r->log_p[CORE_RAW]);
    log_softmax(r, r->scaled, r->temperature, NULL, r->log_p[CORE_SCALED]);
    log_softmax(r, r->scaled, r->temperature, r->kept, r->log_p[CORE_FILTERED]);
}

static void require_close(const struct sampling *p, const char *what, size_t row, double got, long double right)
{
    const double tolerance = 40 * epsilon_of(p->call.dtype) * fmax(1, (double)fabsl(right));
    if (!(fabsl(got - right) <= tolerance || (isinf(got) && got == (double)right)))
        ck_abort_msg("%s of row %zu, K %zu, T %g, order %d: %.18g, not %.18Lg", what, row, p->call.classes,
                     p->call.temperature.value[row * p->call.temperature.stride],
                     p->call.filters.order == NULL ? 0 : (int)(p->call.filters.order - core_orders), got, right);
}

/* The place of the class among the logits of the distribution, where these differ by more than their roundings. */
static void require_rank(const struct sampling *p, const struct reference *r, size_t class, int32_t rank)
{
    const long double *x = p->call.distribution == CORE_RAW ? r->raw : r->scaled;
    const long double near = 8 * epsilon_of(p->call.dtype) * fmaxl(1, fabsl(x[class]));
    int32_t least = 1, most = 1;
    for (size_t j = 0; j < r->classes; j++) {
        if (p->call.distribution == CORE_FILTERED && !r->kept[j])
            continue;
        least += x[j] > x[class] + near || (x[j] == x[class] && j < class);
        most += x[j] >= x[class] - near && (x[j] != x[class] || j < class);
    }
    if (rank < least || rank > most)
        ck_abort_msg("K %zu, class %zu: rank %d, not %d to %d", r->classes, class, (int)rank, (int)least, (int)most);
}

static void check_row(const struct sampling *p, size_t row, const struct reference *r)
{
    const enum core_dtype dtype = p->call.dtype;
    const long double *scaled = r->log_p[CORE_SCALED];
    long double entropy = 0, mass = 0;
    for (size_t j = 0; j < r->classes; j++) {
        entropy -= scaled[j] > -11000 ? expl(scaled[j]) * scaled[j] : 0;
        mass += r->kept[j] ? expl(scaled[j]) : 0;
    }
    ck_assert_int_eq(p->kept[row], (int32_t)r->kept_count);
    require_close(p, "kept_mass", row, number_at(dtype, p->kept_mass, row), mass);
    require_close(p, "entropy", row, number_at(dtype, p->entropy, row), entropy);
    for (size_t i = row * DRAWS; i < (row + 1) * DRAWS; i++) {
        const size_t class = (size_t)p->indices[i];
        require_close(p, "log-probability", row, number_at(dtype, p->log_probabilities, i),
                      r->log_p[p->call.distribution][class]);
        require_close(p, "filtered log-probability", row, number_at(dtype, p->filtered_log_probabilities, i),
                      r->log_p[CORE_FILTERED][class]);
        require_rank(p, r, class, p->ranks[i]);
        ck_assert_int_eq(p->top_indices[row * r->classes + (size_t)p->ranks[i] - 1], (int32_t) class);
    }
    for (size_t i = 0; i < 2; i++)
        require_close(p, "log-probability of a named class", row,
                      number_at(dtype, p->named_log_probabilities, 2 * row + i),
                      r->log_p[p->call.distribution][p->named[i]]);
    for (size_t i = row * r->classes; i < (row + 1) * r->classes && p->top_indices[i] >= 0; i++)
        require_close(p, "top log-probability", row, number_at(dtype, p->top_log_probabilities, i),
                      r->log_p[p->call.distribution][p->top_indices[i]]);
}

/* The classes kept, from a call that wants nothing else. */
static int32_t *kept_of(const struct sampling *p)
{
    struct sampling plain = *p;
    int32_t *top = malloc(ROWS * p->call.classes * sizeof(top[0]));
    ck_assert_ptr_nonnull(top);
    plain.call.distribution = CORE_FILTERED;
    plain.call.indices = plain.call.ranks = plain.call.kept = NULL;
    plain.call.scores = plain.call.log_probabilities = plain.call.filtered_log_probabilities = NULL;
    plain.call.named_log_probabilities = plain.call.kept_mass = plain.call.entropy = plain.call.top_log_probabilities =
        NULL;
    plain.call.top_indices = top;
    sampling_run_all(&plain);
    return top;
}

static const double temperatures[][ROWS] = {
    {1, 1, 1, 1, 1}, {0.5, 2, 0, 1, 30}, {0, 0, 0, 0, 0}, {0.7, 0.7, 1e3, 1, 0}};
static const size_t counts[] = {1, 2, 3, 7, 16, 33, 63, 64, 65, 130, 257, 1000, 4099};

/* way: the filters (none, top_k, top_p, typical_p, which may drop the maximum), their order, mask, bias. */
static void check(enum core_dtype dtype, size_t classes, unsigned way, struct inputs *inputs)
{
    static const double top_k = 5, top_p = 0.7, typical_p = 0.4, bias[] = {2.5, -1.25};
    static uint8_t allowed[5000];
    const uint32_t named[] = {(uint32_t)(classes / 2), 0};
    struct sampling p = sampling_of(dtype, ROWS, classes, DRAWS, way / 8 % 2 == 0 || classes < 16);
    p.more = true;
    p.call.temperature = (struct core_per_row){temperatures[way / 3 % 4], 1};
    p.call.distribution = (enum core_distribution)(way % 3);
    p.call.filters.order = &core_orders[way / 5 % CORE_ORDER_COUNT];
    const enum core_filter filters[] = {CORE_TOP_K, CORE_TOP_P, CORE_TYPICAL_P};
    const double *const values[] = {&top_k, &top_p, &typical_p};
    if (way / 2 % 4 > 0 && p.call.replacement)
        p.call.filters.values[filters[way / 2 % 4 - 1]].value = values[way / 2 % 4 - 1];
    for (size_t j = 0; j < classes; j++)
        allowed[j] = j == 0 || j > classes / 2 || inputs_below(inputs, 3) != 0;
    p.call.mask.allowed = way / 7 % 2 ? allowed : NULL;
    p.call.bias = (struct core_logit_bias){named, bias, way / 11 % 2 * 2};
    p.call.top = classes;
    sampling_allocate(&p);
    p.call.log_probabilities = p.log_probabilities;
    fill_numbers(dtype, p.logits, ROWS, classes, way % 5 == 0 ? LOGITS_EQUAL : LOGITS_NORMAL, inputs);
    sampling_run_all(&p);
    int32_t *top = kept_of(&p);
    struct reference r = reference_of(classes);
    for (size_t row = 0; row < ROWS; row++) {
        find_kept(&p, row, top, &r);
        check_row(&p, row, &r);
    }
    reference_close(&r);
    free(top);
    sampling_close(&p);
}

START_TEST(test_distributions)
{
    struct inputs inputs = {61};
    const enum core_dtype dtype = select_kernels(_i);
    for (size_t i = 0; i < sizeof(counts) / sizeof(counts[0]); i++)
        for (unsigned way = 0; way < (counts[i] < 1000 ? 240 : 48); way++)
            check(dtype, counts[i], way, &inputs);
}
END_TEST

/* Numbers that can be checked by hand. */
START_TEST(test_a_row_by_hand)
{
    static const double cold = 0.5, one = 1, two = 2, bias[] = {1};
    static const uint32_t named[] = {2};
    const enum core_dtype dtype = select_kernels(_i);
    struct sampling p = sampling_of(dtype, 1, 3, 1, true);
    p.more = true;
    p.call.temperature.value = &cold;
    p.call.filters.values[CORE_TOP_K].value = &one;
    p.call.bias = (struct core_logit_bias){named, bias, 1};
    p.call.top = 3;
    sampling_allocate(&p);
    p.call.log_probabilities = p.log_probabilities;
    number_put(dtype, p.logits, 0, log(2)); /* raw 2 : 1 : 1 of 4, with the bias 2 : 1 : e, squared 4 : 1 : e^2 */
    number_put(dtype, p.logits, 1, 0);
    number_put(dtype, p.logits, 2, 0);
    sampling_run_all(&p);
    ck_assert_int_eq(p.indices[0], 2);
    ck_assert_int_eq(p.ranks[0], 3);
    ck_assert_int_eq(p.kept[0], 1);
    require_close(&p, "raw", 0, number_at(dtype, p.log_probabilities, 0), logl(0.25L));
    require_close(&p, "filtered", 0, number_at(dtype, p.filtered_log_probabilities, 0), 0);
    const long double e2 = expl(2), sum = 5 + e2;
    require_close(&p, "kept_mass", 0, number_at(dtype, p.kept_mass, 0), e2 / sum);
    require_close(&p, "entropy", 0, number_at(dtype, p.entropy, 0), logl(sum) - (4 * logl(4) + e2 * 2) / sum);
    p.call.distribution = CORE_SCALED;
    sampling_run_all(&p);
    ck_assert_int_eq(p.ranks[0], 1);
    require_close(&p, "scaled", 0, number_at(dtype, p.log_probabilities, 0), 2 - logl(sum));
    p.call.filters.values[CORE_TOP_K].value = &two;
    p.call.distribution = CORE_FILTERED;
    sampling_run_all(&p);
    ck_assert_int_eq(p.kept[0], 2);
    ck_assert_int_eq(p.top_indices[2], -1);
    require_close(&p, "filtered", 0, number_at(dtype, p.log_probabilities, 0), 2 - logl(4 + e2));
    sampling_close(&p);
}
END_TEST

/* At temperature 0 the raw distribution is as at any other; the others are all on one class. */
START_TEST(test_temperature_zero)
{
    static const double none = 0;
    const enum core_dtype dtype = select_kernels(_i);
    for (size_t classes = 2; classes < 100; classes += 13) {
        struct sampling p = sampling_of(dtype, 1, classes, 2, false);
        p.more = true;
        p.call.temperature.value = &none;
        sampling_allocate(&p);
        p.call.log_probabilities = p.log_probabilities;
        for (size_t j = 0; j < classes; j++)
            number_put(dtype, p.logits, j, 0);
        sampling_run_all(&p);
        for (int i = 0; i < 2; i++) {
            ck_assert_int_eq(p.indices[i], i);
            ck_assert_int_eq(p.ranks[i], i + 1);
            require_close(&p, "raw", 0, number_at(dtype, p.log_probabilities, (size_t)i), -logl((long double)classes));
            ck_assert(number_at(dtype, p.filtered_log_probabilities, (size_t)i) == (i == 0 ? 0 : -INFINITY));
        }
        ck_assert_int_eq(p.kept[0], (int32_t)classes);
        ck_assert(number_at(dtype, p.kept_mass, 0) == 1);
        ck_assert(number_at(dtype, p.entropy, 0) == 0 && !signbit(number_at(dtype, p.entropy, 0)));
        sampling_close(&p);
    }
}
END_TEST

/* Whatever else is wanted, the draws and their scores are the same. */
START_TEST(test_more_results_change_no_draw)
{
    struct inputs inputs = {62};
    const enum core_dtype dtype = select_kernels(_i);
    for (size_t i = 0; i < sizeof(counts) / sizeof(counts[0]); i++)
        for (int way = 0; way < 6; way++) {
            struct sampling few = sampling_of(dtype, ROWS, counts[i], DRAWS, way % 2 == 0 || counts[i] < DRAWS), many;
            few.call.temperature = (struct core_per_row){temperatures[way / 2], 1};
            many = few;
            many.more = true;
            sampling_allocate(&few);
            sampling_allocate(&many);
            fill_numbers(dtype, few.logits, ROWS, counts[i], LOGITS_NORMAL, &inputs);
            for (size_t j = 0; j < ROWS * counts[i]; j++)
                number_put(dtype, many.logits, j, number_at(dtype, few.logits, j));
            sampling_run_all(&few);
            sampling_run_all(&many);
            ck_assert_mem_eq(few.indices, many.indices, ROWS * DRAWS * sizeof(int32_t));
            ck_assert_mem_eq(few.scores, many.scores, ROWS * DRAWS * core_dtype_size(dtype));
            sampling_close(&few);
            sampling_close(&many);
        }
}
END_TEST

TEST_SUITE("core")
{
    Suite *suite = suite_create("core distributions");
    TCase *distributions = tcase_create("distributions");
    tcase_set_timeout(distributions, 120);
    tcase_add_kernels_test(distributions, test_distributions);
    tcase_add_kernels_test(distributions, test_a_row_by_hand);
    tcase_add_kernels_test(distributions, test_temperature_zero);
    tcase_add_kernels_test(distributions, test_more_results_change_no_draw);
    suite_add_tcase(suite, distributions);
    return suite;
}
