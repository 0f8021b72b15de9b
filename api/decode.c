/* A body into a call, whichever of the formats it is in. */
#include "call/query.h"
#include "http/accept.h"
#include "http/memory.h"
#include "npy/read.h"
#include "rest/read.h"

static int read_body(const struct api_request *request, struct api_call **call, struct api_problem *problem)
{
    static const char empty[API_BODY_PADDING] = "";
    if (accept_npy_body(request))
        return npy_read(request, call, problem);
    const struct json_text text = {.body = request->body != NULL ? request->body : empty, .length = request->length};
    if (query_refuse(request, problem) != 0)
        return -1;
    const int result = rest_read(&text, request->route->function, request, call, problem);
    if (result == 0)
        memory_release_body(request);
    return result;
}

int api_decode(const struct api_request *request, struct api_call **call, struct api_problem *problem)
{
    const size_t refusals = memory_refusals();
    struct api_call *read = NULL;
    if (memory_verdict(read_body(request, &read, problem), refusals, problem) != 0) {
        api_call_free(read);
        return -1;
    }
    *call = read;
    return 0;
}
