/*
 * How tokens are signed: the algorithms of RFC 7518 (section 3.1) and RFC 8037.
 *
 * `none` is no row of the table: a token cannot ask not to be checked.
 */
#ifndef GATEWAY_TOKEN_ALGORITHM_H
#define GATEWAY_TOKEN_ALGORITHM_H

#include "base/bytes.h"

#include <openssl/evp.h>

typedef enum KeyType { KEY_RSA, KEY_EC, KEY_OCT, KEY_OKP } KeyType;

typedef struct TokenAlgorithm {
    const char *name; /* "ES256", as in `alg` */
    KeyType type;
    const char *digest; /* OpenSSL's name; NULL: the signature has its own (EdDSA) */
    const char *curve;  /* "P-256", as in `crv`; NULL: none, or several (EdDSA) */
    bool pss;
    uint8_t half; /* EC: bytes of r, and of s (RFC 7518, section 3.4); else 0 */
} TokenAlgorithm;

/* All of them, in the order of their bits in a set. */
enum { TOKEN_ALGORITHMS = 13 };
extern const TokenAlgorithm token_algorithms[TOKEN_ALGORITHMS];

/* A set of them, by bit. */
typedef uint32_t AlgorithmSet;

/* Those whose keys are public. The others need that signer and verifier share a secret. */
AlgorithmSet algorithms_of_public_keys(void);

/* The index of the algorithm, or -1. Names are compared exactly: "hs256" is none. */
int token_algorithm_by_name(Bytes name);

#endif
