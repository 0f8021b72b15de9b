/* What a thread that serves connections works on: one libuv loop that drives one libmicrohttpd daemon (daemon.h). */
#ifndef SERVER_LOOP_H
#define SERVER_LOOP_H

#include "address.h"
#include "budget.h"
#include "config.h"
#include "metrics.h"
#include "request_id.h"
#include "scheduler.h"

#include <microhttpd.h>
#include <stdatomic.h>
#include <sys/queue.h>
#include <uv.h>

/* Shared by all loops. */
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

/* Bytes of a connection besides its request: the daemon's memory for its head, and our own for the connection. */
enum { LOOP_CONNECTION_BYTES = 40 * 1024 };

struct loop;
struct connection;
struct lingering;

/* The listening sockets (acceptor.h). */
struct acceptor {
    struct loop *loop;
    struct listening {
        struct acceptor *acceptor;
        int fd;
        bool is_loopback;
        uv_poll_t poll;
    } sockets[ADDRESSES_MAX];
    size_t count;
    size_t places; /* for connections */
    bool is_watching;
    bool is_closed;
    uint64_t last_accepted; /* ms, uv_now */
};

/* The open connections (connection.h). */
TAILQ_HEAD(connection_list, connection);

struct connections {
    struct connection_list arriving; /* given to the daemon, not yet started */
    struct connection_list all;      /* the others, by `due` */
    struct connection_list idle;     /* in CONNECTION_IDLE and not closing, longest idle first */
    struct connection_list heads;    /* whose target has been received */
    size_t count, closing;
};

/* Sockets of connections that the daemon has closed (linger.h). */
struct lingerers {
    LIST_HEAD(, lingering) all; /* zeroed it is empty */
    unsigned count;
};

struct loop {
    struct server *server;
    uv_loop_t uv;
    uv_thread_t thread;
    struct MHD_Daemon *daemon;
    bool is_admin; /* serves probes only */
    struct acceptor acceptor;
    struct scheduler_loop scheduler;
    struct lingerers lingerers;
    struct connections connections;
    uv_poll_t poll;       /* the daemon's epoll descriptor */
    uv_check_t check;     /* runs the daemon if pump_wanted */
    uv_idle_t busy;       /* keeps the loop from blocking while the daemon has more to do */
    uv_timer_t heartbeat; /* timeouts, and accepting again after the connection limit */
    uv_async_t drain;     /* loop_drain's signal */
    bool pump_wanted;
    bool is_draining, is_stopping;
    uint64_t drain_began; /* ms, uv_now */
    uint64_t last_active; /* ms, uv_now: a connection was accepted, or a request began or was completed */
    size_t exchanges;     /* requests begun and not yet completed */
    size_t suspended;     /* of those, those that the workers have */
};

/* Whether libmicrohttpd is older than 1.0 (0.9.75 is supported), some of whose bugs are worked around. */
static inline bool loop_has_mhd_0_9(void)
{
    return MHD_get_version()[0] == '0';
}

/* Whether the time for requests in progress has passed. */
static inline bool loop_is_ending(const struct loop *loop)
{
    return loop->is_draining && uv_now(&loop->uv) - loop->drain_began >= loop->server->config.drain_timeout_ms;
}

#endif
