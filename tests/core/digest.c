#include "digest.h"
#include "core.h"

#include <stddef.h>
#include <string.h>

enum { FLOATS = 20000 };

static uint64_t fnv1a(uint64_t digest, const void *data, size_t size)
{
    const unsigned char *bytes = data;
    for (size_t i = 0; i < size; i++)
        digest = (digest ^ bytes[i]) * UINT64_C(0x100000001b3);
    return digest;
}

/* Logits from random words, exactly: multiples of 2^-20 in [-8, 8), and some -inf, but for the first class. */
static void make_logits(float *logits, const uint32_t *words, size_t count, size_t classes)
{
    for (size_t i = 0; i < count; i++) {
        logits[i] = (float)((int32_t)words[i] >> 8) * 0x1p-20f;
        if (words[i] % 16 == 1 && i % classes != 0)
            logits[i] = -__builtin_inff();
    }
}

uint64_t digest_of_results(void)
{
    static const size_t classes[] = {1, 2, 3, 4, 7, 10, 16, 33, 63, 64, 65, 100, 257, 1000, 4095, 4097, 8200, 19999};
    static const float parameters[] = {0.0f, 1e-45f, 0.01f, 0.5f, 1.0f, 7.0f, 1e38f};
    static uint32_t words[FLOATS];
    static float logits[FLOATS], result[FLOATS];
    uint64_t digest = UINT64_C(0xcbf29ce484222325), seed = 7;

    for (uint32_t i = 0; i < sizeof(classes) / sizeof(classes[0]); i++) {
        size_t rows = FLOATS / classes[i] < 37 ? FLOATS / classes[i] : 37, count = rows * classes[i], bad;
        core_noise_words(words, 1000 * i, count, seed, i, 1, 0xfedcba98);
        digest = fnv1a(digest, words, count * sizeof(words[0]));
        core_exponential(words, result, count);
        digest = fnv1a(digest, result, count * sizeof(result[0]));
        make_logits(logits, words, count, classes[i]);
        for (size_t p = 0; p < sizeof(parameters) / sizeof(parameters[0]); p++) {
            struct core_per_row parameter = {&parameters[p], 0};
            struct core_softmax_call plain = {logits, rows, classes[i], parameter, result};
            struct core_gumbel_softmax_call gumbel = {logits,           rows,  classes[i], parameter, p == 3,
                                                      {&seed, 0, 3, i}, result};
            if (core_softmax(&plain, 0, rows, &bad) != CORE_OK)
                return 0;
            digest = fnv1a(digest, result, count * sizeof(result[0]));
            if (core_log_softmax(&plain, 0, rows, &bad) != CORE_OK)
                return 0;
            digest = fnv1a(digest, result, count * sizeof(result[0]));
            if (core_gumbel_softmax(&gumbel, 0, rows, &bad) != CORE_OK)
                return 0;
            digest = fnv1a(digest, result, count * sizeof(result[0]));
        }
    }
    return digest;
}
