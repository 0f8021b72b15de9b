/* Memory that the program's own objects have allocated, counted: the linker sends their malloc, calloc, realloc and
 * free through here (--wrap), and jansson is told to use the same. */
#ifndef TESTS_MEMORY_H
#define TESTS_MEMORY_H

#include <stddef.h>

/* Counts from zero. What was allocated before is not to be freed before memory_stop. On one thread. */
void memory_start(void);

/* The most bytes that have been allocated at once since memory_start. */
size_t memory_stop(void);

#endif
