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

/* Live is whoever answers. */
void api_answer_health(const struct api_route *route, bool ready, struct api_response *response)
{
    const bool asks_ready = route->kind == API_ROUTE_READY;
    *response = (struct api_response){.media_type = route->media_type, .status = asks_ready && !ready ? 503 : 200};
    if (api_path_is_inference(route->path))
        set_body(response, ready ? "{\"live\":true,\"ready\":true}" : "{\"live\":true,\"ready\":false}");
    else
        set_body(response, !asks_ready ? "live\n" : ready ? "ready\n" : "draining\n");
}

/* ---- Statistics ---- */

static json_t *duration(struct api_duration duration)
{
    return json_pack("{sI sI}", "count", (json_int_t)duration.count, "ns", (json_int_t)duration.ns);
}

/* Triton's form. Reading, computing and writing are one step here: compute_infer is all of it. */
static json_t *model(const struct api_function *function, const struct api_model_statistics *statistics)
{
    static const struct api_duration none = {0};
    json_t *durations = json_pack("{so so so so so so so so}", "success", duration(statistics->success), "fail",
                                  duration(statistics->fail), "queue", duration(statistics->queue), "compute_input",
                                  duration(none), "compute_infer", duration(statistics->compute), "compute_output",
                                  duration(none), "cache_hit", duration(none), "cache_miss", duration(none));
    return json_pack("{ss ss sI sI sI sI so s[]}", "name", function->name, "version", OIP_MODEL_VERSION,
                     "last_inference", (json_int_t)statistics->last_ms, "inference_count",
                     (json_int_t)statistics->success.count, "execution_count", (json_int_t)statistics->success.count,
                     "rows", (json_int_t)statistics->rows, "inference_stats", durations, "batch_stats");
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
