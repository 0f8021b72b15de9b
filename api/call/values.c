/* Parameters: single values, lists of one per row, names and the bias, as the table says. */
#include "call/build.h"
#include "json/envelope.h"
#include "json/string.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

size_t call_find_name(const char *const *names, const char *name)
{
    size_t i = 0;
    while (names[i] != NULL && strcmp(names[i], name) != 0)
        i++;
    return i;
}

/* ---- Numbers ---- */

static bool is_whole(double value)
{
    return value == floor(value);
}

static bool in_range(const struct api_parameter *parameter, double value)
{
    return value <= parameter->maximum && (parameter->above ? value > parameter->minimum : value >= parameter->minimum);
}

static int check_number(const struct builder *builder, const struct api_parameter *parameter, const char *below,
                        double value)
{
    if (parameter->type == API_INTEGER && !builder_is_whole(builder, parameter->name, below, value))
        return builder_fail(builder, API_WRONG_TYPE, parameter->name, below, "must be an integer");
    if (in_range(parameter, value))
        return 0;
    return builder_fail(builder, API_OUT_OF_RANGE, parameter->name, below, "must be %s %.16g%s %.16g",
                        parameter->above ? "above" : "from", parameter->minimum,
                        parameter->above ? " and at most" : " to", parameter->maximum);
}

/* -0 is the 0 that it equals: divided by, it would turn the sign of everything. */
static double without_sign_of_zero(double number)
{
    return number == 0 ? 0 : number;
}

/* Whether the value is kept as an integer; that of a filter and of min_keep is kept as the number that the core takes.
 */
static bool is_integer(const struct api_parameter *parameter)
{
    const bool filter = parameter >= api_parameters + API_FILTER && parameter <= api_parameters + API_MIN_KEEP;
    return parameter->type == API_INTEGER && !filter;
}

static void set_number(const struct api_parameter *parameter, double number, struct api_value *value)
{
    if (is_integer(parameter))
        value->one.integer = (int64_t)number;
    else
        value->one.number = without_sign_of_zero(number);
}

static int fail_type(const struct builder *builder, const struct api_parameter *parameter)
{
    char sent[64];
    builder_describe_lists(builder, sent, sizeof sent);
    return builder_fail(builder, API_WRONG_TYPE, parameter->name, "", "must be %s%s%s%s",
                        parameter->type == API_INTEGER ? "an integer" : "a number",
                        parameter->schedule ? ", or a schedule" : "",
                        parameter->per_row ? ", or a list of one per row" : "", parameter->per_row ? sent : "");
}

static int read_number(const struct builder *builder, const struct api_parameter *parameter, const json_t *json,
                       struct api_value *value)
{
    double number;
    if (parameter->schedule && json_is_object(json)) {
        if (builder_read_schedule(builder, parameter, json, &number) != 0)
            return -1;
    } else if (!json_is_number(json)) {
        return fail_type(builder, parameter);
    } else {
        number = json_number_value(json);
        if (check_number(builder, parameter, "", number) != 0)
            return -1;
    }
    set_number(parameter, number, value);
    return 0;
}

/* ---- Choices and names ---- */

static int read_boolean(const struct builder *builder, const struct api_parameter *parameter, const json_t *json,
                        struct api_value *value)
{
    if (!json_is_boolean(json))
        return builder_fail(builder, API_WRONG_TYPE, parameter->name, "", "must be true or false");
    value->one.boolean = json_is_true(json);
    return 0;
}

/* "a, b or c" */
static void join_names(const struct api_choice *choices, char *text, size_t size)
{
    size_t used = 0;
    text[0] = '\0';
    for (size_t i = 0; choices[i].name != NULL && used < size; i++) {
        const char *separator = i == 0 ? "" : choices[i + 1].name == NULL ? " or " : ", ";
        used += (size_t)snprintf(text + used, size - used, "%s%s", separator, choices[i].name);
    }
}

const struct api_choice *call_find_choice(const struct api_choice *choices, const char *name)
{
    while (choices->name != NULL && strcmp(choices->name, name) != 0)
        choices++;
    return choices;
}

/* The value of the name. */
static int read_name(const struct builder *builder, const struct api_parameter *parameter, const char *below,
                     const json_t *json, const struct api_choice *choices, int *value)
{
    char list[160];
    const struct api_choice *choice = json_is_string(json) ? call_find_choice(choices, json_string_value(json)) : NULL;
    if (choice != NULL && choice->name != NULL) {
        *value = choice->value;
        return 0;
    }
    join_names(choices, list, sizeof list);
    return builder_fail(builder, choice == NULL ? API_WRONG_TYPE : API_OUT_OF_RANGE, parameter->name, below,
                        "must be %s%s", choice == NULL ? "a string: " : "", list);
}

static int read_choice(const struct builder *builder, const struct api_parameter *parameter, const json_t *json,
                       struct api_value *value)
{
    return read_name(builder, parameter, "", json, parameter->choices, &value->one.choice);
}

/* The results that `return` may name, and where they are in the function's table. */
static void list_results(const struct api_result_kind *results, struct api_choice *names)
{
    for (int result = 0; result < API_MAX_RESULTS && results[result].name != NULL; result++)
        if (results[result].condition == API_ON_RETURN)
            *names++ = (struct api_choice){results[result].name, result};
    names->name = NULL;
}

static int read_names(const struct builder *builder, const struct api_parameter *parameter, const json_t *json,
                      struct api_value *value)
{
    struct api_choice names[API_MAX_RESULTS + 1];
    size_t i;
    int result;
    const json_t *name;
    list_results(builder->call->function->results, names);
    if (!json_is_array(json) || json_array_size(json) == 0)
        return builder_fail(builder, API_WRONG_TYPE, parameter->name, "", "must be a list of names of results");
    json_array_foreach (json, i, name) {
        char below[32];
        snprintf(below, sizeof below, "/%zu", i);
        if (read_name(builder, parameter, below, name, names, &result) != 0)
            return -1;
        if (memchr(value->one.names.results, result, value->one.names.count) == NULL)
            value->one.names.results[value->one.names.count++] = (uint8_t)result;
    }
    return 0;
}

/* ---- filter_order ---- */

/* The parameter whose value a step takes. */
static enum api_parameter_id parameter_of_step(int step)
{
    return step == CORE_TEMPERATURE ? API_TEMPERATURE : (enum api_parameter_id)(API_FILTER + step);
}

static bool has_step(const struct core_order *order, int step)
{
    return memchr(order->steps, step, order->count) != NULL;
}

static int read_step(const struct builder *builder, const struct api_parameter *parameter, size_t i, const json_t *json,
                     struct core_order *order)
{
    struct api_choice names[CORE_STEP_COUNT + 1] = {{NULL, 0}};
    char below[32];
    int step;
    for (int id = 0; id < CORE_STEP_COUNT; id++)
        names[id] = (struct api_choice){api_parameters[parameter_of_step(id)].name, id};
    snprintf(below, sizeof below, "/%zu", i);
    if (read_name(builder, parameter, below, json, names, &step) != 0)
        return -1;
    if (has_step(order, step))
        return builder_fail(builder, API_OUT_OF_RANGE, parameter->name, below, "is in the list before");
    order->steps[order->count++] = (uint8_t)step;
    return 0;
}

/* Whether it does more than it would if left out; negative values of filters are off. */
static bool has_effect(const struct api_call *call, enum api_parameter_id id)
{
    const struct api_value *value = &call->values[id];
    return value->given &&
           (value->list != NULL || (value->one.number != api_parameters[id].fallback && value->one.number >= 0));
}

/* What is not in the list has no effect: so it may not be set. A temperature of 1 may come anywhere. */
static int complete_steps(const struct builder *builder, const struct api_parameter *parameter,
                          struct core_order *order)
{
    for (int step = 0; step < CORE_STEP_COUNT; step++) {
        const enum api_parameter_id id = parameter_of_step(step);
        if (!has_step(order, step) && has_effect(builder->call, id))
            return builder_fail(builder, API_OUT_OF_RANGE, parameter->name, "", "must list %s, which is set",
                                api_parameters[id].name);
    }
    if (!has_step(order, CORE_TEMPERATURE)) {
        memmove(order->steps + 1, order->steps, order->count++);
        order->steps[0] = CORE_TEMPERATURE;
    }
    return 0;
}

static int read_steps(const struct builder *builder, const struct api_parameter *parameter, const json_t *json,
                      struct api_value *value)
{
    struct core_order order = {.count = 0};
    size_t i;
    int choice;
    const json_t *step;
    if (json_is_array(json)) {
        json_array_foreach (json, i, step)
            if (read_step(builder, parameter, i, step, &order) != 0)
                return -1;
        if (complete_steps(builder, parameter, &order) != 0)
            return -1;
    } else if (json_is_string(json)) {
        if (read_name(builder, parameter, "", json, parameter->choices, &choice) != 0)
            return -1;
        order = core_orders[choice];
    } else {
        return builder_fail(builder, API_WRONG_TYPE, parameter->name, "",
                            "must be the name of an order, or a list of filters and \"temperature\"");
    }
    value->one.order = order;
    return 0;
}

/* ---- logit_bias ---- */

/* The class that a member's name says, without leading zeros, or -1. */
static int64_t class_of(const char *name)
{
    int64_t class = 0;
    if (*name == '\0' || (*name == '0' && name[1] != '\0'))
        return -1;
    for (; *name != '\0'; name++) {
        if (*name < '0' || *name > '9' || class > UINT32_MAX)
            return -1;
        class = 10 * class + (*name - '0');
    }
    return class;
}

static int forbid(const struct builder *builder, const struct api_parameter *parameter, size_t class)
{
    struct call_bias *bias = &builder->call->bias;
    if (bias->forbidden == NULL)
        bias->forbidden = builder_allocate(builder, builder->call->classes, 1, parameter->name);
    if (bias->forbidden == NULL)
        return -1;
    bias->forbidden[class] = 1;
    return 0;
}

static int read_bias_member(const struct builder *builder, const struct api_parameter *parameter, const char *name,
                            const json_t *json, struct call_bias *bias)
{
    const size_t classes = builder->call->classes;
    const int64_t at = class_of(name);
    const bool minus_infinity = json_is_null(json) ||
                                (json_is_string(json) && strcmp(json_string_value(json), JSON_MINUS_INFINITY) == 0);
    char below[64];
    json_pointer_write(below, sizeof below, name);
    if (at < 0 || (uint64_t)at >= classes)
        return classes > 0 ? builder_fail(builder, API_OUT_OF_RANGE, parameter->name, below,
                                          "must name classes from 0 to %zu", classes - 1)
                           : builder_fail(builder, API_OUT_OF_RANGE, parameter->name, below,
                                          "names a class where logits have none");
    if (!minus_infinity && !json_is_number(json))
        return builder_fail(builder, API_WRONG_TYPE, parameter->name, below, "must be a number, null or \"-Infinity\"");
    if (!minus_infinity && check_number(builder, parameter, below, json_number_value(json)) != 0)
        return -1;
    bias->classes[bias->count] = (uint32_t)at;
    bias->values[bias->count++] = minus_infinity ? -INFINITY : json_number_value(json);
    return minus_infinity ? forbid(builder, parameter, (size_t)at) : 0;
}

static int read_bias(const struct builder *builder, const struct api_parameter *parameter, const json_t *json,
                     struct api_value *value)
{
    struct call_bias *bias = &builder->call->bias;
    const size_t count = json_object_size(json);
    (void)value;
    if (!json_is_object(json))
        return builder_fail(builder, API_WRONG_TYPE, parameter->name, "", "must be an object from classes to numbers");
    bias->classes = builder_allocate(builder, count, sizeof *bias->classes, parameter->name);
    bias->values = builder_allocate(builder, count, sizeof *bias->values, parameter->name);
    if (bias->classes == NULL || bias->values == NULL)
        return -1;
    for (void *at = json_object_iter((json_t *)json); at != NULL; at = json_object_iter_next((json_t *)json, at))
        if (read_bias_member(builder, parameter, json_object_iter_key(at), json_object_iter_value(at), bias) != 0)
            return -1;
    return 0;
}

/* ---- Lists of classes ---- */

static int read_class(const struct builder *builder, const struct api_parameter *parameter, size_t i,
                      const json_t *json, uint32_t *class)
{
    const size_t classes = builder->call->classes;
    const double number = json_number_value(json);
    char below[32];
    snprintf(below, sizeof below, "/%zu", i);
    if (!json_is_number(json) || !builder_is_whole(builder, parameter->name, below, number))
        return builder_fail(builder, API_WRONG_TYPE, parameter->name, below, "must be an integer");
    if (classes == 0)
        return builder_fail(builder, API_OUT_OF_RANGE, parameter->name, below, "names a class where logits have none");
    if (number < 0 || number >= (double)classes)
        return builder_fail(builder, API_OUT_OF_RANGE, parameter->name, below, "must be a class from 0 to %zu",
                            classes - 1);
    *class = (uint32_t)number;
    return 0;
}

static int read_class_list(const struct builder *builder, const struct api_parameter *parameter, const json_t *json,
                           struct api_value *value)
{
    struct call_classes *named = &builder->call->named;
    const size_t count = json_array_size(json);
    (void)value;
    if (count == 0)
        return builder_fail(builder, API_WRONG_TYPE, parameter->name, "", "must be a list of class numbers");
    named->classes = builder_allocate(builder, count, sizeof *named->classes, parameter->name);
    if (named->classes == NULL)
        return -1;
    for (; named->count < count; named->count++)
        if (read_class(builder, parameter, named->count, json_array_get(json, named->count),
                       &named->classes[named->count]) != 0)
            return -1;
    return 0;
}

static int read_classes(const struct builder *builder, const struct api_parameter *parameter, const json_t *json,
                        struct api_value *value)
{
    struct api_call *call = builder->call;
    (void)value;
    return builder_read_classes(builder, parameter, json,
                                parameter == &api_parameters[API_PROMPT] ? &call->prompt : &call->output);
}

/* ---- Lists of one value per row ---- */

/* Element i of a tensor of numbers; uint64 is exact below 2^53, and no parameter goes beyond. */
static double element(const struct api_tensor *tensor, size_t i)
{
    switch (tensor->dtype) {
    case API_FLOAT32:
        return ((const float *)tensor->data)[i];
    case API_FLOAT64:
        return ((const double *)tensor->data)[i];
    case API_INT32:
        return ((const int32_t *)tensor->data)[i];
    case API_UINT32:
        return ((const uint32_t *)tensor->data)[i];
    case API_UINT64:
        return (double)((const uint64_t *)tensor->data)[i];
    default:
        return ((const uint8_t *)tensor->data)[i];
    }
}

static int check_elements(const struct builder *builder, const struct api_parameter *parameter,
                          const struct api_tensor *tensor)
{
    for (size_t i = 0; i < tensor->count; i++) {
        const double number = element(tensor, i);
        if (in_range(parameter, number) && (parameter->type != API_INTEGER || is_whole(number)))
            continue;
        char below[32];
        if (tensor->rank == 0)
            below[0] = '\0';
        else if (parameter->pair && tensor->rank == 2)
            snprintf(below, sizeof below, "/%zu/%zu", i / 2, i % 2);
        else
            snprintf(below, sizeof below, "/%zu", i);
        if (check_number(builder, parameter, below, number) != 0)
            return -1;
    }
    return 0;
}

/* The elements as uint64_t of an integer, or as double: in the tensor's own memory where its elements have that size.
 */
static void *as_list(const struct builder *builder, const struct api_parameter *parameter, struct api_tensor *tensor)
{
    const bool integers = is_integer(parameter), in_place = api_dtypes[tensor->dtype].size == 8;
    const struct api_tensor from = *tensor;
    void *list = in_place ? builder_take(builder, tensor) : builder_allocate(builder, from.count, 8, parameter->name);
    for (size_t i = 0; list != NULL && i < from.count; i++) {
        const double number = without_sign_of_zero(element(&from, i));
        if (integers)
            memcpy((char *)list + i * 8, &(uint64_t){(uint64_t)number}, 8);
        else
            memcpy((char *)list + i * 8, &number, 8);
    }
    return list;
}

/* A tensor of one element is for all rows, though where there is one row it is a list as its others would be. */
static bool is_for_all_rows(const struct builder *builder, const struct api_tensor *tensor)
{
    return tensor->rank == 0 || (tensor->shaped && tensor->count == 1 && builder->call->rows != 1);
}

static int check_list(const struct builder *builder, const struct api_parameter *parameter,
                      const struct api_tensor *tensor)
{
    const bool column = tensor->shaped && tensor->rank == 2 && tensor->shape[1] == 1;
    if (tensor->dtype == API_BOOL)
        return fail_type(builder, parameter);
    if (tensor->rank != 0 && !parameter->per_row)
        return builder_fail(builder, API_WRONG_TYPE, parameter->name, "", "must be one value for all rows");
    if (tensor->rank > 1 && !column)
        return builder_fail(builder, API_WRONG_TYPE, parameter->name, "", "must be a flat list of one value per row");
    if (!is_for_all_rows(builder, tensor) && tensor->count != builder->call->rows)
        return builder_fail(builder, tensor->count == 0 ? API_EMPTY_ARRAY : API_WRONG_LENGTH, parameter->name, "",
                            "has length %zu where logits have %zu rows", tensor->count, builder->call->rows);
    return check_elements(builder, parameter, tensor);
}

static int read_list(const struct builder *builder, const struct api_parameter *parameter, struct api_tensor *tensor,
                     struct api_value *value)
{
    if (check_list(builder, parameter, tensor) != 0)
        return -1;
    if (is_for_all_rows(builder, tensor)) {
        set_number(parameter, element(tensor, 0), value);
        return 0;
    }
    value->list = as_list(builder, parameter, tensor);
    return value->list != NULL ? 0 : -1;
}

/* Two numbers for all rows, or for each. */
static int read_pairs(const struct builder *builder, const struct api_parameter *parameter, struct api_tensor *tensor,
                      struct api_value *value)
{
    const bool one = tensor != NULL && tensor->rank == 1 && tensor->count == 2;
    const bool empty = tensor != NULL && tensor->count == 0 && builder->call->rows == 0;
    char sent[64];
    builder_describe_lists(builder, sent, sizeof sent);
    if (tensor == NULL || tensor->dtype == API_BOOL || (!one && !empty && (tensor->rank != 2 || tensor->shape[1] != 2)))
        return builder_fail(builder, API_WRONG_TYPE, parameter->name, "",
                            "must be two integers, or a list of two for each row%s", sent);
    if (!one && tensor->shape[0] != builder->call->rows)
        return builder_fail(builder, API_WRONG_LENGTH, parameter->name, "", "has length %zu where logits have %zu rows",
                            tensor->shape[0], builder->call->rows);
    if (check_elements(builder, parameter, tensor) != 0)
        return -1;
    if (one) {
        value->one.integer = (int64_t)((uint64_t)element(tensor, 0) << 32 | (uint64_t)element(tensor, 1));
        return 0;
    }
    value->list = as_list(builder, parameter, tensor);
    return value->list != NULL ? 0 : -1;
}

/* ---- Any of them ---- */

typedef int reader(const struct builder *builder, const struct api_parameter *parameter, const json_t *json,
                   struct api_value *value);

static reader *const readers[] = {
    [API_NUMBER] = read_number, [API_INTEGER] = read_number,        [API_BOOLEAN] = read_boolean,
    [API_CHOICE] = read_choice, [API_NAMES] = read_names,           [API_STEPS] = read_steps,
    [API_BIAS] = read_bias,     [API_CLASS_LIST] = read_class_list, [API_CLASS_LISTS] = read_classes,
};

static bool has_key(const struct builder *builder)
{
    return builder_tensor(builder, API_KEY) != NULL || builder_given(builder, API_KEY) != NULL;
}

static void take_fallback(const struct builder *builder, const struct api_parameter *parameter, struct api_value *value)
{
    if (parameter->drawn)
        value->one.integer = has_key(builder) ? 0 : (int64_t)builder->source->fresh_seed();
    else if (parameter->type == API_NUMBER || parameter->type == API_INTEGER)
        set_number(parameter, parameter->fallback, value);
    else if (parameter->type == API_BOOLEAN)
        value->one.boolean = parameter->fallback != 0;
    else if (parameter->type == API_CHOICE)
        value->one.choice = parameter->choices->value;
    else if (parameter->type == API_STEPS)
        value->one.order = core_orders[parameter->choices->value];
}

int builder_read_value(const struct builder *builder, enum api_parameter_id id)
{
    const struct api_parameter *parameter = &api_parameters[id];
    struct api_value *value = &builder->call->values[id];
    struct api_tensor *tensor = builder_tensor(builder, id);
    const json_t *json = builder_given(builder, id);
    value->given = tensor != NULL || json != NULL;
    if (value->given && parameter->pair)
        return read_pairs(builder, parameter, tensor, value);
    if (tensor != NULL)
        return read_list(builder, parameter, tensor, value);
    if (json != NULL)
        return readers[parameter->type](builder, parameter, json, value);
    if (parameter->required)
        return builder_fail(builder, API_MISSING_MEMBER, parameter->name, "", "%s is required", parameter->name);
    take_fallback(builder, parameter, value);
    return 0;
}

int builder_read_values(const struct builder *builder, enum api_parameter_id first, api_parameter_set parameters)
{
    for (enum api_parameter_id id = first; id < API_PARAMETER_COUNT; id++) {
        const enum api_type type = api_parameters[id].type;
        if ((parameters >> id & 1) && type != API_NUMBERS && type != API_BOOLEANS &&
            builder_read_value(builder, id) != 0)
            return -1;
    }
    return 0;
}
