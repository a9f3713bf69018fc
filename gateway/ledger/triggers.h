/*
 * Trigger: for which kinds of failures an action is due, and when it may be done again.
 *
 * An action is due for a kind that meets the conditions (FailureTrigger), has failed since the
 * action was done for it last, at least `every` ago, and is not muted. What was seen before there
 * was the action is known already: it is due when it fails again. In an hour it is done `per_hour`
 * times at most; what is held back by that stays due. Remembers TRIGGER_KINDS kinds; then the one
 * for which it was done longest ago is forgotten. Plain functions; time is passed in.
 */
#ifndef GATEWAY_TRIGGERS_H
#define GATEWAY_TRIGGERS_H

#include "gateway/ledger/ledger_internal.h"

enum { TRIGGER_KINDS = 10000 };

/* A kind for which the action was done, or held back. */
typedef struct TriggerKind {
    uint64_t fingerprint;
    bool was_done, was_done_before; /* at all; and before the latest time */
    bool was_lost;                  /* the latest time was in vain */
    int64_t done;                   /* clock_now: the latest time */
    int64_t last, last_before;      /* wall time: its newest failure then; and before */
    int64_t held;                   /* its newest failure when it was held back the last time */
} TriggerKind;

/* The state of one action. Zeros with `since`, a wall time, are the beginning. */
typedef struct Trigger {
    int64_t since;
    TriggerKind *kinds; /* by fingerprint */
    uint32_t n, capacity;
    int64_t *hour; /* when it was done in the last hour, oldest first; clock_now */
    uint32_t n_hour, hour_capacity;
} Trigger;

/* How often an action may be done. */
typedef struct TriggerLimits {
    int64_t every; /* nanoseconds, for the same kind */
    uint32_t per_hour;
} TriggerLimits;

/* Why the action is due for this kind: "new" (not seen before), "changed" (since it was
   acknowledged), "recurring". NULL: it is not. `service`: of the kind's method; empty: none. */
const char *trigger_reason(const Trigger *trigger, const FailureTrigger *when, int64_t every,
                           const LedgerRank *rank, Bytes service, int64_t wall, int64_t now);

/* Whether it may be done now; then it counts as done. */
bool trigger_take(Trigger *trigger, const TriggerLimits *limits, const FailureRow *row,
                  int64_t now);

/* What was done for the kind latest was in vain, and counts no more: it is due again, `every` after
   that. Does nothing for a kind that is not remembered. */
void trigger_lost(Trigger *trigger, uint64_t fingerprint);

/* Of a kind for which it may not: whether it has failed anew since this was asked last. */
bool trigger_held_anew(Trigger *trigger, const FailureRow *row);

/* Frees what it holds. */
void trigger_deinit(Trigger *trigger);

#endif
