/* Which results a call has, their shapes and their memory. */
#include "call/build.h"

#include <string.h>

static bool is_wanted(const struct api_call *call, size_t result)
{
    const struct api_value *names = &call->values[API_RETURN];
    switch (call->function->results[result].condition) {
    case API_ON_RETURN:
        return names->given ? memchr(names->one.names.results, (int)result, names->one.names.count) != NULL
                            : result == 0;
    case API_WITH_LOGPROBS:
        return call->values[API_LOGPROBS].one.integer > 0;
    case API_WITH_NAMED:
        return call->named.count > 0;
    case API_OF_TEMPERATURE:
        return api_function_takes(call->of, API_TEMPERATURE);
    case API_OF_TAU:
        return api_function_takes(call->of, API_TAU);
    default:
        return true;
    }
}

enum api_dtype call_result_dtype(const struct api_call *call, const struct api_result_kind *kind)
{
    if (api_content_is_integer(kind->content))
        return API_INT32;
    return call->dtype == CORE_FLOAT64 ? API_FLOAT64 : API_FLOAT32;
}

/* ---- Shapes ---- */

struct extent {
    bool leading;  /* an axis of num_samples comes first, where that is given */
    bool dropped;  /* there is no class axis */
    size_t length; /* of the axis in the class axis' place */
};

static struct extent extent_of(const struct api_call *call, const struct api_result_kind *kind)
{
    switch (kind->extent) {
    case API_OF_SAMPLES:
        return (struct extent){.leading = true, .length = call->classes};
    case API_OF_WINNERS:
        return (struct extent){.leading = true, .dropped = true, .length = 1};
    case API_OF_ROWS:
        return (struct extent){.dropped = true, .length = 1};
    case API_OF_DRAWS:
        return (struct extent){.length = call->draws};
    case API_OF_TOP:
        return (struct extent){.length = (size_t)call->values[API_LOGPROBS].one.integer};
    case API_OF_NAMED:
        return (struct extent){.length = call->named.count};
    default:
        return (struct extent){.length = call->classes};
    }
}

static struct api_tensor tensor_of(const struct api_call *call, const struct api_result_kind *kind)
{
    const struct extent extent = extent_of(call, kind);
    struct api_tensor tensor = {.name = kind->name, .dtype = call_result_dtype(call, kind), .count = 1};
    if (extent.leading && call->values[API_NUM_SAMPLES].given)
        tensor.shape[tensor.rank++] = call->draws;
    for (size_t axis = 0; axis < call->rank; axis++)
        if (axis != call->axis || !extent.dropped)
            tensor.shape[tensor.rank++] = axis == call->axis ? extent.length : call->shape[axis];
    for (size_t axis = 0; axis < tensor.rank; axis++)
        tensor.count *= tensor.shape[axis];
    return tensor;
}

/* ---- Rows of them ---- */

struct call_row call_row_of_logits(const struct api_call *call, size_t row)
{
    const size_t outer = row / call->inner, inner = row % call->inner;
    return (struct call_row){outer * call->classes * call->inner + inner, call->inner, call->classes, false};
}

struct call_row call_row_of_result(const struct api_call *call, const struct api_result_kind *kind, size_t row)
{
    if (kind->extent == API_OF_LOGITS || kind->extent == API_OF_SAMPLES)
        return call_row_of_logits(call, row);
    const struct extent extent = extent_of(call, kind);
    return (struct call_row){row * extent.length, 1, extent.length, extent.dropped};
}

struct call_samples call_samples_of_result(const struct api_call *call, const struct api_result_kind *kind)
{
    const struct extent extent = extent_of(call, kind);
    return (struct call_samples){
        .count = extent.leading ? call->draws : 1,
        .distance = call->rows * extent.length,
        .axis = extent.leading && call->values[API_NUM_SAMPLES].given,
    };
}

/* ---- Memory ---- */

/* Of a result without elements: for each array that is empty, as much as for a short row. */
static size_t bytes_of_empty(const struct api_tensor *tensor, size_t most)
{
    enum { ARRAY_BYTES = 64 };
    size_t bytes = ARRAY_BYTES;
    for (size_t axis = 0; axis < tensor->rank && tensor->shape[axis] > 0; axis++) {
        if (tensor->shape[axis] > most / bytes)
            return most + 1;
        bytes *= tensor->shape[axis];
    }
    return bytes;
}

/* Bytes of a result, or `most` + 1 if they are more than that. */
static size_t bytes_of(const struct api_call *call, const struct api_result_kind *kind, size_t most)
{
    if (call->rows == 0) {
        const struct api_tensor tensor = tensor_of(call, kind);
        return bytes_of_empty(&tensor, most);
    }
    const struct extent extent = extent_of(call, kind);
    const size_t factors[] = {extent.length, call->rows, extent.leading ? call->draws : 1};
    size_t bytes = api_dtypes[call_result_dtype(call, kind)].size;
    for (size_t i = 0; i < sizeof factors / sizeof *factors; i++) {
        if (factors[i] > 0 && factors[i] > most / bytes)
            return most + 1;
        bytes *= factors[i];
    }
    return bytes;
}

size_t call_result_bytes(const struct api_call *call)
{
    size_t total = 0;
    for (size_t i = 0; i < API_MAX_RESULTS && call->function->results[i].name != NULL; i++)
        total += is_wanted(call, i) ? bytes_of(call, &call->function->results[i], SIZE_MAX / 16) : 0;
    return total;
}

size_t call_cost(const struct api_call *call)
{
    const size_t numbers = call_result_bytes(call) / sizeof(float);
    return call->work > numbers ? call->work : numbers;
}

static bool exceeds(const struct api_call *call, size_t limit)
{
    size_t total = 0;
    for (size_t i = 0; i < API_MAX_RESULTS && call->function->results[i].name != NULL; i++)
        if (is_wanted(call, i) && (total += bytes_of(call, &call->function->results[i], limit)) > limit)
            return true;
    return false;
}

/* Whether one of the results that `return` names would fit by itself. */
static bool one_fits(struct api_call *call, size_t limit)
{
    struct api_value *value = &call->values[API_RETURN];
    const struct api_value names = *value;
    for (size_t i = 0; names.given && i < names.one.names.count; i++) {
        value->one.names.results[0] = names.one.names.results[i];
        value->one.names.count = 1;
        if (!exceeds(call, limit))
            return true;
    }
    return false;
}

/* The parameter to be lowered: asks for less and less until what is left is within the limit, or the logits by
 * themselves are too many. */
static enum api_parameter_id excessive(const struct api_call *call, size_t limit)
{
    struct api_call less = *call;
    less.values[API_LOGPROBS].one.integer = 0;
    if (!exceeds(&less, limit))
        return API_LOGPROBS;
    less.named.count = 0;
    if (!exceeds(&less, limit))
        return API_LOGPROBS_FOR;
    less.draws = 1;
    if (!exceeds(&less, limit))
        return API_NUM_SAMPLES;
    return one_fits(&less, limit) ? API_RETURN : API_LOGITS;
}

static int check_bytes(const struct builder *builder)
{
    const size_t limit = builder_limit(builder, API_LIMIT_RESULT_BYTES);
    if (!exceeds(builder->call, limit))
        return 0;
    return builder_fail_limit(builder, API_LIMIT_RESULT_BYTES, api_parameters[excessive(builder->call, limit)].name);
}

/* Copies the logits, whose own memory is not needed then, to `place`. */
static void move_logits(struct api_call *call, void *place, size_t bytes)
{
    memcpy(place, call->logits, bytes);
    call_release(call, call->logits);
    call->logits = place;
}

/* The last sample takes the place of the logits. Where all are wanted, that place is after the others. */
static int place_samples(const struct builder *builder)
{
    struct api_call *call = builder->call;
    const size_t size = core_dtype_size(call->dtype), count = call->rows * call->classes;
    call->samples = call->logits;
    if (call->draws > 1) {
        const size_t places = is_wanted(call, 0) ? call->draws : 2;
        call->samples = builder_allocate(builder, places * count, size, call->function->results[0].name);
        if (call->samples == NULL)
            return -1;
        call->sample_distance = is_wanted(call, 0) ? count : 0;
        move_logits(call, (char *)call->samples + (places - 1) * count * size, count * size);
    }
    call->data[0] = is_wanted(call, 0) ? call->samples : NULL;
    return 0;
}

/* For what api/call/functions.c adds of several samples by tau: a row's summand, and what its sum has rounded off.
 * Those of the logits have room in the cotangent. */
static int allocate_spare(const struct builder *builder)
{
    struct api_call *call = builder->call;
    if (call->cotangent == NULL || call->draws == 1)
        return 0;
    call->spare = builder_allocate(builder, 2 * call->rows, core_dtype_size(call->dtype),
                                   call->function->results[0].name);
    return call->spare != NULL ? 0 : -1;
}

/* First the results that `return` names, in its order; then the others that are wanted. */
static void set_order(struct api_call *call)
{
    const struct api_result_kind *kinds = call->function->results;
    const struct api_value *names = &call->values[API_RETURN];
    for (size_t i = 0; names->given && i < names->one.names.count; i++)
        call->order[call->wanted++] = names->one.names.results[i];
    for (size_t i = 0; i < API_MAX_RESULTS && kinds[i].name != NULL; i++)
        if (is_wanted(call, i) && memchr(call->order, (int)i, call->wanted) == NULL)
            call->order[call->wanted++] = (uint8_t)i;
}

int builder_lay_out_results(const struct builder *builder)
{
    struct api_call *call = builder->call;
    const struct api_result_kind *kinds = call->function->results;
    if (check_bytes(builder) != 0)
        return -1;
    set_order(call);
    const bool in_place = kinds[0].extent == API_OF_SAMPLES;
    if (in_place ? place_samples(builder) != 0 : allocate_spare(builder) != 0)
        return -1;
    for (size_t i = in_place; i < API_MAX_RESULTS && kinds[i].name != NULL; i++) {
        if (!is_wanted(call, i))
            continue;
        const struct api_tensor tensor = tensor_of(call, &kinds[i]);
        call->data[i] = builder_allocate(builder, tensor.count, api_dtypes[tensor.dtype].size, tensor.name);
        if (call->data[i] == NULL)
            return -1;
    }
    return 0;
}

/* ---- The finished results ---- */

/* Lines from `line` on of [outer][length][inner] from [outer][inner][length], of elements of 4 or 8 bytes: about `most`
 * elements. Returns the line that is next. */
static size_t transpose(const struct api_call *call, const char *from, char *to, size_t length, size_t size,
                        size_t line, size_t most)
{
    const size_t inner = call->inner, lines = call->rows / inner * length;
    const size_t end = lines - line > most / inner + 1 ? line + most / inner + 1 : lines;
    to += line * inner * size;
    for (; line < end; line++) {
        const char *outer = from + line / length * inner * length * size;
        for (size_t i = 0; i < inner; i++, to += size)
            memcpy(to, outer + (i * length + line % length) * size, size);
    }
    return end;
}

/* The core gives draws row by row; where the class axis is not the last, they are transposed. */
static bool needs_transposing(const struct api_call *call, const struct api_result_kind *kind)
{
    return call->inner > 1 && call->rows > 0 && extent_of(call, kind).length > 1 &&
           (kind->extent == API_OF_DRAWS || kind->extent == API_OF_TOP || kind->extent == API_OF_NAMED);
}

/* Some of that; 1 if it is not all. */
static int transpose_some(struct api_call *call, struct api_tensor *tensor, size_t length, size_t most,
                          struct api_problem *problem)
{
    const size_t size = api_dtypes[tensor->dtype].size, lines = call->rows / call->inner * length;
    if (call->transposed.to == NULL) {
        call->transposed.to = call_own(call, api_malloc(tensor->count * size));
        call->transposed.lines = 0;
    }
    if (call->transposed.to == NULL)
        return api_fail(problem, API_OUT_OF_MEMORY, "", API_NO_OFFSET, "no memory for %s", tensor->name);
    call->transposed.lines = transpose(call, tensor->data, call->transposed.to, length, size, call->transposed.lines,
                                       most);
    if (call->transposed.lines < lines)
        return 1;
    call_release(call, tensor->data);
    tensor->data = call->transposed.to;
    call->transposed.to = NULL;
    return 0;
}

static int finish_result(struct api_call *call, size_t result, size_t most, struct api_problem *problem)
{
    const struct api_result_kind *kind = &call->function->results[result];
    struct api_tensor tensor = tensor_of(call, kind);
    tensor.data = call->data[result];
    const int moved = needs_transposing(call, kind)
                          ? transpose_some(call, &tensor, extent_of(call, kind).length, most, problem)
                          : 0;
    if (moved != 0)
        return moved;
    call->data[result] = tensor.data;
    call->results[call->result_count++] = tensor;
    return 0;
}

int call_finish(struct api_call *call, size_t most, struct api_problem *problem)
{
    if (call->result_count == 0 && call->transposed.to == NULL)
        call_release_inputs(call);
    while (call->result_count < call->wanted) {
        const int result = finish_result(call, call->order[call->result_count], most, problem);
        if (result != 0)
            return result;
    }
    return 0;
}
