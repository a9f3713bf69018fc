#include "tests/unit/check.h"

#include "base/clock.h"
#include "gateway/rollout_store/rollout_lease.h"

#define LENGTH (10 * SECOND)

static RolloutJudge judge_of(const char *name, int64_t token, int64_t beat)
{
    return (RolloutJudge){bytes_of(name), token, beat};
}

static void see(RolloutLease *lease, const char *name, int64_t token, int64_t beat, int64_t now)
{
    RolloutJudge judge = judge_of(name, token, beat);
    rollout_lease_see(lease, &judge, now);
}

static bool may_take(const RolloutLease *lease, int64_t now)
{
    return rollout_lease_may_take(lease, bytes_of("we"), LENGTH, now);
}

static void nobody_takes_a_place_that_was_not_seen(void **state)
{
    RolloutLease lease = {0};
    assert_false(may_take(&lease, 100 * LENGTH));
}

static void a_place_that_was_left_is_taken_at_once(void **state)
{
    RolloutLease lease = {0};
    see(&lease, "", 3, 7, 1);
    assert_true(may_take(&lease, 1));
    rollout_lease_deinit(&lease);
}

static void the_place_of_a_silent_judge_is_taken_after_a_lease(void **state)
{
    RolloutLease lease = {0};
    see(&lease, "other", 1, 1, 5);
    see(&lease, "other", 1, 1, 7); /* still the same: silent since 5 */
    assert_false(may_take(&lease, 5 + LENGTH - 1));
    assert_true(may_take(&lease, 5 + LENGTH));
    rollout_lease_deinit(&lease);
}

static void each_sign_of_life_begins_a_lease(void **state)
{
    static const RolloutJudge signs[] = {{{(const uint8_t *)"other", 5}, 1, 2},
                                         {{(const uint8_t *)"other", 5}, 2, 1},
                                         {{(const uint8_t *)"third", 5}, 1, 1}};
    for (size_t i = 0; i < 3; i++) {
        RolloutLease lease = {0};
        see(&lease, "other", 1, 1, 0);
        rollout_lease_see(&lease, &signs[i], LENGTH - 1);
        assert_false(may_take(&lease, LENGTH));
        assert_true(may_take(&lease, 2 * LENGTH - 1));
        rollout_lease_deinit(&lease);
    }
}

static void ours_counts_from_when_it_was_asked_for(void **state)
{
    RolloutLease lease = {0};
    RolloutJudge judge = judge_of("we", 2, 1);
    assert_false(rollout_lease_is_ours(&lease, 0));
    rollout_lease_won(&lease, &judge, 100, LENGTH);
    assert_true(rollout_lease_is_ours(&lease, 100 + LENGTH - 1));
    assert_false(may_take(&lease, 100 + LENGTH - 1));
    assert_false(rollout_lease_is_ours(&lease, 100 + LENGTH));
    rollout_lease_deinit(&lease);
}

/* It was too slow to renew it, and nobody else has taken it. */
static void what_was_ours_last_is_taken_again_at_once(void **state)
{
    RolloutLease lease = {0};
    RolloutJudge judge = judge_of("we", 2, 1);
    rollout_lease_won(&lease, &judge, 100, LENGTH);
    assert_true(may_take(&lease, 100 + LENGTH));
    rollout_lease_deinit(&lease);
}

static void what_is_lost_is_not_ours(void **state)
{
    RolloutLease lease = {0};
    RolloutJudge judge = judge_of("we", 2, 1);
    rollout_lease_won(&lease, &judge, 100, LENGTH);
    rollout_lease_lost(&lease);
    assert_false(rollout_lease_is_ours(&lease, 100));
    see(&lease, "other", 3, 1, 200);
    assert_false(may_take(&lease, 200 + LENGTH - 1));
    rollout_lease_deinit(&lease);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nobody_takes_a_place_that_was_not_seen),
        cmocka_unit_test(a_place_that_was_left_is_taken_at_once),
        cmocka_unit_test(the_place_of_a_silent_judge_is_taken_after_a_lease),
        cmocka_unit_test(each_sign_of_life_begins_a_lease),
        cmocka_unit_test(ours_counts_from_when_it_was_asked_for),
        cmocka_unit_test(what_was_ours_last_is_taken_again_at_once),
        cmocka_unit_test(what_is_lost_is_not_ours),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
