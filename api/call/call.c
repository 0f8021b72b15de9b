/* What can be done with a call that has been built. */
#include "call/call.h"

#include <assert.h>

size_t api_call_rows(const struct api_call *call)
{
    return call->rows;
}

struct core_per_row call_per_row(const struct api_call *call, enum api_parameter_id id)
{
    const struct api_value *value = &call->values[id];
    return (struct core_per_row){value->list != NULL ? value->list : &value->one.number, value->list != NULL};
}

/* ---- Memory ---- */

void *call_own(struct api_call *call, void *memory)
{
    assert(call->owned_count < CALL_MAX_OWNED);
    if (memory != NULL)
        call->owned[call->owned_count++] = memory;
    return memory;
}

void call_release(struct api_call *call, void *memory)
{
    for (size_t i = 0; i < call->owned_count && memory != NULL; i++)
        if (call->owned[i] == memory) {
            api_free(memory);
            call->owned[i] = NULL;
            return;
        }
}

/* Which of the call's blocks the data lie in. Blocks do not overlap, so it is the last that begins before them. */
static size_t find_block(const struct api_call *call, const void *data)
{
    size_t nearest = 0;
    uintptr_t begin = 0;
    for (size_t i = 0; i < call->owned_count; i++)
        if ((uintptr_t)call->owned[i] <= (uintptr_t)data && (uintptr_t)call->owned[i] > begin) {
            nearest = i;
            begin = (uintptr_t)call->owned[i];
        }
    return nearest;
}

void call_release_inputs(struct api_call *call)
{
    bool kept[CALL_MAX_OWNED] = {false};
    for (size_t i = 0; i < API_MAX_RESULTS; i++)
        if (call->data[i] != NULL)
            kept[find_block(call, call->data[i])] = true;
    for (size_t i = 0; i < API_PARAMETER_COUNT; i++)
        if (call->values[i].list != NULL)
            kept[find_block(call, call->values[i].list)] = true;
    for (size_t i = 0; i < call->owned_count; i++)
        if (!kept[i]) {
            api_free(call->owned[i]);
            call->owned[i] = NULL;
        }
}

void call_release_result(struct api_call *call, const struct api_tensor *result)
{
    const size_t at = find_block(call, result->data);
    for (size_t i = 0; i < API_MAX_RESULTS; i++)
        if (call->data[i] == result->data)
            call->data[i] = NULL;
        else if (call->data[i] != NULL && find_block(call, call->data[i]) == at)
            return;
    call_release(call, call->owned[at]);
}

char *call_disown(struct api_call *call, const struct api_tensor *result, size_t *offset)
{
    const size_t at = find_block(call, result->data);
    char *block = call->owned[at];
    *offset = (size_t)((char *)result->data - block);
    call->owned[at] = NULL;
    return block;
}

void api_call_free(struct api_call *call)
{
    if (call == NULL)
        return;
    for (size_t i = 0; i < call->owned_count; i++)
        api_free(call->owned[i]);
    api_free(call);
}
