/* Disjoint ranges of a call's rows, computed on several threads. */
#include "lib/ask.h"
#include "lib/suite.h"

#include "lib/assertions.h"
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

enum { THREADS = 4, WIDE_ROWS = 96, WIDE_CLASSES = 70 };

struct range {
    const struct api_call *call;
    size_t first, count;
    int result;
};

static void *compute_range(void *closure)
{
    struct range *range = closure;
    range->result = api_compute(range->call, range->first, range->count, NULL);
    return NULL;
}

/* The logits as the cotangent, of each sample where there are several. */
static json_t *cotangent_of(const json_t *body, json_t *logits)
{
    const json_t *samples = json_object_get(body, "num_samples");
    if (samples == NULL)
        return json_incref(logits);
    json_t *cotangent = json_array();
    for (json_int_t i = 0; i < json_integer_value(samples); i++)
        json_array_append(cotangent, logits);
    return cotangent;
}

/* A body of logits [WIDE_CLASSES][WIDE_ROWS] along dim 0, or transposed along the last: both need scratch memory. */
static char *wide_body(const char *members, bool across)
{
    json_t *body = json_loads(members, 0, NULL), *logits = json_array();
    for (size_t i = 0; i < (across ? WIDE_CLASSES : WIDE_ROWS); i++) {
        json_t *line = json_array();
        for (size_t j = 0; j < (across ? WIDE_ROWS : WIDE_CLASSES); j++)
            json_array_append_new(line, json_real((double)((i * 31 + j) * 7 % 11) / 4));
        json_array_append_new(logits, line);
    }
    if (json_object_get(body, "function") != NULL)
        json_object_set_new(body, "cotangent", cotangent_of(body, logits));
    json_object_set_new(body, "logits", logits);
    json_object_set_new(body, "dim", json_integer(across ? 0 : 1));
    char *text = json_dumps(body, 0);
    text = realloc(text, strlen(text) + API_BODY_PADDING);
    memset(text + strlen(text), 0, API_BODY_PADDING);
    json_decref(body);
    return text;
}

static void compute_on_threads(const struct api_call *call)
{
    pthread_t threads[THREADS];
    struct range ranges[THREADS];
    const size_t part = api_call_rows(call) / THREADS;
    for (size_t i = 0; i < THREADS; i++) {
        ranges[i] = (struct range){.call = call, .first = i * part, .count = part};
        ck_assert_int_eq(pthread_create(&threads[i], NULL, compute_range, &ranges[i]), 0);
    }
    for (size_t i = 0; i < THREADS; i++) {
        ck_assert_int_eq(pthread_join(threads[i], NULL), 0);
        ck_assert_int_eq(ranges[i].result, 0);
    }
}

START_TEST(threads_may_compute_disjoint_ranges)
{
    static const struct {
        const char *path, *members;
    } calls[] = {
        {"/v1/softmax", "{\"on_invalid\":\"zero\"}"},
        {"/v1/gumbel_softmax", "{\"seed\":1,\"num_samples\":2,\"return\":[\"samples\",\"log_density\"]}"},
        {"/v1/categorical", "{\"seed\":1,\"top_p\":0.9,\"num_samples\":3}"},
        {"/v1/categorical", "{\"seed\":1,\"num_samples\":30,\"return\":[\"counts\"]}"},
        {"/v1/vjp", "{\"function\":\"softmax\"}"},
        {"/v1/vjp", "{\"function\":\"gumbel_softmax\",\"seed\":1,\"num_samples\":4}"},
    };
    char *body = wide_body(calls[_i / 2].members, _i % 2 == 0);
    struct api_request request = {.body = body, .length = strlen(body)};
    struct api_response whole, split;
    struct api_call *call;
    ck_assert_int_eq(api_route_find("POST", calls[_i / 2].path, &request.route, NULL), 0);
    api_answer(&request, &whole);
    ck_assert_int_eq(whole.status, 200);
    ck_assert_int_eq(api_decode(&request, &call, NULL), 0);
    compute_on_threads(call);
    ck_assert_int_eq(api_encode(call, &split, NULL), 0);
    ck_assert_uint_eq(split.length, whole.length);
    ck_assert_mem_eq(split.body, whole.body, whole.length);
    api_response_release(&whole);
    api_response_release(&split);
    api_call_free(call);
    free(body);
}
END_TEST

TEST_SUITE("api")
{
    Suite *suite = suite_create("api: threads");
    TCase *ranges = tcase_create("ranges");
    tcase_add_loop_test(ranges, threads_may_compute_disjoint_ranges, 0, 12);
    suite_add_tcase(suite, ranges);
    return suite;
}
