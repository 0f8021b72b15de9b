/* What bench-codec measures of the product and of jansson, called through ctypes. */
#include "api.h"
#include "core.h"
#include "lib/memory.h"
#include "number/write.h"
#include "json/envelope.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

/* ---- The product ---- */

/* Elements read, which is checked against the other readers. `sum`, if not NULL, is that of all values. */
size_t bench_read(const char *body, size_t length, double *sum);
size_t bench_write(const float *values, size_t rows, size_t classes, char *out);
size_t bench_answer(const char *path, const char *body, size_t length);
size_t bench_peak(const char *path, const char *body, size_t length, size_t *answer);
size_t bench_sample(const float *logits, size_t rows, size_t classes, float *samples);
size_t bench_npy(const char *body, size_t length);
size_t bench_npy_peak(const char *body, size_t length, size_t *answer);
size_t bench_jansson_read(const char *body, size_t length, double *sum);
size_t bench_jansson_write(const float *values, size_t rows, size_t classes);

static void add_up(const float *values, size_t number, double *sum)
{
    *sum = 0;
    for (size_t i = 0; i < number; i++)
        *sum += (double)values[i];
}

size_t bench_read(const char *body, size_t length, double *sum)
{
    const struct json_text text = {.body = body, .length = length};
    struct json_named_array logits = {.name = "logits", .minus_infinity = true};
    json_t *envelope;
    if (json_envelope_read(&text, &logits, 1, &envelope, NULL) != 0)
        return 0;
    if (sum != NULL)
        add_up(logits.array.data, logits.array.count, sum);
    json_decref(envelope);
    free(logits.array.data);
    return logits.array.count;
}

size_t bench_write(const float *values, size_t rows, size_t classes, char *out)
{
    char *const begin = out;
    *out++ = '[';
    for (size_t row = 0; row < rows; row++, values += classes) {
        *out++ = '[';
        out = number_write_row(out, values, classes);
        memcpy(out, "],", 2);
        out += 2;
    }
    out[-1] = ']';
    return (size_t)(out - begin);
}

static uint64_t seed(void)
{
    return 42;
}

static struct api_response answer(const char *path, const char *body, size_t length)
{
    struct api_request request = {.body = body, .length = length, .fresh_seed = seed};
    struct api_response response = {0};
    if (api_route_find("POST", path, &request.route, NULL) == 0)
        api_answer(&request, &response);
    return response;
}

/* The answer's length; 0 unless its status is 200. */
size_t bench_answer(const char *path, const char *body, size_t length)
{
    struct api_response response = answer(path, body, length);
    free(response.owned);
    return response.status == 200 ? response.length : 0;
}

size_t bench_peak(const char *path, const char *body, size_t length, size_t *answer_length)
{
    memory_start();
    *answer_length = bench_answer(path, body, length);
    return memory_stop();
}

/* ---- .npy ---- */

/* The core alone: what a call of gumbel_softmax computes. 0 unless it succeeds. */
size_t bench_sample(const float *logits, size_t rows, size_t classes, float *samples)
{
    static const double tau = 1;
    static const uint64_t key = 42;
    size_t row;
    struct core_gumbel_softmax_call call = {.logits = logits,
                                            .classes = classes,
                                            .inner = 1,
                                            .tau = {&tau, 0},
                                            .noise = {.seed = &key},
                                            .noise_scale = {&tau, 0},
                                            .samples = samples};
    const size_t bytes = core_gumbel_softmax_scratch(&call);
    call.scratch = bytes > 0 ? malloc(bytes) : NULL;
    const int status = core_gumbel_softmax(&call, 0, rows, &row);
    free(call.scratch);
    return status == CORE_OK ? rows : 0;
}

/* The same call with arrays in and out. The request's body is copied, as a server's reading of its socket does, and may
 * be taken. */
size_t bench_npy(const char *body, size_t length)
{
    char *copy = malloc(length + API_BODY_PADDING);
    struct api_request request = {.content_type = API_NPY,
                                  .accept = API_NPY,
                                  .body = memcpy(copy, body, length),
                                  .length = length,
                                  .own_body = &copy,
                                  .fresh_seed = seed};
    struct api_response response = {0};
    memset(copy + length, 0, API_BODY_PADDING);
    if (api_route_find("POST", "/v1/gumbel_softmax", &request.route, NULL) == 0)
        api_answer(&request, &response);
    const size_t answered = response.status == 200 ? response.length : 0;
    api_response_release(&response);
    free(copy);
    return answered;
}

/* Bytes allocated at once, the body among them. */
size_t bench_npy_peak(const char *body, size_t length, size_t *answer_length)
{
    memory_start();
    *answer_length = bench_npy(body, length);
    return memory_stop();
}

/* ---- jansson's tree ---- */

size_t bench_jansson_read(const char *body, size_t length, double *sum)
{
    json_t *root = json_loadb(body, length, JSON_REJECT_DUPLICATES | JSON_DECODE_INT_AS_REAL, NULL), *row, *value;
    const json_t *logits = json_object_get(root, "logits");
    size_t i, k, number = 0;
    float *values = malloc(length / 2 * sizeof *values);
    json_array_foreach (logits, i, row)
        json_array_foreach (row, k, value)
            values[number++] = (float)json_real_value(value);
    if (sum != NULL)
        add_up(values, number, sum);
    free(values);
    json_decref(root);
    return number;
}

size_t bench_jansson_write(const float *values, size_t rows, size_t classes)
{
    json_t *root = json_array();
    for (size_t row = 0; row < rows; row++, values += classes) {
        json_t *list = json_array();
        for (size_t i = 0; i < classes; i++)
            json_array_append_new(list, json_real((double)values[i]));
        json_array_append_new(root, list);
    }
    char *text = json_dumps(root, JSON_COMPACT | JSON_REAL_PRECISION(9));
    const size_t length = strlen(text);
    json_decref(root);
    free(text);
    return length;
}
