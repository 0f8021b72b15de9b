/* The target of a request line (RFC 9112, 3.2), read from the line's own bytes. */
#ifndef SERVER_TARGET_H
#define SERVER_TARGET_H

#include "api.h"

struct target {
    char *text;            /* owns the other strings; NULL if there is no target */
    const char *path;      /* decoded, except for %2F and %00, which are not a / or the end of the path; or "*" */
    const char *authority; /* of the absolute form; NULL in the others */
    struct api_argument *query;
    size_t query_count;
};

/* Maximum arguments of a query; more are TARGET_TOO_MANY. No function takes a quarter of that. */
#define TARGET_MAX_ARGUMENTS 256

enum target_result { TARGET_OK, TARGET_MALFORMED, TARGET_TOO_MANY, TARGET_NO_MEMORY };

/* Takes ownership of `text`, allocated by malloc, whatever the result. target_free accepts a zeroed target too. */
enum target_result target_read(struct target *target, char *text);
void target_free(struct target *target);

#endif
