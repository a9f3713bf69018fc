/* Sixteen bytes that are looked at or written at once: GCC's and clang's vectors, which are one
   register where the machine has such, and as right where it has not. */
#ifndef BASE_SIXTEEN_H
#define BASE_SIXTEEN_H

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

typedef uint8_t Sixteen __attribute__((vector_size(16)));
typedef uint64_t Halves __attribute__((vector_size(16)));

/* `at` may have any alignment. */
static inline Sixteen sixteen_load(const uint8_t *at)
{
    Sixteen x;
    memcpy(&x, at, sizeof x);
    return x;
}

/* Whether any bit is set. */
static inline bool sixteen_any(Sixteen x)
{
    Halves halves = (Halves)x;
    return halves[0] | halves[1];
}

#endif
