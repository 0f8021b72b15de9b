/* The penalties of sampling.h, on the logits of a row. */
#ifndef CORE_SAMPLING_PENALTIES_H
#define CORE_SAMPLING_PENALTIES_H

#include "sampling.h"
#include "softmax/row_parameters.h"

INLINE real bounded(real x)
{
    x = x > -REAL_MAX ? x : -REAL_MAX;
    return x < REAL_MAX ? x : REAL_MAX;
}

/* What is left of one of the two lists of a row. */
struct class_list {
    const struct core_class_count *next, *end;
};

static struct class_list class_list_of(const struct core_class_lists *lists, size_t r)
{
    if (lists->entries == NULL)
        return (struct class_list){NULL, NULL};
    const size_t *first = lists->first + r * lists->stride;
    return (struct class_list){lists->entries + first[0], lists->entries + first[1]};
}

/* How often the class is in the list, which is passed if it comes next. */
INLINE uint32_t class_list_pass(struct class_list *list, uint32_t class)
{
    return list->next != list->end && list->next->class == class ? (list->next++)->count : 0;
}

INLINE uint32_t class_list_next(const struct class_list *list)
{
    return list->next != list->end ? list->next->class : UINT32_MAX;
}

/* A logit that is finite stays so. */
static real penalized(real x, real repetition, real presence, real frequency, uint32_t count)
{
    if (!(x >= -REAL_MAX && x <= REAL_MAX))
        return x;
    x = bounded(x > 0 ? x / repetition : x * repetition);
    x = bounded(x - frequency * (real)count);
    return bounded(x - (count > 0 ? presence : 0));
}

static void penalize(const struct core_penalties *penalties, size_t r, real *x)
{
    struct class_list prompt = class_list_of(&penalties->prompt, r), output = class_list_of(&penalties->output, r);
    const real repetition = parameter_or(&penalties->repetition, r, 1);
    const real presence = parameter_or(&penalties->presence, r, 0);
    const real frequency = parameter_or(&penalties->frequency, r, 0);
    while (prompt.next != prompt.end || output.next != output.end) {
        const uint32_t a = class_list_next(&prompt), b = class_list_next(&output), class = a < b ? a : b;
        class_list_pass(&prompt, class);
        x[class] = penalized(x[class], repetition, presence, frequency, class_list_pass(&output, class));
    }
}

INLINE bool any_penalty(const struct core_penalties *penalties)
{
    return penalties->prompt.entries != NULL || penalties->output.entries != NULL;
}

#endif
