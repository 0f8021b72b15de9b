/* A request's JSON object, read by jansson but for its large arrays, which never pass through a tree. */
#ifndef API_JSON_ENVELOPE_H
#define API_JSON_ENVELOPE_H

#include "json_array.h"

#include <jansson.h>

/* The body without its arrays may be this long: jansson's tree can take 77 times the bytes it is read from.
 */
#define JSON_ENVELOPE_MAX_BYTES (1u << 20)

#define JSON_ENVELOPE_MAX_ARRAYS 4

/* An array that is to be read from the text: in, its member's name; out, its value if `found`. */
struct json_named_array {
    const char *name;
    bool found;
    struct json_array array; /* data owned by the caller, also after an error */
};

/* Reads the object in `text`. For each member of it that `arrays` names and that is an array, the value goes
 * there and null takes its place in *envelope, which the caller releases. 0, or -1 and *problem: the text is
 * not JSON, has a NUL byte or a duplicate key, is no object, or an array does not read. */
int json_envelope_read(const struct json_text *text, struct json_named_array *arrays, size_t array_count,
                       json_t **envelope, struct api_problem *problem);

/* Writes "/name" as a JSON pointer (RFC 6901), cut where `size` bytes end. */
void json_pointer_write(char *pointer, size_t size, const char *name);

#endif
