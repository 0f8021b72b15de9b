/* JSON strings within a body, and values by their brackets. `content` is what follows the opening quotation mark; the
 * text ends with a zero byte. */
#ifndef API_JSON_STRING_H
#define API_JSON_STRING_H

#include <stdbool.h>
#include <stddef.h>

/* What -inf is in JSON: a string; and without its quotation marks too, which is beyond JSON. */
#define JSON_MINUS_INFINITY "-Infinity"

/* The closing quotation mark and whether there is a backslash before it; NULL if there is none. */
const char *json_string_end(const char *content, bool *escaped);

/* The ',', ']' or '}' after the value that begins at `next`, or NULL: brackets are counted, strings are passed whole,
 * and nothing is checked. */
const char *json_value_end(const char *next);

/* Writes what the string says, and a zero byte, where `size` bytes have room for it: at most its length and one more.
 * False if they have not, or an escape is none of JSON, unpaired surrogate or U+0000. */
bool json_string_decode(const char *content, size_t length, char *out, size_t size);

/* Whether the string is `expected`, in whatever way its characters are escaped. */
bool json_string_is(const char *content, size_t length, bool escaped, const char *expected);

#endif
