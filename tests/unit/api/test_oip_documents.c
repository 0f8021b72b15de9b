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

/* Each result is among the outputs, or the parameters say when it comes. */
static void check_outputs(const struct api_function *function, const json_t *outputs, const json_t *parameters)
{
    size_t listed = 0;
    for (size_t i = 0; i < API_MAX_RESULTS && function->results[i].name != NULL; i++) {
        const struct api_result_kind *kind = &function->results[i];
        const json_t *output = named(outputs, kind->name);
        char further[64];
        snprintf(further, sizeof further, "outputs.%s", kind->name);
        listed += output != NULL;
        ck_assert_msg((output == NULL) == (json_object_get(parameters, further) != NULL), "%s", kind->name);
        if (output != NULL)
            ck_assert_str_eq(infer_text(output, "datatype"), api_content_is_integer(kind->content) ? "INT32" : "FP32");
    }
    ck_assert_uint_gt(listed, 0);
    ck_assert_uint_eq(json_array_size(outputs), listed);
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
    check_outputs(function, json_object_get(metadata, "outputs"), json_object_get(config, "parameters"));
    ck_assert_uint_eq(json_array_size(json_object_get(config, "output")),
                      json_array_size(json_object_get(metadata, "outputs")));
    ck_assert_str_eq(infer_text(metadata, "platform"), "gumbeld_function");
    ck_assert_str_eq(infer_text(config, "platform"), "gumbeld_function");
    json_decref(metadata);
    json_decref(config);
}
END_TEST

/* A request without `outputs` is answered with those of the metadata. */
START_TEST(the_outputs_are_those_that_come)
{
    static const char body[] =
        "{\"inputs\":[{\"name\":\"logits\",\"datatype\":\"FP32\",\"shape\":[1,2],\"data\":[1,2]}]}";
    for (int id = 0; id < API_VJP; id++) { /* whose results follow from its function */
        char path[80];
        snprintf(path, sizeof path, "/v2/models/%s", api_functions[id].name);
        json_t *metadata = infer_get(path);
        const json_t *outputs = json_object_get(metadata, "outputs");
        snprintf(path, sizeof path, "/v2/models/%s/infer", api_functions[id].name);
        struct inferred inferred = infer_json(path, body);
        ck_assert_uint_eq(json_array_size(json_object_get(inferred.answer.json, "outputs")), json_array_size(outputs));
        for (size_t i = 0; i < json_array_size(outputs); i++)
            ck_assert_str_eq(infer_text(infer_output(&inferred, i), "name"),
                             infer_text(json_array_get(outputs, i), "name"));
        infer_free(&inferred);
        json_decref(metadata);
    }
}
END_TEST

static json_t *ask_index(const char *text, bool draining, int *status)
{
    struct api_request request = infer_request("POST", "/v2/repository/index");
    struct api_response response;
    char *body = ask_padded(text, strlen(text));
    request.body = body;
    request.length = strlen(text);
    request.draining = draining;
    api_answer(&request, &response);
    json_t *document = json_loadb(response.body, response.length, 0, NULL);
    *status = response.status;
    ck_assert_str_eq(response.media_type, "application/json");
    api_response_release(&response);
    free(body);
    return document;
}

START_TEST(the_index_lists_what_is_asked_for)
{
    static const struct {
        const char *body;
        size_t ready, draining; /* how many are listed then */
    } cases[] = {{"", API_FUNCTION_COUNT, API_FUNCTION_COUNT},
                 {"{}", API_FUNCTION_COUNT, API_FUNCTION_COUNT},
                 {"{\"ready\":false,\"x\":[1]}", API_FUNCTION_COUNT, API_FUNCTION_COUNT},
                 {"{\"ready\":null}", API_FUNCTION_COUNT, API_FUNCTION_COUNT},
                 {" {\"ready\": true}", API_FUNCTION_COUNT, 0}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        for (int draining = 0; draining <= 1; draining++) {
            int status;
            json_t *index = ask_index(cases[i].body, draining, &status);
            ck_assert_int_eq(status, 200);
            ck_assert_uint_eq(json_array_size(index), draining ? cases[i].draining : cases[i].ready);
            const json_t *first = json_array_get(index, 0);
            if (first != NULL) {
                ck_assert_str_eq(infer_text(first, "state"), draining ? "UNAVAILABLE" : "READY");
                ck_assert_int_eq(*infer_text(first, "reason") != '\0', draining);
            }
            json_decref(index);
        }
}
END_TEST

START_TEST(what_is_no_index_request_is_refused)
{
    static const struct {
        const char *body, *code, *pointer;
        json_int_t offset;
    } cases[] = {{"[]", "wrong_type", "", 0},
                 {"{\"ready\":tru}", "malformed_json", "/ready", 9},
                 {"{\"ready\": 1}", "wrong_type", "/ready", 10},
                 {"{\"ready\":true,\"ready\":true}", "duplicate_member", "/ready", -1}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        int status;
        json_t *error = ask_index(cases[i].body, false, &status);
        ck_assert_int_eq(status, 400);
        ck_assert_str_eq(infer_text(error, "code"), cases[i].code);
        ck_assert_str_eq(infer_text(error, "pointer"), cases[i].pointer);
        ck_assert_str_ne(infer_text(error, "error"), "");
        if (cases[i].offset > 0)
            ck_assert_int_eq(json_integer_value(json_object_get(error, "offset")), cases[i].offset);
        json_decref(error);
    }
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

START_TEST(a_model_tells_its_name_and_whether_it_is_ready)
{
    for (int ready = 0; ready <= 1; ready++) {
        const struct api_request request = infer_request("GET", "/v2/models/vjp/ready");
        struct api_response response;
        api_answer_health(request.route, request.model, ready, &response);
        ck_assert_int_eq(response.status, ready ? 200 : 503);
        ck_assert_str_eq(response.body,
                         ready ? "{\"name\":\"vjp\",\"ready\":true}" : "{\"name\":\"vjp\",\"ready\":false}");
        api_response_release(&response);
    }
}
END_TEST

START_TEST(statistics_are_the_servers)
{
    const struct api_model_statistics models[API_FUNCTION_COUNT] = {
        [API_VJP] = {.success = {2, 30}, .fail = {1, 4}, .queue = {2, 3}, .compute = {2, 20}, .rows = 5, .last_ms = 7}};
    struct api_response response;
    api_answer_statistics(&api_functions[API_VJP], models, &response);
    json_t *document = json_loadb(response.body, response.length, 0, NULL);
    const json_t *list = json_object_get(document, "model_stats"), *one = json_array_get(list, 0);
    ck_assert_uint_eq(json_array_size(list), 1);
    ck_assert_str_eq(infer_text(one, "name"), "vjp");
    ck_assert_int_eq(json_integer_value(json_object_get(one, "inference_count")), 2);
    static const struct {
        const char *list, *row, *kind;
        json_int_t count, ns;
    } durations[] = {
        {"inference_stats", NULL, "success", 2, 30},      {"inference_stats", NULL, "fail", 1, 4},
        {"inference_stats", NULL, "compute_input", 2, 0}, {"inference_stats", NULL, "compute_infer", 2, 20},
        {"inference_stats", NULL, "cache_hit", 0, 0},     {"inference_stats", NULL, "cache_miss", 0, 0},
        {"inference_stats", NULL, "queue", 2, 3},         {"inference_stats", NULL, "compute_output", 2, 0},
        {"response_stats", "0", "compute_infer", 2, 20},  {"response_stats", "0", "compute_output", 2, 0},
        {"response_stats", "0", "success", 2, 30},        {"response_stats", "0", "fail", 1, 4},
        {"response_stats", "0", "empty_response", 0, 0},  {"response_stats", "0", "cancel", 0, 0},
        {"batch_stats", NULL, "compute_input", 2, 0},     {"batch_stats", NULL, "compute_infer", 2, 20},
        {"batch_stats", NULL, "compute_output", 2, 0}};
    for (size_t i = 0; i < sizeof durations / sizeof *durations; i++) {
        const json_t *stats = json_object_get(one, durations[i].list);
        stats = durations[i].row != NULL ? json_object_get(stats, durations[i].row)
                : json_is_array(stats)   ? json_array_get(stats, 0)
                                         : stats;
        const json_t *duration = json_object_get(stats, durations[i].kind);
        ck_assert_int_eq(json_integer_value(json_object_get(duration, "count")), durations[i].count);
        ck_assert_msg(json_integer_value(json_object_get(duration, "ns")) == durations[i].ns, "%s", durations[i].kind);
    }
    const json_t *batch = json_array_get(json_object_get(one, "batch_stats"), 0),
                 *memory = json_array_get(json_object_get(one, "memory_usage"), 0);
    ck_assert_int_eq(json_integer_value(json_object_get(batch, "batch_size")), 1);
    ck_assert_str_eq(infer_text(memory, "type"), "CPU");
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
    tcase_add_test(documents, the_outputs_are_those_that_come);
    tcase_add_test(documents, the_index_lists_what_is_asked_for);
    tcase_add_test(documents, what_is_no_index_request_is_refused);
    tcase_add_test(documents, paths_name_models_and_the_one_version);
    tcase_add_test(documents, a_model_tells_its_name_and_whether_it_is_ready);
    tcase_add_test(documents, statistics_are_the_servers);
    tcase_add_checked_fixture(specified, spec_load, spec_free);
    tcase_add_test(specified, documents_are_what_the_specification_says);
    tcase_add_test(specified, the_models_are_the_functions);
    tcase_add_test(specified, the_examples_are_answered);
    suite_add_tcase(suite, documents);
    suite_add_tcase(suite, specified);
    return suite;
}
