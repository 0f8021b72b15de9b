/* A server that runs short of memory, threads or system calls: scarce.c is preloaded into it. */
#ifndef TESTS_LIB_SCARCE_H
#define TESTS_LIB_SCARCE_H

#include "lib/process.h"

#include <stdatomic.h>

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
enum { SCARCE_CAN_PRELOAD = false }; /* the sanitizer's library must come first */
#else
enum { SCARCE_CAN_PRELOAD = true };
#endif

/* Shared with the server. */
struct scarce_plan {
    atomic_int until;  /* how many allocations until one fails; 0: none does */
    atomic_int failed; /* how many have */
};

/* In the library: from now on nothing fails. */
void scarce_allow(void);

/* process_spawn with a variable of scarce.c, on a port of the kernel's choice and without lame-duck time. */
struct process scarce_spawn(const char *variable, long value, const char *flags);

/* The same with a plan that refuses nothing yet; waits until it listens. */
struct process scarce_start(struct scarce_plan **plan, const char *flags);

#endif
