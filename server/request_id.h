/* X-Request-Id: the name of a request in the logs of all who pass it on. */
#ifndef SERVER_REQUEST_ID_H
#define SERVER_REQUEST_ID_H

#include <stdatomic.h>
#include <stdint.h>

#define REQUEST_ID_FIELD "X-Request-Id"

/* Where names come from that no client gave; one for the process. */
struct request_ids {
    uint64_t start;
    atomic_uint_fast64_t count;
};

void request_ids_init(struct request_ids *ids);

struct request_id {
    char text[129];
};

/* Takes the client's up, which may be NULL, if it is 1 to 128 letters, digits and -._~:+/=@, and makes one otherwise:
 * 16 hexadecimal digits that no other request of this process has. Thread-safe. */
void request_id_take(struct request_id *id, const char *given, struct request_ids *ids);

#endif
