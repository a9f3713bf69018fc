#include "tests/unit/check.h"

#include "gateway/cache/joins.h"

#include <stdlib.h>
#include <string.h>

enum { CALLS = 8, MOST = 3 };

static const ResponseKey key = {1, 2}, other = {1, 3}; /* in one bucket */

typedef struct Bench {
    Loop *loop; /* its timers and groups only */
    Arena *arenas[CALLS];
    Joining calls[CALLS];
    JoinStep steps[CALLS]; /* JOIN_WAIT: none was told */
} Bench;

static void on_step(Joining *joining, JoinStep step)
{
    Bench *b = joining->owner;
    b->steps[joining - b->calls] = step;
}

static int setup(void **state)
{
    Bench *b = calloc(1, sizeof *b);
    b->loop = calloc(1, sizeof *b->loop);
    b->loop->now = SECOND;
    timer_wheel_init(&b->loop->timers, b->loop->now);
    for (int i = 0; i < CALLS; i++) {
        b->arenas[i] = arena_new(ARENA_UNLIMITED);
        b->calls[i] =
            (Joining){.loop = b->loop, .arena = b->arenas[i], .owner = b, .on_step = on_step};
    }
    *state = b;
    return 0;
}

static int teardown(void **state)
{
    Bench *b = *state;
    for (int i = 0; i < CALLS; i++)
        join_leave(&b->calls[i]);
    assert_int_equal(b->loop->n_joined, 0);
    for (int i = 0; i < LOOP_JOINS; i++)
        assert_null(b->loop->joins[i]);
    for (int i = 0; i < CALLS; i++)
        arena_free(b->arenas[i]);
    free(b->loop);
    free(b);
    return 0;
}

static JoinStep enter(Bench *b, int call, const ResponseKey *its_key)
{
    return join_enter(&b->calls[call], its_key, b->loop->now + SECOND, MOST);
}

static void pass(Bench *b, int64_t time)
{
    b->loop->now += time;
    timer_wheel_run(&b->loop->timers, b->loop->now);
}

static void share(Bench *b, int call)
{
    join_share(&b->calls[call], bytes_of("response"), bytes_of("id"), bytes_of("v3"));
}

static void who_comes_first_leads_and_the_others_get_its_response(void **state)
{
    Bench *b = *state;
    assert_int_equal(enter(b, 0, &key), JOIN_LEAD);
    assert_int_equal(enter(b, 1, &key), JOIN_WAIT);
    assert_int_equal(enter(b, 2, &other), JOIN_LEAD);
    assert_int_equal(enter(b, 3, &key), JOIN_WAIT);
    share(b, 0);
    assert_int_equal(b->steps[1], JOIN_WAIT); /* not within the call */
    pass(b, 2 * MILLISECOND);
    assert_int_equal(b->steps[1], JOIN_TAKE);
    assert_int_equal(b->steps[3], JOIN_TAKE);
    assert_bytes(b->calls[1].message, "response");
    assert_bytes(b->calls[3].from, "id");
    assert_bytes(b->calls[3].served, "v3");
    assert_int_equal(b->steps[0], JOIN_WAIT);
    assert_int_equal(b->steps[2], JOIN_WAIT);
    assert_int_equal(enter(b, 4, &key), JOIN_LEAD);
    share(b, 0); /* it leads no more */
    assert_int_equal(enter(b, 5, &key), JOIN_WAIT);
}

static void an_empty_response_is_one(void **state)
{
    Bench *b = *state;
    enter(b, 0, &key);
    enter(b, 1, &key);
    join_share(&b->calls[0], BYTES_NONE, bytes_of("id"), bytes_of("v3"));
    pass(b, 2 * MILLISECOND);
    assert_int_equal(b->steps[1], JOIN_TAKE);
    assert_non_null(b->calls[1].message.data);
    assert_int_equal(b->calls[1].message.size, 0);
}

static void who_has_no_room_for_the_response_goes_on_alone(void **state)
{
    Bench *b = *state;
    arena_free(b->arenas[1]);
    b->arenas[1] = b->calls[1].arena = arena_new(8192);
    enter(b, 0, &key);
    enter(b, 1, &key);
    enter(b, 2, &key);
    uint8_t *large = calloc(1, 8192);
    join_share(&b->calls[0], bytes(large, 8192), bytes_of("id"), bytes_of("v3"));
    free(large);
    pass(b, 2 * MILLISECOND);
    assert_int_equal(b->steps[1], JOIN_ALONE);
    assert_int_equal(b->steps[2], JOIN_TAKE);
}

static void the_one_that_has_waited_longest_takes_the_place_of_the_leader(void **state)
{
    Bench *b = *state;
    for (int i = 0; i < 4; i++)
        enter(b, i, &key);
    join_leave(&b->calls[1]); /* from the middle */
    join_leave(&b->calls[3]); /* and from the end */
    assert_int_equal(enter(b, 4, &key), JOIN_WAIT);
    join_leave(&b->calls[0]);
    pass(b, 2 * MILLISECOND);
    assert_int_equal(b->steps[2], JOIN_LEAD);
    assert_int_equal(b->steps[4], JOIN_WAIT);
    share(b, 2);
    pass(b, 2 * MILLISECOND);
    assert_int_equal(b->steps[4], JOIN_TAKE);
}

static void a_leader_that_leaves_before_it_was_told_is_replaced(void **state)
{
    Bench *b = *state;
    for (int i = 0; i < 3; i++)
        enter(b, i, &key);
    join_leave(&b->calls[0]);
    join_leave(&b->calls[1]);
    pass(b, 2 * MILLISECOND);
    assert_int_equal(b->steps[1], JOIN_WAIT);
    assert_int_equal(b->steps[2], JOIN_LEAD);
}

static void after_so_many_leaders_all_go_on_alone(void **state)
{
    Bench *b = *state;
    for (int i = 0; i < JOIN_LEADERS; i++)
        enter(b, i, &key);
    for (int i = 0; i < JOIN_LEADERS - 1; i++)
        join_leave(&b->calls[i]);
    assert_int_equal(enter(b, 4, &key), JOIN_WAIT);
    assert_int_equal(enter(b, 5, &key), JOIN_WAIT);
    join_leave(&b->calls[JOIN_LEADERS - 1]);
    pass(b, 2 * MILLISECOND);
    assert_int_equal(b->steps[4], JOIN_ALONE);
    assert_int_equal(b->steps[5], JOIN_ALONE);
    assert_int_equal(enter(b, 6, &key), JOIN_LEAD);
}

static void a_leader_that_failed_lets_all_go_on_at_once_and_has_no_successor(void **state)
{
    Bench *b = *state;
    for (int i = 0; i < 5; i++)
        enter(b, i, &key);
    join_disperse(&b->calls[0]);
    join_leave(&b->calls[0]);
    pass(b, 2 * MILLISECOND);
    for (int i = 1; i <= MOST; i++)
        assert_int_equal(b->steps[i], JOIN_ALONE);
    assert_int_equal(b->steps[4], JOIN_WAIT); /* it went on alone when it came */
    join_leave(&b->calls[1]);
    join_leave(&b->calls[2]);
    pass(b, 2 * MILLISECOND);
    assert_int_equal(b->steps[3], JOIN_ALONE);
    assert_int_equal(enter(b, 5, &key), JOIN_LEAD);
}

static void one_that_waits_and_fails_disperses_nobody(void **state)
{
    Bench *b = *state;
    for (int i = 0; i < 3; i++)
        enter(b, i, &key);
    join_disperse(&b->calls[1]);
    join_leave(&b->calls[1]);
    pass(b, 2 * MILLISECOND);
    assert_int_equal(b->steps[1], JOIN_WAIT);
    assert_int_equal(b->steps[2], JOIN_WAIT);
    share(b, 0);
    pass(b, 2 * MILLISECOND);
    assert_int_equal(b->steps[1], JOIN_WAIT); /* it has left */
    assert_int_equal(b->steps[2], JOIN_TAKE);
}

static void nobody_waits_for_longer_than_was_said(void **state)
{
    Bench *b = *state;
    enter(b, 0, &key);
    enter(b, 1, &key);
    pass(b, SECOND / 2);
    enter(b, 2, &key);
    assert_int_equal(b->calls[1].since, SECOND);
    assert_int_equal(b->calls[2].since, SECOND + SECOND / 2);
    pass(b, SECOND / 2 - 2 * MILLISECOND);
    assert_int_equal(b->steps[1], JOIN_WAIT);
    pass(b, 4 * MILLISECOND);
    assert_int_equal(b->steps[1], JOIN_ALONE);
    assert_int_equal(b->steps[2], JOIN_WAIT);
    share(b, 0);
    pass(b, 2 * MILLISECOND);
    assert_int_equal(b->steps[1], JOIN_ALONE);
    assert_int_equal(b->steps[2], JOIN_TAKE);
}

static void no_more_wait_than_was_said(void **state)
{
    Bench *b = *state;
    enter(b, 0, &key);
    for (int i = 1; i <= MOST; i++)
        assert_int_equal(enter(b, i, &key), JOIN_WAIT);
    assert_int_equal(enter(b, 4, &key), JOIN_ALONE);
    assert_int_equal(enter(b, 5, &other), JOIN_LEAD);
    assert_int_equal(enter(b, 6, &other), JOIN_ALONE); /* of all keys together */
    join_leave(&b->calls[4]);                          /* it was never in */
    join_leave(&b->calls[1]);
    assert_int_equal(enter(b, 7, &other), JOIN_WAIT);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(who_comes_first_leads_and_the_others_get_its_response),
        TEST(an_empty_response_is_one),
        TEST(who_has_no_room_for_the_response_goes_on_alone),
        TEST(the_one_that_has_waited_longest_takes_the_place_of_the_leader),
        TEST(a_leader_that_leaves_before_it_was_told_is_replaced),
        TEST(after_so_many_leaders_all_go_on_alone),
        TEST(a_leader_that_failed_lets_all_go_on_at_once_and_has_no_successor),
        TEST(one_that_waits_and_fails_disperses_nobody),
        TEST(nobody_waits_for_longer_than_was_said),
        TEST(no_more_wait_than_was_said),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
