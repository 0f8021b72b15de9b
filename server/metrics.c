#include "metrics.h"
#include "core.h"

#include <dirent.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

/* ---- The tables ---- */

static const struct {
    const char *name, *type, *help;
    bool in_millionths;
} values[METRIC_COUNT] = {
    [METRIC_REQUEST_BYTES] = {"gumbeld_request_body_bytes_total", "counter", "Bytes of bodies received."},
    [METRIC_RESPONSE_BYTES] = {"gumbeld_response_body_bytes_total", "counter", "Bytes of bodies sent."},
    [METRIC_ROWS] = {"gumbeld_rows_total", "counter", "Rows computed."},
    [METRIC_ABORTED] = {"gumbeld_requests_aborted_total", "counter", "Requests whose answer was not sent completely."},
    [METRIC_INLINE] = {"gumbeld_requests_inline_total", "counter", "Calls answered without the workers."},
    [METRIC_LOG_DROPPED] = {"gumbeld_log_lines_dropped_total", "counter",
                            "Log lines dropped because the buffer was full."},
    [METRIC_IN_FLIGHT] = {"gumbeld_requests_in_flight", "gauge", "Requests begun and not yet answered."},
    [METRIC_QUEUED] = {"gumbeld_requests_queued", "gauge", "Requests that are queued or being computed."},
    [METRIC_WAITING] = {"gumbeld_requests_waiting", "gauge", "Requests that are waiting for a worker to begin."},
    [METRIC_STARTED] = {"gumbeld_requests_started", "gauge", "Requests that the workers have begun and not finished."},
    [METRIC_CONNECTIONS] = {"gumbeld_connections", "gauge", "Open connections."},
    [METRIC_STREAMS] = {"gumbeld_streams", "gauge", "Answers that are being streamed."},
    [METRIC_STREAM_BLOCKS] = {"gumbeld_stream_blocks_total", "counter", "Buffers filled for streamed answers."},
    [METRIC_MEMORY] = {"gumbeld_memory_bytes", "gauge", "Bytes in use or set aside, of gumbeld_memory_limit_bytes."},
    [METRIC_MEMORY_LIMIT] = {"gumbeld_memory_limit_bytes", "gauge",
                             "Maximum bytes in use, as --max-memory-bytes sets it."},
    [METRIC_PROCESS_CPU] = {"process_cpu_seconds_total", "counter", "User and system CPU time spent.", true},
    [METRIC_PROCESS_RESIDENT] = {"process_resident_memory_bytes", "gauge", "Resident memory size."},
    [METRIC_PROCESS_VIRTUAL] = {"process_virtual_memory_bytes", "gauge", "Virtual memory size."},
    [METRIC_PROCESS_OPEN_FILES] = {"process_open_fds", "gauge", "Open file descriptors."},
    [METRIC_PROCESS_MAX_FILES] = {"process_max_fds", "gauge", "Maximum number of open file descriptors."},
    [METRIC_PROCESS_START] = {"process_start_time_seconds", "gauge", "Start time since the Unix epoch."},
};

static const char *refusal_reason(size_t code)
{
    return api_problem_kinds[code].slug;
}

const char *metrics_closed_name(enum metrics_closed reason)
{
    static const char *const reasons[CLOSED_COUNT] = {
        [CLOSED_BY_CLIENT] = "client",
        [CLOSED_ANSWERED] = "answered",
        [CLOSED_IDLE] = "idle",
        [CLOSED_HEAD_TIMEOUT] = "head_timeout",
        [CLOSED_HEAD_TOO_LARGE] = "head_too_large",
        [CLOSED_SLOW_BODY] = "slow_body",
        [CLOSED_SLOW_READER] = "slow_reader",
        [CLOSED_EVICTED] = "evicted",
        [CLOSED_CLIENT_LIMIT] = "client_limit",
        [CLOSED_MALFORMED] = "malformed",
        [CLOSED_DRAINING] = "draining",
        [CLOSED_NO_MEMORY] = "no_memory",
    };
    return reasons[reason];
}

static const char *closed_reason(size_t reason)
{
    return metrics_closed_name((enum metrics_closed)reason);
}

/* The last is for all others. */
static const char *const library_statuses[] = {"301", "400", "413", "414", "431", "500", "501", "505", "other"};
enum { LIBRARY_STATUSES = sizeof library_statuses / sizeof *library_statuses };

static const char *library_status(size_t i)
{
    return library_statuses[i];
}

size_t metrics_library_status(unsigned status)
{
    size_t i = 0;
    while (i < LIBRARY_STATUSES - 1 && (unsigned)atoi(library_statuses[i]) != status)
        i++;
    return i;
}

static const struct {
    const char *name, *label, *help;
    size_t count;
    const char *(*value)(size_t i);
} labelled[METRIC_LABELLED_COUNT] = {
    [METRIC_REFUSALS] = {"gumbeld_refusals_total", "reason", "Requests refused, by the problem's code.",
                         API_PROBLEM_COUNT, refusal_reason},
    [METRIC_CLOSED] = {"gumbeld_connections_closed_total", "reason", "Connections closed, by reason.", CLOSED_COUNT,
                       closed_reason},
    [METRIC_LIBRARY_REFUSALS] = {"gumbeld_library_refusals_total", "status",
                                 "Requests that libmicrohttpd refused by itself.", LIBRARY_STATUSES, library_status},
};
#define MAX_LABELS 64
_Static_assert((int)API_PROBLEM_COUNT <= MAX_LABELS && (int)CLOSED_COUNT <= MAX_LABELS, "each label has its counter");

enum timed { TIMED_REQUEST, TIMED_WAIT, TIMED_COMPUTE, TIMED_COUNT };

static const struct {
    const char *name, *help;
} histograms[TIMED_COUNT] = {
    [TIMED_REQUEST] = {"gumbeld_request_duration_seconds",
                       "Of calls, from the request's first line to its answer's last byte."},
    [TIMED_WAIT] = {"gumbeld_worker_wait_seconds", "How long calls waited for a worker."},
    [TIMED_COMPUTE] = {"gumbeld_compute_seconds", "How long calls took to be read, computed and written."},
};

/* Upper bounds of the histograms' buckets, in seconds. */
static const double bounds[] = {0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05,
                                0.1,    0.25,    0.5,    1,     2.5,    5,     10,   30};
#define BUCKETS (sizeof bounds / sizeof *bounds)

/* ---- Counting ---- */

enum { STATUSES = 600, SERIES = API_FUNCTION_COUNT + 1 };

struct duration {
    atomic_uint_fast64_t count, ns;
};

struct histogram {
    atomic_uint_fast64_t buckets[BUCKETS + 1]; /* not cumulative; the last is beyond all bounds */
    atomic_uint_fast64_t ns;
};

struct model {
    struct duration success, fail, queue, compute;
    atomic_uint_fast64_t rows, last_ms;
};

/* What is counted of one route. */
struct route {
    atomic_uint_fast64_t statuses[STATUSES];
    struct histogram durations[SERIES]; /* by the path's model; the last is for none */
};

struct metrics {
    struct model models[API_FUNCTION_COUNT];
    atomic_int_fast64_t values[METRIC_COUNT];
    atomic_uint_fast64_t labelled[METRIC_LABELLED_COUNT][MAX_LABELS];
    struct histogram wait, compute;
    struct route *routes; /* the last for none */
};

struct metrics *metrics_new(void)
{
    struct metrics *metrics = calloc(1, sizeof *metrics);
    if (metrics == NULL)
        return NULL;
    metrics->routes = calloc(api_route_count + 1, sizeof *metrics->routes);
    metrics_set(metrics, METRIC_PROCESS_START, (int64_t)time(NULL));
    if (metrics->routes != NULL)
        return metrics;
    free(metrics);
    return NULL;
}

void metrics_free(struct metrics *metrics)
{
    if (metrics == NULL)
        return;
    free(metrics->routes);
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

void metrics_count(struct metrics *metrics, enum metric_labelled counter, size_t label)
{
    increment(&metrics->labelled[counter][label], 1);
}

static void observe(struct histogram *histogram, uint64_t ns)
{
    const double seconds = (double)ns * 1e-9;
    size_t bucket = 0;
    while (bucket < BUCKETS && seconds > bounds[bucket])
        bucket++;
    increment(&histogram->buckets[bucket], 1);
    increment(&histogram->ns, ns);
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

static void count_inference(struct metrics *metrics, const struct record *record)
{
    struct model *counters = &metrics->models[record->model - api_functions];
    const bool succeeded = record->status == 200;
    add_duration(succeeded ? &counters->success : &counters->fail, record->duration_ns);
    if (!succeeded)
        return;
    add_duration(&counters->queue, record->wait_ns);
    add_duration(&counters->compute, record->compute_ns);
    increment(&counters->rows, record->rows);
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

/* ---- Requests ---- */

static void count_call(struct metrics *metrics, struct route *route, const struct record *record)
{
    observe(&route->durations[record->model != NULL ? (size_t)(record->model - api_functions) : SERIES - 1],
            record->duration_ns);
    if (record->wait_ns > 0)
        observe(&metrics->wait, record->wait_ns);
    if (record->compute_ns > 0)
        observe(&metrics->compute, record->compute_ns);
    if (record->model != NULL)
        count_inference(metrics, record);
}

void metrics_request(struct metrics *metrics, const struct record *record)
{
    struct route *route =
        &metrics->routes[record->route != NULL ? (size_t)(record->route - api_routes) : api_route_count];
    increment(&route->statuses[record->status], 1);
    if (record->route != NULL && api_route_takes_body(record->route))
        count_call(metrics, route, record);
    if (record->problem != NULL)
        metrics_count(metrics, METRIC_REFUSALS, (size_t)(record->problem - api_problem_kinds));
    metrics_add(metrics, METRIC_REQUEST_BYTES, (int64_t)record->bytes_in);
    metrics_add(metrics, METRIC_RESPONSE_BYTES, (int64_t)record->bytes_out);
    metrics_add(metrics, METRIC_ROWS, (int64_t)record->rows);
    if (!record->completed)
        metrics_add(metrics, METRIC_ABORTED, 1);
}

/* ---- The process ---- */

/* Since Linux 6.2 the folder's size is their number. */
static int64_t open_files(void)
{
    struct stat status;
    int64_t count = -2; /* "." and ".." */
    if (stat("/proc/self/fd", &status) == 0 && status.st_size > 0)
        return status.st_size;
    DIR *folder = opendir("/proc/self/fd");
    if (folder == NULL)
        return 0;
    while (readdir(folder) != NULL)
        count++;
    closedir(folder);
    return count - 1; /* its own */
}

static void set_memory(struct metrics *metrics)
{
    unsigned long long pages[2] = {0, 0};
    FILE *file = fopen("/proc/self/statm", "re");
    if (file == NULL)
        return;
    if (fscanf(file, "%llu %llu", &pages[0], &pages[1]) == 2) {
        metrics_set(metrics, METRIC_PROCESS_VIRTUAL, (int64_t)pages[0] * sysconf(_SC_PAGESIZE));
        metrics_set(metrics, METRIC_PROCESS_RESIDENT, (int64_t)pages[1] * sysconf(_SC_PAGESIZE));
    }
    fclose(file);
}

static int64_t microseconds(const struct timeval *time)
{
    return (int64_t)time->tv_sec * 1000000 + time->tv_usec;
}

void metrics_set_process(struct metrics *metrics)
{
    struct rusage usage;
    struct rlimit files;
    if (getrusage(RUSAGE_SELF, &usage) == 0)
        metrics_set(metrics, METRIC_PROCESS_CPU, microseconds(&usage.ru_utime) + microseconds(&usage.ru_stime));
    if (getrlimit(RLIMIT_NOFILE, &files) == 0)
        metrics_set(metrics, METRIC_PROCESS_MAX_FILES, (int64_t)files.rlim_cur);
    metrics_set(metrics, METRIC_PROCESS_OPEN_FILES, open_files());
    set_memory(metrics);
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

/* `labels` are "" or end in a comma. 1 is 1.0 in OpenMetrics. */
static void print_bucket(const struct writer *writer, const char *name, const char *labels, double bound,
                         unsigned long long below)
{
    const bool bare = writer->format == METRICS_OPENMETRICS && bound >= 1 && bound == (double)(long)bound;
    fprintf(writer->out, "%s_bucket{%sle=\"%g%s\"} %llu\n", name, labels, bound, bare ? ".0" : "", below);
}

static void print_histogram(const struct writer *writer, const char *name, const char *labels,
                            const struct histogram *histogram)
{
    unsigned long long below = 0;
    for (size_t i = 0; i < BUCKETS; i++) {
        below += read_counter(&histogram->buckets[i]);
        print_bucket(writer, name, labels, bounds[i], below);
    }
    below += read_counter(&histogram->buckets[BUCKETS]);
    char own[128] = "";
    if (*labels != '\0')
        snprintf(own, sizeof own, "{%.*s}", (int)strlen(labels) - 1, labels);
    fprintf(writer->out, "%s_bucket{%sle=\"+Inf\"} %llu\n%s_sum%s %.9f\n%s_count%s %llu\n", name, labels, below, name,
            own, (double)read_counter(&histogram->ns) * 1e-9, name, own, below);
}

static bool is_used(const struct histogram *histogram)
{
    unsigned long long count = 0;
    for (size_t i = 0; i <= BUCKETS; i++)
        count += read_counter(&histogram->buckets[i]);
    return count > 0;
}

static void print_durations_of(const struct writer *writer, const char *name, size_t row, const struct route *route)
{
    char labels[128];
    for (size_t i = 0; i < SERIES; i++) {
        if (!is_used(&route->durations[i]))
            continue;
        int length = snprintf(labels, sizeof labels, "route=\"%s\",", api_routes[row].path);
        if (i < API_FUNCTION_COUNT)
            snprintf(labels + length, sizeof labels - (size_t)length, "model=\"%s\",", api_functions[i].name);
        print_histogram(writer, name, labels, &route->durations[i]);
    }
}

static void print_histograms(const struct writer *writer, const struct metrics *metrics)
{
    for (size_t i = 0; i < TIMED_COUNT; i++) {
        print_head(writer, histograms[i].name, "histogram", histograms[i].help);
        for (size_t row = 0; i == TIMED_REQUEST && row < api_route_count; row++)
            print_durations_of(writer, histograms[i].name, row, &metrics->routes[row]);
        if (i != TIMED_REQUEST)
            print_histogram(writer, histograms[i].name, "", i == TIMED_WAIT ? &metrics->wait : &metrics->compute);
    }
}

static void print_requests(const struct writer *writer, const struct metrics *metrics)
{
    print_head(writer, "gumbeld_requests_total", "counter",
               "Requests, by route and status; 0: aborted before the answer.");
    for (size_t row = 0; row <= api_route_count; row++)
        for (int status = 0; status < STATUSES; status++) {
            const unsigned long long count = read_counter(&metrics->routes[row].statuses[status]);
            if (count > 0)
                fprintf(writer->out, "gumbeld_requests_total{route=\"%s\",status=\"%d\"} %llu\n",
                        row < api_route_count ? api_routes[row].path : "", status, count);
        }
}

static void print_labelled(const struct writer *writer, const struct metrics *metrics)
{
    for (size_t i = 0; i < METRIC_LABELLED_COUNT; i++) {
        print_head(writer, labelled[i].name, "counter", labelled[i].help);
        for (size_t j = 0; j < labelled[i].count; j++)
            fprintf(writer->out, "%s{%s=\"%s\"} %llu\n", labelled[i].name, labelled[i].label, labelled[i].value(j),
                    read_counter(&metrics->labelled[i][j]));
    }
}

static void print_values(const struct writer *writer, const struct metrics *metrics)
{
    for (size_t i = 0; i < METRIC_COUNT; i++) {
        const long long value = (long long)atomic_load_explicit(&metrics->values[i], memory_order_relaxed);
        print_head(writer, values[i].name, values[i].type, values[i].help);
        if (values[i].in_millionths)
            fprintf(writer->out, "%s %.6f\n", values[i].name, (double)value * 1e-6);
        else
            fprintf(writer->out, "%s %lld\n", values[i].name, value);
    }
}

char *metrics_text(const struct metrics *metrics, enum metrics_format format, size_t *length)
{
    char *text = NULL;
    FILE *out = open_memstream(&text, length);
    if (out == NULL)
        return NULL;
    const struct writer writer = {out, format};
    print_head(&writer, "gumbeld_build_info", "gauge",
               "1, labelled with the version, generator and instruction set in use.");
    fprintf(out, "gumbeld_build_info{version=\"%s\",rng=\"%s\",isa=\"%s\"} 1\n", GUMBELD_VERSION, API_DEFAULT_RNG,
            core_isa_name(core_selected()));
    print_requests(&writer, metrics);
    print_labelled(&writer, metrics);
    print_histograms(&writer, metrics);
    print_values(&writer, metrics);
    if (format == METRICS_OPENMETRICS)
        fputs("# EOF\n", out);
    if (fclose(out) == 0)
        return text;
    free(text);
    return NULL;
}
