/* How the program starts where something is missing, and what it says where it cannot; what signals do to it. */
#define _GNU_SOURCE
#include "lib/http.h"
#include "lib/process.h"
#include "lib/requests.h"
#include "lib/scarce.h"
#include "lib/suite.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <unistd.h>

#define GUMBEL "/v1/gumbel_softmax"

static void check_live(const struct process *process)
{
    struct http_response response = http_ask(process->port, "GET", "/livez", NULL);
    ck_assert_int_eq(response.status, 200);
    http_free(&response);
}

/* Waits until it listens or has ended; whether it listens. */
static bool await(struct process *process)
{
    for (;; process_sleep_ms(2)) {
        const bool runs = process_runs(process);
        char *err = process_errors(process);
        const bool listens = strstr(err, "\"listening on ") != NULL;
        free(err);
        if (listens || !runs)
            return listens;
    }
}

static void end_at_once(struct process *process)
{
    kill(process->pid, SIGKILL);
    process_wait(process);
    process_close(process);
}

/* It ends with status 1 after one line that holds `reason`. */
static void check_refused(struct process *process, const char *what, const char *reason)
{
    const int status = process_wait(process);
    char *err = process_errors(process);
    ck_assert_msg(status == 1, "%s: ends with %d: %s", what, status, err);
    ck_assert_msg(strncmp(err, "gumbeld: ", 9) == 0 && strchr(err, '\n') == err + strlen(err) - 1 &&
                      strstr(err, reason) != NULL,
                  "%s: %s", what, err);
    free(err);
    process_close(process);
}

/* ---- What is short ---- */

/* With each number of threads that is too small it says so, and with enough of them the first large request finds its
 * worker: libuv would make its threads only then, and abort. */
START_TEST(a_thread_that_is_refused_ends_the_start)
{
    enum { WORKERS = 4, NEEDED = WORKERS + 2 + 1 }; /* two loops, and the log's */
    char *body = requests_gumbel(10, 1000, 3);
    for (int threads = 0; SCARCE_CAN_PRELOAD && threads <= NEEDED; threads++) {
        char what[32];
        snprintf(what, sizeof what, "%d threads", threads);
        struct process process = scarce_spawn("SCARCE_THREADS", threads, "--workers 4 --loops 2");
        const bool listens = await(&process);
        ck_assert_msg(listens == (threads == NEEDED), "%s", what);
        if (!listens) {
            check_refused(&process, what, "thread");
            continue;
        }
        process_await_listening(&process);
        struct http_response response = http_ask(process.port, "POST", GUMBEL, body);
        ck_assert_int_eq(response.status, 200);
        http_free(&response);
        process_end(&process);
    }
    free(body);
}
END_TEST

static bool answers(unsigned port)
{
    struct http http = http_open(port);
    http_print(&http, "GET /livez HTTP/1.1\r\nHost: localhost\r\n\r\n");
    struct http_response response = http_try_read(&http, false);
    const bool answered = response.status == 200;
    http_free(&response);
    http_close(&http);
    return answered;
}

/* Whichever allocation of the start is refused: the server tells, or it starts as it was told to and serves; the one
 * refused may be of the first connection. */
START_TEST(an_allocation_that_is_refused_ends_the_start)
{
    enum { MOST = 90, PARTS = 3 };
    for (int i = _i; SCARCE_CAN_PRELOAD && i < MOST; i += PARTS) {
        char what[32];
        snprintf(what, sizeof what, "allocation %d", i + 1);
        struct process process = scarce_spawn("SCARCE_ALLOCATION", i + 1, "--workers 1");
        if (!await(&process)) {
            check_refused(&process, what, "memory");
            continue;
        }
        process_await_listening(&process);
        ck_assert_msg(process.port != 8080, "%s: the flags are forgotten", what);
        ck_assert_msg(answers(process.port) || answers(process.port), "%s: it does not serve", what);
        process_end(&process);
    }
}
END_TEST

/* As a strict seccomp profile does it. What the server can do without, it does without. */
START_TEST(a_system_call_that_is_refused_ends_the_start_or_is_not_missed)
{
    static const struct {
        long call;
        const char *reason; /* NULL: it serves */
    } cases[] = {
        {SYS_getrandom, "getrandom: Operation not permitted"}, /* or it serves: glibc 2.41 has it from the vDSO */
        {SYS_signalfd4, "signalfd: Operation not permitted"},
        {SYS_epoll_create1, "Operation not permitted"},
        {SYS_eventfd2, "Operation not permitted"},
        {SYS_socket, "--listen: http://127.0.0.1:0: Operation not permitted"},
        {SYS_bind, "--listen: http://127.0.0.1:0: Operation not permitted"},
        {SYS_listen, "--listen: http://127.0.0.1:0: Operation not permitted"},
        {SYS_setsockopt, "--listen: http://127.0.0.1:0: Operation not permitted"},
        {SYS_prlimit64, NULL},
        {SYS_sched_getaffinity, NULL},
        {SYS_madvise, NULL},
    };
    for (size_t i = 0; SCARCE_CAN_PRELOAD && i < sizeof cases / sizeof *cases; i++) {
        char what[32];
        snprintf(what, sizeof what, "system call %ld", cases[i].call);
        struct process process = scarce_spawn("SCARCE_CALL", cases[i].call, "--workers 1");
        const bool listens = await(&process);
        ck_assert_msg(listens == (cases[i].reason == NULL) || (listens && cases[i].call == SYS_getrandom), "%s: %s",
                      what, process_errors(&process));
        if (!listens) {
            check_refused(&process, what, cases[i].reason);
            continue;
        }
        process_await_listening(&process);
        check_live(&process);
        process_end(&process);
    }
}
END_TEST

/* A server that can have no more than `files` of them. */
static struct process spawn_with_files(rlim_t files)
{
    struct process process = {.out = memfd_create("out", MFD_CLOEXEC), .err = memfd_create("err", MFD_CLOEXEC)};
    process.pid = fork();
    ck_assert_int_ge(process.pid, 0);
    if (process.pid > 0)
        return process;
    const struct rlimit limit = {files, files};
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    const bool alone = dup2(process.err, STDERR_FILENO) >= 0 && close_range(STDERR_FILENO + 1, ~0U, 0) == 0;
    if (alone && setrlimit(RLIMIT_NOFILE, &limit) == 0)
        execl(GUMBELD_BINARY, GUMBELD_BINARY, "--listen", "127.0.0.1:0", "--workers", "1", NULL);
    _exit(127);
}

static bool is_loaded(const struct process *process)
{
    char *err = process_errors(process);
    const bool loaded = strstr(err, "shared libraries") == NULL;
    free(err);
    return loaded;
}

START_TEST(a_file_that_is_refused_ends_the_start)
{
    enum { MOST = 60 };
    bool listens = false;
    for (rlim_t files = STDERR_FILENO + 1; files < MOST && !listens; files++) {
        struct process process = spawn_with_files(files);
        char what[32];
        snprintf(what, sizeof what, "%u files", (unsigned)files);
        listens = await(&process);
        if (listens || !is_loaded(&process))
            end_at_once(&process);
        else
            check_refused(&process, what, "Too many open files");
    }
    ck_assert(listens);
}
END_TEST

/* ---- Limits ---- */

/* What a shell, or a unit without settings, gives: few files, which it may raise. */
START_TEST(the_limit_of_files_is_raised_as_far_as_it_may_be)
{
    struct rlimit before;
    ck_assert_int_eq(getrlimit(RLIMIT_NOFILE, &before), 0);
    const struct rlimit low = {256, before.rlim_max};
    ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &low), 0);
    struct process process = process_start("--loops 1");
    ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &before), 0);
    ck_assert_int_eq(http_metric(process.port, "process_max_fds"), (long long)before.rlim_max);
    process_end(&process);
}
END_TEST

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
enum { CAN_LIMIT_ADDRESSES = false }; /* the sanitizer takes terabytes of them */
#else
enum { CAN_LIMIT_ADDRESSES = true };
#endif

/* ulimit -v is a limit on memory as well. */
START_TEST(requests_may_take_three_quarters_of_the_addresses_that_there_are)
{
    enum { MIB = 1 << 20, LIMIT_MIB = 1024 };
    struct rlimit before;
    ck_assert_int_eq(getrlimit(RLIMIT_AS, &before), 0);
    if (!CAN_LIMIT_ADDRESSES)
        return;
    const struct rlimit low = {(rlim_t)LIMIT_MIB * MIB, before.rlim_max};
    ck_assert_int_eq(setrlimit(RLIMIT_AS, &low), 0);
    struct process process = process_start("--workers 1");
    ck_assert_int_eq(setrlimit(RLIMIT_AS, &before), 0);
    ck_assert_int_le(http_metric(process.port, "gumbeld_memory_limit_bytes"), (long long)LIMIT_MIB * MIB / 4 * 3);
    check_live(&process);
    process_end(&process);
}
END_TEST

/* Of a memory in which nothing has room, probes still say that it lives, and why it does nothing. */
START_TEST(a_server_without_memory_says_so)
{
    struct process process = process_start("--max-memory-bytes 1");
    check_live(&process);
    struct http_response response = http_ask(process.port, "POST", GUMBEL, "{\"logits\":[1,2]}");
    ck_assert_msg(response.status == 413 || response.status == 503, "%s", response.head);
    ck_assert_ptr_nonnull(strstr(response.body, "memory"));
    http_free(&response);
    process_end(&process);
}
END_TEST

/* ---- Descriptors ---- */

/* Whichever are closed: what is written does not go into a connection, and nobody is kept waiting. */
START_TEST(closed_standard_files_do_not_become_connections)
{
    enum { PORT_FIRST = 10000, PORTS = 20000 }; /* below those that the kernel picks */
    const unsigned port = PORT_FIRST + (unsigned)getpid() % PORTS;
    const int kept[] = {dup(STDIN_FILENO), dup(STDOUT_FILENO), dup(STDERR_FILENO)};
    char listen[32];
    snprintf(listen, sizeof listen, "127.0.0.1:%u", port);
    const pid_t pid = fork();
    ck_assert_int_ge(pid, 0);
    if (pid == 0) {
        const int silent = open("/dev/null", O_RDWR);
        for (int fd = 0; fd <= STDERR_FILENO; fd++)
            if (_i >> fd & 1)
                close(fd);
            else
                dup2(silent, fd);
        close(silent);
        for (size_t i = 0; i < sizeof kept / sizeof *kept; i++)
            close(kept[i]);
        execl(GUMBELD_BINARY, GUMBELD_BINARY, "--listen", listen, "--lame-duck-ms", "0", NULL);
        _exit(127);
    }
    struct process process = {.pid = pid, .port = port};
    struct http http;
    while (!http_try_open(&http, port))
        process_sleep_ms(5);
    for (int i = 0; i < 3; i++)
        http_print(&http, "GET /livez HTTP/1.1\r\nHost: localhost\r\n\r\n");
    for (int i = 0; i < 3; i++) {
        struct http_response response = http_read(&http);
        ck_assert_int_eq(response.status, 200);
        http_free(&response);
    }
    ck_assert(!http_readable(&http, 100)); /* no line of the log */
    http_close(&http);
    ck_assert_int_eq(process_stop(&process), 0);
    for (size_t i = 0; i < sizeof kept / sizeof *kept; i++)
        close(kept[i]);
}
END_TEST

/* ---- Signals ---- */

START_TEST(signals_without_a_meaning_end_nothing)
{
    static const int signals[] = {SIGHUP, SIGUSR1, SIGUSR2, SIGPIPE};
    struct process process = process_start("--loops 1");
    for (size_t i = 0; i < sizeof signals / sizeof *signals; i++) {
        ck_assert_int_eq(kill(process.pid, signals[i]), 0);
        process_sleep_ms(20);
        check_live(&process);
    }
    process_end(&process);
}
END_TEST

START_TEST(root_is_told_that_it_is_not_needed)
{
    struct process process = process_start("--log-level warning");
    ck_assert_int_eq(process_stop(&process), 0);
    char *err = process_errors(&process);
    const char *found = strstr(err, "running as root");
    ck_assert_int_eq(found != NULL, geteuid() == 0);
    ck_assert(found == NULL || strstr(found + 1, "running as root") == NULL);
    free(err);
    process_close(&process);
}
END_TEST

/* ---- --healthcheck ---- */

#define WHERE                                                                                                          \
    " (asked where --admin-listen says, or else --listen: give them, or GUMBELD_ADMIN_LISTEN and GUMBELD_LISTEN, as "  \
    "the server has them)\n"

/* Its exit status, and what it says. */
static int healthcheck(const char *where, char *said, size_t size)
{
    struct process process = process_spawn("--healthcheck --listen %s", where);
    const int status = process_wait(&process);
    char *err = process_errors(&process);
    snprintf(said, size, "%s", err);
    free(err);
    process_close(&process);
    return status;
}

/* A listener on the loopback that says `answer` to the first who comes, or nothing. */
static pid_t pretend(const char *answer, char *where, size_t size)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t length = sizeof address;
    const int listening = socket(AF_INET, SOCK_STREAM, 0);
    ck_assert_int_eq(bind(listening, (struct sockaddr *)&address, length), 0);
    ck_assert_int_eq(listen(listening, 1), 0);
    ck_assert_int_eq(getsockname(listening, (struct sockaddr *)&address, &length), 0);
    snprintf(where, size, "127.0.0.1:%u", ntohs(address.sin_port));
    const pid_t pid = fork();
    if (pid == 0) {
        const int fd = accept(listening, NULL, NULL);
        char head[1024];
        if (answer == NULL)
            pause();
        _exit(recv(fd, head, sizeof head, 0) > 0 && send(fd, answer, strlen(answer), 0) > 0 ? 0 : 1);
    }
    close(listening);
    return pid;
}

START_TEST(a_healthcheck_says_where_it_asked_and_why_it_failed)
{
    static const struct {
        const char *answer, *reason;
    } cases[] = {
        {"HTTP/1.1 503 Service Unavailable\r\n\r\n", "status 503" WHERE},
        {"SSH-2.0-OpenSSH_9.2p1\r\n", "the answer is not HTTP" WHERE},
        {NULL, "no answer within 2 seconds (the server hangs or is stopped, or another program listens)\n"},
    };
    char where[32], said[384];
    const pid_t pid = pretend(cases[_i].answer, where, sizeof where);
    ck_assert_int_eq(healthcheck(where, said, sizeof said), 1);
    kill(pid, SIGKILL);
    ck_assert_msg(strstr(said, where) != NULL && strstr(said, cases[_i].reason) != NULL, "%s", said);
}
END_TEST

START_TEST(a_healthcheck_of_nobody_is_refused)
{
    char said[384];
    ck_assert_int_eq(healthcheck("127.0.0.1:1", said, sizeof said), 1);
    ck_assert_str_eq(said, "gumbeld: --healthcheck: http://127.0.0.1:1: GET /livez: Connection refused" WHERE);
    ck_assert_int_eq(healthcheck("unix:/nowhere/gumbeld.sock", said, sizeof said), 1);
    ck_assert_str_eq(said,
                     "gumbeld: --healthcheck: unix:/nowhere/gumbeld.sock: GET /livez: No such file or directory" WHERE);
}
END_TEST

/* As the container does, whatever it listens on: all addresses of both families, and the probes' own where there is
 * one. */
START_TEST(a_healthcheck_asks_where_probes_are)
{
    char said[384], where[96];
    struct process process = process_start("--listen [::]:0 --admin-listen 127.0.0.1:0");
    char *all = process_await_address(&process, "listening", 2), *admin = process_await_address(&process, "admin", 1);
    ck_assert_msg(healthcheck(all, said, sizeof said) == 0, "%s: %s", all, said);
    snprintf(where, sizeof where, "127.0.0.1:1 --admin-listen %s", admin);
    ck_assert_msg(healthcheck(where, said, sizeof said) == 0, "%s: %s", where, said);
    process_end(&process);
    free(all);
    free(admin);
}
END_TEST

START_TEST(a_healthcheck_asks_unix_sockets_too)
{
    char path[64], said[384], where[80];
    snprintf(path, sizeof path, "/tmp/gumbeld-start-%d.sock", (int)getpid());
    snprintf(where, sizeof where, "unix:%s", path);
    struct process process = process_start("--listen %s", where);
    ck_assert_msg(healthcheck(where, said, sizeof said) == 0, "%s", said);
    ck_assert_str_eq(said, "");
    process_end(&process);
    ck_assert_int_eq(healthcheck(where, said, sizeof said), 1);
}
END_TEST

TEST_SUITE("server-time")
{
    Suite *suite = suite_create("server start");

    TCase *scarce = tcase_create("scarce");
    tcase_set_timeout(scarce, 60);
    tcase_add_test(scarce, a_thread_that_is_refused_ends_the_start);
    tcase_add_loop_test(scarce, an_allocation_that_is_refused_ends_the_start, 0, 3);
    tcase_add_test(scarce, a_system_call_that_is_refused_ends_the_start_or_is_not_missed);
    tcase_add_test(scarce, a_file_that_is_refused_ends_the_start);
    suite_add_tcase(suite, scarce);

    TCase *limits = tcase_create("limits");
    tcase_set_timeout(limits, 60);
    tcase_add_test(limits, the_limit_of_files_is_raised_as_far_as_it_may_be);
    tcase_add_test(limits, requests_may_take_three_quarters_of_the_addresses_that_there_are);
    tcase_add_test(limits, a_server_without_memory_says_so);
    suite_add_tcase(suite, limits);

    TCase *process = tcase_create("process");
    tcase_set_timeout(process, 60);
    tcase_add_loop_test(process, closed_standard_files_do_not_become_connections, 1, 8);
    tcase_add_test(process, signals_without_a_meaning_end_nothing);
    tcase_add_test(process, root_is_told_that_it_is_not_needed);
    suite_add_tcase(suite, process);

    TCase *health = tcase_create("healthcheck");
    tcase_set_timeout(health, 60);
    tcase_add_loop_test(health, a_healthcheck_says_where_it_asked_and_why_it_failed, 0, 3);
    tcase_add_test(health, a_healthcheck_of_nobody_is_refused);
    tcase_add_test(health, a_healthcheck_asks_where_probes_are);
    tcase_add_test(health, a_healthcheck_asks_unix_sockets_too);
    suite_add_tcase(suite, health);
    return suite;
}
