#include "call/arrays.h"

struct json_named_array call_array_of(const struct api_parameter *parameter, enum api_dtype numbers)
{
    struct json_named_array named = {.name = parameter->name};
    switch (parameter->type) {
    case API_NUMBERS:
        named.dtype = numbers;
        named.minus_infinity = parameter == &api_parameters[API_LOGITS];
        break;
    case API_BOOLEANS:
        named.dtype = API_BOOL;
        break;
    default:
        named.scalar = parameter->type == API_INTEGER; /* which jansson would round */
        named.whole = named.scalar && parameter->minimum < 0;
        named.dtype = named.scalar && !named.whole ? API_UINT64 : API_FLOAT64;
        named.minimum = parameter->minimum;
        named.maximum = parameter->maximum;
        break;
    }
    return named;
}

struct api_tensor call_tensor_of(struct json_named_array *named)
{
    struct api_tensor tensor = named->array;
    tensor.name = named->name;
    named->array.data = NULL;
    return tensor;
}
