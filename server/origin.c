#include "origin.h"
#include "text.h"

#define EXPOSED                                                                                                        \
    "X-Gumbeld-Seed, X-Gumbeld-Tau, X-Gumbeld-Rng, X-Gumbeld-Dtype, X-Gumbeld-Results, "                               \
    "Inference-Header-Content-Length, Retry-After, Allow, traceparent, X-Request-Id"
#define MAX_AGE_S "7200"

/* ---- Lists ---- */

static bool is_listed(const char *origin, const char *list)
{
    size_t length;
    if (origin == NULL || *origin == '\0')
        return false;
    for (list = text_element(list, &length); length > 0; list = text_element(list + length, &length))
        if (text_is(list, length, "*") || text_is(list, length, origin))
            return true;
    return false;
}

static bool is_entry(const char *text, size_t length)
{
    char copy[300];
    struct host host;
    if (text_is(text, length, "*") || text_is(text, length, "null"))
        return true;
    const size_t scheme = strncasecmp(text, "http://", 7) == 0 ? 7 : strncasecmp(text, "https://", 8) == 0 ? 8 : 0;
    if (scheme == 0 || length <= scheme || length >= sizeof copy)
        return false;
    memcpy(copy, text, length);
    copy[length] = '\0';
    return host_read(copy + scheme, &host);
}

bool origin_list_is_valid(const char *list)
{
    size_t length;
    for (list = text_element(list, &length); length > 0; list = text_element(list + length, &length))
        if (!is_entry(list, length))
            return false;
    return true;
}

/* ---- Who may ask ---- */

static bool only_reads(const char *method)
{
    return strcmp(method, MHD_HTTP_METHOD_GET) == 0 || strcmp(method, MHD_HTTP_METHOD_HEAD) == 0 ||
           strcmp(method, MHD_HTTP_METHOD_OPTIONS) == 0;
}

/* Sec-Fetch-Site is set by the browser, and correct behind a proxy that changes Host; "same-site" is another port or
 * subdomain, and no more trusted than any other origin. Older browsers send only Origin; other clients send neither. */
bool origin_may_ask(const struct browser *browser, const char *method, const struct host *host, const char *list)
{
    if (only_reads(method) || is_listed(browser->origin, list))
        return true;
    if (browser->site != NULL)
        return strcmp(browser->site, "same-origin") == 0 || strcmp(browser->site, "none") == 0;
    return browser->origin == NULL || host_has_origin(host, browser->origin);
}

/* ---- What the answer allows ---- */

static enum MHD_Result add_preflight(struct MHD_Response *response, const struct browser *browser, const char *methods)
{
    enum MHD_Result result = MHD_add_response_header(response, MHD_HTTP_HEADER_ACCESS_CONTROL_ALLOW_METHODS, methods) &
                             MHD_add_response_header(response, MHD_HTTP_HEADER_ACCESS_CONTROL_MAX_AGE, MAX_AGE_S);
    if (browser->wanted_fields != NULL && *browser->wanted_fields != '\0')
        result &= MHD_add_response_header(response, MHD_HTTP_HEADER_ACCESS_CONTROL_ALLOW_HEADERS,
                                          browser->wanted_fields);
    if (browser->wants_private_network)
        result &= MHD_add_response_header(response, "Access-Control-Allow-Private-Network", "true");
    return result;
}

enum MHD_Result origin_add_fields(struct MHD_Response *response, const struct browser *browser, const char *methods,
                                  const char *list)
{
    if (*list == '\0')
        return MHD_YES;
    enum MHD_Result result = MHD_add_response_header(response, MHD_HTTP_HEADER_VARY, MHD_HTTP_HEADER_ORIGIN);
    if (!is_listed(browser->origin, list))
        return result;
    result &= MHD_add_response_header(response, MHD_HTTP_HEADER_ACCESS_CONTROL_ALLOW_ORIGIN, browser->origin);
    if (methods != NULL && browser->wanted_method != NULL)
        return result & add_preflight(response, browser, methods);
    return result & MHD_add_response_header(response, MHD_HTTP_HEADER_ACCESS_CONTROL_EXPOSE_HEADERS, EXPOSED);
}
