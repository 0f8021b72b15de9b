/* Cases of raw bytes, as tests/integration/framing.txt describes them: what a connection is sent, and what has to come.
 */
#ifndef TESTS_LIB_RAW_H
#define TESTS_LIB_RAW_H

#include <stdbool.h>
#include <stddef.h>

struct raw_case {
    char *name, *expected; /* for the version of libmicrohttpd that is here */
    char *bytes;
    size_t length;
};

/* Reads the cases of a file, up to one without a name. raw_free frees them. */
struct raw_case *raw_read(const char *path);
void raw_free(struct raw_case *cases);

/* Sends the case's bytes and a further request, `step` bytes at a time (0: all at once), and compares what comes. NULL
 * if it is what is expected, or else what came, to be freed. What came, in the form of what is expected, is also
 * written to *seen, which holds `size` bytes. */
char *raw_replay(unsigned port, const struct raw_case *raw, size_t step, char *seen, size_t size);

/* Sends the bytes and nothing more, and writes what came to *seen as raw_replay does. */
void raw_send(unsigned port, const char *bytes, size_t length, size_t step, char *seen, size_t size);

/* Reads answers in a row from `bytes` as strictly as RFC 9112 says: a status line, fields, exactly the body that is
 * announced, nothing else. Writes their statuses, with commas between, to `seen`; "junk" is what is no answer, "cut"
 * what has no end. The first answer but for 100 has no body if it is a HEAD's. */
void raw_statuses(const char *bytes, size_t length, bool is_head, char *seen, size_t size);

#endif
