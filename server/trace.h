/* W3C Trace Context, level 1: a request's place in a trace that its client keeps. */
#ifndef SERVER_TRACE_H
#define SERVER_TRACE_H

#include <stdbool.h>

struct trace {
    char id[33];     /* the trace's, "" where the request has none */
    char parent[56]; /* the value of the answer's traceparent: the same trace, a span of our own */
};

/* Takes the trace up from the value of a traceparent field, which may be NULL; what is no valid one leaves *trace
 * without a trace. */
void trace_take(struct trace *trace, const char *traceparent);

#endif
