/* A thread that serves connections: one libuv loop that drives one libmicrohttpd daemon. */
#ifndef SERVER_LOOP_H
#define SERVER_LOOP_H

#include "config.h"
#include "metrics.h"

#include <microhttpd.h>
#include <stdatomic.h>
#include <uv.h>

/* What all loops share. */
struct server {
    struct config config;
    struct log *log;
    struct metrics *metrics;
    atomic_bool draining; /* /readyz fails and answers close their connection */
};

struct loop {
    struct server *server;
    uv_loop_t uv;
    uv_thread_t thread;
    struct MHD_Daemon *daemon;
    int listening_socket;
    uv_poll_t poll;       /* the daemon's epoll descriptor */
    uv_check_t check;     /* runs the daemon where anything asked for it */
    uv_idle_t busy;       /* keeps the loop from waiting while the daemon has more to do */
    uv_timer_t heartbeat; /* the daemon's timeouts, and its listening socket after the connection limit */
    uv_async_t drain;     /* loop_drain's signal */
    bool pump_wanted;
    bool is_draining;
    uint64_t drain_began; /* ms, uv_now */
    uint64_t last_active; /* ms, uv_now: a request began or was completed */
    uint64_t accepted;    /* connections, ever */
    size_t exchanges;     /* requests begun and not yet completed */
    size_t suspended;     /* of those, the ones that are with the workers */
};

/* Makes a loop that serves the connections of `listening_socket`, which is its own from then on, and starts
 * its thread. 0, or -1 and nothing is left. `loop` must not move. */
int loop_start(struct loop *loop, struct server *server, int listening_socket);

/* From any thread: stop accepting, finish what was begun, end. */
void loop_drain(struct loop *loop);

/* On the loop's thread: a connection that waits for a worker. It is suspended before the worker is given anything, and
 * must be resumed once. */
void loop_suspend(struct loop *loop, struct MHD_Connection *connection);
void loop_resume(struct loop *loop, struct MHD_Connection *connection);

/* On the loop's thread: whether the time is over in which what was begun may be finished. */
bool loop_is_ending(const struct loop *loop);

/* Waits for the end and frees what the loop holds. */
void loop_join(struct loop *loop);

#endif
