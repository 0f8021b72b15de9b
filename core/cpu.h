/* What this processor, and the operating system on it, can run. */
#ifndef CORE_CPU_H
#define CORE_CPU_H

#include "core.h"

/* Whether the instructions of `isa` may be executed here. Slow (CPUID traps in virtual machines): ask once. */
bool core_cpu_runs(enum core_isa isa);

#endif
