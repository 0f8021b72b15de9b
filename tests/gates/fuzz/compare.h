/* The readers of a body against a plain reading of the same bytes by jansson's tree. */
#ifndef TESTS_GATES_FUZZ_COMPARE_H
#define TESTS_GATES_FUZZ_COMPARE_H

#include <stddef.h>

#define COMPARE_MAX_ELEMENTS 4

/* Both take the body or refuse it, read the same bits, and leave the same rest: as one object, and for each
 * element of its `requests`. Returns NULL, or what differs. */
const char *compare_readers(const char *body, size_t length);

#endif
