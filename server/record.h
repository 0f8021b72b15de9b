/* What is recorded of a request at its end, for the metrics and the log. */
#ifndef SERVER_RECORD_H
#define SERVER_RECORD_H

#include "api.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct record {
    const char *method;                     /* of a fixed set, which needs no escaping */
    const struct api_route *route;          /* NULL where none matched */
    const struct api_function *model;       /* that the path names, or NULL */
    const char *client;                     /* "127.0.0.1:4711", "unix:uid=1000", or NULL */
    const char *request_id, *trace_id;      /* which need no escaping, or NULL */
    const struct api_problem_kind *problem; /* of a refusal, or NULL */
    const char *pointer;                    /* with a problem */
    int status;                             /* 0: aborted before it had one */
    bool completed;                         /* the whole answer was sent */
    size_t rows;
    size_t bytes_in, bytes_out; /* of the bodies, as far as they were received and sent */
    uint64_t duration_ns;
    uint64_t wait_ns, compute_ns; /* waiting for a worker, and computing; 0: not at all */
};

#endif
