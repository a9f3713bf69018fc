#include "gateway/cache/response_key.h"

#include "base/result.h"

#include <sys/random.h>

KeySeed key_seed_new(void)
{
    KeySeed seed;
    CHECK(getrandom(&seed, sizeof seed, 0) == sizeof seed);
    return seed;
}

/* The last word has the number of all bytes, as far as it fits, and no rest of them. */
ResponseKey key_end(KeyHash *hash)
{
    uint64_t *v = hash->state;
    ResponseKey key;
    key_add_number(hash, hash->n_words * 8 << 56);
    v[2] ^= 0xee;
    key_mix(v), key_mix(v), key_mix(v);
    key.low = v[0] ^ v[1] ^ v[2] ^ v[3];
    v[1] ^= 0xdd;
    key_mix(v), key_mix(v), key_mix(v);
    key.high = v[0] ^ v[1] ^ v[2] ^ v[3];
    return key;
}
