#include "server.h"
#include "listener.h"
#include "loop.h"

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
    TIDY_MS = 2000,
    KEPT_BYTES = 16 * 1024 * 1024,
};

/* ---- Signals: blocked in all threads and read by the main one ---- */

static sigset_t ending_signals(void)
{
    sigset_t signals;
    sigemptyset(&signals);
    sigaddset(&signals, SIGTERM);
    sigaddset(&signals, SIGINT);
    return signals;
}

static void set_signals_blocked(bool blocked)
{
    const sigset_t signals = ending_signals();
    pthread_sigmask(blocked ? SIG_BLOCK : SIG_UNBLOCK, &signals, NULL);
}

/* A handler would run at any moment, and the thread sanitizer loses one that comes while the program starts. */
static int open_signals(void)
{
    const sigset_t signals = ending_signals();
    return signalfd(-1, &signals, SFD_NONBLOCK | SFD_CLOEXEC);
}

struct control {
    struct server *server;
    int signals; /* open_signals() */
    uv_poll_t signal;
    uv_timer_t lame_duck, tidy;
    int64_t tidied_at; /* bytes received in all when memory was last given back */
};

static void end_control(uv_timer_t *timer)
{
    struct control *control = timer->data;
    uv_close((uv_handle_t *)&control->lame_duck, NULL);
    uv_close((uv_handle_t *)&control->tidy, NULL);
}

/* Gives free memory back to the system once nothing has been in flight for a while since the last time. */
static void tidy(uv_timer_t *timer)
{
    struct control *control = timer->data;
    struct metrics *metrics = control->server->metrics;
    const int64_t received = metrics_add(metrics, METRIC_REQUEST_BYTES, 0);
    if (received == control->tidied_at || metrics_add(metrics, METRIC_IN_FLIGHT, 0) > 0)
        return;
    malloc_trim(0);
    control->tidied_at = received;
}

/* The first signal begins the end; a second one, no longer blocked, ends the program at once. */
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
    uv_close((uv_handle_t *)&control->signal, NULL);
    set_signals_blocked(false);
    uv_timer_start(&control->lame_duck, end_control, control->server->config.lame_duck_ms, 0);
}

/* Returns when a signal has come and the lame-duck time is over. */
static void wait_for_end(struct server *server, int signals)
{
    uv_loop_t uv;
    struct control control = {.server = server, .signals = signals};
    uv_loop_init(&uv);
    uv_poll_init(&uv, &control.signal, signals);
    uv_timer_init(&uv, &control.lame_duck);
    uv_timer_init(&uv, &control.tidy);
    control.signal.data = control.lame_duck.data = control.tidy.data = &control;
    uv_timer_start(&control.tidy, tidy, TIDY_MS, TIDY_MS);
    uv_poll_start(&control.signal, UV_READABLE, on_signal);
    uv_run(&uv, UV_RUN_DEFAULT);
    uv_loop_close(&uv);
}

/* ---- The process ---- */

/* By default a freed body or answer goes back to the system at once, and the next one costs a page fault every 4 KiB.
 * So some is kept, which tidy() gives back when it lies idle. What is large is mapped by itself: it leaves no holes,
 * and grows without a copy. */
static void keep_freed_memory(void)
{
    mallopt(M_MMAP_THRESHOLD, API_LARGE_BYTES);
    mallopt(M_TRIM_THRESHOLD, KEPT_BYTES);
    mallopt(M_ARENA_MAX, 1); /* malloc_trim leaves the end of every other arena; what is small is cached by thread */
}

static void prepare_process(const struct config *config)
{
    char workers[24];
    snprintf(workers, sizeof workers, "%llu", (unsigned long long)config->workers);
    setenv("UV_THREADPOOL_SIZE", workers, 1); /* libuv reads it when it is first given work */
    keep_freed_memory();
    signal(SIGPIPE, SIG_IGN);
    set_signals_blocked(true); /* for all threads, which inherit it */
    struct rlimit files;
    if (getrlimit(RLIMIT_NOFILE, &files) == 0 && files.rlim_cur < files.rlim_max) {
        files.rlim_cur = files.rlim_max;
        setrlimit(RLIMIT_NOFILE, &files);
    }
}

static int fail(const char *what, const char *why)
{
    fprintf(stderr, "gumbeld: %s: %s\n", what, why);
    return 1;
}

static void announce(const struct address *address)
{
    char text[128];
    address_format(address, text, sizeof text);
    fprintf(stderr, "gumbeld: listening on http://%s\n", text);
}

static int serve(struct server *server, struct loop *loops, int *sockets, int signals)
{
    const size_t count = server->config.loops;
    if (listener_open(&server->config.listen, sockets, count) != 0)
        return fail("--listen", strerror(errno));
    size_t started = 0;
    while (started < count && loop_start(&loops[started], server, sockets[started]) == 0)
        started++;
    for (size_t i = started + 1; i < count; i++)
        close(sockets[i]);
    if (started == count) {
        announce(&server->config.listen);
        wait_for_end(server, signals);
    }
    for (size_t i = 0; i < started; i++)
        loop_drain(&loops[i]);
    for (size_t i = 0; i < started; i++)
        loop_join(&loops[i]);
    return started == count ? 0 : fail("libmicrohttpd", "could not start");
}

int server_run(const struct config *config)
{
    prepare_process(config);
    api_init();
    struct server server = {.config = *config};
    server.metrics = metrics_new();
    server.log = log_open((enum log_level)config->log_level);
    struct loop *loops = calloc(config->loops, sizeof *loops);
    int *sockets = calloc(config->loops, sizeof *sockets);
    int status, signals = -1;
    if (server.metrics == NULL || server.log == NULL || loops == NULL || sockets == NULL)
        status = fail("start", "no memory");
    else if ((signals = open_signals()) < 0)
        status = fail("signalfd", strerror(errno));
    else
        status = serve(&server, loops, sockets, signals);
    if (signals >= 0)
        close(signals);
    free(sockets);
    free(loops);
    if (server.log != NULL)
        log_close(server.log);
    metrics_free(server.metrics);
    return status;
}
