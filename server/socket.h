/* What the kernel knows of a connected socket. */
#ifndef SERVER_SOCKET_H
#define SERVER_SOCKET_H

#include <stdbool.h>
#include <stdint.h>

/* Whether something has come that nobody has read yet. */
bool socket_has_input(int fd);

struct socket_tcp {
    uint64_t received, acknowledged; /* bytes, ever */
    uint64_t silent_ms;              /* since the last byte was received */
    bool has_unsent;                 /* or sent and not acknowledged */
    bool peer_has_closed;            /* no more will be received */
};

/* False where that is not to be known. */
bool socket_tcp(int fd, struct socket_tcp *tcp);

/* Bytes that have been written and not acknowledged or, roughly, that the peer of a UNIX socket has not read. */
uint64_t socket_unread(int fd);

/* Bytes of all answers so far that have been written, and that the other side's system has acknowledged: what went out
 * of one that broke off. 0 where that is not to be known, as of a UNIX socket. */
uint64_t socket_written(int fd);
uint64_t socket_acknowledged(int fd);

#endif
