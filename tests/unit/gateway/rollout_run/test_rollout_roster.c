#include "tests/unit/check.h"

#include "base/clock.h"
#include "gateway/rollout_run/rollout_roster.h"

static RolloutRoster roster; /* large */

/* Members with these names and numbers; `last` and `count` are those of the store. */
static RosterNews take(const char *names, const int64_t *numbers, int64_t last, int64_t count,
                       int64_t after)
{
    Bytes clients[8];
    uint32_t n = 0;
    for (Bytes rest = bytes_of(names), name; rest.size && bytes_split(&rest, ' ', &name);)
        clients[n++] = name;
    RolloutMembers members = {last, count, clients, numbers, n};
    return rollout_roster_take(&roster, &members, after);
}

static int setup(void **state)
{
    static const int64_t numbers[] = {1, 2};
    assert_int_equal(take("ada bob", numbers, 2, 2, 0), ROSTER_MORE);
    return 0;
}

static int teardown(void **state)
{
    rollout_roster_clear(&roster);
    assert_int_equal(roster.n, 0);
    return 0;
}

static void members_join(void **state)
{
    static const int64_t numbers[] = {3}, overlapping[] = {3, 4};
    assert_int_equal(take("", NULL, 2, 2, 2), ROSTER_SAME);
    assert_int_equal(take("cyd", numbers, 3, 3, 2), ROSTER_MORE);
    assert_int_equal(take("cyd dan", overlapping, 4, 4, 2), ROSTER_MORE);
    assert_int_equal(roster.n, 4);
    assert_bytes(roster.clients[3], "dan");
    assert_true(roster.last == 4);
}

static void who_was_forgotten_is_noticed(void **state)
{
    static const int64_t numbers[] = {2};
    assert_int_equal(take("", NULL, 2, 1, 2), ROSTER_FEWER);
    assert_int_equal(take("bob", numbers, 2, 1, 0), ROSTER_MORE);
    assert_int_equal(roster.n, 1);
    assert_bytes(roster.clients[0], "bob");
    assert_int_equal(take("bob", numbers, 2, 1, 0), ROSTER_SAME);
}

static void what_the_store_has_lost_stays(void **state)
{
    assert_int_equal(take("", NULL, 1, 1, 2), ROSTER_LOST);
    assert_int_equal(roster.n, 2);
}

static void there_are_no_more_than_may_be(void **state)
{
    for (int64_t i = 3; i < ROLLOUT_MEMBERS_MOST + 10; i++)
        rollout_roster_add(&roster, bytes_of("x"), i, 0);
    assert_int_equal(roster.n, ROLLOUT_MEMBERS_MOST);
    assert_true(roster.last == ROLLOUT_MEMBERS_MOST);
}

#define WALL (1000 * SECOND)

static int64_t again;

/* Of a gateway that has looked just before `wall`. */
static uint32_t settle(int64_t wall)
{
    return rollout_roster_settle(&roster, SECOND, &(BeginningNow){wall, wall - 1, 0, 9}, &again);
}

static void a_member_settles_a_step_after_its_claim(void **state)
{
    assert_int_equal(settle(WALL), 2); /* long ago */
    assert_true(again == 0);
    rollout_roster_add(&roster, bytes_of("cyd"), 3, WALL);
    rollout_roster_add(&roster, bytes_of("dan"), 4, WALL - SECOND);
    assert_int_equal(settle(WALL), 2); /* in their order */
    assert_true(again == WALL + SECOND);
    assert_int_equal(settle(WALL + SECOND - 1), 2);
    assert_int_equal(settle(WALL + SECOND), 4);
    assert_true(again == 0);
    assert_int_equal(settle(WALL + SECOND / 2), 4); /* what has settled stays so */
    rollout_roster_add(&roster, bytes_of("eve"), 5, WALL + 3 * SECOND); /* by a clock ahead */
    assert_int_equal(settle(WALL + SECOND), 5);
}

static void who_has_not_looked_in_time_settles_a_step_later(void **state)
{
    BeginningNow late = {WALL + SECOND, WALL + SECOND / 2 - 1, 0, 9};
    settle(WALL);
    rollout_roster_add(&roster, bytes_of("cyd"), 3, WALL);
    assert_int_equal(rollout_roster_settle(&roster, SECOND, &late, &again), 2);
    assert_true(again == WALL + 2 * SECOND);
    late.wall = WALL + 2 * SECOND;
    late.looked = late.wall - 1;
    assert_int_equal(rollout_roster_settle(&roster, SECOND, &late, &again), 3);
}

static void a_member_of_whom_not_all_know_waits(void **state)
{
    BeginningNow now = {WALL + SECOND, WALL + SECOND - 1, 0, 3};
    settle(WALL);
    rollout_roster_add(&roster, bytes_of("cyd"), 3, WALL);
    rollout_roster_add(&roster, bytes_of("dan"), 4, WALL);
    assert_int_equal(rollout_roster_settle(&roster, SECOND, &now, &again), 3);
    assert_true(again == WALL + 2 * SECOND);
}

static void what_is_read_anew_has_settled_as_before(void **state)
{
    static const int64_t numbers[] = {2, 3};
    settle(WALL);
    assert_int_equal(take("bob cyd", numbers, 3, 2, 0), ROSTER_MORE);
    assert_true(roster.settled == 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_member_settles_a_step_after_its_claim, setup, teardown),
        cmocka_unit_test_setup_teardown(who_has_not_looked_in_time_settles_a_step_later, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(a_member_of_whom_not_all_know_waits, setup, teardown),
        cmocka_unit_test_setup_teardown(what_is_read_anew_has_settled_as_before, setup, teardown),
        cmocka_unit_test_setup_teardown(members_join, setup, teardown),
        cmocka_unit_test_setup_teardown(who_was_forgotten_is_noticed, setup, teardown),
        cmocka_unit_test_setup_teardown(what_the_store_has_lost_stays, setup, teardown),
        cmocka_unit_test_setup_teardown(there_are_no_more_than_may_be, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
