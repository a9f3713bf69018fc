/*
 * Kept: which responses are kept for calls that fail, and by what they are found.
 *
 * A response belongs to a request of a client: the same bytes of the same method and versions, with
 * the same identity, Authorization and Cookie. Without these three a client cannot be told from
 * others: then nothing is kept, unless the route says that its responses are public. What is hashed
 * into the key are the schemas and change lists, too, so that a config with others finds nothing.
 * RFC 9111 is obeyed in what it forbids: a response (or request) with `no-store` is not kept, one
 * with `private` only for a client of its own, and one that varies by other fields not at all.
 */
#ifndef GATEWAY_KEPT_H
#define GATEWAY_KEPT_H

#include "gateway/cache/response_key.h"
#include "gateway/call/exchange.h"

/* False: nothing of the call is kept. */
bool kept_key(const FallbackCall *call, const KeySeed *seed, ResponseKey *key_out);

/* Whether a response with these fields may be kept; the call has a key. */
bool kept_may_be(const FallbackCall *call, const Fields *response);

#endif
