/* What a request says beside its body: its target, and the fields of its head. */
#ifndef SERVER_FIELDS_H
#define SERVER_FIELDS_H

#include "encoding.h"
#include "framing.h"
#include "origin.h"

#include <microhttpd.h>

/* The value of each field; NULL where it was not sent. They last as long as the request, or until fields_free. */
struct fields {
    struct target target;
    struct host host;                                    /* that the request is for */
    const char *content_type, *traceparent, *request_id; /* "" where there are several */
    const char *accept, *accept_encoding;                /* of several lines the list */
    char *joined[2];                                     /* those two, where there were several */
    struct browser browser;
    enum encoding encoding; /* of the body */
    uint64_t announced;     /* the body's length, 0 where nothing was said or it comes in chunks */
    bool chunked;
    const char *timeout; /* X-Gumbeld-Timeout-Ms; "" where there are several */
    bool expects;        /* the client waits to be told to send the body */
    bool closes;         /* the connection has to end after the answer */
};

/* The request header in which a client says how many milliseconds its answer may take. */
#define FIELDS_TIMEOUT "X-Gumbeld-Timeout-Ms"

/* libmicrohttpd's callback for the request line: writes down the target where fields_read finds it, and takes the query
 * away from the daemon, whose memory for arguments is small. */
void *fields_note_target(void *closure, const char *target, struct MHD_Connection *connection);

/* Reads them. -1 and *problem if the head is no request's or memory is short; `closes` is set where the next request
 * cannot be found. */
int fields_read(struct MHD_Connection *connection, const char *method, const char *version, struct fields *fields,
                struct api_problem *problem);
void fields_free(struct fields *fields);

/* api_request's `header`, with the connection as its closure. */
const char *fields_header(void *connection, const char *name);

#endif
