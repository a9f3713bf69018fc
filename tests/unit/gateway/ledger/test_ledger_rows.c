#include "tests/unit/check.h"

#include "base/arena.h"
#include "gateway/ledger/ledger_rows.h"
#include "tests/unit/gateway/ledger/failure_fixture.h"

enum { ROWS = 10 };

static Arena *arena;
static Tally *before, *after;
static Config config;

static int set_up(void **state)
{
    arena = arena_new(ARENA_UNLIMITED);
    before = tally_new(ROWS);
    after = tally_new(ROWS);
    return 0;
}

static int tear_down(void **state)
{
    tally_free(before);
    tally_free(after);
    arena_free(arena);
    return 0;
}

static Bytes text_of(const Tally *tally)
{
    Buffer out = buffer_in(arena);
    ledger_rows_write(tally, 1, NULL, &out);
    return buffer_bytes(&out);
}

static void all_rows_come_back_as_they_were(void **state)
{
    FailureRow *row = fixture_failures(&before->failures, "connecting to *", 7);
    FailureRow *mistake = fixture_failures(&before->mistakes, "no such field", 2);
    assert_int_equal(ledger_rows_count(before), 9);
    assert_int_equal(ledger_rows_read(after, &config, text_of(before)), 2);
    const FailureRow *read = failure_table_find(&after->failures, row->fingerprint);
    assert_non_null(read);
    assert_int_equal(read->count, 7);
    assert_int_equal(read->last, row->last);
    assert_non_null(failure_table_find(&after->failures, mistake->fingerprint)); /* by its side */
    assert_int_equal(ledger_rows_count(after), 9);
}

static void they_are_added_to_what_was_counted_since(void **state)
{
    FailureRow *row = fixture_failures(&before->failures, "connecting to *", 7);
    fixture_failures(&after->failures, "connecting to *", 3);
    assert_int_equal(ledger_rows_read(after, &config, text_of(before)), 1);
    assert_int_equal(failure_table_find(&after->failures, row->fingerprint)->count, 10);
}

static void a_row_that_cannot_be_read_is_passed_over(void **state)
{
    fixture_failures(&before->failures, "connecting to *", 7);
    Buffer text = buffer_in(arena);
    buffer_add_text(&text, "\nnonsense\n0123456789abcdef {}\n");
    buffer_add_bytes(&text, text_of(before));
    assert_int_equal(ledger_rows_read(after, &config, buffer_bytes(&text)), 1);
    assert_int_equal(ledger_rows_read(after, &config, BYTES_NONE), 0);
    assert_int_equal(ledger_rows_count(after), 7);
}

static void a_ledger_of_nothing_is_nothing(void **state)
{
    assert_int_equal(text_of(before).size, 0);
    assert_int_equal(ledger_rows_count(before), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(all_rows_come_back_as_they_were, set_up, tear_down),
        cmocka_unit_test_setup_teardown(they_are_added_to_what_was_counted_since, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(a_row_that_cannot_be_read_is_passed_over, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(a_ledger_of_nothing_is_nothing, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
