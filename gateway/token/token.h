/*
 * Token: a JSON Web Token in the compact form, signed (RFC 7519; RFC 7515, section 7.1), checked as
 * RFC 8725 advises.
 *
 * A plain function: the time is passed in, keys are. Keys that a token names or brings along
 * (`jku`, `jwk`, `x5u`, `x5c`) are never looked at; an extension that it calls critical (`crit`) is
 * unknown here, and refused.
 */
#ifndef GATEWAY_TOKEN_H
#define GATEWAY_TOKEN_H

#include "adapters/text/json.h"
#include "gateway/token/token_keys.h"

enum { TOKEN_BYTES_MOST = 16 << 10 };

typedef struct TokenRules {
    const char *issuer;           /* equal to `iss`; NULL: not compared */
    const char *const *audiences; /* one of them is in `aud`; none: a token must have no audience */
    uint32_t n_audiences;
    AlgorithmSet algorithms;
    int64_t skew;    /* nanoseconds: how far clocks may be apart */
    int64_t longest; /* nanoseconds from `iat` to `exp`; 0: no limit */
} TokenRules;

typedef struct Token {
    const JsonNode *claims; /* an object: no name is there twice */
    Bytes subject;          /* may be empty */
    int64_t expires;        /* nanoseconds since 1970, the skew included */
    int64_t issued; /* nanoseconds since 1970; INT64_MAX: it does not say. Also of a token whose key
                       is not known, which only says so itself */
} Token;

/*
 * Checks the token, and reads it into the arena. `now`: nanoseconds since 1970. `keys` NULL: none
 * are known yet. Faults, whose texts never contain the token or its claims:
 * CREDENTIALS_REFUSED: it is malformed, forged, from another issuer, or for somebody else;
 * CREDENTIALS_EXPIRED; KEYS_UNAVAILABLE: no keys; OUT_OF_MEMORY.
 * `unknown_key_out`: all but its signature is good, and the set lacks its key (the set may be
 * older).
 */
MUST_USE Result token_verify(Bytes text, const TokenKeys *keys, const TokenRules *rules,
                             int64_t now, Arena *arena, Token *out, bool *unknown_key_out);

/* The member of the claims at a path of names ("realm_access.level"): the whole path is tried as
   one name first, as claims are named by URIs too. NULL: there is none. */
const JsonNode *token_claim(const Token *token, const char *path);

#endif
