/*
 * Seal: how a payload lies in the store: encrypted with the first key of `store.keys`, or plain
 * where there are no keys.
 *
 *     plain     | 0 | the payload ...
 *     sealed    | 1 | n | id of the key: n bytes | nonce: 12 | ciphertext ... | tag: 16 |
 *
 * AES-256-GCM. The additional data are the head (up to the nonce) and the place of the value, so
 * that a value that was moved to another row, column or table does not open. All keys of the config
 * open; a plain payload opens with keys, too, for it may be older than they are.
 *
 * The nonce is random: a key is good for 2^32 payloads (NIST SP 800-38D, 8.3). Any thread.
 */
#ifndef GATEWAY_SEAL_H
#define GATEWAY_SEAL_H

#include "base/bytes.h"
#include "base/result.h"
#include "gateway/config/config.h"

/* Where the value belongs. Borrowed. */
typedef struct SealPlace {
    const char *table, *column;
    Bytes row; /* its primary key */
} SealPlace;

enum { SEAL_MORE = 1 + 1 + STORE_KEY_ID_MOST + 12 + 16 /* a value is longer by this at most */ };

/* What is to be stored in place of the payload, at the end of the buffer. */
void seal(const StoreKeys *keys, const SealPlace *place, Bytes payload, Buffer *out);

/* The payload of a stored value, in the arena. Fault: STORE_SEALED (there is no such key; it is not
   that key; the value was changed, or belongs to another place). */
MUST_USE Result unseal(const StoreKeys *keys, const SealPlace *place, Bytes stored, Arena *arena,
                       Bytes *payload_out);

#endif
