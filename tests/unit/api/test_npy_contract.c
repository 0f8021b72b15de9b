/* What the specification says of .npy bodies, of the query and of headers is what the tables say. */
#include "lib/npy.h"
#include "lib/suite.h"
#include "spec.h"

#include <string.h>

static const json_t *find_parameter(const json_t *parameters, const char *name)
{
    size_t i;
    const json_t *parameter;
    json_array_foreach (parameters, i, parameter)
        if (strcmp(json_string_value(spec_get(parameter, "name")), name) == 0)
            return spec_resolve(parameter);
    return NULL;
}

/* A list is text with commas, since some clients repeat the name for each element of an array. */
static bool is_text(const struct api_parameter *parameter)
{
    return parameter->per_row || parameter->type == API_BIAS || parameter->type == API_CLASS_LIST ||
           parameter->type == API_NAMES || parameter->type == API_STEPS || parameter->type == API_CLASS_LISTS;
}

/* The member's schema, or text. No default or example: pages that send calls fill those in. */
static void assert_argument(const json_t *argument, const json_t *member, const struct api_parameter *parameter)
{
    static const char *const same[] = {"type", "enum", "format", "minimum", "maximum"};
    static const char *const absent[] = {"default", "example", "examples", "content", "$ref"};
    const json_t *schema = json_object_get(argument, "schema");
    ck_assert_str_eq(json_string_value(spec_get(argument, "in")), "query");
    for (size_t i = 0; i < sizeof absent / sizeof *absent; i++)
        ck_assert(json_object_get(argument, absent[i]) == NULL && json_object_get(schema, absent[i]) == NULL);
    if (is_text(parameter)) {
        ck_assert_str_eq(json_string_value(spec_get(schema, "type")), "string");
        return;
    }
    for (size_t i = 0; i < sizeof same / sizeof *same; i++) {
        const json_t *own = json_object_get(schema, same[i]), *expected = json_object_get(member, same[i]);
        ck_assert_msg(own == expected || json_equal(own, expected), "%s: %s", parameter->name, same[i]);
    }
}

static bool goes_into_the_query(const struct api_function *function, const struct api_parameter *parameter)
{
    return api_function_takes(function, (enum api_parameter_id)(parameter - api_parameters)) &&
           parameter->type != API_NUMBERS && parameter->type != API_BOOLEANS;
}

/* Each parameter but the arrays is an argument of the query. */
START_TEST(the_query_is_the_members)
{
    for (size_t i = 0; i < api_route_count; i++) {
        const struct api_function *function = api_routes[i].function;
        if (function == NULL)
            continue;
        const json_t *parameters = spec_get(spec_operation(&api_routes[i]), "parameters");
        const json_t *members = spec_get(spec_request_schema(&api_routes[i]), "properties");
        size_t count = 1;
        for (int id = 0; id < API_PARAMETER_COUNT; id++) {
            const char *name = api_parameters[id].name;
            if (!goes_into_the_query(function, &api_parameters[id]))
                continue;
            const json_t *parameter = find_parameter(parameters, name);
            ck_assert_msg(parameter != NULL, "%s: no %s", api_routes[i].path, name);
            assert_argument(parameter, spec_get(members, name), &api_parameters[id]);
            count++;
        }
        ck_assert_ptr_nonnull(find_parameter(parameters, "arrays"));
        ck_assert_uint_eq(json_array_size(parameters), count);
    }
}
END_TEST

/* What is sent and what is answered may be .npy, with the headers that say what the arrays do not. */
START_TEST(each_function_has_both_media_types)
{
    for (size_t i = 0; i < api_route_count; i++) {
        const struct api_function *function = api_routes[i].function;
        if (function == NULL)
            continue;
        const json_t *operation = spec_operation(&api_routes[i]);
        const json_t *answer = spec_get(spec_get(operation, "responses"), "200"),
                     *headers = spec_get(answer, "headers");
        const bool draws = function->draws_noise || api_function_takes(function, API_SEED);
        spec_get(spec_get(spec_get(operation, "requestBody"), "content"), API_NPY);
        spec_get(spec_get(answer, "content"), API_NPY);
        spec_get(headers, "X-Gumbeld-Results");
        spec_get(headers, "X-Gumbeld-Dtype");
        ck_assert_int_eq(json_object_get(headers, "X-Gumbeld-Rng") != NULL, draws);
        ck_assert_int_eq(json_object_get(headers, "X-Gumbeld-Seed") != NULL, draws);
        ck_assert_int_eq(json_object_get(headers, "X-Gumbeld-Tau") != NULL, api_function_takes(function, API_TAU));
    }
}
END_TEST

TEST_SUITE("api")
{
    Suite *suite = suite_create("api: npy contract");
    TCase *contract = tcase_create("spec");
    tcase_add_checked_fixture(contract, spec_load, spec_free);
    tcase_add_test(contract, the_query_is_the_members);
    tcase_add_test(contract, each_function_has_both_media_types);
    suite_add_tcase(suite, contract);
    return suite;
}
