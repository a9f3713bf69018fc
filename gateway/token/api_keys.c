#include "gateway/token/api_keys.h"

#include "base/arena.h"
#include "base/text/base64.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/rand.h>
#include <stdio.h>

/* Open addressing; at most half of the slots are taken. */
struct ApiKeys {
    const ApiKey *keys;
    uint32_t n;
    uint32_t *slots; /* index + 1; 0: free */
    uint32_t mask;
};

void api_key_hash(Bytes text, uint8_t hash[API_KEY_HASH_SIZE])
{
    CHECK(EVP_Digest(text.data, text.size, hash, NULL, EVP_sha256(), NULL) == 1);
}

/* The slot with this hash, or the free one where it would be. */
static uint32_t *slot_of(const ApiKeys *keys, const uint8_t hash[API_KEY_HASH_SIZE])
{
    uint64_t first;
    memcpy(&first, hash, sizeof first);
    for (uint32_t at = (uint32_t)first & keys->mask;; at = (at + 1) & keys->mask) {
        uint32_t *slot = &keys->slots[at];
        if (!*slot || CRYPTO_memcmp(keys->keys[*slot - 1].hash, hash, API_KEY_HASH_SIZE) == 0)
            return slot;
    }
}

Result api_keys_new(Arena *arena, const ApiKey *list, uint32_t n, ApiKeys **out, uint32_t *twin_out)
{
    ApiKeys *keys = arena_make(arena, ApiKeys);
    uint32_t n_slots = 2;
    while (n_slots < 2 * n)
        n_slots *= 2;
    *keys = (ApiKeys){list, n, arena_array(arena, uint32_t, n_slots), n_slots - 1};
    for (uint32_t i = 0; i < n; i++) {
        uint32_t *slot = slot_of(keys, list[i].hash);
        *twin_out = i;
        if (*slot)
            return FAIL(arena, FAULT_BAD_VALUE, "two keys have the same hash");
        *slot = i + 1;
    }
    *out = keys;
    return OK;
}

const ApiKey *api_keys_at(const ApiKeys *keys, uint32_t at)
{
    return at < keys->n ? &keys->keys[at] : NULL;
}

const ApiKey *api_keys_find(const ApiKeys *keys, Bytes text)
{
    uint8_t hash[API_KEY_HASH_SIZE];
    if (text.size > API_KEY_BYTES_MOST)
        return NULL;
    api_key_hash(text, hash);
    uint32_t slot = *slot_of(keys, hash);
    return slot ? &keys->keys[slot - 1] : NULL;
}

void api_key_make(char text[API_KEY_SIZE + 1], uint8_t hash[API_KEY_HASH_SIZE])
{
    uint8_t id[4], secret[32];
    char room[64];
    Buffer encoded = {.data = (uint8_t *)room, .capacity = sizeof room};
    CHECK(RAND_bytes(id, sizeof id) == 1 && RAND_priv_bytes(secret, sizeof secret) == 1);
    base64_encode(&encoded, bytes(secret, sizeof secret), BASE64_URL, false);
    int size = snprintf(text, API_KEY_SIZE + 1, "key_%02x%02x%02x%02x_%.*s", id[0], id[1], id[2],
                        id[3], (int)encoded.size, room);
    CHECK(size == API_KEY_SIZE);
    OPENSSL_cleanse(secret, sizeof secret);
    OPENSSL_cleanse(room, sizeof room);
    api_key_hash(bytes_of(text), hash);
}
