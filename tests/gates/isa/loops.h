/* The core's elementary functions over arrays, compiled once for each instruction set as its kernels are. */
#ifndef TESTS_GATES_ISA_LOOPS_H
#define TESTS_GATES_ISA_LOOPS_H

#include <stddef.h>
#include <stdint.h>

/* Of `count` inputs, a multiple of 64, given by their bits. The floating-point environment is the default one. */
struct loops {
    void (*exp)(const uint32_t *in, float *out, size_t count);        /* exp x, in a frame of maximum 0 and scale 1 */
    void (*exp_scaled)(const uint32_t *in, float *out, size_t count); /* the same, by the way of any other scale */
    void (*log)(const uint32_t *in, float *out, size_t count);
    void (*exponential)(const uint32_t *in, float *out, size_t count); /* E of a random word */
};

extern const struct loops loops_sse2, loops_avx2, loops_avx512, loops_neon;

#endif
