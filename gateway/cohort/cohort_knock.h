/*
 * Knocks: clients that may become members of a rollout, in a bounded queue from the loops to the
 * runner. Any thread.
 */
#ifndef GATEWAY_COHORT_KNOCK_H
#define GATEWAY_COHORT_KNOCK_H

#include "base/bytes.h"

enum { COHORT_KNOCKS_MOST = 1024, COHORT_CLIENT_MOST = 256 /* bytes of a client's name */ };

typedef struct CohortKnock {
    uint64_t rollout, round; /* of the table that said that it may */
    uint32_t size;
    char client[COHORT_CLIENT_MOST]; /* as it is recorded: CohortPlan.members */
} CohortKnock;

/* A client knocks. False: the queue is full, or the name too long: its next call knocks again. */
bool cohort_knock(uint64_t rollout, uint64_t round, Bytes client);

/* Takes the next one. False: nobody knocks. */
bool cohort_knock_take(CohortKnock *knock_out);

/* Is called when somebody knocks and the queue was empty, on the thread of a loop, under a lock: it
   must do no more than wake the runner. NULL: nobody is called. */
void cohort_on_knock(void (*on_knock)(void *owner), void *owner);

#endif
