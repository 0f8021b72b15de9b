#define _GNU_SOURCE /* accept4 */
#include "acceptor.h"
#include "connection.h"
#include "direct.h"

#include <errno.h>
#include <poll.h>
#include <unistd.h>

enum {
    ACCEPTS_PER_TURN = 32, /* so that open connections are served in between */
    QUIET_MS = 100,
    PLACES_PER_SPARE = 64, /* one place in this many is kept free */
};

/* ---- Watching ---- */

static void on_client(uv_poll_t *handle, int status, int events);

static void pause_watching(struct acceptor *acceptor)
{
    for (size_t i = 0; i < acceptor->count; i++)
        uv_poll_stop(&acceptor->sockets[i].poll);
    acceptor->is_watching = false;
}

void acceptor_resume(struct acceptor *acceptor)
{
    if (acceptor->is_watching || acceptor->is_closed)
        return;
    for (size_t i = 0; i < acceptor->count; i++)
        uv_poll_start(&acceptor->sockets[i].poll, UV_READABLE, on_client);
    acceptor->is_watching = true;
}

/* ---- Making room ---- */

/* Places that are free, or will be after the daemon has run next. */
static size_t free_places(const struct acceptor *acceptor)
{
    const struct connections *connections = &acceptor->loop->connections;
    return acceptor->places - connections->count + connections->closing;
}

/* Closes several at once, since finding them takes a scan of all. */
static void make_room(struct acceptor *acceptor)
{
    const size_t headroom = acceptor->places / PLACES_PER_SPARE;
    connections_evict(&acceptor->loop->connections, NULL, headroom > 0 ? headroom : 1);
}

static bool has_waiting(const struct listening *listening)
{
    return poll(&(struct pollfd){.fd = listening->fd, .events = POLLIN}, 1, 0) == 1;
}

/* Whether a connection may be accepted now; otherwise all are busy, or the idle ones are about to be closed. */
static bool has_place(const struct listening *listening)
{
    struct acceptor *acceptor = listening->acceptor;
    if (free_places(acceptor) <= acceptor->places / PLACES_PER_SPARE && has_waiting(listening))
        make_room(acceptor);
    return acceptor->loop->connections.count < acceptor->places;
}

/* ---- Accepting ---- */

/* The daemon closes a socket that it does not take; it may have started and ended the connection in between. */
static void give_to_daemon(struct loop *loop, struct connection *connection, const struct sockaddr_storage *address,
                           socklen_t length)
{
    const struct connections *connections = &loop->connections;
    if (MHD_add_connection(loop->daemon, connection->fd, (const struct sockaddr *)address, length) != MHD_YES &&
        TAILQ_LAST(&connections->arriving, connection_list) == connection)
        connection_free(connection);
    loop->last_active = uv_now(&loop->uv);
    loop->pump_wanted = true;
}

/* A client at its limit loses an idle connection in exchange for the new one, if it has an idle one. Connections of the
 * admin listener are not counted. */
static bool is_allowed(struct loop *loop, struct client *client)
{
    if (loop->is_admin || client_admit(client, CLIENT_CONNECTIONS))
        return true;
    if (connections_evict(&loop->connections, client, 1) == 0)
        return false;
    client_add(client, CLIENT_CONNECTIONS);
    return true;
}

/* What the client has sent already is read: closing a socket with unread bytes resets it, and the answer would be lost.
 */
static void refuse(struct loop *loop, int fd, enum metrics_closed reason)
{
    char request[4096];
    metrics_count(loop->server->metrics, METRIC_CLOSED, reason);
    if (reason == CLOSED_CLIENT_LIMIT)
        direct_problem(fd, NULL, API_OVERLOADED, "the client has too many connections (--max-client-connections)");
    else
        direct_problem(fd, NULL, API_OUT_OF_MEMORY, "no memory for the connection");
    while (recv(fd, request, sizeof request, MSG_DONTWAIT) == (ssize_t)sizeof request)
        continue;
    close(fd);
}

static void admit(const struct listening *listening, int fd, const struct sockaddr_storage *address, socklen_t length)
{
    struct loop *loop = listening->acceptor->loop;
    struct peer peer;
    peer_read(&peer, fd, address);
    struct client *client = client_of_peer(loop->server->clients, &peer);
    const bool allowed = client != NULL && is_allowed(loop, client);
    struct connection *connection = allowed ? connection_new(loop, fd, &peer, client) : NULL;
    if (connection != NULL) {
        connection->is_loopback = listening->is_loopback;
        give_to_daemon(loop, connection, address, length);
        return;
    }
    if (allowed && !loop->is_admin)
        client_leave(client, CLIENT_CONNECTIONS);
    if (client != NULL)
        client_release(client);
    refuse(loop, fd, client != NULL && !allowed ? CLOSED_CLIENT_LIMIT : CLOSED_NO_MEMORY);
}

/* False if no more can be accepted now. */
static bool accept_one(struct listening *listening)
{
    struct acceptor *acceptor = listening->acceptor;
    struct sockaddr_storage address = {.ss_family = AF_UNSPEC};
    socklen_t length = sizeof address;
    if (!has_place(listening)) {
        pause_watching(acceptor);
        return false;
    }
    const int fd = accept4(listening->fd, (struct sockaddr *)&address, &length, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (fd >= 0) {
        acceptor->last_accepted = uv_now(&acceptor->loop->uv);
        admit(listening, fd, &address, length);
        return true;
    }
    if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM) {
        make_room(acceptor);
        pause_watching(acceptor);
        return false;
    }
    return errno == EINTR || errno == ECONNABORTED;
}

static void on_client(uv_poll_t *handle, int status, int events)
{
    (void)status;
    (void)events;
    for (int i = 0; i < ACCEPTS_PER_TURN && accept_one(handle->data); i++)
        continue;
}

/* ---- Beginning and end ---- */

void acceptor_start(struct acceptor *acceptor, struct loop *loop, const int *sockets, size_t count, size_t places)
{
    *acceptor = (struct acceptor){.loop = loop, .count = count, .places = places};
    for (size_t i = 0; i < count; i++) {
        struct listening *listening = &acceptor->sockets[i];
        listening->acceptor = acceptor;
        listening->fd = sockets[i];
        struct address address;
        listening->is_loopback = address_of_socket(sockets[i], &address) && address_is_loopback(&address);
        uv_poll_init(&loop->uv, &listening->poll, sockets[i]);
        listening->poll.data = listening;
    }
    acceptor_resume(acceptor);
}

bool acceptor_is_quiet(const struct acceptor *acceptor)
{
    if (uv_now(&acceptor->loop->uv) - acceptor->last_accepted < QUIET_MS)
        return false;
    for (size_t i = 0; i < acceptor->count; i++)
        if (has_waiting(&acceptor->sockets[i]))
            return false;
    return true;
}

static void close_socket(uv_handle_t *handle)
{
    close(((struct listening *)handle->data)->fd);
}

void acceptor_close(struct acceptor *acceptor)
{
    if (acceptor->is_closed)
        return;
    pause_watching(acceptor);
    for (size_t i = 0; i < acceptor->count; i++)
        uv_close((uv_handle_t *)&acceptor->sockets[i].poll, close_socket);
    acceptor->is_closed = true;
}
