/* The daemon does no waiting of its own: libuv watches its epoll descriptor, and whatever may have given it
 * work (that descriptor, an answer from the workers) only sets pump_wanted, so that one pump a turn of the
 * loop serves them all. */
#include "loop.h"
#include "exchange.h"
#include "fields.h"

#include <poll.h>
#include <unistd.h>

enum {
    PUMP_ROUNDS = 16,
    HEARTBEAT_MS = 200,
    CONNECTION_MEMORY_BYTES = 32 * 1024, /* more slows small requests, less large ones */
    DRAIN_STEP_MS = 5,
    GOODBYE_MS = 300, /* of silence, for idle clients to send a last request and read Connection: close */
};

/* ---- Running the daemon ---- */

static void stay_awake(uv_idle_t *handle)
{
    ((struct loop *)handle->data)->pump_wanted = true;
}

/* The daemon's epoll is edge-triggered: it has to be run until it says that it has nothing left, or
 * connections stick. After PUMP_ROUNDS the loop's other handles get their turn. */
static void pump(struct loop *loop)
{
    MHD_UNSIGNED_LONG_LONG timeout;
    bool more = true;
    loop->pump_wanted = false;
    for (int round = 0; round < PUMP_ROUNDS && more; round++) {
        MHD_run(loop->daemon);
        more = MHD_get_timeout(loop->daemon, &timeout) == MHD_YES && timeout == 0;
    }
    if (more)
        uv_idle_start(&loop->busy, stay_awake);
    else
        uv_idle_stop(&loop->busy);
}

static void on_readable(uv_poll_t *handle, int status, int events)
{
    (void)status;
    (void)events;
    ((struct loop *)handle->data)->pump_wanted = true;
}

static void on_check(uv_check_t *handle)
{
    struct loop *loop = handle->data;
    if (loop->pump_wanted)
        pump(loop);
}

/* Pumps by itself: timers run before the loop waits, so that a flag would be seen only after the next event.
 */
static void drain_step(struct loop *loop);

static void on_heartbeat(uv_timer_t *handle)
{
    struct loop *loop = handle->data;
    pump(loop);
    if (loop->is_draining)
        drain_step(loop);
}

/* ---- Waiting for workers ---- */

void loop_suspend(struct loop *loop, struct MHD_Connection *connection)
{
    loop->suspended++;
    MHD_suspend_connection(connection);
}

void loop_resume(struct loop *loop, struct MHD_Connection *connection)
{
    loop->suspended--;
    MHD_resume_connection(connection);
    loop->pump_wanted = true;
}

/* ---- Ending ---- */

static size_t open_connections(const struct loop *loop)
{
    return MHD_get_daemon_info(loop->daemon, MHD_DAEMON_INFO_CURRENT_CONNECTIONS)->num_connections;
}

bool loop_is_ending(const struct loop *loop)
{
    return loop->is_draining && uv_now(&loop->uv) - loop->drain_began >= loop->server->config.drain_timeout_ms;
}

/* A suspended connection must be resumed before the daemon can stop, whatever the time. */
static bool drained(const struct loop *loop)
{
    const uint64_t now = uv_now(&loop->uv);
    const uint64_t quiet_since = loop->last_active > loop->drain_began ? loop->last_active : loop->drain_began;
    if (loop->suspended > 0)
        return false;
    if (loop_is_ending(loop))
        return true;
    return loop->exchanges == 0 && (open_connections(loop) == 0 || now - quiet_since >= GOODBYE_MS);
}

static void drain_step(struct loop *loop)
{
    if (!drained(loop))
        return;
    if (loop->exchanges > 0)
        log_message(loop->server->log, LOG_WARNING, "closing with %zu requests unfinished", loop->exchanges);
    uv_poll_stop(&loop->poll);
    MHD_stop_daemon(loop->daemon);
    loop->daemon = NULL;
    uv_close((uv_handle_t *)&loop->poll, NULL);
    uv_close((uv_handle_t *)&loop->check, NULL);
    uv_close((uv_handle_t *)&loop->busy, NULL);
    uv_close((uv_handle_t *)&loop->heartbeat, NULL);
    uv_close((uv_handle_t *)&loop->drain, NULL);
}

/* The daemon takes a few connections a run; whoever has connected already is to be answered. Ends where it takes
 * no more, as at the limit of connections or of open files. */
static void accept_waiting(struct loop *loop)
{
    struct pollfd listening = {.fd = loop->listening_socket, .events = POLLIN};
    uint64_t accepted;
    do {
        accepted = loop->accepted;
        pump(loop);
    } while (loop->accepted > accepted && poll(&listening, 1, 0) == 1);
}

static void on_drain(uv_async_t *handle)
{
    struct loop *loop = handle->data;
    if (loop->is_draining)
        return;
    accept_waiting(loop);
    MHD_socket listening = MHD_quiesce_daemon(loop->daemon);
    if (listening != MHD_INVALID_SOCKET)
        close(listening);
    uv_update_time(&loop->uv);
    loop->is_draining = true;
    loop->drain_began = uv_now(&loop->uv);
    uv_timer_start(&loop->heartbeat, on_heartbeat, DRAIN_STEP_MS, DRAIN_STEP_MS);
}

void loop_drain(struct loop *loop)
{
    uv_async_send(&loop->drain);
}

/* ---- Beginning ---- */

static void log_daemon(void *closure, const char *format, va_list arguments)
{
    struct loop *loop = closure;
    char message[256];
    vsnprintf(message, sizeof message, format, arguments);
    log_message(loop->server->log, LOG_DEBUG, "libmicrohttpd: %s", message);
}

static void on_connection(void *closure, struct MHD_Connection *connection, void **context,
                          enum MHD_ConnectionNotificationCode code)
{
    (void)connection;
    (void)context;
    struct loop *loop = closure;
    const bool started = code == MHD_CONNECTION_NOTIFY_STARTED;
    loop->accepted += started;
    metrics_add(loop->server->metrics, METRIC_CONNECTIONS, started ? 1 : -1);
}

static struct MHD_Daemon *start_daemon(struct loop *loop, int listening_socket)
{
    const struct config *config = &loop->server->config;
    return MHD_start_daemon(
        MHD_USE_EPOLL | MHD_ALLOW_SUSPEND_RESUME | MHD_USE_ERROR_LOG, 0, NULL, NULL, exchange_handle, loop,
        /* first, so that it takes the messages about the other options too */
        MHD_OPTION_EXTERNAL_LOGGER, log_daemon, loop, MHD_OPTION_LISTEN_SOCKET, listening_socket,
        MHD_OPTION_UNESCAPE_CALLBACK, fields_unescape, NULL, MHD_OPTION_NOTIFY_COMPLETED, exchange_completed, loop,
        MHD_OPTION_NOTIFY_CONNECTION, on_connection, loop, MHD_OPTION_CONNECTION_MEMORY_LIMIT,
        (size_t)CONNECTION_MEMORY_BYTES, MHD_OPTION_CONNECTION_LIMIT, (unsigned)config->max_connections,
        /* also ends a connection that closed in the middle of a request in the same edge */
        MHD_OPTION_CONNECTION_TIMEOUT, (unsigned)config->idle_timeout_s, MHD_OPTION_END);
}

static void run(void *argument)
{
    struct loop *loop = argument;
    uv_run(&loop->uv, UV_RUN_DEFAULT);
}

static void watch(struct loop *loop)
{
    const int epoll = MHD_get_daemon_info(loop->daemon, MHD_DAEMON_INFO_EPOLL_FD)->epoll_fd;
    uv_poll_init(&loop->uv, &loop->poll, epoll);
    uv_check_init(&loop->uv, &loop->check);
    uv_idle_init(&loop->uv, &loop->busy);
    uv_timer_init(&loop->uv, &loop->heartbeat);
    uv_async_init(&loop->uv, &loop->drain, on_drain);
    loop->poll.data = loop->check.data = loop->busy.data = loop->heartbeat.data = loop->drain.data = loop;
    uv_poll_start(&loop->poll, UV_READABLE, on_readable);
    uv_check_start(&loop->check, on_check);
    uv_timer_start(&loop->heartbeat, on_heartbeat, HEARTBEAT_MS, HEARTBEAT_MS);
}

int loop_start(struct loop *loop, struct server *server, int listening_socket)
{
    *loop = (struct loop){.server = server, .listening_socket = listening_socket};
    if (uv_loop_init(&loop->uv) != 0) {
        close(listening_socket);
        return -1;
    }
    loop->daemon = start_daemon(loop, listening_socket);
    if (loop->daemon == NULL) {
        close(listening_socket);
        uv_loop_close(&loop->uv);
        return -1;
    }
    watch(loop);
    return uv_thread_create(&loop->thread, run, loop) == 0 ? 0 : -1;
}

void loop_join(struct loop *loop)
{
    uv_thread_join(&loop->thread);
    uv_loop_close(&loop->uv);
}
