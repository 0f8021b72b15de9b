/* The gradients once more, for one row, in long double and with what float may differ from them by; and the losses
 * whose gradients they are, for finite differences. Nothing is shared with the core. */
#ifndef TESTS_CORE_VJP_REFERENCE_H
#define TESTS_CORE_VJP_REFERENCE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Logits of one row as the core sees them, perturbed or not, and how far off its floats may be. */
struct reference_row {
    size_t classes;
    long double *x, *x_error;
    const float *cotangent;
    long double temperature;
    bool logarithm; /* of log_softmax, not softmax */
};

/* sum_j c_j y_j, or of log y_j; impossible classes left out. */
long double reference_loss(const struct reference_row *row);

/* Adds the gradients of the loss, times `share`, and their errors: grad[classes] is that of the temperature. An
 * infinite error means that the sum overflows in float. */
void reference_add_gradient(const struct reference_row *row, long double share, long double *grad, long double *error);

/* z given the hard sample `winner`: -log(E_D / Z) there, -log(E_j / exp(x_j) + E_D / Z) elsewhere, less log Z, from
 * the noise of tag 1. Errors as floats have them. */
void reference_condition(struct reference_row *row, const float *logits, size_t winner, uint64_t seed, uint32_t index,
                         uint32_t draw);

#endif
