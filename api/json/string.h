/* JSON strings within a body, where jansson has not read them. `content` is what follows the opening
 * quotation mark; the text ends with a zero byte. */
#ifndef API_JSON_STRING_H
#define API_JSON_STRING_H

#include <stdbool.h>
#include <stddef.h>

/* The closing quotation mark and whether there is a backslash before it; NULL if there is none. */
const char *json_string_end(const char *content, bool *escaped);

/* The string as jansson reads it, to be freed; NULL if it is no JSON string or has a NUL. */
char *json_string_decode(const char *content, size_t length);

/* Whether the string is `expected`, in whatever way its characters are escaped. */
bool json_string_is(const char *content, size_t length, bool escaped, const char *expected);

#endif
