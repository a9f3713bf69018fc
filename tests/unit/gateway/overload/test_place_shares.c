#include "tests/unit/check.h"

#include "gateway/overload/place_shares.h"

enum { MOST = 2 };

static PlaceShares shares;
static IpAddress a, b;

static int set_up(void **state)
{
    shares = (PlaceShares){0};
    assert_true(ip_read(bytes_of("192.0.2.1"), &a) && ip_read(bytes_of("192.0.2.2"), &b));
    return 0;
}

static void who_comes_alone_may_have_all(void **state)
{
    PlaceHolder *holders[10];
    for (int i = 0; i < 10; i++) {
        place_shares_come(&shares, &a, 5);
        assert_true(place_shares_may(&shares, &a, MOST, 5));
        holders[i] = place_shares_take(&shares, &a);
    }
    assert_ptr_equal(holders[0], holders[9]);
    for (int i = 0; i < 10; i++)
        place_shares_give(&shares, holders[i]);
    assert_null(shares.holders);
}

static void of_several_each_may_have_its_share(void **state)
{
    PlaceHolder *of_a[MOST];
    for (int i = 0; i < MOST; i++)
        of_a[i] = place_shares_take(&shares, &a);
    place_shares_come(&shares, &a, 5);
    place_shares_come(&shares, &b, 5);
    assert_false(place_shares_may(&shares, &a, MOST, 5));
    assert_true(place_shares_may(&shares, &a, MOST + 1, 5));
    assert_true(place_shares_may(&shares, &b, MOST, 5));
    place_shares_give(&shares, of_a[0]);
    assert_true(place_shares_may(&shares, &a, MOST, 5));
    place_shares_give(&shares, of_a[1]);
    assert_null(shares.holders);
}

static void shares_hold_for_a_while_after_another_one_has_come(void **state)
{
    PlaceHolder *holders[MOST];
    for (int i = 0; i < MOST; i++)
        holders[i] = place_shares_take(&shares, &a);
    place_shares_come(&shares, &b, 5);
    place_shares_come(&shares, &a, 7);
    place_shares_come(&shares, &a, 9); /* still the same */
    assert_false(place_shares_may(&shares, &a, MOST, 7 + SHARE_TIME - 1));
    assert_true(place_shares_may(&shares, &a, MOST, 7 + SHARE_TIME));
    for (int i = 0; i < MOST; i++)
        place_shares_give(&shares, holders[i]);
    place_shares_give(&shares, NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(who_comes_alone_may_have_all, set_up),
        cmocka_unit_test_setup(of_several_each_may_have_its_share, set_up),
        cmocka_unit_test_setup(shares_hold_for_a_while_after_another_one_has_come, set_up),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
