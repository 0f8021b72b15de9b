/* Lists of classes: one for all rows, or one of each row's own. */
#include "call/build.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

static int by_class(const void *a, const void *b)
{
    const uint32_t one = ((const struct core_class_count *)a)->class,
                   other = ((const struct core_class_count *)b)->class;
    return (one > other) - (one < other);
}

/* Brings the entries into ascending order and adds up those of one class; returns how many are left. */
static size_t count_classes(struct core_class_count *entries, size_t count)
{
    size_t kept = 0;
    qsort(entries, count, sizeof *entries, by_class);
    for (size_t i = 0; i < count; i++)
        if (kept > 0 && entries[kept - 1].class == entries[i].class)
            entries[kept - 1].count++;
        else
            entries[kept++] = entries[i];
    return kept;
}

static int read_class(const struct builder *builder, const struct api_parameter *parameter, const char *below,
                      const json_t *json, double *class)
{
    const size_t classes = builder->call->classes;
    *class = json_number_value(json);
    if (!json_is_number(json) || *class != floor(*class))
        return builder_fail(builder, API_WRONG_TYPE, parameter->name, below,
                            "must be an integer, the number of a class");
    if (*class < -1 || *class >= (double)classes)
        return builder_fail(builder, API_OUT_OF_RANGE, parameter->name, below,
                            "must be a class from 0 to %zu, or -1, which is passed over", classes - 1);
    return 0;
}

/* Adds the list's classes at `entries`, and to *count how many these are. `below` is where the list is. */
static int read_list(const struct builder *builder, const struct api_parameter *parameter, const char *below,
                     const json_t *list, struct core_class_count *entries, size_t *count)
{
    size_t i, found = 0;
    const json_t *json;
    double class;
    json_array_foreach (list, i, json) {
        char at[64];
        snprintf(at, sizeof at, "%s/%zu", below, i);
        if (read_class(builder, parameter, at, json, &class) != 0)
            return -1;
        if (class >= 0)
            entries[found++] = (struct core_class_count){(uint32_t) class, 1};
    }
    *count += count_classes(entries, found);
    return 0;
}

/* That it is a list, or one of as many lists as there are rows; *total is how many elements they have together. */
static int check_lists(const struct builder *builder, const struct api_parameter *parameter, const json_t *json,
                       bool *per_row, size_t *total)
{
    size_t i;
    const json_t *list;
    if (!json_is_array(json))
        return builder_fail(builder, API_WRONG_TYPE, parameter->name, "",
                            "must be a list of classes, or a list of such lists, one per row");
    *per_row = json_is_array(json_array_get(json, 0));
    *total = *per_row ? 0 : json_array_size(json);
    if (!*per_row)
        return 0;
    if (json_array_size(json) != builder->call->rows)
        return builder_fail(builder, API_WRONG_LENGTH, parameter->name, "", "has length %zu where logits have %zu rows",
                            json_array_size(json), builder->call->rows);
    json_array_foreach (json, i, list) {
        char below[32];
        snprintf(below, sizeof below, "/%zu", i);
        if (!json_is_array(list))
            return builder_fail(builder, API_WRONG_TYPE, parameter->name, below, "must be a list of classes");
        *total += json_array_size(list);
    }
    return 0;
}

int builder_read_classes(const struct builder *builder, const struct api_parameter *parameter, const json_t *json,
                         struct core_class_lists *lists)
{
    bool per_row;
    size_t total = 0, count = 0;
    if (check_lists(builder, parameter, json, &per_row, &total) != 0)
        return -1;
    const size_t number = per_row ? json_array_size(json) : 1;
    struct core_class_count *entries = builder_allocate(builder, total, sizeof *entries, parameter->name);
    size_t *first = builder_allocate(builder, number + 1, sizeof *first, parameter->name);
    if (entries == NULL || first == NULL)
        return -1;
    for (size_t i = 0; i < number; i++) {
        char below[32] = "";
        if (per_row)
            snprintf(below, sizeof below, "/%zu", i);
        if (read_list(builder, parameter, below, per_row ? json_array_get(json, i) : json, entries + count, &count) !=
            0)
            return -1;
        first[i + 1] = count;
    }
    *lists = (struct core_class_lists){entries, first, per_row};
    return 0;
}
