/* Documents for the differential fuzzer: the same ones for the same seed. */
#ifndef TESTS_GATES_FUZZ_GENERATE_H
#define TESTS_GATES_FUZZ_GENERATE_H

#include "lib/random.h"

#include <stdbool.h>

#define GENERATE_MAX_BYTES 1000

/* Writes a request as the grammar has it, about half the time with a few bytes changed afterwards. Returns its
 * length. */
size_t generate_document(struct random *random, char text[GENERATE_MAX_BYTES]);

#endif
