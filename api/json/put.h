/* JSON printed straight into a buffer: what is known not to need escapes. Each call writes at `out`, where there is
 * room, and returns the byte after. */
#ifndef API_JSON_PUT_H
#define API_JSON_PUT_H

#include "api.h"

/* A number takes at most this many bytes, the comma after it too. */
#define JSON_PUT_LONGEST 26

/* Bytes that may be touched after the text. */
#define JSON_PUT_SPACE 64

char *json_put_text(char *out, const char *text);

/* ,"name": */
char *json_put_name(char *out, const char *name);

/* [2,3] */
char *json_put_shape(char *out, const size_t *shape, size_t rank);

char *json_put_whole(char *out, uint64_t value);
char *json_put_double(char *out, double value);

/* Element `at` of an array: what is no number is the string "-Infinity", "Infinity" or "NaN", true and false are of
 * a bool. */
char *json_put_element(char *out, enum api_dtype dtype, const void *data, size_t at);

/* `length` elements, each with a comma after it: the first at `start`, the others each `step` further. */
char *json_put_row(char *out, enum api_dtype dtype, const void *data, size_t start, size_t step, size_t length);

#endif
