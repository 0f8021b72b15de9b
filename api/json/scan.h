/* Where the parts of a JSON text are, without a tree: a scan that checks nothing. Where the text is no JSON it may stop
 * or go astray, but never beyond the zero byte behind the body. */
#ifndef API_JSON_SCAN_H
#define API_JSON_SCAN_H

#include "json/array.h"

#include <stdbool.h>
#include <stddef.h>

/* A member of an object. */
struct json_scan_member {
    const char *key; /* behind the opening quotation mark */
    size_t key_length;
    bool key_escaped; /* holds a backslash */
    const char *value;
};

/* The first byte that is no white space. */
const char *json_scan_space(const char *next);

/* The ',', ']' or '}' behind the value that begins at `next`, or NULL: brackets are counted, strings are passed over
 * whole. */
const char *json_scan_value(const char *next);

/* Reads the key and finds the value of the member that begins at `next`; false where there is none. */
bool json_scan_member(const char *next, struct json_scan_member *member);

/* Whether that is the member's name. */
bool json_scan_is(const struct json_scan_member *member, const char *name);

/* The first byte behind the text's '{', or NULL where it is no object. */
const char *json_scan_first(const struct json_text *text);

/* The first byte of the value that a pointer (RFC 6901) from the text on names; NULL where there is none, and for the
 * whole text. */
const char *json_scan_find(const struct json_text *text, const char *pointer);

/* Sets the problem's offset to that of the value that its pointer names, if it has none yet and such a value is in the
 * text. The pointer begins with the text's. `problem` may be NULL. */
void json_scan_place(const struct json_text *text, struct api_problem *problem);

/* Whether the number that the pointer names is an integer as it is spelled, where `number` is the double that it was
 * read as: beyond 2^52 every double is. true where there is no such value. */
bool json_scan_is_whole(const struct json_text *text, const char *pointer, double number);

#endif
