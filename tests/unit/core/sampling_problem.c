#include "sampling_problem.h"

#include <float.h>
#include <stdlib.h>
#include <string.h>

enum core_dtype select_kernels(int i)
{
    select_isa(i / 2);
    return i % 2 == 0 ? CORE_FLOAT32 : CORE_FLOAT64;
}

double number_at(enum core_dtype dtype, const void *numbers, size_t i)
{
    return dtype == CORE_FLOAT64 ? ((const double *)numbers)[i] : (double)((const float *)numbers)[i];
}

void number_put(enum core_dtype dtype, void *numbers, size_t i, double value)
{
    if (dtype == CORE_FLOAT64)
        ((double *)numbers)[i] = value;
    else
        ((float *)numbers)[i] = (float)value;
}

double epsilon_of(enum core_dtype dtype)
{
    return dtype == CORE_FLOAT64 ? DBL_EPSILON : (double)FLT_EPSILON;
}

static double widened(float x, enum logits_kind kind, struct inputs *inputs)
{
    switch (kind) {
    case LOGITS_EQUAL:
        return (double)x;
    case LOGITS_HUGE:
        return (double)x * 0x1p896;
    case LOGITS_TINY:
        return (double)(x / FLT_TRUE_MIN) * DBL_TRUE_MIN;
    default:
        return (double)x + (inputs_uniform(inputs) - 0.5) * 0x1p-22;
    }
}

void fill_numbers(enum core_dtype dtype, void *logits, size_t rows, size_t classes, enum logits_kind kind,
                  struct inputs *inputs)
{
    float *narrow = floats(rows * classes);
    fill_logits(narrow, rows, classes, kind, inputs);
    for (size_t i = 0; i < rows * classes; i++)
        number_put(dtype, logits, i, dtype == CORE_FLOAT64 ? widened(narrow[i], kind, inputs) : (double)narrow[i]);
    free(narrow);
}

static const uint64_t one_seed = 0x0123456789abcdef;

static void *bytes(size_t size)
{
    void *memory = malloc(size > 0 ? size : 1);
    ck_assert_ptr_nonnull(memory);
    memset(memory, 0x55, size);
    return memory;
}

/* Draws with noise alone; set what else is wanted, then sampling_allocate. */
struct sampling sampling_of(enum core_dtype dtype, size_t rows, size_t classes, size_t draws, bool replacement)
{
    static const double one = 1;
    return (struct sampling){.rows = rows,
                             .call = {.dtype = dtype,
                                      .classes = classes,
                                      .temperature = {&one, 0},
                                      .noise = {&one_seed, 0, 0xfffffff0, 2},
                                      .draws = draws,
                                      .replacement = replacement}};
}

static void allocate_more(struct sampling *p)
{
    struct core_categorical_call *call = &p->call;
    size_t drawn = p->rows * call->draws, size = core_dtype_size(call->dtype);
    p->filtered_log_probabilities = bytes(drawn * size);
    p->ranks = bytes(drawn * sizeof(int32_t));
    p->named = bytes(2 * sizeof(uint32_t));
    p->named[0] = (uint32_t)call->classes - 1;
    p->named[1] = 0;
    p->named_log_probabilities = bytes(2 * p->rows * size);
    p->kept = bytes(p->rows * sizeof(int32_t));
    p->kept_mass = bytes(p->rows * size);
    p->entropy = bytes(p->rows * size);
    call->filtered_log_probabilities = p->more ? p->filtered_log_probabilities : NULL;
    call->named = (struct core_classes){p->named, 2};
    call->named_log_probabilities = p->more ? p->named_log_probabilities : NULL;
    call->ranks = p->more ? p->ranks : NULL;
    call->kept = p->more ? p->kept : NULL;
    call->kept_mass = p->more ? p->kept_mass : NULL;
    call->entropy = p->more ? p->entropy : NULL;
}

void sampling_allocate(struct sampling *p)
{
    struct core_categorical_call *call = &p->call;
    size_t drawn = p->rows * call->draws, top = p->rows * call->top, size = core_dtype_size(call->dtype);
    call->logits = p->logits = bytes(p->rows * call->classes * size);
    call->indices = p->indices = bytes(drawn * sizeof(int32_t));
    call->scores = p->scores = bytes(drawn * size);
    call->top_indices = p->top_indices = bytes(top * sizeof(int32_t));
    call->top_log_probabilities = p->top_log_probabilities = bytes(top * size);
    p->log_probabilities = bytes(drawn * size);
    allocate_more(p);
    p->scratch = bytes(core_categorical_scratch(call));
}

void sampling_close(struct sampling *p)
{
    free(p->logits);
    free(p->indices);
    free(p->scores);
    free(p->log_probabilities);
    free(p->top_indices);
    free(p->top_log_probabilities);
    free(p->filtered_log_probabilities);
    free(p->named_log_probabilities);
    free(p->named);
    free(p->ranks);
    free(p->kept);
    free(p->kept_mass);
    free(p->entropy);
    free(p->scratch);
}

int sampling_run(const struct sampling *p, size_t *bad)
{
    return core_categorical(&p->call, 0, p->rows, p->scratch, bad);
}

void sampling_run_all(const struct sampling *p)
{
    size_t bad = SIZE_MAX;
    ck_assert_int_eq(sampling_run(p, &bad), CORE_OK);
    ck_assert_uint_eq(bad, SIZE_MAX);
}

void require_same_draws(const struct sampling *a, const struct sampling *b)
{
    size_t drawn = a->rows * a->call.draws, top = a->rows * a->call.top;
    size_t size = core_dtype_size(a->call.dtype);
    ck_assert_mem_eq(a->indices, b->indices, drawn * sizeof(a->indices[0]));
    ck_assert_mem_eq(a->scores, b->scores, drawn * size);
    ck_assert_mem_eq(a->log_probabilities, b->log_probabilities, drawn * size);
    ck_assert_mem_eq(a->top_log_probabilities, b->top_log_probabilities, top * size);
    ck_assert_mem_eq(a->top_indices, b->top_indices, top * sizeof(a->top_indices[0]));
    ck_assert_mem_eq(a->filtered_log_probabilities, b->filtered_log_probabilities, drawn * size);
    ck_assert_mem_eq(a->named_log_probabilities, b->named_log_probabilities, 2 * a->rows * size);
    ck_assert_mem_eq(a->ranks, b->ranks, drawn * sizeof(a->ranks[0]));
    ck_assert_mem_eq(a->kept, b->kept, a->rows * sizeof(a->kept[0]));
    ck_assert_mem_eq(a->kept_mass, b->kept_mass, a->rows * size);
    ck_assert_mem_eq(a->entropy, b->entropy, a->rows * size);
}
