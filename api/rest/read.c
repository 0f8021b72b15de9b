/* A JSON body into a call: its arrays are read straight from the text, in the types that the table of parameters
 * says, and jansson reads the rest. */
#define _GNU_SOURCE /* memmem */
#include "rest/read.h"
#include "call/arrays.h"
#include "json/envelope.h"
#include "json/scan.h"

#include <string.h>

/* The parameters that are arrays, or may be. */
struct arrays {
    struct json_named_array named[JSON_ENVELOPE_MAX_ARRAYS];
    size_t count;
};

static void name_arrays(struct arrays *arrays, const struct api_function *function, enum json_element numbers)
{
    arrays->count = 0;
    for (int id = 0; id < API_PARAMETER_COUNT; id++) {
        const struct api_parameter *parameter = &api_parameters[id];
        if (api_function_takes(function, (enum api_parameter_id)id) &&
            (parameter->per_row || parameter->type == API_NUMBERS || parameter->type == API_BOOLEANS))
            arrays->named[arrays->count++] = call_array_of(parameter, numbers);
    }
}

static void free_arrays(struct arrays *arrays)
{
    for (size_t i = 0; i < arrays->count; i++)
        api_free(arrays->named[i].array.data);
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

/* The tensors that were found; their data becomes the source's. */
static size_t move_tensors(struct arrays *arrays, struct api_tensor *tensors)
{
    size_t count = 0;
    for (size_t i = 0; i < arrays->count; i++)
        if (arrays->named[i].found)
            tensors[count++] = call_tensor_of(&arrays->named[i]);
    return count;
}

int rest_read(const struct json_text *text, const struct api_function *function, const struct api_request *request,
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
        api_free(tensors[i].data);
    free_arrays(&arrays);
    json_decref(envelope);
    return result;
}
