#include "tests/unit/check.h"

#include "base/net/sender_shares.h"

static const int64_t began = 1000 * SECOND;

static void one_that_is_alone_is_never_over(void **state)
{
    SenderShares shares = {.total = 0};
    assert_false(sender_shares_is_over(&shares, 7));
    for (int i = 0; i < 1000; i++) {
        sender_shares_add(&shares, 7, 1024, began + i * MILLISECOND);
        assert_false(sender_shares_is_over(&shares, 7));
    }
}

static void who_has_had_a_quarter_more_than_the_average_is_over(void **state)
{
    SenderShares shares = {.total = 0};
    for (uint8_t client = 0; client < 3; client++)
        sender_shares_add(&shares, client, client ? 7000 : 10000, began);
    assert_false(sender_shares_is_over(&shares, 0)); /* the average is 8,000 */
    sender_shares_add(&shares, 0, 1, began);
    assert_true(sender_shares_is_over(&shares, 0));
    assert_false(sender_shares_is_over(&shares, 1));
    assert_false(sender_shares_is_over(&shares, 3)); /* it has had nothing */
}

static void equal_clients_are_not_over(void **state)
{
    SenderShares shares = {.total = 0};
    for (int i = 0; i < SENDERS; i++)
        sender_shares_add(&shares, (uint8_t)i, 100, began);
    assert_int_equal(shares.n_clients, SENDERS);
    for (int i = 0; i < SENDERS; i++)
        assert_false(sender_shares_is_over(&shares, (uint8_t)i));
}

static void what_was_is_forgotten(void **state)
{
    SenderShares shares = {.halved_at = began};
    sender_shares_add(&shares, 0, 64000, began);
    sender_shares_add(&shares, 1, 1000, began);
    assert_true(sender_shares_is_over(&shares, 0));
    sender_shares_add(&shares, 1, 0, began + SENDER_HALF_TIME - 1);
    assert_int_equal(shares.bytes[0], 64000);
    sender_shares_add(&shares, 1, 0, began + SENDER_HALF_TIME);
    assert_int_equal(shares.bytes[0], 32000);
    assert_int_equal(shares.total, 32500);
    sender_shares_add(&shares, 1, 10, began + 100 * SECOND);
    assert_int_equal(shares.bytes[0], 0);
    assert_int_equal(shares.n_clients, 1);
    assert_false(sender_shares_is_over(&shares, 0));
}

static void addresses_have_numbers_of_their_own_in_each_loop(void **state)
{
    IpAddress a, b;
    assert_true(ip_read(bytes_of("192.0.2.1"), &a) && ip_read(bytes_of("192.0.2.2"), &b));
    int n_same = 0, n_kept = 0;
    for (uint64_t seed = 1; seed <= 1000; seed++) {
        uint8_t number = sender_of(&a, seed * 7919);
        assert_int_equal(number, sender_of(&a, seed * 7919));
        n_same += number == sender_of(&b, seed * 7919);
        n_kept += number == sender_of(&a, seed * 7919 + 1);
    }
    assert_in_range(n_same, 0, 40);
    assert_in_range(n_kept, 0, 40);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_that_is_alone_is_never_over),
        cmocka_unit_test(who_has_had_a_quarter_more_than_the_average_is_over),
        cmocka_unit_test(equal_clients_are_not_over),
        cmocka_unit_test(what_was_is_forgotten),
        cmocka_unit_test(addresses_have_numbers_of_their_own_in_each_loop),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
