/* What the server counts, in the text formats of Prometheus 0.0.4 and OpenMetrics 1.0. A metric is declared in one of
 * the enums here, and in the table of the same kind in metrics.c. */
#ifndef SERVER_METRICS_H
#define SERVER_METRICS_H

#include "record.h"

#include <stddef.h>
#include <stdint.h>

/* Single values. */
enum metric {
    METRIC_REQUEST_BYTES,
    METRIC_RESPONSE_BYTES,
    METRIC_ROWS,
    METRIC_ABORTED,
    METRIC_INLINE,
    METRIC_LOG_DROPPED,
    METRIC_IN_FLIGHT,
    METRIC_QUEUED,
    METRIC_WAITING,
    METRIC_STARTED,
    METRIC_CONNECTIONS,
    METRIC_STREAMS,
    METRIC_STREAM_BLOCKS,
    METRIC_MEMORY,
    METRIC_MEMORY_LIMIT,
    METRIC_PROCESS_CPU, /* microseconds */
    METRIC_PROCESS_RESIDENT,
    METRIC_PROCESS_VIRTUAL,
    METRIC_PROCESS_OPEN_FILES,
    METRIC_PROCESS_MAX_FILES,
    METRIC_PROCESS_START,
    METRIC_COUNT
};

/* Counters by the value of a label. */
enum metric_labelled {
    METRIC_REFUSALS,         /* by enum api_problem_code */
    METRIC_CLOSED,           /* by enum metrics_closed */
    METRIC_LIBRARY_REFUSALS, /* by metrics_library_status */
    METRIC_LABELLED_COUNT
};

/* Why a connection was closed. */
enum metrics_closed {
    CLOSED_BY_CLIENT,
    CLOSED_ANSWERED, /* after an answer with Connection: close */
    CLOSED_IDLE,
    CLOSED_HEAD_TIMEOUT,
    CLOSED_HEAD_TOO_LARGE,
    CLOSED_SLOW_BODY,
    CLOSED_SLOW_READER,
    CLOSED_EVICTED, /* to make room for a new connection */
    CLOSED_CLIENT_LIMIT,
    CLOSED_NO_MEMORY, /* right after it was accepted */
    CLOSED_MALFORMED,
    CLOSED_DRAINING,
    CLOSED_COUNT
};

/* "client", "answered", "idle" and so on. */
const char *metrics_closed_name(enum metrics_closed reason);

struct metrics;

/* All zero. NULL if there is no memory. */
struct metrics *metrics_new(void);
void metrics_free(struct metrics *metrics);

/* Thread-safe, all of them. metrics_add returns the new value; counters never take a negative `amount`. */
int64_t metrics_add(struct metrics *metrics, enum metric metric, int64_t amount);
void metrics_set(struct metrics *metrics, enum metric metric, int64_t value);
void metrics_count(struct metrics *metrics, enum metric_labelled counter, size_t label);

/* The label of a status that libmicrohttpd answers by itself. */
size_t metrics_library_status(unsigned status);

/* Counts a request at its end; calls have their durations in histograms, and calls of /v2 their model's statistics. */
void metrics_request(struct metrics *metrics, const struct record *record);

/* Those of each model, by enum api_function_id. */
void metrics_models(const struct metrics *metrics, struct api_model_statistics models[API_FUNCTION_COUNT]);

/* Sets the values of the process as a whole. */
void metrics_set_process(struct metrics *metrics);

enum metrics_format { METRICS_PROMETHEUS, METRICS_OPENMETRICS };

/* What the client prefers of the two; `accept` may be NULL. */
enum metrics_format metrics_format(const char *accept);

/* The media type of OpenMetrics 1.0; the other is the route's. */
#define METRICS_OPENMETRICS_TYPE "application/openmetrics-text; version=1.0.0; charset=utf-8"

/* The text of all metrics, to be freed; NULL if there is no memory. */
char *metrics_text(const struct metrics *metrics, enum metrics_format format, size_t *length);

#endif
