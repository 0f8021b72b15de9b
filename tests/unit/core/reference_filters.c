#define _GNU_SOURCE /* qsort_r */
#include "reference_filters.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

struct row {
    long double *x; /* what the filters look at */
    size_t classes;
    bool *kept;
    long double *p, *key;
    size_t *order;
    bool *before; /* what was kept before the filter */
    long double margin;
    long double log_total; /* of exp(x), the kept ones, by `probabilities` */
};

static void closest(struct row *row, long double distance)
{
    row->margin = fminl(row->margin, fabsl(distance));
}

static long double max_kept(const struct row *row)
{
    long double max = -INFINITY;
    for (size_t j = 0; j < row->classes; j++)
        if (row->kept[j])
            max = fmaxl(max, row->x[j]);
    return max;
}

/* p = softmax(x) over the kept classes, 0 elsewhere. */
static void probabilities(struct row *row)
{
    long double max = max_kept(row), sum = 0;
    for (size_t j = 0; j < row->classes; j++)
        sum += row->p[j] = row->kept[j] ? expl(row->x[j] - max) : 0;
    for (size_t j = 0; j < row->classes; j++)
        row->p[j] /= sum;
    row->log_total = max + logl(sum);
}

static int by_key(const void *a, const void *b, void *keys)
{
    size_t i = *(const size_t *)a, j = *(const size_t *)b;
    const long double *key = keys;
    if (key[i] != key[j])
        return key[i] < key[j] ? -1 : 1;
    return i < j ? -1 : i > j;
}

/* The kept classes in ascending order of key; returns how many. */
static size_t sort_kept(struct row *row)
{
    size_t count = 0;
    for (size_t j = 0; j < row->classes; j++)
        if (row->kept[j])
            row->order[count++] = j;
    qsort_r(row->order, count, sizeof(row->order[0]), by_key, row->key);
    return count;
}

static void drop_from(struct row *row, size_t from, size_t count)
{
    if (from == count)
        return;
    size_t last = row->order[from - 1], next = row->order[from];
    if (row->x[last] != row->x[next])
        closest(row, row->key[next] - row->key[last]);
    for (size_t i = from; i < count; i++)
        row->kept[row->order[i]] = false;
}

/* Keeps the classes in the order of their keys until their mass reaches the target. */
static void keep_mass(struct row *row, long double target)
{
    size_t count = sort_kept(row), taken = 0;
    long double mass = 0;
    do {
        closest(row, mass - target);
        mass += row->p[row->order[taken++]];
    } while (taken < count && mass < target);
    closest(row, mass - target);
    drop_from(row, taken, count);
}

static void by_logit(struct row *row)
{
    for (size_t j = 0; j < row->classes; j++)
        row->key[j] = -row->x[j];
}

static void top_k(struct row *row, long double k_value)
{
    const size_t k = (size_t)k_value;
    by_logit(row);
    size_t count = sort_kept(row);
    if (k > 0 && k < count)
        drop_from(row, k, count);
}

static void top_p(struct row *row, long double p)
{
    if (p >= 1)
        return;
    probabilities(row);
    by_logit(row);
    keep_mass(row, p);
}

static long double entropy_of(struct row *row)
{
    long double entropy = 0;
    probabilities(row);
    for (size_t j = 0; j < row->classes; j++)
        entropy -= row->p[j] > 0 ? row->p[j] * logl(row->p[j]) : 0;
    return entropy;
}

static void typical_p(struct row *row, long double p)
{
    if (p >= 1)
        return;
    long double entropy = entropy_of(row);
    for (size_t j = 0; j < row->classes; j++)
        row->key[j] = fabsl(row->log_total - row->x[j] - entropy);
    keep_mass(row, p);
}

/* Keeps x >= least and the greatest, `least` being on a scale on which `width` counts as 1. */
static void keep_from(struct row *row, long double least, long double width)
{
    const long double max = max_kept(row);
    for (size_t j = 0; j < row->classes; j++) {
        if (row->kept[j] && row->x[j] < max)
            closest(row, (row->x[j] - least) / width);
        row->kept[j] = row->kept[j] && (row->x[j] >= least || row->x[j] == max);
    }
}

static void min_p(struct row *row, long double p)
{
    if (p > 0)
        keep_from(row, max_kept(row) + logl(p < 1 ? p : 1), 1);
}

static void top_n_sigma(struct row *row, long double n)
{
    long double count = 0, sum = 0, squares = 0, least = INFINITY;
    for (size_t j = 0; j < row->classes; j++)
        if (row->kept[j]) {
            count++;
            sum += row->x[j];
            least = fminl(least, row->x[j]);
        }
    for (size_t j = 0; j < row->classes; j++)
        if (row->kept[j])
            squares += (row->x[j] - sum / count) * (row->x[j] - sum / count);
    if (n > 0 && least < max_kept(row))
        keep_from(row, max_kept(row) - n * sqrtl(squares / count), max_kept(row) - least);
}

/* Keeps p >= least: of the logarithms. */
static void keep_probable(struct row *row, long double least)
{
    probabilities(row);
    keep_from(row, row->log_total + logl(least), 1);
}

static void epsilon_cutoff(struct row *row, long double epsilon)
{
    if (epsilon > 0)
        keep_probable(row, epsilon);
}

static void eta_cutoff(struct row *row, long double epsilon)
{
    if (epsilon > 0)
        keep_probable(row, fminl(epsilon, sqrtl(epsilon) * expl(-entropy_of(row))));
}

static void temperature(struct row *row, long double t)
{
    for (size_t j = 0; j < row->classes; j++)
        row->x[j] /= t;
}

static void (*const steps[STEPS])(struct row *row, long double value) = {
    [TEMPERATURE] = temperature,
    [TOP_K] = top_k,
    [TOP_P] = top_p,
    [MIN_P] = min_p,
    [TYPICAL_P] = typical_p,
    [TOP_N_SIGMA] = top_n_sigma,
    [EPSILON_CUTOFF] = epsilon_cutoff,
    [ETA_CUTOFF] = eta_cutoff,
};

static size_t count_kept(const struct row *row)
{
    size_t count = 0;
    for (size_t j = 0; j < row->classes; j++)
        count += row->kept[j];
    return count;
}

static void pass(struct row *row, enum reference_step step, long double value, size_t min_keep)
{
    memcpy(row->before, row->kept, row->classes * sizeof(row->kept[0]));
    const size_t before = count_kept(row);
    by_logit(row);
    steps[step](row, value);
    if (count_kept(row) >= (min_keep < before ? min_keep : before))
        return;
    if (step != TYPICAL_P)
        by_logit(row);
    memcpy(row->kept, row->before, row->classes * sizeof(row->kept[0]));
    const size_t count = sort_kept(row);
    drop_from(row, min_keep < count ? min_keep : count, count);
}

static void *array(size_t count, size_t size)
{
    void *memory = malloc(count * size);
    if (memory == NULL)
        abort();
    return memory;
}

long double reference_filter(const double *logits, size_t classes, const struct reference_filters *filters, bool *kept,
                             long double *log_probabilities)
{
    long double *x = array(classes, sizeof(*x)), *p = array(classes, sizeof(*p)), *key = array(classes, sizeof(*key));
    size_t *order = array(classes, sizeof(*order));
    bool *before = array(classes, sizeof(*before));
    struct row row = {x, classes, kept, p, key, order, before, INFINITY, 0};
    for (size_t j = 0; j < classes; j++) {
        x[j] = logits[j];
        kept[j] = x[j] > -INFINITY;
    }
    for (size_t i = 0; i < STEPS; i++)
        pass(&row, filters->order[i], filters->value[filters->order[i]], filters->min_keep);
    long double max = max_kept(&row), sum = 0;
    for (size_t j = 0; j < classes; j++)
        sum += kept[j] ? expl(x[j] - max) : 0;
    for (size_t j = 0; j < classes; j++)
        log_probabilities[j] = kept[j] ? x[j] - max - logl(sum) : -INFINITY;
    free(x);
    free(p);
    free(key);
    free(order);
    free(before);
    return row.margin;
}
