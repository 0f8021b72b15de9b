#define _GNU_SOURCE
#include "crowd.h"
#include "lib/random.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum {
    DEPTH = 4,
    HEAD_BYTES = 1024,
    BUFFER_BYTES = 256 * 1024,
    EVENTS = 256,
    KILL_ONCE_IN = 60,  /* batches */
    GRACE_SECONDS = 15, /* for the last answers */
};

const char *const crowd_end_names[CROWD_END_COUNT] = {
    [CROWD_STAYS] = "stayed",
    [CROWD_RESETS] = "reset after their requests",
    [CROWD_CLOSES_IN_BODY] = "closed in a request",
    [CROWD_RESETS_IN_BODY] = "reset in a request",
    [CROWD_FINISHES] = "finished and read on",
    [CROWD_CLOSES_IN_ANSWER] = "closed in an answer",
};

struct request {
    const struct pair *pair;
    const struct wire *wire;
};

struct client {
    int fd; /* -1 where there is none */
    bool waits_to_send;
    enum crowd_end end;
    struct request batch[DEPTH];
    unsigned count, sending, reading; /* of the batch: requests, the one being sent, the one being answered */
    size_t sent;                      /* bytes of the one being sent */
    bool in_body;
    size_t received; /* bytes of the head or the body of the answer */
    char head[HEAD_BYTES];
};

struct crowd {
    const struct crowd_plan *plan;
    struct crowd_results *results;
    struct random random;
    struct client *clients;
    int epoll;
    unsigned open;
    bool over; /* no new batches */
    char *buffer;
};

static double now(void)
{
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (double)time.tv_sec + (double)time.tv_nsec * 1e-9;
}

/* ---- Connections ---- */

static void watch(struct crowd *crowd, struct client *client, int operation)
{
    struct epoll_event event = {.events = EPOLLIN | (client->waits_to_send ? EPOLLOUT : 0), .data.ptr = client};
    if (epoll_ctl(crowd->epoll, operation, client->fd, &event) != 0) {
        perror("epoll_ctl");
        abort();
    }
}

static void wait_to_send(struct crowd *crowd, struct client *client, bool wait)
{
    if (client->waits_to_send == wait)
        return;
    client->waits_to_send = wait;
    watch(crowd, client, EPOLL_CTL_MOD);
}

/* Clients of one address share what the server allows a client. */
static void bind_to_source(int fd, unsigned number)
{
    const struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK + 1 + number)};
    const int on = 1;
    setsockopt(fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &on, sizeof on);
    bind(fd, (const struct sockaddr *)&address, sizeof address);
}

static int connect_to(unsigned port, unsigned source, bool narrow)
{
    const struct sockaddr_in address = {
        .sin_family = AF_INET, .sin_port = htons((uint16_t)port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    const int on = 1, few = 4096;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return -1;
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    if (narrow) /* the server has to send in many pieces */
        setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &few, sizeof few);
    bind_to_source(fd, source);
    if (connect(fd, (const struct sockaddr *)&address, sizeof address) == 0 && fcntl(fd, F_SETFL, O_NONBLOCK) == 0)
        return fd;
    close(fd);
    return -1;
}

static void open_client(struct crowd *crowd, struct client *client)
{
    const unsigned source = (unsigned)(client - crowd->clients) % crowd->plan->sources;
    *client = (struct client){.fd = connect_to(crowd->plan->port, source, random_once_in(&crowd->random, 20))};
    if (client->fd < 0) {
        crowd->results->refused++;
        return;
    }
    crowd->results->opened++;
    crowd->open++;
    if (crowd->open > crowd->results->most_open)
        crowd->results->most_open = crowd->open;
    watch(crowd, client, EPOLL_CTL_ADD);
}

static void close_client(struct crowd *crowd, struct client *client, bool reset)
{
    const struct linger at_once = {.l_onoff = 1};
    if (reset)
        setsockopt(client->fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
    close(client->fd);
    client->fd = -1;
    crowd->open--;
}

/* The client goes as its batch had planned. */
static void leave(struct crowd *crowd, struct client *client)
{
    crowd->results->ends[client->end]++;
    close_client(crowd, client, client->end == CROWD_RESETS || client->end == CROWD_RESETS_IN_BODY);
}

static void on_closed_by_server(struct crowd *crowd, struct client *client)
{
    crowd->results->closed++;
    crowd->results->lost += client->count - client->reading;
    close_client(crowd, client, false);
}

/* ---- Batches ---- */

static bool ends_in_body(const struct client *client)
{
    return client->end == CROWD_CLOSES_IN_BODY || client->end == CROWD_RESETS_IN_BODY;
}

static bool ends_in_answer(const struct client *client)
{
    return client->end == CROWD_FINISHES || client->end == CROWD_CLOSES_IN_ANSWER;
}

static const struct pair *longest_answer(const struct pairs *pairs)
{
    const struct pair *longest = pairs->list;
    for (size_t i = 1; i < pairs->count; i++)
        if (pairs->list[i].length > longest->length)
            longest = &pairs->list[i];
    return longest;
}

static void plan_batch(struct crowd *crowd, struct client *client)
{
    struct random *random = &crowd->random;
    const struct pairs *pairs = crowd->plan->pairs;
    client->count = 1 + (unsigned)random_below(random, DEPTH);
    client->sending = client->reading = 0;
    client->sent = 0;
    for (unsigned i = 0; i < client->count; i++) {
        const struct pair *pair = &pairs->list[random_below(random, pairs->count)];
        client->batch[i] = (struct request){pair, random_once_in(random, 5) ? &pair->chunked : &pair->plain};
    }
    client->end = CROWD_STAYS;
    if (random_once_in(random, KILL_ONCE_IN))
        client->end = 1 + (enum crowd_end)random_below(random, CROWD_END_COUNT - 1);
    if (ends_in_answer(client)) { /* which has to be large enough to have a middle */
        const struct pair *pair = longest_answer(pairs);
        client->batch[client->count - 1] = (struct request){pair, &pair->plain};
    }
}

/* How much of the request being sent goes out. */
static size_t to_send(const struct client *client)
{
    const struct wire *wire = client->batch[client->sending].wire;
    if (ends_in_body(client) && client->sending + 1 == client->count)
        return (wire->head + wire->length) / 2;
    return wire->length;
}

/* Sends what the socket takes. The client may be gone afterwards. */
static void send_batch(struct crowd *crowd, struct client *client)
{
    while (client->sending < client->count) {
        const size_t end = to_send(client);
        const char *bytes = client->batch[client->sending].wire->bytes;
        const ssize_t sent = send(client->fd, bytes + client->sent, end - client->sent, MSG_NOSIGNAL);
        if (sent < 0 && (errno == EAGAIN || errno == EINTR)) {
            wait_to_send(crowd, client, true);
            return;
        }
        if (sent < 0) {
            on_closed_by_server(crowd, client);
            return;
        }
        client->sent += (size_t)sent;
        crowd->results->bytes_sent += (uint64_t)sent;
        if (client->sent < end)
            continue;
        client->sent = 0;
        client->sending++;
        crowd->results->requests += end == client->batch[client->sending - 1].wire->length;
    }
    wait_to_send(crowd, client, false);
    if (client->end == CROWD_RESETS || ends_in_body(client))
        leave(crowd, client);
}

static void begin_batch(struct crowd *crowd, struct client *client)
{
    if (crowd->over) {
        close_client(crowd, client, false);
        return;
    }
    plan_batch(crowd, client);
    send_batch(crowd, client);
}

/* ---- Answers ---- */

static void on_wrong(struct crowd *crowd, struct client *client, const char *what)
{
    const struct pair *pair = client->batch[client->reading].pair;
    if (crowd->results->wrong++ == 0)
        snprintf(crowd->results->first_wrong, sizeof crowd->results->first_wrong,
                 "%s: wanted %d, %zu bytes, to %.60s; got %.200s", what, pair->status, pair->length, pair->plain.bytes,
                 client->head);
    close_client(crowd, client, true);
}

static bool field_is(const char *head, const char *name, const char *value)
{
    const char *found = strcasestr(head, name);
    const size_t length = strlen(value);
    return found != NULL && strncmp(found + strlen(name), value, length) == 0 && found[strlen(name) + length] == '\r';
}

static const char *fault_of_head(const struct client *client)
{
    const struct pair *pair = client->batch[client->reading].pair;
    char length[24], status[24];
    snprintf(length, sizeof length, "%zu", pair->length);
    snprintf(status, sizeof status, "HTTP/1.1 %d ", pair->status);
    if (strncmp(client->head, status, strlen(status)) != 0)
        return "the status";
    if (!field_is(client->head, "\r\nContent-Length: ", length))
        return "the length";
    if (!field_is(client->head, "\r\nContent-Type: ", pair->media_type))
        return "the media type";
    return strcasestr(client->head, "\r\nConnection: close") != NULL ? "the connection" : NULL;
}

/* Takes bytes up to the end of the head; how many. 0 where the client is gone. */
static size_t take_head(struct crowd *crowd, struct client *client, const char *bytes, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (client->received == HEAD_BYTES - 1) {
            on_wrong(crowd, client, "the head");
            return 0;
        }
        client->head[client->received++] = bytes[i];
        if (bytes[i] != '\n' || client->received < 4 || memcmp(client->head + client->received - 4, "\r\n\r\n", 4) != 0)
            continue;
        client->head[client->received] = '\0';
        const char *fault = fault_of_head(client);
        if (fault != NULL) {
            on_wrong(crowd, client, fault);
            return 0;
        }
        client->in_body = true;
        client->received = 0;
        return i + 1;
    }
    return count;
}

static size_t take_body(struct crowd *crowd, struct client *client, const char *bytes, size_t count)
{
    const struct pair *pair = client->batch[client->reading].pair;
    const size_t left = pair->length - client->received, taken = count < left ? count : left;
    if (memcmp(pair->body + client->received, bytes, taken) != 0) {
        on_wrong(crowd, client, "the body");
        return 0;
    }
    client->received += taken;
    if (client->received == pair->length) {
        client->in_body = false;
        client->received = 0;
        client->reading++;
        crowd->results->answers++;
    }
    return taken;
}

/* False where the client is gone. */
static bool take(struct crowd *crowd, struct client *client, const char *bytes, size_t count)
{
    while (count > 0) {
        if (client->reading == client->sending) {
            on_wrong(crowd, client, "an answer that nobody asked for");
            return false;
        }
        const size_t taken = client->in_body ? take_body(crowd, client, bytes, count)
                                             : take_head(crowd, client, bytes, count);
        if (taken == 0)
            return false;
        bytes += taken;
        count -= taken;
    }
    return true;
}

static void on_readable(struct crowd *crowd, struct client *client)
{
    const ssize_t count = recv(client->fd, crowd->buffer, BUFFER_BYTES, 0);
    if (count < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    if (count <= 0) {
        on_closed_by_server(crowd, client);
        return;
    }
    crowd->results->bytes_received += (uint64_t)count;
    if (!take(crowd, client, crowd->buffer, (size_t)count))
        return;
    if (client->reading == client->count)
        client->end == CROWD_FINISHES ? leave(crowd, client) : begin_batch(crowd, client);
    else if (ends_in_answer(client) && client->in_body && client->reading + 1 == client->count)
        client->end == CROWD_FINISHES ? (void)shutdown(client->fd, SHUT_WR) : leave(crowd, client);
}

/* ---- The crowd ---- */

static void on_event(struct crowd *crowd, struct client *client, uint32_t events)
{
    if (client->fd >= 0 && events & EPOLLOUT)
        send_batch(crowd, client);
    if (client->fd >= 0 && events & (EPOLLIN | EPOLLHUP | EPOLLERR))
        on_readable(crowd, client);
}

static void open_missing(struct crowd *crowd)
{
    for (unsigned i = 0; i < crowd->plan->connections; i++) {
        struct client *client = &crowd->clients[i];
        if (client->fd >= 0)
            continue;
        open_client(crowd, client);
        if (client->fd >= 0)
            begin_batch(crowd, client);
    }
}

static void serve_events(struct crowd *crowd)
{
    struct epoll_event events[EVENTS];
    const int count = epoll_wait(crowd->epoll, events, EVENTS, 20);
    for (int i = 0; i < count; i++)
        on_event(crowd, events[i].data.ptr, events[i].events);
}

static void close_all(struct crowd *crowd)
{
    for (unsigned i = 0; i < crowd->plan->connections; i++) {
        struct client *client = &crowd->clients[i];
        if (client->fd < 0)
            continue;
        crowd->results->unanswered += client->count - client->reading;
        close_client(crowd, client, false);
    }
}

void crowd_run(const struct crowd_plan *plan, struct crowd_results *results)
{
    struct crowd crowd = {
        .plan = plan,
        .results = results,
        .random = {plan->seed},
        .clients = calloc(plan->connections, sizeof *crowd.clients),
        .epoll = epoll_create1(EPOLL_CLOEXEC),
        .buffer = malloc(BUFFER_BYTES),
    };
    if (crowd.clients == NULL || crowd.epoll < 0 || crowd.buffer == NULL)
        abort();
    for (unsigned i = 0; i < plan->connections; i++)
        crowd.clients[i].fd = -1;
    const double end = now() + plan->seconds;
    while (now() < end) {
        open_missing(&crowd);
        serve_events(&crowd);
    }
    crowd.over = true;
    while (crowd.open > 0 && now() < end + GRACE_SECONDS)
        serve_events(&crowd);
    close_all(&crowd);
    close(crowd.epoll);
    free(crowd.buffer);
    free(crowd.clients);
}
