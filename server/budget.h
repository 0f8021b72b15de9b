/* The memory that all requests together may take, in bytes. What a request needs is taken from the budget before it is
 * allocated, and given back when the last byte of its answer has been sent or its connection has closed. All functions
 * are thread-safe. */
#ifndef SERVER_BUDGET_H
#define SERVER_BUDGET_H

#include "api.h"

#include <stdatomic.h>

struct budget {
    size_t limit, aside; /* `aside` is never available to requests */
    atomic_size_t used;
};

/* What memory is for. Bodies leave room for the work on requests already received, and both leave some for small
 * requests, which therefore find room beside any number of large ones. */
enum budget_use { BUDGET_BODY, BUDGET_WORK, BUDGET_SMALL, BUDGET_USES };

/* `limit` bytes in all, of which the process itself uses what is resident now. */
void budget_open(struct budget *budget, size_t limit);

/* Takes bytes for something other than requests, for as long as the budget lasts. Before the first request. */
void budget_set_aside(struct budget *budget, size_t bytes);

/* Whether that many bytes could be taken now, and how many at most if nothing else were. */
bool budget_has_room(const struct budget *budget, enum budget_use use, size_t bytes);
size_t budget_max(const struct budget *budget, enum budget_use use);

/* A request that has taken up to this much is small, whatever its use. */
#define BUDGET_SMALL_BYTES ((size_t)256 * 1024)

size_t budget_used(const struct budget *budget);

/* What one request has taken. Its account is the one that the API counts on. */
struct reservation {
    struct api_account account;
    struct budget *budget;
    enum budget_use use; /* of what is taken from now on, where that makes it more than small */
    atomic_size_t bytes;
    atomic_bool never_fits; /* it asked for more than there can be */
};

void reservation_open(struct reservation *reservation, struct budget *budget);

/* Gives all of it back. */
void reservation_close(struct reservation *reservation);

#endif
