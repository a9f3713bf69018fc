/*
 * CohortPort: a loop's side of rollouts: the table that it uses, what it has counted, and clients
 * that knock.
 *
 * Each loop makes its own when its first call of a service with a rollout begins (loop->cohorts).
 * Functions with a Loop are for its thread; those without are for any.
 */
#ifndef GATEWAY_COHORT_PORT_H
#define GATEWAY_COHORT_PORT_H

#include "gateway/cohort/cohort_knock.h"
#include "gateway/cohort/cohort_table.h"
#include "gateway/loop/loop.h"

/* Replaces the table, for all loops; takes the caller's reference. NULL: no rollout has clients.
   Loops take it in their next turn; streams of a candidate that has lost its clients end then. */
void cohort_publish(CohortTable *table);

/* A reference to the latest table; may be NULL. */
CohortTable *cohort_published(void);

/* ---- Calls ----------------------------------------------------------------------------------- */

/* Where the client of a call belongs; it may knock. */
CohortPlace cohort_find(Loop *loop, const RolloutDefinition *rollout, const CohortClient *client);

/* The same, and it does not knock. */
CohortPlace cohort_look(Loop *loop, const RolloutDefinition *rollout, const CohortClient *client);

/* Whether the candidate has no clients: it was rolled back, or has not begun. */
bool cohort_is_over(Loop *loop, const RolloutDefinition *rollout);

/* The call has ended in the arm of its place: cohort_sample_add. A place of an older round does not
   count. */
void cohort_count(Loop *loop, const RolloutDefinition *rollout, const CohortPlace *place,
                  uint32_t failed);

/* It could not be served by the candidate: cohort_sample_unserved. */
void cohort_count_unserved(Loop *loop, const RolloutDefinition *rollout, const CohortPlace *place);

/* Whether a good call of the method, for which the instance took so many nanoseconds, was slow:
   longer than most calls of the baseline (RolloutJudging.slow), which are learned from here. False
   while too few are known. `config` is the method's. */
bool cohort_is_slow(Loop *loop, const Config *config, const RolloutDefinition *rollout,
                    const Method *method, CohortArm arm, int64_t time);

/* A call of a candidate that lasts: it is told when its candidate has lost its clients. */
typedef struct CohortStream {
    struct CohortStream *next, **at; /* at NULL: it is not in the list */
    uint64_t rollout;
    void (*on_rollback)(struct CohortStream *stream); /* may free it. It is in the list no more */
} CohortStream;

void cohort_follow(Loop *loop, CohortStream *stream);
void cohort_unfollow(CohortStream *stream); /* does nothing if it is not in a list */

/* The loop has ended, and all its calls; before loop_deinit, so that nothing is posted any more.
 * What it has counted and not been asked for is lost. */
void cohort_end(Loop *loop);

/* ---- What the runner gets -------------------------------------------------------------------- */

/* The sum of what all loops have counted of the rollout in this round, since the process began; the
   caller frees it. Never NULL. */
CohortSample *cohort_collect(uint64_t rollout, uint64_t round);

/* What is told of a client from outside: its call was bad by this metric (ROLLOUT_POSTED and so
   on). False: the client is not judged now. */
bool cohort_tell(const RolloutDefinition *rollout, const CohortClient *client,
                 RolloutMetric metric);

#endif
