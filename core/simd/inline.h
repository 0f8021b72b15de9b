/* The parts of a kernel become one function, whatever their size. */
#ifndef CORE_SIMD_INLINE_H
#define CORE_SIMD_INLINE_H

#define INLINE static inline __attribute__((always_inline))

#endif
