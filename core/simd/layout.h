/* Where the rows of an array lie, and the packing of strided ones. */
#ifndef CORE_SIMD_LAYOUT_H
#define CORE_SIMD_LAYOUT_H

#include "simd/vec.h"

/* `step` numbers lie between the classes of a row: 1, or the `inner` of a strided array (core.h). */
struct layout {
    size_t classes, step;
};

INLINE struct layout layout_of(size_t classes, size_t inner)
{
    return (struct layout){classes, inner <= 1 ? 1 : inner};
}

/* Where the first class of a row lies. */
INLINE size_t layout_row(struct layout layout, size_t row)
{
    if (layout.step == 1)
        return row * layout.classes;
    return row / layout.step * layout.classes * layout.step + row % layout.step;
}

/* How many rows from `row` on lie side by side: `most`, or fewer where the inner axes end. */
INLINE size_t layout_run(struct layout layout, size_t row, size_t most)
{
    size_t left = layout.step - row % layout.step;
    return left < most ? left : most;
}

/* 4 x 4 numbers from rows that are from_stride apart to columns that are to_stride apart. */
INLINE void transpose_4x4(const real *from, size_t from_stride, real *to, size_t to_stride)
{
    vfour r0 = four_load(from), r1 = four_load(from + from_stride);
    vfour r2 = four_load(from + 2 * from_stride), r3 = four_load(from + 3 * from_stride);
    vfour r01_low = __builtin_shufflevector(r0, r1, 0, 4, 1, 5), r01_high = __builtin_shufflevector(r0, r1, 2, 6, 3, 7);
    vfour r23_low = __builtin_shufflevector(r2, r3, 0, 4, 1, 5), r23_high = __builtin_shufflevector(r2, r3, 2, 6, 3, 7);
    vfour c0 = __builtin_shufflevector(r01_low, r23_low, 0, 1, 4, 5);
    vfour c1 = __builtin_shufflevector(r01_low, r23_low, 2, 3, 6, 7);
    vfour c2 = __builtin_shufflevector(r01_high, r23_high, 0, 1, 4, 5);
    vfour c3 = __builtin_shufflevector(r01_high, r23_high, 2, 3, 6, 7);
    four_store(to, c0);
    four_store(to + to_stride, c1);
    four_store(to + 2 * to_stride, c2);
    four_store(to + 3 * to_stride, c3);
}

/* Fours of numbers as wide as a register, if it holds one. */
#define FOURS_LANES (VEC_LANES < 4 ? 4 : VEC_LANES)
typedef real vfours __attribute__((vector_size(FOURS_LANES * sizeof(real))));
typedef real vfours_memory __attribute__((vector_size(FOURS_LANES * sizeof(real)), aligned(4), may_alias));

#if VEC_LANES == 16
#define IN_FOURS(a, b, c, d)                                                                                           \
    a, b, c, d, (a) + 4, (b) + 4, (c) + 4, (d) + 4, (a) + 8, (b) + 8, (c) + 8, (d) + 8, (a) + 12, (b) + 12, (c) + 12,  \
        (d) + 12
#elif VEC_LANES == 8
#define IN_FOURS(a, b, c, d) a, b, c, d, (a) + 4, (b) + 4, (c) + 4, (d) + 4
#else
#define IN_FOURS(a, b, c, d) a, b, c, d
#endif

/* Fours that are `stride` apart. */
INLINE vfours fours_load(const real *from, size_t stride)
{
    vfour first = four_load(from);
#if VEC_LANES < 8
    (void)stride;
    return first;
#else
    typedef real veight __attribute__((vector_size(8 * sizeof(real))));
    veight eight = __builtin_shufflevector(first, four_load(from + stride), 0, 1, 2, 3, 4, 5, 6, 7);
#if VEC_LANES == 8
    return eight;
#else
    veight last = __builtin_shufflevector(four_load(from + 2 * stride), four_load(from + 3 * stride), 0, 1, 2, 3, 4, 5,
                                          6, 7);
    return __builtin_shufflevector(eight, last, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15);
#endif
#endif
}

INLINE void fours_store(real *to, size_t stride, vfours v)
{
    (void)stride;
    four_store(to, __builtin_shufflevector(v, v, 0, 1, 2, 3));
#if VEC_LANES >= 8
    four_store(to + stride, __builtin_shufflevector(v, v, 4, 5, 6, 7));
#endif
#if VEC_LANES == 16
    four_store(to + 2 * stride, __builtin_shufflevector(v, v, 8, 9, 10, 11));
    four_store(to + 3 * stride, __builtin_shufflevector(v, v, 12, 13, 14, 15));
#endif
}

/* Each four of v[i] becomes the numbers i of the fours that were in its place. */
INLINE void fours_transpose(vfours v[4])
{
    enum { N = FOURS_LANES };
    vfours low01 = __builtin_shufflevector(v[0], v[1], IN_FOURS(0, N, 1, N + 1));
    vfours low23 = __builtin_shufflevector(v[2], v[3], IN_FOURS(0, N, 1, N + 1));
    vfours high01 = __builtin_shufflevector(v[0], v[1], IN_FOURS(2, N + 2, 3, N + 3));
    vfours high23 = __builtin_shufflevector(v[2], v[3], IN_FOURS(2, N + 2, 3, N + 3));
    v[0] = __builtin_shufflevector(low01, low23, IN_FOURS(0, 1, N, N + 1));
    v[1] = __builtin_shufflevector(low01, low23, IN_FOURS(2, 3, N + 2, N + 3));
    v[2] = __builtin_shufflevector(high01, high23, IN_FOURS(0, 1, N, N + 1));
    v[3] = __builtin_shufflevector(high01, high23, IN_FOURS(2, 3, N + 2, N + 3));
}

/* Element (i, j), i < rows and j < columns, goes from from[i * from_row + j * from_column] to the like place in `to`.
 * One of from_row and from_column is 1, and the other one of to_row and to_column. */
INLINE void transpose(const real *from, size_t from_row, size_t from_column, real *to, size_t to_row, size_t to_column,
                      size_t rows, size_t columns)
{
    size_t i = 0;
    for (; i + 4 <= rows; i += 4) {
        size_t j = 0;
        for (; j + 4 <= columns; j += 4)
            transpose_4x4(from + i * from_row + j * from_column, from_row * from_column,
                          to + i * to_row + j * to_column, to_row * to_column);
        for (; j < columns; j++)
            for (size_t k = i; k < i + 4; k++)
                to[k * to_row + j * to_column] = from[k * from_row + j * from_column];
    }
    for (; i < rows; i++)
        for (size_t j = 0; j < columns; j++)
            to[i * to_row + j * to_column] = from[i * from_row + j * from_column];
}

/* `count` strided rows that lie side by side from `array` on, to and from a dense block. The classes are the outer
 * loop: so memory is used by whole cache lines of the array where there are enough rows. */
INLINE void block_pack(real *block, const real *array, struct layout layout, size_t count)
{
    transpose(array, layout.step, 1, block, 1, layout.classes, layout.classes, count);
}

INLINE void block_unpack(real *array, const real *block, struct layout layout, size_t count)
{
    transpose(block, 1, layout.classes, array, layout.step, 1, layout.classes, count);
}

/* Makes -inf of the packed logits whose bytes, in the layout of the array, are 0. */
INLINE void block_mask(real *block, const uint8_t *allowed, struct layout layout, size_t count)
{
    for (size_t j = 0; j < layout.classes; j++)
        for (size_t i = 0; i < count; i++)
            if (allowed[j * layout.step + i] == 0)
                block[i * layout.classes + j] = -__builtin_inff();
}

#endif
