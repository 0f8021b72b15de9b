/* What web pages may ask of this server: browsers say where a request comes from, and obey what the answer allows (the
 * Fetch standard). */
#ifndef SERVER_ORIGIN_H
#define SERVER_ORIGIN_H

#include "host.h"

#include <microhttpd.h>

/* Fields that only browsers send; NULL where one is missing, "" where it is invalid. */
struct browser {
    const char *origin;
    const char *site;           /* Sec-Fetch-Site */
    const char *wanted_method;  /* of a preflight */
    const char *wanted_fields;  /* of a preflight */
    bool wants_private_network; /* a preflight from a page of a wider network */
};

/* Whether a page may have sent this: one of the server's own, or of an origin in the list, commas between, * being all.
 * What only reads is always allowed, since a page of another origin does not get the answer to see. */
bool origin_may_ask(const struct browser *browser, const char *method, const struct host *host, const char *list);

/* Whether such a list may be configured. */
bool origin_list_is_valid(const char *list);

/* Adds what lets a page of an origin in the list have the answer; `methods` answers a preflight, NULL: it is none. Adds
 * nothing with an empty list. */
enum MHD_Result origin_add_fields(struct MHD_Response *response, const struct browser *browser, const char *methods,
                                  const char *list);

#endif
