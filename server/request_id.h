/* What names a request in the logs of all who handle it: X-Request-Id, and W3C Trace Context, level 1. */
#ifndef SERVER_REQUEST_ID_H
#define SERVER_REQUEST_ID_H

#include <stdatomic.h>
#include <stdint.h>

#define REQUEST_ID_FIELD "X-Request-Id"

/* The source of generated ids; one for the process. */
struct request_ids {
    uint64_t start;
    atomic_uint_fast64_t count;
};

void request_ids_init(struct request_ids *ids);

struct request_id {
    char text[129];
};

/* Uses the client's id, which may be NULL, if it is 1 to 128 letters, digits and -._~:+/=@, and otherwise generates
 * one: 16 hexadecimal digits, unique in this process. Thread-safe. */
void request_id_take(struct request_id *id, const char *given, struct request_ids *ids);

struct trace {
    char id[33];     /* the trace's, "" where the request has none */
    char parent[56]; /* the value of the answer's traceparent: the same trace, a span of our own */
};

/* Continues the trace of a traceparent field, which may be NULL; an invalid one leaves *trace without a trace. */
void trace_take(struct trace *trace, const char *traceparent);

#endif
