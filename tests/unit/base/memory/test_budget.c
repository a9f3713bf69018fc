#include "base/memory/budget.h"

#include "tests/unit/check.h"

#include <pthread.h>

enum { MIB = 1 << 20, LIMIT = 64 * MIB, HIGH = 48 * MIB };

static Account one, other;

static int set_up(void **state)
{
    one = other = (Account){0};
    memory_set_limit(LIMIT);
    return 0;
}

/* Whatever a test does, all counts return to zero. */
static int tear_down(void **state)
{
    account_add(&one, -one.held);
    account_add(&other, -other.held);
    memory_settle();
    assert_int_equal(memory_clients(), 0);
    assert_int_equal(memory_total(), 0);
    return 0;
}

static void hold(Account *account, int64_t more)
{
    account_add(account, more);
    memory_add(MEMORY_CALLS, more);
    memory_settle();
}

static void the_total_is_told_in_steps(void **state)
{
    memory_add(MEMORY_BUFFERS, MEMORY_STEP - 1);
    assert_int_equal(memory_total(), 0);
    memory_add(MEMORY_BUFFERS, 1);
    assert_int_equal(memory_total(), MEMORY_STEP);
    assert_int_equal(memory_used(MEMORY_BUFFERS), MEMORY_STEP);
    assert_int_equal(memory_used(MEMORY_CALLS), 0);
    memory_add(MEMORY_BUFFERS, -(MEMORY_STEP - 1));
    assert_int_equal(memory_total(), MEMORY_STEP);
    memory_add(MEMORY_BUFFERS, -1);
    assert_int_equal(memory_total(), 0);
}

static void each_kind_is_counted_for_itself(void **state)
{
    for (int kind = 0; kind < MEMORY_KINDS; kind++) {
        memory_add((MemoryKind)kind, MEMORY_STEP * (kind + 1));
        assert_int_equal(memory_used((MemoryKind)kind), MEMORY_STEP * (kind + 1));
        assert_non_null(memory_kind_names[kind]);
    }
    assert_int_equal(memory_total(), MEMORY_STEP * (1 + 2 + 3 + 4 + 5));
    for (int kind = 0; kind < MEMORY_KINDS; kind++)
        memory_add((MemoryKind)kind, -MEMORY_STEP * (kind + 1));
}

static void without_a_limit_all_is_granted(void **state)
{
    memory_set_limit(UINT64_MAX);
    hold(&one, (int64_t)1 << 50);
    assert_int_equal(memory_ask(&one, (size_t)1 << 50), MEMORY_GRANTED);
    hold(&one, -((int64_t)1 << 50));
}

static void below_the_high_mark_nobody_is_refused(void **state)
{
    hold(&one, HIGH - 100);
    assert_int_equal(memory_ask(&one, 100), MEMORY_GRANTED);
    assert_int_equal(memory_ask(&one, 101), MEMORY_OVER_SHARE);
    hold(&one, -(HIGH - 100));
}

static void above_it_who_holds_more_than_a_share_is_refused_and_others_are_not(void **state)
{
    hold(&one, HIGH / 2 - 100);
    hold(&other, HIGH / 2 + 200);
    assert_int_equal(memory_clients(), 2);
    assert_int_equal(memory_share(&one), HIGH / 2);
    assert_int_equal(memory_ask(&one, 100), MEMORY_GRANTED);
    assert_int_equal(memory_ask(&one, 101), MEMORY_OVER_SHARE);
    assert_int_equal(memory_ask(&other, 1), MEMORY_OVER_SHARE);
    assert_int_equal(memory_ask(NULL, MIB), MEMORY_GRANTED);
    hold(&one, -(HIGH / 2 - 100));
    hold(&other, -(HIGH / 2 + 200));
}

static void a_client_that_holds_nothing_has_a_share_too(void **state)
{
    hold(&one, HIGH);
    assert_int_equal(memory_share(&other), HIGH / 2);
    assert_int_equal(memory_ask(&other, 4096), MEMORY_GRANTED);
    assert_int_equal(memory_ask(&one, 4096), MEMORY_OVER_SHARE);
    hold(&one, -HIGH);
}

static void an_eighth_above_the_limit_everybody_is_refused(void **state)
{
    enum { ALL = LIMIT + LIMIT / 8 };
    hold(&one, ALL - 100);
    assert_int_equal(memory_ask(&one, 1), MEMORY_OVER_SHARE);
    assert_int_equal(memory_ask(&other, 100), MEMORY_GRANTED);
    assert_int_equal(memory_ask(&other, 101), MEMORY_OVER_LIMIT);
    assert_int_equal(memory_ask(NULL, 100), MEMORY_GRANTED);
    assert_int_equal(memory_ask(NULL, 101), MEMORY_OVER_LIMIT);
    assert_int_equal(memory_ask(NULL, SIZE_MAX), MEMORY_OVER_LIMIT);
    hold(&one, -(ALL - 100));
}

static void a_smaller_limit_holds_at_once(void **state)
{
    hold(&one, 9 * MIB);
    assert_int_equal(memory_ask(&other, 1), MEMORY_GRANTED);
    memory_set_limit(8 * MIB + 8);
    assert_int_equal(memory_ask(&other, 9), MEMORY_GRANTED);
    memory_set_limit(8 * MIB);
    assert_int_equal(memory_ask(&other, 1), MEMORY_OVER_LIMIT);
    hold(&one, -9 * MIB);
}

static void who_holds_little_makes_no_share_smaller(void **state)
{
    account_add(&one, MEMORY_MUCH);
    assert_int_equal(memory_clients(), 0);
    account_add(&one, 1);
    assert_int_equal(memory_clients(), 1);
    account_add(&one, MIB);
    assert_int_equal(memory_clients(), 1);
    account_add(&one, -MIB);
    account_add(&one, -1);
    assert_int_equal(memory_clients(), 0);
    account_add(NULL, MIB);
    assert_int_equal(memory_clients(), 0);
}

static void a_tally_tells_more_at_once_and_less_in_steps(void **state)
{
    MemoryTally tally = {.account = &one};
    tally_add(&tally, MEMORY_BUFFERS, 1000);
    assert_int_equal(one.held, 1000);
    tally_add(&tally, MEMORY_BUFFERS, TALLY_STEP);
    assert_int_equal(one.held, TALLY_STEP + 1000);
    tally_add(&tally, MEMORY_BUFFERS, 1 - TALLY_STEP);
    assert_int_equal(one.held, TALLY_STEP + 1000);
    tally_add(&tally, MEMORY_BUFFERS, 500);
    assert_int_equal(one.held, TALLY_STEP + 1000);
    tally_add(&tally, MEMORY_BUFFERS, -501);
    assert_int_equal(one.held, 1000);
    tally_add(&tally, MEMORY_BUFFERS, -1000);
    tally_tell(&tally);
    assert_int_equal(one.held, 0);
}

static void what_waits_to_be_sent_is_told_apart(void **state)
{
    MemoryTally tally = {.account = &one};
    tally_add(&tally, MEMORY_CONNECTIONS, 1000);
    assert_int_equal(account_queued(&one), 0);
    tally_add(&tally, MEMORY_BUFFERS, 500);
    assert_int_equal(account_queued(&one), 500);
    tally_charge(&tally, &other);
    assert_int_equal(one.held, 0);
    assert_int_equal(account_queued(&one), 0);
    assert_int_equal(other.held, 1500);
    assert_int_equal(account_queued(&other), 500);
    tally_charge(&tally, NULL);
    assert_int_equal(account_queued(&other), 0);
    tally_add(&tally, MEMORY_BUFFERS, -500);
    tally_add(&tally, MEMORY_CONNECTIONS, -1000);
}

static void memory_is_short_above_the_high_mark(void **state)
{
    hold(&one, HIGH);
    assert_false(memory_is_short());
    hold(&one, 1);
    assert_true(memory_is_short());
    hold(&one, -HIGH - 1);
}

static void memory_is_plenty_up_to_a_quarter_of_the_limit(void **state)
{
    hold(&one, LIMIT / 4);
    assert_true(memory_is_plenty());
    hold(&one, 1);
    assert_false(memory_is_plenty());
    hold(&one, -LIMIT / 4 - 1);
}

static void *hold_and_let_go(void *unused)
{
    for (int i = 0; i < 20000; i++) {
        account_add(&one, 100000);
        memory_add(MEMORY_CALLS, 100000);
        (void)memory_ask(&one, 1);
        account_add(&one, -100000);
        memory_add(MEMORY_CALLS, -100000);
    }
    memory_settle();
    return NULL;
}

static void threads_count_together(void **state)
{
    pthread_t threads[4];
    for (int i = 0; i < 4; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, hold_and_let_go, NULL), 0);
    for (int i = 0; i < 4; i++)
        pthread_join(threads[i], NULL);
    assert_int_equal(one.held, 0);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(the_total_is_told_in_steps),
        TEST(each_kind_is_counted_for_itself),
        TEST(without_a_limit_all_is_granted),
        TEST(below_the_high_mark_nobody_is_refused),
        TEST(above_it_who_holds_more_than_a_share_is_refused_and_others_are_not),
        TEST(a_client_that_holds_nothing_has_a_share_too),
        TEST(an_eighth_above_the_limit_everybody_is_refused),
        TEST(a_smaller_limit_holds_at_once),
        TEST(who_holds_little_makes_no_share_smaller),
        TEST(a_tally_tells_more_at_once_and_less_in_steps),
        TEST(what_waits_to_be_sent_is_told_apart),
        TEST(memory_is_short_above_the_high_mark),
        TEST(memory_is_plenty_up_to_a_quarter_of_the_limit),
        TEST(threads_count_together),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
