#include "tests/unit/check.h"

#include "gateway/ledger/ledger_store.h"
#include "tests/unit/gateway/ledger/failure_fixture.h"

#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

typedef struct Bench {
    Arena *arena;
    uv_loop_t loop;
    Store *store;
    char folder[32];
    Annotations annotations;
    LedgerStore kept;
    const char *said; /* what became of an annotation */
} Bench;

static void open_store(Bench *b)
{
    static const StoreKeys no_keys;
    b->store =
        store_open(&(StoreSettings){.sqlite = arena_printf(b->arena, "%s/store.db", b->folder),
                                    .queue = 1000,
                                    .time = 5 * SECOND});
    b->kept = (LedgerStore){.port = store_port_open(b->store, &b->loop),
                            .all = tally_new(10),
                            .annotations = &b->annotations,
                            .node = "ours",
                            .keys = &no_keys,
                            .rows = 10};
}

/* As a gateway that stops. */
static void close_store(Bench *b)
{
    store_port_close(b->kept.port);
    uv_run(&b->loop, UV_RUN_DEFAULT);
    store_close(b->store);
    tally_free(b->kept.all);
    annotations_clear(&b->annotations);
}

static int setup(void **state)
{
    Bench *b = calloc(1, sizeof *b);
    b->arena = arena_new(ARENA_UNLIMITED);
    strcpy(b->folder, "/tmp/ledgerXXXXXX");
    assert_non_null(mkdtemp(b->folder));
    assert_int_equal(uv_loop_init(&b->loop), 0);
    open_store(b);
    *state = b;
    return 0;
}

static int teardown(void **state)
{
    Bench *b = *state;
    ledger_store_end(&b->kept);
    close_store(b);
    assert_int_equal(uv_loop_close(&b->loop), 0);
    assert_int_equal(system(arena_printf(b->arena, "rm -rf %s", b->folder)), 0);
    arena_free(b->arena);
    free(b);
    return 0;
}

static void wait_until_read(Bench *b)
{
    ledger_store_beat(&b->kept);
    while (!b->kept.read) {
        uv_run(&b->loop, UV_RUN_ONCE);
        if (!b->kept.reading && !b->kept.read)
            ledger_store_beat(&b->kept);
    }
}

static void wait_until_written(Bench *b)
{
    while (b->kept.n_writing)
        uv_run(&b->loop, UV_RUN_ONCE);
}

static void begin_anew(Bench *b)
{
    ledger_store_end(&b->kept);
    close_store(b);
    open_store(b);
    wait_until_read(b);
}

static void run_sql(Bench *b, const char *sql)
{
    sqlite3 *db;
    assert_int_equal(sqlite3_open(arena_printf(b->arena, "%s/store.db", b->folder), &db),
                     SQLITE_OK);
    sqlite3_busy_timeout(db, 5000);
    char *why = NULL;
    if (sqlite3_exec(db, sql, NULL, NULL, &why) != SQLITE_OK)
        fail_msg("%s: %s", sql, why);
    sqlite3_close(db);
}

static int count_rows(Bench *b, const char *sql)
{
    sqlite3 *db;
    sqlite3_stmt *statement;
    assert_int_equal(sqlite3_open(arena_printf(b->arena, "%s/store.db", b->folder), &db),
                     SQLITE_OK);
    sqlite3_busy_timeout(db, 5000);
    assert_int_equal(sqlite3_prepare_v2(db, sql, -1, &statement, NULL), SQLITE_OK);
    assert_int_equal(sqlite3_step(statement), SQLITE_ROW);
    int n = sqlite3_column_int(statement, 0);
    sqlite3_finalize(statement);
    sqlite3_close(db);
    return n;
}

static void rows_come_back_after_a_restart(void **state)
{
    Bench *b = *state;
    wait_until_read(b);
    uint64_t print = fixture_failures(&b->kept.all->failures, "a", 7)->fingerprint;
    begin_anew(b);
    const FailureRow *row = failure_table_find(&b->kept.all->failures, print);
    assert_non_null(row);
    assert_int_equal(row->count, 7);
    assert_false(row->changed);
    assert_int_equal(b->kept.all->mistakes.n, 0);
}

static void what_was_counted_before_it_was_read_is_added(void **state)
{
    Bench *b = *state;
    wait_until_read(b);
    uint64_t print = fixture_failures(&b->kept.all->failures, "a", 7)->fingerprint;
    ledger_store_end(&b->kept);
    close_store(b);
    open_store(b);
    fixture_failures(&b->kept.all->failures, "a", 2);
    wait_until_read(b);
    assert_int_equal(failure_table_find(&b->kept.all->failures, print)->count, 9);
    begin_anew(b);
    assert_int_equal(failure_table_find(&b->kept.all->failures, print)->count, 9);
}

/* It cannot know what was kept: its counts are not written over those. */
static void a_gateway_that_ends_before_it_has_read_loses_nothing(void **state)
{
    Bench *b = *state;
    wait_until_read(b);
    uint64_t print = fixture_failures(&b->kept.all->failures, "a", 7)->fingerprint;
    for (int i = 0; i < 3; i++) {
        ledger_store_end(&b->kept);
        close_store(b);
        open_store(b);
        fixture_failures(&b->kept.all->failures, "a", 2);
        while (!store_stats(b->store).up)
            usleep(1000);
    }
    begin_anew(b);
    assert_int_equal(count_rows(b, "SELECT count(*) FROM failures"), 4);
    assert_int_equal(failure_table_find(&b->kept.all->failures, print)->count, 7 + 3 * 2);
    ledger_store_beat(&b->kept);
    wait_until_written(b);
    assert_int_equal(count_rows(b, "SELECT count(*) FROM failures"), 1);
    begin_anew(b);
    assert_int_equal(failure_table_find(&b->kept.all->failures, print)->count, 7 + 3 * 2);
}

static void only_what_has_changed_is_written(void **state)
{
    Bench *b = *state;
    wait_until_read(b);
    fixture_failures(&b->kept.all->failures, "a", 1);
    ledger_store_beat(&b->kept);
    assert_int_equal(b->kept.n_writing, 1);
    wait_until_written(b);
    ledger_store_beat(&b->kept);
    assert_int_equal(b->kept.n_writing, 0);
    fixture_failures(&b->kept.all->failures, "a", 1);
    ledger_store_beat(&b->kept);
    assert_int_equal(b->kept.n_writing, 1);
    wait_until_written(b);
}

static void rows_of_other_gateways_are_theirs(void **state)
{
    Bench *b = *state;
    wait_until_read(b);
    fixture_failures(&b->kept.all->failures, "a", 7);
    ledger_store_end(&b->kept);
    wait_until_written(b);
    run_sql(b, "UPDATE failures SET node = 'other'");
    begin_anew(b);
    assert_int_equal(b->kept.all->failures.n, 0);
}

static void a_damaged_row_is_set_aside_and_the_others_are_read(void **state)
{
    Bench *b = *state;
    wait_until_read(b);
    uint64_t good = fixture_failures(&b->kept.all->failures, "a", 7)->fingerprint;
    uint64_t bad = fixture_failures(&b->kept.all->failures, "b", 7)->fingerprint;
    ledger_store_end(&b->kept);
    wait_until_written(b);
    run_sql(b, arena_printf(b->arena,
                            "UPDATE failures SET content = substr(content, 1, 100)"
                            " WHERE id LIKE '%%%016llx'",
                            (unsigned long long)bad));
    begin_anew(b);
    assert_int_equal(b->kept.n_damaged, 1);
    assert_non_null(failure_table_find(&b->kept.all->failures, good));
    assert_null(failure_table_find(&b->kept.all->failures, bad));
    fixture_failures(&b->kept.all->failures, "b", 1);
    begin_anew(b);
    assert_int_equal(b->kept.n_damaged, 0);
    assert_int_equal(failure_table_find(&b->kept.all->failures, bad)->count, 1);
    assert_int_equal(count_rows(b, "SELECT count(*) FROM failures WHERE id LIKE 'damaged %'"), 1);
    assert_int_equal(count_rows(b, "SELECT count(*) FROM failures"), 3);
}

static void on_said(void *owner, Result result)
{
    Bench *b = owner;
    b->said = failed(result) ? error_text(b->arena, result) : "said";
}

static void what_operators_say_is_read_by_all(void **state)
{
    Bench *b = *state;
    Annotation annotation = {.fingerprint = 0xdeadbeef,
                             .owner = bytes_of("ada"),
                             .cause = bytes_of("disk"),
                             .ticket = bytes_of("T-1"),
                             .acknowledged = true,
                             .criticality = 3.25,
                             .who = bytes_of("uid 0"),
                             .why = bytes_of("known"),
                             .at = NOON};
    ledger_store_annotate(&b->kept, &annotation, on_said, b);
    while (!b->said)
        uv_run(&b->loop, UV_RUN_ONCE);
    assert_string_equal(b->said, "said");
    annotation.owner = bytes_of("bob");
    b->said = NULL;
    ledger_store_annotate(&b->kept, &annotation, on_said, b);
    while (!b->said)
        uv_run(&b->loop, UV_RUN_ONCE);
    begin_anew(b);
    assert_int_equal(b->annotations.n, 1);
    const Annotation *read = annotations_find(&b->annotations, 0xdeadbeef);
    assert_bytes(read->owner, "bob");
    assert_bytes(read->cause, "disk");
    assert_bytes(read->ticket, "T-1");
    assert_true(read->acknowledged);
    assert_true(read->criticality == 3.25);
    assert_bytes(read->who, "uid 0");
    assert_bytes(read->why, "known");
    assert_int_equal(read->at, NOON);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(rows_come_back_after_a_restart),
        TEST(what_was_counted_before_it_was_read_is_added),
        TEST(a_gateway_that_ends_before_it_has_read_loses_nothing),
        TEST(only_what_has_changed_is_written),
        TEST(rows_of_other_gateways_are_theirs),
        TEST(a_damaged_row_is_set_aside_and_the_others_are_read),
        TEST(what_operators_say_is_read_by_all),
    };
    return cmocka_run_group_tests_name("ledger_store", tests, NULL, NULL);
}
