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
                            .all = tally_new(20), /* rows stay until they are stored */
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
    while (b->kept.n_looking || b->kept.n_writing)
        uv_run(&b->loop, UV_RUN_ONCE);
}

/* A collection, and what it stores. */
static void beat(Bench *b)
{
    ledger_store_beat(&b->kept);
    wait_until_written(b);
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
    beat(b);
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
    beat(b);
    assert_int_equal(count_rows(b, "SELECT count(*) FROM failures"), 1);
    begin_anew(b);
    assert_int_equal(failure_table_find(&b->kept.all->failures, print)->count, 7 + 3 * 2);
}

static void only_what_has_changed_is_written(void **state)
{
    Bench *b = *state;
    wait_until_read(b);
    fixture_failures(&b->kept.all->failures, "a", 1);
    beat(b);
    ledger_store_beat(&b->kept);
    assert_int_equal(b->kept.n_looking + b->kept.n_writing, 0);
    fixture_failures(&b->kept.all->failures, "a", 1);
    ledger_store_beat(&b->kept);
    assert_int_equal(b->kept.n_looking, 0);
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
    beat(b);
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

/* ---- More kinds than there is room for ------------------------------------------------------- */

static FailureRow *failures_of_route(FailureTable *table, FaultSide side, int route, int n)
{
    char name[32];
    snprintf(name, sizeof name, "route %d", route);
    Failure failure = {.key = {.side = side,
                               .fault = side == SIDE_CLIENT ? &FAULT_BAD_VALUE : &FAULT_INTERNAL,
                               .code = CODE_INTERNAL,
                               .route = bytes_of(name),
                               .cause = bytes_of("x")},
                       .at = NOON + route * SECOND};
    for (int i = 0; i < n; i++)
        failure_table_add(table, &failure);
    return failure_table_find(table, failure_fingerprint(&failure.key));
}

static void counts_survive_that_a_row_gives_way(void **state)
{
    Bench *b = *state;
    FailureTable *failures = &b->kept.all->failures;
    wait_until_read(b);
    uint64_t print = failures_of_route(failures, SIDE_GATEWAY, 0, 50)->fingerprint;
    beat(b);
    for (int i = 1; i <= 10; i++)
        failures_of_route(failures, SIDE_GATEWAY, i, 60);
    beat(b); /* all are stored */
    beat(b);
    assert_int_equal(failures->n, 10);
    assert_int_equal(failures->evicted, 0);
    assert_null(failure_table_find(failures, print));
    failures_of_route(failures, SIDE_GATEWAY, 0, 1);
    beat(b);
    FailureRow *row = failure_table_find(failures, print);
    assert_int_equal(row->count, 51);
    assert_int_equal(row->first, NOON);
    assert_int_equal(count_rows(b, "SELECT times FROM failures WHERE times BETWEEN 2 AND 59"), 51);
}

static void a_flood_of_mistakes_pushes_no_failure_out_of_what_is_read(void **state)
{
    Bench *b = *state;
    wait_until_read(b);
    uint64_t print = failures_of_route(&b->kept.all->failures, SIDE_GATEWAY, 0, 7)->fingerprint;
    for (int i = 1; i <= 100; i++) {
        failures_of_route(&b->kept.all->mistakes, SIDE_CLIENT, i, 2);
        if (i % 10 == 0)
            beat(b);
    }
    begin_anew(b);
    assert_int_equal(failure_table_find(&b->kept.all->failures, print)->count, 7);
    assert_int_equal(b->kept.all->mistakes.n, 10);
}

static void the_store_keeps_so_many_times_as_much_as_the_memory(void **state)
{
    Bench *b = *state;
    wait_until_read(b);
    failures_of_route(&b->kept.all->failures, SIDE_GATEWAY, 0, 7);
    for (int i = 1; i <= 45; i++) {
        failures_of_route(&b->kept.all->mistakes, SIDE_CLIENT, i, 1);
        if (i % 5 == 0)
            beat(b);
    }
    beat(b);
    assert_int_equal(count_rows(b, "SELECT count(*) FROM failures WHERE mistake = 0"), 1);
    failures_of_route(&b->kept.all->mistakes, SIDE_CLIENT, 100, 1);
    beat(b);
    while (count_rows(b, "SELECT count(*) FROM failures WHERE mistake = 1") >
           LEDGER_STORED * (int)b->kept.rows)
        beat(b);
    assert_int_equal(count_rows(b, "SELECT count(*) FROM failures WHERE mistake = 1"),
                     LEDGER_STORED * b->kept.rows);
    assert_int_equal(count_rows(b, "SELECT count(*) FROM failures WHERE mistake = 0"), 1);
}

/* What is seldom is not among the rows that are read at the start. */
static void a_row_that_was_not_read_at_the_start_is_read_when_it_is_seen(void **state)
{
    Bench *b = *state;
    wait_until_read(b);
    uint64_t print = failures_of_route(&b->kept.all->failures, SIDE_GATEWAY, 0, 50)->fingerprint;
    for (int i = 1; i <= 15; i++)
        failures_of_route(&b->kept.all->failures, SIDE_GATEWAY, i, 60);
    beat(b);
    begin_anew(b);
    assert_int_equal(b->kept.all->failures.n, 10);
    assert_null(failure_table_find(&b->kept.all->failures, print));
    failures_of_route(&b->kept.all->failures, SIDE_GATEWAY, 0, 1);
    beat(b);
    assert_int_equal(failure_table_find(&b->kept.all->failures, print)->count, 51);
    begin_anew(b);
    failures_of_route(&b->kept.all->failures, SIDE_GATEWAY, 0, 1);
    begin_anew(b); /* it ends before it has looked */
    beat(b);
    beat(b);
    assert_int_equal(failure_table_find(&b->kept.all->failures, print)->count, 52);
}

/* Another gateway has the same name. */
static void a_higher_count_is_not_overwritten(void **state)
{
    Bench *b = *state;
    wait_until_read(b);
    fixture_failures(&b->kept.all->failures, "a", 5);
    beat(b);
    run_sql(b, "UPDATE failures SET times = 7, content = X'00'");
    fixture_failures(&b->kept.all->failures, "a", 1);
    beat(b);
    assert_int_equal(count_rows(b, "SELECT times FROM failures WHERE content = X'00'"), 7);
    fixture_failures(&b->kept.all->failures, "a", 1);
    beat(b);
    assert_int_equal(count_rows(b, "SELECT times FROM failures"), 7);
    assert_int_equal(count_rows(b, "SELECT count(*) FROM failures WHERE content = X'00'"), 0);
}

/* ---- Keys ------------------------------------------------------------------------------------ */

static const StoreKeys *keys_of(Bench *b, uint8_t byte, const char *id)
{
    StoreKeys *keys = arena_make(b->arena, StoreKeys);
    *keys = (StoreKeys){.keys = arena_make(b->arena, StoreKey), .n = 1};
    keys->keys[0].id = id;
    memset(keys->keys[0].key, byte, sizeof keys->keys[0].key);
    return keys;
}

static void begin_anew_with(Bench *b, const StoreKeys *keys)
{
    ledger_store_end(&b->kept);
    close_store(b);
    open_store(b);
    b->kept.keys = keys;
    wait_until_read(b);
}

static void check_that_sealed_rows_stay(Bench *b, const StoreKeys *good, const StoreKeys *bad)
{
    begin_anew_with(b, good);
    uint64_t print = fixture_failures(&b->kept.all->failures, "a", 5)->fingerprint;
    begin_anew_with(b, bad);
    assert_int_equal(b->kept.n_damaged, 1);
    assert_null(failure_table_find(&b->kept.all->failures, print));
    for (int i = 0; i < 3; i++) {
        fixture_failures(&b->kept.all->failures, "a", 1);
        beat(b);
        begin_anew_with(b, bad);
        assert_int_equal(failure_table_find(&b->kept.all->failures, print)->count, i + 1);
    }
    begin_anew_with(b, good); /* those of the other key cannot be opened now, and stay, too */
    assert_int_equal(failure_table_find(&b->kept.all->failures, print)->count, 5);
    StoreKeys *both = arena_make(b->arena, StoreKeys);
    *both = (StoreKeys){.keys = arena_array(b->arena, StoreKey, 2), .n = bad->n + 1};
    both->keys[0] = good->keys[0];
    if (bad->n)
        both->keys[1] = bad->keys[0];
    begin_anew_with(b, both);
    beat(b);
    if (good->n && bad->n && strcmp(good->keys[0].id, bad->keys[0].id) != 0)
        assert_int_equal(failure_table_find(&b->kept.all->failures, print)->count, 8);
}

static void a_row_that_is_sealed_with_an_unknown_key_stays(void **state)
{
    Bench *b = *state;
    check_that_sealed_rows_stay(b, keys_of(b, 1, "one"), keys_of(b, 2, "two"));
}

static void a_wrong_key_of_the_same_name_overwrites_nothing(void **state)
{
    Bench *b = *state;
    check_that_sealed_rows_stay(b, keys_of(b, 1, "one"), keys_of(b, 2, "one"));
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
                             .acknowledged = NOON - 1,
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
    assert_int_equal(read->acknowledged, NOON - 1);
    assert_bytes(read->who, "uid 0");
    assert_bytes(read->why, "known");
    assert_int_equal(read->at, NOON);
}

static void say(Bench *b, const Annotation *annotation)
{
    b->said = NULL;
    ledger_store_annotate(&b->kept, annotation, on_said, b);
    while (!b->said)
        uv_run(&b->loop, UV_RUN_ONCE);
    assert_string_equal(b->said, "said");
}

static const Annotation *read_again(Bench *b, const StoreKeys *keys)
{
    begin_anew_with(b, keys);
    return annotations_find(&b->annotations, 0xdeadbeef);
}

static void what_operators_say_is_sealed(void **state)
{
    Bench *b = *state;
    Annotation annotation = {.fingerprint = 0xdeadbeef,
                             .owner = bytes_of("ada"),
                             .cause = bytes_of("disk"),
                             .ticket = bytes_of("T-1"),
                             .who = bytes_of("uid 0"),
                             .why = bytes_of("known"),
                             .acknowledged = NOON,
                             .at = NOON};
    const StoreKeys *keys = keys_of(b, 1, "one");
    begin_anew_with(b, keys);
    say(b, &annotation);
    assert_int_equal(count_rows(b, "SELECT count(*) FROM annotations WHERE owner = '' AND cause ="
                                   " '' AND ticket = '' AND why = '' AND sealed IS NOT NULL"),
                     1);
    assert_int_equal(count_rows(b, "SELECT instr(sealed, 'disk') FROM annotations"), 0);
    const Annotation *read = read_again(b, keys);
    assert_false(read->closed);
    assert_bytes(read->owner, "ada");
    assert_bytes(read->cause, "disk");
    assert_bytes(read->ticket, "T-1");
    assert_bytes(read->why, "known");
    read = read_again(b, keys_of(b, 2, "one"));
    assert_true(read->closed);
    assert_bytes(read->owner, "");
    assert_int_equal(read->acknowledged, NOON);
    assert_bytes(read->who, "uid 0");
}

static void what_was_said_before_there_were_keys_is_read(void **state)
{
    Bench *b = *state;
    wait_until_read(b);
    say(b, &(Annotation){.fingerprint = 0xdeadbeef, .owner = bytes_of("ada"), .at = NOON});
    const Annotation *read = read_again(b, keys_of(b, 1, "one"));
    assert_bytes(read->owner, "ada");
    say(b, &(Annotation){.fingerprint = 0xdeadbeef, .owner = bytes_of("bob"), .at = NOON});
    assert_bytes(read_again(b, keys_of(b, 1, "one"))->owner, "bob");
    assert_int_equal(count_rows(b, "SELECT count(*) FROM annotations WHERE owner = ''"), 1);
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
        TEST(counts_survive_that_a_row_gives_way),
        TEST(a_flood_of_mistakes_pushes_no_failure_out_of_what_is_read),
        TEST(the_store_keeps_so_many_times_as_much_as_the_memory),
        TEST(a_row_that_was_not_read_at_the_start_is_read_when_it_is_seen),
        TEST(a_higher_count_is_not_overwritten),
        TEST(a_row_that_is_sealed_with_an_unknown_key_stays),
        TEST(a_wrong_key_of_the_same_name_overwrites_nothing),
        TEST(what_operators_say_is_read_by_all),
        TEST(what_operators_say_is_sealed),
        TEST(what_was_said_before_there_were_keys_is_read),
    };
    return cmocka_run_group_tests_name("ledger_store", tests, NULL, NULL);
}
