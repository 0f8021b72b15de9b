/* An answer as the daemon sends it: status, fields and body. */
#ifndef SERVER_REPLY_H
#define SERVER_REPLY_H

#include "origin.h"
#include "streaming.h"

struct reply {
    struct api_response *response; /* gives its body away */
    struct streaming *streaming;   /* the body in its place, or NULL */
    const char *encoding;          /* of the body, or NULL */
    bool varies;                   /* with Accept-Encoding */
    const char *request_id;
    const char *traceparent; /* or NULL */
    bool closes;             /* the connection */
    const struct browser *browser;
    const char *cors_allow_origins;
};

/* Queues the answer. MHD_NO if memory is short. */
enum MHD_Result reply_send(struct MHD_Connection *connection, const struct reply *reply);

#endif
