/* Loops that share their listening addresses. */
#ifndef SERVER_LOOPS_H
#define SERVER_LOOPS_H

#include "listener.h"
#include "loop.h"

struct loops {
    struct loop *all;
    size_t count;
    struct listeners listeners;
};

struct loops_plan {
    const char *flag; /* which says where to listen */
    const struct addresses *addresses;
    size_t count;            /* of loops */
    size_t most_connections; /* of each */
    bool is_admin;
};

/* Starts them. 0, or -1 after a line on standard error that says why not. */
int loops_start(struct loops *loops, struct server *server, const struct loops_plan *plan);

/* Logs where they listen: "`what` on http://127.0.0.1:8080". */
void loops_announce(const struct loops *loops, const char *what, struct log *log);

/* Lets nobody new in, waits until what was begun is finished, and frees what they hold. */
void loops_end(struct loops *loops);

#endif
