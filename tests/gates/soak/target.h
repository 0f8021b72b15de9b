/* The server that the soak works on: started here, or running already. */
#ifndef TESTS_GATES_SOAK_TARGET_H
#define TESTS_GATES_SOAK_TARGET_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

struct target {
    unsigned port; /* of 127.0.0.1 */
    pid_t pid;     /* 0 where it is not known */
    bool started;  /* by target_start, with its standard error in `log` */
    int log;
    pthread_t log_reader;
    uint64_t request_lines, other_lines, broken_lines; /* of the log; settled after target_stop */
};

/* What /metrics says. */
struct target_levels {
    int64_t connections, in_flight, queued; /* the question itself is one of the first two */
    int64_t requests;                       /* completed so far */
    int64_t dropped;                        /* log lines */
    char ended[512];                        /* how many connections, for what reasons */
};

/* Starts GUMBELD_BINARY on a free port with further `flags`, up to a NULL. False, with a line on standard
 * error, if that fails. */
bool target_start(struct target *target, char **flags);

/* False if there is no answer within ten seconds. */
bool target_read(const struct target *target, struct target_levels *levels);

/* Resident memory in KiB, and the most that it has been; 0 where it is not known. */
long target_memory_kib(const struct target *target);
long target_peak_kib(const struct target *target);

/* SIGTERM. The exit status, or -1 if it does not end within 20 seconds (it is killed then) or ends by a
 * signal. */
int target_stop(struct target *target);

#endif
