#include "linger.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

enum {
    MAX_COUNT = 512, /* at once */
    SILENT_MS = 1000,
    MAX_MS = 10000,
    MAX_TURN_BYTES = 16 * 1024 * 1024, /* discarded before the loop's other handles are served */
    PIECE_BYTES = 64 * 1024,
};

struct lingering {
    uv_poll_t poll; /* the first member */
    struct loop *loop;
    int fd;
    bool is_unix;
    uint64_t since, last; /* ms, uv_now: when it began, and when bytes last arrived */
    LIST_ENTRY(lingering) in_all;
};

/* TCP discards without a copy. */
static ssize_t drop(const struct lingering *lingering)
{
    static _Thread_local char piece[PIECE_BYTES];
    return lingering->is_unix ? recv(lingering->fd, piece, sizeof piece, MSG_DONTWAIT)
                              : recv(lingering->fd, NULL, MAX_TURN_BYTES, MSG_DONTWAIT | MSG_TRUNC);
}

static void release(uv_handle_t *handle)
{
    struct lingering *lingering = (struct lingering *)handle;
    close(lingering->fd);
    free(lingering);
}

static void end(struct lingering *lingering)
{
    LIST_REMOVE(lingering, in_all);
    lingering->loop->lingerers.count--;
    uv_close((uv_handle_t *)&lingering->poll, release);
}

static void on_input(uv_poll_t *handle, int status, int events)
{
    struct lingering *lingering = (struct lingering *)handle;
    ssize_t dropped = status == 0 ? 1 : 0;
    (void)events;
    for (size_t sum = 0; dropped > 0 && sum < MAX_TURN_BYTES; sum += (size_t)dropped)
        dropped = drop(lingering);
    lingering->last = uv_now(&lingering->loop->uv);
    if (dropped == 0 || (dropped < 0 && errno != EAGAIN))
        end(lingering);
}

bool linger_start(struct loop *loop, int fd, bool is_unix)
{
    struct lingering *lingering = loop->lingerers.count < MAX_COUNT ? calloc(1, sizeof *lingering) : NULL;
    if (lingering == NULL)
        return false;
    lingering->fd = fcntl(fd, F_DUPFD_CLOEXEC, 0);
    if (lingering->fd < 0 || uv_poll_init(&loop->uv, &lingering->poll, lingering->fd) != 0) {
        if (lingering->fd >= 0)
            close(lingering->fd);
        free(lingering);
        return false;
    }
    lingering->loop = loop;
    lingering->is_unix = is_unix;
    lingering->since = lingering->last = uv_now(&loop->uv);
    LIST_INSERT_HEAD(&loop->lingerers.all, lingering, in_all);
    loop->lingerers.count++;
    uv_poll_start(&lingering->poll, UV_READABLE, on_input);
    return true;
}

void linger_sweep(struct loop *loop, bool all)
{
    const uint64_t now = uv_now(&loop->uv);
    for (struct lingering *lingering = LIST_FIRST(&loop->lingerers.all), *next; lingering != NULL; lingering = next) {
        next = LIST_NEXT(lingering, in_all);
        if (all || now - lingering->last >= SILENT_MS || now - lingering->since >= MAX_MS)
            end(lingering);
    }
}
