/* What is read: a client's body, or one value in it. */
#ifndef API_JSON_TEXT_H
#define API_JSON_TEXT_H

#include "api.h"

#include <string.h>

struct json_text {
    const char *body; /* the whole body is followed by API_BODY_PADDING zero bytes */
    size_t length;
    size_t offset;    /* of `body` in the client's body, which the offsets of problems count from */
    char pointer[64]; /* to this value in the client's body; "" for the whole */
};

/* The request's body up to `length`, which is the whole, or followed by zero bytes all the same; without the byte order
 * mark that it may begin with. */
static inline struct json_text json_text_of(const struct api_request *request, size_t length)
{
    static const char empty[API_BODY_PADDING] = "", mark[] = {'\xEF', '\xBB', '\xBF'};
    const char *body = request->body != NULL ? request->body : empty;
    const size_t marked = length >= sizeof mark && memcmp(body, mark, sizeof mark) == 0 ? sizeof mark : 0;
    return (struct json_text){.body = body + marked, .length = length - marked, .offset = marked};
}

#endif
