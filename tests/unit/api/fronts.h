/* Requests on all fronts, and whether their answers are right where memory may have been short. */
#ifndef TESTS_UNIT_API_FRONTS_H
#define TESTS_UNIT_API_FRONTS_H

#include "lib/npy.h"

#include <stdbool.h>
#include <stddef.h>

struct request {
    const char *path, *query, *content_type, *accept;
    const char *text;                       /* the body, or what stands before its arrays */
    void (*arrays)(struct npy_bytes *body); /* NULL: there are none */
    bool tells_length;                      /* of the text, in a field */
};

extern const struct request front_requests[];
extern const size_t front_request_count;

/* What is answered: lines, if there are any, or the response; `refused`: there was not even a job. */
struct result {
    struct api_response response;
    char lines[16384];
    size_t line_bytes;
    bool refused;
};

/* A request with what it points to, which is in no memory that counts. */
struct asked;
struct asked *front_open(const struct request *how);
void front_close(struct asked *asked);
size_t front_length(const struct asked *asked);

/* Answers with a body that is the job's own, in parts as they are usually; or with one that is lent, in the smallest.
 * All that it allocates but the response is freed. The allocations that are refused are as memory_refuse takes them;
 * returns how many were asked for. */
size_t front_answer_refusing(struct asked *asked, bool owned, size_t first, bool rest, struct result *result);

/* The same with none refused. */
void front_answer(struct asked *asked, bool owned, struct result *result);

/* Whether the answers are the same, byte by byte. */
bool front_same(const struct result *one, const struct result *other);

/* Whether it is the 503 that its front says when memory is short. */
bool front_is_refusal(const struct request *how, const struct api_response *response);

/* Whether it is what it would have been, as far as it goes, and says so where it does not. */
bool front_is_honest(const struct request *how, const struct result *result, const struct result *undisturbed);

/* Fails the test with the request and its answer if that is not right. */
void front_check(const struct request *how, bool right, const struct result *result, size_t number);

#endif
