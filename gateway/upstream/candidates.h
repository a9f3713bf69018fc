/*
 * Candidates: one loop's view of the instances of one service, arranged for picking.
 *
 * Made from an InstanceSet. For each version of the service there is a list of the instances that
 * speak it, those that are up before those that are down; an instance of several versions is in
 * several lists. When an instance goes down or comes back it changes places in its lists, so that
 * picking need not look at the others:
 *
 *      v1   [ A  D  F | B  C ]         up | down
 *      v2   [ D  E | C ]
 *
 * A service without versions has one list of all instances. Picking detects that an instance is
 * down; its Upstream reports that it is back. Instances with a bar (instances.h) are in the second
 * part, too, from the next pick on. Where instances are of other cells than the gateway, each
 * version has a second list, of those. Where a build is rolled out, its instances are in lists of
 * their own, which are like those of the others (the baseline's) and behind them.
 *
 * A loop keeps the candidates of each service of loop->config, with a pointer to the Upstream of
 * each instance. When a set is replaced, candidates of the new set replace the old ones. Candidates
 * count the calls that picked from them; they and their set live until the last of these calls has
 * ended, so the instance of a call stays valid. A call under an older config gets candidates of its
 * own, freed after the last such call. The loop's thread only.
 */
#ifndef GATEWAY_CANDIDATES_H
#define GATEWAY_CANDIDATES_H

#include "gateway/instances/draw.h"
#include "gateway/instances/instance_set.h"
#include "gateway/loop/loop.h"
#include "gateway/policy/delay_sketch.h"
#include "gateway/policy/retry_budget.h"

typedef struct Upstream Upstream; /* upstream.h */
typedef struct Candidates Candidates;

typedef struct Candidate {
    const Instance *instance;
    Upstream *upstream;
    struct Candidate *next, **at; /* among those of its upstream */
    Candidates *of;
    uint32_t *places; /* in each list that has it, by version */
    float weight;     /* in relation to the mean of the set */
    bool down, barred;
    uint32_t arm; /* added to the number of a version: 0, or Candidates.n_of_arm */
} Candidate;

typedef struct CandidateList {
    Candidates *of;
    Candidate **all;   /* those that are up and have no bar first */
    uint32_t n, n_up;  /* n_up may count some that have gone down since */
    uint32_t n_out;    /* that operators have taken out: no failures of the cell */
    uint32_t turn;     /* where the next pick begins */
    uint32_t spilled;  /* spill_next: which calls leave the cell */
    Draw *draw;        /* NULL: all weigh the same */
    Candidate **drawn; /* with `draw`: by its numbers */
    const Ring *ring;  /* of the set; NULL: the service has no affinity, or the list nobody */
    /* No instance that is down should be tried earlier, unless `known_instances_back` has changed.
     */
    int64_t try_from;
    uint32_t times_back;
} CandidateList;

/* Calls of a service, in all its Candidates of one loop. */
typedef struct CallCount {
    uint32_t n_calls, references;
} CallCount;

struct Candidates {
    const Service *service;
    InstanceSet *set; /* a reference */
    Candidates *next;
    uint32_t n_calls;  /* running calls that picked from it */
    uint32_t n_hedged; /* of these: with two attempts at once */
    bool current; /* of loop->config, and of the service's latest set that the loop has taken */
    uint32_t n_down;
    uint32_t n_away;       /* those that are down or have a bar */
    uint32_t bars_seen;    /* known_instances_barred, when the bars were read */
    CallCount *count;      /* a reference */
    Candidate *candidates; /* one for each instance of the set; NULL: replaced, no more picks */
    uint32_t *places;
    CandidateList *lists; /* by version */
    CandidateList *far;   /* of instances of other cells, likewise, behind them; NULL: none are */
    uint32_t n_lists;     /* in both, and in those of the candidate's build, which are further */
    uint32_t n_of_arm;    /* ones: lists[version + n_of_arm]; 0: none is rolled out */
    RetryBudget budget;
    int64_t **usual;     /* by version, then by its methods: patience_usual; NULL: see delays */
    DelaySketch *delays; /* by Method.delays; NULL: none are measured, or its successor has them */
};

/* The service's current candidates, for one call. Never NULL. */
Candidates *candidates_use(Loop *loop, const Service *service);

/* The call has ended; the last one frees them. Before the call's config is released. */
void candidates_release(Loop *loop, Candidates *candidates);

/* The candidate was found to be down, or is back. */
void candidate_set_down(Candidate *candidate, bool down);

/* The candidate is down; it may be tried again from `time` on. */
void candidate_try_from(Candidate *candidate, int64_t time);

/* `set` is of a service of loop->config; takes the reference. Does nothing if the loop already has
   it. */
void candidates_take(Loop *loop, InstanceSet *set);

/* loop->config was replaced: releases what belongs to older configs. */
void candidates_trim(Loop *loop);

/* Releases everything, after all calls have ended. Before the upstreams are freed. */
void candidates_end(Loop *loop);

#endif
