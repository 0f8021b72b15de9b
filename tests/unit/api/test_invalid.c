/* Rows without an answer, and on_invalid; NaN and +inf come from a source that is no JSON. */
#include "call/call.h"
#include "lib/ask.h"
#include "lib/suite.h"
#include "numbers.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define GUMBEL "/v1/gumbel_softmax"
#define CATEGORICAL "/v1/categorical"

/* ---- In JSON: rows of nothing but -inf ---- */

static const struct {
    const char *path, *members, *result, *expected[3]; /* of zero, uniform, nan */
} cases[] = {
    {"/v1/softmax", "", "probabilities", {"[0,0,0]", "third", "[\"NaN\",\"NaN\",\"NaN\"]"}},
    {"/v1/log_softmax",
     ",\"dtype\":\"float64\"",
     "log_probabilities",
     {"[\"-Infinity\",\"-Infinity\",\"-Infinity\"]", "third", "[\"NaN\",\"NaN\",\"NaN\"]"}},
    {GUMBEL, ",\"seed\":3", "samples", {"[0,0,0]", "same", "[\"NaN\",\"NaN\",\"NaN\"]"}},
    {GUMBEL, ",\"seed\":3,\"hard\":true", "samples", {"[0,0,0]", "same", "[\"NaN\",\"NaN\",\"NaN\"]"}},
    {GUMBEL, ",\"seed\":3,\"return\":[\"soft\"]", "soft", {"[0,0,0]", "same", "[\"NaN\",\"NaN\",\"NaN\"]"}},
    {GUMBEL, ",\"seed\":3,\"return\":[\"noise\"]", "noise", {"same", "same", "same"}},
    {GUMBEL, ",\"seed\":3,\"return\":[\"indices\"]", "indices", {"-1", "same", "-1"}},
    {GUMBEL, ",\"seed\":3,\"return\":[\"log_density\"]", "log_density", {"\"-Infinity\"", "same", "\"NaN\""}},
    {GUMBEL,
     ",\"seed\":3,\"hard\":true,\"return\":[\"log_samples\"]",
     "log_samples",
     {"[\"-Infinity\",\"-Infinity\",\"-Infinity\"]", "same", "[\"NaN\",\"NaN\",\"NaN\"]"}},
    {GUMBEL,
     ",\"seed\":3,\"return\":[\"perturbed\"]",
     "perturbed",
     {"[\"-Infinity\",\"-Infinity\",\"-Infinity\"]", "same", "[\"NaN\",\"NaN\",\"NaN\"]"}},
    {CATEGORICAL, ",\"seed\":3,\"num_samples\":2", "indices", {"[-1,-1]", "same", "[-1,-1]"}},
    {CATEGORICAL,
     ",\"seed\":3,\"return\":[\"log_probabilities\"]",
     "log_probabilities",
     {"[\"-Infinity\"]", "same", "[\"NaN\"]"}},
    {CATEGORICAL, ",\"seed\":3,\"return\":[\"scores\"]", "scores", {"[\"-Infinity\"]", "same", "[\"NaN\"]"}},
    {CATEGORICAL,
     ",\"seed\":3,\"return\":[\"filtered_log_probabilities\"]",
     "filtered_log_probabilities",
     {"[\"-Infinity\"]", "same", "[\"NaN\"]"}},
    {CATEGORICAL, ",\"seed\":3,\"num_samples\":2,\"return\":[\"ranks\"]", "ranks", {"[0,0]", "same", "[0,0]"}},
    {CATEGORICAL, ",\"seed\":3,\"return\":[\"kept\"]", "kept", {"0", "same", "0"}},
    {CATEGORICAL, ",\"seed\":3,\"return\":[\"kept_mass\"]", "kept_mass", {"0", "same", "\"NaN\""}},
    {CATEGORICAL, ",\"seed\":3,\"return\":[\"entropy\"]", "entropy", {"0", "same", "\"NaN\""}},
    {CATEGORICAL, ",\"seed\":3,\"num_samples\":9,\"return\":[\"counts\"]", "counts", {"[0,0,0]", "same", "[0,0,0]"}},
    {CATEGORICAL,
     ",\"seed\":3,\"logprobs_for\":[1,0]",
     "class_log_probabilities",
     {"[\"-Infinity\",\"-Infinity\"]", "same", "[\"NaN\",\"NaN\"]"}},
    {CATEGORICAL, ",\"seed\":3,\"logprobs\":2", "top_indices", {"[-1,-1]", "same", "[-1,-1]"}},
    {CATEGORICAL,
     ",\"seed\":3,\"logprobs\":2",
     "top_log_probabilities",
     {"[\"-Infinity\",\"-Infinity\"]", "same", "[\"NaN\",\"NaN\"]"}},
    {"/v1/vjp",
     ",\"function\":\"softmax\",\"cotangent\":[[1,2,3],[4,5,6],[7,8,9]]",
     "grad_logits",
     {"[0,0,0]", "[0,0,0]", "[\"NaN\",\"NaN\",\"NaN\"]"}},
    {"/v1/vjp",
     ",\"function\":\"gumbel_softmax\",\"seed\":3,\"cotangent\":[[1,2,3],[4,5,6],[7,8,9]]",
     "grad_tau",
     {"0", "0", "\"NaN\""}},
};

static void assert_value(const json_t *value, const char *expected, const json_t *equal, const char *text)
{
    double numbers[3];
    if (strcmp(expected, "same") == 0) {
        ck_assert_msg(json_equal(value, equal), "%s", text);
    } else if (strcmp(expected, "third") == 0) {
        ck_assert_uint_eq(numbers_flat(value, numbers, 3), 3);
        for (size_t i = 0; i < 3; i++)
            ck_assert_msg(fabs(numbers[i] < 0 ? exp(numbers[i]) - 1.0 / 3 : numbers[i] - 1.0 / 3) < 1e-7, "%s", text);
    } else {
        char *printed = json_dumps(value, JSON_ENCODE_ANY | JSON_COMPACT);
        json_t *wanted = json_loads(expected, JSON_DECODE_ANY, NULL);
        double others[3];
        const size_t count = numbers_flat(value, numbers, 3);
        ck_assert_uint_eq(numbers_flat(wanted, others, 3), count);
        for (size_t i = 0; i < count; i++)
            ck_assert_msg(numbers[i] == others[i] || (isnan(numbers[i]) && isnan(others[i])), "%s: %s", printed, text);
        free(printed);
        json_decref(wanted);
    }
}

/* The row in the middle gets what its mode says, the others what they get anyway. "same" is what equal logits get. */
START_TEST(an_invalid_row_gets_what_was_asked_for)
{
    static const char *const modes[] = {"zero", "uniform", "nan"};
    struct answer equal = ask(cases[_i].path, "{\"logits\":[[1,2,3],[0,0,0],[3,1,2]]%s}", cases[_i].members);
    assert_answered(&equal);
    const json_t *others = json_object_get(equal.json, cases[_i].result);
    for (size_t mode = 0; mode < 3; mode++) {
        struct answer answer = ask(cases[_i].path,
                                   "{\"logits\":[[1,2,3],[null,null,null],[3,1,2]],\"on_invalid\":\"%s\"%s}",
                                   modes[mode], cases[_i].members);
        assert_answered(&answer);
        const json_t *rows = json_object_get(answer.json, cases[_i].result);
        assert_value(json_array_get(rows, 1), cases[_i].expected[mode], json_array_get(others, 1), answer.text);
        ck_assert(json_equal(json_array_get(rows, 0), json_array_get(others, 0)));
        ck_assert(json_equal(json_array_get(rows, 2), json_array_get(others, 2)));
        ask_free(&answer);
    }
    ask_free(&equal);
}
END_TEST

START_TEST(an_invalid_row_is_named)
{
    static const char *const named[][3] = {
        {"{\"logits\":[[1,2],[null,null]]}", "/logits/1", "invalid_row"},
        {"{\"logits\":[[1,2],[null,null]],\"on_invalid\":\"error\"}", "/logits/1", "invalid_row"},
        {"{\"logits\":[null,null]}", "/logits", "invalid_row"},
        {"{\"logits\":[[[1,2],[1,2]],[[1,2],[null,null]]]}", "/logits/1/1", "invalid_row"},
        {"{\"logits\":[[[1,null],[1,2]],[[1,null],[1,2]]],\"dim\":0}", "/logits", "invalid_row"},
        {"{\"logits\":[[[1,2],[1,2]],[[null,2],[null,2]]],\"dim\":1}", "/logits/1", "invalid_row"},
    };
    for (size_t i = 0; i < sizeof named / sizeof *named; i++)
        assert_problem("/v1/softmax", named[i][0], 422, named[i][2], named[i][1]);
}
END_TEST

START_TEST(samples_and_class_axes_find_the_invalid_rows)
{
    struct answer answer = ask(GUMBEL,
                               "{\"logits\":[[1,null,3],[1,null,3]],\"dim\":0,\"on_invalid\":\"zero\",\"seed\":1,"
                               "\"num_samples\":2,\"return\":[\"samples\",\"indices\"]}");
    double samples[12];
    assert_answered(&answer);
    ck_assert_uint_eq(numbers_flat(json_object_get(answer.json, "samples"), samples, 12), 12);
    for (size_t i = 0; i < 12; i++)
        ck_assert_int_eq(samples[i] == 0, i % 3 == 1);
    ck_assert_uint_eq(numbers_flat(json_object_get(answer.json, "indices"), samples, 12), 6);
    for (size_t i = 0; i < 6; i++)
        ck_assert_int_eq(samples[i] == -1, i % 3 == 1);
    ask_free(&answer);
}
END_TEST

/* uniform: over the classes that the mask allows; zero, if it allows none. */
START_TEST(uniform_keeps_to_the_mask)
{
    static const char *const bodies[][2] = {
        {"{\"logits\":[[null,null,null,5]],\"mask\":[[true,true,false,false]],\"on_invalid\":\"uniform\"}",
         "[[0.5,0.5,0.0,0.0]]"},
        {"{\"logits\":[[1,2,3,4]],\"mask\":[[false,false,false,false]],\"on_invalid\":\"uniform\"}",
         "[[0.0,0.0,0.0,0.0]]"},
        {"{\"logits\":[[1,2,3,4]],\"mask\":[false,false,false,false],\"on_invalid\":\"uniform\"}",
         "[[0.0,0.0,0.0,0.0]]"},
        {"{\"logits\":[[1,2,3,4]],\"mask\":[false,false,false,false],\"on_invalid\":\"zero\"}", "[[0.0,0.0,0.0,0.0]]"},
    };
    for (size_t i = 0; i < sizeof bodies / sizeof *bodies; i++) {
        struct answer answer = ask("/v1/softmax", "%s", bodies[i][0]);
        assert_answered(&answer);
        char *text = json_dumps(json_object_get(answer.json, "probabilities"), JSON_COMPACT);
        ck_assert_str_eq(text, bodies[i][1]);
        free(text);
        ask_free(&answer);
    }
}
END_TEST

/* What a bias forbids is impossible too: the row in the middle has nothing else. */
START_TEST(a_forbidden_class_leaves_a_row_without_answer)
{
    struct answer answer = ask(CATEGORICAL, "{\"logits\":[[1,2],[1,null],[2,1]],\"logit_bias\":{\"0\":null},"
                                            "\"on_invalid\":\"zero\",\"seed\":1}");
    assert_classes(&answer, "indices", (const int32_t[]){1, -1, 1}, SHAPE(3, 1));
    ask_free(&answer);
    answer = ask(CATEGORICAL, "{\"logits\":[[1,2],[1,null],[2,1]],\"logit_bias\":{\"0\":null},"
                              "\"on_invalid\":\"uniform\",\"seed\":1}");
    assert_classes(&answer, "indices", (const int32_t[]){1, 1, 1}, SHAPE(3, 1));
    ask_free(&answer);
    answer = ask(CATEGORICAL,
                 "{\"logits\":[[1,2]],\"logit_bias\":{\"0\":null,\"1\":null},\"on_invalid\":\"zero\",\"seed\":1}");
    assert_classes(&answer, "indices", (const int32_t[]){-1}, SHAPE(1, 1));
    ask_free(&answer);
}
END_TEST

/* A logit and its bias may be beyond the range together. */
START_TEST(a_bias_that_overflows_leaves_a_row_without_answer)
{
    static const struct {
        const char *logits, *bias, *zero, *uniform;
    } same[] = {
        {"[[3e38,1],[1,3]]", "{\"0\":3e38}", "[[-1],[0]]", "[[0],[0]]"},
        {"[[-3e38,null],[1,3]]", "{\"0\":-3e38}", "[[-1],[1]]", "[[1],[1]]"},
        {"[[-3e38,1],[1,3]]", "{\"0\":-3e38}", "[[1],[1]]", "[[1],[1]]"},
    };
    for (size_t i = 0; i < sizeof same / sizeof *same; i++)
        for (int uniform = 0; uniform < 2; uniform++) {
            struct answer answer = ask(CATEGORICAL,
                                       "{\"logits\":%s,\"logit_bias\":%s,\"on_invalid\":\"%s\",\"seed\":1}",
                                       same[i].logits, same[i].bias, uniform ? "uniform" : "zero");
            char *text = json_dumps(json_object_get(answer.json, "indices"), JSON_COMPACT);
            ck_assert_msg(text != NULL && strcmp(text, uniform ? same[i].uniform : same[i].zero) == 0, "%zu: %s", i,
                          answer.text);
            free(text);
            ask_free(&answer);
        }
}
END_TEST

/* A false in a mask is as good as -inf, wherever the other half of the row's end comes from. */
START_TEST(a_mask_makes_invalid_rows_as_infinities_do)
{
    static const struct {
        const char *logits, *mask, *members, *zero, *uniform; /* the rows' indices */
    } same[] = {
        {"[[1,2],[3,4]]", "[[true,false],[true,true]]", "\"logit_bias\":{\"0\":null}", "[[-1],[1]]", "[[0],[1]]"},
        {"[[1,2],[3,4]]", "[true,false]", "\"logit_bias\":{\"0\":null}", "[[-1],[-1]]", "[[0],[0]]"},
        {"[1,2]", "[true,false]", "\"logit_bias\":{\"0\":null}", "[-1]", "[0]"},
        {"[[null,null],[3,4]]", "[[true,false],[true,true]]", "\"replacement\":false,\"num_samples\":2",
         "[[-1,-1],[1,0]]", NULL},
        {"[null,null]", "[true,false]", "\"replacement\":false,\"num_samples\":2", "[-1,-1]", NULL},
    };
    for (size_t i = 0; i < sizeof same / sizeof *same; i++)
        for (int uniform = 0; uniform < 2; uniform++) {
            const char *expected = uniform ? same[i].uniform : same[i].zero;
            struct answer answer = ask("/v1/categorical",
                                       "{\"logits\":%s,\"mask\":%s,%s,\"on_invalid\":\"%s\",\"seed\":1}",
                                       same[i].logits, same[i].mask, same[i].members, uniform ? "uniform" : "zero");
            if (expected == NULL) { /* the mask is kept to, and leaves too few */
                ck_assert_int_eq(answer.status, 422);
                ck_assert_str_eq(ask_text(&answer, "code"), "too_few_classes");
            } else {
                assert_answered(&answer);
                char *text = json_dumps(json_object_get(answer.json, "indices"), JSON_COMPACT);
                ck_assert_msg(strcmp(text, expected) == 0, "%zu: %s", i, answer.text);
                free(text);
            }
            ask_free(&answer);
        }
}
END_TEST

/* ---- From a source of its own ---- */

/* The probabilities of rows of two classes; 0, or the problem's code. */
static int run(const float *logits, size_t rows, const char *mode, float *probabilities)
{
    struct api_tensor tensor = {.name = api_parameters[API_LOGITS].name,
                                .dtype = API_FLOAT32,
                                .count = 2 * rows,
                                .rank = 2,
                                .shape = {rows, 2}};
    tensor.data = malloc(2 * rows * sizeof(float));
    memcpy(tensor.data, logits, 2 * rows * sizeof(float));
    json_t *on_invalid = json_string(mode);
    struct call_source source = {.function = &api_functions[API_SOFTMAX],
                                 .given = {[API_ON_INVALID] = on_invalid},
                                 .tensors = &tensor,
                                 .tensor_count = 1};
    struct api_call *call;
    struct api_problem problem = {.code = API_PROBLEM_COUNT};
    ck_assert_int_eq(call_build(&source, &call, &problem), 0);
    ck_assert_ptr_null(tensor.data);
    const int result = api_compute(call, 0, rows, &problem);
    ck_assert_int_eq(call_finish(call, SIZE_MAX, &problem), 0);
    ck_assert_uint_eq(call->result_count, 1);
    ck_assert_uint_eq(call->results[0].count, 2 * rows);
    memcpy(probabilities, call->results[0].data, 2 * rows * sizeof(float));
    api_call_free(call);
    json_decref(on_invalid);
    return result == 0 ? 0 : (int)problem.code;
}

START_TEST(a_real_nan_is_never_swallowed)
{
    const float nan = NAN, rows[] = {nan, 1, 1, INFINITY, -INFINITY, -INFINITY, 0, 0};
    static const char *const modes[] = {"zero", "uniform", "nan"};
    const float absent[] = {0, 0.5f, nan};
    float result[8];
    ck_assert_int_eq(run(rows, 4, "error", result), API_INVALID_ROW);
    for (size_t mode = 0; mode < 3; mode++) {
        ck_assert_int_eq(run(rows, 4, modes[mode], result), 0);
        for (size_t i = 0; i < 8; i++) {
            const float expected = i < 2 ? nan : i < 6 ? absent[mode] : 0.5f;
            ck_assert_msg(result[i] == expected || (isnan(result[i]) && isnan(expected)), "%s, %zu: %g", modes[mode], i,
                          (double)result[i]);
        }
    }
}
END_TEST

/* ---- Limits ---- */

/* The answer's JSON. */
static json_t *ask_within(const char *path, const char *body, enum api_limit_id limit, size_t value, int *status)
{
    size_t limits[API_LIMIT_COUNT];
    for (int id = 0; id < API_LIMIT_COUNT; id++)
        limits[id] = api_limits[id].fallback;
    limits[limit] = value;
    char padded[512] = "";
    strcpy(padded, body);
    struct api_request request = {.body = padded, .length = strlen(body), .limits = limits};
    struct api_response response;
    ck_assert_int_eq(api_route_find("POST", path, &request.route, NULL), 0);
    api_answer(&request, &response);
    json_t *json = json_loadb(response.body, response.length, 0, NULL);
    *status = response.status;
    ck_assert(response.status == 200 ||
              strcmp(json_string_value(json_object_get(json, "code")), "limit_exceeded") == 0);
    api_response_release(&response);
    return json;
}

static int status_within(const char *path, const char *body, enum api_limit_id limit, size_t value, size_t *told)
{
    int status;
    json_t *json = ask_within(path, body, limit, value, &status);
    *told = (size_t)json_integer_value(json_object_get(json, "limit"));
    json_decref(json);
    return status;
}

#define RAO "\"estimator\":\"gumbel_rao\",\"hard\":true,\"function\":\"gumbel_softmax\",\"seed\":1"

/* The member that is to be lowered; the logits only where they alone are too many. */
START_TEST(a_limit_names_what_can_be_lowered)
{
    static const struct {
        const char *path, *body;
        enum api_limit_id limit;
        size_t value;
        const char *pointer;
    } excesses[] = {
        {GUMBEL, "{\"seed\":1,\"logits\":[1,2],\"num_samples\":5}", API_LIMIT_WORK, 9, "/num_samples"},
        {GUMBEL, "{\"seed\":1,\"logits\":[1,2],\"num_samples\":5}", API_LIMIT_WORK, 2, "/num_samples"},
        {GUMBEL, "{\"seed\":1,\"logits\":[1,2],\"num_samples\":5}", API_LIMIT_WORK, 1, "/logits"},
        {"/v1/vjp", "{\"logits\":[1,2],\"cotangent\":[1,2],\"conditional_samples\":7," RAO "}", API_LIMIT_WORK, 13,
         "/conditional_samples"},
        {"/v1/vjp", "{\"logits\":[1],\"cotangent\":[[1],[1]],\"num_samples\":2,\"conditional_samples\":7," RAO "}",
         API_LIMIT_WORK, 13, "/num_samples"},
        {"/v1/vjp", "{\"logits\":[1,2],\"cotangent\":[1,2],\"conditional_samples\":7," RAO "}", API_LIMIT_WORK, 1,
         "/logits"},
        {GUMBEL, "{\"seed\":1,\"logits\":[1,2],\"num_samples\":5}", API_LIMIT_RESULT_BYTES, 39, "/num_samples"},
        {GUMBEL, "{\"seed\":1,\"logits\":[1,2],\"num_samples\":5}", API_LIMIT_RESULT_BYTES, 7, "/logits"},
        {GUMBEL, "{\"seed\":1,\"logits\":[1,2],\"return\":[\"samples\",\"soft\"]}", API_LIMIT_RESULT_BYTES, 15,
         "/return"},
        {GUMBEL, "{\"seed\":1,\"logits\":[1,2],\"return\":[\"samples\",\"soft\"]}", API_LIMIT_RESULT_BYTES, 7,
         "/logits"},
        {GUMBEL, "{\"seed\":1,\"logits\":[1,2],\"return\":[\"samples\",\"indices\"]}", API_LIMIT_RESULT_BYTES, 7,
         "/return"},
        {GUMBEL, "{\"seed\":1,\"logits\":[1,2],\"return\":[\"samples\"]}", API_LIMIT_RESULT_BYTES, 7, "/logits"},
        {CATEGORICAL, "{\"seed\":1,\"logits\":[1,2],\"num_samples\":2,\"logprobs\":1}", API_LIMIT_RESULT_BYTES, 15,
         "/logprobs"},
        {CATEGORICAL, "{\"seed\":1,\"logits\":[1,2],\"num_samples\":2,\"logprobs\":1}", API_LIMIT_RESULT_BYTES, 7,
         "/num_samples"},
        {CATEGORICAL, "{\"seed\":1,\"logits\":[1,2],\"logprobs\":1}", API_LIMIT_RESULT_BYTES, 3, "/logits"},
        {"/v1/softmax", "{\"logits\":[1,2]}", API_LIMIT_RESULT_BYTES, 7, "/logits"},
    };
    for (size_t i = 0; i < sizeof excesses / sizeof *excesses; i++) {
        int status;
        json_t *json = ask_within(excesses[i].path, excesses[i].body, excesses[i].limit, excesses[i].value, &status);
        const char *pointer = json_string_value(json_object_get(json, "pointer"));
        ck_assert_msg(pointer != NULL && status == 413 && strcmp(pointer, excesses[i].pointer) == 0, "%zu, %s: %s", i,
                      excesses[i].body, pointer != NULL ? pointer : "");
        json_decref(json);
    }
}
END_TEST

/* What each request takes is let through, and one less is not. */
START_TEST(a_limit_is_the_most_that_is_taken)
{
    static const struct {
        const char *path, *body;
        enum api_limit_id limit;
        size_t taken;
    } taken[] = {
        {"/v1/softmax", "{\"logits\":[[1,2],[3,4],[5,6]]}", API_LIMIT_ROWS, 3},
        {"/v1/softmax", "{\"logits\":[[1,2],[3,4],[5,6]],\"dim\":0}", API_LIMIT_ROWS, 2},
        {"/v1/softmax", "{\"logits\":[[1,2],[3,4],[5,6]]}", API_LIMIT_CLASSES, 2},
        {"/v1/softmax", "{\"logits\":[[1,2],[3,4],[5,6]],\"dim\":0}", API_LIMIT_CLASSES, 3},
        {GUMBEL, "{\"logits\":[1,2],\"seed\":1,\"num_samples\":5}", API_LIMIT_DRAWS, 5},
        {CATEGORICAL, "{\"logits\":[1,2],\"seed\":1,\"num_samples\":5}", API_LIMIT_DRAWS, 5},
        {GUMBEL, "{\"logits\":[1,2],\"seed\":1,\"num_samples\":5}", API_LIMIT_WORK, 10},
        {"/v1/vjp",
         "{\"function\":\"gumbel_softmax\",\"logits\":[1,2],\"cotangent\":[[1,2]],\"num_samples\":1,\"seed\":1,"
         "\"hard\":true,\"estimator\":\"gumbel_rao\",\"conditional_samples\":7}",
         API_LIMIT_WORK, 14},
        {"/v1/softmax", "{\"logits\":[[1,2],[3,4]]}", API_LIMIT_RESULT_BYTES, 16},
        {"/v1/softmax", "{\"logits\":[[1,2],[3,4]],\"dtype\":\"float64\"}", API_LIMIT_RESULT_BYTES, 32},
        {GUMBEL, "{\"logits\":[1,2],\"seed\":1,\"num_samples\":5,\"return\":[\"samples\",\"indices\"]}",
         API_LIMIT_RESULT_BYTES, 60},
        {CATEGORICAL, "{\"logits\":[1,2],\"seed\":1,\"num_samples\":5,\"logprobs\":4}", API_LIMIT_RESULT_BYTES, 52},
        {"/v1/batch",
         "{\"requests\":[{\"function\":\"softmax\",\"body\":{\"logits\":[1,2]}},"
         "{\"function\":\"softmax\",\"body\":{\"logits\":[1,2,3]}}]}",
         API_LIMIT_RESULT_BYTES, 20},
        {"/v1/batch", "{\"requests\":[{\"function\":\"softmax\",\"body\":{\"logits\":[1,2]}},{\"function\":\"x\"}]}",
         API_LIMIT_BATCH_REQUESTS, 2},
    };
    for (size_t i = 0; i < sizeof taken / sizeof *taken; i++) {
        size_t told;
        ck_assert_msg(status_within(taken[i].path, taken[i].body, taken[i].limit, taken[i].taken, &told) == 200, "%s",
                      taken[i].body);
        ck_assert_msg(status_within(taken[i].path, taken[i].body, taken[i].limit, taken[i].taken - 1, &told) == 413,
                      "%s", taken[i].body);
        ck_assert_uint_eq(told, taken[i].taken - 1);
    }
}
END_TEST

/* What a short body can ask for is left to who has the time. */
START_TEST(a_small_answer_is_given_at_once)
{
    static const struct {
        const char *path, *body;
        size_t cost; /* 0: never small; 1: always, as a problem is */
    } costs[] = {
        {"/v1/softmax", "{\"logits\":[[1,2],[3,4]]}", 4},
        {GUMBEL, "{\"logits\":[1,2],\"seed\":1,\"num_samples\":50,\"return\":[\"indices\"]}", 100},
        {CATEGORICAL, "{\"logits\":[1,2],\"seed\":1,\"logprobs\":1000}", 2001},
        {"/v1/softmax", "{\"logits\":[[1,2],[3,4]],\"x\":1}", 1},
        {"/v1/batch", "{\"requests\":[{\"function\":\"softmax\",\"body\":{\"logits\":[1,2]}}]}", 0},
    };
    for (size_t i = 0; i < sizeof costs / sizeof *costs; i++) {
        char padded[256] = "";
        strcpy(padded, costs[i].body);
        struct api_request request = {.body = padded, .length = strlen(padded)};
        struct api_response response = {.status = 0};
        ck_assert_int_eq(api_route_find("POST", costs[i].path, &request.route, NULL), 0);
        ck_assert(costs[i].cost <= 1 || !api_answer_small(&request, costs[i].cost - 1, &response));
        ck_assert_int_eq(response.status, 0);
        const size_t most = costs[i].cost > 0 ? costs[i].cost : 1000000;
        ck_assert_int_eq(api_answer_small(&request, most, &response), costs[i].cost > 0);
        api_response_release(&response);
    }
}
END_TEST

/* Sizes whose product no size_t holds. */
START_TEST(no_product_of_sizes_overflows)
{
    assert_problem(CATEGORICAL, "{\"logits\":[1,2],\"logprobs\":2147483647}", 413, "limit_exceeded", "/logprobs");
    assert_problem(GUMBEL, "{\"logits\":[1,2],\"num_samples\":2147483647}", 413, "limit_exceeded", "/num_samples");
}
END_TEST

TEST_SUITE("api")
{
    Suite *suite = suite_create("api: invalid rows and limits");
    TCase *invalid = tcase_create("rows without an answer"), *limits = tcase_create("limits");
    tcase_add_loop_test(invalid, an_invalid_row_gets_what_was_asked_for, 0, sizeof cases / sizeof *cases);
    tcase_add_test(invalid, an_invalid_row_is_named);
    tcase_add_test(invalid, samples_and_class_axes_find_the_invalid_rows);
    tcase_add_test(invalid, uniform_keeps_to_the_mask);
    tcase_add_test(invalid, a_forbidden_class_leaves_a_row_without_answer);
    tcase_add_test(invalid, a_bias_that_overflows_leaves_a_row_without_answer);
    tcase_add_test(invalid, a_mask_makes_invalid_rows_as_infinities_do);
    tcase_add_test(invalid, a_real_nan_is_never_swallowed);
    tcase_add_test(limits, a_limit_is_the_most_that_is_taken);
    tcase_add_test(limits, a_limit_names_what_can_be_lowered);
    tcase_add_test(limits, a_small_answer_is_given_at_once);
    tcase_add_test(limits, no_product_of_sizes_overflows);
    suite_add_tcase(suite, invalid);
    suite_add_tcase(suite, limits);
    return suite;
}
