/* What the files of RolloutRunner share. */
#ifndef GATEWAY_ROLLOUT_RUNNER_INTERNAL_H
#define GATEWAY_ROLLOUT_RUNNER_INTERNAL_H

#include "gateway/cohort/cohort_port.h"
#include "gateway/rollout_run/rollout_roster.h"
#include "gateway/rollout_run/rollout_runner.h"
#include "gateway/rollout_run/rollout_story.h"
#include "gateway/rollout_run/withdrawals.h"
#include "gateway/rollout_store/rollout_lease.h"
#include "gateway/rollout_store/rollout_table.h"
#include "gateway/store/store_ear.h"

#include <pthread.h>

/* Where the blob of this process is handed over. */
#define ROLLOUT_BLOB "rollouts"

typedef struct RolloutAsked RolloutAsked;

/* What a task of the store is for, until its completion: the first member of what a file keeps for
   it. The runner frees those that are never completed. */
typedef struct RolloutPending {
    struct RolloutPending *next, **at;
    Arena *arena; /* its own */
} RolloutPending;

/* One rollout of the config. */
typedef struct HeldRollout {
    struct HeldRollout *next;
    RolloutRunner *runner;
    const RolloutDefinition *definition; /* NULL: the config has it no more; then it is freed when
                                            nothing is under way */
    char *name;
    uint32_t under_way; /* tasks of the store */

    bool known; /* what follows: from the store, or from the process before */
    RolloutRecord record;
    bool stored;   /* the store has the record */
    bool complete; /* all members are known; or handed over */
    bool reread;   /* the next look is for all of them */
    bool unreadable;
    RolloutRoster roster;
    double door;   /* published */
    int64_t begun; /* the latest `from` of a record that holds here */
    /* `begun`, and `settled` of the roster, as the store has them. */
    int64_t told_begun, told_settled;

    bool claiming;
    Arena *knocks; /* of `clients`; NULL: there are none */
    Bytes clients[COHORT_KNOCKS_MOST];
    uint32_t n_clients;

    RolloutLease lease;
    RolloutFindings findings;
    RolloutJudgement judgement;
    RolloutTrail trail;
    bool judging;      /* a beat is under way */
    int64_t looked_at; /* monotonic: when `findings` were added to last; 0: not in this round */
    RolloutCapacity capacity;
    uint32_t n_gone, n_back; /* looks, one after the other, with this said of the candidate */
    uint32_t short_of;
    int64_t all_know_revision, all_know_member; /* by the latest look: RolloutHeard */
    bool all_wrote;       /* all gateways that are there have written since this one started */
    char *silent;         /* the gateway that does not write any more; NULL: all do */
    CohortSample *sample; /* what the gateway has seen of the round, also before this process */
    CohortSample *known_clients; /* CohortPlan.known, of all gateways; NULL: the tier is not full */
    uint64_t unserved;           /* calls of the round of which was told */
    int64_t told_unserved;       /* monotonic: when; 0: never */
} HeldRollout;

struct RolloutRunner {
    RolloutRunnerSettings settings;
    RolloutTable *table;
    StoreEar *ear;       /* NULL: there is nothing to hear */
    const char *process; /* the store's tag */
    int64_t started;     /* wall time */
    uv_timer_t beat, soon, settling;
    uv_async_t knocked;
    HeldRollout *held, *left; /* of the config; and those that it has no more */
    Withdrawals withdrawals;
    bool looking, look_again;
    bool store_down;
    int64_t looked, failed; /* as of BeginningNow */
    bool stopped;
    bool changed;            /* something is to be published */
    int64_t every;           /* of the beat, in nanoseconds */
    RolloutAsked *asked;     /* all that are not answered */
    RolloutPending *pending; /* all that are not completed */

    pthread_mutex_t mutex;
    Arena *shown_arena;         /* under the mutex, as is: */
    struct RolloutShown *shown; /* what metrics say */
    uint32_t n_shown;
    _Atomic uint64_t n_acts, n_told;
};

/* ---- rollout_runner.c ------------------------------------------------------------------------ */

/* At the next turn of the loop, or a little later. */
void rollout_runner_look_soon(RolloutRunner *runner);

/* The loops and the metrics learn of what has changed. */
void rollout_runner_publish(RolloutRunner *runner);

/* So many bytes, zeros, that begin with a RolloutPending, in an arena of their own. */
void *rollout_pending_new(RolloutRunner *runner, size_t size);
void rollout_pending_end(RolloutPending *pending);

/* A task of the store for it begins; and has ended: false, if the config has it no more, and it was
   freed if this was the last one. */
void held_begin(HeldRollout *held);
bool held_end(HeldRollout *held);

bool held_is_live(const HeldRollout *held);   /* it has members, and is judged */
bool held_has_begun(const HeldRollout *held); /* who has the candidate by its record has it here */

/* What a look that began then has heard of the gateways. */
void held_see_heard(HeldRollout *held, const RolloutHeard *heard, int64_t looked);

/* How long a judge, or a gateway, may be silent. */
int64_t held_lease(const HeldRollout *held);

/* What is known of it; borrows from it. */
RolloutStory held_story(const HeldRollout *held);

/* ---- held_rollout.c: what the store says of it ----------------------------------------------- */

/* The row of the store is this one; NULL: there is none. */
void held_see_row(HeldRollout *held, const RolloutRow *row);

/* The members beyond `after`, of the trial that was asked for. */
void held_see_members(HeldRollout *held, const RolloutMembers *members, int64_t after);

/* It is so from now on. */
void held_adopt(HeldRollout *held, const RolloutRecord *record);

/* A client knocks. */
void held_knock(HeldRollout *held, Bytes client);
void held_claim(HeldRollout *held);
void held_drop_knocks(HeldRollout *held);

/* ---- rollout_judging.c ----------------------------------------------------------------------- */

/* Writes what was counted, and judges if it is its turn. */
void held_judge(HeldRollout *held);

/* The judgement by its findings. */
void held_see_findings(HeldRollout *held, Bytes evidence);

/* ---- rollout_counts.c ------------------------------------------------------------------------ */

/* Whether it has to know of the baseline's clients on all gateways: its tier is full, and it does
   not know them yet. */
bool held_wants_known(const HeldRollout *held);

/* What all gateways have counted; of a tier that is full, it is kept as what is known. */
void held_learn_known(HeldRollout *held, const CohortSample *sum);
void held_forget_known(HeldRollout *held);

/* So many calls could not be served by the candidate, in this round and since the process began: it
   is told when there are more of them, once a minute at most. */
void held_tell_unserved(HeldRollout *held, uint64_t n);

/* ---- rollout_acts.c -------------------------------------------------------------------------- */

/* By whom; of the judge all NULL, empty. */
typedef struct RolloutActor {
    const char *who;
    Bytes why;
    RolloutAsked *asked;
} RolloutActor;

/* What follows of the event is written to the store; then it is so. */
void held_act(HeldRollout *held, const RolloutStep *step, RolloutEvent event,
              const RolloutActor *actor);

/* ---- rollout_orders.c ------------------------------------------------------------------------ */

/* An order was written, or not (somebody else has acted at the same time), or the store failed. */
void rollout_asked_written(RolloutAsked *asked, HeldRollout *held, Result result, bool written);

/* The gateway stops. */
void rollout_asked_refuse_all(RolloutRunner *runner);

/* ---- rollout_handover.c ---------------------------------------------------------------------- */

void rollout_handover_write(void *runner, Buffer *out);
/* What the process before has left of this rollout. */
void rollout_handover_read(Bytes blob, HeldRollout *held);

/* ---- rollout_metrics.c ----------------------------------------------------------------------- */

void rollout_metrics_show(RolloutRunner *runner);

#endif
