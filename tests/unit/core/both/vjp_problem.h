/* One call of any of the vector-Jacobian products, with all its arrays. */
#ifndef TESTS_UNIT_CORE_BOTH_VJP_PROBLEM_H
#define TESTS_UNIT_CORE_BOTH_VJP_PROBLEM_H

#include "real.h"
#include "vjp.h"

enum vjp_function { VJP_SOFTMAX, VJP_LOG_SOFTMAX, VJP_GUMBEL, VJP_RAO, VJP_FUNCTIONS };

struct vjp_problem {
    enum vjp_function function;
    size_t rows, classes, inner;
    real *logits, *cotangent, *grad, *grad_parameter; /* grad_parameter may be NULL */
    void *scratch;                                    /* as large as the function wants, NULL if it wants none */
    struct core_per_row parameter;                    /* temperature or tau */
    struct core_noise noise;
    struct core_per_row noise_scale; /* value NULL means 1 */
    struct core_mask mask;
    uint32_t samples;
    struct core_rao_part part; /* of them */
};

static inline struct core_softmax_vjp_call vjp_plain_call(const struct vjp_problem *p)
{
    return (struct core_softmax_vjp_call){
        .dtype = DTYPE,
        .logits = p->logits,
        .cotangent = p->cotangent,
        .classes = p->classes,
        .inner = p->inner,
        .temperature = p->parameter,
        .mask = p->mask,
        .grad_logits = p->grad,
        .grad_temperature = p->grad_parameter,
    };
}

static inline struct core_gumbel_softmax_vjp_call vjp_gumbel_call(const struct vjp_problem *p)
{
    return (struct core_gumbel_softmax_vjp_call){
        .dtype = DTYPE,
        .logits = p->logits,
        .cotangent = p->cotangent,
        .classes = p->classes,
        .inner = p->inner,
        .tau = p->parameter,
        .noise = p->noise,
        .noise_scale = p->noise_scale,
        .mask = p->mask,
        .conditional_samples = p->samples,
        .part = p->part,
        .grad_logits = p->grad,
        .grad_tau = p->grad_parameter,
    };
}

static inline size_t vjp_scratch(const struct vjp_problem *p) /* in bytes */
{
    struct core_softmax_vjp_call plain = vjp_plain_call(p);
    struct core_gumbel_softmax_vjp_call gumbel = vjp_gumbel_call(p);
    switch (p->function) {
    case VJP_GUMBEL:
        return core_gumbel_softmax_vjp_scratch(&gumbel);
    case VJP_RAO:
        return core_gumbel_rao_vjp_scratch(&gumbel);
    default:
        return core_softmax_vjp_scratch(&plain);
    }
}

/* To be called again when what the scratch memory depends on has changed. */
static inline void vjp_make_scratch(struct vjp_problem *problem)
{
    size_t bytes = vjp_scratch(problem);
    problem->scratch = bytes > 0 ? memory_of(bytes) : NULL;
}

/* Logits of the kind, cotangents in [-3, 3) with some zeros; parameter and noise are left to the caller. */
static inline struct vjp_problem vjp_problem_open(enum vjp_function function, size_t rows, size_t classes,
                                                  enum logits_kind kind, struct inputs *inputs)
{
    size_t count = rows * classes;
    struct vjp_problem problem = {
        .function = function,
        .rows = rows,
        .classes = classes,
        .logits = reals(count),
        .cotangent = reals(count),
        .grad = reals(count),
        .grad_parameter = reals(rows),
        .samples = 3,
    };
    vjp_make_scratch(&problem);
    fill_reals(problem.logits, rows, classes, kind, inputs);
    for (size_t i = 0; i < count; i++)
        problem.cotangent[i] = inputs_below(inputs, 8) == 0 ? 0 : (real)(6 * inputs_uniform(inputs) - 3);
    memset(problem.grad, 0x55, count * sizeof(real));
    memset(problem.grad_parameter, 0x55, rows * sizeof(real));
    return problem;
}

static inline void vjp_problem_close(struct vjp_problem *problem)
{
    free(problem->logits);
    free(problem->cotangent);
    free(problem->grad);
    free(problem->grad_parameter);
    free(problem->scratch);
}

static inline int vjp_run(const struct vjp_problem *p, size_t first, size_t count, size_t *bad)
{
    struct core_softmax_vjp_call plain = vjp_plain_call(p);
    struct core_gumbel_softmax_vjp_call gumbel = vjp_gumbel_call(p);
    switch (p->function) {
    case VJP_SOFTMAX:
        return core_softmax_vjp(&plain, first, count, p->scratch, bad);
    case VJP_LOG_SOFTMAX:
        return core_log_softmax_vjp(&plain, first, count, p->scratch, bad);
    case VJP_GUMBEL:
        return core_gumbel_softmax_vjp(&gumbel, first, count, p->scratch, bad);
    default:
        return core_gumbel_rao_vjp(&gumbel, first, count, p->scratch, bad);
    }
}

static inline void vjp_run_all(const struct vjp_problem *problem) /* must succeed */
{
    size_t bad = SIZE_MAX;
    ck_assert_int_eq(vjp_run(problem, 0, problem->rows, &bad), CORE_OK);
    ck_assert_uint_eq(bad, SIZE_MAX);
}

#endif
