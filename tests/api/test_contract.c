/* The published specification and the tables of the code say the same, and its examples are true. */
#include "ask.h"
#include "suites.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static json_t *spec;

static void load_spec(void)
{
    struct api_request request = {0};
    struct api_response response;
    ck_assert_int_eq(api_route_find("GET", "/openapi.json", &request.route, NULL), 0);
    api_answer(&request, &response);
    spec = json_loadb(response.body, response.length, JSON_REJECT_DUPLICATES, NULL);
    ck_assert_ptr_nonnull(spec);
}

static void free_spec(void)
{
    json_decref(spec);
}

/* The value behind a "$ref" into this document, or the value itself. */
static const json_t *resolve(const json_t *value)
{
    const char *reference = json_string_value(json_object_get(value, "$ref"));
    if (reference == NULL)
        return value;
    char path[128];
    snprintf(path, sizeof path, "%s", reference);
    const json_t *at = spec;
    for (char *name = strtok(path + 2, "/"); name != NULL; name = strtok(NULL, "/"))
        at = json_object_get(at, name);
    ck_assert_msg(at != NULL, "%s leads nowhere", reference);
    return at;
}

static const json_t *get(const json_t *value, const char *name)
{
    const json_t *member = json_object_get(resolve(value), name);
    ck_assert_msg(member != NULL, "there is no %s", name);
    return resolve(member);
}

static const json_t *operation(const struct api_route *route)
{
    return get(get(get(spec, "paths"), route->path), route->kind == API_ROUTE_CALL ? "post" : "get");
}

static const json_t *request_schema(const struct api_route *route)
{
    return get(get(get(get(operation(route), "requestBody"), "content"), "application/json"), "schema");
}

/* ---- Routes ---- */

START_TEST(the_routes_are_the_paths)
{
    ck_assert_uint_eq(json_object_size(get(spec, "paths")), api_route_count);
    for (size_t i = 0; i < api_route_count; i++) {
        const json_t *path = get(get(spec, "paths"), api_routes[i].path);
        ck_assert_uint_eq(json_object_size(path), 1);
        ck_assert_ptr_nonnull(operation(&api_routes[i]));
    }
}
END_TEST

START_TEST(a_function_has_its_route)
{
    size_t calls = 0;
    for (size_t i = 0; i < api_route_count; i++) {
        char path[64];
        if (api_routes[i].kind != API_ROUTE_CALL)
            continue;
        snprintf(path, sizeof path, "/v1/%s", api_routes[i].function->name);
        ck_assert_str_eq(api_routes[i].path, path);
        ck_assert_str_eq(json_string_value(get(operation(&api_routes[i]), "operationId")), path + 4);
        calls++;
    }
    ck_assert_uint_eq(calls, API_FUNCTION_COUNT);
}
END_TEST

/* The media type of each route's 200 is the table's, parameters apart. */
START_TEST(a_route_answers_its_media_type)
{
    for (size_t i = 0; i < api_route_count; i++) {
        char type[64];
        snprintf(type, sizeof type, "%.*s", (int)strcspn(api_routes[i].media_type, ";"), api_routes[i].media_type);
        ck_assert_ptr_nonnull(get(get(get(get(operation(&api_routes[i]), "responses"), "200"), "content"), type));
    }
}
END_TEST

/* ---- Parameters ---- */

static const char *type_name(enum api_type type)
{
    switch (type) {
    case API_NUMBER:
        return "number";
    case API_INTEGER:
        return "integer";
    case API_BOOLEAN:
        return "boolean";
    default:
        return "array";
    }
}

static bool has_name(const json_t *names, const char *name)
{
    size_t i;
    const json_t *element;
    json_array_foreach (names, i, element)
        if (strcmp(json_string_value(element), name) == 0)
            return true;
    return false;
}

static void assert_scalar(const json_t *schema, const struct api_parameter *parameter)
{
    ck_assert_str_eq(json_string_value(get(schema, "type")), type_name(parameter->type));
    if (parameter->type == API_BOOLEAN)
        return;
    ck_assert_double_eq(json_number_value(get(schema, "minimum")), parameter->minimum);
    ck_assert_double_eq(json_number_value(get(schema, "maximum")), parameter->maximum);
}

static void assert_parameter(const json_t *schema, const struct api_parameter *parameter)
{
    const json_t *fallback = json_object_get(schema, "default");
    ck_assert_str_ne(json_string_value(get(schema, "description")), "");
    if (parameter->type == API_ARRAY)
        return;
    if (parameter->drawn)
        ck_assert_ptr_null(fallback);
    else if (parameter->type == API_BOOLEAN)
        ck_assert_int_eq(json_is_true(fallback), parameter->fallback != 0);
    else
        ck_assert_double_eq(json_number_value(fallback), parameter->fallback);
    if (!parameter->per_row) {
        assert_scalar(schema, parameter);
        return;
    }
    const json_t *forms = get(schema, "oneOf");
    ck_assert_uint_eq(json_array_size(forms), 2);
    assert_scalar(resolve(json_array_get(forms, 0)), parameter);
    const json_t *list = resolve(json_array_get(forms, 1));
    ck_assert_str_eq(json_string_value(get(list, "type")), "array");
    assert_scalar(get(list, "items"), parameter);
}

START_TEST(a_function_takes_what_its_schema_says)
{
    for (size_t i = 0; i < api_route_count; i++) {
        if (api_routes[i].kind != API_ROUTE_CALL)
            continue;
        const json_t *schema = request_schema(&api_routes[i]), *properties = get(schema, "properties");
        ck_assert(json_is_false(get(schema, "additionalProperties")));
        size_t count = 0;
        for (int id = 0; id < API_PARAMETER_COUNT; id++) {
            const struct api_parameter *parameter = &api_parameters[id];
            if (!api_function_takes(api_routes[i].function, (enum api_parameter_id)id))
                continue;
            count++;
            assert_parameter(get(properties, parameter->name), parameter);
            ck_assert_int_eq(has_name(get(schema, "required"), parameter->name), parameter->required);
        }
        ck_assert_uint_eq(json_object_size(properties), count);
    }
}
END_TEST

/* ---- Problems ---- */

START_TEST(the_problems_are_the_codes)
{
    const json_t *codes = get(get(get(get(get(spec, "components"), "schemas"), "Problem"), "properties"), "code");
    ck_assert_uint_eq(json_array_size(get(codes, "enum")), API_PROBLEM_COUNT);
    for (int code = 0; code < API_PROBLEM_COUNT; code++) {
        const struct api_problem_kind *kind = &api_problem_kinds[code];
        ck_assert_ptr_nonnull(kind->slug);
        ck_assert(has_name(get(codes, "enum"), kind->slug));
    }
}
END_TEST

/* Each status of a problem stands in the spec for each call (a 404 has no operation), and none besides. */
START_TEST(the_statuses_of_problems_are_documented)
{
    for (size_t i = 0; i < api_route_count; i++) {
        if (api_routes[i].kind != API_ROUTE_CALL)
            continue;
        const json_t *responses = get(operation(&api_routes[i]), "responses");
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
    json_object_foreach ((json_t *)get(get(spec, "components"), "responses"), name, response) {
        const json_t *example = get(get(get(response, "content"), "application/problem+json"), "example");
        const char *slug = json_string_value(get(example, "code"));
        const struct api_problem_kind *kind = NULL;
        for (int code = 0; code < API_PROBLEM_COUNT; code++)
            if (strcmp(api_problem_kinds[code].slug, slug) == 0)
                kind = &api_problem_kinds[code];
        ck_assert_ptr_nonnull(kind);
        ck_assert_int_eq(json_integer_value(get(example, "status")), kind->status);
        ck_assert_str_eq(json_string_value(get(example, "title")), kind->title);
    }
}
END_TEST

/* ---- Examples ---- */

START_TEST(the_examples_of_requests_are_answered)
{
    size_t run = 0;
    for (size_t i = 0; i < api_route_count; i++) {
        if (api_routes[i].kind != API_ROUTE_CALL)
            continue;
        const json_t *media = get(get(get(operation(&api_routes[i]), "requestBody"), "content"), "application/json");
        const char *name;
        json_t *example;
        json_object_foreach ((json_t *)get(media, "examples"), name, example) {
            char *body = json_dumps(get(example, "value"), 0);
            struct answer answer = ask(api_routes[i].path, "%s", body);
            ck_assert_msg(answer.status == 200, "%s: %s", name, answer.text);
            const json_t *response = get(get(get(operation(&api_routes[i]), "responses"), "200"), "content");
            const json_t *schema = get(get(response, "application/json"), "schema");
            size_t at;
            const json_t *member;
            json_array_foreach (get(schema, "required"), at, member)
                ck_assert_ptr_nonnull(json_object_get(answer.json, json_string_value(member)));
            ck_assert_uint_eq(json_object_size(answer.json), json_object_size(get(schema, "properties")));
            ask_free(&answer);
            free(body);
            run++;
        }
    }
    ck_assert_uint_ge(run, API_FUNCTION_COUNT);
}
END_TEST

START_TEST(the_version_is_the_specs)
{
    struct api_request request = {0};
    struct api_response response;
    ck_assert_int_eq(api_route_find("GET", "/version", &request.route, NULL), 0);
    api_answer(&request, &response);
    json_t *version = json_loadb(response.body, response.length, 0, NULL);
    ck_assert_str_eq(json_string_value(get(version, "version")), json_string_value(get(get(spec, "info"), "version")));
    ck_assert_str_eq(json_string_value(get(version, "rng")), API_RNG);
    json_decref(version);
    free(response.owned);
}
END_TEST

/* The text between two marks of `from`, to be freed. */
static char *between(const char *from, const char *before, const char *after)
{
    const char *begin = strstr(from, before);
    ck_assert_msg(begin != NULL, "there is no %s", before);
    begin += strlen(before);
    const char *end = strstr(begin, after);
    ck_assert_ptr_nonnull(end);
    return strndup(begin, (size_t)(end - begin));
}

START_TEST(the_example_of_the_readme_is_true)
{
    char readme[20000] = "";
    FILE *file = fopen("README.md", "r");
    ck_assert_ptr_nonnull(file);
    ck_assert_uint_lt(fread(readme, 1, sizeof readme - 1, file), sizeof readme - 1);
    fclose(file);
    char *path = between(readme, "$ curl -s http://127.0.0.1:8080", " "), *body = between(readme, "--json '", "'");
    char *printed = between(readme, "--json '", "```"), *line = strchr(printed, '\n');
    struct answer answer = ask(path, "%s", body);
    ck_assert_ptr_nonnull(line);
    line[strlen(line) - 1] = '\0';
    ck_assert_str_eq(line + 1, answer.text);
    ask_free(&answer);
    free(path);
    free(body);
    free(printed);
}
END_TEST

Suite *test_api_contract_suite(void)
{
    Suite *suite = suite_create("api: contract");
    TCase *contract = tcase_create("spec");
    tcase_add_checked_fixture(contract, load_spec, free_spec);
    tcase_add_test(contract, the_routes_are_the_paths);
    tcase_add_test(contract, a_function_has_its_route);
    tcase_add_test(contract, a_route_answers_its_media_type);
    tcase_add_test(contract, a_function_takes_what_its_schema_says);
    tcase_add_test(contract, the_problems_are_the_codes);
    tcase_add_test(contract, the_statuses_of_problems_are_documented);
    tcase_add_test(contract, the_examples_of_problems_agree_with_the_table);
    tcase_add_test(contract, the_examples_of_requests_are_answered);
    tcase_add_test(contract, the_version_is_the_specs);
    tcase_add_test(contract, the_example_of_the_readme_is_true);
    suite_add_tcase(suite, contract);
    return suite;
}
