/* The daemon does not wait itself: libuv watches its epoll descriptor, and whatever may have given it work (that
 * descriptor, an answer from the workers) only sets pump_wanted, so that the daemon runs once for all of them in each
 * iteration of the loop. */
#include "daemon.h"
#include "acceptor.h"
#include "connection.h"
#include "fields.h"
#include "handler.h"
#include "linger.h"
#include "refusal.h"
#include "sweep.h"

#include <errno.h>
#include <unistd.h>

enum {
    PUMP_ROUNDS = 16,
    HEARTBEAT_MS = 200,
    CONNECTION_MEMORY_BYTES = 32 * 1024, /* more slows small requests, less large ones */
    DRAIN_STEP_MS = 5,
    LAST_REQUEST_MS = 300, /* without activity: idle clients may send a last request, and read Connection: close */
};

/* ---- Running the daemon ---- */

static void on_idle(uv_idle_t *handle)
{
    ((struct loop *)handle->data)->pump_wanted = true;
}

/* The daemon's epoll is edge-triggered: it has to run until it reports that nothing is left, or connections would hang.
 * After PUMP_ROUNDS the loop's other handles are served. */
static void pump(struct loop *loop)
{
    MHD_UNSIGNED_LONG_LONG timeout;
    bool more = true;
    loop->pump_wanted = false;
    for (int round = 0; round < PUMP_ROUNDS && more; round++) {
        MHD_run(loop->daemon);
        connections_drop_unstarted(&loop->connections);
        more = MHD_get_timeout(loop->daemon, &timeout) == MHD_YES && timeout == 0;
    }
    if (more)
        uv_idle_start(&loop->busy, on_idle);
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

static void drain_step(struct loop *loop);

/* Runs the daemon itself: timers run before the loop polls, so that pump_wanted would be noticed only after the next
 * event. */
static void on_heartbeat(uv_timer_t *handle)
{
    struct loop *loop = handle->data;
    scheduler_sweep(&loop->scheduler);
    linger_sweep(loop, false);
    pump(loop);
    sweep(loop);
    acceptor_resume(&loop->acceptor);
    if (loop->is_draining)
        drain_step(loop);
}

/* ---- Ending ---- */

/* A suspended connection must be resumed before the daemon can stop, even after the drain timeout. */
static bool drained(const struct loop *loop)
{
    const uint64_t now = uv_now(&loop->uv);
    const uint64_t quiet_since = loop->last_active > loop->drain_began ? loop->last_active : loop->drain_began;
    if (loop->suspended > 0)
        return false;
    if (loop_is_ending(loop))
        return true;
    return loop->acceptor.is_closed && loop->exchanges == 0 &&
           (loop->connections.count == 0 || now - quiet_since >= LAST_REQUEST_MS);
}

static void close_all(struct loop *loop)
{
    acceptor_close(&loop->acceptor);
    uv_poll_stop(&loop->poll);
    loop->is_stopping = true;
    MHD_stop_daemon(loop->daemon);
    scheduler_detach(&loop->scheduler);
    linger_sweep(loop, true);
    loop->daemon = NULL;
    connections_drop_unstarted(&loop->connections);
    uv_close((uv_handle_t *)&loop->poll, NULL);
    uv_close((uv_handle_t *)&loop->check, NULL);
    uv_close((uv_handle_t *)&loop->busy, NULL);
    uv_close((uv_handle_t *)&loop->heartbeat, NULL);
    uv_close((uv_handle_t *)&loop->drain, NULL);
}

static void drain_step(struct loop *loop)
{
    if (!loop->acceptor.is_closed && acceptor_is_quiet(&loop->acceptor))
        acceptor_close(&loop->acceptor);
    if (loop_is_ending(loop))
        scheduler_stop(&loop->scheduler);
    if (!drained(loop))
        return;
    if (loop->exchanges > 0)
        log_message(loop->server->log, LOG_WARNING, "closing with %zu unfinished requests", loop->exchanges);
    close_all(loop);
}

static void on_drain(uv_async_t *handle)
{
    struct loop *loop = handle->data;
    uv_update_time(&loop->uv);
    loop->is_draining = true;
    loop->drain_began = loop->acceptor.last_accepted = uv_now(&loop->uv);
    uv_timer_start(&loop->heartbeat, on_heartbeat, DRAIN_STEP_MS, DRAIN_STEP_MS);
}

void loop_drain(struct loop *loop)
{
    uv_async_send(&loop->drain);
}

/* ---- Beginning ---- */

static void on_connection(void *closure, struct MHD_Connection *connection, void **context,
                          enum MHD_ConnectionNotificationCode code)
{
    struct loop *loop = closure;
    const bool started = code == MHD_CONNECTION_NOTIFY_STARTED;
    metrics_add(loop->server->metrics, METRIC_CONNECTIONS, started ? 1 : -1);
    if (started) {
        *context = connections_started(&loop->connections, connection);
        return;
    }
    connection_free(*context);
    acceptor_resume(&loop->acceptor);
}

/* The daemon's own limit must not be reached: at it, 0.9.75 never releases a lock. 1.0 has to be strict, or it answers
 * a blank in the target with a redirection that repeats the bytes there; 0.9.75 must not be, or it closes the
 * connection where it now shows the request to fields_read. */
static struct MHD_Daemon *start_daemon(struct loop *loop, size_t max_connections)
{
    const struct config *config = &loop->server->config;
    return MHD_start_daemon(MHD_USE_EPOLL | MHD_ALLOW_SUSPEND_RESUME | MHD_USE_ERROR_LOG | MHD_USE_NO_LISTEN_SOCKET, 0,
                            NULL, NULL, handler_request, loop,
                            /* first, so that it takes the messages about the other options too */
                            MHD_OPTION_EXTERNAL_LOGGER, refusal_log, loop, MHD_OPTION_URI_LOG_CALLBACK,
                            fields_note_target, NULL, MHD_OPTION_NOTIFY_COMPLETED, handler_completed, loop,
                            MHD_OPTION_NOTIFY_CONNECTION, on_connection, loop, MHD_OPTION_CONNECTION_MEMORY_LIMIT,
                            (size_t)CONNECTION_MEMORY_BYTES, MHD_OPTION_CONNECTION_LIMIT, (unsigned)max_connections + 1,
                            /* also ends a connection that closed in the middle of a request in the same edge */
                            MHD_OPTION_CONNECTION_TIMEOUT, (unsigned)config->idle_timeout_s,
                            MHD_OPTION_STRICT_FOR_CLIENT, !loop_has_mhd_0_9(), MHD_OPTION_END);
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

/* 0 or a number of errno. */
static int open_daemon(struct loop *loop, size_t max_connections)
{
    const int result = uv_loop_init(&loop->uv);
    if (result != 0)
        return -result;
    errno = 0;
    loop->daemon = start_daemon(loop, max_connections);
    int reason = errno != 0 ? errno : ENOMEM;
    if (loop->daemon != NULL && (reason = -scheduler_attach(loop->server->scheduler, &loop->scheduler, &loop->uv)) == 0)
        return 0;
    if (loop->daemon != NULL)
        MHD_stop_daemon(loop->daemon);
    uv_loop_close(&loop->uv);
    return reason;
}

static void close_sockets(const struct loop_duty *duty)
{
    for (size_t i = 0; i < duty->socket_count; i++)
        close(duty->sockets[i]);
}

int loop_start(struct loop *loop, struct server *server, const struct loop_duty *duty)
{
    *loop = (struct loop){.server = server, .is_admin = duty->is_admin};
    connections_init(&loop->connections);
    const int result = open_daemon(loop, duty->max_connections);
    if (result != 0) {
        close_sockets(duty);
        return result;
    }
    watch(loop);
    acceptor_start(&loop->acceptor, loop, duty->sockets, duty->socket_count, duty->max_connections);
    const int refused = uv_thread_create(&loop->thread, run, loop);
    if (refused != 0) {
        close_all(loop);
        run(loop); /* until they are closed */
        scheduler_release(&loop->scheduler);
        uv_loop_close(&loop->uv);
    }
    return -refused;
}

void loop_join(struct loop *loop)
{
    uv_thread_join(&loop->thread);
    scheduler_release(&loop->scheduler);
    uv_loop_close(&loop->uv);
}
