#include "fences.h"

#include "lib/assertions.h"
#include <sys/mman.h>
#include <unistd.h>

struct fenced fenced_open(size_t bytes)
{
    size_t page = (size_t)sysconf(_SC_PAGESIZE), size = (bytes + page - 1) / page * page;
    char *mapping = mmap(NULL, size + 2 * page, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    ck_assert(mapping != MAP_FAILED);
    ck_assert_int_eq(mprotect(mapping + page, size, PROT_READ | PROT_WRITE), 0);
    return (struct fenced){mapping, page, size};
}

void fenced_close(struct fenced *fenced)
{
    munmap(fenced->mapping, fenced->size + 2 * fenced->page);
}

float *fenced_start(const struct fenced *fenced)
{
    return (float *)(void *)(fenced->mapping + fenced->page);
}

float *fenced_end(const struct fenced *fenced, size_t count)
{
    return (float *)(void *)(fenced->mapping + fenced->page + fenced->size) - count;
}
