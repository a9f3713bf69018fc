#include "gateway/memory/memory_wait.h"

#include "tests/unit/check.h"

enum {
    LIMIT = 8 << 20,
    HIGH = 6 << 20,
    CROWDED = 7 << 20,
    SOME = 1000,
    CALLS = 3,
};

typedef struct Call {
    MemoryWait wait; /* first */
    Account *account;
    unsigned went_on, was_ended;
    int64_t held; /* until it is ended */
} Call;

static Loop loop;
static Account account, others[2];
static Call calls[CALLS];

static void look(MemoryWait *wait)
{
    Call *call = (Call *)wait;
    call->went_on += !memory_wait_for(&loop, wait, call->account, SOME);
}

static void hold_for(Account *holder, int64_t more)
{
    account_add(holder, more);
    memory_add(MEMORY_CALLS, more);
    memory_settle();
}

static void hold(int64_t more)
{
    hold_for(&account, more);
}

static void shed(MemoryWait *wait)
{
    Call *call = (Call *)wait;
    call->was_ended++;
    memory_wait_end(&loop, wait);
    hold_for(call->account, -call->held);
    call->held = 0;
}

static int set_up(void **state)
{
    loop = (Loop){.now = 1};
    timer_wheel_init(&loop.timers, loop.now);
    memory_set_limit(LIMIT);
    for (int i = 0; i < CALLS; i++)
        calls[i] = (Call){.wait = {.look = look, .shed = shed}, .account = &account};
    return 0;
}

static int tear_down(void **state)
{
    for (int i = 0; i < CALLS; i++)
        memory_wait_end(&loop, &calls[i].wait);
    hold(-account_held(&account));
    assert_false(account.growing);
    for (int i = 0; i < 2; i++)
        assert_false(others[i].growing);
    assert_int_equal(timer_wheel_wait(&loop.timers, loop.now), -1);
    memory_waits_free(&loop);
    memory_set_limit(UINT64_MAX);
    return 0;
}

static void pass(void)
{
    loop.now += 20 * MILLISECOND;
    timer_wheel_run(&loop.timers, loop.now);
}

static bool waits(Call *call)
{
    return memory_wait_for(&loop, &call->wait, &account, SOME);
}

static bool waits_for(Call *call, Account *holder)
{
    call->account = holder;
    return memory_wait_for(&loop, &call->wait, holder, SOME);
}

static void nobody_waits_while_there_is_memory(void **state)
{
    hold(HIGH - SOME);
    assert_false(waits(&calls[0]));
    assert_null(calls[0].wait.at);
    assert_int_equal(timer_wheel_wait(&loop.timers, loop.now), -1);
}

static void the_first_goes_on_and_the_others_wait_in_turn(void **state)
{
    hold(LIMIT);
    assert_false(waits(&calls[0]));
    assert_true(waits(&calls[1]));
    assert_true(waits(&calls[2]));
    pass();
    assert_int_equal(calls[0].went_on, 1);
    assert_int_equal(calls[1].went_on, 0);
    memory_wait_end(&loop, &calls[0].wait);
    pass();
    assert_int_equal(calls[1].went_on, 1);
    assert_int_equal(calls[2].went_on, 0);
    assert_false(waits(&calls[1])); /* it is the first until it has ended */
}

static void far_above_the_limit_nobody_goes_on(void **state)
{
    hold_for(&others[0], LIMIT + LIMIT / 8);
    assert_true(waits(&calls[0]));
    pass();
    assert_int_equal(calls[0].went_on, 0);
    hold_for(&others[0], -1);
    pass();
    assert_int_equal(calls[0].went_on, 1);
    assert_int_equal(calls[0].was_ended, 0);
    hold_for(&others[0], -LIMIT - LIMIT / 8 + 1);
}

/* Of three calls, which together hold all. */
static void begin_to_wait(int64_t each)
{
    for (int i = 0; i < CALLS; i++) {
        calls[i].held = each;
        hold(each);
        memory_wait_begin(&loop, &calls[i].wait, &account);
    }
}

static unsigned were_ended(void)
{
    return calls[0].was_ended + calls[1].was_ended + calls[2].was_ended;
}

static void calls_are_ended_only_above_the_limit(void **state)
{
    enum { EACH = 1 << 18 };
    begin_to_wait(EACH);
    hold(LIMIT - (int64_t)CALLS * EACH);
    pass();
    assert_int_equal(were_ended(), 0);
    hold(1);
    pass();
    assert_int_equal(were_ended(), 2); /* after which a sixteenth is free */
}

static void who_has_the_turn_is_not_ended(void **state)
{
    hold(CROWDED);
    assert_false(waits(&calls[0]));
    assert_true(waits(&calls[1]));
    hold(LIMIT);
    pass();
    assert_int_equal(calls[0].was_ended, 0);
    assert_int_equal(calls[1].was_ended, 1);
}

static void who_holds_little_is_not_ended(void **state)
{
    hold_for(&others[0], LIMIT + LIMIT / 8);
    assert_true(waits(&calls[0]));
    assert_true(waits_for(&calls[1], &others[0]));
    pass();
    assert_int_equal(calls[0].was_ended, 0);
    assert_int_equal(calls[1].was_ended, 1);
    hold_for(&others[0], -LIMIT - LIMIT / 8);
}

static void all_go_on_when_there_is_memory_again(void **state)
{
    hold(LIMIT);
    for (int i = 0; i < CALLS; i++)
        (void)waits(&calls[i]);
    hold(-(LIMIT - HIGH + SOME));
    pass();
    for (int i = 0; i < CALLS; i++) {
        assert_int_equal(calls[i].went_on, 1);
        assert_null(calls[i].wait.at);
    }
    pass();
    assert_int_equal(calls[0].went_on, 1);
}

static void whoever_ends_is_not_looked_at(void **state)
{
    hold(LIMIT);
    for (int i = 0; i < CALLS; i++)
        (void)waits(&calls[i]);
    memory_wait_end(&loop, &calls[1].wait);
    memory_wait_end(&loop, &calls[2].wait);
    memory_wait_end(&loop, &calls[2].wait);
    assert_true(waits(&calls[1]));
    hold(-LIMIT);
    pass();
    assert_int_equal(calls[0].went_on, 1);
    assert_int_equal(calls[1].went_on, 1);
    assert_int_equal(calls[2].went_on, 0);
}

static void who_has_the_turn_keeps_it(void **state)
{
    hold(HIGH);
    assert_false(waits(&calls[0]));
    hold(LIMIT);
    assert_false(waits(&calls[0]));
    assert_true(waits(&calls[1]));
    pass();
    assert_int_equal(calls[1].went_on, 0);
}

static void each_client_has_a_turn_up_to_seven_eighths_of_the_limit(void **state)
{
    for (int64_t above = 0; above < 2; above++) {
        hold_for(&others[0], CROWDED / 2);
        hold_for(&others[1], CROWDED / 2 + above);
        calls[1].went_on = 0;
        assert_false(waits_for(&calls[0], &others[0]));
        assert_true(waits_for(&calls[1], &others[1])); /* it is not the first of its loop */
        pass();
        assert_int_equal(calls[1].went_on, !above);
        memory_wait_end(&loop, &calls[0].wait);
        pass();
        assert_true(calls[1].went_on > 0);
        memory_wait_end(&loop, &calls[1].wait);
        hold_for(&others[0], -CROWDED / 2);
        hold_for(&others[1], -CROWDED / 2 - above);
    }
}

static void who_holds_little_goes_on_whoever_has_the_turn(void **state)
{
    hold(LIMIT + LIMIT / 8 - SOME + 1);
    assert_false(waits(&calls[0]));
    assert_true(waits_for(&calls[1], &others[1]));
    pass();
    assert_int_equal(calls[1].went_on, 1);
}

static void who_does_not_read_what_it_has_gets_no_turn(void **state)
{
    MemoryTally tally = {.account = &account};
    hold(HIGH);
    tally_add(&tally, MEMORY_BUFFERS, HIGH / 8 + 1);
    assert_true(waits(&calls[0]));
    pass();
    assert_int_equal(calls[0].went_on, 0);
    tally_add(&tally, MEMORY_BUFFERS, -1);
    tally_tell(&tally);
    pass();
    assert_int_equal(calls[0].went_on, 1);
    tally_add(&tally, MEMORY_BUFFERS, -HIGH / 8);
    tally_tell(&tally);
}

static void the_gateway_itself_needs_no_turn(void **state)
{
    hold(LIMIT + LIMIT / 8 - SOME + 1);
    assert_false(waits(&calls[0]));
    assert_true(waits_for(&calls[1], NULL));
    pass();
    assert_int_equal(calls[1].went_on, 1);
}

static void whoever_begins_to_wait_is_looked_at_without_the_turn(void **state)
{
    memory_wait_begin(&loop, &calls[0].wait, &account);
    assert_non_null(calls[0].wait.at);
    pass();
    assert_int_equal(calls[0].went_on, 1);
    assert_null(calls[0].wait.at);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(nobody_waits_while_there_is_memory),
        TEST(the_first_goes_on_and_the_others_wait_in_turn),
        TEST(far_above_the_limit_nobody_goes_on),
        TEST(calls_are_ended_only_above_the_limit),
        TEST(who_has_the_turn_is_not_ended),
        TEST(who_holds_little_is_not_ended),
        TEST(all_go_on_when_there_is_memory_again),
        TEST(whoever_ends_is_not_looked_at),
        TEST(who_has_the_turn_keeps_it),
        TEST(each_client_has_a_turn_up_to_seven_eighths_of_the_limit),
        TEST(who_holds_little_goes_on_whoever_has_the_turn),
        TEST(who_does_not_read_what_it_has_gets_no_turn),
        TEST(the_gateway_itself_needs_no_turn),
        TEST(whoever_begins_to_wait_is_looked_at_without_the_turn),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
