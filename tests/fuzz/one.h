/* One input of the fuzzer of whole requests: a route's path, a line feed, and the body. With a '?' and a query behind
 * the path, body and answer are .npy arrays. */
#ifndef TESTS_FUZZ_ONE_H
#define TESTS_FUZZ_ONE_H

#include <stddef.h>
#include <stdint.h>

/* Answers it; without a path that is routed it is all body, for /v1/gumbel_softmax. Returns NULL, or what is wrong
 * with the answer. */
const char *fuzz_one(const uint8_t *input, size_t length);

#endif
