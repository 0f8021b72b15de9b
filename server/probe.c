#include "probe.h"

#include <string.h>

bool probe_serves(const struct api_route *route)
{
    switch (route->kind) {
    case API_ROUTE_LIVE:
    case API_ROUTE_READY:
    case API_ROUTE_METRICS:
    case API_ROUTE_STATISTICS:
        return true;
    default:
        return strcmp(route->path, "/version") == 0;
    }
}

static void answer_metrics(struct server *server, const struct api_route *route, const char *accept,
                           struct api_response *response)
{
    const enum metrics_format format = metrics_format(accept);
    *response = (struct api_response){.media_type = format == METRICS_OPENMETRICS ? METRICS_OPENMETRICS_TYPE
                                                                                  : route->media_type};
    metrics_set(server->metrics, METRIC_LOG_DROPPED, (int64_t)log_dropped(server->log));
    const struct scheduler_load load = scheduler_load(server->scheduler);
    metrics_set(server->metrics, METRIC_WAITING, (int64_t)load.waiting);
    metrics_set(server->metrics, METRIC_STARTED, (int64_t)load.started);
    metrics_set(server->metrics, METRIC_MEMORY, (int64_t)budget_used(&server->budget));
    metrics_set(server->metrics, METRIC_MEMORY_LIMIT, (int64_t)server->budget.limit);
    metrics_set_process(server->metrics);
    response->owned = metrics_text(server->metrics, format, &response->length);
    response->body = response->owned;
    response->status = 200;
    if (response->owned == NULL) {
        struct api_problem problem;
        api_fail(&problem, API_OUT_OF_MEMORY, "", API_NO_OFFSET, "no memory for the metrics now");
        api_answer_problem(route->path, &problem, response);
    }
}

static void answer_statistics(struct server *server, const struct api_function *model, struct api_response *response)
{
    struct api_model_statistics models[API_FUNCTION_COUNT];
    metrics_models(server->metrics, models);
    api_answer_statistics(model, models, response);
}

void probe_answer(struct server *server, const struct api_route *route, const struct api_function *model,
                  const char *accept, struct api_response *response)
{
    if (route->kind == API_ROUTE_METRICS)
        answer_metrics(server, route, accept, response);
    else if (route->kind == API_ROUTE_STATISTICS)
        answer_statistics(server, model, response);
    else
        api_answer_health(route, model, !server->draining, response);
}
