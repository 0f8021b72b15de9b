/* A gumbeld under test, as a process of its own. It dies with the test, however that ends. */
#ifndef TESTS_LIB_PROCESS_H
#define TESTS_LIB_PROCESS_H

#include <stdbool.h>
#include <sys/types.h>

struct process {
    pid_t pid;
    int out, err; /* files in memory that hold what it has written */
    char address[64];
    unsigned port;
};

/* Starts GUMBELD_BINARY. The words of printf's text, separated by single spaces, are its arguments, but those
 * that begin with "GUMBELD_" set a variable of its environment, which holds no others of that prefix. */
struct process process_spawn(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* Waits until it says where it listens, which sets `address` and `port`. */
void process_await_listening(struct process *process);

/* Waits until it has said "WHAT on ADDRESS" `count` times. The last address, as --listen takes it, to be freed. */
char *process_await_address(const struct process *process, const char *what, int count);

/* process_spawn with "--listen 127.0.0.1:0 --lame-duck-ms 0" and limits of time that a busy machine does not reach
 * before the other words, and the wait. */
struct process process_start(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* Waits for its end. The exit status, or minus the number of the signal that ended it. */
int process_wait(struct process *process);

/* SIGTERM, then process_wait. */
int process_stop(struct process *process);

/* Whether it still runs. */
bool process_runs(const struct process *process);

/* What it has written, to be freed. */
char *process_output(const struct process *process);
char *process_errors(const struct process *process);

/* Closes the files; the process has ended. */
void process_close(struct process *process);

/* process_stop, which must give 0, and process_close. */
void process_end(struct process *process);

/* Milliseconds of a clock that never goes back; and sleeping for some. */
double process_now_ms(void);
void process_sleep_ms(unsigned milliseconds);

#endif
