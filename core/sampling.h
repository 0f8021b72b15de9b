/* gumbeld's core: draws from categorical distributions, optionally filtered, over rows of logits.
 *
 * What core.h says of all calls holds here too: ranges of rows, invalid rows, bit-identical results on every
 * instruction set and for every split, the floating-point environment, no allocation.
 *
 * A row's logits x become, in this order:
 *   v = x + bias, and -inf where the mask is 0        (a class with v = -inf is impossible)
 *   m = the greatest v
 *   temperature first: u = (v - m) / T, the filters on exp(u), then d = u
 *   temperature last:  u = v - m, the filters on exp(u), then d = (u - the greatest u that is kept) / T
 *   z = d - log E, E ~ Exp(1) the noise of the class and draw
 * Draws are from softmax(d) over the classes that the filters kept, by the order of z. A draw's score is the perturbed
 * logit v / T - log E: z with all that was subtracted from v added again, so that scores of different rows, shards and
 * orders can be compared.
 */
#ifndef CORE_SAMPLING_H
#define CORE_SAMPLING_H

#include "core.h"

/* Further to enum core_status: the row has fewer possible classes than draws without replacement. */
enum { CORE_TOO_FEW_CLASSES = -10 };

enum core_filter_order {
    CORE_TEMPERATURE_FIRST, /* temperature, min_p, top_k, typical_p, top_p: vLLM's, typical_p where llama.cpp has it */
    CORE_TEMPERATURE_LAST   /* top_k, typical_p, top_p, min_p, temperature: llama.cpp's */
};

/* Each filter works on the classes that those before it kept, with their masses normalised again, and keeps at least
 * one. Of equal u the lower class is kept first.
 *
 *   top_k      the k classes of greatest u, exactly (below 1, or k >= classes, is off)
 *   typical_p  the smallest set of classes whose -log p is nearest to the entropy and whose mass reaches typical_p
 *              (Meister, Pimentel, Wiher, Cotterell: Locally Typical Sampling, TACL 2023); (0, 1], 1 is off
 *   top_p      the smallest set of greatest u whose mass reaches top_p (Holtzman et al.: The Curious Case of Neural
 *              Text Degeneration, ICLR 2020); [0, 1], 1 is off
 *   min_p      u >= the greatest u + log min_p (Nguyen et al., Turning Up the Heat, 2024); [0, 1], 0 is off
 *
 * typical_p and top_p leave no class whose mass is below about 1.2e-38 times the greatest, of float64 2.2e-308. Sums
 * err by up to 68 2^-24 = 4.1e-6 of the total (sums.h), typically 1e-7, of float64 by 20 2^-53; by as much, and by the
 * rounding of p to the dtype, the mass of a set may fall short of p, or exceed what was needed. */
enum core_filter { CORE_TOP_K, CORE_TOP_P, CORE_MIN_P, CORE_TYPICAL_P, CORE_FILTER_COUNT };

struct core_filters {
    enum core_filter_order order;
    struct core_per_row values[CORE_FILTER_COUNT]; /* by enum core_filter; value NULL: off for all rows */
};

/* bias[i] is added to the logits of class classes[i] < K in all rows; for a class that is named twice, both are. -inf
 * makes a class impossible. */
struct core_logit_bias {
    const uint32_t *classes;
    const double *bias;
    size_t count;
};

/* Some of a row's draws: `count` of them from `first` on. */
struct core_draws {
    size_t first, count;
};

/* The distribution that log-probabilities are of: softmax((v - m) / T) before the filters, or the one drawn from. */
enum core_distribution { CORE_RAW, CORE_FILTERED };

struct core_categorical_call {
    enum core_dtype dtype;
    const void *logits;
    size_t classes; /* below 2^31 */
    size_t inner;   /* of a strided array the product of the axes after the class axis; 0 and 1 mean dense, see core.h.
                       The results are [rows][..] all the same. */
    struct core_per_row temperature; /* finite, >= +0; value NULL means 1 */
    struct core_noise noise;
    size_t draws; /* n */
    bool replacement;
    struct core_draws part; /* with replacement: makes only these, and the top with the first; count 0: all */
    struct core_filters filters;
    struct core_logit_bias bias;
    struct core_mask mask;

    int32_t *indices; /* [rows][n], or NULL: the classes drawn */
    void *scores;     /* [rows][n], or NULL: their v / T - log E, see below */
    int32_t *counts;  /* in the layout of the logits, or NULL: how often each class is drawn is added to it, atomically:
                         so parts of the draws may be made by several threads */
    enum core_distribution distribution;
    void *log_probabilities; /* [rows][n], or NULL: of the classes drawn */
    size_t top;              /* L: how many of the most probable classes are returned */
    int32_t *top_indices;    /* [rows][L], or NULL: descending, the lower class first of equals; -1 past the possible */
    void *top_log_probabilities; /* [rows][L], or NULL; -inf past the possible classes */
};

/* Bytes of scratch memory that core_categorical needs for this call. */
size_t core_categorical_scratch(const struct core_categorical_call *call);

/* Draws from each row.
 *
 * With replacement, draw i (0 .. n-1) is the first maximum of z under the noise of draw noise.draw + i: the Gumbel-max
 * rule. Without, the draws are the n greatest z under the noise of draw noise.draw, descending, the lower class first
 * of equals: Gumbel top-k (Kool, van Hoof, Welling: Stochastic Beams and Where to Find Them, ICML 2019). So n = 1 is
 * the same either way.
 *
 * A score is z + M (1 / T), with M = m, or with CORE_TEMPERATURE_LAST M = m + the greatest u that is kept. Its rounding
 * may make scores equal whose z are not, but never changes their order; it is finite, limited to the greatest number of
 * the dtype. Where the filters keep the row's maximum, both orders give the same bits for the same class and draw.
 *
 * T = 0 is greedy: z = v - m without noise; the first maximum n times, or the n greatest in order. The filters then
 * apply if they come before the temperature (CORE_TEMPERATURE_LAST), and not otherwise. The log-probability
 * of the first maximum is 0 and that of every other class -inf. The scores are z itself, 0 at the first maximum: there
 * is no v / T.
 *
 * `scratch` has core_categorical_scratch(call) bytes at any alignment, with any content, and is not shared by
 * concurrent calls. Returns CORE_OK, or CORE_INVALID_ROW or CORE_TOO_FEW_CLASSES and sets *invalid_row to the first row
 * of either. The results may not overlap the logits. */
int core_categorical(const struct core_categorical_call *call, size_t first, size_t count, void *scratch,
                     size_t *invalid_row);

#endif
