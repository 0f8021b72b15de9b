/* gumbeld's core: softmax and Gumbel-softmax over rows of float32 or float64 logits.
 *
 * Rows in, rows out: no I/O, no allocation, no threads. Every result is a pure function of its arguments,
 * bit-identical on every instruction set below and for every way of splitting the rows over calls. A call
 * leaves the caller's floating-point environment as it found it and does not depend on it.
 *
 * Common to all calls:
 *   - `dtype` says what all arrays of the call hold that are `void *` here: float or double. Parameters are double;
 *     a float32 call rounds them to float. The two precisions compute the same formulas, with one seed from the same
 *     random words, of which a double has twice as many bits: their results differ by roundings, and where the noise
 *     is near one of its ends (core_exponential);
 *   - arrays of logits and of results are [rows][classes], dense and row-major, or strided with the classes on
 *     another axis than the last (`inner`, below); `classes` is at least 1;
 *   - rows first .. first+count-1 of the arrays are computed, and no others are read or written: disjoint ranges may
 *     run on several threads concurrently (after core_select has returned);
 *   - a row is invalid if it contains NaN or +inf, or only -inf. The call then returns CORE_INVALID_ROW and sets
 *     *invalid_row (which may not be NULL) to the first such row of the range; the values of the range's results are
 *     then unspecified, but where these are in the place of the logits, that row's own logits are as they were, or -inf
 *     where the mask excludes them;
 *   - the first result (result, samples) may be the same array as the logits; otherwise no result may overlap the
 *     logits or another result;
 *   - all memory is the caller's.
 */
#ifndef CORE_H
#define CORE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum core_status { CORE_OK = 0, CORE_INVALID_ROW = -1, CORE_NO_SUCH_ISA = -2 };

/* The instruction sets that the kernels are compiled for, worst first. */
enum core_isa { CORE_SSE2, CORE_AVX2, CORE_AVX512, CORE_NEON, CORE_ISA_COUNT };

/* "sse2", "avx2", "avx512" or "neon". */
const char *core_isa_name(enum core_isa isa);

/* Whether this build has kernels for `isa` and this processor and operating system can run them. */
bool core_isa_supported(enum core_isa isa);

/* The fastest instruction set that is supported. */
enum core_isa core_isa_best(void);

/* Chooses the kernels that all later calls use; without it core_isa_best() is chosen. Not thread-safe: call
 * it before other threads use the core. CORE_OK, or CORE_NO_SUCH_ISA and nothing changes. */
int core_select(enum core_isa isa);

/* The instruction set in use. */
enum core_isa core_selected(void);

enum core_dtype { CORE_FLOAT32, CORE_FLOAT64 };

/* Bytes of one element. */
static inline size_t core_dtype_size(enum core_dtype dtype)
{
    return dtype == CORE_FLOAT64 ? sizeof(double) : sizeof(float);
}

/* A parameter that is one for all rows (stride 0, value[0]) or one for each (stride 1, value[row]). */
struct core_per_row {
    const double *value;
    size_t stride;
};

/* 0 in `allowed` gives a class the logit -inf, whatever its logit is, NaN too; any other byte leaves it. The bytes are
 * one row for all rows (stride 0), or an array in the layout of the logits (stride 1). NULL allows all. */
struct core_mask {
    const uint8_t *allowed;
    size_t stride;
};

/* inner: of a strided array the product of the lengths of the axes after the class axis. Element (outer o, class j,
 * inner i) lies at (o * classes + j) * inner + i and belongs to row o * inner + i. 0 and 1 mean dense. The results are
 * those of the transposed dense arrays, bit by bit.
 *
 * scratch: memory of the caller, of the size in bytes that the call's scratch function returns, aligned for a double,
 * and one for each concurrent call. It may be NULL where that size is 0: if the array is dense, or below
 * CORE_SHORT_CLASSES classes. */
#define CORE_SHORT_CLASSES 64

struct core_softmax_call {
    const void *logits;
    size_t classes;
    struct core_per_row temperature; /* finite, >= +0; 0 is the limit: all on the first maximum */
    void *result;
    struct core_mask mask;
    size_t inner;
    void *scratch; /* core_softmax_scratch bytes */
    enum core_dtype dtype;
};

/* For core_softmax and core_log_softmax. Depends only on `classes`, `inner` and `dtype`. */
size_t core_softmax_scratch(const struct core_softmax_call *call);

/* result[r][j] = exp(x[r][j] / T) / sum_k exp(x[r][k] / T), torch.nn.functional.softmax(x / T, -1). */
int core_softmax(const struct core_softmax_call *call, size_t first, size_t count, size_t *invalid_row);

/* result[r][j] = x[r][j] / T - log sum_k exp(x[r][k] / T), torch.nn.functional.log_softmax(x / T, -1). */
int core_log_softmax(const struct core_softmax_call *call, size_t first, size_t count, size_t *invalid_row);

/* Whose random numbers the noise is made of.
 *
 * CORE_RNG_V1 is this library's own: E of (seed, row, draw, class), see core_noise_words and core_exponential.
 *
 * The others are those of two libraries, to the bit. There E is that of an element of the array that the library would
 * have drawn at once: with one seed element
 *
 *   i = row_offset K + ((draw O + o) K + class) I + inner    of (draws, O, K, I), row o I + inner
 *
 * I the product of the axes after the class axis, O that of those before it; with one seed a row, each of which is
 * drawn alone, element i = (row_offset + draw) K + class. All this is modulo 2^64.
 *
 * CORE_RNG_TORCH: torch.Tensor.exponential_ on a CPU after torch.manual_seed(seed). MT19937 initialised with the seed
 *   modulo 2^32 gives each element two words, the first of which is high: u = their lower 53 bits 2^-53,
 *   E = -log1p(-u) in double, rounded to the dtype; 2^-54 in place of 0.
 * CORE_RNG_JAX: jax.random.gumbel(key, shape), mode "low", with partitionable keys (jax_threefry_partitionable). The
 *   key is (seed / 2^32, seed mod 2^32), that of jax.random.key(seed). The words w0, w1 are Threefry-2x32-20 of the
 *   counter (i / 2^32 mod 2^32, i mod 2^32). Of float32 the bits w0 xor w1 without the last 9, of float64
 *   w0 2^32 + w1 without the last 12, are the mantissa of a number f + 1 in [1, 2); u = f + the smallest normal number,
 *   E = -log u. */
enum core_rng { CORE_RNG_V1, CORE_RNG_TORCH, CORE_RNG_JAX, CORE_RNG_COUNT };

/* An array of rows: `rows` = O I of them, of `classes` = K; inner = I, where 0 means 1. */
struct core_layout {
    size_t rows, classes, inner;
};

/* Blocks of MT19937's words before they are tempered: entry i is block first + i * every, block 0 being the first 624
 * words. With every = 1 it has all blocks of the call's elements; otherwise those between are made again when they are
 * needed. */
#define CORE_MT_WORDS 624

struct core_mt_table {
    uint32_t (*blocks)[CORE_MT_WORDS];
    uint64_t first;
    size_t every, count;
};

/* Where a call has got to in a stream; `made` is 0 before the first. A row is drawn in whole vectors, beyond its end,
 * and the next one begins before that: so there are two blocks. */
struct core_mt_cursor {
    uint64_t first, made; /* blocks first .. made - 1 have been made; the last two are in `words`, each by its parity */
    uint32_t seed, words[2][CORE_MT_WORDS];
};

/* Makes the table's blocks: walks from the stream's start to the last of them. */
void core_mt_fill(const struct core_mt_table *table, uint64_t seed);

/* Where the noise of a row comes from. With one seed (stride 0) row r draws the noise of row
 * row_offset + r (modulo 2^32) of seed[0]; with one seed a row (stride 1) that of row row_offset of seed[r]. Of the
 * draws that a call makes of a row, number i has the noise of draw `draw` + i (modulo 2^32). */
struct core_noise {
    const uint64_t *seed;
    size_t stride;
    uint32_t row_offset;
    uint32_t draw;

    size_t row; /* of the whole array that row 0 of the call is */

    /* Of the other streams, above; of v1 they may all be zero. */
    enum core_rng rng;
    struct core_layout whole;          /* the array that the elements are numbered in */
    const struct core_mt_table *table; /* of CORE_RNG_TORCH with one seed; NULL: the stream is walked from its start */
    struct core_mt_cursor *cursor;     /* of CORE_RNG_TORCH: one for each concurrent call, to begin with zero */
};

/* E of the elements first .. first + count - 1 of a stream that is not CORE_RNG_V1, as the calls have it: the stream of
 * noise->rng under noise->seed[0]. Of `noise` it uses `table` and `cursor` besides. */
void core_stream_exponentials(enum core_dtype dtype, const struct core_noise *noise, uint64_t first, void *exponential,
                              size_t count);

/* More would make a float's z infinite; the same limit for both precisions. */
#define CORE_NOISE_SCALE_MAX 1e36

/* z[r][j] = (x[r][j] - m) + noise_scale * g[r][j], m the row's maximum, g = -log E, E ~ Exp(1). Each member after
 * `samples` may be zero: then there is no mask, no stride and so on. */
struct core_gumbel_softmax_call {
    const void *logits;
    size_t classes;
    struct core_per_row tau; /* finite, >= +0; 0 gives the one-hot limit */
    bool hard;               /* the exact one-hot of the first maximum of z */
    struct core_noise noise;
    void *samples;

    struct core_mask mask;
    size_t inner;
    void *scratch;                   /* core_gumbel_softmax_scratch bytes */
    struct core_per_row noise_scale; /* >= 0; above CORE_NOISE_SCALE_MAX as that; value NULL means 1 */
    enum core_dtype dtype;

    /* Further results, each unless it is NULL: */
    int32_t *indices;  /* [rows]: the first maximum of z */
    void *soft;        /* as samples: what they are without `hard` */
    void *gumbel;      /* as samples: g itself, that of impossible classes too */
    void *log_density; /* [rows]: of the soft sample, see below */
    void *log_soft;    /* as samples: log_softmax(z / tau) */
    void *perturbed; /* as samples: x + noise_scale * g, limited to the greatest numbers; -inf of impossible classes */
};

/* Depends on `classes`, `inner`, `dtype` and on which of the further results are not NULL. */
size_t core_gumbel_softmax_scratch(const struct core_gumbel_softmax_call *call);

/* samples[r] = softmax(z / tau) (Jang et al. 2017; Maddison et al. 2017), torch.nn.functional.gumbel_softmax; with
 * `hard` its one-hot. noise_scale 0 gives the softmax of x / tau, and the first maximum of x. Several samples of a row
 * are several calls, each with its `noise.draw`.
 *
 * log_soft is the logarithm of the soft sample, fma(z - n, 1 / tau, -log sum_k exp((z[k] - n) / tau)) with n the
 * greatest z: finite where the sample itself is 0. tau 0 makes it 0 at the first maximum of z and -inf elsewhere.
 *
 * log_density is log p(log y) of the soft sample y in logarithmic coordinates (the ExpConcrete density of Maddison,
 * Mnih and Teh, The Concrete Distribution, ICLR 2017, appendix C):
 *
 *   log p = lgamma(K) + (K - 1) log tau + sum_j log_softmax(x - tau log y)_j
 *
 * over the K possible classes. As log y = z / tau + constant, x - tau log y is log E + another constant, and the sum is
 * that of log(E_j / sum E): it is computed from the noise, and so holds for any tau, also where y itself
 * underflows. With noise_scale s, y is the sample of logits x / s at tau / s, and the density is of that one. Where it
 * does not exist, the result is its limit: 0 for K = 1, else -inf for tau = 0, else +inf for s = 0. */
int core_gumbel_softmax(const struct core_gumbel_softmax_call *call, size_t first, size_t count, size_t *invalid_row);

/* How tau falls from `start` to `min` in the course of a training, with t = step / steps, at most 1:
 *
 *   exponential   max(start exp(-rate step), min)                       Jang, Gu and Poole 2017, section 4
 *   linear        start + (min - start) t                               torch.optim.lr_scheduler.LinearLR
 *   cosine        min + (start - min) (1 + cos(pi t)) / 2               Loshchilov and Hutter 2017, without restarts;
 *                                                                       torch.optim.lr_scheduler.CosineAnnealingLR
 *
 * All members are finite and >= 0. The first kind uses `rate` and not `steps`, the others `steps` and not `rate`; from
 * step = steps on they are exactly `min`. */
enum core_schedule_kind { CORE_SCHEDULE_EXPONENTIAL, CORE_SCHEDULE_LINEAR, CORE_SCHEDULE_COSINE };

struct core_schedule {
    enum core_schedule_kind kind;
    double start, min, rate, steps, step;
};

/* The schedule's tau, the same bits on every machine. Computed in double: within
 * 1e-15 of the formula, relative to the greater of start and min (of the exponential to tau itself, for the product
 * rate step as a double has it; it ends at exp(-708)). */
double core_schedule(const struct core_schedule *schedule);

/* The random words that the noise is made of: words[j] is word j % 4 of Philox4x32-10 (Salmon et al. 2011) under the
 * key (seed mod 2^32, seed / 2^32) and the counter (j / 4, row, draw, tag), for j = first_word .. first_word+count-1.
 * first_word is a multiple of 4. The noise of class j uses tag 0, and in float64 its lower half tag 2. */
void core_noise_words(uint32_t *words, uint64_t first_word, size_t count, uint64_t seed, uint32_t row, uint32_t draw,
                      uint32_t tag);

/* E[i] ~ Exp(1) from each random integer u, written as float or double. Of float32 u is words[i], of n = 32 bits; of
 * float64 it is the upper n = 53 bits of words[i] 2^32 + low_words[i] (float32 reads no low_words):
 *
 *   t = (min(u, 2^n - 1 - u) + 1/2) / 2^n and E = -log1p(-t) for u < 2^(n-1), else -log t
 *
 * with both tails resolved to 2^-(n+1); never 0 or infinite; never decreasing in u. So -log E is from -3.13 to 22.87,
 * of double from -3.62 to 37.43. */
void core_exponential(enum core_dtype dtype, const uint32_t *words, const uint32_t *low_words, void *exponential,
                      size_t count);

#endif
