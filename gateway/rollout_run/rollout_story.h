/*
 * RolloutStory: rollouts as JSON, for operators, the history, and the log. Pure.
 */
#ifndef GATEWAY_ROLLOUT_STORY_H
#define GATEWAY_ROLLOUT_STORY_H

#include "gateway/rollout/rollout_trail.h"
#include "gateway/rollout_run/rollout_capacity.h"
#include "gateway/rollout_run/rollout_record.h"
#include "gateway/rollout_run/rollout_roster.h"

/* What is known of a rollout. Borrowed. */
typedef struct RolloutStory {
    const RolloutDefinition *definition;
    const RolloutRecord *record;       /* NULL: nothing is known yet */
    const RolloutFindings *findings;   /* with the next one */
    const RolloutJudgement *judgement; /* by these findings */
    RolloutCapacity capacity;
    uint32_t members;
    Bytes judge;      /* the process that judges; empty: none does */
    bool judges_here; /* it is this one */
    bool store_down;
    uint32_t
        short_of; /* instances of the candidate that the next tier needs; 0: there are enough */
    const char *silent; /* a gateway that does not write any more: it does not advance */
    bool begun;         /* who has the candidate by the record has it here */
} RolloutStory;

/* One object: state, tiers, numbers, what it waits for; left open, for more members. */
void rollout_story_begin(const RolloutStory *story, Buffer *out);

/* {"verdict": "bad", "metric": "failures", "wealth": 21.3, "limit": 20, "clients": {...}, ...} */
void rollout_story_judgement(const RolloutStory *story, Buffer *out);

/* [{"at", "tier", "wealth", "candidate", "baseline"}, ...], the oldest first. */
void rollout_story_trail(const RolloutDefinition *definition, const RolloutTrail *trail,
                         Buffer *out);

/* [{"client", "at", "has_it"}, ...]: the latest members first, at most ROLLOUT_NAMED of them; `at`
   is left out of those whose time is unknown, and who has not settled does not have the candidate
   yet. */
enum { ROLLOUT_NAMED = 100 };
void rollout_story_members(const RolloutRoster *roster, Buffer *out);

/* A sentence: what speaks for the act. */
Bytes rollout_story_why(const RolloutStory *story, Arena *arena);

/* An act: who did what, and why. */
typedef struct RolloutDeed {
    const char *act;  /* "advance", "rollback" */
    const char *who;  /* an operator's name; NULL: the judge */
    const char *node; /* of the gateway */
    Bytes why;
    const RolloutState *state; /* after it */
} RolloutDeed;

/* One object, with the numbers of the story by which it was judged. */
void rollout_story_deed(const RolloutStory *story, const RolloutDeed *deed, Buffer *out);

/* What a step by this event is called: "advance", "wait", "complete", "rollback", ... */
const char *rollout_act_name(RolloutEvent event, const RolloutState *after);

#endif
