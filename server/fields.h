/* What a request's head says: its target, and the fields that the server reads. A head is refused if it leaves any
 * doubt about where the request ends and whom it is for (RFC 9112, RFC 9110), including what one of the two supported
 * versions of libmicrohttpd lets pass, so that nothing in front of the server can be made to see other requests than
 * the server does. */
#ifndef SERVER_FIELDS_H
#define SERVER_FIELDS_H

#include "encoding.h"
#include "origin.h"
#include "target.h"

#include <microhttpd.h>

/* Maximum bytes of a head: half of what the daemon has for one, above which it reads in ever smaller pieces. */
#define FIELDS_MAX_HEAD_BYTES (16 * 1024)

/* The value of each field; NULL where it was not sent. They last as long as the request, or until fields_free. */
struct fields {
    struct target target;
    struct host host;                                    /* that the request is for */
    const char *content_type, *traceparent, *request_id; /* "" where there are several */
    const char *timeout;                                 /* of FIELDS_TIMEOUT; "" where there are several */
    const char *accept, *accept_encoding;                /* of several lines the list */
    char *joined[2];                                     /* those two, where there were several */
    struct browser browser;
    enum encoding encoding; /* of the body */
    uint64_t announced;     /* the body's length, 0 where there is no Content-Length or the body is chunked */
    bool expects;           /* the client waits for 100 Continue before it sends the body */
    bool closes;            /* the connection has to end after the answer */
};

/* The request header in which a client says how many milliseconds its answer may take. */
#define FIELDS_TIMEOUT "X-Gumbeld-Timeout-Ms"

/* libmicrohttpd's callback for the request line: stores the target where fields_read finds it, and cuts the query off
 * for the daemon, whose memory for arguments is small. */
void *fields_note_target(void *closure, const char *target, struct MHD_Connection *connection);

/* Reads them. -1 and *problem if the head is malformed or memory is short; `closes` is set where the start of the next
 * request cannot be found. */
int fields_read(struct MHD_Connection *connection, const char *method, const char *version, struct fields *fields,
                struct api_problem *problem);
void fields_free(struct fields *fields);

/* api_request's `header`, with the connection as its closure. */
const char *fields_header(void *connection, const char *name);

#endif
