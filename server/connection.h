/* The connections of a loop: the client at the other end, what each waits for, and since when. On the loop's thread. */
#ifndef SERVER_CONNECTION_H
#define SERVER_CONNECTION_H

#include "client.h"
#include "loop.h"

enum connection_phase {
    CONNECTION_IDLE,    /* waits for a request's head, or the rest of it */
    CONNECTION_BODY,    /* receives a request's body */
    CONNECTION_WORKING, /* the request is being computed */
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
    bool is_loopback; /* accepted by a listener that only this machine can reach */
    /* Of the head that is being received: a copy of its target, which may be NULL, its address in the daemon's memory,
     * and its length; NULL before the request line has arrived. */
    struct {
        char *text;
        const char *at;
        size_t length;
    } target;
    enum metrics_closed reason; /* why it ended, as far as that is known */
    bool is_closing;            /* shut down, but not yet closed by the daemon */
    bool lingers;
    uint64_t since;      /* ms: the phase began */
    uint64_t head_began; /* ms: when the first bytes of a head were noticed; 0: none were */
    uint64_t body_bytes; /* of the request, that have arrived */
    struct {
        bool is_set;
        uint64_t at, bytes; /* ms; bytes that had been sent or received by then */
    } mark;
    uint64_t due; /* ms: the next check of its progress */
    TAILQ_ENTRY(connection) in_all, in_idle, in_heads;
};

void connections_init(struct connections *connections);

/* A connection that is counted for its client and about to be given to the daemon. NULL if memory is short; the caller
 * keeps the reference to the client then. */
struct connection *connection_new(struct loop *loop, int fd, const struct peer *peer, struct client *client);

/* The daemon has started one of the arriving connections. */
struct connection *connections_started(struct connections *connections, struct MHD_Connection *daemon_side);

/* The daemon has run: closes the connections that it has not started. */
void connections_drop_unstarted(struct connections *connections);

/* The daemon has closed the connection, or refused it. */
void connection_free(struct connection *connection);

/* The daemon's socket context. */
struct connection *connection_of(struct MHD_Connection *daemon_side);

/* The request line has arrived, with this target; and the head is complete, and its reader owns the target's text. */
void connection_note_target(struct connection *connection, const char *target);
void connection_clear_target(struct connection *connection);

/* Sets what the connection waits for. */
void connection_set_phase(struct connection *connection, enum connection_phase phase);

/* Suspends the connection, before any worker is given its request; and resumes it, once, in the phase it was in before.
 */
void connection_suspend(struct connection *connection);
void connection_resume(struct connection *connection);

/* Shuts the connection down; the daemon closes it when it runs next. */
void connection_close(struct connection *connection, enum metrics_closed reason);

/* From now on discards what the client sends, independently of the daemon, as linger.h says. False if that is not
 * possible. */
bool connection_linger(struct connection *connection);

/* Milliseconds between two checks of a connection's progress. */
uint64_t connection_check_interval_ms(const struct config *config);

/* The clock of a connection's times. */
uint64_t connection_clock_ms(void);

/* Closes up to `max` of the connections that have been idle longest: those of `client`, or, if it is NULL, of the
 * client with the most connections. Returns how many. */
size_t connections_evict(struct connections *connections, const struct client *client, size_t max);

#endif
