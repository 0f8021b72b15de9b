/* Nested JSON arrays read straight from the body, without a tree. */
#ifndef API_JSON_ARRAY_H
#define API_JSON_ARRAY_H

#include "api.h"
#include "json/text.h"

#define JSON_ARRAY_MAX_RANK 9 /* the logits' 8, and one before them */

/* How an element is read and what it is in memory. */
enum json_element {
    JSON_FLOAT32, /* float: the nearest double, then the nearest float32 */
    JSON_FLOAT64, /* double: the nearest one */
    JSON_UINT64,  /* uint64_t: any spelling of exactly that integer, 7.0 and 1e3 too; never rounded */
    JSON_BOOL,    /* uint8_t, 1 or 0: true or false */
};

/* A dense, row-major array: shape[0] * ... * shape[rank - 1] == count, all of them at least 1; a single value
 * has rank 0 and count 1. */
struct json_array {
    enum json_element element;
    void *data;
    size_t count, rank;
    size_t shape[JSON_ARRAY_MAX_RANK];
};

/* A member that is to be read from the text. */
struct json_named_array {
    const char *name;
    enum json_element element;
    bool scalar;             /* a single value is taken as well as an array, and read in the same way */
    bool minus_infinity;     /* floats only: null and "-Infinity" are -inf, otherwise they have the wrong type */
    double minimum, maximum; /* of a number; both 0: whatever the element holds */
    bool found;              /* out, as the following */
    struct json_array array; /* data owned by the caller, also after an error */
};

size_t json_element_size(enum json_element element);

/* Whether a value that begins with the byte `first` is one that json_array_read is to read for that member. */
bool json_array_begins(const struct json_named_array *named, char first);

/* Reads the value that begins at `start`, a byte within the text for which json_array_begins holds, as that
 * member says. Returns the byte after it and sets named->array, whose data the caller frees; or NULL and
 * *problem, whose pointer and offset are the element's. Memory: while it reads, at most four times the elements
 * read so far and room for one element for every two bytes of the text; then the elements alone. */
const char *json_array_read(const struct json_text *text, const char *start, struct json_named_array *named,
                            struct api_problem *problem);

#endif
