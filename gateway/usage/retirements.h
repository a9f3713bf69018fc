/*
 * Retirements: versions that end when nobody uses them any more: judged, announced, ended.
 *
 *      calls --RetireState.used--> [ Retirements ] <--one row per version--> store
 *      calls <--RetireState.retired--      |
 *                                          +--> events, metrics
 *
 * With a store, all gateways know the last call of a version and whether it has ended, whichever of
 * them has seen or decided it; a gateway that was not watched for a day knows nothing of that time,
 * and the evidence begins anew. Without one, a gateway knows its own, also after an upgrade.
 * What has ended stays so until an operator lets it serve again. Belongs to the main thread, except
 * for retirements_metrics_write.
 */
#ifndef GATEWAY_RETIREMENTS_H
#define GATEWAY_RETIREMENTS_H

#include "gateway/store/store.h"
#include "gateway/telemetry/exposition.h"
#include "gateway/version/retiring.h"

typedef struct Retirements Retirements;

Retirements *retirements_new(void);
void retirements_free(Retirements *retirements);

/* Keeps them in the store, or not any more (NULL). */
void retirements_keep(Retirements *retirements, StorePort *port);

/* The versions of this config from now on, before any loop has it. Borrows it until the next call,
   and gives each version its state, which lives as long as the Retirements. */
void retirements_use(Retirements *retirements, const Config *config, int64_t wall);

/* Tells which brown-outs have begun or ended, and which versions are past their sunset. */
void retirements_look(Retirements *retirements, int64_t wall);

/* Asks the store, or without one judges by itself. */
void retirements_beat(Retirements *retirements, int64_t wall);

/* When there is something to look at: wall time; INT64_MAX: never. */
int64_t retirements_next(const Retirements *retirements, int64_t wall);

/* What an operator wants of a version. All is borrowed. */
typedef struct RetireOrder {
    Bytes service, version;
    bool again; /* it serves again, and the evidence begins anew; else it ends now */
    const char *who;
    Bytes why;
} RetireOrder;

/* What the query says: "service=orders&version=v1", and "again=true". The texts are in the arena.
   Fault: BAD_VALUE. */
MUST_USE Result retire_order_read(Bytes query, Arena *arena, RetireOrder *order);

/* `on_done` is called once, at once or later on this thread; faults: UNKNOWN_PATH (no such version
   has `retire`), BAD_VALUE (no reason is given), or those of the store. */
void retirements_order(Retirements *retirements, const RetireOrder *order, int64_t wall,
                       void (*on_done)(void *owner, Result result), void *owner);

/* Adds the versions of the config as a JSON array. */
void retirements_write(const Retirements *retirements, int64_t wall, Buffer *out);

/* The same for the process after this one; and there, before retirements_use. */
void retirements_hand_on(const Retirements *retirements, Buffer *out);
void retirements_restore(Retirements *retirements, Bytes text);

/* A MetricsWriter. Any thread. */
void retirements_metrics_write(Exposition *e, void *retirements);

#endif
