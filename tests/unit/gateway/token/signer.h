/* Keys and tokens for tests, made by OpenSSL and libjose: nothing of the code that is tested. */
#ifndef TESTS_UNIT_GATEWAY_TOKEN_SIGNER_H
#define TESTS_UNIT_GATEWAY_TOKEN_SIGNER_H

#include "base/bytes.h"
#include "tests/unit/check.h"

#include <openssl/evp.h>

typedef struct Signer {
    const char *algorithm, *digest; /* digest NULL: EdDSA */
    EVP_PKEY *key;                  /* NULL: HMAC */
    const char *secret;
    bool pss;
} Signer;

const char *base64url(Arena *arena, Bytes from);

Bytes token_of(Arena *arena, const Signer *signer, const char *header, const char *payload);

/* The public part as a JWK, with these members besides ("\"kid\": \"a\""; "" for none). */
const char *jwk_of(Arena *arena, EVP_PKEY *key, const char *besides);

#endif
