/* Rows without an answer, where `on_invalid` gives them one. The core refuses such rows, and results may take the
 * place of logits: so they are found first, equal logits put in their place, and their results set afterwards. */
#include "call/call.h"

#include <math.h>

enum mark {
    MARK_VALID,
    MARK_INVALID,   /* by its logits */
    MARK_FORBIDDEN, /* logit_bias forbids all classes that the mask allows */
    MARK_EMPTY,     /* the mask allows none */
    MARK_NAN        /* a real NaN, which stays one */
};

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

/* What the bias alone makes of a row: how many of its possible classes are impossible with it, or SIZE_MAX if one is
 * +inf. */
static size_t count_overflows(const struct api_call *call, struct call_row row)
{
    size_t count = 0;
    for (size_t i = 0; i < call->bias.count; i++) {
        const size_t class = call->bias.classes[i], at = row.start + class * row.step;
        const double logit = get(call, call->logits, at);
        const double sum = call_biased(call, logit, call->bias.values[i]);
        if (!is_allowed(call, class, at) || is_forbidden(call, class) || isinf(logit) || !isinf(sum))
            continue;
        if (sum > 0)
            return SIZE_MAX;
        count++;
    }
    return count;
}

static enum mark mark_of(const struct api_call *call, struct call_row row)
{
    bool allowed = false, unforbidden = false, infinite = false;
    size_t possible = 0;
    for (size_t class = 0; class < row.length && !call->all_masked; class ++) {
        const size_t at = row.start + class * row.step;
        const double logit = get(call, call->logits, at);
        if (!is_allowed(call, class, at))
            continue;
        if (isnan(logit))
            return MARK_NAN;
        allowed = true;
        infinite |= logit == INFINITY;
        unforbidden |= !is_forbidden(call, class);
        possible += logit > -INFINITY && !is_forbidden(call, class);
    }
    if (!unforbidden)
        return allowed ? MARK_FORBIDDEN : MARK_EMPTY;
    return !infinite && possible > count_overflows(call, row) ? MARK_VALID : MARK_INVALID;
}

/* Whether the row's results are set afterwards, whatever is computed. */
static bool is_set_afterwards(const struct api_call *call, enum mark mark)
{
    return mark != MARK_VALID && (mark == MARK_EMPTY || mark == MARK_NAN || on_invalid(call) != API_INVALID_UNIFORM);
}

/* Equal logits. A mask of the row's own allows all, where it need not be kept to. One for several rows leaves some, see
 * all_masked. */
static void replace(const struct api_call *call, struct call_row row, enum mark mark)
{
    const bool opens = call->mask_stride != 0 && is_set_afterwards(call, mark);
    for (size_t class = 0; class < row.length; class ++) {
        const size_t at = row.start + class * row.step;
        set(call, call->logits, at, 0);
        if (opens)
            call->mask[at] = 1;
    }
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

/* ---- Computing ---- */

/* How a row is computed. One that is drawn from, and whose results are set afterwards, is not computed at all: it could
 * only fail, for want of classes. One that is to be uniform, and all of whose classes a bias forbids, is computed
 * without the bias. */
enum treatment { COMPUTED, UNBIASED, SKIPPED };

static enum treatment treatment_of(const struct api_call *call, enum mark mark)
{
    if (!api_function_takes(call->function, API_LOGIT_BIAS))
        return COMPUTED;
    if (is_set_afterwards(call, mark))
        return SKIPPED;
    return mark == MARK_FORBIDDEN ? UNBIASED : COMPUTED;
}

int call_compute_replaced(const struct api_call *call, const struct call_range *range, const uint8_t *marks,
                          void *scratch, size_t *row)
{
    struct call_range run = *range; /* its sums are those of the first row: rows with sums are one run */
    for (size_t done = 0; done < range->count; done += run.count) {
        const enum treatment treatment = treatment_of(call, marks[done]);
        run.first = range->first + done;
        run.count = 1;
        while (done + run.count < range->count && treatment_of(call, marks[done + run.count]) == treatment)
            run.count++;
        run.unbiased = treatment == UNBIASED;
        const int status = treatment == SKIPPED ? CORE_OK : call->function->compute(call, &run, scratch, row);
        if (status != CORE_OK)
            return status;
    }
    return CORE_OK;
}

/* ---- Their results ---- */

/* What the row's results of that content become; false if they are what was computed. */
static bool value_of(enum api_on_invalid mode, enum api_content content, double *value)
{
    static const double absent[] = {
        [API_MASSES] = 0, [API_LOGARITHMS] = -INFINITY, [API_CLASSES] = -1, [API_COUNTS] = 0, [API_GRADIENTS] = 0};
    if (content == API_NOISE || (mode == API_INVALID_UNIFORM && content != API_GRADIENTS))
        return false;
    *value = mode == API_INVALID_NAN && !api_content_is_integer(content) ? (double)NAN : absent[content];
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
            if (api_content_is_integer(kind->content))
                ((int32_t *)call->data[result])[element] = (int32_t)value;
            else
                set(call, call->data[result], element, value);
        }
}

/* Nothing can be uniform over no classes. */
static enum api_on_invalid mode_of(const struct api_call *call, enum mark mark)
{
    if (mark == MARK_NAN)
        return API_INVALID_NAN;
    return mark == MARK_EMPTY && on_invalid(call) == API_INVALID_UNIFORM ? API_INVALID_ZERO : on_invalid(call);
}

void call_mark_invalid(const struct api_call *call, const struct call_range *range, const uint8_t *marks)
{
    for (size_t i = 0; i < range->count; i++) {
        const enum api_on_invalid mode = mode_of(call, marks[i]);
        double value;
        if (marks[i] == MARK_VALID)
            continue;
        for (size_t result = 0; result < API_MAX_RESULTS; result++)
            if (call->data[result] != NULL && value_of(mode, call->function->results[result].content, &value))
                set_result(call, range, result, range->first + i, value);
    }
}
