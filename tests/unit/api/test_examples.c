/* The examples of the specification and of the README are true. */
#include "lib/ask.h"
#include "lib/suite.h"
#include "schema.h"
#include "spec.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static size_t check_example(const struct api_route *route, const char *name, const json_t *request)
{
    const json_t *media = spec_get(spec_get(spec_get(spec_get(spec_operation(route), "responses"), "200"), "content"),
                                   "application/json");
    const json_t *expected = spec_get(spec_get(spec_get(media, "examples"), name), "value");
    char *body = json_dumps(request, 0);
    struct answer answer = ask(route->path, "%s", body);
    ck_assert_msg(answer.status == 200, "%s: %s", name, answer.text);
    ck_assert_msg(schema_allows(spec, spec_request_schema(route), request), "%s is not what the schema says", name);
    ck_assert_msg(schema_allows(spec, spec_response_schema(route), answer.json), "%s is answered by %s", name,
                  answer.text);
    ck_assert_msg(spec_same(answer.json, expected), "%s is answered by %s", name, answer.text);
    ask_free(&answer);
    free(body);
    return 1;
}

START_TEST(the_examples_of_requests_are_answered)
{
    for (size_t i = 0; i < api_route_count; i++) {
        if (api_routes[i].kind != API_ROUTE_CALL && api_routes[i].kind != API_ROUTE_BATCH)
            continue;
        const json_t *media = spec_get(spec_get(spec_get(spec_operation(&api_routes[i]), "requestBody"), "content"),
                                       "application/json");
        const char *name;
        json_t *example;
        size_t run = 0;
        json_object_foreach ((json_t *)spec_get(media, "examples"), name, example)
            run += check_example(&api_routes[i], name, spec_get(example, "value"));
        ck_assert_uint_ge(run, 1);
    }
}
END_TEST

/* Each parameter stands in the example of a function that takes it. */
START_TEST(the_examples_show_every_parameter)
{
    for (size_t i = 0; i < api_route_count; i++) {
        if (api_routes[i].function == NULL)
            continue;
        const json_t *media = spec_get(spec_get(spec_get(spec_operation(&api_routes[i]), "requestBody"), "content"),
                                       "application/json");
        const char *name;
        json_t *example;
        static bool shown[API_PARAMETER_COUNT];
        json_object_foreach ((json_t *)spec_get(media, "examples"), name, example)
            for (int id = 0; id < API_PARAMETER_COUNT; id++)
                shown[id] |= json_object_get(spec_get(example, "value"), api_parameters[id].name) != NULL;
        for (int id = 0; i == API_FUNCTION_COUNT - 1 && id < API_PARAMETER_COUNT; id++)
            ck_assert_msg(shown[id], "no example has %s", api_parameters[id].name);
    }
}
END_TEST

START_TEST(the_version_is_the_specs)
{
    struct api_request request = {0};
    struct api_response response;
    ck_assert_int_eq(api_route_find("GET", "/version", &request.route, NULL), 0);
    api_answer(&request, &response);
    json_t *version = json_loadb(response.body, response.length, 0, NULL);
    ck_assert_str_eq(json_string_value(spec_get(version, "version")),
                     json_string_value(spec_get(spec_get(spec, "info"), "version")));
    ck_assert_str_eq(json_string_value(spec_get(version, "rng")), API_DEFAULT_RNG);
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
    char readme[1 << 16] = "";
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

/* ---- Everything has an example ---- */

/* A field says what it means and shows a value, which its schema allows; only what has one value need not. */
static void assert_field(const char *where, const char *name, const json_t *field)
{
    const json_t *examples = json_object_get(field, "examples"), *example;
    size_t i;
    ck_assert_msg(json_string_length(json_object_get(field, "description")) > 0, "%s: %s has no meaning", where, name);
    ck_assert_msg(json_array_size(examples) > 0 || json_object_get(field, "const") != NULL, "%s: %s has no example",
                  where, name);
    json_array_foreach (examples, i, example)
        ck_assert_msg(schema_allows(spec, field, example), "%s: example %zu of %s is not allowed", where, i, name);
}

/* The fields of a schema and of those within it; what it refers to is looked at where it stands. */
static size_t assert_fields(const char *where, const json_t *schema)
{
    static const char *const inner[] = {"items", "additionalProperties"};
    const char *name;
    json_t *field;
    size_t count = 0, i;
    json_object_foreach (json_object_get(schema, "properties"), name, field) {
        assert_field(where, name, spec_resolve(field));
        count += 1 + assert_fields(where, field);
    }
    json_array_foreach (json_object_get(schema, "oneOf"), i, field)
        count += assert_fields(where, field);
    for (i = 0; i < 2; i++)
        count += json_is_object(json_object_get(schema, inner[i]))
                     ? assert_fields(where, json_object_get(schema, inner[i]))
                     : 0;
    return count;
}

START_TEST(every_field_has_a_meaning_and_an_example)
{
    const char *name;
    json_t *schema;
    size_t count = 0;
    json_object_foreach ((json_t *)spec_get(spec_get(spec, "components"), "schemas"), name, schema)
        count += assert_fields(name, schema);
    ck_assert_uint_gt(count, 150);
}
END_TEST

/* Pages, this document and bytes are no examples to read. */
static bool is_shown(const struct api_route *route, const char *type, const json_t *media)
{
    const json_t *schema = spec_resolve(json_object_get(media, "schema"));
    return json_object_get(media, "example") != NULL || json_object_get(media, "examples") != NULL ||
           json_object_get(schema, "examples") != NULL || json_object_get(schema, "format") != NULL ||
           strcmp(type, "text/html") == 0 || strncmp(route->path, "/openapi.", 9) == 0;
}

START_TEST(every_answer_has_an_example)
{
    for (size_t i = 0; i < api_route_count; i++) {
        const char *status, *type;
        json_t *answer, *media;
        json_object_foreach ((json_t *)spec_get(spec_operation(&api_routes[i]), "responses"), status, answer)
            json_object_foreach ((json_t *)spec_get(spec_resolve(answer), "content"), type, media)
                ck_assert_msg(is_shown(&api_routes[i], type, media), "%s: %s %s has no example", api_routes[i].path,
                              status, type);
    }
}
END_TEST

TEST_SUITE("api")
{
    Suite *suite = suite_create("api: examples");
    TCase *examples = tcase_create("examples");
    tcase_add_checked_fixture(examples, spec_load, spec_free);
    tcase_add_test(examples, the_examples_of_requests_are_answered);
    tcase_add_test(examples, the_examples_show_every_parameter);
    tcase_add_test(examples, the_version_is_the_specs);
    tcase_add_test(examples, the_example_of_the_readme_is_true);
    tcase_add_test(examples, every_field_has_a_meaning_and_an_example);
    tcase_add_test(examples, every_answer_has_an_example);
    suite_add_tcase(suite, examples);
    return suite;
}
