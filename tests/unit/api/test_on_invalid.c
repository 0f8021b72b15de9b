/* on_invalid by enumeration: each row of three classes whose logits are a number, -inf, +inf or NaN, under each mask of
 * its own or of all rows, with each class biased or forbidden, in both precisions. What a row then is follows from a
 * few lines here. */
#include "call/call.h"
#include "lib/assertions.h"
#include "lib/suite.h"
#include "sampling.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { K = 3, DRAWS = 8, VALUES = 4, BIASES = 3, LOGITS = VALUES * VALUES * VALUES, MASKS = 1 << K, KINDS_OF_MASK = 2 };

/* One case; a mask of all rows stands beside a second row, which is valid. */
struct setting {
    enum core_dtype dtype;
    enum api_on_invalid mode;
    bool common_mask, replacement;
    double logits[K], bias[K];
    bool allowed[K];
    int top_k;
};

static const char *const modes[] = {
    [API_INVALID_ERROR] = "error",
    [API_INVALID_ZERO] = "zero",
    [API_INVALID_UNIFORM] = "uniform",
    [API_INVALID_NAN] = "nan",
};

/* ---- What is expected ---- */

enum outcome { AS_IT_IS, REFUSED, ZEROED, UNIFORM, MADE_NAN };

/* weight[j] > 0: of a class that can be drawn, its share; for AS_IT_IS and UNIFORM. */
static enum outcome expect(const struct setting *setting, double *weight)
{
    static const enum outcome outcomes[] = {REFUSED, ZEROED, UNIFORM, MADE_NAN};
    bool nan = false, infinite = false, possible = false, allowed = false, unbiased = false;
    for (int j = 0; j < K; j++) {
        if (!setting->allowed[j])
            continue;
        allowed = true;
        nan |= isnan(setting->logits[j]);
        infinite |= setting->logits[j] == INFINITY;
        unbiased |= setting->bias[j] > -INFINITY;
        possible |= setting->logits[j] + setting->bias[j] > -INFINITY;
    }
    const bool valid = !nan && !infinite && possible;
    const enum outcome outcome = valid                                              ? AS_IT_IS
                                 : setting->mode == API_INVALID_ERROR               ? REFUSED
                                 : nan                                              ? MADE_NAN
                                 : !allowed && setting->mode == API_INVALID_UNIFORM ? ZEROED
                                                                                    : outcomes[setting->mode];
    for (int j = 0; j < K; j++) {
        const double logit = outcome == UNIFORM ? 0 : setting->logits[j];
        const double bias = outcome == UNIFORM && !unbiased ? 0 : setting->bias[j];
        weight[j] = setting->allowed[j] ? exp(logit + bias) : 0;
    }
    return outcome;
}

/* ---- What is computed ---- */

static struct api_tensor tensor(enum api_parameter_id id, enum api_dtype dtype, size_t rows)
{
    const struct api_tensor tensor = {.name = api_parameters[id].name,
                                      .dtype = dtype,
                                      .data = calloc(rows * K, sizeof(double)),
                                      .count = rows * K,
                                      .rank = 2,
                                      .shape = {rows, K}};
    return tensor;
}

/* The first row is the case's, the second one valid. */
static struct api_tensor logits_of(const struct setting *setting)
{
    const bool wide = setting->dtype == CORE_FLOAT64;
    struct api_tensor logits = tensor(API_LOGITS, wide ? API_FLOAT64 : API_FLOAT32, 2);
    for (int j = 0; j < K; j++)
        if (wide)
            ((double *)logits.data)[j] = setting->logits[j];
        else
            ((float *)logits.data)[j] = (float)setting->logits[j];
    return logits;
}

static struct api_tensor mask_of(const struct setting *setting)
{
    struct api_tensor mask = tensor(API_MASK, API_BOOL, setting->common_mask ? 1 : 2);
    memset(mask.data, 1, mask.count);
    for (int j = 0; j < K; j++)
        ((uint8_t *)mask.data)[j] = setting->allowed[j];
    if (setting->common_mask)
        mask = (struct api_tensor){
            .name = mask.name, .dtype = API_BOOL, .data = mask.data, .count = K, .rank = 1, .shape = {K}};
    return mask;
}

/* Of the first row alone. */
static struct api_tensor top_k_of(const struct setting *setting)
{
    double *data = calloc(2, sizeof *data);
    data[0] = setting->top_k;
    return (struct api_tensor){.name = api_parameters[API_FILTER + CORE_TOP_K].name,
                               .dtype = API_FLOAT64,
                               .data = data,
                               .count = 2,
                               .rank = 1,
                               .shape = {2}};
}

static json_t *members_of(const struct setting *setting, enum api_function_id function)
{
    json_t *members = json_pack("{ss sf}", "on_invalid", modes[setting->mode], "seed", 3.0), *bias = json_object();
    if (function == API_SOFTMAX || function == API_LOG_SOFTMAX)
        json_object_del(members, "seed");
    for (int j = 0; j < K; j++)
        if (setting->bias[j] != 0)
            json_object_set_new(bias, (const char[]){(char)('0' + j), '\0'},
                                isinf(setting->bias[j]) ? json_null() : json_real(setting->bias[j]));
    if (function == API_CATEGORICAL)
        json_object_update_new(members,
                               json_pack("{so sb sf sf ss}", "logit_bias", bias, "replacement", setting->replacement,
                                         "num_samples", setting->replacement ? (double)DRAWS : 2.0, "logprobs",
                                         (double)K, "logprobs_of", "filtered"));
    else
        json_decref(bias);
    return members;
}

/* The finished call, to be freed; NULL and the problem if it failed. */
static struct api_call *compute(const struct setting *setting, enum api_function_id function,
                                struct api_problem *problem)
{
    struct api_tensor tensors[] = {logits_of(setting), mask_of(setting), top_k_of(setting)};
    struct call_source source = {
        .function = &api_functions[function], .tensors = tensors, .tensor_count = function == API_CATEGORICAL ? 3 : 2};
    struct api_call *call;
    json_t *members = members_of(setting, function);
    call_give(&source, members);
    ck_assert_int_eq(call_build(&source, &call, problem), 0);
    const int result = api_compute(call, 0, 2, problem);
    if (result == 0)
        ck_assert_int_eq(call_finish(call, SIZE_MAX, problem), 0);
    for (int i = 0; i < 3; i++)
        free(tensors[i].data);
    json_decref(members);
    if (result == 0)
        return call;
    api_call_free(call);
    return NULL;
}

static double number(const struct api_call *call, size_t result, size_t at)
{
    const struct api_tensor *tensor = &call->results[result];
    return tensor->dtype == API_FLOAT64 ? ((const double *)tensor->data)[at]
                                        : (double)((const float *)tensor->data)[at];
}

/* ---- Comparing ---- */

static void complain(const struct setting *setting, const char *what, const double *weight)
{
    ck_abort_msg("%s: %s, float%d, mask %d%d%d of %s, logits %g %g %g, bias %g %g %g, top_k %d: weights %g %g %g", what,
                 modes[setting->mode], setting->dtype == CORE_FLOAT64 ? 64 : 32, setting->allowed[0],
                 setting->allowed[1], setting->allowed[2], setting->common_mask ? "all rows" : "the row",
                 setting->logits[0], setting->logits[1], setting->logits[2], setting->bias[0], setting->bias[1],
                 setting->bias[2], setting->top_k, weight[0], weight[1], weight[2]);
}

static void keep_first(double *weight, int count)
{
    for (int j = K - 1; j >= 0; j--) {
        int before = 0;
        for (int i = 0; i < K; i++)
            before += weight[i] > weight[j] || (weight[i] == weight[j] && i < j && weight[i] > 0);
        if (before >= count)
            weight[j] = -weight[j]; /* still compared with */
    }
    for (int j = 0; j < K; j++)
        weight[j] = weight[j] > 0 ? weight[j] : 0;
}

static bool is_near(double value, double expected)
{
    return isnan(expected) ? isnan(value) : value == expected || fabs(value - expected) <= 1e-6;
}

static void check_softmax(const struct setting *setting, enum outcome outcome, const double *weight)
{
    struct api_problem problem = {.code = API_PROBLEM_COUNT};
    struct api_call *call = compute(setting, API_SOFTMAX, &problem);
    const double sum = weight[0] + weight[1] + weight[2];
    if ((call == NULL) != (outcome == REFUSED))
        complain(setting, call == NULL ? "softmax is refused" : "softmax is answered", weight);
    for (size_t j = 0; call != NULL && j < K; j++)
        if (!is_near(number(call, 0, j), outcome == ZEROED ? 0 : outcome == MADE_NAN ? (double)NAN : weight[j] / sum))
            complain(setting, "softmax", weight);
    api_call_free(call);
}

static void check_samples(const struct setting *setting, enum outcome outcome, const double *weight)
{
    struct api_problem problem = {.code = API_PROBLEM_COUNT};
    struct api_call *call = compute(setting, API_GUMBEL_SOFTMAX, &problem);
    double sum = 0;
    if ((call == NULL) != (outcome == REFUSED))
        complain(setting, "gumbel_softmax is refused, or answered", weight);
    for (size_t j = 0; call != NULL && j < K; j++) {
        const double value = number(call, 0, j);
        if (outcome == MADE_NAN ? !isnan(value) : (weight[j] == 0 || outcome == ZEROED) ? value != 0 : !(value > 0))
            complain(setting, "gumbel_softmax", weight);
        sum += value;
    }
    if (call != NULL && outcome != MADE_NAN && !is_near(sum, outcome == ZEROED ? 0 : 1))
        complain(setting, "the sum of gumbel_softmax", weight);
    api_call_free(call);
}

static int count_possible(const double *weight)
{
    int possible = 0;
    for (int j = 0; j < K; j++)
        possible += weight[j] > 0;
    return possible;
}

static bool is_enough(const struct setting *setting, const double *weight)
{
    return setting->replacement || count_possible(weight) >= 2;
}

static bool is_drawn(enum outcome outcome)
{
    return outcome == AS_IT_IS || outcome == UNIFORM;
}

static bool is_answered(const struct setting *setting, enum outcome outcome, const double *weight)
{
    return outcome != REFUSED && (!is_drawn(outcome) || is_enough(setting, weight));
}

/* Of equal logits, which the same bias may forbid, and the same mask if it is of all rows. */
static bool is_second_answered(const struct setting *setting)
{
    struct setting second = *setting;
    double weight[K];
    for (int j = 0; j < K; j++) {
        second.logits[j] = 0;
        second.allowed[j] |= !setting->common_mask;
    }
    const enum outcome outcome = expect(&second, weight);
    return is_answered(&second, outcome, weight);
}

/* The classes drawn, and the distribution that they are drawn from. */
static void check_draws(const struct setting *setting, enum outcome outcome, double *weight)
{
    struct api_problem problem = {.code = API_PROBLEM_COUNT};
    struct api_call *call = compute(setting, API_CATEGORICAL, &problem);
    const bool drawn = is_drawn(outcome);
    if (setting->top_k > 0)
        keep_first(weight, setting->top_k);
    const double sum = weight[0] + weight[1] + weight[2];
    if ((call != NULL) != (is_answered(setting, outcome, weight) && is_second_answered(setting)))
        complain(setting, call == NULL ? problem.detail : "categorical is answered", weight);
    if (call == NULL)
        return;
    const int32_t *indices = call->results[0].data, *top = call->results[1].data;
    for (size_t i = 0; i < (setting->replacement ? DRAWS : 2); i++)
        if (drawn ? indices[i] < 0 || indices[i] >= K || weight[indices[i]] == 0 : indices[i] != -1)
            complain(setting, "a class that cannot be drawn", weight);
    for (size_t i = 0; i < K; i++) {
        const double value = number(call, 2, i);
        const bool possible = drawn && i < (size_t)count_possible(weight);
        if (!possible ? top[i] != -1 || !is_near(value, outcome == MADE_NAN ? (double)NAN : -INFINITY)
                      : top[i] < 0 || !is_near(exp(value), weight[top[i]] / sum))
            complain(setting, "the distribution", weight);
    }
    api_call_free(call);
}

/* ---- All of them ---- */

/* Digit `place` of `which` in a system of `base` digits. */
static int digit(int which, int base, int place)
{
    for (; place > 0; place--)
        which /= base;
    return which % base;
}

static void set_case(struct setting *setting, int logits, int mask, int bias)
{
    static const double values[VALUES] = {1, -INFINITY, INFINITY, NAN}, biases[BIASES] = {0, -INFINITY, 2};
    for (int j = 0; j < K; j++) {
        setting->logits[j] = values[digit(logits, VALUES, j)];
        setting->allowed[j] = mask >> j & 1;
        setting->bias[j] = biases[digit(bias, BIASES, j)];
    }
}

START_TEST(a_row_gets_what_is_asked_for)
{
    struct setting setting = {.dtype = _i % 2 ? CORE_FLOAT64 : CORE_FLOAT32, .mode = (enum api_on_invalid)(_i / 2)};
    double weight[K];
    for (int logits = 0; logits < LOGITS; logits++)
        for (int mask = 0; mask < KINDS_OF_MASK * MASKS; mask++) {
            setting.common_mask = mask / MASKS;
            set_case(&setting, logits, mask % MASKS, 0);
            const enum outcome outcome = expect(&setting, weight);
            check_softmax(&setting, outcome, weight);
            check_samples(&setting, outcome, weight);
        }
}
END_TEST

START_TEST(a_draw_keeps_to_mask_and_bias)
{
    struct setting setting = {.dtype = _i % 2 ? CORE_FLOAT64 : CORE_FLOAT32, .mode = (enum api_on_invalid)(_i / 2)};
    double weight[K];
    for (int logits = 0; logits < LOGITS; logits++)
        for (int mask = 0; mask < KINDS_OF_MASK * MASKS; mask++)
            for (int bias = 0; bias < BIASES * BIASES * BIASES; bias++)
                for (int way = 0; way < 4; way++) {
                    setting.common_mask = mask / MASKS;
                    setting.replacement = way % 2;
                    setting.top_k = way / 2;
                    set_case(&setting, logits, mask % MASKS, bias);
                    const enum outcome outcome = expect(&setting, weight);
                    check_draws(&setting, outcome, weight);
                }
}
END_TEST

TEST_SUITE("api")
{
    Suite *suite = suite_create("api: on_invalid");
    TCase *all = tcase_create("all rows of three classes");
    tcase_add_loop_test(all, a_row_gets_what_is_asked_for, 0, 2 * 4);
    tcase_add_loop_test(all, a_draw_keeps_to_mask_and_bias, 0, 2 * 4);
    suite_add_tcase(suite, all);
    return suite;
}
