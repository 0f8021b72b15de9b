/* What each parameter refuses, and where it says that it was. */
#include "lib/ask.h"
#include "lib/suite.h"
#include "numbers.h"

#include <stdio.h>

#define SOFTMAX "/v1/softmax"
#define GUMBEL "/v1/gumbel_softmax"
#define CATEGORICAL "/v1/categorical"
#define VJP "/v1/vjp"

#define LOGITS "\"logits\":[[0.5,2,1,-1],[3,2.5,0,1]]"
#define COTANGENT "\"cotangent\":[[1,-1,2,0],[0.5,0,0,3]]"

static const struct {
    const char *path, *members, *code, *pointer;
    int status;
} refusals[] = {
    {SOFTMAX, "\"dim\":2", "out_of_range", "/dim", 400},
    {SOFTMAX, "\"dim\":-3", "out_of_range", "/dim", 400},
    {SOFTMAX, "\"dim\":8", "out_of_range", "/dim", 400},
    {SOFTMAX, "\"dim\":0.5", "wrong_type", "/dim", 400},
    {SOFTMAX, "\"dim\":\"0\"", "wrong_type", "/dim", 400},
    {SOFTMAX, "\"dtype\":\"float16\"", "out_of_range", "/dtype", 400},
    {SOFTMAX, "\"dtype\":32", "wrong_type", "/dtype", 400},
    {SOFTMAX, "\"on_invalid\":\"ignore\"", "out_of_range", "/on_invalid", 400},
    {SOFTMAX, "\"mask\":[true]", "wrong_length", "/mask", 400},
    {SOFTMAX, "\"mask\":[[true,true,true,true]]", "wrong_length", "/mask", 400},
    {SOFTMAX, "\"mask\":[[true,true],[true,true],[true,true],[true,true]]", "wrong_length", "/mask", 400},
    {SOFTMAX, "\"mask\":true", "wrong_type", "/mask", 400},
    {SOFTMAX, "\"mask\":[1,0,1,0]", "wrong_type", "/mask/0", 400},
    {SOFTMAX, "\"mask\":[false,false,false,false]", "invalid_row", "/mask", 422},
    {SOFTMAX, "\"mask\":[[true,true,true,true],[false,false,false,false]]", "invalid_row", "/mask/1", 422},
    {SOFTMAX, "\"seed\":1", "unknown_member", "/seed", 400},
    {SOFTMAX, "\"return\":[\"probabilities\"]", "unknown_member", "/return", 400},
    {SOFTMAX, "\"temperature\":{\"schedule\":\"linear\"}", "wrong_type", "/temperature", 400},
    {SOFTMAX, "\"temperature\":[[1],[2]]", "wrong_type", "/temperature", 400},
    {GUMBEL, "\"tau\":{}", "missing_member", "/tau/schedule", 400},
    {GUMBEL, "\"tau\":{\"schedule\":1}", "wrong_type", "/tau/schedule", 400},
    {GUMBEL, "\"tau\":{\"schedule\":\"step\"}", "out_of_range", "/tau/schedule", 400},
    {GUMBEL, "\"tau\":{\"schedule\":\"linear\",\"start\":1,\"min\":0,\"step\":1}", "missing_member", "/tau/steps", 400},
    {GUMBEL, "\"tau\":{\"schedule\":\"linear\",\"rate\":1}", "unknown_member", "/tau/rate", 400},
    {GUMBEL, "\"tau\":{\"schedule\":\"cosine\",\"start\":1,\"min\":0,\"steps\":0,\"step\":1}", "out_of_range",
     "/tau/steps", 400},
    {GUMBEL, "\"tau\":{\"schedule\":\"cosine\",\"start\":1,\"min\":0,\"steps\":2,\"step\":0.5}", "wrong_type",
     "/tau/step", 400},
    {GUMBEL, "\"tau\":{\"schedule\":\"exponential\",\"start\":-1,\"min\":0,\"rate\":1,\"step\":1}", "out_of_range",
     "/tau/start", 400},
    {GUMBEL, "\"tau\":{\"schedule\":\"exponential\",\"start\":1,\"min\":0,\"rate\":\"1\",\"step\":1}", "wrong_type",
     "/tau/rate", 400},
    {GUMBEL, "\"tau\":{\"schedule\":\"exponential\",\"a/b\":1}", "unknown_member", "/tau/a~1b", 400},
    {GUMBEL, "\"num_samples\":0", "out_of_range", "/num_samples", 400},
    {GUMBEL, "\"num_samples\":1.5", "wrong_type", "/num_samples", 400},
    {GUMBEL, "\"num_samples\":[1,2]", "wrong_type", "/num_samples", 400},
    {GUMBEL, "\"num_samples\":1048577", "limit_exceeded", "/num_samples", 413},
    {GUMBEL, "\"draw_offset\":-1", "out_of_range", "/draw_offset", 400},
    {GUMBEL, "\"draw_offset\":0.5", "wrong_type", "/draw_offset", 400},
    {GUMBEL, "\"draw_offset\":4294967296", "out_of_range", "/draw_offset", 400},
    {GUMBEL, "\"draw_offset\":4294967295,\"num_samples\":2", "out_of_range", "/draw_offset", 400},
    {GUMBEL, "\"draw_offset\":[1]", "wrong_length", "/draw_offset", 400},
    {GUMBEL, "\"draw_offset\":[1,-1]", "out_of_range", "/draw_offset/1", 400},
    {GUMBEL, "\"draw_offset\":[4294967294,4294967295],\"num_samples\":2", "out_of_range", "/draw_offset/1", 400},
    {CATEGORICAL, "\"draw_offset\":[1,2],\"rng\":\"torch\"", "out_of_range", "/draw_offset", 400},
    {SOFTMAX, "\"draw_offset\":1", "unknown_member", "/draw_offset", 400},
    {CATEGORICAL, "\"draw_offset\":4294967200,\"num_samples\":97", "out_of_range", "/draw_offset", 400},
    {VJP, "\"function\":\"softmax\",\"draw_offset\":1," COTANGENT, "unknown_member", "/draw_offset", 400},
    {GUMBEL, "\"noise_scale\":-0.5", "out_of_range", "/noise_scale", 400},
    {GUMBEL, "\"noise_scale\":[1,-0.5]", "out_of_range", "/noise_scale/1", 400},
    {GUMBEL, "\"noise_scale\":[1]", "wrong_length", "/noise_scale", 400},
    {GUMBEL, "\"return\":[]", "wrong_type", "/return", 400},
    {GUMBEL, "\"return\":\"samples\"", "wrong_type", "/return", 400},
    {GUMBEL, "\"return\":[\"samples\",1]", "wrong_type", "/return/1", 400},
    {GUMBEL, "\"return\":[\"samples\",\"scores\"]", "out_of_range", "/return/1", 400},
    {GUMBEL, "\"replacement\":true", "unknown_member", "/replacement", 400},
    {CATEGORICAL, "\"tau\":1", "unknown_member", "/tau", 400},
    {CATEGORICAL, "\"temperature\":-1", "out_of_range", "/temperature", 400},
    {CATEGORICAL, "\"replacement\":0", "wrong_type", "/replacement", 400},
    {CATEGORICAL, "\"replacement\":false,\"num_samples\":5", "too_few_classes", "/logits/0", 422},
    {CATEGORICAL, "\"replacement\":false,\"num_samples\":4,\"top_k\":[4,3]", "too_few_classes", "/logits/1", 422},
    {CATEGORICAL, "\"method\":\"alias\"", "out_of_range", "/method", 400},
    {CATEGORICAL, "\"method\":1", "wrong_type", "/method", 400},
    {CATEGORICAL, "\"method\":\"inverse_cdf\",\"replacement\":false", "out_of_range", "/method", 400},
    {CATEGORICAL, "\"method\":\"inverse_cdf\",\"return\":[\"indices\",\"scores\"]", "out_of_range", "/method", 400},
    {CATEGORICAL, "\"method\":\"inverse_cdf\",\"rng\":\"torch\"", "out_of_range", "/method", 400},
    {CATEGORICAL, "\"method\":\"inverse_cdf\",\"rng\":\"jax\"", "out_of_range", "/method", 400},
    {GUMBEL, "\"method\":\"gumbel_max\"", "unknown_member", "/method", 400},
    {CATEGORICAL, "\"top_k\":-2", "out_of_range", "/top_k", 400},
    {CATEGORICAL, "\"top_k\":1.5", "wrong_type", "/top_k", 400},
    {CATEGORICAL, "\"top_k\":[1,2147483648]", "out_of_range", "/top_k/1", 400},
    {CATEGORICAL, "\"top_p\":1.1", "out_of_range", "/top_p", 400},
    {CATEGORICAL, "\"top_p\":[0,-0.1]", "out_of_range", "/top_p/1", 400},
    {CATEGORICAL, "\"min_p\":-0.1", "out_of_range", "/min_p", 400},
    {CATEGORICAL, "\"min_p\":[1.1,3.5e38]", "out_of_range", "/min_p/1", 400},
    {CATEGORICAL, "\"top_n_sigma\":-1.5", "out_of_range", "/top_n_sigma", 400},
    {CATEGORICAL, "\"top_n_sigma\":[1,\"2\"]", "wrong_type", "/top_n_sigma/1", 400},
    {CATEGORICAL, "\"epsilon_cutoff\":1.1", "out_of_range", "/epsilon_cutoff", 400},
    {CATEGORICAL, "\"epsilon_cutoff\":[0,-0.1]", "out_of_range", "/epsilon_cutoff/1", 400},
    {CATEGORICAL, "\"eta_cutoff\":1.1", "out_of_range", "/eta_cutoff", 400},
    {CATEGORICAL, "\"eta_cutoff\":[0.5]", "wrong_length", "/eta_cutoff", 400},
    {CATEGORICAL, "\"min_keep\":-1", "out_of_range", "/min_keep", 400},
    {CATEGORICAL, "\"min_keep\":[1,1.5]", "wrong_type", "/min_keep/1", 400},
    {GUMBEL, "\"min_keep\":1", "unknown_member", "/min_keep", 400},
    {CATEGORICAL, "\"replacement\":false,\"num_samples\":4,\"epsilon_cutoff\":[0,1],\"min_keep\":3", "too_few_classes",
     "/logits/1", 422},
    {CATEGORICAL, "\"typical_p\":0", "out_of_range", "/typical_p", 400},
    {CATEGORICAL, "\"typical_p\":[1,0]", "out_of_range", "/typical_p/1", 400},
    {CATEGORICAL, "\"logit_bias\":[1]", "wrong_type", "/logit_bias", 400},
    {CATEGORICAL, "\"logit_bias\":{\"4\":1}", "out_of_range", "/logit_bias/4", 400},
    {CATEGORICAL, "\"logit_bias\":{\"01\":1}", "out_of_range", "/logit_bias/01", 400},
    {CATEGORICAL, "\"logit_bias\":{\"-1\":1}", "out_of_range", "/logit_bias/-1", 400},
    {CATEGORICAL, "\"logit_bias\":{\"\":1}", "out_of_range", "/logit_bias/", 400},
    {CATEGORICAL, "\"logit_bias\":{\"99999999999999999999\":1}", "out_of_range", "/logit_bias/99999999999999999999",
     400},
    {CATEGORICAL, "\"logit_bias\":{\"1\":\"1\"}", "wrong_type", "/logit_bias/1", 400},
    {CATEGORICAL, "\"logit_bias\":{\"1\":1e39}", "out_of_range", "/logit_bias/1", 400},
    {CATEGORICAL, "\"logit_bias\":{\"0\":null,\"1\":null,\"2\":null,\"3\":\"-Infinity\"}", "invalid_row", "/logit_bias",
     422},
    {CATEGORICAL, "\"filter_order\":\"first\"", "out_of_range", "/filter_order", 400},
    {CATEGORICAL, "\"filter_order\":\"top_k\"", "out_of_range", "/filter_order", 400},
    {CATEGORICAL, "\"filter_order\":1", "wrong_type", "/filter_order", 400},
    {CATEGORICAL, "\"filter_order\":{}", "wrong_type", "/filter_order", 400},
    {CATEGORICAL, "\"filter_order\":[\"top_k\",1]", "wrong_type", "/filter_order/1", 400},
    {CATEGORICAL, "\"filter_order\":[\"top_k\",\"seed\"]", "out_of_range", "/filter_order/1", 400},
    {CATEGORICAL, "\"filter_order\":[\"temperature_first\"]", "out_of_range", "/filter_order/0", 400},
    {CATEGORICAL, "\"filter_order\":[\"top_k\",\"temperature\",\"top_k\"]", "out_of_range", "/filter_order/2", 400},
    {CATEGORICAL, "\"filter_order\":[\"top_k\"],\"top_p\":0.5", "out_of_range", "/filter_order", 400},
    {CATEGORICAL, "\"filter_order\":[\"top_k\"],\"top_p\":[1,1]", "out_of_range", "/filter_order", 400},
    {CATEGORICAL, "\"filter_order\":[],\"temperature\":0.5", "out_of_range", "/filter_order", 400},
    {CATEGORICAL, "\"logprobs\":-1", "out_of_range", "/logprobs", 400},
    {CATEGORICAL, "\"logprobs\":true", "wrong_type", "/logprobs", 400},
    {CATEGORICAL, "\"logprobs_of\":\"all\"", "out_of_range", "/logprobs_of", 400},
    {CATEGORICAL, "\"logprobs_for\":3", "wrong_type", "/logprobs_for", 400},
    {CATEGORICAL, "\"logprobs_for\":[]", "wrong_type", "/logprobs_for", 400},
    {CATEGORICAL, "\"logprobs_for\":{\"0\":1}", "wrong_type", "/logprobs_for", 400},
    {CATEGORICAL, "\"logprobs_for\":[0,4]", "out_of_range", "/logprobs_for/1", 400},
    {CATEGORICAL, "\"logprobs_for\":[-1]", "out_of_range", "/logprobs_for/0", 400},
    {CATEGORICAL, "\"logprobs_for\":[0,0.5]", "wrong_type", "/logprobs_for/1", 400},
    {CATEGORICAL, "\"logprobs_for\":[[0]]", "wrong_type", "/logprobs_for/0", 400},
    {GUMBEL, "\"logprobs_for\":[0]", "unknown_member", "/logprobs_for", 400},
    {CATEGORICAL, "\"return\":[\"top_indices\"]", "out_of_range", "/return/0", 400},
    {VJP, COTANGENT, "missing_member", "/function", 400},
    {VJP, "\"function\":\"softmax\"", "missing_member", "/cotangent", 400},
    {VJP, "\"function\":\"categorical\"," COTANGENT, "out_of_range", "/function", 400},
    {VJP, "\"function\":\"softmax\",\"cotangent\":1", "wrong_type", "/cotangent", 400},
    {VJP, "\"function\":\"softmax\",\"cotangent\":[1,2,3,4]", "wrong_length", "/cotangent", 400},
    {VJP, "\"function\":\"softmax\",\"cotangent\":[[1,2,3,null],[1,2,3,4]]", "wrong_type", "/cotangent/0/3", 400},
    {VJP, "\"function\":\"softmax\",\"tau\":1," COTANGENT, "unknown_member", "/tau", 400},
    {VJP, "\"function\":\"softmax\",\"tau\":[1,2]," COTANGENT, "unknown_member", "/tau", 400},
    {VJP, "\"function\":\"softmax\",\"estimator\":\"straight_through\"," COTANGENT, "unknown_member", "/estimator",
     400},
    {VJP, "\"function\":\"gumbel_softmax\",\"temperature\":1," COTANGENT, "unknown_member", "/temperature", 400},
    {VJP, "\"function\":\"gumbel_softmax\",\"return\":[\"samples\"]," COTANGENT, "unknown_member", "/return", 400},
    {VJP, "\"function\":\"gumbel_softmax\",\"num_samples\":1," COTANGENT, "wrong_length", "/cotangent", 400},
    {VJP, "\"function\":\"gumbel_softmax\",\"estimator\":\"rao\"," COTANGENT, "out_of_range", "/estimator", 400},
    {VJP, "\"function\":\"gumbel_softmax\",\"estimator\":\"gumbel_rao\"," COTANGENT, "out_of_range", "/estimator", 400},
    {VJP, "\"function\":\"gumbel_softmax\",\"conditional_samples\":5," COTANGENT, "out_of_range",
     "/conditional_samples", 400},
    {VJP,
     "\"function\":\"gumbel_softmax\",\"estimator\":\"gumbel_rao\",\"hard\":true,\"conditional_samples\":0," COTANGENT,
     "out_of_range", "/conditional_samples", 400},
};

START_TEST(a_parameter_refuses_what_it_is_not)
{
    char body[512];
    snprintf(body, sizeof body, "{" LOGITS ",%s}", refusals[_i].members);
    assert_problem(refusals[_i].path, body, refusals[_i].status, refusals[_i].code, refusals[_i].pointer);
}
END_TEST

TEST_SUITE("api")
{
    Suite *suite = suite_create("api: refusals");
    TCase *refused = tcase_create("parameters");
    tcase_add_loop_test(refused, a_parameter_refuses_what_it_is_not, 0, sizeof refusals / sizeof *refusals);
    suite_add_tcase(suite, refused);
    return suite;
}
