/* A JSON body into a call: its arrays are read straight from the text, in the types that the table of parameters
 * says, and jansson reads the rest. */
#define _GNU_SOURCE /* memmem */
#include "decode.h"
#include "accept.h"
#include "json_envelope.h"
#include "json_scan.h"
#include "npy_read.h"
#include "query.h"

#include <stdlib.h>
#include <string.h>

static const enum api_dtype dtype_of_element[] = {
    [JSON_FLOAT32] = API_FLOAT32,
    [JSON_FLOAT64] = API_FLOAT64,
    [JSON_UINT64] = API_UINT64,
    [JSON_BOOL] = API_BOOL,
};

/* The parameters that are arrays, or may be. */
struct arrays {
    struct json_named_array named[JSON_ENVELOPE_MAX_ARRAYS];
    size_t count;
};

struct json_named_array decode_array(const struct api_parameter *parameter, enum json_element numbers)
{
    struct json_named_array named = {.name = parameter->name};
    switch (parameter->type) {
    case API_NUMBERS:
        named.element = numbers;
        named.minus_infinity = parameter == &api_parameters[API_LOGITS];
        break;
    case API_BOOLEANS:
        named.element = JSON_BOOL;
        break;
    default:
        named.element = parameter->type == API_INTEGER ? JSON_UINT64 : JSON_FLOAT64;
        named.scalar = parameter->type == API_INTEGER; /* which jansson would round */
        named.minimum = parameter->minimum;
        named.maximum = parameter->maximum;
        break;
    }
    return named;
}

static void name_arrays(struct arrays *arrays, const struct api_function *function, enum json_element numbers)
{
    arrays->count = 0;
    for (int id = 0; id < API_PARAMETER_COUNT; id++) {
        const struct api_parameter *parameter = &api_parameters[id];
        if (api_function_takes(function, (enum api_parameter_id)id) &&
            (parameter->per_row || parameter->type == API_NUMBERS || parameter->type == API_BOOLEANS))
            arrays->named[arrays->count++] = decode_array(parameter, numbers);
    }
}

static void free_arrays(struct arrays *arrays)
{
    for (size_t i = 0; i < arrays->count; i++)
        free(arrays->named[i].array.data);
    arrays->count = 0;
}

static bool says_float64(const json_t *envelope)
{
    const char *dtype = json_string_value(json_object_get(envelope, api_parameters[API_DTYPE].name));
    return dtype != NULL && strcmp(dtype, api_dtypes[API_FLOAT64].name) == 0;
}

static bool holds(const struct json_text *text, const char *bytes)
{
    return memmem(text->body, text->length, bytes, strlen(bytes)) != NULL;
}

/* What `dtype` says is known only when all is read: so it is guessed, and read again if the guess was wrong. Numbers
 * that only float64 holds must not be read as float32 first. */
static int read_text(const struct json_text *text, const struct api_function *function, struct arrays *arrays,
                     json_t **envelope, struct api_problem *problem)
{
    bool wide = holds(text, api_dtypes[API_FLOAT64].name) || holds(text, "\\u");
    for (;;) {
        name_arrays(arrays, function, wide ? JSON_FLOAT64 : JSON_FLOAT32);
        const int result = json_envelope_read(text, arrays->named, arrays->count, envelope, problem);
        if (result != 0 || says_float64(*envelope) == wide)
            return result;
        json_decref(*envelope);
        *envelope = NULL;
        free_arrays(arrays);
        wide = !wide;
    }
}

struct api_tensor decode_tensor(struct json_named_array *named)
{
    struct json_array *array = &named->array;
    struct api_tensor tensor = {.name = named->name,
                                .dtype = dtype_of_element[array->element],
                                .data = array->data,
                                .count = array->count,
                                .rank = array->rank};
    memcpy(tensor.shape, array->shape, sizeof array->shape);
    array->data = NULL;
    return tensor;
}

/* The tensors that were found; their data becomes the source's. */
static size_t move_tensors(struct arrays *arrays, struct api_tensor *tensors)
{
    size_t count = 0;
    for (size_t i = 0; i < arrays->count; i++)
        if (arrays->named[i].found)
            tensors[count++] = decode_tensor(&arrays->named[i]);
    return count;
}

int decode_call(const struct json_text *text, const struct api_function *function, const struct api_request *request,
                struct api_call **call, struct api_problem *problem)
{
    struct arrays arrays = {.count = 0};
    struct api_tensor tensors[JSON_ENVELOPE_MAX_ARRAYS];
    struct call_source source = {.function = function,
                                 .text = text,
                                 .tensors = tensors,
                                 .fresh_seed = request->fresh_seed,
                                 .limits = request->limits};
    json_t *envelope = NULL;
    int result = read_text(text, function, &arrays, &envelope, problem);
    if (result == 0) {
        source.members = envelope;
        source.tensor_count = move_tensors(&arrays, tensors);
        result = call_build(&source, call, problem);
    }
    if (result != 0)
        json_scan_place(text, problem);
    for (size_t i = 0; i < source.tensor_count; i++)
        free(tensors[i].data);
    free_arrays(&arrays);
    json_decref(envelope);
    return result;
}

void decode_release(const struct api_request *request)
{
    if (request->own_body == NULL)
        return;
    free(*request->own_body);
    *request->own_body = NULL;
}

int api_decode(const struct api_request *request, struct api_call **call, struct api_problem *problem)
{
    static const char empty[API_BODY_PADDING] = "";
    if (accept_npy_body(request))
        return npy_read(request, call, problem);
    const struct json_text text = {.body = request->body != NULL ? request->body : empty, .length = request->length};
    if (query_refuse(request, problem) != 0)
        return -1;
    const int result = decode_call(&text, request->route->function, request, call, problem);
    if (result == 0)
        decode_release(request);
    return result;
}
