/* Bodies of requests that a test would rather not write out. */
#ifndef TESTS_LIB_REQUESTS_H
#define TESTS_LIB_REQUESTS_H

#include <stddef.h>

/* A body for /v1/gumbel_softmax: rows of logits that the seed determines, of about eight bytes each. To be
 * freed. */
char *requests_gumbel(size_t rows, size_t classes, unsigned seed);

/* What `body` is answered by `path`, computed in this process; to be freed. The status must be 200. */
char *requests_answer(const char *path, const char *body);

/* Flags with which a call that draws noise takes long: one worker, and the instruction set that emulates
 * fused multiply-add where there is one. A million logits take it more than a tenth of a second. */
#if defined(__x86_64__)
#define REQUESTS_SLOW "--workers 1 --isa sse2"
#else
#define REQUESTS_SLOW "--workers 1"
/* The server's gzip of the bytes, to be freed; NULL where that is not shorter. */
char *requests_gzip(const char *bytes, size_t length, size_t *gzip_length);

#endif

/* The server's gzip of the bytes, to be freed; NULL where that is not shorter. */
char *requests_gzip(const char *bytes, size_t length, size_t *gzip_length);

#endif
