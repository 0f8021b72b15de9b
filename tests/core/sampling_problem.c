#include "sampling_problem.h"
#include "support.h"

#include <stdlib.h>
#include <string.h>

static const uint64_t one_seed = 0x0123456789abcdef;

static void *bytes(size_t size)
{
    void *memory = malloc(size > 0 ? size : 1);
    ck_assert_ptr_nonnull(memory);
    memset(memory, 0x55, size);
    return memory;
}

/* Draws with noise alone; set what else is wanted, then sampling_allocate. */
struct sampling sampling_of(size_t rows, size_t classes, size_t draws, bool replacement)
{
    static const float one = 1;
    return (struct sampling){.call = {.rows = rows,
                                      .classes = classes,
                                      .temperature = {&one, 0},
                                      .noise = {&one_seed, 0, 0xfffffff0, 2},
                                      .draws = draws,
                                      .replacement = replacement}};
}

void sampling_allocate(struct sampling *p)
{
    struct core_categorical_call *call = &p->call;
    size_t drawn = call->rows * call->draws, told = call->rows * call->top;
    call->logits = p->logits = bytes(call->rows * call->classes * sizeof(float));
    call->indices.narrow = p->narrow = bytes(drawn * sizeof(int32_t));
    call->indices.wide = p->wide = bytes(drawn * sizeof(int64_t));
    call->scores = p->scores = bytes(drawn * sizeof(float));
    call->top_indices.narrow = p->top_narrow = bytes(told * sizeof(int32_t));
    call->top_log_probabilities = p->top_log_probabilities = bytes(told * sizeof(float));
    p->log_probabilities = bytes(drawn * sizeof(float));
    p->scratch = bytes(core_categorical_scratch(call));
}

void sampling_close(struct sampling *p)
{
    free(p->logits);
    free(p->narrow);
    free(p->wide);
    free(p->scores);
    free(p->log_probabilities);
    free(p->top_narrow);
    free(p->top_log_probabilities);
    free(p->scratch);
}

int sampling_run(const struct sampling *p, size_t *bad)
{
    return core_categorical(&p->call, 0, p->call.rows, p->scratch, bad);
}

void sampling_run_all(const struct sampling *p)
{
    size_t bad = SIZE_MAX;
    ck_assert_int_eq(sampling_run(p, &bad), CORE_OK);
    ck_assert_uint_eq(bad, SIZE_MAX);
}

void require_same_draws(const struct sampling *a, const struct sampling *b)
{
    size_t drawn = a->call.rows * a->call.draws;
    ck_assert_mem_eq(a->narrow, b->narrow, drawn * sizeof(a->narrow[0]));
    ck_assert_mem_eq(a->wide, b->wide, drawn * sizeof(a->wide[0]));
    ck_assert(same_bits(a->scores, b->scores, drawn));
    ck_assert(same_bits(a->log_probabilities, b->log_probabilities, drawn));
    ck_assert(same_bits(a->top_log_probabilities, b->top_log_probabilities, a->call.rows * a->call.top));
    ck_assert_mem_eq(a->top_narrow, b->top_narrow, a->call.rows * a->call.top * sizeof(a->top_narrow[0]));
}
