#include "gateway/cache/response_key.h"

#include "base/result.h"

#include <string.h>
#include <sys/random.h>

KeySeed key_seed_new(void)
{
    KeySeed seed;
    CHECK(getrandom(&seed, sizeof seed, 0) == sizeof seed);
    return seed;
}

static inline uint64_t turned(uint64_t word, int bits)
{
    return word << bits | word >> (64 - bits);
}

static inline void mix(uint64_t v[4])
{
    v[0] += v[1];
    v[1] = turned(v[1], 13) ^ v[0];
    v[0] = turned(v[0], 32);
    v[2] += v[3];
    v[3] = turned(v[3], 16) ^ v[2];
    v[0] += v[3];
    v[3] = turned(v[3], 21) ^ v[0];
    v[2] += v[1];
    v[1] = turned(v[1], 17) ^ v[2];
    v[2] = turned(v[2], 32);
}

static inline void take_word(uint64_t v[4], uint64_t word)
{
    v[3] ^= word;
    mix(v);
    v[0] ^= word;
}

/* Little endian, whatever the machine. */
static inline uint64_t word_at(const uint8_t *data, size_t size)
{
    uint64_t word = 0;
    memcpy(&word, data, size);
#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
    word = __builtin_bswap64(word);
#endif
    return word;
}

void key_begin(KeyHash *hash, const KeySeed *seed)
{
    *hash = (KeyHash){.state = {seed->low ^ 0x736f6d6570736575u,
                                seed->high ^ 0x646f72616e646f6du ^ 0xee,
                                seed->low ^ 0x6c7967656e657261u, seed->high ^ 0x7465646279746573u}};
}

/* Fills up the tail first, then goes by words. */
static void take(KeyHash *hash, const uint8_t *data, size_t size)
{
    unsigned in_tail = hash->size & 7;
    hash->size += size;
    if (in_tail) {
        size_t more = 8 - in_tail < size ? 8 - in_tail : size;
        hash->tail |= word_at(data, more) << 8 * in_tail;
        if (in_tail + more < 8)
            return;
        take_word(hash->state, hash->tail);
        data += more;
        size -= more;
    }
    uint64_t v[4] = {hash->state[0], hash->state[1], hash->state[2], hash->state[3]};
    for (; size >= 8; data += 8, size -= 8)
        take_word(v, word_at(data, 8));
    memcpy(hash->state, v, sizeof v);
    hash->tail = size ? word_at(data, size) : 0;
}

void key_add_number(KeyHash *hash, uint64_t number)
{
    uint8_t data[8];
    for (int i = 0; i < 8; i++)
        data[i] = (uint8_t)(number >> 8 * i);
    take(hash, data, sizeof data);
}

void key_add(KeyHash *hash, Bytes part)
{
    key_add_number(hash, part.size);
    if (part.size)
        take(hash, part.data, part.size);
}

ResponseKey key_end(KeyHash *hash)
{
    uint64_t *v = hash->state;
    ResponseKey key;
    take_word(v, hash->size << 56 | hash->tail);
    v[2] ^= 0xee;
    mix(v), mix(v), mix(v);
    key.low = v[0] ^ v[1] ^ v[2] ^ v[3];
    v[1] ^= 0xdd;
    mix(v), mix(v), mix(v);
    key.high = v[0] ^ v[1] ^ v[2] ^ v[3];
    return key;
}
