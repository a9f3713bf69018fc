/*
 * JobTable: the JobStorage in the store (gateway/store): one for each loop that accepts, reads or
 * executes jobs. Gateways that share the store share the jobs.
 */
#ifndef GATEWAY_JOB_TABLE_H
#define GATEWAY_JOB_TABLE_H

#include "gateway/job_store/job_storage.h"
#include "gateway/store/store.h"

/* The channel on which gateways tell each other of jobs that have changed, by their ids; empty:
   several have (store_ear.h). */
#define JOB_CHANNEL "passerelle_jobs"

typedef struct JobTable JobTable;

/* Who is told of the states of jobs. What it is to tell is stored in the transaction of the state,
   so that neither is without the other. The loop's thread. */
typedef struct JobOutbox JobOutbox;
struct JobOutbox {
    /* Adds statements to the task, which take effect only if the job has `record->told`: so it is
       written in this task, before them. False: there is nothing to tell. */
    bool (*add)(JobOutbox *outbox, StoreTask *task, const JobRecord *record, int64_t wall);
    /* They took effect, or may have. */
    void (*added)(JobOutbox *outbox);
};

/* What is written has failed as so many before, of this definition: none of its jobs begins any
   more until somebody says so. `cause`: the step and the fault. Texts live during the call. */
typedef void JobOnParked(void *owner, Bytes definition, Bytes cause, uint32_t times);

/* Of the port's loop. `store` and `keys` outlive it. Never NULL. */
JobTable *job_table_open(Store *store, StorePort *port, const StoreKeys *keys);

/* The keys of the config that is used from now on; the former ones may go. */
void job_table_use_keys(JobTable *table, const StoreKeys *keys);

/* From now on; outlives the table. NULL: nobody is told. */
void job_table_use_outbox(JobTable *table, JobOutbox *outbox);

/* The owner of that name has died: what it had is taken over with the first renewal, without
   waiting for its lease. Before that. Copies the name. */
void job_table_mourn(JobTable *table, Bytes name);

/* Whoever is told of that. */
void job_table_tell_parked(JobTable *table, JobOnParked *on_parked, void *owner);

/* Its operations; as long as the table. */
JobStorage *job_table_storage(JobTable *table);

/* After store_port_close: what is under way goes on in the store, and its completions are not
   called any more. */
void job_table_close(JobTable *table);

#endif
