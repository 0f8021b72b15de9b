#include "address.h"
#include "text.h"

#include <arpa/inet.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/un.h>

static const char unix_prefix[] = "unix:";

static bool parse_unix(const char *path, struct address *address)
{
    struct sockaddr_un *name = (struct sockaddr_un *)&address->storage;
    if (*path == '\0' || strlen(path) >= sizeof name->sun_path)
        return false;
    *address = (struct address){.storage.ss_family = AF_UNIX, .length = sizeof *name};
    strcpy(name->sun_path, path);
    return true;
}

static bool parse_internet(const char *text, struct address *address)
{
    char host[256];
    const char *colon = strrchr(text, ':');
    unsigned port; /* getaddrinfo would take it modulo 2^16 */
    if (colon == NULL || colon[1] == '\0' || !text_port(colon + 1, &port) || (size_t)(colon - text) >= sizeof host)
        return false;
    size_t length = (size_t)(colon - text);
    if (length >= 2 && text[0] == '[' && text[length - 1] == ']') {
        text++;
        length -= 2;
    } else if (memchr(text, ':', length) != NULL) {
        return false;
    }
    memcpy(host, text, length);
    host[length] = '\0';

    struct addrinfo hints = {
        .ai_family = AF_UNSPEC,
        .ai_socktype = SOCK_STREAM,
        .ai_flags = AI_PASSIVE | AI_NUMERICSERV,
    };
    struct addrinfo *found;
    if (strcmp(host, "localhost") == 0) /* a bare system may have no file that says so */
        strcpy(host, "127.0.0.1");
    if (length == 0 || getaddrinfo(host, colon + 1, &hints, &found) != 0)
        return false;
    memcpy(&address->storage, found->ai_addr, found->ai_addrlen);
    address->length = found->ai_addrlen;
    freeaddrinfo(found);
    return true;
}

bool address_parse(const char *text, struct address *address)
{
    if (strncmp(text, unix_prefix, strlen(unix_prefix)) == 0)
        return parse_unix(text + strlen(unix_prefix), address);
    return parse_internet(text, address);
}

bool addresses_parse(const char *text, struct addresses *addresses)
{
    char one[256];
    for (;;) {
        const size_t length = strcspn(text, ",");
        if (length >= sizeof one || addresses->count == ADDRESSES_MAX)
            return false;
        snprintf(one, sizeof one, "%.*s", (int)length, text);
        if (!address_parse(one, &addresses->all[addresses->count]))
            return false;
        addresses->count++;
        if (text[length] == '\0')
            return true;
        text += length + 1;
    }
}

bool address_of_socket(int socket, struct address *address)
{
    address->length = sizeof address->storage;
    return getsockname(socket, (struct sockaddr *)&address->storage, &address->length) == 0;
}

unsigned address_port(const struct address *address)
{
    if (address->storage.ss_family == AF_INET6)
        return ntohs(((const struct sockaddr_in6 *)&address->storage)->sin6_port);
    return ntohs(((const struct sockaddr_in *)&address->storage)->sin_port);
}

bool address_is_unix(const struct address *address)
{
    return address->storage.ss_family == AF_UNIX;
}

const char *address_path(const struct address *address)
{
    return ((const struct sockaddr_un *)&address->storage)->sun_path;
}

void address_format(const struct address *address, char *text, size_t size)
{
    const bool v6 = address->storage.ss_family == AF_INET6;
    const void *raw = v6 ? (const void *)&((const struct sockaddr_in6 *)&address->storage)->sin6_addr
                         : (const void *)&((const struct sockaddr_in *)&address->storage)->sin_addr;
    char host[INET6_ADDRSTRLEN] = "";
    if (address_is_unix(address)) {
        snprintf(text, size, "%s%s", unix_prefix, address_path(address));
        return;
    }
    inet_ntop(address->storage.ss_family, raw, host, sizeof host);
    snprintf(text, size, v6 ? "http://[%s]:%u" : "http://%s:%u", host, address_port(address));
}

bool address_is_any(const struct address *address)
{
    if (address_is_unix(address))
        return false;
    if (address->storage.ss_family == AF_INET6)
        return IN6_IS_ADDR_UNSPECIFIED(&((const struct sockaddr_in6 *)&address->storage)->sin6_addr);
    return ((const struct sockaddr_in *)&address->storage)->sin_addr.s_addr == htonl(INADDR_ANY);
}

bool address_is_loopback(const struct address *address)
{
    if (address_is_unix(address))
        return false;
    const struct in6_addr *v6 = &((const struct sockaddr_in6 *)&address->storage)->sin6_addr;
    uint32_t v4 = ((const struct sockaddr_in *)&address->storage)->sin_addr.s_addr;
    if (address->storage.ss_family == AF_INET6) {
        if (!IN6_IS_ADDR_V4MAPPED(v6))
            return IN6_IS_ADDR_LOOPBACK(v6);
        memcpy(&v4, &v6->s6_addr[12], sizeof v4);
    }
    return ntohl(v4) >> 24 == IN_LOOPBACKNET;
}

void address_set_loopback(struct address *address)
{
    if (address->storage.ss_family == AF_INET6)
        ((struct sockaddr_in6 *)&address->storage)->sin6_addr = in6addr_loopback;
    else
        ((struct sockaddr_in *)&address->storage)->sin_addr.s_addr = htonl(INADDR_LOOPBACK);
}
