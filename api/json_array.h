/* Nested JSON arrays of numbers, read straight from the body into float32. */
#ifndef API_JSON_ARRAY_H
#define API_JSON_ARRAY_H

#include "api.h"

#define JSON_ARRAY_MAX_RANK 8

/* A dense, row-major array: shape[0] * ... * shape[rank - 1] == count, all of them at least 1. */
struct json_array {
    float *data;
    size_t count, rank;
    size_t shape[JSON_ARRAY_MAX_RANK];
};

struct json_text {
    const char *body; /* followed by API_BODY_PADDING zero bytes */
    size_t length;
};

/* Reads the array of numbers, null (-inf) and "-Infinity" that begins at `start`, a '[' within the body, and
 * is the value of member `name`. Returns the byte behind it, with array->data to be freed by the caller; or
 * NULL and *problem, whose pointer names the element. Memory: four bytes a comma of the body. */
const char *json_array_read(const struct json_text *text, const char *start, const char *name, struct json_array *array,
                            struct api_problem *problem);

#endif
