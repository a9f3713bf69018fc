#include "tests/unit/check.h"

#include "base/clock.h"
#include "base/random.h"
#include "gateway/limits/rate.h"

#define HOUR (3600 * SECOND)

/* Takes one unit at a time until there is none: how many. */
static uint64_t drain(const Rate *rate, uint64_t *word, int64_t now)
{
    for (uint64_t n = 0;; n++) {
        RateVerdict verdict = rate_take(rate, *word, 1, now);
        if (!verdict.admitted)
            return n;
        *word = verdict.word;
    }
}

static void a_full_bucket_gives_its_burst_and_no_more(void **state)
{
    static const struct {
        uint64_t count;
        int64_t period;
        uint64_t burst;
    } rows[] = {
        {100, SECOND, 200},      {1, SECOND, 1},           {3, SECOND, 7},
        {1, 24 * HOUR, 1},       {1000, HOUR, 1000},       {1000000, SECOND, 50000},
        {999999, SECOND, 40000}, {7, 60 * SECOND, 100000}, {1, SECOND, 2000000},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        Rate rate = rate_of(rows[i].count, rows[i].period, rows[i].burst);
        uint64_t word = 0;
        assert_int_equal(rate_left(&rate, 0, 5 * SECOND), rows[i].burst);
        assert_int_equal(drain(&rate, &word, 5 * SECOND), rows[i].burst);
        assert_int_equal(rate_left(&rate, word, 5 * SECOND), 0);
    }
}

static void the_next_unit_is_there_after_its_time_and_not_before(void **state)
{
    Rate rate = rate_of(100, SECOND, 10);
    uint64_t word = 0;
    int64_t now = 77 * SECOND, step = 10 * MILLISECOND;
    drain(&rate, &word, now);
    RateVerdict early = rate_take(&rate, word, 1, now + step - 1);
    assert_false(early.admitted);
    assert_int_equal(early.wait, 1);
    assert_int_equal(early.word, word);
    RateVerdict right = rate_take(&rate, word, 1, now + step);
    assert_true(right.admitted);
    assert_false(rate_take(&rate, right.word, 1, now + step).admitted);
}

static void a_wait_is_as_long_as_it_takes_for_the_cost(void **state)
{
    Rate rate = rate_of(100, SECOND, 10);
    uint64_t word = 0;
    drain(&rate, &word, SECOND);
    RateVerdict four = rate_take(&rate, word, 4, SECOND);
    assert_int_equal(four.wait, 40 * MILLISECOND);
    assert_false(rate_take(&rate, word, 4, SECOND + four.wait - 1).admitted);
    assert_true(rate_take(&rate, word, 4, SECOND + four.wait).admitted);
}

static void a_cost_above_the_burst_takes_a_full_bucket(void **state)
{
    Rate rate = rate_of(100, SECOND, 10);
    RateVerdict all = rate_take(&rate, 0, 1000000, SECOND);
    assert_true(all.admitted);
    assert_int_equal(rate_left(&rate, all.word, SECOND), 0);
    assert_int_equal(rate_missing(all.word, SECOND), 100 * MILLISECOND);
    RateVerdict one = rate_take(&rate, 0, 1, SECOND);
    assert_false(rate_take(&rate, one.word, 1000000, SECOND).admitted);
}

static void what_is_not_taken_for_long_is_no_more_than_the_burst(void **state)
{
    Rate rate = rate_of(5, SECOND, 20);
    uint64_t word = 0;
    drain(&rate, &word, SECOND);
    assert_int_equal(rate_missing(word, SECOND), 4 * SECOND);
    assert_int_equal(rate_left(&rate, word, 4 * SECOND), 15);
    assert_int_equal(rate_left(&rate, word, 5 * SECOND), 20);
    assert_int_equal(rate_missing(word, 5 * SECOND), 0);
    assert_int_equal(drain(&rate, &word, 1000 * SECOND), 20);
}

static void what_is_put_back_can_be_taken_again(void **state)
{
    Rate rate = rate_of(5, SECOND, 20);
    uint64_t word = rate_take(&rate, 0, 20, SECOND).word;
    word = rate_return(&rate, word, 3);
    assert_int_equal(drain(&rate, &word, SECOND), 3);
    assert_int_equal(rate_return(&rate, 0, 3), 0);
}

static void a_charge_is_owed_up_to_twice_the_burst(void **state)
{
    Rate rate = rate_of(1000, SECOND, 1000);
    bool owes;
    uint64_t word = rate_charge(&rate, 0, 2000, SECOND, &owes);
    assert_false(owes); /* one burst */
    assert_false(rate_take(&rate, word, 1, SECOND).admitted);
    assert_int_equal(rate_missing(word, SECOND), 2 * SECOND);
    word = rate_charge(&rate, word, 1, SECOND, &owes);
    assert_true(owes);
    word = rate_charge(&rate, word, UINT64_MAX / 2, SECOND, &owes);
    assert_true(owes);
    assert_int_equal(rate_missing(word, SECOND), 3 * SECOND);
    assert_false(rate_take(&rate, word, 1, 3 * SECOND).admitted);
    assert_true(rate_take(&rate, word, 1, 3 * SECOND + MILLISECOND).admitted);
}

static void shares_of_all_gateways_are_the_whole_rate(void **state)
{
    Rate rate = rate_of(100, SECOND, 40);
    uint64_t sum = 0;
    for (int i = 0; i < 4; i++) {
        Rate part = rate_share(rate, RATE_WHOLE / 4);
        uint64_t word = 0;
        assert_int_equal(drain(&part, &word, SECOND), 10);
        for (int ms = 1; ms <= 1000; ms++)
            sum += drain(&part, &word, SECOND + ms * MILLISECOND);
    }
    assert_int_equal(sum, 100);
}

static void a_small_share_can_still_make_a_call(void **state)
{
    Rate part = rate_share(rate_of(1, SECOND, 1), RATE_WHOLE / 100);
    uint64_t word = 0;
    assert_int_equal(drain(&part, &word, SECOND), 1);
    assert_int_equal(drain(&part, &word, 100 * SECOND), 0);
    assert_int_equal(drain(&part, &word, 102 * SECOND), 1);
}

static void bytes_at_high_rates_are_exact_within_a_percent(void **state)
{
    uint64_t ten_gib = UINT64_C(10) << 30, word = 0, taken = 0;
    Rate rate = rate_of(ten_gib, SECOND, ten_gib / 10);
    for (int64_t now = SECOND; now < 2 * SECOND; now += 100 * MICROSECOND) {
        for (RateVerdict v; (v = rate_take(&rate, word, 150000, now)).admitted; word = v.word)
            taken += 150000;
    }
    uint64_t right = ten_gib + ten_gib / 10;
    assert_in_range(taken, right - right / 100, right + right / 100);
}

/* ---- Against a slow, obvious bucket ---------------------------------------------------------- */

/* Units, in parts of which one nanosecond brings `count` and a unit has `period`. */
typedef struct Slow {
    uint64_t count, period, most, there;
    int64_t at;
} Slow;

static bool slow_take(Slow *slow, uint64_t cost, int64_t now)
{
    uint64_t more = (uint64_t)(now - slow->at) * slow->count;
    slow->there = slow->most - slow->there < more ? slow->most : slow->there + more;
    slow->at = now;
    if (slow->there < cost * slow->period)
        return false;
    slow->there -= cost * slow->period;
    return true;
}

/* Rates whose steps are whole ticks: each verdict is the same. */
static void each_verdict_is_that_of_an_obvious_bucket(void **state)
{
    Random random;
    random_seed_fixed(&random, 18);
    for (int round = 0; round < 200; round++) {
        static const uint64_t counts[] = {1, 2, 5, 10, 40, 100, 250, 1000, 8000, 100000, 1000000};
        uint64_t count = counts[random_next(&random) % (sizeof counts / sizeof *counts)];
        uint64_t burst = 1 + random_next(&random) % 300;
        Rate rate = rate_of(count, SECOND, burst);
        int64_t now = SECOND, step = SECOND / (int64_t)count;
        Slow slow = {count, SECOND, burst * SECOND, burst * SECOND, now};
        uint64_t word = 0;
        for (int i = 0; i < 2000; i++) {
            uint64_t cost = random_next(&random) % 4 ? 1 : 1 + random_next(&random) % burst;
            now += (int64_t)(random_next(&random) % (uint64_t)(2 * step));
            RateVerdict verdict = rate_take(&rate, word, cost, now);
            assert_int_equal(verdict.admitted, slow_take(&slow, cost, now));
            if (!verdict.admitted)
                assert_int_equal(verdict.wait,
                                 (cost * slow.period - slow.there + count - 1) / count);
            assert_int_equal(rate_left(&rate, verdict.word, now), slow.there / slow.period);
            word = verdict.word;
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_full_bucket_gives_its_burst_and_no_more),
        cmocka_unit_test(the_next_unit_is_there_after_its_time_and_not_before),
        cmocka_unit_test(a_wait_is_as_long_as_it_takes_for_the_cost),
        cmocka_unit_test(a_cost_above_the_burst_takes_a_full_bucket),
        cmocka_unit_test(what_is_not_taken_for_long_is_no_more_than_the_burst),
        cmocka_unit_test(what_is_put_back_can_be_taken_again),
        cmocka_unit_test(a_charge_is_owed_up_to_twice_the_burst),
        cmocka_unit_test(shares_of_all_gateways_are_the_whole_rate),
        cmocka_unit_test(a_small_share_can_still_make_a_call),
        cmocka_unit_test(bytes_at_high_rates_are_exact_within_a_percent),
        cmocka_unit_test(each_verdict_is_that_of_an_obvious_bucket),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
