/* The sums of many samples' gradients: as exact as one of them, however many there are. */
#include "lib/ask.h"
#include "lib/suite.h"
#include "vjp.h"

#include <math.h>
#include <stdlib.h>

enum { ROWS = 2, CLASSES = 3, SIZE = ROWS * CLASSES, MANY = 65536 };

static const double x[SIZE] = {1, 2, 3, -1, 0.5, 0.25}, c[SIZE] = {1, 0, 0, 0.5, -2, 1};

/* Sums, and sums of magnitudes, over the samples. */
struct sums {
    long double logits[SIZE], tau[ROWS], logits_size[SIZE], tau_size[ROWS];
};

/* The vjp's definition, without noise. */
static void reference(struct sums *sums, double tau)
{
    for (size_t r = 0; r < ROWS; r++) {
        const double *row = x + r * CLASSES, *of_loss = c + r * CLASSES;
        long double total = 0, s = 0, max = fmaxl(row[0], fmaxl(row[1], row[2])), weighted = 0;
        for (size_t j = 0; j < CLASSES; j++) {
            const long double e = expl((row[j] - max) / tau);
            total += e;
            s += e * of_loss[j];
        }
        for (size_t j = 0; j < CLASSES; j++) {
            const long double g = expl((row[j] - max) / tau) / total * (of_loss[j] - s / total) / tau;
            sums->logits[r * CLASSES + j] = MANY * g;
            weighted += g * (row[j] - max);
        }
        sums->tau[r] = -weighted / tau * MANY;
    }
}

/* What the core gives for each sample, added. */
static void add_samples(struct sums *sums, enum core_dtype dtype, double tau, double noise_scale, uint64_t seed)
{
    float logits[SIZE], cotangent[SIZE], grad[SIZE], grad_tau[ROWS];
    double grad_f64[SIZE], grad_tau_f64[ROWS];
    const bool wide = dtype == CORE_FLOAT64;
    for (size_t i = 0; i < SIZE; i++) {
        logits[i] = (float)x[i];
        cotangent[i] = (float)c[i];
    }
    for (uint32_t draw = 0; draw < MANY; draw++) {
        const struct core_gumbel_softmax_vjp_call call = {
            .dtype = dtype,
            .logits = wide ? (const void *)x : logits,
            .cotangent = wide ? (const void *)c : cotangent,
            .classes = CLASSES,
            .inner = 1,
            .tau = {&tau, 0},
            .noise = {.seed = &seed, .draw = draw},
            .noise_scale = {&noise_scale, 0},
            .grad_logits = wide ? (void *)grad_f64 : grad,
            .grad_tau = wide ? (void *)grad_tau_f64 : grad_tau,
        };
        size_t bad;
        ck_assert_int_eq(core_gumbel_softmax_vjp(&call, 0, ROWS, NULL, &bad), CORE_OK);
        for (size_t i = 0; i < SIZE; i++) {
            const long double one = wide ? grad_f64[i] : grad[i];
            sums->logits[i] += one;
            sums->logits_size[i] += fabsl(one);
        }
        for (size_t r = 0; r < ROWS; r++) {
            const long double one = wide ? grad_tau_f64[r] : grad_tau[r];
            sums->tau[r] += one;
            sums->tau_size[r] += fabsl(one);
        }
    }
}

/* Numbers of the logits' shape, along the first axis if the classes are `across`. */
static json_t *matrix(const double *numbers, bool across)
{
    json_t *lines = json_array();
    const size_t count = across ? CLASSES : ROWS, length = SIZE / count;
    for (size_t i = 0; i < count; i++) {
        json_t *line = json_array();
        for (size_t j = 0; j < length; j++)
            json_array_append_new(line, json_real(numbers[across ? j * CLASSES + i : i * CLASSES + j]));
        json_array_append_new(lines, line);
    }
    return lines;
}

static struct answer ask_many(const char *dtype, bool across, double tau, double noise_scale, uint64_t seed)
{
    json_t *body = json_pack("{s:s, s:s, s:i, s:f, s:f, s:I, s:i}", "function", "gumbel_softmax", "dtype", dtype, "dim",
                             across ? 0 : 1, "tau", tau, "noise_scale", noise_scale, "seed", (json_int_t)seed,
                             "num_samples", MANY);
    json_t *cotangents = json_array(), *one = matrix(c, across);
    for (size_t i = 0; i < MANY; i++)
        json_array_append(cotangents, one);
    json_decref(one);
    json_object_set_new(body, "logits", matrix(x, across));
    json_object_set_new(body, "cotangent", cotangents);
    return ask_json("/v1/vjp", body);
}

static void assert_sum(const json_t *number, long double expected, long double off, const char *what)
{
    const double got = json_number_value(number);
    ck_assert_msg(fabsl(got - expected) <= off, "%s: %.9g, not %.9Lg within %.2Lg", what, got, expected, off);
}

/* Within `relative` of the sums of magnitudes. */
static void assert_sums(const struct answer *answer, const struct sums *sums, bool across, long double relative)
{
    const json_t *grad = json_object_get(answer->json, "grad_logits");
    const json_t *grad_tau = json_object_get(answer->json, "grad_tau");
    ck_assert_int_eq(answer->status, 200);
    for (size_t r = 0; r < ROWS; r++) {
        for (size_t j = 0; j < CLASSES; j++)
            assert_sum(json_array_get(json_array_get(grad, across ? j : r), across ? r : j),
                       sums->logits[r * CLASSES + j], relative * sums->logits_size[r * CLASSES + j], "grad_logits");
        assert_sum(json_array_get(grad_tau, r), sums->tau[r], relative * sums->tau_size[r], "grad_tau");
    }
}

/* Without noise all samples are the same: of float32 a naive sum of 65536 is off by 7e-4. */
START_TEST(equal_samples)
{
    const double tau = _i % 2 == 0 ? 1 : 0.7;
    struct sums sums = {.tau = {0}};
    reference(&sums, tau);
    for (size_t i = 0; i < SIZE; i++)
        sums.logits_size[i] = fabsl(sums.logits[i]);
    for (size_t r = 0; r < ROWS; r++)
        sums.tau_size[r] = fabsl(sums.tau[r]);
    struct answer answer = ask_many("float32", _i / 2 != 0, tau, 0, 1);
    assert_sums(&answer, &sums, _i / 2 != 0, 1e-6L);
    ask_free(&answer);
}
END_TEST

/* With noise: the sum of the samples' own gradients, rounded once. */
START_TEST(different_samples)
{
    static const char *const names[] = {[CORE_FLOAT32] = "float32", [CORE_FLOAT64] = "float64"};
    const enum core_dtype dtype = _i == 0 ? CORE_FLOAT32 : CORE_FLOAT64;
    struct sums sums = {.tau = {0}};
    add_samples(&sums, dtype, 0.5, 1, 5);
    struct answer answer = ask_many(names[dtype], false, 0.5, 1, 5);
    assert_sums(&answer, &sums, false, dtype == CORE_FLOAT32 ? 0x1.1p-24L : 0x1.1p-53L);
    ask_free(&answer);
}
END_TEST

TEST_SUITE("api")
{
    Suite *suite = suite_create("api: sums");
    TCase *tcase = tcase_create("many samples");
    tcase_set_timeout(tcase, 60);
    tcase_add_loop_test(tcase, equal_samples, 0, 4);
    tcase_add_loop_test(tcase, different_samples, 0, 2);
    suite_add_tcase(suite, tcase);
    return suite;
}
