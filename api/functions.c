/* The tables of functions and parameters, and how each function calls the core. */
#include "call.h"
#include "core.h"

#define MAX_FLOAT32 3.4028235e38       /* the shortest decimal that reads as the largest float32 */
#define MAX_INTEGER 9007199254740991.0 /* 2^53 - 1: every JSON reader keeps it */

const struct api_parameter api_parameters[API_PARAMETER_COUNT] = {
    [API_LOGITS] = {.name = "logits", .type = API_ARRAY, .required = true},
    [API_TEMPERATURE] =
        {.name = "temperature", .type = API_NUMBER, .per_row = true, .maximum = MAX_FLOAT32, .fallback = 1},
    [API_TAU] = {.name = "tau", .type = API_NUMBER, .per_row = true, .maximum = MAX_FLOAT32, .fallback = 1},
    [API_HARD] = {.name = "hard", .type = API_BOOLEAN},
    [API_SEED] = {.name = "seed", .type = API_INTEGER, .per_row = true, .drawn = true, .maximum = MAX_INTEGER},
    [API_ROW_OFFSET] = {.name = "row_offset", .type = API_INTEGER, .maximum = UINT32_MAX},
};

static struct core_per_row per_row(const struct api_value *value)
{
    if (value->list != NULL)
        return (struct core_per_row){value->list, 1};
    return (struct core_per_row){&value->one.number, 0};
}

static struct core_softmax_call softmax_call(const struct api_call *call)
{
    return (struct core_softmax_call){
        .logits = call->array.data,
        .rows = call->rows,
        .classes = call->classes,
        .temperature = per_row(&call->values[API_TEMPERATURE]),
        .result = call->array.data,
    };
}

static int softmax(const struct api_call *call, size_t first, size_t count, size_t *invalid_row)
{
    struct core_softmax_call core = softmax_call(call);
    return core_softmax(&core, first, count, invalid_row);
}

static int log_softmax(const struct api_call *call, size_t first, size_t count, size_t *invalid_row)
{
    struct core_softmax_call core = softmax_call(call);
    return core_log_softmax(&core, first, count, invalid_row);
}

static struct core_noise noise(const struct api_call *call)
{
    const struct api_value *seed = &call->values[API_SEED];
    return (struct core_noise){
        .seed = seed->list != NULL ? seed->list : &seed->one.integer,
        .stride = seed->list != NULL,
        .row_offset = (uint32_t)call->values[API_ROW_OFFSET].one.integer,
    };
}

static int gumbel_softmax(const struct api_call *call, size_t first, size_t count, size_t *invalid_row)
{
    struct core_gumbel_softmax_call core = {
        .logits = call->array.data,
        .rows = call->rows,
        .classes = call->classes,
        .tau = per_row(&call->values[API_TAU]),
        .hard = call->values[API_HARD].one.boolean,
        .noise = noise(call),
        .samples = call->array.data,
    };
    return core_gumbel_softmax(&core, first, count, invalid_row);
}

#define TAKES(id) (1u << (id))

const struct api_function api_functions[API_FUNCTION_COUNT] = {
    [API_SOFTMAX] =
        {
            .name = "softmax",
            .result = "probabilities",
            .parameters = TAKES(API_LOGITS) | TAKES(API_TEMPERATURE),
            .compute = softmax,
        },
    [API_LOG_SOFTMAX] =
        {
            .name = "log_softmax",
            .result = "log_probabilities",
            .parameters = TAKES(API_LOGITS) | TAKES(API_TEMPERATURE),
            .compute = log_softmax,
        },
    [API_GUMBEL_SOFTMAX] =
        {
            .name = "gumbel_softmax",
            .result = "samples",
            .parameters = TAKES(API_LOGITS) | TAKES(API_TAU) | TAKES(API_HARD) | TAKES(API_SEED) |
                          TAKES(API_ROW_OFFSET),
            .draws_noise = true,
            .compute = gumbel_softmax,
        },
};
