/* Accepts connections from a loop's listening sockets, up to a limit, and gives them to its daemon. On the loop's
 * thread. */
#ifndef SERVER_ACCEPTOR_H
#define SERVER_ACCEPTOR_H

#include "loop.h"

/* Starts to watch `count` listening sockets, which it owns from then on, for up to `places` connections at once. */
void acceptor_start(struct acceptor *acceptor, struct loop *loop, const int *sockets, size_t count, size_t places);

/* There may be room again: a connection has ended, or time has passed. */
void acceptor_resume(struct acceptor *acceptor);

/* Whether no connection has been accepted for some time and none is waiting. */
bool acceptor_is_quiet(const struct acceptor *acceptor);

void acceptor_close(struct acceptor *acceptor);

#endif
