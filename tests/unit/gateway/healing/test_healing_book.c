#include "tests/unit/check.h"

#include "base/clock.h"
#include "gateway/healing/healing_book.h"

#include <stdio.h>

static int begin(void **state)
{
    *state = healing_book_new();
    return 0;
}

static int end(void **state)
{
    healing_book_free(*state);
    return 0;
}

static bool eject(HealingBook *book, const char *subject, int64_t now)
{
    return healing_book_begin(book, &(HealingEntry){.act = HEALING_EJECT,
                                                    .service = "orders",
                                                    .subject = subject,
                                                    .why = "fails",
                                                    .cause = "",
                                                    .began = now});
}

static const HealingEntry *give_back(HealingBook *book, const char *subject, int64_t now)
{
    return healing_book_end(book, HEALING_EJECT, "orders", subject, "its time is over", now);
}

static size_t count_current(const HealingBook *book)
{
    size_t n = 0, at = 0;
    while (healing_book_current(book, &at))
        n++;
    return n;
}

static size_t count_history(const HealingBook *book)
{
    size_t n = 0, at = 0;
    while (healing_book_history(book, &at))
        n++;
    return n;
}

static void what_has_begun_is_current_until_it_ends(void **state)
{
    assert_true(eject(*state, "a", 1 * SECOND));
    assert_true(eject(*state, "b", 2 * SECOND));
    assert_int_equal(count_current(*state), 2);
    const HealingEntry *ended = give_back(*state, "a", 5 * SECOND);
    assert_int_equal(ended->ended - ended->began, 4 * SECOND);
    assert_string_equal(ended->how, "its time is over");
    size_t at = 0;
    const HealingEntry *left = healing_book_current(*state, &at);
    assert_string_equal(left->subject, "b");
    assert_int_equal(left->ended, 0);
    assert_null(healing_book_current(*state, &at));
}

static void act_service_and_subject_identify_an_entry(void **state)
{
    HealingBook *book = *state;
    assert_true(eject(book, "a", 1));
    assert_null(healing_book_end(book, HEALING_CHECK, "orders", "a", "", 2));
    assert_null(healing_book_end(book, HEALING_EJECT, "carts", "a", "", 2));
    assert_null(healing_book_end(book, HEALING_EJECT, "orders", "", "", 2));
    assert_non_null(healing_book_end(book, HEALING_EJECT, "orders", "a", "", 2));
    assert_null(healing_book_end(book, HEALING_EJECT, "orders", "a", "", 3));
}

static void what_begins_again_has_a_new_reason_and_its_first_time(void **state)
{
    HealingBook *book = *state;
    assert_true(eject(book, "a", 1 * SECOND));
    assert_false(healing_book_begin(book, &(HealingEntry){.act = HEALING_EJECT,
                                                          .service = "orders",
                                                          .subject = "a",
                                                          .why = "fails more",
                                                          .cause = "",
                                                          .began = 2 * SECOND}));
    size_t at = 0;
    const HealingEntry *entry = healing_book_current(book, &at);
    assert_string_equal(entry->why, "fails more");
    assert_int_equal(entry->began, 1 * SECOND);
    assert_int_equal(entry->again, 1);
    assert_int_equal(count_current(book), 1);
    assert_int_equal(healing_book_count(book, HEALING_EJECT, "orders"), 2);
}

static void the_history_is_bounded_and_newest_first(void **state)
{
    HealingBook *book = *state;
    char subject[16];
    for (int i = 0; i < HEALING_HISTORY + 1; i++) {
        snprintf(subject, sizeof subject, "i%d", i);
        eject(book, subject, i);
        give_back(book, subject, i + 1);
        assert_int_equal(count_history(book), i < HEALING_HISTORY ? i + 1 : HEALING_HISTORY);
    }
    size_t at = 0;
    assert_string_equal(healing_book_history(book, &at)->subject, subject);
    const HealingEntry *oldest = NULL, *entry;
    while ((entry = healing_book_history(book, &at)))
        oldest = entry;
    assert_string_equal(oldest->subject, "i1"); /* "i0" gave way */
}

static void beyond_its_bound_entries_are_counted_but_not_listed(void **state)
{
    HealingBook *book = *state;
    char subject[16];
    for (int i = 0; i < HEALING_CURRENT + 1; i++) {
        snprintf(subject, sizeof subject, "i%d", i);
        assert_true(eject(book, subject, i));
    }
    assert_int_equal(count_current(book), HEALING_CURRENT);
    assert_int_equal(healing_book_count(book, HEALING_EJECT, "orders"), HEALING_CURRENT + 1);
    assert_null(give_back(book, subject, 1));
    assert_non_null(give_back(book, "i0", 1));
    assert_true(eject(book, subject, 2));
    assert_non_null(give_back(book, subject, 3));
}

static void long_texts_are_cut(void **state)
{
    char text[HEALING_TEXT + 10];
    memset(text, 'x', sizeof text - 1);
    text[sizeof text - 1] = 0;
    eject(*state, text, 1);
    size_t at = 0;
    assert_int_equal(strlen(healing_book_current(*state, &at)->subject), HEALING_TEXT);
}

static void counts_of_loops_replace_each_other_and_add_to_those_begun(void **state)
{
    HealingBook *book = *state;
    eject(book, "a", 1);
    healing_book_counted(book, HEALING_EJECT, "orders", 5);
    healing_book_counted(book, HEALING_EJECT, "orders", 7);
    healing_book_counted(book, HEALING_RETRY, "carts", 0);
    assert_int_equal(healing_book_count(book, HEALING_EJECT, "orders"), 8);
    assert_int_equal(healing_book_count(book, HEALING_RETRY, "orders"), 0);
    const HealingService *only = healing_book_next(book, NULL);
    assert_string_equal(healing_service_name(only), "orders");
    assert_null(healing_book_next(book, only));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(what_has_begun_is_current_until_it_ends, begin, end),
        cmocka_unit_test_setup_teardown(act_service_and_subject_identify_an_entry, begin, end),
        cmocka_unit_test_setup_teardown(what_begins_again_has_a_new_reason_and_its_first_time,
                                        begin, end),
        cmocka_unit_test_setup_teardown(the_history_is_bounded_and_newest_first, begin, end),
        cmocka_unit_test_setup_teardown(beyond_its_bound_entries_are_counted_but_not_listed, begin,
                                        end),
        cmocka_unit_test_setup_teardown(long_texts_are_cut, begin, end),
        cmocka_unit_test_setup_teardown(counts_of_loops_replace_each_other_and_add_to_those_begun,
                                        begin, end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
