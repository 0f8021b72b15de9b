#include "log.h"

#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#include <uv.h>

enum {
    BUFFER_BYTES = 1 << 20,
    LINE_BYTES = 2048,
    BATCH_MS = 20, /* the writer collects lines for this long, to wake less often */
    POLL_MS = 100,
    CLOSING_MS = 1000,
};

/* The beginning of a line; the digits are overwritten. */
#define STAMP_TEMPLATE "{\"time\":\"2026-01-31T12:00:00.000Z\""
enum { STAMP_BYTES = sizeof STAMP_TEMPLATE - 1, STAMP_MS = STAMP_BYTES - 5 };

struct log {
    enum log_level level;
    uv_mutex_t mutex;
    uv_cond_t wake;
    uv_thread_t writer;
    atomic_bool closing;
    char *filling, *writing; /* the writer exchanges the two */
    size_t filled;
    time_t second;                     /* of `stamp` */
    char stamp[sizeof STAMP_TEMPLATE]; /* the beginning of a line */
    atomic_uint_fast64_t dropped;
};

static const char *const level_names[LOG_LEVEL_COUNT] = {
    [LOG_ERROR] = "error", [LOG_WARNING] = "warning", [LOG_INFO] = "info", [LOG_DEBUG] = "debug"};

const char *log_level_name(enum log_level level)
{
    return level_names[level];
}

bool log_enabled(const struct log *log, enum log_level level)
{
    return level <= log->level;
}

uint64_t log_dropped(const struct log *log)
{
    return atomic_load_explicit(&log->dropped, memory_order_relaxed);
}

/* ---- The writer ---- */

/* Waits until a write of up to PIPE_BUF bytes will not block. False after CLOSING_MS at the end of the program, which a
 * pipe that is not read must not delay. */
static bool wait_until_writable(struct log *log)
{
    struct pollfd out = {.fd = STDERR_FILENO, .events = POLLOUT};
    for (int waited_ms = 0; poll(&out, 1, POLL_MS) == 0;) {
        if (atomic_load(&log->closing))
            waited_ms += POLL_MS;
        if (waited_ms >= CLOSING_MS)
            return false;
    }
    return true;
}

static size_t count_lines(const char *bytes, size_t length)
{
    size_t lines = 0;
    for (size_t i = 0; i < length; i++)
        lines += bytes[i] == '\n';
    return lines;
}

static void write_all(struct log *log, const char *bytes, size_t length)
{
    while (length > 0) {
        ssize_t written = -1;
        errno = 0;
        if (wait_until_writable(log))
            written = write(STDERR_FILENO, bytes, length < PIPE_BUF ? length : PIPE_BUF);
        if (written < 0 && (errno == EAGAIN || errno == EINTR))
            continue;
        if (written < 0) {
            atomic_fetch_add_explicit(&log->dropped, count_lines(bytes, length), memory_order_relaxed);
            return;
        }
        bytes += written;
        length -= (size_t)written;
    }
}

/* Gives the buffered lines to the writer, and the empty buffer to the threads that log. */
static size_t swap_buffers(struct log *log)
{
    char *full = log->filling;
    const size_t length = log->filled;
    log->filling = log->writing;
    log->writing = full;
    log->filled = 0;
    return length;
}

static void write_lines(void *argument)
{
    struct log *log = argument;
    uv_mutex_lock(&log->mutex);
    for (;;) {
        while (log->filled == 0 && !atomic_load(&log->closing))
            uv_cond_wait(&log->wake, &log->mutex);
        if (log->filled == 0)
            break;
        uv_mutex_unlock(&log->mutex);
        if (!atomic_load(&log->closing))
            uv_sleep(BATCH_MS);
        uv_mutex_lock(&log->mutex);
        const size_t length = swap_buffers(log);
        uv_mutex_unlock(&log->mutex);
        write_all(log, log->writing, length);
        uv_mutex_lock(&log->mutex);
    }
    uv_mutex_unlock(&log->mutex);
}

static void put_digits(char *out, uint64_t value, unsigned digits)
{
    for (unsigned i = digits; i-- > 0; value /= 10)
        out[i] = (char)('0' + value % 10);
}

/* The date is formatted once a second. */
static void put_time(struct log *log, char *line, const struct timespec *now)
{
    if (now->tv_sec != log->second) {
        struct tm utc;
        gmtime_r(&now->tv_sec, &utc);
        strftime(log->stamp, sizeof log->stamp, "{\"time\":\"%Y-%m-%dT%H:%M:%S.000Z\"", &utc);
        log->second = now->tv_sec;
    }
    memcpy(line, log->stamp, STAMP_BYTES);
    put_digits(line + STAMP_MS, (unsigned)(now->tv_nsec / 1000000), 3);
}

/* The first STAMP_BYTES of the line are left for the time. */
static void append(struct log *log, char *line, size_t length)
{
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    uv_mutex_lock(&log->mutex);
    const bool fits = length <= BUFFER_BYTES - log->filled;
    if (fits) {
        put_time(log, line, &now);
        memcpy(log->filling + log->filled, line, length);
        if (log->filled == 0)
            uv_cond_signal(&log->wake);
        log->filled += length;
    }
    uv_mutex_unlock(&log->mutex);
    if (!fits)
        atomic_fetch_add_explicit(&log->dropped, 1, memory_order_relaxed);
}

struct log *log_open(enum log_level level)
{
    struct log *log = calloc(1, sizeof *log);
    if (log == NULL)
        return NULL;
    log->level = level;
    log->filling = malloc(BUFFER_BYTES);
    log->writing = malloc(BUFFER_BYTES);
    uv_mutex_init(&log->mutex);
    uv_cond_init(&log->wake);
    int error = UV_ENOMEM;
    if (log->filling != NULL && log->writing != NULL && (error = uv_thread_create(&log->writer, write_lines, log)) == 0)
        return log;
    free(log->filling);
    free(log->writing);
    free(log);
    errno = -error;
    return NULL;
}

void log_close(struct log *log)
{
    uv_mutex_lock(&log->mutex);
    atomic_store(&log->closing, true);
    uv_cond_signal(&log->wake);
    uv_mutex_unlock(&log->mutex);
    uv_thread_join(&log->writer);
    uv_mutex_destroy(&log->mutex);
    uv_cond_destroy(&log->wake);
    free(log->filling);
    free(log->writing);
    free(log);
}

/* ---- Lines ---- */

struct line {
    size_t length;
    char text[LINE_BYTES];
};

/* All that is put into a line is short, except for what put_escaped truncates: it fits LINE_BYTES. */
static void put(struct line *line, const char *text, size_t length)
{
    memcpy(line->text + line->length, text, length);
    line->length += length;
}

#define PUT(line, literal) put(line, literal, sizeof literal - 1)

/* ,"name":"text", where there is one. */
static void put_text(struct line *line, const char *name, const char *text)
{
    if (text == NULL)
        return;
    PUT(line, ",\"");
    put(line, name, strlen(name));
    PUT(line, "\":\"");
    put(line, text, strlen(text));
    PUT(line, "\"");
}

static void put_number(struct line *line, const char *name, uint64_t value)
{
    unsigned digits = 1;
    for (uint64_t rest = value; rest >= 10; rest /= 10)
        digits++;
    PUT(line, ",\"");
    put(line, name, strlen(name));
    PUT(line, "\":");
    put_digits(line->text + line->length, value, digits);
    line->length += digits;
}

/* A client's text as a member: bytes that are not printable ASCII become '?', and it is truncated if it is too long. */
static void put_escaped(struct line *line, const char *name, const char *text)
{
    put_text(line, name, "");
    line->length--;
    for (; *text != '\0' && line->length < LINE_BYTES - 8; text++) {
        if (*text == '"' || *text == '\\')
            PUT(line, "\\");
        put(line, (const char[]){*text >= ' ' && *text <= '~' ? *text : '?'}, 1);
    }
    PUT(line, "\"");
}

static void begin(struct line *line, enum log_level level)
{
    line->length = STAMP_BYTES;
    put_text(line, "level", level_names[level]);
}

static void print_message(struct line *line, enum log_level level, const char *format, va_list arguments)
{
    char message[512];
    vsnprintf(message, sizeof message, format, arguments);
    begin(line, level);
    put_escaped(line, "message", message);
    PUT(line, "}\n");
}

void log_message(struct log *log, enum log_level level, const char *format, ...)
{
    if (!log_enabled(log, level))
        return;
    struct line line;
    va_list arguments;
    va_start(arguments, format);
    print_message(&line, level, format, arguments);
    va_end(arguments);
    append(log, line.text, line.length);
}

void log_announce(struct log *log, const char *format, ...)
{
    struct line line;
    struct timespec now;
    va_list arguments;
    va_start(arguments, format);
    print_message(&line, LOG_INFO, format, arguments);
    va_end(arguments);
    clock_gettime(CLOCK_REALTIME, &now);
    uv_mutex_lock(&log->mutex);
    put_time(log, line.text, &now);
    uv_mutex_unlock(&log->mutex);
    write_all(log, line.text, line.length);
}

void log_request(struct log *log, const struct record *record)
{
    if (!log_enabled(log, LOG_INFO))
        return;
    struct line line;
    begin(&line, LOG_INFO);
    put_text(&line, "client", record->client);
    put_text(&line, "request_id", record->request_id);
    put_text(&line, "trace_id", record->trace_id);
    put_text(&line, "method", record->method);
    put_text(&line, "path", record->route != NULL ? record->route->path : "");
    put_text(&line, "model", record->model != NULL ? record->model->name : NULL);
    put_number(&line, "status", (uint64_t)record->status);
    PUT(&line, ",\"completed\":");
    put(&line, record->completed ? "true" : "false", record->completed ? 4 : 5);
    put_number(&line, "rows", record->rows);
    put_number(&line, "bytes_in", record->bytes_in);
    put_number(&line, "bytes_out", record->bytes_out);
    put_number(&line, "duration_us", record->duration_ns / 1000);
    put_number(&line, "wait_us", record->wait_ns / 1000);
    put_number(&line, "compute_us", record->compute_ns / 1000);
    put_text(&line, "problem", record->problem != NULL ? record->problem->slug : NULL);
    if (record->problem != NULL && record->pointer[0] != '\0')
        put_escaped(&line, "pointer", record->pointer);
    PUT(&line, "}\n");
    append(log, line.text, line.length);
}
