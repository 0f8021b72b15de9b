#include "http/accept.h"

#include <string.h>
#include <strings.h>

enum { FULL_WEIGHT = 1000 };

static const char json[] = "application/json", ndjson[] = API_NDJSON, npy[] = API_NPY;
static const char binary[] = "application/octet-stream";
static const char *const json_ranges[] = {json, "application/*", "*/*", NULL};
static const char *const binary_ranges[] = {binary, "application/*", "*/*", NULL};

/* The media types of the forms, by enum api_form. */
static const char *const form_types[] = {[API_FORM_JSON] = json, [API_FORM_LINES] = ndjson, [API_FORM_NPY] = npy};
enum { FORM_COUNT = sizeof form_types / sizeof *form_types };

/* ---- Lists with weights ---- */

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

/* "0.25" is 250; what is no weight counts as full. */
static int read_weight(const char *text)
{
    if (*text != '0')
        return FULL_WEIGHT;
    int weight = 0;
    if (text[1] == '.')
        for (int i = 2, unit = 100; is_digit(text[i]) && unit > 0; i++, unit /= 10)
            weight += unit * (text[i] - '0');
    return weight;
}

/* Of a list element such as "text/html;level=1;q=0.5". */
static int element_weight(const char *element, size_t length)
{
    const char *const end = element + length;
    for (const char *at = element; (at = memchr(at, ';', (size_t)(end - at))) != NULL;) {
        at += 1 + strspn(at + 1, " \t");
        if (strncasecmp(at, "q=", 2) == 0)
            return read_weight(at + 2);
    }
    return FULL_WEIGHT;
}

/* Whether `text`, up to a parameter or the end of the list element, is `name`. */
static bool is_name(const char *text, const char *name)
{
    size_t length = strcspn(text, ";,");
    while (length > 0 && (text[length - 1] == ' ' || text[length - 1] == '\t'))
        length--;
    return length == strlen(name) && strncasecmp(text, name, length) == 0;
}

/* The weight that the list gives the name, or -1 where the list lacks it. */
static int weight_of(const char *list, const char *name)
{
    for (list += strspn(list, " \t,"); *list != '\0'; list += strspn(list, " \t,")) {
        const size_t length = strcspn(list, ",");
        if (is_name(list, name))
            return element_weight(list, length);
        list += length;
    }
    return -1;
}

int api_accept_weight(const char *list, const char *const *names)
{
    int weight = -1;
    for (; *names != NULL && weight < 0; names++)
        weight = weight_of(list, *names);
    return weight;
}

/* ---- Media types ---- */

/* The first comma that is not in a quoted string, or the end. */
static const char *element_end(const char *text)
{
    for (bool quoted = false; *text != '\0' && (quoted || *text != ','); text++) {
        if (*text == '"')
            quoted = !quoted;
        else if (quoted && *text == '\\' && text[1] != '\0')
            text++;
    }
    return text;
}

/* Whether that is the Content-Type, with any parameters: a list is none, whatever comes first in it. */
static bool is_content_type(const struct api_request *request, const char *name)
{
    const char *type = request->content_type;
    return type != NULL && is_name(type, name) && *element_end(type) == '\0';
}

/* An absent Accept takes everything. */
static int weight(const struct api_request *request, const char *const *ranges)
{
    const char *accept = request->accept;
    return accept == NULL || accept[strspn(accept, " \t,")] == '\0' ? FULL_WEIGHT : api_accept_weight(accept, ranges);
}

/* A function takes and gives arrays, and its answer has rows; a batch is JSON alone. */
static bool has_arrays(const struct api_route *route)
{
    return route->kind == API_ROUTE_CALL && route->function != NULL;
}

/* How specific the range of a list element is for the type: 2 is the type itself, 0 any type; -1 if it is none of its.
 */
static int specificity(const char *range, const char *type)
{
    return is_name(range, type) ? 2 : is_name(range, "application/*") ? 1 : is_name(range, "*/*") ? 0 : -1;
}

/* What the list gives each form: the weight of its most specific range, of equals the first one's. */
static void weigh_forms(const char *list, int *weights)
{
    int best[FORM_COUNT];
    for (int form = API_FORM_JSON; form < FORM_COUNT; form++)
        best[form] = -1;
    for (list += strspn(list, " \t,"); *list != '\0'; list += strspn(list, " \t,")) {
        const size_t length = strcspn(list, ",");
        for (int form = API_FORM_JSON; form < FORM_COUNT; form++) {
            const int here = specificity(list, form_types[form]);
            if (here > best[form]) {
                best[form] = here;
                weights[form] = element_weight(list, length);
            }
        }
        list += length;
    }
}

enum api_form api_form_of(const struct api_request *request)
{
    const char *accept = request->accept;
    if (request->form != API_FORM_UNKNOWN)
        return request->form;
    if (accept == NULL || accept[strspn(accept, " \t,")] == '\0')
        return API_FORM_JSON;
    int weights[FORM_COUNT] = {0};
    enum api_form best = API_FORM_NONE;
    weigh_forms(accept, weights);
    for (int form = API_FORM_JSON; form < (has_arrays(request->route) ? FORM_COUNT : API_FORM_JSON + 1); form++)
        if (weights[form] > weights[best])
            best = (enum api_form)form;
    return best;
}

bool accept_npy_body(const struct api_request *request)
{
    return has_arrays(request->route) && is_content_type(request, npy);
}

/* An inference request is JSON, with binary tensors after it or not, and so is its answer. */
static int negotiate_inference(const struct api_request *request, struct api_problem *problem)
{
    if (request->content_type != NULL && !is_content_type(request, json) && !is_content_type(request, binary))
        return api_fail(problem, API_UNSUPPORTED_MEDIA_TYPE, "", API_NO_OFFSET,
                        "send the body as Content-Type: %s or %s", json, binary);
    if (weight(request, json_ranges) <= 0 && weight(request, binary_ranges) <= 0)
        return api_fail(problem, API_NOT_ACCEPTABLE, "", API_NO_OFFSET, "the answer is %s or %s", json, binary);
    return 0;
}

int accept_negotiate(const struct api_request *request, struct api_problem *problem)
{
    if (request->route->kind == API_ROUTE_INFER)
        return negotiate_inference(request, problem);
    if (request->route->kind != API_ROUTE_CALL)
        return 0;
    const bool arrays = has_arrays(request->route);
    if (request->content_type != NULL && !is_content_type(request, json) && !accept_npy_body(request))
        return api_fail(problem, API_UNSUPPORTED_MEDIA_TYPE, "", API_NO_OFFSET, "send the body as Content-Type: %s%s%s",
                        json, arrays ? " or " : "", arrays ? npy : "");
    if (api_form_of(request) == API_FORM_NONE)
        return api_fail(problem, API_NOT_ACCEPTABLE, "", API_NO_OFFSET, "the answer is %s%s", json,
                        arrays ? ", " API_NPY " or " API_NDJSON : "");
    return 0;
}
