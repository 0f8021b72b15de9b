#define _GNU_SOURCE /* qsort_r */
#include "reference_filters.h"

#include <math.h>
#include <stdlib.h>

struct row {
    const long double *x; /* what the filters look at */
    size_t classes;
    bool *kept;
    long double *p, *key;
    size_t *order;
    long double margin;
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

static void top_k(struct row *row, size_t k)
{
    for (size_t j = 0; j < row->classes; j++)
        row->key[j] = -row->x[j];
    size_t count = sort_kept(row);
    if (k > 0 && k < count)
        drop_from(row, k, count);
}

static void top_p(struct row *row, long double p)
{
    if (p >= 1)
        return;
    probabilities(row);
    for (size_t j = 0; j < row->classes; j++)
        row->key[j] = -row->x[j];
    keep_mass(row, p);
}

static void typical(struct row *row, long double p)
{
    long double entropy = 0;
    if (p >= 1)
        return;
    probabilities(row);
    for (size_t j = 0; j < row->classes; j++)
        entropy -= row->p[j] > 0 ? row->p[j] * logl(row->p[j]) : 0;
    for (size_t j = 0; j < row->classes; j++)
        row->key[j] = fabsl(-logl(row->p[j]) - entropy);
    keep_mass(row, p);
}

static void min_p(struct row *row, long double p)
{
    if (p <= 0)
        return;
    long double least = max_kept(row) + logl(p);
    for (size_t j = 0; j < row->classes; j++) {
        if (row->kept[j] && p < 1)
            closest(row, row->x[j] - least);
        row->kept[j] = row->kept[j] && row->x[j] >= least;
    }
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
    struct row row = {x, classes, kept, p, key, order, INFINITY};
    long double temperature = filters->temperature;
    for (size_t j = 0; j < classes; j++) {
        x[j] = filters->temperature_last ? (long double)logits[j] : logits[j] / temperature;
        kept[j] = x[j] > -INFINITY;
    }
    if (!filters->temperature_last)
        min_p(&row, filters->min_p);
    top_k(&row, filters->top_k);
    typical(&row, filters->typical_p);
    top_p(&row, filters->top_p);
    if (filters->temperature_last) {
        min_p(&row, filters->min_p);
        for (size_t j = 0; j < classes; j++)
            x[j] /= temperature;
    }
    long double max = max_kept(&row), sum = 0;
    for (size_t j = 0; j < classes; j++)
        sum += kept[j] ? expl(x[j] - max) : 0;
    for (size_t j = 0; j < classes; j++)
        log_probabilities[j] = kept[j] ? x[j] - max - logl(sum) : -INFINITY;
    free(x);
    free(p);
    free(key);
    free(order);
    return row.margin;
}
