/* Rows without an answer, where `on_invalid` gives them one. The core refuses such rows, and results may take the
 * place of logits: so they are found first, equal logits put in their place, and their results set afterwards. */
#include "call/call.h"

#include <math.h>

enum mark { MARK_VALID, MARK_INVALID, MARK_NAN /* a real NaN, which stays one */ };

static enum api_on_invalid on_invalid(const struct api_call *call)
{
    return (enum api_on_invalid)call->values[API_ON_INVALID].one.choice;
}

static double get(const struct api_call *call, const void *array, size_t at)
{
    return call->dtype == CORE_FLOAT64 ? ((const double *)array)[at] : (double)((const float *)array)[at];
}

static void set(const struct api_call *call, void *array, size_t at, double value)
{
    if (call->dtype == CORE_FLOAT64)
        ((double *)array)[at] = value;
    else
        ((float *)array)[at] = (float)value;
}

/* ---- Finding and replacing them ---- */

static bool is_allowed(const struct api_call *call, size_t class, size_t at)
{
    return call->mask == NULL || call->mask[call->mask_stride != 0 ? at : class] != 0;
}

static bool is_forbidden(const struct api_call *call, size_t class)
{
    return call->bias.forbidden != NULL && call->bias.forbidden[class] != 0;
}

static enum mark mark_of(const struct api_call *call, struct call_row row)
{
    bool possible = false, infinite = call->all_masked;
    for (size_t class = 0; class < row.length && !call->all_masked; class ++) {
        const size_t at = row.start + class * row.step;
        const double logit = get(call, call->logits, at);
        if (!is_allowed(call, class, at))
            continue;
        if (isnan(logit))
            return MARK_NAN;
        infinite |= logit == INFINITY;
        possible |= logit > -INFINITY && !is_forbidden(call, class);
    }
    return possible && !infinite ? MARK_VALID : MARK_INVALID;
}

/* Equal logits. A mask of the row's own that leaves no class possible allows all, and so does one whose results are set
 * afterwards. One for several rows leaves some, see all_masked. */
static void replace(const struct api_call *call, struct call_row row, enum mark mark)
{
    bool possible = false;
    for (size_t class = 0; class < row.length; class ++) {
        const size_t at = row.start + class * row.step;
        set(call, call->logits, at, 0);
        possible |= is_allowed(call, class, at) && !is_forbidden(call, class);
    }
    const bool stays = possible && mark != MARK_NAN && on_invalid(call) == API_INVALID_UNIFORM;
    for (size_t class = 0; class < row.length && call->mask_stride != 0 && !stays; class ++)
        call->mask[row.start + class * row.step] = 1;
}

bool call_replaces_invalid(const struct api_call *call)
{
    return on_invalid(call) != API_INVALID_ERROR;
}

void call_replace_invalid(const struct api_call *call, size_t first, size_t count, uint8_t *marks)
{
    for (size_t i = 0; i < count; i++) {
        const struct call_row row = call_row_of_logits(call, first + i);
        const enum mark mark = mark_of(call, row);
        marks[i] = (uint8_t)mark;
        if (mark != MARK_VALID)
            replace(call, row, mark);
    }
}

/* ---- Their results ---- */

/* What the row's results of that content become; false if they are what was computed. */
static bool value_of(enum api_on_invalid mode, enum api_content content, double *value)
{
    static const double absent[] = {
        [API_MASSES] = 0, [API_LOGARITHMS] = -INFINITY, [API_CLASSES] = -1, [API_GRADIENTS] = 0};
    if (content == API_NOISE || (mode == API_INVALID_UNIFORM && content != API_GRADIENTS))
        return false;
    *value = mode == API_INVALID_NAN && content != API_CLASSES ? (double)NAN : absent[content];
    return true;
}

/* What of a row's result belongs to some of its draws: whole samples, or a part of a row of draws; what all draws share
 * to the first. */
struct share {
    size_t sample, samples, element, elements;
};

static struct share share_of(const struct api_result_kind *kind, size_t length, size_t samples,
                             const struct call_range *range)
{
    if (samples > 1)
        return (struct share){range->draw, range->draws, 0, length};
    if (kind->extent == API_OF_DRAWS)
        return (struct share){0, 1, range->draw, range->draws};
    return (struct share){0, range->draw == 0, 0, length};
}

static void set_result(const struct api_call *call, const struct call_range *range, size_t result, size_t row,
                       double value)
{
    const struct api_result_kind *kind = &call->function->results[result];
    const struct call_row at = call_row_of_result(call, kind, row);
    const struct call_samples samples = call_samples_of_result(call, kind);
    const struct share share = share_of(kind, at.length, samples.count, range);
    for (size_t sample = share.sample; sample < share.sample + share.samples; sample++)
        for (size_t i = share.element; i < share.element + share.elements; i++) {
            const size_t element = sample * samples.distance + at.start + i * at.step;
            if (kind->content == API_CLASSES)
                ((int32_t *)call->data[result])[element] = (int32_t)value;
            else
                set(call, call->data[result], element, value);
        }
}

void call_mark_invalid(const struct api_call *call, const struct call_range *range, const uint8_t *marks)
{
    for (size_t i = 0; i < range->count; i++) {
        const enum api_on_invalid mode = marks[i] == MARK_NAN ? API_INVALID_NAN : on_invalid(call);
        double value;
        if (marks[i] == MARK_VALID)
            continue;
        for (size_t result = 0; result < API_MAX_RESULTS; result++)
            if (call->data[result] != NULL && value_of(mode, call->function->results[result].content, &value))
                set_result(call, range, result, range->first + i, value);
    }
}
