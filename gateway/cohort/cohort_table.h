/*
 * CohortTable: which clients have the candidate of a rollout, for all rollouts.
 *
 * An immutable snapshot, counted by reference. A rollout that is not in it has no clients: all
 * are on the baseline.
 *
 * A client is known by a keyed hash of its name as it is recorded (cohort_client.h). The key is the
 * rollout's salt: the same on all gateways, of another rollout another one.
 */
#ifndef GATEWAY_COHORT_TABLE_H
#define GATEWAY_COHORT_TABLE_H

#include "gateway/cache/response_key.h"
#include "gateway/cohort/cohort_client.h"
#include "gateway/cohort/cohort_sample.h"

/* Who has the candidate. Each has those before it, too. */
typedef enum CohortReach {
    COHORT_NOBODY,  /* it was rolled back, or has not begun */
    COHORT_PILOTS,  /* those that the config names */
    COHORT_MEMBERS, /* clients that are recorded */
    COHORT_SHARE,   /* clients with a small hash */
    COHORT_ALL,     /* also those that nothing tells apart */
} CohortReach;

/* A rollout as it stands now. */
typedef struct CohortPlan {
    uint64_t rollout; /* RolloutDefinition.id */
    uint64_t round;   /* what is counted together: another number, another sample */
    KeySeed salt;     /* secret, and random: of one trial */
    CohortReach reach;
    double share; /* SHARE: of all clients */
    /* Clients that had the candidate before this round have it still, and are not judged again: */
    double share_before;
    uint32_t n_before; /* of `members`: the first ones */
    /* The door of a tier of members that has room: clients that it admits knock, and are on neither
       side until they are members. 0: it is shut. See tier_door. */
    double door;
    /* Once it is shut: what was counted until then. Clients of the baseline that are not in it are
       late: they are counted, and not what becomes of their calls, as no client becomes a member
       any more. NULL: nobody is late. */
    const CohortSample *known;
    const Bytes *members; /* as CohortKnock.client; of NOBODY and PILOTS they do not count */
    uint32_t n_members;
} CohortPlan;

typedef struct CohortTable CohortTable;

/* How a call is to be served. */
typedef struct CohortPlace {
    uint8_t arm;     /* CohortArm */
    bool judged;     /* it counts in this round, for the client: */
    bool late;       /* only that it has called counts */
    bool knocks;     /* its client may become a member */
    uint64_t client; /* its hash; 0: none */
    uint64_t round;
} CohortPlace;

/* What is passed is copied. One reference, the caller's. Never NULL. */
CohortTable *cohort_table_new(const CohortPlan *plans, uint32_t n);
CohortTable *cohort_table_ref(CohortTable *table);
void cohort_table_unref(CohortTable *table); /* NULL is allowed; any thread */

/* The hash of a client, never 0. */
uint64_t cohort_hash(const KeySeed *salt, Bytes client);

/* Where the client of a call belongs. `table` may be NULL. Pure. */
CohortPlace cohort_table_find(const CohortTable *table, const RolloutDefinition *rollout,
                              const CohortClient *client);

/* Of the rollout: whether the candidate has lost all of its clients; its round, 0 if it is not in
   the table. */
bool cohort_table_is_empty(const CohortTable *table, uint64_t rollout);
uint64_t cohort_table_round(const CohortTable *table, uint64_t rollout);

#endif
