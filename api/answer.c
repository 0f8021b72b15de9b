/* A request into a response: content negotiation, then decode, compute and encode. */
#include "accept.h"
#include "batch.h"
#include "call.h"
#include "npy_write.h"
#include "oip.h"

enum { TOO_MUCH = OIP_TOO_MUCH };

/* TOO_MUCH if the call computes or gives more than `most` numbers: the body is still there then. */
static int answer_call(const struct api_request *request, size_t most, struct api_response *response,
                       struct api_problem *problem)
{
    struct api_call *call;
    struct api_request lent = *request;
    if (request->route->kind == API_ROUTE_INFER)
        return oip_answer(request, most, response, problem);
    if (request->route->function == NULL)
        return most < SIZE_MAX ? TOO_MUCH : batch_answer(request, response, problem);
    lent.own_body = most < SIZE_MAX ? NULL : request->own_body;
    if (api_decode(&lent, &call, problem) != 0)
        return -1;
    int result = call_cost(call) <= most ? api_compute(call, 0, api_call_rows(call), problem) : TOO_MUCH;
    if (result == 0)
        result = (accept_form(request) == ACCEPT_NPY ? npy_write : api_encode)(call, response, problem);
    api_call_free(call);
    return result;
}

static void answer_document(const struct api_request *request, struct api_response *response)
{
    const struct api_route *route = request->route;
    *response = (struct api_response){.status = 200, .media_type = route->media_type};
    route->document(request, response);
}

bool api_answer_small(const struct api_request *request, size_t most, struct api_response *response)
{
    struct api_problem problem;
    int result = accept_negotiate(request, &problem);
    if (result == 0 && api_route_takes_body(request->route))
        result = answer_call(request, most, response, &problem);
    else if (result == 0)
        answer_document(request, response);
    if (result == -1 && api_path_is_inference(request->route->path))
        api_answer_error(&problem, response);
    else if (result == -1)
        api_answer_problem(&problem, response);
    return result != TOO_MUCH;
}

void api_answer(const struct api_request *request, struct api_response *response)
{
    api_answer_small(request, SIZE_MAX, response);
}
