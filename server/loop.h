/* A thread that serves connections: one libuv loop that drives one libmicrohttpd daemon. */
#ifndef SERVER_LOOP_H
#define SERVER_LOOP_H

#include "acceptor.h"
#include "budget.h"
#include "config.h"
#include "connection.h"
#include "linger.h"
#include "metrics.h"
#include "request_id.h"
#include "scheduler.h"

#include <microhttpd.h>
#include <stdatomic.h>
#include <uv.h>

/* What all loops share. */
struct server {
    struct config config;
    struct log *log;
    struct metrics *metrics;
    struct request_ids request_ids;
    struct clients *clients;
    struct budget budget;
    struct scheduler *scheduler;
    atomic_bool draining; /* /readyz fails and answers close their connection */
};

/* What a connection takes beside its request: the daemon's memory for its head, and ours for what it is. */
enum { LOOP_CONNECTION_BYTES = 40 * 1024 };

struct loop {
    struct server *server;
    uv_loop_t uv;
    uv_thread_t thread;
    struct MHD_Daemon *daemon;
    bool is_admin; /* probes only, apart from the other loops */
    struct acceptor acceptor;
    struct scheduler_loop scheduler;
    struct lingerers lingerers;
    struct connections connections;
    uv_poll_t poll;       /* the daemon's epoll descriptor */
    uv_check_t check;     /* runs the daemon where anything asked for it */
    uv_idle_t busy;       /* keeps the loop from waiting while the daemon has more to do */
    uv_timer_t heartbeat; /* the daemon's timeouts, and the acceptor after the connection limit */
    uv_async_t drain;     /* loop_drain's signal */
    bool pump_wanted;
    bool is_draining, is_stopping;
    uint64_t drain_began; /* ms, uv_now */
    uint64_t last_active; /* ms, uv_now: a client came, or a request began or was completed */
    size_t exchanges;     /* requests begun and not yet completed */
    size_t suspended;     /* of those, the ones that are with the workers */
};

/* What a loop is for. */
struct loop_duty {
    bool is_admin;
    size_t most_connections;
    int sockets[ADDRESSES_MOST];
    size_t socket_count;
};

/* Makes a loop that serves those who connect to the listening sockets, which are its own from then on, and starts its
 * thread. 0, or a number of errno and nothing is left. `loop` must not move. */
int loop_start(struct loop *loop, struct server *server, const struct loop_duty *duty);

/* From any thread: accept who has connected already, finish what was begun, end. Its listening sockets are barred. */
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
