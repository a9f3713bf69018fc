/*
 * Random: random numbers for ids, jitter and picks. Not for secrets.
 *
 * xoshiro256** (Blackman and Vigna, 2018), seeded by the operating system. Owned by one thread; a
 * copy returns the same numbers.
 */
#ifndef BASE_RANDOM_H
#define BASE_RANDOM_H

#include <stdint.h>

typedef struct Random {
    uint64_t state[4];
} Random;

/* From the system's entropy. */
void random_seed(Random *random);

/* The same numbers for the same seed: for tests and reproducible runs. */
void random_seed_fixed(Random *random, uint64_t seed);

uint64_t random_next(Random *random);

/* Evenly from 0 to `end` - 1; 0 when `end` is 0. */
uint64_t random_below(Random *random, uint64_t end);

#endif
