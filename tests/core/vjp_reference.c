#include "vjp_reference.h"
#include "reference.h"

#include <math.h>
#include <stdlib.h>

#define UNIT 0x1p-24L            /* the relative error of one rounding */
#define VANISHING 0x1.7p-125L    /* probabilities below this may come out as 0 */
#define SMALLEST 0x1p-149L       /* and what rounds below this is lost */
#define LARGEST 0x1.fffffep127L  /* FLT_MAX */
#define EXCESS(a) fminl(a, 1e4L) /* beyond this an exponential is 0 anyway */

static long double max_of(const long double *x, size_t classes)
{
    long double max = -INFINITY;
    for (size_t j = 0; j < classes; j++)
        max = fmaxl(max, x[j]);
    return max;
}

static long double log_sum(const struct reference_row *row)
{
    long double max = max_of(row->x, row->classes), sum = 0;
    for (size_t j = 0; j < row->classes; j++)
        sum += expl((row->x[j] - max) / row->temperature);
    return logl(sum) + max / row->temperature;
}

long double reference_loss(const struct reference_row *row)
{
    long double loss = 0, offset = log_sum(row);
    for (size_t j = 0; j < row->classes; j++) {
        long double log_y = row->x[j] / row->temperature - offset;
        if (row->x[j] > -INFINITY)
            loss += row->cotangent[j] * (row->logarithm ? log_y : expl(log_y));
    }
    return loss;
}

/* Roundings in the longest chain of additions of a sum: lanes of a block, the tree, the blocks. */
static long double sum_roundings(size_t classes)
{
    return (long double)(classes < 4096 ? classes : 4096) / 16 + 4 + (long double)classes / 4096;
}

/* y and its relative error: 1 / T is rounded once, and with it exp's argument; exp, sum and division take 5 roundings
 * more; the rest comes from x, and by the sum from the largest error of an x that matters. */
static void reference_y(const struct reference_row *row, long double *y, long double *y_error)
{
    long double max = max_of(row->x, row->classes), t = row->temperature, offset = 0, off = 0;
    for (size_t j = 0; j < row->classes; j++) {
        offset += y[j] = expl((row->x[j] - max) / t);
        if (row->x[j] > max - 20 * t)
            off = fmaxl(off, row->x_error[j]);
    }
    for (size_t j = 0; j < row->classes; j++) {
        y[j] /= offset;
        y_error[j] = UNIT * (1.01L * EXCESS((max - row->x[j]) / t) + 5 + sum_roundings(row->classes));
        if (y[j] > VANISHING)
            y_error[j] += expm1l((row->x_error[j] + off) / t);
    }
}

void reference_add_gradient(const struct reference_row *row, long double share, long double *grad, long double *error)
{
    size_t classes = row->classes;
    long double *y = calloc(classes, sizeof(y[0])), *y_error = calloc(classes, sizeof(y_error[0]));
    long double t = row->temperature, max = max_of(row->x, classes), roundings = sum_roundings(classes);
    long double s = 0, s_error = 0, magnitude = 0;
    reference_y(row, y, y_error);
    for (size_t j = 0; j < classes; j++) {
        long double c = row->cotangent[j], part = row->logarithm ? c : c * y[j];
        s += part;
        s_error += fabsl(part) * UNIT * roundings;
        if (!row->logarithm)
            s_error += fabsl(c) * (y[j] * y_error[j] + VANISHING);
    }
    for (size_t j = 0; j < classes; j++) {
        long double c = row->cotangent[j], a = (row->x[j] - max) / t;
        long double factor = row->logarithm ? s : c - s; /* what y is multiplied by */
        long double v = row->logarithm ? c - y[j] * s : y[j] * (c - s);
        long double v_error = y[j] * (fabsl(factor) * y_error[j] + s_error) + VANISHING * fabsl(factor) +
                              UNIT * 4 * fabsl(v) + UNIT * y[j] * (fabsl(c) + fabsl(s)) + SMALLEST;
        grad[j] += share * v / t;
        error[j] += share * (v_error / t + SMALLEST);
        if (row->x[j] == -INFINITY || a < -LARGEST)
            continue;
        grad[classes] -= share * v * a / t;
        magnitude += fabsl(v * a);
        error[classes] += share *
                          (v_error - a * v_error + fabsl(v * a) * UNIT * (roundings + 4) +
                           fabsl(v) * 2 * row->x_error[j] / t) /
                          t;
    }
    if (magnitude > LARGEST) /* floats may overflow on the way to a finite sum */
        error[classes] = INFINITY;
    free(y);
    free(y_error);
}

static long double exponential(size_t class, uint64_t seed, uint32_t index, uint32_t draw)
{
    const uint32_t key[2] = {(uint32_t)seed, (uint32_t)(seed >> 32)};
    const uint32_t counter[4] = {(uint32_t)(class / 4), index, draw, 1};
    uint32_t words[4];
    reference_philox(counter, key, words);
    return reference_exponential(words[class % 4]);
}

void reference_condition(struct reference_row *row, const float *logits, size_t winner, uint64_t seed, uint32_t index,
                         uint32_t draw)
{
    long double max = -INFINITY, log_z, sum = 0, e_winner = exponential(winner, seed, index, draw);
    for (size_t j = 0; j < row->classes; j++)
        max = fmaxl(max, logits[j]);
    for (size_t j = 0; j < row->classes; j++)
        sum += expl(logits[j] - max);
    log_z = logl(sum);
    for (size_t j = 0; j < row->classes; j++) {
        long double log_p = logits[j] - max - log_z, e = exponential(j, seed, index, draw);
        long double argument = j == winner ? e : e + expl(log_p) * e_winner;
        row->x[j] = j == winner ? -logl(e) : log_p - logl(argument);
        row->x_error[j] = UNIT * (8 + 4 * fabsl(logl(argument)) +
                                  (j == winner ? 0 : 5 * fabsl(log_p) + 4 * log_z + 8 + sum_roundings(row->classes)));
    }
}
