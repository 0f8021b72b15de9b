/* What the server counts, in the Prometheus text format 0.0.4. */
#ifndef SERVER_METRICS_H
#define SERVER_METRICS_H

#include "api.h"

#include <stddef.h>
#include <stdint.h>

enum metric {
    METRIC_REQUEST_BYTES,
    METRIC_RESPONSE_BYTES,
    METRIC_ROWS,
    METRIC_ABORTED,
    METRIC_INLINE,
    METRIC_LOG_DROPPED,
    METRIC_IN_FLIGHT,
    METRIC_QUEUED,
    METRIC_CONNECTIONS,
    METRIC_STREAMS,
    METRIC_STREAM_BLOCKS,
    METRIC_COUNT
};

struct metrics;

/* All zero. NULL if there is no memory. */
struct metrics *metrics_new(void);
void metrics_free(struct metrics *metrics);

/* Thread-safe, all of them. metrics_add returns the new value; counters never take a negative `amount`. */
int64_t metrics_add(struct metrics *metrics, enum metric metric, int64_t amount);
void metrics_set(struct metrics *metrics, enum metric metric, int64_t value);

/* Counts an answered request. `route` is NULL where none matched. */
void metrics_request(struct metrics *metrics, const struct api_route *route, int status, double seconds);

/* Counts an inference request of a model: how long it took, waited for a worker (0: it did not) and computed. */
struct metrics_inference {
    bool succeeded;
    size_t rows;
    uint64_t duration_ns, queue_ns, compute_ns;
};

void metrics_inference(struct metrics *metrics, const struct api_function *model,
                       const struct metrics_inference *inference);

/* Those of each model, by enum api_function_id. */
void metrics_models(const struct metrics *metrics, struct api_model_statistics models[API_FUNCTION_COUNT]);

enum metrics_format { METRICS_PROMETHEUS, METRICS_OPENMETRICS };

/* What the client prefers of the two; `accept` may be NULL. */
enum metrics_format metrics_format(const char *accept);

/* The media type of OpenMetrics 1.0; the other is the route's. */
#define METRICS_OPENMETRICS_TYPE "application/openmetrics-text; version=1.0.0; charset=utf-8"

/* The text of all metrics, to be freed; NULL if there is no memory. */
char *metrics_text(const struct metrics *metrics, enum metrics_format format, size_t *length);

#endif
