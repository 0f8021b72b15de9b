/* The table of routes. */
#include "api.h"
#include "contract/suggest.h"
#include "documents/documents.h"
#include "oip/oip.h"

#include <stdio.h>
#include <string.h>

#define json "application/json"

#define MODEL_ROUTES(prefix)                                                                                           \
    {prefix, API_ROUTE_DOCUMENT, NULL, json, oip_document_metadata},                                                   \
        {prefix "/config", API_ROUTE_DOCUMENT, NULL, json, oip_document_config},                                       \
        {prefix "/ready", API_ROUTE_READY, NULL, json, NULL},                                                          \
        {prefix "/stats", API_ROUTE_STATISTICS, NULL, json, NULL},                                                     \
    {                                                                                                                  \
        prefix "/infer", API_ROUTE_INFER, NULL, json, NULL                                                             \
    }

const struct api_route api_routes[] = {
    {"/v1/softmax", API_ROUTE_CALL, &api_functions[API_SOFTMAX], "application/json", NULL},
    {"/v1/log_softmax", API_ROUTE_CALL, &api_functions[API_LOG_SOFTMAX], "application/json", NULL},
    {"/v1/gumbel_softmax", API_ROUTE_CALL, &api_functions[API_GUMBEL_SOFTMAX], "application/json", NULL},
    {"/v1/categorical", API_ROUTE_CALL, &api_functions[API_CATEGORICAL], "application/json", NULL},
    {"/v1/vjp", API_ROUTE_CALL, &api_functions[API_VJP], "application/json", NULL},
    {"/v1/batch", API_ROUTE_BATCH, NULL, "application/json", NULL},
    {"/", API_ROUTE_DOCUMENT, NULL, "text/html; charset=utf-8", document_playground},
    {"/docs", API_ROUTE_DOCUMENT, NULL, "text/html; charset=utf-8", document_docs},
    {"/livez", API_ROUTE_LIVE, NULL, "text/plain", NULL},
    {"/readyz", API_ROUTE_READY, NULL, "text/plain", NULL},
    {"/metrics", API_ROUTE_METRICS, NULL, "text/plain; version=0.0.4; charset=utf-8", NULL},
    {"/version", API_ROUTE_DOCUMENT, NULL, "application/json", document_version},
    {"/openapi.json", API_ROUTE_DOCUMENT, NULL, "application/json", document_openapi_json},
    {"/openapi.yaml", API_ROUTE_DOCUMENT, NULL, "application/yaml", document_openapi_yaml},
    {"/v2", API_ROUTE_DOCUMENT, NULL, json, oip_document_server},
    {"/v2/health/live", API_ROUTE_LIVE, NULL, json, NULL},
    {"/v2/health/ready", API_ROUTE_READY, NULL, json, NULL},
    {"/v2/models", API_ROUTE_DOCUMENT, NULL, json, oip_document_models},
    {"/v2/models/stats", API_ROUTE_STATISTICS, NULL, json, NULL},
    {"/v2/repository/index", API_ROUTE_INDEX, NULL, json, oip_document_index},
    MODEL_ROUTES("/v2/models/{model}"),
    MODEL_ROUTES("/v2/models/{model}/versions/" OIP_MODEL_VERSION),
};
const size_t api_route_count = sizeof api_routes / sizeof *api_routes;

bool api_route_is_post(const struct api_route *route)
{
    return api_route_takes_body(route);
}

const char *api_route_methods(const struct api_route *route)
{
    return api_route_is_post(route) ? "POST, OPTIONS" : "GET, HEAD, OPTIONS";
}

static bool takes(const struct api_route *route, const char *method)
{
    if (strcmp(method, "OPTIONS") == 0)
        return true;
    if (api_route_is_post(route))
        return strcmp(method, "POST") == 0;
    return strcmp(method, "GET") == 0 || strcmp(method, "HEAD") == 0;
}

/* ---- Paths ---- */

static const char model_mark[] = "{model}";

/* The function whose name the segment at `path` is. */
static const struct api_function *find_model(const char *path)
{
    const size_t length = strcspn(path, "/");
    for (size_t i = 0; i < API_FUNCTION_COUNT; i++)
        if (strlen(api_functions[i].name) == length && strncmp(api_functions[i].name, path, length) == 0)
            return &api_functions[i];
    return NULL;
}

/* A slash that ends a path makes no difference, but for that of "/". */
static bool is_path(const char *pattern, const char *path)
{
    const size_t length = strlen(pattern);
    if (strncmp(pattern, path, length) != 0)
        return false;
    return path[length] == '\0' || (strcmp(path + length, "/") == 0 && strcmp(pattern, "/") != 0);
}

/* Whether the path is the pattern, the name of a function standing for its {model}. */
static bool matches(const char *pattern, const char *path)
{
    const char *mark = strstr(pattern, model_mark);
    if (mark == NULL)
        return is_path(pattern, path);
    const size_t before = (size_t)(mark - pattern);
    return strncmp(pattern, path, before) == 0 && find_model(path + before) != NULL &&
           is_path(mark + strlen(model_mark), path + before + strcspn(path + before, "/"));
}

const struct api_function *api_route_model(const struct api_route *route, const char *path)
{
    const char *mark = strstr(route->path, model_mark);
    return mark != NULL ? find_model(path + (mark - route->path)) : NULL;
}

bool api_path_is_inference(const char *path)
{
    return strncmp(path, "/v2", 3) == 0 && (path[3] == '\0' || path[3] == '/' || path[3] == '?');
}

/* ---- A path that is none ---- */

enum { LONGEST_PATH = 64 /* and a few bytes: of a route with a model */ };

/* Other services' words for a route, the last segment of a path. */
static const struct {
    const char *word, *path;
} synonyms[] = {
    {"health", "/livez"},
    {"healthz", "/livez"},
    {"healthcheck", "/livez"},
    {"status", "/readyz"},
    {"prometheus", "/metrics"},
    {"swagger", "/docs"},
    {"swagger.json", "/openapi.json"},
    {"redoc", "/docs"},
    {"sample", "/v1/categorical"},
    {"multinomial", "/v1/categorical"},
    {"grad", "/v1/vjp"},
};

/* The route's path with the function's name for its {model}. */
static void name_route(const struct api_route *route, const struct api_function *function, char *path)
{
    const char *mark = strstr(route->path, model_mark);
    if (mark == NULL)
        snprintf(path, LONGEST_PATH, "%s", route->path);
    else
        snprintf(path, LONGEST_PATH, "%.*s%s%s", (int)(mark - route->path), route->path, function->name,
                 mark + strlen(model_mark));
}

/* Makes `candidate` the nearest if it is fewer than *edits away, whether or not the path has its version. */
static void consider(const char *path, const char *candidate, unsigned *edits, char *nearest)
{
    static const char prefix[] = "/v1";
    const bool prefixed = strncmp(candidate, prefix, strlen(prefix)) == 0;
    const unsigned whole = suggest_distance(path, candidate);
    const unsigned tail = prefixed ? suggest_distance(path, candidate + strlen(prefix)) : SUGGEST_FAR;
    const unsigned fewer = whole < tail ? whole : tail;
    if (fewer >= *edits || strcmp(path, "/v1") == 0) /* which is no slip for "/v2" */
        return;
    *edits = fewer;
    memcpy(nearest, candidate, LONGEST_PATH);
}

static void find_synonym(const char *path, char nearest[LONGEST_PATH])
{
    const char *last = path;
    for (const char *slash; (slash = strchr(last, '/')) != NULL;)
        last = slash + 1;
    for (size_t i = 0; i < sizeof synonyms / sizeof *synonyms; i++)
        if (suggest_distance(last, synonyms[i].word) == 0) {
            snprintf(nearest, LONGEST_PATH, "%s", synonyms[i].path);
            return;
        }
}

/* The route that was probably meant; *nearest is empty if none was. */
static void find_nearest(const char *path, char nearest[LONGEST_PATH])
{
    unsigned edits = SUGGEST_FAR;
    char candidate[LONGEST_PATH];
    nearest[0] = '\0';
    for (size_t i = 0; i < api_route_count; i++) {
        const size_t models = strstr(api_routes[i].path, model_mark) != NULL ? API_FUNCTION_COUNT : 1;
        for (size_t model = 0; model < models; model++) {
            name_route(&api_routes[i], &api_functions[model], candidate);
            consider(path, candidate, &edits, nearest);
        }
    }
    if (edits == SUGGEST_FAR && !api_path_is_inference(path))
        find_synonym(path, nearest);
}

static int fail_not_found(const char *path, struct api_problem *problem)
{
    char nearest[LONGEST_PATH];
    const char *what = api_path_is_inference(path) ? "route, model or version" : "route";
    find_nearest(path, nearest);
    if (nearest[0] == '\0')
        return api_fail(problem, API_NOT_FOUND, "", API_NO_OFFSET, "no such %s; /openapi.json lists them all", what);
    return api_fail(problem, API_NOT_FOUND, "", API_NO_OFFSET,
                    "no such %s; did you mean %s? /openapi.json lists them all", what, nearest);
}

/* ---- Finding one ---- */

int api_route_find(const char *method, const char *path, const struct api_route **route, struct api_problem *problem)
{
    for (size_t i = 0; i < api_route_count; i++) {
        if (!matches(api_routes[i].path, path))
            continue;
        *route = &api_routes[i];
        if (takes(*route, method))
            return 0;
        api_fail(problem, API_METHOD_NOT_ALLOWED, "", API_NO_OFFSET, "%s takes %s", path, api_route_methods(*route));
        if (problem != NULL)
            problem->allow = api_route_methods(*route);
        return -1;
    }
    *route = NULL;
    return fail_not_found(path, problem);
}
