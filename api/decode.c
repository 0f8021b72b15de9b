/* A body into a call: the envelope is matched against the table of parameters. */
#include "call.h"
#include "json_envelope.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct decoder {
    const struct api_request *request;
    struct api_call *call;
    struct api_problem *problem;
};

/* A value in the envelope, named for messages: "/tau", or "/tau/3" for an element of a list. */
struct source {
    const struct api_parameter *parameter;
    const json_t *json;
    bool in_list;
    char pointer[64];
};

static int fail(const struct decoder *decoder, const struct source *source, enum api_problem_code code,
                const char *detail)
{
    return api_fail(decoder->problem, code, source->pointer, API_NO_OFFSET, "%s", detail);
}

/* ---- Single values ---- */

static int read_range(const struct decoder *decoder, const struct source *source, double *value)
{
    const struct api_parameter *parameter = source->parameter;
    const bool integer = parameter->type == API_INTEGER;
    char detail[96];
    if (!json_is_real(source->json)) {
        snprintf(detail, sizeof detail, "must be %s%s", integer ? "an integer" : "a number",
                 parameter->per_row && !source->in_list ? ", or a list of one per row" : "");
        return fail(decoder, source, API_WRONG_TYPE, detail);
    }
    *value = json_real_value(source->json);
    if (integer && *value != floor(*value))
        return fail(decoder, source, API_WRONG_TYPE, "must be an integer");
    if (*value >= parameter->minimum && *value <= parameter->maximum)
        return 0;
    snprintf(detail, sizeof detail, "must be from %.16g to %.16g", parameter->minimum, parameter->maximum);
    return fail(decoder, source, API_OUT_OF_RANGE, detail);
}

static int read_number(const struct decoder *decoder, const struct source *source, float *number)
{
    double value;
    if (read_range(decoder, source, &value) != 0)
        return -1;
    *number = (float)value;
    return 0;
}

static int read_integer(const struct decoder *decoder, const struct source *source, uint64_t *integer)
{
    double value;
    if (read_range(decoder, source, &value) != 0)
        return -1;
    *integer = (uint64_t)value;
    return 0;
}

static int read_boolean(const struct decoder *decoder, const struct source *source, bool *boolean)
{
    if (!json_is_boolean(source->json))
        return fail(decoder, source, API_WRONG_TYPE, "must be true or false");
    *boolean = json_is_true(source->json);
    return 0;
}

/* ---- Lists of one value per row ---- */

static int read_list(const struct decoder *decoder, const struct source *source, struct api_value *value)
{
    const size_t rows = decoder->call->rows, length = json_array_size(source->json);
    if (length != rows) {
        char detail[96];
        snprintf(detail, sizeof detail, "has length %zu where logits have %zu rows", length, rows);
        return fail(decoder, source, API_WRONG_LENGTH, detail);
    }
    const bool integers = source->parameter->type == API_INTEGER;
    value->list = calloc(rows, integers ? sizeof(uint64_t) : sizeof(float));
    if (value->list == NULL)
        return fail(decoder, source, API_INTERNAL, "no memory for the list");
    for (size_t row = 0; row < rows; row++) {
        struct source element = {source->parameter, json_array_get(source->json, row), .in_list = true};
        snprintf(element.pointer, sizeof element.pointer, "%.40s/%zu", source->pointer, row);
        int result = integers ? read_integer(decoder, &element, (uint64_t *)value->list + row)
                              : read_number(decoder, &element, (float *)value->list + row);
        if (result != 0)
            return -1;
    }
    return 0;
}

static void take_fallback(const struct decoder *decoder, const struct api_parameter *parameter, struct api_value *value)
{
    switch (parameter->type) {
    case API_NUMBER:
        value->one.number = (float)parameter->fallback;
        break;
    case API_INTEGER:
        value->one.integer = parameter->drawn ? decoder->request->fresh_seed() : (uint64_t)parameter->fallback;
        break;
    case API_BOOLEAN:
        value->one.boolean = parameter->fallback != 0;
        break;
    case API_ARRAY:
        break;
    }
}

static int read_parameter(const struct decoder *decoder, const json_t *envelope, enum api_parameter_id id)
{
    struct source source = {.parameter = &api_parameters[id]};
    source.json = json_object_get(envelope, source.parameter->name);
    json_pointer_write(source.pointer, sizeof source.pointer, source.parameter->name);
    struct api_value *value = &decoder->call->values[id];
    if (source.json == NULL) {
        take_fallback(decoder, source.parameter, value);
        return 0;
    }
    if (source.parameter->per_row && json_is_array(source.json))
        return read_list(decoder, &source, value);
    switch (source.parameter->type) {
    case API_NUMBER:
        return read_number(decoder, &source, &value->one.number);
    case API_INTEGER:
        return read_integer(decoder, &source, &value->one.integer);
    case API_BOOLEAN:
        return read_boolean(decoder, &source, &value->one.boolean);
    case API_ARRAY:
        break;
    }
    return 0;
}

/* ---- The whole object ---- */

static bool is_known(const struct api_function *function, const char *name)
{
    for (int id = 0; id < API_PARAMETER_COUNT; id++)
        if (api_function_takes(function, id) && strcmp(api_parameters[id].name, name) == 0)
            return true;
    return false;
}

static int refuse_unknown_members(const struct decoder *decoder, const json_t *envelope)
{
    const struct api_function *function = decoder->call->function;
    for (void *at = json_object_iter((json_t *)envelope); at != NULL;
         at = json_object_iter_next((json_t *)envelope, at)) {
        const char *name = json_object_iter_key(at);
        if (is_known(function, name))
            continue;
        char pointer[256];
        json_pointer_write(pointer, sizeof pointer, name);
        return api_fail(decoder->problem, API_UNKNOWN_MEMBER, pointer, API_NO_OFFSET, "%s takes no such member",
                        function->name);
    }
    return 0;
}

/* Takes the array over from the envelope and makes rows of it: 1-D logits are one row. */
static int take_logits(const struct decoder *decoder, const json_t *envelope, struct json_named_array *logits)
{
    struct api_call *call = decoder->call;
    const char *pointer = "/logits";
    if (!logits->found) {
        if (json_object_get(envelope, logits->name) == NULL)
            return api_fail(decoder->problem, API_MISSING_MEMBER, pointer, API_NO_OFFSET, "logits are required");
        return api_fail(decoder->problem, API_WRONG_TYPE, pointer, API_NO_OFFSET, "must be an array of numbers");
    }
    if (logits->array.rank > 2)
        return api_fail(decoder->problem, API_WRONG_TYPE, pointer, API_NO_OFFSET,
                        "must have one or two dimensions, has %zu", logits->array.rank);
    call->array = logits->array;
    logits->array.data = NULL;
    call->classes = call->array.shape[call->array.rank - 1];
    call->rows = call->array.count / call->classes;
    return 0;
}

static int check_noise_rows(const struct decoder *decoder)
{
    const struct api_call *call = decoder->call;
    const uint64_t row_offset = call->values[API_ROW_OFFSET].one.integer;
    if (row_offset != 0 && call->values[API_SEED].list != NULL)
        return api_fail(decoder->problem, API_OUT_OF_RANGE, "/row_offset", API_NO_OFFSET,
                        "goes with one seed for all rows: with a list each row is row 0 of its own seed");
    if (row_offset + call->rows > (uint64_t)UINT32_MAX + 1)
        return api_fail(decoder->problem, API_OUT_OF_RANGE, "/row_offset", API_NO_OFFSET,
                        "row_offset and the number of rows must not exceed 2^32 together");
    return 0;
}

static int read_call(const struct decoder *decoder, const json_t *envelope, struct json_named_array *logits)
{
    if (refuse_unknown_members(decoder, envelope) != 0 || take_logits(decoder, envelope, logits) != 0)
        return -1;
    for (int id = 0; id < API_PARAMETER_COUNT; id++)
        if (api_function_takes(decoder->call->function, id) && read_parameter(decoder, envelope, id) != 0)
            return -1;
    return check_noise_rows(decoder);
}

int api_decode(const struct api_request *request, struct api_call **call, struct api_problem *problem)
{
    struct decoder decoder = {request, calloc(1, sizeof **call), problem};
    if (decoder.call == NULL)
        return api_fail(problem, API_INTERNAL, "", API_NO_OFFSET, "no memory for the call");
    decoder.call->function = request->route->function;

    const char *body = request->body != NULL ? request->body : "\0\0\0\0\0\0\0\0";
    const struct json_text text = {.body = body, .length = request->length};
    struct json_named_array logits = {.name = api_parameters[API_LOGITS].name, .minus_infinity = true};
    json_t *envelope = NULL;
    int result = json_envelope_read(&text, &logits, 1, &envelope, problem);
    if (result == 0)
        result = read_call(&decoder, envelope, &logits);
    json_decref(envelope);
    free(logits.array.data);
    if (result == 0)
        *call = decoder.call;
    else
        api_call_free(decoder.call);
    return result;
}
