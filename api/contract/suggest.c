#include "contract/suggest.h"

#include <stdio.h>
#include <string.h>

/* ---- Distance ---- */

enum { LONGEST = 64 /* longer than any name that is known, and two more */ };

static unsigned char least(size_t a, size_t b)
{
    return (unsigned char)(a < b ? a : b);
}

/* The letters that count; returns how many, or LONGEST where there are more. */
static size_t fold(const char *name, char letters[LONGEST])
{
    size_t length = 0;
    for (; *name != '\0' && length < LONGEST; name++)
        if (*name != '_' && *name != '-')
            letters[length++] = *name >= 'A' && *name <= 'Z' ? (char)(*name | 0x20) : *name;
    return length;
}

/* cost[i][j] is the distance of the first i letters of `a` to the first j of `b`. */
static size_t distance(const char *a, size_t a_length, const char *b, size_t b_length)
{
    unsigned char cost[LONGEST + 1][LONGEST + 1];
    for (size_t i = 0; i <= a_length; i++)
        for (size_t j = 0; j <= b_length; j++) {
            if (i == 0 || j == 0) {
                cost[i][j] = (unsigned char)(i + j);
                continue;
            }
            cost[i][j] = least(least(cost[i - 1][j], cost[i][j - 1]) + 1u, cost[i - 1][j - 1] + (a[i - 1] != b[j - 1]));
            if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
                cost[i][j] = least(cost[i][j], cost[i - 2][j - 2] + 1u);
        }
    return cost[a_length][b_length];
}

unsigned suggest_distance(const char *name, const char *known)
{
    char a[LONGEST], b[LONGEST];
    const size_t a_length = fold(name, a), b_length = fold(known, b);
    if (a_length == LONGEST || b_length == LONGEST || a_length > b_length + 2 || b_length > a_length + 2)
        return SUGGEST_FAR;
    const size_t edits = distance(a, a_length, b, b_length);
    return edits < SUGGEST_FAR && (edits == 0 || 2 * edits < b_length) ? (unsigned)edits : SUGGEST_FAR;
}

const char *suggest_name(const char *const *names, const char *name)
{
    unsigned lowest = SUGGEST_FAR;
    const char *nearest = NULL;
    for (; *names != NULL; names++) {
        const unsigned edits = suggest_distance(name, *names);
        if (edits < lowest) {
            lowest = edits;
            nearest = *names;
        }
    }
    return nearest;
}

/* ---- Parameters ---- */

/* Words of torch, NumPy, JAX, TensorFlow and the APIs of language models. The first whose parameter is taken counts.
 * None is here that proxies and browsers put into queries, as `key` and `t`. */
static const struct synonym {
    const char *word;
    enum api_parameter_id id;
} synonyms[] = {
    {"input", API_LOGITS},
    {"inputs", API_LOGITS},
    {"scores", API_LOGITS},
    {"data", API_LOGITS},
    {"instances", API_LOGITS},
    {"axis", API_DIM},
    {"axes", API_DIM},
    {"class_axis", API_DIM},
    {"where", API_MASK},
    {"attention_mask", API_MASK},
    {"allowed", API_MASK},
    {"type", API_DTYPE},
    {"precision", API_DTYPE},
    {"temp", API_TEMPERATURE},
    {"temp", API_TAU},
    {"tau", API_TEMPERATURE},
    {"temperature", API_TAU},
    {"one_hot", API_HARD},
    {"discrete", API_HARD},
    {"random_seed", API_SEED},
    {"rng_seed", API_SEED},
    {"seed_value", API_SEED},
    {"random_state", API_SEED},
    {"generator", API_SEED},
    {"rng", API_SEED},
    {"offset", API_ROW_OFFSET},
    {"first_row", API_ROW_OFFSET},
    {"step", API_DRAW_OFFSET},
    {"position", API_DRAW_OFFSET},
    {"first_draw", API_DRAW_OFFSET},
    {"sample_offset", API_DRAW_OFFSET},
    {"n", API_NUM_SAMPLES},
    {"samples", API_NUM_SAMPLES},
    {"draws", API_NUM_SAMPLES},
    {"num_draws", API_NUM_SAMPLES},
    {"size", API_NUM_SAMPLES},
    {"sample_shape", API_NUM_SAMPLES},
    {"num_return_sequences", API_NUM_SAMPLES},
    {"noise", API_NOISE_SCALE},
    {"replace", API_REPLACEMENT},
    {"k", API_FILTER + CORE_TOP_K},
    {"p", API_FILTER + CORE_TOP_P},
    {"nucleus", API_FILTER + CORE_TOP_P},
    {"typical", API_FILTER + CORE_TYPICAL_P},
    {"bias", API_LOGIT_BIAS},
    {"top_logprobs", API_LOGPROBS},
    {"num_logprobs", API_LOGPROBS},
    {"logprob_token_ids", API_LOGPROBS_FOR},
    {"fn", API_FUNCTION},
    {"func", API_FUNCTION},
    {"grad", API_COTANGENT},
    {"gradient", API_COTANGENT},
    {"grad_output", API_COTANGENT},
    {"grad_outputs", API_COTANGENT},
    {"upstream", API_COTANGENT},
    {"output", API_RETURN},
    {"outputs", API_RETURN},
};

static const struct api_parameter *find_synonym(api_parameter_set parameters, const char *name)
{
    for (size_t i = 0; i < sizeof synonyms / sizeof *synonyms; i++)
        if (parameters >> synonyms[i].id & 1 && suggest_distance(name, synonyms[i].word) == 0)
            return &api_parameters[synonyms[i].id];
    return NULL;
}

/* The nearest with fewer edits than `limit`. */
static const struct api_parameter *find_nearest(api_parameter_set parameters, const char *name, unsigned limit)
{
    const struct api_parameter *nearest = NULL;
    for (int id = 0; id < API_PARAMETER_COUNT; id++) {
        const unsigned edits = parameters >> id & 1 ? suggest_distance(name, api_parameters[id].name) : SUGGEST_FAR;
        if (edits < limit) {
            limit = edits;
            nearest = &api_parameters[id];
        }
    }
    return nearest;
}

/* A known name that the function does not take is no slip for another. */
const struct api_parameter *suggest_parameter(api_parameter_set parameters, const char *name)
{
    const struct api_parameter *same = find_nearest(parameters, name, 1);
    const struct api_parameter *meant = same != NULL ? same : find_synonym(parameters, name);
    if (meant != NULL || api_parameter_find(NULL, name, strlen(name)) != NULL)
        return meant;
    return find_nearest(parameters, name, SUGGEST_FAR);
}

static void list_members(api_parameter_set parameters, char *text, size_t size)
{
    size_t used = 0;
    for (int id = 0; id < API_PARAMETER_COUNT && used < size; id++)
        if (parameters >> id & 1)
            used += (size_t)snprintf(text + used, size - used, "%s%s", used > 0 ? ", " : "", api_parameters[id].name);
}

void suggest_members(const char *of, api_parameter_set parameters, const char *name, char *text, size_t size)
{
    char members[400] = "";
    const struct api_parameter *meant = suggest_parameter(parameters, name);
    list_members(parameters, members, sizeof members);
    if (meant != NULL)
        snprintf(text, size, "%s takes %s, not %s; its members are %s", of, meant->name, name, members);
    else
        snprintf(text, size, "%s has no such member; its members are %s", of, members);
}
