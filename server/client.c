#define _GNU_SOURCE /* struct ucred */
#include "client.h"
#include "entropy.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { BUCKET_BITS = 12 };

struct client {
    struct clients *clients;
    struct client *next; /* in its bucket */
    uint64_t key;
    int kind;
    size_t references; /* under the table's lock */
    atomic_size_t counts[CLIENT_SHARE_COUNT];
    struct scheduler_queue queue;
};

struct clients {
    pthread_mutex_t lock;
    uint64_t salt; /* so that addresses in one bucket cannot be chosen */
    uint64_t max[CLIENT_SHARE_COUNT];
    struct client *buckets[1 << BUCKET_BITS];
};

struct clients *clients_new(const uint64_t max[CLIENT_SHARE_COUNT])
{
    struct clients *clients = calloc(1, sizeof *clients);
    if (clients == NULL)
        return NULL;
    pthread_mutex_init(&clients->lock, NULL);
    clients->salt = entropy_bits() | 1;
    memcpy(clients->max, max, sizeof clients->max);
    return clients;
}

void clients_free(struct clients *clients)
{
    if (clients == NULL)
        return;
    pthread_mutex_destroy(&clients->lock);
    free(clients);
}

/* ---- Peers ---- */

static void set_ipv4(struct peer *peer, const void *address, in_port_t port)
{
    char text[INET_ADDRSTRLEN];
    uint32_t bytes;
    memcpy(&bytes, address, sizeof bytes);
    peer->kind = PEER_IPV4;
    peer->key = bytes;
    inet_ntop(AF_INET, address, text, sizeof text);
    snprintf(peer->name, sizeof peer->name, "%s:%u", text, ntohs(port));
}

/* A host with one IPv6 address usually has its whole /64. */
static void set_ipv6(struct peer *peer, const struct sockaddr_in6 *address)
{
    char text[INET6_ADDRSTRLEN];
    if (IN6_IS_ADDR_V4MAPPED(&address->sin6_addr)) {
        set_ipv4(peer, &address->sin6_addr.s6_addr[12], address->sin6_port);
        return;
    }
    peer->kind = PEER_IPV6;
    memcpy(&peer->key, &address->sin6_addr, sizeof peer->key);
    inet_ntop(AF_INET6, &address->sin6_addr, text, sizeof text);
    snprintf(peer->name, sizeof peer->name, "[%s]:%u", text, ntohs(address->sin6_port));
}

static void set_unix(struct peer *peer, int fd)
{
    struct ucred credentials = {.uid = (uid_t)-1};
    socklen_t length = sizeof credentials;
    getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &credentials, &length);
    peer->kind = PEER_UNIX;
    peer->key = credentials.uid;
    snprintf(peer->name, sizeof peer->name, "unix:uid=%u", (unsigned)credentials.uid);
}

void peer_read(struct peer *peer, int fd, const struct sockaddr_storage *address)
{
    *peer = (struct peer){.kind = PEER_OTHER};
    if (address->ss_family == AF_INET) {
        const struct sockaddr_in *ipv4 = (const struct sockaddr_in *)address;
        set_ipv4(peer, &ipv4->sin_addr, ipv4->sin_port);
    } else if (address->ss_family == AF_INET6) {
        set_ipv6(peer, (const struct sockaddr_in6 *)address);
    } else if (address->ss_family == AF_UNIX) {
        set_unix(peer, fd);
    }
}

/* ---- The table ---- */

static struct client **bucket_of(struct clients *clients, uint64_t key)
{
    uint64_t hash = (key ^ clients->salt >> 1) * clients->salt;
    hash = (hash ^ hash >> 32) * clients->salt;
    return &clients->buckets[hash >> (64 - BUCKET_BITS)];
}

static struct client *find(struct client *client, const struct peer *peer)
{
    while (client != NULL && (client->key != peer->key || client->kind != (int)peer->kind))
        client = client->next;
    return client;
}

static struct client *add(struct clients *clients, struct client **bucket, const struct peer *peer)
{
    struct client *client = calloc(1, sizeof *client);
    if (client == NULL)
        return NULL;
    client->clients = clients;
    client->key = peer->key;
    client->kind = (int)peer->kind;
    client->next = *bucket;
    *bucket = client;
    return client;
}

struct client *client_of_peer(struct clients *clients, const struct peer *peer)
{
    struct client **bucket = bucket_of(clients, peer->key);
    pthread_mutex_lock(&clients->lock);
    struct client *client = find(*bucket, peer);
    if (client == NULL)
        client = add(clients, bucket, peer);
    if (client != NULL)
        client->references++;
    pthread_mutex_unlock(&clients->lock);
    return client;
}

void client_release(struct client *client)
{
    struct clients *clients = client->clients;
    pthread_mutex_lock(&clients->lock);
    const bool is_last = --client->references == 0;
    if (is_last) {
        struct client **link = bucket_of(clients, client->key);
        while (*link != client)
            link = &(*link)->next;
        *link = client->next;
    }
    pthread_mutex_unlock(&clients->lock);
    if (is_last)
        free(client);
}

/* ---- Shares ---- */

bool client_admit(struct client *client, enum client_share share)
{
    if (atomic_fetch_add_explicit(&client->counts[share], 1, memory_order_relaxed) < client->clients->max[share])
        return true;
    client_leave(client, share);
    return false;
}

void client_add(struct client *client, enum client_share share)
{
    atomic_fetch_add_explicit(&client->counts[share], 1, memory_order_relaxed);
}

void client_leave(struct client *client, enum client_share share)
{
    atomic_fetch_sub_explicit(&client->counts[share], 1, memory_order_relaxed);
}

struct scheduler_queue *client_queue(struct client *client)
{
    return &client->queue;
}

size_t client_count(const struct client *client, enum client_share share)
{
    return atomic_load_explicit(&client->counts[share], memory_order_relaxed);
}
