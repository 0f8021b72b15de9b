/* The Open Inference Protocol: what is refused, and how that is said. */
#define _GNU_SOURCE /* memmem */
#include "lib/infer.h"
#include "lib/parts.h"
#include "lib/suite.h"

#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define GUMBEL "/v2/models/gumbel_softmax/infer"
#define SOFTMAX "/v2/models/softmax/infer"
#define LOGITS "{\"name\":\"logits\",\"datatype\":\"FP32\",\"shape\":[2,3],\"data\":[1,2,3,4,5,6]}"

#define INPUT(members) "{\"inputs\":[{\"name\":\"logits\"," members "}]}"
#define WITH(more) "{\"inputs\":[" LOGITS "]," more "}"
#define AND(members) "{\"inputs\":[" LOGITS ",{" members "}]}"

static const struct {
    const char *path, *body, *code, *pointer;
    int status;
} problems[] = {
    {SOFTMAX, "", "malformed_json", "", 400},
    {SOFTMAX, "[]", "wrong_type", "", 400},
    {SOFTMAX, "{}", "missing_member", "/inputs", 400},
    {SOFTMAX, "{\"inputs\":{}}", "wrong_type", "/inputs", 400},
    {SOFTMAX, "{\"inputs\":[]}", "empty_array", "/inputs", 400},
    {SOFTMAX, "{\"inputs\":[1]}", "wrong_type", "/inputs/0", 400},
    {SOFTMAX, "{\"inputs\":[{}]}", "missing_member", "/inputs/0/name", 400},
    {SOFTMAX, "{\"inputs\":[" LOGITS "]", "malformed_json", "/inputs", 400},
    {SOFTMAX, "{\"inputs\":[{\"name\":\"tau\"}]}", "unknown_member", "/inputs/0/name", 400},
    {SOFTMAX, "{\"inputs\":[{\"name\":\"dim\"}]}", "wrong_type", "/inputs/0/name", 400},
    {SOFTMAX, "{\"inputs\":[" LOGITS "," LOGITS "]}", "duplicate_member", "/inputs/1/name", 400},
    {SOFTMAX, INPUT("\"shape\":[1]"), "missing_member", "/inputs/0/datatype", 400},
    {SOFTMAX, INPUT("\"datatype\":\"INT32\""), "wrong_type", "/inputs/0/datatype", 400},
    {SOFTMAX, INPUT("\"datatype\":\"BYTES\""), "wrong_type", "/inputs/0/datatype", 400},
    {SOFTMAX, INPUT("\"datatype\":\"FP16\",\"shape\":[1],\"data\":[1]"), "wrong_type", "/inputs/0/datatype", 400},
    {SOFTMAX, INPUT("\"datatype\":\"BF16\",\"shape\":[1],\"data\":[1]"), "wrong_type", "/inputs/0/datatype", 400},
    {SOFTMAX, INPUT("\"datatype\":\"FP32\""), "missing_member", "/inputs/0/shape", 400},
    {SOFTMAX, INPUT("\"datatype\":\"FP32\",\"shape\":3"), "wrong_type", "/inputs/0/shape", 400},
    {SOFTMAX, INPUT("\"datatype\":\"FP32\",\"shape\":[1.5]"), "wrong_type", "/inputs/0/shape/0", 400},
    {SOFTMAX, INPUT("\"datatype\":\"FP32\",\"shape\":[2,-1]"), "out_of_range", "/inputs/0/shape/1", 400},
    {SOFTMAX, INPUT("\"datatype\":\"FP32\",\"shape\":[2,0],\"data\":[]"), "invalid_row", "/inputs/0/data", 422},
    {SOFTMAX, INPUT("\"datatype\":\"FP32\",\"shape\":[1e300]"), "out_of_range", "/inputs/0/shape/0", 400},
    {SOFTMAX, INPUT("\"datatype\":\"FP32\",\"shape\":[4294967296,4294967296]"), "out_of_range", "/inputs/0/shape", 400},
    {SOFTMAX, INPUT("\"datatype\":\"FP32\",\"shape\":[1,1,1,1,1,1,1,1,1,1]"), "wrong_type", "/inputs/0/shape", 400},
    {SOFTMAX, INPUT("\"datatype\":\"FP32\",\"shape\":[1,1,1,1,1,1,1,1,1],\"data\":[1]"), "wrong_type", "/inputs/0/data",
     400},
    {SOFTMAX, INPUT("\"datatype\":\"FP32\",\"shape\":[],\"data\":[1]"), "wrong_type", "/inputs/0/data", 400},
    {SOFTMAX, INPUT("\"datatype\":\"FP32\",\"shape\":[1]"), "missing_member", "/inputs/0/data", 400},
    {SOFTMAX, INPUT("\"datatype\":\"FP32\",\"shape\":[1],\"data\":1"), "wrong_type", "/inputs/0/data", 400},
    {SOFTMAX, INPUT("\"datatype\":\"FP32\",\"shape\":[2],\"data\":[1]"), "wrong_length", "/inputs/0/data", 400},
    {SOFTMAX, INPUT("\"datatype\":\"FP32\",\"shape\":[2,1],\"data\":[[1,2]]"), "wrong_length", "/inputs/0/data", 400},
    {SOFTMAX, INPUT("\"datatype\":\"FP32\",\"shape\":[3],\"data\":[1,\"2\",3]"), "wrong_type", "/inputs/0/data/1", 400},
    {SOFTMAX, INPUT("\"datatype\":\"FP32\",\"shape\":[3],\"data\":[1,NaN,3]"), "malformed_json", "/inputs/0/data/1",
     400},
    {SOFTMAX, INPUT("\"datatype\":\"FP32\",\"shape\":[2],\"data\":[1,2]3"), "malformed_json", "/inputs/0", 400},
    {SOFTMAX, INPUT("\"datatype\":\"FP32\",\"shape\":[2],\"data\":[1,2],\"data\":[1,2]"), "duplicate_member",
     "/inputs/0/data", 400},
    {SOFTMAX, INPUT("\"datatype\":\"FP32\",\"shape\":[2],\"data\":[null,null]"), "invalid_row", "/inputs/0/data", 422},
    {SOFTMAX, INPUT("\"datatype\":\"FP32\",\"shape\":[1],\"data\":[1],\"parameters\":{\"binary_data_size\":4}"),
     "duplicate_member", "/inputs/0/data", 400},
    {SOFTMAX, INPUT("\"datatype\":\"FP32\",\"shape\":[1],\"parameters\":{\"binary_data_size\":4}"), "wrong_length",
     "/inputs/0/parameters/binary_data_size", 400},
    {SOFTMAX, WITH("\"id\":1"), "wrong_type", "/id", 400},
    {SOFTMAX, INPUT("\"datatype\":\"FP32\",\"shape\":[1],\"data\":[1],\"parameters\":[null]"), "wrong_type",
     "/inputs/0/parameters", 400},
    {SOFTMAX, WITH("\"outputs\":[{\"name\":\"probabilities\",\"parameters\":1}]"), "wrong_type",
     "/outputs/0/parameters", 400},
    {SOFTMAX, WITH("\"parameters\":1"), "wrong_type", "/parameters", 400},
    {SOFTMAX, WITH("\"parameters\":{\"tau\":1}"), "unknown_member", "/parameters/tau", 400},
    {SOFTMAX, WITH("\"parameters\":{\"temperature\":-1}"), "out_of_range", "/parameters/temperature", 400},
    {SOFTMAX, WITH("\"parameters\":{\"temperature\":\"1\"}"), "wrong_type", "/parameters/temperature", 400},
    {SOFTMAX, WITH("\"parameters\":{\"logits\":[1]}"), "duplicate_member", "/inputs/0/name", 400},
    {SOFTMAX, WITH("\"parameters\":{\"mask\":[true]}"), "wrong_type", "/parameters/mask", 400},
    {SOFTMAX,
     "{\"inputs\":[{\"name\":\"logits\",\"datatype\":\"FP64\",\"shape\":[1],\"data\":[1]}],\"parameters\":{\"dtype\":"
     "\"float32\"}}",
     "wrong_type", "/parameters/dtype", 400},
    {SOFTMAX, WITH("\"parameters\":{\"binary_data_output\":1}"), "wrong_type", "/parameters/binary_data_output", 400},
    {SOFTMAX, WITH("\"outputs\":[{\"name\":\"probabilities\",\"parameters\":{\"binary_data\":\"true\"}}]"),
     "wrong_type", "/outputs/0/parameters/binary_data", 400},
    {GUMBEL, WITH("\"parameters\":{\"seed\":9007199254740991.4}"), "wrong_type", "/parameters/seed", 400},
    {SOFTMAX, AND("\"name\":\"temperature\",\"datatype\":\"FP32\",\"shape\":[2],\"data\":[1,-1]"), "out_of_range",
     "/inputs/1/data/1", 400},
    {SOFTMAX, AND("\"name\":\"temperature\",\"datatype\":\"FP32\",\"shape\":[3],\"data\":[1,1,1]"), "wrong_length",
     "/inputs/1/data", 400},
    {SOFTMAX, AND("\"name\":\"temperature\",\"datatype\":\"FP32\",\"shape\":[1,2],\"data\":[1,1]"), "wrong_type",
     "/inputs/1/data", 400},
    {SOFTMAX, AND("\"name\":\"temperature\",\"datatype\":\"FP32\",\"shape\":[3,1],\"data\":[1,1,1]"), "wrong_length",
     "/inputs/1/data", 400},
    {SOFTMAX, AND("\"name\":\"temperature\",\"datatype\":\"FP32\",\"shape\":[1],\"data\":[-1]"), "out_of_range",
     "/inputs/1/data/0", 400},
    {SOFTMAX, AND("\"name\":\"mask\",\"datatype\":\"BOOL\",\"shape\":[3],\"data\":[1,2,0]"), "wrong_type",
     "/inputs/1/data/1", 400},
    {SOFTMAX, AND("\"name\":\"mask\",\"datatype\":\"BOOL\",\"shape\":[2],\"data\":[true,false]"), "wrong_length",
     "/inputs/1/data", 400},
    {GUMBEL, AND("\"name\":\"seed\",\"datatype\":\"INT64\",\"shape\":[2],\"data\":[1,-1]"), "out_of_range",
     "/inputs/1/data/1", 400},
    {GUMBEL, AND("\"name\":\"seed\",\"datatype\":\"INT64\",\"shape\":[2],\"data\":[1,1.5]"), "wrong_type",
     "/inputs/1/data/1", 400},
    {GUMBEL, AND("\"name\":\"seed\",\"datatype\":\"INT64\",\"shape\":[2],\"data\":[1,9007199254740993]"),
     "out_of_range", "/inputs/1/data/1", 400},
    {GUMBEL, AND("\"name\":\"seed\",\"datatype\":\"INT64\",\"shape\":[2],\"data\":[1,9007199254740991.4]"),
     "wrong_type", "/inputs/1/data/1", 400},
    {GUMBEL, AND("\"name\":\"seed\",\"datatype\":\"INT32\",\"shape\":[2],\"data\":[1,2147483648]"), "out_of_range",
     "/inputs/1/data/1", 400},
    {GUMBEL, AND("\"name\":\"seed\",\"datatype\":\"UINT32\",\"shape\":[2],\"data\":[1,4294967296]"), "out_of_range",
     "/inputs/1/data/1", 400},
    {SOFTMAX, WITH("\"outputs\":1"), "wrong_type", "/outputs", 400},
    {SOFTMAX, WITH("\"outputs\":[{}]"), "missing_member", "/outputs/0/name", 400},
    {SOFTMAX, WITH("\"outputs\":[{\"name\":\"samples\"}]"), "out_of_range", "/outputs/0/name", 400},
    {SOFTMAX, WITH("\"outputs\":[{\"name\":\"probabilities\"},{\"name\":\"probabilities\"}]"), "duplicate_member",
     "/outputs/1/name", 400},
    {SOFTMAX, WITH("\"outputs\":[{\"name\":\"probabilities\",\"parameters\":{\"classification\":-1}}]"), "wrong_type",
     "/outputs/0/parameters/classification", 400},
    {GUMBEL, WITH("\"outputs\":[{\"name\":\"indices\",\"parameters\":{\"classification\":1}}]"), "out_of_range",
     "/outputs/0/parameters/classification", 400},
    {"/v2/models/categorical/infer", WITH("\"outputs\":[{\"name\":\"top_indices\"}]"), "out_of_range",
     "/outputs/0/name", 400},
    {"/v2/models/categorical/infer", WITH("\"parameters\":{\"logprobs\":2000000000}"), "limit_exceeded",
     "/parameters/logprobs", 413},
    {"/v2/models/vjp/infer", WITH("\"parameters\":{}"), "missing_member", "/parameters/function", 400},
    {"/v2/models/vjp/infer", WITH("\"parameters\":{\"function\":\"softmax\"}"), "missing_member", "/inputs", 400},
};

/* What looks like a slip is refused; what is a client's or a proxy's own passes. */
START_TEST(a_slip_among_the_parameters_is_told_what_was_meant)
{
    static const struct {
        const char *path, *body, *pointer, *meant; /* NULL: it passes */
    } cases[] = {
        {SOFTMAX, WITH("\"parameters\":{\"temprature\":1}"), "/parameters/temprature", "temperature"},
        {SOFTMAX, WITH("\"parameters\":{\"Temperature\":1}"), "/parameters/Temperature", "temperature"},
        {SOFTMAX, WITH("\"parameters\":{\"tempreature\":null}"), "/parameters/tempreature", "temperature"},
        {SOFTMAX, WITH("\"parameters\":{\"timout\":5}"), "/parameters/timout", "timeout"},
        {SOFTMAX, WITH("\"parameters\":{\"binary_data_outputs\":true}"), "/parameters/binary_data_outputs",
         "binary_data_output"},
        {"/v2/models/categorical/infer", WITH("\"parameters\":{\"topK\":2}"), "/parameters/topK", "top_k"},
        {SOFTMAX, WITH("\"outputs\":[{\"name\":\"probabilities\",\"parameters\":{\"clasification\":2}}]"),
         "/outputs/0/parameters/clasification", "classification"},
        {SOFTMAX, INPUT("\"datatype\":\"FP32\",\"shape\":[1],\"data\":[1],\"parameters\":{\"binary_datasize\":4}"),
         "/inputs/0/parameters/binary_datasize", "binary_data_size"},
        {SOFTMAX, WITH("\"parameters\":{\"topK\":2,\"task\":1,\"sequence_id\":1,\"priority\":0,\"headers\":{}}"), "",
         NULL},
        {SOFTMAX,
         INPUT("\"datatype\":\"FP32\",\"shape\":[1],\"data\":[1],\"parameters\":{\"shared_memory_region\":null}"), "",
         NULL},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct inferred inferred = infer_json(cases[i].path, cases[i].body);
        const struct answer *answer = &inferred.answer;
        ck_assert_msg(answer->status == (cases[i].meant != NULL ? 400 : 200), "%s: %s", cases[i].body, answer->text);
        ck_assert_str_eq(ask_text(answer, "pointer"), cases[i].pointer);
        if (cases[i].meant != NULL) {
            char text[64];
            snprintf(text, sizeof text, "called %s, not ", cases[i].meant);
            ck_assert_str_eq(ask_text(answer, "code"), "unknown_member");
            ck_assert_ptr_nonnull(strstr(ask_text(answer, "detail"), text));
        }
        infer_free(&inferred);
    }
}
END_TEST

/* In the client's bytes: after inputs of any size, which are not counted but passed over. */
START_TEST(a_problem_says_where_the_value_stands)
{
    static const char *const bodies[] = {
        WITH("\"parameters\":{\"seed\":7,\"tau\": @-1}"),
        WITH("\"id\": @7"),
        WITH("\"parameters\":{\"tau\":{\"schedule\":@\"x\"}}"),
        WITH("\"outputs\":[{\"name\":\"samples\"},{\"name\":@\"x\"}]"),
        AND("\"name\":@\"x\",\"datatype\":\"FP32\",\"shape\":[1],\"data\":[1]"),
        AND("\"name\":\"tau\",\"datatype\":\"FP32\",\"shape\":[3],\"data\":@[1,2,3]"),
        AND("\"name\":\"tau\",\"datatype\":\"FP32\",\"shape\":[2,@-1],\"data\":[1,2,3]"),
    };
    for (size_t i = 0; i < sizeof bodies / sizeof *bodies; i++) {
        char body[512];
        const size_t at = strcspn(bodies[i], "@");
        snprintf(body, sizeof body, "%.*s%s", (int)at, bodies[i], bodies[i] + at + 1);
        struct inferred inferred = infer_json(GUMBEL, body), binary = infer_binary(GUMBEL, body, "\"]}", 3);
        const json_t *offset = json_object_get(inferred.answer.json, "offset");
        ck_assert_msg(offset != NULL && json_integer_value(offset) == (json_int_t)at, "%s: %s", body,
                      inferred.answer.text);
        ck_assert_int_eq(binary.answer.status, 400);
        infer_free(&inferred);
        infer_free(&binary);
    }
}
END_TEST

/* It breaks at the '@', which is not sent. */
static const struct {
    const char *body, *pointer;
} breaks[] = {
    {INPUT("\"datatype\":\"FP32\",\"shape\":[2],\"data\":[1,@}"), "/inputs/0/data/1"},
    {INPUT("\"datatype\":\"FP32\",\"shape\":[2],\"data\":[1 @2]"), "/inputs/0/data/0"},
    {INPUT("\"datatype\":\"FP32\",\"shape\":[2],\"data\":[1,@}],\"x\":[1"), "/inputs/0/data/1"},
    {INPUT("\"datatype\":\"FP32\",\"shape\":[2@},\"data\":[1,2]"), "/inputs/0/shape/0"},
    {"{\"inputs\":[" LOGITS ",{\"name\":\"logits\",\"data\":[1,2@", "/inputs/1/data/1"},
    {"{\"inputs\":[" LOGITS ",{\"name\":\"log@", "/inputs/1/name"},
    {"{\"inputs\":[" LOGITS "@}", "/inputs/0"},
};

START_TEST(a_body_tells_where_it_breaks)
{
    char body[512];
    const size_t at = strcspn(breaks[_i].body, "@");
    snprintf(body, sizeof body, "%.*s%s", (int)at, breaks[_i].body, breaks[_i].body + at + 1);
    struct inferred inferred = infer_json(SOFTMAX, body);
    const struct answer *answer = &inferred.answer;
    ck_assert_msg(answer->status == 400 && strcmp(ask_text(answer, "code"), "malformed_json") == 0 &&
                      strcmp(ask_text(answer, "pointer"), breaks[_i].pointer) == 0 &&
                      json_integer_value(json_object_get(answer->json, "offset")) == (json_int_t)at,
                  "%s, %zu: %s", body, at, answer->text);
    infer_free(&inferred);
}
END_TEST

/* What would be taken elsewhere is told where it goes. */
START_TEST(a_list_among_the_parameters_is_told_that_it_is_an_input)
{
    static const struct {
        const char *path, *body, *pointer, *detail;
    } lists[] = {
        {GUMBEL, WITH("\"parameters\":{\"tau\":[0.5,1]}"), "/parameters/tau",
         "must be a number, or a schedule, or a list of one per row, sent as an input of that name"},
        {GUMBEL, WITH("\"parameters\":{\"tau\":\"[0.5,1]\"}"), "/parameters/tau",
         "must be a number, or a schedule, or a list of one per row, sent as an input of that name"},
        {GUMBEL, WITH("\"parameters\":{\"seed\":[1,2]}"), "/parameters/seed",
         "must be an integer, or a list of one per row, sent as an input of that name"},
        {SOFTMAX, WITH("\"parameters\":{\"mask\":[true,false,true]}"), "/parameters/mask",
         "must be an array of booleans, sent as an input of that name"},
        {GUMBEL, WITH("\"parameters\":{\"num_samples\":[1,2]}"), "/parameters/num_samples", "must be an integer"},
    };
    for (size_t i = 0; i < sizeof lists / sizeof *lists; i++) {
        struct inferred inferred = infer_json(lists[i].path, lists[i].body);
        ck_assert_int_eq(inferred.answer.status, 400);
        ck_assert_str_eq(ask_text(&inferred.answer, "pointer"), lists[i].pointer);
        ck_assert_str_eq(ask_text(&inferred.answer, "detail"), lists[i].detail);
        infer_free(&inferred);
    }
}
END_TEST

START_TEST(a_problem_is_an_error)
{
    struct inferred inferred = infer_json(problems[_i].path, problems[_i].body);
    const struct answer *answer = &inferred.answer;
    ck_assert_msg(answer->status == problems[_i].status && strcmp(ask_text(answer, "code"), problems[_i].code) == 0 &&
                      strcmp(ask_text(answer, "pointer"), problems[_i].pointer) == 0,
                  "%s: %s", problems[_i].body, answer->text);
    ck_assert_str_eq(answer->response.media_type, "application/json");
    ck_assert_int_eq(json_integer_value(json_object_get(answer->json, "status")), answer->status);
    ck_assert_ptr_nonnull(strstr(ask_text(answer, "error"), ask_text(answer, "detail")));
    infer_free(&inferred);
}
END_TEST

/* `field` is Inference-Header-Content-Length, NULL the JSON's length. */
static const struct {
    const char *json, *field, *code, *pointer;
    size_t binary;
} sizes[] = {
    {INPUT("\"datatype\":\"FP32\",\"shape\":[2],\"parameters\":{\"binary_data_size\":7}"), NULL, "wrong_length",
     "/inputs/0/parameters/binary_data_size", 8},
    {INPUT("\"datatype\":\"FP32\",\"shape\":[2],\"parameters\":{\"binary_data_size\":8}"), NULL, "wrong_length",
     "/inputs/0/parameters/binary_data_size", 7},
    {INPUT("\"datatype\":\"FP32\",\"shape\":[2],\"parameters\":{\"binary_data_size\":8}"), NULL, "wrong_length", "", 9},
    {INPUT("\"datatype\":\"FP32\",\"shape\":[2],\"parameters\":{\"binary_data_size\":8}"), NULL, "wrong_length",
     "/inputs/0/parameters/binary_data_size", 0},
    {INPUT("\"datatype\":\"FP32\",\"shape\":[2],\"parameters\":{\"binary_data_size\":-8}"), NULL, "wrong_type",
     "/inputs/0/parameters/binary_data_size", 8},
    {INPUT("\"datatype\":\"FP32\",\"shape\":[2],\"parameters\":{\"binary_data_size\":\"8\"}"), NULL, "wrong_type",
     "/inputs/0/parameters/binary_data_size", 8},
    {INPUT("\"datatype\":\"FP32\",\"shape\":[4611686018427387904],\"parameters\":{\"binary_data_size\":0}"), NULL,
     "out_of_range", "/inputs/0/shape/0", 8},
    {INPUT("\"datatype\":\"FP32\",\"shape\":[2147483648,2147483650],\"parameters\":{\"binary_data_size\":8}"), NULL,
     "out_of_range", "/inputs/0/shape", 8},
    {INPUT("\"datatype\":\"FP32\",\"shape\":[9007199254740991],\"parameters\":{\"binary_data_size\":1."
           "8014398509481984e16}"),
     NULL, "wrong_length", "/inputs/0/parameters/binary_data_size", 8},
    {INPUT(
         "\"datatype\":\"FP32\",\"shape\":[4503599627370496],\"parameters\":{\"binary_data_size\":18014398509481984}"),
     NULL, "wrong_length", "/inputs/0/parameters/binary_data_size", 8},
    {"{\"inputs\":[" LOGITS "]}", NULL, "wrong_length", "", 1},
    {"{\"inputs\":[" LOGITS "]}", "1000", "wrong_length", "", 0},
    {"{\"inputs\":[" LOGITS "]}", "18446744073709551617", "wrong_length", "", 0},
    {"{\"inputs\":[" LOGITS "]}", "", "wrong_type", "", 0},
    {"{\"inputs\":[" LOGITS "]}", "-1", "wrong_type", "", 0},
    {"{\"inputs\":[" LOGITS "]}", "0x10", "wrong_type", "", 0},
    {"{\"inputs\":[" LOGITS "]}", "12 ", "wrong_type", "", 0},
    {"{\"inputs\":[" LOGITS "]}", "20", "malformed_json", "/inputs/0/name", 0},
};

START_TEST(sizes_are_checked)
{
    const size_t length = strlen(sizes[_i].json);
    char field[24], *body = calloc(1, length + sizes[_i].binary + 1);
    snprintf(field, sizeof field, "%zu", length);
    memcpy(body, sizes[_i].json, length);
    struct inferred inferred = infer_post(SOFTMAX, sizes[_i].field != NULL ? sizes[_i].field : field, body,
                                          length + sizes[_i].binary);
    ck_assert_msg(inferred.answer.status == 400 && strcmp(ask_text(&inferred.answer, "code"), sizes[_i].code) == 0 &&
                      strcmp(ask_text(&inferred.answer, "pointer"), sizes[_i].pointer) == 0,
                  "%s: %s", sizes[_i].json, inferred.answer.text);
    infer_free(&inferred);
    free(body);
}
END_TEST

/* What comes before a front has read anything. Fresh memory is filled, so that a state which is freed without having
 * been set would show. */
START_TEST(a_query_is_refused_before_anything_is_read)
{
    static const struct api_argument argument = {"temperature", "2", 1};
    static const char *const paths[] = {SOFTMAX, "/v1/batch"};
    mallopt(M_PERTURB, 0x5a);
    for (size_t i = 0; i < 2; i++) {
        struct api_request request = infer_request("POST", paths[i]);
        struct api_response response;
        request.body = "{}\0\0\0\0\0\0\0";
        request.length = 2;
        request.query = &argument;
        request.query_count = 1;
        parts_answer(&request, 0, PARTS_SHUFFLED, &response);
        ck_assert_int_eq(response.status, 400);
        api_response_release(&response);
    }
}
END_TEST

START_TEST(limits_hold)
{
    static const char body[] = "{\"inputs\":[" LOGITS "],\"parameters\":{\"num_samples\":2},\"outputs\":[{\"name\":"
                               "\"samples\",\"parameters\":{\"classification\":3}}]}\0\0\0\0\0\0\0";
    size_t limits[API_LIMIT_COUNT];
    for (int id = 0; id < API_LIMIT_COUNT; id++)
        limits[id] = api_limits[id].fallback;
    limits[API_LIMIT_RESULT_BYTES] = 12 * 64;
    struct api_request request = infer_request("POST", GUMBEL);
    struct api_response response;
    request.body = body;
    request.length = strlen(body);
    request.limits = limits;
    api_answer(&request, &response);
    ck_assert_int_eq(response.status, 200);
    api_response_release(&response);
    limits[API_LIMIT_RESULT_BYTES]--;
    api_answer(&request, &response);
    ck_assert_int_eq(response.status, 413);
    api_response_release(&response);
}
END_TEST

/* `outputs` stands for `return`, whichever asked for too much. */
START_TEST(a_limit_names_what_can_be_lowered)
{
    static const struct {
        const char *body, *pointer;
    } cases[] = {
        {WITH("\"outputs\":[{\"name\":\"samples\"},{\"name\":\"soft\"}]"), "/outputs"},
        {WITH("\"parameters\":{\"return\":[\"samples\",\"soft\"]}"), "/parameters/return"},
        {WITH("\"parameters\":{\"num_samples\":2}"), "/parameters/num_samples"},
    };
    size_t limits[API_LIMIT_COUNT];
    for (int id = 0; id < API_LIMIT_COUNT; id++)
        limits[id] = api_limits[id].fallback;
    limits[API_LIMIT_RESULT_BYTES] = 24;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char body[512] = "", pointer[64];
        struct api_request request = infer_request("POST", GUMBEL);
        struct api_response response;
        strcpy(body, cases[i].body);
        snprintf(pointer, sizeof pointer, "\"pointer\":\"%s\"", cases[i].pointer);
        request.body = body;
        request.length = strlen(body);
        request.limits = limits;
        api_answer(&request, &response);
        ck_assert_int_eq(response.status, 413);
        ck_assert_msg(memmem(response.body, response.length, pointer, strlen(pointer)) != NULL, "%.*s",
                      (int)response.length, response.body);
        api_response_release(&response);
    }
}
END_TEST

static int status_with(const char *content_type, const char *accept)
{
    static const char body[] = "{\"inputs\":[" LOGITS "]}\0\0\0\0\0\0\0";
    struct api_request request = infer_request("POST", SOFTMAX);
    struct api_response response;
    request.body = body;
    request.length = strlen(body);
    request.content_type = content_type;
    request.accept = accept;
    api_answer(&request, &response);
    api_response_release(&response);
    return response.status;
}

START_TEST(media_types_are_three)
{
    ck_assert_int_eq(status_with(NULL, NULL), 200);
    ck_assert_int_eq(status_with("application/json; charset=utf-8", "*/*"), 200);
    ck_assert_int_eq(status_with("application/octet-stream", "application/octet-stream"), 200);
    ck_assert_int_eq(status_with("application/x-www-form-urlencoded", "*/*"), 200); /* curl -d */
    ck_assert_int_eq(status_with(NULL, "application/x-www-form-urlencoded"), 406);
    ck_assert_int_eq(status_with("text/plain", NULL), 415);
    ck_assert_int_eq(status_with("application/octet-stream, application/json", NULL), 415);
    ck_assert_int_eq(status_with(NULL, "text/html"), 406);
}
END_TEST

TEST_SUITE("api")
{
    Suite *suite = suite_create("api: oip problems");
    TCase *refusals = tcase_create("problems");
    tcase_add_loop_test(refusals, a_problem_is_an_error, 0, sizeof problems / sizeof *problems);
    tcase_add_test(refusals, a_list_among_the_parameters_is_told_that_it_is_an_input);
    tcase_add_test(refusals, a_slip_among_the_parameters_is_told_what_was_meant);
    tcase_add_test(refusals, a_problem_says_where_the_value_stands);
    tcase_add_loop_test(refusals, a_body_tells_where_it_breaks, 0, sizeof breaks / sizeof *breaks);
    tcase_add_loop_test(refusals, sizes_are_checked, 0, sizeof sizes / sizeof *sizes);
    tcase_add_test(refusals, a_query_is_refused_before_anything_is_read);
    tcase_add_test(refusals, limits_hold);
    tcase_add_test(refusals, a_limit_names_what_can_be_lowered);
    tcase_add_test(refusals, media_types_are_three);
    suite_add_tcase(suite, refusals);
    return suite;
}
