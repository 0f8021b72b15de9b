/* Where a value is in a text, of which what comes before it is passed by its brackets: for problems that show only when
 * the values are put together. */
#ifndef API_JSON_FIND_H
#define API_JSON_FIND_H

#include "api.h"
#include "json/text.h"

/* The first byte of the value that a pointer (RFC 6901) from the text on names; NULL where there is none, and for the
 * whole text. */
const char *json_find(const struct json_text *text, const char *pointer);

/* Sets the problem's offset to that of the value that its pointer names, if it has none yet and such a value is in the
 * text. The pointer begins with the text's. `problem` may be NULL. */
void json_find_place(const struct json_text *text, struct api_problem *problem);

/* Whether the number that the pointer names is an integer as it is spelled, where `number` is the double that it was
 * read as: beyond 2^52 every double is. true where there is no such value. */
bool json_find_is_whole(const struct json_text *text, const char *pointer, double number);

#endif
