/* The table of routes. */
#include "api.h"
#include "documents.h"

#include <string.h>

const struct api_route api_routes[] = {
    {"/v1/softmax", API_ROUTE_CALL, &api_functions[API_SOFTMAX], "application/json", NULL},
    {"/v1/log_softmax", API_ROUTE_CALL, &api_functions[API_LOG_SOFTMAX], "application/json", NULL},
    {"/v1/gumbel_softmax", API_ROUTE_CALL, &api_functions[API_GUMBEL_SOFTMAX], "application/json", NULL},
    {"/v1/categorical", API_ROUTE_CALL, &api_functions[API_CATEGORICAL], "application/json", NULL},
    {"/v1/vjp", API_ROUTE_CALL, &api_functions[API_VJP], "application/json", NULL},
    {"/v1/batch", API_ROUTE_CALL, NULL, "application/json", NULL},
    {"/", API_ROUTE_DOCUMENT, NULL, "text/html; charset=utf-8", document_playground},
    {"/docs", API_ROUTE_DOCUMENT, NULL, "text/html; charset=utf-8", document_docs},
    {"/livez", API_ROUTE_LIVE, NULL, "text/plain", NULL},
    {"/readyz", API_ROUTE_READY, NULL, "text/plain", NULL},
    {"/metrics", API_ROUTE_METRICS, NULL, "text/plain; version=0.0.4; charset=utf-8", NULL},
    {"/version", API_ROUTE_DOCUMENT, NULL, "application/json", document_version},
    {"/openapi.json", API_ROUTE_DOCUMENT, NULL, "application/json", document_openapi_json},
    {"/openapi.yaml", API_ROUTE_DOCUMENT, NULL, "application/yaml", document_openapi_yaml},
};
const size_t api_route_count = sizeof api_routes / sizeof *api_routes;

const char *api_route_methods(const struct api_route *route)
{
    return route->kind == API_ROUTE_CALL ? "POST" : "GET, HEAD";
}

static bool takes(const struct api_route *route, const char *method)
{
    if (route->kind == API_ROUTE_CALL)
        return strcmp(method, "POST") == 0;
    return strcmp(method, "GET") == 0 || strcmp(method, "HEAD") == 0;
}

int api_route_find(const char *method, const char *path, const struct api_route **route, struct api_problem *problem)
{
    for (size_t i = 0; i < api_route_count; i++) {
        if (strcmp(api_routes[i].path, path) != 0)
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
    return api_fail(problem, API_NOT_FOUND, "", API_NO_OFFSET, "no such route; /openapi.json lists them all");
}
