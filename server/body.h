/* The body of a request as it arrives, inflated where it is encoded, within a limit. */
#ifndef SERVER_BODY_H
#define SERVER_BODY_H

#include "encoding.h"

struct body {
    char *bytes;     /* followed by API_BODY_PADDING zero bytes; NULL if none came */
    size_t length;   /* as decoded */
    size_t received; /* as sent */
    size_t limit;    /* of both */
    size_t capacity;
    struct inflater *inflater; /* NULL with ENCODING_IDENTITY */
};

enum body_result { BODY_OK, BODY_TOO_LARGE, BODY_MALFORMED, BODY_NO_MEMORY };

/* An empty body, with room for the length that the client announced. Zeroed memory is one as well. */
enum body_result body_begin(struct body *body, enum encoding encoding, size_t announced);

enum body_result body_add(struct body *body, const char *data, size_t length);

/* Once all of it is in: whether the encoding was complete. */
enum body_result body_end(const struct body *body);

/* Frees what the body holds; `received` stays. */
void body_drop(struct body *body);

#endif
