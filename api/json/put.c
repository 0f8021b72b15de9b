#include "json/put.h"
#include "number/write.h"

#include <string.h>

char *json_put_text(char *out, const char *text)
{
    const size_t length = strlen(text);
    memcpy(out, text, length);
    return out + length;
}

char *json_put_name(char *out, const char *name)
{
    return json_put_text(json_put_text(json_put_text(out, ",\""), name), "\":");
}

char *json_put_whole(char *out, uint64_t value)
{
    return number_write_integer(out, value);
}

char *json_put_shape(char *out, const size_t *shape, size_t rank)
{
    *out++ = '[';
    for (size_t axis = 0; axis < rank; axis++) {
        if (axis > 0)
            *out++ = ',';
        out = json_put_whole(out, shape[axis]);
    }
    *out++ = ']';
    return out;
}

char *json_put_double(char *out, double value)
{
    return number_write_double(out, value);
}

static char *put_signed(char *out, int32_t value)
{
    if (value < 0)
        *out++ = '-';
    return number_write_integer(out, value < 0 ? -(uint64_t)(int64_t)value : (uint64_t)value);
}

char *json_put_element(char *out, enum api_dtype dtype, const void *data, size_t at)
{
    switch (dtype) {
    case API_FLOAT32:
        return number_write(out, ((const float *)data)[at]);
    case API_FLOAT64:
        return json_put_double(out, ((const double *)data)[at]);
    case API_INT32:
        return put_signed(out, ((const int32_t *)data)[at]);
    case API_UINT64:
        return number_write_integer(out, ((const uint64_t *)data)[at]);
    default:
        return json_put_text(out, ((const uint8_t *)data)[at] != 0 ? "true" : "false");
    }
}

char *json_put_row(char *out, enum api_dtype dtype, const void *data, size_t start, size_t step, size_t length)
{
    if (dtype == API_FLOAT32 && step == 1 && length > 0) {
        out = number_write_row(out, (const float *)data + start, length);
        *out++ = ',';
        return out;
    }
    for (size_t i = 0; i < length; i++) {
        out = json_put_element(out, dtype, data, start + i * step);
        *out++ = ',';
    }
    return out;
}
