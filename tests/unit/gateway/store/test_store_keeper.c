/* What is kept for how long, on a clock of the test's own; on SQLite, and on PostgreSQL where the
   environment names one (POSTGRESQL). */
#include "tests/unit/check.h"
#include "tests/unit/gateway/store/clock_double.h"

#include "gateway/store/store_keeper.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define HOUR (3600 * SECOND)

/* ---- The bench ------------------------------------------------------------------------------- */

static int64_t keep_visits(const Config *config)
{
    return config->store.keep_audit;
}

/* One kind that names clients, and one that does not. */
static const StoreKind kinds[] = {
    {
        .table = "visits",
        .since = 1,
        .keep = keep_visits,
        .delete_old = "DELETE FROM visits WHERE id IN (SELECT id FROM visits WHERE at < $1"
                      " ORDER BY at LIMIT " STORE_STEP ")",
        .measure = "SELECT count(*), coalesce(min(at), 0) FROM visits",
        .forget_client = "UPDATE visits SET client = $1 WHERE client IN ($2, $3)",
    },
    {
        .table = "audit",
        .since = 2,
        .keep = keep_visits,
        .delete_old = "DELETE FROM audit WHERE id IN (SELECT id FROM audit WHERE at < $1"
                      " ORDER BY at LIMIT " STORE_STEP ")",
        .measure = "SELECT count(*), coalesce(min(at), 0) FROM audit",
    },
};
static const StoreKinds both = {kinds, 2};

typedef struct Bench {
    Arena *arena;
    uv_loop_t loop;
    Store *store;
    StorePort *port;
    StoreKeeper *keeper;
    Config config;
    char folder[32];
} Bench;

static StoreTask *run(Bench *b, StoreTask *task)
{
    assert_ok(b->arena, store_run(b->store, b->arena, &task));
    return task;
}

static void run_sql(Bench *b, const char *sql)
{
    StoreTask *task = store_task_new(STORE_PROMISED);
    store_task_add(task, sql);
    store_task_free(run(b, task));
}

static const char *metrics(Bench *b)
{
    Buffer out = buffer_in(b->arena);
    Exposition e = {.out = &out};
    store_keeper_metrics_write(&e, b->keeper);
    return arena_text(b->arena, buffer_bytes(&out));
}

static int setup(void **state)
{
    bool postgresql = **(bool **)state;
    Bench *b = calloc(1, sizeof *b);
    b->arena = arena_new(ARENA_UNLIMITED);
    later = jumped = 0;
    strcpy(b->folder, "/tmp/storeXXXXXX");
    assert_non_null(mkdtemp(b->folder));
    StoreSettings settings = {.connections = 1, .queue = 100, .time = 10 * SECOND};
    if (postgresql)
        settings.postgresql = getenv("POSTGRESQL");
    else
        settings.sqlite = arena_printf(b->arena, "%s/store.db", b->folder);
    b->store = store_open(&settings);
    run_sql(b, "DROP TABLE IF EXISTS visits");
    run_sql(b, "CREATE TABLE visits (id BIGINT PRIMARY KEY, at BIGINT, client TEXT)");
    run_sql(b, "DELETE FROM audit");
    assert_int_equal(uv_loop_init(&b->loop), 0);
    b->port = store_port_open(b->store, &b->loop);
    b->keeper = store_keeper_start(&b->loop, b->store, b->port, &both);
    b->config.store.keep_audit = 10 * HOUR;
    b->config.identity.retention = 10 * HOUR;
    store_keeper_use(b->keeper, &b->config);
    *state = b;
    return 0;
}

static int teardown(void **state)
{
    Bench *b = *state;
    jumped = 0; /* by this clock the end of the store's threads is waited for */
    store_keeper_stop(b->keeper);
    store_port_close(b->port);
    uv_run(&b->loop, UV_RUN_DEFAULT);
    assert_int_equal(uv_loop_close(&b->loop), 0);
    store_keeper_free(b->keeper);
    store_close(b->store);
    assert_int_equal(system(arena_printf(b->arena, "rm -rf %s", b->folder)), 0);
    arena_free(b->arena);
    free(b);
    return 0;
}

static void visit(Bench *b, int64_t id, int64_t at, const char *client)
{
    StoreTask *task = store_task_new(STORE_PROMISED);
    StoreStatement *s =
        store_task_add(task, "INSERT INTO visits (id, at, client) VALUES ($1, $2, $3)");
    store_bind_integer(s, id);
    store_bind_integer(s, at);
    store_bind_text(task, s, bytes_of(client));
    store_task_free(run(b, task));
}

static void act(Bench *b, const char *id, int64_t at)
{
    StoreTask *task = store_task_new(STORE_PROMISED);
    StoreStatement *s = store_task_add(
        task, "INSERT INTO audit (id, at, node, who, proved_by, action, why, generation_before,"
              " hash_before, generation_after, hash_after, result)"
              " VALUES ($1, $2, '', 'ada', '', '', '', 0, '', 0, '', '')");
    store_bind_text(task, s, bytes_of(id));
    store_bind_integer(s, at);
    store_task_free(run(b, task));
}

static int64_t count(Bench *b, const char *sql)
{
    StoreTask *task = store_task_new(STORE_SOON);
    StoreStatement *s = store_task_add(task, sql);
    run(b, task);
    int64_t n = s->rows->values[0].integer;
    store_task_free(task);
    return n;
}

static int64_t visits(Bench *b)
{
    return count(b, "SELECT count(*) FROM visits");
}

/* Once all that the keeper has begun is done: its tasks and ours have one order on one thread, and
   each may begin another. */
static void beat(Bench *b)
{
    store_keeper_beat(b->keeper);
    store_keeper_wait(b->keeper);
    for (int i = 0; i < 10; i++) {
        run_sql(b, "SELECT 1");
        uv_run(&b->loop, UV_RUN_NOWAIT);
    }
}

static void assert_shown(Bench *b, const char *sample)
{
    const char *all = metrics(b);
    if (!strstr(all, arena_printf(b->arena, "\n%s\n", sample)))
        fail_msg("no %s in\n%s", sample, all);
}

static int64_t sample(Bench *b, const char *name)
{
    const char *at = strstr(metrics(b), arena_printf(b->arena, "\n%s", name));
    assert_non_null(at);
    return atoll(at + 1 + strlen(name));
}

/* ---- Tests ----------------------------------------------------------------------------------- */

static void what_is_older_than_its_time_is_deleted_and_nothing_else(void **state)
{
    Bench *b = *state;
    later = HOUR;
    int64_t now = clock_wall();
    visit(b, 1, now - 10 * HOUR - SECOND, "ada");
    visit(b, 2, now - 10 * HOUR + 30 * SECOND, "ada");
    act(b, "older", now - 10 * HOUR - SECOND);
    act(b, "younger", now - 10 * HOUR + 30 * SECOND);
    beat(b);
    assert_int_equal(count(b, "SELECT max(id) FROM visits"), 2);
    assert_int_equal(visits(b), 1);
    assert_int_equal(count(b, "SELECT count(*) FROM audit WHERE id = 'younger'"), 1);
    assert_int_equal(count(b, "SELECT count(*) FROM audit"), 1);
    assert_shown(b, "passerelle_store_expired_total{table=\"visits\"} 1");
    assert_shown(b, "passerelle_store_expired_total{table=\"audit\"} 1");
}

static void what_names_clients_is_kept_no_longer_than_clients_may_be(void **state)
{
    Bench *b = *state;
    later = HOUR;
    b->config.identity.retention = HOUR;
    store_keeper_use(b->keeper, &b->config);
    int64_t now = clock_wall();
    visit(b, 1, now - HOUR - SECOND, "ada");
    visit(b, 2, now - HOUR + 30 * SECOND, "ada");
    act(b, "younger", now - HOUR - SECOND);
    beat(b);
    assert_int_equal(count(b, "SELECT max(id) FROM visits"), 2);
    assert_int_equal(visits(b), 1);
    assert_int_equal(count(b, "SELECT count(*) FROM audit"), 1);
}

static void a_retention_for_clients_lengthens_nothing(void **state)
{
    Bench *b = *state;
    later = HOUR;
    b->config.identity.retention = 20 * HOUR;
    store_keeper_use(b->keeper, &b->config);
    visit(b, 1, clock_wall() - 10 * HOUR - SECOND, "ada");
    beat(b);
    assert_int_equal(visits(b), 0);
}

static void more_than_one_step_is_deleted_in_steps(void **state)
{
    Bench *b = *state;
    later = HOUR;
    visit(b, 1, clock_wall() - 11 * HOUR, "ada");
    run_sql(b, "INSERT INTO visits (id, at, client)"
               " WITH RECURSIVE c (n) AS (SELECT 2 UNION ALL SELECT n + 1 FROM c WHERE n < 2500)"
               " SELECT n, visits.at, client FROM c, visits");
    assert_int_equal(visits(b), 2500);
    beat(b);
    assert_int_equal(visits(b), 0);
    assert_shown(b, "passerelle_store_expired_total{table=\"visits\"} 2500");
}

static void in_the_first_hour_nothing_is_deleted(void **state)
{
    Bench *b = *state;
    visit(b, 1, 1, "ada");
    later = HOUR - 30 * SECOND;
    beat(b);
    assert_int_equal(visits(b), 1);
    later = HOUR;
    beat(b);
    assert_int_equal(visits(b), 0);
}

/* By a year: all records are old at once. */
static void jump(Bench *b, int64_t by)
{
    later = 2 * HOUR;
    visit(b, 1, clock_wall(), "ada");
    beat(b);
    assert_int_equal(visits(b), 1);
    jumped = by;
    beat(b);
    assert_int_equal(visits(b), 1);
}

static void after_the_clock_has_jumped_ahead_nothing_is_deleted_for_an_hour(void **state)
{
    Bench *b = *state;
    jump(b, 365 * 24 * HOUR);
    later += HOUR - 30 * SECOND;
    beat(b);
    assert_int_equal(visits(b), 1);
    later += 31 * SECOND;
    beat(b);
    assert_int_equal(visits(b), 0);
}

static void a_clock_that_comes_back_has_cost_nothing(void **state)
{
    Bench *b = *state;
    jump(b, 365 * 24 * HOUR);
    later += HOUR / 2;
    jumped = 0;
    beat(b);
    later += HOUR - 30 * SECOND; /* since it came back */
    beat(b);
    later += HOUR;
    beat(b);
    assert_int_equal(visits(b), 1);
}

static void a_clock_that_jumps_back_deletes_nothing_and_is_not_trusted(void **state)
{
    Bench *b = *state;
    jump(b, -365 * 24 * HOUR);
    visit(b, 2, clock_wall() - 11 * HOUR, "ada");
    beat(b);
    assert_int_equal(visits(b), 2);
    later += HOUR;
    beat(b);
    assert_int_equal(visits(b), 1);
}

static void a_clock_that_is_set_by_less_is_steady(void **state)
{
    Bench *b = *state;
    later = HOUR;
    visit(b, 1, 1, "ada");
    jumped = KEEPER_JUMP - SECOND;
    beat(b);
    assert_int_equal(visits(b), 0);

    visit(b, 1, 1, "ada");
    jumped += KEEPER_JUMP + SECOND;
    beat(b);
    assert_int_equal(visits(b), 1);
}

static void rows_and_the_oldest_are_shown_for_each_kind_and_the_size_of_all(void **state)
{
    Bench *b = *state;
    assert_null(strstr(metrics(b), "passerelle_store_bytes"));
    beat(b);
    assert_shown(b, "passerelle_store_rows{table=\"visits\"} 0");
    assert_null(strstr(metrics(b), "oldest_timestamp_seconds{"));

    visit(b, 1, 5000 * SECOND, "ada");
    visit(b, 2, 4000 * SECOND, "ada");
    beat(b); /* too soon to be measured again, if the first time took a millisecond */
    later = HOUR - 30 * SECOND;
    beat(b);
    assert_shown(b, "passerelle_store_rows{table=\"visits\"} 2");
    assert_shown(b, "passerelle_store_rows{table=\"audit\"} 0");
    assert_shown(b, "passerelle_store_oldest_timestamp_seconds{table=\"visits\"} 4000.000000000");
    int64_t all = sample(b, "passerelle_store_bytes ");
    int64_t visits_only = sample(b, "passerelle_store_table_bytes{table=\"visits\"} ");
    assert_true(visits_only > 0 && visits_only < all);
}

/* ---- Clients that are forgotten -------------------------------------------------------------- */

static Result forget(Bench *b, const char *name, const char *hash, int64_t *n_out)
{
    StoreTask *task =
        store_kinds_forget_client(&both, bytes_of("forgotten-1"), bytes_of(name), bytes_of(hash));
    Result r = store_run(b->store, b->arena, &task);
    *n_out = store_kinds_forgotten(task);
    store_task_free(task);
    return r;
}

static void a_client_is_forgotten_by_its_name_and_by_its_hash_and_no_other_is(void **state)
{
    Bench *b = *state;
    int64_t n;
    visit(b, 1, 1, "ada");
    visit(b, 2, 1, "0123");
    visit(b, 3, 1, "adam");
    visit(b, 4, 1, "");
    assert_ok(b->arena, forget(b, "ada", "0123", &n));
    assert_int_equal(n, 2);
    assert_int_equal(count(b, "SELECT count(*) FROM visits WHERE client = 'forgotten-1'"), 2);
    assert_int_equal(count(b, "SELECT count(*) FROM visits WHERE client IN ('adam', '')"), 2);
    assert_ok(b->arena, forget(b, "ada", "0123", &n));
    assert_int_equal(n, 0);
}

static void in_a_store_of_a_newer_gateway_nobody_is_forgotten_by_halves(void **state)
{
    Bench *b = *state;
    int64_t n;
    visit(b, 1, 1, "ada");
    run_sql(b, "INSERT INTO store_schema (number, oldest_reader) VALUES (1000, 1)");
    Result r = forget(b, "ada", "ada", &n);
    run_sql(b, "DELETE FROM store_schema WHERE number = 1000");
    assert_fault(r, FAULT_STORE_CONFLICT);
    assert_int_equal(count(b, "SELECT count(*) FROM visits WHERE client = 'ada'"), 1);
}

/* Of the real schema: no table with a column `client` is missing in the list of kinds. */
static void each_table_that_names_clients_can_forget_them(void **state)
{
    Bench *b = *state;
    bool postgresql = strcmp(store_stats(b->store).kind, "postgresql") == 0;
    run_sql(b, "DROP TABLE visits");
    StoreTask *task = store_task_new(STORE_SOON);
    StoreStatement *s = store_task_add(
        task, postgresql ? "SELECT c.relname, exists (SELECT 1 FROM pg_attribute a WHERE"
                           " a.attrelid = c.oid AND a.attname = 'client') FROM pg_class c"
                           " WHERE c.relkind = 'r' AND c.relnamespace = 'public'::regnamespace"
                         : "SELECT name, exists (SELECT 1 FROM pragma_table_info(m.name) c"
                           " WHERE c.name = 'client') FROM sqlite_master m WHERE type = 'table'");
    run(b, task);
    size_t n_found = 0;
    for (const StoreRow *row = s->rows; row; row = row->next) {
        const StoreKind *kind = NULL;
        for (size_t i = 0; i < store_kinds.n; i++)
            if (bytes_are(row->values[0].bytes, store_kinds.kinds[i].table))
                kind = &store_kinds.kinds[i];
        n_found += kind != NULL;
        if (!kind && !bytes_are(row->values[0].bytes, "store_schema") &&
            !bytes_are(row->values[0].bytes, "things"))
            fail_msg("%.*s is no kind", BYTES_ARGS(row->values[0].bytes));
        if (kind)
            assert_int_equal(row->values[1].integer, kind->forget_client != NULL);
    }
    assert_int_equal(n_found, store_kinds.n);
    store_task_free(task);
}

/* An old and a new row in each table of jobs. */
static void add_job_rows(StoreTask *task, int64_t old, int64_t new)
{
    static const char *const inserts[] = {
        "INSERT INTO jobs (id, definition, revision, structure, client, resource, request_id,"
        " impact, created, keep, expires, stage, behind, state, since, changed, due, wake, content)"
        " SELECT v.id, '', 1, 1, '', '', '', 0, v.at, 0, v.at, 2, 0, 'done', 0, 0, 0, 0, $3"
        " FROM (SELECT 'old' AS id, CAST($1 AS BIGINT) AS at UNION ALL"
        " SELECT 'new', CAST($2 AS BIGINT)) v",
        "INSERT INTO job_queues (definition, revision, structure, client, queued, ready, served,"
        " latest, changed) VALUES ('', 1, 1, 'old', 0, 0, 0, '', $1), ('', 1, 1, 'new', 0, 0, 0, "
        "'',"
        " $2)",
        "INSERT INTO job_owners (owner, beat, lease, seen) VALUES ('old', 1, 1, $1),"
        " ('new', 1, 1, $2)",
        "INSERT INTO job_parks (definition, cause, client, times, at) VALUES ('old', '', '', 1, "
        "$1),"
        " ('new', '', '', 1, $2)",
        "INSERT INTO job_events (webhook, job, number, at, due, client, content)"
        " SELECT '', v.id, 1, v.at, 0, '', $3 FROM (SELECT 'old' AS id,"
        " CAST($1 AS BIGINT) AS at UNION ALL SELECT 'new', CAST($2 AS BIGINT)) v",
    };
    for (size_t i = 0; i < sizeof inserts / sizeof *inserts; i++) {
        StoreStatement *s = store_task_add(task, inserts[i]);
        store_bind_integer(s, old);
        store_bind_integer(s, new);
        if (strstr(inserts[i], "content"))
            store_bind_bytes(task, s, bytes_of("content"));
    }
}

/* The same of rollouts, which are not open. */
static void add_rollout_rows(StoreTask *task, int64_t old, int64_t new)
{
    static const char *const inserts[] = {
        "INSERT INTO rollouts (id, revision, trial, room, open, content, evidence, changed, judge,"
        " token, beat) VALUES ('old', 1, 1, 0, 0, $3, $3, $1, '', 0, 0),"
        " ('new', 1, 1, 0, 0, $3, $3, $2, '', 0, 0)",
        "INSERT INTO rollout_samples (rollout, node, trial, at, content)"
        " VALUES ('old', '', 1, $1, $3), ('new', '', 1, $2, $3)",
        "INSERT INTO rollout_acts (rollout, revision, trial, at, content)"
        " VALUES ('old', 1, 1, $1, $3), ('new', 1, 1, $2, $3)",
        "INSERT INTO rollout_members (rollout, trial, client, number, at)"
        " VALUES ('old', 1, 'ada', 1, $1), ('new', 1, 'ada', 1, $2)",
    };
    for (size_t i = 0; i < sizeof inserts / sizeof *inserts; i++) {
        StoreStatement *s = store_task_add(task, inserts[i]);
        store_bind_integer(s, old);
        store_bind_integer(s, new);
        if (i < 3)
            store_bind_bytes(task, s, bytes_of("content"));
    }
}

static void what_belongs_to_an_open_rollout_is_kept(void **state)
{
    Bench *b = *state;
    static const char *const tables[] = {"rollout_members", "rollout_samples"};
    int64_t now = clock_wall();
    run_sql(b, "DELETE FROM rollouts");
    run_sql(b, "DELETE FROM rollout_members");
    run_sql(b, "DELETE FROM rollout_samples");
    run_sql(b, "DELETE FROM rollout_acts");
    StoreTask *task = store_task_new(STORE_PROMISED);
    add_rollout_rows(task, now - 2 * HOUR, now - 2 * HOUR);
    store_task_add(task, "UPDATE rollouts SET open = 1");
    store_task_free(run(b, task));
    for (size_t i = 0; i < store_kinds.n; i++) {
        const StoreKind *kind = &store_kinds.kinds[i];
        if (strcmp(kind->table, tables[0]) != 0 && strcmp(kind->table, tables[1]) != 0)
            continue;
        task = store_task_new(STORE_PROMISED);
        StoreStatement *s = store_task_add(task, kind->delete_old);
        store_bind_integer(s, now);
        run(b, task);
        assert_int_equal(s->changed, 0);
        store_task_free(task);
    }
    run_sql(b, "UPDATE rollouts SET trial = 2");
    task = store_task_new(STORE_PROMISED);
    for (size_t i = 0; i < store_kinds.n; i++)
        if (strcmp(store_kinds.kinds[i].table, tables[0]) == 0)
            store_bind_integer(store_task_add(task, store_kinds.kinds[i].delete_old), now);
    run(b, task);
    assert_int_equal(task->first->changed, 2);
    store_task_free(task);
    run_sql(b, "DELETE FROM rollout_samples");
    run_sql(b, "DELETE FROM rollout_acts");
}

/* The statements of the real kinds are read by both databases, and delete what is old. */
static void each_kind_of_the_gateway_is_deleted_by_its_age(void **state)
{
    Bench *b = *state;
    int64_t now = clock_wall();
    act(b, "old", now - HOUR - SECOND);
    act(b, "new", now - HOUR + 30 * SECOND);
    run_sql(b, "DELETE FROM gateways");
    run_sql(b, "DELETE FROM failures");
    run_sql(b, "DELETE FROM annotations");
    run_sql(b, "DELETE FROM jobs");
    run_sql(b, "DELETE FROM job_queues");
    run_sql(b, "DELETE FROM job_owners");
    run_sql(b, "DELETE FROM job_parks");
    run_sql(b, "DELETE FROM rollouts");
    run_sql(b, "DELETE FROM job_events");
    StoreTask *task = store_task_new(STORE_PROMISED);
    StoreStatement *s = store_task_add(
        task, "INSERT INTO gateways (node, version, generation, config_hash, started, last_seen)"
              " VALUES ('old', '', 0, '', 0, $1), ('new', '', 0, '', 0, $2)");
    store_bind_integer(s, now - HOUR - SECOND);
    store_bind_integer(s, now - HOUR + 30 * SECOND);
    s = store_task_add(task, "INSERT INTO failures (id, node, last, content)"
                             " VALUES ('old', '', $1, $3), ('new', '', $2, $3)");
    store_bind_integer(s, now - HOUR - SECOND);
    store_bind_integer(s, now - HOUR + 30 * SECOND);
    store_bind_bytes(task, s, bytes_of("content"));
    s = store_task_add(task, "INSERT INTO annotations (fingerprint, owner, cause, ticket,"
                             " acknowledged, criticality, who, why, at)"
                             " VALUES ('old', '', '', '', 0, 0, '', '', $1),"
                             " ('new', '', '', '', 0, 0, '', '', $2)");
    store_bind_integer(s, now - HOUR - SECOND);
    store_bind_integer(s, now - HOUR + 30 * SECOND);
    add_job_rows(task, now - HOUR - SECOND, now - HOUR + 30 * SECOND);
    s = store_task_add(task, "INSERT INTO idempotency (id, token, client, node, state, at, until,"
                             " expires, content) VALUES ('old', '', '', '', 0, $1, 0, $1, $3),"
                             " ('new', '', '', '', 0, $2, 0, $2, $3)");
    store_bind_integer(s, now - HOUR - SECOND);
    store_bind_integer(s, now - HOUR + 30 * SECOND);
    store_bind_bytes(task, s, bytes_of("content"));
    add_rollout_rows(task, now - HOUR - SECOND, now - HOUR + 30 * SECOND);
    s = store_task_add(task,
                       "INSERT INTO usage (service, version, method, field, client, shared,"
                       " period, calls, last) VALUES ('s', 'v1', 'm', '', 'old', 0, 0, 1, $1),"
                       " ('s', 'v1', 'm', '', 'new', 0, 0, 1, $2)");
    store_bind_integer(s, now - HOUR - SECOND);
    store_bind_integer(s, now - HOUR + 30 * SECOND);
    s = store_task_add(task, "INSERT INTO retirements (service, version, since, watched, used)"
                             " VALUES ('old', 'v1', 0, $1, 0), ('new', 'v1', 0, $2, 0)");
    store_bind_integer(s, now - HOUR - SECOND);
    store_bind_integer(s, now - HOUR + 30 * SECOND);
    s = store_task_add(task, "INSERT INTO limit_needs (part, key, node, need, asks, at)"
                             " VALUES (1, 1, 'old', 0, 0, $1), (1, 1, 'new', 0, 0, $2)");
    store_bind_integer(s, now - HOUR - SECOND);
    store_bind_integer(s, now - HOUR + 30 * SECOND);
    s = store_task_add(task, "INSERT INTO limit_seeds (id, low, high, at)"
                             " VALUES (1, 0, 0, $1), (2, 0, 0, $2)");
    store_bind_integer(s, now - HOUR - SECOND);
    store_bind_integer(s, now - HOUR + 30 * SECOND);
    s = store_task_add(task, "INSERT INTO key_uses (key, node, since, last, calls, seen)"
                             " VALUES ('old', '', 0, 0, 1, $1), ('new', '', 0, 0, 1, $2)");
    store_bind_integer(s, now - HOUR - SECOND);
    store_bind_integer(s, now - HOUR + 30 * SECOND);
    s = store_task_add(task, "INSERT INTO signals (id, kind, subject, client, since, at, times,"
                             " node, content, acknowledged, who, why)"
                             " VALUES ('old', '', '', '', 0, $1, 1, '', $3, 0, '', $3),"
                             " ('new', '', '', '', 0, $2, 1, '', $3, 0, '', $3)");
    store_bind_integer(s, now - HOUR - SECOND);
    store_bind_integer(s, now - HOUR + 30 * SECOND);
    store_bind_bytes(task, s, bytes_of("content"));
    s = store_task_add(task, "INSERT INTO signal_states (node, at, content)"
                             " VALUES ('old', $1, $3), ('new', $2, $3)");
    store_bind_integer(s, now - HOUR - SECOND);
    store_bind_integer(s, now - HOUR + 30 * SECOND);
    store_bind_bytes(task, s, bytes_of("content"));
    s = store_task_add(task, "INSERT INTO feedback (id, at, client, kinds, entered, content)"
                             " VALUES ('old', 0, '', '', $1, $3), ('new', 0, '', '', $2, $3)");
    store_bind_integer(s, now - HOUR - SECOND);
    store_bind_integer(s, now - HOUR + 30 * SECOND);
    store_bind_bytes(task, s, bytes_of("content"));
    store_task_free(run(b, task));
    for (size_t i = 0; i < store_kinds.n; i++) {
        task = store_task_new(STORE_PROMISED);
        store_bind_integer(s = store_task_add(task, store_kinds.kinds[i].delete_old), now - HOUR);
        StoreStatement *measured = store_task_add(task, store_kinds.kinds[i].measure);
        run(b, task);
        assert_int_equal(s->changed, 1);
        assert_int_equal(measured->rows->values[0].integer, 1);
        assert_true(measured->rows->values[1].integer == now - HOUR + 30 * SECOND);
        store_task_free(task);
    }
}

int main(void)
{
    static bool sqlite = false, postgresql = true;
#define BOTH(test)                                                                                 \
    {#test " (SQLite)", test, setup, teardown, &sqlite},                                           \
    {                                                                                              \
#test " (PostgreSQL)", test, setup, teardown, &postgresql                                  \
    }
    const struct CMUnitTest tests[] = {
        BOTH(what_is_older_than_its_time_is_deleted_and_nothing_else),
        BOTH(what_names_clients_is_kept_no_longer_than_clients_may_be),
        BOTH(a_retention_for_clients_lengthens_nothing),
        BOTH(more_than_one_step_is_deleted_in_steps),
        BOTH(in_the_first_hour_nothing_is_deleted),
        BOTH(after_the_clock_has_jumped_ahead_nothing_is_deleted_for_an_hour),
        BOTH(a_clock_that_comes_back_has_cost_nothing),
        BOTH(a_clock_that_jumps_back_deletes_nothing_and_is_not_trusted),
        BOTH(a_clock_that_is_set_by_less_is_steady),
        BOTH(rows_and_the_oldest_are_shown_for_each_kind_and_the_size_of_all),
        BOTH(a_client_is_forgotten_by_its_name_and_by_its_hash_and_no_other_is),
        BOTH(in_a_store_of_a_newer_gateway_nobody_is_forgotten_by_halves),
        BOTH(each_table_that_names_clients_can_forget_them),
        BOTH(what_belongs_to_an_open_rollout_is_kept),
        BOTH(each_kind_of_the_gateway_is_deleted_by_its_age),
    };
    if (!getenv("POSTGRESQL"))
        cmocka_set_skip_filter("*(PostgreSQL)");
    return cmocka_run_group_tests(tests, NULL, NULL);
}
