/* Threads that serve connections. */
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

/* Makes a loop that serves those who connect to the listening sockets, which are its own from then on, and starts its
 * thread. 0, or a number of errno and nothing is left. `loop` must not move. */
int loop_start(struct loop *loop, struct server *server, const struct loop_duty *duty);

/* From any thread: accept who has connected already, finish what was begun, end. Its listening sockets are barred. */
void loop_drain(struct loop *loop);

/* Waits for the end and frees what the loop holds. */
void loop_join(struct loop *loop);

#endif
