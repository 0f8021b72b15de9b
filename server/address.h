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

/* Reads "127.0.0.1:8080", "[::1]:8080", "localhost:0" or "unix:/run/gumbeld.sock". False if it does not resolve. */
bool address_parse(const char *text, struct address *address);

/* Adds those that stand in the text, with commas between them. False if one does not resolve, or they are too many. */
bool addresses_parse(const char *text, struct addresses *addresses);

/* The address that a socket is bound to. False if there is none. */
bool address_of_socket(int socket, struct address *address);

/* Writes "http://127.0.0.1:8080", "http://[::1]:8080" or "unix:/run/gumbeld.sock", cut to `size` bytes. */
void address_format(const struct address *address, char *text, size_t size);

bool address_is_unix(const struct address *address);

/* The file of a UNIX address. */
const char *address_path(const struct address *address);

/* The port of another. */
unsigned address_port(const struct address *address);

/* Whether it stands for all of the machine's addresses; address_set_loopback makes such a one that of the loopback. */
bool address_is_any(const struct address *address);
void address_set_loopback(struct address *address);

/* Whether only this machine's own programs can reach it, by the network. */
bool address_is_loopback(const struct address *address);

#endif
