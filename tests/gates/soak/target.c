#define _GNU_SOURCE
#include "target.h"

#include <arpa/inet.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { MOST_FLAGS = 64, END_MS = 20000, STEP_MS = 10 };

/* ---- The log ---- */

static void count_line(struct target *target, const char *line)
{
    const size_t length = strlen(line);
    if (line[0] != '{' || length < 3 || strcmp(line + length - 2, "}\n") != 0)
        target->broken_lines++;
    else if (strstr(line, "\",\"method\":\"") != NULL)
        target->request_lines++;
    else
        target->other_lines++;
}

/* The line about the address comes first. */
static void *read_log(void *closure)
{
    struct target *target = closure;
    char line[2048];
    FILE *log = fdopen(target->log, "r");
    while (fgets(line, sizeof line, log) != NULL)
        if (strncmp(line, "gumbeld: ", 9) != 0)
            count_line(target, line);
    fclose(log);
    return NULL;
}

/* Byte by byte, so that nothing after the line is taken from the reader of the log. */
static bool read_line(int log, char *line, size_t size)
{
    size_t length = 0;
    while (length < size - 1 && read(log, line + length, 1) == 1 && line[length] != '\n')
        length++;
    line[length] = '\0';
    return length > 0;
}

static bool read_announcement(struct target *target)
{
    static const char announcement[] = "listening on http://127.0.0.1:";
    char line[512] = "";
    while (read_line(target->log, line, sizeof line)) {
        const char *found = strstr(line, announcement);
        if (found != NULL && sscanf(found + strlen(announcement), "%u", &target->port) == 1)
            return true;
    }
    fprintf(stderr, "the server does not start: %s\n", line);
    return false;
}

/* ---- Beginning and end ---- */

static void execute(char **flags)
{
    enum { OWN = 7 }; /* a busy machine is to shed nothing: every answer is compared */
    char *arguments[MOST_FLAGS + OWN + 1] = {GUMBELD_BINARY,         "--listen", "127.0.0.1:0", "--max-wait-ms", "0",
                                             "--request-timeout-ms", "0"};
    for (size_t i = 0; i < MOST_FLAGS && flags[i] != NULL; i++)
        arguments[OWN + i] = flags[i];
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    execv(arguments[0], arguments);
    fprintf(stderr, "%s: %m\n", arguments[0]);
    _exit(127);
}

bool target_start(struct target *target, char **flags)
{
    int ends[2];
    *target = (struct target){.started = true};
    if (pipe(ends) != 0 || (target->pid = fork()) < 0) {
        perror("start");
        return false;
    }
    if (target->pid == 0) {
        dup2(ends[1], STDERR_FILENO);
        close(ends[0]);
        close(ends[1]);
        execute(flags);
    }
    close(ends[1]);
    target->log = ends[0];
    return read_announcement(target) && pthread_create(&target->log_reader, NULL, read_log, target) == 0;
}

int target_stop(struct target *target)
{
    int status = -1, waited_ms = 0;
    kill(target->pid, SIGTERM);
    while (waitpid(target->pid, &status, WNOHANG) == 0) {
        nanosleep(&(struct timespec){.tv_nsec = STEP_MS * 1000000}, NULL);
        waited_ms += STEP_MS;
        if (waited_ms >= END_MS)
            kill(target->pid, SIGKILL);
    }
    pthread_join(target->log_reader, NULL);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

/* ---- Levels ---- */

/* All that comes until the connection closes, to be freed; NULL if nothing does. */
static char *ask(unsigned port, const char *request)
{
    const struct sockaddr_in address = {
        .sin_family = AF_INET, .sin_port = htons((uint16_t)port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    const struct timeval limit = {.tv_sec = 10};
    const size_t capacity = 1 << 20;
    char *answer = calloc(1, capacity);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    size_t length = 0;
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
    if (connect(fd, (const struct sockaddr *)&address, sizeof address) == 0 &&
        send(fd, request, strlen(request), MSG_NOSIGNAL) > 0)
        for (ssize_t count; (count = recv(fd, answer + length, capacity - 1 - length, 0)) > 0;)
            length += (size_t)count;
    close(fd);
    if (length > 0)
        return answer;
    free(answer);
    return NULL;
}

/* The sum of the samples whose line begins with `name`. */
static int64_t sum(const char *text, const char *name)
{
    int64_t total = 0;
    for (const char *line = text; line != NULL; line = strchr(line, '\n')) {
        line += *line == '\n';
        const size_t length = strcspn(line, "\n");
        const char *space = memrchr(line, ' ', length);
        if (space != NULL && strncmp(line, name, strlen(name)) == 0)
            total += strtoll(space, NULL, 10);
    }
    return total;
}

/* The samples other than 0 whose line begins with `name`, without that, in one line. */
static void list(const char *text, const char *name, char *out, size_t size)
{
    size_t used = 0;
    out[0] = '\0';
    for (const char *line = strstr(text, name); line != NULL && used < size; line = strstr(line + 1, name)) {
        const char *sample = line + strlen(name);
        const size_t length = strcspn(sample, "\n");
        if (length > 2 && strncmp(sample + length - 2, " 0", 2) != 0)
            used += (size_t)snprintf(out + used, size - used, " %.*s", (int)length, sample);
    }
}

bool target_read(const struct target *target, struct target_levels *levels)
{
    char *text = ask(target->port, "GET /metrics HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
    if (text == NULL)
        return false;
    *levels = (struct target_levels){
        .connections = sum(text, "gumbeld_connections "),
        .in_flight = sum(text, "gumbeld_requests_in_flight "),
        .queued = sum(text, "gumbeld_requests_queued "),
        .requests = sum(text, "gumbeld_requests_total{"),
        .dropped = sum(text, "gumbeld_log_lines_dropped_total "),
    };
    list(text, "\ngumbeld_connections_closed_total", levels->ended, sizeof levels->ended);
    free(text);
    return true;
}

static long read_status(const struct target *target, const char *format)
{
    char path[64], line[256];
    long kib = 0;
    snprintf(path, sizeof path, "/proc/%d/status", (int)target->pid);
    FILE *status = target->pid > 0 ? fopen(path, "r") : NULL;
    if (status == NULL)
        return 0;
    while (fgets(line, sizeof line, status) != NULL)
        if (strncmp(line, format, strlen(format)) == 0)
            kib = strtol(line + strlen(format), NULL, 10);
    fclose(status);
    return kib;
}

long target_memory_kib(const struct target *target)
{
    return read_status(target, "VmRSS:");
}

long target_peak_kib(const struct target *target)
{
    return read_status(target, "VmHWM:");
}
