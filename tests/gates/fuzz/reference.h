/* The plain way to read a body: jansson makes a tree of everything, a walk makes arrays of that. Only the digits of
 * integers come from the text, since a tree of doubles has lost them. */
#ifndef TESTS_GATES_FUZZ_REFERENCE_H
#define TESTS_GATES_FUZZ_REFERENCE_H

#include "json/envelope.h"

/* A copy of the text, to be freed, in which each -Infinity that has no quotation marks has them, and *length; NULL
 * where there is none. */
char *reference_quote(const char *text, size_t *length);

/* As json_envelope_read, without problems; of a text where each -Infinity has its quotation marks. */
int reference_read(const char *text, size_t length, struct json_named_array *members, size_t count, json_t **envelope);

/* The text of the elements of the array `name` in an object that jansson took: their number, with the first `max`
 * in *elements; 0 if there is no such array. */
size_t reference_elements(const char *text, const char *name, struct json_text *elements, size_t max);

#endif
