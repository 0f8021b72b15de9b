/* The clients that connections belong to: all connections from one IPv4 address, one IPv6 /64 or one UNIX user share a
 * client, on all loops, and so the limits for one client. Thread-safe. */
#ifndef SERVER_CLIENT_H
#define SERVER_CLIENT_H

#include "scheduler.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

/* What is counted and limited for each client. */
enum client_share { CLIENT_CONNECTIONS, CLIENT_STREAMS, CLIENT_QUEUED, CLIENT_SHARE_COUNT };

/* The table of clients, which must outlive them. `max`: the limits of each client. NULL if memory is short. */
struct clients;
struct clients *clients_new(const uint64_t max[CLIENT_SHARE_COUNT]);
void clients_free(struct clients *clients);

/* The remote end of a connection. */
struct peer {
    uint64_t key; /* the same for all connections of a client */
    enum { PEER_IPV4, PEER_IPV6, PEER_UNIX, PEER_OTHER } kind;
    char name[64]; /* "127.0.0.1:4711", "[::1]:4711" or "unix:uid=1000" */
};

/* Identifies a connection's remote end. `address` is what accept returned for it. */
void peer_read(struct peer *peer, int fd, const struct sockaddr_storage *address);

struct client;

/* The peer's client, with a reference that is the caller's. NULL if memory is short. */
struct client *client_of_peer(struct clients *clients, const struct peer *peer);

/* Gives a reference back. */
void client_release(struct client *client);

/* Counts one more; false, and nothing is counted, if the client is at its limit. Each one admitted leaves once. */
bool client_admit(struct client *client, enum client_share share);
void client_add(struct client *client, enum client_share share); /* beyond the limit too */
void client_leave(struct client *client, enum client_share share);

/* Its queue in the scheduler. */
struct scheduler_queue *client_queue(struct client *client);

size_t client_count(const struct client *client, enum client_share share);

#endif
