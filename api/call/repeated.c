#include "call/call.h"
#include "json/put.h"

static const char *dtype(const struct api_call *call)
{
    return api_dtypes[call->dtype == CORE_FLOAT64 ? API_FLOAT64 : API_FLOAT32].name;
}

static const char *rng(const struct api_call *call)
{
    const struct api_choice *choice = api_parameters[API_RNG].choices;
    while (choice->value != call->values[API_RNG].one.choice)
        choice++;
    return choice->name;
}

const struct call_repeated_kind call_repeated_kinds[CALL_REPEATED_COUNT] = {
    [CALL_REPEATED_DTYPE] = {"dtype", "X-Gumbeld-Dtype", .text = dtype},
    [CALL_REPEATED_RNG] = {"rng", "X-Gumbeld-Rng", .text = rng},
    [CALL_REPEATED_SEED] = {"seed", "X-Gumbeld-Seed", .id = API_SEED},
    [CALL_REPEATED_KEY] = {"key", "X-Gumbeld-Key", .id = API_KEY},
    [CALL_REPEATED_TAU] = {"tau", "X-Gumbeld-Tau", .id = API_TAU},
};

bool call_repeats(const struct api_call *call, enum call_repeated item)
{
    const struct call_repeated_kind *kind = &call_repeated_kinds[item];
    if (item == CALL_REPEATED_RNG)
        return call->of->draws_noise;
    if (item == CALL_REPEATED_KEY)
        return call->values[API_KEY].given;
    if (item == CALL_REPEATED_SEED && call->values[API_KEY].given)
        return false;
    return kind->text != NULL || api_function_takes(call->of, kind->id);
}

bool call_repeats_list(const struct api_call *call, enum call_repeated item)
{
    const struct call_repeated_kind *kind = &call_repeated_kinds[item];
    return kind->text == NULL && call->values[kind->id].list != NULL;
}

static char *put_pair(char *out, const struct api_value *value, size_t row)
{
    const uint64_t *pairs = value->list;
    out = json_put_whole(json_put_text(out, "["), pairs != NULL ? pairs[2 * row] : (uint64_t)value->one.integer >> 32);
    out = json_put_whole(json_put_text(out, ","), pairs != NULL ? pairs[2 * row + 1] : (uint32_t)value->one.integer);
    return json_put_text(out, "]");
}

char *call_put_repeated(char *out, const struct api_call *call, enum call_repeated item, size_t row)
{
    const struct call_repeated_kind *kind = &call_repeated_kinds[item];
    if (kind->text != NULL)
        return json_put_text(json_put_text(json_put_text(out, "\""), kind->text(call)), "\"");
    const struct api_value *value = &call->values[kind->id];
    if (api_parameters[kind->id].pair)
        return put_pair(out, value, row);
    if (api_parameters[kind->id].type == API_INTEGER)
        return json_put_whole(out, value->list != NULL ? ((const uint64_t *)value->list)[row]
                                                       : (uint64_t)value->one.integer);
    return json_put_double(out, value->list != NULL ? ((const double *)value->list)[row] : value->one.number);
}
