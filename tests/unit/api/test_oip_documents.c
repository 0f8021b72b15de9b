/* The Open Inference Protocol: what is told of the server and its models. */
#include "lib/infer.h"
#include "lib/suite.h"
#include "schema.h"
#include "spec.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

START_TEST(the_server_tells_its_extensions)
{
    json_t *server = infer_get("/v2"), *models = infer_get("/v2/models");
    ck_assert_str_eq(infer_text(server, "name"), "gumbeld");
    ck_assert_str_ne(infer_text(server, "version"), "");
    ck_assert_str_eq(json_string_value(json_array_get(json_object_get(server, "extensions"), 0)), "binary_tensor_data");
    ck_assert_uint_eq(json_array_size(json_object_get(models, "models")), API_FUNCTION_COUNT);
    json_decref(server);
    json_decref(models);
}
END_TEST

static const json_t *named(const json_t *list, const char *name)
{
    size_t i;
    const json_t *one;
    json_array_foreach (list, i, one)
        if (strcmp(infer_text(one, "name"), name) == 0)
            return one;
    return NULL;
}

/* Inputs and outputs are those of the tables, in metadata and in the configuration. */
START_TEST(a_model_is_described)
{
    const struct api_function *function = &api_functions[_i];
    char path[80];
    snprintf(path, sizeof path, "/v2/models/%s", function->name);
    json_t *metadata = infer_get(path);
    snprintf(path, sizeof path, "/v2/models/%s/versions/1/config", function->name);
    json_t *config = infer_get(path);
    ck_assert_str_eq(infer_text(metadata, "name"), function->name);
    ck_assert_str_eq(infer_text(config, "name"), function->name);
    ck_assert_str_eq(json_string_value(json_array_get(json_object_get(metadata, "versions"), 0)), "1");
    const json_t *logits = named(json_object_get(metadata, "inputs"), "logits"),
                 *mask = named(json_object_get(config, "input"), "mask");
    ck_assert_str_eq(infer_text(logits, "datatype"), "FP32");
    ck_assert_uint_eq(json_array_size(json_object_get(logits, "shape")), 2);
    ck_assert_str_eq(infer_text(mask, "data_type"), "TYPE_BOOL");
    ck_assert(json_is_true(json_object_get(mask, "optional")));
    ck_assert_int_eq(named(json_object_get(metadata, "inputs"), "seed") != NULL,
                     api_function_takes(function, API_SEED));
    size_t results = 0;
    for (; results < API_MAX_RESULTS && function->results[results].name != NULL; results++) {
        const json_t *result = named(json_object_get(metadata, "outputs"), function->results[results].name);
        ck_assert_str_eq(infer_text(result, "datatype"),
                         function->results[results].content == API_CLASSES ? "INT32" : "FP32");
    }
    ck_assert_uint_eq(json_array_size(json_object_get(metadata, "outputs")), results);
    ck_assert_uint_eq(json_array_size(json_object_get(config, "output")), results);
    json_decref(metadata);
    json_decref(config);
}
END_TEST

START_TEST(the_index_is_posted_for)
{
    struct inferred index = infer_post("/v2/repository/index", NULL, "", 0);
    ck_assert_int_eq(index.answer.status, 200);
    ck_assert_uint_eq(json_array_size(index.answer.json), API_FUNCTION_COUNT);
    ck_assert_str_eq(infer_text(named(index.answer.json, "vjp"), "state"), "READY");
    infer_free(&index);
}
END_TEST

/* ---- The specification ---- */

/* The schema of what an operation answers with 200. */
static const json_t *schema_of(const char *path)
{
    struct api_request request = infer_request(strstr(path, "infer") != NULL ? "POST" : "GET", path);
    return spec_response_schema(request.route);
}

START_TEST(documents_are_what_the_specification_says)
{
    static const char *const paths[] = {"/v2",
                                        "/v2/models",
                                        "/v2/models/vjp",
                                        "/v2/models/categorical/config",
                                        "/v2/models/gumbel_softmax/versions/1",
                                        "/v2/models/softmax/versions/1/config"};
    for (size_t i = 0; i < sizeof paths / sizeof *paths; i++) {
        json_t *document = infer_get(paths[i]);
        ck_assert_msg(schema_allows(spec, schema_of(paths[i]), document), "%s", paths[i]);
        json_decref(document);
    }
    const struct api_model_statistics models[API_FUNCTION_COUNT] = {0};
    struct api_response response;
    api_answer_statistics(NULL, models, &response);
    json_t *document = json_loadb(response.body, response.length, 0, NULL);
    ck_assert(schema_allows(spec, schema_of("/v2/models/stats"), document));
    json_decref(document);
    api_response_release(&response);
}
END_TEST

START_TEST(the_models_are_the_functions)
{
    const json_t *schema = spec_get(spec_get(spec_get(spec_get(spec, "components"), "parameters"), "model"), "schema");
    ck_assert_uint_eq(json_array_size(spec_get(schema, "enum")), API_FUNCTION_COUNT);
    for (size_t i = 0; i < API_FUNCTION_COUNT; i++)
        ck_assert_str_eq(json_string_value(json_array_get(spec_get(schema, "enum"), i)), api_functions[i].name);
}
END_TEST

/* The examples' names are those of the models. */
START_TEST(the_examples_are_answered)
{
    const struct api_request request = infer_request("POST", "/v2/models/softmax/infer");
    const json_t *operation = spec_operation(request.route);
    const json_t *asked = spec_get(
                     spec_get(spec_get(spec_get(operation, "requestBody"), "content"), "application/json"), "examples"),
                 *answered = spec_get(spec_get(spec_get(spec_get(spec_get(operation, "responses"), "200"), "content"),
                                               "application/json"),
                                      "examples");
    const char *name;
    json_t *example;
    json_object_foreach ((json_t *)asked, name, example) {
        char path[80], *body = json_dumps(json_object_get(example, "value"), 0);
        snprintf(path, sizeof path, "/v2/models/%s/infer", name);
        struct inferred inferred = infer_json(path, body);
        ck_assert(schema_allows(spec, spec_request_schema(request.route), json_object_get(example, "value")));
        ck_assert(schema_allows(spec, spec_response_schema(request.route), inferred.answer.json));
        ck_assert_msg(spec_same(inferred.answer.json, spec_get(spec_get(answered, name), "value")), "%s",
                      inferred.answer.text);
        infer_free(&inferred);
        free(body);
    }
}
END_TEST

/* ---- Paths ---- */

static int find(const char *method, const char *path)
{
    const struct api_route *route;
    struct api_problem problem = {0};
    return api_route_find(method, path, &route, &problem) == 0 ? 200 : api_problem_kinds[problem.code].status;
}

START_TEST(paths_name_models_and_the_one_version)
{
    const struct api_route *route;
    ck_assert_int_eq(find("POST", "/v2/models/vjp/infer"), 200);
    ck_assert_int_eq(find("POST", "/v2/models/vjp/versions/1/infer"), 200);
    ck_assert_int_eq(find("GET", "/v2/models/log_softmax/versions/1"), 200);
    ck_assert_int_eq(find("GET", "/v2/models/log_softmax/ready"), 200);
    ck_assert_int_eq(find("GET", "/v2/models/log_softmax/versions/1/stats"), 200);
    ck_assert_int_eq(find("GET", "/v2/models/vjp/infer"), 405);
    ck_assert_int_eq(find("POST", "/v2/models/vjp/versions/2/infer"), 404);
    ck_assert_int_eq(find("POST", "/v2/models/vjp/versions/1/versions/1/infer"), 404);
    ck_assert_int_eq(find("POST", "/v2/models/nope/infer"), 404);
    ck_assert_int_eq(find("POST", "/v2/models/soft/infer"), 404);
    ck_assert_int_eq(find("POST", "/v2/models/softmaxx/infer"), 404);
    ck_assert_int_eq(find("POST", "/v2/models//infer"), 404);
    ck_assert_int_eq(find("GET", "/v2/models/{model}"), 404);
    ck_assert_int_eq(find("GET", "/v2/"), 200);
    ck_assert_int_eq(find("GET", "/v2//"), 404);
    ck_assert_int_eq(find("GET", "/v2/models/vjp/versions/1/"), 200);
    ck_assert_int_eq(find("POST", "/v2/models/vjp/infer/"), 200);
    ck_assert_int_eq(find("GET", "//"), 404);
    api_route_find("GET", "/v2/models/log_softmax/versions/1/stats", &route, NULL);
    ck_assert_ptr_eq(api_route_model(route, "/v2/models/log_softmax/versions/1/stats"),
                     &api_functions[API_LOG_SOFTMAX]);
    api_route_find("GET", "/v2/models/stats", &route, NULL);
    ck_assert_ptr_null(api_route_model(route, "/v2/models/stats"));
    ck_assert(api_path_is_inference("/v2") && api_path_is_inference("/v2/nope"));
    ck_assert(!api_path_is_inference("/v1/softmax") && !api_path_is_inference("/v22"));
}
END_TEST

START_TEST(statistics_are_the_servers)
{
    const struct api_model_statistics models[API_FUNCTION_COUNT] = {
        [API_VJP] = {.success = {2, 30}, .fail = {1, 4}, .compute = {2, 20}, .rows = 5, .last_ms = 7}};
    struct api_response response;
    api_answer_statistics(&api_functions[API_VJP], models, &response);
    json_t *document = json_loadb(response.body, response.length, 0, NULL);
    const json_t *list = json_object_get(document, "model_stats"), *one = json_array_get(list, 0);
    ck_assert_uint_eq(json_array_size(list), 1);
    ck_assert_str_eq(infer_text(one, "name"), "vjp");
    ck_assert_int_eq(json_integer_value(json_object_get(one, "inference_count")), 2);
    const json_t *success = json_object_get(json_object_get(one, "inference_stats"), "success");
    ck_assert_int_eq(json_integer_value(json_object_get(success, "ns")), 30);
    json_decref(document);
    api_response_release(&response);
    api_answer_statistics(NULL, models, &response);
    document = json_loadb(response.body, response.length, 0, NULL);
    ck_assert_uint_eq(json_array_size(json_object_get(document, "model_stats")), API_FUNCTION_COUNT);
    json_decref(document);
    api_response_release(&response);
}
END_TEST

TEST_SUITE("api")
{
    Suite *suite = suite_create("api: oip documents");
    TCase *documents = tcase_create("documents"), *specified = tcase_create("specification");
    tcase_add_test(documents, the_server_tells_its_extensions);
    tcase_add_loop_test(documents, a_model_is_described, 0, API_FUNCTION_COUNT);
    tcase_add_test(documents, the_index_is_posted_for);
    tcase_add_test(documents, paths_name_models_and_the_one_version);
    tcase_add_test(documents, statistics_are_the_servers);
    tcase_add_checked_fixture(specified, spec_load, spec_free);
    tcase_add_test(specified, documents_are_what_the_specification_says);
    tcase_add_test(specified, the_models_are_the_functions);
    tcase_add_test(specified, the_examples_are_answered);
    suite_add_tcase(suite, documents);
    suite_add_tcase(suite, specified);
    return suite;
}
