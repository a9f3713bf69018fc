#include "base/random.h"

#include "base/result.h"

#include <errno.h>
#include <sys/random.h>

void random_seed(Random *random)
{
    uint64_t seed[4];
    ssize_t n;
    do
        n = getrandom(seed, sizeof seed, 0);
    while (n < 0 && errno == EINTR);
    CHECK(n == (ssize_t)sizeof seed); /* up to 256 bytes are always complete: getrandom(2) */
    for (int i = 0; i < 4; i++)
        random->state[i] = seed[i];
    random->state[0] |= 1; /* a state of zeros would only produce zeros */
}

/* splitmix64, which the authors of xoshiro recommend for widening a seed. */
void random_seed_fixed(Random *random, uint64_t seed)
{
    for (int i = 0; i < 4; i++) {
        uint64_t z = seed += 0x9e3779b97f4a7c15u;
        z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
        z = (z ^ z >> 27) * 0x94d049bb133111ebu;
        random->state[i] = z ^ z >> 31;
    }
}

static uint64_t rotate_left(uint64_t x, int bits)
{
    return x << bits | x >> (64 - bits);
}

uint64_t random_next(Random *random)
{
    uint64_t *s = random->state;
    uint64_t result = rotate_left(s[1] * 5, 7) * 9;
    uint64_t t = s[1] << 17;
    s[2] ^= s[0];
    s[3] ^= s[1];
    s[1] ^= s[2];
    s[0] ^= s[3];
    s[2] ^= t;
    s[3] = rotate_left(s[3], 45);
    return result;
}

uint64_t random_below(Random *random, uint64_t end)
{
    if (end == 0)
        return 0;
    /* Numbers below 2^64 mod `end` are drawn again; among the others all remainders are equally
       likely. */
    uint64_t least = -end % end, number;
    do
        number = random_next(random);
    while (number < least);
    return number % end;
}
