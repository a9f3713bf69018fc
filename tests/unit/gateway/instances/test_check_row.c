#include "tests/unit/check.h"

#include "base/clock.h"
#include "gateway/instances/check_row.h"

static const CheckRules rules = {
    .kind = CHECK_HTTP, .every = 5 * SECOND, .unhealthy_after = 3, .healthy_after = 2};

/* g, b, u: good, bad, undecided results; then whether it is healthy, and how often that changed. */
static void thresholds_decide_in_both_directions(void **state)
{
    static const struct {
        const char *results;
        bool healthy;
        int changes;
    } rows[] = {
        {"", true, 0},        {"bb", true, 0},      {"bbb", false, 1},      {"bbbbbbb", false, 1},
        {"bbgbb", true, 0},   {"bbgbbb", false, 1}, {"bbbg", false, 1},     {"bbbgg", true, 2},
        {"bbbgbg", false, 1}, {"bbbgbgg", true, 2}, {"bbub", false, 1},     {"bbbgug", true, 2},
        {"uuuuu", true, 0},   {"bbbggbb", true, 2}, {"bbbggbbb", false, 3},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        CheckRow row = {.good = 0};
        int changes = 0;
        for (const char *at = rows[i].results; *at; at++)
            changes += check_row_add(&row, &rules,
                                     *at == 'g'   ? CHECK_GOOD
                                     : *at == 'u' ? CHECK_UNDECIDED
                                                  : CHECK_LATE);
        assert_int_equal(!row.unhealthy, rows[i].healthy);
        assert_int_equal(changes, rows[i].changes);
    }
}

static void each_kind_of_failure_counts(void **state)
{
    static const CheckResult bad[] = {CHECK_UNREACHABLE, CHECK_LATE, CHECK_REFUSED};
    CheckRow row = {.good = 0};
    for (int i = 0; i < 3; i++)
        assert_int_equal(check_row_add(&row, &rules, bad[i]), i == 2);
}

static void statuses_are_good_as_the_config_says(void **state)
{
    static const uint32_t listed[] = {204, 404};
    CheckRules said = {.statuses = listed, .n_statuses = 2};
    static const struct {
        unsigned status;
        bool by_default, listed;
    } rows[] = {{199, false, false}, {200, true, false}, {204, true, true},  {299, true, false},
                {300, false, false}, {404, false, true}, {503, false, false}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        assert_int_equal(check_status_is_good(&rules, rows[i].status), rows[i].by_default);
        assert_int_equal(check_status_is_good(&said, rows[i].status), rows[i].listed);
    }
}

static void checks_are_spread_over_the_period(void **state)
{
    Random random;
    random_seed_fixed(&random, 7);
    int64_t first_least = INT64_MAX, first_most = 0, next_least = INT64_MAX, next_most = 0;
    for (int i = 0; i < 10000; i++) {
        int64_t first = check_first_wait(&rules, &random), next = check_next_wait(&rules, &random);
        first_least = first < first_least ? first : first_least;
        first_most = first > first_most ? first : first_most;
        next_least = next < next_least ? next : next_least;
        next_most = next > next_most ? next : next_most;
    }
    assert_in_range(first_least, 0, SECOND / 10);
    assert_in_range(first_most, 5 * SECOND - SECOND / 10, 5 * SECOND - 1);
    assert_in_range(next_least, 4 * SECOND, 4 * SECOND + SECOND / 10);
    assert_in_range(next_most, 6 * SECOND - SECOND / 10, 6 * SECOND);
}

static void results_have_words(void **state)
{
    for (CheckResult a = CHECK_GOOD; a <= CHECK_UNDECIDED; a++)
        for (CheckResult b = CHECK_GOOD; b < a; b++)
            assert_string_not_equal(check_result_name(a), check_result_name(b));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(thresholds_decide_in_both_directions),
        cmocka_unit_test(each_kind_of_failure_counts),
        cmocka_unit_test(statuses_are_good_as_the_config_says),
        cmocka_unit_test(checks_are_spread_over_the_period),
        cmocka_unit_test(results_have_words),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
