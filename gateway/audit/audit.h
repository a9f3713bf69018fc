/*
 * Audit: the record of what operators change: who, what, why, before, after, and the result.
 *
 * Each entry is an event `audit` in the log, and a row in the store where there is one. No action
 * waits for the store: an entry that could not be stored is logged and counted
 * (passerelle_audit_unstored_total).
 *
 * Belongs to the main thread and its loop. The counters may be read by any thread.
 */
#ifndef GATEWAY_AUDIT_H
#define GATEWAY_AUDIT_H

#include "gateway/config/config.h"
#include "gateway/store/store.h"
#include "gateway/telemetry/exposition.h"

enum { AUDIT_WHY_MOST = 1000 /* bytes of a reason */ };

typedef struct Audit Audit;

/* The config before or after an action. */
typedef struct AuditState {
    uint64_t generation;
    const char *hash;
} AuditState;

/* All is borrowed. */
typedef struct AuditEntry {
    const char *action;   /* "reload" */
    const char *who, *by; /* the operator, and how that was proved: "ci", "token" */
    Bytes why;            /* as the operator says; may be empty, is cut and repaired to UTF-8 */
    AuditState before, after;
    Result result;
} AuditEntry;

/* `port` belongs to the loop of this thread, and outlives it; NULL: there is no store. */
Audit *audit_new(StorePort *port);

/* The node's name and the keys are those of this config from now on. Copies what it keeps. */
void audit_use(Audit *audit, const Config *config);

void audit_write(Audit *audit, const AuditEntry *entry);

/*
 * Reads the newest entries of all gateways that share the store. `on_read` is called once, later,
 * on this thread: with {"entries": [...]}, newest first, or with the failure; unless the port is
 * closed before. A reason that cannot be decrypted is empty, with "why_failure" beside it. There is
 * a store.
 */
void audit_read(Audit *audit, void (*on_read)(void *owner, Result result, Bytes json), void *owner);

/* After the port was closed. */
void audit_free(Audit *audit);

/* A MetricsWriter; `audit` is an Audit. Any thread. */
void audit_metrics_write(Exposition *e, void *audit);

#endif
