/* A request into a response: content negotiation, then decode, compute and encode. */
#include "api.h"

#include <string.h>
#include <strings.h>

/* ---- Media types (RFC 9110, 8.3 and 12.5.1) ---- */

static size_t trimmed_length(const char *text, size_t length)
{
    while (length > 0 && (text[length - 1] == ' ' || text[length - 1] == '\t'))
        length--;
    return length;
}

/* Whether the type in `text`, up to a parameter or the end of the list element, is `type`. */
static bool is_type(const char *text, const char *type)
{
    size_t length = trimmed_length(text, strcspn(text, ";,"));
    return length == strlen(type) && strncasecmp(text, type, length) == 0;
}

/* Whether a list element, such as "text/html;q=0.0", has the weight 0: not acceptable. */
static bool is_refused(const char *element, size_t length)
{
    for (const char *at = element, *end = element + length; (at = memchr(at, ';', (size_t)(end - at))) != NULL;) {
        at += 1 + strspn(at + 1, " \t");
        if (strncasecmp(at, "q=", 2) == 0)
            return strspn(at + 2, "0.") == trimmed_length(at + 2, strcspn(at + 2, ";,"));
    }
    return false;
}

/* An absent Accept takes everything. A range that matches more exactly does not override a wider one: a
 * client that refuses the only type there is gets it refused only if nothing else in its list takes it. */
static bool accepts(const char *accept, const char *type)
{
    if (accept == NULL || *accept == '\0')
        return true;
    const size_t major = strcspn(type, "/");
    while (*accept != '\0') {
        accept += strspn(accept, " \t,");
        const size_t length = strcspn(accept, ",");
        bool matches = is_type(accept, "*/*") || is_type(accept, type) ||
                       (strncasecmp(accept, type, major + 1) == 0 && accept[major + 1] == '*');
        if (matches && !is_refused(accept, length))
            return true;
        accept += length;
    }
    return false;
}

static int negotiate(const struct api_request *request, struct api_problem *problem)
{
    const char *type = request->route->media_type;
    if (request->route->kind != API_ROUTE_CALL)
        return 0;
    if (request->content_type != NULL && !is_type(request->content_type, type))
        return api_fail(problem, API_UNSUPPORTED_MEDIA_TYPE, "", API_NO_OFFSET, "send the body as Content-Type: %s",
                        type);
    if (!accepts(request->accept, type))
        return api_fail(problem, API_NOT_ACCEPTABLE, "", API_NO_OFFSET, "the answer is %s", type);
    return 0;
}

static int answer_call(const struct api_request *request, struct api_response *response, struct api_problem *problem)
{
    struct api_call *call;
    if (api_decode(request, &call, problem) != 0)
        return -1;
    int result = api_compute(call, 0, api_call_rows(call), problem);
    if (result == 0)
        result = api_encode(call, response, problem);
    api_call_free(call);
    return result;
}

static void answer_document(const struct api_route *route, struct api_response *response)
{
    *response = (struct api_response){.status = 200, .media_type = route->media_type};
    route->document(response);
}

void api_answer(const struct api_request *request, struct api_response *response)
{
    struct api_problem problem;
    int result = negotiate(request, &problem);
    if (result == 0 && request->route->kind == API_ROUTE_CALL)
        result = answer_call(request, response, &problem);
    else if (result == 0)
        answer_document(request->route, response);
    if (result != 0)
        api_answer_problem(&problem, response);
}
