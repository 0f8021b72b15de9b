/* Many clients at once, driven by one thread: each keeps its connection and asks again and again, up to four
 * requests in a row, and compares every byte of the answers. Some go away in the middle. */
#ifndef TESTS_GATES_SOAK_CROWD_H
#define TESTS_GATES_SOAK_CROWD_H

#include "pairs.h"

/* How a client may end its connection before it has all its answers. */
enum crowd_end {
    CROWD_STAYS,
    CROWD_RESETS,           /* RST right after its requests */
    CROWD_CLOSES_IN_BODY,   /* sends half of a request, then FIN */
    CROWD_RESETS_IN_BODY,   /* sends half of a request, then RST */
    CROWD_FINISHES,         /* FIN in the middle of its last answer, which it reads to the end */
    CROWD_CLOSES_IN_ANSWER, /* closes in the middle of its last answer */
    CROWD_END_COUNT
};

extern const char *const crowd_end_names[CROWD_END_COUNT];

struct crowd_plan {
    const struct pairs *pairs;
    unsigned port; /* of 127.0.0.1 */
    unsigned connections;
    unsigned sources; /* loopback addresses, from 127.0.0.2 on, that they come from in turn */
    double seconds;
    uint64_t seed;
};

struct crowd_results {
    uint64_t requests;   /* sent whole */
    uint64_t answers;    /* as expected */
    uint64_t wrong;      /* not as expected */
    uint64_t lost;       /* owed when the server closed the connection */
    uint64_t unanswered; /* owed still a while after the time was up */
    uint64_t closed;     /* connections that the server closed */
    uint64_t refused;    /* connections that could not be made */
    uint64_t opened;
    uint64_t most_open;
    uint64_t bytes_sent, bytes_received;
    uint64_t ends[CROWD_END_COUNT];
    char first_wrong[512]; /* what was wrong first */
};

/* Runs for plan->seconds and until all answers have come, and adds to *results. All connections are closed
 * then. */
void crowd_run(const struct crowd_plan *plan, struct crowd_results *results);

#endif
