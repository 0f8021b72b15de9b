#define _DEFAULT_SOURCE /* madvise */
#include "api.h"

#include <stdlib.h>
#include <sys/mman.h>

enum { LARGE_BYTES = API_LARGE_BYTES, PAGE_BYTES = 4096 };

/* From the page on which it begins: what malloc has mapped by itself stays one mapping then, which realloc can move
 * without a copy. Whether it is heeded only matters for speed. */
void *api_realloc(void *memory, size_t size)
{
    char *bytes = realloc(memory, size);
    if (bytes == NULL || size < LARGE_BYTES)
        return bytes;
    const size_t before = (uintptr_t)bytes % PAGE_BYTES;
    madvise(bytes - before, before + size, MADV_HUGEPAGE);
    return bytes;
}
