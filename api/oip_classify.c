/* Triton's classification extension: the greatest classes of each row as strings. */
#include "json_put.h"
#include "oip.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

_Static_assert(4 + JSON_PUT_LONGEST + 21 <= OIP_LONGEST_STRING, "a length, a number, a colon, an index");

struct ranked {
    double value;
    size_t class;
};

/* The result's axes: outer, then the classes, then inner. */
struct extent {
    size_t outer, classes, inner, told;
};

bool oip_has_classes(const struct api_result_kind *kind)
{
    return (kind->extent == API_OF_LOGITS || kind->extent == API_OF_SAMPLES) && kind->content != API_CLASSES;
}

static double value_at(const struct api_tensor *tensor, size_t at)
{
    return tensor->dtype == API_FLOAT64 ? ((const double *)tensor->data)[at]
                                        : (double)((const float *)tensor->data)[at];
}

/* The greater first, NaN last, the lower class first among equals. */
static int order(const void *one, const void *other)
{
    const struct ranked *a = one, *b = other;
    if (a->value > b->value || (isnan(b->value) && !isnan(a->value)))
        return -1;
    if (a->value < b->value || (isnan(a->value) && !isnan(b->value)))
        return 1;
    return a->class < b->class ? -1 : a->class > b->class;
}

static void rank_row(const struct api_tensor *tensor, const struct extent *extent, size_t start, struct ranked *row)
{
    for (size_t class = 0; class < extent->classes; class ++)
        row[class] = (struct ranked){value_at(tensor, start + class * extent->inner), class};
    qsort(row, extent->classes, sizeof *row, order);
}

static char *put_value(char *out, const struct api_tensor *tensor, double value)
{
    const float narrow = (float)value;
    if (!isfinite(value))
        return json_put_text(out, isnan(value) ? "nan" : value > 0 ? "inf" : "-inf");
    return json_put_element(out, tensor->dtype, tensor->dtype == API_FLOAT64 ? (const void *)&value : &narrow, 0);
}

/* The string behind its length. */
static char *put_ranked(char *out, const struct api_tensor *tensor, const struct ranked *ranked)
{
    char *begin = out + 4, *end = put_value(begin, tensor, ranked->value);
    *end++ = ':';
    end = json_put_whole(end, ranked->class);
    memcpy(out, (const char[4]){(char)(end - begin)}, 4);
    return end;
}

/* Rows beside each other are ranked together, since their strings take turns. */
static char *put_all(char *out, const struct api_tensor *tensor, const struct extent *extent, struct ranked *ranked)
{
    for (size_t outer = 0; outer < extent->outer; outer++) {
        const size_t start = outer * extent->classes * extent->inner;
        for (size_t inner = 0; inner < extent->inner; inner++)
            rank_row(tensor, extent, start + inner, ranked + inner * extent->classes);
        for (size_t place = 0; place < extent->told; place++)
            for (size_t inner = 0; inner < extent->inner; inner++)
                out = put_ranked(out, tensor, &ranked[inner * extent->classes + place]);
    }
    return out;
}

int oip_classify(const struct api_call *call, const struct api_result_kind *kind, size_t classes,
                 struct api_tensor *tensor, struct oip_strings *strings, struct api_problem *problem)
{
    const size_t axis = call->axis + (tensor->rank > call->rank);
    const struct extent extent = {
        .outer = tensor->count / call->classes / call->inner,
        .classes = call->classes,
        .inner = call->inner,
        .told = classes < call->classes ? classes : call->classes,
    };
    struct ranked *ranked = malloc(extent.classes * extent.inner * sizeof *ranked);
    const size_t count = extent.outer * extent.told * extent.inner;
    strings->bytes = malloc(count * OIP_LONGEST_STRING + JSON_PUT_SPACE);
    if (ranked == NULL || strings->bytes == NULL) {
        free(ranked);
        return api_fail(problem, API_INTERNAL, "", API_NO_OFFSET, "no memory for the classes of %s", kind->name);
    }
    strings->size = (size_t)(put_all(strings->bytes, tensor, &extent, ranked) - strings->bytes);
    strings->count = count;
    tensor->shape[axis] = extent.told;
    free(ranked);
    return 0;
}
