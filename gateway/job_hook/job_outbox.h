/*
 * JobOutbox: what is to be told of jobs, in the store (table `job_events`): a row for each webhook
 * and each state, from the transaction that stores the state until the webhook has taken it.
 *
 *      [due] --take--> [taken: due again, if nobody says how it went] --done--> gone
 *        ^                                 |
 *        +-------------- later ------------+
 *
 * Rows of a job are told one after the other: the next one is not taken before the one before is
 * gone. Gateways that share a store share the rows. Whoever dies with some that it has taken leaves
 * them to the others. Times are wall nanoseconds: a clock that is wrong makes a row wait, or be
 * told twice, and no more than that.
 */
#ifndef GATEWAY_JOB_OUTBOX_H
#define GATEWAY_JOB_OUTBOX_H

#include "gateway/job_store/job_table.h"

typedef struct JobPostman JobPostman;

/* What a JobTable tells: to the webhooks of the config. On the table's loop. */
typedef struct JobHooks {
    JobOutbox outbox;
    const Config *config; /* that of the loop */
    JobPostman *postman;  /* is told that there is something; outlives it */
} JobHooks;

void job_hooks_init(JobHooks *hooks, const Config *config, JobPostman *postman);

/* ---- For the postman ------------------------------------------------------------------------- */

/* A row that was taken, in an arena of its own. */
typedef struct JobLetter {
    struct JobLetter *next;
    Arena *arena;
    const char *id;
    Bytes job;
    uint64_t number;
    uint32_t tries; /* with the one that begins now */
    int64_t at;     /* when the job came to the state */
    Bytes json;     /* empty: it cannot be read, as `damage` says */
    Result damage;
} JobLetter;

/* Takes what is due, `most` of them or a few more, which are due again at `until` unless somebody
   says how it went. The caller frees their arenas. The error lives in the arena. */
MUST_USE Result job_outbox_take(Store *store, const StoreKeys *keys, const char *webhook,
                                uint32_t most, int64_t wall, int64_t until, Arena *arena,
                                JobLetter **letters_out);

/* It was told, or was given up. If the store does not say that it is gone it is told again. */
MUST_USE Result job_outbox_done(Store *store, const char *webhook, const JobLetter *letter,
                                Arena *arena);

/* It is told again then. */
MUST_USE Result job_outbox_later(Store *store, const char *webhook, const JobLetter *letter,
                                 int64_t due, Arena *arena);

/* A row that is due later than this from now was written by a clock that was wrong. */
#define JOB_OUTBOX_WAIT_MOST (7200 * SECOND)

#endif
