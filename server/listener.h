/* Listening sockets. */
#ifndef SERVER_LISTENER_H
#define SERVER_LISTENER_H

#include "address.h"

/* Opens `count` non-blocking sockets that listen on `address`, whose port is set if it was 0; with more than
 * one they share it (SO_REUSEPORT), which is refused if another process listens there already. 0, or -1 with
 * errno set and nothing opened. */
int listener_open(struct address *address, int *sockets, size_t count);

#endif
