#include "tests/unit/check.h"

#include "base/arena.h"
#include "base/clock.h"
#include "gateway/healing/manual_acts.h"

#include <stdio.h>
#include <stdlib.h>

static int begin(void **state)
{
    *state = calloc(1, sizeof(ManualActs));
    return 0;
}

static int end(void **state)
{
    manual_acts_clear(*state);
    free(*state);
    return 0;
}

static ManualAct act(ManualKind kind, const char *target, int64_t since, int64_t until)
{
    return (ManualAct){.kind = kind,
                       .target = target,
                       .to = kind == MANUAL_PIN ? "v2" : "",
                       .who = "ada",
                       .by = "token",
                       .why = "broken \"disk\"",
                       .since = since,
                       .until = until,
                       .since_wall = since + 1772366400 * SECOND};
}

static bool add(ManualActs *acts, ManualKind kind, const char *target, int64_t since, int64_t until)
{
    ManualAct one = act(kind, target, since, until);
    return manual_acts_add(acts, &one);
}

static bool lift(ManualActs *acts, ManualKind kind, const char *target)
{
    ManualAct *lifted = manual_acts_lift(acts, kind, target);
    bool was = lifted != NULL;
    manual_act_free(lifted);
    return was;
}

static void an_act_is_found_until_it_is_lifted(void **state)
{
    ManualActs *acts = *state;
    assert_true(add(acts, MANUAL_EJECT, "a:1", 5, 10));
    assert_true(add(acts, MANUAL_PIN, "orders", 5, 10));
    assert_string_equal(manual_acts_find(acts, MANUAL_EJECT, "a:1")->why, "broken \"disk\"");
    assert_string_equal(manual_acts_find(acts, MANUAL_PIN, "orders")->to, "v2");
    assert_null(manual_acts_find(acts, MANUAL_DRAIN, "a:1"));
    assert_null(manual_acts_find(acts, MANUAL_EJECT, "a:2"));
    assert_true(lift(acts, MANUAL_EJECT, "a:1"));
    assert_false(lift(acts, MANUAL_EJECT, "a:1"));
    assert_null(manual_acts_find(acts, MANUAL_EJECT, "a:1"));
    assert_int_equal(acts->n, 1);
}

static void a_new_one_replaces_the_one_before(void **state)
{
    ManualActs *acts = *state;
    add(acts, MANUAL_EJECT, "a:1", 5, 10);
    add(acts, MANUAL_EJECT, "a:1", 6, 20);
    assert_int_equal(acts->n, 1);
    assert_int_equal(manual_acts_find(acts, MANUAL_EJECT, "a:1")->until, 20);
}

static void each_ends_when_its_time_is_over_and_not_before(void **state)
{
    ManualActs *acts = *state;
    assert_int_equal(manual_acts_next(acts), INT64_MAX);
    add(acts, MANUAL_EJECT, "a:1", 5, 20);
    add(acts, MANUAL_DRAIN, "a:1", 5, 10);
    assert_int_equal(manual_acts_next(acts), 10);
    assert_null(manual_acts_expire(acts, 9));
    ManualAct *over = manual_acts_expire(acts, 10);
    assert_int_equal(over->kind, MANUAL_DRAIN);
    manual_act_free(over);
    assert_null(manual_acts_expire(acts, 19));
    assert_int_equal(manual_acts_next(acts), 20);
    manual_act_free(manual_acts_expire(acts, 21));
    assert_int_equal(acts->n, 0);
}

static void their_number_is_limited(void **state)
{
    ManualActs *acts = *state;
    char target[16];
    for (int i = 0; i < MANUAL_ACTS_MOST; i++) {
        snprintf(target, sizeof target, "a:%d", i);
        assert_true(add(acts, MANUAL_EJECT, target, 5, 10));
    }
    assert_false(add(acts, MANUAL_EJECT, "b:1", 5, 10));
    assert_true(add(acts, MANUAL_EJECT, "a:0", 5, 10)); /* it replaces one */
}

static void operators_see_who_why_and_how_long(void **state)
{
    Arena *arena = arena_new(ARENA_UNLIMITED);
    Buffer out = buffer_in(arena);
    add(*state, MANUAL_EJECT, "a:1", 5 * SECOND, 65 * SECOND);
    manual_acts_write(*state, 25 * SECOND, &out);
    assert_string_equal(
        arena_text(arena, buffer_bytes(&out)),
        "[{\"act\":\"eject\",\"target\":\"a:1\",\"who\":\"ada\",\"by\":\"token\",\"why\":"
        "\"broken \\\"disk\\\"\",\"since\":\"2026-03-01T12:00:05Z\",\"until\":"
        "\"2026-03-01T12:01:05Z\",\"seconds_left\":40}]");
    arena_free(arena);
}

static void another_process_has_them_as_they_were_but_those_that_are_over(void **state)
{
    Arena *arena = arena_new(ARENA_UNLIMITED);
    Buffer kept = buffer_in(arena), before = buffer_in(arena), after = buffer_in(arena);
    ManualActs *acts = *state, restored = {NULL};
    add(acts, MANUAL_EJECT, "a:1", 5 * SECOND, 60 * SECOND);
    add(acts, MANUAL_PIN, "orders", 6 * SECOND, 50 * SECOND);
    add(acts, MANUAL_DRAIN, "a:2", 7 * SECOND, 10 * SECOND);
    manual_acts_keep(acts, &kept);
    assert_ok(arena, manual_acts_restore(&restored, arena, buffer_bytes(&kept), 10 * SECOND));
    manual_act_free(manual_acts_expire(acts, 10 * SECOND));
    manual_acts_write(acts, 10 * SECOND, &before);
    manual_acts_write(&restored, 10 * SECOND, &after);
    assert_int_equal(restored.n, 2);
    assert_string_equal(arena_text(arena, buffer_bytes(&after)),
                        arena_text(arena, buffer_bytes(&before)));
    manual_acts_clear(&restored);
    arena_free(arena);
}

static void what_is_unknown_is_left_out(void **state)
{
    Arena *arena = arena_new(ARENA_UNLIMITED);
    assert_ok(arena, manual_acts_restore(*state, arena,
                                         bytes_of("[{\"act\":\"dance\",\"ends\":9},7,{},"
                                                  "{\"act\":\"drain\",\"ends\":9}]"),
                                         1));
    assert_int_equal(((ManualActs *)*state)->n, 1);
    assert_fault(manual_acts_restore(*state, arena, bytes_of("{"), 1), FAULT_INTERNAL);
    arena_free(arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(an_act_is_found_until_it_is_lifted, begin, end),
        cmocka_unit_test_setup_teardown(a_new_one_replaces_the_one_before, begin, end),
        cmocka_unit_test_setup_teardown(each_ends_when_its_time_is_over_and_not_before, begin, end),
        cmocka_unit_test_setup_teardown(their_number_is_limited, begin, end),
        cmocka_unit_test_setup_teardown(operators_see_who_why_and_how_long, begin, end),
        cmocka_unit_test_setup_teardown(
            another_process_has_them_as_they_were_but_those_that_are_over, begin, end),
        cmocka_unit_test_setup_teardown(what_is_unknown_is_left_out, begin, end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
