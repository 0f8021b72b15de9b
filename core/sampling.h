/* gumbeld's core: draws from categorical distributions, optionally filtered, over rows of logits.
 *
 * What core.h says of all calls holds here too: ranges of rows, invalid rows, bit-identical results on every
 * instruction set and for every split, the floating-point environment, no allocation.
 *
 * A row's logits x become, in this order:
 *   v = x + bias, and -inf where the mask is 0        (a class with v = -inf is impossible)
 *   v less the penalties
 *   m = the greatest v, u = v - m
 *   then the steps of the order: a filter works on exp(u), and the temperature makes u = (u - the greatest u that is
 *   kept) / T; what u is after the last step is d
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

/* Each filter works on the classes that those before it kept, with their masses normalised again, and keeps at least
 * one. Of equal u the lower class is kept first.
 *
 *   top_k           the k classes of greatest u, exactly (below 1, or k >= classes, is off)
 *   typical_p       the smallest set of classes whose -log p is nearest to the entropy and whose mass reaches
 *                   typical_p
 *                   (Meister, Pimentel, Wiher, Cotterell: Locally Typical Sampling, TACL 2023); (0, 1], 1 is off
 *   top_p           the smallest set of greatest u whose mass reaches top_p (Holtzman et al.: The Curious Case of
 *                   Neural Text Degeneration, ICLR 2020); [0, 1], 1 is off
 *   min_p           u >= the greatest u + log min_p (Nguyen et al., Turning Up the Heat, 2024); 0 is off, above 1 is
 *                   as 1
 *   top_n_sigma     u >= the greatest u - n s, s the standard deviation of the u that are above -inf, sqrt(mean of
 *                   (u - mean)^2) (Tang et al., Top-n sigma, 2024; llama.cpp); 0 and below are off
 *   epsilon_cutoff  p >= epsilon, or the greatest u (Hewitt, Manning, Liang: Truncation Sampling as Language Model
 *                   Desmoothing, EMNLP Findings 2022; transformers); [0, 1], 0 is off
 *   eta_cutoff      p >= min(epsilon, sqrt(epsilon) exp(-entropy)), or the greatest u (the same); [0, 1], 0 is off
 *
 * A filter that would leave fewer than min_keep classes leaves min_keep, or all that it found: the first ones in its
 * own order, that of typical_p or else of descending u.
 *
 * min_p and the cutoffs below 1.2e-38, of float64 2.2e-308, act as that; typical_p and top_p leave no class whose mass
 * is below about as much times the greatest. Sums err by up to 68 2^-24 = 4.1e-6 of the total (sums.h), typically 1e-7,
 * of float64 by 20 2^-53; by as much, and by the rounding of p to the dtype, the mass of a set may fall short of p, or
 * exceed what was needed. */
enum core_filter {
    CORE_TOP_K,
    CORE_TOP_P,
    CORE_MIN_P,
    CORE_TYPICAL_P,
    CORE_TOP_N_SIGMA,
    CORE_EPSILON_CUTOFF,
    CORE_ETA_CUTOFF,
    CORE_FILTER_COUNT
};

/* The steps that a row passes, each at most once: filters, by enum core_filter, and CORE_TEMPERATURE. */
enum { CORE_TEMPERATURE = CORE_FILTER_COUNT, CORE_STEP_COUNT };

struct core_order {
    uint8_t count, steps[CORE_STEP_COUNT];
};

enum core_order_name {
    CORE_TEMPERATURE_FIRST, /* temperature, top_n_sigma, min_p, top_k, typical_p, top_p, epsilon_cutoff, eta_cutoff:
                               vLLM's, the others where llama.cpp and transformers have them */
    CORE_TEMPERATURE_LAST,  /* top_n_sigma, top_k, typical_p, top_p, min_p, epsilon_cutoff, eta_cutoff, temperature:
                               llama.cpp's */
    CORE_JOINT,             /* temperature, top_p, top_k, then those of CORE_TEMPERATURE_FIRST: top_p before top_k keeps
                               what both keep of the unfiltered distribution, FlashInfer's filter_apply_order "joint" */
    CORE_ORDER_COUNT
};

extern const struct core_order core_orders[CORE_ORDER_COUNT];

struct core_filters {
    const struct core_order *order; /* with CORE_TEMPERATURE in it; NULL: that of CORE_TEMPERATURE_FIRST */
    struct core_per_row values[CORE_FILTER_COUNT]; /* by enum core_filter; value NULL: off for all rows */
    struct core_per_row min_keep;                  /* >= 0; value NULL means 1, and so does 0 */
};

/* bias[i] is added to the logits of class classes[i] < K in all rows; for a class that is named twice, both are. -inf
 * makes a class impossible. */
struct core_logit_bias {
    const uint32_t *classes;
    const double *bias;
    size_t count;
};

/* Classes below K, in any order. */
struct core_classes {
    const uint32_t *classes;
    size_t count;
};

/* A class, and how often it occurs. */
struct core_class_count {
    uint32_t class, count;
};

/* The classes of a row: entries[first[r * stride]] up to entries[first[r * stride + 1]], each class once, ascending and
 * below K; stride 0: the same of all rows. entries NULL: none. */
struct core_class_lists {
    const struct core_class_count *entries;
    const size_t *first;
    size_t stride;
};

/* Penalties of the classes in a row's prompt and in what has been drawn after it, after bias and mask, in this order:
 *
 *   repetition  x / repetition where x > 0, else x repetition, of each class in either list; above 0, value NULL
 *               means 1 (Keskar et al.: CTRL, 2019; transformers, vLLM)
 *   frequency   x - frequency (how often the class is in the output); value NULL means 0 (OpenAI, vLLM)
 *   presence    x - presence of each class in the output; value NULL means 0 (the same)
 *
 * Each result is limited to the greatest number of the dtype: a penalty makes no class impossible. */
struct core_penalties {
    struct core_class_lists prompt, output;
    struct core_per_row repetition, presence, frequency;
};

/* Some of a row's draws: `count` of them from `first` on. */
struct core_draws {
    size_t first, count;
};

/* How draws with replacement are made. */
enum core_method {
    CORE_GUMBEL_MAX, /* the first maximum of z: noise for each class in each draw */
    CORE_INVERSE_CDF /* one uniform number for each draw, by the cumulative sums of exp(d); it has no scores */
};

/* The distributions that log-probabilities are of, over the possible classes:
 *
 *   raw       softmax(x) of the logits x as they came, -inf where the mask is 0: before bias, penalties and temperature
 *   scaled    softmax((v - m) / T), before the filters; for T = 0 all on the first maximum of v
 *   filtered  the one drawn from, softmax(d); for T = 0 all on the first maximum of what the filters kept */
enum core_distribution { CORE_RAW, CORE_SCALED, CORE_FILTERED, CORE_DISTRIBUTION_COUNT };

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
    enum core_method method; /* CORE_INVERSE_CDF is with replacement, and `scores` NULL */
    struct core_draws part;  /* with replacement: makes only these, and what is one for all with the first; count 0: all
                              */
    struct core_filters filters;
    struct core_logit_bias bias;
    struct core_mask mask;
    struct core_penalties penalties;

    int32_t *indices; /* [rows][n], or NULL: the classes drawn */
    void *scores;     /* [rows][n], or NULL: their v / T - log E, see below */
    int32_t *counts;  /* in the layout of the logits, or NULL: how often each class is drawn is added to it, atomically:
                         so parts of the draws may be made by several threads */
    enum core_distribution distribution;
    void *log_probabilities;          /* [rows][n], or NULL: of the classes drawn */
    void *filtered_log_probabilities; /* likewise, whatever the distribution is: as with CORE_FILTERED */
    int32_t *ranks;       /* [rows][n], or NULL: which place the classes drawn have in the order of the top, from 1 */
    size_t top;           /* L: how many of the most probable classes are returned */
    int32_t *top_indices; /* [rows][L], or NULL: descending, the lower class first of equals; -1 past the possible */
    void *top_log_probabilities; /* [rows][L], or NULL; -inf past the possible classes */

    struct core_classes named;     /* the same for all rows */
    void *named_log_probabilities; /* [rows][named.count], or NULL: of the distribution; -inf of impossible classes */

    int32_t *kept;   /* [rows], or NULL: how many classes the filters kept */
    void *kept_mass; /* [rows], or NULL: the sum of these classes' probabilities in the scaled distribution */
    void *entropy;   /* [rows], or NULL: -sum p log p of the scaled distribution, in nats */
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
 * With CORE_INVERSE_CDF draw i is the first class whose cumulative sum exceeds u C, C being the sum of all:
 *
 *   c_j = B_j + (exp(d_16b) + .. + exp(d_j)) with b = floor(j / 16), B_j = c_(16b-1), in double, the additions from
 * left to right, exp(d) a number of the dtype u = k 2^-53, k the upper 53 bits of 2^32 w_2n + w_(2n+1), n = noise.draw
 * + i (not modulo 2^32), w the words of core_noise_words with the row and seed of the noise, draw 0 and tag 5
 *
 * A class is drawn with its probability to 2^-53, apart from the rounding of exp(d).
 *
 * A score is z + M (1 / T), with M = m, or where filters come before the temperature M = m + the greatest u that these
 * keep. Its rounding
 * may make scores equal whose z are not, but never changes their order; it is finite, limited to the greatest number of
 * the dtype. Where the filters keep the row's maximum, both orders give the same bits for the same class and draw.
 *
 * T = 0 is greedy: z = v - m without noise; the first maximum n times, or the n greatest in order. The filters then
 * apply if they come before the temperature, and not otherwise. The log-probability
 * of the first maximum is 0 and that of every other class -inf, but in the raw distribution, which knows no
 * temperature. The scores are z itself, 0 at the first maximum: there is no v / T.
 *
 * A rank is 1 + the classes that come before the one drawn in the order of the distribution's logits, falling, the
 * lower class first of equals: of x, of v, or of what the filters kept. So are the top, and n draws without replacement
 * at T = 0.
 *
 * With S the sum of exp((v - m) / T), the entropy is log S - the mean of (v - m) / T. kept_mass is exactly 1 where the
 * filters kept all, and never more. The sums err as those of the filters do.
 *
 * `scratch` has core_categorical_scratch(call) bytes at any alignment, with any content, and is not shared by
 * concurrent calls. Returns CORE_OK, or CORE_INVALID_ROW or CORE_TOO_FEW_CLASSES and sets *invalid_row to the first row
 * of either. The results may not overlap the logits. */
int core_categorical(const struct core_categorical_call *call, size_t first, size_t count, void *scratch,
                     size_t *invalid_row);

#endif
