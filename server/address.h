/* Where to listen: "ADDRESS:PORT", an IPv6 address in brackets, or "unix:PATH". */
#ifndef SERVER_ADDRESS_H
#define SERVER_ADDRESS_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/socket.h>

enum { ADDRESSES_MAX = 16 };

struct address {
    struct sockaddr_storage storage;
    socklen_t length;
};

struct addresses {
    struct address all[ADDRESSES_MAX];
    size_t count;
};

/* Parses "127.0.0.1:8080", "[::1]:8080", "localhost:0" or "unix:/run/gumbeld.sock". False if it does not resolve. */
bool address_parse(const char *text, struct address *address);

/* Adds the addresses of a comma-separated list. False if one does not resolve, or there are too many. */
bool addresses_parse(const char *text, struct addresses *addresses);

/* The address that a socket is bound to. False if it is not bound. */
bool address_of_socket(int socket, struct address *address);

/* Writes "http://127.0.0.1:8080", "http://[::1]:8080" or "unix:/run/gumbeld.sock", cut to `size` bytes. */
void address_format(const struct address *address, char *text, size_t size);

bool address_is_unix(const struct address *address);

/* The file of a UNIX address. */
const char *address_path(const struct address *address);

/* The port of an address that is not a UNIX socket's. */
unsigned address_port(const struct address *address);

/* Whether it is the wildcard address; address_set_loopback makes such an address the loopback's. */
bool address_is_any(const struct address *address);
void address_set_loopback(struct address *address);

/* Whether it is an address of the loopback, which only this machine's programs can reach. */
bool address_is_loopback(const struct address *address);

#endif
