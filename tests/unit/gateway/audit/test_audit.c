#include "tests/unit/check.h"

#include "base/clock.h"
#include "gateway/audit/audit.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

typedef struct Bench {
    Arena *arena;
    uv_loop_t loop;
    Store *store;
    StorePort *port;
    Audit *audit;
    Config config;
    char folder[32];
    const char *read; /* what audit_read gave; "" for a failure */
} Bench;

static int setup_at(void **state, const char *file)
{
    Bench *b = calloc(1, sizeof *b);
    b->arena = arena_new(ARENA_UNLIMITED);
    strcpy(b->folder, "/tmp/auditXXXXXX");
    assert_non_null(mkdtemp(b->folder));
    b->store = store_open(&(StoreSettings){
        .sqlite = arena_printf(b->arena, file, b->folder), .queue = 100, .time = 5 * SECOND});
    assert_int_equal(uv_loop_init(&b->loop), 0);
    b->port = store_port_open(b->store, &b->loop);
    b->audit = audit_new(b->port);
    b->config = (Config){.node = "ours"};
    audit_use(b->audit, &b->config);
    *state = b;
    return 0;
}

static int setup(void **state)
{
    return setup_at(state, "%s/store.db");
}

static int setup_away(void **state)
{
    return setup_at(state, "%s/missing/store.db");
}

static int teardown(void **state)
{
    Bench *b = *state;
    store_port_close(b->port);
    uv_run(&b->loop, UV_RUN_DEFAULT);
    assert_int_equal(uv_loop_close(&b->loop), 0);
    audit_free(b->audit);
    store_close(b->store);
    assert_int_equal(system(arena_printf(b->arena, "rm -rf %s", b->folder)), 0);
    arena_free(b->arena);
    free(b);
    return 0;
}

static void act(Bench *b, const char *why, Result result)
{
    audit_write(b->audit, &(AuditEntry){.action = "reload",
                                        .who = "ada",
                                        .by = "token",
                                        .why = bytes_of(why),
                                        .before = {1, "aaaa"},
                                        .after = {2, "bbbb"},
                                        .result = result});
}

static void on_read(void *owner, Result result, Bytes json)
{
    Bench *b = owner;
    b->read = failed(result) ? "" : arena_text(b->arena, json);
}

static const char *read_all(Bench *b)
{
    b->read = NULL;
    audit_read(b->audit, on_read, b);
    assert_null(b->read);
    while (!b->read)
        uv_run(&b->loop, UV_RUN_ONCE);
    return b->read;
}

static const char *metrics(Bench *b)
{
    Buffer out = buffer_in(b->arena);
    Exposition e = {.out = &out};
    audit_metrics_write(&e, b->audit);
    return arena_text(b->arena, buffer_bytes(&out));
}

static void an_entry_says_who_what_why_before_after_and_the_result(void **state)
{
    Bench *b = *state;
    assert_string_equal(read_all(b), "{\"entries\":[]}");
    act(b, "a \"reason\"", OK);
    const char *all = read_all(b);
    assert_non_null(strstr(
        all, "\"node\":\"ours\",\"who\":\"ada\",\"by\":\"token\",\"action\":\"reload\","
             "\"why\":\"a \\\"reason\\\"\",\"before\":{\"generation\":1,\"config\":\"aaaa\"},"
             "\"after\":{\"generation\":2,\"config\":\"bbbb\"},\"result\":\"done\"}]}"));
}

static const char *why_of(Bench *b, const char *why)
{
    act(b, why, OK);
    const char *all = read_all(b), *at = strstr(all, "\"why\":\"");
    assert_non_null(at);
    return arena_text(b->arena, bytes(at + 7, strcspn(at + 7, "\"")));
}

static void a_reason_is_repaired_and_cut_so_that_each_store_takes_it(void **state)
{
    Bench *b = *state;
    assert_string_equal(why_of(b, "\xff\xc3"), "\xef\xbf\xbd\xef\xbf\xbd");
}

static void a_reason_is_cut_between_characters(void **state)
{
    Bench *b = *state;
    char text[AUDIT_WHY_MOST + 8];
    memset(text, 'a', sizeof text);
    memcpy(text + AUDIT_WHY_MOST - 2, "\xc3\xbc", 3);
    assert_int_equal(strlen(why_of(b, text)), AUDIT_WHY_MOST);
}

static void a_character_that_does_not_fit_into_a_reason_is_left_out(void **state)
{
    Bench *b = *state;
    char text[AUDIT_WHY_MOST + 8];
    memset(text, 'a', sizeof text);
    memcpy(text + AUDIT_WHY_MOST - 1, "\xc3\xbc", 3);
    assert_int_equal(strlen(why_of(b, text)), AUDIT_WHY_MOST - 1);
}

static void the_newest_comes_first_and_failures_have_their_name(void **state)
{
    Bench *b = *state;
    act(b, "first", OK);
    act(b, "second", FAIL(b->arena, FAULT_BAD_CONFIG, "no"));
    const char *all = read_all(b), *second = strstr(all, "second"), *first = strstr(all, "first");
    assert_true(second && first && second < first);
    assert_non_null(strstr(second, "\"result\":\"BAD_CONFIG\""));
}

/* ---- Reasons that are sealed ----------------------------------------------------------------- */

static StoreKey keys[] = {{"new", {1}}, {"old", {2}}};

static void use_keys(Bench *b, StoreKey *first, uint32_t n)
{
    b->config.store.keys = (StoreKeys){first, n};
    audit_use(b->audit, &b->config);
}

/* How often the text is in the table of the audit. */
static int64_t count_in_store(Bench *b, const char *text)
{
    StoreTask *task = store_task_new(STORE_SOON);
    StoreStatement *s = store_task_add(
        task, "SELECT count(*) FROM audit WHERE why = $1 OR instr(why_sealed, $2) > 0");
    store_bind_text(task, s, bytes_of(text));
    store_bind_bytes(task, s, bytes_of(text));
    assert_ok(b->arena, store_run(b->store, b->arena, &task));
    int64_t n = s->rows->values[0].integer;
    store_task_free(task);
    return n;
}

static void with_a_key_the_reason_is_read_as_before_and_not_in_the_store(void **state)
{
    Bench *b = *state;
    act(b, "in the open", OK);
    read_all(b);
    assert_int_equal(count_in_store(b, "in the open"), 1);
    use_keys(b, keys, 1);
    act(b, "behind a seal", OK);
    const char *all = read_all(b);
    assert_non_null(strstr(all, "\"why\":\"in the open\""));
    assert_non_null(strstr(all, "\"why\":\"behind a seal\""));
    assert_null(strstr(all, "why_failure"));
    assert_int_equal(count_in_store(b, "behind a seal"), 0);
}

static void keys_are_rotated_by_putting_another_one_first(void **state)
{
    Bench *b = *state;
    use_keys(b, &keys[1], 1);
    act(b, "with the old one", OK);
    use_keys(b, keys, 2);
    act(b, "with the new one", OK);
    const char *all = read_all(b);
    assert_non_null(strstr(all, "\"why\":\"with the old one\""));
    assert_non_null(strstr(all, "\"why\":\"with the new one\""));
    use_keys(b, keys, 1);
    all = read_all(b);
    assert_non_null(strstr(all, "\"why\":\"with the new one\""));
    assert_non_null(strstr(all,
                           "\"why\":\"\",\"why_failure\":\"STORE_SEALED: audit.why_sealed: "
                           "sealed with the key \\\"old\\\", which is not among store.keys\""));
}

static void a_reason_that_was_moved_to_another_entry_is_not_read(void **state)
{
    Bench *b = *state;
    use_keys(b, keys, 1);
    act(b, "one", OK);
    act(b, "two", OK);
    read_all(b);
    StoreTask *task = store_task_new(STORE_PROMISED);
    store_task_add(task, "UPDATE audit SET why_sealed = (SELECT why_sealed FROM audit ORDER BY at"
                         " LIMIT 1)");
    assert_ok(b->arena, store_run(b->store, b->arena, &task));
    store_task_free(task);
    const char *all = read_all(b), *failure = strstr(all, "belongs to another row");
    assert_non_null(strstr(all, "\"why\":\"one\""));
    assert_true(failure && !strstr(failure + 1, "belongs to another row"));
}

/* ---- A store that is away -------------------------------------------------------------------- */

static void what_a_store_that_is_away_did_not_take_is_counted(void **state)
{
    Bench *b = *state;
    act(b, "lost", OK);
    assert_non_null(strstr(metrics(b), "passerelle_audit_unstored_total 0"));
    assert_string_equal(read_all(b), "");
    assert_non_null(strstr(metrics(b), "passerelle_audit_unstored_total 1"));
    assert_non_null(strstr(metrics(b), "passerelle_audit_entries_total 1"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(an_entry_says_who_what_why_before_after_and_the_result,
                                        setup, teardown),
        cmocka_unit_test_setup_teardown(a_reason_is_repaired_and_cut_so_that_each_store_takes_it,
                                        setup, teardown),
        cmocka_unit_test_setup_teardown(a_reason_is_cut_between_characters, setup, teardown),
        cmocka_unit_test_setup_teardown(a_character_that_does_not_fit_into_a_reason_is_left_out,
                                        setup, teardown),
        cmocka_unit_test_setup_teardown(the_newest_comes_first_and_failures_have_their_name, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(
            with_a_key_the_reason_is_read_as_before_and_not_in_the_store, setup, teardown),
        cmocka_unit_test_setup_teardown(keys_are_rotated_by_putting_another_one_first, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(a_reason_that_was_moved_to_another_entry_is_not_read, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(what_a_store_that_is_away_did_not_take_is_counted,
                                        setup_away, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
