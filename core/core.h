/* gumbeld's core: softmax and Gumbel-softmax over rows of float32 logits.
 *
 * Rows in, rows out: no I/O, no allocation, no threads. Every result is a pure function of its arguments,
 * bit-identical on every instruction set below and for every way of splitting the rows over calls. A call
 * leaves the caller's floating-point environment as it found it and does not depend on it.
 *
 * Common to all calls:
 *   - arrays are dense and row-major, [rows][classes]; `classes` is at least 1;
 *   - rows first .. first+count-1 of the arrays are computed, nothing else is read or written, so that
 *     disjoint ranges may run on several threads at once (after core_select has returned);
 *   - a row has no answer if it holds NaN or +inf, or nothing but -inf. The call then returns
 *     CORE_INVALID_ROW and sets *invalid_row (which may not be NULL) to the first such row of the range; the
 *     result rows of the range then hold unspecified values;
 *   - the result may be the very array of the logits, or else must not overlap it;
 *   - the memory is the caller's throughout.
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

/* A parameter that is one for all rows (stride 0, value[0]) or one for each (stride 1, value[row]). */
struct core_per_row {
    const float *value;
    size_t stride;
};

struct core_softmax_call {
    const float *logits;
    size_t rows, classes;
    struct core_per_row temperature; /* finite, >= 0; 0 is the limit: all on the first maximum */
    float *result;
};

/* result[r][j] = exp(x[r][j] / T) / sum_k exp(x[r][k] / T), torch.nn.functional.softmax(x / T, -1). */
int core_softmax(const struct core_softmax_call *call, size_t first, size_t count, size_t *invalid_row);

/* result[r][j] = x[r][j] / T - log sum_k exp(x[r][k] / T), torch.nn.functional.log_softmax(x / T, -1). */
int core_log_softmax(const struct core_softmax_call *call, size_t first, size_t count, size_t *invalid_row);

/* Where the noise of a row comes from. With one seed (stride 0) row r draws the noise of row
 * row_offset + r (modulo 2^32) of seed[0]; with one seed a row (stride 1) that of row row_offset of seed[r]. */
struct core_noise {
    const uint64_t *seed;
    size_t stride;
    uint32_t row_offset;
    uint32_t draw;
};

struct core_gumbel_softmax_call {
    const float *logits;
    size_t rows, classes;
    struct core_per_row tau; /* finite, >= 0; 0 gives the one-hot limit */
    bool hard;               /* the exact one-hot of the first maximum of logits + g */
    struct core_noise noise;
    float *samples;
};

/* samples[r] = softmax((x[r] + g) / tau), g[j] = -log E[j], E ~ Exp(1) (Jang et al. 2017; Maddison et al.
 * 2017), torch.nn.functional.gumbel_softmax; with `hard` its one-hot. */
int core_gumbel_softmax(const struct core_gumbel_softmax_call *call, size_t first, size_t count, size_t *invalid_row);

/* The random words under the noise: words[j] is word j % 4 of Philox4x32-10 (Salmon et al. 2011) under the key
 * (seed mod 2^32, seed / 2^32) and the counter (j / 4, row, draw, tag), for j = first_word .. first_word+count-1.
 * first_word is a multiple of 4. The noise of class j uses tag 0. */
void core_noise_words(uint32_t *words, uint64_t first_word, size_t count, uint64_t seed, uint32_t row, uint32_t draw,
                      uint32_t tag);

/* E[i] ~ Exp(1) from each random word u: t = (min(u, ~u) + 1/2) / 2^32 and E = -log1p(-t) for u < 2^31, else
 * -log t: both tails resolved to 2^-33, never 0, never infinite; increasing in u. */
void core_exponential(const uint32_t *words, float *exponential, size_t count);

#endif
