/* What the tests ask, written down as HTTP requests for those who ask it again (tests/gates/spec/replay.mjs): if the
 * variable TEST_RECORD names a folder, a file NAME.request there, and where the answer must be that of any server with
 * the default configuration, NAME.answer with its status and body. NAME is the request's hash: what is asked twice is
 * written once. */
#ifndef TESTS_LIB_RECORD_H
#define TESTS_LIB_RECORD_H

#include <stddef.h>

/* More bytes than this are not recorded. */
enum { RECORD_MOST = 256 * 1024 };

/* Records one request or several, one after the other. `answer` may be NULL. */
void record(const char *request, size_t length, int status, const char *answer, size_t answer_length);

#endif
