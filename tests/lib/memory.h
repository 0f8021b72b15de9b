/* Memory that the program's own objects have allocated, counted, or refused: the linker sends their malloc, calloc,
 * realloc and free through here (--wrap), and jansson is told to use the same. */
#ifndef TESTS_LIB_MEMORY_H
#define TESTS_LIB_MEMORY_H

#include <stdbool.h>
#include <stddef.h>

/* Counts from zero. What was allocated before is not to be freed before memory_stop. On one thread. */
void memory_start(void);

/* What is allocated now of what has been since. */
size_t memory_allocated(void);

/* Has that told after each allocation, until memory_stop. */
void memory_watch(void (*watch)(size_t allocated));

/* The most bytes that have been allocated at once since memory_start. */
size_t memory_stop(void);

/* Refuses the thread's allocation number `first`, counted from 1, and all after it if `rest` says so. */
void memory_refuse(size_t first, bool rest);

/* Ends that, and returns how many have been asked for. */
size_t memory_allow(void);

#endif
