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

/* Of the port's loop. `store` and `keys` outlive it. Never NULL. */
JobTable *job_table_open(Store *store, StorePort *port, const StoreKeys *keys);

/* The keys of the config that is used from now on; the former ones may go. */
void job_table_use_keys(JobTable *table, const StoreKeys *keys);

/* Its operations; as long as the table. */
JobStorage *job_table_storage(JobTable *table);

/* After store_port_close: what is under way goes on in the store, and its completions are not
   called any more. */
void job_table_close(JobTable *table);

#endif
