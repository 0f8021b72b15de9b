/* Whose connections count together, and how many of them there may be. */
#include "client.h"
#include "lib/suite.h"

#include "lib/assertions.h"
#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static struct peer peer_of(const char *text)
{
    struct sockaddr_storage address = {.ss_family = strchr(text, ':') != NULL ? AF_INET6 : AF_INET};
    struct peer peer;
    void *bytes = address.ss_family == AF_INET6 ? (void *)&((struct sockaddr_in6 *)&address)->sin6_addr
                                                : (void *)&((struct sockaddr_in *)&address)->sin_addr;
    ck_assert_int_eq(inet_pton(address.ss_family, text, bytes), 1);
    peer_read(&peer, -1, &address);
    return peer;
}

static struct clients *make_clients(uint64_t connections)
{
    struct clients *clients = clients_new(
        (uint64_t[CLIENT_SHARE_COUNT]){[CLIENT_CONNECTIONS] = connections, [CLIENT_STREAMS] = 1, [CLIENT_QUEUED] = 2});
    ck_assert_ptr_nonnull(clients);
    return clients;
}

static bool are_one(struct clients *clients, const struct peer *a, const struct peer *b)
{
    struct client *first = client_of_peer(clients, a), *second = client_of_peer(clients, b);
    const bool one = first == second;
    client_release(first);
    client_release(second);
    return one;
}

START_TEST(an_address_is_a_client_and_so_is_a_64)
{
    static const struct {
        const char *a, *b;
        bool one;
    } pairs[] = {
        {"192.0.2.1", "192.0.2.1", true},
        {"192.0.2.1", "192.0.2.2", false},
        {"192.0.2.1", "::ffff:192.0.2.1", true},
        {"2001:db8:1:2::1", "2001:db8:1:2:ffff::7", true},
        {"2001:db8:1:2::1", "2001:db8:1:3::1", false},
        {"0.0.0.0", "::1", false},
    };
    struct clients *clients = make_clients(1);
    for (size_t i = 0; i < sizeof pairs / sizeof *pairs; i++) {
        const struct peer a = peer_of(pairs[i].a), b = peer_of(pairs[i].b);
        ck_assert_msg(are_one(clients, &a, &b) == pairs[i].one, "%s and %s", pairs[i].a, pairs[i].b);
    }
    clients_free(clients);
}
END_TEST

START_TEST(a_peer_has_a_name)
{
    int pair[2];
    char expected[64];
    const struct sockaddr_storage local = {.ss_family = AF_UNIX};
    struct peer peer = peer_of("192.0.2.1");
    ck_assert_str_eq(peer.name, "192.0.2.1:0");
    peer = peer_of("2001:db8::1");
    ck_assert_str_eq(peer.name, "[2001:db8::1]:0");
    ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
    peer_read(&peer, pair[0], &local);
    snprintf(expected, sizeof expected, "unix:uid=%u", (unsigned)getuid());
    ck_assert_str_eq(peer.name, expected);
    ck_assert_uint_eq(peer.key, getuid());
    close(pair[0]);
    close(pair[1]);
}
END_TEST

START_TEST(each_share_has_its_limit)
{
    struct clients *clients = make_clients(3);
    const struct peer peer = peer_of("192.0.2.1"), other = peer_of("192.0.2.2");
    struct client *client = client_of_peer(clients, &peer), *second = client_of_peer(clients, &other);
    for (int i = 0; i < 3; i++)
        ck_assert(client_admit(client, CLIENT_CONNECTIONS));
    ck_assert(!client_admit(client, CLIENT_CONNECTIONS));
    ck_assert_uint_eq(client_count(client, CLIENT_CONNECTIONS), 3);
    ck_assert(client_admit(client, CLIENT_STREAMS));
    ck_assert(!client_admit(client, CLIENT_STREAMS));
    ck_assert(client_admit(second, CLIENT_CONNECTIONS));
    client_leave(client, CLIENT_CONNECTIONS);
    ck_assert(client_admit(client, CLIENT_CONNECTIONS));
    client_release(client);
    client_release(second);
    clients_free(clients);
}
END_TEST

/* More than there are places in the table; all are gone at the end, as the address sanitizer sees. */
START_TEST(many_clients_come_and_go)
{
    enum { MANY = 20000 };
    static struct client *all[MANY];
    struct clients *clients = make_clients(1);
    struct peer peer = peer_of("192.0.2.1");
    for (size_t i = 0; i < MANY; i++) {
        peer.key = i;
        all[i] = client_of_peer(clients, &peer);
        ck_assert(client_admit(all[i], CLIENT_CONNECTIONS));
    }
    for (size_t i = 0; i < MANY; i++) {
        peer.key = i;
        struct client *again = client_of_peer(clients, &peer);
        ck_assert_ptr_eq(again, all[i]);
        client_release(again);
    }
    for (size_t i = 0; i < MANY; i++)
        client_release(all[i]);
    clients_free(clients);
}
END_TEST

TEST_SUITE("server")
{
    Suite *suite = suite_create("server clients");
    TCase *clients = tcase_create("clients");
    tcase_add_test(clients, an_address_is_a_client_and_so_is_a_64);
    tcase_add_test(clients, a_peer_has_a_name);
    tcase_add_test(clients, each_share_has_its_limit);
    tcase_add_test(clients, many_clients_come_and_go);
    suite_add_tcase(suite, clients);
    return suite;
}
