#include "vjp_problem.h"

#include <stdlib.h>
#include <string.h>

size_t vjp_scratch(enum vjp_function function, size_t classes)
{
    switch (function) {
    case VJP_GUMBEL:
        return core_gumbel_softmax_vjp_scratch(classes);
    case VJP_RAO:
        return core_gumbel_rao_vjp_scratch(classes);
    default:
        return 0;
    }
}

struct vjp_problem vjp_problem_open(enum vjp_function function, size_t rows, size_t classes, enum logits_kind kind,
                                    struct inputs *inputs)
{
    size_t count = rows * classes, scratch = vjp_scratch(function, classes);
    struct vjp_problem problem = {
        .function = function,
        .rows = rows,
        .classes = classes,
        .logits = floats(count),
        .cotangent = floats(count),
        .grad = floats(count),
        .grad_parameter = floats(rows),
        .scratch = scratch > 0 ? floats(scratch) : NULL,
        .samples = 3,
    };
    fill_logits(problem.logits, rows, classes, kind, inputs);
    for (size_t i = 0; i < count; i++)
        problem.cotangent[i] = inputs_below(inputs, 8) == 0 ? 0 : (float)(6 * inputs_uniform(inputs) - 3);
    memset(problem.grad, 0x55, count * sizeof(float));
    memset(problem.grad_parameter, 0x55, rows * sizeof(float));
    return problem;
}

void vjp_problem_close(struct vjp_problem *problem)
{
    free(problem->logits);
    free(problem->cotangent);
    free(problem->grad);
    free(problem->grad_parameter);
    free(problem->scratch);
}

int vjp_run(const struct vjp_problem *p, size_t first, size_t count, size_t *bad)
{
    struct core_softmax_vjp_call plain = {.logits = p->logits,
                                          .cotangent = p->cotangent,
                                          .rows = p->rows,
                                          .classes = p->classes,
                                          .temperature = p->parameter,
                                          .grad_logits = p->grad,
                                          .grad_temperature = p->grad_parameter};
    struct core_gumbel_softmax_vjp_call gumbel = {.logits = p->logits,
                                                  .cotangent = p->cotangent,
                                                  .rows = p->rows,
                                                  .classes = p->classes,
                                                  .tau = p->parameter,
                                                  .noise = p->noise,
                                                  .conditional_samples = p->samples,
                                                  .grad_logits = p->grad,
                                                  .grad_tau = p->grad_parameter,
                                                  .noise_scale = p->noise_scale};
    switch (p->function) {
    case VJP_SOFTMAX:
        return core_softmax_vjp(&plain, first, count, bad);
    case VJP_LOG_SOFTMAX:
        return core_log_softmax_vjp(&plain, first, count, bad);
    case VJP_GUMBEL:
        return core_gumbel_softmax_vjp(&gumbel, first, count, p->scratch, bad);
    default:
        return core_gumbel_rao_vjp(&gumbel, first, count, p->scratch, bad);
    }
}

void vjp_run_all(const struct vjp_problem *problem)
{
    size_t bad = SIZE_MAX;
    ck_assert_int_eq(vjp_run(problem, 0, problem->rows, &bad), CORE_OK);
    ck_assert_uint_eq(bad, SIZE_MAX);
}
