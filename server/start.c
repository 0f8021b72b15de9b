#include "start.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <uv.h>

/* ---- Files, signals, memory ---- */

void start_open_standard_files(void)
{
    int fd;
    do /* open returns the lowest free descriptor */
        fd = open("/dev/null", O_RDWR);
    while (fd >= 0 && fd <= STDERR_FILENO);
    if (fd > STDERR_FILENO)
        close(fd);
}

void start_ignore_signals(void)
{
    static const int ignored[] = {SIGPIPE, SIGHUP, SIGUSR1, SIGUSR2};
    for (size_t i = 0; i < sizeof ignored / sizeof *ignored; i++)
        signal(ignored[i], SIG_IGN);
}

static void *checked(void *memory)
{
    if (memory == NULL) {
        start_failed("libuv", ENOMEM);
        _exit(1);
    }
    return memory;
}

static void *allocate(size_t size)
{
    return checked(malloc(size));
}

static void *allocate_zeroed(size_t count, size_t size)
{
    return checked(calloc(count, size));
}

static void *reallocate(void *memory, size_t size)
{
    return checked(realloc(memory, size));
}

void start_check_allocations(void)
{
    uv_replace_allocator(allocate, reallocate, allocate_zeroed, free);
}

/* ---- Threads ---- */

enum { MAX_WAIT_MS = 1000 };

static void wait_for_end(void *gate)
{
    uv_sem_wait(gate);
}

/* The kernel's count, which may include a joined thread for a moment. 0 if it is unknown. */
static long count_threads(void)
{
    char line[256];
    long threads = 0;
    FILE *file = fopen("/proc/self/status", "re");
    while (file != NULL && threads == 0 && fgets(line, sizeof line, file) != NULL)
        sscanf(line, "Threads: %ld", &threads);
    if (file != NULL)
        fclose(file);
    return threads;
}

/* Whether this many threads can exist at once, with the stacks that libuv gives its own. 0 or a number of errno. */
static int try_threads(uv_thread_t *threads, size_t count)
{
    const uv_thread_options_t options = {.flags = UV_THREAD_HAS_STACK_SIZE, .stack_size = 8 << 20};
    const long before = count_threads();
    uv_sem_t gate;
    size_t made = 0;
    int result = uv_sem_init(&gate, 0);
    while (result == 0 && made < count)
        if ((result = uv_thread_create_ex(&threads[made], &options, wait_for_end, &gate)) == 0)
            made++;
    for (size_t i = 0; i < made; i++)
        uv_sem_post(&gate);
    for (size_t i = 0; i < made; i++)
        uv_thread_join(&threads[i]);
    uv_sem_destroy(&gate);
    for (int i = 0; i < MAX_WAIT_MS && before > 0 && count_threads() > before; i++)
        uv_sleep(1);
    return -result;
}

/* libuv aborts if it cannot open the files that it needs first. 0 or a number of errno. */
static int try_files(void)
{
    int files[4], result = 0;
    size_t opened = 0;
    for (; opened < sizeof files / sizeof *files && result == 0; opened++)
        if ((files[opened] = open("/dev/null", O_RDWR | O_CLOEXEC)) < 0)
            result = errno;
    while (opened-- > 0)
        if (files[opened] >= 0)
            close(files[opened]);
    return result;
}

static void do_nothing(uv_work_t *work)
{
    (void)work;
}

static void done(uv_work_t *work, int status)
{
    (void)work;
    (void)status;
}

/* With its first work, the pool creates all its threads and waits until they run. */
static int start_pool(void)
{
    uv_loop_t loop;
    uv_work_t work;
    int result = try_files();
    if (result == 0)
        result = -uv_loop_init(&loop);
    if (result != 0)
        return result;
    uv_queue_work(&loop, &work, do_nothing, done);
    uv_run(&loop, UV_RUN_DEFAULT);
    uv_loop_close(&loop);
    return 0;
}

int start_workers(size_t count)
{
    char text[24];
    snprintf(text, sizeof text, "%zu", count);
    uv_thread_t *threads = calloc(count, sizeof *threads);
    if (threads == NULL || setenv("UV_THREADPOOL_SIZE", text, 1) != 0) {
        free(threads);
        return ENOMEM;
    }
    int result = try_threads(threads, count);
    free(threads);
    return result != 0 ? result : start_pool();
}

/* ---- What is said ---- */

int start_failed_hint(const char *what, int reason, const char *hint)
{
    fprintf(stderr, "gumbeld: %s: %s%s\n", what, strerror(reason), hint);
    return -1;
}

int start_failed(const char *what, int reason)
{
    static const struct {
        int reason;
        const char *hint;
    } hints[] = {
        {EAGAIN, " (check the limits on threads and processes, as pids_limit, TasksMax and ulimit -u, and on memory)"},
        {EADDRNOTAVAIL, " (no interface of this machine has this address)"},
        {EACCES, " (ports below 1024 and folders of other users need a permission)"},
        {EMFILE, " (check the limit on open files, ulimit -n)"},
    };
    const char *hint = "";
    for (size_t i = 0; i < sizeof hints / sizeof *hints; i++)
        if (hints[i].reason == reason)
            hint = hints[i].hint;
    return start_failed_hint(what, reason, hint);
}
