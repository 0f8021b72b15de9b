/* The kernels under vjp.c of one instruction set. kernels_vjp.c is compiled once for each, and each object exports one
 * table. They work on a block of rows, in the floating-point environment that vjp.c sets. */
#ifndef CORE_KERNELS_VJP_H
#define CORE_KERNELS_VJP_H

#include "vjp.h"

/* A block of rows, dense, and the gradients of softmax(x / T) there. */
struct vjp_block {
    size_t rows, classes;
    const real *x; /* logits, perturbed or not: no NaN, no +inf, not only -inf */
    const real *y; /* softmax(x / T); may be the memory of grad_x */
    const real *cotangent;
    struct core_per_row temperature; /* of row 0 on, as are all of these */
    real *grad_x;
    real *grad_temperature; /* or NULL */
};

/* A block of rows and its noise, given the hard sample `winner` of each. */
struct conditional_block {
    size_t rows, classes;
    const real *p, *log_p; /* of the unperturbed logits */
    const size_t *winner;
    struct core_noise noise;
};

struct core_vjp_kernels {
    /* grad_x and grad_temperature, of softmax and of log_softmax. */
    void (*softmax)(const struct vjp_block *block);
    void (*log_softmax)(const struct vjp_block *block);

    /* Adds to grad_x and grad_temperature what is still to be multiplied by 1 / T and -1 / T; and, after `samples` of
     * these, makes gradients of their mean. */
    void (*add)(const struct vjp_block *block);
    void (*mean)(const struct vjp_block *block, real samples);

    /* z = (x - m) - s log E, which is x + s g but for a constant of the row, as in core_gumbel_softmax to the bit; s is
     * the noise's scale. False, and the row in *invalid_row, if a row has no answer. */
    bool (*perturb)(real *z, const real *logits, size_t rows, size_t classes, const struct core_noise *noise,
                    const struct core_per_row *noise_scale, size_t *invalid_row);

    /* The class of the first maximum of each row of z: the hard samples. */
    void (*first_maxima)(size_t *winner, const real *z, size_t rows, size_t classes);

    /* z given the winners, as core_gumbel_rao_vjp has it, from the draw noise.draw of tag 1. */
    void (*condition)(real *z, const struct conditional_block *block);
};

extern const struct core_vjp_kernels core_vjp_kernels_sse2, core_vjp_kernels_avx2, core_vjp_kernels_avx512,
    core_vjp_kernels_neon;

#endif
