#include "call/arrays.h"

#include <string.h>

static const enum api_dtype dtype_of_element[] = {
    [JSON_FLOAT32] = API_FLOAT32,
    [JSON_FLOAT64] = API_FLOAT64,
    [JSON_UINT64] = API_UINT64,
    [JSON_BOOL] = API_BOOL,
};

struct json_named_array call_array_of(const struct api_parameter *parameter, enum json_element numbers)
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

struct api_tensor call_tensor_of(struct json_named_array *named)
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
