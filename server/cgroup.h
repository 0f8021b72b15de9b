/* What the kernel lets this process have: memory and processor time, by its control groups and the machine. */
#ifndef SERVER_CGROUP_H
#define SERVER_CGROUP_H

#include <stdint.h>

/* The smallest limit of the process's control group and its ancestors, as far as they are visible, of version 1, 2 or
 * both. `root` is prepended to /proc and the mount points: "" except in tests. */
uint64_t cgroup_memory_bytes(const char *root); /* UINT64_MAX: none */
double cgroup_processors(const char *root);     /* 1.5: one and a half processors' time; INFINITY: no quota */

/* The same, or the limit of the machine if that is smaller: its memory, and the processors that the process may run on.
 * A fraction of a processor is rounded up. */
uint64_t cgroup_allowed_memory_bytes(void);
unsigned cgroup_allowed_processors(void);

#endif
