/* Stores looked at and copied from outside; on SQLite, and on PostgreSQL where the environment
   names one (POSTGRESQL). */
#include "tests/unit/check.h"

#include "base/clock.h"
#include "gateway/store/sqlite_file.h"
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

typedef struct Bench {
    Arena *arena;
    Store *store;
    StoreSettings settings;
    char folder[32];
    const char *copy;
    atomic_bool stop; /* the writer */
    atomic_int n_written;
} Bench;

static void run_sql(Bench *b, const char *sql)
{
    StoreTask *task = store_task_new(STORE_PROMISED);
    store_task_add(task, sql);
    assert_ok(b->arena, store_run(b->store, b->arena, &task));
    store_task_free(task);
}

static int setup(void **state)
{
    bool postgresql = **(bool **)state;
    Bench *b = calloc(1, sizeof *b);
    b->arena = arena_new(ARENA_UNLIMITED);
    strcpy(b->folder, "/tmp/storeXXXXXX");
    assert_non_null(mkdtemp(b->folder));
    b->settings = (StoreSettings){.connections = 1, .queue = 100, .time = 10 * SECOND};
    if (postgresql)
        b->settings.postgresql = getenv("POSTGRESQL");
    else
        b->settings.sqlite = arena_printf(b->arena, "%s/store.db", b->folder);
    b->copy = arena_printf(b->arena, "%s/copy.db", b->folder);
    b->store = store_open(&b->settings);
    run_sql(b, "DROP TABLE IF EXISTS pairs");
    run_sql(b, "CREATE TABLE pairs (number BIGINT, side BIGINT)");
    run_sql(b, "DELETE FROM audit");
    run_sql(b, "DELETE FROM gateways");
    run_sql(b, "INSERT INTO gateways (node, version, generation, config_hash, started, last_seen)"
               " VALUES ('a', '', 0, '', 0, 7000000000), ('b', '', 0, '', 0, 8000000000)");
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

static StoreReport report_of(Bench *b, const char *file)
{
    StoreSettings settings = b->settings;
    if (file)
        settings.sqlite = file;
    StoreReport report;
    assert_ok(b->arena, store_report(&settings, &store_kinds, true, b->arena, &report));
    return report;
}

static void assert_whole(Bench *b, const StoreReport *report)
{
    assert_true(store_report_is_usable(report));
    assert_int_equal(report->n_damage, 0);
    assert_int_equal(report->schema, store_schema_number());
    assert_int_equal(report->n_tables, store_kinds.n);
    assert_string_equal(report->tables[0].name, "gateways");
    assert_int_equal(report->tables[0].rows, 2);
    assert_true(report->tables[0].oldest == 7 * SECOND);
    assert_string_equal(report->tables[1].name, "audit");
    assert_int_equal(report->tables[1].rows, 0);
    assert_int_equal(report->tables[1].oldest, 0);
    for (uint32_t i = 0; i < report->n_tables; i++)
        assert_true(report->tables[i].bytes > 0 && report->tables[i].bytes < report->bytes);
}

/* ---- Reports --------------------------------------------------------------------------------- */

static void
a_store_in_use_is_reported_with_its_schema_and_the_rows_and_bytes_of_each_table(void **state)
{
    Bench *b = *state;
    StoreReport report = report_of(b, NULL);
    assert_whole(b, &report);
    assert_true(store_stats(b->store).up);
}

static void a_store_without_a_schema_is_empty_and_stays_so(void **state)
{
    Bench *b = *state;
    const char *file = arena_printf(b->arena, "%s/empty.db", b->folder);
    sqlite3 *db;
    assert_int_equal(sqlite3_open(file, &db), SQLITE_OK);
    assert_int_equal(sqlite3_exec(db, "CREATE TABLE other (x)", NULL, NULL, NULL), SQLITE_OK);
    sqlite3_close(db);
    StoreReport report = report_of(b, file);
    assert_true(store_report_is_usable(&report));
    assert_int_equal(report.schema, 0);
    assert_int_equal(report.n_tables, 0);
    assert_int_equal(report_of(b, file).schema, 0);
}

/* Those that a later schema than `number` has made. */
static void drop_tables(Bench *b, int64_t number)
{
    for (size_t i = 0; i < store_kinds.n; i++)
        if (store_kinds.kinds[i].since > number)
            run_sql(b, arena_printf(b->arena, "DROP TABLE %s", store_kinds.kinds[i].table));
}

static void of_an_older_schema_the_tables_that_it_has_are_reported(void **state)
{
    Bench *b = *state;
    run_sql(b, "DELETE FROM store_schema WHERE number > 1");
    run_sql(b, "ALTER TABLE gateways DROP COLUMN process");
    run_sql(b, "ALTER TABLE gateways DROP COLUMN rival");
    drop_tables(b, 1);
    StoreReport report = report_of(b, NULL);
    assert_true(store_report_is_usable(&report));
    assert_int_equal(report.schema, 1);
    assert_int_equal(report.n_tables, 1);
    store_close(b->store); /* the next gateway makes the rest again */
    b->store = store_open(&b->settings);
    run_sql(b, "SELECT 1");
    report = report_of(b, NULL);
    assert_whole(b, &report);
}

static void a_schema_that_needs_a_newer_gateway_is_not_usable(void **state)
{
    Bench *b = *state;
    run_sql(b, "INSERT INTO store_schema (number, oldest_reader) VALUES (1000, 1)");
    StoreReport report = report_of(b, NULL);
    run_sql(b, "UPDATE store_schema SET oldest_reader = 1000 WHERE number = 1000");
    StoreReport newer = report_of(b, NULL);
    run_sql(b, "DELETE FROM store_schema WHERE number = 1000");
    assert_true(store_report_is_usable(&report));
    assert_false(store_report_is_usable(&newer));
    assert_int_equal(newer.oldest_reader, 1000);
}

static void what_cannot_be_reached_is_no_report(void **state)
{
    Bench *b = *state;
    StoreReport report;
    StoreSettings away = b->settings;
    if (away.postgresql)
        away.postgresql = "host=/nowhere user=x";
    else
        away.sqlite = arena_printf(b->arena, "%s/none.db", b->folder);
    Result r = store_report(&away, &store_kinds, true, b->arena, &report);
    assert_fault(r, FAULT_STORE_DOWN);
    assert_ptr_equal(error_origin(r)->fault, &FAULT_STORE_DOWN);
    if (away.sqlite)
        assert_int_not_equal(access(away.sqlite, F_OK), 0);
}

/* ---- Damage ---------------------------------------------------------------------------------- */

static void fill(Bench *b)
{
    run_sql(b, "INSERT INTO pairs WITH RECURSIVE c (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM c"
               " WHERE n < 20000) SELECT n, 0 FROM c");
    run_sql(b, "CREATE INDEX pairs_number ON pairs (number)");
    store_close(b->store); /* all is in the file itself */
    b->store = NULL;
}

static void overwrite(const char *file, long at, size_t size)
{
    FILE *f = fopen(file, "r+b");
    assert_non_null(f);
    assert_int_equal(fseek(f, at, SEEK_SET), 0);
    for (size_t i = 0; i < size; i++)
        fputc(0xa5, f);
    fclose(f);
}

static void a_page_that_was_overwritten_is_found(void **state)
{
    Bench *b = *state;
    fill(b);
    assert_ok(b->arena, sqlite_file_look(b->arena, b->settings.sqlite));
    overwrite(b->settings.sqlite, 4096 * 20, 4096);
    StoreReport report = report_of(b, NULL);
    assert_false(store_report_is_usable(&report));
    assert_true(report.n_damage > 0);
    Result r = sqlite_file_look(b->arena, b->settings.sqlite);
    assert_fault(r, FAULT_STORE_DOWN);
    assert_ptr_equal(error_origin(r)->fault, &FAULT_STORE_DAMAGED);
}

static void assert_blames_the_store(Bench *b, Result r)
{
    const char *text = error_text(b->arena, r);
    assert_non_null(strstr(text, arena_printf(b->arena, "%s is damaged", b->settings.sqlite)));
    assert_null(strstr(text, b->copy));
}

static void a_damaged_store_is_not_backed_up_over_a_good_copy(void **state)
{
    Bench *b = *state;
    assert_ok(b->arena, sqlite_file_back_up(b->arena, b->settings.sqlite, b->copy));
    fill(b);
    overwrite(b->settings.sqlite, 4096 * 20, 4096);
    Result r = sqlite_file_back_up(b->arena, b->settings.sqlite, b->copy);
    assert_fault(r, FAULT_STORE_DOWN);
    assert_ptr_equal(error_origin(r)->fault, &FAULT_STORE_DAMAGED);
    assert_blames_the_store(b, r);
    overwrite(b->settings.sqlite, 0, 100); /* its header */
    r = sqlite_file_back_up(b->arena, b->settings.sqlite, b->copy);
    assert_ptr_equal(error_origin(r)->fault, &FAULT_STORE_DAMAGED);
    assert_blames_the_store(b, r);
    StoreReport report = report_of(b, b->copy);
    assert_whole(b, &report);
}

static void what_is_no_database_or_cut_off_is_damaged(void **state)
{
    Bench *b = *state;
    fill(b);
    StoreReport report;
    assert_int_equal(truncate(b->settings.sqlite, 4096 * 30), 0);
    Result r = sqlite_file_look(b->arena, b->settings.sqlite);
    assert_fault(r, FAULT_STORE_DOWN);
    assert_ptr_equal(error_origin(r)->fault, &FAULT_STORE_DAMAGED);
    overwrite(b->settings.sqlite, 0, 4096);
    r = store_report(&b->settings, &store_kinds, true, b->arena, &report);
    assert_fault(r, FAULT_STORE_DOWN);
    assert_ptr_equal(error_origin(r)->fault, &FAULT_STORE_DAMAGED);
    r = sqlite_file_look(b->arena, b->settings.sqlite);
    assert_ptr_equal(error_origin(r)->fault, &FAULT_STORE_DAMAGED);
}

static void a_file_that_does_not_exist_yet_is_good_where_it_can_be_made(void **state)
{
    Bench *b = *state;
    assert_ok(b->arena,
              sqlite_file_look(b->arena, arena_printf(b->arena, "%s/none.db", b->folder)));
    Result r = sqlite_file_look(b->arena, "/nowhere/store.db");
    assert_fault(r, FAULT_STORE_DOWN);
    assert_non_null(strstr(error_text(b->arena, r), "the folder /nowhere cannot be written"));
}

/* ---- Copies ---------------------------------------------------------------------------------- */

static void *write_pairs(void *argument)
{
    Bench *b = argument;
    Arena *arena = arena_new(ARENA_UNLIMITED);
    for (int64_t number = 0; !b->stop; number++) {
        StoreTask *task = store_task_new(STORE_SOON);
        for (int side = 0; side < 2; side++) {
            StoreStatement *s =
                store_task_add(task, "INSERT INTO pairs (number, side) VALUES ($1, $2)");
            store_bind_integer(s, number);
            store_bind_integer(s, side);
        }
        CHECK(!failed(store_run(b->store, arena, &task)));
        store_task_free(task);
        b->n_written++;
    }
    arena_free(arena);
    return NULL;
}

static int64_t number_of(const char *file, const char *sql)
{
    sqlite3 *db;
    sqlite3_stmt *s;
    assert_int_equal(sqlite3_open_v2(file, &db, SQLITE_OPEN_READONLY, NULL), SQLITE_OK);
    assert_int_equal(sqlite3_prepare_v2(db, sql, -1, &s, NULL), SQLITE_OK);
    assert_int_equal(sqlite3_step(s), SQLITE_ROW);
    int64_t n = sqlite3_column_int64(s, 0);
    sqlite3_finalize(s);
    sqlite3_close(db);
    return n;
}

/* Each backup has whole pairs only, and more of them than the one before. */
static void while_a_gateway_writes_a_copy_is_of_one_moment(void **state)
{
    Bench *b = *state;
    pthread_t writer;
    int64_t before = -1;
    assert_int_equal(pthread_create(&writer, NULL, write_pairs, b), 0);
    for (int i = 0; i < 20; i++) {
        int enough = b->n_written + 2; /* one of them may be in the last copy */
        while (b->n_written < enough)
            usleep(1000);
        assert_ok(b->arena, sqlite_file_back_up(b->arena, b->settings.sqlite, b->copy));
        int64_t n = number_of(b->copy, "SELECT count(*) FROM pairs");
        assert_int_equal(number_of(b->copy,
                                   "SELECT count(*) FROM (SELECT number FROM pairs GROUP BY number"
                                   " HAVING count(*) <> 2)"),
                         0);
        assert_true(n > before);
        before = n;
    }
    b->stop = true;
    assert_int_equal(pthread_join(writer, NULL), 0);
    StoreReport report = report_of(b, b->copy);
    assert_whole(b, &report);
}

static void a_copy_stands_alone_and_is_its_owners(void **state)
{
    Bench *b = *state;
    assert_ok(b->arena, sqlite_file_back_up(b->arena, b->settings.sqlite, b->copy));
    struct stat found;
    assert_int_equal(stat(b->copy, &found), 0);
    assert_int_equal(found.st_mode & 0777, 0600);
    assert_int_not_equal(access(arena_printf(b->arena, "%s.part", b->copy), F_OK), 0);
    assert_int_not_equal(access(arena_printf(b->arena, "%s-wal", b->copy), F_OK), 0);
    assert_int_equal(number_of(b->copy, "SELECT count(*) FROM gateways"), 2);
    assert_int_equal(number_of(b->copy, "SELECT journal_mode = 'delete' FROM pragma_journal_mode"),
                     1);
    store_close(b->store); /* and a gateway can use it */
    b->settings.sqlite = b->copy;
    b->store = store_open(&b->settings);
    run_sql(b, "DELETE FROM gateways");
}

static void the_store_is_not_a_copy_of_itself(void **state)
{
    Bench *b = *state;
    const char *other = arena_printf(b->arena, "%s/other.db", b->folder);
    Result r = sqlite_file_back_up(b->arena, b->settings.sqlite, b->settings.sqlite);
    assert_fault(r, FAULT_NO_FILE);
    assert_non_null(strstr(error_text(b->arena, r), "it is the store itself"));
    assert_int_equal(symlink(b->settings.sqlite, other), 0);
    assert_fault(sqlite_file_back_up(b->arena, b->settings.sqlite, other), FAULT_NO_FILE);
    run_sql(b, "DELETE FROM gateways");
    assert_true(store_stats(b->store).up);
}

static void where_a_copy_cannot_be_written_or_made_nothing_is_left(void **state)
{
    Bench *b = *state;
    const char *folder = arena_printf(b->arena, "%s/folder", b->folder);
    const char *missing = arena_printf(b->arena, "%s/none.db", b->folder);
    assert_int_equal(mkdir(folder, 0700), 0);
    assert_fault(sqlite_file_back_up(b->arena, b->settings.sqlite, "/nowhere/copy"), FAULT_NO_FILE);
    assert_fault(sqlite_file_back_up(b->arena, b->settings.sqlite, folder), FAULT_NO_FILE);
    assert_int_not_equal(access(arena_printf(b->arena, "%s.part", folder), F_OK), 0);
    assert_fault(sqlite_file_back_up(b->arena, missing, b->copy), FAULT_STORE_DOWN);
    assert_int_not_equal(access(missing, F_OK), 0);
    assert_int_not_equal(access(b->copy, F_OK), 0);
    assert_int_not_equal(access(arena_printf(b->arena, "%s.part", b->copy), F_OK), 0);
}

static void an_address_is_shown_without_its_passwords(void **state)
{
    static const char *const rows[][2] = {
        {"host=db.internal dbname=passerelle", "dbname='passerelle' host='db.internal'"},
        {"host=db password=SECRET sslpassword=SECRET", "host='db'"},
        {"postgresql://gateway:SECRET@db:5433/shop?application_name=a%20b",
         "user='gateway' dbname='shop' host='db' port='5433' application_name='a b'"},
        {"host='it\\'s' password='a b'", "host='it\\'s'"},
        {"host=db passwort SECRET", ""},
    };
    Arena *arena = arena_new(ARENA_UNLIMITED);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        assert_string_equal(store_shown_address(arena, rows[i][0]), rows[i][1]);
    arena_free(arena);
}

int main(void)
{
    static bool sqlite = false, postgresql = true;
#define BOTH(test)                                                                                 \
    {#test " (SQLite)", test, setup, teardown, &sqlite},                                           \
    {                                                                                              \
#test " (PostgreSQL)", test, setup, teardown, &postgresql                                  \
    }
#define SQLITE(test)                                                                               \
    {                                                                                              \
#test, test, setup, teardown, &sqlite                                                      \
    }
    const struct CMUnitTest tests[] = {
        BOTH(a_store_in_use_is_reported_with_its_schema_and_the_rows_and_bytes_of_each_table),
        SQLITE(a_store_without_a_schema_is_empty_and_stays_so),
        BOTH(of_an_older_schema_the_tables_that_it_has_are_reported),
        BOTH(a_schema_that_needs_a_newer_gateway_is_not_usable),
        BOTH(what_cannot_be_reached_is_no_report),
        SQLITE(a_page_that_was_overwritten_is_found),
        SQLITE(a_damaged_store_is_not_backed_up_over_a_good_copy),
        SQLITE(what_is_no_database_or_cut_off_is_damaged),
        SQLITE(a_file_that_does_not_exist_yet_is_good_where_it_can_be_made),
        SQLITE(while_a_gateway_writes_a_copy_is_of_one_moment),
        SQLITE(a_copy_stands_alone_and_is_its_owners),
        SQLITE(the_store_is_not_a_copy_of_itself),
        SQLITE(where_a_copy_cannot_be_written_or_made_nothing_is_left),
        cmocka_unit_test(an_address_is_shown_without_its_passwords),
    };
    if (!getenv("POSTGRESQL"))
        cmocka_set_skip_filter("*(PostgreSQL)");
    return cmocka_run_group_tests(tests, NULL, NULL);
}
