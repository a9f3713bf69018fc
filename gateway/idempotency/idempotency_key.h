/*
 * IdempotencyKey: what a client calls one call of its own by, so that it can send it again.
 *
 * `Idempotency-Key: "8e03978e-40d5-43e8-bc93-6e29ec5f6e2b"`: a String of structured fields
 * (RFC 9651, and draft-ietf-httpapi-idempotency-key-header-07), whose parameters say nothing. Most
 * clients of today leave out the quotes, as Stripe and Adyen document it: the same key without them
 * is the same key. Pure; any thread.
 */
#ifndef GATEWAY_IDEMPOTENCY_KEY_H
#define GATEWAY_IDEMPOTENCY_KEY_H

#include "base/fields.h"
#include "base/result.h"

/*
 * The key in these fields, which may be in the arena; data NULL: there is none. `most`: its longest
 * length in bytes. Faults: IDEMPOTENCY_KEY_MALFORMED (no string and no token, an empty or a long
 * one, several fields), OUT_OF_MEMORY.
 */
MUST_USE Result idempotency_key_read(const Fields *fields, uint32_t most, Arena *arena,
                                     Bytes *key_out);

#endif
