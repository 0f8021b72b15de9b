/* Connections that end while their client still sends: closed at once they would be reset, and the client might never
 * read its last answer. So the socket is kept beside the daemon's, and what comes is dropped, until the client closes
 * or some time is over. On the loop's thread. */
#ifndef SERVER_LINGER_H
#define SERVER_LINGER_H

#include "loop.h"

/* Keeps the socket, which stays the daemon's to close as well. False where there are too many, or memory or descriptors
 * are short. */
bool linger_start(struct loop *loop, int fd, bool is_unix);

/* Ends those whose time is over, or all of them. To be called a few times a second. */
void linger_sweep(struct loop *loop, bool all);

#endif
