#include "digest_sampling.h"

enum { ROWS = 13, BIASES = 3 };

static uint32_t words[SAMPLING_CASE_VALUES + 64];
static union {
    float narrow[SAMPLING_CASE_VALUES];
    double wide[SAMPLING_CASE_VALUES];
} logits;
static uint8_t allowed[SAMPLING_CASE_VALUES];
static double temperature[ROWS], top_k[ROWS], top_p[ROWS], min_p[ROWS], typical_p[ROWS], bias[BIASES];
static uint32_t biased[BIASES];
static uint64_t seeds[ROWS];
static uint32_t next;

static uint32_t below(uint32_t limit)
{
    return words[SAMPLING_CASE_VALUES + next++ % 64] / 3 % limit;
}

/* Exact in the dtype on every machine: eighths, or multiples of 2^-20 (of 2^-28 in double) in [-8, 8), or the same
 * times a power of two that makes them huge. */
static double logit(enum core_dtype dtype, uint32_t word, uint32_t kind)
{
    const bool wide = dtype == CORE_FLOAT64;
    if (kind == 1)
        return (double)(word % 32) * 0.125;
    double x = wide ? (double)(int32_t)word * 0x1p-28 : (double)((int32_t)word >> 8) * 0x1p-20;
    return kind == 3 ? x * (wide ? 0x1p1000 : 0x1p120) : x;
}

/* Some are -inf in kind 2. */
static void fill(enum core_dtype dtype, size_t count, size_t classes, uint32_t kind)
{
    for (size_t i = 0; i < count; i++) {
        double x = logit(dtype, words[i], kind);
        if (kind == 2 && words[i] % 4 == 1 && i % classes != 0)
            x = -__builtin_inf();
        if (dtype == CORE_FLOAT64)
            logits.wide[i] = x;
        else
            logits.narrow[i] = (float)x;
        allowed[i] = i % classes == 0 || words[i] >> 16 & 3;
    }
}

static struct core_per_row list(const double *values, uint32_t which)
{
    return (struct core_per_row){which < 2 ? values : NULL, which};
}

size_t sampling_case_rows(uint32_t number)
{
    return number % 50 == 49 ? 1 : ROWS;
}

struct core_categorical_call sampling_case(enum core_dtype dtype, uint32_t number)
{
    static const size_t counts[] = {1, 2, 3, 5, 10, 16, 17, 33, 63, 64, 65, 100, 257, 1000, 1531};
    static const double temperatures[] = {0, 1e-40f, 0.3f, 1, 1, 2.5f}, some_p[] = {0.05f, 0.3f, 0.7f, 0.9f, 0.99f, 1};
    size_t classes = number % 50 == 49 ? 19999 : counts[number % 15], rows = sampling_case_rows(number);
    core_noise_words(words, 0, SAMPLING_CASE_VALUES + 64, 99, number, 1, 0xfedcba97);
    next = 0;
    fill(dtype, rows * classes, classes, below(4));
    for (size_t r = 0; r < ROWS; r++) {
        temperature[r] = temperatures[below(6)];
        top_k[r] = below(2) * below((uint32_t)classes + 2);
        top_p[r] = some_p[below(6)];
        min_p[r] = some_p[below(3)] * some_p[below(3)];
        typical_p[r] = some_p[below(6)];
        seeds[r] = words[r] * UINT64_C(0x100000001);
    }
    for (size_t i = 0; i < BIASES; i++) {
        biased[i] = below((uint32_t)classes);
        bias[i] = below(100) * 0.0625 - 3;
    }
    struct core_categorical_call call = {
        .dtype = dtype,
        .logits = &logits,
        .classes = classes,
        .temperature = {temperature, below(2)},
        .noise = {seeds, below(2), number, below(3)},
        .replacement = below(2),
        .filters = {.order = &core_orders[below(2) ? CORE_TEMPERATURE_FIRST : CORE_TEMPERATURE_LAST],
                    .values = {[CORE_TOP_K] = {below(3) == 0 ? top_k : NULL, below(2)},
                               [CORE_TOP_P] = list(top_p, below(4)),
                               [CORE_MIN_P] = list(min_p, below(5)),
                               [CORE_TYPICAL_P] = list(typical_p, below(5))}},
        .bias = {biased, bias, below(2) * BIASES},
        .mask = {below(3) == 0 ? allowed : NULL, below(2)},
        .distribution = below(2) ? CORE_SCALED : CORE_FILTERED,
        .top = below(2) * below(12),
    };
    call.draws = call.replacement ? below(7) : 1;
    if (!call.replacement && number % 3 == 0) /* rows of the case must all have so many classes */
        call.draws = classes < 4 ? 1 : 2;
    if (call.draws > 1 && !call.replacement) {
        call.filters = (struct core_filters){.values = {[CORE_TOP_K] = call.filters.values[CORE_TOP_K]}};
        for (size_t r = 0; r < ROWS; r++)
            top_k[r] = top_k[r] > 0 ? top_k[r] + 2 : 0;
        call.mask.allowed = NULL;
    }
    return call;
}

static uint64_t fnv1a(uint64_t digest, const void *data, size_t size)
{
    const unsigned char *bytes = data;
    for (size_t i = 0; i < size; i++)
        digest = (digest ^ bytes[i]) * UINT64_C(0x100000001b3);
    return digest;
}

/* Room for the results of a case in either dtype. */
static double scores[SAMPLING_CASE_RESULTS], log_p[SAMPLING_CASE_RESULTS], top_log_p[SAMPLING_CASE_RESULTS];
static int32_t drawn[SAMPLING_CASE_RESULTS], top[SAMPLING_CASE_RESULTS];

static uint64_t digest_of_case(uint64_t digest, struct core_categorical_call *call, size_t rows, bool all)
{
    static uint64_t scratch[(64 + 20000 * 40 + SAMPLING_CASE_RESULTS * 16) / 8];
    size_t bad = 0, draws = rows * call->draws, tops = rows * call->top, size = core_dtype_size(call->dtype);
    call->indices = drawn;
    call->top_indices = top;
    call->top_log_probabilities = top_log_p;
    if (all) {
        call->scores = scores;
        call->log_probabilities = log_p;
    }
    if (core_categorical_scratch(call) > sizeof(scratch))
        return 0;
    int status = core_categorical(call, 0, rows, scratch, &bad);
    digest = fnv1a(digest, (int32_t[]){status, (int32_t)bad}, 8);
    if (status != CORE_OK)
        return digest;
    digest = fnv1a(digest, drawn, draws * sizeof(drawn[0]));
    digest = fnv1a(digest, top, tops * sizeof(top[0]));
    digest = fnv1a(digest, top_log_p, tops * size);
    if (all) {
        digest = fnv1a(digest, scores, draws * size);
        digest = fnv1a(digest, log_p, draws * size);
    }
    return digest;
}

uint64_t digest_of_draws(enum core_dtype dtype)
{
    uint64_t digest = UINT64_C(0xcbf29ce484222325);
    for (uint32_t number = 0; number < SAMPLING_CASES; number++) {
        struct core_categorical_call call = sampling_case(dtype, number);
        digest = digest_of_case(digest, &call, sampling_case_rows(number), number % 2 != 0);
        if (digest == 0)
            return 0;
    }
    return digest;
}
