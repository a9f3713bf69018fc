/*
 * Fingerprint: what requests that mean the same have in common.
 *
 * It is the SHA-256 of the method's path and of the message in one spelling: fields by number; of
 * equal ones the last, as protobuf reads it; lists of numbers packed; maps by key; what a field has
 * when it is absent left out; unknown fields as they are. So JSON's spelling, the order of fields,
 * the dialect and the codec do not matter, once the message is protobuf of one version.
 *
 * Pure; any thread.
 */
#ifndef GATEWAY_FINGERPRINT_H
#define GATEWAY_FINGERPRINT_H

#include "adapters/schema/schema.h"

enum { FINGERPRINT_SIZE = 32 };

typedef struct Fingerprint {
    uint8_t bytes[FINGERPRINT_SIZE];
} Fingerprint;

/* Of a message of the method's request. Messages that are nested deeper than `depth` are taken as
   they are. Faults: BAD_MESSAGE, OUT_OF_MEMORY. */
MUST_USE Result fingerprint_of(const MethodType *method, Bytes message, uint32_t depth,
                               Arena *arena, Fingerprint *out);

/* The message in its one spelling, for tests. Likewise. */
MUST_USE Result fingerprint_spell(const MessageType *type, Bytes message, uint32_t depth,
                                  Arena *arena, Buffer *out);

#endif
