/* The kernels under vjp.c, compiled once for each instruction set as kernels.c is: CORE_TARGET is sse2, avx2, avx512
 * or neon. Everything here but the table at the end is static. */
#include "kernels_vjp.h"
#include "vjp_noise.h"
#include "vjp_rows.h"

#define JOIN_TOKENS(a, b) a##b
#define JOIN(a, b) JOIN_TOKENS(a, b)

#define CORE_LANES_sse2 4
#define CORE_LANES_neon 4
#define CORE_LANES_avx2 8
#define CORE_LANES_avx512 16
_Static_assert(VEC_LANES == JOIN(CORE_LANES_, CORE_TARGET), "the compiler's flags are not those of CORE_TARGET");

static real temperature_of_row(const struct vjp_block *block, size_t row)
{
    return block->temperature.value[row * block->temperature.stride];
}

/* 1 / T, at most REAL_MAX, as softmax has it. */
static real inverse(real temperature)
{
    real inverse = 1.0f / temperature;
    return inverse < REAL_MAX ? inverse : REAL_MAX;
}

static void no_gradient(const struct vjp_block *block, size_t row)
{
    memset(block->grad_x + row * block->classes, 0, block->classes * sizeof(block->grad_x[0]));
    if (block->grad_temperature != NULL)
        block->grad_temperature[row] = 0.0f;
}

/* grad_temperature = -1/T of the weighted sum of products. */
static void finish_temperature(real *grad_temperature, real weighted_sum, real scale)
{
    *grad_temperature = canonical(vec_splat(-(weighted_sum * scale)))[0];
}

INLINE void products_of_row(const struct vjp_block *block, size_t r, enum products products)
{
    const size_t at = r * block->classes;
    struct product_row row = {
        .x = block->x + at,
        .y = block->y + at,
        .c = block->cotangent + at,
        .grad = block->grad_x + at,
        .classes = block->classes,
        .scale = inverse(temperature_of_row(block, r)),
    };
    row.sum = row_dot(products == LOG_SOFTMAX_GRADIENT ? NULL : row.y, row.c, row.classes);
    if (block->grad_temperature == NULL) {
        row_products(&row, products, false);
        return;
    }
    row_max(row.x, row.classes, &row.max);
    real weighted_sum = row_products(&row, products, true);
    if (products == SOFTMAX_ADDEND)
        block->grad_temperature[r] += weighted_sum;
    else
        finish_temperature(&block->grad_temperature[r], weighted_sum, row.scale);
}

static void softmax(const struct vjp_block *block)
{
    for (size_t r = 0; r < block->rows; r++) {
        if (temperature_of_row(block, r) == 0.0f)
            no_gradient(block, r);
        else
            products_of_row(block, r, SOFTMAX_GRADIENT);
    }
}

static void log_softmax(const struct vjp_block *block)
{
    for (size_t r = 0; r < block->rows; r++) {
        if (temperature_of_row(block, r) == 0.0f)
            no_gradient(block, r);
        else
            products_of_row(block, r, LOG_SOFTMAX_GRADIENT);
    }
}

static void add(const struct vjp_block *block)
{
    for (size_t r = 0; r < block->rows; r++)
        products_of_row(block, r, SOFTMAX_ADDEND);
}

static void mean_of_row(real *grad, size_t classes, real samples, real scale)
{
    for (size_t j = 0; j < classes; j += LANES) {
        vreal v[VECS];
        lanes_load(v, grad + j, classes - j, 0.0f);
        FOR_VECS (q)
            v[q] = canonical(v[q] / samples * scale);
        lanes_store(grad + j, v, classes - j);
    }
}

static void mean(const struct vjp_block *block, real samples)
{
    for (size_t r = 0; r < block->rows; r++) {
        real scale = inverse(temperature_of_row(block, r));
        if (temperature_of_row(block, r) == 0.0f) {
            no_gradient(block, r);
            continue;
        }
        mean_of_row(block->grad_x + r * block->classes, block->classes, samples, scale);
        if (block->grad_temperature != NULL)
            finish_temperature(&block->grad_temperature[r], block->grad_temperature[r] / samples, scale);
    }
}

/* More would make z infinite. */
#define NOISE_SCALE_MAX 1e36f

static real scale_of_row(const struct core_per_row *noise_scale, size_t row)
{
    if (noise_scale->value == NULL)
        return 1.0f;
    real s = noise_scale->value[row * noise_scale->stride];
    return s < NOISE_SCALE_MAX ? s : NOISE_SCALE_MAX;
}

/* z of rows row .. row + rows - 1, which fit a tile. */
static bool perturb_tile(real *z, const real *logits, size_t row, size_t rows, size_t classes,
                         const struct core_noise *noise, const struct core_per_row *noise_scale, size_t *invalid_row)
{
    struct noise_tile tile;
    real max[TILE / LANES];
    for (size_t i = 0; i < rows; i++)
        if (!row_max(logits + (row + i) * classes, classes, &max[i])) {
            *invalid_row = row + i;
            return false;
        }
    for (size_t first = 0; first < classes; first += TILE) {
        size_t count = classes - first < TILE ? classes - first : TILE;
        tile_exponentials(&tile, noise, 0, row, rows, first, count);
        tile_logarithms(&tile);
        for (size_t i = 0; i < rows; i++) {
            size_t at = (row + i) * classes + first;
            perturb_step(z + at, logits + at, max[i], tile.e + i * tile.stride, scale_of_row(noise_scale, row + i),
                         count);
        }
    }
    return true;
}

static bool perturb(real *z, const real *logits, size_t rows, size_t classes, const struct core_noise *noise,
                    const struct core_per_row *noise_scale, size_t *invalid_row)
{
    for (size_t r = 0, tile; r < rows; r += tile) {
        tile = tile_rows(classes, rows - r);
        if (!perturb_tile(z, logits, r, tile, classes, noise, noise_scale, invalid_row))
            return false;
    }
    return true;
}

static void first_maxima(size_t *winner, const real *z, size_t rows, size_t classes)
{
    for (size_t r = 0; r < rows; r++) {
        real max;
        row_max(z + r * classes, classes, &max);
        winner[r] = row_find(z + r * classes, classes, max);
    }
}

/* z of rows row .. row + rows - 1, which fit a tile. */
static void condition_tile(real *z, const struct conditional_block *block, size_t row, size_t rows)
{
    const uint32_t tag = 1;
    struct noise_tile tile;
    real e_winner[TILE / LANES];
    size_t classes = block->classes;
    for (size_t first = 0; first < classes; first += TILE) {
        size_t count = classes - first < TILE ? classes - first : TILE;
        tile_exponentials(&tile, &block->noise, tag, row, rows, first, count);
        for (size_t i = 0; i < rows; i++) {
            size_t winner = block->winner[row + i];
            if (first == 0)
                e_winner[i] = winner < count ? tile.e[i * tile.stride + winner]
                                             : exponential_of_class(winner, &block->noise, tag, row + i);
            race_step(tile.e + i * tile.stride, block->p + (row + i) * classes + first, e_winner[i], count);
        }
        tile_logarithms(&tile);
        for (size_t i = 0; i < rows; i++) {
            size_t at = (row + i) * classes + first;
            perturb_step(z + at, block->log_p + at, 0.0f, tile.e + i * tile.stride, 1.0f, count);
        }
    }
    for (size_t i = 0; i < rows; i++)
        z[(row + i) * classes + block->winner[row + i]] = -vec_log(vec_splat(e_winner[i]))[0];
}

static void condition(real *z, const struct conditional_block *block)
{
    for (size_t r = 0, tile; r < block->rows; r += tile) {
        tile = tile_rows(block->classes, block->rows - r);
        condition_tile(z, block, r, tile);
    }
}

const struct core_vjp_kernels JOIN(core_vjp_kernels_, CORE_TARGET) = {
    .softmax = softmax,
    .log_softmax = log_softmax,
    .add = add,
    .mean = mean,
    .perturb = perturb,
    .first_maxima = first_maxima,
    .condition = condition,
};
