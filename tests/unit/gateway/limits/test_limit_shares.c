#include "tests/unit/check.h"

#include "base/random.h"
#include "gateway/limits/limit_shares.h"
#include "gateway/limits/rate.h"

#define WHOLE ((uint64_t)RATE_WHOLE)

/* With so many gateways, of which these have said what they need. */
static uint32_t share(uint32_t gateways, uint32_t n, const uint64_t *needs, uint32_t mine)
{
    return limit_share_of(needs, n, mine, gateways);
}

static void a_client_that_calls_one_gateway_has_nearly_all_of_its_rate_there(void **state)
{
    uint64_t needs[] = {3 * WHOLE, 0, 0, 0};
    assert_in_range(share(4, 4, needs, 0), WHOLE * 90 / 100, WHOLE);
    assert_in_range(share(4, 4, needs, 1), WHOLE / 4 / 8, WHOLE / 4 / 8 + 1);
}

static void what_gateways_may_use_that_have_said_nothing_stays_theirs(void **state)
{
    uint64_t needs[] = {3 * WHOLE};
    assert_int_equal(share(4, 1, needs, 0), WHOLE / 4);
    uint64_t two[] = {3 * WHOLE, 0};
    assert_in_range(share(4, 2, two, 0), WHOLE / 4, WHOLE / 2);
}

static void equal_needs_have_equal_shares(void **state)
{
    uint64_t needs[] = {WHOLE, WHOLE};
    assert_in_range(share(2, 2, needs, 0), WHOLE / 2 - 1, WHOLE / 2);
    assert_in_range(share(2, 2, needs, 1), WHOLE / 2 - 1, WHOLE / 2);
}

static void small_needs_are_met_and_large_ones_divide_the_rest(void **state)
{
    uint64_t needs[] = {WHOLE / 10, 2 * WHOLE, 5 * WHOLE};
    assert_true(share(3, 3, needs, 0) >= WHOLE / 10);
    assert_int_equal(share(3, 3, needs, 1), share(3, 3, needs, 2));
    assert_in_range(share(3, 3, needs, 1), WHOLE * 40 / 100, WHOLE * 45 / 100);
}

static void what_nobody_needs_is_divided_equally(void **state)
{
    uint64_t needs[] = {0, 0};
    assert_in_range(share(2, 2, needs, 0), WHOLE / 2 - 1, WHOLE / 2);
}

static void a_gateway_alone_has_all(void **state)
{
    uint64_t needs[] = {5 * WHOLE};
    assert_int_equal(limit_share_equal(1), WHOLE);
    assert_int_equal(share(1, 1, needs, 0), WHOLE);
    assert_int_equal(limit_share_equal(1000000), 1);
}

/* Whatever they need: together no more than all, and no less than what they may have. */
static void all_shares_together_are_the_whole(void **state)
{
    Random random;
    random_seed_fixed(&random, 18);
    for (int round = 0; round < 5000; round++) {
        uint32_t gateways = 1 + (uint32_t)random_below(&random, 20);
        uint32_t n = 1 + (uint32_t)random_below(&random, gateways);
        uint64_t needs[20], sum = 0;
        for (uint32_t i = 0; i < n; i++)
            needs[i] = random_below(&random, 3) ? random_below(&random, WHOLE * 2) : 0;
        for (uint32_t i = 0; i < n; i++) {
            uint32_t each = share(gateways, n, needs, i);
            assert_true(each >= limit_share_equal(gateways) / 8);
            sum += each;
        }
        uint64_t may = (uint64_t)limit_share_equal(gateways) * n;
        assert_in_range(sum, may - 2 * n - may / 100, may);
    }
}

/* ---- The map --------------------------------------------------------------------------------- */

static void a_map_has_the_shares_that_it_was_given_last(void **state)
{
    LimitShareMap *map = limit_share_map_new();
    assert_int_equal(limit_share_map_get(map, 7), 0);
    LimitShare first[] = {{7, 100}, {7 + 4096, 200}, {UINT64_MAX, 300}};
    limit_share_map_set(map, first, 3);
    assert_int_equal(limit_share_map_get(map, 7), 100);
    assert_int_equal(limit_share_map_get(map, 7 + 4096), 200);
    assert_int_equal(limit_share_map_get(map, UINT64_MAX), 300);
    assert_int_equal(limit_share_map_get(map, 8), 0);
    LimitShare second[] = {{7, 50}};
    limit_share_map_set(map, second, 1);
    assert_int_equal(limit_share_map_get(map, 7), 50);
    assert_int_equal(limit_share_map_get(map, 7 + 4096), 0);
    limit_share_map_set(map, NULL, 0);
    assert_int_equal(limit_share_map_get(map, 7), 0);
    limit_share_map_free(map);
}

static void a_map_has_room_for_as_many_as_may_be(void **state)
{
    LimitShareMap *map = limit_share_map_new();
    static LimitShare shares[SHARES_MOST];
    for (uint32_t i = 0; i < SHARES_MOST; i++)
        shares[i] = (LimitShare){4096 * (uint64_t)i + 4090, i + 1}; /* all at the same place */
    limit_share_map_set(map, shares, SHARES_MOST);
    for (uint32_t i = 0; i < SHARES_MOST; i++)
        assert_int_equal(limit_share_map_get(map, shares[i].key), i + 1);
    limit_share_map_free(map);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_client_that_calls_one_gateway_has_nearly_all_of_its_rate_there),
        cmocka_unit_test(what_gateways_may_use_that_have_said_nothing_stays_theirs),
        cmocka_unit_test(equal_needs_have_equal_shares),
        cmocka_unit_test(small_needs_are_met_and_large_ones_divide_the_rest),
        cmocka_unit_test(what_nobody_needs_is_divided_equally),
        cmocka_unit_test(a_gateway_alone_has_all),
        cmocka_unit_test(all_shares_together_are_the_whole),
        cmocka_unit_test(a_map_has_the_shares_that_it_was_given_last),
        cmocka_unit_test(a_map_has_room_for_as_many_as_may_be),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
