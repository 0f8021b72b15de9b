#define _GNU_SOURCE
#include "lib/scarce.h"

#include "lib/assertions.h"
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

static struct process spawn(const char *variable, const char *value, const char *flags)
{
    setenv("LD_PRELOAD", SCARCE_LIBRARY, 1);
    setenv(variable, value, 1);
    struct process process = process_spawn("--listen 127.0.0.1:0 --lame-duck-ms 0 %s", flags);
    unsetenv("LD_PRELOAD");
    unsetenv(variable);
    return process;
}

struct process scarce_spawn(const char *variable, long value, const char *flags)
{
    char number[24];
    snprintf(number, sizeof number, "%ld", value);
    return spawn(variable, number, flags);
}

struct process scarce_start(struct scarce_plan **plan, const char *flags)
{
    char name[32];
    const int file = memfd_create("plan", 0);
    snprintf(name, sizeof name, "/proc/self/fd/%d", file);
    ck_assert_int_ge(file, 0);
    ck_assert_int_eq(ftruncate(file, sizeof **plan), 0);
    *plan = mmap(NULL, sizeof **plan, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
    ck_assert_ptr_ne(*plan, MAP_FAILED);
    struct process process = spawn("SCARCE_PLAN", name, flags);
    close(file);
    process_await_listening(&process);
    return process;
}
