/* Connections that end while their client is still sending: closed at once they would be reset, and the client might
 * never read its last answer. So the socket is duplicated, and what arrives is discarded, until the client closes or a
 * timeout. On the loop's thread. */
#ifndef SERVER_LINGER_H
#define SERVER_LINGER_H

#include "loop.h"

/* Duplicates the socket, which the daemon still has to close. False if there are too many, or memory or descriptors are
 * short. */
bool linger_start(struct loop *loop, int fd, bool is_unix);

/* Closes those whose timeout has passed, or all of them. To be called a few times a second. */
void linger_sweep(struct loop *loop, bool all);

#endif
