#include "gateway/cohort/cohort_sample.h"

#include "base/arena.h"

#include "tests/unit/check.h"

enum { ROLLOUT = 5, ROUND = 9, FAILED = 1 << ROLLOUT_FAILURES, SLOW = 1 << ROLLOUT_LATENCY };

static CohortSample *one, *other;
static Arena *arena;

static int set_up(void **state)
{
    one = cohort_sample_new(ROLLOUT, ROUND);
    other = cohort_sample_new(ROLLOUT, ROUND);
    arena = arena_new(ARENA_UNLIMITED);
    return 0;
}

static int tear_down(void **state)
{
    cohort_sample_free(one);
    cohort_sample_free(other);
    arena_free(arena);
    return 0;
}

static void a_client_counts_once_for_each_metric(void **state)
{
    for (int i = 0; i < 10; i++)
        cohort_sample_add(one, COHORT_CANDIDATE, 1, FAILED | (i ? SLOW : 0));
    cohort_sample_add(one, COHORT_CANDIDATE, 2, 0);
    CohortCount count = cohort_sample_count(one, COHORT_CANDIDATE);
    assert_float_equal(count.clients, 2, 0);
    assert_float_equal(count.failed[ROLLOUT_FAILURES], 1, 0);
    assert_float_equal(count.failed[ROLLOUT_LATENCY], 1, 0);
    assert_float_equal(count.failed[ROLLOUT_LOSSES], 0, 0);
    assert_float_equal(cohort_sample_count(one, COHORT_BASELINE).clients, 0, 0);
}

static void the_sum_of_two_gateways_counts_no_client_twice(void **state)
{
    cohort_sample_add(one, COHORT_BASELINE, 1, FAILED);
    cohort_sample_add(one, COHORT_BASELINE, 2, 0);
    cohort_sample_add(other, COHORT_BASELINE, 1, FAILED);
    cohort_sample_add(other, COHORT_BASELINE, 3, FAILED);
    cohort_sample_merge(one, other);
    cohort_sample_merge(one, other);
    CohortCount count = cohort_sample_count(one, COHORT_BASELINE);
    assert_float_equal(count.clients, 3, 0);
    assert_float_equal(count.failed[ROLLOUT_FAILURES], 2, 0);
}

static void one_of_another_round_is_left_out(void **state)
{
    CohortSample *old = cohort_sample_new(ROLLOUT, ROUND - 1);
    cohort_sample_add(old, COHORT_BASELINE, 1, FAILED);
    cohort_sample_merge(one, old);
    assert_float_equal(cohort_sample_count(one, COHORT_BASELINE).clients, 0, 0);
    cohort_sample_free(old);
}

/* Of an arm whose clients all have small hashes, as in a tier that is a share. */
static void what_is_kept_does_not_depend_on_the_share(void **state)
{
    enum { MANY = 100000 };
    const uint64_t share = UINT64_MAX / 20;
    for (uint64_t i = 1; i <= MANY; i++)
        cohort_sample_add(one, COHORT_CANDIDATE, share / MANY * i, i % 100 ? 0 : FAILED);
    CohortCount count = cohort_sample_count(one, COHORT_CANDIDATE);
    assert_true(count.clients_error > 0 && count.clients_error < 0.02);
    assert_true(count.clients > 0.94 * MANY && count.clients < 1.06 * MANY);
    assert_float_equal(count.failed[ROLLOUT_FAILURES], MANY / 100, 0);
    assert_float_equal(count.failed_error[ROLLOUT_FAILURES], 0, 0);
}

static void what_was_written_is_read(void **state)
{
    for (uint64_t i = 1; i <= 10000; i++)
        cohort_sample_add(one, COHORT_BASELINE, i, i % 3 ? 0 : SLOW);
    cohort_sample_add(one, COHORT_CANDIDATE, 7, FAILED);
    cohort_sample_unserved(one);
    Bytes written = cohort_sample_write(one, arena);
    CohortSample *read = cohort_sample_read(written);
    assert_non_null(read);
    assert_int_equal(cohort_sample_rollout(read), ROLLOUT);
    assert_int_equal(cohort_sample_round(read), ROUND);
    assert_int_equal(cohort_sample_n_unserved(read), 1);
    for (int arm = 0; arm < COHORT_ARMS; arm++) {
        CohortCount was = cohort_sample_count(one, arm), is = cohort_sample_count(read, arm);
        assert_memory_equal(&was, &is, sizeof was);
    }
    assert_true(bytes_equal(cohort_sample_write(read, arena), written));
    for (size_t size = 0; size < written.size; size += size < 100 ? 1 : written.size / 50)
        assert_null(cohort_sample_read(bytes_slice(written, 0, size)));
    cohort_sample_free(read);
}

static void what_another_format_says_is_not_read(void **state)
{
    Bytes written = cohort_sample_write(one, arena);
    uint8_t *changed = arena_array(arena, uint8_t, written.size);
    memcpy(changed, written.data, written.size);
    changed[0] = 2;
    assert_null(cohort_sample_read(bytes(changed, written.size)));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_client_counts_once_for_each_metric, set_up, tear_down),
        cmocka_unit_test_setup_teardown(the_sum_of_two_gateways_counts_no_client_twice, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(one_of_another_round_is_left_out, set_up, tear_down),
        cmocka_unit_test_setup_teardown(what_is_kept_does_not_depend_on_the_share, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(what_was_written_is_read, set_up, tear_down),
        cmocka_unit_test_setup_teardown(what_another_format_says_is_not_read, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
