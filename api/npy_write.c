#include "npy_write.h"
#include "json_put.h"
#include "npy_header.h"

#include <stdlib.h>
#include <string.h>

/* A list that is longer stays out: clients and proxies bound what they take of headers. */
enum { MOST_LIST_BYTES = 4096 };

static int fail(struct api_problem *problem)
{
    return api_fail(problem, API_INTERNAL, "", API_NO_OFFSET, "no memory for the answer");
}

/* ---- Headers ---- */

static char *put_value(char *out, const struct api_value *value, bool integers, size_t row)
{
    if (value->list == NULL)
        return integers ? json_put_whole(out, (uint64_t)value->one.integer) : json_put_double(out, value->one.number);
    return integers ? json_put_whole(out, ((const uint64_t *)value->list)[row])
                    : json_put_double(out, ((const double *)value->list)[row]);
}

/* A parameter's value, those of all rows with commas between them. */
static int add_parameter(const struct api_call *call, enum api_parameter_id id, const char *name,
                         struct api_response *response, struct api_problem *problem)
{
    const struct api_value *value = &call->values[id];
    const size_t count = value->list != NULL ? call->rows : 1;
    char *text = malloc(MOST_LIST_BYTES + JSON_PUT_SPACE), *out = text;
    if (text == NULL)
        return fail(problem);
    for (size_t row = 0; row < count && out <= text + MOST_LIST_BYTES; row++) {
        out = put_value(out, value, api_parameters[id].type == API_INTEGER, row);
        *out++ = ',';
    }
    if (out > text + MOST_LIST_BYTES) {
        free(text);
        return 0;
    }
    out[-1] = '\0';
    api_response_header(response, name, text, text);
    return 0;
}

static int add_names(const struct api_call *call, struct api_response *response, struct api_problem *problem)
{
    size_t length = 1;
    for (size_t i = 0; i < call->result_count; i++)
        length += strlen(call->results[i].name) + 1;
    char *text = malloc(length), *out = text;
    if (text == NULL)
        return fail(problem);
    for (size_t i = 0; i < call->result_count; i++)
        out = json_put_text(json_put_text(out, i > 0 ? "," : ""), call->results[i].name);
    *out = '\0';
    api_response_header(response, "X-Gumbeld-Results", text, text);
    return 0;
}

static int add_headers(const struct api_call *call, struct api_response *response, struct api_problem *problem)
{
    const char *dtype = api_dtypes[call->dtype == CORE_FLOAT64 ? API_FLOAT64 : API_FLOAT32].name;
    if (add_names(call, response, problem) != 0)
        return -1;
    api_response_header(response, "X-Gumbeld-Dtype", dtype, NULL);
    if (call->of->draws_noise) {
        api_response_header(response, "X-Gumbeld-Rng", API_RNG, NULL);
        if (add_parameter(call, API_SEED, "X-Gumbeld-Seed", response, problem) != 0)
            return -1;
    }
    if (api_function_takes(call->of, API_TAU))
        return add_parameter(call, API_TAU, "X-Gumbeld-Tau", response, problem);
    return 0;
}

/* ---- Arrays ---- */

static size_t bytes_of(const struct api_tensor *result)
{
    return result->count * api_dtypes[result->dtype].size;
}

/* Takes the memory of the first result for the body, and brings the data to where they are behind the header. */
static char *begin_body(struct api_call *call, size_t *length)
{
    const struct api_tensor *result = &call->results[0];
    const size_t bytes = bytes_of(result);
    size_t offset;
    char *body = call_disown(call, result, &offset);
    *length = NPY_HEADER_BYTES + bytes;
    if (offset < NPY_HEADER_BYTES) {
        char *grown = realloc(body, *length > offset + bytes ? *length : offset + bytes);
        if (grown == NULL)
            free(body);
        body = grown;
    }
    if (body == NULL)
        return NULL;
    memmove(body + NPY_HEADER_BYTES, body + offset, bytes);
    npy_header_write(body, result);
    return body;
}

/* NULL, with the body freed, if memory is short. */
static char *append(char *body, size_t *length, const struct api_tensor *result)
{
    const size_t bytes = bytes_of(result);
    char *grown = realloc(body, *length + NPY_HEADER_BYTES + bytes);
    if (grown == NULL) {
        free(body);
        return NULL;
    }
    npy_header_write(grown + *length, result);
    memcpy(grown + *length + NPY_HEADER_BYTES, result->data, bytes);
    *length += NPY_HEADER_BYTES + bytes;
    return grown;
}

/* Each result's memory is given back when it has been copied. */
static int put_results(struct api_call *call, struct api_response *response, struct api_problem *problem)
{
    size_t length;
    char *body = begin_body(call, &length);
    for (size_t i = 1; i < call->result_count && body != NULL; i++) {
        body = append(body, &length, &call->results[i]);
        call_release(call, call->results[i].data);
    }
    if (body == NULL)
        return fail(problem);
    char *fitted = realloc(body, length);
    response->body = response->owned = fitted != NULL ? fitted : body;
    response->length = length;
    return 0;
}

int npy_write(struct api_call *call, struct api_response *response, struct api_problem *problem)
{
    *response = (struct api_response){.status = 200, .media_type = API_NPY, .rows = call->rows};
    if (call_finish(call, problem) == 0 && add_headers(call, response, problem) == 0 &&
        put_results(call, response, problem) == 0)
        return 0;
    api_response_release(response);
    return -1;
}
