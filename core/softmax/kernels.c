/* The kernels, compiled once for each instruction set and precision: CORE_TARGET is sse2, avx2, avx512 or neon, and the
 * compiler's flags allow those instructions only in this object; CORE_REAL is 32 or 64. Everything here but the table
 * at the end is static.
 *
 * One definition of every result, for all targets and both shapes of rows (m the row's maximum, with +0 for -0;
 * scale = 1 / T rounded, at most REAL_MAX, so temperatures below 1 / REAL_MAX act as that one does; e, the
 * exponentials of exp_log.h, e_m that of m):
 *
 *   softmax          y = e / sum of e, correctly rounded
 *   log_softmax      y = fma(x - m, scale, -log(sum of e / e_m))
 *   gumbel_softmax   z = (x - m) - s log E, rounded once after x - m; then softmax of z with 1 / tau
 *   T = 0, hard      the one-hot row of the first maximum of x or z; of log_softmax 0 there and -inf elsewhere
 *
 * A masked class has the logit -inf. Of strided arrays, short rows are loaded and stored as the columns that they are;
 * long ones are packed into dense blocks of CORE_BLOCK_ROWS, so that memory is used by whole cache lines and one kernel
 * serves all long rows.
 *
 * Probabilities under about REAL_MIN times the largest are 0. A difference x - m beyond -REAL_MAX counts as -inf.
 */
#include "simd/target.h"
#include "softmax/long_kernels.h"
#include "softmax/short_kernels.h"
#include "softmax/table.h"

_Static_assert(CORE_SHORT_CLASSES == SHORT_CLASSES, "core.h says from how many classes on scratch is needed");
INLINE int any_softmax(const struct core_softmax_call *call, size_t first, size_t count, size_t *invalid_row,
                       bool logarithm)
{
    if (call->classes < SHORT_CLASSES)
        return short_softmax(call, first, count, invalid_row, logarithm);
    if (call->inner > 1)
        return strided_softmax(call, first, count, invalid_row, logarithm);
    return long_softmax(call, first, count, invalid_row, logarithm);
}

static int softmax(const struct core_softmax_call *call, size_t first, size_t count, size_t *invalid_row)
{
    return any_softmax(call, first, count, invalid_row, false);
}

static int log_softmax(const struct core_softmax_call *call, size_t first, size_t count, size_t *invalid_row)
{
    return any_softmax(call, first, count, invalid_row, true);
}

static int gumbel_softmax(const struct core_gumbel_softmax_call *call, size_t first, size_t count, size_t *invalid_row)
{
    if (call->classes < SHORT_CLASSES)
        return short_gumbel_softmax(call, first, count, invalid_row);
    if (call->inner > 1)
        return strided_gumbel_softmax(call, first, count, invalid_row);
    return long_gumbel_softmax(call, first, count, invalid_row);
}

static void words(uint32_t *words, uint64_t first_word, size_t count, uint64_t seed, uint32_t row, uint32_t draw,
                  uint32_t tag)
{
    const struct noise_source source = {.seed = seed, .row = row, .draw = draw, .tag = tag};
    size_t whole = count - count % NOISE_STEP;
    uint32_t last[NOISE_STEP];
    noise_words(words, first_word / 4, whole, &source);
    if (whole < count) {
        noise_words(last, (first_word + whole) / 4, NOISE_STEP, &source);
        memcpy(words + whole, last, (count - whole) * sizeof(last[0]));
    }
}

#if CORE_REAL == 32
static vuint random_of(const uint32_t *words, const uint32_t *low_words)
{
    (void)low_words;
    return vec_load_uints(words);
}
#else
static vuint random_of(const uint32_t *words, const uint32_t *low_words)
{
    uint64_t random[VEC_LANES];
    for (size_t i = 0; i < VEC_LANES; i++)
        random[i] = (uint64_t)words[i] << 32 | low_words[i];
    return vec_load_uints(random);
}
#endif

static void exponential(const uint32_t *words, const uint32_t *low_words, void *exponential, size_t count)
{
    real *e = exponential, last[VEC_LANES];
    uint32_t rest[2][VEC_LANES] = {{0}};
    size_t i = 0;
    for (; i + VEC_LANES <= count; i += VEC_LANES)
        vec_store(e + i, vec_exponential(random_of(words + i, CORE_REAL == 64 ? low_words + i : NULL)));
    for (size_t j = i; j < count; j++) {
        rest[0][j - i] = words[j];
        rest[1][j - i] = CORE_REAL == 64 ? low_words[j] : 0;
    }
    vec_store(last, vec_exponential(random_of(rest[0], rest[1])));
    memcpy(e + i, last, (count - i) * sizeof(real));
}

const struct core_softmax_kernels TARGET_NAME(core_softmax_kernels_) = {
    .softmax = softmax,
    .log_softmax = log_softmax,
    .gumbel_softmax = gumbel_softmax,
    .noise_words = words,
    .exponential = exponential,
};
