/*
 * ResponseKey: what a kept response is found by: a keyed hash of all that must be the same.
 *
 *      key_begin -> key_add for each part, in the same order -> key_end
 *
 * SipHash-1-3 with 128 bits (Aumasson and Bernstein, 2012), keyed by random numbers of the process:
 * nobody can make two requests that have the same key, nor learn what was hashed. What is hashed is
 * words: of each part its size, then its bytes, with zeros behind them. Plain values; any thread.
 */
#ifndef GATEWAY_RESPONSE_KEY_H
#define GATEWAY_RESPONSE_KEY_H

#include "base/bytes.h"

#include <string.h>

typedef struct ResponseKey {
    uint64_t low, high;
} ResponseKey;

/* Of the process, and secret. */
typedef struct KeySeed {
    uint64_t low, high;
} KeySeed;

/* From the system's entropy. */
KeySeed key_seed_new(void);

typedef struct KeyHash {
    uint64_t state[4];
    uint64_t n_words;
} KeyHash;

static inline void key_begin(KeyHash *hash, const KeySeed *seed)
{
    *hash = (KeyHash){.state = {seed->low ^ 0x736f6d6570736575u,
                                seed->high ^ 0x646f72616e646f6du ^ 0xee,
                                seed->low ^ 0x6c7967656e657261u, seed->high ^ 0x7465646279746573u}};
}

static inline void key_mix(uint64_t v[4])
{
    v[0] += v[1];
    v[1] = (v[1] << 13 | v[1] >> 51) ^ v[0];
    v[0] = v[0] << 32 | v[0] >> 32;
    v[2] += v[3];
    v[3] = (v[3] << 16 | v[3] >> 48) ^ v[2];
    v[0] += v[3];
    v[3] = (v[3] << 21 | v[3] >> 43) ^ v[0];
    v[2] += v[1];
    v[1] = (v[1] << 17 | v[1] >> 47) ^ v[2];
    v[2] = v[2] << 32 | v[2] >> 32;
}

static inline void key_add_number(KeyHash *hash, uint64_t number)
{
    hash->n_words++;
    hash->state[3] ^= number;
    key_mix(hash->state);
    hash->state[0] ^= number;
}

static inline uint32_t key_half(const uint8_t *data)
{
    uint32_t half;
    memcpy(&half, data, sizeof half);
#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
    half = __builtin_bswap32(half);
#endif
    return half;
}

/* 1 to 7 bytes, in a few reads that may overlap. */
static inline uint64_t key_rest(const uint8_t *data, size_t size)
{
    if (size >= 4) {
        uint64_t low = key_half(data), high = key_half(data + size - 4);
        return low | high << 8 * (size - 4);
    }
    return data[0] | (uint64_t)data[size / 2] << 8 * (size / 2) |
           (uint64_t)data[size - 1] << 8 * (size - 1);
}

/* Little endian, whatever the machine. */
static inline uint64_t key_word(const uint8_t *data)
{
    uint64_t word;
    memcpy(&word, data, sizeof word);
#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
    word = __builtin_bswap64(word);
#endif
    return word;
}

/* `tag` tells parts apart that may be left out: less than 2^16. */
static inline __attribute__((always_inline)) void key_add(KeyHash *hash, uint64_t tag, Bytes part)
{
    KeyHash h = *hash; /* in registers */
    const uint8_t *data = part.data;
    size_t left = part.size;
    key_add_number(&h, tag << 48 | part.size);
    for (; left >= 8; data += 8, left -= 8)
        key_add_number(&h, key_word(data));
    if (left && part.size >= 8) /* the last 8 bytes, without those that are in already */
        key_add_number(&h, key_word(data + left - 8) >> 8 * (8 - left));
    else if (left)
        key_add_number(&h, key_rest(data, left));
    *hash = h;
}

/* The last word has the number of all bytes, as far as it fits, and no rest of them. */
static inline ResponseKey key_end(KeyHash *hash)
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

#endif
