/* Shapes: any rank, any class axis, samples and draws; and what does not depend on how rows are sent. */
#include "call/call.h"
#include "lib/ask.h"
#include "lib/suite.h"
#include "numbers.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MOST = 512 };

static const size_t shape[] = {2, 3, 4};
enum { RANK = 3, COUNT = 24 };

/* Requests that show every result of every function, in shapes that tell the axes apart. */
static const struct {
    enum api_function_id function;
    const char *members;
    size_t samples; /* num_samples, 0 if it is left out */
} requests[] = {
    {API_SOFTMAX, "{\"temperature\":0.7}", 0},
    {API_LOG_SOFTMAX, "{\"dtype\":\"float64\"}", 0},
    {API_GUMBEL_SOFTMAX, "{\"seed\":3}", 0},
    {API_GUMBEL_SOFTMAX,
     "{\"seed\":3,\"tau\":0.5,\"return\":[\"samples\",\"indices\",\"soft\",\"noise\",\"log_density\",\"log_samples\","
     "\"perturbed\"],"
     "\"hard\":true,\"num_samples\":5}",
     5},
    {API_GUMBEL_SOFTMAX, "{\"seed\":3,\"dtype\":\"float64\",\"return\":[\"indices\"],\"num_samples\":2}", 2},
    {API_CATEGORICAL, "{\"seed\":3}", 0},
    {API_CATEGORICAL,
     "{\"seed\":3,\"num_samples\":5,\"logprobs\":2,\"top_p\":0.9,"
     "\"return\":[\"indices\",\"log_probabilities\",\"scores\",\"counts\"]}",
     5},
    {API_CATEGORICAL,
     "{\"seed\":3,\"num_samples\":4,\"logprobs\":2,\"top_p\":0.7,\"temperature\":0.6,\"logprobs_for\":[1,0],\"logit_"
     "bias\":{\"1\":1},"
     "\"return\":["
     "\"indices\",\"log_probabilities\",\"scores\",\"filtered_log_probabilities\",\"ranks\",\"kept\",\"kept_mass\","
     "\"entropy\"]}",
     4},
    {API_VJP, "{\"function\":\"softmax\"}", 0},
    {API_VJP, "{\"function\":\"gumbel_softmax\",\"seed\":3,\"num_samples\":2}", 2},
};

static double logit(size_t i)
{
    return (double)(i * 7 % 11) / 4;
}

/* Nested lists of `data`, whose first value is at *next. */
static json_t *nested(const double *data, size_t *next, const size_t *sizes, size_t rank)
{
    if (rank == 0)
        return json_real(data[(*next)++]);
    json_t *list = json_array();
    for (size_t i = 0; i < *sizes; i++)
        json_array_append_new(list, nested(data, next, sizes + 1, rank - 1));
    return list;
}

static json_t *array(const double *data, const size_t *sizes, size_t rank)
{
    size_t next = 0;
    return nested(data, &next, sizes, rank);
}

/* Moves axis `dim` of three after the others. */
static void permute(const double *from, double *to, const size_t *sizes, size_t dim)
{
    const size_t strides[] = {sizes[1] * sizes[2], sizes[2], 1};
    const size_t a = dim == 0 ? 1 : 0, b = dim == 2 ? 1 : 2;
    for (size_t i = 0; i < sizes[a]; i++)
        for (size_t j = 0; j < sizes[b]; j++)
            for (size_t k = 0; k < sizes[dim]; k++)
                *to++ = from[i * strides[a] + j * strides[b] + k * strides[dim]];
}

static json_t *request_body(int request, const double *data, const size_t *sizes, int dim)
{
    json_t *body = json_loads(requests[request].members, 0, NULL);
    const size_t samples = requests[request].samples;
    json_object_set_new(body, "logits", array(data, sizes, RANK));
    json_object_set_new(body, "dim", json_integer(dim));
    if (requests[request].function == API_VJP) {
        json_t *cotangent = array(data, sizes, RANK);
        if (samples > 0) {
            json_t *list = json_array();
            for (size_t i = 0; i < samples; i++)
                json_array_append(list, cotangent);
            json_decref(cotangent);
            cotangent = list;
        }
        json_object_set_new(body, "cotangent", cotangent);
    }
    return body;
}

static struct answer ask_array(int request, const double *data, const size_t *sizes, int dim)
{
    char path[64];
    snprintf(path, sizeof path, "/v1/%s", api_functions[requests[request].function].name);
    struct answer answer = ask_json(path, request_body(request, data, sizes, dim));
    assert_answered(&answer);
    return answer;
}

/* The length of what stands in the class axis of a result; 0 if that axis is dropped. */
static size_t class_length(const struct api_result_kind *kind, size_t classes, size_t samples)
{
    switch (kind->extent) {
    case API_OF_DRAWS:
        return samples > 0 ? samples : 1;
    case API_OF_TOP:
    case API_OF_NAMED:
        return 2;
    case API_OF_WINNERS:
    case API_OF_ROWS:
        return 0;
    default:
        return classes;
    }
}

/* That a result along `dim` is the result of the transposed logits, transposed; and its shape. */
static void assert_transposed(const struct answer *along, const struct answer *last, int request,
                              const struct api_result_kind *kind, size_t dim)
{
    const json_t *value = json_object_get(along->json, kind->name);
    double one[MOST], other[MOST], moved[MOST];
    if (value == NULL)
        return;
    const size_t samples = requests[request].samples, length = class_length(kind, shape[dim], samples);
    const bool axis = samples > 0 && (kind->extent == API_OF_SAMPLES || kind->extent == API_OF_WINNERS);
    const size_t parts = axis ? samples : 1, rows = COUNT / shape[dim];
    const size_t count = numbers_flat(value, one, MOST);
    ck_assert_uint_eq(numbers_flat(json_object_get(last->json, kind->name), other, MOST), count);
    ck_assert_uint_eq(count, parts * rows * (length > 0 ? length : 1));
    if (axis)
        ck_assert_uint_eq(json_array_size(value), samples);
    for (size_t part = 0; part < parts; part++) {
        const json_t *nested_value = axis ? json_array_get(value, part) : value;
        size_t sizes[] = {shape[0], shape[1], shape[2]}, at = part * (count / parts);
        sizes[dim] = length;
        for (size_t i = 0; i < RANK; i++)
            if (sizes[i] > 0) {
                ck_assert_uint_eq(json_array_size(nested_value), sizes[i]);
                nested_value = json_array_get(nested_value, 0);
            }
        ck_assert(json_is_number(nested_value) || json_is_string(nested_value));
        if (length > 0)
            permute(one + at, moved, sizes, dim);
        else
            memcpy(moved, one + at, rows * sizeof *moved);
        ck_assert_mem_eq(moved, other + at, count / parts * sizeof *moved);
    }
}

START_TEST(a_class_axis_gives_what_the_transposed_logits_give)
{
    double data[COUNT], moved[COUNT];
    for (size_t i = 0; i < COUNT; i++)
        data[i] = logit(i);
    for (int dim = -RANK; dim < RANK; dim++) {
        const size_t axis = (size_t)(dim < 0 ? dim + RANK : dim);
        const size_t sizes[] = {shape[axis == 0], axis == 2 ? shape[1] : shape[2], shape[axis]};
        permute(data, moved, shape, axis);
        struct answer along = ask_array(_i, data, shape, dim), last = ask_array(_i, moved, sizes, -1);
        const struct api_result_kind *kinds = api_functions[requests[_i].function].results;
        for (size_t i = 0; i < API_MAX_RESULTS && kinds[i].name != NULL; i++)
            assert_transposed(&along, &last, _i, &kinds[i], axis);
        ask_free(&along);
        ask_free(&last);
    }
}
END_TEST

/* ---- Ranges of rows ---- */

/* A request's body with what api_decode needs after it. */
static char *padded_body(int request, int dim)
{
    double data[COUNT];
    for (size_t i = 0; i < COUNT; i++)
        data[i] = logit(i);
    json_t *body = request_body(request, data, shape, dim);
    char *text = json_dumps(body, JSON_REAL_PRECISION(17)), *padded = ask_padded(text, strlen(text));
    free(text);
    json_decref(body);
    return padded;
}

/* Row by row, the last first: as disjoint ranges on several threads might come. */
START_TEST(splitting_rows_over_calls_changes_nothing)
{
    for (int dim = 0; dim < RANK; dim++) {
        char *body = padded_body(_i, dim);
        struct api_request request = {.body = body, .length = strlen(body)};
        struct api_response whole, split;
        struct api_call *call;
        char path[64];
        snprintf(path, sizeof path, "/v1/%s", api_functions[requests[_i].function].name);
        ck_assert_int_eq(api_route_find("POST", path, &request.route, NULL), 0);
        api_answer(&request, &whole);
        ck_assert_int_eq(whole.status, 200);
        ck_assert_int_eq(api_decode(&request, &call, NULL), 0);
        for (size_t row = api_call_rows(call); row > 0; row--)
            ck_assert_int_eq(api_compute(call, row - 1, 1, NULL), 0);
        ck_assert_int_eq(api_encode(call, &split, NULL), 0);
        ck_assert_uint_eq(split.length, whole.length);
        ck_assert_mem_eq(split.body, whole.body, whole.length);
        api_response_release(&whole);
        api_response_release(&split);
        api_call_free(call);
        free(body);
    }
}
END_TEST

/* ---- Lines ---- */

static json_t *read_line(const char **text)
{
    const char *end = strchr(*text, '\n');
    ck_assert_ptr_nonnull(end);
    json_t *line = json_loadb(*text, (size_t)(end - *text), 0, NULL);
    ck_assert_ptr_nonnull(line);
    *text = end + 1;
    return line;
}

/* That a row's line has what the answer's tensors have in that row, in the order of the line. */
static void assert_line(const json_t *line, const struct api_call *call, size_t row)
{
    ck_assert_uint_eq((size_t)json_integer_value(json_object_get(line, "row")), row);
    for (size_t i = 0; i < API_MAX_RESULTS && call->function->results[i].name != NULL; i++) {
        const struct api_result_kind *kind = &call->function->results[i];
        const json_t *value = json_object_get(line, kind->name);
        double numbers[MOST];
        ck_assert_int_eq(value != NULL, call->data[i] != NULL);
        if (value == NULL)
            continue;
        const struct call_row at = call_row_of_result(call, kind, row);
        const struct call_samples samples = call_samples_of_result(call, kind);
        ck_assert_uint_eq(numbers_flat(value, numbers, MOST), samples.count * at.length);
        ck_assert_int_eq(json_is_array(value), samples.axis || !at.bare);
        for (size_t j = 0; j < samples.count * at.length; j++) {
            const size_t element = j / at.length * samples.distance + at.start + j % at.length * at.step;
            const enum api_dtype dtype = call_result_dtype(call, kind);
            const double expected = dtype == API_FLOAT64   ? ((const double *)call->data[i])[element]
                                    : dtype == API_FLOAT32 ? (double)((const float *)call->data[i])[element]
                                                           : ((const int32_t *)call->data[i])[element];
            ck_assert(dtype == API_FLOAT32 ? (float)numbers[j] == (float)expected : numbers[j] == expected);
        }
    }
}

START_TEST(lines_have_every_result_of_their_row)
{
    for (int dim = 0; dim < RANK; dim++) {
        char *body = padded_body(_i, dim), buffer[1 << 16] = "", path[64];
        struct api_request request = {.body = body, .length = strlen(body), .accept = API_NDJSON};
        struct api_stream *stream;
        struct api_call *call;
        snprintf(path, sizeof path, "/v1/%s", api_functions[requests[_i].function].name);
        ck_assert_int_eq(api_route_find("POST", path, &request.route, NULL), 0);
        ck_assert_int_eq(api_decode(&request, &call, NULL), 0);
        ck_assert_int_eq(api_compute(call, 0, api_call_rows(call), NULL), 0);
        ck_assert_int_eq(api_stream_open(&request, &stream, NULL), 0);
        ck_assert_uint_lt(api_stream_next(stream, buffer, sizeof buffer - 1), sizeof buffer - API_STREAM_LEAST);
        const char *text = buffer;
        json_decref(read_line(&text));
        for (size_t row = 0; row < api_call_rows(call); row++) {
            json_t *line = read_line(&text);
            assert_line(line, call, row);
            json_decref(line);
        }
        ck_assert_ptr_nonnull(strstr(text, "\"complete\":true}\n"));
        api_stream_close(stream);
        api_call_free(call);
        free(body);
    }
}
END_TEST

/* The member `shape` is that of the first result. */
START_TEST(an_answer_says_its_shape)
{
    static const char *const cases[][3] = {
        {"/v1/softmax", "{\"logits\":[1,2]}", "[2]"},
        {"/v1/softmax", "{\"logits\":[[[[[[[[1,2]]]]]]]],\"dim\":0}", "[1,1,1,1,1,1,1,2]"},
        {"/v1/gumbel_softmax", "{\"logits\":[[1,2,3]],\"num_samples\":1}", "[1,1,3]"},
        {"/v1/gumbel_softmax", "{\"logits\":[[1,2,3]],\"return\":[\"indices\"]}", "[1]"},
        {"/v1/gumbel_softmax", "{\"logits\":[1,2,3],\"return\":[\"indices\"]}", "[]"},
        {"/v1/gumbel_softmax", "{\"logits\":[1,2,3],\"return\":[\"noise\",\"indices\"],\"num_samples\":4}", "[4,3]"},
        {"/v1/categorical", "{\"logits\":[[1,2,3],[1,2,3]]}", "[2,1]"},
        {"/v1/categorical", "{\"logits\":[[1,2,3],[1,2,3]],\"num_samples\":4}", "[2,4]"},
        {"/v1/categorical", "{\"logits\":[[1,2,3],[1,2,3]],\"num_samples\":4,\"dim\":0}", "[4,3]"},
        {"/v1/vjp", "{\"function\":\"softmax\",\"logits\":[1,2],\"cotangent\":[1,2]}", "[2]"},
    };
    struct answer answer = ask(cases[_i][0], "%s", cases[_i][1]);
    assert_answered(&answer);
    char *text = json_dumps(json_object_get(answer.json, "shape"), JSON_COMPACT);
    ck_assert_str_eq(text, cases[_i][2]);
    free(text);
    ask_free(&answer);
}
END_TEST

/* ---- Rows that are sent alone, or in another order ---- */

static json_t *row(size_t index)
{
    json_t *list = json_array();
    for (size_t class = 0; class < 5; class ++)
        json_array_append_new(list, json_real(logit(5 * index + class)));
    return list;
}

static const struct {
    const char *path, *members;
    const char *list, *values[3]; /* a parameter with a value for each row, or NULL */
    const char *results[3];
} rowwise[] = {
    {"/v1/softmax", "{}", "temperature", {"0", "0.5", "2"}, {"probabilities"}},
    {"/v1/log_softmax", "{}", "temperature", {"0.1", "1", "3"}, {"log_probabilities"}},
    {"/v1/gumbel_softmax", "{\"seed\":9}", "tau", {"0", "0.5", "2"}, {"samples"}},
    {"/v1/gumbel_softmax",
     "{\"seed\":9,\"return\":[\"noise\",\"log_density\"]}",
     "noise_scale",
     {"0.5", "1", "2"},
     {"noise", "log_density"}},
    {"/v1/gumbel_softmax", "{\"seed\":9,\"hard\":true}", NULL, {NULL}, {"samples"}},
    {"/v1/categorical",
     "{\"seed\":9,\"num_samples\":4,\"return\":[\"indices\",\"scores\"]}",
     "temperature",
     {"0", "1", "5"},
     {"indices", "scores"}},
    {"/v1/categorical", "{\"seed\":9,\"num_samples\":9,\"temperature\":9}", "top_k", {"0", "1", "2"}, {"indices"}},
    {"/v1/categorical", "{\"seed\":9,\"num_samples\":9,\"temperature\":9}", "top_p", {"0", "0.5", "1"}, {"indices"}},
    {"/v1/categorical", "{\"seed\":9,\"num_samples\":9,\"temperature\":9}", "min_p", {"0", "0.9", "1"}, {"indices"}},
    {"/v1/categorical",
     "{\"seed\":9,\"num_samples\":9,\"temperature\":9}",
     "typical_p",
     {"0.1", "0.5", "1"},
     {"indices"}},
    {"/v1/categorical",
     "{\"seed\":9,\"num_samples\":9,\"temperature\":9}",
     "top_n_sigma",
     {"0.1", "1.2", "0"},
     {"indices"}},
    {"/v1/categorical",
     "{\"seed\":9,\"num_samples\":9,\"temperature\":2}",
     "epsilon_cutoff",
     {"1", "0.3", "0"},
     {"indices"}},
    {"/v1/categorical",
     "{\"seed\":9,\"num_samples\":9,\"temperature\":2}",
     "eta_cutoff",
     {"1", "0.5", "0"},
     {"indices"}},
    {"/v1/categorical", "{\"seed\":9,\"num_samples\":9,\"top_p\":0}", "min_keep", {"0", "2", "3"}, {"indices"}},
    {"/v1/gumbel_softmax",
     "{\"seed\":9,\"return\":[\"samples\",\"noise\"]}",
     "draw_offset",
     {"0", "5", "4294967295"},
     {"samples", "noise"}},
    {"/v1/categorical",
     "{\"seed\":9,\"num_samples\":3,\"return\":[\"indices\",\"scores\"]}",
     "draw_offset",
     {"2", "2", "4294967293"},
     {"indices", "scores"}},
    {"/v1/vjp",
     "{\"function\":\"gumbel_softmax\",\"seed\":9,\"tau\":0.5}",
     "draw_offset",
     {"3", "1", "1"},
     {"grad_logits", "grad_tau"}},
    {"/v1/vjp",
     "{\"function\":\"gumbel_softmax\",\"seed\":9,\"hard\":true,\"estimator\":\"gumbel_rao\"}",
     "draw_offset",
     {"3", "0", "70000"},
     {"grad_logits", "grad_tau"}},
    {"/v1/categorical",
     "{\"seed\":9,\"num_samples\":4,\"temperature\":2,\"return\":[\"kept\",\"kept_mass\",\"entropy\"]}",
     "top_p",
     {"0", "0.5", "1"},
     {"kept", "kept_mass", "entropy"}},
    {"/v1/categorical",
     "{\"seed\":9,\"num_samples\":4,\"top_k\":2,"
     "\"return\":[\"log_probabilities\",\"filtered_log_probabilities\",\"ranks\"]}",
     "temperature",
     {"0", "0.5", "9"},
     {"log_probabilities", "filtered_log_probabilities", "ranks"}},
    {"/v1/categorical",
     "{\"seed\":9,\"num_samples\":4,\"logprobs_for\":[2,0,0,1],\"logprobs_of\":\"filtered\"}",
     "top_k",
     {"0", "1", "2"},
     {"class_log_probabilities"}},
    {"/v1/vjp", "{\"function\":\"softmax\"}", "temperature", {"0", "0.5", "2"}, {"grad_logits", "grad_temperature"}},
    {"/v1/vjp", "{\"function\":\"gumbel_softmax\",\"seed\":9}", "tau", {"0", "0.5", "2"}, {"grad_logits", "grad_tau"}},
    {"/v1/vjp",
     "{\"function\":\"gumbel_softmax\",\"seed\":9,\"tau\":0.5}",
     "noise_scale",
     {"0", "0.5", "2"},
     {"grad_logits", "grad_tau"}},
};

static struct answer ask_rows(int request, size_t first, size_t count)
{
    json_t *body = json_loads(rowwise[request].members, 0, NULL), *rows = json_array(), *list = json_array();
    for (size_t i = first; i < first + count; i++) {
        json_array_append_new(rows, row(i));
        if (rowwise[request].list != NULL)
            json_array_append_new(list, json_loads(rowwise[request].values[i], JSON_DECODE_ANY, NULL));
    }
    if (strcmp(rowwise[request].path, "/v1/vjp") == 0)
        json_object_set(body, "cotangent", rows);
    if (json_object_get(body, "seed") != NULL)
        json_object_set_new(body, "row_offset", json_integer((json_int_t)first));
    if (rowwise[request].list != NULL && count == 1)
        json_object_set(body, rowwise[request].list, json_array_get(list, 0));
    else if (rowwise[request].list != NULL)
        json_object_set(body, rowwise[request].list, list);
    json_decref(list);
    json_object_set_new(body, "logits", rows);
    struct answer answer = ask_json(rowwise[request].path, body);
    assert_answered(&answer);
    return answer;
}

/* Each row with its value of a list is that row alone with that value, with row_offset for its noise. */
START_TEST(a_row_alone_is_the_row_in_its_batch)
{
    struct answer all = ask_rows(_i, 0, 3);
    for (size_t i = 0; i < 3; i++) {
        struct answer one = ask_rows(_i, i, 1);
        for (size_t j = 0; j < 3 && rowwise[_i].results[j] != NULL; j++) {
            const json_t *rows = json_object_get(all.json, rowwise[_i].results[j]);
            const json_t *alone = json_object_get(one.json, rowwise[_i].results[j]);
            ck_assert_uint_eq(json_array_size(rows), 3);
            ck_assert_msg(json_equal(json_array_get(rows, i), json_array_get(alone, 0)), "%s\n%s", all.text, one.text);
        }
        ask_free(&one);
    }
    ask_free(&all);
}
END_TEST

START_TEST(with_a_list_of_seeds_rows_may_be_reordered)
{
    static const char *const paths[] = {"/v1/gumbel_softmax", "/v1/categorical", "/v1/vjp"};
    static const char *const results[] = {"samples", "indices", "grad_logits"};
    const bool gradient = _i == 2;
    json_t *rows = json_pack("[o,o,o]", row(0), row(1), row(2)),
           *reversed = json_pack("[o,o,o]", row(2), row(1), row(0));
    json_t *body = json_pack("{sO,s[i,i,i]}", "logits", rows, "seed", 5, 6, 7);
    json_t *other = json_pack("{sO,s[i,i,i]}", "logits", reversed, "seed", 7, 6, 5);
    if (gradient) {
        json_object_set(body, "cotangent", rows);
        json_object_set(other, "cotangent", reversed);
        json_object_set_new(body, "function", json_string("gumbel_softmax"));
        json_object_set_new(other, "function", json_string("gumbel_softmax"));
    }
    json_decref(rows);
    json_decref(reversed);
    struct answer one = ask_json(paths[_i], body), two = ask_json(paths[_i], other);
    assert_answered(&one);
    for (size_t i = 0; i < 3; i++)
        ck_assert(json_equal(json_array_get(json_object_get(one.json, results[_i]), i),
                             json_array_get(json_object_get(two.json, results[_i]), 2 - i)));
    ask_free(&one);
    ask_free(&two);
}
END_TEST

/* Each sample is the sample of one draw fewer too: a longer request begins with a shorter one. */
START_TEST(more_samples_begin_with_fewer)
{
    struct answer few = ask("/v1/gumbel_softmax", "{\"logits\":[[1,2,3],[4,5,6]],\"seed\":1,\"num_samples\":2}");
    struct answer many = ask("/v1/gumbel_softmax", "{\"logits\":[[1,2,3],[4,5,6]],\"seed\":1,\"num_samples\":3}");
    struct answer one = ask("/v1/gumbel_softmax", "{\"logits\":[[1,2,3],[4,5,6]],\"seed\":1}");
    for (size_t i = 0; i < 2; i++)
        ck_assert(json_equal(json_array_get(json_object_get(few.json, "samples"), i),
                             json_array_get(json_object_get(many.json, "samples"), i)));
    ck_assert(
        json_equal(json_array_get(json_object_get(few.json, "samples"), 0), json_object_get(one.json, "samples")));
    ask_free(&few);
    ask_free(&many);
    ask_free(&one);
}
END_TEST

/* With draw_offset the samples or draws of a part are those of the whole: along the first axis, or in place of `dim`.
 */
static const struct {
    const char *path, *members;
    struct {
        const char *name;
        size_t axis;
    } results[5];
} drawn[] = {
    {"/v1/gumbel_softmax",
     "\"tau\":0.5,\"hard\":true,\"return\":[\"samples\",\"indices\",\"soft\",\"noise\",\"log_density\"]",
     {{"samples", 0}, {"indices", 0}, {"soft", 0}, {"noise", 0}, {"log_density", 0}}},
    {"/v1/gumbel_softmax", "\"dtype\":\"float64\",\"dim\":0,\"return\":[\"indices\"]", {{"indices", 0}}},
    {"/v1/categorical",
     "\"top_k\":2,\"return\":[\"indices\",\"log_probabilities\",\"scores\",\"counts\"]",
     {{"indices", 1}, {"log_probabilities", 1}, {"scores", 1}}},
    {"/v1/categorical", "\"dtype\":\"float64\",\"dim\":0", {{"indices", 0}}},
};

static struct answer ask_draws(int i, size_t offset, size_t count)
{
    return ask(drawn[i].path,
               "{\"logits\":[[1,2,3],[1.5,0.5,1]],\"seed\":4,\"draw_offset\":%zu,\"num_samples\":%zu,%s}", offset,
               count, drawn[i].members);
}

/* Item `at` of an axis: of the second, those of all items of the first. */
static json_t *along(const json_t *array, size_t axis, size_t at)
{
    if (axis == 0)
        return json_incref(json_array_get(array, at));
    json_t *items = json_array();
    for (size_t i = 0; i < json_array_size(array); i++)
        json_array_append(items, json_array_get(json_array_get(array, i), at));
    return items;
}

START_TEST(draws_in_parts_are_those_of_the_whole)
{
    enum { WHOLE = 7, FIRST = 3, PART = 2 };
    const size_t start = _i % 2 == 0 ? 0 : (size_t)UINT32_MAX + 1 - WHOLE;
    struct answer whole = ask_draws(_i, start, WHOLE), part = ask_draws(_i, start + FIRST, PART);
    assert_answered(&whole);
    assert_answered(&part);
    for (size_t j = 0; j < 5 && drawn[_i].results[j].name != NULL; j++)
        for (size_t i = 0; i < PART; i++) {
            const char *name = drawn[_i].results[j].name;
            const size_t axis = drawn[_i].results[j].axis;
            json_t *one = along(json_object_get(part.json, name), axis, i),
                   *same = along(json_object_get(whole.json, name), axis, FIRST + i),
                   *other = along(json_object_get(whole.json, "noise"), axis, i);
            ck_assert_msg(one != NULL && json_equal(one, same), "%s\n%s", whole.text, part.text);
            ck_assert(strcmp(name, "noise") != 0 || !json_equal(one, other));
            json_decref(one);
            json_decref(same);
            json_decref(other);
        }
    ask_free(&whole);
    ask_free(&part);
}
END_TEST

TEST_SUITE("api")
{
    Suite *suite = suite_create("api: shapes");
    TCase *axes = tcase_create("axes"), *rows = tcase_create("rows");
    tcase_add_loop_test(axes, a_class_axis_gives_what_the_transposed_logits_give, 0,
                        sizeof requests / sizeof *requests);
    tcase_add_loop_test(rows, splitting_rows_over_calls_changes_nothing, 0, sizeof requests / sizeof *requests);
    tcase_add_loop_test(rows, lines_have_every_result_of_their_row, 0, sizeof requests / sizeof *requests);
    tcase_add_loop_test(axes, an_answer_says_its_shape, 0, 10);
    tcase_add_loop_test(rows, a_row_alone_is_the_row_in_its_batch, 0, sizeof rowwise / sizeof *rowwise);
    tcase_add_loop_test(rows, with_a_list_of_seeds_rows_may_be_reordered, 0, 3);
    tcase_add_test(rows, more_samples_begin_with_fewer);
    tcase_add_loop_test(rows, draws_in_parts_are_those_of_the_whole, 0, sizeof drawn / sizeof *drawn);
    suite_add_tcase(suite, axes);
    suite_add_tcase(suite, rows);
    return suite;
}
