/*
 * ClaimPage: what the store keeps of an idempotency key, as JSON for operators, without what
 * `ledger.redact` names. Pure; any thread.
 */
#ifndef GATEWAY_CLAIM_PAGE_H
#define GATEWAY_CLAIM_PAGE_H

#include "gateway/config/config.h"
#include "gateway/idempotency/claim_record.h"

/* A row of the store. */
typedef struct StoredClaim {
    Bytes id, token, client, node;
    ClaimState state;
    int64_t at, until, expires; /* wall time in nanoseconds, as of ClaimRow */
    Bytes content;              /* sealed */
} StoredClaim;

/* What it means at this time: a RUNNING one whose time is over belongs to a gateway that died. */
ClaimState stored_claim_state(const StoredClaim *claim, int64_t wall);
const char *claim_state_name(ClaimState state);

/* {"records": [...]}: the latest first. */
void claim_page_write(const Config *config, const StoredClaim *claims, uint32_t n, int64_t wall,
                      Buffer *out);

#endif
