#include "fronts.h"
#include "call/query.h"
#include "http/accept.h"
#include "npy/npy.h"
#include "oip/oip.h"
#include "rest/rest.h"

#include <stdio.h>

static const struct api_front *const fronts[] = {
    &rest_json, &rest_lines, &npy_front, &rest_batch, &oip_json, &oip_binary, &oip_form,
};
#define FRONT_COUNT (sizeof fronts / sizeof *fronts)
_Static_assert(FRONT_COUNT <= ACCEPT_MOST_TYPES, "Accept is asked for the media types of all fronts");

/* ---- Documents ---- */

static int read_document(struct api_job *job)
{
    const struct api_route *route = job->request.route;
    job->response = (struct api_response){.status = 200, .media_type = route->media_type};
    route->document(&job->request, &job->response);
    return FRONT_DONE;
}

static const struct api_front document = {.reads_query = true /* and passes over it */, .read = read_document};

/* ---- Which one ---- */

/* Routes without a body, and those whose body only says which document is meant. */
static bool is_document(const struct api_route *route)
{
    return !api_route_takes_body(route) || route->document != NULL;
}

static bool reads(const struct api_front *front, enum api_route_kind route)
{
    return front->route == route && front->read != NULL;
}

static bool writes(const struct api_front *front, enum api_route_kind route)
{
    return front->route == route && front->write != NULL;
}

const struct api_front *front_of_body(const struct api_request *request)
{
    const char *type = request->content_type;
    if (is_document(request->route))
        return &document;
    for (size_t i = 0; i < FRONT_COUNT; i++)
        if (reads(fronts[i], request->route->kind) && (type == NULL || accept_is_type(type, fronts[i]->media_type)))
            return fronts[i];
    return NULL;
}

const struct api_front *api_front_of(const struct api_request *request)
{
    const char *types[FRONT_COUNT];
    const struct api_front *candidates[FRONT_COUNT];
    size_t count = 0;
    if (request->front != NULL)
        return request->front;
    if (is_document(request->route))
        return &document;
    for (size_t i = 0; i < FRONT_COUNT; i++)
        if (writes(fronts[i], request->route->kind)) {
            types[count] = fronts[i]->media_type;
            candidates[count++] = fronts[i];
        }
    const size_t chosen = accept_choose(request->accept, types, count);
    return chosen < count ? candidates[chosen] : NULL;
}

bool api_front_streams(const struct api_front *front)
{
    return front != NULL && front->streams;
}

/* ---- Refusals ---- */

/* "a, b or c" */
static void join_types(bool (*has)(const struct api_front *, enum api_route_kind), enum api_route_kind route,
                       char *text, size_t size)
{
    const char *types[FRONT_COUNT];
    size_t count = 0, used = 0;
    for (size_t i = 0; i < FRONT_COUNT; i++)
        if (has(fronts[i], route))
            types[count++] = fronts[i]->media_type;
    for (size_t i = 0; i < count && used < size; i++)
        used += (size_t)snprintf(text + used, size - used, "%s%s",
                                 i == 0           ? ""
                                 : i + 1 == count ? " or "
                                                  : ", ",
                                 types[i]);
}

int fronts_check(const struct api_job *job, struct api_problem *problem)
{
    const enum api_route_kind route = job->request.route->kind;
    char types[160];
    if (job->reader == NULL) {
        join_types(reads, route, types, sizeof types);
        return api_fail(problem, API_UNSUPPORTED_MEDIA_TYPE, "", API_NO_OFFSET, "send the body as Content-Type: %s",
                        types);
    }
    if (job->writer == NULL) {
        join_types(writes, route, types, sizeof types);
        return api_fail(problem, API_NOT_ACCEPTABLE, "", API_NO_OFFSET, "the answer is %s", types);
    }
    return job->reader->reads_query ? 0 : query_refuse(&job->request, problem);
}
