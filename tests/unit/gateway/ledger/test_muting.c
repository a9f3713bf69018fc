#include "tests/unit/check.h"

#include "gateway/ledger/muting.h"

#include <stdio.h>
#include <stdlib.h>

#define NOON (INT64_C(1772366400) * SECOND)

enum { RATE = 3, AT_FIRST = 4 };

typedef struct Bench {
    FailureRow row;
    Annotation annotation;
    MutingRules rules;
} Bench;

/* Four failures in the last hour, at one instance, and it was acknowledged. */
static int setup(void **state)
{
    Bench *b = calloc(1, sizeof *b);
    b->rules = (MutingRules){.rate = RATE, .pause = 24 * WINDOW_HOUR};
    b->annotation = (Annotation){.acknowledged = NOON};
    b->row.count = AT_FIRST;
    window_add(&b->row.hour, WINDOW_HOUR, NOON, AT_FIRST);
    failure_instances_add(&b->row.instances, bytes_of("10.0.0.7:1"));
    muting_notice(&b->row, &b->annotation, &b->rules, NOON);
    *state = b;
    return 0;
}

static int teardown(void **state)
{
    free(*state);
    return 0;
}

static void check(Bench *b, int64_t wall, const char *change)
{
    muting_notice(&b->row, &b->annotation, &b->rules, wall);
    const char *told = muting_change(&b->row, &b->annotation);
    assert_string_equal(told ? told : "nothing", change);
    assert_int_equal(muting_is_muted(&b->row, &b->annotation), strcmp(change, "nothing") == 0);
}

static void what_is_acknowledged_is_muted(void **state)
{
    Bench *b = *state;
    assert_true(b->row.changed);
    check(b, NOON, "nothing");
    check(b, NOON + 1000 * WINDOW_HOUR, "nothing");
    assert_false(muting_is_muted(&b->row, NULL));
    muting_notice(&b->row, NULL, &b->rules, NOON);
    b->annotation.acknowledged = 0;
    assert_false(muting_is_muted(&b->row, &b->annotation));
}

static void another_instance_is_a_change(void **state)
{
    Bench *b = *state;
    failure_instances_add(&b->row.instances, bytes_of("10.0.0.7:1"));
    check(b, NOON, "nothing");
    failure_instances_add(&b->row.instances, bytes_of("10.0.0.7:2"));
    check(b, NOON, "new instance");
}

static void one_instance_more_than_a_row_can_name_is_a_change(void **state)
{
    Bench *b = *state;
    char name[FAILURE_NAME_SIZE];
    for (int i = 1; i < FAILURE_INSTANCES; i++) {
        snprintf(name, sizeof name, "10.0.0.7:%d", i + 1);
        failure_instances_add(&b->row.instances, bytes_of(name));
    }
    b->annotation.acknowledged++;
    check(b, NOON, "nothing");
    failure_instances_add(&b->row.instances, bytes_of("10.0.0.7:100"));
    check(b, NOON, "new instance");
}

static void more_than_so_many_times_as_often_is_a_change(void **state)
{
    Bench *b = *state;
    window_add(&b->row.hour, WINDOW_HOUR, NOON, (RATE - 1) * AT_FIRST);
    check(b, NOON, "nothing");
    window_add(&b->row.hour, WINDOW_HOUR, NOON, 1);
    check(b, NOON, "more often");
}

static void a_quiet_kind_counts_as_one_failure_in_an_hour(void **state)
{
    Bench *b = *state;
    int64_t later = NOON + 3 * WINDOW_HOUR;
    b->annotation.acknowledged = later;
    check(b, later, "nothing");
    window_add(&b->row.hour, WINDOW_HOUR, later, RATE);
    check(b, later, "nothing");
    window_add(&b->row.hour, WINDOW_HOUR, later, 1);
    check(b, later, "more often");
}

/* Ten failures of ten: there can be no twice as many, but there can be more failures. */
static void a_kind_of_the_highest_criticality_is_not_muted_for_ever(void **state)
{
    Bench *b = *state;
    window_add(&b->row.hour, WINDOW_HOUR, NOON, 100 * AT_FIRST);
    check(b, NOON, "more often");
}

static void what_comes_back_after_a_pause_is_a_change(void **state)
{
    Bench *b = *state;
    b->row.resumed = NOON + 25 * WINDOW_HOUR;
    b->row.pause = b->rules.pause - 1;
    check(b, b->row.resumed, "nothing");
    b->row.pause = b->rules.pause;
    check(b, b->row.resumed, "came back");
}

static void a_pause_that_ended_before_it_was_acknowledged_is_none(void **state)
{
    Bench *b = *state;
    b->row.pause = b->rules.pause;
    b->row.resumed = NOON;
    check(b, NOON, "nothing");
    b->row.resumed = NOON + 1;
    check(b, NOON + 1, "came back");
}

static void what_has_changed_stays_so_until_it_is_acknowledged_again(void **state)
{
    Bench *b = *state;
    window_add(&b->row.hour, WINDOW_HOUR, NOON, RATE * AT_FIRST);
    check(b, NOON, "more often");
    check(b, NOON + 2 * WINDOW_HOUR, "more often");
    failure_instances_add(&b->row.instances, bytes_of("10.0.0.7:2"));
    check(b, NOON + 2 * WINDOW_HOUR, "more often");
    b->annotation.acknowledged = NOON + 2 * WINDOW_HOUR;
    check(b, NOON + 2 * WINDOW_HOUR, "nothing");
}

/* Texts of it may change. */
static void another_owner_is_no_acknowledgement(void **state)
{
    Bench *b = *state;
    failure_instances_add(&b->row.instances, bytes_of("10.0.0.7:2"));
    b->annotation.owner = bytes_of("ada");
    b->annotation.at = NOON + SECOND;
    check(b, NOON + SECOND, "new instance");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(what_is_acknowledged_is_muted),
        TEST(another_instance_is_a_change),
        TEST(one_instance_more_than_a_row_can_name_is_a_change),
        TEST(more_than_so_many_times_as_often_is_a_change),
        TEST(a_quiet_kind_counts_as_one_failure_in_an_hour),
        TEST(a_kind_of_the_highest_criticality_is_not_muted_for_ever),
        TEST(what_comes_back_after_a_pause_is_a_change),
        TEST(a_pause_that_ended_before_it_was_acknowledged_is_none),
        TEST(what_has_changed_stays_so_until_it_is_acknowledged_again),
        TEST(another_owner_is_no_acknowledgement),
    };
    return cmocka_run_group_tests_name("muting", tests, NULL, NULL);
}
