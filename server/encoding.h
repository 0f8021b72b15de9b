/* Content codings (RFC 9110, 8.4): gzip and deflate of requests, gzip of answers. */
#ifndef SERVER_ENCODING_H
#define SERVER_ENCODING_H

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

/* To make gzip of `bytes`, which must stay. NULL if memory is short. */
struct deflater *deflater_new(const char *bytes, size_t length);
void deflater_free(struct deflater *deflater);

enum deflate_result { DEFLATE_MORE, DEFLATE_DONE, DEFLATE_USELESS /* that is not shorter, or memory is short */ };

/* The next quarter of a megabyte or so. */
enum deflate_result deflater_step(struct deflater *deflater);

/* After DEFLATE_DONE: all of it, to be freed by api_free. */
char *deflater_take(struct deflater *deflater, size_t *length);

/* ---- Inflating, piece by piece ---- */

struct inflater;

/* For ENCODING_GZIP, members of which may follow each other, or ENCODING_DEFLATE: with the zlib header, as it should
 * be, or without, as some clients send it. NULL if memory is short. */
struct inflater *inflater_new(enum encoding encoding);
void inflater_free(struct inflater *inflater);

enum inflate_result { INFLATE_OK, INFLATE_MALFORMED, INFLATE_NO_MEMORY };

/* Moves *in forward and fills `out`, *room becoming what was written. Input is left only where the output is full;
 * where it is full there may be more to come without further input. */
enum inflate_result inflater_run(struct inflater *inflater, const char **in, size_t *in_length, char *out,
                                 size_t *room);

/* Whether the input so far was complete. */
bool inflater_complete(const struct inflater *inflater);

#endif
