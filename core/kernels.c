/* The kernels, compiled once for each instruction set: CORE_TARGET is sse2, avx2, avx512 or neon, and the compiler's
 * flags allow those instructions in this object alone. Everything here but the table at the end is static.
 *
 * One definition of every result, for all targets and both shapes of rows (m the row's maximum, with +0 for -0;
 * scale = 1 / T rounded to float, at most FLT_MAX, so temperatures below 1 / FLT_MAX act as that one does; e, the
 * exponentials of exp_log.h, e_m that of m):
 *
 *   softmax          y = e / sum of e, correctly rounded
 *   log_softmax      y = fma(x - m, scale, -log(sum of e / e_m))
 *   gumbel_softmax   z = (x - m) - log E; then softmax of z with 1 / tau
 *   T = 0, hard      the one-hot row of the first maximum of x or z; of log_softmax 0 there and -inf elsewhere
 *
 * Probabilities under about 1.2e-38 times the largest are 0. A difference x - m beyond -FLT_MAX counts as -inf.
 */
#include "kernels.h"
#include "long_rows.h"
#include "short_rows.h"

#define JOIN_TOKENS(a, b) a##b
#define JOIN(a, b) JOIN_TOKENS(a, b)

#define CORE_LANES_sse2 4
#define CORE_LANES_neon 4
#define CORE_LANES_avx2 8
#define CORE_LANES_avx512 16
_Static_assert(VEC_LANES == JOIN(CORE_LANES_, CORE_TARGET), "the compiler's flags are not those of CORE_TARGET");

static float parameter(const struct core_per_row *value, size_t row)
{
    return value->value[row * value->stride];
}

static float inverse(float temperature)
{
    float inverse = 1.0f / temperature;
    return inverse < FLT_MAX ? inverse : FLT_MAX;
}

static struct noise_source source_of_row(const struct core_noise *noise, size_t row)
{
    return (struct noise_source){
        .seed = noise->seed[row * noise->stride],
        .row = noise->row_offset + (noise->stride == 0 ? (uint32_t)row : 0),
        .draw = noise->draw,
    };
}

static int invalid(size_t row, size_t *invalid_row)
{
    *invalid_row = row;
    return CORE_INVALID_ROW;
}

INLINE int long_softmax(const struct core_softmax_call *call, size_t first, size_t count, size_t *invalid_row,
                        bool logarithm)
{
    size_t classes = call->classes;
    for (size_t r = first; r < first + count; r++) {
        struct long_row row;
        float max, temperature = parameter(&call->temperature, r);
        long_row_open(&row, call->logits + r * classes, call->result + r * classes, classes);
        if (!long_row_max(&row, &max))
            return invalid(r, invalid_row);
        if (temperature == 0.0f) {
            size_t column = long_row_find(&row, row.in, max);
            long_row_one_hot(&row, column, logarithm ? 0.0f : 1.0f, logarithm ? -__builtin_inff() : 0.0f);
            continue;
        }
        if (logarithm)
            long_row_log_softmax(&row, max, inverse(temperature));
        else
            long_row_softmax(&row, row.in, max, inverse(temperature));
        long_row_close(&row);
    }
    return CORE_OK;
}

static int long_gumbel_softmax(const struct core_gumbel_softmax_call *call, size_t first, size_t count,
                               size_t *invalid_row)
{
    size_t classes = call->classes;
    for (size_t r = first; r < first + count; r++) {
        struct long_row row;
        struct noise_source source = source_of_row(&call->noise, r);
        float max, tau = parameter(&call->tau, r);
        long_row_open(&row, call->logits + r * classes, call->samples + r * classes, classes);
        if (!long_row_max(&row, &max))
            return invalid(r, invalid_row);
        max = long_row_perturb(&row, max, &source);
        if (call->hard || tau == 0.0f) {
            long_row_one_hot(&row, long_row_find(&row, row.out, max), 1.0f, 0.0f);
            continue;
        }
        long_row_softmax(&row, row.out, max, inverse(tau));
        long_row_close(&row);
    }
    return CORE_OK;
}

/* The scale of each lane of a group, and the lanes that are to become one-hot rows. */
struct group_scale {
    vfloat scale[VECS];
    vint sharp[VECS];
    bool any_sharp, unscaled;
};

/* Of rows row .. row + count - 1; the lanes after them do as the first. */
INLINE void group_scale(struct group_scale *g, const struct core_per_row *temperature, bool hard, size_t row,
                        size_t count)
{
    float scale[LANES];
    int32_t sharp[LANES];
    g->any_sharp = false;
    g->unscaled = true;
    for (size_t lane = 0; lane < LANES; lane++) {
        float t = parameter(temperature, row + (lane < count ? lane : 0));
        scale[lane] = inverse(t);
        sharp[lane] = hard || t == 0.0f ? -1 : 0;
        g->any_sharp |= sharp[lane] != 0;
        g->unscaled &= scale[lane] == 1.0f;
    }
    FOR_VECS (q) {
        g->scale[q] = vec_load(scale + q * VEC_LANES);
        g->sharp[q] = vec_load_ints(sharp + q * VEC_LANES);
    }
}

INLINE void group_source(struct group_source *g, const struct core_noise *noise, size_t row, size_t count)
{
    bool own = noise->stride != 0; /* a seed of its own for each row */
    g->draw = noise->draw;
    for (size_t lane = 0; lane < LANES; lane++) {
        g->key[0][lane] = (uint32_t)noise->seed[0];
        g->key[1][lane] = noise->seed[0] >> 32;
        g->row[lane] = (uint32_t)(noise->row_offset + (own ? 0 : row + lane));
    }
    for (size_t lane = 0; own && lane < count; lane++) {
        g->key[0][lane] = (uint32_t)noise->seed[row + lane];
        g->key[1][lane] = noise->seed[row + lane] >> 32;
    }
}

INLINE int short_softmax(const struct core_softmax_call *call, size_t first, size_t count, size_t *invalid_row,
                         bool logarithm)
{
    size_t classes = call->classes, end = first + count;
    struct group_scale scale = {.any_sharp = false};
    for (size_t r = first; r < end; r += LANES) {
        group_columns columns __attribute__((aligned(64)));
        vfloat max[VECS];
        vint valid[VECS];
        size_t rows = end - r < LANES ? end - r : LANES;
        group_load(columns, call->logits + r * classes, rows, classes);
        group_max(columns, classes, max, valid);
        size_t bad = group_first_invalid(valid);
        if (bad < LANES)
            return invalid(r + bad, invalid_row);
        if (r == first || call->temperature.stride != 0)
            group_scale(&scale, &call->temperature, false, r, rows);
        if (scale.any_sharp)
            group_sharpen(columns, classes, max, scale.sharp);
        if (logarithm)
            group_log_softmax(columns, classes, max, scale.scale);
        else
            group_softmax(columns, classes, max, scale.scale, scale.unscaled);
        group_store(call->result + r * classes, columns, rows, classes);
    }
    return CORE_OK;
}

static int short_gumbel_softmax(const struct core_gumbel_softmax_call *call, size_t first, size_t count,
                                size_t *invalid_row)
{
    size_t classes = call->classes, end = first + count;
    struct group_scale scale = {.any_sharp = false};
    for (size_t r = first; r < end; r += LANES) {
        group_columns columns __attribute__((aligned(64)));
        vfloat max[VECS];
        vint valid[VECS];
        struct group_source source;
        size_t rows = end - r < LANES ? end - r : LANES;
        group_load(columns, call->logits + r * classes, rows, classes);
        group_max(columns, classes, max, valid);
        size_t bad = group_first_invalid(valid);
        if (bad < LANES)
            return invalid(r + bad, invalid_row);
        group_source(&source, &call->noise, r, rows);
        group_perturb(columns, classes, max, &source);
        if (r == first || call->tau.stride != 0)
            group_scale(&scale, &call->tau, call->hard, r, rows);
        if (scale.any_sharp)
            group_sharpen(columns, classes, max, scale.sharp);
        group_softmax(columns, classes, max, scale.scale, scale.unscaled);
        group_store(call->samples + r * classes, columns, rows, classes);
    }
    return CORE_OK;
}

static int softmax(const struct core_softmax_call *call, size_t first, size_t count, size_t *invalid_row)
{
    if (call->classes < SHORT_CLASSES)
        return short_softmax(call, first, count, invalid_row, false);
    return long_softmax(call, first, count, invalid_row, false);
}

static int log_softmax(const struct core_softmax_call *call, size_t first, size_t count, size_t *invalid_row)
{
    if (call->classes < SHORT_CLASSES)
        return short_softmax(call, first, count, invalid_row, true);
    return long_softmax(call, first, count, invalid_row, true);
}

static int gumbel_softmax(const struct core_gumbel_softmax_call *call, size_t first, size_t count, size_t *invalid_row)
{
    if (call->classes < SHORT_CLASSES)
        return short_gumbel_softmax(call, first, count, invalid_row);
    return long_gumbel_softmax(call, first, count, invalid_row);
}

static void words(uint32_t *words, uint64_t first_word, size_t count, uint64_t seed, uint32_t row, uint32_t draw,
                  uint32_t tag)
{
    struct noise_source source = {seed, row, draw, tag};
    size_t whole = count - count % NOISE_STEP;
    uint32_t last[NOISE_STEP];
    noise_words(words, first_word / 4, whole, &source);
    if (whole < count) {
        noise_words(last, (first_word + whole) / 4, NOISE_STEP, &source);
        memcpy(words + whole, last, (count - whole) * sizeof(last[0]));
    }
}

static void exponential(const uint32_t *words, float *exponential, size_t count)
{
    size_t whole = count - count % LANES;
    uint32_t last[LANES] = {0};
    float e[LANES];
    exponentials(words, exponential, whole);
    if (whole < count) {
        memcpy(last, words + whole, (count - whole) * sizeof(last[0]));
        exponentials(last, e, LANES);
        memcpy(exponential + whole, e, (count - whole) * sizeof(e[0]));
    }
}

const struct core_kernels JOIN(core_kernels_, CORE_TARGET) = {
    .softmax = softmax,
    .log_softmax = log_softmax,
    .gumbel_softmax = gumbel_softmax,
    .noise_words = words,
    .exponential = exponential,
};
