/*
 * Claims: the records of calls with an idempotency key, in the store.
 *
 *      claim_ask ---> a new record, which is ours: the call may run ---> claim_keep, claim_end
 *               \---> the record of another call: claim_verdict.h ---> claim_take, or not
 *
 * Whoever inserts the record first has the call, also of two gateways that share a store. A record
 * belongs to the run of the call that has its token, and nobody else changes it. A new record is on
 * disk before its asker learns of it, and so is a response. What is done in the store fails with
 * the faults of store.h.
 *
 * Clocks only say when a record may go (the StoreKind's, after an hour of even time) and when the
 * call of a gateway that died is over: none that jumps lets a call run twice, unless its instances
 * honour the key.
 *
 * A Claims belongs to the process, a ClaimPort to a loop and its thread.
 */
#ifndef GATEWAY_CLAIMS_H
#define GATEWAY_CLAIMS_H

#include "gateway/idempotency/claim_verdict.h"
#include "gateway/store/store.h"
#include "gateway/telemetry/exposition.h"

typedef struct Claims Claims;
typedef struct ClaimPort ClaimPort;
typedef struct ClaimTask ClaimTask;

/* What calls with a key were, in the order of their labels in claims.c. */
typedef enum KeyedOutcome {
    KEYED_FIRST,
    KEYED_REPLAYED,
    KEYED_AGAIN,
    KEYED_MISSING,
    KEYED_MALFORMED,
    KEYED_ANONYMOUS,
    KEYED_REUSED,
    KEYED_IN_USE,
    KEYED_UNCERTAIN,
    KEYED_UNREADABLE,
    KEYED_STORE_DOWN,  /* refused */
    KEYED_UNPROTECTED, /* the store is down, and the route lets them go on */
    KEYED_OUTCOMES,
} KeyedOutcome;

/* How calls that ran have ended. */
typedef enum ClaimClose {
    CLOSE_KEPT,
    CLOSE_TOO_LARGE,
    CLOSE_RELEASED,
    CLOSE_UNKNOWN,
    CLOSE_NOT_KEPT, /* the store was down */
    CLAIM_CLOSES,
} ClaimClose;

/* One record. Texts are borrowed by each function during the call only. */
typedef struct ClaimRow {
    Bytes id;     /* claim_id */
    Bytes key;    /* claim_key_hash */
    Bytes client; /* whose it is, as `clients` of the config shows it: for `client forget` */
    Bytes node;   /* the gateway's name */
    Bytes token;  /* of this run of the call */
    int64_t at, until, expires; /* wall time in nanoseconds: begun, over at the latest, may go */
} ClaimRow;

/* What claim_ask has found; valid during the event. */
typedef struct ClaimFound {
    Result why; /* failed: nothing is known, and nothing is recorded */
    bool ours;  /* else these are of the record that is there: */
    ClaimState state;
    int64_t until, expires;
    Bytes token, content; /* content is sealed; token empty: it has just gone */
} ClaimFound;

/* The store outlives it. `process`: what tells this process from all others; copied. */
Claims *claims_new(Store *store, Bytes process);
void claims_free(Claims *claims);

/* That process has died: what it has left RUNNING is UNKNOWN from now on. */
void claims_mourn(StorePort *port, Bytes process);

/* For the loop that belongs to this thread. */
ClaimPort *claim_port_open(Claims *claims, uv_loop_t *loop);
/* Nobody is called any more. NULL is allowed. */
void claim_port_close(ClaimPort *port);

/* The primary key of a record: 64 hexadecimal digits, in the arena. `client` is who it is, with how
   that was proved. */
Bytes claim_id(Bytes service, Bytes client, Bytes key, Arena *arena);

/* By which operators find the records of a key, of all clients: 32 hexadecimal digits, in the
   arena. */
Bytes claim_key_hash(Bytes key, Arena *arena);

/*
 * Each calls its function once, in a later turn of the loop, and never after claim_abandon. A task
 * is over when its function is called.
 */
ClaimTask *claim_ask(ClaimPort *port, const ClaimRow *row, Bytes content,
                     void (*on_found)(void *owner, const ClaimFound *found), void *owner);
/* The record is that of another run, and becomes ours. STORE_CONFLICT: another one was first. */
ClaimTask *claim_take(ClaimPort *port, const ClaimRow *row, Bytes token,
                      void (*on_done)(void *owner, Result why), void *owner);
/* The response; the record may be gone (`client forget`), or another run's. */
ClaimTask *claim_keep(ClaimPort *port, const ClaimRow *row, Bytes content,
                      void (*on_done)(void *owner, Result why), void *owner);
/* Without one: `end` is CLAIM_END_RELEASE or CLAIM_END_UNKNOWN. `on_done` NULL: nobody waits for
   it, and there is no task. */
ClaimTask *claim_end(ClaimPort *port, const ClaimRow *row, ClaimEnd end,
                     void (*on_done)(void *owner, Result why), void *owner);

/* Nobody waits for the task any more. If it makes a record ours, that is released. NULL is allowed.
 */
void claim_abandon(ClaimTask *task);

void claims_count(const ClaimPort *port, KeyedOutcome outcome);
void claims_count_close(const ClaimPort *port, ClaimClose close);

/* A MetricsWriter; `owner` is a Claims. Any thread. */
void claims_metrics_write(Exposition *e, void *owner);

#endif
