/* What a problem's text advises: the name that was meant, what to write instead, the flag that sets a limit. */
#include "contract/suggest.h"
#include "lib/ask.h"
#include "lib/suite.h"

#include <stdio.h>
#include <string.h>

#define SOFTMAX "/v1/softmax"
#define GUMBEL "/v1/gumbel_softmax"
#define CATEGORICAL "/v1/categorical"
#define VJP "/v1/vjp"

static void assert_advice(const struct answer *answer, int status, const char *code, const char *pointer,
                          const char *text)
{
    ck_assert_msg(answer->status == status && strcmp(ask_text(answer, "code"), code) == 0 &&
                      strcmp(ask_text(answer, "pointer"), pointer) == 0 &&
                      strstr(ask_text(answer, "detail"), text) != NULL,
                  "%s where it should be %s at %s: %s", answer->text, code, pointer, text);
}

/* ---- Names ---- */

static const struct {
    const char *path, *name, *text;
} members[] = {
    {GUMBEL, "temperature",
     "gumbel_softmax takes tau, not temperature; its members are logits, dim, mask, dtype, on_invalid, tau, hard, "
     "seed, "
     "row_offset, num_samples, noise_scale, return"},
    {SOFTMAX, "tau", "softmax takes temperature, not tau; its members are logits, dim, mask"},
    {SOFTMAX, "axis", "takes dim, not axis;"},
    {CATEGORICAL, "n", "takes num_samples, not n;"},
    {CATEGORICAL, "topK", "takes top_k, not topK;"},
    {CATEGORICAL, "k", "takes top_k, not k;"},
    {CATEGORICAL, "random-seed", "takes seed, not random-seed;"},
    {SOFTMAX, "Logits", "takes logits, not Logits;"},
    {SOFTMAX, "inputs", "takes logits, not inputs;"},
    {SOFTMAX, "temprature", "takes temperature, not temprature;"},
    {SOFTMAX, "tempreature", "takes temperature, not tempreature;"},
    {SOFTMAX, "nope", "softmax has no such member; its members are logits, dim, mask, dtype, on_invalid, temperature"},
    {SOFTMAX, "seed", "softmax has no such member;"},
    {GUMBEL, "top_k", "gumbel_softmax has no such member;"},
    {CATEGORICAL, "", "logprobs, logprobs_of, return"},
};

START_TEST(an_unknown_member_is_told_what_was_meant)
{
    char pointer[64];
    struct answer answer = ask(members[_i].path, "{\"logits\":[1,2],\"%s\":1}", members[_i].name);
    snprintf(pointer, sizeof pointer, "/%s", members[_i].name);
    assert_advice(&answer, 400, "unknown_member", pointer, members[_i].text);
    ask_free(&answer);
}
END_TEST

START_TEST(vjp_tells_of_the_function_that_it_differentiates)
{
    struct answer answer = ask(VJP, "{\"logits\":[1,2],\"cotangent\":[1,2],\"function\":\"softmax\",\"tau\":1}");
    assert_advice(&answer, 400, "unknown_member", "/tau", "vjp of softmax takes temperature, not tau; its members are");
    ask_free(&answer);
}
END_TEST

START_TEST(a_distance_counts_edits_of_letters)
{
    static const struct {
        const char *name, *known;
        unsigned distance;
    } cases[] = {
        {"logits", "logits", 0},
        {"Log_Its", "logits", 0},
        {"lgoits", "logits", 1},
        {"logit", "logits", 1},
        {"logitss", "logits", 1},
        {"lagits", "logits", 1},
        {"lgotis", "logits", 2},
        {"lo", "logits", 3},
        {"logitsabc", "logits", 3},
        {"abc", "dim", 3},
        {"tua", "tau", 1},
        {"tx", "tau", 3},
        {"", "dim", 3},
        {"", "k", 3},
        {"top-k", "top_k", 0},
        {"ca", "abc", 3},
        {"xlogitsy", "logits", 2},
        {"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", "logits", 3},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        ck_assert_msg(suggest_distance(cases[i].name, cases[i].known) == cases[i].distance, "%s, %s: %u", cases[i].name,
                      cases[i].known, suggest_distance(cases[i].name, cases[i].known));
}
END_TEST

TEST_SUITE("api")
{
    Suite *suite = suite_create("api: advice");
    TCase *names = tcase_create("names");
    tcase_add_loop_test(names, an_unknown_member_is_told_what_was_meant, 0, sizeof members / sizeof *members);
    tcase_add_test(names, vjp_tells_of_the_function_that_it_differentiates);
    tcase_add_test(names, a_distance_counts_edits_of_letters);
    suite_add_tcase(suite, names);
    return suite;
}
