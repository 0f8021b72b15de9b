#include "metrics.h"
#include "core.h"

#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static const struct {
    const char *name, *type, *help;
} descriptions[METRIC_COUNT] = {
    [METRIC_REQUEST_BYTES] = {"gumbeld_request_body_bytes_total", "counter", "Bytes of bodies received."},
    [METRIC_RESPONSE_BYTES] = {"gumbeld_response_body_bytes_total", "counter", "Bytes of bodies answered."},
    [METRIC_ROWS] = {"gumbeld_rows_total", "counter", "Rows computed."},
    [METRIC_ABORTED] = {"gumbeld_requests_aborted_total", "counter", "Requests whose answer was not sent whole."},
    [METRIC_INLINE] = {"gumbeld_requests_inline_total", "counter", "Calls answered without the workers."},
    [METRIC_LOG_DROPPED] = {"gumbeld_log_lines_dropped_total", "counter", "Log lines that found the buffer full."},
    [METRIC_IN_FLIGHT] = {"gumbeld_requests_in_flight", "gauge", "Requests begun and not yet answered."},
    [METRIC_QUEUED] = {"gumbeld_requests_queued", "gauge", "Requests that wait for the workers or are with them."},
    [METRIC_CONNECTIONS] = {"gumbeld_connections", "gauge", "Open connections."},
    [METRIC_STREAMS] = {"gumbeld_streams", "gauge", "Answers that are being streamed."},
    [METRIC_STREAM_BLOCKS] = {"gumbeld_stream_blocks_total", "counter", "Buffers filled for streamed answers."},
};

/* Upper bounds of the buckets of the duration, in seconds. */
static const double bounds[] = {0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05,
                                0.1,    0.25,    0.5,    1,     2.5,    5,     10,   30};
#define BUCKETS (sizeof bounds / sizeof *bounds)

enum { FIRST_STATUS = 200, STATUSES = 400 };

struct duration {
    atomic_uint_fast64_t count, ns;
};

struct model {
    struct duration success, fail, queue, compute;
    atomic_uint_fast64_t rows, last_ms;
};

struct metrics {
    struct model models[API_FUNCTION_COUNT];
    atomic_int_fast64_t values[METRIC_COUNT];
    atomic_uint_fast64_t buckets[BUCKETS + 1]; /* not cumulative; the last is beyond all bounds */
    atomic_uint_fast64_t duration_ns;
    atomic_uint_fast64_t (*requests)[STATUSES]; /* by route, the last row for none */
};

struct metrics *metrics_new(void)
{
    struct metrics *metrics = calloc(1, sizeof *metrics);
    if (metrics == NULL)
        return NULL;
    metrics->requests = calloc(api_route_count + 1, sizeof *metrics->requests);
    if (metrics->requests != NULL)
        return metrics;
    free(metrics);
    return NULL;
}

void metrics_free(struct metrics *metrics)
{
    if (metrics == NULL)
        return;
    free(metrics->requests);
    free(metrics);
}

int64_t metrics_add(struct metrics *metrics, enum metric metric, int64_t amount)
{
    return atomic_fetch_add_explicit(&metrics->values[metric], amount, memory_order_relaxed) + amount;
}

void metrics_set(struct metrics *metrics, enum metric metric, int64_t value)
{
    atomic_store_explicit(&metrics->values[metric], value, memory_order_relaxed);
}

static void increment(atomic_uint_fast64_t *counter, uint64_t amount)
{
    atomic_fetch_add_explicit(counter, amount, memory_order_relaxed);
}

static unsigned long long read_counter(const atomic_uint_fast64_t *counter)
{
    return (unsigned long long)atomic_load_explicit(counter, memory_order_relaxed);
}

void metrics_request(struct metrics *metrics, const struct api_route *route, int status, double seconds)
{
    const size_t row = route != NULL ? (size_t)(route - api_routes) : api_route_count;
    if (status >= FIRST_STATUS && status < FIRST_STATUS + STATUSES)
        increment(&metrics->requests[row][status - FIRST_STATUS], 1);
    size_t bucket = 0;
    while (bucket < BUCKETS && seconds > bounds[bucket])
        bucket++;
    increment(&metrics->buckets[bucket], 1);
    increment(&metrics->duration_ns, (uint64_t)(seconds * 1e9));
}

/* ---- Models ---- */

static void add_duration(struct duration *duration, uint64_t ns)
{
    increment(&duration->count, 1);
    increment(&duration->ns, ns);
}

static uint64_t wall_clock_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

void metrics_inference(struct metrics *metrics, const struct api_function *model,
                       const struct metrics_inference *inference)
{
    struct model *counters = &metrics->models[model - api_functions];
    add_duration(inference->succeeded ? &counters->success : &counters->fail, inference->duration_ns);
    if (!inference->succeeded)
        return;
    add_duration(&counters->queue, inference->queue_ns);
    add_duration(&counters->compute, inference->compute_ns);
    increment(&counters->rows, inference->rows);
    atomic_store_explicit(&counters->last_ms, wall_clock_ms(), memory_order_relaxed);
}

static struct api_duration read_duration(const struct duration *duration)
{
    return (struct api_duration){read_counter(&duration->count), read_counter(&duration->ns)};
}

void metrics_models(const struct metrics *metrics, struct api_model_statistics models[API_FUNCTION_COUNT])
{
    for (size_t i = 0; i < API_FUNCTION_COUNT; i++) {
        const struct model *counters = &metrics->models[i];
        models[i] = (struct api_model_statistics){
            .success = read_duration(&counters->success),
            .fail = read_duration(&counters->fail),
            .queue = read_duration(&counters->queue),
            .compute = read_duration(&counters->compute),
            .rows = read_counter(&counters->rows),
            .last_ms = read_counter(&counters->last_ms),
        };
    }
}

/* ---- The text ---- */

struct writer {
    FILE *out;
    enum metrics_format format;
};

enum metrics_format metrics_format(const char *accept)
{
    static const char *const openmetrics[] = {"application/openmetrics-text", NULL}, *const prometheus[] = {
                                                                                         "text/plain", "text/*", "*/*",
                                                                                         NULL};
    const int weight = accept != NULL ? api_accept_weight(accept, openmetrics) : 0;
    return weight > 0 && weight >= api_accept_weight(accept, prometheus) ? METRICS_OPENMETRICS : METRICS_PROMETHEUS;
}

/* In OpenMetrics "_total" is of a counter's sample, not of its family. */
static void print_head(const struct writer *writer, const char *name, const char *type, const char *help)
{
    static const char total[] = "_total";
    size_t length = strlen(name);
    if (writer->format == METRICS_OPENMETRICS && length >= sizeof total &&
        strcmp(name + length - strlen(total), total) == 0)
        length -= strlen(total);
    fprintf(writer->out, "# HELP %.*s %s\n# TYPE %.*s %s\n", (int)length, name, help, (int)length, name, type);
}

/* 1 is 1.0 in OpenMetrics. */
static void print_bucket(const struct writer *writer, const char *name, double bound, unsigned long long below)
{
    const bool bare = writer->format == METRICS_OPENMETRICS && bound >= 1 && bound == (double)(long)bound;
    fprintf(writer->out, "%s_bucket{le=\"%g%s\"} %llu\n", name, bound, bare ? ".0" : "", below);
}

static void print_requests(const struct writer *writer, const struct metrics *metrics)
{
    print_head(writer, "gumbeld_requests_total", "counter", "Requests answered, by route and status.");
    for (size_t row = 0; row <= api_route_count; row++)
        for (int status = 0; status < STATUSES; status++) {
            const unsigned long long count = read_counter(&metrics->requests[row][status]);
            if (count > 0)
                fprintf(writer->out, "gumbeld_requests_total{route=\"%s\",status=\"%d\"} %llu\n",
                        row < api_route_count ? api_routes[row].path : "", status + FIRST_STATUS, count);
        }
}

static void print_durations(const struct writer *writer, const struct metrics *metrics)
{
    static const char name[] = "gumbeld_request_duration_seconds";
    unsigned long long below = 0;
    print_head(writer, name, "histogram", "From the request's first line to its answer's last byte.");
    for (size_t i = 0; i < BUCKETS; i++) {
        below += read_counter(&metrics->buckets[i]);
        print_bucket(writer, name, bounds[i], below);
    }
    below += read_counter(&metrics->buckets[BUCKETS]);
    fprintf(writer->out, "%s_bucket{le=\"+Inf\"} %llu\n%s_sum %.9f\n%s_count %llu\n", name, below, name,
            (double)read_counter(&metrics->duration_ns) * 1e-9, name, below);
}

char *metrics_text(const struct metrics *metrics, enum metrics_format format, size_t *length)
{
    char *text = NULL;
    FILE *out = open_memstream(&text, length);
    if (out == NULL)
        return NULL;
    const struct writer writer = {out, format};
    print_head(&writer, "gumbeld_build_info", "gauge", "1, labelled with what is running.");
    fprintf(out, "gumbeld_build_info{version=\"%s\",rng=\"%s\",isa=\"%s\"} 1\n", GUMBELD_VERSION, API_RNG,
            core_isa_name(core_selected()));
    print_requests(&writer, metrics);
    print_durations(&writer, metrics);
    for (size_t i = 0; i < METRIC_COUNT; i++) {
        print_head(&writer, descriptions[i].name, descriptions[i].type, descriptions[i].help);
        fprintf(out, "%s %lld\n", descriptions[i].name,
                (long long)atomic_load_explicit(&metrics->values[i], memory_order_relaxed));
    }
    if (format == METRICS_OPENMETRICS)
        fputs("# EOF\n", out);
    if (fclose(out) == 0)
        return text;
    free(text);
    return NULL;
}
