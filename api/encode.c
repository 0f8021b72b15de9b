/* A computed call into a body. Its members have known names and no strings of the client's, so it is printed
 * straight into one buffer. */
#include "call.h"
#include "json_put.h"

#include <stdlib.h>

static char *put_shape(char *out, const struct api_tensor *tensor)
{
    *out++ = '[';
    for (size_t i = 0; i < tensor->rank; i++) {
        if (i > 0)
            *out++ = ',';
        out = json_put_whole(out, tensor->shape[i]);
    }
    *out++ = ']';
    return out;
}

/* A parameter's value, one for all rows or a list. */
static char *put_parameter(char *out, const struct api_call *call, enum api_parameter_id id)
{
    const struct api_value *value = &call->values[id];
    const bool integers = api_parameters[id].type == API_INTEGER;
    const struct api_tensor list = {.dtype = integers ? API_UINT64 : API_FLOAT64,
                                    .data = value->list,
                                    .rank = 1,
                                    .shape = {call->rows},
                                    .count = call->rows};
    out = json_put_name(out, api_parameters[id].name);
    if (value->list != NULL)
        return json_put_tensor(out, &list);
    return integers ? json_put_whole(out, (uint64_t)value->one.integer) : json_put_double(out, value->one.number);
}

static char *put_call(char *out, const struct api_call *call)
{
    out = put_shape(json_put_text(out, "{\"shape\":"), &call->results[0]);
    out = json_put_name(out, "dtype");
    out = json_put_text(out, call->dtype == CORE_FLOAT64 ? "\"float64\"" : "\"float32\"");
    if (call->of->draws_noise) {
        out = json_put_text(out, ",\"rng\":\"" API_RNG "\"");
        out = put_parameter(out, call, API_SEED);
    }
    if (api_function_takes(call->of, API_TAU))
        out = put_parameter(out, call, API_TAU);
    for (size_t i = 0; i < call->result_count; i++)
        out = json_put_tensor(json_put_name(out, call->results[i].name), &call->results[i]);
    *out++ = '}';
    return out;
}

/* Bytes that put_call cannot exceed. */
static size_t space(const struct api_call *call)
{
    size_t bytes = 512;
    for (size_t i = 0; i < call->result_count; i++)
        bytes += json_put_tensor_space(&call->results[i]) + 32;
    for (int id = API_TAU; id <= API_SEED; id++)
        if (call->values[id].list != NULL)
            bytes += call->rows * JSON_PUT_LONGEST;
    return bytes + JSON_PUT_SPACE;
}

int api_encode(struct api_call *call, struct api_response *response, struct api_problem *problem)
{
    if (call_finish(call, problem) != 0)
        return -1;
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
