/* What can be done with a decoded call. */
#include "call.h"

#include <stdio.h>
#include <stdlib.h>

size_t api_call_rows(const struct api_call *call)
{
    return call->rows;
}

int api_compute(const struct api_call *call, size_t first, size_t count, struct api_problem *problem)
{
    size_t row;
    if (call->function->compute(call, first, count, &row) == 0)
        return 0;
    char pointer[32] = "/logits";
    if (call->array.rank > 1)
        snprintf(pointer, sizeof pointer, "/logits/%zu", row);
    return api_fail(problem, API_INVALID_ROW, pointer, API_NO_OFFSET, "row %zu holds +inf or NaN, or nothing but -inf",
                    row);
}

void api_call_free(struct api_call *call)
{
    if (call == NULL)
        return;
    for (int id = 0; id < API_PARAMETER_COUNT; id++)
        free(call->values[id].list);
    free(call->array.data);
    free(call);
}
