/* Vector-Jacobian products of the core's functions: from a cotangent c, the gradient of a loss with respect to a
 * function's result, the gradients with respect to the logits and to the temperature.
 *
 * What core.h says of all calls holds here too: dtypes, arrays [rows][classes], dense or strided by `inner`, masks,
 * rows first .. first+count-1, invalid rows, the same bits on every instruction set and for every split, the caller's
 * memory and floating-point environment. And:
 *   - the cotangent and grad_logits have the layout of the logits; the results may overlap neither the inputs nor each
 *     other;
 *   - the gradient of a row's temperature (or tau) is one number; the array of them may be NULL;
 *   - a masked class is one of logit -inf, whatever its logit is;
 *   - `scratch` has the size in bytes that the call's scratch function returns, is aligned for a double, with any
 *     content, and is not shared by concurrent calls. It may be NULL where that size is 0: below CORE_SHORT_CLASSES
 *     classes, and for dense softmax and log_softmax without a mask;
 *   - the cotangent may hold anything. Values in it that are not finite, or become so, propagate by the rules of
 *     IEEE 754 as in the formulas below, within its row; a NaN comes out as 0x7fc00000 (of float64
 *     0x7ff8000000000000), a zero as +0;
 *   - at temperature (or tau) 0 the functions are constant wherever they are continuous: all gradients of the row are
 *     +0, whatever the cotangent. Temperatures below 1 / M act as that one does, M the greatest finite number of the
 *     dtype;
 *   - sums over classes are made in the dtype, in the order of 16 lanes and blocks that softmax has.
 */
#ifndef CORE_VJP_H
#define CORE_VJP_H

#include "core.h"

struct core_softmax_vjp_call {
    const void *logits, *cotangent;
    size_t classes;
    struct core_per_row temperature; /* finite, >= +0 */
    void *grad_logits;               /* [rows][classes] */
    void *grad_temperature;          /* [rows], or NULL */
    struct core_mask mask;
    size_t inner;
    enum core_dtype dtype;
};

/* For core_softmax_vjp and core_log_softmax_vjp. The scratch functions here depend only on the call's classes, inner,
 * mask and dtype. */
size_t core_softmax_vjp_scratch(const struct core_softmax_vjp_call *call);

/* With y = softmax(x / T), the bits that core_softmax returns, s = sum_k c_k y_k, and m the row's maximum:
 *
 *   grad_logits_j = y_j (c_j - s) / T
 *   grad_temperature = -1/T sum_j grad_logits_j (x_j - m)
 *
 * What torch.autograd gives of torch.nn.functional.softmax(x / T, -1). The differences from m can replace x because
 * the grad_logits sum to 0. A class that is -inf adds nothing, nor does one whose (x_j - m) / T is below -M. */
int core_softmax_vjp(const struct core_softmax_vjp_call *call, size_t first, size_t count, void *scratch,
                     size_t *invalid_row);

/* Of log_softmax(x / T):
 *
 *   grad_logits_j = (c_j - y_j sum_k c_k) / T
 *
 * and grad_temperature from it as above. A class that is -inf gets c_j / T, as from torch, and adds nothing to
 * grad_temperature, nor does one whose log-probability is -inf; the cotangent of such a class should be 0. */
int core_log_softmax_vjp(const struct core_softmax_vjp_call *call, size_t first, size_t count, void *scratch,
                         size_t *invalid_row);

/* core_gumbel_rao_vjp divided into several calls for the same rows, one after another: this one makes `count` of the
 * conditional samples, from `first` on. `sums` keeps the sums between the calls, core_gumbel_rao_sums bytes for each
 * row of the range, aligned for a double. After the last call the results are those of one call, to the bit; before,
 * they are unspecified. */
struct core_rao_part {
    uint32_t first, count;
    void *sums;
};

struct core_gumbel_softmax_vjp_call {
    const void *logits, *cotangent;
    size_t classes;
    struct core_per_row tau;      /* finite, >= +0 */
    struct core_noise noise;      /* that of the sample */
    uint32_t conditional_samples; /* k >= 1; used by core_gumbel_rao_vjp only */
    struct core_rao_part part;    /* likewise; count 0: all in this call */
    void *grad_logits;            /* [rows][classes] */
    void *grad_tau;               /* [rows], or NULL */

    struct core_per_row noise_scale; /* s, that of the sample: finite, >= 0, as in core.h; value NULL means 1 */
    struct core_mask mask;
    size_t inner;
    enum core_dtype dtype;
};

size_t core_gumbel_softmax_vjp_scratch(const struct core_gumbel_softmax_vjp_call *call);
size_t core_gumbel_rao_vjp_scratch(const struct core_gumbel_softmax_vjp_call *call);

/* Bytes of a row's sums in struct core_rao_part. */
size_t core_gumbel_rao_sums(const struct core_gumbel_softmax_vjp_call *call);

/* With z = x + s g, s = noise_scale, and y = softmax(z / tau), the bits that core_gumbel_softmax returns for the
 * same noise: grad_logits and grad_tau are those of softmax at the logits z, the noise held constant (Jang et al. 2017;
 * Maddison et al. 2017). s = 0 gives those of softmax(x / tau).
 *
 * A hard sample is piecewise constant, and has no useful gradient of its own. With the cotangent of the hard sample
 * this function returns the straight-through gradient: that of the soft sample in its place (Bengio et al. 2013). */
int core_gumbel_softmax_vjp(const struct core_gumbel_softmax_vjp_call *call, size_t first, size_t count, void *scratch,
                            size_t *invalid_row);

/* The Gumbel-Rao gradient of a hard sample (M. Paulus, C. Maddison, A. Krause: Rao-Blackwellizing the
 * Straight-Through Gumbel-Softmax Gradient Estimator, ICLR 2021): the straight-through gradient's expectation given
 * the sample, estimated from k conditional samples. Where the cotangent depends only on the hard sample, its mean over
 * seeds is that of straight-through for the same tau and noise_scale, and its variance at most as large.
 *
 *   s = noise_scale
 *   D = the first maximum of z = x + s g, which core_gumbel_softmax draws, hard, for the same noise
 *   m = the row's maximum
 *   p = softmax(x / s), the bits that core_softmax returns for temperature s
 *   log p_m = -log sum_j exp((x_j - m) / s), what core_log_softmax returns at the maximum
 *   for i = 0 .. k-1:
 *     E_j = core_exponential of core_noise_words with tag 1 (and 3 for the lower words), draw k * noise.draw + i
 *           (modulo 2^32), the sample's seed and row: draws about 2^32 / k apart share conditional samples
 *     z_D = -s log E_D
 *     z_j = ((x_j - m) + s log p_m) - s log(E_j + p_j E_D) for the other j, the products and sums fused
 *   grad_logits and grad_tau = the means over i of those of softmax(z / tau), z held constant
 *
 * z is s times the Gumbel variables of the logits x / s given that D is their first maximum, less s log sum_j
 * exp(x_j / s). (In the paper, for s = 1: x_D + g_D = -log(E_D / Z) and x_j + g_j = -log(E_j / exp(x_j) + E_D / Z)
 * with Z = sum_j exp x_j; with Z and exp(x_j) taken out of the logarithms nothing overflows, and with s out of the
 * differences a small s loses no digits.) For s = 0 there is no noise: D is the first maximum of x, z = x - m in each
 * of the samples, and the gradients are those of softmax(x / tau) up to the roundings of the mean. */
int core_gumbel_rao_vjp(const struct core_gumbel_softmax_vjp_call *call, size_t first, size_t count, void *scratch,
                        size_t *invalid_row);

/* Adds `count` numbers of a further sample's gradients to the sums of the samples before. A sum is sum[i] + rest[i],
 * and sum[i] is that rounded: after n additions its error is at most u of itself and 2 n u^2 of the sum of magnitudes,
 * u = 2^-24 or 2^-53 (see sum_add in sums.h). With `first` the rests are set, not read: `sum` holds the first sample's
 * gradients. NaN and -0 are written as in all gradients. The arrays do not overlap. */
void core_gradient_add(enum core_dtype dtype, void *sum, void *rest, const void *summand, size_t count, bool first);

#endif
