/* A request into a response: content negotiation, then decode, compute and encode. */
#include "accept.h"
#include "batch.h"
#include "npy_write.h"

static int answer_call(const struct api_request *request, struct api_response *response, struct api_problem *problem)
{
    struct api_call *call;
    if (request->route->function == NULL)
        return batch_answer(request, response, problem);
    if (api_decode(request, &call, problem) != 0)
        return -1;
    int result = api_compute(call, 0, api_call_rows(call), problem);
    if (result == 0)
        result = (accept_form(request) == ACCEPT_NPY ? npy_write : api_encode)(call, response, problem);
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
    int result = accept_negotiate(request, &problem);
    if (result == 0 && request->route->kind == API_ROUTE_CALL)
        result = answer_call(request, response, &problem);
    else if (result == 0)
        answer_document(request->route, response);
    if (result != 0)
        api_answer_problem(&problem, response);
}
