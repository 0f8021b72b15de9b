/* What can be done with a call that has been built. */
#include "call.h"
#include "sampling.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>

size_t api_call_rows(const struct api_call *call)
{
    return call->rows;
}

struct core_per_row call_per_row(const struct api_call *call, enum api_parameter_id id)
{
    const struct api_value *value = &call->values[id];
    return (struct core_per_row){value->list != NULL ? value->list : &value->one.number, value->list != NULL};
}

/* The pointer to a row of the logits, down to the class axis. */
static void locate_row(const struct api_call *call, size_t row, char *pointer, size_t size)
{
    size_t used = (size_t)snprintf(pointer, size, "/%s", api_parameters[API_LOGITS].name);
    size_t rest = call->rows;
    for (size_t axis = 0; axis < call->axis && used < size; axis++) {
        rest /= call->shape[axis];
        used += (size_t)snprintf(pointer + used, size - used, "/%zu", row / rest);
        row %= rest;
    }
}

static int fail_row(const struct api_call *call, int status, size_t row, struct api_problem *problem)
{
    char pointer[256];
    locate_row(call, row, pointer, sizeof pointer);
    if (status == CORE_TOO_FEW_CLASSES)
        return api_fail(problem, API_TOO_FEW_CLASSES, pointer, API_NO_OFFSET,
                        "row %zu has fewer possible classes than %zu draws without replacement", row, call->draws);
    return api_fail(problem, API_INVALID_ROW, pointer, API_NO_OFFSET, "row %zu holds +inf or NaN, or nothing but -inf",
                    row);
}

static int compute(const struct api_call *call, size_t first, size_t count, struct api_problem *problem)
{
    size_t row;
    const size_t bytes = call->function->scratch(call);
    void *scratch = bytes > 0 ? malloc(bytes) : NULL;
    if (bytes > 0 && scratch == NULL)
        return api_fail(problem, API_INTERNAL, "", API_NO_OFFSET, "no memory to compute with");
    const int status = call->function->compute(call, first, count, scratch, &row);
    free(scratch);
    return status == CORE_OK ? 0 : fail_row(call, status, row, problem);
}

int api_compute(const struct api_call *call, size_t first, size_t count, struct api_problem *problem)
{
    uint8_t *marks;
    if (call_replace_invalid(call, first, count, &marks, problem) != 0)
        return -1;
    const int result = compute(call, first, count, problem);
    if (result == 0 && marks != NULL)
        call_mark_invalid(call, first, count, marks);
    free(marks);
    return result;
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
            free(memory);
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
            free(call->owned[i]);
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
        free(call->owned[i]);
    free(call);
}
