/* Requests of the Open Inference Protocol without a socket. */
#ifndef TESTS_LIB_INFER_H
#define TESTS_LIB_INFER_H

#include "lib/ask.h"

/* The answer's JSON alone is text and json; what follows it is binary. */
struct inferred {
    struct answer answer;
    const char *binary;
    size_t binary_length;
};

/* A request to that path, which must be a route's. */
struct api_request infer_request(const char *method, const char *path);

/* POSTs a body; `field` is the header that says where its JSON ends, or NULL. The answer must be JSON, with binary
 * tensors after it or not. infer_free releases it. */
struct inferred infer_post(const char *path, const char *field, const char *body, size_t length);

/* POSTs JSON alone, or with binary tensors after it. */
struct inferred infer_json(const char *path, const char *json);
struct inferred infer_binary(const char *path, const char *json, const void *binary, size_t length);

void infer_free(struct inferred *inferred);

/* The answer's output i, borrowed; a member of it as text, "" where it is missing. */
const json_t *infer_output(const struct inferred *inferred, size_t i);
const char *infer_text(const json_t *object, const char *member);

/* What a path is answered with, to be released. */
json_t *infer_get(const char *path);

#endif
