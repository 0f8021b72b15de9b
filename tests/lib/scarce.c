/* Preloaded into a server: memory and threads as a small machine has them. SCARCE_ALLOCATION=N: the Nth allocation
 * fails. SCARCE_PLAN=FILE: the same while the server runs, by a file of two ints that the test shares: how many
 * allocations until one fails (0: none does), and how many have failed. SCARCE_THREADS=N: at most N threads at a time
 * besides the first. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

extern void *__libc_malloc(size_t size);
extern void *__libc_calloc(size_t count, size_t size);
extern void *__libc_realloc(void *memory, size_t size);

struct plan {
    atomic_int until, failed;
};

static struct plan private_plan, *plan = &private_plan;
static atomic_long threads;
static long most = -1;

static long number(const char *name)
{
    const char *text = getenv(name);
    return text != NULL ? strtol(text, NULL, 10) : -1;
}

static void share_plan(const char *name)
{
    const int file = name != NULL ? open(name, O_RDWR | O_CLOEXEC) : -1;
    if (file < 0)
        return;
    void *shared = mmap(NULL, sizeof *plan, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
    close(file);
    if (shared != MAP_FAILED)
        plan = shared;
}

__attribute__((constructor)) static void begin(void)
{
    most = number("SCARCE_THREADS");
    share_plan(getenv("SCARCE_PLAN"));
    if (plan == &private_plan)
        atomic_store(&private_plan.until, (int)number("SCARCE_ALLOCATION"));
}

static bool fails(void)
{
    if (atomic_load(&plan->until) <= 0 || atomic_fetch_sub(&plan->until, 1) != 1)
        return false;
    atomic_fetch_add(&plan->failed, 1);
    errno = ENOMEM;
    return true;
}

void *malloc(size_t size)
{
    return fails() ? NULL : __libc_malloc(size);
}

void *calloc(size_t count, size_t size)
{
    return fails() ? NULL : __libc_calloc(count, size);
}

void *realloc(void *memory, size_t size)
{
    return fails() ? NULL : __libc_realloc(memory, size);
}

struct start {
    void *(*run)(void *argument);
    void *argument;
};

static void *run(void *start)
{
    const struct start own = *(struct start *)start;
    free(start);
    void *result = own.run(own.argument);
    atomic_fetch_sub(&threads, 1);
    return result;
}

int pthread_create(pthread_t *thread, const pthread_attr_t *attributes, void *(*begin_at)(void *), void *argument)
{
    int (*next)(pthread_t *, const pthread_attr_t *, void *(*)(void *), void *) = dlsym(RTLD_NEXT, "pthread_create");
    struct start *start = __libc_malloc(sizeof *start);
    if (atomic_fetch_add(&threads, 1) >= most && most >= 0) {
        atomic_fetch_sub(&threads, 1);
        free(start);
        return EAGAIN;
    }
    *start = (struct start){begin_at, argument};
    return next(thread, attributes, run, start);
}
