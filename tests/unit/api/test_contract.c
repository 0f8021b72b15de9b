/* The published specification and the tables of the code say the same. */
#include "lib/ask.h"
#include "lib/suite.h"
#include "schema.h"
#include "spec.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- Routes ---- */

START_TEST(the_routes_are_the_paths)
{
    ck_assert_uint_eq(json_object_size(spec_get(spec, "paths")), api_route_count);
    for (size_t i = 0; i < api_route_count; i++) {
        const json_t *path = spec_get(spec_get(spec, "paths"), api_routes[i].path);
        ck_assert_uint_eq(json_object_size(path), 1);
        ck_assert_ptr_nonnull(spec_operation(&api_routes[i]));
    }
}
END_TEST

static const char *document(const char *path)
{
    struct api_request request = {0};
    struct api_response response;
    ck_assert_int_eq(api_route_find("GET", path, &request.route, NULL), 0);
    api_answer(&request, &response);
    return response.body;
}

/* Tools show the paths in the order in which they come. */
START_TEST(the_json_has_the_order_of_the_yaml)
{
    const char *yaml = document("/openapi.yaml"), *json = document("/openapi.json"), *paths;
    ck_assert_int_eq(strncmp(json, "{\"openapi\":", 11), 0);
    ck_assert_ptr_nonnull(paths = strstr(json, "\"paths\":{"));
    ptrdiff_t in_yaml[64], in_json[64];
    ck_assert_uint_le(api_route_count, 64);
    for (size_t i = 0; i < api_route_count; i++) {
        char key[128];
        snprintf(key, sizeof key, "\n  %s:\n", api_routes[i].path);
        in_yaml[i] = strstr(yaml, key) - yaml;
        snprintf(key, sizeof key, "\"%s\":{", api_routes[i].path);
        in_json[i] = strstr(paths, key) - paths;
        for (size_t j = 0; j < i; j++)
            ck_assert_msg((in_yaml[i] < in_yaml[j]) == (in_json[i] < in_json[j]), "%s, %s", api_routes[i].path,
                          api_routes[j].path);
    }
}
END_TEST

START_TEST(a_function_has_its_route)
{
    size_t calls = 0;
    for (size_t i = 0; i < api_route_count; i++) {
        char path[64];
        if (api_routes[i].kind != API_ROUTE_CALL && api_routes[i].kind != API_ROUTE_BATCH)
            continue;
        snprintf(path, sizeof path, "/v1/%s", api_routes[i].function != NULL ? api_routes[i].function->name : "batch");
        ck_assert_str_eq(api_routes[i].path, path);
        ck_assert_str_eq(json_string_value(spec_get(spec_operation(&api_routes[i]), "operationId")), path + 4);
        calls++;
    }
    ck_assert_uint_eq(calls, API_FUNCTION_COUNT + 1);
}
END_TEST

/* The media type of each route's 200 is the table's, parameters apart. */
START_TEST(a_route_answers_its_media_type)
{
    for (size_t i = 0; i < api_route_count; i++) {
        char type[64];
        snprintf(type, sizeof type, "%.*s", (int)strcspn(api_routes[i].media_type, ";"), api_routes[i].media_type);
        ck_assert_ptr_nonnull(spec_get(
            spec_get(spec_get(spec_get(spec_operation(&api_routes[i]), "responses"), "200"), "content"), type));
    }
}
END_TEST

/* ---- Parameters ---- */

static bool has_name(const json_t *names, const char *name)
{
    size_t i;
    const json_t *element;
    json_array_foreach (names, i, element)
        if (strcmp(json_string_value(element), name) == 0)
            return true;
    return false;
}

/* That the names are those of `list`, which ends with one without a name, in the same order. */
static void assert_names(const json_t *names, const struct api_choice *list)
{
    size_t i;
    const json_t *element;
    json_array_foreach (names, i, element) {
        ck_assert_ptr_nonnull(list[i].name);
        ck_assert_str_eq(json_string_value(element), list[i].name);
    }
    ck_assert_ptr_null(list[json_array_size(names)].name);
}

static void assert_limits(const json_t *schema, bool above, double minimum, double maximum)
{
    ck_assert_double_eq(json_number_value(spec_get(schema, above ? "exclusiveMinimum" : "minimum")), minimum);
    ck_assert_double_eq(json_number_value(spec_get(schema, "maximum")), maximum);
}

static void assert_range(const json_t *schema, const char *type, bool above, double minimum, double maximum)
{
    ck_assert_str_eq(json_string_value(spec_get(schema, "type")), type);
    assert_limits(schema, above, minimum, maximum);
}

/* Arrays of those arrays themselves or else of one schema, or of several, the first of which is `kind`. */
static void assert_nested(const json_t *schema, const char *kind)
{
    const json_t *items = spec_get(schema, "items"), *element = spec_get(items, "else"),
                 *forms = json_object_get(element, "oneOf");
    ck_assert_str_eq(json_string_value(spec_get(schema, "type")), "array");
    ck_assert_str_eq(json_string_value(spec_get(spec_get(items, "if"), "type")), "array");
    ck_assert_ptr_eq(spec_get(items, "then"), schema);
    ck_assert_str_eq(json_string_value(spec_get(forms != NULL ? json_array_get(forms, 0) : element, "type")), kind);
}

static void assert_number(const json_t *schema, const struct api_parameter *parameter)
{
    const char *type = parameter->type == API_INTEGER ? "integer" : "number";
    if (!parameter->per_row) {
        assert_range(schema, type, parameter->above, parameter->minimum, parameter->maximum);
        return;
    }
    const json_t *forms = spec_get(schema, "oneOf"), *list = json_array_get(forms, 1);
    ck_assert_uint_eq(json_array_size(forms), parameter->schedule ? 3 : 2);
    if (parameter->pair) {
        for (size_t form = 0; form < 2; form++) {
            const json_t *pair = form == 0 ? json_array_get(forms, 0) : spec_get(list, "items");
            ck_assert_int_eq(json_integer_value(spec_get(pair, "minItems")), 2);
            ck_assert_int_eq(json_integer_value(spec_get(pair, "maxItems")), 2);
            assert_range(spec_get(pair, "items"), type, parameter->above, parameter->minimum, parameter->maximum);
        }
        return;
    }
    assert_range(json_array_get(forms, 0), type, parameter->above, parameter->minimum, parameter->maximum);
    ck_assert_str_eq(json_string_value(spec_get(list, "type")), "array");
    assert_range(spec_get(list, "items"), type, parameter->above, parameter->minimum, parameter->maximum);
    if (parameter->schedule)
        ck_assert_ptr_eq(spec_resolve(json_array_get(forms, 2)),
                         spec_get(spec_get(spec_get(spec, "components"), "schemas"), "Schedule"));
}

static void assert_result_names(const json_t *schema, const struct api_function *function)
{
    struct api_choice names[API_MAX_RESULTS + 1] = {{NULL, 0}};
    size_t count = 0;
    for (size_t i = 0; i < API_MAX_RESULTS && function->results[i].name != NULL; i++)
        if (function->results[i].condition == API_ON_RETURN)
            names[count++].name = function->results[i].name;
    ck_assert_int_eq(json_integer_value(spec_get(schema, "minItems")), 1);
    assert_names(spec_get(spec_get(schema, "items"), "enum"), names);
}

/* One of the names, or a list of the filters and the temperature. */
static void assert_steps(const json_t *schema, const struct api_parameter *parameter)
{
    struct api_choice steps[CORE_STEP_COUNT + 1] = {[CORE_TEMPERATURE] = {"temperature", 0}};
    const json_t *forms = spec_get(schema, "oneOf");
    for (int step = 0; step < CORE_FILTER_COUNT; step++)
        steps[step].name = api_parameters[API_FILTER + step].name;
    assert_names(spec_get(json_array_get(forms, 0), "enum"), parameter->choices);
    assert_names(spec_get(spec_get(json_array_get(forms, 1), "items"), "enum"), steps);
    ck_assert(json_is_true(spec_get(json_array_get(forms, 1), "uniqueItems")));
}

/* A list, or a list of lists. */
static void assert_class_lists(const json_t *forms, const struct api_parameter *parameter)
{
    const json_t *lists = spec_get(json_array_get(forms, 1), "items");
    ck_assert_uint_eq(json_array_size(forms), 2);
    assert_range(spec_get(json_array_get(forms, 0), "items"), "integer", parameter->above, parameter->minimum,
                 parameter->maximum);
    ck_assert_str_eq(json_string_value(spec_get(lists, "type")), "array");
    assert_range(spec_get(lists, "items"), "integer", parameter->above, parameter->minimum, parameter->maximum);
}

static void assert_type(const json_t *schema, const struct api_parameter *parameter,
                        const struct api_function *function)
{
    switch (parameter->type) {
    case API_NUMBERS:
        assert_nested(schema, "number");
        break;
    case API_BOOLEANS:
        assert_nested(schema, "boolean");
        break;
    case API_NUMBER:
    case API_INTEGER:
        assert_number(schema, parameter);
        break;
    case API_BOOLEAN:
        ck_assert_str_eq(json_string_value(spec_get(schema, "type")), "boolean");
        break;
    case API_CHOICE:
        assert_names(spec_get(schema, "enum"), parameter->choices);
        break;
    case API_CLASS_LISTS:
        assert_class_lists(spec_get(schema, "oneOf"), parameter);
        break;
    case API_STEPS:
        assert_steps(schema, parameter);
        break;
    case API_NAMES:
        assert_result_names(schema, function);
        break;
    case API_CLASS_LIST:
        ck_assert_int_eq(json_integer_value(spec_get(schema, "minItems")), 1);
        assert_range(spec_get(schema, "items"), "integer", false, 0, INT32_MAX);
        break;
    case API_BIAS:
        assert_limits(spec_get(spec_get(schema, "additionalProperties"), "then"), parameter->above, parameter->minimum,
                      parameter->maximum);
        break;
    }
}

/* What is said for a default where some clients that send it could not write it, a value of several types, or would be
 * refused, by a vjp of another function. */
static bool is_told(const struct api_parameter *parameter)
{
    const enum api_parameter_id id = (enum api_parameter_id)(parameter - api_parameters);
    const bool everywhere = api_function_takes(&api_functions[API_SOFTMAX], id);
    return parameter->per_row || parameter->type == API_STEPS ||
           (api_function_takes(&api_functions[API_VJP], id) && !everywhere);
}

static void assert_told(const json_t *schema, const struct api_parameter *parameter)
{
    char words[64];
    if (parameter->type == API_CHOICE || parameter->type == API_STEPS)
        snprintf(words, sizeof words, "%s if left out.", parameter->choices[0].name);
    else if (parameter->type == API_BOOLEAN)
        snprintf(words, sizeof words, "%s if left out.", parameter->fallback != 0 ? "true" : "false");
    else
        snprintf(words, sizeof words, "%g if left out.", parameter->fallback);
    ck_assert_msg(strstr(json_string_value(spec_get(schema, "description")), words) != NULL, "%s: %s", parameter->name,
                  words);
    ck_assert_ptr_null(json_object_get(schema, "default"));
}

/* Arrays, and what is required, drawn or optional, have no default. */
static void assert_default(const json_t *schema, const struct api_parameter *parameter)
{
    const json_t *fallback = json_object_get(schema, "default");
    if (parameter->required || parameter->optional || parameter->drawn)
        ck_assert_ptr_null(fallback);
    else if (is_told(parameter))
        assert_told(schema, parameter);
    else if (parameter->type == API_BOOLEAN)
        ck_assert(json_is_boolean(fallback) && json_is_true(fallback) == (parameter->fallback != 0));
    else if (parameter->type == API_CHOICE)
        ck_assert_str_eq(json_string_value(fallback), parameter->choices[0].name);
    else
        ck_assert(json_is_number(fallback) && json_number_value(fallback) == parameter->fallback);
}

/* Whitespace apart, the description begins with the table's line. */
static void assert_description(const json_t *schema, const char *doc)
{
    const char *text = json_string_value(spec_get(schema, "description"));
    ck_assert_ptr_nonnull(doc);
    for (; *doc != '\0'; doc++, text++)
        ck_assert_msg(*doc == *text || (*doc == ' ' && *text == '\n'), "%s is not in the specification", doc);
}

START_TEST(a_function_takes_what_its_schema_says)
{
    for (size_t i = 0; i < api_route_count; i++) {
        const struct api_function *function = api_routes[i].function;
        if (function == NULL)
            continue;
        const json_t *schema = spec_request_schema(&api_routes[i]), *properties = spec_get(schema, "properties");
        ck_assert(json_is_false(spec_get(schema, "additionalProperties")));
        size_t count = 0;
        for (int id = 0; id < API_PARAMETER_COUNT; id++) {
            const struct api_parameter *parameter = &api_parameters[id];
            if (!api_function_takes(function, (enum api_parameter_id)id))
                continue;
            count++;
            const json_t *property = spec_get(properties, parameter->name);
            assert_type(property, parameter, function);
            assert_default(property, parameter);
            assert_description(property, parameter->doc);
            ck_assert_int_eq(has_name(spec_get(schema, "required"), parameter->name), parameter->required);
        }
        ck_assert_uint_eq(json_object_size(properties), count);
    }
}
END_TEST

START_TEST(the_schedules_are_the_schemas)
{
    const json_t *forms = spec_get(spec_get(spec_get(spec_get(spec, "components"), "schemas"), "Schedule"), "oneOf");
    unsigned kinds = 0;
    for (unsigned kind = 0; api_schedule_kinds[kind].name != NULL; kind++, kinds++) {
        json_t *name = json_string(api_schedule_kinds[kind].name);
        const json_t *form = NULL, *one;
        size_t i;
        json_array_foreach (forms, i, one)
            if (schema_allows(spec, spec_get(spec_get(one, "properties"), "schedule"), name))
                form = one;
        json_decref(name);
        ck_assert_ptr_nonnull(form);
        size_t count = 1;
        for (size_t j = 0; j < API_SCHEDULE_MEMBER_COUNT; j++) {
            const struct api_schedule_member *member = &api_schedule_members[j];
            if (!(member->kinds >> kind & 1))
                continue;
            count++;
            assert_range(spec_get(spec_get(form, "properties"), member->name), member->integer ? "integer" : "number",
                         false, member->minimum, member->maximum);
            ck_assert(has_name(spec_get(form, "required"), member->name));
        }
        ck_assert_uint_eq(json_object_size(spec_get(form, "properties")), count);
        ck_assert_uint_eq(json_array_size(spec_get(form, "required")), count);
    }
    ck_assert_uint_eq(kinds, 3);
}
END_TEST

START_TEST(the_limits_are_the_tables)
{
    const json_t *limits = spec_get(spec, "x-limits");
    ck_assert_uint_eq(json_object_size(limits), API_LIMIT_COUNT);
    for (int id = 0; id < API_LIMIT_COUNT; id++) {
        const json_t *limit = spec_get(limits, api_limits[id].name);
        ck_assert_uint_eq((size_t)json_integer_value(spec_get(limit, "default")), api_limits[id].fallback);
        ck_assert_str_eq(json_string_value(spec_get(limit, "description")), api_limits[id].doc);
    }
    const json_t *requests = spec_get(
        spec_get(spec_get(spec_get(spec_get(spec, "components"), "schemas"), "BatchRequest"), "properties"),
        "requests");
    ck_assert_uint_eq((size_t)json_integer_value(spec_get(requests, "maxItems")),
                      api_limits[API_LIMIT_BATCH_REQUESTS].fallback);
}
END_TEST

/* Each result stands in the schema of the answer, and nothing beside results and what repeats them. */
START_TEST(a_function_gives_what_its_schema_says)
{
    for (size_t i = 0; i < api_route_count; i++) {
        const struct api_function *function = api_routes[i].function;
        if (function == NULL)
            continue;
        const json_t *properties = spec_get(spec_response_schema(&api_routes[i]), "properties");
        size_t count = 2 + (function->draws_noise || function->vjp_parameters == 0 ? 3 : 0) +
                       api_function_takes(function, API_TAU);
        for (size_t j = 0; j < API_MAX_RESULTS && function->results[j].name != NULL; j++, count++)
            ck_assert_ptr_eq(spec_get(properties, function->results[j].name),
                             spec_get(spec_get(spec_get(spec, "components"), "schemas"),
                                      function->results[j].content == API_CLASSES  ? "Classes"
                                      : function->results[j].content == API_COUNTS ? "Counts"
                                                                                   : "Numbers"));
        ck_assert_uint_eq(json_object_size(properties), count);
    }
}
END_TEST

/* ---- Problems ---- */

START_TEST(the_problems_are_the_codes)
{
    const json_t *codes = spec_get(
        spec_get(spec_get(spec_get(spec_get(spec, "components"), "schemas"), "Problem"), "properties"), "code");
    ck_assert_uint_eq(json_array_size(spec_get(codes, "enum")), API_PROBLEM_COUNT);
    for (int code = 0; code < API_PROBLEM_COUNT; code++) {
        const struct api_problem_kind *kind = &api_problem_kinds[code];
        ck_assert_ptr_nonnull(kind->slug);
        ck_assert(has_name(spec_get(codes, "enum"), kind->slug));
    }
}
END_TEST

/* Each status of a problem stands in the spec for each call (a 404 has no operation), and none besides. */
START_TEST(the_statuses_of_problems_are_documented)
{
    for (size_t i = 0; i < api_route_count; i++) {
        if (!api_route_takes_body(&api_routes[i]))
            continue;
        const json_t *responses = spec_get(spec_operation(&api_routes[i]), "responses");
        const char *status;
        json_t *response;
        for (int code = 0; code < API_PROBLEM_COUNT; code++) {
            char text[8];
            snprintf(text, sizeof text, "%d", api_problem_kinds[code].status);
            if (api_problem_kinds[code].status != 404)
                ck_assert_msg(json_object_get(responses, text) != NULL, "%s: no %s", api_routes[i].path, text);
        }
        json_object_foreach ((json_t *)responses, status, response) {
            bool known = strcmp(status, "200") == 0;
            for (int code = 0; code < API_PROBLEM_COUNT; code++)
                known = known || atoi(status) == api_problem_kinds[code].status;
            ck_assert_msg(known, "%s: %s is never answered", api_routes[i].path, status);
        }
    }
}
END_TEST

START_TEST(the_examples_of_problems_agree_with_the_table)
{
    const char *name;
    json_t *response;
    json_object_foreach ((json_t *)spec_get(spec_get(spec, "components"), "responses"), name, response) {
        const json_t *content = spec_get(response, "content");
        const bool native = json_object_get(content, "application/json") == NULL;
        const json_t *example = spec_get(spec_get(content, native ? "application/problem+json" : "application/json"),
                                         "example");
        const char *slug = json_string_value(spec_get(example, "code"));
        const struct api_problem_kind *kind = NULL;
        for (int code = 0; code < API_PROBLEM_COUNT; code++)
            if (strcmp(api_problem_kinds[code].slug, slug) == 0)
                kind = &api_problem_kinds[code];
        ck_assert_ptr_nonnull(kind);
        ck_assert_int_eq(json_integer_value(spec_get(example, "status")), kind->status);
        ck_assert_str_eq(json_string_value(spec_get(example, "title")), kind->title);
    }
}
END_TEST

/* The detail of the example of a component's response. */
static const char *example_detail(const char *component)
{
    const json_t *response = spec_get(spec_get(spec_get(spec, "components"), "responses"), component);
    const json_t *content = spec_get(spec_get(response, "content"), "application/problem+json");
    return json_string_value(spec_get(spec_get(content, "example"), "detail"));
}

/* The media types in them are those of the fronts. */
START_TEST(the_examples_of_media_types_are_what_is_answered)
{
    struct api_request request = {.content_type = "text/plain"};
    struct api_response response;
    ck_assert_int_eq(api_route_find("POST", "/v1/softmax", &request.route, NULL), 0);
    for (int i = 0; i < 2; i++) {
        api_answer(&request, &response);
        json_t *problem = json_loadb(response.body, response.length, 0, NULL);
        ck_assert_str_eq(json_string_value(json_object_get(problem, "detail")),
                         example_detail(i == 0 ? "UnsupportedMediaType" : "NotAcceptable"));
        json_decref(problem);
        api_response_release(&response);
        request = (struct api_request){.accept = "text/*", .route = request.route};
    }
}
END_TEST

TEST_SUITE("api")
{
    Suite *suite = suite_create("api: contract");
    TCase *contract = tcase_create("spec");
    tcase_add_checked_fixture(contract, spec_load, spec_free);
    tcase_add_test(contract, the_routes_are_the_paths);
    tcase_add_test(contract, the_json_has_the_order_of_the_yaml);
    tcase_add_test(contract, a_function_has_its_route);
    tcase_add_test(contract, a_route_answers_its_media_type);
    tcase_add_test(contract, a_function_takes_what_its_schema_says);
    tcase_add_test(contract, the_schedules_are_the_schemas);
    tcase_add_test(contract, the_limits_are_the_tables);
    tcase_add_test(contract, a_function_gives_what_its_schema_says);
    tcase_add_test(contract, the_problems_are_the_codes);
    tcase_add_test(contract, the_statuses_of_problems_are_documented);
    tcase_add_test(contract, the_examples_of_problems_agree_with_the_table);
    tcase_add_test(contract, the_examples_of_media_types_are_what_is_answered);
    suite_add_tcase(suite, contract);
    return suite;
}
