#include "gateway/store/store_kinds.h"

#include "base/clock.h"
#include "gateway/store/store_schema.h"

#define HOURS (3600 * SECOND)

#define OLDER(table, key, age)                                                                     \
    "DELETE FROM " table " WHERE " key " IN (SELECT " key " FROM " table " WHERE " age             \
    " < $1 ORDER BY " age " LIMIT " STORE_STEP ")"

#define MEASURE(table, age) "SELECT count(*), coalesce(min(" age "), 0) FROM " table

#define OLD_JOBS                                                                                   \
    "SELECT id FROM jobs WHERE expires > 0 AND expires < $1 ORDER BY expires, id "                 \
    "LIMIT " STORE_STEP

static int64_t keep_gateways(const Config *config)
{
    return config->store.keep_gateways;
}

static int64_t keep_audit(const Config *config)
{
    return config->store.keep_audit;
}

static int64_t keep_failures(const Config *config)
{
    return config->store.keep_failures;
}

static int64_t keep_annotations(const Config *config)
{
    return config->store.keep_annotations;
}

/* Each says so itself: `expires`. */
static int64_t keep_jobs(const Config *config)
{
    return 0;
}

/* Of clients that have had no job queued for so long: what is lost is whose turn it was. */
static int64_t keep_job_queues(const Config *config)
{
    return 24 * HOURS;
}

/* Until an operator says otherwise, whenever that is. */
static int64_t keep_always(const Config *config)
{
    return 10 * 365 * 24 * HOURS;
}

/* The client's name and its hash may both have rows of one kind: they do not become one. */
#define FORGET_CLIENT                                                                              \
    " SET client = CASE WHEN client = $2 THEN $1 ELSE $1 || '*' END WHERE client IN ($2, $3)"

/* Those that a webhook does not have any more: whoever sends them deletes them before. */
static int64_t keep_job_events(const Config *config)
{
    int64_t longest = 24 * HOURS;
    for (uint32_t i = 0; i < config->n_job_webhooks; i++)
        if (config->job_webhooks[i].tries_for > longest)
            longest = config->job_webhooks[i].tries_for;
    return 2 * longest;
}

static int64_t keep_idempotency(const Config *config)
{
    return config->store.keep_idempotency;
}

/* What was rolled back stays so until an operator says otherwise, whenever that is. */
static int64_t keep_rollouts(const Config *config)
{
    return 10 * 365 * 24 * HOURS;
}

/* After the trial that they belong to. */
static int64_t keep_rollout_rests(const Config *config)
{
    return 24 * HOURS;
}

/* What belongs to a rollout is needed while its trial is open. */
#define LEFT_OF_ROLLOUT(table, key)                                                                \
    "DELETE FROM " table " WHERE (rollout, " key ") IN (SELECT t.rollout, t." key " FROM " table   \
    " t WHERE t.at < $1 AND NOT EXISTS (SELECT 1 FROM rollouts r WHERE r.id = t.rollout"           \
    " AND r.trial = t.trial AND r.open = 1) LIMIT " STORE_STEP ")"

static int64_t keep_usage(const Config *config)
{
    return config->usage.on ? config->usage.keep : 30 * 24 * HOURS;
}

/* Longer than gateways believe what another one needs: it is of their next word. */
static int64_t keep_limit_needs(const Config *config)
{
    return 24 * HOURS;
}

/* Since a gateway has last had the key in its config, of which it tells each day. */
static int64_t keep_key_uses(const Config *config)
{
    int64_t unused = config->access.key_unused * SECOND;
    return (unused > 365 * 24 * HOURS ? unused : 365 * 24 * HOURS) + 7 * 24 * HOURS;
}

static int64_t keep_signals(const Config *config)
{
    return config->signals.keep;
}

/* Of a gateway that has not written for so long. */
static int64_t keep_signal_states(const Config *config)
{
    return 30 * 24 * HOURS;
}

static int64_t keep_feedback(const Config *config)
{
    return config->feedback.keep;
}

static const StoreKind kinds[] = {
    {
        .table = "gateways",
        .since = 1,
        .keep = keep_gateways,
        .delete_old = OLDER("gateways", "node", "last_seen"),
        .measure = MEASURE("gateways", "last_seen"),
    },
    {
        /* It names operators, who are to be found for as long as it is kept, and no clients. */
        .table = "audit",
        .since = 2,
        .keep = keep_audit,
        .delete_old = OLDER("audit", "id", "at"),
        .measure = MEASURE("audit", "at"),
    },
    {
        /* Who the clients are is left out of it: ledger.c. */
        .table = "failures",
        .since = 4,
        .keep = keep_failures,
        .delete_old = OLDER("failures", "id", "last"),
        .measure = MEASURE("failures", "last"),
    },
    {
        .table = "annotations",
        .since = 4,
        .keep = keep_annotations,
        .delete_old = OLDER("annotations", "fingerprint", "at"),
        .measure = MEASURE("annotations", "at"),
    },
    {
        .table = "jobs",
        .since = 6,
        .keep = keep_jobs,
        .delete_old = "DELETE FROM jobs WHERE id IN (" OLD_JOBS ")",
        .uncount = "UPDATE job_queues SET stored = stored - g.size FROM (SELECT definition,"
                   " revision, structure, client, sum(size) AS size FROM jobs"
                   " WHERE id IN (" OLD_JOBS ") GROUP BY definition, revision, structure, client) g"
                   " WHERE job_queues.definition = g.definition"
                   " AND job_queues.revision = g.revision"
                   " AND job_queues.structure = g.structure AND job_queues.client = g.client",
        .measure = MEASURE("jobs", "created"),
        .forget_client = "UPDATE jobs" FORGET_CLIENT,
    },
    {
        .table = "job_queues",
        .since = 6,
        .keep = keep_job_queues,
        .delete_old = "DELETE FROM job_queues WHERE (definition, revision, structure, client) IN"
                      " (SELECT definition, revision, structure, client FROM job_queues"
                      " WHERE queued = 0 AND stored = 0 AND changed < $1 LIMIT " STORE_STEP ")",
        .measure = MEASURE("job_queues", "changed"),
        .forget_client = "UPDATE job_queues" FORGET_CLIENT,
    },
    {
        .table = "job_owners",
        .since = 6,
        .keep = keep_gateways,
        .delete_old = "DELETE FROM job_owners WHERE seen < $1 AND NOT EXISTS"
                      " (SELECT 1 FROM jobs WHERE jobs.owner = job_owners.owner)",
        .measure = MEASURE("job_owners", "seen"),
        .forget_client = "UPDATE job_owners SET client = $1 WHERE client IN ($2, $3)",
    },
    {
        .table = "job_parks",
        .since = 6,
        .keep = keep_always,
        .delete_old = OLDER("job_parks", "definition", "at"),
        .measure = MEASURE("job_parks", "at"),
        .forget_client = "UPDATE job_parks SET client = $1 WHERE client IN ($2, $3)",
    },
    {
        /* How long each is kept at least is its route's: `expires`. */
        .table = "idempotency",
        .since = 7,
        .keep = keep_idempotency,
        .delete_old = OLDER("idempotency", "id", "expires"),
        .measure = MEASURE("idempotency", "at"),
        .forget_client = "DELETE FROM idempotency WHERE client IN ($2, $3) AND client <> $1",
    },
    {
        .table = "rollouts",
        .since = 9,
        .keep = keep_rollouts,
        .delete_old = OLDER("rollouts", "id", "changed"),
        .measure = MEASURE("rollouts", "changed"),
    },
    {
        .table = "rollout_members",
        .since = 9,
        .keep = keep_rollout_rests,
        .delete_old = LEFT_OF_ROLLOUT("rollout_members", "client"),
        .measure = MEASURE("rollout_members", "at"),
        .forget_client = "DELETE FROM rollout_members WHERE client IN ($2, $3) AND client <> $1",
    },
    {
        /* Clients are in it as keyed hashes of 64 bits, of which nobody makes a name. */
        .table = "rollout_samples",
        .since = 9,
        .keep = keep_rollout_rests,
        .delete_old = LEFT_OF_ROLLOUT("rollout_samples", "node"),
        .measure = MEASURE("rollout_samples", "at"),
    },
    {
        .table = "rollout_acts",
        .since = 9,
        .keep = keep_rollouts,
        .delete_old = "DELETE FROM rollout_acts WHERE (rollout, revision) IN (SELECT rollout,"
                      " revision FROM rollout_acts WHERE at < $1 LIMIT " STORE_STEP ")",
        .measure = MEASURE("rollout_acts", "at"),
    },
    {
        .table = "job_events",
        .since = 10,
        .keep = keep_job_events,
        .delete_old = "DELETE FROM job_events WHERE (webhook, job, number) IN"
                      " (SELECT webhook, job, number FROM job_events WHERE at < $1"
                      " ORDER BY at LIMIT " STORE_STEP ")",
        .measure = MEASURE("job_events", "at"),
        .forget_client = "DELETE FROM job_events WHERE client IN ($2, $3) AND client <> $1",
    },
    {
        .table = "usage",
        .since = 12,
        .keep = keep_usage,
        .delete_old =
            "DELETE FROM usage WHERE (service, version, method, field, client, shared, period) IN"
            " (SELECT service, version, method, field, client, shared, period FROM usage"
            " WHERE last < $1 ORDER BY last LIMIT " STORE_STEP ")",
        .measure = MEASURE("usage", "last"),
        .forget_client = "UPDATE usage" FORGET_CLIENT,
    },
    {
        /* What ended stays so for as long as the config has its `retire`. */
        .table = "retirements",
        .since = 12,
        .keep = keep_always,
        .delete_old = OLDER("retirements", "service || ' ' || version", "watched"),
        .measure = MEASURE("retirements", "watched"),
    },
    {
        /* Keys are hashes, which name nobody. */
        .table = "limit_needs",
        .since = 19,
        .keep = keep_limit_needs,
        .delete_old = "DELETE FROM limit_needs WHERE (part, key, node) IN (SELECT part, key, node"
                      " FROM limit_needs WHERE at < $1 LIMIT " STORE_STEP ")",
        .measure = MEASURE("limit_needs", "at"),
    },
    {
        .table = "limit_seeds",
        .since = 19,
        .keep = keep_always,
        .delete_old = OLDER("limit_seeds", "id", "at"),
        .measure = MEASURE("limit_seeds", "at"),
    },
    {
        /* Keys are hashes; whose they are is in their files only. */
        .table = "key_uses",
        .since = 22,
        .keep = keep_key_uses,
        .delete_old = "DELETE FROM key_uses WHERE (key, node) IN (SELECT key, node FROM key_uses"
                      " WHERE seen < $1 LIMIT " STORE_STEP ")",
        .measure = MEASURE("key_uses", "seen"),
    },
    {
        .table = "signals",
        .since = 23,
        .keep = keep_signals,
        .delete_old = OLDER("signals", "id", "at"),
        .measure = MEASURE("signals", "at"),
        .forget_client = "DELETE FROM signals WHERE client IN ($2, $3) AND client <> $1",
    },
    {
        /* Clients are in it as hashes of 64 bits, of which nobody makes a name. */
        .table = "signal_states",
        .since = 23,
        .keep = keep_signal_states,
        .delete_old = OLDER("signal_states", "node", "at"),
        .measure = MEASURE("signal_states", "at"),
    },
    {
        .table = "feedback",
        .since = 23,
        .keep = keep_feedback,
        .delete_old = OLDER("feedback", "id", "entered"),
        .measure = MEASURE("feedback", "entered"),
        .forget_client = "DELETE FROM feedback WHERE client IN ($2, $3) AND client <> $1",
    },
};

const StoreKinds store_kinds = {kinds, sizeof kinds / sizeof *kinds};

int64_t store_kind_keep(const StoreKind *kind, const Config *config)
{
    int64_t keep = kind->keep(config), retention = config->identity.retention;
    return kind->forget_client && retention < keep ? retention : keep;
}

/* ---- Forgetting a client --------------------------------------------------------------------- */

/* Changes no row, or is a conflict. */
static const char schema_is_known[] = "UPDATE store_schema SET number = number WHERE number > $1";

StoreTask *store_kinds_forget_client(const StoreKinds *all, Bytes pseudonym, Bytes name, Bytes hash)
{
    StoreTask *task = store_task_new(STORE_PROMISED);
    StoreStatement *s = store_task_add(task, schema_is_known);
    store_bind_integer(s, store_schema_number());
    s->expected = 0;
    for (size_t i = 0; i < all->n; i++) {
        if (!all->kinds[i].forget_client)
            continue;
        s = store_task_add(task, all->kinds[i].forget_client);
        store_bind_text(task, s, pseudonym);
        store_bind_text(task, s, name);
        store_bind_text(task, s, hash);
    }
    return task;
}

int64_t store_kinds_forgotten(const StoreTask *task)
{
    int64_t n = 0;
    for (const StoreStatement *s = task->first; s; s = s->next)
        n += s->changed;
    return n;
}
