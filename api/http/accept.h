/* Media types in the fields of a request (RFC 9110, 8.3 and 12.5.1). */
#ifndef API_HTTP_ACCEPT_H
#define API_HTTP_ACCEPT_H

#include "api.h"

/* Whether a Content-Type says that type, with any parameters: a list is none, whatever comes first in it. */
bool accept_is_type(const char *content_type, const char *type);

enum { ACCEPT_MOST_TYPES = 16 };

/* The one of `count` types, ACCEPT_MOST_TYPES at most, that the Accept gives the most weight, by the most specific
 * range for each; of equals the first; `count` if it takes none. NULL or an empty list takes all. */
size_t accept_choose(const char *accept, const char *const *types, size_t count);

#endif
