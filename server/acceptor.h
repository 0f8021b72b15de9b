/* Takes clients from a loop's listening sockets, as many as there are places for, and gives them to its daemon. On the
 * loop's thread. */
#ifndef SERVER_ACCEPTOR_H
#define SERVER_ACCEPTOR_H

#include "loop.h"

/* Begins to watch `count` listening sockets, which are its own from then on. */
void acceptor_start(struct acceptor *acceptor, struct loop *loop, const int *sockets, size_t count, size_t places);

/* There may be room again: a connection has ended, or time has gone by. */
void acceptor_resume(struct acceptor *acceptor);

/* Whether nobody has come for some time and nobody waits. */
bool acceptor_is_quiet(const struct acceptor *acceptor);

void acceptor_close(struct acceptor *acceptor);

#endif
