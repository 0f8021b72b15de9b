/* What the kernel reports about a connected socket. */
#ifndef SERVER_SOCKET_H
#define SERVER_SOCKET_H

#include <stdbool.h>
#include <stdint.h>

/* Whether there is unread input. */
bool socket_has_input(int fd);

struct socket_tcp {
    uint64_t received, acknowledged; /* bytes, in all */
    uint64_t silent_ms;              /* since the last byte was received */
    bool has_unsent;                 /* or unacknowledged bytes */
    bool peer_has_closed;            /* its FIN has been received */
};

/* False if that is unknown. */
bool socket_tcp(int fd, struct socket_tcp *tcp);

/* Bytes that have been written and not acknowledged or, roughly, that the peer of a UNIX socket has not read. */
uint64_t socket_unread(int fd);

/* Bytes of all answers so far that were written, and that the remote system has acknowledged: how much of an aborted
 * answer was sent. 0 if that is unknown, as for a UNIX socket. */
uint64_t socket_written(int fd);
uint64_t socket_acknowledged(int fd);

#endif
