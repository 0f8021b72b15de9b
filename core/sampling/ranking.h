/* The n greatest of many values in descending order, the lower column first of equals. */
#ifndef CORE_SAMPLING_RANKING_H
#define CORE_SAMPLING_RANKING_H

#include "simd/vec.h"

/* An entry orders first by its value, then by its column, lower ones greater: the value's bits as an unsigned number
 * in the order of reals, above the complement of the column. */
#if CORE_REAL == 32
typedef uint64_t rank;
#else
typedef unsigned __int128 rank;
#endif

/* `entry` is a heap with the least entry at its root. */
struct ranking {
    rank *entry;
    size_t count, size;
    real least; /* what a value must surpass to get in */
};

#define SIGN_BIT ((lane_uint)1 << (CORE_REAL - 1))

INLINE rank rank_of(real value, size_t column)
{
    lane_uint bits;
    value += 0.0f; /* +0 for -0 */
    memcpy(&bits, &value, sizeof(bits));
    bits = bits & SIGN_BIT ? ~bits : bits | SIGN_BIT;
    return (rank)bits << 32 | (uint32_t)~column;
}

INLINE real rank_value(rank entry)
{
    lane_uint bits = (lane_uint)(entry >> 32);
    real value;
    bits = bits & SIGN_BIT ? bits & ~SIGN_BIT : ~bits;
    memcpy(&value, &bits, sizeof(value));
    return value;
}

INLINE size_t rank_column(rank entry)
{
    return (uint32_t) ~(uint32_t)entry;
}

INLINE struct ranking ranking_of(rank *entry, size_t size)
{
    return (struct ranking){entry, 0, size, size > 0 ? -__builtin_inff() : __builtin_inff()};
}

/* Puts `entry` in at the root of heap[0 .. count-1] and lets it sink. */
static void heap_sink(rank *heap, size_t count, rank entry)
{
    size_t at = 0;
    for (size_t child = 1; child < count; child = 2 * at + 1) {
        if (child + 1 < count && heap[child + 1] < heap[child])
            child++;
        if (entry <= heap[child])
            break;
        heap[at] = heap[child];
        at = child;
    }
    heap[at] = entry;
}

static void heap_rise(rank *heap, size_t at, rank entry)
{
    for (; at > 0 && entry < heap[(at - 1) / 2]; at = (at - 1) / 2)
        heap[at] = heap[(at - 1) / 2];
    heap[at] = entry;
}

static void ranking_add(struct ranking *ranking, real value, size_t column)
{
    rank entry = rank_of(value, column);
    if (ranking->count < ranking->size)
        heap_rise(ranking->entry, ranking->count++, entry);
    else
        heap_sink(ranking->entry, ranking->count, entry);
    if (ranking->count == ranking->size)
        ranking->least = rank_value(ranking->entry[0]);
}

/* Values of columns first .. first + count - 1, a multiple of LANES. Columns must come in ascending order; -inf never
 * gets in. */
static void ranking_offer(struct ranking *ranking, const real *values, size_t first, size_t count)
{
    for (size_t j = 0; j < count; j += VEC_LANES)
        for (uint32_t bits = vec_bits(vec_load(values + j) > ranking->least); bits != 0; bits &= bits - 1) {
            size_t i = j + (size_t)__builtin_ctz(bits);
            if (values[i] > ranking->least) /* which may have risen */
                ranking_add(ranking, values[i], first + i);
        }
}

/* Brings the entries into descending order: heapsort. */
static void ranking_sort(struct ranking *ranking)
{
    for (size_t last = ranking->count; last > 1; last--) {
        rank least = ranking->entry[0];
        heap_sink(ranking->entry, last - 1, ranking->entry[last - 1]);
        ranking->entry[last - 1] = least;
    }
}

#endif
