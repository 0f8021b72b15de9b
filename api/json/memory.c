#include "json/memory.h"
#include "api.h"

#include <assert.h>
#include <jansson.h>
#include <limits.h>
#include <stdalign.h>

/* The memory of one tree. */
struct arena {
    size_t live; /* blocks in use, and one more while it is open */
    char *next, *end;
};

/* What comes before a block, at a multiple of 16. So the block itself is at none, as no block of malloc is: that is
 * how free knows the ones from the others. */
struct header {
    struct arena *arena;
};

enum { ALIGNMENT = 16 };
_Static_assert(alignof(max_align_t) == ALIGNMENT, "malloc aligns to 16 bytes");
_Static_assert(sizeof(struct header) == ALIGNMENT / 2 && sizeof(struct header) >= alignof(json_int_t),
               "a block is aligned for what jansson keeps in it");

static _Thread_local struct arena *open_arena;

/* ---- Blocks ---- */

static void *cut(struct arena *arena, size_t size)
{
    const size_t whole = (sizeof(struct header) + size + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
    struct header *header = (struct header *)arena->next;
    arena->next += whole;
    arena->live++;
    header->arena = arena;
    return header + 1;
}

static void drop(struct arena *arena)
{
    if (--arena->live == 0)
        api_free(arena);
}

static void *allocate(size_t size)
{
    struct arena *arena = open_arena;
    if (arena != NULL && size + 2 * ALIGNMENT <= (size_t)(arena->end - arena->next))
        return cut(arena, size);
    return api_malloc(size);
}

static void release(void *block)
{
    if ((uintptr_t)block % ALIGNMENT != 0)
        drop(((struct header *)block - 1)->arena);
    else
        api_free(block);
}

void json_memory_init(void)
{
    json_set_alloc_funcs(allocate, release);
}

/* ---- What a text takes ---- */

/* Of jansson 2.14 where pointers have 8 bytes, each block with its header and rounded up. A value is 32 bytes where it
 * is no string, an array 48 and its table 80 at first, an object 80 and its table 144 at first. What tables grow to,
 * doubled each time, is together no more than 40 bytes a value of an array and 72 a member. A string is 74 and its
 * length, as a name 178 and twice its length: each of its quotation marks counts for half of that. */
static const unsigned char appetites[UCHAR_MAX + 1] = {
    ['{'] = 224, ['['] = 128 + 72, [','] = 72, [':'] = 32, ['"'] = 92,
};

enum {
    BYTE_APPETITE = 7,   /* twice its length, of a string; and the buffer of a token, doubled until it has room */
    TEXT_APPETITE = 512, /* of any text, and what the doubling of a long token's buffer is rounded up */
};

size_t json_memory_bound(const char *text, size_t length)
{
    size_t bytes = BYTE_APPETITE * length;
    for (size_t i = 0; i < length; i++)
        bytes += appetites[(unsigned char)text[i]];
    return bytes;
}

/* ---- Arenas ---- */

bool json_memory_open(size_t bytes)
{
    const size_t begin = (sizeof(struct arena) + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
    bytes += begin + TEXT_APPETITE;
    char *memory = api_malloc(bytes);
    assert(open_arena == NULL);
    if (memory == NULL)
        return false;
    open_arena = (struct arena *)memory;
    *open_arena = (struct arena){.live = 1, .next = memory + begin, .end = memory + bytes};
    return true;
}

void json_memory_close(void)
{
    struct arena *arena = open_arena;
    open_arena = NULL;
    drop(arena);
}
