#include "gateway/admin/refusals.h"

#include "tests/unit/check.h"
#include "tests/unit/gateway/telemetry_fixture.h"

#define MINUTE (60 * SECOND)

enum { MOST = 3 };

/* In the log, which ends with the first look at it. */
static int count(Fixture *f, const char *text)
{
    int n = 0;
    for (const char *at = arena_text(f->arena, fixture_log(f)); (at = strstr(at, text)); at++)
        n++;
    return n;
}

static void add(Refusals *refusals, int n, int64_t now)
{
    Refusal refusal = {.reason = REFUSED_ROLE,
                       .verb = bytes_of("POST"),
                       .path = bytes_of("/reload"),
                       .peer = bytes_of("192.0.2.7:5000"),
                       .who = "reader",
                       .text = "this needs operate"};
    for (int i = 0; i < n; i++)
        refusals_add(refusals, &refusal, MOST, now);
}

static void each_says_who_wanted_what_and_why_it_was_refused(void **state)
{
    Refusals refusals = {0};
    add(&refusals, 1, SECOND);
    assert_int_equal(
        count(*state, "\"event\":\"admin_refused\",\"message\":\"this needs operate\",\"reason\":"
                      "\"role\",\"request\":\"POST /reload\",\"peer\":\"192.0.2.7:5000\",\"who\":"
                      "\"reader\"}"),
        1);
}

static void what_is_unknown_is_left_out_and_what_peers_say_is_escaped(void **state)
{
    Refusals refusals = {0};
    refusals_add(&refusals,
                 &(Refusal){.verb = bytes_of("GET"), .path = bytes_of("/\"\x1b\n"), .text = "no"},
                 MOST, SECOND);
    assert_int_equal(count(*state, "\"message\":\"no\",\"reason\":\"stranger\",\"request\":\"GET "
                                   "/\\\"\\u001b\\n\"}"),
                     1);
}

static void where_there_is_no_request_none_is_told(void **state)
{
    Refusals refusals = {0};
    refusals_add(&refusals, &(Refusal){.reason = REFUSED_CERTIFICATE, .text = "expired"}, MOST,
                 SECOND);
    assert_int_equal(count(*state, "\"message\":\"expired\",\"reason\":\"certificate\"}"), 1);
}

static void up_to_the_limit_each_is_logged_and_none_is_suppressed(void **state)
{
    Refusals refusals = {0};
    add(&refusals, MOST, SECOND);
    refusals_look(&refusals, SECOND + MINUTE);
    assert_int_equal(count(*state, "\"reason\":\"role\""), MOST);
    assert_int_equal(count(*state, "suppressed"), 0);
}

static void beyond_it_they_are_told_as_a_number_when_the_minute_is_over(void **state)
{
    Refusals refusals = {0};
    add(&refusals, MOST + 2, SECOND);
    refusals_look(&refusals, SECOND + MINUTE - 1);
    assert_int_equal(refusals.suppressed, 2);
    refusals_look(&refusals, SECOND + MINUTE);
    assert_int_equal(refusals.suppressed, 0);
    refusals_look(&refusals, SECOND + 2 * MINUTE);
    assert_int_equal(count(*state, "\"message\":\"2 more requests were refused within a minute\","
                                   "\"suppressed\":2}"),
                     1);
    assert_int_equal(count(*state, "\"suppressed\":"), 1);
    assert_int_equal(count(*state, "\"reason\":\"role\""), MOST);
}

static void the_next_minute_begins_with_the_next_one(void **state)
{
    Refusals refusals = {0};
    add(&refusals, MOST + 1, SECOND);
    add(&refusals, 1, SECOND + MINUTE - 1); /* of the same minute */
    add(&refusals, MOST, SECOND + MINUTE);
    add(&refusals, 1, SECOND + 2 * MINUTE - 1);
    refusals_look(&refusals, SECOND + 2 * MINUTE);
    assert_int_equal(count(*state, "\"suppressed\":2"), 1);
    assert_int_equal(count(*state, "\"suppressed\":1"), 1);
    assert_int_equal(count(*state, "\"reason\":\"role\""), 2 * MOST);
}

static void a_limit_of_0_logs_only_the_number(void **state)
{
    Refusals refusals = {0};
    refusals_add(&refusals, &(Refusal){.text = "no"}, 0, SECOND);
    refusals_end(&refusals);
    refusals_end(&refusals);
    assert_int_equal(count(*state, "\"message\":\"no\""), 0);
    assert_int_equal(count(*state, "\"suppressed\":1"), 1);
    assert_int_equal(count(*state, "\"suppressed\":"), 1);
}

static double counted(Fixture *f, const char *reason)
{
    Buffer out = buffer_in(f->arena);
    Exposition e = {.out = &out};
    refusals_metrics_write(&e, NULL);
    const char *at = strstr(arena_text(f->arena, buffer_bytes(&out)),
                            arena_printf(f->arena, "\"%s\"} ", reason));
    assert_non_null(at);
    return strtod(strchr(at, ' '), NULL);
}

static void all_are_counted_also_those_that_are_not_logged(void **state)
{
    Refusals one = {0}, other = {0};
    double before = counted(*state, "role");
    add(&one, 100, SECOND);
    add(&other, 1, SECOND);
    assert_true(counted(*state, "role") == before + 101);
    assert_int_equal(count(*state, "\"reason\":\"role\""), MOST + 1);
    refusals_end(&one);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, fixture_begin, fixture_end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(each_says_who_wanted_what_and_why_it_was_refused),
        TEST(what_is_unknown_is_left_out_and_what_peers_say_is_escaped),
        TEST(where_there_is_no_request_none_is_told),
        TEST(up_to_the_limit_each_is_logged_and_none_is_suppressed),
        TEST(beyond_it_they_are_told_as_a_number_when_the_minute_is_over),
        TEST(the_next_minute_begins_with_the_next_one),
        TEST(a_limit_of_0_logs_only_the_number),
        TEST(all_are_counted_also_those_that_are_not_logged),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
