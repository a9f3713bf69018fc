/*
 * CohortSample: what has become of the clients of a rollout, in one round (a tier, say), by arm.
 *
 * Units are clients: each counts once for having called, and once for each metric for which one of
 * its calls was bad. A client is the keyed hash of cohort_table.h, which is the same on all
 * gateways. So the sum of the samples of several loops, gateways and processes counts no client
 * twice, and a sum that has a part twice is the same. Memory is bounded (key_set.h): beyond
 * SAMPLE_CLIENTS clients of an arm, or SAMPLE_FAILED that fail, their numbers are estimates, whose
 * error is told.
 *
 * No loop and no clock. Any thread, one at a time.
 */
#ifndef GATEWAY_COHORT_SAMPLE_H
#define GATEWAY_COHORT_SAMPLE_H

#include "gateway/config/rollout_config.h"

enum { SAMPLE_CLIENTS = 4096, SAMPLE_FAILED = 1024 };

typedef enum CohortArm {
    COHORT_BASELINE,
    COHORT_CANDIDATE,
    COHORT_ARMS,
} CohortArm;

typedef struct CohortSample CohortSample;

/* What an arm has seen. Errors are relative standard errors; 0: the number is exact. */
typedef struct CohortCount {
    double clients, clients_error;
    double failed[ROLLOUT_METRICS], failed_error[ROLLOUT_METRICS];
} CohortCount;

/* `rollout`: RolloutDefinition.id; `round`: CohortPlan.round. The caller frees it. Never NULL. */
CohortSample *cohort_sample_new(uint64_t rollout, uint64_t round);
void cohort_sample_free(CohortSample *sample); /* NULL is allowed */
CohortSample *cohort_sample_copy(const CohortSample *sample);

uint64_t cohort_sample_rollout(const CohortSample *sample);
uint64_t cohort_sample_round(const CohortSample *sample);

/* A call of the client has ended: `failed` has a bit for each metric (RolloutMetric) for which it
   was bad. */
void cohort_sample_add(CohortSample *sample, CohortArm arm, uint64_t client, uint32_t failed);

/* Whether the client has called in this arm; also true where that is not known any more. */
bool cohort_sample_may_have(const CohortSample *sample, CohortArm arm, uint64_t client);

/* Adds another one of the same rollout and round; one of another round changes nothing. */
void cohort_sample_merge(CohortSample *sample, const CohortSample *from);

CohortCount cohort_sample_count(const CohortSample *sample, CohortArm arm);

/* Calls of clients that have the candidate, and were served by the baseline since the candidate had
   no usable instance. In a sum, of the largest part only. */
void cohort_sample_unserved(CohortSample *sample);
uint64_t cohort_sample_n_unserved(const CohortSample *sample);

/* As bytes, in the arena; and what was written, by any build that knows the format. NULL: it is
   nothing of the kind. */
Bytes cohort_sample_write(const CohortSample *sample, Arena *arena);
CohortSample *cohort_sample_read(Bytes written);

#endif
