/* Jobs: an answer made in parts, in any order and on several threads, is the answer made in one go, to the byte. That
 * holds of what the other suites ask too (parts_check in ask.c, npy.c and infer.c). */
#include "call/plan.h"
#include "lib/ask.h"
#include "lib/parts.h"
#include "lib/suite.h"

#include "lib/assertions.h"
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- Requests ---- */

/* What is asked of arrays of every shape: members in JSON. */
static const struct {
    const char *path, *members;
    int samples; /* of the cotangent, 0 if it has no axis of them; -1: there is no cotangent */
} calls[] = {
    {"/v1/softmax", "\"on_invalid\":\"zero\"", -1},
    {"/v1/softmax", "\"dtype\":\"float64\",\"temperature\":0.5", -1},
    {"/v1/log_softmax", "\"on_invalid\":\"nan\"", -1},
    {"/v1/gumbel_softmax", "\"seed\":1", -1},
    {"/v1/gumbel_softmax",
     "\"seed\":1,\"num_samples\":9,\"return\":[\"samples\",\"indices\",\"soft\",\"noise\",\"log_density\",\"log_"
     "samples\",\"perturbed\"]",
     -1},
    {"/v1/gumbel_softmax", "\"seed\":1,\"num_samples\":9,\"on_invalid\":\"zero\"", -1},
    {"/v1/gumbel_softmax", "\"seed\":1,\"num_samples\":40,\"return\":[\"indices\"],\"on_invalid\":\"uniform\"", -1},
    {"/v1/gumbel_softmax", "\"dtype\":\"float64\",\"seed\":1,\"num_samples\":9,\"tau\":0.3", -1},
    {"/v1/categorical", "\"seed\":1,\"num_samples\":50", -1},
    {"/v1/categorical", "\"seed\":1,\"num_samples\":50,\"dtype\":\"float64\",\"on_invalid\":\"nan\"", -1},
    {"/v1/categorical", "\"seed\":1,\"num_samples\":50,\"temperature\":0,\"return\":[\"indices\",\"scores\"]", -1},
    {"/v1/categorical",
     "\"seed\":1,\"num_samples\":50,\"top_p\":0.9,\"top_k\":5,\"logprobs\":3,\"logprobs_of\":\"filtered\","
     "\"return\":[\"indices\",\"log_probabilities\",\"scores\",\"counts\"]",
     -1},
    {"/v1/categorical",
     "\"seed\":1,\"num_samples\":50,\"top_p\":0.9,\"temperature\":0.7,\"logprobs_for\":[0],\"logprobs\":3,\"on_"
     "invalid\":\"zero\","
     "\"return\":["
     "\"indices\",\"log_probabilities\",\"scores\",\"filtered_log_probabilities\",\"ranks\",\"kept\",\"kept_mass\","
     "\"entropy\"]",
     -1},
    {"/v1/categorical", "\"seed\":1,\"num_samples\":50,\"logprobs\":2,\"on_invalid\":\"uniform\"", -1},
    {"/v1/categorical", "\"seed\":1,\"num_samples\":5000,\"method\":\"inverse_cdf\",\"on_invalid\":\"nan\"", -1},
    {"/v1/categorical",
     "\"seed\":1,\"num_samples\":5000,\"method\":\"inverse_cdf\",\"dtype\":\"float64\",\"return\":[\"counts\"]", -1},
    {"/v1/categorical", "\"seed\":1,\"num_samples\":5,\"replacement\":false,\"logprobs\":2", -1},
    {"/v1/gumbel_softmax", "\"seed\":1,\"num_samples\":9,\"rng\":\"torch\",\"return\":[\"samples\",\"noise\"]", -1},
    {"/v1/gumbel_softmax", "\"key\":[1,2],\"num_samples\":9,\"rng\":\"jax\",\"on_invalid\":\"nan\"", -1},
    {"/v1/categorical", "\"seed\":1,\"num_samples\":50,\"rng\":\"torch\",\"dtype\":\"float64\"", -1},
    {"/v1/categorical", "\"seed\":1,\"num_samples\":50,\"rng\":\"jax\",\"top_k\":1", -1},
    {"/v1/vjp", "\"function\":\"gumbel_softmax\",\"seed\":1,\"rng\":\"torch\",\"num_samples\":7", 7},
    {"/v1/vjp",
     "\"function\":\"gumbel_softmax\",\"seed\":1,\"rng\":\"jax\",\"hard\":true,\"estimator\":\"gumbel_rao\","
     "\"conditional_samples\":23",
     0},
    {"/v1/vjp", "\"function\":\"softmax\"", 0},
    {"/v1/vjp", "\"function\":\"log_softmax\",\"on_invalid\":\"zero\"", 0},
    {"/v1/vjp", "\"function\":\"gumbel_softmax\",\"seed\":1", 0},
    {"/v1/vjp", "\"function\":\"gumbel_softmax\",\"seed\":1,\"num_samples\":7,\"on_invalid\":\"nan\"", 7},
    {"/v1/vjp", "\"function\":\"gumbel_softmax\",\"seed\":1,\"dtype\":\"float64\",\"num_samples\":7", 7},
    {"/v1/vjp",
     "\"function\":\"gumbel_softmax\",\"seed\":1,\"hard\":true,\"estimator\":\"gumbel_rao\",\"conditional_samples\":23",
     0},
    {"/v1/vjp",
     "\"function\":\"gumbel_softmax\",\"seed\":1,\"hard\":true,\"estimator\":\"gumbel_rao\",\"conditional_samples\":23,"
     "\"num_samples\":3,\"on_invalid\":\"zero\",\"tau\":0.7",
     3},
    {"/v1/vjp",
     "\"function\":\"gumbel_softmax\",\"seed\":1,\"hard\":true,\"estimator\":\"gumbel_rao\",\"conditional_samples\":9,"
     "\"num_samples\":2,\"dtype\":\"float64\"",
     2},
};

enum { CALLS = sizeof calls / sizeof *calls };

/* Short and long rows, dense and strided. */
static const struct shape {
    size_t before, classes, after;
} shapes[] = {{37, 10, 1}, {5, 100, 1}, {2, 9, 19}, {1, 70, 18}, {1, 300, 1}};

enum { SHAPES = sizeof shapes / sizeof *shapes };

struct body {
    char *text;
    size_t length;
};

static void append(struct body *body, const char *format, ...)
{
    char text[512];
    va_list arguments;
    va_start(arguments, format);
    const size_t more = (size_t)vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    body->text = realloc(body->text, body->length + more + API_BODY_PADDING);
    memcpy(body->text + body->length, text, more);
    body->length += more;
    memset(body->text + body->length, 0, API_BODY_PADDING);
}

static double number(size_t i)
{
    return (double)(i * 2654435761u % 1000) / 125 - 4;
}

/* [before][classes][after]; nothing of row `invalid` and of those 16 after it is possible, if it is one. */
static void append_array(struct body *body, const struct shape *shape, size_t invalid)
{
    size_t at = 0;
    for (size_t i = 0; i < shape->before; i++) {
        append(body, i == 0 ? "[" : ",");
        for (size_t j = 0; j < shape->classes; j++) {
            append(body, j == 0 ? "[" : ",");
            for (size_t k = 0; k < shape->after; k++, at++) {
                const size_t row = i * shape->after + k;
                append(body, k == 0 ? "[" : ",");
                if (row == invalid || row == invalid + 16)
                    append(body, "null");
                else
                    append(body, "%g", number(at));
            }
            append(body, "]");
        }
        append(body, "]");
    }
    append(body, "]");
}

static struct body body_of(size_t call, const struct shape *shape, size_t invalid)
{
    struct body body = {0};
    append(&body, "{%s,\"dim\":1,\"logits\":", calls[call].members);
    append_array(&body, shape, invalid);
    for (int i = 0; i < calls[call].samples || (i == 0 && calls[call].samples == 0); i++) {
        append(&body, i > 0 ? "," : calls[call].samples > 0 ? ",\"cotangent\":[" : ",\"cotangent\":");
        append_array(&body, shape, SIZE_MAX - 16);
    }
    append(&body, calls[call].samples > 0 ? "]}" : "}");
    return body;
}

static struct api_request request_of(const char *path, const struct body *body, const char *accept)
{
    struct api_request request = {.body = body->text, .length = body->length, .accept = accept};
    ck_assert_int_eq(api_route_find("POST", path, &request.route, NULL), 0);
    return request;
}

/* ---- The same answers ---- */

/* Of each stage one part. */
static void answer_whole(const struct api_request *request, struct api_response *response)
{
    struct api_request whole = *request;
    whole.part_numbers = SIZE_MAX / 2;
    api_answer(&whole, response);
}

/* Threads have enough to do with the larger parts. */
static void check_all_orders(const struct api_request *request, int status)
{
    static const size_t numbers[] = {1, 200, 3000};
    struct api_response whole, divided;
    answer_whole(request, &whole);
    ck_assert_msg(whole.status == status, "%.*s", (int)whole.length, whole.body);
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++)
        for (int order = 0; order < (i == 0 ? PARTS_ON_THREADS : PARTS_ORDERS); order++) {
            parts_answer(request, numbers[i], (enum parts_order)order, &divided);
            ck_assert_int_eq(divided.status, whole.status);
            ck_assert_uint_eq(divided.length, whole.length);
            ck_assert_mem_eq(divided.body, whole.body, whole.length);
            api_response_release(&divided);
        }
    api_response_release(&whole);
}

START_TEST(parts_in_any_order_give_the_same_bytes)
{
    static const char *const accepts[] = {NULL, API_NPY};
    for (size_t i = 0; i < SHAPES; i++) {
        const bool replaces = strstr(calls[_i].members, "on_invalid") != NULL;
        struct body body = body_of((size_t)_i, &shapes[i], replaces ? 0 : SIZE_MAX - 16);
        for (size_t j = 0; j < 2; j++) {
            const struct api_request request = request_of(calls[_i].path, &body, accepts[j]);
            check_all_orders(&request, 200);
        }
        free(body.text);
    }
}
END_TEST

/* Two rows have no answer: the parts of both may fail, in any order. */
START_TEST(the_lowest_row_without_an_answer_is_named)
{
    if (strstr(calls[_i].members, "on_invalid") != NULL)
        return;
    for (size_t i = 0; i < SHAPES; i++) {
        if (shapes[i].before * shapes[i].after < 18)
            continue;
        struct body body = body_of((size_t)_i, &shapes[i], 1);
        const struct api_request request = request_of(calls[_i].path, &body, NULL);
        check_all_orders(&request, 422);
        free(body.text);
    }
}
END_TEST

/* Of every function twice, and some that have problems. */
START_TEST(a_batch_of_calls_in_parts_gives_the_same_bytes)
{
    struct body batch = {0};
    append(&batch, "{\"requests\":[");
    for (size_t i = 0; i < 2 * CALLS; i++) {
        struct body body = body_of(i / 2, &shapes[i % SHAPES], i % 3 == 0 ? 0 : SIZE_MAX - 16);
        append(&batch, "%s{\"id\":%zu,\"function\":\"%s\",\"body\":", i > 0 ? "," : "", i, calls[i / 2].path + 4);
        for (size_t at = 0; at < body.length; at += 256)
            append(&batch, "%.256s", body.text + at);
        append(&batch, "}");
        free(body.text);
    }
    append(&batch, "]}");
    const struct api_request request = request_of("/v1/batch", &batch, NULL);
    check_all_orders(&request, 200);
    free(batch.text);
}
END_TEST

/* ---- Lines ---- */

enum { MOST_LINES_BYTES = 4 << 20 };

/* The stream's text, in buffers of the least size; what it needs is computed before, or by the way. */
static char *lines_of(const struct api_request *request, bool before)
{
    char *text = calloc(1, MOST_LINES_BYTES), *end = text;
    struct api_stream *stream;
    ck_assert_int_eq((before ? api_stream_begin : api_stream_open)(request, &stream, NULL), 0);
    for (size_t more = 1; more > 0; end += more) {
        while (before && api_stream_compute(stream, NULL) > 0)
            ;
        more = api_stream_next(stream, end, API_STREAM_LEAST);
    }
    api_stream_close(stream);
    return text;
}

START_TEST(lines_computed_in_parts_are_the_same)
{
    for (size_t i = 0; i < SHAPES; i++) {
        struct body body = body_of((size_t)_i, &shapes[i], SIZE_MAX - 16);
        const struct api_request request = request_of(calls[_i].path, &body, API_NDJSON);
        char *one = lines_of(&request, false), *other = lines_of(&request, true);
        ck_assert_str_eq(one, other);
        ck_assert_ptr_nonnull(strstr(one, "\"complete\":true"));
        free(one);
        free(other);
        free(body.text);
    }
}
END_TEST

/* A row of so many draws is computed in many parts, and only then begins the answer. */
START_TEST(a_long_row_of_a_stream_is_computed_in_parts)
{
    static const char text[] = "{\"seed\":1,\"num_samples\":100000,\"logits\":[[1,2,3],[4,5,6]]}\0\0\0\0\0\0\0\0";
    const struct body body = {(char *)text, strlen(text)};
    const struct api_request request = request_of("/v1/categorical", &body, API_NDJSON);
    struct api_stream *stream;
    size_t parts = 0;
    ck_assert_int_eq(api_stream_begin(&request, &stream, NULL), 0);
    while (api_stream_compute(stream, NULL) > 0)
        parts++;
    ck_assert_uint_ge(parts, 4); /* 16 lanes of 3 classes, 100000 times */
    ck_assert_int_eq(api_stream_compute(stream, NULL), 0);
    api_stream_close(stream);
}
END_TEST

START_TEST(a_stream_without_first_rows_is_refused)
{
    const struct body body = body_of(3, &shapes[0], 0);
    const struct api_request request = request_of(calls[3].path, &body, API_NDJSON);
    struct api_stream *stream;
    struct api_problem problem;
    int result;
    ck_assert_int_eq(api_stream_begin(&request, &stream, NULL), 0);
    while ((result = api_stream_compute(stream, &problem)) > 0)
        ;
    ck_assert_int_eq(result, -1);
    ck_assert_int_eq(problem.code, API_INVALID_ROW);
    api_stream_close(stream);
    free(body.text);
}
END_TEST

/* ---- The size of parts ---- */

/* Requests of some hundred bytes, or of 32 MB, that take seconds. */
static const struct hostile {
    const char *path, *members;
    size_t rows, classes, samples, least_parts;
} hostile[] = {
    {"/v1/softmax", "\"dtype\":\"float32\"", 256, 32000, 0, 8},
    {"/v1/gumbel_softmax", "\"seed\":1,\"num_samples\":8,\"return\":[\"indices\"]", 16, 32000, 0, 4},
    {"/v1/categorical", "\"seed\":1,\"num_samples\":1048576", 1, 1024, 0, 1000},
    {"/v1/categorical", "\"seed\":1,\"num_samples\":1048576,\"top_p\":0.9", 1, 15, 0, 100},
    {"/v1/gumbel_softmax", "\"dtype\":\"float64\",\"seed\":1,\"num_samples\":1048576", 1, 15, 0, 100},
    {"/v1/gumbel_softmax", "\"seed\":1,\"num_samples\":1048576,\"return\":[\"indices\"]", 1, 15, 0, 100},
    {"/v1/vjp",
     "\"function\":\"gumbel_softmax\",\"seed\":1,\"hard\":true,\"estimator\":\"gumbel_rao\","
     "\"conditional_samples\":65536",
     1, 4096, 0, 250},
    {"/v1/vjp",
     "\"function\":\"gumbel_softmax\",\"seed\":1,\"hard\":true,\"estimator\":\"gumbel_rao\","
     "\"conditional_samples\":65536",
     1, 10, 0, 10},
    {"/v1/vjp", "\"function\":\"gumbel_softmax\",\"seed\":1,\"num_samples\":500", 1, 10000, 500, 4},
};

/* [[..],[..],..] of numbers of one digit. */
static void append_numbers(struct body *body, size_t rows, size_t classes)
{
    body->text = realloc(body->text, body->length + rows * (2 * classes + 2) + 2 + API_BODY_PADDING);
    char *out = body->text + body->length;
    for (size_t i = 0; i < rows * classes; i++) {
        if (i % classes == 0)
            *out++ = i == 0 ? '[' : ',';
        *out++ = i % classes == 0 ? '[' : ',';
        *out++ = (char)('0' + i % 7);
        if (i % classes == classes - 1)
            *out++ = ']';
    }
    *out++ = ']';
    memset(out, 0, API_BODY_PADDING);
    body->length = (size_t)(out - body->text);
}

/* Lanes without a row take as long as with one. */
static size_t numbers_of_part(const struct api_call *call, const struct call_plan *plan)
{
    const size_t rows = plan->block < plan->count ? plan->block : plan->count;
    return (call->classes < 64 ? (rows + 15) / 16 * 16 : rows) * call->classes * plan->draws *
           (plan->divided ? plan->samples : 1);
}

START_TEST(no_part_of_a_hostile_request_is_long)
{
    const struct hostile *h = &hostile[_i];
    struct body body = {0};
    struct api_call *call;
    struct call_plan plan;
    struct api_problem problem;
    bool failed;
    append(&body, "{%s,\"logits\":", h->members);
    append_numbers(&body, h->rows, h->classes);
    for (size_t i = 0; i < h->samples || (i == 0 && strcmp(h->path, "/v1/vjp") == 0); i++) {
        append(&body, i > 0 ? "," : h->samples > 0 ? ",\"cotangent\":[" : ",\"cotangent\":");
        append_numbers(&body, h->rows, h->classes);
    }
    append(&body, h->samples > 0 ? "]}" : "}");
    const struct api_request request = request_of(h->path, &body, NULL);
    ck_assert_msg(api_decode(&request, &call, &problem) == 0, "%s %s", problem.pointer, problem.detail);
    call_plan_open(&plan, call, 0, call->rows, API_PART_NUMBERS);
    size_t all = 0;
    for (size_t parts; (parts = call_plan_next(&plan, &failed, NULL)) > 0; all += parts)
        ck_assert_uint_le(numbers_of_part(call, &plan), API_PART_NUMBERS);
    ck_assert_uint_ge(all, h->least_parts);
    call_plan_close(&plan);
    api_call_free(call);
    free(body.text);
}
END_TEST

/* Each stage of writing puts about API_PART_NUMBERS / 16 numbers. */
START_TEST(a_long_answer_is_written_in_parts)
{
    struct body body = {0};
    struct api_response response;
    append(&body, "{\"logits\":");
    append_numbers(&body, 100, 1000);
    append(&body, "}");
    const struct api_request request = request_of("/v1/softmax", &body, NULL);
    const size_t parts = parts_answer(&request, 16000, PARTS_REVERSED, &response);
    ck_assert_uint_ge(parts, 100); /* 100000 numbers, at 1000 each */
    api_response_release(&response);
    free(body.text);
}
END_TEST

/* ---- Ending early ---- */

static uint64_t timeout_of(const char *parameters, const char *logits, struct api_response *response)
{
    struct body body = {0};
    append(&body,
           "{\"parameters\":{%s},\"inputs\":[{\"name\":\"logits\",\"datatype\":\"FP32\",\"shape\":[1,3],\"data\":%s}]}",
           parameters, logits);
    struct api_request request = request_of("/v2/models/softmax/infer", &body, NULL);
    request.model = api_route_model(request.route, "/v2/models/softmax/infer");
    struct api_job *job = api_job_open(&request);
    ck_assert_uint_eq(api_job_timeout_us(job), 0);
    ck_assert_uint_eq(api_job_next(job), 1);
    api_job_part(job, 0);
    const uint64_t timeout = api_job_timeout_us(job);
    while (api_job_next(job) > 0)
        api_job_part(job, 0);
    api_job_answer(job, response);
    api_job_free(job);
    free(body.text);
    return timeout;
}

START_TEST(the_clients_timeout_is_known_once_the_body_is_read)
{
    static const struct {
        const char *parameters;
        uint64_t timeout_us;
        int status;
    } cases[] = {
        {"\"other\":1", 0, 200},      {"\"timeout\":2500", 2500, 200},   {"\"timeout\":0", 0, 200},
        {"\"timeout\":null", 0, 200}, {"\"timeout\":1e6", 1000000, 200}, {"\"timeout\":\"5\"", 0, 400},
        {"\"timeout\":-1", 0, 400},   {"\"timeout\":1.5", 0, 400},       {"\"timeout\":1e300", 0, 400},
        {"\"timeout\":[1]", 0, 400},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct api_response response;
        ck_assert_uint_eq(timeout_of(cases[i].parameters, "[1,2,3]", &response), cases[i].timeout_us);
        ck_assert_msg(response.status == cases[i].status, "%s: %.*s", cases[i].parameters, (int)response.length,
                      response.body);
        if (response.status == 400)
            ck_assert_ptr_nonnull(strstr(response.body, "\"pointer\":\"/parameters/timeout\""));
        api_response_release(&response);
    }
}
END_TEST

/* The problem takes the place of the answer, wherever the job was. */
START_TEST(a_job_may_be_failed_between_its_parts)
{
    const struct body body = body_of(4, &shapes[0], SIZE_MAX - 16);
    const struct api_request request = request_of(calls[4].path, &body, NULL);
    struct api_problem problem;
    api_fail(&problem, API_OVERLOADED, "", API_NO_OFFSET, "enough");
    for (size_t stages = 0, more = 1; more > 0; stages++) {
        struct api_request divided = request;
        struct api_response response;
        divided.part_numbers = 500;
        struct api_job *job = api_job_open(&divided);
        for (size_t stage = 0; stage < stages && (more = api_job_next(job)) > 0; stage++)
            for (size_t part = 0; part < more - (stage + 1 == stages); part++) /* the last is not begun */
                api_job_part(job, part);
        api_job_fail(job, &problem);
        ck_assert_uint_eq(api_job_next(job), 0);
        api_job_answer(job, &response);
        ck_assert_int_eq(response.status, 503);
        api_response_release(&response);
        api_job_free(job);
    }
    free(body.text);
}
END_TEST

TEST_SUITE("api")
{
    Suite *suite = suite_create("api: jobs");
    TCase *parts = tcase_create("parts");
    tcase_set_timeout(parts, 120);
    tcase_add_loop_test(parts, parts_in_any_order_give_the_same_bytes, 0, CALLS);
    tcase_add_loop_test(parts, the_lowest_row_without_an_answer_is_named, 0, CALLS);
    tcase_add_test(parts, a_batch_of_calls_in_parts_gives_the_same_bytes);
    tcase_add_loop_test(parts, lines_computed_in_parts_are_the_same, 0, CALLS);
    tcase_add_test(parts, a_long_row_of_a_stream_is_computed_in_parts);
    tcase_add_test(parts, a_stream_without_first_rows_is_refused);
    tcase_add_loop_test(parts, no_part_of_a_hostile_request_is_long, 0, sizeof hostile / sizeof *hostile);
    tcase_add_test(parts, a_long_answer_is_written_in_parts);
    tcase_add_test(parts, the_clients_timeout_is_known_once_the_body_is_read);
    tcase_add_test(parts, a_job_may_be_failed_between_its_parts);
    suite_add_tcase(suite, parts);
    return suite;
}
