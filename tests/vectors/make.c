/* Writes the published test vectors, api/vectors/NAME.json, from the core's own results.
 *
 *   make-vectors noise | gumbel_softmax
 *
 * Integers are exact; floats have the 9 digits that name a float32, `t` all of its double's. */
#include "core.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_VALUES = 64 };

static void print_words(const char *name, const uint32_t *words, size_t count)
{
    printf("      \"%s\": [", name);
    for (size_t i = 0; i < count; i++)
        printf("%s%u", i > 0 ? ", " : "", (unsigned)words[i]);
    puts("],");
}

/* -inf is null. `end` follows the list. */
static void print_floats(const char *name, const float *values, size_t count, const char *end)
{
    printf("      \"%s\": [", name);
    for (size_t i = 0; i < count; i++)
        if (values[i] == -INFINITY)
            printf("%snull", i > 0 ? ", " : "");
        else
            printf("%s%.9g", i > 0 ? ", " : "", (double)values[i]);
    printf("]%s\n", end);
}

static void print_t(const uint32_t *words, size_t count)
{
    printf("      \"t\": [");
    for (size_t i = 0; i < count; i++) {
        uint32_t nearer = words[i] < ~words[i] ? words[i] : ~words[i];
        printf("%s%.17g", i > 0 ? ", " : "", ((double)nearer + 0.5) * 0x1p-32);
    }
    puts("],");
}

static void print_noise(const uint32_t *words, size_t count, const char *end)
{
    float exponential[MAX_VALUES], noise[MAX_VALUES];
    core_exponential(CORE_FLOAT32, words, NULL, exponential, count);
    for (size_t i = 0; i < count; i++)
        noise[i] = (float)-log((double)exponential[i]);
    print_words("words", words, count);
    print_t(words, count);
    print_floats("exponential", exponential, count, ",");
    print_floats("noise", noise, count, end);
}

static const struct stream {
    uint64_t seed, first_class;
    uint32_t row, draw, tag;
    size_t count;
} streams[] = {
    {0, 0, 0, 0, 0, 16},
    {7, 0, 0, 0, 0, 10},
    {7, 0, 1, 0, 0, 10},
    {7, 0, 0, 1, 0, 10},
    {8, 0, 0, 0, 0, 10},
    {7, 128252, 3, 0, 0, 4},
    {7, 0, 0, 0, 1, 4},
    {UINT64_C(1) << 32, 0, 0, 0, 0, 4},
    {(UINT64_C(1) << 53) - 1, 0, 0xffffffff, 0xffffffff, 0, 7},
    {UINT64_C(123456789012345), 4096, 31999, 5, 0, 9},
};

/* Words at the ends and in the middle of the map to E. */
static const uint32_t edge_words[] = {0,          1,          2,          1 << 22,    1431655764, 1431655765,
                                      0x7ffffffe, 0x7fffffff, 0x80000000, 0x80000001, 0xfffffffe, 0xffffffff};

static void make_noise(void)
{
    puts("{\n  \"rng\": \"v1\",\n  \"about\": \"Philox4x32-10 under the key (seed mod 2^32, seed / 2^32) and the "
         "counter "
         "(class / 4, row, draw, tag), word class mod 4; t = (min(u, not u) + 1/2) / 2^32; exponential = -log1p(-t) "
         "for u < 2^31, else -log t; noise = -log exponential. float32 results within 1e-6.\",\n  \"streams\": [");
    for (size_t i = 0; i < sizeof(streams) / sizeof(streams[0]); i++) {
        const struct stream *s = &streams[i];
        uint32_t words[MAX_VALUES];
        core_noise_words(words, s->first_class, s->count, s->seed, s->row, s->draw, s->tag);
        printf("    {\n      \"seed\": %llu, \"row\": %u, \"draw\": %u, \"tag\": %u, \"first_class\": %llu,\n",
               (unsigned long long)s->seed, (unsigned)s->row, (unsigned)s->draw, (unsigned)s->tag,
               (unsigned long long)s->first_class);
        print_noise(words, s->count, "");
        puts(i + 1 < sizeof(streams) / sizeof(streams[0]) ? "    }," : "    }");
    }
    puts("  ],\n  \"edges\": {");
    print_noise(edge_words, sizeof(edge_words) / sizeof(edge_words[0]), "");
    puts("  }\n}");
}

/* Logits are multiples of 1/8 in [-2, 2), exact in JSON: of class j of row r, (5 r + 7 j) % 32 / 8 - 2. */
static const struct batch {
    size_t rows, classes;
    uint64_t seeds[4]; /* one for all rows, or one for each */
    bool seed_each;
    double tau;
    uint32_t row_offset, draw;
    bool masked; /* the second class is -inf */
} batches[] = {
    {1, 3, {7}, false, 1.0f, 0, 0, false},
    {3, 4, {7}, false, 0.5f, 0, 0, false},
    {2, 4, {7}, false, 0.5f, 1, 0, false}, /* rows 1 and 2 of the one before, with their own logits */
    {4, 10, {42, 42, 43, 0}, true, 2.0f, 0, 0, false},
    {2, 10, {9007199254740991}, false, 1.0f, 100, 0, true},
    {1, 64, {2026}, false, 1.0f, 0, 3, false}, /* as long rows are computed */
    {3, 5, {5}, false, 0.0f, 0, 0, false},     /* one-hot */
    {1, 1, {5}, false, 0.5f, 0, 0, false},
};

static void print_samples(const struct batch *b, const float *logits, bool hard, const char *end)
{
    float samples[MAX_VALUES];
    size_t bad;
    struct core_gumbel_softmax_call call = {
        .logits = logits,
        .rows = b->rows,
        .classes = b->classes,
        .tau = {&b->tau, 0},
        .hard = hard,
        .noise = {.seed = b->seeds, .stride = b->seed_each, .row_offset = b->row_offset, .draw = b->draw},
        .samples = samples,
    };
    if (core_gumbel_softmax(&call, 0, b->rows, &bad) != CORE_OK)
        exit(1);
    print_floats(hard ? "hard_samples" : "samples", samples, b->rows * b->classes, end);
}

static void make_batch(const struct batch *b)
{
    float logits[MAX_VALUES];
    for (size_t i = 0; i < b->rows * b->classes; i++) {
        size_t row = i / b->classes, class = i % b->classes;
        logits[i] = (float)((5 * row + 7 * class) % 32) / 8 - 2;
        if (b->masked && class == 1)
            logits[i] = -INFINITY;
    }
    printf("    {\n      \"shape\": [%zu, %zu], \"tau\": %g, \"row_offset\": %u, \"draw\": %u,\n      \"seed\": ",
           b->rows, b->classes, b->tau, (unsigned)b->row_offset, (unsigned)b->draw);
    for (size_t r = 0; r < (b->seed_each ? b->rows : 1); r++)
        printf("%s%llu", r > 0 ? ", " : b->seed_each ? "[" : "", (unsigned long long)b->seeds[r]);
    puts(b->seed_each ? "]," : ",");
    print_floats("logits", logits, b->rows * b->classes, ",");
    print_samples(b, logits, false, ",");
    print_samples(b, logits, true, "");
}

static void make_gumbel_softmax(void)
{
    puts(
        "{\n  \"rng\": \"v1\",\n  \"about\": \"samples = softmax((logits + noise) / tau) of each row, row-major; the "
        "noise "
        "of row r is that of row_offset + r of the seed, with a list of seeds that of row row_offset of seed[r]; hard: "
        "the one-hot of the first maximum of logits + noise; null is -inf. float32 results within 1e-6.\",\n"
        "  \"batches\": [");
    for (size_t i = 0; i < sizeof(batches) / sizeof(batches[0]); i++) {
        make_batch(&batches[i]);
        puts(i + 1 < sizeof(batches) / sizeof(batches[0]) ? "    }," : "    }");
    }
    puts("  ]\n}");
}

int main(int argc, char **argv)
{
    if (argc == 2 && strcmp(argv[1], "noise") == 0)
        make_noise();
    else if (argc == 2 && strcmp(argv[1], "gumbel_softmax") == 0)
        make_gumbel_softmax();
    else {
        fputs("usage: make-vectors noise|gumbel_softmax\n", stderr);
        return 2;
    }
    return fflush(stdout) != 0;
}
