#include "probe.h"

static void answer_metrics(struct server *server, const struct api_route *route, const char *accept,
                           struct api_response *response)
{
    const enum metrics_format format = metrics_format(accept);
    *response = (struct api_response){.media_type = format == METRICS_OPENMETRICS ? METRICS_OPENMETRICS_TYPE
                                                                                  : route->media_type};
    metrics_set(server->metrics, METRIC_LOG_DROPPED, (int64_t)log_dropped(server->log));
    response->owned = metrics_text(server->metrics, format, &response->length);
    response->body = response->owned != NULL ? response->owned : "";
    response->status = response->owned != NULL ? 200 : 500;
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
        api_answer_health(route, !server->draining, response);
}
