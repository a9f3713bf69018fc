#include "tests/unit/check.h"

#include "base/clock.h"
#include "gateway/version/retiring.h"

#include <stdio.h>

#define DAY (86400 * SECOND)
#define NOON (INT64_C(1772366400) * SECOND)

static RetireState served;
static Retiring retiring;
static Version version;

static int set_up(void **state)
{
    served = (RetireState){0};
    retiring = (Retiring){.unused_for = 30 * DAY, .state = &served};
    version = (Version){.name = "v1", .sunset = NOON, .retiring = &retiring};
    return 0;
}

/* Both sides of each boundary. */
static void a_version_ends_once_it_is_past_its_sunset_and_unused_for_long_enough(void **state)
{
    static const struct {
        int64_t watched, used, wall;
        RetireVerdict verdict;
    } cases[] = {
        {NOON - 60 * DAY, NOON - 60 * DAY, NOON - 1, RETIRE_EARLY},
        {NOON - 60 * DAY, NOON - 60 * DAY, NOON, RETIRE_UNUSED},
        {NOON - 60 * DAY, NOON - 30 * DAY + 1, NOON, RETIRE_USED},
        {NOON - 60 * DAY, NOON - 30 * DAY, NOON, RETIRE_UNUSED},
        {NOON - 60 * DAY, NOON + DAY, NOON, RETIRE_USED}, /* another gateway's clock */
        {NOON - 30 * DAY + 1, NOON - 60 * DAY, NOON, RETIRE_UNKNOWN},
        {NOON - 30 * DAY, NOON - 60 * DAY, NOON, RETIRE_UNUSED},
        {NOON - 30 * DAY + 1, 0, NOON, RETIRE_UNKNOWN},
        {NOON - 30 * DAY, 0, NOON, RETIRE_UNUSED},
        {NOON + DAY, 0, NOON, RETIRE_UNKNOWN},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        RetireEvidence evidence = {cases[i].watched, cases[i].used};
        assert_int_equal(retire_judge(&version, &evidence, cases[i].wall), cases[i].verdict);
    }
}

static void without_a_sunset_only_the_evidence_counts(void **state)
{
    version.sunset = 0;
    RetireEvidence evidence = {NOON - 30 * DAY, 0};
    assert_int_equal(retire_judge(&version, &evidence, NOON), RETIRE_UNUSED);
    assert_int_equal(retire_judge(&version, &evidence, NOON - 1), RETIRE_UNKNOWN);
}

static void a_version_with_retire_ends_when_it_is_retired_and_another_at_its_sunset(void **state)
{
    assert_int_equal(version_end(&version), 0);
    atomic_store(&served.retired, NOON + DAY);
    assert_int_equal(version_end(&version), NOON + DAY);
    retiring.state = NULL; /* as in `check`: nobody judges it */
    assert_int_equal(version_end(&version), 0);
    version.retiring = NULL;
    assert_int_equal(version_end(&version), NOON);
}

static void a_version_outlives_its_sunset_until_it_is_retired(void **state)
{
    assert_false(version_outlives_sunset(&version, NOON - 1));
    assert_true(version_outlives_sunset(&version, NOON));
    atomic_store(&served.retired, NOON + 5);
    assert_true(version_outlives_sunset(&version, NOON + 4));
    assert_false(version_outlives_sunset(&version, NOON + 5));
    version.sunset = 0;
    atomic_store(&served.retired, 0);
    assert_false(version_outlives_sunset(&version, NOON));
    version = (Version){.sunset = NOON};
    assert_false(version_outlives_sunset(&version, NOON));
}

static void a_brown_out_lasts_from_its_beginning_to_before_its_end(void **state)
{
    Brownout brownouts[] = {{NOON, NOON + 10, BROWNOUT_WHOLE}, {NOON + 20, NOON + 30, 1}};
    retiring.brownouts = brownouts;
    retiring.n_brownouts = 2;
    assert_null(brownout_now(&version, NOON - 1));
    assert_ptr_equal(brownout_now(&version, NOON), &brownouts[0]);
    assert_ptr_equal(brownout_now(&version, NOON + 9), &brownouts[0]);
    assert_null(brownout_now(&version, NOON + 10));
    assert_ptr_equal(brownout_now(&version, NOON + 20), &brownouts[1]);
    assert_int_equal(brownout_next(&version, NOON - 1), NOON);
    assert_int_equal(brownout_next(&version, NOON), NOON + 10);
    assert_int_equal(brownout_next(&version, NOON + 10), NOON + 20);
    assert_int_equal(brownout_next(&version, NOON + 30), INT64_MAX);
    version.retiring = NULL;
    assert_null(brownout_now(&version, NOON));
    assert_int_equal(brownout_next(&version, NOON), INT64_MAX);
}

enum { CLIENTS = 20000 };

static uint32_t count_hit(const Brownout *brownout, const Brownout *also)
{
    uint32_t n = 0;
    for (int i = 0; i < CLIENTS; i++) {
        char name[32];
        snprintf(name, sizeof name, "client-%d", i);
        n += brownout_hits(brownout, bytes_of(name)) &&
             (!also || brownout_hits(also, bytes_of(name)));
    }
    return n;
}

static void a_brown_out_meets_its_share_of_the_clients_and_each_one_others(void **state)
{
    Brownout first = {NOON, NOON + 10, 500}, second = {NOON + 20, NOON + 30, 500};
    uint32_t n = count_hit(&first, NULL);
    assert_in_range(n, CLIENTS / 20 - 120, CLIENTS / 20 + 120);
    assert_int_equal(count_hit(&first, &first), n); /* the same ones each time */
    assert_in_range(count_hit(&first, &second), 0, CLIENTS / 400 + 30);
    first.share = BROWNOUT_WHOLE;
    assert_int_equal(count_hit(&first, NULL), CLIENTS);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup(name, set_up)
    const struct CMUnitTest tests[] = {
        TEST(a_version_ends_once_it_is_past_its_sunset_and_unused_for_long_enough),
        TEST(without_a_sunset_only_the_evidence_counts),
        TEST(a_version_with_retire_ends_when_it_is_retired_and_another_at_its_sunset),
        TEST(a_version_outlives_its_sunset_until_it_is_retired),
        TEST(a_brown_out_lasts_from_its_beginning_to_before_its_end),
        TEST(a_brown_out_meets_its_share_of_the_clients_and_each_one_others),
    };
    return cmocka_run_group_tests_name("retiring", tests, NULL, NULL);
}
