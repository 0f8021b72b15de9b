/* The filters of core_categorical against the plain reference: which classes are left, and their log-probabilities. */
#include "lib/suite.h"
#include "reference_filters.h"
#include "sampling_problem.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* Sums in the core err by a few 1e-6, of float64 a few 1e-14: decisions that are closer than this may go either way. */
static double close_of(enum core_dtype dtype)
{
    return dtype == CORE_FLOAT64 ? 1e-12 : 2e-5;
}

/* What one row keeps: read off the top K of the filtered distribution. */
struct outcome {
    int32_t *index;
    double *log_probability; /* or floats, in the order of `index` */
    double *log_of;          /* by class */
    bool *kept;
    size_t count;
};

struct setting {
    double temperature, top_p, min_p, typical_p, top_k;
    enum core_order_name order;
    double top_n_sigma, epsilon_cutoff, eta_cutoff, min_keep;
    struct core_order list; /* of all steps, in place of the order by name; count 0: none */
};

static const enum reference_step orders[CORE_ORDER_COUNT][STEPS] = {
    [CORE_TEMPERATURE_FIRST] = {TEMPERATURE, TOP_N_SIGMA, MIN_P, TOP_K, TYPICAL_P, TOP_P, EPSILON_CUTOFF, ETA_CUTOFF},
    [CORE_TEMPERATURE_LAST] = {TOP_N_SIGMA, TOP_K, TYPICAL_P, TOP_P, MIN_P, EPSILON_CUTOFF, ETA_CUTOFF, TEMPERATURE},
    [CORE_JOINT] = {TEMPERATURE, TOP_P, TOP_K, TOP_N_SIGMA, MIN_P, TYPICAL_P, EPSILON_CUTOFF, ETA_CUTOFF},
};

static const enum reference_step steps[CORE_STEP_COUNT] = {
    [CORE_TEMPERATURE] = TEMPERATURE,
    [CORE_TOP_K] = TOP_K,
    [CORE_TOP_P] = TOP_P,
    [CORE_MIN_P] = MIN_P,
    [CORE_TYPICAL_P] = TYPICAL_P,
    [CORE_TOP_N_SIGMA] = TOP_N_SIGMA,
    [CORE_EPSILON_CUTOFF] = EPSILON_CUTOFF,
    [CORE_ETA_CUTOFF] = ETA_CUTOFF,
};

static struct outcome outcome_open(size_t classes)
{
    struct outcome outcome = {malloc(classes * sizeof(int32_t)), malloc(classes * sizeof(double)),
                              malloc(classes * sizeof(double)), malloc(classes * sizeof(bool)), 0};
    ck_assert(outcome.index != NULL && outcome.log_probability != NULL);
    ck_assert(outcome.log_of != NULL && outcome.kept != NULL);
    return outcome;
}

static void outcome_close(struct outcome *outcome)
{
    free(outcome->index);
    free(outcome->log_probability);
    free(outcome->log_of);
    free(outcome->kept);
}

static void filter(enum core_dtype dtype, const void *logits, size_t classes, const struct setting *setting,
                   struct outcome *outcome)
{
    static const uint64_t seed = 5;
    struct core_categorical_call call = {
        .dtype = dtype,
        .logits = logits,
        .classes = classes,
        .temperature = {&setting->temperature, 0},
        .noise = {&seed, 0, 0, 0},
        .filters = {.order = setting->list.count > 0 ? &setting->list : &core_orders[setting->order],
                    .values = {[CORE_TOP_K] = {&setting->top_k, 0},
                               [CORE_TOP_P] = {&setting->top_p, 0},
                               [CORE_MIN_P] = {&setting->min_p, 0},
                               [CORE_TYPICAL_P] = {&setting->typical_p, 0},
                               [CORE_TOP_N_SIGMA] = {&setting->top_n_sigma, 0},
                               [CORE_EPSILON_CUTOFF] = {&setting->epsilon_cutoff, 0},
                               [CORE_ETA_CUTOFF] = {&setting->eta_cutoff, 0}},
                    .min_keep = {setting->min_keep != 1 ? &setting->min_keep : NULL, 0}},
        .distribution = CORE_FILTERED,
        .top = classes,
        .top_indices = outcome->index,
        .top_log_probabilities = outcome->log_probability,
    };
    size_t bad = SIZE_MAX;
    void *scratch = malloc(core_categorical_scratch(&call));
    ck_assert_int_eq(core_categorical(&call, 0, 1, scratch, &bad), CORE_OK);
    free(scratch);
    memset(outcome->kept, 0, classes * sizeof(bool));
    outcome->count = 0;
    for (size_t i = 0; i < classes; i++)
        outcome->log_of[i] = -INFINITY;
    for (size_t i = 0; i < classes; i++) {
        const double log_probability = number_at(dtype, outcome->log_probability, i);
        ck_assert_int_eq(outcome->index[i] < 0, log_probability == -INFINITY);
        if (outcome->index[i] < 0)
            continue;
        ck_assert_uint_eq(i, outcome->count); /* none after the first -1 */
        ck_assert(!outcome->kept[outcome->index[i]]);
        outcome->kept[outcome->index[i]] = true;
        outcome->log_of[outcome->index[i]] = log_probability;
        outcome->count++;
    }
}

static void fail_at(const char *what, size_t classes, const struct setting *s, size_t class)
{
    char list[CORE_STEP_COUNT + 1] = "";
    for (size_t i = 0; i < s->list.count; i++)
        list[i] = (char)('a' + s->list.steps[i]);
    ck_abort_msg(
        "%s: K %zu, order %d %s, T %g, top_k %g, typical_p %g, top_p %g, min_p %g, top_n_sigma %g, epsilon %g, "
        "eta %g, min_keep %g, class %zu",
        what, classes, (int)s->order, list, s->temperature, s->top_k, s->typical_p, s->top_p, s->min_p, s->top_n_sigma,
        s->epsilon_cutoff, s->eta_cutoff, s->min_keep, class);
}

static bool is_log_probability(enum core_dtype dtype, double got, long double right)
{
    const double epsilon = epsilon_of(dtype);
    return fabsl(got - right) <= 80 * epsilon + 8 * epsilon * fabsl(right);
}

static struct reference_filters reference_of(const struct setting *s)
{
    struct reference_filters filters = {.value = {[TEMPERATURE] = s->temperature,
                                                  [TOP_K] = s->top_k,
                                                  [TOP_P] = s->top_p,
                                                  [MIN_P] = s->min_p,
                                                  [TYPICAL_P] = s->typical_p,
                                                  [TOP_N_SIGMA] = s->top_n_sigma,
                                                  [EPSILON_CUTOFF] = s->epsilon_cutoff,
                                                  [ETA_CUTOFF] = s->eta_cutoff},
                                        .min_keep = s->min_keep > 1 ? (size_t)s->min_keep : 1};
    memcpy(filters.order, orders[s->order], sizeof(filters.order));
    for (size_t i = 0; i < s->list.count; i++)
        filters.order[i] = steps[s->list.steps[i]];
    return filters;
}

/* Compares one row; returns whether its decisions were clear. */
static bool check_row(enum core_dtype dtype, const void *logits, size_t classes, const struct setting *s)
{
    struct outcome got = outcome_open(classes);
    double *x = malloc(classes * sizeof(x[0])), differ = 0;
    long double *log_p = malloc(classes * sizeof(log_p[0]));
    bool *kept = malloc(classes * sizeof(bool));
    const struct reference_filters filters = reference_of(s);
    ck_assert(x != NULL && log_p != NULL && kept != NULL);
    for (size_t j = 0; j < classes; j++)
        x[j] = number_at(dtype, logits, j);
    const bool clear = reference_filter(x, classes, &filters, kept, log_p) > close_of(dtype);
    filter(dtype, logits, classes, s, &got);
    ck_assert_uint_gt(got.count, 0);
    for (size_t j = 0; j < classes; j++) {
        if (kept[j] != got.kept[j]) {
            if (clear)
                fail_at(kept[j] ? "dropped" : "kept", classes, s, j);
            differ += exp(kept[j] ? (double)log_p[j] : got.log_of[j]);
        } else if (kept[j] && clear && !is_log_probability(dtype, got.log_of[j], log_p[j]))
            fail_at("log-probability", classes, s, j);
    }
    if (!clear && classes > 1000 && differ > 1e-3) /* of many classes, those at the cut weigh little */
        fail_at("too much differs", classes, s, 0);
    outcome_close(&got);
    free(x);
    free(log_p);
    free(kept);
    return clear;
}

static double pick(struct inputs *inputs, double off, const double *values, size_t count)
{
    size_t i = inputs_below(inputs, 2 * count);
    return i < count ? values[i] : off;
}

/* Parameters that are floats, so that float32 calls do not round them. */
static struct setting any_setting(size_t classes, struct inputs *inputs)
{
    static const double temperatures[] = {0.25f, 0.5f, 1, 1, 1.7f, 3};
    static const double top_p[] = {0, 1e-30f, 0.1f, 0.5f, 0.8f, 0.95f, 0.999f, 0.99999f, 0.99999994f};
    static const double min_p[] = {1e-30f, 1e-3f, 0.05f, 0.3f, 2}, typical_p[] = {1e-3f, 0.2f, 0.6f, 0.9f, 0.99f};
    static const double sigmas[] = {-1, 0.01f, 0.5f, 1, 2}, cutoffs[] = {1e-30f, 1e-5f, 1e-3f, 0.02f, 1};
    return (struct setting){
        .temperature = temperatures[inputs_below(inputs, 6)],
        .top_p = pick(inputs, 1, top_p, 9),
        .min_p = pick(inputs, 0, min_p, 5),
        .typical_p = pick(inputs, 1, typical_p, 5),
        .top_k = inputs_below(inputs, 2) ? (double)inputs_below(inputs, classes + 2) : 0,
        .order = (enum core_order_name)inputs_below(inputs, CORE_ORDER_COUNT),
        .top_n_sigma = inputs_below(inputs, 2) ? pick(inputs, 0, sigmas, 5) : 0,
        .epsilon_cutoff = inputs_below(inputs, 2) ? pick(inputs, 0, cutoffs, 5) : 0,
        .eta_cutoff = inputs_below(inputs, 2) ? pick(inputs, 0, cutoffs, 5) : 0,
        .min_keep = inputs_below(inputs, 3) ? 1 : (double)inputs_below(inputs, classes + 2),
    };
}

/* All steps in any order. */
static void shuffle(struct core_order *order, struct inputs *inputs)
{
    order->count = CORE_STEP_COUNT;
    for (size_t i = 0; i < CORE_STEP_COUNT; i++) {
        const size_t j = inputs_below(inputs, i + 1);
        order->steps[i] = order->steps[j];
        order->steps[j] = (uint8_t)i;
    }
}

/* Ties abound: eighths. */
static void fill_tied(enum core_dtype dtype, void *logits, size_t classes, struct inputs *inputs)
{
    for (size_t j = 0; j < classes; j++)
        number_put(dtype, logits, j, (double)inputs_below(inputs, 24) / 8);
}

static void check_kinds(enum core_dtype dtype, size_t classes, int turns, struct inputs *inputs, size_t *clear,
                        size_t *all)
{
    void *logits = malloc(classes * sizeof(double));
    ck_assert_ptr_nonnull(logits);
    for (int turn = 0; turn < turns; turn++) {
        int kind = turn % (LOGITS_KINDS + 2);
        struct setting setting = any_setting(classes, inputs);
        if (kind >= LOGITS_KINDS)
            fill_tied(dtype, logits, classes, inputs);
        else
            fill_numbers(dtype, logits, 1, classes, kind, inputs);
        if (kind == LOGITS_TINY) /* the distances to the entropy vanish against the reference's roundings */
            setting.typical_p = 1;
        if (kind == LOGITS_HUGE) /* the core limits differences of logits, the reference does not */
            setting.top_n_sigma = 0;
        if (kind == LOGITS_TINY || kind == LOGITS_HUGE) /* divided, they would tie or overflow */
            setting.temperature = 1;
        if (inputs_below(inputs, 3) == 0)
            shuffle(&setting.list, inputs);
        *clear += check_row(dtype, logits, classes, &setting);
        ++*all;
    }
    free(logits);
}

START_TEST(test_every_class_count)
{
    struct inputs inputs = {21};
    size_t clear = 0, all = 0;
    const enum core_dtype dtype = select_kernels(_i);
    for (size_t classes = 1; classes <= 300; classes++)
        check_kinds(dtype, classes, classes <= 100 ? 48 : 16, &inputs, &clear, &all);
    ck_assert_uint_gt(clear * 2, all);
}
END_TEST

START_TEST(test_large_class_counts)
{
    static const size_t counts[] = {1000, 4097, 32000, 128256};
    struct inputs inputs = {22};
    size_t clear = 0, all = 0;
    const enum core_dtype dtype = select_kernels(_i);
    for (size_t i = 0; i < 4; i++)
        check_kinds(dtype, counts[i], counts[i] > 10000 ? 8 : 24, &inputs, &clear, &all);
}
END_TEST

static uint64_t kept_of(enum core_dtype dtype, const void *logits, size_t classes, const struct setting *setting)
{
    struct outcome got = outcome_open(classes);
    uint64_t set = 0;
    filter(dtype, logits, classes, setting, &got);
    for (size_t j = 0; j < classes; j++)
        set |= (uint64_t)got.kept[j] << j;
    outcome_close(&got);
    return set;
}

START_TEST(test_examples)
{
    static const double descending[] = {3, 2, 1}, tied[] = {1, 1, 1, 1, 0, 1};
    static const struct {
        const double *logits;
        size_t classes;
        struct setting setting;
        uint64_t kept;
    } examples[] = {
        {descending, 3, {.temperature = 0.5f, .top_p = 0.8f, .typical_p = 1}, 1},
        {descending, 3, {.temperature = 0.5f, .top_p = 0.8f, .typical_p = 1, .order = CORE_TEMPERATURE_LAST}, 3},
        {descending, 3, {.temperature = 1, .top_p = 0, .typical_p = 1}, 1},
        {descending, 3, {.temperature = 1, .top_p = 1, .min_p = 1, .typical_p = 1}, 1},
        {descending, 3, {.temperature = 1, .top_p = 1, .min_p = 0.2f, .typical_p = 1}, 3},
        {descending, 3, {.temperature = 2, .top_p = 1, .min_p = 0.2f, .typical_p = 1}, 7},
        {descending,
         3,
         {.temperature = 2, .top_p = 1, .min_p = 0.2f, .typical_p = 1, .order = CORE_TEMPERATURE_LAST},
         3},
        {descending, 3, {.temperature = 1, .top_p = 1, .typical_p = 0.01f, .order = CORE_TEMPERATURE_LAST}, 1},
        {tied, 6, {.temperature = 1, .top_p = 1, .typical_p = 1, .top_k = 3}, 7},
        {tied, 6, {.temperature = 1, .top_p = 1, .typical_p = 1, .top_k = 5, .order = CORE_TEMPERATURE_LAST}, 0x2f},
        {tied, 6, {.temperature = 1, .top_p = 0.3f, .typical_p = 1}, 3},
        {tied, 6, {.temperature = 1, .top_p = 1, .min_p = 1, .typical_p = 1}, 0x2f},
        {tied, 6, {.temperature = 1, .top_p = 0.6f, .typical_p = 1, .top_k = 2}, 3},
        {descending, 3, {.temperature = 1, .top_p = 0.7f, .typical_p = 1, .top_k = 2}, 1},
        {descending, 3, {.temperature = 1, .top_p = 0.7f, .typical_p = 1, .top_k = 2, .order = CORE_JOINT}, 3},
        {descending, 3, {.temperature = 1, .top_p = 0, .typical_p = 1, .min_keep = 2}, 3},
        {descending, 3, {.temperature = 1, .top_p = 1, .typical_p = 1, .top_k = 1, .min_keep = 4}, 7},
        {tied, 6, {.temperature = 1, .top_p = 1, .min_p = 1, .typical_p = 1, .min_keep = 6}, 0x3f},
        {tied, 6, {.temperature = 1, .top_p = 1, .typical_p = 0.01f, .min_keep = 3}, 7},
        {tied, 6, {.temperature = 1, .top_p = 1, .typical_p = 1, .top_n_sigma = 1}, 0x2f},
        {tied, 6, {.temperature = 1, .top_p = 1, .typical_p = 1, .top_n_sigma = 2.75f}, 0x3f},
        {tied, 6, {.temperature = 1, .top_p = 1, .typical_p = 1, .epsilon_cutoff = 1}, 0x2f},
        {tied, 6, {.temperature = 1, .top_p = 1, .typical_p = 1, .eta_cutoff = 1}, 0x2f},
    };
    const enum core_dtype dtype = select_kernels(_i);
    for (size_t i = 0; i < sizeof(examples) / sizeof(examples[0]); i++) {
        double logits[6]; /* or floats */
        for (size_t j = 0; j < examples[i].classes; j++)
            number_put(dtype, logits, j, examples[i].logits[j]);
        ck_assert_msg(kept_of(dtype, logits, examples[i].classes, &examples[i].setting) == examples[i].kept,
                      "example %zu", i);
    }
}
END_TEST

/* What other libraries expect in their own tests, of logits log p: llama.cpp's test-sampling.cpp, transformers'
 * test_logits_process.py. */
START_TEST(test_peers_examples)
{
    static const double tenths[] = {0.1, 0.2, 0.3, 0.4}, steep[] = {0.87, 0.099, 0.001, 0.03},
                        flat[] = {0.4, 0.299, 0.101, 0.2}, three[] = {0, 0.1, 0.8, 0.1},
                        high[] = {0.01, 0.04, 0.9, 0.05};
    static const struct {
        const double *p;
        struct setting setting;
        uint64_t kept;
    } examples[] = {
        {tenths, {.temperature = 1, .top_p = 1, .typical_p = 1, .top_n_sigma = 1}, 0xc},
        {tenths, {.temperature = 1, .top_p = 1, .typical_p = 1, .top_n_sigma = 0}, 0xf},
        {tenths, {.temperature = 1, .top_p = 1, .typical_p = 1, .top_n_sigma = 3}, 0xf},
        {tenths, {.temperature = 1, .top_p = 1, .min_p = 0.74f, .typical_p = 1}, 0xc},
        {tenths, {.temperature = 1, .top_p = 1, .min_p = 0.76f, .typical_p = 1}, 0x8},
        {tenths, {.temperature = 1, .top_p = 1, .min_p = 1.05f, .typical_p = 1}, 0x8},
        {steep, {.temperature = 1, .top_p = 1, .typical_p = 1, .epsilon_cutoff = 0.1f}, 0x1},
        {flat, {.temperature = 1, .top_p = 1, .typical_p = 1, .epsilon_cutoff = 0.1f}, 0xf},
        {steep, {.temperature = 1, .top_p = 1, .typical_p = 1, .epsilon_cutoff = 0.1f, .min_keep = 2}, 0x3},
        {three, {.temperature = 1, .top_p = 1, .typical_p = 1, .eta_cutoff = 0.0625f}, 0xe},
        {high, {.temperature = 1, .top_p = 1, .typical_p = 1, .eta_cutoff = 0.0625f}, 0x4},
    };
    const enum core_dtype dtype = select_kernels(_i);
    for (size_t i = 0; i < sizeof(examples) / sizeof(examples[0]); i++) {
        double logits[4]; /* or floats */
        for (size_t j = 0; j < 4; j++)
            number_put(dtype, logits, j, log(examples[i].p[j]));
        ck_assert_msg(kept_of(dtype, logits, 4, &examples[i].setting) == examples[i].kept, "example %zu", i);
    }
}
END_TEST

/* The nucleus of K equal logits is the first ceil(p K) classes; so it is with top_k and typical_p. */
START_TEST(test_equal_logits)
{
    const enum core_dtype dtype = select_kernels(_i);
    for (size_t classes = 1; classes < 6000; classes = classes * 3 / 2 + 1) {
        void *logits = malloc(classes * sizeof(double));
        ck_assert_ptr_nonnull(logits);
        struct outcome got = outcome_open(classes);
        for (size_t j = 0; j < classes; j++)
            number_put(dtype, logits, j, -3);
        for (int filter_kind = 0; filter_kind < 3; filter_kind++) {
            struct setting setting = {.temperature = 1, .top_p = 1, .typical_p = 1};
            size_t expected = (classes + 1) / 2;
            if (filter_kind == 0)
                setting.top_k = (double)expected;
            else
                *(filter_kind == 1 ? &setting.top_p : &setting.typical_p) = 0.5f;
            filter(dtype, logits, classes, &setting, &got);
            ck_assert_uint_eq(got.count, expected);
            for (size_t j = 0; j < expected; j++)
                ck_assert(got.kept[j]);
        }
        outcome_close(&got);
        free(logits);
    }
}
END_TEST

TEST_SUITE("core")
{
    Suite *suite = suite_create("core filters");
    TCase *tcase = tcase_create("against long double");
    tcase_set_timeout(tcase, 120);
    tcase_add_kernels_test(tcase, test_every_class_count);
    tcase_add_kernels_test(tcase, test_large_class_counts);
    tcase_add_kernels_test(tcase, test_examples);
    tcase_add_kernels_test(tcase, test_peers_examples);
    tcase_add_kernels_test(tcase, test_equal_logits);
    suite_add_tcase(suite, tcase);
    return suite;
}
