#include "gateway/memory/memory_wait.h"

#include "tests/unit/check.h"

enum { LIMIT = 8 << 20, HIGH = 6 << 20, SOME = 1000, CALLS = 3 };

typedef struct Call {
    MemoryWait wait; /* first */
    unsigned went_on;
} Call;

static Loop loop;
static Account account;
static Call calls[CALLS];

static void look(MemoryWait *wait)
{
    Call *call = (Call *)wait;
    call->went_on += !memory_wait_for(&loop, wait, &account, SOME);
}

static void hold(int64_t more)
{
    account_add(&account, more);
    memory_add(MEMORY_CALLS, more);
    memory_settle();
}

static int set_up(void **state)
{
    loop = (Loop){.now = 1};
    timer_wheel_init(&loop.timers, loop.now);
    memory_set_limit(LIMIT);
    for (int i = 0; i < CALLS; i++)
        calls[i] = (Call){.wait = {.look = look}};
    return 0;
}

static int tear_down(void **state)
{
    hold(-account_held(&account));
    for (int i = 0; i < CALLS; i++)
        memory_wait_end(&loop, &calls[i].wait);
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
    hold(LIMIT + LIMIT / 8 - 1);
    assert_false(waits(&calls[0]));
    hold(1);
    assert_true(waits(&calls[0]));
    pass();
    assert_int_equal(calls[0].went_on, 0);
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

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(nobody_waits_while_there_is_memory),
        TEST(the_first_goes_on_and_the_others_wait_in_turn),
        TEST(far_above_the_limit_nobody_goes_on),
        TEST(all_go_on_when_there_is_memory_again),
        TEST(whoever_ends_is_not_looked_at),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
