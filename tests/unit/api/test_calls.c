/* Requests to responses, without a socket. */
#include "core.h"
#include "lib/ask.h"
#include "lib/suite.h"
#include "numbers.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SOFTMAX "/v1/softmax"
#define LOG_SOFTMAX "/v1/log_softmax"
#define GUMBEL "/v1/gumbel_softmax"

/* ---- Results ---- */

START_TEST(one_row_keeps_its_shape)
{
    struct answer answer = ask(SOFTMAX, "{\"logits\":[0,0]}");
    ck_assert_int_eq(answer.status, 200);
    ck_assert_str_eq(answer.response.media_type, "application/json");
    ck_assert_str_eq(answer.text, "{\"shape\":[2],\"dtype\":\"float32\",\"probabilities\":[0.5,0.5]}");
    ck_assert_uint_eq(answer.response.rows, 1);
    ask_free(&answer);
}
END_TEST

START_TEST(rows_keep_their_shape)
{
    struct answer answer = ask(SOFTMAX, "{\"logits\":[[0,0],[null,5],[\"-Infinity\",0]]}");
    ck_assert_str_eq(answer.text, "{\"shape\":[3,2],\"dtype\":\"float32\","
                                  "\"probabilities\":[[0.5,0.5],[0.0,1.0],[0.0,1.0]]}");
    ask_free(&answer);
}
END_TEST

START_TEST(minus_infinity_is_a_string_in_answers)
{
    struct answer answer = ask(LOG_SOFTMAX, "{\"logits\":[null,5]}");
    ck_assert_str_eq(answer.text, "{\"shape\":[2],\"dtype\":\"float32\",\"log_probabilities\":[\"-Infinity\",0.0]}");
    ask_free(&answer);
}
END_TEST

/* Asserts that member `name` of the answer is a row of `count` numbers within `tolerance` of `expected`. */
static void assert_row(const json_t *row, const double *expected, size_t count, double tolerance)
{
    ck_assert_uint_eq(json_array_size(row), count);
    for (size_t i = 0; i < count; i++)
        ck_assert_double_eq_tol(json_number_value(json_array_get(row, i)), expected[i], tolerance);
}

START_TEST(temperature_divides_each_row_by_its_own)
{
    struct answer answer = ask(SOFTMAX, "{\"logits\":[[1,3],[1,3],[1,3]],\"temperature\":[1,2,0]}");
    ck_assert_int_eq(answer.status, 200);
    const json_t *rows = json_object_get(answer.json, "probabilities");
    const double at_1[] = {1 / (1 + exp(2)), 1 / (1 + exp(-2))}, at_2[] = {1 / (1 + exp(1)), 1 / (1 + exp(-1))};
    assert_row(json_array_get(rows, 0), at_1, 2, 1e-7);
    assert_row(json_array_get(rows, 1), at_2, 2, 1e-7);
    assert_row(json_array_get(rows, 2), (const double[]){0, 1}, 2, 1e-30);
    ask_free(&answer);
}
END_TEST

static void assert_samples(const struct core_gumbel_softmax_call *call, const char *body)
{
    size_t invalid_row;
    ck_assert_int_eq(core_gumbel_softmax(call, 0, 2, &invalid_row), 0);
    struct answer answer = ask(GUMBEL, "%s", body);
    assert_floats(&answer, "samples", call->samples, SHAPE(2, call->classes));
    ask_free(&answer);
}

START_TEST(gumbel_softmax_takes_its_parameters_to_the_core)
{
    const float logits[] = {1, 2, 3, 4, 5, 6};
    const double taus[] = {0.5, 2};
    const uint64_t seed = 9007199254740991, seeds[] = {11, 12};
    float samples[6];
    struct core_gumbel_softmax_call call = {
        .logits = logits, .classes = 3, .tau = {taus, 0}, .noise = {.seed = &seed}, .samples = samples};
    assert_samples(&call, "{\"logits\":[[1,2,3],[4,5,6]],\"tau\":0.5,\"seed\":9007199254740991}");
    call.tau.stride = 1;
    assert_samples(&call, "{\"logits\":[[1,2,3],[4,5,6]],\"tau\":[0.5,2],\"seed\":9007199254740991}");
    call.noise.row_offset = 4294967294;
    assert_samples(&call, "{\"logits\":[[1,2,3],[4,5,6]],\"tau\":[0.5,2],\"seed\":9007199254740991,"
                          "\"row_offset\":4294967294}");
    call.hard = true;
    assert_samples(&call, "{\"logits\":[[1,2,3],[4,5,6]],\"hard\":true,\"seed\":9007199254740991,"
                          "\"row_offset\":4294967294}");
    call.noise = (struct core_noise){.seed = seeds, .stride = 1};
    call.hard = false;
    assert_samples(&call, "{\"seed\":[11,12],\"logits\":[[1,2,3],[4,5,6]],\"tau\":[0.5,2]}");
}
END_TEST

START_TEST(an_answer_says_what_repeats_it)
{
    struct answer answer = ask(GUMBEL, "{\"logits\":[1,2]}");
    ck_assert_int_eq(json_integer_value(json_object_get(answer.json, "seed")), ASK_FRESH_SEED);
    ck_assert_str_eq(ask_text(&answer, "rng"), API_DEFAULT_RNG);
    struct answer again = ask(GUMBEL, "{\"logits\":[1,2],\"seed\":%d,\"tau\":1.0}", ASK_FRESH_SEED);
    ck_assert_str_eq(again.text, answer.text);
    ask_free(&again);
    ask_free(&answer);
    answer = ask(GUMBEL, "{\"logits\":[[1,2],[3,4]],\"seed\":[5,6],\"tau\":[0.1,0.2]}");
    ck_assert_ptr_nonnull(strstr(answer.text, "\"seed\":[5,6],\"tau\":[0.1,0.2]"));
    ask_free(&answer);
}
END_TEST

START_TEST(splitting_rows_over_calls_changes_nothing)
{
    const char body[] = "{\"logits\":[[1,2,3],[4,5,6],[7,8,9]],\"seed\":3}\0\0\0\0\0\0\0";
    struct api_request request = {.body = body, .length = strlen(body)};
    struct answer whole = ask_bytes(GUMBEL, body, strlen(body));
    struct api_call *call;
    struct api_response response;
    ck_assert_int_eq(api_route_find("POST", GUMBEL, &request.route, NULL), 0);
    ck_assert_int_eq(api_decode(&request, &call, NULL), 0);
    ck_assert_uint_eq(api_call_rows(call), 3);
    ck_assert_int_eq(api_compute(call, 2, 1, NULL), 0);
    ck_assert_int_eq(api_compute(call, 0, 2, NULL), 0);
    ck_assert_int_eq(api_encode(call, &response, NULL), 0);
    ck_assert_uint_eq(response.length, strlen(whole.text));
    ck_assert_mem_eq(response.body, whole.text, response.length);
    free(response.owned);
    api_call_free(call);
    ask_free(&whole);
}
END_TEST

/* ---- Problems ---- */

static const struct {
    const char *path, *body, *code, *pointer;
    int status;
} problems[] = {
    {SOFTMAX, "", "malformed_json", "", 400},
    {SOFTMAX, "nope", "malformed_json", "", 400},
    {SOFTMAX, "[]", "wrong_type", "", 400},
    {SOFTMAX, "{}", "missing_member", "/logits", 400},
    {SOFTMAX, "{\"logits\":1}", "wrong_type", "/logits", 400},
    {SOFTMAX, "{\"logits\":null}", "wrong_type", "/logits", 400},
    {SOFTMAX, "{\"logits\":[[]]}", "invalid_row", "/logits", 422},
    {SOFTMAX, "{\"logits\":[[1],[]]}", "ragged_array", "/logits/1", 400},
    {SOFTMAX, "{\"logits\":[[1,2],[3]]}", "ragged_array", "/logits/1", 400},
    {SOFTMAX, "{\"logits\":[[[[[[[[[1]]]]]]]]]}", "wrong_type", "/logits", 400},
    {SOFTMAX, "{\"logits\":[1,\"2\"]}", "wrong_type", "/logits/1", 400},
    {SOFTMAX, "{\"logits\":[NaN]}", "malformed_json", "/logits/0", 400},
    {SOFTMAX, "{\"logits\":[1e400]}", "out_of_range", "/logits/0", 400},
    {SOFTMAX, "{\"logits\":[1],\"tau\":1}", "unknown_member", "/tau", 400},
    {SOFTMAX, "{\"logits\":[1],\"temperature\":\"1\"}", "wrong_type", "/temperature", 400},
    {SOFTMAX, "{\"logits\":[1],\"temperature\":-1e-30}", "out_of_range", "/temperature", 400},
    {SOFTMAX, "{\"logits\":[[1],[2]],\"temperature\":[1]}", "wrong_length", "/temperature", 400},
    {SOFTMAX, "{\"logits\":[[1],[2]],\"temperature\":[]}", "empty_array", "/temperature", 400},
    {SOFTMAX, "{\"logits\":[[1],[2]],\"temperature\":[1,-1]}", "out_of_range", "/temperature/1", 400},
    {SOFTMAX, "{\"logits\":[[1],[2]],\"temperature\":[1,[1]]}", "ragged_array", "/temperature/1", 400},
    {SOFTMAX, "{\"logits\":[[1],[null]]}", "invalid_row", "/logits/1", 422},
    {LOG_SOFTMAX, "{\"logits\":[null]}", "invalid_row", "/logits", 422},
    {GUMBEL, "{\"logits\":[[null,null],[1,2]]}", "invalid_row", "/logits/0", 422},
    {GUMBEL, "{\"logits\":[1],\"temperature\":1}", "unknown_member", "/temperature", 400},
    {GUMBEL, "{\"logits\":[1],\"tau\":-1}", "out_of_range", "/tau", 400},
    {GUMBEL, "{\"logits\":[1],\"tau\":1e39}", "out_of_range", "/tau", 400},
    {GUMBEL, "{\"logits\":[1],\"tau\":1e400}", "out_of_range", "/tau", 400},
    {GUMBEL, "{\"logits\":[1],\"hard\":1}", "wrong_type", "/hard", 400},
    {GUMBEL, "{\"logits\":[1],\"hard\":[true]}", "wrong_type", "/hard", 400},
    {GUMBEL, "{\"logits\":[1],\"seed\":-1}", "out_of_range", "/seed", 400},
    {GUMBEL, "{\"logits\":[1],\"seed\":1.5}", "wrong_type", "/seed", 400},
    {GUMBEL, "{\"logits\":[1],\"seed\":9007199254740992}", "out_of_range", "/seed", 400},
    {GUMBEL, "{\"logits\":[1],\"seed\":9007199254740991.4}", "wrong_type", "/seed", 400},
    {GUMBEL, "{\"logits\":[1],\"seed\":1.00000000000000000001}", "wrong_type", "/seed", 400},
    {GUMBEL, "{\"logits\":[1],\"seed\":\"7\"}", "wrong_type", "/seed", 400},
    {GUMBEL,
     "{\"logits\":[1],\"tau\":{\"schedule\":\"exponential\",\"start\":1,\"min\":0,\"rate\":1,\"step\":9007199254740991."
     "4}}",
     "wrong_type", "/tau/step", 400},
    {GUMBEL, "{\"logits\":[1],\"seed\":9223372036854775808}", "out_of_range", "/seed", 400},
    {GUMBEL, "{\"logits\":[1],\"seed\":true}", "wrong_type", "/seed", 400},
    {GUMBEL, "{\"logits\":[1],\"seed\":1,\"seed\":1}", "duplicate_member", "/seed", 400},
    {GUMBEL, "{\"logits\":[[1],[2]],\"seed\":[1,2,3]}", "wrong_length", "/seed", 400},
    {GUMBEL, "{\"logits\":[1],\"row_offset\":4294967296}", "out_of_range", "/row_offset", 400},
    {GUMBEL, "{\"logits\":[[1],[2]],\"row_offset\":4294967295}", "out_of_range", "/row_offset", 400},
    {GUMBEL, "{\"logits\":[1],\"row_offset\":[1]}", "wrong_type", "/row_offset", 400},
    {GUMBEL, "{\"logits\":[1],\"seed\":[1],\"row_offset\":1}", "out_of_range", "/row_offset", 400},
    {GUMBEL, "{\"logits\":[1],\"a/b~\xc3\xa9\":1}", "unknown_member", "/a~1b~0\xc3\xa9", 400},
};

START_TEST(a_problem_names_the_member)
{
    struct answer answer = ask(problems[_i].path, "%s", problems[_i].body);
    ck_assert_msg(answer.status == problems[_i].status && strcmp(ask_text(&answer, "code"), problems[_i].code) == 0 &&
                      strcmp(ask_text(&answer, "pointer"), problems[_i].pointer) == 0,
                  "%s: %s", problems[_i].body, answer.text);
    ck_assert_str_eq(answer.response.media_type, "application/problem+json");
    ck_assert_int_eq(json_integer_value(json_object_get(answer.json, "status")), answer.status);
    ck_assert_str_ne(ask_text(&answer, "title"), "");
    ck_assert_str_ne(ask_text(&answer, "detail"), "");
    ask_free(&answer);
}
END_TEST

/* At the '@', which is not sent. What is missing stands nowhere. */
static const struct {
    const char *path, *body;
} places[] = {
    {GUMBEL, "{\"logits\":[[1,2],[3,4]], \"tau\" : @-1}"},
    {GUMBEL, "{\"tau\":@-1,\"logits\":[[1,2],[3,4]]}"},
    {GUMBEL, "{\"logits\":[[1,2],[3,4]],\"tau\":{\"a\":\"]\\\"\",\"b\":[{}]},\"b\":@[1]}"},
    {GUMBEL, "{\"logits\":[1],\"tau\":{\"start\":1,\"min\":0,\"schedule\":\"linear\",\"steps\":@0,\"step\":1}}"},
    {GUMBEL, "{\"logits\":[1],\"return\":[\"samples\", @\"x\"]}"},
    {GUMBEL, "{\"logits\":[1],\"seed\":@1.5}"},
    {GUMBEL, "{\"logits\":[1],\"\\u0064im\":@1}"},
    {GUMBEL, "{\"logits\":[1],\"a/b~\":@1}"},
    {GUMBEL, "{\"logits\":@1}"},
    {GUMBEL, "{\"logits\":[1],\"num_samples\":@2000000}"},
    {GUMBEL, "{\"logits\":[1],\"seed\":7@x}"},
    {GUMBEL, "{\"logits\":[1] @\"seed\":7}"},
    {GUMBEL, "{\"logits\":[1]@],\"seed\":7}"},
    {"/v1/batch", "{\"requests\":[1]@x}"},
    {GUMBEL, "{\"seed\":7}@"},
    {"/v1/categorical", "{\"logits\":[1,2],\"logit_bias\":{\"0\":1,\"2\":@1}}"},
    {"/v1/batch", "{\"requests\":[{\"function\":\"softmax\",\"body\":{\"logits\":[1]}}],\"x\":@1}"},
    {"/v1/batch", "{\"requests\":@7}"},
    {"/v1/batch", "{\"requests\":[\"a\tb\"],\"x\":@1}"},
    {SOFTMAX, "{\"logits\":[1],\"\\u0061bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb\":@1}"},
};

START_TEST(a_problem_says_where_the_value_stands)
{
    char body[256];
    const size_t at = strcspn(places[_i].body, "@");
    snprintf(body, sizeof body, "%.*s%s", (int)at, places[_i].body, places[_i].body + at + 1);
    struct answer answer = ask(places[_i].path, "%s", body);
    const json_t *offset = json_object_get(answer.json, "offset");
    ck_assert_uint_ge(answer.status, 400);
    ck_assert_ptr_null(strstr(ask_text(&answer, "detail"), "null"));
    if (body[at] == '\0')
        ck_assert_msg(offset == NULL, "%s: %s", body, answer.text);
    else
        ck_assert_msg(offset != NULL && json_integer_value(offset) == (json_int_t)at, "%s: %s", body, answer.text);
    ask_free(&answer);
}
END_TEST

/* Names of any length and bytes that are no UTF-8 still give a well-formed document. */
START_TEST(a_problem_is_valid_json_whatever_was_sent)
{
    for (int length = 200; length < 300; length++) {
        char name[400];
        for (int i = 0; i < length; i += 3)
            memcpy(name + i, "\xe2\x82\xac", 3);
        struct answer answer = ask(SOFTMAX, "{\"logits\":[1],\"%.*s\":1}", length / 3 * 3, name);
        ck_assert_int_eq(answer.status, 400);
        ck_assert_str_eq(ask_text(&answer, "code"), "unknown_member");
        ask_free(&answer);
    }
    struct answer answer = ask(SOFTMAX, "{\"logits\":[1],\"\xff\":1}");
    ck_assert_int_eq(answer.status, 400);
    ck_assert_str_eq(ask_text(&answer, "code"), "malformed_json");
    ask_free(&answer);
}
END_TEST

/* ---- Media types ---- */

static int status_with(const char *content_type, const char *accept)
{
    static const char body[] = "{\"logits\":[0]}\0\0\0\0\0\0\0";
    struct api_request request = {.body = body, .length = strlen(body), .content_type = content_type, .accept = accept};
    struct api_response response;
    ck_assert_int_eq(api_route_find("POST", SOFTMAX, &request.route, NULL), 0);
    api_answer(&request, &response);
    free(response.owned);
    return response.status;
}

START_TEST(takes_json_bodies_alone)
{
    ck_assert_int_eq(status_with(NULL, NULL), 200);
    ck_assert_int_eq(status_with("application/json", NULL), 200);
    ck_assert_int_eq(status_with("Application/JSON; charset=utf-8", NULL), 200);
    ck_assert_int_eq(status_with("application/x-www-form-urlencoded", NULL), 415);
    ck_assert_int_eq(status_with("application/jsonx", NULL), 415);
    ck_assert_int_eq(status_with("", NULL), 415);
    ck_assert_int_eq(status_with("application/json, text/plain", NULL), 415);
    ck_assert_int_eq(status_with("application/json,application/json", NULL), 415);
    ck_assert_int_eq(status_with("application/json; charset=utf-8, text/plain", NULL), 415);
    ck_assert_int_eq(status_with("application/x-npy, application/json", NULL), 415);
    ck_assert_int_eq(status_with("application/json ;x=\"a, \\\"b\"; y=1", NULL), 200);
}
END_TEST

START_TEST(answers_what_is_accepted)
{
    static const char *const taken[] = {"",
                                        "*/*",
                                        "application/*",
                                        "application/json",
                                        "APPLICATION/JSON;q=0.5",
                                        "text/html, application/json;q=0.1",
                                        "text/html;q=0,*/*",
                                        "application/json ; q=1.0"};
    static const char *const refused[] = {"text/html",
                                          "application/xml, text/*",
                                          "application/json;q=0",
                                          "*/*;q=0.000",
                                          "application/json; q=0.0, text/html",
                                          "applicationx/json"};
    for (size_t i = 0; i < sizeof taken / sizeof *taken; i++)
        ck_assert_msg(status_with(NULL, taken[i]) == 200, "%s", taken[i]);
    for (size_t i = 0; i < sizeof refused / sizeof *refused; i++)
        ck_assert_msg(status_with(NULL, refused[i]) == 406, "%s", refused[i]);
}
END_TEST

TEST_SUITE("api")
{
    Suite *suite = suite_create("api: calls");
    TCase *results = tcase_create("results"), *refusals = tcase_create("problems"),
          *media = tcase_create("media types");
    tcase_add_test(results, one_row_keeps_its_shape);
    tcase_add_test(results, rows_keep_their_shape);
    tcase_add_test(results, minus_infinity_is_a_string_in_answers);
    tcase_add_test(results, temperature_divides_each_row_by_its_own);
    tcase_add_test(results, gumbel_softmax_takes_its_parameters_to_the_core);
    tcase_add_test(results, an_answer_says_what_repeats_it);
    tcase_add_test(results, splitting_rows_over_calls_changes_nothing);
    tcase_add_loop_test(refusals, a_problem_names_the_member, 0, sizeof problems / sizeof *problems);
    tcase_add_loop_test(refusals, a_problem_says_where_the_value_stands, 0, sizeof places / sizeof *places);
    tcase_add_test(refusals, a_problem_is_valid_json_whatever_was_sent);
    tcase_add_test(media, takes_json_bodies_alone);
    tcase_add_test(media, answers_what_is_accepted);
    suite_add_tcase(suite, results);
    suite_add_tcase(suite, refusals);
    suite_add_tcase(suite, media);
    return suite;
}
