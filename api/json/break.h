/* Where a text that is no JSON breaks: a strict pass over all of it, without a tree, for when a reader has failed that
 * does not read all of it strictly itself. */
#ifndef API_JSON_BREAK_H
#define API_JSON_BREAK_H

#include "json/array.h"

struct json_break {
    const char *at;     /* the first byte that stops the reading; of a token that is none, its first */
    const char *reason; /* what was expected there */
    char pointer[256];  /* to the innermost value that was being read, or to one around it */
};

/* Whether the text breaks, as jansson would have it: \u0000 and brackets 2049 deep break it too. */
bool json_break_find(const struct json_text *text, struct json_break *found);

#endif
