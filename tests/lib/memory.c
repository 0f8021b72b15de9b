#include "lib/memory.h"
#include "api.h"

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
static void (*watcher)(size_t allocated);

/* Which allocations are refused: of those asked for, the one with that number, or all from it on. */
static _Thread_local struct {
    size_t asked, first; /* 0: none is */
    bool rest;
} refusing;

static bool is_refused(void)
{
    refusing.asked += refusing.first > 0;
    return refusing.first > 0 && (refusing.rest ? refusing.asked >= refusing.first : refusing.asked == refusing.first);
}

static void *count(void *memory)
{
    if (!counting)
        return memory;
    allocated += malloc_usable_size(memory);
    peak = allocated > peak ? allocated : peak;
    if (watcher != NULL)
        watcher(allocated);
    return memory;
}

static void discount(void *memory)
{
    if (counting)
        allocated -= malloc_usable_size(memory);
}

void *__wrap_malloc(size_t size)
{
    return is_refused() ? NULL : count(__real_malloc(size));
}

void *__wrap_calloc(size_t number, size_t size)
{
    return is_refused() ? NULL : count(__real_calloc(number, size));
}

void *__wrap_realloc(void *memory, size_t size)
{
    if (is_refused())
        return NULL;
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
    api_init();
    allocated = peak = 0;
    counting = true;
}

size_t memory_allocated(void)
{
    return allocated;
}

void memory_watch(void (*watch)(size_t allocated))
{
    watcher = watch;
}

size_t memory_stop(void)
{
    counting = false;
    watcher = NULL;
    return peak;
}

void memory_refuse(size_t first, bool rest)
{
    refusing.asked = 0;
    refusing.first = first;
    refusing.rest = rest;
}

size_t memory_allow(void)
{
    refusing.first = 0;
    return refusing.asked;
}
