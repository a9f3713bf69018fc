#include "tests/unit/check.h"

#include "gateway/healing/healing.h"
#include "gateway/telemetry/metrics.h"
#include "tests/unit/gateway/telemetry_fixture.h"

static uv_loop_t loop; /* for healing_start; it never runs */

static int begin(void **state)
{
    int failure = fixture_begin(state);
    Fixture *f = *state;
    f->config->healing[HEALING_EJECT] = (HealingLimit){60 * SECOND, 2, 0, true};
    f->config->healing[HEALING_RETRY] = (HealingLimit){60 * SECOND, 2, 0, false};
    assert_int_equal(uv_loop_init(&loop), 0);
    healing_start(&loop, f->config);
    return failure;
}

static int end(void **state)
{
    healing_stop();
    uv_run(&loop, UV_RUN_DEFAULT);
    assert_int_equal(uv_loop_close(&loop), 0);
    healing_forget();
    return fixture_end(state);
}

static bool log_has(Fixture *f, const char *text)
{
    Bytes log = fixture_log(f);
    return memmem(log.data, log.size, text, strlen(text)) != NULL;
}

static bool metrics_have(Fixture *f, const char *text)
{
    Buffer page = buffer_in(f->arena);
    metrics_write(false, &page);
    return memmem(page.data, page.size, text, strlen(text)) != NULL;
}

static void each_act_has_a_name(void **state)
{
    (void)state;
    for (HealingAct act = 0; act < HEALING_ACTS; act++) {
        assert_non_null(healing_act_name(act));
        for (HealingAct other = 0; other < act; other++)
            assert_string_not_equal(healing_act_name(act), healing_act_name(other));
    }
}

static void a_beginning_and_an_end_are_events(void **state)
{
    Fixture *f = *state;
    Result cause = FAIL(f->arena, FAULT_UPSTREAM_DOWN, "connecting to 10.0.0.7");
    healing_begin(HEALING_EJECT, "orders", "10.0.0.7:7001", cause, "%d of %d calls failed", 30,
                  100);
    healing_end(HEALING_EJECT, "orders", "10.0.0.7:7001", "after %d s", 30);
    healing_end(HEALING_EJECT, "orders", "10.0.0.7:7001", "not a second time");
    Bytes log = fixture_log(f);
    const char *const expected[] = {
        "\"level\":\"warning\"",
        "\"event\":\"healing_begun\"",
        "\"message\":\"30 of 100 calls failed\"",
        "\"act\":\"eject\",\"service\":\"orders\",\"subject\":\"10.0.0.7:7001\"",
        "\"causes\":[{\"fault\":\"UPSTREAM_DOWN\"",
        "\"event\":\"healing_ended\"",
        "\"message\":\"after 30 s\"",
        "\"ms\":"};
    for (size_t i = 0; i < sizeof expected / sizeof *expected; i++)
        assert_non_null(memmem(log.data, log.size, expected[i], strlen(expected[i])));
    assert_null(memmem(log.data, log.size, "not a second time", 17));
}

static void an_end_without_a_beginning_is_silent(void **state)
{
    healing_end(HEALING_EJECT, "orders", "10.0.0.7:7001", "was never ejected");
    assert_false(log_has(*state, "healing_ended"));
}

static void both_kinds_of_acts_are_counted_by_service(void **state)
{
    Fixture *f = *state;
    healing_begin(HEALING_BREAKER, "orders", "10.0.0.7:7001", OK, "open");
    healing_begin(HEALING_RESTART, NULL, NULL, OK, "crashed");
    healing_count(&f->loop, HEALING_RETRY, &f->config->services[0]);
    healing_count(&f->other_loop, HEALING_RETRY, &f->config->services[0]);
    healing_count(&f->loop, HEALING_SHED, NULL);
    assert_true(
        metrics_have(f, "passerelle_healing_total{act=\"breaker\",service=\"orders\"} 1\n"));
    assert_true(metrics_have(f, "passerelle_healing_total{act=\"restart\",service=\"\"} 1\n"));
    assert_true(metrics_have(f, "passerelle_healing_total{act=\"retry\",service=\"orders\"} 2\n"));
    assert_true(metrics_have(f, "passerelle_healing_total{act=\"shed\",service=\"\"} 1\n"));
}

static void an_act_of_both_kinds_is_one_sum(void **state)
{
    Fixture *f = *state;
    healing_begin(HEALING_SHED, "orders", NULL, OK, "overloaded");
    healing_count(&f->loop, HEALING_SHED, &f->config->services[0]);
    assert_true(metrics_have(f, "passerelle_healing_total{act=\"shed\",service=\"orders\"} 2\n"));
}

static void eject(const char *subject)
{
    healing_begin(HEALING_EJECT, "orders", subject, OK, "fails");
}

static void too_many_acts_are_told_and_those_that_harm_stop(void **state)
{
    Fixture *f = *state;
    eject("a");
    eject("b");
    assert_true(healing_may(HEALING_EJECT, "orders"));
    assert_true(metrics_have(f, "passerelle_healing_excess{act=\"eject\",service=\"orders\"} 0\n"));
    eject("c");
    assert_false(healing_may(HEALING_EJECT, "orders"));
    assert_true(healing_may(HEALING_EJECT, "carts"));
    assert_true(healing_may(HEALING_EJECT, NULL));
    assert_true(healing_may(HEALING_CHECK, "orders"));
    assert_true(metrics_have(f, "passerelle_healing_excess{act=\"eject\",service=\"orders\"} 1\n"));
    assert_true(metrics_have(f, "passerelle_healing_now{act=\"eject\",service=\"orders\"} 3\n"));
    assert_true(log_has(f,
                        "\"event\":\"healing_excess\",\"message\":\"3 in 60 s, at most 2: no more "
                        "are done\",\"act\":\"eject\",\"service\":\"orders\""));
}

static void acts_of_calls_are_judged_when_somebody_looks(void **state)
{
    Fixture *f = *state;
    for (int i = 0; i < 3; i++)
        healing_count(&f->loop, HEALING_RETRY, &f->config->services[0]);
    healing_look();
    assert_true(metrics_have(f, "passerelle_healing_excess{act=\"retry\",service=\"orders\"} 1\n"));
    assert_true(healing_may(HEALING_RETRY, "orders")); /* by its limit it does not stop */
}

static void a_higher_limit_ends_an_excess(void **state)
{
    Fixture *f = *state;
    for (int i = 0; i < 3; i++)
        eject("a");
    assert_false(healing_may(HEALING_EJECT, "orders"));
    f->config->healing[HEALING_EJECT].at_most = 6;
    healing_use(f->config);
    assert_true(healing_may(HEALING_EJECT, "orders"));
    assert_true(log_has(f, "\"event\":\"healing_excess_over\",\"message\":\"3 in 60 s\""));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(each_act_has_a_name, begin, end),
        cmocka_unit_test_setup_teardown(a_beginning_and_an_end_are_events, begin, end),
        cmocka_unit_test_setup_teardown(an_end_without_a_beginning_is_silent, begin, end),
        cmocka_unit_test_setup_teardown(both_kinds_of_acts_are_counted_by_service, begin, end),
        cmocka_unit_test_setup_teardown(an_act_of_both_kinds_is_one_sum, begin, end),
        cmocka_unit_test_setup_teardown(too_many_acts_are_told_and_those_that_harm_stop, begin,
                                        end),
        cmocka_unit_test_setup_teardown(acts_of_calls_are_judged_when_somebody_looks, begin, end),
        cmocka_unit_test_setup_teardown(a_higher_limit_ends_an_excess, begin, end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
