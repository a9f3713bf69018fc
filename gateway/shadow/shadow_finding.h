/*
 * ShadowFinding: how the response of a copy compares with the real one.
 *
 *      real    as v1 served it ----> v1 ---> v3 ---> v1 \
 *                                                        > compared, in the version of the client
 *      shadow  as v3 served it ----> v1 ---> v3 ---> v1 /
 *
 * Both are brought into the client's version, and from there to each version that has served one of
 * them and back, until nothing changes any more (settle.h). What a conversion loses by the change
 * lists, it so loses of both, and only what both versions can say is compared. Where a conversion
 * refuses to go on, by the change lists, they cannot be compared.
 *
 * Pure; any thread.
 */
#ifndef GATEWAY_SHADOW_FINDING_H
#define GATEWAY_SHADOW_FINDING_H

#include "base/call.h"
#include "gateway/config/config.h"
#include "gateway/shadow/shadow_book.h"

/* One of the two. */
typedef struct ShadowSide {
    Code code;
    Bytes response; /* code OK: in `codec`, of the version */
    Codec codec;
    const Version *version;
} ShadowSide;

typedef struct ShadowQuestion {
    const Method *method; /* in the client's version */
    ShadowSide real, shadow;
    const char *const *redact; /* LedgerConfig.redact */
} ShadowQuestion;

typedef struct ShadowFinding {
    ShadowOutcome outcome;
    const char *reason;
    ShadowDifference *differences; /* in the arena */
    uint32_t n;
} ShadowFinding;

void shadow_find(const ShadowQuestion *question, Arena *arena, ShadowFinding *finding_out);

/* Whether a conversion refuses a message because of what its change lists say. */
bool shadow_is_refusal(const Fault *fault);

#endif
