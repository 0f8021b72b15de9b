#include "npy/write.h"
#include "npy/header.h"
#include "json/put.h"

#include <string.h>

/* A list that is longer stays out: clients and proxies bound what they take of headers. */
enum { MOST_LIST_BYTES = 4096 };

static int fail(struct api_problem *problem)
{
    return api_fail(problem, API_OUT_OF_MEMORY, "", API_NO_OFFSET, "no memory for the answer");
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
    char *text = api_malloc(MOST_LIST_BYTES + JSON_PUT_SPACE), *out = text;
    if (text == NULL)
        return fail(problem);
    for (size_t row = 0; row < count && out <= text + MOST_LIST_BYTES; row++) {
        out = put_value(out, value, api_parameters[id].type == API_INTEGER, row);
        *out++ = ',';
    }
    if (out > text + MOST_LIST_BYTES) {
        api_free(text);
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
    char *text = api_malloc(length), *out = text;
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

static bool grow(struct npy_writer *writer, size_t length)
{
    char *grown = api_realloc(writer->body, length);
    if (grown != NULL)
        writer->body = grown;
    return grown != NULL;
}

/* Takes the memory of the first result for the body. False if there is none for the header. */
static bool take_first(struct npy_writer *writer)
{
    const struct api_tensor *result = &writer->call->results[0];
    size_t bytes = bytes_of(result), offset;
    writer->body = call_disown(writer->call, result, &offset);
    writer->length = NPY_HEADER_BYTES + bytes;
    writer->from = offset;
    return offset >= NPY_HEADER_BYTES ||
           grow(writer, writer->length > offset + bytes ? writer->length : offset + bytes);
}

/* Brings some of the first result's data to where they are after the header: the last ones first, if they go up. */
static void move_some(struct npy_writer *writer, size_t bytes, size_t most)
{
    const size_t left = bytes - writer->moved, count = left < most ? left : most;
    if (writer->from == NPY_HEADER_BYTES) {
        writer->moved = bytes;
        return;
    }
    const size_t at = writer->from < NPY_HEADER_BYTES ? left - count : writer->moved;
    memmove(writer->body + NPY_HEADER_BYTES + at, writer->body + writer->from + at, count);
    writer->moved += count;
}

static void copy_some(struct npy_writer *writer, const struct api_tensor *result, size_t bytes, size_t most)
{
    const size_t left = bytes - writer->moved, count = left < most ? left : most;
    memcpy(writer->body + writer->length - left, (const char *)result->data + writer->moved, count);
    writer->moved += count;
}

static bool begin_result(struct npy_writer *writer)
{
    const struct api_tensor *result = &writer->call->results[writer->result];
    const size_t header = writer->length;
    if (writer->result == 0)
        return take_first(writer);
    writer->length += NPY_HEADER_BYTES + bytes_of(result);
    if (!grow(writer, writer->length))
        return false;
    npy_header_write(writer->body + header, result);
    return true;
}

/* Each result's memory is given back when it has been copied. */
static void end_result(struct npy_writer *writer)
{
    const struct api_tensor *result = &writer->call->results[writer->result];
    if (writer->result == 0)
        npy_header_write(writer->body, result);
    else
        call_release(writer->call, result->data);
    writer->result++;
    writer->moved = 0;
}

/* Some of one result; false if memory is short. */
static bool put_some(struct npy_writer *writer, size_t most)
{
    const struct api_tensor *result = &writer->call->results[writer->result];
    const size_t bytes = bytes_of(result);
    if (writer->moved == 0 && !begin_result(writer))
        return false;
    if (writer->result == 0)
        move_some(writer, bytes, most);
    else
        copy_some(writer, result, bytes, most);
    if (writer->moved == bytes)
        end_result(writer);
    return true;
}

static void complete(struct npy_writer *writer, struct api_response *response)
{
    char *fitted = api_realloc(writer->body, writer->length);
    response->body = response->owned = fitted != NULL ? fitted : writer->body;
    response->length = writer->length;
    writer->body = NULL;
}

int npy_write_open(struct npy_writer *writer, struct api_call *call, struct api_response *response,
                   struct api_problem *problem)
{
    *writer = (struct npy_writer){.call = call};
    *response = (struct api_response){.status = 200, .media_type = API_NPY, .rows = call->rows};
    return add_headers(call, response, problem);
}

int npy_write_some(struct npy_writer *writer, size_t most, struct api_response *response, struct api_problem *problem)
{
    if (!put_some(writer, most))
        return fail(problem);
    if (writer->result < writer->call->result_count)
        return 1;
    complete(writer, response);
    return 0;
}
