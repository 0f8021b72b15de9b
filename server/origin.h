/* What web pages may request of this server: browsers send the page's origin, and enforce what the answer allows (the
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

/* Whether a page may send this request: a page of the server itself, or of an origin in the list, separated by commas,
 * where * is all. Methods that only read are always allowed, since the browser withholds the answer from other origins.
 */
bool origin_may_ask(const struct browser *browser, const char *method, const struct host *host, const char *list);

/* Whether it is a valid list. */
bool origin_list_is_valid(const char *list);

/* Adds the fields that allow a page of a listed origin to read the answer; `methods` answers a preflight, NULL if the
 * request is not one. Adds nothing if the list is empty. */
enum MHD_Result origin_add_fields(struct MHD_Response *response, const struct browser *browser, const char *methods,
                                  const char *list);

#endif
