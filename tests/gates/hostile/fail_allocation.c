/* Preloaded into a server: lets the allocation fail whose turn it is by a counter in a file that is shared with the
 * test. The file's name is in HOSTILE_ALLOCATIONS; it holds two ints: how many allocations until one fails (0: none
 * does), and how many have failed. */
#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

struct plan {
    atomic_int until, failed;
};

static struct plan nothing, *plan = &nothing;

void *__libc_malloc(size_t size);
void *__libc_calloc(size_t count, size_t size);
void *__libc_realloc(void *block, size_t size);

__attribute__((constructor)) static void open_plan(void)
{
    const char *name = getenv("HOSTILE_ALLOCATIONS");
    const int file = name != NULL ? open(name, O_RDWR | O_CLOEXEC) : -1;
    if (file < 0)
        return;
    void *shared = mmap(NULL, sizeof *plan, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
    close(file);
    if (shared != MAP_FAILED)
        plan = shared;
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

void *realloc(void *block, size_t size)
{
    return fails() ? NULL : __libc_realloc(block, size);
}
