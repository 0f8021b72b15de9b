/* JSON numbers to float32. */
#ifndef API_NUMBER_READ_H
#define API_NUMBER_READ_H

enum number_fault { NUMBER_SYNTAX, NUMBER_RANGE };

/* Reads the number of RFC 8259's grammar that begins at `text` and stores what (float)strtod(text) gives: the
 * nearest double, then the nearest float32, as a client's own JSON reader and a cast would. Returns the byte
 * behind it; or NULL and *fault if there is no number (NUMBER_SYNTAX) or if it is beyond float32
 * (NUMBER_RANGE). The text must be followed by eight readable bytes, of which the first is no part of a
 * number. */
const char *number_read(const char *text, float *value, enum number_fault *fault);

#endif
