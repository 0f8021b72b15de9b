/* Takes clients from a loop's listening sockets, as many as there are places for, and gives them to its daemon. On the
 * loop's thread. */
#ifndef SERVER_ACCEPTOR_H
#define SERVER_ACCEPTOR_H

#include "address.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <uv.h>

struct loop;

struct acceptor {
    struct loop *loop;
    struct listening {
        struct acceptor *acceptor;
        int fd;
        bool is_loopback;
        uv_poll_t poll;
    } sockets[ADDRESSES_MOST];
    size_t count;
    size_t places; /* for connections */
    bool is_watching;
    bool is_closed;
    uint64_t last_accepted; /* ms, uv_now */
};

/* Begins to watch `count` listening sockets, which are its own from then on. */
void acceptor_start(struct acceptor *acceptor, struct loop *loop, const int *sockets, size_t count, size_t places);

/* There may be room again: a connection has ended, or time has gone by. */
void acceptor_resume(struct acceptor *acceptor);

/* Whether nobody has come for some time and nobody waits. */
bool acceptor_is_quiet(const struct acceptor *acceptor);

void acceptor_close(struct acceptor *acceptor);

#endif
