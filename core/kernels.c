/* The kernels, compiled once for each instruction set: CORE_TARGET is sse2, avx2, avx512 or neon, and the compiler's
 * flags allow those instructions in this object alone. Everything here but the table at the end is static.
 *
 * One definition of every result, for all targets and both shapes of rows (m the row's maximum, with +0 for -0;
 * scale = 1 / T rounded to float, at most FLT_MAX, so temperatures below 1 / FLT_MAX act as that one does; e, the
 * exponentials of exp_log.h, e_m that of m):
 *
 *   softmax          y = e / sum of e, correctly rounded
 *   log_softmax      y = fma(x - m, scale, -log(sum of e / e_m))
 *   gumbel_softmax   z = (x - m) - s log E, rounded once after x - m; then softmax of z with 1 / tau
 *   T = 0, hard      the one-hot row of the first maximum of x or z; of log_softmax 0 there and -inf elsewhere
 *
 * A masked class has the logit -inf. Of strided arrays short rows are loaded and stored as columns, which they are;
 * long ones are packed to dense blocks of CORE_BLOCK_ROWS, so that memory is used by whole cache lines and there is one
 * kernel of long rows.
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
_Static_assert(CORE_SHORT_CLASSES == SHORT_CLASSES, "core.h says from where on scratch is needed");
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

/* The same for the rows from `row` on. */
static struct core_per_row per_row_from(struct core_per_row value, size_t row)
{
    return value.value == NULL ? value : (struct core_per_row){value.value + row * value.stride, value.stride};
}

/* More would make z infinite. */
#define NOISE_SCALE_MAX 1e36f

static float noise_scale(const struct core_per_row *scale, size_t row)
{
    if (scale->value == NULL)
        return 1.0f;
    float s = parameter(scale, row);
    return s < NOISE_SCALE_MAX ? s : NOISE_SCALE_MAX;
}

/* The logits of a dense row: themselves, or what the mask leaves of them, written to `out`. */
INLINE const float *row_allowed(const float *logits, float *out, const uint8_t *allowed, size_t stride, size_t row,
                                size_t classes)
{
    if (allowed == NULL)
        return logits;
    long_row_mask(out, logits, allowed + (stride == 0 ? 0 : row * classes), classes);
    return out;
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

/* Up to so many classes LONG_ROWS rows go together. */
#define LONG_ROWS_CLASSES 512

/* Rows r .. r + count - 1, count at most LONG_ROWS. */
INLINE int long_rows_softmax(const struct core_softmax_call *call, size_t r, size_t count, size_t *invalid_row,
                             bool logarithm)
{
    struct long_row row[LONG_ROWS];
    float max[LONG_ROWS], scale[LONG_ROWS], sum[LONG_ROWS];
    size_t classes = call->classes;
    for (size_t i = 0; i < count; i++) {
        float *out = call->result + (r + i) * classes;
        const float *logits = call->logits + (r + i) * classes;
        logits = row_allowed(logits, out, call->mask.allowed, call->mask.stride, r + i, classes);
        long_row_open(&row[i], logits, out, classes);
        if (!long_row_max(&row[i], &max[i]))
            return invalid(r + i, invalid_row);
    }
    for (size_t i = 0; i < count; i++) {
        scale[i] = inverse(parameter(&call->temperature, r + i));
        sum[i] = logarithm ? long_row_log_sum(&row[i], max[i], scale[i])
                           : long_row_exponentials(&row[i], row[i].in, max[i], scale[i]);
    }
    for (size_t i = 0; i < count; i++)
        if (logarithm)
            long_row_subtract(&row[i], max[i], scale[i], sum[i]);
        else
            long_row_divide(&row[i], sum[i]);
    return CORE_OK;
}

/* The limit of temperature 0. */
static int long_row_limit(const struct core_softmax_call *call, size_t r, size_t *invalid_row, bool logarithm)
{
    struct long_row row;
    float max, *out = call->result + r * call->classes;
    const float *logits = call->logits + r * call->classes;
    logits = row_allowed(logits, out, call->mask.allowed, call->mask.stride, r, call->classes);
    long_row_open(&row, logits, out, call->classes);
    if (!long_row_max(&row, &max))
        return invalid(r, invalid_row);
    long_row_one_hot(out, call->classes, long_row_find(&row, row.in, max), logarithm ? 0.0f : 1.0f,
                     logarithm ? -__builtin_inff() : 0.0f);
    return CORE_OK;
}

INLINE int long_softmax(const struct core_softmax_call *call, size_t first, size_t count, size_t *invalid_row,
                        bool logarithm)
{
    size_t end = first + count, rows, most = call->classes <= LONG_ROWS_CLASSES ? LONG_ROWS : 1;
    int status = CORE_OK;
    for (size_t r = first; r < end && status == CORE_OK; r += rows) {
        rows = 0;
        while (rows < most && r + rows < end && parameter(&call->temperature, r + rows) != 0.0f)
            rows++;
        if (rows > 0) {
            status = long_rows_softmax(call, r, rows, invalid_row, logarithm);
        } else {
            rows = 1;
            status = long_row_limit(call, r, invalid_row, logarithm);
        }
    }
    return status;
}

/* What does not need the soft sample, from z in the row's `out`. */
INLINE void long_row_pick(const struct core_gumbel_softmax_call *call, size_t r, const struct long_row *row, float max)
{
    size_t classes = call->classes;
    float tau = parameter(&call->tau, r);
    if (!call->hard && tau != 0.0f && call->indices == NULL)
        return;
    size_t column = long_row_find(row, row->out, max);
    if (call->indices != NULL)
        call->indices[r] = (int32_t)column;
    if (call->hard || tau == 0.0f)
        long_row_one_hot(call->samples + r * classes, classes, column, 1.0f, 0.0f);
    if (tau == 0.0f && call->soft != NULL)
        long_row_one_hot(call->soft + r * classes, classes, column, 1.0f, 0.0f);
}

/* Rows r .. r + count - 1, count at most LONG_ROWS, and 1 if there are more than NOISE_CHUNK classes. */
INLINE int long_rows_gumbel_softmax(const struct core_gumbel_softmax_call *call, size_t r, size_t count,
                                    size_t *invalid_row)
{
    struct long_row row[LONG_ROWS];
    struct density_tally tally[LONG_ROWS] = {{0, 0, 0}};
    struct perturbation perturbation[LONG_ROWS];
    float max[LONG_ROWS], sum[LONG_ROWS];
    size_t classes = call->classes;
    for (size_t i = 0; i < count; i++) {
        size_t at = (r + i) * classes;
        float *out = (call->hard && call->soft != NULL ? call->soft : call->samples) + at;
        const float *in = row_allowed(call->logits + at, out, call->mask.allowed, call->mask.stride, r + i, classes);
        perturbation[i] = (struct perturbation){
            .source = source_of_row(&call->noise, r + i),
            .scale = noise_scale(&call->noise_scale, r + i),
            .gumbel = call->gumbel == NULL ? NULL : call->gumbel + at,
            .tally = call->log_density == NULL ? NULL : &tally[i],
        };
        long_row_open(&row[i], in, out, classes);
        if (!long_row_max(&row[i], &max[i]))
            return invalid(r + i, invalid_row);
    }
    if (count == 1)
        long_row_perturb(&row[0], &max[0], &perturbation[0]);
    else
        long_rows_perturb(row, max, perturbation, count);
    for (size_t i = 0; i < count; i++) {
        float tau = parameter(&call->tau, r + i);
        if (call->log_density != NULL)
            call->log_density[r + i] = density_log(&tally[i], tau, perturbation[i].scale);
        long_row_pick(call, r + i, &row[i], max[i]);
        sum[i] = 0;
        if (tau != 0.0f && (!call->hard || call->soft != NULL))
            sum[i] = long_row_exponentials(&row[i], row[i].out, max[i], inverse(tau));
    }
    for (size_t i = 0; i < count; i++) {
        if (sum[i] == 0)
            continue;
        long_row_divide(&row[i], sum[i]);
        if (!call->hard && call->soft != NULL)
            memcpy(call->soft + (r + i) * classes, row[i].out, classes * sizeof(float));
    }
    return CORE_OK;
}

static int long_gumbel_softmax(const struct core_gumbel_softmax_call *call, size_t first, size_t count,
                               size_t *invalid_row)
{
    size_t end = first + count, rows, most = call->classes <= NOISE_CHUNK ? LONG_ROWS : 1;
    int status = CORE_OK;
    for (size_t r = first; r < end && status == CORE_OK; r += rows) {
        rows = end - r < most ? end - r : most;
        status = long_rows_gumbel_softmax(call, r, rows, invalid_row);
    }
    return status;
}

/* Packs rows row .. row + count - 1, which lie side by side, and makes -inf of what a mask excludes. */
INLINE void pack(float *block, const float *logits, const uint8_t *allowed, size_t stride, struct layout layout,
                 size_t row, size_t count)
{
    size_t at = layout_row(layout, row);
    block_pack(block, logits + at, layout, count);
    if (allowed != NULL && stride != 0)
        block_mask(block, allowed + at, layout, count);
    for (size_t i = 0; allowed != NULL && stride == 0 && i < count; i++)
        long_row_mask(block + i * layout.classes, block + i * layout.classes, allowed, layout.classes);
}

INLINE int strided_softmax(const struct core_softmax_call *call, size_t first, size_t count, size_t *invalid_row,
                           bool logarithm)
{
    struct layout layout = layout_of(call->classes, call->inner);
    size_t end = first + count, rows;
    for (size_t r = first; r < end; r += rows) {
        rows = layout_run(layout, r, end - r < CORE_BLOCK_ROWS ? end - r : CORE_BLOCK_ROWS);
        pack(call->scratch, call->logits, call->mask.allowed, call->mask.stride, layout, r, rows);
        struct core_softmax_call block = {
            .logits = call->scratch,
            .rows = rows,
            .classes = call->classes,
            .temperature = per_row_from(call->temperature, r),
            .result = call->scratch,
        };
        if (long_softmax(&block, 0, rows, invalid_row, logarithm) != CORE_OK)
            return invalid(r + *invalid_row, invalid_row);
        block_unpack(call->result + layout_row(layout, r), block.result, layout, rows);
    }
    return CORE_OK;
}

static int strided_gumbel_softmax(const struct core_gumbel_softmax_call *call, size_t first, size_t count,
                                  size_t *invalid_row)
{
    struct layout layout = layout_of(call->classes, call->inner);
    size_t end = first + count, rows, block_size = CORE_BLOCK_ROWS * call->classes;
    for (size_t r = first; r < end; r += rows) {
        size_t at = layout_row(layout, r);
        rows = layout_run(layout, r, end - r < CORE_BLOCK_ROWS ? end - r : CORE_BLOCK_ROWS);
        pack(call->scratch, call->logits, call->mask.allowed, call->mask.stride, layout, r, rows);
        struct core_gumbel_softmax_call block = {
            .logits = call->scratch,
            .rows = rows,
            .classes = call->classes,
            .tau = per_row_from(call->tau, r),
            .hard = call->hard,
            .noise = call->noise,
            .samples = call->scratch,
            .noise_scale = per_row_from(call->noise_scale, r),
            .indices = call->indices == NULL ? NULL : call->indices + r,
            .soft = call->soft == NULL ? NULL : call->scratch + block_size,
            .gumbel = call->gumbel == NULL ? NULL : call->scratch + block_size * (call->soft == NULL ? 1 : 2),
            .log_density = call->log_density == NULL ? NULL : call->log_density + r,
        };
        block.noise.seed += r * call->noise.stride;
        block.noise.row_offset += call->noise.stride == 0 ? (uint32_t)r : 0;
        if (long_gumbel_softmax(&block, 0, rows, invalid_row) != CORE_OK)
            return invalid(r + *invalid_row, invalid_row);
        block_unpack(call->samples + at, block.samples, layout, rows);
        if (call->soft != NULL)
            block_unpack(call->soft + at, block.soft, layout, rows);
        if (call->gumbel != NULL)
            block_unpack(call->gumbel + at, block.gumbel, layout, rows);
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

/* The noise's scale of each lane; false if all are 1. */
INLINE bool group_noise_scale(vfloat scale[VECS], const struct core_per_row *noise, size_t row, size_t count)
{
    float s[LANES];
    bool scaled = false;
    if (noise->value == NULL)
        return false;
    for (size_t lane = 0; lane < LANES; lane++) {
        s[lane] = noise_scale(noise, row + (lane < count ? lane : 0));
        scaled |= s[lane] != 1.0f;
    }
    FOR_VECS (q)
        scale[q] = vec_load(s + q * VEC_LANES);
    return scaled;
}

/* Loads a group of rows and takes its maxima. Returns the first lane that is not valid, or LANES. */
INLINE size_t group_open(group_columns columns, vfloat max[VECS], const float *logits, const uint8_t *allowed,
                         size_t stride, struct layout layout, size_t row, size_t count)
{
    vint valid[VECS];
    group_load(columns, logits, layout, row, count);
    if (allowed != NULL)
        group_mask(columns, allowed, stride, layout, row, count);
    group_max(columns, layout.classes, max, valid);
    return group_first_invalid(valid);
}

INLINE int short_softmax(const struct core_softmax_call *call, size_t first, size_t count, size_t *invalid_row,
                         bool logarithm)
{
    struct layout layout = layout_of(call->classes, call->inner);
    size_t classes = call->classes, end = first + count;
    struct group_scale scale = {.any_sharp = false};
    for (size_t r = first; r < end; r += LANES) {
        group_columns columns __attribute__((aligned(64)));
        vfloat max[VECS];
        size_t rows = end - r < LANES ? end - r : LANES;
        size_t bad = group_open(columns, max, call->logits, call->mask.allowed, call->mask.stride, layout, r, rows);
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
        group_store(call->result, layout, r, columns, rows);
    }
    return CORE_OK;
}

static void short_log_density(const struct core_gumbel_softmax_call *call, size_t row, size_t count,
                              const struct density_tally tally[LANES])
{
    for (size_t lane = 0; lane < count; lane++)
        call->log_density[row + lane] = density_log(&tally[lane], parameter(&call->tau, row + lane),
                                                    noise_scale(&call->noise_scale, row + lane));
}

/* The further results of a group, from its z, E and log E, which becomes g. */
static __attribute__((noinline)) void short_further(const struct core_gumbel_softmax_call *call, size_t row,
                                                    size_t count, group_columns z, const vfloat max[VECS],
                                                    group_columns e, group_columns log_e)
{
    struct layout layout = layout_of(call->classes, call->inner);
    if (call->log_density != NULL) {
        struct density_tally tally[LANES];
        group_tally(tally, z, e, log_e, call->classes);
        short_log_density(call, row, count, tally);
    }
    if (call->indices != NULL)
        group_indices(call->indices + row, z, call->classes, max, count);
    if (call->gumbel != NULL) {
        group_negate(log_e, call->classes);
        group_store(call->gumbel, layout, row, log_e, count);
    }
    if (call->soft != NULL) {
        group_columns soft __attribute__((aligned(64)));
        struct group_scale scale;
        memcpy(soft, z, call->classes * sizeof(soft[0]));
        group_scale(&scale, &call->tau, false, row, count);
        if (scale.any_sharp)
            group_sharpen(soft, call->classes, max, scale.sharp);
        group_softmax(soft, call->classes, max, scale.scale, scale.unscaled);
        group_store(call->soft, layout, row, soft, count);
    }
}

static int short_gumbel_softmax(const struct core_gumbel_softmax_call *call, size_t first, size_t count,
                                size_t *invalid_row)
{
    struct layout layout = layout_of(call->classes, call->inner);
    size_t classes = call->classes, end = first + count;
    struct group_scale scale = {.any_sharp = false};
    bool further = call->indices != NULL || call->soft != NULL || call->gumbel != NULL || call->log_density != NULL;
    for (size_t r = first; r < end; r += LANES) {
        group_columns columns __attribute__((aligned(64))), log_e __attribute__((aligned(64)));
        group_columns raw __attribute__((aligned(64))); /* E where it is still wanted after its logarithm */
        float(*e)[LANES] = call->log_density != NULL ? raw : log_e;
        vfloat max[VECS], noise[VECS];
        struct group_source source;
        size_t rows = end - r < LANES ? end - r : LANES;
        size_t bad = group_open(columns, max, call->logits, call->mask.allowed, call->mask.stride, layout, r, rows);
        if (bad < LANES)
            return invalid(r + bad, invalid_row);
        group_source(&source, &call->noise, r, rows);
        group_noise(e, log_e, classes, &source);
        if (group_noise_scale(noise, &call->noise_scale, r, rows))
            group_perturb(columns, classes, max, log_e, noise);
        else
            group_perturb(columns, classes, max, log_e, NULL);
        if (further)
            short_further(call, r, rows, columns, max, e, log_e);
        if (r == first || call->tau.stride != 0)
            group_scale(&scale, &call->tau, call->hard, r, rows);
        if (scale.any_sharp)
            group_sharpen(columns, classes, max, scale.sharp);
        group_softmax(columns, classes, max, scale.scale, scale.unscaled);
        group_store(call->samples, layout, r, columns, rows);
    }
    return CORE_OK;
}

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
