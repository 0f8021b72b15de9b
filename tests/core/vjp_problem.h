/* One call of any of the vector-Jacobian products, with all its arrays. */
#ifndef TESTS_CORE_VJP_PROBLEM_H
#define TESTS_CORE_VJP_PROBLEM_H

#include "support.h"
#include "vjp.h"

enum vjp_function { VJP_SOFTMAX, VJP_LOG_SOFTMAX, VJP_GUMBEL, VJP_RAO, VJP_FUNCTIONS };

struct vjp_problem {
    enum vjp_function function;
    size_t rows, classes;
    float *logits, *cotangent, *grad, *grad_parameter; /* grad_parameter may be NULL */
    float *scratch;                                    /* as large as the function wants, NULL if it wants none */
    struct core_per_row parameter;                     /* temperature or tau */
    struct core_noise noise;
    struct core_per_row noise_scale; /* of VJP_GUMBEL; value NULL means 1 */
    uint32_t samples;
};

/* Logits of the kind, cotangents in [-3, 3) with some zeros; parameter and noise are left to the caller. */
struct vjp_problem vjp_problem_open(enum vjp_function function, size_t rows, size_t classes, enum logits_kind kind,
                                    struct inputs *inputs);
void vjp_problem_close(struct vjp_problem *problem);

size_t vjp_scratch(enum vjp_function function, size_t classes); /* in floats */

int vjp_run(const struct vjp_problem *problem, size_t first, size_t count, size_t *bad);
void vjp_run_all(const struct vjp_problem *problem); /* must succeed */

#endif
