/* Requests as they go over the wire, each with the answer that this process has computed for it. */
#ifndef TESTS_GATES_SOAK_PAIRS_H
#define TESTS_GATES_SOAK_PAIRS_H

#include <stddef.h>
#include <stdint.h>

struct wire {
    char *bytes;
    size_t length, head; /* the body begins at bytes[head] */
};

struct pair {
    struct wire plain, chunked; /* the same request; without a body they are the same bytes */
    int status;
    const char *media_type;
    char *body; /* of the answer */
    size_t length;
};

struct pairs {
    struct pair *list;
    size_t count;
};

/* Some hundreds of pairs: all functions, sizes from [1,10] to [64,1000], requests that are refused,
 * documents. Almost every answer is unlike all others, so that one that reaches another request is seen. */
struct pairs pairs_new(uint64_t seed);
void pairs_free(struct pairs *pairs);

#endif
