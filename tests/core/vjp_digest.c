#include "vjp_digest.h"
#include "vjp.h"

#include <stddef.h>

enum { FLOATS = 20000, MOST_ROWS = 37 };

static uint32_t words[FLOATS];
static float logits[FLOATS], cotangent[FLOATS], grad[FLOATS], grad_parameter[MOST_ROWS], scratch[4 * FLOATS];

static uint64_t fnv1a(uint64_t digest, const void *data, size_t size)
{
    const unsigned char *bytes = data;
    for (size_t i = 0; i < size; i++)
        digest = (digest ^ bytes[i]) * UINT64_C(0x100000001b3);
    return digest;
}

/* From random words, exactly: multiples of 2^-20 in [-8, 8); some logits -inf, but for the first class; at times a
 * cotangent that is infinite or NaN. */
static void make_inputs(size_t count, size_t classes, uint32_t i)
{
    core_noise_words(words, 0, count, 7, i, 1, 0xfedcba98);
    for (size_t at = 0; at < count; at++) {
        logits[at] = (float)((int32_t)words[at] >> 8) * 0x1p-20f;
        if (words[at] % 16 == 1 && at % classes != 0)
            logits[at] = -__builtin_inff();
    }
    core_noise_words(words, 0, count, 8, i, 1, 0xfedcba98);
    for (size_t at = 0; at < count; at++)
        cotangent[at] = (float)((int32_t)words[at] >> 8) * 0x1p-20f;
    cotangent[words[0] % count] = __builtin_inff();
    cotangent[words[1 % count] % count] = -__builtin_nanf("");
}

static uint64_t digest_of_call(uint64_t digest, int function, size_t rows, size_t classes, float parameter, uint32_t i)
{
    const uint64_t seed = 7;
    size_t bad;
    int status;
    struct core_softmax_vjp_call plain = {.logits = logits,
                                          .cotangent = cotangent,
                                          .rows = rows,
                                          .classes = classes,
                                          .temperature = {&parameter, 0},
                                          .grad_logits = grad,
                                          .grad_temperature = grad_parameter};
    struct core_gumbel_softmax_vjp_call gumbel = {.logits = logits,
                                                  .cotangent = cotangent,
                                                  .rows = rows,
                                                  .classes = classes,
                                                  .tau = {&parameter, 0},
                                                  .noise = {&seed, 0, 3, i},
                                                  .conditional_samples = 2,
                                                  .grad_logits = grad,
                                                  .grad_tau = grad_parameter};
    if (function == 0)
        status = core_softmax_vjp(&plain, 0, rows, &bad);
    else if (function == 1)
        status = core_log_softmax_vjp(&plain, 0, rows, &bad);
    else if (function == 2)
        status = core_gumbel_softmax_vjp(&gumbel, 0, rows, scratch, &bad);
    else
        status = core_gumbel_rao_vjp(&gumbel, 0, rows, scratch, &bad);
    if (status != CORE_OK)
        return 0;
    digest = fnv1a(digest, grad, rows * classes * sizeof(grad[0]));
    return fnv1a(digest, grad_parameter, rows * sizeof(grad_parameter[0]));
}

uint64_t vjp_digest_of_results(void)
{
    static const size_t counts[] = {1, 2, 3, 4, 7, 10, 16, 33, 63, 64, 65, 100, 257, 1000, 4095, 4097, 8200, 19999};
    static const float parameters[] = {0.0f, 1e-45f, 0.01f, 0.5f, 1.0f, 7.0f, 1e38f};
    uint64_t digest = UINT64_C(0xcbf29ce484222325);
    for (uint32_t i = 0; i < sizeof(counts) / sizeof(counts[0]); i++) {
        size_t rows = FLOATS / counts[i] < MOST_ROWS ? FLOATS / counts[i] : MOST_ROWS;
        make_inputs(rows * counts[i], counts[i], i);
        for (size_t p = 0; p < sizeof(parameters) / sizeof(parameters[0]); p++)
            for (int function = 0; function < 4 && digest != 0; function++)
                digest = digest_of_call(digest, function, rows, counts[i], parameters[p], i);
    }
    return digest;
}
