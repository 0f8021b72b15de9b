/* Linked into what coverage counts. gcov writes its counts at exit(), but what was run on the way to another end counts
 * as well; and it needs a descriptor and memory, which a test may have left none of. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdlib.h>
#include <unistd.h>

void __gcov_dump(void);
void __real_abort(void) __attribute__((noreturn));
void __real__exit(int status) __attribute__((noreturn));
void __wrap_abort(void) __attribute__((noreturn));
void __wrap__exit(int status) __attribute__((noreturn));

/* Before gcov's own destructor. */
__attribute__((destructor)) static void make_room(void)
{
    void (*allow)(void) = dlsym(RTLD_DEFAULT, "scarce_allow");
    if (allow != NULL)
        allow();
    close(STDIN_FILENO);
}

static void dump(void)
{
    make_room();
    __gcov_dump();
}

void __wrap_abort(void)
{
    dump();
    __real_abort();
}

void __wrap__exit(int status)
{
    dump();
    __real__exit(status);
}
