/* What changes while the server runs: whether it is ready, and what its models have done. */
#include "http/memory.h"
#include "oip/oip.h"

#include <string.h>

/* ---- Health ---- */

static void set_body(struct api_response *response, const char *text)
{
    response->body = text;
    response->length = strlen(text);
}

static void answer_model(const struct api_function *model, bool ready, struct api_response *response)
{
    oip_answer_json(json_pack("{ss sb}", "name", model->name, "ready", ready), response);
    if (response->status == 200 && !ready)
        response->status = 503;
}

/* Live is whoever answers. */
void api_answer_health(const struct api_route *route, const struct api_function *model, bool ready,
                       struct api_response *response)
{
    const bool asks_ready = route->kind == API_ROUTE_READY;
    *response = (struct api_response){.media_type = route->media_type, .status = asks_ready && !ready ? 503 : 200};
    if (model != NULL)
        answer_model(model, ready, response);
    else if (api_path_is_inference(route->path))
        set_body(response, ready ? "{\"live\":true,\"ready\":true}" : "{\"live\":true,\"ready\":false}");
    else
        set_body(response, !asks_ready ? "live\n" : ready ? "ready\n" : "draining\n");
}

/* ---- Statistics ---- */

static json_t *duration(struct api_duration duration)
{
    return json_pack("{sI sI}", "count", (json_int_t)duration.count, "ns", (json_int_t)duration.ns);
}

/* Reading, computing and writing are one step here, whose time is that of computing: the others take none of their own,
 * as often. */
static json_t *set_computing(json_t *object, struct api_duration compute)
{
    const struct api_duration none = {.count = compute.count};
    json_object_set_new(object, "compute_input", duration(none));
    json_object_set_new(object, "compute_infer", duration(compute));
    json_object_set_new(object, "compute_output", duration(none));
    return object;
}

static json_t *requests(const struct api_model_statistics *statistics)
{
    static const struct api_duration none = {0};
    return set_computing(json_pack("{so so so so so}", "success", duration(statistics->success), "fail",
                                   duration(statistics->fail), "queue", duration(statistics->queue), "cache_hit",
                                   duration(none), "cache_miss", duration(none)),
                         statistics->compute);
}

/* The first response of a request is its only one. */
static json_t *responses(const struct api_model_statistics *statistics)
{
    static const struct api_duration none = {0};
    json_t *first = json_pack("{so so so so so so}", "compute_infer", duration(statistics->compute), "compute_output",
                              duration((struct api_duration){.count = statistics->compute.count}), "success",
                              duration(statistics->success), "fail", duration(statistics->fail), "empty_response",
                              duration(none), "cancel", duration(none));
    return json_pack("{so}", "0", first);
}

/* Requests are not merged: each is a batch of one. */
static json_t *batches(const struct api_model_statistics *statistics)
{
    return json_pack("[o]", set_computing(json_pack("{si}", "batch_size", 1), statistics->compute));
}

/* Triton's form. A model has no memory of its own. */
static json_t *model(const struct api_function *function, const struct api_model_statistics *statistics)
{
    const json_int_t count = (json_int_t)statistics->success.count;
    return json_pack("{ss ss sI sI sI sI so so so s[{ss si si}]}", "name", function->name, "version", OIP_MODEL_VERSION,
                     "last_inference", (json_int_t)statistics->last_ms, "inference_count", count, "execution_count",
                     count, "rows", (json_int_t)statistics->rows, "inference_stats", requests(statistics),
                     "response_stats", responses(statistics), "batch_stats", batches(statistics), "memory_usage",
                     "type", "CPU", "id", 0, "byte_size", 0);
}

void api_answer_statistics(const struct api_function *function, const struct api_model_statistics *models,
                           struct api_response *response)
{
    const size_t refusals = memory_refusals();
    struct api_problem problem;
    json_t *list = json_array();
    for (int i = 0; i < API_FUNCTION_COUNT; i++)
        if (function == NULL || function == &api_functions[i])
            json_array_append_new(list, model(&api_functions[i], &models[i]));
    oip_answer_json(json_pack("{so}", "model_stats", list), response);
    if (memory_verdict(0, refusals, &problem) == 0)
        return;
    api_response_release(response);
    api_answer_problem("/v2", &problem, response);
}
