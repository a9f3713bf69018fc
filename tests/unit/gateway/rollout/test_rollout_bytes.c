#include "tests/unit/check.h"

#include "gateway/rollout/rollout_bytes.h"

#include <math.h>
#include <stdlib.h>

static RolloutState some_state(void)
{
    return (RolloutState){.phase = ROLLOUT_PAUSED,
                          .tier = 3,
                          .room = 1000,
                          .since = -5,
                          .tier_since = INT64_MAX,
                          .bad = true,
                          .gone = true,
                          .by_hand = 1 << (ROLLOUT_TIERS_MOST - 1) | 1};
}

static RolloutEvidence some_evidence(void)
{
    RolloutEvidence evidence = {.clients_before = 110,
                                .clients = 7.5,
                                .candidate_joined = 8,
                                .baseline_joined = 4000,
                                .full = true};
    double number = 0.1;
    for (int m = 0; m < ROLLOUT_METRICS; m++) {
        for (int i = 0; i < WEALTH_RATIOS; i++)
            evidence.metrics[m].wealth.logs[i] = number *= -1.01;
        evidence.metrics[m].candidate_failed = 1 + m;
        evidence.metrics[m].baseline_failed = 2 + m;
        evidence.metrics[m].hit = 3 + m;
        evidence.metrics[m].expected = 4 + m;
        evidence.metrics[m].variance = 5 + m;
    }
    return evidence;
}

static void what_is_written_is_read(void **state)
{
    uint8_t written[ROLLOUT_BYTES], again[ROLLOUT_BYTES];
    RolloutState from = some_state(), to;
    RolloutEvidence evidence = some_evidence(), read;
    rollout_write(&from, &evidence, written);
    assert_true(rollout_read(bytes(written, sizeof written), &to, &read));
    rollout_write(&to, &read, again);
    assert_memory_equal(written, again, sizeof again);
    assert_int_equal(to.phase, ROLLOUT_PAUSED);
    assert_int_equal(to.tier, 3);
    assert_int_equal(to.room, 1000);
    assert_int_equal(to.since, -5);
    assert_int_equal(to.tier_since, INT64_MAX);
    assert_true(to.bad && to.gone && read.full);
    assert_int_equal(to.by_hand, 1 << (ROLLOUT_TIERS_MOST - 1) | 1);
    assert_float_equal(read.clients, 7.5, 0);
    assert_float_equal(read.metrics[2].variance, 7, 0);
    assert_float_equal(wealth_log(&read.metrics[1].wealth), wealth_log(&evidence.metrics[1].wealth),
                       0);
}

static void bytes_of_another_size_or_format_are_refused(void **state)
{
    uint8_t written[ROLLOUT_BYTES + 1] = {0};
    RolloutState to = {.tier = 7};
    RolloutEvidence read;
    rollout_write(&(RolloutState){0}, &(RolloutEvidence){0}, written);
    assert_false(rollout_read(bytes(written, ROLLOUT_BYTES - 1), &to, &read));
    assert_false(rollout_read(bytes(written, ROLLOUT_BYTES + 1), &to, &read));
    assert_false(rollout_read(BYTES_NONE, &to, &read));
    written[0]++;
    assert_false(rollout_read(bytes(written, ROLLOUT_BYTES), &to, &read));
    assert_int_equal(to.tier, 7);
    written[0]--;
    assert_true(rollout_read(bytes(written, ROLLOUT_BYTES), &to, &read));
}

static void values_beyond_their_range_are_refused(void **state)
{
    RolloutState states[] = {{.phase = ROLLOUT_PHASES},
                             {.tier = ROLLOUT_TIERS_MOST},
                             {.room = ROLLOUT_CLIENTS_MOST + 1}};
    RolloutState good = {.phase = ROLLOUT_PHASES - 1,
                         .tier = ROLLOUT_TIERS_MOST - 1,
                         .room = ROLLOUT_CLIENTS_MOST},
                 to;
    RolloutEvidence none = {0}, read;
    uint8_t written[ROLLOUT_BYTES];
    for (size_t i = 0; i < sizeof states / sizeof *states; i++) {
        rollout_write(&states[i], &none, written);
        assert_false(rollout_read(bytes(written, sizeof written), &to, &read));
    }
    rollout_write(&good, &none, written);
    assert_true(rollout_read(bytes(written, sizeof written), &to, &read));

    double wrong[] = {NAN, INFINITY, -INFINITY};
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        RolloutEvidence evidence = {.metrics[ROLLOUT_METRICS - 1].variance = wrong[i]};
        rollout_write(&good, &evidence, written);
        assert_false(rollout_read(bytes(written, sizeof written), &to, &read));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_written_is_read),
        cmocka_unit_test(bytes_of_another_size_or_format_are_refused),
        cmocka_unit_test(values_beyond_their_range_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
