/* The sockets that a group of loops listens on: one for each address and loop. */
#ifndef SERVER_LISTENER_H
#define SERVER_LISTENER_H

#include "address.h"

#include <sys/stat.h>

struct listener {
    struct address address; /* with the port that it was given, if it was 0 */
    int *sockets;           /* one for each loop */
    struct stat file;       /* of a UNIX socket */
};

struct listeners {
    struct listener all[ADDRESSES_MAX];
    size_t count, loops;
};

/* Opens non-blocking sockets that listen on the addresses. More than one loop shares a port with the others
 * (SO_REUSEPORT), which is refused if another process listens there already. A UNIX socket gets the permissions `mode`;
 * a file that is left from a server that has ended is replaced. 0, or -1 with errno set, nothing opened and the address
 * in question in *failed. */
int listeners_open(struct listeners *listeners, const struct addresses *addresses, size_t loops, mode_t mode,
                   struct address *failed);

/* The sockets of one loop, which closes them itself. Returns how many. */
size_t listeners_of_loop(const struct listeners *listeners, size_t loop, int sockets[ADDRESSES_MAX]);

/* From now on no new connections are established; those already established wait to be accepted as before. */
void listeners_refuse_new(const struct listeners *listeners);

/* Closes the sockets of the loops from `first` on, and removes the files of the UNIX sockets. */
void listeners_close(struct listeners *listeners, size_t first);

#endif
