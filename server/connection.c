#include "connection.h"
#include "direct.h"
#include "linger.h"
#include "socket.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A connection that has just become idle may be about to send a request: it cannot be evicted for this long, or for a
 * shorter time in favour of a new connection of the same client. */
enum { MIN_IDLE_MS = 100, MIN_IDLE_OWN_MS = 10 };

enum { CHECKS_PER_TIMEOUT = 4 };

uint64_t connection_clock_ms(void)
{
    return uv_hrtime() / 1000000;
}

/* ---- One connection ---- */

/* So that a timeout is noticed at most a quarter of it late. */
uint64_t connection_check_interval_ms(const struct config *config)
{
    const uint64_t head = config->head_timeout_s, grace = config->min_rate_grace_s;
    return (head < grace ? head : grace) * 1000 / CHECKS_PER_TIMEOUT;
}

void connections_init(struct connections *connections)
{
    TAILQ_INIT(&connections->arriving);
    TAILQ_INIT(&connections->all);
    TAILQ_INIT(&connections->idle);
    TAILQ_INIT(&connections->heads);
    connections->count = connections->closing = 0;
}

struct connection *connection_new(struct loop *loop, int fd, const struct peer *peer, struct client *client)
{
    struct connections *connections = &loop->connections;
    struct connection *connection = calloc(1, sizeof *connection);
    if (connection == NULL)
        return NULL;
    connection->loop = loop;
    connection->fd = fd;
    connection->client = client;
    connection->is_unix = peer->kind == PEER_UNIX;
    connection->since = connection_clock_ms();
    connection->due = connection->since + connection_check_interval_ms(&loop->server->config);
    snprintf(connection->peer, sizeof connection->peer, "%s", peer->name);
    TAILQ_INSERT_TAIL(&connections->arriving, connection, in_all);
    connections->count++;
    return connection;
}

/* 0.9.75 starts a connection at once, 1.0 at its next turn. */
struct connection *connections_started(struct connections *connections, struct MHD_Connection *daemon_side)
{
    const int fd = MHD_get_connection_info(daemon_side, MHD_CONNECTION_INFO_CONNECTION_FD)->connect_fd;
    struct connection *connection = TAILQ_FIRST(&connections->arriving);
    while (connection->fd != fd)
        connection = TAILQ_NEXT(connection, in_all);
    connection->daemon_side = daemon_side;
    TAILQ_REMOVE(&connections->arriving, connection, in_all);
    TAILQ_INSERT_TAIL(&connections->all, connection, in_all);
    TAILQ_INSERT_TAIL(&connections->idle, connection, in_idle);
    return connection;
}

void connections_drop_unstarted(struct connections *connections)
{
    while (!TAILQ_EMPTY(&connections->arriving))
        connection_free(TAILQ_FIRST(&connections->arriving));
}

static bool is_idle(const struct connection *connection)
{
    return connection->phase == CONNECTION_IDLE && !connection->is_closing;
}

/* For a UNIX socket it is unknown which side has closed. */
static bool peer_has_closed(const struct connection *connection)
{
    struct socket_tcp tcp;
    return connection->is_unix || !socket_tcp(connection->fd, &tcp) || tcp.peer_has_closed;
}

/* The daemon gives no reason for what it closes itself. */
static enum metrics_closed reason_of(const struct connection *connection)
{
    const struct loop *loop = connection->loop;
    if (connection->reason != CLOSED_BY_CLIENT)
        return connection->reason;
    if (connection->daemon_side == NULL)
        return CLOSED_NO_MEMORY;
    if (loop->is_stopping)
        return CLOSED_DRAINING;
    if (!is_idle(connection) || peer_has_closed(connection))
        return CLOSED_BY_CLIENT;
    if (connection_clock_ms() - connection->since >= loop->server->config.idle_timeout_s * 1000)
        return CLOSED_IDLE;
    return connection->had_request ? CLOSED_ANSWERED : CLOSED_MALFORMED;
}

bool connection_linger(struct connection *connection)
{
    if (!connection->lingers)
        connection->lingers = linger_start(connection->loop, connection->fd, connection->is_unix);
    return connection->lingers;
}

/* Closing a socket with unread bytes resets it, and the client may never read the last answer. */
static void end_sending(struct connection *connection)
{
    if (connection->reason != CLOSED_SLOW_READER && socket_has_input(connection->fd))
        connection_linger(connection);
    shutdown(connection->fd, SHUT_WR); /* closing would not send a FIN where the socket lingers */
}

void connection_free(struct connection *connection)
{
    struct connections *connections = &connection->loop->connections;
    metrics_count(connection->loop->server->metrics, METRIC_CLOSED, reason_of(connection));
    const bool started = connection->daemon_side != NULL;
    if (started)
        end_sending(connection);
    TAILQ_REMOVE(started ? &connections->all : &connections->arriving, connection, in_all);
    if (started && is_idle(connection))
        TAILQ_REMOVE(&connections->idle, connection, in_idle);
    connections->count--;
    free(connection->target.text);
    connection_clear_target(connection);
    connections->closing -= connection->is_closing;
    if (!connection->loop->is_admin)
        client_leave(connection->client, CLIENT_CONNECTIONS);
    client_release(connection->client);
    free(connection);
}

struct connection *connection_of(struct MHD_Connection *daemon_side)
{
    return MHD_get_connection_info(daemon_side, MHD_CONNECTION_INFO_SOCKET_CONTEXT)->socket_context;
}

void connection_note_target(struct connection *connection, const char *target)
{
    connection->target.text = strdup(target);
    connection->target.at = target;
    connection->target.length = strlen(target);
    TAILQ_INSERT_TAIL(&connection->loop->connections.heads, connection, in_heads);
}

void connection_clear_target(struct connection *connection)
{
    if (connection->target.at != NULL)
        TAILQ_REMOVE(&connection->loop->connections.heads, connection, in_heads);
    memset(&connection->target, 0, sizeof connection->target);
}

/* ---- Phases ---- */

void connection_set_phase(struct connection *connection, enum connection_phase phase)
{
    struct connection_list *idle = &connection->loop->connections.idle;
    if (connection->is_closing)
        return;
    if (connection->phase == CONNECTION_IDLE)
        TAILQ_REMOVE(idle, connection, in_idle);
    if (phase == CONNECTION_IDLE)
        TAILQ_INSERT_TAIL(idle, connection, in_idle);
    connection->phase = phase;
    connection->since = connection_clock_ms();
    connection->had_request = true;
    connection->head_began = connection->body_bytes = 0;
    connection->mark.is_set = false;
}

void connection_suspend(struct connection *connection)
{
    connection->loop->suspended++;
    connection->suspended_phase = connection->phase;
    connection_set_phase(connection, CONNECTION_WORKING);
    MHD_suspend_connection(connection->daemon_side);
}

void connection_resume(struct connection *connection)
{
    connection->loop->suspended--;
    connection_set_phase(connection, connection->suspended_phase);
    MHD_resume_connection(connection->daemon_side);
    connection->loop->pump_wanted = true;
}

/* ---- Cutting off ---- */

/* In these phases no part of an answer has been sent. */
static void send_reason(const struct connection *connection, enum metrics_closed reason)
{
    if (reason == CLOSED_HEAD_TIMEOUT)
        direct_problem(connection->fd, connection->target.text, API_TOO_SLOW,
                       "the head did not arrive in time (--head-timeout-s)");
    else if (reason == CLOSED_SLOW_BODY)
        direct_problem(connection->fd, connection->target.text, API_TOO_SLOW,
                       "the body arrives too slowly (--min-rate-bytes-per-s)");
    else if (reason == CLOSED_HEAD_TOO_LARGE)
        direct_problem(connection->fd, connection->target.text, API_HEAD_TOO_LARGE, "the head is too large");
}

/* What the client has not read is discarded instead of staying in the kernel's buffer. */
static void discard_unsent(const struct connection *connection)
{
    const struct linger at_once = {.l_onoff = 1};
    setsockopt(connection->fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
}

void connection_close(struct connection *connection, enum metrics_closed reason)
{
    struct connections *connections = &connection->loop->connections;
    if (is_idle(connection))
        TAILQ_REMOVE(&connections->idle, connection, in_idle);
    connections->closing += !connection->is_closing;
    connection->is_closing = true;
    connection->reason = reason;
    send_reason(connection, reason);
    if (reason == CLOSED_SLOW_READER)
        discard_unsent(connection);
    shutdown(connection->fd, SHUT_RDWR);
    if (reason != CLOSED_BY_CLIENT)
        log_message(connection->loop->server->log, LOG_INFO, "closed the connection of %s: %s", connection->peer,
                    metrics_closed_name(reason));
}

/* ---- Making room ---- */

/* The list is ordered by age: after the first connection that is newer than `before` all are. */
static bool is_older(const struct connection *connection, uint64_t before)
{
    return connection != NULL && connection->since <= before;
}

static const struct client *largest_client(const struct connections *connections, uint64_t before)
{
    const struct client *largest = NULL;
    size_t max = 0;
    const struct connection *connection = TAILQ_FIRST(&connections->idle);
    for (; is_older(connection, before); connection = TAILQ_NEXT(connection, in_idle)) {
        const size_t count = client_count(connection->client, CLIENT_CONNECTIONS);
        if (count > max) {
            largest = connection->client;
            max = count;
        }
    }
    return largest;
}

size_t connections_evict(struct connections *connections, const struct client *client, size_t max)
{
    const uint64_t before = connection_clock_ms() - (client != NULL ? MIN_IDLE_OWN_MS : MIN_IDLE_MS);
    const enum metrics_closed reason = client != NULL ? CLOSED_CLIENT_LIMIT : CLOSED_EVICTED;
    struct connection *connection = TAILQ_FIRST(&connections->idle), *next;
    size_t evicted = 0;
    if (client == NULL)
        client = largest_client(connections, before);
    for (; is_older(connection, before) && evicted < max; connection = next) {
        next = TAILQ_NEXT(connection, in_idle);
        if (connection->client != client || socket_has_input(connection->fd))
            continue;
        connection_close(connection, reason);
        evicted++;
    }
    return evicted;
}
