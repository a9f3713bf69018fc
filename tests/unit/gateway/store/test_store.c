/* Each test runs on SQLite, and on PostgreSQL where the environment names one (POSTGRESQL). */
#include "tests/unit/check.h"

#include "base/clock.h"
#include "gateway/store/sqlite_file.h"
#include "gateway/store/store.h"
#include "gateway/store/store_kinds.h"
#include "gateway/store/store_report.h"
#include "gateway/store/store_schema.h"

#include <pthread.h>
#include <sqlite3.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

typedef struct Kind {
    bool postgresql;
} Kind;

typedef struct Bench {
    Arena *arena;
    Store *store;
    StoreSettings settings;
    char folder[32];
} Bench;

static const char make_table[] =
    "CREATE TABLE things (id BIGINT PRIMARY KEY, name TEXT, data BYTEA)";
static const char drop_table[] = "DROP TABLE IF EXISTS things";
static const char insert[] = "INSERT INTO things (id, name, data) VALUES ($1, $2, $3)";
static const char rename_one[] = "UPDATE things SET name = $2 WHERE id = $1";
static const char rename_all[] = "UPDATE things SET name = $1";
static const char select_all[] = "SELECT id, name, data FROM things ORDER BY id";
static const char count_all[] = "SELECT count(*) FROM things";

/* ---- The bench
 * ----------------------------------------------------------------------------------- */

static Result run(Bench *b, StoreTask **task)
{
    return store_run(b->store, b->arena, task);
}

static Result run_sql(Bench *b, const char *sql)
{
    StoreTask *task = store_task_new(STORE_PROMISED);
    store_task_add(task, sql);
    Result r = run(b, &task);
    store_task_free(task);
    return r;
}

static int setup(void **state)
{
    const Kind *kind = *state;
    Bench *b = calloc(1, sizeof *b);
    b->arena = arena_new(ARENA_UNLIMITED);
    strcpy(b->folder, "/tmp/storeXXXXXX");
    assert_non_null(mkdtemp(b->folder));
    b->settings = (StoreSettings){.connections = 2, .queue = 1000, .time = 5 * SECOND};
    if (kind->postgresql)
        b->settings.postgresql = getenv("POSTGRESQL");
    else
        b->settings.sqlite = arena_printf(b->arena, "%s/store.db", b->folder);
    b->store = store_open(&b->settings);
    assert_ok(b->arena, run_sql(b, drop_table));
    assert_ok(b->arena, run_sql(b, make_table));
    *state = b;
    return 0;
}

static int teardown(void **state)
{
    Bench *b = *state;
    store_close(b->store);
    assert_int_equal(system(arena_printf(b->arena, "rm -rf %s", b->folder)), 0);
    arena_free(b->arena);
    free(b);
    return 0;
}

static StoreStatement *add_insert(StoreTask *task, int64_t id, const char *name)
{
    StoreStatement *s = store_task_add(task, insert);
    store_bind_integer(s, id);
    store_bind_text(task, s, bytes_of(name));
    store_bind_null(s);
    return s;
}

static int64_t count(Bench *b)
{
    StoreTask *task = store_task_new(STORE_SOON);
    StoreStatement *s = store_task_add(task, count_all);
    assert_ok(b->arena, run(b, &task));
    int64_t n = s->rows->values[0].integer;
    store_task_free(task);
    return n;
}

static void set_name(StoreTask *task, int64_t id, const char *name, int64_t expected)
{
    StoreStatement *s = store_task_add(task, rename_one);
    store_bind_integer(s, id);
    store_bind_text(task, s, bytes_of(name));
    s->expected = expected;
}

/* ---- Values and transactions
 * --------------------------------------------------------------------- */

static void every_kind_of_value_is_read_as_it_was_stored(void **state)
{
    Bench *b = *state;
    StoreTask *task = store_task_new(STORE_PROMISED);
    StoreStatement *s = store_task_add(task, insert);
    store_bind_integer(s, INT64_MIN);
    store_bind_text(task, s, bytes_of("h\xc3\xa9, \"quoted\" '$1'"));
    store_bind_bytes(task, s, bytes("\0\xff\\x", 4));
    s = store_task_add(task, insert);
    store_bind_integer(s, INT64_MAX);
    store_bind_text(task, s, bytes_of(""));
    store_bind_bytes(task, s, bytes(NULL, 0));
    s = store_task_add(task, insert);
    store_bind_integer(s, 0);
    store_bind_null(s);
    store_bind_null(s);
    StoreStatement *read = store_task_add(task, select_all);
    assert_ok(b->arena, run(b, &task));
    assert_int_equal(read->n_rows, 3);
    assert_int_equal(read->n_columns, 3);

    StoreRow *row = read->rows;
    assert_int_equal(row->values[0].type, STORE_INTEGER);
    assert_true(row->values[0].integer == INT64_MIN);
    assert_int_equal(row->values[1].type, STORE_TEXT);
    assert_bytes(row->values[1].bytes, "h\xc3\xa9, \"quoted\" '$1'");
    assert_int_equal(row->values[2].type, STORE_BYTES);
    assert_true(bytes_equal(row->values[2].bytes, bytes("\0\xff\\x", 4)));
    row = row->next;
    assert_int_equal(row->values[1].type, STORE_NULL);
    assert_int_equal(row->values[2].type, STORE_NULL);
    row = row->next;
    assert_true(row->values[0].integer == INT64_MAX);
    assert_int_equal(row->values[1].type, STORE_TEXT);
    assert_int_equal(row->values[1].bytes.size, 0);
    assert_int_equal(row->values[2].type, STORE_BYTES);
    assert_int_equal(row->values[2].bytes.size, 0);
    store_task_free(task);
}

static void parameters_may_stand_in_any_order_and_more_than_once(void **state)
{
    Bench *b = *state;
    StoreTask *task = store_task_new(STORE_SOON);
    StoreStatement *s = store_task_add(
        task, "INSERT INTO things (name, id, data) VALUES ($2, $1, NULL), ($2, $1 + 1, $3)");
    store_bind_integer(s, 7);
    store_bind_text(task, s, bytes_of("seven"));
    store_bind_bytes(task, s, bytes_of("x"));
    StoreStatement *read = store_task_add(task, select_all);
    assert_ok(b->arena, run(b, &task));
    assert_int_equal(s->changed, 2);
    assert_int_equal(read->changed, 0);
    assert_int_equal(read->rows->values[0].integer, 7);
    assert_bytes(read->rows->next->values[1].bytes, "seven");
    store_task_free(task);
}

static void of_a_task_that_fails_nothing_takes_effect(void **state)
{
    Bench *b = *state;
    StoreTask *task = store_task_new(STORE_PROMISED);
    add_insert(task, 1, "one");
    add_insert(task, 2, "two");
    add_insert(task, 1, "one again");
    assert_fault(run(b, &task), FAULT_STORE_CONFLICT);
    assert_int_equal(task->first->changed, 0);
    store_task_free(task);
    assert_int_equal(count(b), 0);
    assert_int_equal(store_stats(b->store).conflicts, 1);
    assert_int_equal(store_stats(b->store).failed, 0);
}

static void a_wrong_statement_is_a_mistake_of_ours_and_the_next_task_is_executed(void **state)
{
    Bench *b = *state;
    assert_fault(run_sql(b, "SELECT nothing FROM nowhere"), FAULT_INTERNAL);
    assert_ok(b->arena, run_sql(b, "SELECT 1"));
    assert_true(store_stats(b->store).up);
}

static void a_condition_holds_only_for_that_number_of_rows(void **state)
{
    Bench *b = *state;
    StoreTask *task = store_task_new(STORE_PROMISED);
    add_insert(task, 1, "one");
    add_insert(task, 2, "two");
    assert_ok(b->arena, run(b, &task));
    store_task_free(task);

    for (int64_t expected = 0; expected <= 2; expected++) {
        task = store_task_new(STORE_PROMISED);
        set_name(task, 1, "changed", STORE_ANY_CHANGES);
        set_name(task, 2, "changed", expected);
        if (expected == 1)
            assert_ok(b->arena, run(b, &task));
        else
            assert_fault(run(b, &task), FAULT_STORE_CONFLICT);
        store_task_free(task);
        if (expected == 0) { /* the first statement was taken back, too */
            task = store_task_new(STORE_SOON);
            StoreStatement *read = store_task_add(task, select_all);
            assert_ok(b->arena, run(b, &task));
            assert_bytes(read->rows->values[1].bytes, "one");
            store_task_free(task);
        }
    }
    task = store_task_new(STORE_PROMISED);
    StoreStatement *s = store_task_add(task, rename_all);
    store_bind_text(task, s, bytes_of("same"));
    s->expected = 2;
    assert_ok(b->arena, run(b, &task));
    store_task_free(task);
}

/* ---- Loops
 * --------------------------------------------------------------------------------------- */

typedef struct Reports {
    uv_loop_t loop;
    StorePort *port;
    int n, n_expected, n_ok, n_conflicts, n_other;
    int64_t last;
    bool in_order;
} Reports;

static void on_reported(void *owner, Result result, StoreTask *task)
{
    Reports *reports = owner;
    int64_t id = task->first->parameters[0].integer;
    reports->in_order &= id > reports->last;
    reports->last = id;
    if (!failed(result))
        reports->n_ok++;
    else if (result.error->fault == &FAULT_STORE_CONFLICT)
        reports->n_conflicts++;
    else
        reports->n_other++;
    if (++reports->n == reports->n_expected)
        store_port_close(reports->port);
}

static void tasks_of_a_loop_are_reported_once_each_and_in_order(void **state)
{
    Bench *b = *state;
    Reports reports = {.n_expected = 600, .last = -1, .in_order = true};
    assert_int_equal(uv_loop_init(&reports.loop), 0);
    reports.port = store_port_open(b->store, &reports.loop);
    for (int i = 0; i < reports.n_expected; i++) {
        StoreTask *task = store_task_new(i % 3 ? STORE_SOON : STORE_PROMISED);
        add_insert(task, i, "x");
        if (i % 10 == 9)
            add_insert(task, i - 1, "a conflict with the one before");
        else if (i % 10 == 5)
            set_name(task, i, "changed", 1);
        store_submit(reports.port, task, on_reported, &reports);
        assert_int_equal(reports.n, 0);
    }
    uv_run(&reports.loop, UV_RUN_DEFAULT);
    assert_int_equal(uv_loop_close(&reports.loop), 0);
    assert_int_equal(reports.n_ok, 540);
    assert_int_equal(reports.n_conflicts, 60);
    assert_true(reports.in_order);
    assert_int_equal(count(b), 540);
}

static void after_a_port_is_closed_nothing_is_reported_but_all_is_executed(void **state)
{
    Bench *b = *state;
    Reports reports = {.n_expected = -1};
    assert_int_equal(uv_loop_init(&reports.loop), 0);
    reports.port = store_port_open(b->store, &reports.loop);
    for (int i = 0; i < 100; i++) {
        StoreTask *task = store_task_new(STORE_SOON);
        add_insert(task, i, "x");
        store_submit(reports.port, task, on_reported, &reports);
    }
    store_port_close(reports.port);
    uv_run(&reports.loop, UV_RUN_DEFAULT);
    assert_int_equal(uv_loop_close(&reports.loop), 0);
    assert_int_equal(reports.n, 0);
    store_close(b->store);
    b->store = store_open(&b->settings);
    assert_int_equal(count(b), 100);
}

/* Whether its task waits, is executed, or is about to be reported: the sanitizer sees what is left.
 */
static void a_port_may_be_closed_at_any_moment(void **state)
{
    Bench *b = *state;
    Reports reports = {.n_expected = -1};
    assert_int_equal(uv_loop_init(&reports.loop), 0);
    for (int i = 0; i < 300; i++) {
        reports.port = store_port_open(b->store, &reports.loop);
        StoreTask *task = store_task_new(STORE_SOON);
        add_insert(task, i, "x");
        store_submit(reports.port, task, on_reported, &reports);
        usleep((useconds_t)(i * 3));
        store_port_close(reports.port);
        uv_run(&reports.loop, UV_RUN_DEFAULT);
    }
    assert_int_equal(uv_loop_close(&reports.loop), 0);
    assert_int_equal(reports.n, 0);
    while (store_stats(b->store).done < 302) /* two of the bench's own */
        usleep(1000);
    assert_int_equal(count(b), 300);
}

/* ---- Limits
 * -------------------------------------------------------------------------------------- */

/* Holds what the store needs, so that its threads wait. */
typedef struct Blocker {
    Bench *bench;
    sqlite3 *db;
} Blocker;

static Blocker block(Bench *b)
{
    Blocker blocker = {b};
    assert_int_equal(sqlite3_open(b->settings.sqlite, &blocker.db), SQLITE_OK);
    assert_int_equal(sqlite3_exec(blocker.db, "BEGIN IMMEDIATE", NULL, NULL, NULL), SQLITE_OK);
    return blocker;
}

static void unblock(Blocker *blocker)
{
    assert_int_equal(sqlite3_close(blocker->db), SQLITE_OK);
}

static void reopen(Bench *b, uint32_t queue, int64_t time)
{
    store_close(b->store);
    b->settings.queue = queue;
    b->settings.time = time;
    b->store = store_open(&b->settings);
    while (!store_stats(b->store).up) /* a short time may be over before it is connected */
        usleep(1000);
}

static void wait_until_none_waits(Bench *b)
{
    while (store_stats(b->store).waiting)
        usleep(1000);
}

static void submit_insert(Reports *reports, int64_t id)
{
    StoreTask *task = store_task_new(STORE_SOON);
    add_insert(task, id, "x");
    store_submit(reports->port, task, on_reported, reports);
}

static void as_many_tasks_wait_as_the_queue_allows(void **state)
{
    Bench *b = *state;
    reopen(b, 3, 5 * SECOND);
    Blocker blocker = block(b);
    Reports reports = {.n_expected = 5, .last = -1};
    assert_int_equal(uv_loop_init(&reports.loop), 0);
    reports.port = store_port_open(b->store, &reports.loop);
    submit_insert(&reports, 0);
    wait_until_none_waits(b); /* it is being executed, and waits for the lock */
    for (int i = 1; i <= 4; i++)
        submit_insert(&reports, i);
    assert_int_equal(store_stats(b->store).waiting, 3);
    unblock(&blocker);
    uv_run(&reports.loop, UV_RUN_DEFAULT);
    assert_int_equal(uv_loop_close(&reports.loop), 0);
    assert_int_equal(reports.n_ok, 4);
    assert_int_equal(reports.n_other, 1);
    assert_int_equal(count(b), 4);
}

typedef struct GivenUp {
    Reports reports;
    const Fault *faults[2];
} GivenUp;

static void on_given_up(void *owner, Result result, StoreTask *task)
{
    GivenUp *g = owner;
    assert_true(failed(result));
    g->faults[g->reports.n++] = result.error->fault;
}

/* Some seconds of work in one statement. */
static const char slow[] =
    "WITH RECURSIVE c (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM c WHERE n < 8000000) "
    "SELECT count(*) FROM c";

static void what_takes_too_long_is_given_up_and_says_whether_it_may_have_taken_effect(void **state)
{
    Bench *b = *state;
    reopen(b, 100, 500 * MILLISECOND);
    GivenUp g = {0};
    assert_int_equal(uv_loop_init(&g.reports.loop), 0);
    g.reports.port = store_port_open(b->store, &g.reports.loop);
    StoreTask *task = store_task_new(STORE_SOON);
    store_task_add(task, slow);
    store_submit(g.reports.port, task, on_given_up, &g);
    wait_until_none_waits(b);
    task = store_task_new(STORE_SOON);
    add_insert(task, 2, "waiting");
    store_submit(g.reports.port, task, on_given_up, &g);
    while (g.reports.n < 2)
        uv_run(&g.reports.loop, UV_RUN_ONCE);
    assert_ptr_equal(g.faults[0], &FAULT_STORE_UNKNOWN);
    assert_ptr_equal(g.faults[1], &FAULT_STORE_DOWN);
    store_port_close(g.reports.port);
    uv_run(&g.reports.loop, UV_RUN_DEFAULT);
    assert_int_equal(uv_loop_close(&g.reports.loop), 0);
    assert_true(store_stats(b->store).given_up >= 2);
    store_close(b->store);
    b->settings.time = 10 * SECOND;
    b->store = store_open(&b->settings);
    assert_int_equal(count(b), 0); /* what waited was never executed */
}

static const char slow_read[] = "SELECT * FROM (WITH RECURSIVE c (n) AS (SELECT 1 UNION ALL SELECT "
                                "n + 1 FROM c WHERE n < 8000000)"
                                " SELECT count(*) FROM c) counted";

static void a_read_that_takes_too_long_has_had_no_effect_and_says_so(void **state)
{
    Bench *b = *state;
    reopen(b, 100, 500 * MILLISECOND);
    assert_fault(run_sql(b, slow_read), FAULT_STORE_DOWN);
    store_close(b->store);
    b->settings.time = 10 * SECOND;
    b->store = store_open(&b->settings);
}

static void a_thread_that_waits_gives_up_in_time(void **state)
{
    Bench *b = *state;
    reopen(b, 100, 500 * MILLISECOND);
    assert_fault(run_sql(b, slow), FAULT_STORE_UNKNOWN);
    StoreTask *task = store_task_new(STORE_SOON);
    add_insert(task, 1, "x");
    Result r = run(b, &task);
    if (failed(r)) /* PostgreSQL needs a new connection only; SQLite is still at work */
        assert_fault(r, FAULT_STORE_DOWN);
    store_task_free(task);
}

/* ---- Failures
 * ------------------------------------------------------------------------------------ */

static void a_store_that_is_down_fails_at_once_and_comes_back(void **state)
{
    Bench *b = *state;
    store_close(b->store);
    char folder[64], file[80];
    snprintf(folder, sizeof folder, "%s/missing", b->folder);
    snprintf(file, sizeof file, "%s/store.db", folder);
    b->settings.sqlite = file;
    b->store = store_open(&b->settings);
    int64_t began = clock_now();
    for (int i = 0; i < 100; i++)
        assert_fault(run_sql(b, count_all), FAULT_STORE_DOWN);
    assert_true(clock_now() - began < 3 * SECOND);
    assert_false(store_stats(b->store).up);

    assert_int_equal(mkdir(folder, 0700), 0);
    while (!store_stats(b->store).up)
        usleep(1000);
    assert_ok(b->arena, run_sql(b, make_table));
    store_close(b->store);
    b->store = NULL;
}

static void a_damaged_file_is_named(void **state)
{
    Bench *b = *state;
    store_close(b->store);
    FILE *file = fopen(b->settings.sqlite, "w");
    for (int i = 0; i < 10000; i++)
        fputs("this is no database ", file);
    fclose(file);
    b->store = store_open(&b->settings);
    Result r = run_sql(b, count_all);
    assert_fault(r, FAULT_STORE_DOWN);
    const char *text = error_text(b->arena, r);
    assert_non_null(strstr(text, b->settings.sqlite));
    assert_non_null(strstr(text, "damaged"));
}

/* The thread begins to connect when the store is opened: what comes meanwhile, at any moment of it,
   is not lost at the end. */
static void what_was_submitted_while_connecting_is_executed_at_the_end(void **state)
{
    enum { TRIES = 60 };
    Bench *b = *state;
    for (int i = 0; i < TRIES; i++) {
        uv_loop_t loop;
        store_close(b->store);
        b->store = store_open(&b->settings);
        assert_int_equal(uv_loop_init(&loop), 0);
        StorePort *port = store_port_open(b->store, &loop);
        usleep((useconds_t)(i * 50));
        StoreTask *task = store_task_new(STORE_SOON);
        add_insert(task, i, "late");
        store_submit(port, task, NULL, NULL);
        store_port_close(port);
        uv_run(&loop, UV_RUN_DEFAULT);
        assert_int_equal(uv_loop_close(&loop), 0);
    }
    store_close(b->store);
    b->store = store_open(&b->settings);
    assert_int_equal(count(b), TRIES);
}

static void a_schema_that_needs_a_newer_gateway_is_refused(void **state)
{
    Bench *b = *state;
    int64_t ours = store_schema_number();
    const char *insert_row =
        arena_printf(b->arena, "INSERT INTO store_schema (number, oldest_reader) VALUES (%d, %lld)",
                     1000, (long long)ours);
    assert_ok(b->arena, run_sql(b, insert_row));
    store_close(b->store);
    b->store = store_open(&b->settings);
    assert_ok(b->arena, run_sql(b, count_all)); /* a newer one, which we can still use */

    assert_ok(b->arena, run_sql(b, arena_printf(b->arena,
                                                "UPDATE store_schema SET oldest_reader = %lld "
                                                "WHERE number = 1000",
                                                (long long)ours + 1)));
    store_close(b->store);
    b->store = store_open(&b->settings);
    Result r = run_sql(b, count_all);
    assert_fault(r, FAULT_STORE_DOWN);
    assert_non_null(strstr(error_text(b->arena, r), "needs a gateway that knows schema"));
    store_close(b->store);

    b->store = NULL;
    if (b->settings.postgresql) { /* other tests use the same database */
        char command[256];
        snprintf(command, sizeof command,
                 "psql -q '%s' -c 'DELETE FROM store_schema WHERE number = 1000'",
                 b->settings.postgresql);
        assert_int_equal(system(command), 0);
    }
}

static void *open_and_count(void *argument)
{
    const StoreSettings *settings = argument;
    Arena *arena = arena_new(ARENA_UNLIMITED);
    Store *store = store_open(settings);
    StoreTask *task = store_task_new(STORE_SOON);
    store_task_add(task, "SELECT count(*) FROM gateways");
    Result r = store_run(store, arena, &task);
    bool good = !failed(r);
    if (!good)
        fprintf(stderr, "%s\n", error_text(arena, r));
    store_task_free(task);
    store_close(store);
    arena_free(arena);
    return good ? "good" : NULL;
}

/* Those that a later schema than `number` has made. */
static void drop_tables(Bench *b, int64_t number)
{
    for (size_t i = 0; i < store_kinds.n; i++)
        if (store_kinds.kinds[i].since > number)
            assert_ok(b->arena, run_sql(b, arena_printf(b->arena, "DROP TABLE %s",
                                                        store_kinds.kinds[i].table)));
}

static void several_gateways_may_make_the_schema_at_once(void **state)
{
    Bench *b = *state;
    drop_tables(b, 0);
    assert_ok(b->arena, run_sql(b, "DROP TABLE store_schema"));
    store_close(b->store);
    b->store = NULL;
    pthread_t threads[6];
    for (int i = 0; i < 6; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, open_and_count, &b->settings), 0);
    for (int i = 0; i < 6; i++) {
        void *good;
        assert_int_equal(pthread_join(threads[i], &good), 0);
        assert_non_null(good);
    }
}

/* Ten times, for it is a matter of moments. */
static void several_gateways_may_make_the_file_at_once(void **state)
{
    Bench *b = *state;
    StoreSettings settings = b->settings;
    for (int round = 0; round < 10; round++) {
        char path[128];
        snprintf(path, sizeof path, "%s.new%d", b->settings.sqlite, round);
        settings.sqlite = path;
        pthread_t threads[6];
        for (int i = 0; i < 6; i++)
            assert_int_equal(pthread_create(&threads[i], NULL, open_and_count, &settings), 0);
        for (int i = 0; i < 6; i++) {
            void *good;
            assert_int_equal(pthread_join(threads[i], &good), 0);
            assert_non_null(good);
        }
    }
}

/* ---- Migrations beside older gateways -------------------------------------------------------- */

/* A gateway of schema 2, with its own statements. */
typedef struct OldGateway {
    Bench *bench;
    pthread_t thread;
    atomic_bool stop;
    atomic_int n_written, n_failed;
    int64_t longest; /* nanoseconds of one task */
} OldGateway;

static void write_as_schema_2(OldGateway *old, Arena *arena, int number)
{
    StoreTask *task = store_task_new(STORE_PROMISED);
    StoreStatement *s = store_task_add(
        task, "INSERT INTO audit (id, at, node, who, proved_by, action, why, generation_before,"
              " hash_before, generation_after, hash_after, result)"
              " VALUES ($1, $2, $3, $3, $3, $3, $3, $2, $3, $2, $3, $3)");
    store_bind_text(task, s, bytes_of(arena_printf(arena, "%d", number)));
    store_bind_integer(s, number);
    store_bind_text(task, s, bytes_of("text"));
    s = store_task_add(
        task, "INSERT INTO gateways (node, version, generation, config_hash, started, last_seen)"
              " VALUES ('old', '1', 1, '', 1, $1) ON CONFLICT (node) DO UPDATE SET"
              " last_seen = excluded.last_seen");
    store_bind_integer(s, number);
    store_task_add(task, "SELECT at, node, who, proved_by, action, why, generation_before,"
                         " hash_before, generation_after, hash_after, result FROM audit"
                         " ORDER BY at DESC, id LIMIT 10");
    int64_t began = clock_now();
    Result r = store_run(old->bench->store, arena, &task);
    int64_t took = clock_now() - began;
    if (failed(r)) {
        fprintf(stderr, "%s\n", error_text(arena, r));
        old->n_failed++;
        old->stop = true;
    }
    store_task_free(task);
    old->longest = took > old->longest ? took : old->longest;
    old->n_written++;
}

static void *run_old_gateway(void *argument)
{
    OldGateway *old = argument;
    while (!old->stop) {
        Arena *arena = arena_new(ARENA_UNLIMITED);
        write_as_schema_2(old, arena, old->n_written);
        arena_free(arena);
    }
    return NULL;
}

static void write_some_more(OldGateway *old)
{
    for (int enough = old->n_written + 10; old->n_written < enough && !old->stop;)
        usleep(1000);
}

static void begin_old_gateway(Bench *b, OldGateway *old)
{
    reopen(b, 100, 30 * SECOND);
    assert_ok(b->arena, run_sql(b, "DELETE FROM audit"));
    assert_ok(b->arena, run_sql(b, "DELETE FROM gateways"));
    assert_ok(b->arena, run_sql(b, "ALTER TABLE audit DROP COLUMN why_sealed"));
    assert_ok(b->arena, run_sql(b, "ALTER TABLE gateways DROP COLUMN process"));
    assert_ok(b->arena, run_sql(b, "ALTER TABLE gateways DROP COLUMN rival"));
    drop_tables(b, 2);
    assert_ok(b->arena, run_sql(b, "DELETE FROM store_schema WHERE number > 2"));
    *old = (OldGateway){.bench = b};
    assert_int_equal(pthread_create(&old->thread, NULL, run_old_gateway, old), 0);
    write_some_more(old);
}

static int64_t number_of(Bench *b, const char *sql)
{
    StoreTask *task = store_task_new(STORE_SOON);
    StoreStatement *s = store_task_add(task, sql);
    assert_ok(b->arena, run(b, &task));
    int64_t n = s->rows->values[0].integer;
    store_task_free(task);
    return n;
}

static void while_an_older_gateway_writes_a_newer_one_migrates_and_both_go_on(void **state)
{
    Bench *b = *state;
    OldGateway old;
    begin_old_gateway(b, &old);
    Store *newer = store_open(&b->settings);
    StoreTask *task = store_task_new(STORE_PROMISED);
    store_task_add(task, "UPDATE audit SET why_sealed = NULL WHERE id = 'none'");
    assert_ok(b->arena, store_run(newer, b->arena, &task));
    store_task_free(task);
    write_some_more(&old);
    old.stop = true;
    assert_int_equal(pthread_join(old.thread, NULL), 0);
    store_close(newer);
    assert_int_equal(number_of(b, "SELECT max(number) FROM store_schema"), store_schema_number());
    assert_int_equal(number_of(b, "SELECT count(*) FROM audit WHERE why = 'text' AND"
                                  " why_sealed IS NULL"),
                     old.n_written);
    assert_int_equal(number_of(b, "SELECT last_seen FROM gateways"), old.n_written - 1);
    assert_int_equal(old.n_failed, 0);
}

static void the_server_compiles_no_statements(void **state)
{
    Bench *b = *state;
    assert_int_equal(number_of(b, "SELECT count(*) FROM pg_settings WHERE name = 'jit' AND"
                                  " setting = 'on'"),
                     0);
}

/* A migration needs a lock that a backup prevents, and whoever comes after the migration would wait
   for both. */
static void a_migration_that_waits_for_a_backup_lets_older_gateways_go_on(void **state)
{
    Bench *b = *state;
    OldGateway old;
    begin_old_gateway(b, &old);
    FILE *dump =
        popen(arena_printf(b->arena, "psql -q -o /dev/null '%s'", b->settings.postgresql), "w");
    assert_non_null(dump);
    fputs("BEGIN; LOCK TABLE audit IN ACCESS SHARE MODE; SELECT pg_sleep(6);\n", dump);
    fflush(dump);
    usleep(300000);
    StoreSettings settings = b->settings;
    settings.time = SECOND;
    int before = old.n_written;
    Store *newer = store_open(&settings);
    sleep(2);
    assert_false(store_stats(newer).up);
    assert_true(old.n_written > before + 1);
    assert_int_equal(pclose(dump), 0);
    while (!store_stats(newer).up)
        usleep(1000);
    write_some_more(&old);
    old.stop = true;
    assert_int_equal(pthread_join(old.thread, NULL), 0);
    store_close(newer);
    assert_int_equal(old.n_failed, 0);
    if (old.longest >= 4 * SECOND)
        fail_msg("a task took %lld ms", (long long)(old.longest / MILLISECOND));
}

/* ---- A file that cannot grow ----------------------------------------------------------------- */

static Result insert_page(Bench *b, int64_t id)
{
    StoreTask *task = store_task_new(STORE_PROMISED);
    StoreStatement *s = store_task_add(task, insert);
    store_bind_integer(s, id);
    store_bind_null(s);
    store_bind_bytes(task, s, bytes(arena_array(task->arena, uint8_t, 4096), 4096));
    Result r = run(b, &task);
    store_task_free(task);
    return r;
}

/* Also the files beside it, whatever the umask says. */
static void a_new_file_is_for_its_owner_only(void **state)
{
    Bench *b = *state;
    static const char *const ends[] = {"", "-wal", "-shm"};
    for (int i = 0; i < 3; i++) {
        struct stat found;
        assert_int_equal(stat(arena_printf(b->arena, "%s%s", b->settings.sqlite, ends[i]), &found),
                         0);
        assert_int_equal(found.st_mode & 0777, 0600);
    }
}

static void when_the_file_cannot_grow_what_was_stored_stays_and_room_is_used_again(void **state)
{
    Bench *b = *state;
    assert_ok(b->arena, insert_page(b, 0));
    int64_t pages = number_of(b, "SELECT page_count FROM pragma_page_count");
    assert_ok(b->arena, run_sql(b, arena_printf(b->arena, "PRAGMA max_page_count = %lld",
                                                (long long)pages + 10)));
    int64_t n = 1;
    Result r;
    while (!failed(r = insert_page(b, n)))
        assert_true(++n < 20);
    assert_true(n > 2);
    assert_fault(r, FAULT_STORE_DOWN);
    assert_non_null(strstr(error_text(b->arena, r), "is full"));
    assert_false(store_stats(b->store).up);
    assert_int_equal(count(b), n);
    assert_false(store_stats(b->store).up); /* reading goes on, and says nothing about it */
    assert_fault(insert_page(b, n), FAULT_STORE_DOWN);
    assert_ok(b->arena, run_sql(b, "PRAGMA max_page_count = 100000"));
    assert_ok(b->arena, insert_page(b, n));
    assert_true(store_stats(b->store).up);
    assert_int_equal(count(b), n + 1);
}

/* What was not merged into the old file must not be merged into the new one. */
static void a_file_that_was_restored_in_use_has_what_the_backup_has(void **state)
{
    Bench *b = *state;
    const char *file = b->settings.sqlite, *copy = arena_printf(b->arena, "%s.copy", file);
    assert_ok(b->arena, insert_page(b, 1));
    assert_ok(b->arena, sqlite_file_back_up(b->arena, file, copy));
    for (int64_t id = 2; id < 20; id++)
        assert_ok(b->arena, insert_page(b, id));
    assert_int_equal(rename(copy, file), 0);
    Result r = insert_page(b, 20); /* it notices */
    assert_true(failed(r));
    assert_non_null(strstr(error_text(b->arena, r), "was removed or replaced"));
    while (failed(insert_page(b, 21))) /* until it has opened the new one */
        uv_sleep(10);
    assert_int_equal(count(b), 2);
    assert_int_equal(number_of(b, "SELECT sum(id) FROM things"), 22);
    StoreReport report;
    assert_ok(b->arena, store_report(&b->settings, &store_kinds, true, b->arena, &report));
    assert_int_equal(report.n_damage, 0);
}

/* ---- Names that are no files ----------------------------------------------------------------- */

static void assert_no_copy(Bench *b, const char *copy, const char *why)
{
    Result r = sqlite_file_back_up(b->arena, b->settings.sqlite, copy);
    assert_fault(r, FAULT_NO_FILE);
    assert_non_null(strstr(error_text(b->arena, r), why));
}

static void a_copy_replaces_no_fifo_and_no_link(void **state)
{
    Bench *b = *state;
    struct stat found;
    const char *fifo = arena_printf(b->arena, "%s/fifo", b->folder);
    const char *link = arena_printf(b->arena, "%s/link", b->folder);
    const char *copy = arena_printf(b->arena, "%s/copy", b->folder);
    assert_int_equal(mkfifo(fifo, 0600), 0);
    assert_int_equal(symlink(fifo, link), 0);
    assert_no_copy(b, fifo, "it is a FIFO");
    assert_no_copy(b, link, "it is a symbolic link");
    assert_no_copy(b, b->folder, "it is a folder");
    assert_true(lstat(fifo, &found) == 0 && S_ISFIFO(found.st_mode));
    assert_true(lstat(link, &found) == 0 && S_ISLNK(found.st_mode));
    assert_int_equal(rename(fifo, arena_printf(b->arena, "%s.part", copy)), 0);
    assert_no_copy(b, copy, "it is a FIFO");
    assert_int_equal(unlink(arena_printf(b->arena, "%s.part", copy)), 0);
    assert_ok(b->arena, sqlite_file_back_up(b->arena, b->settings.sqlite, copy));
    assert_ok(b->arena, sqlite_file_back_up(b->arena, b->settings.sqlite, copy)); /* a file is */
}

static void a_copy_replaces_no_part_of_the_store(void **state)
{
    static const char *const parts[] = {"-wal", "-shm", "-journal"};
    Bench *b = *state;
    const char *link = arena_printf(b->arena, "%s/link", b->folder);
    assert_int_equal(symlink(b->folder, link), 0);
    assert_no_copy(b, b->settings.sqlite, "it is the store itself");
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++) {
        assert_no_copy(b, arena_printf(b->arena, "%s%s", b->settings.sqlite, parts[i]),
                       "it is a part of the store itself");
        assert_no_copy(b, arena_printf(b->arena, "%s/store.db%s", link, parts[i]),
                       "it is a part of the store itself");
    }
    assert_ok(b->arena, run_sql(b, "SELECT 1"));
    assert_int_equal(count(b), 0);
}

/* What is written before the copy has its name has one, too. */
static void a_copy_in_the_making_replaces_no_store(void **state)
{
    Bench *b = *state;
    const char *store = arena_printf(b->arena, "%s/copy.part", b->folder);
    assert_ok(b->arena, sqlite_file_back_up(b->arena, b->settings.sqlite, store));
    assert_fault(sqlite_file_back_up(b->arena, store, arena_printf(b->arena, "%s/copy", b->folder)),
                 FAULT_NO_FILE);
    assert_int_equal(access(store, F_OK), 0);
}

static Result report_of(Bench *b, const char *file)
{
    StoreReport report;
    StoreSettings settings = b->settings;
    settings.sqlite = file;
    return store_report(&settings, &store_kinds, true, b->arena, &report);
}

static void a_store_is_a_regular_file(void **state)
{
    Bench *b = *state;
    const char *fifo = arena_printf(b->arena, "%s/fifo", b->folder);
    assert_int_equal(mkfifo(fifo, 0600), 0);
    assert_fault(sqlite_file_look(b->arena, fifo), FAULT_STORE_DOWN);
    assert_fault(report_of(b, fifo), FAULT_STORE_DOWN);
    assert_fault(sqlite_file_back_up(b->arena, fifo, arena_printf(b->arena, "%s/c", b->folder)),
                 FAULT_STORE_DOWN);
    StoreSettings settings = b->settings;
    settings.sqlite = fifo;
    Store *store = store_open(&settings);
    StoreTask *task = store_task_new(STORE_SOON);
    store_task_add(task, "SELECT 1");
    assert_fault(store_run(store, b->arena, &task), FAULT_STORE_DOWN);
    store_task_free(task);
    store_close(store);
}

static void a_file_that_was_cut_off_is_damaged_and_keeps_its_wal(void **state)
{
    Bench *b = *state;
    struct stat wal;
    const char *file = arena_printf(b->arena, "%s/cut.db", b->folder);
    const char *copy = "cp %s %s/cut.db; cp %s-wal %s/cut.db-wal";
    assert_ok(b->arena, insert_page(b, 1));
    assert_int_equal(system(arena_printf(b->arena, copy, b->settings.sqlite, b->folder,
                                         b->settings.sqlite, b->folder)),
                     0);
    assert_int_equal(truncate(file, 0), 0);
    assert_ptr_equal(error_origin(report_of(b, file))->fault, &FAULT_STORE_DAMAGED);
    assert_ptr_equal(error_origin(sqlite_file_look(b->arena, file))->fault, &FAULT_STORE_DAMAGED);
    assert_true(stat(arena_printf(b->arena, "%s-wal", file), &wal) == 0 && wal.st_size > 0);
    assert_int_equal(unlink(arena_printf(b->arena, "%s-wal", file)), 0);
    assert_ok(b->arena, sqlite_file_look(b->arena, file)); /* a new one, as far as can be known */
}

int main(void)
{
    static Kind sqlite = {false}, postgresql = {true};
#define BOTH(test)                                                                                 \
    {#test " (SQLite)", test, setup, teardown, &sqlite},                                           \
    {                                                                                              \
#test " (PostgreSQL)", test, setup, teardown, &postgresql                                  \
    }
#define SQLITE(test)                                                                               \
    {                                                                                              \
#test, test, setup, teardown, &sqlite                                                      \
    }
#define POSTGRESQL(test)                                                                           \
    {                                                                                              \
#test " (PostgreSQL)", test, setup, teardown, &postgresql                                  \
    }
    const struct CMUnitTest tests[] = {
        BOTH(every_kind_of_value_is_read_as_it_was_stored),
        BOTH(parameters_may_stand_in_any_order_and_more_than_once),
        BOTH(of_a_task_that_fails_nothing_takes_effect),
        BOTH(a_wrong_statement_is_a_mistake_of_ours_and_the_next_task_is_executed),
        BOTH(a_condition_holds_only_for_that_number_of_rows),
        BOTH(tasks_of_a_loop_are_reported_once_each_and_in_order),
        BOTH(a_port_may_be_closed_at_any_moment),
        BOTH(after_a_port_is_closed_nothing_is_reported_but_all_is_executed),
        BOTH(what_was_submitted_while_connecting_is_executed_at_the_end),
        BOTH(a_schema_that_needs_a_newer_gateway_is_refused),
        BOTH(several_gateways_may_make_the_schema_at_once),
        SQLITE(several_gateways_may_make_the_file_at_once),
        SQLITE(as_many_tasks_wait_as_the_queue_allows),
        SQLITE(what_takes_too_long_is_given_up_and_says_whether_it_may_have_taken_effect),
        BOTH(a_thread_that_waits_gives_up_in_time),
        BOTH(a_read_that_takes_too_long_has_had_no_effect_and_says_so),
        SQLITE(a_store_that_is_down_fails_at_once_and_comes_back),
        SQLITE(a_damaged_file_is_named),
        BOTH(while_an_older_gateway_writes_a_newer_one_migrates_and_both_go_on),
        POSTGRESQL(the_server_compiles_no_statements),
        POSTGRESQL(a_migration_that_waits_for_a_backup_lets_older_gateways_go_on),
        SQLITE(a_new_file_is_for_its_owner_only),
        SQLITE(a_file_that_was_restored_in_use_has_what_the_backup_has),
        SQLITE(a_copy_replaces_no_fifo_and_no_link),
        SQLITE(a_copy_replaces_no_part_of_the_store),
        SQLITE(a_copy_in_the_making_replaces_no_store),
        SQLITE(a_store_is_a_regular_file),
        SQLITE(a_file_that_was_cut_off_is_damaged_and_keeps_its_wal),
        SQLITE(when_the_file_cannot_grow_what_was_stored_stays_and_room_is_used_again),
    };
    if (!getenv("POSTGRESQL"))
        cmocka_set_skip_filter("*(PostgreSQL)");
    return cmocka_run_group_tests(tests, NULL, NULL);
}
