#include "reference.h"

#include <math.h>

void reference_philox(const uint32_t counter[4], const uint32_t key[2], uint32_t words[4])
{
    uint32_t c[4] = {counter[0], counter[1], counter[2], counter[3]};
    uint32_t k[2] = {key[0], key[1]};
    for (int round = 0; round < 10; round++) {
        uint64_t p0 = (uint64_t)c[0] * 0xD2511F53, p1 = (uint64_t)c[2] * 0xCD9E8D57;
        uint32_t next[4] = {(uint32_t)(p1 >> 32) ^ c[1] ^ k[0], (uint32_t)p1, (uint32_t)(p0 >> 32) ^ c[3] ^ k[1],
                            (uint32_t)p0};
        for (int i = 0; i < 4; i++)
            c[i] = next[i];
        k[0] += 0x9E3779B9;
        k[1] += 0xBB67AE85;
    }
    for (int i = 0; i < 4; i++)
        words[i] = c[i];
}

double reference_exponential(uint32_t word)
{
    uint32_t nearer = word < ~word ? word : ~word;
    long double t = ((long double)nearer + 0.5L) / 4294967296.0L;
    return (double)(word < 0x80000000 ? -log1pl(-t) : -logl(t));
}

void reference_perturb(const float *logits, size_t classes, uint64_t seed, uint32_t row, uint32_t draw, double *z)
{
    const uint32_t key[2] = {(uint32_t)seed, (uint32_t)(seed >> 32)};
    for (size_t j = 0; j < classes; j++) {
        const uint32_t counter[4] = {(uint32_t)(j / 4), row, draw, 0};
        uint32_t words[4];
        reference_philox(counter, key, words);
        z[j] = (double)logits[j] - log(reference_exponential(words[j % 4]));
    }
}

double reference_max(const double *x, size_t classes)
{
    return x[reference_first_max(x, classes)];
}

size_t reference_first_max(const double *x, size_t classes)
{
    size_t best = 0;
    for (size_t j = 1; j < classes; j++)
        if (x[j] > x[best])
            best = j;
    return best;
}

static double sum_of_exp(const double *x, size_t classes, double max, double temperature)
{
    double sum = 0;
    for (size_t j = 0; j < classes; j++)
        sum += exp((x[j] - max) / temperature);
    return sum;
}

void reference_softmax(const double *x, size_t classes, double temperature, double *probabilities)
{
    double max = reference_max(x, classes);
    double sum = sum_of_exp(x, classes, max, temperature);
    for (size_t j = 0; j < classes; j++)
        probabilities[j] = exp((x[j] - max) / temperature) / sum;
}

void reference_log_softmax(const double *x, size_t classes, double temperature, double *log_probabilities)
{
    double max = reference_max(x, classes);
    double sum = sum_of_exp(x, classes, max, temperature);
    for (size_t j = 0; j < classes; j++)
        log_probabilities[j] = (x[j] - max) / temperature - log(sum);
}
