/* core_categorical: scores are the perturbed logits v / T - log E, whatever was subtracted on the way to them. */
#include "lib/suite.h"
#include "sampling_problem.h"

#include <float.h>
#include <math.h>

/* The noise of one class, as the core makes it of its words. */
static double noise_of(const struct sampling *p, size_t row, size_t draw, size_t class)
{
    const struct core_noise *noise = &p->call.noise;
    uint32_t high[4], low[4];
    union {
        float narrow[4];
        double wide[4];
    } exponential;
    core_noise_words(high, class / 4 * 4, 4, noise->seed[0], noise->row_offset + (uint32_t)row,
                     noise->draw + (uint32_t)draw, 0);
    core_noise_words(low, class / 4 * 4, 4, noise->seed[0], noise->row_offset + (uint32_t)row,
                     noise->draw + (uint32_t)draw, 2);
    core_exponential(p->call.dtype, high, low, &exponential, 4);
    return -log(number_at(p->call.dtype, &exponential, class % 4));
}

enum { ROWS = 19, BIASED = 0 };

static const double offsets[] = {0, 100, -1000, 0.5, 12345}, bias = 1.5;

/* Normal logits, each row about a number of its own. */
static void fill_offset_rows(struct sampling *p, struct inputs *inputs)
{
    const enum core_dtype dtype = p->call.dtype;
    sampling_allocate(p);
    fill_numbers(dtype, p->logits, ROWS, p->call.classes, LOGITS_NORMAL, inputs);
    for (size_t i = 0; i < ROWS * p->call.classes; i++)
        number_put(dtype, p->logits, i, number_at(dtype, p->logits, i) + offsets[i / p->call.classes % 5]);
}

static void require_perturbed_logits(const struct sampling *p)
{
    const enum core_dtype dtype = p->call.dtype;
    const double temperature = p->call.temperature.value[0];
    for (size_t i = 0; i < ROWS * p->call.draws; i++) {
        size_t r = i / p->call.draws, draw = p->call.replacement ? i % p->call.draws : 0, class = (size_t)p->indices[i];
        double v = number_at(dtype, p->logits, r * p->call.classes + class);
        v += class == BIASED && p->call.bias.count > 0 ? bias : 0;
        double noise = noise_of(p, r, draw, class), right = v / temperature + noise;
        double size = 20 + fabs(noise) + (fabs(v) + 20) / temperature; /* 20: how far v is from the row's maximum */
        double score = number_at(dtype, p->scores, i);
        if (!(fabs(score - right) <= 8 * epsilon_of(dtype) * size))
            ck_abort_msg("K %zu, row %zu: %.18g, not %.18g", p->call.classes, r, score, right);
    }
}

static const double temperatures[] = {1, 0.5, 3};
static const size_t counts[] = {1, 2, 5, 17, 63, 64, 100, 257, 1531};

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

/* Of every way through the kernels: straight from the logits, prepared, filtered in either order, with a list.
 * typical_p drops the row's maximum where that is not typical. */
START_TEST(test_perturbed_logits)
{
    static const double top_p = 0.9, typical_p = 0.3, min_p = 0.05, few = 3;
    static const uint32_t biased = BIASED;
    struct inputs inputs = {51};
    const enum core_dtype dtype = select_kernels(_i);
    for (size_t i = 0; i < COUNT(counts); i++)
        for (int way = 0; way < 12; way++) {
            struct sampling p = sampling_of(dtype, ROWS, counts[i], 3, true);
            p.call.temperature.value = &temperatures[(i + (size_t)way) % 3];
            p.call.filters.order = &core_orders[way % 2 ? CORE_TEMPERATURE_LAST : CORE_TEMPERATURE_FIRST];
            if (way / 2 == 1)
                p.call.filters.values[CORE_TOP_P].value = &top_p;
            if (way / 2 == 2)
                p.call.filters.values[CORE_TYPICAL_P].value = &typical_p;
            if (way / 2 == 3)
                p.call.filters.values[CORE_MIN_P].value = &min_p;
            if (way / 2 == 4)
                p.call.filters.values[CORE_TOP_K].value = &few;
            if (way / 2 >= 4)
                p.call.bias = (struct core_logit_bias){&biased, &bias, 1};
            if (way / 2 == 5) {
                p.call.replacement = false;
                p.call.draws = counts[i] < 3 ? counts[i] : 3;
            }
            fill_offset_rows(&p, &inputs);
            sampling_run_all(&p);
            require_perturbed_logits(&p);
            sampling_close(&p);
        }
}
END_TEST

/* With log-probabilities rows are prepared, and without them they are not: the same scores, and in either order. */
START_TEST(test_the_same_bits_on_every_way)
{
    struct inputs inputs = {52};
    const enum core_dtype dtype = select_kernels(_i);
    for (size_t i = 0; i < COUNT(counts); i++)
        for (size_t t = 0; t < 3; t++) {
            struct sampling direct = sampling_of(dtype, ROWS, counts[i], 3, true);
            direct.call.temperature.value = &temperatures[t];
            fill_offset_rows(&direct, &inputs);
            sampling_run_all(&direct);
            for (int order = 0; order < 2; order++) {
                struct sampling prepared = direct;
                double scores[ROWS * 3];
                prepared.call.filters.order = &core_orders[order == 0 ? CORE_TEMPERATURE_FIRST : CORE_TEMPERATURE_LAST];
                prepared.call.log_probabilities = direct.log_probabilities;
                prepared.call.scores = scores;
                sampling_run_all(&prepared);
                ck_assert_mem_eq(scores, direct.scores, ROWS * 3 * core_dtype_size(dtype));
            }
            sampling_close(&direct);
        }
}
END_TEST

/* However great the logits over T are: finite, and in falling order. */
START_TEST(test_scores_are_finite)
{
    static const double least[] = {1e-45f, 1e-10, 1, 3e38};
    struct inputs inputs = {53};
    const enum core_dtype dtype = select_kernels(_i);
    const double greatest = dtype == CORE_FLOAT64 ? DBL_MAX : (double)FLT_MAX;
    for (size_t i = 0; i < COUNT(counts); i++)
        for (size_t way = 0; way < 16; way++) {
            struct sampling p = sampling_of(dtype, ROWS, counts[i], counts[i] < 3 ? 1 : 3, way / 4 % 2);
            p.call.temperature.value = &least[way % 4];
            p.call.filters.order = &core_orders[way / 8 ? CORE_TEMPERATURE_LAST : CORE_TEMPERATURE_FIRST];
            sampling_allocate(&p);
            fill_numbers(dtype, p.logits, ROWS, counts[i], LOGITS_HUGE, &inputs);
            for (size_t j = 0; j < counts[i]; j++) { /* the limits, of both signs */
                number_put(dtype, p.logits, j, -greatest);
                number_put(dtype, p.logits, counts[i] + j, greatest);
            }
            sampling_run_all(&p);
            for (size_t j = 0; j < ROWS * p.call.draws; j++) {
                double score = number_at(dtype, p.scores, j);
                ck_assert(fabs(score) <= greatest);
                if (!p.call.replacement && j % p.call.draws > 0)
                    ck_assert(score <= number_at(dtype, p.scores, j - 1));
            }
            sampling_close(&p);
        }
}
END_TEST

TEST_SUITE("core")
{
    Suite *suite = suite_create("core scores");
    TCase *scores = tcase_create("scores");
    tcase_set_timeout(scores, 120);
    tcase_add_kernels_test(scores, test_perturbed_logits);
    tcase_add_kernels_test(scores, test_the_same_bits_on_every_way);
    tcase_add_kernels_test(scores, test_scores_are_finite);
    suite_add_tcase(suite, scores);
    return suite;
}
