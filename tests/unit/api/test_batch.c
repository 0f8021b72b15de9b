/* Several calls in one request. */
#include "lib/ask.h"
#include "lib/suite.h"
#include "numbers.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define BATCH "/v1/batch"

/* Calls of every function, among them calls that fail in every way that leaves the batch whole. */
static const struct {
    const char *function, *body;
} calls[] = {
    {"softmax", "{\"logits\":[[1,2,3],[4,5,6]],\"dtype\":\"float64\"}"},
    {"softmax", "{\"logits\":[[1,2,3],[4,5]]}"},
    {"log_softmax", "{\"logits\":[1,null]}"},
    {"gumbel_softmax", "{\"logits\":[1,2,3],\"seed\":7,\"num_samples\":2}"},
    {"gumbel_softmax", "{\"logits\":[1,2,3],\"tau\":-1}"},
    {"gumbel_softmax", "{\"logits\":[1,2,3]}"},
    {"categorical", "{\"logits\":[[1,2,3]],\"seed\":7,\"top_k\":2}"},
    {"categorical", "{\"logits\":[[null,null]],\"seed\":7}"},
    {"vjp", "{\"function\":\"softmax\",\"logits\":[1,2],\"cotangent\":[1,0]}"},
    {"softmax", "{\"logits\":[1,2],\"mask\":[true,tru]}"},
    {"softmax", "{\"logits\":[1,2],\"logits\":[1,2]}"},
    {"softmax", "{}"},
    {"gumbel_softmax", "{\"seed\":7,\"logits\":[1,2,3],\"num_samples\":2000000}"},
};
enum { CALLS = sizeof calls / sizeof *calls };

START_TEST(each_call_is_answered_as_if_it_were_alone)
{
    char body[4096] = "{\"requests\":[";
    for (size_t i = 0; i < CALLS; i++) {
        const size_t used = strlen(body);
        snprintf(body + used, sizeof body - used, "%s{\"id\":%zu,\"function\":\"%s\",\"body\":%s}", i > 0 ? ", " : "",
                 i, calls[i].function, calls[i].body);
    }
    strcat(body, "]}");
    struct answer batch = ask(BATCH, "%s", body);
    assert_answered(&batch);
    const json_t *responses = json_object_get(batch.json, "responses");
    ck_assert_uint_eq(json_array_size(responses), CALLS);
    for (size_t i = 0; i < CALLS; i++) {
        char path[64];
        const json_t *response = json_array_get(responses, i);
        snprintf(path, sizeof path, "/v1/%s", calls[i].function);
        struct answer alone = ask(path, "%s", calls[i].body);
        ck_assert_uint_eq((size_t)json_integer_value(json_object_get(response, "id")), i);
        ck_assert_int_eq((int)json_integer_value(json_object_get(response, "status")), alone.status);
        ck_assert_msg(json_equal(json_object_get(response, "body"), alone.json), "%s\n%s", alone.text, batch.text);
        ask_free(&alone);
    }
    ask_free(&batch);
}
END_TEST

START_TEST(an_id_comes_back)
{
    struct answer answer = ask(BATCH, "{\"requests\":[{\"id\":\"a\\\"\\u0000\xc3\xa9\",\"function\":\"x\"},"
                                      "{\"id\":9007199254740991,\"function\":\"x\"},{\"function\":\"x\"},"
                                      "{\"function\":\"x\",\"id\":null}]}");
    ck_assert_int_eq(answer.status, 200);
    ck_assert_ptr_nonnull(strstr(answer.text, "{\"responses\":[{\"id\":null,\"status\":400,"));
    ck_assert_ptr_nonnull(strstr(answer.text, "{\"id\":9007199254740991,\"status\":400,"));
    ask_free(&answer);
    answer = ask(BATCH,
                 "{\"requests\":[{\"id\":\"a\\\"\xc3\xa9\",\"function\":\"softmax\",\"body\":{\"logits\":[1]}}]}");
    ck_assert_str_eq(answer.text, "{\"responses\":[{\"id\":\"a\\\"\xc3\xa9\",\"status\":200,\"body\":"
                                  "{\"shape\":[1],\"dtype\":\"float32\",\"probabilities\":[1.0]}}]}");
    ck_assert_uint_eq(answer.response.rows, 1);
    ask_free(&answer);
}
END_TEST

/* Doubles are integers of their own up to 2^53: what is beyond would come back as another. */
static const struct {
    const char *id, *answered; /* NULL: refused */
} ids[] = {
    {"0", "0"},
    {"-0", "0"},
    {"1e3", "1000"},
    {"4503599627370497", "4503599627370497"},
    {"9007199254740991", "9007199254740991"},
    {"9007199254740991.0", "9007199254740991"},
    {"9007199254740992", NULL},
    {"9007199254740993", NULL},
    {"-9007199254740991", NULL},
    {"-9007199254740992", NULL},
    {"9007199254740990.5", NULL},
    {"1e400", NULL},
};

START_TEST(an_integer_id_is_repeated_exactly_or_refused)
{
    char whole[64];
    struct answer answer = ask(BATCH, "{\"requests\":[{\"id\":%s,\"function\":\"softmax\",\"body\":{\"logits\":[1]}}]}",
                               ids[_i].id);
    ck_assert_int_eq(answer.status, 200);
    snprintf(whole, sizeof whole, "{\"responses\":[{\"id\":%s,\"status\":%d,",
             ids[_i].answered != NULL ? ids[_i].answered : "null", ids[_i].answered != NULL ? 200 : 400);
    ck_assert_msg(strncmp(answer.text, whole, strlen(whole)) == 0, "%s: %s", ids[_i].id, answer.text);
    if (ids[_i].answered == NULL)
        ck_assert_msg(strstr(answer.text, "\"pointer\":\"/requests/0/id\"") != NULL, "%s", answer.text);
    ask_free(&answer);
}
END_TEST

/* A call that is none is answered in its place too. */
static const struct {
    const char *call, *code, *pointer;
} broken[] = {
    {"1", "wrong_type", ""},
    {"{\"function\":\"softmax\"}", "missing_member", "/requests/1/body"},
    {"{\"body\":{\"logits\":[1]}}", "missing_member", "/requests/1/function"},
    {"{\"function\":\"batch\",\"body\":{\"requests\":[]}}", "out_of_range", "/requests/1/function"},
    {"{\"function\":1,\"body\":{}}", "wrong_type", "/requests/1/function"},
    {"{\"function\":\"softmax\",\"body\":[1]}", "wrong_type", "/requests/1/body"},
    {"{\"function\":\"softmax\",\"body\":{\"logits\":[1]},\"logits\":[1]}", "unknown_member", "/requests/1/logits"},
    {"{\"id\":[],\"function\":\"softmax\",\"body\":{\"logits\":[1]}}", "wrong_type", "/requests/1/id"},
    {"{\"id\":9007199254740991.4,\"function\":\"softmax\",\"body\":{\"logits\":[1]}}", "wrong_type", "/requests/1/id"},
    {"{\"id\":-1,\"function\":\"softmax\",\"body\":{\"logits\":[1]}}", "wrong_type", "/requests/1/id"},
    {"{\"function\":\"softmax\",\"body\":{\"logits\":[1,2],},\"id\":4503599627370497.25}", "wrong_type",
     "/requests/1/id"},
    {"{\"id\":1,\"id\":1,\"function\":\"softmax\",\"body\":{\"logits\":[1]}}", "duplicate_member", NULL},
    {"{\"function\":\"softmax\",\"body\":{\"logits\":[1,]}}", "malformed_json", "/logits/1"},
    {"{\"function\":\"softmax\",\"body\":{\"logits\":[1]} x}", "malformed_json", NULL},
};

START_TEST(one_bad_call_leaves_the_others_whole)
{
    const char whole[] = "{\"id\":\"good\",\"function\":\"softmax\",\"body\":{\"logits\":[0,0]}}";
    struct answer answer = ask(BATCH, "{\"requests\":[%s,%s,%s]}", whole, broken[_i].call, whole);
    assert_answered(&answer);
    const json_t *responses = json_object_get(answer.json, "responses"), *bad = json_array_get(responses, 1);
    ck_assert_uint_eq(json_array_size(responses), 3);
    ck_assert_int_eq((int)json_integer_value(json_object_get(bad, "status")), 400);
    const json_t *problem = json_object_get(bad, "body"), *pointer = json_object_get(problem, "pointer");
    ck_assert_msg(strcmp(json_string_value(json_object_get(problem, "code")), broken[_i].code) == 0, "%s", answer.text);
    if (broken[_i].pointer != NULL && broken[_i].pointer[0] != '\0')
        ck_assert_msg(pointer != NULL && strcmp(json_string_value(pointer), broken[_i].pointer) == 0, "%s",
                      answer.text);
    for (size_t i = 0; i < 3; i += 2)
        ck_assert_int_eq((int)json_integer_value(json_object_get(json_array_get(responses, i), "status")), 200);
    ask_free(&answer);
}
END_TEST

/* Those that were computed. */
START_TEST(rows_are_counted)
{
    struct answer answer = ask(BATCH,
                               "{\"requests\":[{\"function\":\"softmax\",\"body\":{\"logits\":[[null],[1],[1]]}},"
                               "{\"function\":\"softmax\",\"body\":{\"logits\":[[1],[1]]}}]}");
    ck_assert_int_eq(answer.status, 200);
    ck_assert_uint_eq(answer.response.rows, 2);
    ask_free(&answer);
}
END_TEST

#define HEAD "{\"id\":\"a\",\"function\":\"softmax\",\"body\":"
#define CALL HEAD "{\"logits\":[1,2]}}"

START_TEST(a_batch_that_is_none_is_refused)
{
    assert_problem(BATCH, "{}", 400, "missing_member", "/requests");
    assert_problem(BATCH, "", 400, "malformed_json", "");
    assert_problem(BATCH, "[]", 400, "wrong_type", "");
    assert_problem(BATCH, "{\"requests\":{}}", 400, "wrong_type", "/requests");
    assert_problem(BATCH, "{\"requests\":[]}", 400, "empty_array", "/requests");
    assert_problem(BATCH, "{\"requests\":[{\"function\":\"x\"}],\"seed\":1}", 400, "unknown_member", "/seed");
    assert_problem(BATCH, "{\"requests\":[{\"function\":\"x\"},]}", 400, "malformed_json", "/requests/1");
}
END_TEST

/* It breaks at the '@', which is not sent. */
static const struct {
    const char *body, *pointer;
} breaks[] = {
    {"{\"requests\":[" CALL "," HEAD "{\"logits\":[1,2@}}]}", "/requests/1/body/logits/1"},
    {"{\"requests\":[" CALL "," HEAD "{\"logits\":[[1,2],[3,4@}}},{\"id\":1}]}", "/requests/1/body/logits/1/1"},
    {"{\"requests\":[" CALL "," HEAD "{\"logits\":[1,2]@]}]}]", "/requests/1/body/logits"},
    {"{\"requests\":[" HEAD "{\"logits\":[1,2]}@", "/requests/0/body"},
    {"{\"requests\":[" HEAD "{\"logits\":[1,2@", "/requests/0/body/logits/1"},
    {"{\"requests\":[" HEAD "{\"logits\":[1,@", "/requests/0/body/logits/1"},
    {"{\"requests\":[" HEAD "{\"logits\":[1,-@", "/requests/0/body/logits/1"},
    {"{\"requests\":[" HEAD "{\"logits\":[1,nul@", "/requests/0/body/logits/1"},
    {"{\"requests\":[" HEAD "{\"logits\":[1,\"-Inf@", "/requests/0/body/logits/1"},
    {"{\"requests\":[" HEAD "{\"logits@", "/requests/0/body"},
    {"{\"requests\":[" HEAD "{\"logits\"@", "/requests/0/body/logits"},
    {"{\"requests\":[" CALL ",@", "/requests/1"},
    {"{\"requests\":[" CALL "@", "/requests/0"},
    {"{\"requests\":[@", "/requests/0"},
    {"{\"requests\":[" CALL "@}", "/requests/0"},
    {"{\"requests\":[" HEAD "{\"logits\":[@x],\"a\":[1}}]}", "/requests/0/body/logits/0"},
    {"{\"requests\":[" HEAD "{\"logits\":[0,@01],\"a\":[1}}]}", "/requests/0/body/logits/1"},
    {"{\"requests\":[" HEAD "{\"dtype\":\"float32}},{\"@id\":1}]}", "/requests/0/body/dtype"},
    {"{\"requests\":[" HEAD "{\"a\":\"\\u12@", "/requests/0/body/a"},
    {"{\"requests\":[" HEAD "{\"a\":\"@\\x\"}},{]}", "/requests/0/body/a"},
    {"{\"requests\":[" HEAD "{\"a\":\"@\\ud800\"}},{]}", "/requests/0/body/a"},
    {"{\"requests\":[" HEAD "{\"a\":\"\xc3\xa9@\xff\"}},{]}", "/requests/0/body/a"},
    {"{\"requests\":[" HEAD "{\"a\":\"@\n\"}},{]}", "/requests/0/body/a"},
    {"{\"requests\":[" HEAD "{\"a\" @1}},{]}", "/requests/0/body/a"},
    {"{\"requests\":[" HEAD "{\"a\":1,@}},{]}", "/requests/0/body/a"},
    {"{\"requests\":[" HEAD "{\"a/~\":{\"b\":[{},{\"c\":@]}]}}}]}", "/requests/0/body/a~1~0/b/1/c"},
    {"{\"x\":@nope,\"requests\":[{]}", "/x"},
    {"{\"requests\":[" HEAD "{\"a\":[1@}]},{\"b\":2}]}}]}]}", "/requests/0/body/a/0"},
};

START_TEST(a_batch_tells_where_it_breaks)
{
    const size_t at = strcspn(breaks[_i].body, "@");
    const char *rest = breaks[_i].body + at + 1;
    struct answer answer = ask(BATCH, "%.*s%s", (int)at, breaks[_i].body, rest);
    ck_assert_msg(answer.status == 400 && strcmp(ask_text(&answer, "code"), "malformed_json") == 0, "%s: %s",
                  breaks[_i].body, answer.text);
    ck_assert_msg(json_integer_value(json_object_get(answer.json, "offset")) == (json_int_t)at, "%s, %zu: %s",
                  breaks[_i].body, at, answer.text);
    ck_assert_msg(strcmp(ask_text(&answer, "pointer"), breaks[_i].pointer) == 0, "%s: %s", breaks[_i].body,
                  answer.text);
    ask_free(&answer);
}
END_TEST

/* A body whose brackets are even but do not match ends too late. */
START_TEST(a_call_tells_where_it_breaks)
{
    static const char head[] = "{\"requests\":[", item[] = HEAD "{\"logits\":[1,2}]";
    struct answer answer = ask(BATCH, "%s%s]," CALL "]}", head, item);
    assert_answered(&answer);
    const json_t *responses = json_object_get(answer.json, "responses");
    const json_t *problem = json_object_get(json_array_get(responses, 0), "body");
    ck_assert_uint_eq(json_array_size(responses), 2);
    ck_assert_int_eq((int)json_integer_value(json_object_get(json_array_get(responses, 1), "status")), 200);
    ck_assert_str_eq(json_string_value(json_object_get(problem, "code")), "malformed_json");
    ck_assert_str_eq(json_string_value(json_object_get(problem, "pointer")), "/requests/0/body/logits/1");
    ck_assert_int_eq(json_integer_value(json_object_get(problem, "offset")),
                     (json_int_t)(strlen(head) + strlen(item) - 2));
    ask_free(&answer);
}
END_TEST

/* The calls' offsets begin with their bodies. */
START_TEST(an_offset_is_of_the_calls_own_body)
{
    const char body[] = "{\"logits\":[1,2,x]}";
    struct answer alone = ask("/v1/softmax", "%s", body);
    struct answer batch = ask(BATCH, "{\"requests\":[{\"function\":\"softmax\",\"body\": %s }]}", body);
    const json_t *response = json_array_get(json_object_get(batch.json, "responses"), 0);
    ck_assert_ptr_nonnull(json_object_get(alone.json, "offset"));
    ck_assert(json_equal(json_object_get(response, "body"), alone.json));
    ask_free(&alone);
    ask_free(&batch);
    /* What is wrong with the call around it counts from the batch's. */
    const char whole[] = "{\"requests\":[{\"id\":1.5,\"function\":\"softmax\",\"body\":{\"logits\":[1]}}]}";
    batch = ask(BATCH, "%s", whole);
    response = json_array_get(json_object_get(batch.json, "responses"), 0);
    ck_assert_int_eq(json_integer_value(json_object_get(json_object_get(response, "body"), "offset")),
                     strstr(whole, "1.5") - whole);
    ask_free(&batch);
}
END_TEST

static uint64_t next_seed;

static uint64_t counted_seed(void)
{
    return next_seed++;
}

/* Calls without a seed draw each their own. */
START_TEST(each_call_draws_a_seed)
{
    const char body[] = "{\"requests\":[{\"function\":\"gumbel_softmax\",\"body\":{\"logits\":[1,2]}},"
                        "{\"function\":\"gumbel_softmax\",\"body\":{\"logits\":[1,2]}}]}\0\0\0\0\0\0\0";
    struct api_request request = {.body = body, .length = strlen(body), .fresh_seed = counted_seed};
    struct api_response response;
    ck_assert_int_eq(api_route_find("POST", BATCH, &request.route, NULL), 0);
    api_answer(&request, &response);
    ck_assert_int_eq(response.status, 200);
    ck_assert_uint_eq(next_seed, 2);
    api_response_release(&response);
}
END_TEST

TEST_SUITE("api")
{
    Suite *suite = suite_create("api: batches");
    TCase *batches = tcase_create("batches");
    tcase_add_test(batches, each_call_is_answered_as_if_it_were_alone);
    tcase_add_test(batches, an_id_comes_back);
    tcase_add_loop_test(batches, an_integer_id_is_repeated_exactly_or_refused, 0, sizeof ids / sizeof *ids);
    tcase_add_test(batches, rows_are_counted);
    tcase_add_loop_test(batches, one_bad_call_leaves_the_others_whole, 0, sizeof broken / sizeof *broken);
    tcase_add_test(batches, a_batch_that_is_none_is_refused);
    tcase_add_loop_test(batches, a_batch_tells_where_it_breaks, 0, sizeof breaks / sizeof *breaks);
    tcase_add_test(batches, a_call_tells_where_it_breaks);
    tcase_add_test(batches, an_offset_is_of_the_calls_own_body);
    tcase_add_test(batches, each_call_draws_a_seed);
    suite_add_tcase(suite, batches);
    return suite;
}
