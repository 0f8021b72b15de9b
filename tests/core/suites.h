/* The suites of the core's tests, for the program that runs them all. */
#ifndef TESTS_CORE_SUITES_H
#define TESTS_CORE_SUITES_H

#include "assertions.h"

/* A suite that is there for float32 and for float64. */
#define BOTH(name)                                                                                                     \
    Suite *name##_f32(void);                                                                                           \
    Suite *name##_f64(void);

Suite *test_core_dispatch_suite(void);      /* which instruction sets there are, and choosing one */
BOTH(test_core_fma_suite)                   /* the emulated fused multiply-add is exact */
Suite *test_core_noise_suite(void);         /* Philox words */
BOTH(test_core_exponential_suite)           /* exp, log and the exponentials of the noise */
BOTH(test_core_softmax_suite)               /* softmax and log_softmax against double precision */
BOTH(test_core_gumbel_suite)                /* gumbel_softmax against double precision, and its distribution */
BOTH(test_core_invariance_suite)            /* the same bits whatever the target, the split and the environment */
BOTH(test_core_rows_suite)                  /* rows without an answer; nothing outside the rows is touched */
BOTH(test_core_outputs_suite)               /* gumbel_softmax's further results, and the noise's scale */
BOTH(test_core_layouts_suite)               /* masks, and strided rows */
Suite *test_core_schedule_suite(void);      /* schedules of tau */
BOTH(test_core_vjp_suite)                   /* the gradients against long double, and Gumbel-Rao's distribution */
BOTH(test_core_vjp_bits_suite)              /* the gradients' bits, and that nothing outside the rows is touched */
BOTH(test_core_vjp_layouts_suite)           /* the gradients of masked and of strided rows */
BOTH(test_core_vjp_sums_suite)              /* the sums over many conditional samples */
Suite *test_core_filters_suite(void);       /* the filters of categorical against a plain reference */
Suite *test_core_sampling_suite(void);      /* categorical: draws and their distribution */
Suite *test_core_sampling_rows_suite(void); /* categorical: bits, rows without an answer, fences */
Suite *test_core_scores_suite(void);        /* categorical: scores are the perturbed logits */

#endif
