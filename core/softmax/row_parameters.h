/* A call's parameters for one row. */
#ifndef CORE_SOFTMAX_ROW_PARAMETERS_H
#define CORE_SOFTMAX_ROW_PARAMETERS_H

#include "core.h"
#include "random/noise.h"

INLINE real parameter(const struct core_per_row *value, size_t row)
{
    return (real)value->value[row * value->stride];
}

/* `off` where the parameter is left out. */
INLINE real parameter_or(const struct core_per_row *value, size_t row, real off)
{
    return value->value != NULL ? parameter(value, row) : off;
}

/* The same for the rows from `row` on. */
INLINE struct core_per_row per_row_from(struct core_per_row value, size_t row)
{
    return value.value == NULL ? value : (struct core_per_row){value.value + row * value.stride, value.stride};
}

/* 1 / T, at most REAL_MAX: lower temperatures act as 1 / REAL_MAX does. */
INLINE real inverse(real temperature)
{
    real inverse = 1.0f / temperature;
    return inverse < REAL_MAX ? inverse : REAL_MAX;
}

#define NOISE_SCALE_MAX ((real)CORE_NOISE_SCALE_MAX)

INLINE real noise_scale(const struct core_per_row *scale, size_t row)
{
    real s = parameter_or(scale, row, 1.0f);
    return s < NOISE_SCALE_MAX ? s : NOISE_SCALE_MAX;
}

/* The element of class 0 and the step to the next class, in a stream that is not v1. */
INLINE void source_place(struct noise_source *source, const struct core_noise *noise, size_t row)
{
    const size_t classes = noise->whole.classes, inner = noise->whole.inner > 1 ? noise->whole.inner : 1;
    const uint64_t skipped = (uint64_t)noise->row_offset * classes;
    source->stream = noise;
    if (noise->stride != 0) {
        source->first = skipped + (uint64_t)source->draw * classes;
        source->step = 1;
        return;
    }
    row += noise->row;
    const uint64_t outer = (uint64_t)source->draw * (noise->whole.rows / inner) + row / inner;
    source->first = skipped + outer * classes * inner + row % inner;
    source->step = inner;
}

/* Where the noise of a row comes from, for the draw noise->draw + `draw`. What has a tag is v1's in each stream. */
INLINE struct noise_source source_of_row(const struct core_noise *noise, size_t row, size_t draw, uint32_t tag)
{
    struct noise_source source = {
        .seed = noise->seed[row * noise->stride],
        .row = noise->row_offset + (noise->stride == 0 ? (uint32_t)(noise->row + row) : 0),
        .draw = noise->draw + (uint32_t)draw,
        .tag = tag,
    };
    if (noise->rng != CORE_RNG_V1 && tag == 0)
        source_place(&source, noise, row);
    return source;
}

/* The same for the rows from `row` on. */
INLINE struct core_noise noise_from(struct core_noise noise, size_t row)
{
    noise.seed += row * noise.stride;
    noise.row += row;
    return noise;
}

/* What a kernel returns for an invalid row. */
INLINE int invalid(size_t row, size_t *invalid_row)
{
    *invalid_row = row;
    return CORE_INVALID_ROW;
}

#endif
