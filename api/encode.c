/* A computed call into a body. Its members have known names and no strings of the client's, so it is printed
 * straight into one buffer. */
#include "call.h"
#include "number_write.h"

#include <stdlib.h>
#include <string.h>

static char *put_text(char *out, const char *text)
{
    size_t length = strlen(text);
    memcpy(out, text, length);
    return out + length;
}

static char *put_sizes(char *out, const size_t *sizes, size_t count)
{
    *out++ = '[';
    for (size_t i = 0; i < count; i++) {
        if (i > 0)
            *out++ = ',';
        out = number_write_integer(out, sizes[i]);
    }
    *out++ = ']';
    return out;
}

static char *put_numbers(char *out, const float *numbers, size_t count)
{
    *out++ = '[';
    out = number_write_row(out, numbers, count);
    *out++ = ']';
    return out;
}

static char *put_integers(char *out, const uint64_t *integers, size_t count)
{
    *out++ = '[';
    for (size_t i = 0; i < count; i++) {
        out = number_write_integer(out, integers[i]);
        *out++ = ',';
    }
    out[-1] = ']';
    return out;
}

static char *put_seed(char *out, const struct api_value *seed, size_t rows)
{
    out = put_text(out, ",\"seed\":");
    return seed->list != NULL ? put_integers(out, seed->list, rows) : number_write_integer(out, seed->one.integer);
}

static char *put_tau(char *out, const struct api_value *tau, size_t rows)
{
    out = put_text(out, ",\"tau\":");
    return tau->list != NULL ? put_numbers(out, tau->list, rows) : number_write(out, tau->one.number);
}

static char *put_rows(char *out, const struct api_call *call)
{
    const float *rows = call->array.data;
    if (call->array.rank == 1)
        return put_numbers(out, rows, call->classes);
    *out++ = '[';
    for (size_t row = 0; row < call->rows; row++) {
        out = put_numbers(out, rows + row * call->classes, call->classes);
        *out++ = ',';
    }
    out[-1] = ']';
    return out;
}

static char *put_call(char *out, const struct api_call *call)
{
    out = put_text(out, "{\"shape\":");
    out = put_sizes(out, call->array.shape, call->array.rank);
    out = put_text(out, ",\"dtype\":\"float32\"");
    if (call->function->draws_noise) {
        out = put_text(out, ",\"rng\":\"" API_RNG "\"");
        out = put_seed(out, &call->values[API_SEED], call->rows);
        out = put_tau(out, &call->values[API_TAU], call->rows);
    }
    out = put_text(out, ",\"");
    out = put_text(out, call->function->result);
    out = put_text(out, "\":");
    out = put_rows(out, call);
    *out++ = '}';
    return out;
}

/* Bytes that put_call cannot exceed. */
static size_t space(const struct api_call *call)
{
    const size_t fixed = 256, brackets = 2 * call->rows, digits = 21;
    size_t lists = 0;
    if (call->function->draws_noise)
        lists = ((call->values[API_SEED].list != NULL) + (call->values[API_TAU].list != NULL)) * call->rows * digits;
    return fixed + brackets + lists + call->array.count * (NUMBER_LONGEST + 1) + NUMBER_SPACE;
}

int api_encode(const struct api_call *call, struct api_response *response, struct api_problem *problem)
{
    char *body = malloc(space(call));
    if (body == NULL)
        return api_fail(problem, API_INTERNAL, "", API_NO_OFFSET, "no memory for the answer");
    const size_t length = (size_t)(put_call(body, call) - body);
    char *fitted = realloc(body, length);
    if (fitted != NULL)
        body = fitted;
    *response = (struct api_response){
        .status = 200,
        .media_type = "application/json",
        .body = body,
        .length = length,
        .owned = body,
        .rows = call->rows,
    };
    return 0;
}
