/* api/vectors/noise.json */
#include "make.h"

#include <math.h>
#include <stdio.h>

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static const char about[] =
    "Words: word j mod 4 of Philox4x32-10 (Salmon et al. 2011) under the key (seed mod 2^32, floor(seed / 2^32)) and "
    "the counter (floor(j / 4), row, draw, tag) is that of class j; tag 0 is the noise of samples and draws, tag 1 the "
    "conditional noise of Gumbel-Rao gradients. streams, edges (float32): u = words, n = 32. float64: low_words are "
    "the "
    "words of the same classes under tag + 2, u = floor((words 2^32 + low_words) / 2^11), n = 53. Both: t = (min(u, "
    "2^n "
    "- 1 - u) + 1/2) / 2^n, exactly; exponential = -log1p(-t) for u < 2^(n-1), else -log t; noise = -log exponential. "
    "float32 results within 1e-6, float64 within 1e-12, of exponential relative.";

static void print_t(enum core_dtype dtype, const uint64_t *u, size_t count)
{
    const int bits = dtype == CORE_FLOAT64 ? 53 : 32;
    const uint64_t last = (UINT64_C(1) << bits) - 1;
    double t[MAX_VALUES];
    for (size_t i = 0; i < count; i++)
        t[i] = ldexp((double)(u[i] < last - u[i] ? u[i] : last - u[i]) + 0.5, -bits);
    print_numbers("t", CORE_FLOAT64, t, count, ",");
}

static void print_noise(const uint32_t *words, size_t count)
{
    float exponential[MAX_VALUES], noise[MAX_VALUES];
    uint64_t u[MAX_VALUES];
    core_exponential(CORE_FLOAT32, words, NULL, exponential, count);
    for (size_t i = 0; i < count; i++) {
        u[i] = words[i];
        noise[i] = (float)-log((double)exponential[i]);
    }
    print_words("words", words, count);
    print_t(CORE_FLOAT32, u, count);
    print_numbers("exponential", CORE_FLOAT32, exponential, count, ",");
    print_numbers("noise", CORE_FLOAT32, noise, count, "");
}

static void print_noise_f64(const uint32_t *words, const uint32_t *low_words, size_t count)
{
    double exponential[MAX_VALUES], noise[MAX_VALUES];
    uint64_t u[MAX_VALUES];
    core_exponential(CORE_FLOAT64, words, low_words, exponential, count);
    for (size_t i = 0; i < count; i++) {
        u[i] = ((uint64_t)words[i] << 32 | low_words[i]) >> 11;
        noise[i] = -log(exponential[i]);
    }
    print_words("words", words, count);
    print_words("low_words", low_words, count);
    print_integers("u", u, count, ",");
    print_t(CORE_FLOAT64, u, count);
    print_numbers("exponential", CORE_FLOAT64, exponential, count, ",");
    print_numbers("noise", CORE_FLOAT64, noise, count, "");
}

static const struct stream {
    uint64_t seed, first_class;
    uint32_t row, draw, tag;
    size_t count;
} streams[] =
    {
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
},
  streams_f64[] = {
      {0, 0, 0, 0, 0, 8},
      {7, 0, 0, 0, 0, 10},
      {7, 0, 1, 0, 0, 4},
      {7, 0, 0, 1, 0, 4},
      {7, 0, 0, 0, 1, 8}, /* its low words under tag 3 */
      {(UINT64_C(1) << 53) - 1, 0, 0xffffffff, 0xffffffff, 0, 7},
      {UINT64_C(123456789012345), 4096, 31999, 5, 1, 9},
};

static void print_stream(enum core_dtype dtype, const struct stream *s)
{
    uint32_t words[MAX_VALUES], low_words[MAX_VALUES];
    core_noise_words(words, s->first_class, s->count, s->seed, s->row, s->draw, s->tag);
    core_noise_words(low_words, s->first_class, s->count, s->seed, s->row, s->draw, s->tag + 2);
    printf("    {\n      \"seed\": %llu, \"row\": %u, \"draw\": %u, \"tag\": %u, \"first_class\": %llu,\n",
           (unsigned long long)s->seed, (unsigned)s->row, (unsigned)s->draw, (unsigned)s->tag,
           (unsigned long long)s->first_class);
    if (dtype == CORE_FLOAT64)
        print_noise_f64(words, low_words, s->count);
    else
        print_noise(words, s->count);
}

static void print_streams(enum core_dtype dtype, const struct stream *list, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        print_stream(dtype, &list[i]);
        puts(brace(i, count));
    }
}

/* The ends and the middle of the map to E. */
static const uint32_t edge_words[] = {0,          1,          2,          1 << 22,    1431655764, 1431655765,
                                      0x7ffffffe, 0x7fffffff, 0x80000000, 0x80000001, 0xfffffffe, 0xffffffff};

#define HALF (UINT64_C(1) << 52)
static const uint64_t edges_f64[] = {0,        1,    2,        HALF / 1024,  HALF - 2,
                                     HALF - 1, HALF, HALF + 1, 2 * HALF - 2, 2 * HALF - 1};

/* The last 11 bits do not count. */
static void print_edges_f64(void)
{
    uint32_t words[COUNT(edges_f64)], low_words[COUNT(edges_f64)];
    for (size_t i = 0; i < COUNT(edges_f64); i++) {
        uint64_t word = edges_f64[i] << 11 | 0x5a5;
        words[i] = (uint32_t)(word >> 32);
        low_words[i] = (uint32_t)word;
    }
    print_noise_f64(words, low_words, COUNT(edges_f64));
}

void make_noise(void)
{
    printf("{\n  \"rng\": \"v1\",\n  \"about\": \"%s\",\n  \"streams\": [\n", about);
    print_streams(CORE_FLOAT32, streams, COUNT(streams));
    puts("  ],\n  \"edges\": {");
    print_noise(edge_words, COUNT(edge_words));
    puts("  },\n  \"float64\": {\n  \"streams\": [");
    print_streams(CORE_FLOAT64, streams_f64, COUNT(streams_f64));
    puts("  ],\n  \"edges\": {");
    print_edges_f64();
    puts("  }\n  }\n}");
}
