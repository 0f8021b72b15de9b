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
    LINE_BYTES = 1024,
    PAUSE_MS = 20, /* the writer gathers lines for this long, so that it wakes seldom */
    POLL_MS = 100,
    CLOSING_MS = 1000,
};

struct log {
    enum log_level level;
    uv_mutex_t mutex;
    uv_cond_t wake;
    uv_thread_t writer;
    atomic_bool closing;
    char *filling, *writing; /* the writer exchanges the two */
    size_t filled;
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

/* Whether a write of up to PIPE_BUF bytes will not block. Waits for that, but at the end of the program only so
 * long: a pipe that nobody reads must not hold it up. */
static bool await_writable(struct log *log)
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
        if (await_writable(log))
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

/* Gives the lines so far to the writer, and the other buffer to those who log. */
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
            uv_sleep(PAUSE_MS);
        uv_mutex_lock(&log->mutex);
        const size_t length = swap_buffers(log);
        uv_mutex_unlock(&log->mutex);
        write_all(log, log->writing, length);
        uv_mutex_lock(&log->mutex);
    }
    uv_mutex_unlock(&log->mutex);
}

static void append(struct log *log, const char *line, size_t length)
{
    uv_mutex_lock(&log->mutex);
    const bool fits = length <= BUFFER_BYTES - log->filled;
    if (fits) {
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
    if (log->filling != NULL && log->writing != NULL && uv_thread_create(&log->writer, write_lines, log) == 0)
        return log;
    free(log->filling);
    free(log->writing);
    free(log);
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

/* Begins a line: {"time":"2026-01-31T12:00:00.123Z","level":"info" */
static size_t begin_line(char *line, enum log_level level)
{
    struct timespec now;
    struct tm utc;
    clock_gettime(CLOCK_REALTIME, &now);
    gmtime_r(&now.tv_sec, &utc);
    size_t used = strftime(line, LINE_BYTES, "{\"time\":\"%Y-%m-%dT%H:%M:%S", &utc);
    used += (size_t)snprintf(line + used, LINE_BYTES - used, ".%03ldZ\",\"level\":\"%s\"", now.tv_nsec / 1000000,
                             level_names[level]);
    return used;
}

/* Copies text as the content of a JSON string; what is not printable ASCII becomes '?'. */
static size_t put_escaped(char *line, size_t used, const char *text)
{
    for (; *text != '\0' && used < LINE_BYTES - 8; text++) {
        if (*text == '"' || *text == '\\')
            line[used++] = '\\';
        line[used++] = *text >= ' ' && *text <= '~' ? *text : '?';
    }
    return used;
}

void log_message(struct log *log, enum log_level level, const char *format, ...)
{
    static const char key[] = ",\"message\":\"";
    if (!log_enabled(log, level))
        return;
    char message[512], line[LINE_BYTES];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(message, sizeof message, format, arguments);
    va_end(arguments);
    size_t used = begin_line(line, level);
    memcpy(line + used, key, sizeof key - 1);
    used = put_escaped(line, used + sizeof key - 1, message);
    memcpy(line + used, "\"}\n", 3);
    append(log, line, used + 3);
}

void log_request(struct log *log, const struct log_request *request)
{
    if (!log_enabled(log, LOG_INFO))
        return;
    char line[LINE_BYTES];
    size_t used = begin_line(line, LOG_INFO);
    used += (size_t)snprintf(line + used, LINE_BYTES - used,
                             ",\"method\":\"%s\",\"path\":\"%s\",\"status\":%d,\"completed\":%s,\"rows\":%zu,"
                             "\"bytes_in\":%zu,\"bytes_out\":%zu,\"duration_us\":%llu",
                             request->method, request->path, request->status, request->completed ? "true" : "false",
                             request->rows, request->bytes_in, request->bytes_out,
                             (unsigned long long)request->duration_us);
    if (request->trace_id != NULL)
        used += (size_t)snprintf(line + used, LINE_BYTES - used, ",\"trace_id\":\"%s\"", request->trace_id);
    memcpy(line + used, "}\n", 2);
    append(log, line, used + 2);
}
