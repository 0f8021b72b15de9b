/* Content codings (RFC 9110, 8.4): gzip and deflate of requests, gzip of answers. All memory, zlib's too, is of the
 * account that the thread uses. */
#ifndef SERVER_ENCODING_H
#define SERVER_ENCODING_H

#include "body.h"

#include <stdbool.h>
#include <stddef.h>

enum encoding { ENCODING_IDENTITY, ENCODING_GZIP, ENCODING_DEFLATE, ENCODING_UNKNOWN };

/* What a request may be encoded with, as the header Accept-Encoding says it. */
#define ENCODINGS_TAKEN "gzip, deflate"

/* The coding after one more Content-Encoding field, whose list may repeat "identity". Two codings one on another are
 * ENCODING_UNKNOWN. */
enum encoding encoding_add(enum encoding before, const char *field);

/* Whether an answer may be gzip, by the request's Accept-Encoding (NULL where there was none). */
enum gzip { GZIP_NEVER, GZIP_ALLOWED, GZIP_DEMANDED /* identity is excluded */ };
enum gzip encoding_gzip_wanted(const char *accept_encoding);

/* ---- Deflating, step by step ---- */

struct deflater;

/* Starts to compress `bytes`, which must stay, as gzip. NULL if memory is short. */
struct deflater *deflater_new(const char *bytes, size_t length);
void deflater_free(struct deflater *deflater);

enum deflate_result { DEFLATE_MORE, DEFLATE_DONE, DEFLATE_USELESS /* not shorter, or memory is short */ };

/* The next quarter of a megabyte or so. */
enum deflate_result deflater_step(struct deflater *deflater);

/* After DEFLATE_DONE: all of it, to be freed by api_free. */
char *deflater_take(struct deflater *deflater, size_t *length);

/* ---- Inflating, step by step ---- */

struct inflating {
    struct body encoded;
    struct body *body;
    struct inflater *inflater;
    size_t taken; /* of the encoded bytes */
};

/* The encoded body is to be replaced by the decoded one: ENCODING_GZIP, members of which may follow each other, or
 * ENCODING_DEFLATE, with the zlib header, as it should be, or without, as some clients send it. False if memory is
 * short. */
bool inflating_begin(struct inflating *inflating, struct body *body, enum encoding encoding);

enum inflating_result {
    INFLATING_MORE,
    INFLATING_DONE,
    INFLATING_MALFORMED,
    INFLATING_TOO_LARGE,
    INFLATING_TOO_DENSE, /* beyond the first megabyte, more than INFLATING_MAX_RATIO bytes for each that was sent */
    INFLATING_NO_MEMORY,
};

enum { INFLATING_MAX_RATIO = 256 };

/* A megabyte at most. */
enum inflating_result inflating_step(struct inflating *inflating);

/* Frees the encoded bytes. Zeroed memory can be ended as well. */
void inflating_end(struct inflating *inflating);

#endif
