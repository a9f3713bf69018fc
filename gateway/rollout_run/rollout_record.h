/*
 * RolloutRecord: a rollout as the store has it: its state, and which clients and counts belong to
 * it. With it, what its judge has found so far.
 *
 *      trial   from a start to a rollback: its members, under its own salt
 *      round   within a trial: what is counted together; a new tier begins a new one
 *      era     what the evidence is of: a new trial, or a decision to judge anew, begins one
 *
 * Rounds and eras are named by the revision that began them, so that no two have one name.
 * Pure.
 */
#ifndef GATEWAY_ROLLOUT_RECORD_H
#define GATEWAY_ROLLOUT_RECORD_H

#include "gateway/cohort/cohort_table.h"
#include "gateway/rollout/rollout_state.h"
#include "gateway/rollout_store/rollout_row.h"

typedef struct RolloutRecord {
    int64_t revision, trial;
    RolloutState state;
    KeySeed salt; /* of the trial */
    uint64_t round, era;
    /* Who had the candidate before this round, and is not judged again: */
    int64_t before;      /* members up to this number, */
    double share_before; /* and clients with a hash below this share */
    int64_t from;        /* wall time: its share holds from then on (beginning.h); until then: */
    bool nobody_before;  /* nobody has the candidate; false: who had it before this round */
    /* When the round began; for tier_door: */
    double room;  /* recorded members that there could be more */
    double known; /* clients that were known to call; 0: nobody knew */
} RolloutRecord;

/* By its judge, in a round. */
typedef struct RolloutFindings {
    uint64_t era, round;
    int64_t lasted;              /* nanoseconds for which the round was running, and judged */
    double clients[COHORT_ARMS]; /* that have called in this round */
    RolloutEvidence evidence;
} RolloutFindings;

RolloutRecord rollout_record_begin(const RolloutDefinition *definition, const KeySeed *salt,
                                   int64_t wall);

/* What was known when a step was taken. */
typedef struct RolloutMoment {
    int64_t last; /* the number of the latest member */
    double known; /* clients that are known to call */
    KeySeed salt; /* for a new trial */
    int64_t wall;
} RolloutMoment;

/* The record after a step that was taken: who gets the candidate by it gets it a step of
   beginning_step later. */
RolloutRecord rollout_record_after(const RolloutDefinition *definition, const RolloutRecord *record,
                                   const RolloutStep *step, const RolloutMoment *moment);

/* ---- In the store ---------------------------------------------------------------------------- */

/* Its row, without judge and evidence. What it points to is in the arena, or the definition's. */
RolloutRow rollout_record_row(const RolloutDefinition *definition, const RolloutRecord *record,
                              Arena *arena);

/* False: it was written by a newer gateway, or is damaged. */
bool rollout_record_read(const RolloutRow *row, RolloutRecord *record_out);

Bytes rollout_findings_write(const RolloutRecord *record, const RolloutFindings *findings,
                             Arena *arena);

/* Empty or damaged: nothing was found. */
RolloutFindings rollout_findings_read(Bytes written);

/* Of these findings, what counts for the record: of an earlier round the evidence only, of another
   era nothing. */
RolloutFindings rollout_findings_in(const RolloutRecord *record, const RolloutFindings *findings);

/* ---- For calls ------------------------------------------------------------------------------- */

/* Whether clients get the candidate by it at `from`, beside those who become members. */
bool rollout_record_grows(const RolloutDefinition *definition, const RolloutRecord *record);

/* What a gateway knows of it beside the record. */
typedef struct RolloutHere {
    const Bytes *members; /* recorded clients that have the candidate, by their numbers: borrowed */
    const int64_t *numbers;
    uint32_t n;
    double door; /* CohortPlan.door */
    bool begun;  /* what holds from `from` on holds here */
} RolloutHere;

/* Until it has begun nothing is counted that the round brings. */
CohortPlan rollout_record_plan(const RolloutDefinition *definition, const RolloutRecord *record,
                               const RolloutHere *here);

/* ---- For the judge --------------------------------------------------------------------------- */

/* What was counted in a round, by all gateways. `joined`: members of this round; `full`: no more of
   them can join. */
RolloutLook rollout_look_of(const CohortCount *baseline, const CohortCount *candidate,
                            int64_t joined, bool full);

#endif
