/* Threads that serve connections: each runs one libuv loop and one libmicrohttpd daemon. */
#ifndef SERVER_DAEMON_H
#define SERVER_DAEMON_H

#include "loop.h"

/* What a loop is for. */
struct loop_duty {
    bool is_admin;
    size_t max_connections;
    int sockets[ADDRESSES_MAX];
    size_t socket_count;
};

/* Creates a loop that serves the connections of the listening sockets, which it owns from then on, and starts its
 * thread. 0, or a number of errno if it could not. `loop` must not move. */
int loop_start(struct loop *loop, struct server *server, const struct loop_duty *duty);

/* From any thread, once: accepts connections already established, finishes requests in progress, and ends. Its
 * listeners have to refuse new connections by then. */
void loop_drain(struct loop *loop);

/* Waits for its end and frees its resources. */
void loop_join(struct loop *loop);

#endif
