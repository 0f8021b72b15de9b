/* Pages that nobody may touch, around memory under test. */
#ifndef TESTS_UNIT_CORE_FENCES_H
#define TESTS_UNIT_CORE_FENCES_H

#include <stddef.h>

/* Memory that ends, on both sides, in pages that nobody may touch. */
struct fenced {
    char *mapping;
    size_t page, size; /* size: of the usable part between them */
};

struct fenced fenced_open(size_t bytes);
void fenced_close(struct fenced *fenced);
float *fenced_start(const struct fenced *fenced);             /* where floats begin right after the first fence */
float *fenced_end(const struct fenced *fenced, size_t count); /* where `count` floats end right before the last */

#endif
