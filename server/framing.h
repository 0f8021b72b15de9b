/* Whether a request's head leaves no doubt about where the request ends and whom it is for (RFC 9112, RFC 9110). Of
 * what the two versions of libmicrohttpd let pass, this refuses the rest, so that nothing in front of the server can be
 * made to see other requests than the server does. */
#ifndef SERVER_FRAMING_H
#define SERVER_FRAMING_H

#include "host.h"
#include "target.h"

/* A head is refused above this: half of what the daemon has for one, beyond which it takes it in ever smaller pieces.
 */
#define FRAMING_MOST_BYTES (16 * 1024)

/* What has been seen of a head's fields. */
struct framing {
    const char *fault; /* the first, as a detail; NULL while there is none */
    unsigned hosts, lengths, codings;
    const char *host, *length, *coding; /* the value of the last of each */
    bool coding_was_trimmed;
    const char *end; /* of the last value: its zero byte */
};

/* The request line. The three follow one another in the daemon's memory; the target is where it stood there, and as
 * long as it was, before it was decoded. */
struct framing_line {
    const char *method, *version;
    const char *target;
    size_t target_length;
    size_t head_length; /* from the method to the end of the head */
};

/* The next field. Blanks at the end of its value are cut off, in the daemon's memory: 0.9.75 leaves them. */
void framing_add(struct framing *framing, const char *name, size_t name_length, const char *value, size_t length);

/* After the last field: 0 and *host, or -1 and *problem, after which the connection has to be closed, since nobody
 * knows where the next request begins. */
int framing_end(const struct framing *framing, const struct framing_line *line, const struct target *target,
                struct host *host, struct api_problem *problem);

/* Whether the connection is to be closed after the answer: where a length stands beside a transfer coding. */
static inline bool framing_closes(const struct framing *framing)
{
    return framing->lengths > 0 && framing->codings > 0;
}

#endif
