#include "gateway/job_store/job_sql.h"

#include "gateway/job_store/job_table.h"

#include <stddef.h>

#define KIND "definition, revision, structure"
#define SAME_KIND(a, b)                                                                            \
    a ".definition = " b ".definition AND " a ".revision = " b ".revision AND " a                  \
      ".structure = " b ".structure"

#define RETURNING " RETURNING" JOB_COLUMNS "content"

/* ---- Accepting -------------------------------------------------------------------------------
 * $1 definition, $2 revision, $3 structure, $4 client, $5 resource, $6 id, $7 created: of both */

#define IS_BUSY                                                                                    \
    "($5 <> '' AND EXISTS (SELECT 1 FROM jobs b WHERE b.resource = $5 AND b.resource <> ''"        \
    " AND b.stage < 2))"

/* Without a resource: spares the server the planning. */
#define IS_NEVER_BUSY "($5 <> '')"

/* $8 refuse if busy, $9 the most queued ones; 0: any number; $10 size, $11 the most that may be
   stored, of which the first one has enough. Changes a row if it is accepted, and
   marks it with the id: so the next statement knows. */
#define IS_NEW "NOT EXISTS (SELECT 1 FROM jobs s WHERE s.id = $6) AND "
#define ACCEPT_QUEUE(is_new, is_busy)                                                              \
    "INSERT INTO job_queues AS q (" KIND                                                           \
    ", client, queued, ready, served, latest, changed, stored)"                                    \
    " SELECT $1, $2, $3, $4, 1, CASE WHEN " is_busy " THEN 0 ELSE 1 END, 0, $6, $7, $10"           \
    " WHERE " is_new "NOT ($8 = 1 AND " is_busy ")"                                                \
    " ON CONFLICT (" KIND ", client) DO UPDATE SET queued = q.queued + 1,"                         \
    " ready = q.ready + excluded.ready, latest = excluded.latest, changed = excluded.changed,"     \
    " stored = q.stored + excluded.stored"                                                         \
    " WHERE ($9 = 0 OR q.queued < $9) AND q.stored + excluded.stored <= $11"

/* Request id, impact, keep, due, content, what was told, size: $8 to $14, or behind the ones above.
 */
#define ACCEPT_JOB(is_busy, more, from)                                                            \
    "INSERT INTO jobs (" KIND ", client, resource, id, created, since, changed, request_id,"       \
    " impact, keep, due, wake, content, told, size, stage, behind, state)"                         \
    " SELECT $1, $2, $3, $4, $5, $6, $7, $7, $7, " more ", 0,"                                     \
    " CASE WHEN " is_busy " THEN 1 ELSE 0 END, 'queued' FROM " from

#define ACCEPT_JOB_ALONE(is_busy)                                                                  \
    ACCEPT_JOB(is_busy, "$8, $9, $10, $11, $11, $12, $13, $14",                                    \
               "job_queues q WHERE q.definition = $1 AND q.revision = $2 AND q.structure = $3"     \
               " AND q.client = $4 AND q.latest = $6")

/* Both in one, where the database can. A job that is there already makes a conflict, so that
   nothing else of the transaction counts. */
#define ACCEPT(is_busy)                                                                            \
    "WITH counted AS (" ACCEPT_QUEUE("", is_busy) " RETURNING 1) " ACCEPT_JOB(                     \
        is_busy, "$12, $13, $14, $15, $15, $16, $17, $10", "counted")

/* $1 definition, $2 revision, $3 structure, $4 client. */
#define WHY                                                                                        \
    "SELECT 1 FROM job_queues WHERE definition = $1 AND revision = $2 AND structure = $3"          \
    " AND client = $4 AND "

/* ---- Owners ---------------------------------------------------------------------------------- */

/* $1 owner, $2 beat, $3 lease, $4 wall. */
#define RENEW "UPDATE job_owners SET beat = $2, lease = $3, seen = $4 WHERE owner = $1"
#define ENROLL                                                                                     \
    "INSERT INTO job_owners (owner, beat, lease, seen) VALUES ($1, $2, $3, $4)"                    \
    " ON CONFLICT (owner) DO NOTHING"

/* $1 wall, $2 the latest time that a right clock may have written. The wait is as long as it was
   to be, from now on. */
#define AHEAD                                                                                      \
    "UPDATE jobs SET due = CASE WHEN due > changed THEN $1 + (due - changed) ELSE due END,"        \
    " wake = CASE WHEN wake > changed THEN $1 + (wake - changed) ELSE wake END, changed = $1"      \
    " WHERE stage = 1 AND owner = '' AND changed > $2"

/* $1 owner, $2 the beat that did not change. */
#define BURY "DELETE FROM job_owners WHERE owner = $1 AND beat = $2"
#define FREE " SET owner = '', token = token + 1, wake = due WHERE "
#define ORPHANS                                                                                    \
    "UPDATE jobs" FREE "owner <> '' AND NOT EXISTS"                                                \
    " (SELECT 1 FROM job_owners o WHERE o.owner = jobs.owner)"

/* ---- Claiming --------------------------------------------------------------------------------
 * `known`: the limits as a table k. The count stands for EXISTS, which a planner may turn into a
 * join of all jobs. */

#define TAKE " SET owner = $1, token = token + 1, claim = "

/* $1 owner, $2 limits, $3 wall, $4 the most, $5 number of the claim. */
#define WAKE(known, for_update)                                                                    \
    "UPDATE jobs" TAKE "$5 WHERE id IN (SELECT j.id FROM jobs j WHERE j.stage = 1"                 \
    " AND j.owner = '' AND j.wake <= $3"                                                           \
    " AND (j.behind = 0 OR (j.state = 'queued' AND j.ordered <> ''))"                              \
    " AND (SELECT count(*) FROM " known " WHERE " SAME_KIND(                                       \
        "k", "j") ") > 0"                                                                          \
                  " ORDER BY j.wake LIMIT $4" for_update ")"                                       \
                  " AND EXISTS (SELECT 1 FROM job_owners o WHERE o.owner = $1)" RETURNING

/* Those that nobody executes do not count: that nobody has, and of which the claiming gateway has
   no definition. */
#define COUNT(known, which)                                                                        \
    "(SELECT count(*) FROM jobs r WHERE r.stage = 1 AND " which                                    \
    " AND (r.owner <> '' OR (SELECT count(*) FROM " known                                          \
    " WHERE " SAME_KIND("k", "r") ") > 0) AND r.definition = "

/* Those that wait hold no place. */
#define RUNNING(known) COUNT(known, "r.state <> 'waiting'")
#define RETRYING(known) COUNT(known, JOB_IS_RETRYING("r."))

/* `turns`: the condition of the index job_queues_turn, of a queue of which something is ready.
   Of each definition the client that was served least recently; of these that of the greatest
   impact, and of these the one of which the fewest run. The owner's row notes it. $1 owner, $2
   limits, $3 number of the turn. */
#define MAY_HAVE_MORE(most, count, of) "(" most " = 0 OR " count of ") < " most ")"
#define OF_CLIENT "q.definition AND r.client = q.client"
#define NEXT_CLIENT(known, turns)                                                                  \
    "(SELECT q.client FROM job_queues q WHERE " SAME_KIND(                                         \
        "q", "k") " AND q." turns                                                                  \
                  " AND " MAY_HAVE_MORE(                                                           \
                      "k.client_most", RUNNING(known),                                             \
                      OF_CLIENT) " AND " MAY_HAVE_MORE("k.client_retrying_most", RETRYING(known),  \
                                                       OF_CLIENT) " ORDER BY q.served, q.client "  \
                                                                  "LIMIT 1)"
#define IS_NOT_PARKED                                                                              \
    "(k.park_after = 0 OR NOT EXISTS (SELECT 1 FROM job_parks c"                                   \
    " WHERE c.definition = k.definition AND c.times >= k.park_after))"
#define TURN(known, turns)                                                                         \
    "UPDATE job_owners SET turn = $3, definition = p.definition, revision = p.revision,"           \
    " structure = p.structure, client = p.client FROM (SELECT m.* FROM (SELECT k." KIND            \
    ", k.impact, k.running_most, " RUNNING(                                                        \
        known) "k.definition) AS running,"                                                         \
               " " NEXT_CLIENT(                                                                    \
                   known,                                                                          \
                   turns) " AS client FROM " known " WHERE " IS_NOT_PARKED                         \
                          " AND " MAY_HAVE_MORE(                                                   \
                              "k.retrying_most", RETRYING(known),                                  \
                              "k.definition") ") m"                                                \
                                              " WHERE m.client IS NOT NULL AND (m.running_most = " \
                                              "0 OR m.running < m.running_most)"                   \
                                              " ORDER BY m.impact DESC, m.running, m.definition "  \
                                              "LIMIT 1) p WHERE job_owners.owner = $1"

#define OF_TURN "(SELECT o." KIND ", o.client FROM job_owners o WHERE o.owner = $1 AND o.turn = $2)"

/* $1 owner, $2 the number of the turn, $3 wall. */
#define TURN_QUEUE(turns)                                                                          \
    "UPDATE job_queues SET queued = queued - 1, ready = ready - 1, changed = $3, served = 1 + "    \
    "(SELECT max(s.served) FROM job_queues s WHERE " SAME_KIND(                                    \
        "s", "job_queues") " AND s." turns ") WHERE " turns " AND (" KIND ", client) = " OF_TURN

/* $1 owner, $2 the number of the turn. */
#define TURN_JOB(for_update)                                                                       \
    "UPDATE jobs" TAKE "$2, stage = 1 WHERE stage = 0 AND behind = 0 AND id = (SELECT j.id"        \
    " FROM jobs j WHERE j.stage = 0 AND j.behind = 0 AND (j.definition, j.revision, j.structure,"  \
    " j.client) = " OF_TURN " ORDER BY j.id LIMIT 1" for_update ")" RETURNING

/* ---- Writing --------------------------------------------------------------------------------- */

/* Another order came since the job was read. */
#define PENDING "(ordered <> '' AND ordered <> $19)"
/* An order for a job that has failed meanwhile is carried out: it is not at rest then. */
#define AT_REST "($4 IN ('undone', 'done') OR ($4 = 'failed' AND NOT " PENDING "))"

/* $1 id, $2 owner, $3 token; $4 state, $5 step, $6 its number, $7 begun, $8 undone, $9 undoing, $10
   cancelled, $11 tries, $12 when the step began, $13 due; $14 fault, $15 its step, $16 code, $17
   message; $18 wall, $19 the order that is carried out, $20 release, $21 content or NULL, $22 what
   was told, $23 steps whose undos have failed. */
#define WRITE                                                                                      \
    "UPDATE jobs SET since = CASE WHEN state = $4 AND step = $5 THEN since ELSE $18 END,"          \
    " changed = $18, state = $4, step = $5, step_number = $6, begun = $7, undone = $8,"            \
    " undoing = $9, cancelled = $10, tries = $11, step_began = $12, due = $13, fault = $14,"       \
    " fault_step = $15, code = $16, message = $17, content = coalesce($21, content), told = $22,"  \
    " undo_failed = $23,"                                                                          \
    " wake = CASE WHEN " PENDING " THEN 0 ELSE CAST($13 AS BIGINT) END,"                           \
    " stage = CASE WHEN " AT_REST " THEN 2 ELSE 1 END,"                                            \
    " expires = CASE WHEN " AT_REST " THEN $18 + keep ELSE 0 END,"                                 \
    " owner = CASE WHEN $20 = 1 THEN '' ELSE owner END,"                                           \
    " ordered = CASE WHEN $4 IN ('undone', 'done') OR ordered = $19 THEN '' ELSE ordered END"      \
    " WHERE id = $1 AND owner = $2 AND token = $3"

/* $1 id, $2 token, $3 wall: of the write before; $4 park_after. The job that failed is the cause.
   What fails for one client only, again and again, counts once: it must not stop the jobs of
   others. */
#define PARK                                                                                       \
    "INSERT INTO job_parks AS p (definition, cause, client, times, at, most)"                      \
    " SELECT j.definition, j.fault_step || ' ' || j.fault, j.client, 1, $3, $4 FROM jobs j"        \
    " WHERE j.id = $1 AND j.token = $2 AND j.changed = $3 AND j.state = 'failed'"                  \
    " ON CONFLICT (definition) DO UPDATE SET at = excluded.at, cause = excluded.cause,"            \
    " client = excluded.client, most = excluded.most, times = CASE WHEN p.cause <> "               \
    "excluded.cause THEN 1"                                                                        \
    " WHEN p.client = excluded.client THEN p.times ELSE p.times + 1 END"                           \
    " RETURNING times, cause"

/* What is parked stays so. $1 id, $2 token, $3 park_after. */
#define SUCCEED                                                                                    \
    "DELETE FROM job_parks WHERE times < $3 AND definition = (SELECT j.definition FROM jobs j"     \
    " WHERE j.id = $1 AND j.token = $2 AND j.state = 'done')"

/* The first one of the resource, if no other one is executed. $1 resource. */
#define OPEN "FROM jobs b WHERE b.resource = $1 AND b.resource <> '' AND b.stage < 2"
#define NEXT                                                                                       \
    "(SELECT min(b.id) " OPEN " AND NOT EXISTS (SELECT 1 FROM jobs a WHERE a.resource = $1"        \
    " AND a.resource <> '' AND a.stage < 2 AND a.behind = 0))"
#define PROMOTE_QUEUE                                                                              \
    "UPDATE job_queues SET ready = ready + 1 WHERE (" KIND ", client) = (SELECT n." KIND           \
    ", n.client FROM jobs n WHERE n.id = " NEXT " AND n.stage = 0)"
#define PROMOTE_JOB "UPDATE jobs SET behind = 0 WHERE id = " NEXT

/* ---- Orders ---------------------------------------------------------------------------------- */

/* Out of the queue, to be cancelled. $1 id, $2 the order. */
#define ORDER_QUEUE                                                                                \
    "UPDATE job_queues SET queued = queued - 1,"                                                   \
    " ready = ready - (SELECT 1 - j.behind FROM jobs j WHERE j.id = $1)"                           \
    " WHERE $2 = 'cancel' AND (" KIND ", client) = (SELECT j." KIND ", j.client FROM jobs j"       \
    " WHERE j.id = $1 AND j.stage = 0)"

/* As job_order_fits. $1 id, $2 the order, $3 who, $4 why. One at rest wakes up, and waits for its
   turn on its resource. */
#define ORDER_JOB                                                                                  \
    "UPDATE jobs SET ordered = $2, ordered_by = $3, ordered_why = $4, wake = 0, stage = 1,"        \
    " expires = 0, behind = CASE WHEN stage = 2 THEN (SELECT CASE WHEN count(*) > 0 THEN 1"        \
    " ELSE 0 END FROM jobs b WHERE b.resource = jobs.resource AND b.resource <> ''"                \
    " AND b.stage < 2) ELSE behind END"                                                            \
    " WHERE id = $1 AND (ordered = '' OR $2 = 'cancel') AND CASE $2"                               \
    " WHEN 'cancel' THEN state NOT IN ('undone', 'failed', 'done')"                                \
    " WHEN 'undo' THEN state IN ('failed', 'done')"                                                \
    " WHEN 'arrived' THEN state = 'waiting'"                                                       \
    " ELSE state = 'failed' END"

/* ---- Other revisions -------------------------------------------------------------------------
 * $1 id, $2 token, $3 and $4 revision and structure so far, $5 and $6 those from now on. */

#define STILL                                                                                      \
    "j.id = $1 AND j.token = $2 AND j.revision = $3 AND j.structure = $4 AND j.owner = ''"         \
    " AND j.ordered = '' AND j.state NOT IN ('done', 'undone')"
#define QUEUED "CASE WHEN j.stage = 0 THEN 1 ELSE 0 END"
#define READY "CASE WHEN j.stage = 0 THEN 1 - j.behind ELSE 0 END"
#define MIGRATE_FROM                                                                               \
    "UPDATE job_queues SET queued = job_queues.queued - m.queued,"                                 \
    " ready = job_queues.ready - m.ready, stored = job_queues.stored - m.size"                     \
    " FROM (SELECT " KIND ", client, size, " QUEUED " AS queued, " READY " AS ready"               \
    " FROM jobs j WHERE " STILL ") m"                                                              \
    " WHERE " SAME_KIND("job_queues", "m") " AND job_queues.client = m.client"
#define MIGRATE_TO                                                                                 \
    "INSERT INTO job_queues AS q (" KIND                                                           \
    ", client, queued, ready, served, latest, changed, stored)"                                    \
    " SELECT j.definition, $5, $6, j.client, " QUEUED ", " READY ", 0, j.id, j.changed, j.size"    \
    " FROM jobs j WHERE " STILL " ON CONFLICT (" KIND ", client) DO UPDATE SET"                    \
    " queued = q.queued + excluded.queued, ready = q.ready + excluded.ready,"                      \
    " stored = q.stored + excluded.stored"
#define MIGRATE_JOB                                                                                \
    "UPDATE jobs AS j SET revision = $5, structure = $6,"                                          \
    " wake = CASE WHEN j.stage = 1 THEN 0 ELSE j.wake END WHERE " STILL

/* ---- Reading --------------------------------------------------------------------------------- */

#define SELECT_JOB "SELECT" JOB_COLUMNS "content FROM jobs WHERE "
#define FIND_OPEN                                                                                  \
    SELECT_JOB "resource = $1 AND resource <> '' AND stage < 2 ORDER BY behind, id LIMIT 1"
#define FIND_LATEST SELECT_JOB "resource = $1 AND resource <> '' ORDER BY id DESC LIMIT 1"

/* Of one state, the latest first. $1 state, $2 id of the last one before, or a text behind all ids;
   $3 the most; $4 method, and $5, $6: names from it up to it; $7 step, $8 resource, $9 since before
   or 0, $10 JobListed. */
#define LIST_COLUMNS                                                                               \
    "SELECT" JOB_COLUMNS "CASE WHEN $10 = 2 OR ($10 = 1 AND state = 'done') THEN content END"      \
    " FROM jobs WHERE "
#define FILTERS                                                                                    \
    "id < $2 AND ($4 = '' OR definition = $4 OR (definition > $5 AND definition < $6))"            \
    " AND ($7 = '' OR step = $7) AND ($8 = '' OR resource = $8) AND (since < $9 OR $9 = 0)"
#define LIST LIST_COLUMNS "state = $1 AND " FILTERS " ORDER BY id DESC LIMIT $3"

/* Of those that have an order, and nobody. Few of all: not by the index of states. */
#define LIST_ORDERED                                                                               \
    LIST_COLUMNS "state || '' = $1 AND ordered <> '' AND owner = '' AND " FILTERS                  \
                 " ORDER BY id DESC LIMIT $3"

/* $1 client, $11 state, or empty. */
#define LIST_CLIENT                                                                                \
    LIST_COLUMNS "client = $1 AND " FILTERS " AND ($11 = '' OR state = $11)"                       \
                 " ORDER BY id DESC LIMIT $3"

/* ---- Both databases -------------------------------------------------------------------------- */

#define KNOWN_SQLITE                                                                               \
    "(SELECT value->>'definition' AS definition, value->>'revision' AS revision,"                  \
    " value->>'structure' AS structure, value->>'impact' AS impact,"                               \
    " value->>'running' AS running_most, value->>'client' AS client_most,"                         \
    " value->>'retrying' AS retrying_most,"                                                        \
    " value->>'client_retrying' AS client_retrying_most,"                                          \
    " value->>'park' AS park_after FROM json_each($2)) k"
#define KNOWN_POSTGRESQL                                                                           \
    "(SELECT definition, revision, structure, impact, running AS running_most,"                    \
    " client AS client_most, retrying AS retrying_most, client_retrying AS client_retrying_most,"  \
    " park AS park_after FROM json_to_recordset($2::json)"                                         \
    " AS r(definition text, revision bigint, structure bigint, impact bigint, running bigint,"     \
    " client bigint, retrying bigint, client_retrying bigint, park bigint)) k"

#define FOR_BOTH                                                                                   \
    .accept_why_same = "SELECT 1 FROM jobs WHERE id = $1", .accept_why_many = WHY "queued >= $5",  \
    .accept_why_much = WHY "stored + $5 > $6",                                                     \
    .accept_why_busy = "SELECT b.id " OPEN " ORDER BY b.behind, b.id LIMIT 1", .renew = RENEW,     \
    .enroll = ENROLL, .owners = "SELECT owner, beat, lease FROM job_owners",                       \
    .orders = "SELECT id, ordered, ordered_by, ordered_why FROM jobs WHERE owner = $1"             \
              " AND owner <> '' AND ordered <> ''",                                                \
    .ahead = AHEAD, .bury = BURY, .orphans = ORPHANS,                                              \
    .release = "UPDATE jobs" FREE "owner = $1 AND owner <> ''",                                    \
    .unclaim = "UPDATE jobs" FREE "owner = $1 AND owner <> '' AND claim >= $2 AND claim <= $3",    \
    .leave = "DELETE FROM job_owners WHERE owner = $1", .write = WRITE, .park = PARK,              \
    .succeed = SUCCEED, .promote_queue = PROMOTE_QUEUE, .promote_job = PROMOTE_JOB,                \
    .order_queue = ORDER_QUEUE, .order_job = ORDER_JOB,                                            \
    .found = "SELECT 1 FROM jobs WHERE id = $1", .read = SELECT_JOB "id = $1",                     \
    .find_open = FIND_OPEN, .find_latest = FIND_LATEST, .list = LIST, .list_client = LIST_CLIENT,  \
    .list_ordered = LIST_ORDERED,                                                                  \
    .seize = "UPDATE jobs SET owner = $3, token = token + 1"                                       \
             " WHERE id = $1 AND token = $2 AND owner = ''",                                       \
    .migrate_from = MIGRATE_FROM, .migrate_to = MIGRATE_TO, .migrate_job = MIGRATE_JOB,            \
    .unpark = "DELETE FROM job_parks WHERE definition = $1",                                       \
    .remove = "DELETE FROM jobs WHERE id = $1 AND stage = 2",                                      \
    .remove_queue = "UPDATE job_queues SET stored = stored - (SELECT j.size FROM jobs j"           \
                    " WHERE j.id = $1) WHERE (" KIND ", client) = (SELECT j." KIND                 \
                    ", j.client FROM jobs j WHERE j.id = $1 AND j.stage = 2)"

const JobSql job_sql_sqlite = {
    FOR_BOTH,
    .accept_queue = ACCEPT_QUEUE(IS_NEW, IS_NEVER_BUSY),
    .accept_job = ACCEPT_JOB_ALONE(IS_NEVER_BUSY),
    .accept_queue_of = ACCEPT_QUEUE(IS_NEW, IS_BUSY),
    .accept_job_of = ACCEPT_JOB_ALONE(IS_BUSY),
    .wake = WAKE(KNOWN_SQLITE, ""),
    .turn = TURN(KNOWN_SQLITE, "ready > 0"),
    .turn_queue = TURN_QUEUE("ready > 0"),
    .turn_job = TURN_JOB(""),
};

/* The numbers are this file's: the first one of two that a lock has is 0x6a6f6273, "jobs". */
const JobSql job_sql_postgresql = {
    FOR_BOTH,
    .accept_job = ACCEPT(IS_NEVER_BUSY),
    .accept_job_of = ACCEPT(IS_BUSY),
    .lock_claims = "SELECT pg_advisory_xact_lock(1785684595, 0)",
    .lock_resource = "SELECT pg_advisory_xact_lock(hashtextextended($1, 1785684595))",
    .lock_resource_of = "SELECT pg_advisory_xact_lock(hashtextextended(resource, 1785684595))"
                        " FROM jobs WHERE id = $1 AND resource <> ''",
    /* As STORE_SOON, in one statement: it is told of each job. */
    .tell = "SELECT pg_notify('" JOB_CHANNEL "', $1),"
            " set_config('synchronous_commit', 'off', true)",
    .wake = WAKE(KNOWN_POSTGRESQL, " FOR UPDATE OF j SKIP LOCKED"),
    .turn = TURN(KNOWN_POSTGRESQL, "turns"),
    .turn_queue = TURN_QUEUE("turns"),
    .turn_job = TURN_JOB(" FOR UPDATE SKIP LOCKED"),
};
