#include "tests/unit/check.h"

#include "base/clock.h"
#include "gateway/tally/recent_clients.h"

#include <math.h>

#define HOUR (3600 * SECOND)
#define NOON (INT64_C(1772366400) * SECOND)

static long count(const RecentClients *clients, int64_t wall)
{
    return lround(recent_clients_count(clients, wall));
}

static void a_client_counts_in_its_hour_and_the_next(void **state)
{
    RecentClients clients = {0};
    assert_int_equal(count(&clients, NOON), 0);
    recent_clients_add(&clients, NOON, 1);
    assert_int_equal(count(&clients, NOON), 1);
    assert_int_equal(count(&clients, NOON + 2 * HOUR - 1), 1);
    assert_int_equal(count(&clients, NOON + 2 * HOUR), 0);
}

static void an_hour_takes_the_place_of_the_one_before_the_last(void **state)
{
    RecentClients clients = {0};
    recent_clients_add(&clients, NOON, 1);
    recent_clients_add(&clients, NOON + HOUR, 2);
    assert_int_equal(count(&clients, NOON + HOUR), 2);
    recent_clients_add(&clients, NOON + 2 * HOUR, 3);
    assert_int_equal(count(&clients, NOON + 2 * HOUR), 2);
    recent_clients_add(&clients, NOON + 5 * HOUR, 4);
    assert_int_equal(count(&clients, NOON + 5 * HOUR), 1);
}

static void an_hour_without_clients_is_empty(void **state)
{
    RecentClients clients = {0};
    recent_clients_add(&clients, NOON - HOUR, 1);
    recent_clients_add(&clients, NOON, 2);
    recent_clients_add(&clients, NOON + 2 * HOUR, 3);
    assert_int_equal(count(&clients, NOON + 2 * HOUR), 1);
}

static void what_comes_an_hour_late_counts_and_later_not(void **state)
{
    RecentClients clients = {0};
    recent_clients_add(&clients, NOON, 1);
    recent_clients_add(&clients, NOON - HOUR, 2);
    recent_clients_add(&clients, NOON - 2 * HOUR, 3);
    assert_int_equal(count(&clients, NOON), 2);
}

static void hours_are_merged_with_their_own(void **state)
{
    RecentClients a = {0}, b = {0}, empty = {0};
    recent_clients_add(&a, NOON, 1);
    recent_clients_add(&b, NOON, 1);
    recent_clients_add(&b, NOON + HOUR, 2);
    recent_clients_merge(&a, &b);
    recent_clients_merge(&a, &empty);
    assert_int_equal(count(&a, NOON + HOUR), 2);
    assert_int_equal(count(&a, NOON + 2 * HOUR), 1);
    recent_clients_merge(&empty, &a);
    assert_int_equal(count(&empty, NOON + HOUR), 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_client_counts_in_its_hour_and_the_next),
        cmocka_unit_test(an_hour_takes_the_place_of_the_one_before_the_last),
        cmocka_unit_test(an_hour_without_clients_is_empty),
        cmocka_unit_test(what_comes_an_hour_late_counts_and_later_not),
        cmocka_unit_test(hours_are_merged_with_their_own),
    };
    return cmocka_run_group_tests_name("recent_clients", tests, NULL, NULL);
}
