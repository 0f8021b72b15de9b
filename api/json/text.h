/* What is read: a client's body, or one value in it. */
#ifndef API_JSON_TEXT_H
#define API_JSON_TEXT_H

#include <stddef.h>

struct json_text {
    const char *body; /* the whole body is followed by API_BODY_PADDING zero bytes */
    size_t length;
    size_t offset;    /* of `body` in the client's body, which the offsets of problems count from */
    char pointer[64]; /* to this value in the client's body; "" for the whole */
};

#endif
