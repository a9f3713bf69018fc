/* PairMistake: why a certificate and a key that OpenSSL refuses are no pair, in words that help. */
#ifndef GATEWAY_PAIR_MISTAKE_H
#define GATEWAY_PAIR_MISTAKE_H

#include "gateway/tls/tls_context.h"

/*
 * Looks into both files. NULL: nothing in them explains it. *of_key_out: it is the key that is
 * wrong. In the arena.
 */
const char *pair_mistake(Arena *arena, const TlsPair *pair, bool *of_key_out);

/* Of a key that does not match the certificate: the reason, and the key beside it that does. */
const char *pair_mismatch(Arena *arena, const TlsPair *pair);

#endif
