/* Requests without a socket. */
#ifndef TESTS_LIB_ASK_H
#define TESTS_LIB_ASK_H

#include "api.h"

#include <jansson.h>

/* What `fresh_seed` gives in the tests' requests. */
#define ASK_FRESH_SEED 4242
uint64_t ask_fresh_seed(void);

/* A body with its padding at the end of memory of its own, so that a sanitizer sees any byte read past that; to be
 * freed. */
char *ask_padded(const char *body, size_t length);

/* A response's status and body, parsed; the text too. ask_free releases it. */
struct answer {
    int status;
    char *text;
    json_t *json; /* NULL if the body is no JSON */
    struct api_response response;
};

/* POSTs a request to a route, which must exist. */
struct answer ask_request(const char *path, struct api_request *request);

/* POSTs `length` bytes. */
struct answer ask_bytes(const char *path, const char *body, size_t length);

/* POSTs printf's text. */
struct answer ask(const char *path, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* POSTs a JSON value, which is taken over. */
struct answer ask_json(const char *path, json_t *body);

void ask_free(struct answer *answer);

/* A member of a problem document as text, "" where it is missing. */
const char *ask_text(const struct answer *answer, const char *member);

#endif
