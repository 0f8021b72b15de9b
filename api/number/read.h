/* JSON numbers to float32, float64 and integers. */
#ifndef API_NUMBER_READ_H
#define API_NUMBER_READ_H

#include <stddef.h>
#include <stdint.h>

enum number_fault {
    NUMBER_SYNTAX,   /* no number of RFC 8259's grammar begins there */
    NUMBER_RANGE,    /* beyond the type */
    NUMBER_FRACTION, /* not an integer, where one is read */
};

/* Each reads the number that begins at `text` and returns the byte after it; or NULL and *fault, with *value
 * undefined. The text must be followed by API_BODY_PADDING readable bytes, of which the first is no part of a
 * number. */

/* What (float)strtod(text) gives: the nearest double, then the nearest float32, as a client's own JSON reader
 * and a cast would. */
const char *number_read(const char *text, float *value, enum number_fault *fault);

/* Reads numbers with a comma, or a comma and a space, between them as number_read does, for as long as they have
 * the form that most have, there is `room`, and `end`, that of the readable text, is far enough. Returns the byte
 * after the last of the *count numbers, which may be none: what follows them is for other functions to judge. */
const char *number_read_row(const char *text, const char *end, float *values, size_t room, size_t *count);

/* What strtod gives: the nearest double. */
const char *number_read_double(const char *text, double *value, enum number_fault *fault);

/* The integer itself, 0 .. 2^64 - 1, in whatever way it is spelled: 7, 7.0, 70e-1, -0. */
const char *number_read_uint64(const char *text, uint64_t *value, enum number_fault *fault);

#endif
