/* float32, float64 and integers to JSON numbers. */
#ifndef API_NUMBER_WRITE_H
#define API_NUMBER_WRITE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Bytes that number_write may touch from `out` on; what it returns lies at most NUMBER_LONGEST after `out`.
 */
#define NUMBER_SPACE 32
#define NUMBER_LONGEST 16

/* Writes the shortest decimal that reads back as `value` (of those the nearest), always with a point, such as
 * -0.1, 1.0 or 1.5e-8; what is no number as a string, see number_write_infinite. Not terminated; returns the byte after
 * it. */
char *number_write(char *out, float value);

/* Writes `count` numbers in that way with commas between them: at most count * (NUMBER_LONGEST + 1) bytes, and
 * NUMBER_SPACE may be touched. Returns the byte after the last one. */
char *number_write_row(char *out, const float *values, size_t count);

/* The same of a float64: at most NUMBER_DOUBLE_LONGEST bytes, and NUMBER_SPACE may be touched. */
#define NUMBER_DOUBLE_LONGEST 24
char *number_write_double(char *out, double value);

/* Writes "NaN", "Infinity" or "-Infinity" in quotation marks, as the JSON mapping of protocol buffers has them. */
char *number_write_infinite(char *out, bool nan, bool negative);

/* Writes a whole number of at most 20 digits. Returns the byte after it. */
char *number_write_integer(char *out, uint64_t value);

#endif
