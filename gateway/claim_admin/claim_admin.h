/*
 * ClaimAdmin: what operators see of an idempotency key, and how they forget a call whose outcome
 * nobody knows.
 *
 *      key --> [ its records, by a hash of it ] --> page
 *                                             \--> those whose outcome is unknown go --> answer
 *
 * A record that has a response, or whose call is under way, is never forgotten by its key: the next
 * call with it would be made once more. On the loop of the port, its thread only.
 */
#ifndef GATEWAY_CLAIM_ADMIN_H
#define GATEWAY_CLAIM_ADMIN_H

#include "gateway/config/config.h"
#include "gateway/store/store.h"

/* All of it lives until the answer. */
typedef struct ClaimAdmin {
    StorePort *port;
    Config *const *config; /* where the one that is used is found, then and now */
    Bytes query;           /* "key=K&client=NAME"; the client may be left out */
    bool forgets;          /* else it is shown */
    Arena *arena;          /* for the answer */
    /* Called once, later or before claim_admin_ask returns. Faults: BAD_VALUE (of the query),
       UNKNOWN_PATH (there is no such record), IDEMPOTENCY_UNFIT, and those of the store. */
    void (*on_answered)(void *owner, Result result, Bytes json);
    void *owner;
    Bytes key; /* then: as the query says it; empty: it does not */
} ClaimAdmin;

/* Never answered if the port is closed before. */
void claim_admin_ask(ClaimAdmin *asked);

#endif
