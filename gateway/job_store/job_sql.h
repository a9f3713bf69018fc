/*
 * JobSql: the statements of the tables of jobs, for one database.
 *
 *      jobs        a row each. `stage`: 0 in the queue, 1 taken at least once, 2 at rest; `behind`:
 * another job of the same resource is executed first; `wake`: nobody looks at it before job_queues
 * of each client and definition: how many are queued, how many of them are `ready` (not behind
 * another one), and when it was served last, as a number that grows with each turn. So whose turn
 * it is, and which of a client's jobs is next, are two steps in an index, however many jobs are
 * queued job_owners  the processes that execute jobs, and that they live job_parks   definitions
 * whose jobs have failed in the same way, one after the other
 *
 * Statements of a task are sent together: what one of them finds is seen by the next one in the
 * tables only. No condition that the gateway would have to check before the commit is used
 * (StoreStatement.expected), for with PostgreSQL that takes three trips in place of one.
 *
 * PostgreSQL executes tasks at the same time. What decides by more than one row takes a lock for
 * its transaction: LOCK_CLAIMS for what takes jobs from queues and from owners, LOCK_RESOURCE for
 * what begins or ends with a resource. They are taken in this order, then rows of job_queues, then
 * of jobs.
 */
#ifndef GATEWAY_JOB_SQL_H
#define GATEWAY_JOB_SQL_H

/* NULL: not needed with this database. Parameters are listed where they are bound. */
typedef struct JobSql {
    const char *lock_claims, *lock_resource, *lock_resource_of;
    /* `_of`: of a resource. The queue NULL: the job's statement does that, too. */
    const char *accept_queue, *accept_job, *accept_queue_of, *accept_job_of;
    const char *accept_why_same, *accept_why_busy, *accept_why_many, *accept_why_much;
    const char *renew, *enroll, *owners, *orders, *ahead, *bury, *orphans;
    const char *wake, *turn, *turn_queue, *turn_job;
    const char *release, *unclaim, *leave;
    const char *seize, *write, *park, *succeed, *promote_queue, *promote_job;
    const char *order_queue, *order_job, *found;
    const char *read, *find_open, *find_latest, *list, *list_client, *list_ordered;
    const char *unpark, *remove_queue, *remove, *tell;
    const char *migrate_from, *migrate_to, *migrate_job;
} JobSql;

/* The columns of each row that a job is read from, in order: job_row.c. */
#define JOB_COLUMNS                                                                                \
    " id, definition, revision, structure, client, resource, request_id, impact, created, keep,"   \
    " behind, state, step, since, changed, step_number, begun, undone, undoing, cancelled, tries," \
    " step_began, due, fault, fault_step, code, message, owner, token, ordered, ordered_by,"       \
    " ordered_why, told, undo_failed,"                                                             \
    " CASE WHEN stage = 0 THEN (SELECT p.cause FROM job_parks p"                                   \
    " WHERE p.definition = jobs.definition AND " JOB_IS_PARKED ") END, "

/* Of a row p of job_parks. */
#define JOB_IS_PARKED "p.most > 0 AND p.times >= p.most"

/* It waits for another try of a call that has failed. `of`: "r.", of a row of jobs. */
#define JOB_IS_RETRYING(of) of "state = 'waiting' AND " of "tries > 0"

extern const JobSql job_sql_sqlite, job_sql_postgresql;

#endif
