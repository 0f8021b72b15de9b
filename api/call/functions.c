/* The table of functions, and how each of them calls the core. */
#include "call/call.h"
#include "core.h"
#include "sampling.h"
#include "vjp.h"

/* Places in the results of the tables below. */
enum { SAMPLES, WINNERS, SOFT, NOISE, LOG_DENSITY, LOG_SAMPLES, PERTURBED };
enum {
    INDICES,
    LOG_PROBABILITIES,
    SCORES,
    FILTERED_LOG_PROBABILITIES,
    RANKS,
    KEPT,
    KEPT_MASS,
    ENTROPY,
    TOP_INDICES,
    TOP_LOG_PROBABILITIES,
    CLASS_LOG_PROBABILITIES,
    COUNTS
};
enum { GRAD_LOGITS, GRAD_TEMPERATURE, GRAD_TAU };

static struct core_mask mask(const struct api_call *call)
{
    return (struct core_mask){call->mask, call->mask_stride};
}

static void *element(const struct api_call *call, const void *array, size_t at)
{
    return array != NULL ? (char *)array + at * core_dtype_size(call->dtype) : NULL;
}

/* ---- Rows of several draw offsets ---- */

typedef int computation(const struct api_call *call, const struct call_range *range, void *scratch,
                        size_t *invalid_row);

/* How many rows from `first` on, at most `count`, have the same draw_offset. */
static size_t rows_alike(const struct api_call *call, size_t first, size_t count)
{
    const uint64_t *offsets = call->values[API_DRAW_OFFSET].list;
    size_t alike = 1;
    while (alike < count && (offsets == NULL || offsets[first + alike] == offsets[first]))
        alike++;
    return alike;
}

/* The core takes one number of the first draw for all rows of a call. */
static int compute_alike(const struct api_call *call, const struct call_range *range, void *scratch,
                         size_t *invalid_row, computation *compute)
{
    struct call_range run = *range;
    int status = CORE_OK;
    for (size_t done = 0; done < range->count && status == CORE_OK; done += run.count) {
        run.first = range->first + done;
        run.count = rows_alike(call, run.first, range->count - done);
        if (range->sums != NULL)
            run.sums = (char *)range->sums + done * call_sums_bytes(call);
        status = compute(call, &run, scratch, invalid_row);
    }
    return status;
}

/* ---- softmax, log_softmax ---- */

static struct core_softmax_call softmax_call(const struct api_call *call, void *scratch)
{
    return (struct core_softmax_call){
        .dtype = call->dtype,
        .logits = call->logits,
        .classes = call->classes,
        .inner = call->inner,
        .temperature = call_per_row(call, API_TEMPERATURE),
        .mask = mask(call),
        .result = call->logits,
        .scratch = scratch,
    };
}

static size_t softmax_scratch(const struct api_call *call)
{
    const struct core_softmax_call core = softmax_call(call, NULL);
    return core_softmax_scratch(&core);
}

static int softmax(const struct api_call *call, const struct call_range *range, void *scratch, size_t *invalid_row)
{
    const struct core_softmax_call core = softmax_call(call, scratch);
    return core_softmax(&core, range->first, range->count, invalid_row);
}

static int log_softmax(const struct api_call *call, const struct call_range *range, void *scratch, size_t *invalid_row)
{
    const struct core_softmax_call core = softmax_call(call, scratch);
    return core_log_softmax(&core, range->first, range->count, invalid_row);
}

static enum api_division softmax_division(const struct api_call *call)
{
    (void)call;
    return API_TOGETHER;
}

/* ---- gumbel_softmax ---- */

/* For the size of scratch memory, which no range changes. */
static const struct call_range no_range;

/* That of the range's first row, and so of all. */
static uint64_t draw_offset(const struct api_call *call, const struct call_range *range)
{
    const struct api_value *offset = &call->values[API_DRAW_OFFSET];
    if (offset->list == NULL)
        return (uint64_t)offset->one.integer;
    return range->count > 0 ? ((const uint64_t *)offset->list)[range->first] : 0;
}

/* The check of draw_offset leaves no draw beyond 32 bits. */
static struct core_noise noise(const struct api_call *call, const struct call_range *range, size_t draw)
{
    const struct api_value *seed = &call->values[API_SEED];
    return (struct core_noise){
        .seed = seed->list != NULL ? seed->list : (const uint64_t *)&seed->one.integer,
        .stride = seed->list != NULL,
        .row_offset = (uint32_t)call->values[API_ROW_OFFSET].one.integer,
        .draw = (uint32_t)(draw_offset(call, range) + draw),
        .rng = (enum core_rng)call->values[API_RNG].one.choice,
        .whole = {call->rows, call->classes, call->inner},
        .table = call->stream != NULL ? &call->stream->table : NULL,
        .cursor = range->cursor,
    };
}

/* The last sample takes the place of the logits. */
static struct core_gumbel_softmax_call gumbel_call(const struct api_call *call, const struct call_range *range,
                                                   size_t draw, void *scratch)
{
    const size_t elements = draw * call->rows * call->classes, rows = draw * call->rows;
    const bool last = draw + 1 == call->draws;
    return (struct core_gumbel_softmax_call){
        .dtype = call->dtype,
        .logits = call->logits,
        .classes = call->classes,
        .inner = call->inner,
        .tau = call_per_row(call, API_TAU),
        .hard = call->values[API_HARD].one.boolean,
        .noise = noise(call, range, draw),
        .noise_scale = call_per_row(call, API_NOISE_SCALE),
        .mask = mask(call),
        .samples = last ? call->logits : element(call, call->samples, draw * call->sample_distance),
        .indices = call->data[WINNERS] != NULL ? (int32_t *)call->data[WINNERS] + rows : NULL,
        .soft = element(call, call->data[SOFT], elements),
        .gumbel = element(call, call->data[NOISE], elements),
        .log_density = element(call, call->data[LOG_DENSITY], rows),
        .log_soft = element(call, call->data[LOG_SAMPLES], elements),
        .perturbed = element(call, call->data[PERTURBED], elements),
        .scratch = scratch,
    };
}

static size_t gumbel_scratch(const struct api_call *call)
{
    const struct core_gumbel_softmax_call core = gumbel_call(call, &no_range, 0, NULL);
    return core_gumbel_softmax_scratch(&core);
}

static int gumbel_samples(const struct api_call *call, const struct call_range *range, void *scratch,
                          size_t *invalid_row)
{
    int status = CORE_OK;
    for (size_t draw = range->draw; draw < range->draw + range->draws && status == CORE_OK; draw++) {
        const struct core_gumbel_softmax_call core = gumbel_call(call, range, draw, scratch);
        status = core_gumbel_softmax(&core, range->first, range->count, invalid_row);
    }
    return status;
}

static int gumbel_softmax(const struct api_call *call, const struct call_range *range, void *scratch,
                          size_t *invalid_row)
{
    return compute_alike(call, range, scratch, invalid_row, gumbel_samples);
}

/* Samples that nobody wants are made in the same memory, each in its turn. */
static enum api_division gumbel_division(const struct api_call *call)
{
    return call->sample_distance > 0 ? API_APART_THEN_LAST : API_IN_ORDER;
}

/* ---- categorical ---- */

static struct core_filters filters(const struct api_call *call)
{
    struct core_filters filters = {.order = &call->values[API_FILTER_ORDER].one.order};
    if (call->values[API_MIN_KEEP].given)
        filters.min_keep = call_per_row(call, API_MIN_KEEP);
    for (int id = API_FILTER; id <= API_LAST_FILTER; id++)
        if (call->values[id].given)
            filters.values[id - API_FILTER] = call_per_row(call, (enum api_parameter_id)id);
    return filters;
}

static struct core_penalties penalties(const struct api_call *call)
{
    struct core_penalties penalties = {.prompt = call->prompt, .output = call->output};
    if (call->values[API_REPETITION_PENALTY].given)
        penalties.repetition = call_per_row(call, API_REPETITION_PENALTY);
    if (call->values[API_PRESENCE_PENALTY].given)
        penalties.presence = call_per_row(call, API_PRESENCE_PENALTY);
    if (call->values[API_FREQUENCY_PENALTY].given)
        penalties.frequency = call_per_row(call, API_FREQUENCY_PENALTY);
    return penalties;
}

static struct core_categorical_call categorical_call(const struct api_call *call, const struct call_range *range)
{
    return (struct core_categorical_call){
        .dtype = call->dtype,
        .logits = call->logits,
        .classes = call->classes,
        .inner = call->inner,
        .temperature = call_per_row(call, API_TEMPERATURE),
        .noise = noise(call, range, 0),
        .draws = call->draws,
        .replacement = call->values[API_REPLACEMENT].one.boolean,
        .method = (enum core_method)call->values[API_METHOD].one.choice,
        .filters = filters(call),
        .bias = {call->bias.classes, call->bias.values, call->bias.count},
        .mask = mask(call),
        .penalties = penalties(call),
        .indices = call->data[INDICES],
        .scores = call->data[SCORES],
        .counts = call->data[COUNTS],
        .distribution = (enum core_distribution)call->values[API_LOGPROBS_OF].one.choice,
        .log_probabilities = call->data[LOG_PROBABILITIES],
        .filtered_log_probabilities = call->data[FILTERED_LOG_PROBABILITIES],
        .ranks = call->data[RANKS],
        .kept = call->data[KEPT],
        .kept_mass = call->data[KEPT_MASS],
        .entropy = call->data[ENTROPY],
        .top = (size_t)call->values[API_LOGPROBS].one.integer,
        .top_indices = call->data[TOP_INDICES],
        .top_log_probabilities = call->data[TOP_LOG_PROBABILITIES],
        .named = {call->named.classes, call->named.count},
        .named_log_probabilities = call->data[CLASS_LOG_PROBABILITIES],
    };
}

static size_t categorical_scratch(const struct api_call *call)
{
    const struct core_categorical_call core = categorical_call(call, &no_range);
    return core_categorical_scratch(&core);
}

static int categorical_draws(const struct api_call *call, const struct call_range *range, void *scratch,
                             size_t *invalid_row)
{
    struct core_categorical_call core = categorical_call(call, range);
    core.part = (struct core_draws){range->draw, range->draws};
    if (range->unbiased)
        core.bias.count = 0;
    return core_categorical(&core, range->first, range->count, scratch, invalid_row);
}

static int categorical(const struct api_call *call, const struct call_range *range, void *scratch, size_t *invalid_row)
{
    return compute_alike(call, range, scratch, invalid_row, categorical_draws);
}

/* Without replacement the draws are the winners of one race. */
static enum api_division categorical_division(const struct api_call *call)
{
    return call->values[API_REPLACEMENT].one.boolean ? API_APART : API_TOGETHER;
}

/* ---- vjp ---- */

/* Where a sample's gradients go: the first sample's to the results, those of the others to spare memory, which is the
 * rows' part of the first sample's cotangent: that has been used by then. */
struct gradients {
    void *logits, *temperature;
};

static struct gradients gradients_of(const struct api_call *call, size_t draw)
{
    const void *temperature = call->data[GRAD_TEMPERATURE] != NULL ? call->data[GRAD_TEMPERATURE]
                                                                   : call->data[GRAD_TAU];
    if (draw == 0)
        return (struct gradients){call->data[GRAD_LOGITS], (void *)temperature};
    return (struct gradients){call->cotangent, call->spare};
}

/* What the sums of several samples' gradients have rounded off. For the logits it is in the second sample's cotangent:
 * there is none to add before that has been used. */
static struct gradients rests_of(const struct api_call *call)
{
    return (struct gradients){element(call, call->cotangent, call->rows * call->classes),
                              element(call, call->spare, call->rows)};
}

/* Adds a further sample's gradients of the rows to the results, in the order of the samples: in runs that lie dense. */
static void add_gradients(const struct api_call *call, size_t draw, size_t first, size_t count)
{
    const struct gradients sum = gradients_of(call, 0), rest = rests_of(call), summand = gradients_of(call, draw);
    const bool dense = call->inner == 1;
    const size_t end = first + count, step = dense ? 0 : call->inner, lists = dense ? 1 : call->classes;
    for (size_t row = first, rows; row < end; row += rows) {
        const size_t start = call_row_of_logits(call, row).start, left = call->inner - row % call->inner;
        rows = dense || end - row < left ? end - row : left;
        for (size_t i = 0; i < lists; i++)
            core_gradient_add(
                call->dtype, element(call, sum.logits, start + i * step), element(call, rest.logits, start + i * step),
                element(call, summand.logits, start + i * step), dense ? rows * call->classes : rows, draw == 1);
    }
    core_gradient_add(call->dtype, element(call, sum.temperature, first), element(call, rest.temperature, first),
                      element(call, summand.temperature, first), count, draw == 1);
}

static struct core_softmax_vjp_call softmax_vjp_call(const struct api_call *call)
{
    const struct gradients gradients = gradients_of(call, 0);
    return (struct core_softmax_vjp_call){
        .dtype = call->dtype,
        .logits = call->logits,
        .cotangent = call->cotangent,
        .classes = call->classes,
        .inner = call->inner,
        .temperature = call_per_row(call, API_TEMPERATURE),
        .mask = mask(call),
        .grad_logits = gradients.logits,
        .grad_temperature = gradients.temperature,
    };
}

static struct core_gumbel_softmax_vjp_call gumbel_vjp_call(const struct api_call *call, const struct call_range *range,
                                                           size_t draw)
{
    const struct gradients gradients = gradients_of(call, draw);
    return (struct core_gumbel_softmax_vjp_call){
        .dtype = call->dtype,
        .logits = call->logits,
        .cotangent = element(call, call->cotangent, draw * call->rows * call->classes),
        .classes = call->classes,
        .inner = call->inner,
        .tau = call_per_row(call, API_TAU),
        .noise = noise(call, range, draw),
        .conditional_samples = (uint32_t)call->values[API_CONDITIONAL_SAMPLES].one.integer,
        .noise_scale = call_per_row(call, API_NOISE_SCALE),
        .mask = mask(call),
        .grad_logits = gradients.logits,
        .grad_tau = gradients.temperature,
    };
}

static bool is_gumbel_rao(const struct api_call *call)
{
    return call->values[API_ESTIMATOR].one.choice == API_GUMBEL_RAO;
}

static size_t vjp_scratch(const struct api_call *call)
{
    if (!call->of->draws_noise) {
        const struct core_softmax_vjp_call core = softmax_vjp_call(call);
        return core_softmax_vjp_scratch(&core);
    }
    const struct core_gumbel_softmax_vjp_call core = gumbel_vjp_call(call, &no_range, 0);
    return is_gumbel_rao(call) ? core_gumbel_rao_vjp_scratch(&core) : core_gumbel_softmax_vjp_scratch(&core);
}

static int softmax_vjp(const struct api_call *call, const struct call_range *range, void *scratch, size_t *invalid_row)
{
    const struct core_softmax_vjp_call core = softmax_vjp_call(call);
    if (call->of == &api_functions[API_LOG_SOFTMAX])
        return core_log_softmax_vjp(&core, range->first, range->count, scratch, invalid_row);
    return core_softmax_vjp(&core, range->first, range->count, scratch, invalid_row);
}

size_t call_sums_bytes(const struct api_call *call)
{
    const struct core_gumbel_softmax_vjp_call core = gumbel_vjp_call(call, &no_range, 0);
    return core_gumbel_rao_sums(&core);
}

/* One sample's gradients; *complete says whether these were all of its conditional samples. */
static int gumbel_rao_vjp(const struct api_call *call, const struct call_range *range, size_t draw, void *scratch,
                          size_t *invalid_row, bool *complete)
{
    struct core_gumbel_softmax_vjp_call core = gumbel_vjp_call(call, range, draw);
    if (range->sums != NULL)
        core.part = (struct core_rao_part){(uint32_t)range->sample, (uint32_t)range->samples, range->sums};
    *complete = range->sums == NULL || range->sample + range->samples == core.conditional_samples;
    return core_gumbel_rao_vjp(&core, range->first, range->count, scratch, invalid_row);
}

static int gumbel_vjp(const struct api_call *call, const struct call_range *range, size_t draw, void *scratch,
                      size_t *invalid_row, bool *complete)
{
    const struct core_gumbel_softmax_vjp_call core = gumbel_vjp_call(call, range, draw);
    *complete = true;
    return core_gumbel_softmax_vjp(&core, range->first, range->count, scratch, invalid_row);
}

static int gumbel_vjps(const struct api_call *call, const struct call_range *range, void *scratch, size_t *invalid_row)
{
    bool complete;
    for (size_t draw = range->draw; draw < range->draw + range->draws; draw++) {
        const int status = (is_gumbel_rao(call) ? gumbel_rao_vjp : gumbel_vjp)(call, range, draw, scratch, invalid_row,
                                                                               &complete);
        if (status != CORE_OK)
            return status;
        if (draw > 0 && complete)
            add_gradients(call, draw, range->first, range->count);
    }
    return CORE_OK;
}

static int vjp(const struct api_call *call, const struct call_range *range, void *scratch, size_t *invalid_row)
{
    if (!call->of->draws_noise)
        return softmax_vjp(call, range, scratch, invalid_row);
    return compute_alike(call, range, scratch, invalid_row, gumbel_vjps);
}

/* Gradients are added in the order of the samples. */
static enum api_division vjp_division(const struct api_call *call)
{
    return call->of->draws_noise ? API_IN_ORDER : API_TOGETHER;
}

/* ---- The table ---- */

#define TAKES(id) (UINT64_C(1) << (id))
#define ARRAYS (TAKES(API_LOGITS) | TAKES(API_DIM) | TAKES(API_MASK) | TAKES(API_DTYPE) | TAKES(API_ON_INVALID))
#define NOISY                                                                                                          \
    (TAKES(API_RNG) | TAKES(API_SEED) | TAKES(API_KEY) | TAKES(API_ROW_OFFSET) | TAKES(API_DRAW_OFFSET) |              \
     TAKES(API_NUM_SAMPLES))
#define GUMBEL (NOISY | TAKES(API_TAU) | TAKES(API_HARD) | TAKES(API_NOISE_SCALE))
#define FILTERS ((TAKES(CORE_FILTER_COUNT) - 1) << API_FILTER | TAKES(API_MIN_KEEP) | TAKES(API_FILTER_ORDER))
#define PENALTIES                                                                                                      \
    (TAKES(API_PROMPT) | TAKES(API_OUTPUT) | TAKES(API_REPETITION_PENALTY) | TAKES(API_PRESENCE_PENALTY) |             \
     TAKES(API_FREQUENCY_PENALTY))
#define GRADIENT (TAKES(API_FUNCTION) | TAKES(API_COTANGENT))
#define ESTIMATED (TAKES(API_ESTIMATOR) | TAKES(API_CONDITIONAL_SAMPLES))

_Static_assert(API_PARAMETER_COUNT <= 64, "a set has a bit for each");

const struct api_function api_functions[API_FUNCTION_COUNT] =
    {
        [API_SOFTMAX] =
            {
                .name = "softmax",
                .parameters = ARRAYS | TAKES(API_TEMPERATURE),
                .vjp_parameters = GRADIENT,
                .results = {{"probabilities", API_OF_SAMPLES, API_ALWAYS, API_MASSES}},
                .scratch = softmax_scratch,
                .compute = softmax,
                .divide = softmax_division,
            },
        [API_LOG_SOFTMAX] =
            {
                .name = "log_softmax",
                .parameters = ARRAYS | TAKES(API_TEMPERATURE),
                .vjp_parameters = GRADIENT,
                .results = {{"log_probabilities", API_OF_SAMPLES, API_ALWAYS, API_LOGARITHMS}},
                .scratch = softmax_scratch,
                .compute = log_softmax,
                .divide = softmax_division,
            },
        [API_GUMBEL_SOFTMAX] =
            {
                .name = "gumbel_softmax",
                .parameters = ARRAYS | GUMBEL | TAKES(API_RETURN),
                .vjp_parameters = GRADIENT | ESTIMATED,
                .draws_noise = true,
                .results = {[SAMPLES] = {"samples", API_OF_SAMPLES, API_ON_RETURN, API_MASSES},
                            [WINNERS] = {"indices", API_OF_WINNERS, API_ON_RETURN, API_CLASSES},
                            [SOFT] = {"soft", API_OF_SAMPLES, API_ON_RETURN, API_MASSES},
                            [NOISE] = {"noise", API_OF_SAMPLES, API_ON_RETURN, API_NOISE},
                            [LOG_DENSITY] = {"log_density", API_OF_WINNERS, API_ON_RETURN, API_LOGARITHMS},
                            [LOG_SAMPLES] = {"log_samples", API_OF_SAMPLES, API_ON_RETURN, API_LOGARITHMS},
                            [PERTURBED] = {"perturbed", API_OF_SAMPLES, API_ON_RETURN, API_LOGARITHMS}},
                .scratch = gumbel_scratch,
                .compute = gumbel_softmax,
                .divide = gumbel_division,
            },
        [API_CATEGORICAL] =
            {
                .name = "categorical",
                .parameters = ARRAYS | NOISY | FILTERS | PENALTIES | TAKES(API_LOGIT_BIAS) | TAKES(API_TEMPERATURE) |
                              TAKES(API_REPLACEMENT) | TAKES(API_METHOD) | TAKES(API_LOGPROBS) |
                              TAKES(API_LOGPROBS_OF) | TAKES(API_LOGPROBS_FOR) | TAKES(API_RETURN),
                .draws_noise = true,
                .results = {[INDICES] = {"indices", API_OF_DRAWS, API_ON_RETURN, API_CLASSES},
                            [LOG_PROBABILITIES] = {"log_probabilities", API_OF_DRAWS, API_ON_RETURN, API_LOGARITHMS},
                            [SCORES] = {"scores", API_OF_DRAWS, API_ON_RETURN, API_LOGARITHMS},
                            [FILTERED_LOG_PROBABILITIES] = {"filtered_log_probabilities", API_OF_DRAWS, API_ON_RETURN,
                                                            API_LOGARITHMS},
                            [RANKS] = {"ranks", API_OF_DRAWS, API_ON_RETURN, API_COUNTS},
                            [KEPT] = {"kept", API_OF_ROWS, API_ON_RETURN, API_COUNTS},
                            [KEPT_MASS] = {"kept_mass", API_OF_ROWS, API_ON_RETURN, API_MASSES},
                            [ENTROPY] = {"entropy", API_OF_ROWS, API_ON_RETURN, API_MASSES},
                            [TOP_INDICES] = {"top_indices", API_OF_TOP, API_WITH_LOGPROBS, API_CLASSES},
                            [TOP_LOG_PROBABILITIES] = {"top_log_probabilities", API_OF_TOP, API_WITH_LOGPROBS,
                                                       API_LOGARITHMS},
                            [CLASS_LOG_PROBABILITIES] = {"class_log_probabilities", API_OF_NAMED, API_WITH_NAMED,
                                                         API_LOGARITHMS},
                            [COUNTS] = {"counts", API_OF_LOGITS, API_ON_RETURN, API_COUNTS}},
                .scratch = categorical_scratch,
                .compute = categorical,
                .divide = categorical_division,
            },
        [API_VJP] =
            {
                .name = "vjp",
                .parameters = ARRAYS | GRADIENT | GUMBEL | ESTIMATED | TAKES(API_TEMPERATURE),
                .results = {[GRAD_LOGITS] = {"grad_logits", API_OF_LOGITS, API_ALWAYS, API_GRADIENTS},
                            [GRAD_TEMPERATURE] = {"grad_temperature", API_OF_ROWS, API_OF_TEMPERATURE, API_GRADIENTS},
                            [GRAD_TAU] = {"grad_tau", API_OF_ROWS, API_OF_TAU, API_GRADIENTS}},
                .scratch = vjp_scratch,
                .compute = vjp,
                .divide = vjp_division,
            },
};
