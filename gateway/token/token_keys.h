/*
 * TokenKeys: the keys that tokens are checked with, read from a JSON Web Key Set (RFC 7517, section
 * 5).
 *
 * Never changed after it was read; counted, because a newer set replaces it while loops use it:
 * token_keys_keep and token_keys_drop may be called from any thread.
 *
 * Each key is for the algorithms that its own members allow: `alg` names the only one; else its
 * type and curve do. A key is never used for an algorithm of another type, so that nobody can have
 * a public key taken for the secret of an HMAC.
 */
#ifndef GATEWAY_TOKEN_KEYS_H
#define GATEWAY_TOKEN_KEYS_H

#include "base/result.h"
#include "gateway/token/token_algorithm.h"

enum {
    TOKEN_KEYS_KEYS_MOST = 100,
    TOKEN_KEYS_BYTES_MOST = 1 << 20,
    KEY_RSA_BITS_LEAST = 2048, /* RFC 7518, section 3.3 */
    KEY_RSA_BITS_MOST = 8192,  /* above, one check takes milliseconds */
};

typedef struct SigningKey {
    Bytes kid; /* empty: it has none */
    KeyType type;
    AlgorithmSet algorithms; /* which it may be used for */
    EVP_PKEY *key;           /* NULL: KEY_OCT */
    Bytes secret;            /* KEY_OCT */
} SigningKey;

typedef struct TokenKeys TokenKeys;

/*
 * Reads the text of a set. The keys that it cannot use are left out: types that it does not know,
 * keys for encryption, RSA keys that are too short or too long, shared secrets unless `secrets`
 * (a set from a URL must have none). Whoever reads it may tell how many (token_keys_left_out).
 * BAD_VALUE, in `arena`: it is no set, has more keys than TOKEN_KEYS_KEYS_MOST, a private key
 * (which nobody but its signer should have), two keys with the same kid for one algorithm, or none
 * that can be used. The set is the caller's, with one count.
 */
MUST_USE Result token_keys_read(Arena *arena, Bytes text, bool secrets, TokenKeys **out);

TokenKeys *token_keys_keep(TokenKeys *set);

/* `set` may be NULL. */
void token_keys_drop(TokenKeys *set);

uint32_t token_keys_size(const TokenKeys *set);
uint32_t token_keys_left_out(const TokenKeys *set);

/* The next key at or behind *at that may check a token with this algorithm; NULL: there is none. A
   token with a kid is checked with keys of that kid only; one without, with each that fits. Begin
   with *at = 0. */
const SigningKey *token_keys_next(const TokenKeys *set, int algorithm, Bytes kid, uint32_t *at);

#endif
