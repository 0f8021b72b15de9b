/* Nested JSON arrays read straight from the body, without a tree. */
#ifndef API_JSON_ARRAY_H
#define API_JSON_ARRAY_H

#include "api.h"
#include "json/text.h"

#define API_MAX_RANK 8                         /* of the logits */
#define API_TENSOR_MAX_RANK (API_MAX_RANK + 1) /* a cotangent or a result may have an axis before theirs */

/* A dense, row-major array: shape[0] * ... * shape[rank - 1] == count; a single value has rank 0 and count 1. */
struct api_tensor {
    const char *name;
    enum api_dtype dtype;
    void *data;
    size_t count, rank;
    size_t shape[API_TENSOR_MAX_RANK];
    bool borrowed; /* the data lie in memory that is freed by other means */
    bool shaped;   /* its shape was said apart from its elements: one value per row may be of [rows, 1] or [1] too */
};

/* A member that is to be read from the text. */
struct json_named_array {
    const char *name;
    enum api_dtype dtype; /* float32, float64: the nearest ones; uint64: any spelling of exactly that integer, 7.0 and
                           * 1e3 too, never rounded; bool; no other */
    bool scalar;          /* a single value is taken as well as an array, and read in the same way */
    bool minus_infinity; /* floats only: null, "-Infinity" and -Infinity are -inf, otherwise they have the wrong type */
    bool digits;         /* booleans only: 0 and 1 are taken as well */
    bool whole;          /* float64 only, with a range within 2^53: integers, in any spelling, never rounded */
    double minimum, maximum; /* of a number; both 0: whatever the element holds */
    bool found;              /* out, as the following */
    struct api_tensor array; /* data owned by the caller, also after an error */
};

/* Whether the value that begins there is one that json_array_read is to read for that member. */
bool json_array_begins(const struct json_named_array *named, const char *value);

/* Reads the value that begins at `start`, a byte within the text for which json_array_begins holds, as that
 * member says. Returns the byte after it and sets named->array, whose data the caller frees; or NULL and
 * *problem, whose pointer and offset are the element's. Memory: while it reads, at most four times the elements
 * read so far and room for one element for every two bytes of the text; then the elements only. */
const char *json_array_read(const struct json_text *text, const char *start, struct json_named_array *named,
                            struct api_problem *problem);

#endif
