#include "support.h"
#include "lib/random.h"

#include <float.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#if defined(__x86_64__)
#include <xmmintrin.h>
#endif

int first_isa(void)
{
    int isa = 0;
    while (!core_isa_supported((enum core_isa)isa))
        isa++;
    return isa;
}

void select_isa(int isa)
{
    ck_assert_int_eq(core_select((enum core_isa)isa), CORE_OK);
}

uint64_t inputs_next(struct inputs *inputs)
{
    struct random random = {inputs->state};
    const uint64_t word = random_next(&random);
    inputs->state = random.state;
    return word;
}

double inputs_uniform(struct inputs *inputs)
{
    return (double)(inputs_next(inputs) >> 11) * 0x1p-53;
}

size_t inputs_below(struct inputs *inputs, size_t limit)
{
    return (size_t)(inputs_uniform(inputs) * (double)limit);
}

/* What differs between the types. */
struct range {
    double huge, least;
};

static double one_logit(enum logits_kind kind, const struct range *range, struct inputs *inputs)
{
    double u = inputs_uniform(inputs);
    switch (kind) {
    case LOGITS_WIDE:
        return 200 * u - 100;
    case LOGITS_HUGE:
        return (2 * u - 1) * range->huge;
    case LOGITS_TINY:
        return trunc((2 * u - 1) * 8) * range->least;
    case LOGITS_EQUAL:
        return 0.75;
    default:
        return 3 * (u + inputs_uniform(inputs) + inputs_uniform(inputs) - 1.5) * 2;
    }
}

void fill_logits_f64(double *logits, size_t rows, size_t classes, enum logits_kind kind, struct inputs *inputs)
{
    static const struct range range = {8e307, DBL_TRUE_MIN};
    for (size_t r = 0; r < rows; r++) {
        double *row = logits + r * classes;
        size_t possible = inputs_below(inputs, classes);
        for (size_t j = 0; j < classes; j++) {
            row[j] = one_logit(kind, &range, inputs);
            if (kind == LOGITS_HOLES && j != possible && inputs_below(inputs, 3) == 0)
                row[j] = -INFINITY;
        }
    }
}

void fill_logits(float *logits, size_t rows, size_t classes, enum logits_kind kind, struct inputs *inputs)
{
    static const struct range range = {1.5e38, FLT_TRUE_MIN};
    for (size_t r = 0; r < rows; r++) {
        float *row = logits + r * classes;
        size_t possible = inputs_below(inputs, classes);
        for (size_t j = 0; j < classes; j++) {
            row[j] = (float)one_logit(kind, &range, inputs);
            if (kind == LOGITS_HOLES && j != possible && inputs_below(inputs, 3) == 0)
                row[j] = -INFINITY;
        }
    }
}

float *floats(size_t count)
{
    float *memory = malloc((count > 0 ? count : 1) * sizeof(float));
    ck_assert_ptr_nonnull(memory);
    return memory;
}

bool same_bits(const float *a, const float *b, size_t count)
{
    return memcmp(a, b, count * sizeof(float)) == 0;
}

bool is_negative_zero(float x)
{
    return x == 0.0f && signbit(x);
}

void set_strange_environment(void)
{
#if defined(__x86_64__)
    _mm_setcsr(0xdf84); /* FTZ and DAZ, round up, the flag of a division by zero */
#else
    __builtin_aarch64_set_fpcr(0x03400000); /* FZ, DN, round up */
    __builtin_aarch64_set_fpsr(2);
#endif
}

uint64_t get_environment(void)
{
#if defined(__x86_64__)
    return _mm_getcsr();
#else
    return (uint64_t)__builtin_aarch64_get_fpcr() << 32 | __builtin_aarch64_get_fpsr();
#endif
}
