/* The density of one soft sample, from the noise that made it (see core_gumbel_softmax in core.h). */
#ifndef CORE_MATH_DENSITY_H
#define CORE_MATH_DENSITY_H

#include "math/scalar.h"
#include "simd/vec.h"

/* Of the possible classes: their number, the sum of E and that of log E. */
struct density_tally {
    double classes, exponentials, logarithms;
};

/* lgamma(n) - n log n for an integer n >= 1. Up to 18 the factorial is exact; above that Stirling's series, whose next
 * term is below 2e-17 (Abramowitz and Stegun 6.1.41). */
static double lgamma_remainder(double n)
{
    const double log_two_pi = 0x1.d67f1c864beb5p0;
    if (n <= 18) {
        double factorial = 1;
        for (double i = 2; i < n; i++)
            factorial *= i;
        return scalar_log(factorial) - n * scalar_log(n);
    }
    double square = 1 / (n * n), series = 1.0 / 1680 - square / 1188;
    series = 1.0 / 12 - (1.0 / 360 - (1.0 / 1260 - series * square) * square) * square;
    return 0.5 * (log_two_pi - scalar_log(n)) - n + series / n;
}

/* log(tau / s), also where the quotient would not be a normal double. */
static double log_quotient(double tau, double noise_scale)
{
    double quotient = tau / noise_scale;
    if (quotient >= DBL_MIN && quotient <= DBL_MAX)
        return scalar_log(quotient);
    return scalar_log(tau) - scalar_log(noise_scale);
}

/* lgamma(K) + (K - 1) log(tau / s) + sum log E - K log sum E, arranged as lgamma(K) - K log K and the logarithm of the
 * mean of E: the terms are then no larger than the result's own size. Temperatures below 1 / REAL_MAX act as that one.
 */
static inline real density_log(const struct density_tally *tally, real tau, real noise_scale)
{
    double k = tally->classes, temperature = tau > 1 / (double)REAL_MAX ? tau : 1 / (double)REAL_MAX;
    if (k == 1)
        return 0.0f;
    if (tau == 0.0f)
        return -__builtin_inff();
    if (noise_scale == 0.0f)
        return __builtin_inff();
    return (real)((k - 1) * log_quotient(temperature, noise_scale) + tally->logarithms -
                  k * scalar_log(tally->exponentials / k) + lgamma_remainder(k));
}

#endif
