#include "sweep.h"
#include "connection.h"
#include "fields.h"
#include "socket.h"

enum {
    CLOCK_SLACK_MS = 20,           /* of the kernel's coarse clock */
    UNIX_BLOCK_BYTES = 256 * 1024, /* a UNIX socket reports only whole blocks as read */
};

/* ---- Heads ---- */

/* An incomplete head that would be refused as too large anyway: for each further byte the daemon scans its whole line.
 */
static bool is_too_large(const struct connection *connection, const struct socket_tcp *tcp)
{
    return !connection->had_request && tcp->received > FIELDS_MAX_HEAD_BYTES && !socket_has_input(connection->fd);
}

/* Notes whether bytes have arrived since the last request. */
static void check_tcp(struct connection *connection, uint64_t now)
{
    struct socket_tcp tcp;
    if (connection->is_unix || !socket_tcp(connection->fd, &tcp))
        return;
    const bool has_sent = connection->had_request ? tcp.silent_ms + CLOCK_SLACK_MS < now - connection->since
                                                  : tcp.received > 0;
    if (has_sent && connection->head_began == 0)
        connection->head_began = now;
    if (tcp.peer_has_closed && !socket_has_input(connection->fd)) /* 0.9.75 may miss it in the middle of a head */
        connection_close(connection, CLOSED_BY_CLIENT);
    else if (is_too_large(connection, &tcp))
        connection_close(connection, CLOSED_HEAD_TOO_LARGE);
}

/* The daemon closes silent connections: one that is still open without a request has sent single bytes. */
static bool is_idle_too_long(const struct connection *connection, uint64_t now)
{
    const struct config *config = &connection->loop->server->config;
    return now - connection->since >= (config->idle_timeout_s + config->head_timeout_s) * 1000;
}

/* Input that is still unread is not the client's delay. */
static void check_head(struct connection *connection, uint64_t now)
{
    const uint64_t timeout_ms = connection->loop->server->config.head_timeout_s * 1000;
    check_tcp(connection, now);
    if (connection->target.at != NULL && connection->head_began == 0) /* all that is known for UNIX sockets */
        connection->head_began = now;
    const bool late = connection->head_began != 0 && now - connection->head_began >= timeout_ms;
    if (!connection->is_closing && (late || is_idle_too_long(connection, now)) && !socket_has_input(connection->fd))
        connection_close(connection, CLOSED_HEAD_TIMEOUT);
}

/* ---- Rates ---- */

/* Whether too few bytes have moved since the mark; otherwise the mark moves on. */
static bool is_slow(struct connection *connection, uint64_t bytes, uint64_t now)
{
    const struct config *config = &connection->loop->server->config;
    const uint64_t elapsed = now - connection->mark.at;
    if (connection->mark.is_set && elapsed < config->min_rate_grace_s * 1000)
        return false;
    const bool slow = connection->mark.is_set &&
                      (bytes - connection->mark.bytes) * 1000 < config->min_rate_bytes_per_s * elapsed;
    connection->mark.is_set = true;
    connection->mark.at = now;
    connection->mark.bytes = bytes;
    return slow;
}

static void check_body(struct connection *connection, uint64_t now)
{
    if (is_slow(connection, connection->body_bytes, now) && !socket_has_input(connection->fd))
        connection_close(connection, CLOSED_SLOW_BODY);
}

/* A socket with nothing to send waits for the server, not for the client. */
static void check_tcp_reader(struct connection *connection, uint64_t now)
{
    struct socket_tcp tcp;
    if (!socket_tcp(connection->fd, &tcp))
        return;
    if (!tcp.has_unsent)
        connection->mark.is_set = false;
    else if (is_slow(connection, tcp.acknowledged, now))
        connection_close(connection, CLOSED_SLOW_READER);
}

static void check_unix_reader(struct connection *connection, uint64_t now)
{
    const struct config *config = &connection->loop->server->config;
    const uint64_t unread = socket_unread(connection->fd), block_s = UNIX_BLOCK_BYTES / config->min_rate_bytes_per_s;
    if (unread == 0) {
        connection->mark.is_set = false;
    } else if (!connection->mark.is_set || connection->mark.bytes != unread) {
        connection->mark.is_set = true;
        connection->mark.at = now;
        connection->mark.bytes = unread;
    } else if (now - connection->mark.at >= (config->min_rate_grace_s + block_s) * 1000) {
        connection_close(connection, CLOSED_SLOW_READER);
    }
}

/* ---- All of them ---- */

static void check(struct connection *connection, uint64_t now)
{
    const bool has_rate = connection->loop->server->config.min_rate_bytes_per_s > 0;
    if (connection->is_closing || now < connection->since)
        return;
    if (connection->phase == CONNECTION_IDLE)
        check_head(connection, now);
    else if (connection->phase == CONNECTION_BODY && has_rate)
        check_body(connection, now);
    else if (connection->phase == CONNECTION_SENDING && has_rate)
        (connection->is_unix ? check_unix_reader : check_tcp_reader)(connection, now);
}

void sweep(struct loop *loop)
{
    struct connection_list *all = &loop->connections.all;
    const uint64_t now = connection_clock_ms();
    struct connection *connection;
    while ((connection = TAILQ_FIRST(all)) != NULL && connection->due <= now) {
        check(connection, now);
        connection->due = now + connection_check_interval_ms(&loop->server->config);
        TAILQ_REMOVE(all, connection, in_all);
        TAILQ_INSERT_TAIL(all, connection, in_all);
    }
}
