#define _GNU_SOURCE
#include "lib/process.h"

#include "lib/assertions.h"
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

extern char **environ;

/* Long enough for a build that checks every access, on a busy machine. */
enum { START_MS = 120000, END_MS = 120000, STEP_MS = 2, WORDS = 48 };

double process_now_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec * 1e3 + (double)now.tv_nsec * 1e-6;
}

void process_sleep_ms(unsigned milliseconds)
{
    nanosleep(&(struct timespec){milliseconds / 1000, milliseconds % 1000 * 1000000}, NULL);
}

/* ---- Starting ---- */

static void forget_variables(void)
{
    for (char **entry = environ; *entry != NULL;) {
        if (strncmp(*entry, "GUMBELD_", 8) != 0) {
            entry++;
            continue;
        }
        char *name = strndup(*entry, strcspn(*entry, "="));
        unsetenv(name); /* moves the following entries up */
        free(name);
    }
}

/* In the child: `words` stays allocated, since the environment points into it. */
static void execute(char *words)
{
    char *arguments[WORDS] = {GUMBELD_BINARY};
    size_t count = 1;
    forget_variables();
    for (char *word = strtok(words, " "); word != NULL && count < WORDS - 1; word = strtok(NULL, " ")) {
        if (strncmp(word, "GUMBELD_", 8) == 0)
            putenv(word);
        else
            arguments[count++] = word;
    }
    execv(arguments[0], arguments);
    fprintf(stderr, "%s: %m\n", arguments[0]);
    _exit(127);
}

static struct process spawn(char *words)
{
    struct process process = {.out = memfd_create("out", MFD_CLOEXEC), .err = memfd_create("err", MFD_CLOEXEC)};
    ck_assert_int_ge(process.out, 0);
    ck_assert_int_ge(process.err, 0);
    const pid_t parent = getpid();
    process.pid = fork();
    ck_assert_int_ge(process.pid, 0);
    if (process.pid > 0)
        return process;
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != parent || dup2(process.out, STDOUT_FILENO) < 0 || dup2(process.err, STDERR_FILENO) < 0)
        _exit(127);
    execute(words);
    return process;
}

static char *format_words(const char *before, const char *format, va_list arguments)
{
    char *words, *all;
    ck_assert_int_ge(vasprintf(&words, format, arguments), 0);
    ck_assert_int_ge(asprintf(&all, "%s%s", before, words), 0);
    free(words);
    return all;
}

struct process process_spawn(const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    char *words = format_words("", format, arguments);
    va_end(arguments);
    struct process process = spawn(words);
    free(words);
    return process;
}

void process_await_listening(struct process *process)
{
    static const char announcement[] = "\"message\":\"listening on http://";
    const double begun = process_now_ms();
    for (;;) {
        const bool runs = process_runs(process);
        char *text = process_errors(process);
        const char *found = strstr(text, announcement);
        if (found != NULL && strchr(found, '\n') != NULL) {
            sscanf(found + strlen(announcement), "%63[^\"]", process->address);
            process->port = (unsigned)strtoul(strrchr(process->address, ':') + 1, NULL, 10);
            free(text);
            return;
        }
        ck_assert_msg(runs, "the server has ended: %s", text);
        ck_assert_msg(process_now_ms() - begun < START_MS, "the server does not say where it listens: %s", text);
        free(text);
        process_sleep_ms(STEP_MS);
    }
}

/* The address after the `count`th "WHAT on ", in a line that has ended, or NULL. */
static char *find_address(const char *text, const char *what, int count)
{
    char mark[32];
    snprintf(mark, sizeof mark, "\"%s on ", what);
    for (; count > 0 && text != NULL; count--)
        if ((text = strstr(text, mark)) != NULL)
            text += strlen(mark);
    if (text == NULL || strchr(text, '\n') == NULL)
        return NULL;
    if (strncmp(text, "http://", 7) == 0)
        text += 7;
    return strndup(text, strcspn(text, "\""));
}

char *process_await_address(const struct process *process, const char *what, int count)
{
    const double begun = process_now_ms();
    for (;;) {
        const bool runs = process_runs(process);
        char *text = process_errors(process);
        char *address = find_address(text, what, count);
        ck_assert_msg(address != NULL || runs, "the server has ended: %s", text);
        ck_assert_msg(process_now_ms() - begun < START_MS, "the server does not say where it listens: %s", text);
        free(text);
        if (address != NULL)
            return address;
        process_sleep_ms(STEP_MS);
    }
}

/* A busy machine sheds nothing, and closes no connection that it has not served in time. */
#define PATIENT "--max-wait-ms 600000 --request-timeout-ms 600000 --head-timeout-s 600 --min-rate-grace-s 600 "

struct process process_start(const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    char *words = format_words("--listen 127.0.0.1:0 --lame-duck-ms 0 " PATIENT, format, arguments);
    va_end(arguments);
    struct process process = spawn(words);
    free(words);
    process_await_listening(&process);
    return process;
}

/* ---- Ending ---- */

bool process_runs(const struct process *process)
{
    siginfo_t info = {0};
    return waitid(P_PID, (id_t)process->pid, &info, WEXITED | WNOHANG | WNOWAIT) == 0 && info.si_pid == 0;
}

int process_wait(struct process *process)
{
    const double begun = process_now_ms();
    int status;
    while (waitpid(process->pid, &status, WNOHANG) == 0) {
        ck_assert_msg(process_now_ms() - begun < END_MS, "the server does not end: %s", process_errors(process));
        process_sleep_ms(STEP_MS);
    }
    return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
}

int process_stop(struct process *process)
{
    ck_assert_int_eq(kill(process->pid, SIGTERM), 0);
    return process_wait(process);
}

void process_close(struct process *process)
{
    close(process->out);
    close(process->err);
}

void process_end(struct process *process)
{
    ck_assert_int_eq(process_stop(process), 0);
    process_close(process);
}

/* ---- What it wrote ---- */

static char *contents(int file)
{
    struct stat status;
    ck_assert_int_eq(fstat(file, &status), 0);
    char *text = calloc(1, (size_t)status.st_size + 1);
    ck_assert_ptr_nonnull(text);
    ck_assert_int_eq(pread(file, text, (size_t)status.st_size, 0), status.st_size);
    return text;
}

char *process_output(const struct process *process)
{
    return contents(process->out);
}

char *process_errors(const struct process *process)
{
    return contents(process->err);
}
