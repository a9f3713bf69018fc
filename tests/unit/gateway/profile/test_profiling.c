#include "tests/unit/check.h"

#include "base/clock.h"
#include "gateway/profile/profiling.h"

static Arena *arena;

static int set_up(void **state)
{
    arena = arena_new(ARENA_UNLIMITED);
    return 0;
}

static int tear_down(void **state)
{
    arena_free(arena);
    return 0;
}

static void one_is_taken_at_a_time(void **state)
{
    ProfileTurn first = {PROFILE_CPU, 10, 1000}, second = {PROFILE_HEAP, 0, 2000}, other;
    assert_true(profile_turn_take(&first, &other));
    assert_false(profile_turn_take(&second, &other));
    assert_int_equal(other.kind, PROFILE_CPU);
    assert_int_equal(other.seconds, 10);
    assert_int_equal(other.since, 1000);
    profile_turn_give_back();
    assert_true(profile_turn_take(&second, &other));
    profile_turn_give_back();
}

static void queries_are_read_up_to_their_bounds(void **state)
{
    static const struct {
        ProfileKind kind;
        const char *query;
        uint32_t seconds; /* 0: it is refused */
    } rows[] = {
        {PROFILE_CPU, "", 10},           {PROFILE_CPU, "seconds=1", 1},
        {PROFILE_CPU, "seconds=60", 60}, {PROFILE_CPU, "seconds=0", 0},
        {PROFILE_CPU, "seconds=61", 0},  {PROFILE_CPU, "seconds=18446744073709551616", 0},
        {PROFILE_CPU, "seconds=-1", 0},  {PROFILE_CPU, "seconds=1.5", 0},
        {PROFILE_CPU, "seconds=", 0},    {PROFILE_CPU, "seconds=5&hz=100", 0},
        {PROFILE_CPU, "second=5", 0},    {PROFILE_HEAP, "", 10},
        {PROFILE_HEAP, "seconds=5", 0},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        uint32_t seconds;
        Result r =
            profile_read_query(arena, rows[i].kind, bytes_of(rows[i].query), 60 * SECOND, &seconds);
        assert_int_equal(failed(r), rows[i].seconds == 0);
        if (!failed(r))
            assert_int_equal(seconds, rows[i].seconds);
    }
}

static void where_only_few_seconds_are_allowed_so_many_are_taken(void **state)
{
    uint32_t seconds;
    assert_ok(arena, profile_read_query(arena, PROFILE_CPU, BYTES_NONE, 3 * SECOND, &seconds));
    assert_int_equal(seconds, 3);
}

static bool is_over(void *unused)
{
    return true;
}

static void a_profile_is_gzip(void **state)
{
    ProfileEnd end = {is_over, NULL};
    Buffer out = buffer_in(arena);
    ProfileTurn turn = {PROFILE_CPU, 1, 0};
    assert_ok(arena, profile_run(arena, &turn, "here", &end, &out));
    assert_true(out.size > 100);
    assert_int_equal(out.data[0], 0x1f);
    assert_int_equal(out.data[1], 0x8b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(one_is_taken_at_a_time, set_up, tear_down),
        cmocka_unit_test_setup_teardown(queries_are_read_up_to_their_bounds, set_up, tear_down),
        cmocka_unit_test_setup_teardown(where_only_few_seconds_are_allowed_so_many_are_taken,
                                        set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_profile_is_gzip, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
