/* Preloaded into a server: memory and threads as a small machine has them. SCARCE_ALLOCATION=N: the Nth allocation is
 * refused. SCARCE_THREADS=N: no more than N threads are there at a time, the first aside. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdlib.h>

extern void *__libc_malloc(size_t size);
extern void *__libc_calloc(size_t count, size_t size);
extern void *__libc_realloc(void *memory, size_t size);

static atomic_long allocations, threads;
static long refused, most = -1;

static long number(const char *name)
{
    const char *text = getenv(name);
    return text != NULL ? strtol(text, NULL, 10) : -1;
}

__attribute__((constructor)) static void begin(void)
{
    atomic_store(&allocations, 0);
    refused = number("SCARCE_ALLOCATION");
    most = number("SCARCE_THREADS");
}

static bool is_refused(void)
{
    if (refused <= 0 || atomic_fetch_add(&allocations, 1) + 1 != refused)
        return false;
    errno = ENOMEM;
    return true;
}

void *malloc(size_t size)
{
    return is_refused() ? NULL : __libc_malloc(size);
}

void *calloc(size_t count, size_t size)
{
    return is_refused() ? NULL : __libc_calloc(count, size);
}

void *realloc(void *memory, size_t size)
{
    return is_refused() ? NULL : __libc_realloc(memory, size);
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
