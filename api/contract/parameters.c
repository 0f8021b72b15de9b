/* The tables of parameters, of schedules and of limits. */
#include "api.h"
#include "core.h"
#include "sampling.h"

#include <stddef.h>
#include <stdio.h>
#include <string.h>

#define MAX_FLOAT32 3.4028235e38 /* the shortest decimal that reads as the largest float32 */
#define MAX_COUNT 2147483647.0   /* of classes and what is counted in them */

const struct api_dtype_kind api_dtypes[API_DTYPE_COUNT] = {
    [API_FLOAT32] = {"float32", 4, "<f4", "FP32"}, [API_FLOAT64] = {"float64", 8, "<f8", "FP64"},
    [API_INT32] = {"int32", 4, "<i4", "INT32"},    [API_UINT32] = {"uint32", 4, "<u4", "UINT32"},
    [API_UINT64] = {"uint64", 8, "<u8", "UINT64"}, [API_BOOL] = {"bool", 1, "|b1", "BOOL"},
};

static const struct api_choice dtypes[] = {{"float32", API_FLOAT32}, {"float64", API_FLOAT64}, {NULL, 0}};
static const struct api_choice on_invalid[] = {{"error", API_INVALID_ERROR},
                                               {"zero", API_INVALID_ZERO},
                                               {"uniform", API_INVALID_UNIFORM},
                                               {"nan", API_INVALID_NAN},
                                               {NULL, 0}};
static const struct api_choice filter_orders[] = {{"temperature_first", CORE_TEMPERATURE_FIRST},
                                                  {"temperature_last", CORE_TEMPERATURE_LAST},
                                                  {"joint", CORE_JOINT},
                                                  {NULL, 0}};
static const struct api_choice rngs[] = {
    {API_DEFAULT_RNG, CORE_RNG_V1}, {"torch", CORE_RNG_TORCH}, {"jax", CORE_RNG_JAX}, {NULL, 0}};
static const struct api_choice methods[] = {
    {"gumbel_max", CORE_GUMBEL_MAX}, {"inverse_cdf", CORE_INVERSE_CDF}, {NULL, 0}};
static const struct api_choice distributions[] = {
    {"raw", CORE_RAW}, {"scaled", CORE_SCALED}, {"filtered", CORE_FILTERED}, {NULL, 0}};
static const struct api_choice differentiable[] = {
    {"softmax", API_SOFTMAX}, {"log_softmax", API_LOG_SOFTMAX}, {"gumbel_softmax", API_GUMBEL_SOFTMAX}, {NULL, 0}};
static const struct api_choice estimators[] = {
    {"straight_through", API_STRAIGHT_THROUGH}, {"gumbel_rao", API_GUMBEL_RAO}, {NULL, 0}};

const struct api_parameter api_parameters[API_PARAMETER_COUNT] = {
    [API_LOGITS] = {.name = "logits",
                    .type = API_NUMBERS,
                    .required = true,
                    .doc = "The unnormalised log-probabilities, an array of 1 to 8 axes."},
    [API_DIM] = {.name = "dim",
                 .type = API_INTEGER,
                 .minimum = -8,
                 .maximum = 7,
                 .fallback = -1,
                 .doc = "The class axis, counted from the end where negative."},
    [API_MASK] = {.name = "mask",
                  .type = API_BOOLEANS,
                  .optional = true,
                  .doc = "Which classes are possible, in the shape of the logits, or one row for all."},
    [API_DTYPE] = {.name = "dtype",
                   .type = API_CHOICE,
                   .choices = dtypes,
                   .doc = "The precision of the arrays and of the computation."},
    [API_ON_INVALID] = {.name = "on_invalid",
                        .type = API_CHOICE,
                        .choices = on_invalid,
                        .doc = "What becomes of a row without an answer."},
    [API_TEMPERATURE] = {.name = "temperature",
                         .type = API_NUMBER,
                         .per_row = true,
                         .maximum = MAX_FLOAT32,
                         .fallback = 1,
                         .doc = "Divides the logits; at 0 all falls on the first maximum."},
    [API_TAU] = {.name = "tau",
                 .type = API_NUMBER,
                 .per_row = true,
                 .schedule = true,
                 .maximum = MAX_FLOAT32,
                 .fallback = 1,
                 .doc = "The temperature of the samples; at 0 they are one-hot."},
    [API_HARD] = {.name = "hard",
                  .type = API_BOOLEAN,
                  .doc = "Whether a sample is the exact one-hot of the first maximum of logits + g."},
    [API_RNG] = {.name = "rng",
                 .type = API_CHOICE,
                 .choices = rngs,
                 .doc = "Whose stream of random numbers the noise is made of."},
    [API_SEED] = {.name = "seed",
                  .type = API_INTEGER,
                  .per_row = true,
                  .drawn = true,
                  .maximum = API_MAX_INTEGER,
                  .doc = "Keys the noise."},
    [API_KEY] = {.name = "key",
                 .type = API_INTEGER,
                 .per_row = true,
                 .pair = true,
                 .optional = true,
                 .maximum = UINT32_MAX,
                 .doc = "In place of a seed the two words of a key of JAX, or a pair for each row."},
    [API_ROW_OFFSET] = {.name = "row_offset",
                        .type = API_INTEGER,
                        .maximum = UINT32_MAX,
                        .doc = "The row of the seed's noise that the first row gets."},
    [API_DRAW_OFFSET] = {.name = "draw_offset",
                         .type = API_INTEGER,
                         .per_row = true,
                         .maximum = UINT32_MAX,
                         .doc = "The draw of the row's noise that the first draw gets."},
    [API_NUM_SAMPLES] = {.name = "num_samples",
                         .type = API_INTEGER,
                         .optional = true,
                         .minimum = 1,
                         .maximum = MAX_COUNT,
                         .fallback = 1,
                         .doc = "How many samples or draws each row gives."},
    [API_NOISE_SCALE] = {.name = "noise_scale",
                         .type = API_NUMBER,
                         .per_row = true,
                         .maximum = CORE_NOISE_SCALE_MAX,
                         .fallback = 1,
                         .doc = "Multiplies the noise; at 0 there is none."},
    [API_REPLACEMENT] = {.name = "replacement",
                         .type = API_BOOLEAN,
                         .fallback = 1,
                         .doc = "Whether a class can be drawn more than once."},
    [API_METHOD] = {.name = "method",
                    .type = API_CHOICE,
                    .choices = methods,
                    .doc = "How draws with replacement are made."},
    [API_FILTER + CORE_TOP_K] = {.name = "top_k",
                                 .type = API_INTEGER,
                                 .per_row = true,
                                 .minimum = -1,
                                 .maximum = MAX_COUNT,
                                 .doc = "Keeps this many of the most probable classes; 0 and -1 keep all."},
    [API_FILTER + CORE_TOP_P] = {.name = "top_p",
                                 .type = API_NUMBER,
                                 .per_row = true,
                                 .maximum = 1,
                                 .fallback = 1,
                                 .doc = "Keeps the smallest set of classes whose mass reaches this."},
    [API_FILTER + CORE_MIN_P] = {.name = "min_p",
                                 .type = API_NUMBER,
                                 .per_row = true,
                                 .maximum = MAX_FLOAT32,
                                 .doc = "Keeps the classes of at least this part of the greatest probability."},
    [API_FILTER + CORE_TYPICAL_P] = {.name = "typical_p",
                                     .type = API_NUMBER,
                                     .per_row = true,
                                     .above = true,
                                     .maximum = 1,
                                     .fallback = 1,
                                     .doc = "Keeps the smallest set of typical classes whose mass reaches this."},
    [API_FILTER +
        CORE_TOP_N_SIGMA] = {.name = "top_n_sigma",
                             .type = API_NUMBER,
                             .per_row = true,
                             .minimum = -1,
                             .maximum = MAX_FLOAT32,
                             .doc = "Keeps the classes whose logits are at most this many standard deviations "
                                    "below the greatest; 0 and below keep all."},
    [API_FILTER + CORE_EPSILON_CUTOFF] = {.name = "epsilon_cutoff",
                                          .type = API_NUMBER,
                                          .per_row = true,
                                          .maximum = 1,
                                          .doc = "Keeps the classes of at least this probability."},
    [API_FILTER + CORE_ETA_CUTOFF] = {.name = "eta_cutoff",
                                      .type = API_NUMBER,
                                      .per_row = true,
                                      .maximum = 1,
                                      .doc = "Keeps the classes of at least this probability, or of less where the "
                                             "entropy is high."},
    [API_MIN_KEEP] = {.name = "min_keep",
                      .type = API_INTEGER,
                      .per_row = true,
                      .maximum = MAX_COUNT,
                      .fallback = 1,
                      .doc = "How many classes each filter leaves at least."},
    [API_LOGIT_BIAS] = {.name = "logit_bias",
                        .type = API_BIAS,
                        .optional = true,
                        .minimum = -MAX_FLOAT32,
                        .maximum = MAX_FLOAT32,
                        .doc = "Numbers to be added to the logits of some classes in all rows."},
    [API_FILTER_ORDER] = {.name = "filter_order",
                          .type = API_STEPS,
                          .choices = filter_orders,
                          .doc = "In which order the temperature and the filters are applied."},
    [API_PROMPT] = {.name = "prompt",
                    .type = API_CLASS_LISTS,
                    .optional = true,
                    .minimum = -1,
                    .maximum = MAX_COUNT - 1,
                    .doc = "The classes that came before the draws, for repetition_penalty."},
    [API_OUTPUT] = {.name = "output",
                    .type = API_CLASS_LISTS,
                    .optional = true,
                    .minimum = -1,
                    .maximum = MAX_COUNT - 1,
                    .doc = "The classes drawn so far, for all penalties."},
    [API_REPETITION_PENALTY] = {.name = "repetition_penalty",
                                .type = API_NUMBER,
                                .per_row = true,
                                .above = true,
                                .maximum = MAX_FLOAT32,
                                .fallback = 1,
                                .doc = "Divides positive logits of the classes in prompt and output, and multiplies "
                                       "the others of them."},
    [API_PRESENCE_PENALTY] = {.name = "presence_penalty",
                              .type = API_NUMBER,
                              .per_row = true,
                              .minimum = -MAX_FLOAT32,
                              .maximum = MAX_FLOAT32,
                              .doc = "Subtracted from the logits of the classes in output."},
    [API_FREQUENCY_PENALTY] = {.name = "frequency_penalty",
                               .type = API_NUMBER,
                               .per_row = true,
                               .minimum = -MAX_FLOAT32,
                               .maximum = MAX_FLOAT32,
                               .doc = "Subtracted from the logits of the classes in output, once for each time that "
                                      "they are in it."},
    [API_LOGPROBS] = {.name = "logprobs",
                      .type = API_INTEGER,
                      .maximum = MAX_COUNT,
                      .doc = "How many of the most probable classes are returned with their log-probabilities."},
    [API_LOGPROBS_OF] = {.name = "logprobs_of",
                         .type = API_CHOICE,
                         .choices = distributions,
                         .doc = "Of which distribution the log-probabilities are."},
    [API_LOGPROBS_FOR] = {.name = "logprobs_for",
                          .type = API_CLASS_LIST,
                          .optional = true,
                          .doc = "Classes whose log-probabilities are returned for each row."},
    [API_FUNCTION] = {.name = "function",
                      .type = API_CHOICE,
                      .required = true,
                      .choices = differentiable,
                      .doc = "The function that is differentiated."},
    [API_COTANGENT] = {.name = "cotangent",
                       .type = API_NUMBERS,
                       .required = true,
                       .doc = "The gradient of a loss with respect to the function's result, in that result's shape."},
    [API_ESTIMATOR] = {.name = "estimator",
                       .type = API_CHOICE,
                       .choices = estimators,
                       .doc = "How the gradient of a hard sample is estimated."},
    [API_CONDITIONAL_SAMPLES] = {.name = "conditional_samples",
                                 .type = API_INTEGER,
                                 .minimum = 1,
                                 .maximum = 65536,
                                 .fallback = 10,
                                 .doc = "How many conditional samples gumbel_rao takes the mean of."},
    [API_RETURN] = {.name = "return",
                    .type = API_NAMES,
                    .optional = true,
                    .doc = "The results that are wanted; by default only the function's first."},
};

const struct api_parameter *api_parameter_find(const struct api_function *function, const char *name, size_t length)
{
    for (int id = 0; id < API_PARAMETER_COUNT; id++) {
        const struct api_parameter *parameter = &api_parameters[id];
        if ((function == NULL || api_function_takes(function, (enum api_parameter_id)id)) &&
            strlen(parameter->name) == length && memcmp(parameter->name, name, length) == 0)
            return parameter;
    }
    return NULL;
}

/* ---- Schedules ---- */

const struct api_choice api_schedule_kinds[] = {{"exponential", CORE_SCHEDULE_EXPONENTIAL},
                                                {"linear", CORE_SCHEDULE_LINEAR},
                                                {"cosine", CORE_SCHEDULE_COSINE},
                                                {NULL, 0}};

enum {
    EXPONENTIAL = 1 << CORE_SCHEDULE_EXPONENTIAL,
    LINEAR = 1 << CORE_SCHEDULE_LINEAR,
    COSINE = 1 << CORE_SCHEDULE_COSINE,
    EACH = EXPONENTIAL | LINEAR | COSINE,
};

const struct api_schedule_member api_schedule_members[API_SCHEDULE_MEMBER_COUNT] = {
    {"start", EACH, .maximum = MAX_FLOAT32},
    {"min", EACH, .maximum = MAX_FLOAT32},
    {"rate", EXPONENTIAL, .maximum = MAX_FLOAT32},
    {"steps", LINEAR | COSINE, .integer = true, .minimum = 1, .maximum = API_MAX_INTEGER},
    {"step", EACH, .integer = true, .maximum = API_MAX_INTEGER},
};

/* ---- Limits ---- */

const struct api_limit api_limits[API_LIMIT_COUNT] = {
    [API_LIMIT_ROWS] = {"rows", 1 << 22, "rows of a call", UINT32_MAX},
    [API_LIMIT_CLASSES] = {"classes", 1 << 24, "classes of a row", INT32_MAX},
    [API_LIMIT_DRAWS] = {"draws", 1 << 20, "samples of a row (num_samples)", INT32_MAX},
    [API_LIMIT_WORK] = {"work", 1 << 30, "logits times samples of a call", (size_t)1 << 44},
    [API_LIMIT_RESULT_BYTES] = {"result_bytes", 1 << 27, "bytes of a request's results as arrays", (size_t)1 << 40},
    [API_LIMIT_BATCH_REQUESTS] = {"batch_requests", 1024, "calls of a batch", 1000000},
};

void api_limit_flag(const struct api_limit *limit, char *flag, size_t size)
{
    snprintf(flag, size, "max-%s", limit->name);
    for (char *c = flag; *c != '\0'; c++)
        if (*c == '_')
            *c = '-';
}
