#include "listener.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <unistd.h>

enum { BACKLOG = 4096 };

static int close_failed(int fd)
{
    const int reason = errno;
    close(fd);
    errno = reason;
    return -1;
}

/* ---- Ports ---- */

/* [::] accepts IPv4 clients too, unless an IPv4 address with the same port is listed. */
static bool is_ipv6_only(const struct address *address, const struct addresses *among)
{
    for (size_t i = 0; i < among->count; i++)
        if (among->all[i].storage.ss_family == AF_INET && address_port(&among->all[i]) == address_port(address))
            return address->storage.ss_family == AF_INET6;
    return false;
}

static int bind_port(struct address *address, bool shared, bool ipv6_only)
{
    const int on = 1;
    int fd = socket(address->storage.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return -1;
    if (setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) == 0 &&
        (!shared || setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &on, sizeof on) == 0) &&
        (!ipv6_only || setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof on) == 0) &&
        bind(fd, (const struct sockaddr *)&address->storage, address->length) == 0 && address_of_socket(fd, address))
        return fd;
    return close_failed(fd);
}

/* A socket that shares its port would silently take half of another process's connections, so the port is first tried
 * without sharing. */
static int claim_port(struct address *address, bool ipv6_only)
{
    int fd = bind_port(address, false, ipv6_only);
    if (fd < 0)
        return -1;
    if (listen(fd, 1) != 0)
        return close_failed(fd);
    close(fd);
    return 0;
}

static int open_port(struct address *address, bool shared, bool ipv6_only)
{
    int fd = bind_port(address, shared, ipv6_only);
    return fd < 0 || listen(fd, BACKLOG) == 0 ? fd : close_failed(fd);
}

static int open_ports(struct listener *listener, size_t loops, bool ipv6_only)
{
    if (loops > 1 && claim_port(&listener->address, ipv6_only) != 0)
        return -1;
    for (size_t i = 0; i < loops; i++)
        if ((listener->sockets[i] = open_port(&listener->address, loops > 1, ipv6_only)) < 0)
            return -1;
    return 0;
}

/* ---- UNIX sockets ---- */

/* Whether no process listens on the socket: a server has left it behind. */
static bool is_stale(const struct address *address)
{
    struct stat file;
    if (lstat(address_path(address), &file) != 0 || !S_ISSOCK(file.st_mode))
        return false;
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return false;
    const bool refused = connect(fd, (const struct sockaddr *)&address->storage, address->length) != 0 &&
                         errno == ECONNREFUSED;
    close(fd);
    return refused;
}

/* No client can connect before listen, and by then the permissions are set. */
static int open_unix(struct listener *listener, mode_t mode)
{
    const struct address *address = &listener->address;
    const char *path = address_path(address);
    if (is_stale(address))
        unlink(path);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return -1;
    if (bind(fd, (const struct sockaddr *)&address->storage, address->length) == 0 && chmod(path, mode) == 0 &&
        lstat(path, &listener->file) == 0 && listen(fd, BACKLOG) == 0)
        return fd;
    return close_failed(fd);
}

/* All loops accept from one queue. */
static int open_unix_for(struct listener *listener, size_t loops, mode_t mode)
{
    for (size_t i = 0; i < loops; i++) {
        listener->sockets[i] = i == 0 ? open_unix(listener, mode) : fcntl(listener->sockets[0], F_DUPFD_CLOEXEC, 0);
        if (listener->sockets[i] < 0)
            return -1;
    }
    return 0;
}

/* Another server may have taken the path since. */
static void remove_file(const struct listener *listener)
{
    struct stat now;
    const char *path = address_path(&listener->address);
    if (lstat(path, &now) == 0 && now.st_dev == listener->file.st_dev && now.st_ino == listener->file.st_ino)
        unlink(path);
}

/* ---- All of them ---- */

static int open_one(struct listeners *listeners, const struct addresses *addresses, mode_t mode)
{
    struct listener *listener = &listeners->all[listeners->count];
    const size_t loops = listeners->loops;
    *listener = (struct listener){.address = addresses->all[listeners->count]};
    listener->sockets = malloc(loops * sizeof *listener->sockets);
    if (listener->sockets == NULL)
        return -1;
    listeners->count++;
    for (size_t i = 0; i < loops; i++)
        listener->sockets[i] = -1;
    if (address_is_unix(&listener->address))
        return open_unix_for(listener, loops, mode);
    return open_ports(listener, loops, is_ipv6_only(&listener->address, addresses));
}

int listeners_open(struct listeners *listeners, const struct addresses *addresses, size_t loops, mode_t mode,
                   struct address *failed)
{
    *listeners = (struct listeners){.loops = loops};
    while (listeners->count < addresses->count) {
        *failed = addresses->all[listeners->count];
        if (open_one(listeners, addresses, mode) == 0)
            continue;
        const int reason = errno;
        listeners_close(listeners, 0);
        errno = reason;
        return -1;
    }
    return 0;
}

size_t listeners_of_loop(const struct listeners *listeners, size_t loop, int sockets[ADDRESSES_MAX])
{
    for (size_t i = 0; i < listeners->count; i++)
        sockets[i] = listeners->all[i].sockets[loop];
    return listeners->count;
}

/* Drops SYNs: a client whose SYN is dropped retries, and finds the port closed; a handshake in progress completes.
 * Closing the socket would reset those. */
static void drop_syns(int fd)
{
    struct sock_filter code[] = {
        BPF_STMT(BPF_LD | BPF_B | BPF_ABS, 13), /* the flags in the header of TCP */
        BPF_STMT(BPF_ALU | BPF_AND | BPF_K, TH_SYN | TH_ACK),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, TH_SYN, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, 0),
        BPF_STMT(BPF_RET | BPF_K, UINT32_MAX),
    };
    const struct sock_fprog program = {.len = sizeof code / sizeof *code, .filter = code};
    setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &program, sizeof program);
}

void listeners_refuse_new(const struct listeners *listeners)
{
    for (size_t i = 0; i < listeners->count; i++) {
        const struct listener *listener = &listeners->all[i];
        if (address_is_unix(&listener->address))
            remove_file(listener);
        else
            for (size_t loop = 0; loop < listeners->loops; loop++)
                drop_syns(listener->sockets[loop]);
    }
}

void listeners_close(struct listeners *listeners, size_t first)
{
    for (size_t i = 0; i < listeners->count; i++) {
        struct listener *listener = &listeners->all[i];
        if (address_is_unix(&listener->address))
            remove_file(listener);
        for (size_t loop = first; loop < listeners->loops; loop++)
            if (listener->sockets[loop] >= 0)
                close(listener->sockets[loop]);
        free(listener->sockets);
    }
    listeners->count = 0;
}
