/* The pieces of a kernel become one function, whatever the compiler thinks of their size. */
#ifndef CORE_SIMD_INLINE_H
#define CORE_SIMD_INLINE_H

#define INLINE static inline __attribute__((always_inline))

#endif
