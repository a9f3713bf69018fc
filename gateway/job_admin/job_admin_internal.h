/* The inside of JobAdmin, for the files of gateway/job_admin only. */
#ifndef GATEWAY_JOB_ADMIN_INTERNAL_H
#define GATEWAY_JOB_ADMIN_INTERNAL_H

#include "gateway/job_admin/job_admin.h"
#include "gateway/job_admin/job_metrics.h"
#include "gateway/job_admin/job_query.h"

typedef struct JobAsked JobAsked;

struct JobAdmin {
    JobAdminSettings settings;
    JobTable *table;
    JobHooks hooks; /* what the table tells */
    JobStorage *storage;
    JobMetrics *metrics;
    JobAsked *asked; /* all that are not answered */
};

/* A question until its answer, in its arena. */
struct JobAsked {
    JobAdmin *admin;
    JobAsked *next, **at;
    JobQuestion question;
    JobQuery query;
    JobOnAnswered *on_answered;
    void *owner;
    const JobRecord *replayed; /* the new job */
};

/* ---- job_admin.c: answers; each ends the question -------------------------------------------- */

void job_asked_answer(JobAsked *asked, Result result, Bytes json);
void job_asked_refuse(JobAsked *asked, Result why);
void job_asked_fail_by_store(JobAsked *asked, Result why);
void job_asked_refuse_unknown(JobAsked *asked);

/* ---- job_order.c: what is done with jobs ----------------------------------------------------- */

/* Whether the question has a word that there is, and says what it has to say with it; else it is
   refused. */
bool job_asked_check(JobAsked *asked);

/* What is no single job's is done. */
void job_asked_order_all(JobAsked *asked);

/* Does it with this job. */
void job_asked_order(JobAsked *asked, const JobRecord *record);

#endif
