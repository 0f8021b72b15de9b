#include "vjp_digest.h"
#include "vjp.h"

#include <stddef.h>

enum { NUMBERS = 20000, MOST_ROWS = 37 };

static uint32_t words[NUMBERS];
static double logits[NUMBERS], cotangent[NUMBERS], grad[NUMBERS], grad_parameter[MOST_ROWS], scratch[7 * NUMBERS];

static uint64_t fnv1a(uint64_t digest, const void *data, size_t size)
{
    const unsigned char *bytes = data;
    for (size_t i = 0; i < size; i++)
        digest = (digest ^ bytes[i]) * UINT64_C(0x100000001b3);
    return digest;
}

static void put(void *array, enum core_dtype dtype, size_t at, double x)
{
    if (dtype == CORE_FLOAT64)
        ((double *)array)[at] = x;
    else
        ((float *)array)[at] = (float)x;
}

/* From random words, exactly: multiples of 2^-20 in [-8, 8); some logits -inf, but for the first class; at times a
 * cotangent that is infinite or NaN. */
static void make_inputs(enum core_dtype dtype, size_t count, size_t classes, uint32_t i)
{
    core_noise_words(words, 0, count, 7, i, 1, 0xfedcba98);
    for (size_t at = 0; at < count; at++) {
        bool hole = words[at] % 16 == 1 && at % classes != 0;
        put(logits, dtype, at, hole ? -__builtin_inf() : (double)((int32_t)words[at] >> 8) * 0x1p-20);
    }
    core_noise_words(words, 0, count, 8, i, 1, 0xfedcba98);
    for (size_t at = 0; at < count; at++)
        put(cotangent, dtype, at, (double)((int32_t)words[at] >> 8) * 0x1p-20);
    put(cotangent, dtype, words[0] % count, __builtin_inf());
    put(cotangent, dtype, words[1 % count] % count, -__builtin_nan(""));
}

static int plain_call(enum core_dtype dtype, bool logarithm, size_t rows, size_t classes, double parameter)
{
    size_t bad;
    struct core_softmax_vjp_call call = {
        .logits = logits,
        .cotangent = cotangent,
        .classes = classes,
        .temperature = {&parameter, 0},
        .grad_logits = grad,
        .grad_temperature = grad_parameter,
        .dtype = dtype,
    };
    return logarithm ? core_log_softmax_vjp(&call, 0, rows, scratch, &bad)
                     : core_softmax_vjp(&call, 0, rows, scratch, &bad);
}

static int gumbel_call(enum core_dtype dtype, bool rao, size_t rows, size_t classes, double parameter, uint32_t i,
                       double noise_scale)
{
    const uint64_t seed = 7;
    size_t bad;
    struct core_gumbel_softmax_vjp_call call = {
        .logits = logits,
        .cotangent = cotangent,
        .classes = classes,
        .tau = {&parameter, 0},
        .noise = {&seed, 0, 3, i},
        .conditional_samples = 2,
        .grad_logits = grad,
        .grad_tau = grad_parameter,
        .noise_scale = {&noise_scale, 0},
        .dtype = dtype,
    };
    return rao ? core_gumbel_rao_vjp(&call, 0, rows, scratch, &bad)
               : core_gumbel_softmax_vjp(&call, 0, rows, scratch, &bad);
}

static uint64_t digest_of_call(uint64_t digest, enum core_dtype dtype, int function, size_t rows, size_t classes,
                               double parameter, uint32_t i, double noise_scale)
{
    int status = function < 2 ? plain_call(dtype, function == 1, rows, classes, parameter)
                              : gumbel_call(dtype, function == 3, rows, classes, parameter, i, noise_scale);
    if (status != CORE_OK)
        return 0;
    digest = fnv1a(digest, grad, rows * classes * core_dtype_size(dtype));
    return fnv1a(digest, grad_parameter, rows * core_dtype_size(dtype));
}

static uint64_t digest_of_scales(enum core_dtype dtype, int first_function, const double *noise_scales, size_t scales)
{
    static const size_t counts[] = {1, 2, 3, 4, 7, 10, 16, 33, 63, 64, 65, 100, 257, 1000, 4095, 4097, 8200, 19999};
    const double parameters[] = {0, dtype == CORE_FLOAT64 ? 0x1p-1074 : 0x1p-149, 0.01f, 0.5, 1, 7, 1e38f};
    uint64_t digest = UINT64_C(0xcbf29ce484222325);
    for (uint32_t i = 0; i < sizeof(counts) / sizeof(counts[0]); i++) {
        size_t rows = NUMBERS / counts[i] < MOST_ROWS ? NUMBERS / counts[i] : MOST_ROWS;
        make_inputs(dtype, rows * counts[i], counts[i], i);
        for (size_t p = 0; p < sizeof(parameters) / sizeof(parameters[0]); p++)
            for (int function = first_function; function < 4 && digest != 0; function++)
                digest = digest_of_call(digest, dtype, function, rows, counts[i], parameters[p], i,
                                        noise_scales[p % scales]);
    }
    return digest;
}

uint64_t vjp_digest_of_results(enum core_dtype dtype)
{
    static const double one = 1;
    return digest_of_scales(dtype, 0, &one, 1);
}

uint64_t vjp_digest_of_scaled_results(enum core_dtype dtype)
{
    static const double scales[] = {0.25, 0, 3, 1e-3, 1e-44, 1e300};
    return digest_of_scales(dtype, 2, scales, sizeof(scales) / sizeof(scales[0]));
}
