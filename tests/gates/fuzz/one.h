/* One input of the fuzzer of whole requests: a route's path, a line feed, and the body. Behind the path there may stand
 * one of '?' and a query, whose body and answer are .npy arrays; '>', which asks for lines; and '#' and the length of
 * the JSON that begins a body of the inference protocol, which tensors follow. */
#ifndef TESTS_GATES_FUZZ_ONE_H
#define TESTS_GATES_FUZZ_ONE_H

#include <stddef.h>
#include <stdint.h>

/* Answers it; without a path that is routed it is all body, for /v1/gumbel_softmax. Returns NULL, or what is wrong
 * with the answer. */
const char *fuzz_one(const uint8_t *input, size_t length);

#endif
