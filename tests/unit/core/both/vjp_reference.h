/* The gradients once more, for one row, in long double and with what the core's type may differ from them by; and the
 * losses whose gradients they are, for finite differences. Nothing is shared with the core. */
#ifndef TESTS_UNIT_CORE_BOTH_VJP_REFERENCE_H
#define TESTS_UNIT_CORE_BOTH_VJP_REFERENCE_H

#include "reference.h"

#define EXCESS(a) fminl(a, 1e4L) /* beyond this an exponential is 0 anyway */

/* Logits of one row as the core sees them, perturbed or not, and how far off its numbers may be. */
struct reference_row {
    size_t classes;
    long double *x, *x_error;
    const real *cotangent;
    long double temperature;
    bool logarithm; /* of log_softmax, not softmax */
};

static inline long double greatest(const long double *x, size_t classes)
{
    long double max = -INFINITY;
    for (size_t j = 0; j < classes; j++)
        max = fmaxl(max, x[j]);
    return max;
}

static inline long double log_sum(const struct reference_row *row)
{
    long double max = greatest(row->x, row->classes), sum = 0;
    for (size_t j = 0; j < row->classes; j++)
        sum += expl((row->x[j] - max) / row->temperature);
    return logl(sum) + max / row->temperature;
}

/* sum_j c_j y_j, or of log y_j; impossible classes left out. */
static inline long double reference_loss(const struct reference_row *row)
{
    long double loss = 0, offset = log_sum(row);
    for (size_t j = 0; j < row->classes; j++) {
        long double log_y = row->x[j] / row->temperature - offset;
        if (row->x[j] > -INFINITY)
            loss += row->cotangent[j] * (row->logarithm ? log_y : expl(log_y));
    }
    return loss;
}

/* Roundings in the longest chain of additions of a sum: lanes of a block, the tree, the blocks (of double with what
 * they round off). */
static inline long double sum_roundings(size_t classes)
{
    return (long double)(classes < SUM_BLOCK ? classes : SUM_BLOCK) / 16 + 6;
}

/* y and its relative error: of float 1 / T is rounded once, and with it exp's argument; exp, sum and division take 5
 * roundings more; the rest comes from x, and by the sum from the largest error of an x that matters. */
static inline void reference_y(const struct reference_row *row, long double *y, long double *y_error)
{
    long double max = greatest(row->x, row->classes), t = row->temperature, offset = 0, off = 0;
    for (size_t j = 0; j < row->classes; j++) {
        offset += y[j] = expl((row->x[j] - max) / t);
        if (row->x[j] > max - 20 * t)
            off = fmaxl(off, row->x_error[j]);
    }
    for (size_t j = 0; j < row->classes; j++) {
        y[j] /= offset;
        y_error[j] = UNIT * (5 + sum_roundings(row->classes));
        if (TEST_REAL == 32)
            y_error[j] += UNIT * 1.01L * EXCESS((max - row->x[j]) / t);
        if (y[j] > REAL_FLUSHED)
            y_error[j] += expm1l((row->x_error[j] + off) / t);
    }
}

/* Adds the gradients of the loss, times `share`, and their errors: grad[classes] is that of the temperature. An
 * infinite error means that the sum overflows in the core's type. */
static inline void reference_add_gradient(const struct reference_row *row, long double share, long double *grad,
                                          long double *error)
{
    size_t classes = row->classes;
    long double *y = calloc(classes, sizeof(y[0])), *y_error = calloc(classes, sizeof(y_error[0]));
    long double t = row->temperature, max = greatest(row->x, classes), roundings = sum_roundings(classes);
    long double s = 0, s_error = 0, magnitude = 0;
    reference_y(row, y, y_error);
    for (size_t j = 0; j < classes; j++) {
        long double c = row->cotangent[j], part = row->logarithm ? c : c * y[j];
        s += part;
        s_error += fabsl(part) * UNIT * roundings;
        if (!row->logarithm)
            s_error += fabsl(c) * (y[j] * y_error[j] + REAL_FLUSHED);
    }
    for (size_t j = 0; j < classes; j++) {
        long double c = row->cotangent[j], a = (row->x[j] - max) / t;
        long double factor = row->logarithm ? s : c - s; /* what y is multiplied by */
        long double v = row->logarithm ? c - y[j] * s : y[j] * (c - s);
        long double v_error = y[j] * (fabsl(factor) * y_error[j] + s_error) + REAL_FLUSHED * fabsl(factor) +
                              UNIT * 4 * fabsl(v) + UNIT * y[j] * (fabsl(c) + fabsl(s)) + REAL_TRUE_MIN;
        grad[j] += share * v / t;
        error[j] += share * (v_error / t + REAL_TRUE_MIN);
        if (row->x[j] == -INFINITY || a < -(long double)REAL_MAX)
            continue;
        grad[classes] -= share * v * a / t;
        magnitude += fabsl(v * a);
        error[classes] += share *
                          (v_error - a * v_error + fabsl(v * a) * UNIT * (roundings + 4) +
                           fabsl(v) * 2 * row->x_error[j] / t) /
                          t;
    }
    if (magnitude > REAL_MAX) /* it may overflow on the way to a finite sum */
        error[classes] = INFINITY;
    free(y);
    free(y_error);
}

/* E of a class given the hard sample: of the words of tag 1 and 3. */
static inline long double conditional_exponential(size_t class, uint64_t seed, uint32_t index, uint32_t draw)
{
    const uint32_t key[2] = {(uint32_t)seed, (uint32_t)(seed >> 32)};
    uint32_t words[2][4];
    for (uint32_t i = 0; i < 2; i++) {
        const uint32_t counter[4] = {(uint32_t)(class / 4), index, draw, 1 + 2 * i};
        reference_philox(counter, key, words[i]);
    }
    return exponential_of(words[0][class % 4], words[1][class % 4]);
}

/* z given the hard sample `winner`, s times what the paper has for the logits x / s: -log(E_D / Z) there,
 * -log(E_j / exp(x_j / s) + E_D / Z) elsewhere, less log Z; x - m for s = 0. Errors as the core's numbers have them. */
static inline void reference_condition(struct reference_row *row, const real *logits, const uint8_t *allowed,
                                       long double s, size_t winner, uint64_t seed, uint32_t index, uint32_t draw)
{
    long double max = -INFINITY, log_z, sum = 0, e_winner = conditional_exponential(winner, seed, index, draw);
    for (size_t j = 0; j < row->classes; j++) {
        row->x[j] = allowed != NULL && allowed[j] == 0 ? -INFINITY : logits[j];
        max = fmaxl(max, row->x[j]);
    }
    for (size_t j = 0; s > 0 && j < row->classes; j++)
        sum += expl((row->x[j] - max) / s);
    log_z = logl(sum);
    for (size_t j = 0; j < row->classes; j++) {
        long double difference = row->x[j] - max;
        row->x[j] = difference;
        row->x_error[j] = difference > -INFINITY ? -UNIT * 2 * difference : 0;
        if (s == 0)
            continue;
        long double log_p = difference / s - log_z, e = conditional_exponential(j, seed, index, draw);
        long double argument = j == winner ? e : e + expl(log_p) * e_winner;
        long double p_error = j == winner ? 0 : 5 * EXCESS(-log_p) + 4 * log_z + 8 + sum_roundings(row->classes);
        row->x[j] = s * ((j == winner ? 0 : log_p) - logl(argument));
        row->x_error[j] += s * UNIT * (8 + 4 * fabsl(logl(argument)) + p_error);
    }
}

#endif
