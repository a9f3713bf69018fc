/* What the files of JobTable share. */
#ifndef GATEWAY_JOB_TABLE_INTERNAL_H
#define GATEWAY_JOB_TABLE_INTERNAL_H

#include "gateway/job_store/job_owners.h"
#include "gateway/job_store/job_sql.h"
#include "gateway/job_store/job_table.h"

/* What an operation needs until its completion, in an arena of its own. */
typedef struct JobRequest {
    struct JobRequest *next, **at; /* of the table */
    JobTable *table;
    Arena *arena;
    void *owner;
    union {
        JobOnAccepted *accepted;
        JobOnRenewed *renewed;
        JobOnClaimed *claimed;
        JobOnWritten *written;
        JobOnDone *done;
        JobOnOrdered *ordered;
        JobOnRead *read;
        JobOnListed *listed;
    } on;
    const StoreStatement *decides; /* accept, write: it changes a row, or nothing took effect */
    bool has_news;                 /* accept, write: something is told of it */
    const StoreStatement *parks;   /* write: counts its failure; NULL: it is none */
    Bytes definition;              /* of that */

    JobAdmission admission; /* accept */
    bool again;             /* accept: it was tried before */

    Bytes name, limits; /* claim: of the owner; and as JSON */
    int64_t wall;
    int64_t first, last; /* the numbers of its turns, or claims, that are under way */
    uint32_t n_asked;    /* turns under way; 0: the look at jobs that have begun */

    int64_t asked_at, lease; /* renew */
    bool lost;
    JobOrdered *orders;
    uint32_t n_orders;

    const JobRecord **jobs; /* claim, list: with room for `most` */
    uint32_t n_jobs, most;
} JobRequest;

/* Claims of which nobody knows whether they took effect: what they have taken is released first. */
typedef struct JobUnsure {
    struct JobUnsure *next;
    int64_t first, last;
} JobUnsure;

/* From the last claim. */
typedef struct JobParkLimit {
    Bytes definition;
    int64_t park_after;
} JobParkLimit;

struct JobTable {
    JobStorage storage; /* first: an operation finds its table by it */
    const JobSql *sql;
    StorePort *port;
    const char *tag; /* of the store */
    const StoreKeys *keys;
    JobOutbox *outbox;      /* NULL: nobody is told */
    JobOnParked *on_parked; /* NULL: nobody is told */
    void *parked_owner;
    JobRequest *requests;
    JobOwners owners;
    int64_t renewed, lease; /* when the last good renewal was asked for; lease 0: there was none */
    int64_t n_turns;
    JobUnsure *unsure;
    bool telling, more_to_tell;
    int64_t told_accepted; /* when others were told of an accepted job; 0: never */
    Arena *limits_arena;
    JobParkLimit *limits;
    uint32_t n_limits;
};

static inline JobTable *job_table_of(JobStorage *storage)
{
    return (JobTable *)storage;
}

JobRequest *job_request_new(JobTable *table, void *owner);
void job_request_end(JobRequest *request);

typedef void JobOnExecuted(void *request, Result result, StoreTask *task);
void job_request_submit(JobRequest *request, StoreTask *task, JobOnExecuted *on_executed);

/* A conflict is one of gateways that did the same at the same time: nothing took effect, and it may
   be tried again. */
Result job_request_result(const JobRequest *request, Result result);

/* What is to be told of the record is stored with it; and then: it was. */
void job_request_add_news(JobRequest *request, StoreTask *task, const JobRecord *record,
                          int64_t wall);
void job_request_told(const JobRequest *request);

/* Tells other gateways that the job has changed; one after the other, and of several at once. Not a
   part of the change itself: for NOTIFY the server commits one transaction at a time. */
void job_table_tell(JobTable *table, Bytes id);

/* A statement that only one of the databases needs; `sql` NULL: nothing. */
StoreStatement *job_table_add(StoreTask *task, const char *sql);

/* The rows of a statement with JOB_COLUMNS, in the request's arena, at the end of its jobs; `most`
   of them have room. */
void job_request_read(JobRequest *request, const StoreStatement *statement);

/* What claims of which nobody knows the end have taken is released. */
void job_table_forget_unsure(JobTable *table);

/* job_table.c calls these for the table of operations. */
void job_table_accept(JobStorage *storage, const JobAdmission *admission,
                      JobOnAccepted *on_accepted, void *owner);
void job_table_renew(JobStorage *storage, Bytes name, int64_t lease, int64_t now,
                     JobOnRenewed *on_renewed, void *owner);
void job_table_claim(JobStorage *storage, Bytes name, const JobLimit *limits, uint32_t n_limits,
                     uint32_t most, int64_t wall, JobOnClaimed *on_claimed, void *owner);
void job_table_release_all(JobStorage *storage, Bytes name, JobOnDone *on_done, void *owner);
void job_table_write(JobStorage *storage, const JobRecord *record, bool content, bool release,
                     int64_t wall, JobOnWritten *on_written, void *owner);
void job_table_abandon(JobStorage *storage, const JobRecord *record, int64_t wall,
                       JobOnWritten *on_written, void *owner);
void job_table_order(JobStorage *storage, Bytes id, const JobOrder *order, JobOnOrdered *on_ordered,
                     void *owner);
void job_table_unpark(JobStorage *storage, Bytes definition, JobOnDone *on_done, void *owner);
void job_table_migrate(JobStorage *storage, const JobRecord *record, uint32_t revision,
                       uint64_t structure, JobOnOrdered *on_migrated, void *owner);
void job_table_remove(JobStorage *storage, Bytes id, JobOnOrdered *on_removed, void *owner);
void job_table_read(JobStorage *storage, Bytes id, JobOnRead *on_read, void *owner);
void job_table_find(JobStorage *storage, Bytes resource, JobOnRead *on_read, void *owner);
void job_table_list(JobStorage *storage, const JobFilter *filter, JobOnListed *on_listed,
                    void *owner);

#endif
