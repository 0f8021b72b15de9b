/* api/vectors/streams.json. The words are made one by one, from the generators' definitions. */
#include "lib/streams.h"
#include "make.h"
#include "sampling.h"

#include <float.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static const char about[] =
    "The streams rng torch and rng jax. Elements are numbered from 0 in row-major order of the whole array, "
    "(num_samples, "
    "shape), whatever dim is. torch: words 2i and 2i + 1 of MT19937, initialised with seed mod 2^32, are those of "
    "element "
    "i; u = ((words[2i] mod 2^21) 2^32 + words[2i + 1]) / 2^53, exponential = -log1p(-u) in double, rounded to the "
    "dtype; "
    "2^-54 in place of 0. jax: the words of element i are Threefry-2x32-20 (Salmon et al. 2011) of the counter "
    "(floor(i / "
    "2^32) mod 2^32, i mod 2^32) under key, which for seed s is [floor(s / 2^32), s mod 2^32]. float32: f = floor((w0 "
    "xor w1) / 2^9) / 2^23, u = max(f, 2^-126); float64: f = floor((w0 2^32 + w1) / 2^12) / 2^52, u = max(f, 2^-1022); "
    "exponential = -log u. elements: words, u and exponential of the elements from first on. batches: shape [outer, "
    "classes, inner], dim 1. With one seed or key, element row_offset classes + i has the noise of element i of the "
    "array; with a list of one for each row (outer * inner of them) class j of sample s of a row has element "
    "(row_offset "
    "+ s) classes + j of its own. z = logits - log exponential; samples = softmax(z / tau, dim 1), [num_samples, "
    "outer, "
    "classes, inner]; indices: the first maximum of z, [num_samples, outer, inner]; drawn: the n classes of greatest z "
    "of "
    "sample 0, descending, [outer, inner, n], drawn without replacement. float32 results within 1e-6, float64 within "
    "1e-12, of exponential relative.";

/* ---- Words, one by one ---- */

static void torch_words(uint32_t *words, uint64_t seed, uint64_t first, size_t count)
{
    mersenne_words(words, (uint32_t)seed, 2 * first, 2 * count);
}

static void jax_words(uint32_t *words, uint64_t seed, uint64_t first, size_t count)
{
    for (size_t i = 0; i < count; i++)
        threefry_words(words + 2 * i, first + i, seed);
}

static double uniform(enum core_rng rng, enum core_dtype dtype, const uint32_t w[2])
{
    if (rng == CORE_RNG_TORCH)
        return ldexp((double)((uint64_t)(w[0] % (1 << 21)) << 32 | w[1]), -53);
    if (dtype == CORE_FLOAT64)
        return fmax(ldexp((double)(((uint64_t)w[0] << 32 | w[1]) >> 12), -52), DBL_MIN);
    return fmax(ldexp((double)((w[0] ^ w[1]) >> 9), -23), (double)FLT_MIN);
}

/* ---- elements ---- */

static const struct run {
    enum core_rng rng;
    enum core_dtype dtype;
    uint64_t seed, first;
    size_t count;
} runs[] = {
    {CORE_RNG_TORCH, CORE_FLOAT32, 0, 0, 8},
    {CORE_RNG_TORCH, CORE_FLOAT32, 7, 0, 8},
    {CORE_RNG_TORCH, CORE_FLOAT32, 7, 308, 8}, /* the end of one block of words and the beginning of the next */
    {CORE_RNG_TORCH, CORE_FLOAT32, (UINT64_C(1) << 53) - 1, 100000, 4},
    {CORE_RNG_TORCH, CORE_FLOAT64, 7, 0, 8},
    {CORE_RNG_TORCH, CORE_FLOAT64, (UINT64_C(1) << 32) + 2026, 622, 4},
    {CORE_RNG_JAX, CORE_FLOAT32, 0, 0, 8},
    {CORE_RNG_JAX, CORE_FLOAT32, 7, 0, 8},
    {CORE_RNG_JAX, CORE_FLOAT32, UINT64_C(0xfedcba9876543210), 100000, 4},
    {CORE_RNG_JAX, CORE_FLOAT32, 7, (UINT64_C(1) << 32) - 4, 8},
    {CORE_RNG_JAX, CORE_FLOAT64, 7, 0, 8},
    {CORE_RNG_JAX, CORE_FLOAT64, UINT64_C(0xfedcba9876543210), 127, 4},
};

/* "seed" of torch, "key" of jax. */
static void print_keys(enum core_rng rng, const uint64_t *seeds, size_t count)
{
    printf("      \"%s\": %s", rng == CORE_RNG_TORCH ? "seed" : "key", count > 1 ? "[" : "");
    for (size_t i = 0; i < count; i++) {
        fputs(i > 0 ? ", " : "", stdout);
        if (rng == CORE_RNG_TORCH)
            printf("%llu", (unsigned long long)seeds[i]);
        else
            printf("[%u, %u]", (unsigned)(seeds[i] >> 32), (unsigned)seeds[i]);
    }
    puts(count > 1 ? "]," : ",");
}

static void print_rng(enum core_rng rng)
{
    printf("    {\n      \"rng\": \"%s\",\n", rng == CORE_RNG_TORCH ? "torch" : "jax");
}

static void make_run(const struct run *r)
{
    uint32_t words[MAX_VALUES];
    double u[MAX_VALUES];
    numbers e;
    struct core_mt_cursor cursor = {.made = 0};
    const struct core_noise noise = {.seed = &r->seed, .rng = r->rng, .cursor = &cursor};
    (r->rng == CORE_RNG_TORCH ? torch_words : jax_words)(words, r->seed, r->first, r->count);
    for (size_t i = 0; i < r->count; i++)
        u[i] = uniform(r->rng, r->dtype, words + 2 * i);
    core_stream_exponentials(r->dtype, &noise, r->first, &e, r->count);
    print_rng(r->rng);
    print_dtype(r->dtype);
    print_keys(r->rng, &r->seed, 1);
    printf("      \"first\": %llu,\n", (unsigned long long)r->first);
    print_words("words", words, 2 * r->count);
    print_numbers("u", CORE_FLOAT64, u, r->count, ",");
    print_numbers("exponential", r->dtype, &e, r->count, "");
}

/* ---- batches ---- */

static const struct batch {
    enum core_rng rng;
    enum core_dtype dtype;
    size_t outer, classes, inner, samples, n;
    double tau;
    uint64_t seeds[4]; /* one for all rows, or one for each */
    bool seed_each;
    uint32_t row_offset;
} batches[] = {
    {CORE_RNG_TORCH, CORE_FLOAT32, 3, 5, 1, 1, 2, 1, {7}, false, 0},
    {CORE_RNG_TORCH, CORE_FLOAT32, 2, 10, 1, 3, 10, 0.5, {2026}, false, 0},
    {CORE_RNG_TORCH, CORE_FLOAT32, 2, 5, 3, 2, 3, 1, {11}, false, 100},
    {CORE_RNG_TORCH, CORE_FLOAT32, 1, 64, 1, 2, 4, 2, {12}, false, 4},
    {CORE_RNG_TORCH, CORE_FLOAT32, 2, 6, 2, 3, 2, 0.5, {42, 42, 43, 0}, true, 1},
    {CORE_RNG_TORCH, CORE_FLOAT64, 2, 5, 3, 2, 3, 1, {11}, false, 100},
    {CORE_RNG_TORCH, CORE_FLOAT64, 4, 10, 1, 2, 3, 0.75, {42, 42, 43, 0}, true, 0},
    {CORE_RNG_JAX, CORE_FLOAT32, 3, 5, 1, 1, 2, 1, {7}, false, 0},
    {CORE_RNG_JAX, CORE_FLOAT32, 2, 10, 1, 3, 10, 0.5, {UINT64_C(0xfedcba9876543210)}, false, 0},
    {CORE_RNG_JAX, CORE_FLOAT32, 2, 5, 3, 2, 3, 1, {11}, false, 100},
    {CORE_RNG_JAX, CORE_FLOAT32, 1, 64, 1, 2, 4, 2, {12}, false, 4},
    {CORE_RNG_JAX, CORE_FLOAT32, 2, 6, 2, 3, 2, 0.5, {42, 42, UINT64_C(0x100000002b), 0}, true, 1},
    {CORE_RNG_JAX, CORE_FLOAT64, 2, 5, 3, 2, 3, 1, {11}, false, 100},
    {CORE_RNG_JAX, CORE_FLOAT64, 4, 10, 1, 2, 3, 0.75, {42, 42, 43, 0}, true, 0},
};

static struct core_noise noise_of(const struct batch *b, struct core_mt_cursor *cursor)
{
    return (struct core_noise){
        .seed = b->seeds,
        .stride = b->seed_each,
        .row_offset = b->row_offset,
        .rng = b->rng,
        .whole = {b->outer * b->inner, b->classes, b->inner},
        .cursor = cursor,
    };
}

static void *at(enum core_dtype dtype, numbers *values, size_t i)
{
    return (char *)values + i * core_dtype_size(dtype);
}

static void *scratch_of(size_t size)
{
    void *scratch = malloc(size + 1);
    if (scratch == NULL)
        exit(1);
    return scratch;
}

static void sample(const struct batch *b, const numbers *logits, numbers *samples, int32_t *indices)
{
    struct core_mt_cursor cursor = {.made = 0};
    const size_t rows = b->outer * b->inner;
    size_t bad;
    for (size_t s = 0; s < b->samples; s++) {
        struct core_gumbel_softmax_call call = {
            .dtype = b->dtype,
            .logits = logits,
            .classes = b->classes,
            .inner = b->inner,
            .tau = {&b->tau, 0},
            .noise = noise_of(b, &cursor),
            .samples = at(b->dtype, samples, s * rows * b->classes),
            .indices = indices + s * rows,
        };
        call.noise.draw = (uint32_t)s;
        call.scratch = scratch_of(core_gumbel_softmax_scratch(&call));
        must(core_gumbel_softmax(&call, 0, rows, &bad));
        free(call.scratch);
    }
}

static void draw(const struct batch *b, const numbers *logits, int32_t *drawn)
{
    struct core_mt_cursor cursor = {.made = 0};
    size_t bad;
    const struct core_categorical_call call = {
        .dtype = b->dtype,
        .logits = logits,
        .classes = b->classes,
        .inner = b->inner,
        .noise = noise_of(b, &cursor),
        .draws = b->n,
        .indices = drawn,
    };
    void *scratch = scratch_of(core_categorical_scratch(&call));
    must(core_categorical(&call, 0, b->outer * b->inner, scratch, &bad));
    free(scratch);
}

static void make_batch(const struct batch *b)
{
    numbers logits, samples;
    int32_t indices[MAX_VALUES], drawn[MAX_VALUES];
    const size_t rows = b->outer * b->inner, elements = rows * b->classes;
    fill_logits(b->dtype, &logits, b->outer, b->classes * b->inner, false);
    sample(b, &logits, &samples, indices);
    draw(b, &logits, drawn);
    print_rng(b->rng);
    print_dtype(b->dtype);
    print_keys(b->rng, b->seeds, b->seed_each ? rows : 1);
    printf("      \"shape\": [%zu, %zu, %zu], \"num_samples\": %zu, \"n\": %zu, \"row_offset\": %u,\n", b->outer,
           b->classes, b->inner, b->samples, b->n, (unsigned)b->row_offset);
    print_parameter("tau", &b->tau, 1);
    print_numbers("logits", b->dtype, &logits, elements, ",");
    print_numbers("samples", b->dtype, &samples, b->samples * elements, ",");
    print_indices("indices", indices, b->samples * rows, ",");
    print_indices("drawn", drawn, rows * b->n, "");
}

void make_streams(void)
{
    printf("{\n  \"about\": \"%s\",\n  \"elements\": [\n", about);
    for (size_t i = 0; i < COUNT(runs); i++) {
        make_run(&runs[i]);
        puts(brace(i, COUNT(runs)));
    }
    puts("  ],\n  \"batches\": [");
    for (size_t i = 0; i < COUNT(batches); i++) {
        make_batch(&batches[i]);
        puts(brace(i, COUNT(batches)));
    }
    puts("  ]\n}");
}
