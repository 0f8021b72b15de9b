/* A source into a call: its arrays, then its parameters in the order of the table, then what they must be together. */
#include "call/build.h"
#include "contract/suggest.h"
#include "json/envelope.h"
#include "json/find.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

/* ---- Problems ---- */

static void write_pointer(const struct builder *builder, const char *name, const char *below, char *pointer,
                          size_t size)
{
    if (builder->source->locate != NULL)
        builder->source->locate(builder->source, name, pointer, size);
    else
        json_pointer_write(pointer, size, name);
    const size_t used = strlen(pointer);
    snprintf(pointer + used, size - used, "%s", below);
}

int builder_fail(const struct builder *builder, enum api_problem_code code, const char *name, const char *below,
                 const char *detail, ...)
{
    char pointer[256], text[API_DETAIL_BYTES];
    write_pointer(builder, name, below, pointer, sizeof pointer);
    va_list arguments;
    va_start(arguments, detail);
    vsnprintf(text, sizeof text, detail, arguments);
    va_end(arguments);
    return api_fail(builder->problem, code, pointer, API_NO_OFFSET, "%s", text);
}

size_t builder_limit(const struct builder *builder, enum api_limit_id limit)
{
    return api_limit_of(builder->source->limits, limit);
}

int builder_fail_limit(const struct builder *builder, enum api_limit_id limit, const char *name)
{
    char pointer[256];
    write_pointer(builder, name, "", pointer, sizeof pointer);
    return api_fail_limit(builder->problem, builder->source->limits, limit, pointer);
}

void builder_describe_lists(const struct builder *builder, char *text, size_t size)
{
    const char *lists = builder->source->lists;
    snprintf(text, size, "%s%s", lists != NULL ? ", sent as " : "", lists != NULL ? lists : "");
}

/* ---- Numbers ---- */

bool builder_is_whole(const struct builder *builder, const char *name, const char *below, double number)
{
    char pointer[256];
    if (number != floor(number) || builder->source->text == NULL)
        return number == floor(number);
    write_pointer(builder, name, below, pointer, sizeof pointer);
    return json_find_is_whole(builder->source->text, pointer, number);
}

/* ---- Memory ---- */

void *builder_allocate(const struct builder *builder, size_t count, size_t size, const char *name)
{
    void *memory = call_own(builder->call, api_calloc(count > 0 ? count : 1, size));
    if (memory == NULL)
        builder_fail(builder, API_OUT_OF_MEMORY, name, "", "no memory for %s", name);
    return memory;
}

const json_t *builder_given(const struct builder *builder, enum api_parameter_id id)
{
    const json_t *json = builder->source->given[id];
    return json_is_null(json) && !api_parameters[id].required ? NULL : json;
}

struct api_tensor *builder_tensor(const struct builder *builder, enum api_parameter_id id)
{
    for (size_t i = 0; i < builder->source->tensor_count; i++)
        if (builder->source->tensors[i].name == api_parameters[id].name)
            return &builder->source->tensors[i];
    return NULL;
}

void *builder_take(const struct builder *builder, struct api_tensor *tensor)
{
    void *data = tensor->borrowed ? tensor->data : call_own(builder->call, tensor->data);
    tensor->data = NULL;
    return data;
}

/* ---- Which parameters there may be ---- */

static api_parameter_set allowed_parameters(const struct api_call *call)
{
    if (call->of == call->function)
        return call->function->parameters;
    return call->function->parameters & (call->of->parameters | call->of->vjp_parameters);
}

static bool takes(const struct api_call *call, enum api_parameter_id id)
{
    return allowed_parameters(call) >> id & 1;
}

static int fail_unknown(const struct builder *builder, const char *name)
{
    const struct api_call *call = builder->call;
    const bool nested = call->of != call->function;
    char of[64], text[API_DETAIL_BYTES];
    snprintf(of, sizeof of, "%s%s%s", call->function->name, nested ? " of " : "", nested ? call->of->name : "");
    suggest_members(of, allowed_parameters(call), name, text, sizeof text);
    return builder_fail(builder, API_UNKNOWN_MEMBER, name, "", "%s", text);
}

static int refuse_unknown(const struct builder *builder)
{
    const struct call_source *source = builder->source;
    if (source->unknown != NULL)
        return fail_unknown(builder, source->unknown);
    for (int id = 0; id < API_PARAMETER_COUNT; id++)
        if (!takes(builder->call, (enum api_parameter_id)id) &&
            (builder_given(builder, (enum api_parameter_id)id) != NULL ||
             builder_tensor(builder, (enum api_parameter_id)id) != NULL))
            return fail_unknown(builder, api_parameters[id].name);
    return 0;
}

/* Sets `of`, which decides what else there may be. */
static int read_function(const struct builder *builder)
{
    struct api_call *call = builder->call;
    call->function = call->of = builder->source->function;
    if (!api_function_takes(call->function, API_FUNCTION))
        return 0;
    if (builder_read_value(builder, API_FUNCTION) != 0)
        return -1;
    call->of = &api_functions[call->values[API_FUNCTION].one.choice];
    return 0;
}

/* ---- Arrays ---- */

static int fail_array(const struct builder *builder, const struct api_parameter *parameter,
                      const struct api_tensor *tensor)
{
    char sent[64] = "";
    if (tensor == NULL)
        builder_describe_lists(builder, sent, sizeof sent);
    return builder_fail(builder, API_WRONG_TYPE, parameter->name, "", "must be an array of %s%s",
                        parameter->type == API_BOOLEANS ? "booleans" : "numbers", sent);
}

/* The tensor of a parameter, in one of the dtypes whose bits are given; *tensor is NULL if it was left out. */
static int find_tensor(const struct builder *builder, enum api_parameter_id id, unsigned dtypes,
                       struct api_tensor **tensor)
{
    const struct api_parameter *parameter = &api_parameters[id];
    const json_t *json = builder_given(builder, id);
    *tensor = builder_tensor(builder, id);
    if (*tensor == NULL && json == NULL && parameter->required)
        return builder_fail(builder, API_MISSING_MEMBER, parameter->name, "", "%s is required", parameter->name);
    if (*tensor == NULL && json == NULL)
        return 0;
    builder->call->values[id].given = true;
    if (*tensor == NULL || (*tensor)->rank == 0 || !(dtypes >> (*tensor)->dtype & 1))
        return fail_array(builder, parameter, *tensor);
    return 0;
}

/* The product, or SIZE_MAX where that is more: where one axis has no elements, the others may have any length. */
static size_t multiply(size_t a, size_t b)
{
    size_t product;
    return __builtin_mul_overflow(a, b, &product) ? SIZE_MAX : product;
}

/* The sum, likewise. */
static size_t add(size_t a, size_t b)
{
    size_t sum;
    return __builtin_add_overflow(a, b, &sum) ? SIZE_MAX : sum;
}

/* The product of the axes that have a length. */
static size_t extent_of(const struct api_call *call)
{
    size_t extent = 1;
    for (size_t axis = 0; axis < call->rank; axis++)
        extent = multiply(extent, call->shape[axis] > 0 ? call->shape[axis] : 1);
    return extent;
}

static int check_rows(const struct builder *builder)
{
    const struct api_call *call = builder->call;
    const char *name = api_parameters[API_LOGITS].name;
    const size_t limit = builder_limit(builder, API_LIMIT_ROWS);
    if (call->rows > limit)
        return builder_fail_limit(builder, API_LIMIT_ROWS, name);
    if (call->rows == 0 && extent_of(call) > builder_limit(builder, API_LIMIT_WORK))
        return builder_fail_limit(builder, API_LIMIT_WORK, name);
    if (call->classes > builder_limit(builder, API_LIMIT_CLASSES))
        return builder_fail_limit(builder, API_LIMIT_CLASSES, name);
    if (call->classes == 0 && call->rows > 0)
        return builder_fail(builder, API_INVALID_ROW, name, "", "has rows of no classes");
    return 0;
}

/* Sets rows, classes and inner. */
static int lay_out_rows(const struct builder *builder)
{
    struct api_call *call = builder->call;
    const int64_t dim = call->values[API_DIM].one.integer, rank = (int64_t)call->rank;
    if (dim < -rank || dim >= rank)
        return builder_fail(builder, API_OUT_OF_RANGE, api_parameters[API_DIM].name, "",
                            "must be from %d to %d, as logits have %zu axes", (int)-rank, (int)rank - 1, call->rank);
    call->axis = (size_t)(dim < 0 ? dim + rank : dim);
    call->classes = call->shape[call->axis];
    call->rows = call->inner = 1;
    for (size_t axis = 0; axis < call->rank; axis++) {
        call->rows = multiply(call->rows, axis != call->axis ? call->shape[axis] : 1);
        call->inner = multiply(call->inner, axis > call->axis ? call->shape[axis] : 1);
    }
    if (call->rows == 0)
        call->inner = 1;
    return check_rows(builder);
}

/* The floats as doubles, which is exact. */
static double *widen(const struct builder *builder, struct api_tensor *tensor)
{
    const float *floats = tensor->data;
    double *doubles = builder_allocate(builder, tensor->count, sizeof *doubles, tensor->name);
    for (size_t i = 0; doubles != NULL && i < tensor->count; i++)
        doubles[i] = floats[i];
    if (!tensor->borrowed)
        api_free(tensor->data);
    tensor->data = NULL;
    return doubles;
}

/* The data in the call's precision, which is the tensor's own or a wider one. NULL and a problem if memory is short. */
static void *take_numbers(const struct builder *builder, struct api_tensor *tensor)
{
    const bool wide = builder->call->dtype == CORE_FLOAT64;
    return wide && tensor->dtype == API_FLOAT32 ? widen(builder, tensor) : builder_take(builder, tensor);
}

enum { OF_EITHER_PRECISION = 1 << API_FLOAT32 | 1 << API_FLOAT64 };

static int take_logits(const struct builder *builder)
{
    struct api_call *call = builder->call;
    const struct api_value *dtype = &call->values[API_DTYPE];
    struct api_tensor *tensor;
    if (find_tensor(builder, API_LOGITS, OF_EITHER_PRECISION, &tensor) != 0)
        return -1;
    if (tensor->rank > API_MAX_RANK)
        return builder_fail(builder, API_WRONG_TYPE, tensor->name, "", "may have up to %d axes", API_MAX_RANK);
    const bool wide = tensor->dtype == API_FLOAT64;
    if (wide && dtype->given && dtype->one.choice == API_FLOAT32)
        return builder_fail(builder, API_WRONG_TYPE, api_parameters[API_DTYPE].name, "", "the logits are float64");
    call->dtype = wide || (dtype->given && dtype->one.choice == API_FLOAT64) ? CORE_FLOAT64 : CORE_FLOAT32;
    call->rank = tensor->rank;
    memcpy(call->shape, tensor->shape, sizeof call->shape);
    call->logits = take_numbers(builder, tensor);
    return call->logits != NULL ? 0 : -1;
}

static size_t element_count(const struct api_call *call)
{
    return call->rows * call->classes;
}

/* Whether the tensor has the shape of the logits, after an axis of `leading` if that is not 0. JSON does not say all of
 * the shape of what has no elements. */
static bool has_shape(const struct api_call *call, const struct api_tensor *tensor, size_t leading)
{
    const size_t skipped = leading > 0;
    if (tensor->count == 0)
        return call->rows == 0;
    if (tensor->rank != call->rank + skipped || (leading > 0 && tensor->shape[0] != leading))
        return false;
    return memcmp(tensor->shape + skipped, call->shape, call->rank * sizeof *call->shape) == 0;
}

/* Whether the mask of all rows leaves a class. */
static bool mask_leaves_any(const struct api_call *call)
{
    for (size_t class = 0; class < call->classes; class ++)
        if (call->mask[class] != 0)
            return true;
    return false;
}

static int take_mask(const struct builder *builder)
{
    struct api_call *call = builder->call;
    struct api_tensor *tensor;
    if (find_tensor(builder, API_MASK, 1u << API_BOOL, &tensor) != 0)
        return -1;
    if (tensor == NULL)
        return 0;
    const bool one_row = tensor->rank == 1 && tensor->count == call->classes;
    if (!one_row && !has_shape(call, tensor, 0))
        return builder_fail(builder, API_WRONG_LENGTH, tensor->name, "",
                            "must have the shape of logits, or be one row of %zu for all", call->classes);
    call->mask_stride = !one_row || call->rows == 1;
    call->mask_is_row = one_row && call->rank > 1;
    call->mask = builder_take(builder, tensor);
    if (call->mask_stride == 0 && !mask_leaves_any(call)) {
        call->all_masked = true;
        if (call->values[API_ON_INVALID].one.choice != API_INVALID_ERROR)
            call->mask = NULL;
    }
    return 0;
}

static int take_cotangent(const struct builder *builder)
{
    struct api_call *call = builder->call;
    struct api_tensor *tensor;
    if (find_tensor(builder, API_COTANGENT, OF_EITHER_PRECISION, &tensor) != 0)
        return -1;
    if (call->dtype == CORE_FLOAT32 && tensor->dtype == API_FLOAT64)
        return builder_fail(builder, API_WRONG_TYPE, tensor->name, "", "is float64 where the logits are float32");
    if (!has_shape(call, tensor, call->values[API_NUM_SAMPLES].given ? call->draws : 0))
        return builder_fail(builder, API_WRONG_LENGTH, tensor->name, "",
                            "must have the shape of the function's result%s",
                            call->values[API_NUM_SAMPLES].given ? ", with its axis of num_samples" : "");
    call->cotangent = take_numbers(builder, tensor);
    return call->cotangent != NULL ? 0 : -1;
}

/* ---- What the parameters must be together ---- */

static int check_noise_rows(const struct builder *builder)
{
    const struct api_call *call = builder->call;
    const uint64_t row_offset = (uint64_t)call->values[API_ROW_OFFSET].one.integer;
    const char *name = api_parameters[API_ROW_OFFSET].name;
    if (row_offset != 0 && call->values[API_SEED].list != NULL)
        return builder_fail(builder, API_OUT_OF_RANGE, name, "",
                            "goes with one seed for all rows: with a list each row is row 0 of its own seed");
    if (call->of->draws_noise && row_offset + call->rows > (uint64_t)UINT32_MAX + 1)
        return builder_fail(builder, API_OUT_OF_RANGE, name, "",
                            "row_offset and the number of rows must not exceed 2^32 together");
    return 0;
}

static int check_draw_offset(const struct builder *builder, const char *below, uint64_t draw_offset)
{
    if (draw_offset + builder->call->draws <= (uint64_t)UINT32_MAX + 1)
        return 0;
    return builder_fail(builder, API_OUT_OF_RANGE, api_parameters[API_DRAW_OFFSET].name, below,
                        "draw_offset and num_samples must not exceed 2^32 together");
}

static int check_noise_draws(const struct builder *builder)
{
    const struct api_call *call = builder->call;
    const struct api_value *offset = &call->values[API_DRAW_OFFSET];
    const uint64_t *list = offset->list;
    if (!call->of->draws_noise)
        return 0;
    if (list == NULL)
        return check_draw_offset(builder, "", (uint64_t)offset->one.integer);
    if (call->values[API_RNG].one.choice == CORE_RNG_TORCH)
        return builder_fail(builder, API_OUT_OF_RANGE, api_parameters[API_DRAW_OFFSET].name, "",
                            "must be one value for all rows with rng torch, whose stream is walked in order");
    for (size_t row = 0; row < call->rows; row++) {
        char below[32];
        snprintf(below, sizeof below, "/%zu", row);
        if (check_draw_offset(builder, below, list[row]) != 0)
            return -1;
    }
    return 0;
}

/* A gradient is that of samples that were drawn before. */
static int check_seed(const struct builder *builder)
{
    const struct api_call *call = builder->call;
    const char *name = api_parameters[API_SEED].name;
    if (call->of == call->function || !takes(call, API_SEED) || call->values[API_SEED].given ||
        call->values[API_KEY].given)
        return 0;
    return builder_fail(builder, API_MISSING_MEMBER, name, "",
                        "%s is required: that of the call whose gradient this is, as its answer has it", name);
}

/* gumbel_rao is of hard samples; its own parameter goes with nothing else. */
static int check_estimator(const struct builder *builder)
{
    const struct api_value *values = builder->call->values;
    const bool gumbel_rao = values[API_ESTIMATOR].one.choice == API_GUMBEL_RAO;
    if (gumbel_rao && !values[API_HARD].one.boolean)
        return builder_fail(builder, API_OUT_OF_RANGE, api_parameters[API_ESTIMATOR].name, "",
                            "gumbel_rao goes with hard samples");
    if (!gumbel_rao && values[API_CONDITIONAL_SAMPLES].given)
        return builder_fail(builder, API_OUT_OF_RANGE, api_parameters[API_CONDITIONAL_SAMPLES].name, "",
                            "goes with the estimator gumbel_rao");
    return 0;
}

static bool inverts(const struct api_call *call)
{
    return call->values[API_METHOD].one.choice == CORE_INVERSE_CDF;
}

static bool returns(const struct api_call *call, const char *result)
{
    const struct api_value *value = &call->values[API_RETURN];
    for (size_t i = 0; value->given && i < value->one.names.count; i++)
        if (strcmp(call->function->results[value->one.names.results[i]].name, result) == 0)
            return true;
    return false;
}

/* What inverse_cdf cannot be with. */
static int check_method(const struct builder *builder)
{
    const struct api_call *call = builder->call;
    const char *name = api_parameters[API_METHOD].name;
    if (!inverts(call))
        return 0;
    if (call->values[API_RNG].one.choice != CORE_RNG_V1)
        return builder_fail(builder, API_OUT_OF_RANGE, name, "", "inverse_cdf is drawn from the stream v1 only");
    if (!call->values[API_REPLACEMENT].one.boolean)
        return builder_fail(builder, API_OUT_OF_RANGE, name, "", "inverse_cdf draws with replacement");
    if (returns(call, "scores"))
        return builder_fail(builder, API_OUT_OF_RANGE, name, "", "inverse_cdf has no scores: these are of gumbel_max");
    return 0;
}

/* The parameter to be lowered where the work is more than the limit. */
static enum api_parameter_id excessive(const struct api_call *call, size_t passes, size_t limit)
{
    if (element_count(call) > limit)
        return API_LOGITS;
    return element_count(call) > limit / passes ? API_CONDITIONAL_SAMPLES : API_NUM_SAMPLES;
}

/* The number of rows times classes is that of an array in memory. */
static int check_work(const struct builder *builder)
{
    struct api_call *call = builder->call;
    const struct api_value *values = call->values;
    const size_t limit = builder_limit(builder, API_LIMIT_WORK);
    size_t passes = values[API_ESTIMATOR].one.choice == API_GUMBEL_RAO
                        ? (size_t)values[API_CONDITIONAL_SAMPLES].one.integer
                        : 1;
    if (call->draws > builder_limit(builder, API_LIMIT_DRAWS))
        return builder_fail_limit(builder, API_LIMIT_DRAWS, api_parameters[API_NUM_SAMPLES].name);
    call->passes = passes;
    const bool light = inverts(call) && !returns(call, "ranks"); /* a rank is counted class by class */
    call->draw_work = light ? 1 : call->classes * passes;
    call->work = light ? add(element_count(call), multiply(call->rows, call->draws))
                       : multiply(element_count(call), multiply(call->draws, passes));
    if (call->draws > limit / passes || call->work > limit)
        return builder_fail_limit(builder, API_LIMIT_WORK, api_parameters[excessive(call, passes, limit)].name);
    return 0;
}

/* ---- All of it ---- */

/* Those that the others are checked against come first. */
static int read_values(const struct builder *builder)
{
    struct api_call *call = builder->call;
    if (builder_read_value(builder, API_DTYPE) != 0 || take_logits(builder) != 0 ||
        builder_read_value(builder, API_DIM) != 0 || lay_out_rows(builder) != 0)
        return -1;
    if (builder_read_values(builder, API_DTYPE + 1, allowed_parameters(call)) != 0)
        return -1;
    call->draws = takes(call, API_NUM_SAMPLES) ? (size_t)call->values[API_NUM_SAMPLES].one.integer : 1;
    return take_mask(builder) != 0 || (takes(call, API_COTANGENT) && take_cotangent(builder) != 0) ? -1 : 0;
}

static int build(const struct builder *builder)
{
    if (read_function(builder) != 0 || refuse_unknown(builder) != 0 || read_values(builder) != 0 ||
        builder_read_key(builder) != 0 || check_noise_rows(builder) != 0 || check_noise_draws(builder) != 0 ||
        check_estimator(builder) != 0 || check_method(builder) != 0 || check_seed(builder) != 0 ||
        check_work(builder) != 0 || builder_open_stream(builder) != 0)
        return -1;
    return builder_lay_out_results(builder);
}

/* Without a call they are freed. */
static void take_blocks(struct api_call *call, struct call_source *source)
{
    for (size_t i = 0; i < CALL_MAX_BLOCKS; i++) {
        if (call != NULL)
            call_own(call, source->blocks[i]);
        else
            api_free(source->blocks[i]);
        source->blocks[i] = NULL;
    }
}

void call_give(struct call_source *source, const json_t *members)
{
    for (int id = 0; id < API_PARAMETER_COUNT; id++)
        source->given[id] = json_object_get(members, api_parameters[id].name);
}

int call_build(struct call_source *source, struct api_call **call, struct api_problem *problem)
{
    const struct builder builder = {source, api_calloc(1, sizeof **call), problem};
    take_blocks(builder.call, source);
    if (builder.call == NULL)
        return api_fail(problem, API_OUT_OF_MEMORY, "", API_NO_OFFSET, "no memory for the call");
    const int result = build(&builder);
    if (result == 0)
        *call = builder.call;
    else
        api_call_free(builder.call);
    return result;
}
