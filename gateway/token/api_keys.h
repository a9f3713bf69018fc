/*
 * ApiKeys: the secrets that clients call with, known by their hashes only.
 *
 *      key_1f0c9a2e_0V3kT...43 characters
 *      ---------public id; the rest is 256 random bits
 *
 * The id names the key where operators see it: in lists, logs and the audit. A key is found by the
 * SHA-256 of its whole text; since nobody can choose that, the time that a search takes tells
 * nothing of the keys that are there. 256 random bits need no slow hash (NIST SP 800-63B, 5.1.1.2).
 *
 * The table is made once, and then only read, by any thread.
 */
#ifndef GATEWAY_API_KEYS_H
#define GATEWAY_API_KEYS_H

#include "base/bytes.h"
#include "base/result.h"

enum {
    API_KEY_ID_SIZE = 12,    /* "key_" and 8 hexadecimal digits */
    API_KEY_SIZE = 12 + 44,  /* and "_", and 32 bytes in base64url */
    API_KEY_HASH_SIZE = 32,  /* SHA-256 */
    API_KEY_BYTES_MOST = 512 /* of a text that is looked for; keys of other systems may be longer */
};

typedef struct ApiKeyClaim {
    const char *name;
    Bytes value;
} ApiKeyClaim;

typedef struct ApiKey {
    uint8_t hash[API_KEY_HASH_SIZE];
    const char *id; /* or NULL */
    Bytes client;   /* not empty; several keys may have the same one: a new key, before the old one
                       ends */
    Bytes tenant, class;
    const ApiKeyClaim *claims;
    uint32_t n_claims;
    int64_t expires; /* nanoseconds since 1970; INT64_MAX: never */
} ApiKey;

typedef struct ApiKeys ApiKeys;

/* Of these keys, which it borrows. Two with the same hash: BAD_VALUE, and *twin_out is the index of
   the second one. In the arena. */
MUST_USE Result api_keys_new(Arena *arena, const ApiKey *keys, uint32_t n, ApiKeys **out,
                             uint32_t *twin_out);

/* The key at an index; NULL: there are no more. */
const ApiKey *api_keys_at(const ApiKeys *keys, uint32_t at);

/* The key with this text, also one that has ended; NULL: there is none. */
const ApiKey *api_keys_find(const ApiKeys *keys, Bytes text);

/* A new key, from the operating system's random numbers, and its hash. */
void api_key_make(char text[API_KEY_SIZE + 1], uint8_t hash[API_KEY_HASH_SIZE]);

/* The hash of a key's text. */
void api_key_hash(Bytes text, uint8_t hash[API_KEY_HASH_SIZE]);

#endif
