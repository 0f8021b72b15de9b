/* What a request says beside its body: the fields of its head and its query. */
#ifndef SERVER_FIELDS_H
#define SERVER_FIELDS_H

#include "api.h"
#include "encoding.h"

#include <microhttpd.h>

/* The value of each field; NULL where it was not sent. They last as long as the request, or until fields_free. */
struct fields {
    const char *content_type, *traceparent; /* "" where there are several */
    const char *accept, *accept_encoding;   /* of several lines the list */
    char *joined[2];                        /* those two, where there were several */
    enum encoding encoding;                 /* of the body */
    uint64_t announced;                     /* the body's length, 0 where nothing was said or it comes in chunks */
    bool chunked;
    bool expects; /* the client waits to be told to send the body */
    size_t query_count;
};

void fields_read(struct MHD_Connection *connection, struct fields *fields);
void fields_free(struct fields *fields);

/* The query's `count` arguments, to be freed; NULL if memory is short. */
struct api_argument *fields_query(struct MHD_Connection *connection, size_t count);

/* libmicrohttpd's callback: MHD_http_unescape, but a zero byte stays escaped. It would end the text, and the path would
 * be another one. */
size_t fields_unescape(void *closure, struct MHD_Connection *connection, char *text);

/* api_request's `header`, with the connection as its closure. */
const char *fields_header(void *connection, const char *name);

#endif
