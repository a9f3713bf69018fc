#include "tests/unit/check.h"

#include "gateway/ledger/triggers.h"
#include "tests/unit/gateway/ledger/failure_fixture.h"

#include <stdlib.h>

#define EVERY (600 * SECOND)
#define LATER (NOON + 10 * SECOND)
#define HOUR (3600 * SECOND)

/* One kind of failures that is new, and what the action is for. */
typedef struct Bench {
    FailureTable table;
    Trigger trigger;
    FailureTrigger when;
    TriggerLimits limits;
    LedgerRank rank;
    FailureRow *row;
} Bench;

static int setup(void **state)
{
    Bench *b = calloc(1, sizeof *b);
    b->table.limit = 1000;
    b->trigger.since = NOON;
    b->when.failures = 1;
    b->limits = (TriggerLimits){.every = EVERY, .per_hour = 100};
    b->row = fixture_failures(&b->table, "refused", 3);
    b->rank = (LedgerRank){.row = b->row, .criticality = {.value = 5}};
    *state = b;
    return 0;
}

static int teardown(void **state)
{
    Bench *b = *state;
    trigger_deinit(&b->trigger);
    failure_table_clear(&b->table);
    free(b);
    return 0;
}

static const char *reason_at(const Bench *b, int64_t now)
{
    return trigger_reason(&b->trigger, &b->when, EVERY, &b->rank, bytes_of("shop"), LATER, now);
}

static bool take(Bench *b, int64_t now)
{
    return trigger_take(&b->trigger, &b->limits, b->row, now);
}

static void a_kind_that_is_first_seen_is_new(void **state)
{
    Bench *b = *state;
    assert_string_equal(reason_at(b, 0), "new");
    b->trigger.since = NOON + 1; /* its first failure is from before, its last one is not */
    assert_string_equal(reason_at(b, 0), "recurring");
    b->trigger.since = b->row->last;
    assert_string_equal(reason_at(b, 0), "recurring");
    b->trigger.since = b->row->last + 1;
    assert_null(reason_at(b, 0));
}

static void a_kind_is_due_again_when_it_fails_again_after_a_while(void **state)
{
    Bench *b = *state;
    assert_true(take(b, 7));
    assert_null(reason_at(b, 7 + EVERY)); /* nothing has happened since */
    b->row->last++;
    assert_null(reason_at(b, 7 + EVERY - 1));
    assert_string_equal(reason_at(b, 7 + EVERY), "recurring");
    b->when.new_only = true;
    assert_null(reason_at(b, 7 + EVERY));
}

static void what_was_in_vain_is_due_again_after_a_while_as_it_was(void **state)
{
    Bench *b = *state;
    b->when.new_only = true;
    trigger_lost(&b->trigger, b->row->fingerprint); /* nothing was done yet */
    assert_true(take(b, 7));
    assert_null(reason_at(b, 7 + EVERY));
    trigger_lost(&b->trigger, b->row->fingerprint);
    assert_null(reason_at(b, 7 + EVERY - 1));
    assert_string_equal(reason_at(b, 7 + EVERY), "new"); /* without another failure */
    assert_true(take(b, 7 + EVERY));
    trigger_lost(&b->trigger, b->row->fingerprint + 1);
    assert_null(reason_at(b, 7 + 2 * EVERY));

    b->when.new_only = false;
    b->row->last++;
    assert_true(take(b, 7 + 2 * EVERY));
    trigger_lost(&b->trigger, b->row->fingerprint);
    trigger_lost(&b->trigger, b->row->fingerprint); /* once and for all */
    assert_null(reason_at(b, 7 + 3 * EVERY - 1));
    assert_string_equal(reason_at(b, 7 + 3 * EVERY), "recurring");
}

static void what_is_held_back_counts_once_for_each_failure_and_stays_new(void **state)
{
    Bench *b = *state;
    b->limits.per_hour = 0;
    assert_false(take(b, 7));
    assert_true(trigger_held_anew(&b->trigger, b->row));
    assert_false(trigger_held_anew(&b->trigger, b->row)); /* it has not failed since */
    b->row->last++;
    assert_true(trigger_held_anew(&b->trigger, b->row));
    assert_string_equal(reason_at(b, 7), "new");
    b->limits.per_hour = 1;
    assert_true(take(b, 8));
    assert_null(reason_at(b, 8 + EVERY));
}

static void only_new_kinds_are_due_if_that_is_said(void **state)
{
    Bench *b = *state;
    b->when.new_only = true;
    assert_string_equal(reason_at(b, 0), "new");
    b->trigger.since = NOON + 1;
    assert_null(reason_at(b, 0));
}

static void no_more_are_done_in_an_hour_than_is_said(void **state)
{
    Bench *b = *state;
    b->limits.per_hour = 2;
    assert_true(take(b, 1000));
    assert_true(take(b, 1001));
    assert_false(take(b, 1002));
    assert_false(take(b, 1000 + HOUR - 1));
    assert_true(take(b, 1000 + HOUR));
    assert_false(take(b, 1000 + HOUR));
    assert_true(take(b, 1001 + HOUR));
    b->limits.per_hour = 1; /* by a reload */
    assert_false(take(b, 1001 + HOUR));
    assert_false(take(b, 1001 + 2 * HOUR - 1));
    assert_true(take(b, 1001 + 2 * HOUR));
    b->limits.per_hour = 3;
    assert_true(take(b, 1001 + 2 * HOUR));
    assert_true(take(b, 1001 + 2 * HOUR));
    assert_false(take(b, 1001 + 2 * HOUR));
}

static void what_is_held_back_stays_due(void **state)
{
    Bench *b = *state;
    b->limits.per_hour = 1;
    assert_true(take(b, 0));
    b->row = fixture_failures(&b->table, "reset", 1);
    b->rank.row = b->row;
    assert_string_equal(reason_at(b, 1), "new");
    assert_false(take(b, 1));
    assert_string_equal(reason_at(b, 2), "new");
}

static void each_condition_has_to_be_met(void **state)
{
    Bench *b = *state;
    const Fault *const other[] = {&FAULT_TLS, NULL}, *const same[] = {&FAULT_TLS,
                                                                      &FAULT_UPSTREAM_DOWN, NULL};
    const char *const elsewhere[] = {"x", NULL}, *const route[] = {"x", "orders", NULL},
                      *const shop[] = {"shop", NULL};
    const struct {
        FailureTrigger when;
        bool due;
    } cases[] = {
        {{.failures = 3}, true},
        {{.failures = 4}, false},
        {{.impact = IMPACT_HIGH}, true},
        {{.impact = IMPACT_CATASTROPHIC}, false},
        {{.criticality = 5}, true},
        {{.criticality = 5.0001}, false},
        {{.faults = same}, true},
        {{.faults = other}, false},
        {{.routes = route}, true},
        {{.routes = elsewhere}, false},
        {{.services = shop}, true},
        {{.services = elsewhere}, false},
        {{.failures = 3,
          .impact = IMPACT_HIGH,
          .criticality = 5,
          .faults = same,
          .routes = route,
          .services = shop},
         true},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        b->when = cases[i].when;
        if (!reason_at(b, 0) == cases[i].due)
            fail_msg("case %zu", i);
    }
}

static void neither_attempts_nor_muted_kinds_are_due(void **state)
{
    Bench *b = *state;
    b->rank.muted = true;
    assert_null(reason_at(b, 0));
    b->rank.muted = false;
    b->row->key.attempt = true;
    assert_null(reason_at(b, 0));
}

static void a_kind_that_changed_since_it_was_acknowledged_is_due(void **state)
{
    Bench *b = *state;
    Annotation annotation = {.fingerprint = b->row->fingerprint, .acknowledged = NOON};
    b->rank.annotation = &annotation;
    b->row->mute = (FailureMute){.acknowledged = NOON, .change = FAILURE_NEW_INSTANCE};
    b->trigger.since = NOON + 1;
    assert_string_equal(reason_at(b, 0), "changed");
}

static void the_kinds_that_are_remembered_are_bounded(void **state)
{
    Bench *b = *state;
    FailureRow row = *b->row;
    b->limits.per_hour = UINT32_MAX;
    /* Not in the order of their fingerprints. */
    for (uint64_t i = 0; i < TRIGGER_KINDS; i++) {
        row.fingerprint = (i * 7919) % TRIGGER_KINDS;
        assert_true(trigger_take(&b->trigger, &(TriggerLimits){EVERY, 1}, &row, (int64_t)i * HOUR));
    }
    assert_int_equal(b->trigger.n, TRIGGER_KINDS);
    for (uint32_t i = 0; i < b->trigger.n; i++)
        assert_int_equal(b->trigger.kinds[i].fingerprint, i);
    b->rank.row = &row;
    row.fingerprint = 0; /* the first one is the oldest */
    assert_null(reason_at(b, TRIGGER_KINDS * HOUR));
    row.fingerprint = TRIGGER_KINDS;
    assert_true(trigger_take(&b->trigger, &(TriggerLimits){EVERY, 1}, &row, TRIGGER_KINDS * HOUR));
    assert_int_equal(b->trigger.n, TRIGGER_KINDS);
    row.fingerprint = 0;
    assert_string_equal(reason_at(b, TRIGGER_KINDS * HOUR), "new");
    row.fingerprint = 7919 % TRIGGER_KINDS;
    assert_null(reason_at(b, TRIGGER_KINDS * HOUR));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_kind_that_is_first_seen_is_new, setup, teardown),
        cmocka_unit_test_setup_teardown(a_kind_is_due_again_when_it_fails_again_after_a_while,
                                        setup, teardown),
        cmocka_unit_test_setup_teardown(what_was_in_vain_is_due_again_after_a_while_as_it_was,
                                        setup, teardown),
        cmocka_unit_test_setup_teardown(
            what_is_held_back_counts_once_for_each_failure_and_stays_new, setup, teardown),
        cmocka_unit_test_setup_teardown(only_new_kinds_are_due_if_that_is_said, setup, teardown),
        cmocka_unit_test_setup_teardown(no_more_are_done_in_an_hour_than_is_said, setup, teardown),
        cmocka_unit_test_setup_teardown(what_is_held_back_stays_due, setup, teardown),
        cmocka_unit_test_setup_teardown(each_condition_has_to_be_met, setup, teardown),
        cmocka_unit_test_setup_teardown(neither_attempts_nor_muted_kinds_are_due, setup, teardown),
        cmocka_unit_test_setup_teardown(a_kind_that_changed_since_it_was_acknowledged_is_due, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(the_kinds_that_are_remembered_are_bounded, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
