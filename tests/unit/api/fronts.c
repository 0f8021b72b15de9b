#include "fronts.h"
#include "lib/assertions.h"
#include "lib/memory.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MOST_ARGUMENTS = 32 };

/* ---- Requests on all fronts ---- */

#define SOFTMAX "/v1/softmax"
#define GUMBEL "/v1/gumbel_softmax"
#define CATEGORICAL "/v1/categorical"
#define VJP "/v1/vjp"
#define LOGITS "\"logits\":[[0.5,2,1,-1],[3,2.5,0,1]]"
#define COTANGENT "\"cotangent\":[[1,-1,2,0],[0.5,0,0,3]]"
#define OIP_LOGITS "{\"name\":\"logits\",\"datatype\":\"FP32\",\"shape\":[2,4],\"data\":[0.5,2,1,-1,3,2.5,0,1]}"
#define INFER(model) "/v2/models/" model "/infer"

/* An id that the answer repeats, longer than what its text begins with: what follows it has to grow, piece by piece. */
#define HUNDRED "0123456789012345678901234567890123456789012345678901234567890123456789012345678901234567890123456789"
#define LONG_ID "\"id\":\"" HUNDRED HUNDRED HUNDRED HUNDRED HUNDRED HUNDRED HUNDRED HUNDRED HUNDRED HUNDRED HUNDRED "\""

static const float logits[8] = {0.5f, 2, 1, -1, 3, 2.5f, 0, 1};
static const uint16_t halves[8] = {0x3800, 0x4000, 0x3c00, 0xbc00, 0x4200, 0x4100, 0, 0x3c00};
static const uint8_t mask[4] = {1, 1, 0, 1};
static const double taus[2] = {0.5, 2};
static const int64_t seeds[2] = {7, 8};

static void add_logits(struct npy_bytes *body)
{
    npy_add(body, "<f4", (const size_t[]){2, 4, 0}, logits);
}

static void add_halves(struct npy_bytes *body)
{
    npy_add(body, "<f2", (const size_t[]){2, 4, 0}, halves);
}

/* In Fortran order, of bytes that ml_dtypes takes for bfloat16. */
static void add_bfloats(struct npy_bytes *body)
{
    npy_add_header(body, 1, "{'descr': '<V2', 'fortran_order': True, 'shape': (2, 4), }\n");
    npy_append(body, halves, sizeof halves);
}

static void add_logits_and_bfloats(struct npy_bytes *body)
{
    add_logits(body);
    add_bfloats(body);
}

static void add_arrays(struct npy_bytes *body)
{
    add_logits(body);
    npy_add(body, "|b1", (const size_t[]){4, 0}, mask);
    npy_add(body, "<f8", (const size_t[]){2, 0}, taus);
    npy_add(body, "<i8", (const size_t[]){2, 0}, seeds);
}

static void add_raw(struct npy_bytes *body)
{
    npy_append(body, logits, sizeof logits);
}

static void add_raw_halves(struct npy_bytes *body)
{
    npy_append(body, halves, sizeof halves);
}

const struct request front_requests[] = {
    {SOFTMAX, NULL, NULL, NULL, "{" LOGITS "}", NULL, false},
    {SOFTMAX, NULL, NULL, NULL,
     "{\"log\\u0069ts\":[[1,2,null],[3,\"\\u002dInfinity\",4]],\"temperature\":[0.5,2],\"mask\":[true,false,true],"
     "\"d\\u0074ype\":\"float64\",\"dim\":-1}",
     NULL, false},
    {SOFTMAX, NULL, NULL, API_NPY, "{" LOGITS ",\"dim\":0}", NULL, false},
    {"/v1/log_softmax", NULL, NULL, NULL,
     "{\"logits\":[[1,2],[null,null],[3,4]],\"on_invalid\":\"uniform\",\"temperature\":0.5}", NULL, false},
    {GUMBEL, NULL, NULL, NULL,
     "{" LOGITS ",\"seed\":[7,8],\"tau\":[0.5,2],\"hard\":true,\"num_samples\":3,\"noise_scale\":[1,0.5],"
     "\"return\":[\"samples\",\"indices\",\"soft\",\"noise\",\"log_density\",\"log_samples\",\"perturbed\"]}",
     NULL, false},
    {GUMBEL, NULL, NULL, NULL,
     "{" LOGITS ",\"seed\":7,\"row_offset\":3,\"tau\":{\"schedule\":\"exponential\",\"start\":1,\"rate\":3e-5,"
     "\"min\":0.5,\"step\":2}}",
     NULL, false},
    {CATEGORICAL, NULL, NULL, NULL,
     "{" LOGITS ",\"seed\":7,\"num_samples\":5,\"logprobs\":2,\"logprobs_of\":\"filtered\",\"top_p\":0.9,"
     "\"top_k\":[3,4],\"min_p\":0.01,\"typical_p\":0.99,\"top_n_sigma\":[3,2.5],\"min_keep\":2,\"filter_order\":"
     "\"temperature_last\",\"temperature\":0.8,"
     "\"logit_bias\":{\"0\":-1.5,\"2\":null},\"return\":[\"indices\",\"log_probabilities\",\"scores\",\"counts\"]}",
     NULL, false},
    {CATEGORICAL, "num_samples=3&temperature=.5,2&top_k=[-1,2]&return=scores,indices", NULL, NULL,
     "\xef\xbb\xbf{" LOGITS ",\"seed\":7,\"mask\":null,\"logit_bias\":{\"0\":-Infinity,\"1\":1}}", NULL, false},
    {CATEGORICAL, NULL, NULL, NULL, "{\"logits\":[],\"seed\":7,\"num_samples\":2,\"logprobs\":1}", NULL, false},
    {CATEGORICAL, NULL, NULL, NULL, "{" LOGITS ",\"seed\":7,\"num_samples\":2,\"replacement\":false,\"dim\":0}", NULL,
     false},
    {VJP, NULL, NULL, NULL, "{\"function\":\"softmax\"," LOGITS "," COTANGENT ",\"temperature\":2}", NULL, false},
    {VJP, NULL, NULL, NULL,
     "{\"function\":\"gumbel_softmax\"," LOGITS "," COTANGENT ",\"seed\":7,\"hard\":true,"
     "\"estimator\":\"gumbel_rao\",\"conditional_samples\":3,\"tau\":0.5}",
     NULL, false},
    {VJP, NULL, NULL, NULL,
     "{\"function\":\"gumbel_softmax\"," LOGITS ",\"num_samples\":2,\"seed\":7,\"cotangent\":"
     "[[[1,-1,2,0],[0.5,0,0,3]],[[1,-1,2,0],[0.5,0,0,3]]]}",
     NULL, false},
    {CATEGORICAL,
     "seed=3&num_samples=2&logprobs=2&logprobs_of=filtered&top_p=0.9&top_k=3,4&min_p=0.01&typical_p=[0.99,0.9]&top_n_"
     "sigma=3,2.5&epsilon_cutoff=.01&eta_cutoff=[0.02,0]&min_keep=2,1&"
     "filter_order=top_k,typical_p,top_p,min_p,temperature,top_n_sigma,epsilon_cutoff,eta_cutoff&temperature=0.8&logit_"
     "bias={\"0\":-1.5,\"2\":null}&"
     "return=indices,log_probabilities,scores,counts&replacement=True&dim=-1&on_invalid=nan&dtype=float32&row_offset=2&"
     "draw_offset=3",
     API_NPY, NULL, NULL, add_logits, false},
    {GUMBEL, "arrays=logits,mask,tau,seed&hard=true&num_samples=2&return=samples,indices,noise&noise_scale=0.5",
     API_NPY, API_NPY, NULL, add_arrays, false},
    {GUMBEL,
     "tau={\"schedule\":\"linear\",\"start\":1,\"min\":0.5,\"steps\":10,\"step\":2}&seed=5&return=[\"samples\"]",
     API_NPY, API_NPY, NULL, add_halves, false},
    {VJP, "function=softmax&dtype=float64&arrays=logits,cotangent", API_NPY, API_NPY, NULL, add_logits_and_bfloats,
     false},
    {INFER("gumbel_softmax"), NULL, NULL, NULL,
     "{\"id\":\"a \\\"long\\\" id of more than fifteen bytes\",\"inputs\":[" OIP_LOGITS
     ",{\"name\":\"tau\",\"datatype\":\"FP64\",\"shape\":[2],\"data\":[0.5,2]}],"
     "\"parameters\":{\"seed\":7,\"hard\":true,\"num_samples\":2,\"noise_scale\":0.5},"
     "\"outputs\":[{\"name\":\"samples\"},{\"name\":\"indices\"},{\"name\":\"noise\"}]}",
     NULL, false},
    {INFER("categorical"), NULL, NULL, NULL,
     "{\"inputs\":[" OIP_LOGITS "],\"parameters\":{\"seed\":7,\"top_k\":3,\"logprobs\":1,\"prompt\":\"[[0],[]]\","
     "\"output\":\"[2]\",\"presence_penalty\":1,"
     "\"filter_order\":\"[\\\"top_k\\\",\\\"temperature\\\"]\","
     "\"return\":\"[\\\"indices\\\",\\\"scores\\\"]\",\"logit_bias\":\"{\\\"0\\\":-1.5,\\\"2\\\":null}\"}}",
     NULL, false},
    {INFER("gumbel_softmax"), NULL, NULL, NULL,
     "{\"inputs\":[{\"name\":\"logits\",\"datatype\":\"FP32\",\"shape\":[2,4],\"parameters\":"
     "{\"binary_data_size\":32}}],\"parameters\":{\"seed\":7,\"binary_data_output\":true,"
     "\"tau\":\"{\\\"schedule\\\":\\\"linear\\\",\\\"start\\\":1,\\\"min\\\":0.5,\\\"steps\\\":9,\\\"step\\\":2}\"}}",
     add_raw, true},
    {INFER("softmax"), NULL, NULL, NULL,
     "{\"inputs\":[{\"name\":\"logits\",\"datatype\":\"FP16\",\"shape\":[2,4],\"parameters\":"
     "{\"binary_data_size\":16}}],\"parameters\":{\"temperature\":0.5},\"outputs\":[{\"name\":\"probabilities\","
     "\"parameters\":{\"classification\":2}}]}",
     add_raw_halves, true},
    {INFER("log_softmax"), NULL, NULL, NULL,
     "{\"inputs\":[{\"name\":\"logits\",\"datatype\":\"BF16\",\"shape\":[2,4],\"parameters\":"
     "{\"binary_data_size\":16}}],\"parameters\":{\"dtype\":\"float64\"}}",
     add_raw_halves, true},
    {INFER("softmax"), NULL, NULL, NULL, "", add_raw, true},
    {INFER("gumbel_softmax"), NULL, NULL, NULL,
     "{" LONG_ID ",\"inputs\":[" OIP_LOGITS
     "],\"parameters\":{\"seed\":7,\"tau\":0.5,\"num_samples\":2},\"outputs\":[{\"name\":\"samples\"},"
     "{\"name\":\"indices\"},{\"name\":\"noise\",\"parameters\":{\"classification\":2}}]}",
     NULL, false},
    {INFER("gumbel_softmax"), NULL, NULL, NULL,
     "{" LONG_ID ",\"inputs\":[" OIP_LOGITS
     "],\"parameters\":{\"seed\":7,\"binary_data_output\":true},\"outputs\":[{\"name\":\"samples\"},"
     "{\"name\":\"indices\"}]}",
     NULL, true},
    {INFER("softmax"), NULL, NULL, NULL, "{" LONG_ID ",\"inputs\":[" OIP_LOGITS "]}", NULL, false},
    {"/v1/batch", NULL, NULL, NULL,
     "{\"requests\":[{\"id\":\"one of more than fifteen bytes\",\"function\":\"gumbel_softmax\",\"body\":{" LOGITS
     ",\"seed\":7,\"tau\":0.5}},{\"id\":2,\"function\":\"softmax\",\"body\":{" LOGITS ",\"dim\":9}},"
     "{\"function\":\"vjp\",\"body\":{\"function\":\"softmax\"," LOGITS "," COTANGENT "}}]}",
     NULL, false},
    {"/v1/batch", NULL, NULL, NULL,
     "{\"requests\":[{" LONG_ID ",\"function\":\"softmax\",\"body\":{" LOGITS "}},{" LONG_ID
     ",\"function\":\"gumbel_softmax\",\"body\":{" LOGITS ",\"tau\":0.5}},{" LONG_ID ",\"function\":\"softmax\","
     "\"body\":{\"logits\":[null]}},{" LONG_ID ",\"function\":\"softmax\",\"body\":{" LOGITS ",\"dim\":9}}]}",
     NULL, false},
    {"/v1/batch", NULL, NULL, NULL,
     "{\"requests\":[{\"id\":\"one of more than fifteen bytes\",\"function\":\"softmax\",\"body\":"
     "{\"logits\":[[1,2],[null,null]]}},{\"function\":\"softmax\",\"body\":{\"logits\":[[1,2],[null,null]],"
     "\"on_invalid\":\"uniform\"}}]}",
     NULL, false},
    {GUMBEL, NULL, NULL, API_NDJSON,
     "{" LOGITS ",\"seed\":[7,8],\"tau\":[0.5,2],\"num_samples\":2,\"return\":[\"samples\",\"indices\"]}", NULL, false},
    {CATEGORICAL, "seed=3&top_k=3&num_samples=4", API_NPY, API_NDJSON, NULL, add_logits, false},
    {"/version", NULL, NULL, NULL, NULL, NULL, false},
    {"/openapi.json", NULL, NULL, NULL, NULL, NULL, false},
    {"/", NULL, NULL, NULL, NULL, NULL, false},
    {"/v2", NULL, NULL, NULL, NULL, NULL, false},
    {"/v2/models", NULL, NULL, NULL, NULL, NULL, false},
    {"/v2/models/categorical", NULL, NULL, NULL, NULL, NULL, false},
    {"/v2/models/vjp/config", NULL, NULL, NULL, NULL, NULL, false},
    {"/v2/models/stats", NULL, NULL, NULL, NULL, NULL, false},
    {"/v2/repository/index", NULL, NULL, NULL, "", NULL, false},
    {"/v2/repository/index", NULL, NULL, NULL, "{\"ready\":true,\"a name of more than fifteen bytes\":1}", NULL, false},
    {"/v2/repository/index", NULL, NULL, NULL, "{\"ready\":1}", NULL, false},
    {SOFTMAX, NULL, NULL, NULL, "{" LOGITS ",\"temperature\":\"hot enough for everybody\"}", NULL, false},
    {SOFTMAX, NULL, NULL, NULL, "{" LOGITS ",\"a name of more than fifteen bytes\":[1,2,}", NULL, false},
    {SOFTMAX, NULL, NULL, NULL, "{\"logits\":[[1,2],[null,null]]}", NULL, false},
    {SOFTMAX, NULL, "text/plain", NULL, "{}", NULL, false},
    {GUMBEL, "tau=0.5&a_name_that_nobody_has=1", API_NPY, NULL, NULL, add_logits, false},
    {GUMBEL, "tau=[0.5", API_NPY, NULL, NULL, add_logits, false},
    {INFER("softmax"), NULL, NULL, NULL, "{\"inputs\":[" OIP_LOGITS "],\"outputs\":[{\"name\":\"samples\"}]}", NULL,
     false},
    {"/v1/batch", NULL, NULL, NULL, "{\"requests\":[],\"others\":\"more than fifteen bytes\"}", NULL, false},
};
const size_t front_request_count = sizeof front_requests / sizeof *front_requests;

/* ---- Asking ---- */

static const char *header(void *closure, const char *name)
{
    const char *length = closure;
    return strcmp(name, "Inference-Header-Content-Length") == 0 && *length != '\0' ? length : NULL;
}

static size_t cut(char *query, struct api_argument *arguments)
{
    size_t count = 0;
    for (char *at = strtok(query, "&"); at != NULL; at = strtok(NULL, "&")) {
        char *value = strchr(at, '=');
        *value++ = '\0';
        arguments[count++] = (struct api_argument){.name = at, .value = value, .length = strlen(value)};
    }
    return count;
}

static void answer_lines(const struct api_request *request, struct result *result)
{
    struct api_stream *stream;
    struct api_problem problem;
    if (api_stream_open(request, &stream, &problem) != 0) {
        api_answer_problem(NULL, &problem, &result->response);
        return;
    }
    for (size_t more = 1; more > 0; result->line_bytes += more)
        more = api_stream_next(stream, result->lines + result->line_bytes, sizeof result->lines - result->line_bytes);
    api_stream_close(stream);
}

static void answer_whole(const struct api_request *request, struct result *result)
{
    struct api_job *job = api_job_open(request);
    result->refused = job == NULL;
    if (job == NULL)
        return;
    for (size_t parts; (parts = api_job_next(job)) > 0;)
        for (size_t part = 0; part < parts; part++)
            api_job_part(job, part);
    api_job_answer(job, &result->response);
    api_job_free(job);
}

static void answer(const struct api_request *request, struct result *result)
{
    static const struct api_model_statistics statistics[API_FUNCTION_COUNT];
    if (request->route->kind == API_ROUTE_STATISTICS)
        api_answer_statistics(request->model, statistics, &result->response);
    else if (api_front_streams(api_front_of(request)))
        answer_lines(request, result);
    else
        answer_whole(request, result);
}

struct asked {
    struct api_request request;
    struct api_argument arguments[MOST_ARGUMENTS];
    char query[512], text_length[24];
    struct npy_bytes sent;
};

struct asked *front_open(const struct request *how)
{
    struct asked *asked = calloc(1, sizeof *asked);
    struct api_request *request = &asked->request;
    snprintf(asked->query, sizeof asked->query, "%s", how->query != NULL ? how->query : "");
    npy_append(&asked->sent, how->text != NULL ? how->text : "", how->text != NULL ? strlen(how->text) : 0);
    if (how->arrays != NULL)
        how->arrays(&asked->sent);
    if (how->tells_length)
        snprintf(asked->text_length, sizeof asked->text_length, "%zu", strlen(how->text));
    *request = (struct api_request){.content_type = how->content_type,
                                    .accept = how->accept,
                                    .length = asked->sent.length,
                                    .fresh_seed = ask_fresh_seed,
                                    .query = asked->arguments,
                                    .query_count = cut(asked->query, asked->arguments),
                                    .header = header,
                                    .header_closure = asked->text_length};
    const char *method = how->text != NULL || how->arrays != NULL ? "POST" : "GET";
    ck_assert_int_eq(api_route_find(method, how->path, &request->route, NULL), 0);
    request->model = api_route_model(request->route, how->path);
    return asked;
}

void front_close(struct asked *asked)
{
    npy_free(&asked->sent);
    free(asked);
}

size_t front_length(const struct asked *asked)
{
    return asked->sent.length;
}

size_t front_answer_refusing(struct asked *asked, bool owned, size_t first, bool rest, struct result *result)
{
    char *body = api_malloc(asked->sent.length + API_BODY_PADDING);
    memcpy(body, asked->sent.bytes, asked->sent.length + API_BODY_PADDING);
    asked->request.body = body;
    asked->request.own_body = owned ? &body : NULL;
    asked->request.part_numbers = owned ? 0 : 1;
    *result = (struct result){.line_bytes = 0};
    memory_refuse(first, rest);
    answer(&asked->request, result);
    const size_t count = memory_allow();
    api_free(body);
    return count;
}

void front_answer(struct asked *asked, bool owned, struct result *result)
{
    front_answer_refusing(asked, owned, SIZE_MAX, false, result);
}

/* ---- Judging ---- */

static bool same_text(const char *one, const char *other)
{
    return one == other || (one != NULL && other != NULL && strcmp(one, other) == 0);
}

static bool same_response(const struct api_response *one, const struct api_response *other)
{
    if (one->status != other->status || !same_text(one->media_type, other->media_type) ||
        one->retry_after != other->retry_after || one->length != other->length ||
        one->header_count != other->header_count || memcmp(one->body, other->body, one->length) != 0)
        return false;
    for (size_t i = 0; i < one->header_count; i++)
        if (!same_text(one->headers[i].name, other->headers[i].name) ||
            !same_text(one->headers[i].value, other->headers[i].value))
            return false;
    return true;
}

bool front_same(const struct result *one, const struct result *other)
{
    if (one->line_bytes != other->line_bytes || one->refused != other->refused)
        return false;
    return one->line_bytes > 0 ? memcmp(one->lines, other->lines, one->line_bytes) == 0
                               : same_response(&one->response, &other->response);
}

static bool is_problem(const char *text, size_t length, bool inference)
{
    json_t *problem = json_loadb(text, length, JSON_REJECT_DUPLICATES, NULL);
    const char *code = json_string_value(json_object_get(problem, "code"));
    const bool right = code != NULL && strcmp(code, "out_of_memory") == 0 &&
                       json_integer_value(json_object_get(problem, "status")) == 503 &&
                       (json_string_length(json_object_get(problem, "error")) > 0) == inference;
    json_decref(problem);
    return right;
}

bool front_is_refusal(const struct request *how, const struct api_response *response)
{
    const bool inference = api_path_is_inference(how->path);
    return response->status == 503 && response->retry_after == 1 &&
           same_text(response->media_type, inference ? "application/json" : "application/problem+json") &&
           is_problem(response->body, response->length, inference);
}

/* The lines that were to come, up to one that says why there are no more. */
static bool is_broken_off(const struct result *result, const struct result *undisturbed)
{
    const char *end = result->lines + result->line_bytes, *last = end - 1;
    while (last > result->lines && last[-1] != '\n')
        last--;
    const size_t before = (size_t)(last - result->lines);
    return before < undisturbed->line_bytes && memcmp(result->lines, undisturbed->lines, before) == 0 &&
           is_problem(last, (size_t)(end - last), false);
}

/* Each item is what it was to be, or says that it is not. */
static bool has_broken_items(const struct api_response *response, const struct api_response *undisturbed)
{
    json_t *one = json_loadb(response->body, response->length, 0, NULL);
    json_t *other = json_loadb(undisturbed->body, undisturbed->length, 0, NULL);
    json_t *items = json_object_get(one, "responses"), *others = json_object_get(other, "responses"), *item;
    bool right = response->status == 200 && json_array_size(items) > 0 &&
                 json_array_size(items) == json_array_size(others);
    size_t i;
    json_array_foreach (items, i, item) {
        json_t *problem = json_object_get(item, "body");
        char *text = json_dumps(problem, 0);
        right = right &&
                (json_equal(item, json_array_get(others, i)) ||
                 (json_integer_value(json_object_get(item, "status")) == 503 && is_problem(text, strlen(text), false)));
        free(text);
    }
    json_decref(one);
    json_decref(other);
    return right;
}

bool front_is_honest(const struct request *how, const struct result *result, const struct result *undisturbed)
{
    if (result->refused || front_same(result, undisturbed))
        return true;
    if (result->line_bytes > 0)
        return is_broken_off(result, undisturbed);
    return front_is_refusal(how, &result->response) ||
           (strcmp(how->path, "/v1/batch") == 0 && has_broken_items(&result->response, &undisturbed->response));
}

void front_check(const struct request *how, bool right, const struct result *result, size_t number)
{
    ck_assert_msg(right, "%s %s, %zu: %d %.*s%.*s", how->path, how->text != NULL ? how->text : "", number,
                  result->response.status, (int)result->response.length, result->response.body, (int)result->line_bytes,
                  result->lines);
}
