/* Bodies and answers of .npy arrays. */
#ifndef TESTS_LIB_NPY_H
#define TESTS_LIB_NPY_H

#include "call/call.h"
#include "lib/ask.h"

/* Bytes to be sent; zeroed it is empty. npy_free releases it. */
struct npy_bytes {
    char *bytes;
    size_t length;
};

/* Appends bytes as they are. */
void npy_append(struct npy_bytes *body, const void *bytes, size_t length);

/* Appends an array as numpy.save does: `shape` is a list of sizes up to 0. */
void npy_add(struct npy_bytes *body, const char *descr, const size_t *shape, const void *data);

/* Appends a header of version `major` around the text of a dict, to which nothing is added. */
void npy_add_header(struct npy_bytes *body, int major, const char *dict);

void npy_free(struct npy_bytes *body);

/* How a request is sent: `query` is "name=value&...", not percent-encoded; NULL headers are not sent. */
struct npy_request {
    const char *path, *query, *content_type, *accept;
    bool owned; /* the body may be taken */
};

/* POSTs the body, which stays; ask_free releases the answer but for its headers, npy_answer_free all. */
struct answer npy_ask(const struct npy_request *request, const struct npy_bytes *body);
void npy_answer_free(struct answer *answer);

/* A header of the answer, or NULL. */
const char *npy_header(const struct answer *answer, const char *name);

/* The array at *at in the answer, after which *at is put; its data stay the answer's. */
struct api_tensor npy_next(const struct answer *answer, size_t *at);

#endif
