#include "gateway/cache/response_key.h"

#include "base/result.h"

#include <sys/random.h>

KeySeed key_seed_new(void)
{
    KeySeed seed;
    CHECK(getrandom(&seed, sizeof seed, 0) == sizeof seed);
    return seed;
}
