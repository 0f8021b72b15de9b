/* Preloaded into a server: memory, threads and system calls as a small machine or a strict one has them.
 * SCARCE_ALLOCATION=N: the Nth allocation fails. SCARCE_PLAN=FILE: the same while the server runs, by a file that the
 * test shares, a struct scarce_plan. SCARCE_THREADS=N: at most N threads at a time besides the first. SCARCE_CALL=N:
 * the system call of this number fails with EPERM. */
#define _GNU_SOURCE
#include "lib/scarce.h"

#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <unistd.h>

extern void *__libc_malloc(size_t size);
extern void *__libc_calloc(size_t count, size_t size);
extern void *__libc_realloc(void *memory, size_t size);

static struct scarce_plan private_plan, *plan = &private_plan;
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

static void refuse_call(unsigned call)
{
    struct sock_filter steps[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, call, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EPERM),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    };
    const struct sock_fprog program = {sizeof steps / sizeof *steps, steps};
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0 || prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) != 0)
        abort();
}

__attribute__((constructor)) static void begin(void)
{
    if (number("SCARCE_CALL") >= 0)
        refuse_call((unsigned)number("SCARCE_CALL"));
    most = number("SCARCE_THREADS");
    share_plan(getenv("SCARCE_PLAN"));
    if (plan == &private_plan)
        atomic_store(&private_plan.until, (int)number("SCARCE_ALLOCATION"));
}

void scarce_allow(void)
{
    atomic_store(&plan->until, 0);
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
