/* A computed call into a body. Its members have known names and no strings of the client's, so it is printed as text.
 */
#include "encode.h"
#include "json_put.h"

#include <stdlib.h>

enum { HEAD_BYTES = 512 /* more than all that is not a tensor takes */ };

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
static bool put_parameter(struct text *text, const struct api_call *call, enum api_parameter_id id)
{
    const struct api_value *value = &call->values[id];
    const bool integers = api_parameters[id].type == API_INTEGER;
    const struct api_tensor tensor = {.dtype = integers ? API_UINT64 : API_FLOAT64,
                                      .data = value->list != NULL ? value->list : (void *)&value->one,
                                      .rank = value->list != NULL,
                                      .shape = {call->rows},
                                      .count = value->list != NULL ? call->rows : 1};
    char *out = text_room(text, HEAD_BYTES);
    if (out == NULL)
        return false;
    text_end(text, json_put_name(out, api_parameters[id].name));
    return text_put_tensor(text, &tensor);
}

static bool put_head(struct text *text, const struct api_call *call)
{
    char *out = text_room(text, HEAD_BYTES);
    if (out == NULL)
        return false;
    out = put_shape(json_put_text(out, "{\"shape\":"), &call->results[0]);
    out = json_put_name(out, "dtype");
    out = json_put_text(out, call->dtype == CORE_FLOAT64 ? "\"float64\"" : "\"float32\"");
    text_end(text, call->of->draws_noise ? json_put_text(out, ",\"rng\":\"" API_RNG "\"") : out);
    return (!call->of->draws_noise || put_parameter(text, call, API_SEED)) &&
           (!api_function_takes(call->of, API_TAU) || put_parameter(text, call, API_TAU));
}

static bool put_result(struct text *text, const struct api_tensor *result)
{
    char *out = text_room(text, HEAD_BYTES);
    if (out == NULL)
        return false;
    text_end(text, json_put_name(out, result->name));
    return text_put_tensor(text, result);
}

int encode_call(struct api_call *call, struct text *text, struct api_problem *problem)
{
    if (call_finish(call, problem) != 0)
        return -1;
    bool put = put_head(text, call);
    for (size_t i = 0; i < call->result_count && put; i++)
        put = put_result(text, &call->results[i]);
    if (put && text_put(text, "}", 1))
        return 0;
    return api_fail(problem, API_INTERNAL, "", API_NO_OFFSET, "no memory for the answer");
}

int api_encode(struct api_call *call, struct api_response *response, struct api_problem *problem)
{
    struct text text = {.bytes = NULL};
    if (encode_call(call, &text, problem) != 0) {
        free(text.bytes);
        return -1;
    }
    text_fit(&text);
    *response = (struct api_response){
        .status = 200,
        .media_type = "application/json",
        .body = text.bytes,
        .length = text.length,
        .owned = text.bytes,
        .rows = call->rows,
    };
    return 0;
}
