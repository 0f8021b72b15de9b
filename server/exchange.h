/* One request and its answer. Used on the thread of its loop only, except for `work` and `streaming` while the workers
 * have them. */
#ifndef SERVER_EXCHANGE_H
#define SERVER_EXCHANGE_H

#include "connection.h"
#include "fields.h"
#include "loop.h"
#include "request_id.h"
#include "streaming.h"
#include "work.h"

#include <microhttpd.h>

enum exchange_state {
    EXCHANGE_RECEIVING,
    EXCHANGE_REFUSED,  /* answered with `problem` once the rest of the body has been received */
    EXCHANGE_WORKING,  /* the workers have it; the connection is suspended */
    EXCHANGE_ANSWERED, /* `work.response` is ready, or `streaming` */
    EXCHANGE_GONE      /* the client has gone */
};

struct exchange {
    struct loop *loop;
    const struct config *config;
    struct MHD_Connection *connection;
    struct connection *peer;
    enum exchange_state state;
    const struct api_route *route;    /* NULL where none matched */
    const struct api_function *model; /* NULL where the path names none, or not with this method */
    const char *method;
    struct fields fields;
    const char *options; /* the methods, where OPTIONS is to be answered with them */
    struct body body;
    struct reservation reservation;
    uint64_t timeout_ms; /* allowed by the client; 0: not specified */
    uint64_t began_ns;
    uint64_t waited_ns, compute_ns; /* durations */
    struct request_id id;
    struct trace trace;
    uint64_t sent_before;             /* bytes written to the connection before this answer, if that is large */
    bool sends;                       /* the daemon has the answer */
    bool counted[CLIENT_SHARE_COUNT]; /* in the client's share and its metric */
    struct streaming *streaming;      /* the answer's body in place of the response's */
    struct api_problem problem;
    struct work work; /* its response is the answer, also where no worker makes it */
};

/* Only of larger answers the kernel is asked how much was sent. */
enum { EXCHANGE_SENT_AT_ONCE = 16 * 1024 };

#endif
