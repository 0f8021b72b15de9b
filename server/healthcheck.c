#include "healthcheck.h"

#include <string.h>
#include <sys/time.h>
#include <unistd.h>

static bool ask(int fd, const struct address *address)
{
    static const char request[] = "GET /livez HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";
    static const char expected[] = "HTTP/1.1 200 ";
    char answer[sizeof expected - 1];
    const struct timeval limit = {.tv_sec = 2};
    return setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit) == 0 &&
           setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit) == 0 &&
           connect(fd, (const struct sockaddr *)&address->storage, address->length) == 0 &&
           send(fd, request, sizeof request - 1, MSG_NOSIGNAL) == (ssize_t)(sizeof request - 1) &&
           recv(fd, answer, sizeof answer, MSG_WAITALL) == (ssize_t)sizeof answer &&
           memcmp(answer, expected, sizeof answer) == 0;
}

bool healthcheck(const struct address *address)
{
    struct address target = *address;
    if (address_is_any(&target))
        address_set_loopback(&target);
    int fd = socket(target.storage.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return false;
    const bool live = ask(fd, &target);
    close(fd);
    return live;
}
