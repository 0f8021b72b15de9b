/* Triton's classification extension: the greatest classes of each row as strings. */
#include "oip/oip.h"
#include "json/put.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

_Static_assert(4 + JSON_PUT_LONGEST + 21 <= OIP_LONGEST_STRING, "a length, a number, a colon, an index");

struct oip_ranked {
    double value;
    size_t class;
};

bool oip_has_classes(const struct api_result_kind *kind)
{
    return (kind->extent == API_OF_LOGITS || kind->extent == API_OF_SAMPLES) && !api_content_is_integer(kind->content);
}

static double value_at(const struct api_tensor *tensor, size_t at)
{
    return tensor->dtype == API_FLOAT64 ? ((const double *)tensor->data)[at]
                                        : (double)((const float *)tensor->data)[at];
}

/* The greater first, NaN last, the lower class first among equals. */
static int order(const void *one, const void *other)
{
    const struct oip_ranked *a = one, *b = other;
    if (a->value > b->value || (isnan(b->value) && !isnan(a->value)))
        return -1;
    if (a->value < b->value || (isnan(a->value) && !isnan(b->value)))
        return 1;
    return a->class < b->class ? -1 : a->class > b->class;
}

static void rank_row(const struct oip_strings *strings, size_t start, struct oip_ranked *row)
{
    for (size_t class = 0; class < strings->classes; class ++)
        row[class] = (struct oip_ranked){value_at(strings->tensor, start + class * strings->inner), class};
    qsort(row, strings->classes, sizeof *row, order);
}

static char *put_value(char *out, const struct api_tensor *tensor, double value)
{
    const float narrow = (float)value;
    if (!isfinite(value))
        return json_put_text(out, isnan(value) ? "nan" : value > 0 ? "inf" : "-inf");
    return json_put_element(out, tensor->dtype, tensor->dtype == API_FLOAT64 ? (const void *)&value : &narrow, 0);
}

/* The string after its length. */
static char *put_ranked(char *out, const struct api_tensor *tensor, const struct oip_ranked *ranked)
{
    char *begin = out + 4, *end = put_value(begin, tensor, ranked->value);
    *end++ = ':';
    end = json_put_whole(end, ranked->class);
    memcpy(out, (const char[4]){(char)(end - begin)}, 4);
    return end;
}

int oip_classify_open(const struct api_call *call, const struct api_result_kind *kind, size_t classes,
                      struct api_tensor *tensor, struct oip_strings *strings, struct api_problem *problem)
{
    const size_t axis = call->axis + (tensor->rank > call->rank);
    *strings = (struct oip_strings){
        .tensor = tensor,
        .outer = tensor->count > 0 ? tensor->count / call->classes / call->inner : 0,
        .classes = call->classes,
        .inner = call->inner,
        .listed = classes < call->classes ? classes : call->classes,
    };
    strings->count = strings->outer * strings->listed * strings->inner;
    strings->ranked = api_malloc((strings->outer > 0 ? strings->classes * strings->inner : 1) *
                                 sizeof *strings->ranked);
    strings->bytes = api_malloc(strings->count * OIP_LONGEST_STRING + JSON_PUT_SPACE);
    if (strings->ranked == NULL || strings->bytes == NULL)
        return api_fail(problem, API_OUT_OF_MEMORY, "", API_NO_OFFSET, "no memory for the classes of %s", kind->name);
    tensor->shape[axis] = strings->listed;
    return 0;
}

static void put_place(struct oip_strings *strings)
{
    char *out = strings->bytes + strings->size;
    for (size_t inner = 0; inner < strings->inner; inner++)
        out = put_ranked(out, strings->tensor, &strings->ranked[inner * strings->classes + strings->place]);
    strings->size = (size_t)(out - strings->bytes);
    strings->place++;
}

/* Ranks a row, or makes the strings of one place of all rows that lie beside each other, since these take turns.
 * Returns of how many numbers that was. */
static size_t step(struct oip_strings *strings)
{
    if (strings->row < strings->inner) {
        const size_t start = strings->at * strings->classes * strings->inner + strings->row;
        rank_row(strings, start, strings->ranked + strings->row * strings->classes);
        strings->row++;
        return strings->classes;
    }
    put_place(strings);
    if (strings->place == strings->listed) {
        strings->row = strings->place = 0;
        strings->at++;
    }
    return strings->inner;
}

bool oip_classify_some(struct oip_strings *strings, size_t *most)
{
    while (strings->at<strings->outer && * most> 0) {
        const size_t numbers = step(strings);
        *most -= numbers < *most ? numbers : *most;
    }
    return strings->at < strings->outer;
}

void oip_classify_close(struct oip_strings *strings)
{
    api_free(strings->bytes);
    api_free(strings->ranked);
    strings->bytes = NULL;
    strings->ranked = NULL;
}
