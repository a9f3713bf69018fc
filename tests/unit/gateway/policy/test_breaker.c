#include "tests/unit/check.h"

#include "base/clock.h"
#include "gateway/policy/breaker.h"

static const BreakerConfig limits = {
    .percent = 50, .calls = 10, .window = 10 * SECOND, .open = 4 * SECOND, .probes = 2};

#define NOW (100 * SECOND)

/* The ticket of a probe of the present round. */
#define PROBE(breaker) (TICKET_PROBE + (breaker)->round)

/* So many calls that fail, after others that go well; the last change. */
static BreakerChange calls(Breaker *b, int good, int failed, int64_t now)
{
    BreakerChange change = BREAKER_SAME;
    for (int i = 0; i < good + failed; i++) {
        BreakerTicket ticket = breaker_ask(b, &limits, now);
        change = breaker_tell(b, &limits, ticket, i < good ? OUTCOME_GOOD : OUTCOME_FAILED, now);
    }
    return change;
}

static void it_opens_at_the_share_of_enough_calls(void **state)
{
    static const struct {
        int good, failed;
        BreakerState state;
    } rows[] = {
        {0, 9, BREAKER_CLOSED}, /* too few */
        {0, 10, BREAKER_OPEN},       {6, 5, BREAKER_CLOSED},     {5, 5, BREAKER_OPEN},
        {1000, 999, BREAKER_CLOSED}, {1000, 1000, BREAKER_OPEN}, {1000, 0, BREAKER_CLOSED},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        Breaker b = {0};
        BreakerChange change = calls(&b, rows[i].good, rows[i].failed, NOW);
        assert_int_equal(b.state, rows[i].state);
        assert_int_equal(change, rows[i].state == BREAKER_OPEN ? BREAKER_OPENED : BREAKER_SAME);
    }
}

static void what_tells_nothing_does_not_count(void **state)
{
    Breaker b = {0};
    calls(&b, 0, 9, NOW);
    for (int i = 0; i < 100; i++)
        breaker_tell(&b, &limits, breaker_ask(&b, &limits, NOW), OUTCOME_UNKNOWN, NOW);
    assert_int_equal(b.state, BREAKER_CLOSED);
    assert_int_equal(calls(&b, 0, 1, NOW), BREAKER_OPENED);
}

static void at_a_sign_of_life_it_is_probed_at_once(void **state)
{
    Breaker b = {0};
    calls(&b, 0, 10, NOW);
    assert_int_equal(breaker_ask(&b, &limits, NOW + SECOND), TICKET_NONE);
    breaker_try_now(&b, NOW + SECOND);
    assert_int_equal(breaker_until(&b), NOW + SECOND);
    BreakerTicket first = breaker_ask(&b, &limits, NOW + SECOND);
    assert_true(ticket_is_probe(first));
    breaker_try_now(&b, NOW + SECOND); /* no more probes than otherwise */
    assert_true(ticket_is_probe(breaker_ask(&b, &limits, NOW + SECOND)));
    assert_int_equal(breaker_ask(&b, &limits, NOW + SECOND), TICKET_NONE);
    breaker_tell(&b, &limits, first, OUTCOME_FAILED, NOW + SECOND);
    assert_int_equal(breaker_until(&b), NOW + SECOND + 8 * SECOND); /* twice as long, as always */
}

static void a_sign_of_life_makes_nothing_later(void **state)
{
    Breaker b = {0}, closed = {0};
    breaker_try_now(&closed, NOW);
    assert_memory_equal(&b, &closed, sizeof b);
    calls(&b, 0, 10, NOW);
    breaker_try_now(&b, NOW + 5 * SECOND);
    assert_int_equal(breaker_until(&b), NOW + 4 * SECOND);
}

static void what_is_older_than_the_window_does_not_count(void **state)
{
    uint32_t n, failures;
    Breaker b = {0};
    calls(&b, 0, 9, NOW);
    breaker_count(&b, &limits, NOW + 9 * SECOND, &n, &failures);
    assert_int_equal(n, 9);
    assert_int_equal(failures, 9);
    breaker_count(&b, &limits, NOW + 10 * SECOND, &n, &failures);
    assert_int_equal(n, 0);
    assert_int_equal(calls(&b, 0, 9, NOW + 10 * SECOND), BREAKER_SAME);
    breaker_count(&b, &limits, NOW + 1000 * SECOND, &n, &failures);
    assert_int_equal(n, 0);
}

static Breaker open_at(int64_t now)
{
    Breaker b = {0};
    assert_int_equal(calls(&b, 0, 10, now), BREAKER_OPENED);
    return b;
}

static void while_it_is_open_no_call_is_made(void **state)
{
    Breaker b = open_at(NOW);
    assert_int_equal(breaker_ask(&b, &limits, NOW), TICKET_NONE);
    assert_int_equal(breaker_ask(&b, &limits, NOW + 4 * SECOND - 1), TICKET_NONE);
    assert_true(ticket_is_probe(breaker_ask(&b, &limits, NOW + 4 * SECOND)));
    assert_int_equal(b.state, BREAKER_PROBING);
}

static void probes_are_few(void **state)
{
    int64_t now = NOW + 4 * SECOND;
    Breaker b = open_at(NOW);
    assert_true(ticket_is_probe(breaker_ask(&b, &limits, now)));
    assert_true(ticket_is_probe(breaker_ask(&b, &limits, now)));
    assert_int_equal(breaker_ask(&b, &limits, now), TICKET_NONE);
    assert_int_equal(breaker_tell(&b, &limits, PROBE(&b), OUTCOME_GOOD, now), BREAKER_SAME);
    assert_int_equal(breaker_ask(&b, &limits, now), TICKET_NONE);
    assert_int_equal(breaker_tell(&b, &limits, PROBE(&b), OUTCOME_GOOD, now), BREAKER_ENDED);
    assert_int_equal(breaker_ask(&b, &limits, now), TICKET_CALL);
    assert_int_equal(calls(&b, 0, 9, now), BREAKER_SAME); /* what was before is forgotten */
    assert_int_equal(calls(&b, 0, 1, now), BREAKER_OPENED);
}

static void a_probe_that_tells_nothing_is_repeated(void **state)
{
    int64_t now = NOW + 4 * SECOND;
    Breaker b = open_at(NOW);
    for (int i = 0; i < 100; i++) {
        assert_true(ticket_is_probe(breaker_ask(&b, &limits, now)));
        assert_int_equal(breaker_tell(&b, &limits, PROBE(&b), OUTCOME_UNKNOWN, now), BREAKER_SAME);
    }
    assert_int_equal(b.state, BREAKER_PROBING);
}

/* The end of a round of `probes` of which so many fail: last, so that all of them are told. */
static BreakerChange round_of(uint32_t probes, uint32_t percent, uint32_t failed)
{
    BreakerConfig of = limits;
    BreakerChange change = BREAKER_SAME;
    of.probes = probes;
    of.percent = percent;
    int64_t now = NOW + 4 * SECOND;
    Breaker b = open_at(NOW);
    for (uint32_t i = 0; i < probes; i++)
        assert_true(ticket_is_probe(breaker_ask(&b, &of, now)));
    for (uint32_t i = 0; i < probes && change == BREAKER_SAME; i++) {
        BreakerOutcome outcome = i < probes - failed ? OUTCOME_GOOD : OUTCOME_FAILED;
        change = breaker_tell(&b, &of, PROBE(&b), outcome, now);
    }
    return change;
}

static void it_closes_where_fewer_probes_fail_than_open_it(void **state)
{
    static const struct {
        uint32_t probes, percent, failed;
        BreakerChange change;
    } rows[] = {
        {3, 50, 0, BREAKER_ENDED},   {3, 50, 1, BREAKER_ENDED},   {3, 50, 2, BREAKER_STAYED},
        {3, 50, 3, BREAKER_STAYED},  {1, 50, 1, BREAKER_STAYED},  {2, 50, 1, BREAKER_STAYED},
        {3, 100, 2, BREAKER_ENDED},  {3, 100, 3, BREAKER_STAYED}, {10, 20, 1, BREAKER_ENDED},
        {10, 20, 2, BREAKER_STAYED}, {3, 1, 1, BREAKER_STAYED},   {3, 1, 0, BREAKER_ENDED},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        assert_int_equal(round_of(rows[i].probes, rows[i].percent, rows[i].failed), rows[i].change);
}

static void with_each_failed_probe_it_stays_open_for_twice_as_long(void **state)
{
    static const int seconds[] = {4, 8, 16, 16, 16};
    int64_t now = NOW;
    Breaker b = open_at(now);
    for (size_t i = 0; i < sizeof seconds / sizeof *seconds; i++) {
        assert_int_equal(b.open_until, now + seconds[i] * SECOND);
        now = b.open_until;
        assert_true(ticket_is_probe(breaker_ask(&b, &limits, now)));
        assert_int_equal(breaker_tell(&b, &limits, PROBE(&b), OUTCOME_FAILED, now), BREAKER_STAYED);
    }
    now = b.open_until;
    calls(&b, 2, 0, now);
    assert_int_equal(b.state, BREAKER_CLOSED);
    assert_int_equal(calls(&b, 0, 10, now), BREAKER_OPENED);
    assert_int_equal(b.open_until, now + 4 * SECOND);
}

static void calls_from_before_it_opened_change_nothing(void **state)
{
    Breaker b = {0};
    BreakerTicket early = breaker_ask(&b, &limits, NOW);
    calls(&b, 0, 10, NOW);
    assert_int_equal(b.state, BREAKER_OPEN);
    assert_int_equal(breaker_tell(&b, &limits, early, OUTCOME_GOOD, NOW), BREAKER_SAME);
    assert_int_equal(b.state, BREAKER_OPEN);
    int64_t now = b.open_until;
    breaker_ask(&b, &limits, now);
    breaker_ask(&b, &limits, now);
    breaker_tell(&b, &limits, PROBE(&b), OUTCOME_FAILED, now);
    int64_t until = b.open_until;
    assert_int_equal(breaker_tell(&b, &limits, PROBE(&b), OUTCOME_FAILED, now + 1),
                     BREAKER_SAME); /* the second probe of the same time */
    assert_int_equal(b.open_until, until);
}

static void fewer_probes_after_a_reload_do_not_keep_it_open(void **state)
{
    BreakerConfig fewer = limits;
    int64_t now = NOW + 4 * SECOND;
    Breaker b = open_at(NOW);
    breaker_tell(&b, &limits, breaker_ask(&b, &limits, now), OUTCOME_GOOD, now);
    fewer.probes = 1;
    assert_true(ticket_is_probe(breaker_ask(&b, &fewer, now)));
    assert_int_equal(breaker_tell(&b, &fewer, PROBE(&b), OUTCOME_GOOD, now), BREAKER_ENDED);
}

static void a_probe_that_does_not_end_holds_nobody_up(void **state)
{
    int64_t now = NOW + 4 * SECOND;
    Breaker b = open_at(NOW);
    BreakerTicket endless = breaker_ask(&b, &limits, now);
    breaker_ask(&b, &limits, now);
    assert_int_equal(breaker_until(&b), now + 4 * SECOND);
    assert_int_equal(breaker_ask(&b, &limits, now + 4 * SECOND - 1), TICKET_NONE);
    now += 4 * SECOND;
    BreakerTicket next = breaker_ask(&b, &limits, now);
    assert_true(ticket_is_probe(next));
    assert_int_equal(breaker_tell(&b, &limits, next, OUTCOME_GOOD, now), BREAKER_SAME);
    /* It needs one more, whichever. */
    assert_true(ticket_is_probe(breaker_ask(&b, &limits, now)));
    assert_int_equal(breaker_ask(&b, &limits, now), TICKET_NONE);
    assert_int_equal(breaker_tell(&b, &limits, endless, OUTCOME_GOOD, now), BREAKER_ENDED);
    assert_int_equal(b.state, BREAKER_CLOSED);
}

static void a_late_probe_that_fails_keeps_it_open(void **state)
{
    int64_t now = NOW + 4 * SECOND;
    Breaker b = open_at(NOW);
    BreakerTicket late = breaker_ask(&b, &limits, now);
    breaker_ask(&b, &limits, now);
    now += 4 * SECOND;
    breaker_ask(&b, &limits, now);
    assert_int_equal(breaker_tell(&b, &limits, late, OUTCOME_FAILED, now), BREAKER_STAYED);
}

static void probes_of_an_earlier_time_count_no_more(void **state)
{
    static const BreakerOutcome outcomes[] = {OUTCOME_GOOD, OUTCOME_FAILED, OUTCOME_UNKNOWN};
    for (size_t i = 0; i < sizeof outcomes / sizeof *outcomes; i++) {
        int64_t now = NOW + 4 * SECOND;
        Breaker b = open_at(NOW);
        BreakerTicket early = breaker_ask(&b, &limits, now);
        breaker_tell(&b, &limits, breaker_ask(&b, &limits, now), OUTCOME_FAILED, now);
        now = b.open_until;
        breaker_ask(&b, &limits, now);
        assert_int_equal(breaker_tell(&b, &limits, early, outcomes[i], now), BREAKER_SAME);
        assert_int_equal(b.n_probes, 1);
        assert_int_equal(b.n_passed, 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(it_opens_at_the_share_of_enough_calls),
        cmocka_unit_test(what_tells_nothing_does_not_count),
        cmocka_unit_test(at_a_sign_of_life_it_is_probed_at_once),
        cmocka_unit_test(a_sign_of_life_makes_nothing_later),
        cmocka_unit_test(what_is_older_than_the_window_does_not_count),
        cmocka_unit_test(while_it_is_open_no_call_is_made),
        cmocka_unit_test(probes_are_few),
        cmocka_unit_test(a_probe_that_tells_nothing_is_repeated),
        cmocka_unit_test(it_closes_where_fewer_probes_fail_than_open_it),
        cmocka_unit_test(with_each_failed_probe_it_stays_open_for_twice_as_long),
        cmocka_unit_test(calls_from_before_it_opened_change_nothing),
        cmocka_unit_test(a_probe_that_does_not_end_holds_nobody_up),
        cmocka_unit_test(a_late_probe_that_fails_keeps_it_open),
        cmocka_unit_test(probes_of_an_earlier_time_count_no_more),
        cmocka_unit_test(fewer_probes_after_a_reload_do_not_keep_it_open),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
