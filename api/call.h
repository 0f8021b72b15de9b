/* A decoded call: what api_decode fills, the functions' kernels read and api_encode prints. */
#ifndef API_CALL_H
#define API_CALL_H

#include "api.h"
#include "json_array.h"

/* The value of one parameter: one for all rows, or one a row in `list`. Which member of a union counts is
 * said by the parameter's type. */
struct api_value {
    union {
        float number;
        uint64_t integer;
        bool boolean;
    } one;
    void *list; /* NULL, or float[rows] or uint64_t[rows], owned */
};

struct api_call {
    const struct api_function *function;
    struct json_array array; /* the logits, and after api_compute the results; owned */
    size_t rows, classes;
    struct api_value values[API_PARAMETER_COUNT];
};

#endif
