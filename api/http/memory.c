#define _DEFAULT_SOURCE /* madvise */
#include "http/memory.h"
#include "api.h"

#include <malloc.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>

enum {
    LARGE_BYTES = API_LARGE_BYTES,
    PAGE_BYTES = 4096,
    HEADER_BYTES = 8,        /* malloc's own, of each block */
    PURSE_BYTES = 64 * 1024, /* taken from an account at a time, so that a small request asks once */
};

/* What the thread has taken from its account and not used: without it each allocation would be an atomic operation. */
static _Thread_local struct {
    struct api_account *account;
    size_t purse;
} current;

/* ---- Refusals ---- */

static _Thread_local size_t refusals;

size_t memory_refusals(void)
{
    return refusals;
}

int memory_verdict(int result, size_t before, struct api_problem *problem)
{
    if (refusals == before || (result < 0 && problem != NULL && problem->code == API_OUT_OF_MEMORY))
        return result;
    return api_fail(problem, API_OUT_OF_MEMORY, "", API_NO_OFFSET, "no memory for the request");
}

static void *refuse(void)
{
    refusals++;
    return NULL;
}

/* ---- The account ---- */

struct api_account *api_account_use(struct api_account *account)
{
    struct api_account *former = current.account;
    if (former == account)
        return former;
    if (former != NULL && current.purse > 0)
        former->give(former, current.purse);
    current.account = account;
    current.purse = 0;
    return former;
}

static bool fill_purse(size_t missing)
{
    struct api_account *account = current.account;
    if (account->take(account, missing + PURSE_BYTES))
        current.purse += missing + PURSE_BYTES;
    else if (account->take(account, missing))
        current.purse += missing;
    else
        return false;
    return true;
}

static bool charge(size_t bytes)
{
    if (current.account == NULL)
        return true;
    if (current.purse < bytes && !fill_purse(bytes - current.purse))
        return false;
    current.purse -= bytes;
    return true;
}

static void discharge(size_t bytes)
{
    struct api_account *account = current.account;
    if (account == NULL)
        return;
    current.purse += bytes;
    if (current.purse > 2 * PURSE_BYTES) {
        account->give(account, current.purse - PURSE_BYTES);
        current.purse = PURSE_BYTES;
    }
}

/* ---- Blocks ---- */

/* What a block counts, which free() can tell again. */
static size_t cost(void *block)
{
    return block != NULL ? malloc_usable_size(block) + HEADER_BYTES : 0;
}

/* What a block of `size` bytes costs at the most: malloc rounds up, to whole pages where it maps. */
static size_t foreseen(size_t size)
{
    const size_t most = PAGE_BYTES + 8 * HEADER_BYTES;
    return size < SIZE_MAX - most ? size + most : SIZE_MAX;
}

/* Makes what was charged for a block, or for none, what it costs: mostly less. More only where malloc is set to
 * round up further, to pages of 2 MiB for one, which is then counted as far as the account has it. */
static void *settle(void *block, size_t charged)
{
    const size_t costs = cost(block);
    if (costs > charged)
        charge(costs - charged);
    else
        discharge(charged - costs);
    return block != NULL ? block : refuse();
}

void *api_malloc(size_t size)
{
    const size_t charged = foreseen(size);
    return size <= PTRDIFF_MAX && charge(charged) ? settle(malloc(size), charged) : refuse();
}

void *api_calloc(size_t count, size_t size)
{
    size_t bytes;
    if (__builtin_mul_overflow(count, size, &bytes) || bytes > PTRDIFF_MAX || !charge(foreseen(bytes)))
        return refuse();
    return settle(calloc(count, size), foreseen(bytes));
}

/* From the page on which it begins: what malloc has mapped by itself stays one mapping then, which realloc can move
 * without a copy. Whether it is heeded only matters for speed. */
static void ask_for_huge_pages(char *bytes, size_t size)
{
    const size_t before = (uintptr_t)bytes % PAGE_BYTES;
    madvise(bytes - before, before + size, MADV_HUGEPAGE);
}

/* What shrinks is never refused. What grows is charged for the growth only, as malloc remaps what is large; a copy of
 * what is small lives for a moment beside it, uncounted. */
void *api_realloc(void *memory, size_t size)
{
    const size_t before = cost(memory);
    const size_t growth = size + HEADER_BYTES > before ? foreseen(size) - before : 0;
    if (size > PTRDIFF_MAX || !charge(growth))
        return refuse();
    char *bytes = realloc(memory, size);
    if (bytes == NULL) {
        discharge(growth);
        return growth > 0 ? refuse() : memory;
    }
    if (size >= LARGE_BYTES)
        ask_for_huge_pages(bytes, size);
    return settle(bytes, before + growth);
}

void api_free(void *memory)
{
    discharge(cost(memory));
    free(memory);
}

void memory_release_body(const struct api_request *request)
{
    if (request->own_body == NULL)
        return;
    api_free(*request->own_body);
    *request->own_body = NULL;
}
