/*
 * JobCensus: how many jobs there are of each definition, state and step. Reads all jobs, in a
 * session of its own: for a thread that may wait, not more often than it takes a thousandth of the
 * time (store_keeper.h).
 */
#ifndef GATEWAY_JOB_CENSUS_H
#define GATEWAY_JOB_CENSUS_H

#include "gateway/job_store/job_record.h"
#include "gateway/store/store.h"

typedef struct JobCount {
    Bytes definition;
    JobState state;
    Bytes step; /* empty: none has begun */
    uint64_t n;
    int64_t oldest; /* wall time since which the oldest one is in this state and step */
} JobCount;

/* Of a definition: how many wait for another try of a call that has failed. */
typedef struct JobRetryCount {
    Bytes definition;
    uint64_t n;
} JobRetryCount;

typedef struct JobCensus {
    JobCount *counts; /* by definition, state and step */
    uint32_t n;
    Bytes *parked; /* names of definitions whose jobs do not begin */
    uint32_t n_parked;
    JobRetryCount *retrying; /* by definition; of which any does */
    uint32_t n_retrying;
    int64_t event; /* wall time of the oldest one that no webhook has had yet; 0: there is none */
} JobCensus;

/* In the arena. Faults: as those of store_run_apart. */
MUST_USE Result job_census_read(const StoreSettings *settings, Arena *arena, JobCensus *out);

#endif
