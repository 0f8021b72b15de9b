#include "server.h"
#include "client.h"
#include "daemon.h"
#include "listener.h"
#include "start.h"

#include <errno.h>
#include <malloc.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <unistd.h>

enum {
    TRIM_MS = 2000,
    CACHED_BYTES = 16 * 1024 * 1024,
    ADMIN_CONNECTIONS = 64,
};

/* ---- Signals: blocked in all threads and read by the main one ---- */

static sigset_t termination_signals(void)
{
    sigset_t signals;
    sigemptyset(&signals);
    sigaddset(&signals, SIGTERM);
    sigaddset(&signals, SIGINT);
    return signals;
}

static void set_signals_blocked(bool blocked)
{
    const sigset_t signals = termination_signals();
    pthread_sigmask(blocked ? SIG_BLOCK : SIG_UNBLOCK, &signals, NULL);
}

/* A signal handler would interrupt any code, and the thread sanitizer loses a signal that arrives while the program
 * starts. */
static int open_signals(void)
{
    const sigset_t signals = termination_signals();
    return signalfd(-1, &signals, SFD_NONBLOCK | SFD_CLOEXEC);
}

struct control {
    struct server *server;
    int signals; /* open_signals() */
    uv_loop_t uv;
    uv_poll_t signal;
    uv_timer_t lame_duck, trim;
    int64_t trimmed_at; /* bytes received in all when memory was last returned */
};

static void end_control(uv_timer_t *timer)
{
    struct control *control = timer->data;
    uv_stop(&control->uv);
}

/* Returns free memory to the system when nothing has been in flight for a while. */
static void trim(uv_timer_t *timer)
{
    struct control *control = timer->data;
    struct metrics *metrics = control->server->metrics;
    const int64_t received = metrics_add(metrics, METRIC_REQUEST_BYTES, 0);
    if (received == control->trimmed_at || metrics_add(metrics, METRIC_IN_FLIGHT, 0) > 0)
        return;
    malloc_trim(0);
    control->trimmed_at = received;
}

/* The first signal starts the drain; a second one, no longer blocked, ends the program at once. */
static void on_signal(uv_poll_t *handle, int status, int events)
{
    struct control *control = handle->data;
    struct signalfd_siginfo signal;
    (void)status;
    (void)events;
    if (read(control->signals, &signal, sizeof signal) != sizeof signal)
        return;
    log_message(control->server->log, LOG_INFO, "signal %u: draining", (unsigned)signal.ssi_signo);
    control->server->draining = true;
    uv_poll_stop(&control->signal);
    set_signals_blocked(false);
    uv_timer_start(&control->lame_duck, end_control, control->server->config.lame_duck_ms, 0);
}

static int open_control(struct control *control, struct server *server)
{
    *control = (struct control){.server = server, .signals = open_signals()};
    if (control->signals < 0)
        return start_failed("signalfd", errno);
    const int result = uv_loop_init(&control->uv);
    if (result != 0) {
        close(control->signals);
        return start_failed("libuv", -result);
    }
    uv_poll_init(&control->uv, &control->signal, control->signals);
    uv_timer_init(&control->uv, &control->lame_duck);
    uv_timer_init(&control->uv, &control->trim);
    control->signal.data = control->lame_duck.data = control->trim.data = control;
    uv_timer_start(&control->trim, trim, TRIM_MS, TRIM_MS);
    uv_poll_start(&control->signal, UV_READABLE, on_signal);
    return 0;
}

static void close_control(struct control *control)
{
    uv_close((uv_handle_t *)&control->signal, NULL);
    uv_close((uv_handle_t *)&control->lame_duck, NULL);
    uv_close((uv_handle_t *)&control->trim, NULL);
    uv_run(&control->uv, UV_RUN_DEFAULT);
    uv_loop_close(&control->uv);
    close(control->signals);
}

/* ---- Loops that share their listening addresses ---- */

struct loops {
    struct loop *all;
    size_t count;
    struct listeners listeners;
};

struct loops_plan {
    const char *flag; /* which says where to listen */
    const struct addresses *addresses;
    size_t count;           /* of loops */
    size_t max_connections; /* of each */
    bool is_admin;
};

static int fail_to_listen(const struct loops_plan *plan, const struct address *address)
{
    const int reason = errno;
    char where[160], what[192], hint[128];
    address_format(address, where, sizeof where);
    snprintf(what, sizeof what, "%s: %s", plan->flag, where);
    if (reason != EADDRINUSE)
        return start_failed(what, reason);
    snprintf(hint, sizeof hint, " (another process listens there: give %s another %s)", plan->flag,
             address_is_unix(address) ? "path" : "port, or 0 for a free one");
    return start_failed_hint(what, reason, hint);
}

/* 0 or a number of errno; `count` counts those that can be ended. */
static int start_all(struct loops *loops, struct server *server, const struct loops_plan *plan)
{
    struct loop_duty duty = {.is_admin = plan->is_admin, .max_connections = plan->max_connections};
    for (; loops->count < plan->count; loops->count++) {
        duty.socket_count = listeners_of_loop(&loops->listeners, loops->count, duty.sockets);
        const int result = loop_start(&loops->all[loops->count], server, &duty);
        if (result != 0)
            return result;
    }
    return 0;
}

/* Refuses new connections, waits until requests in progress are finished, and frees the loops. */
static void end_loops(struct loops *loops)
{
    if (loops->count > 0)
        listeners_refuse_new(&loops->listeners);
    for (size_t i = 0; i < loops->count; i++)
        loop_drain(&loops->all[i]);
    for (size_t i = 0; i < loops->count; i++)
        loop_join(&loops->all[i]);
    listeners_close(&loops->listeners, loops->count);
    free(loops->all);
    *loops = (struct loops){0};
}

/* 0, or -1 after a line on standard error with the reason. */
static int start_loops(struct loops *loops, struct server *server, const struct loops_plan *plan)
{
    struct address failed;
    *loops = (struct loops){.all = calloc(plan->count, sizeof *loops->all)};
    if (loops->all == NULL)
        return start_failed("start", ENOMEM);
    if (listeners_open(&loops->listeners, plan->addresses, plan->count, (mode_t)server->config.unix_mode, &failed) !=
        0) {
        fail_to_listen(plan, &failed);
        end_loops(loops);
        return -1;
    }
    const int result = start_all(loops, server, plan);
    if (result != 0) {
        listeners_close(&loops->listeners, loops->count + 1); /* the failed one has closed its own */
        end_loops(loops);
        return start_failed("a thread for connections", result);
    }
    return 0;
}

/* Logs where they listen: "`what` on http://127.0.0.1:8080". */
static void announce(struct log *log, const struct loops *loops, const char *what)
{
    for (size_t i = 0; i < loops->listeners.count; i++) {
        char text[160];
        address_format(&loops->listeners.all[i].address, text, sizeof text);
        log_announce(log, "%s on %s", what, text);
    }
}

/* ---- The process ---- */

/* By default malloc returns a freed body or answer to the system at once, and the next one costs a page fault every 4
 * KiB. So some is cached, which trim() returns when the server is idle. Large blocks are mapped separately: they leave
 * no holes, and grow without a copy. */
static void configure_malloc(void)
{
    mallopt(M_MMAP_THRESHOLD, API_LARGE_BYTES);
    mallopt(M_TRIM_THRESHOLD, CACHED_BYTES);
    mallopt(M_ARENA_MAX, 1); /* malloc_trim does not trim other arenas; small blocks are cached by thread */
}

static void prepare_process(void)
{
    configure_malloc();
    start_check_allocations();
    start_ignore_signals();
    set_signals_blocked(true); /* for all threads, which inherit it */
    struct rlimit files;
    if (getrlimit(RLIMIT_NOFILE, &files) == 0 && files.rlim_cur < files.rlim_max) {
        files.rlim_cur = files.rlim_max;
        setrlimit(RLIMIT_NOFILE, &files);
    }
}

/* Limits the connections of each loop: their memory, at most a quarter of the budget or one for each loop, is set aside
 * for all of them at once, so that they never compete with requests for it. */
static void reserve_connections(struct server *server)
{
    struct config *config = &server->config;
    const size_t fitting = config->max_memory_bytes / 4 / LOOP_CONNECTION_BYTES / config->loops;
    if (fitting < config->max_connections) {
        config->max_connections = fitting > 0 ? fitting : 1;
        log_message(server->log, LOG_INFO, "connections of each loop limited to %llu by --max-memory-bytes",
                    (unsigned long long)config->max_connections);
    }
    budget_set_aside(&server->budget, config->max_connections * config->loops * LOOP_CONNECTION_BYTES);
}

/* The limit for one client; by default three quarters of the total. */
static uint64_t client_limit(uint64_t configured, uint64_t total)
{
    return configured > 0 ? configured : total - total / 4;
}

static struct clients *make_clients(const struct config *config)
{
    return clients_new((uint64_t[CLIENT_SHARE_COUNT]){
        [CLIENT_CONNECTIONS] = client_limit(config->max_client_connections, config->max_connections * config->loops),
        [CLIENT_STREAMS] = client_limit(config->max_client_streams, config->max_streams),
        [CLIENT_QUEUED] = client_limit(config->max_client_queued, config->max_queued),
    });
}

/* The admin loop starts before the others and ends after them. Returns after a signal, the lame-duck time, and the end
 * of all requests. */
static int serve(struct server *server, struct control *control)
{
    const struct config *config = &server->config;
    const struct loops_plan for_calls = {"--listen", &config->listen, config->loops, config->max_connections, false},
                            for_probes = {"--admin-listen", &config->admin_listen, 1, ADMIN_CONNECTIONS, true};
    struct loops calls, probes = {0};
    if (config->admin_listen.count > 0 && start_loops(&probes, server, &for_probes) != 0)
        return -1;
    const int result = start_loops(&calls, server, &for_calls);
    if (result == 0) {
        announce(server->log, &probes, "admin");
        announce(server->log, &calls, "listening");
        if (geteuid() == 0)
            log_message(server->log, LOG_WARNING, "running as root, which is not needed");
        uv_run(&control->uv, UV_RUN_DEFAULT);
        end_loops(&calls);
    }
    end_loops(&probes);
    return result;
}

static int open_server(struct server *server)
{
    struct config *config = &server->config;
    request_ids_init(&server->request_ids);
    server->log = log_open((enum log_level)config->log_level);
    if (server->log == NULL)
        return start_failed("the log's thread", errno);
    budget_open(&server->budget, config->max_memory_bytes);
    reserve_connections(server);
    server->metrics = metrics_new();
    server->clients = make_clients(config);
    server->scheduler = scheduler_new(config->workers, config->max_wait_ms);
    if (server->metrics == NULL || server->clients == NULL || server->scheduler == NULL)
        return start_failed("start", ENOMEM);
    const int result = start_workers(config->workers);
    return result == 0 ? 0 : start_failed("the workers' threads", result);
}

static void close_server(struct server *server)
{
    if (server->log != NULL)
        log_close(server->log);
    scheduler_free(server->scheduler);
    clients_free(server->clients);
    metrics_free(server->metrics);
}

int server_run(const struct config *config)
{
    struct server server = {.config = *config};
    struct control control;
    int result = -1;
    prepare_process();
    api_init();
    if (open_server(&server) == 0 && open_control(&control, &server) == 0) {
        result = serve(&server, &control);
        close_control(&control);
    }
    close_server(&server);
    return result == 0 ? 0 : 1;
}
