/* The connections of a loop: who is at the other end, what each of them waits for, and since when. On the loop's
 * thread.
 */
#ifndef SERVER_CONNECTION_H
#define SERVER_CONNECTION_H

#include "client.h"
#include "loop.h"

enum connection_phase {
    CONNECTION_IDLE,    /* waits for a request's head, or the rest of it */
    CONNECTION_BODY,    /* takes a request's body */
    CONNECTION_WORKING, /* the client has nothing to do but to wait */
    CONNECTION_SENDING, /* an answer is sent */
    CONNECTION_PHASE_COUNT
};

struct connection {
    struct loop *loop;
    struct MHD_Connection *daemon_side; /* NULL before it has started */
    int fd;                             /* the daemon's to close */
    struct client *client;
    char peer[64]; /* "127.0.0.1:4711", "unix:uid=1000" */
    bool is_unix;
    bool had_request;
    enum connection_phase phase, suspended_phase;
    bool is_loopback; /* came by a listener that only this machine can reach */
    /* Of the head that is coming: a copy of its target, which may be NULL, and where in the daemon's memory that is and
     * how long; NULL before its request line has come. */
    struct {
        char *text;
        const char *at;
        size_t length;
    } target;
    enum metrics_closed reason; /* of its end, as far as it is known */
    bool is_closing;            /* shut down; the daemon has not noticed yet */
    bool lingers;
    uint64_t since;      /* ms: the phase began */
    uint64_t head_began; /* ms: that bytes of a head have come was noticed; 0: it was not */
    uint64_t body_bytes; /* of the request, that have arrived */
    struct {
        bool is_set;
        uint64_t at, bytes; /* ms; so much had come or gone by then */
    } mark;
    uint64_t due; /* ms: the next check of its progress */
    TAILQ_ENTRY(connection) in_all, in_idle, in_heads;
};

void connections_init(struct connections *connections);

/* A connection that its client has been allowed, and that is about to be given to the daemon. NULL if memory is short;
 * the client stays the caller's then. */
struct connection *connection_new(struct loop *loop, int fd, const struct peer *peer, struct client *client);

/* The daemon has started one of those that arrive. */
struct connection *connections_started(struct connections *connections, struct MHD_Connection *daemon_side);

/* The daemon has had its turn: what it has not started is closed. */
void connections_drop_unstarted(struct connections *connections);

/* The daemon has closed it, or not taken it. */
void connection_free(struct connection *connection);

/* The daemon's socket context. */
struct connection *connection_of(struct MHD_Connection *daemon_side);

/* A request line has come, with this target; and the request's head is whole, which has taken over the target's text.
 */
void connection_note_target(struct connection *connection, const char *target);
void connection_clear_target(struct connection *connection);

/* What the connection waits for from now on. */
void connection_set_phase(struct connection *connection, enum connection_phase phase);

/* It waits for a worker, and is suspended before that is given anything; then it goes on with what it did before, and
 * must be resumed once. */
void connection_suspend(struct connection *connection);
void connection_resume(struct connection *connection);

/* Cuts the connection off; the daemon closes it at its next turn. */
void connection_close(struct connection *connection, enum metrics_closed reason);

/* What its client still sends is dropped from now on, beside the daemon, until linger.h says that it ends. False where
 * that cannot be. */
bool connection_linger(struct connection *connection);

/* How long after one check of a connection's progress the next is due. */
uint64_t connection_check_interval_ms(const struct config *config);

/* The clock of a connection's times. */
uint64_t connection_clock_ms(void);

/* Closes up to `most` of those that have been idle longest, of the client that has the most connections; of `client`,
 * if it is not NULL. How many. */
size_t connections_evict(struct connections *connections, const struct client *client, size_t most);

#endif
