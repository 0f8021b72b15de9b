/* Rows of perturbed logits: from the noise of a sample, and from the noise given the hard sample. */
#ifndef CORE_VJP_NOISE_H
#define CORE_VJP_NOISE_H

#include "core.h"
#include "noise.h"
#include "vjp_rows.h"

/* Noise is made for so many classes at a time, of many short rows or of one long one: it stays in the first-level cache
 * between its steps, and the steps of several vectors overlap. */
#define TILE 512

struct noise_tile {
    size_t rows;   /* TILE / stride of short rows, else 1 */
    size_t stride; /* from one row's noise to the next: whole groups of LANES */
    uint32_t words[TILE + NOISE_STEP] __attribute__((aligned(64)));
    real e[TILE] __attribute__((aligned(64)));
};

/* How many rows a tile takes, and at most `left`. */
INLINE size_t tile_rows(size_t classes, size_t left)
{
    size_t rows = TILE / ((classes + LANES - 1) / LANES * LANES);
    if (rows < 1)
        rows = 1;
    return rows < left ? rows : left;
}

INLINE struct noise_source source_of_row(const struct core_noise *noise, size_t row, uint32_t tag)
{
    return (struct noise_source){
        .seed = noise->seed[row * noise->stride],
        .row = noise->row_offset + (noise->stride == 0 ? (uint32_t)row : 0),
        .draw = noise->draw,
        .tag = tag,
    };
}

/* E of `rows` rows from `row`, of the `count` classes from `first`, and of what fills the last group of LANES. What
 * noise_words writes beyond a row's stride is the next row's, which comes after. */
INLINE void tile_exponentials(struct noise_tile *tile, const struct core_noise *noise, uint32_t tag, size_t row,
                              size_t rows, size_t first, size_t count)
{
    tile->rows = rows;
    tile->stride = (count + LANES - 1) / LANES * LANES;
    for (size_t i = 0; i < rows; i++) {
        struct noise_source source = source_of_row(noise, row + i, tag);
        noise_words(tile->words + i * tile->stride, first / 4, tile->stride, &source);
    }
    exponentials(tile->words, tile->e, rows * tile->stride);
}

INLINE void tile_logarithms(struct noise_tile *tile)
{
    logarithms(tile->e, tile->e, tile->rows * tile->stride);
}

/* z = (x - max) - s log E, rounded once after x - max as in core_gumbel_softmax. */
INLINE void perturb_step(real *z, const real *x, real max, const real *log_e, real s, size_t count)
{
    for (size_t j = 0; j < count; j += LANES) {
        vreal v[VECS];
        lanes_load(v, x + j, count - j, 0.0f);
        FOR_VECS (q) {
            vreal l = vec_load(log_e + j + q * VEC_LANES);
            v[q] = s == 1.0f ? (v[q] - max) - l : vec_fma(vec_splat(-s), l, v[q] - max);
        }
        lanes_store(z + j, v, count - j);
    }
}

/* e = E + p E_D, a normal number, since E >= 2^-33. */
INLINE void race_step(real *e, const real *p, real e_winner, size_t count)
{
    for (size_t j = 0; j < count; j += LANES) {
        vreal v[VECS];
        lanes_load(v, p + j, count - j, 0.0f);
        FOR_VECS (q) {
            real *at = e + j + q * VEC_LANES;
            vec_store(at, vec_fma(v[q], vec_splat(e_winner), vec_load(at)));
        }
    }
}

/* E of one class, which need not lie in the tile at hand. */
INLINE real exponential_of_class(size_t class, const struct core_noise *noise, uint32_t tag, size_t row)
{
    uint32_t words[NOISE_STEP] __attribute__((aligned(64)));
    struct noise_source source = source_of_row(noise, row, tag);
    noise_words(words, class / 4, NOISE_STEP, &source);
    return vec_exponential((vuint)vec_splat_int((int32_t)words[class % 4]))[0];
}

/* The first class where z is `value`, which occurs. */
INLINE size_t row_find(const real *z, size_t classes, real value)
{
    for (size_t j = 0; j < classes; j += LANES) {
        vreal v[VECS];
        vint hit = vec_splat_int(0);
        lanes_load(v, z + j, classes - j, -__builtin_inff());
        FOR_VECS (q)
            hit |= v[q] == value;
        if (vec_any(hit)) {
            while (z[j] != value)
                j++;
            return j;
        }
    }
    return classes;
}

#endif
