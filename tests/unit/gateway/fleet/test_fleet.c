#include "tests/unit/check.h"

#include "base/clock.h"
#include "gateway/fleet/fleet.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

typedef struct Bench {
    Arena *arena;
    uv_loop_t loop;
    Store *store;
    StorePort *port;
    Fleet *fleet;
    Config config;
    char folder[32];
} Bench;

static int setup(void **state)
{
    Bench *b = calloc(1, sizeof *b);
    b->arena = arena_new(ARENA_UNLIMITED);
    strcpy(b->folder, "/tmp/fleetXXXXXX");
    assert_non_null(mkdtemp(b->folder));
    b->store =
        store_open(&(StoreSettings){.sqlite = arena_printf(b->arena, "%s/store.db", b->folder),
                                    .queue = 100,
                                    .time = 5 * SECOND});
    assert_int_equal(uv_loop_init(&b->loop), 0);
    b->port = store_port_open(b->store, &b->loop);
    b->config = (Config){.node = "ours", .hash = "aaaa", .generation = 7};
    *state = b;
    return 0;
}

static int teardown(void **state)
{
    Bench *b = *state;
    fleet_stop(b->fleet);
    store_port_close(b->port);
    uv_run(&b->loop, UV_RUN_DEFAULT);
    assert_int_equal(uv_loop_close(&b->loop), 0);
    fleet_free(b->fleet);
    store_close(b->store);
    assert_int_equal(system(arena_printf(b->arena, "rm -rf %s", b->folder)), 0);
    arena_free(b->arena);
    free(b);
    return 0;
}

/* The row of another gateway, that was last seen so long ago. */
static void put(Bench *b, const char *node, const char *version, const char *hash, int64_t age)
{
    StoreTask *task = store_task_new(STORE_SOON);
    StoreStatement *s = store_task_add(
        task, "INSERT INTO gateways (node, version, config_hash, generation, started, last_seen)"
              " VALUES ($1, $2, $3, 1, $4, $5)");
    int64_t seen = clock_wall() - age;
    store_bind_text(task, s, bytes_of(node));
    store_bind_text(task, s, bytes_of(version));
    store_bind_text(task, s, bytes_of(hash));
    store_bind_integer(s, seen - SECOND);
    store_bind_integer(s, seen);
    assert_ok(b->arena, store_run(b->store, b->arena, &task));
    store_task_free(task);
}

static const char *written(Bench *b)
{
    Buffer out = buffer_in(b->arena);
    fleet_write(b->fleet, &out);
    return arena_text(b->arena, buffer_bytes(&out));
}

/* Once the first beat has read all. */
static void start(Bench *b)
{
    b->fleet = fleet_start(&b->loop, b->port, bytes_of("boot.space.1.2"));
    assert_string_equal(written(b), "{\"gateways\":[]}");
    fleet_use(b->fleet, &b->config);
    while (!strstr(written(b), "ours"))
        uv_run(&b->loop, UV_RUN_ONCE);
}

static void assert_drift(Bench *b, const char *node, const char *expected)
{
    const char *at = strstr(written(b), arena_printf(b->arena, "{\"node\":\"%s\"", node));
    assert_non_null(at);
    const char *drift = strstr(at, "\"drift\":") + strlen("\"drift\":");
    if (strncmp(drift, expected, strlen(expected)) != 0)
        fail_msg("%s: %.40s", node, drift);
}

static void those_that_do_the_same_have_no_drift(void **state)
{
    Bench *b = *state;
    put(b, "other", VERSION, "aaaa", SECOND);
    start(b);
    assert_drift(b, "ours", "[]");
    assert_drift(b, "other", "[]");
}

static void what_most_have_is_right(void **state)
{
    Bench *b = *state;
    put(b, "x", VERSION, "aaaa", SECOND);
    put(b, "y", VERSION, "bbbb", SECOND);
    put(b, "z", "0.0.9", "aaaa", SECOND);
    start(b);
    assert_drift(b, "ours", "[]");
    assert_drift(b, "x", "[]");
    assert_drift(b, "y", "[\"config\"]");
    assert_drift(b, "z", "[\"build\"]");
}

static void where_as_many_have_something_else_all_differ(void **state)
{
    Bench *b = *state;
    put(b, "x", VERSION, "bbbb", SECOND);
    start(b);
    assert_drift(b, "ours", "[\"config\"]");
    assert_drift(b, "x", "[\"config\"]");
}

static void two_of_three_decide_whichever_comes_first(void **state)
{
    Bench *b = *state;
    put(b, "a", VERSION, "bbbb", SECOND);
    put(b, "z", VERSION, "aaaa", SECOND);
    start(b);
    assert_drift(b, "a", "[\"config\"]");
    assert_drift(b, "ours", "[]");
    assert_drift(b, "z", "[]");
}

static void two_pairs_and_three_single_ones_are_a_tie(void **state)
{
    Bench *b = *state;
    put(b, "p", VERSION, "aaaa", SECOND);
    put(b, "q", VERSION, "bbbb", SECOND);
    put(b, "r", VERSION, "bbbb", SECOND);
    put(b, "s", VERSION, "cccc", SECOND);
    start(b);
    static const char *const all[] = {"ours", "p", "q", "r", "s"};
    for (int i = 0; i < 5; i++)
        assert_drift(b, all[i], "[\"config\"]");
}

static void one_that_was_not_seen_for_some_beats_is_silent_and_counts_no_more(void **state)
{
    Bench *b = *state;
    put(b, "late", VERSION, "aaaa", FLEET_SILENT_AFTER - 2 * SECOND);
    put(b, "gone", VERSION, "bbbb", FLEET_SILENT_AFTER + SECOND);
    put(b, "away", VERSION, "bbbb", FLEET_SILENT_AFTER + SECOND);
    put(b, "dead", VERSION, "bbbb", FLEET_SILENT_AFTER + SECOND);
    start(b);
    assert_drift(b, "late", "[]");
    assert_drift(b, "gone", "[\"silent\"]");
    assert_drift(b, "ours", "[]");
}

/* It ended without a word, and now the clock is right again. */
static void the_row_of_a_clock_that_was_ahead_is_taken_over(void **state)
{
    Bench *b = *state;
    put(b, "ours", "0.0.9", "bbbb", -FLEET_SILENT_AFTER - 5 * SECOND);
    start(b);
    while (!strstr(written(b), VERSION))
        uv_run(&b->loop, UV_RUN_ONCE);
    assert_drift(b, "ours", "[]");
}

static void the_row_of_another_one_that_started_later_stays(void **state)
{
    Bench *b = *state;
    put(b, "ours", "0.0.9", "bbbb", -FLEET_SILENT_AFTER + 5 * SECOND);
    start(b);
    assert_non_null(strstr(written(b), "0.0.9"));
}

/* Of another host, so that nobody can tell whether it lives. */
static void two_of_one_name_are_seen_by_all(void **state)
{
    Bench *b = *state;
    put(b, "ours", VERSION, "aaaa", -5 * SECOND);
    start(b);
    assert_drift(b, "ours", "[]");
    fleet_use(b->fleet, &b->config); /* beats again */
    while (!strstr(written(b), "\"drift\":[\"name\"]"))
        uv_run(&b->loop, UV_RUN_ONCE);
}

static void names_are_escaped(void **state)
{
    Bench *b = *state;
    put(b, "a\"<b>", VERSION, "aaaa", SECOND);
    start(b);
    assert_non_null(strstr(written(b), "\"a\\\"<b>\""));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(those_that_do_the_same_have_no_drift, setup, teardown),
        cmocka_unit_test_setup_teardown(what_most_have_is_right, setup, teardown),
        cmocka_unit_test_setup_teardown(where_as_many_have_something_else_all_differ, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(two_of_three_decide_whichever_comes_first, setup, teardown),
        cmocka_unit_test_setup_teardown(two_pairs_and_three_single_ones_are_a_tie, setup, teardown),
        cmocka_unit_test_setup_teardown(
            one_that_was_not_seen_for_some_beats_is_silent_and_counts_no_more, setup, teardown),
        cmocka_unit_test_setup_teardown(the_row_of_a_clock_that_was_ahead_is_taken_over, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(the_row_of_another_one_that_started_later_stays, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(two_of_one_name_are_seen_by_all, setup, teardown),
        cmocka_unit_test_setup_teardown(names_are_escaped, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
