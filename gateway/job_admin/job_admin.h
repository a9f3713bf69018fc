/*
 * JobAdmin: what operators see of the jobs in the store, and do with them.
 *
 *      question --> [ read the job ] --> page, or order --> [ storage ] --> answer
 *
 * On the loop of the port that it was opened with: its thread only.
 */
#ifndef GATEWAY_JOB_ADMIN_H
#define GATEWAY_JOB_ADMIN_H

#include "gateway/job_hook/job_outbox.h"

typedef struct JobAdmin JobAdmin;

typedef struct JobAdminSettings {
    Store *store;
    uv_loop_t *loop;
    StorePort *port;      /* of the loop */
    const Config *config; /* until job_admin_use */
    JobPostman *postman;
    /* Something has got an order, or was accepted. */
    void (*on_work)(void *owner);
    void *owner;
} JobAdminSettings;

/* What an operator wants. All of it lives until the answer. */
typedef struct JobQuestion {
    Bytes id;    /* empty: the list, or what is no single job's */
    Bytes word;  /* "retry", "skip-step", "cancel", "undo", "event", ...; empty: it is shown */
    Bytes query; /* job_query.h */
    const char *who;
    Bytes why;    /* may be empty */
    Arena *arena; /* for the answer */
} JobQuestion;

/* Called once, later or before job_admin_ask returns. `json` is in the question's arena. Faults:
   BAD_VALUE (of the query), UNKNOWN_PATH (no such job), JOB_UNFIT, SHUTTING_DOWN (after
   job_admin_close), and those of the storage. */
typedef void JobOnAnswered(void *owner, Result result, Bytes json);

/* Counts jobs for the metrics from now on. What the settings point to outlives it. Never NULL. */
JobAdmin *job_admin_open(const JobAdminSettings *settings);

/* The config that is used from now on; the former one may go. NULL is allowed for `admin`. */
void job_admin_use(JobAdmin *admin, const Config *config);

void job_admin_ask(JobAdmin *admin, const JobQuestion *question, JobOnAnswered *on_answered,
                   void *owner);

/* Before the loop ends, and after store_port_close: who still waits is told that the gateway stops.
 * NULL is allowed. */
void job_admin_close(JobAdmin *admin);

/* After the loop has ended. NULL is allowed. */
void job_admin_free(JobAdmin *admin);

#endif
