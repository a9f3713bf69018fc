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
 * A service without versions has one list, of all. What is down is found out by those who pick;
 * what is back is told by its Upstream.
 *
 * The candidates of the services of loop->config are kept, with what the loop's upstreams know of
 * their instances; when a set is replaced, candidates of the new one take their place. Calls count
 * the candidates that they picked from, which with their set stay until the last has ended: the
 * instance of a call does not go under it. A call of an older config gets candidates made for it,
 * which go with the last such call. The loop's thread only.
 */
#ifndef GATEWAY_CANDIDATES_H
#define GATEWAY_CANDIDATES_H

#include "gateway/instances/instance_set.h"
#include "gateway/loop/loop.h"

typedef struct Upstream Upstream; /* upstream.h */
typedef struct Candidates Candidates;

typedef struct Candidate {
    const Instance *instance;
    Upstream *upstream;
    struct Candidate *next, **at; /* among those of its upstream */
    Candidates *of;
    uint32_t *places; /* in each list that has it, by version */
    bool down;
} Candidate;

typedef struct CandidateList {
    Candidate **all;  /* those that are up first */
    uint32_t n, n_up; /* n_up may count some that have gone down since */
    uint32_t turn;    /* where the next pick begins */
    /* None that is down is worth a try before, unless `known_instances_back` has changed. */
    int64_t try_from;
    uint32_t times_back;
} CandidateList;

struct Candidates {
    const Service *service;
    InstanceSet *set; /* a reference */
    Candidates *next;
    uint32_t n_calls; /* that picked from it and have not ended */
    bool current;     /* of loop->config, and of the service's latest set that the loop has taken */
    uint32_t n_down;
    Candidate *candidates; /* of each of the set's instances; NULL: replaced, nobody picks here */
    uint32_t *places;
    CandidateList *lists; /* by version */
    uint32_t n_lists;
};

/* The service's candidates of now, for one call: never NULL. */
Candidates *candidates_use(Loop *loop, const Service *service);

/* The call has ended; they may go with it. Before the call's config is released. */
void candidates_release(Loop *loop, Candidates *candidates);

/* The candidate was found to be down, or is back. */
void candidate_set_down(Candidate *candidate, bool down);

/* From `time` on an attempt to reach the candidate, which is down, is worth it. */
void candidate_try_from(Candidate *candidate, int64_t time);

/* `set` is of a service of loop->config; takes the reference. Nothing is done when the loop has it
   already. */
void candidates_take(Loop *loop, InstanceSet *set);

/* loop->config is a new one: lets go of what belongs to older ones. */
void candidates_trim(Loop *loop);

/* Lets go of all, when all calls have ended. Before the upstreams are freed. */
void candidates_end(Loop *loop);

#endif
