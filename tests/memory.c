#include "memory.h"

#include <jansson.h>
#include <malloc.h>
#include <stdbool.h>
#include <stdlib.h>

void *__real_malloc(size_t size);
void *__real_calloc(size_t count, size_t size);
void *__real_realloc(void *memory, size_t size);
void __real_free(void *memory);
void *__wrap_malloc(size_t size);
void *__wrap_calloc(size_t count, size_t size);
void *__wrap_realloc(void *memory, size_t size);
void __wrap_free(void *memory);

static _Thread_local bool counting;
static size_t allocated, peak;

static void *count(void *memory)
{
    if (counting && (allocated += malloc_usable_size(memory)) > peak)
        peak = allocated;
    return memory;
}

static void discount(void *memory)
{
    if (counting)
        allocated -= malloc_usable_size(memory);
}

void *__wrap_malloc(size_t size)
{
    return count(__real_malloc(size));
}

void *__wrap_calloc(size_t number, size_t size)
{
    return count(__real_calloc(number, size));
}

void *__wrap_realloc(void *memory, size_t size)
{
    discount(memory);
    return count(__real_realloc(memory, size));
}

void __wrap_free(void *memory)
{
    discount(memory);
    __real_free(memory);
}

void memory_start(void)
{
    json_set_alloc_funcs(__wrap_malloc, __wrap_free);
    allocated = peak = 0;
    counting = true;
}

size_t memory_stop(void)
{
    counting = false;
    json_set_alloc_funcs(malloc, free);
    return peak;
}
