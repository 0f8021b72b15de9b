#include "digest.h"

#include <stddef.h>
#include <string.h>

enum { NUMBERS = 20000 };

static uint64_t fnv1a(uint64_t digest, const void *data, size_t size)
{
    const unsigned char *bytes = data;
    for (size_t i = 0; i < size; i++)
        digest = (digest ^ bytes[i]) * UINT64_C(0x100000001b3);
    return digest;
}

/* An array of either type. */
union numbers {
    float f32[NUMBERS];
    double f64[NUMBERS];
};

static void put(enum core_dtype dtype, union numbers *array, size_t i, double x)
{
    if (dtype == CORE_FLOAT32)
        array->f32[i] = (float)x;
    else
        array->f64[i] = x;
}

/* Logits from random words, exactly: multiples of 2^-20 in [-8, 8), of doubles with a tenth of a word more, and some
 * -inf, but for the first class. */
static void make_logits(enum core_dtype dtype, union numbers *logits, const uint32_t *words, size_t count,
                        size_t classes)
{
    for (size_t i = 0; i < count; i++) {
        double x = (double)((int32_t)words[i] >> 8) * 0x1p-20;
        if (dtype == CORE_FLOAT64)
            x += (double)words[i] * 0x1p-50;
        put(dtype, logits, i, words[i] % 16 == 1 && i % classes != 0 ? -__builtin_inf() : x);
    }
}

uint64_t digest_of_results(enum core_dtype dtype)
{
    static const size_t classes[] = {1, 2, 3, 4, 7, 10, 16, 33, 63, 64, 65, 100, 257, 1000, 4095, 4097, 8200, 19999};
    static const double parameters[] = {0.0f, 1e-45f, 0.01f, 0.5f, 1.0f, 7.0f, 1e38f};
    static uint32_t words[NUMBERS];
    static union numbers logits, result;
    uint64_t digest = UINT64_C(0xcbf29ce484222325), seed = 7;
    size_t size = core_dtype_size(dtype);

    for (uint32_t i = 0; i < sizeof(classes) / sizeof(classes[0]); i++) {
        size_t rows = NUMBERS / classes[i] < 37 ? NUMBERS / classes[i] : 37, count = rows * classes[i], bad;
        core_noise_words(words, 1000 * i, count, seed, i, 1, 0xfedcba98);
        digest = fnv1a(digest, words, count * sizeof(words[0]));
        core_exponential(dtype, words, words, &result, count);
        digest = fnv1a(digest, &result, count * size);
        make_logits(dtype, &logits, words, count, classes[i]);
        for (size_t p = 0; p < sizeof(parameters) / sizeof(parameters[0]); p++) {
            struct core_per_row parameter = {&parameters[p], 0};
            struct core_softmax_call plain = {
                .dtype = dtype, .logits = &logits, .classes = classes[i], .temperature = parameter, .result = &result};
            struct core_gumbel_softmax_call gumbel = {.dtype = dtype,
                                                      .logits = &logits,
                                                      .classes = classes[i],
                                                      .tau = parameter,
                                                      .hard = p == 3,
                                                      .noise = {&seed, 0, 3, i},
                                                      .samples = &result};
            if (core_softmax(&plain, 0, rows, &bad) != CORE_OK)
                return 0;
            digest = fnv1a(digest, &result, count * size);
            if (core_log_softmax(&plain, 0, rows, &bad) != CORE_OK)
                return 0;
            digest = fnv1a(digest, &result, count * size);
            if (core_gumbel_softmax(&gumbel, 0, rows, &bad) != CORE_OK)
                return 0;
            digest = fnv1a(digest, &result, count * size);
        }
    }
    return digest;
}

enum { INNER = 19, OUTER = 2, MORE_ROWS = INNER * OUTER, MORE_CLASSES = 500, MORE = MORE_ROWS * MORE_CLASSES };

/* One call with everything; 0 if it failed. */
static uint64_t digest_of_one(enum core_dtype dtype, uint64_t digest, size_t classes, double tau, double scale,
                              bool hard, size_t inner)
{
    static uint32_t words[MORE];
    static union numbers logits, samples, soft, gumbel;
    static double scratch[3 * 16 * MORE_CLASSES], log_density[MORE_ROWS];
    static uint8_t allowed[MORE];
    int32_t indices[MORE_ROWS];
    uint64_t seed = 0x100000007;
    size_t count = MORE_ROWS * classes, size = core_dtype_size(dtype), bad;
    core_noise_words(words, 0, count, seed, (uint32_t)classes, 2, 0xfedcba98);
    make_logits(dtype, &logits, words, count, count);
    for (size_t i = 0; i < count; i++)
        allowed[i] = words[i] % 8 != 5 || i / inner % classes == 0;
    for (size_t i = 0; i < inner * classes * (MORE_ROWS / inner); i++)
        if (i / inner % classes == 0)
            put(dtype, &logits, i, 0.25);
    struct core_gumbel_softmax_call call = {
        .dtype = dtype,
        .logits = &logits,
        .classes = classes,
        .tau = {&tau, 0},
        .hard = hard,
        .noise = {&seed, 0, 9, 1},
        .samples = &samples,
        .mask = {allowed, 1},
        .inner = inner,
        .scratch = scratch,
        .noise_scale = {&scale, 0},
        .indices = indices,
        .soft = &soft,
        .gumbel = &gumbel,
        .log_density = log_density,
    };
    if (core_gumbel_softmax(&call, 0, MORE_ROWS, &bad) != CORE_OK)
        return 0;
    digest = fnv1a(digest, &samples, count * size);
    digest = fnv1a(digest, &soft, count * size);
    digest = fnv1a(digest, &gumbel, count * size);
    digest = fnv1a(digest, indices, sizeof(indices));
    return fnv1a(digest, log_density, MORE_ROWS * size);
}

uint64_t digest_of_more(enum core_dtype dtype)
{
    static const size_t classes[] = {1, 2, 3, 5, 10, 33, 63, 64, 65, 100, 257, 500};
    static const double taus[] = {0.0f, 1e-45f, 0.5f, 1.0f, 1e38f}, scales[] = {1.0f, 0.7f, 0.0f, 1e37f};
    uint64_t digest = UINT64_C(0xcbf29ce484222325);
    for (size_t i = 0; i < sizeof(classes) / sizeof(classes[0]); i++)
        for (size_t t = 0; t < 20; t++) {
            digest = digest_of_one(dtype, digest, classes[i], taus[t / 4], scales[t % 4], t % 2, t % 3 ? INNER : 1);
            if (digest == 0)
                return 0;
        }
    for (int i = 0; i < 300; i++) {
        struct core_schedule schedule = {(enum core_schedule_kind)(i % 3), 2.5, 0.1, 0.03, 90, i / 3};
        double tau = core_schedule(&schedule);
        digest = fnv1a(digest, &tau, sizeof(tau));
    }
    return digest;
}
