#include "listener.h"

#include <errno.h>
#include <stddef.h>
#include <unistd.h>

enum { BACKLOG = 4096 };

static int bind_socket(struct address *address, bool shared)
{
    const int on = 1;
    int fd = socket(address->storage.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return -1;
    if (setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) == 0 &&
        (!shared || setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &on, sizeof on) == 0) &&
        bind(fd, (const struct sockaddr *)&address->storage, address->length) == 0 && address_of_socket(fd, address))
        return fd;
    const int reason = errno;
    close(fd);
    errno = reason;
    return -1;
}

/* A socket that shares its port would quietly take half of another process's connections, so that the port is
 * first tried without sharing. */
static int claim_port(struct address *address)
{
    int fd = bind_socket(address, false);
    if (fd < 0)
        return -1;
    const int result = listen(fd, 1), reason = errno;
    close(fd);
    errno = reason;
    return result;
}

int listener_open(struct address *address, int *sockets, size_t count)
{
    if (count > 1 && claim_port(address) != 0)
        return -1;
    for (size_t i = 0; i < count; i++) {
        sockets[i] = bind_socket(address, count > 1);
        if (sockets[i] >= 0 && listen(sockets[i], BACKLOG) == 0)
            continue;
        const int reason = errno;
        for (size_t opened = 0; opened <= i; opened++)
            if (sockets[opened] >= 0)
                close(sockets[opened]);
        errno = reason;
        return -1;
    }
    return 0;
}
