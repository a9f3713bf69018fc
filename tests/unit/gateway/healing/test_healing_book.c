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

static HealingEntry entry_of(const char *subject, int64_t now)
{
    return (HealingEntry){.act = HEALING_EJECT,
                          .service = "orders",
                          .subject = subject,
                          .why = "fails",
                          .cause = "",
                          .how = "its time is over",
                          .began = now,
                          .began_wall = now + 1000 * SECOND};
}

static bool eject(HealingBook *book, const char *subject, int64_t now)
{
    HealingEntry entry = entry_of(subject, now);
    return healing_book_begin(book, &entry);
}

static const HealingEntry *give_back(HealingBook *book, const char *subject, int64_t now)
{
    HealingEntry entry = entry_of(subject, 0);
    return healing_book_end(book, &entry, now);
}

static HealingCount count_of(const HealingBook *book, HealingAct act, int64_t now)
{
    return healing_book_count(book, healing_book_service(book, "orders"), act, now);
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
    HealingEntry check = entry_of("a", 0), carts = check, excess = check;
    check.act = HEALING_CHECK;
    carts.service = "carts";
    excess.excess = true;
    assert_null(healing_book_end(book, &check, 2));
    assert_null(healing_book_end(book, &carts, 2));
    assert_null(healing_book_end(book, &excess, 2));
    assert_null(give_back(book, "b", 2));
    assert_non_null(give_back(book, "a", 2));
    assert_null(give_back(book, "a", 3));
}

static void what_begins_again_has_a_new_reason_and_its_first_time(void **state)
{
    HealingBook *book = *state;
    assert_true(eject(book, "a", 1 * SECOND));
    HealingEntry again = entry_of("a", 2 * SECOND);
    again.why = "fails more";
    assert_false(healing_book_begin(book, &again));
    size_t at = 0;
    const HealingEntry *entry = healing_book_current(book, &at);
    assert_string_equal(entry->why, "fails more");
    assert_int_equal(entry->began, 1 * SECOND);
    assert_int_equal(entry->again, 1);
    assert_int_equal(count_current(book), 1);
    assert_int_equal(count_of(book, HEALING_EJECT, 2 * SECOND).total, 2);
    assert_int_equal(count_of(book, HEALING_EJECT, 2 * SECOND).now, 1);
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
    assert_int_equal(count_of(book, HEALING_EJECT, 0).total, HEALING_CURRENT + 1);
    assert_int_equal(count_of(book, HEALING_EJECT, 0).now, HEALING_CURRENT);
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

/* ---- Limits ---------------------------------------------------------------------------------- */

/* Time is a window of 12 parts of 1 s. */
static void limit(HealingBook *book, HealingAct act, HealingLimit limit)
{
    HealingLimit limits[HEALING_ACTS] = {{0}};
    limits[act] = limit;
    limits[act].per = 12 * SECOND;
    healing_book_limit(book, limits);
}

static void retry(HealingBook *book, uint64_t calls, uint64_t retries, int64_t now)
{
    HealingFigures figures = {.calls = calls, .instances = 10};
    figures.acts[HEALING_RETRY] = retries;
    healing_book_take(book, "orders", &figures, now);
}

/* Whether an excess began or ended, of which there is one at most. */
static const HealingEntry *changed(HealingBook *book, int64_t now)
{
    const HealingEntry *found = healing_book_judge(book, now, now);
    assert_null(healing_book_judge(book, now, now));
    return found;
}

static void figures_replace_each_other_and_add_to_what_was_begun(void **state)
{
    HealingBook *book = *state;
    eject(book, "a", 1);
    HealingFigures figures = {.calls = 10};
    figures.acts[HEALING_EJECT] = 5;
    healing_book_take(book, "orders", &figures, 1);
    figures.acts[HEALING_EJECT] = 7;
    healing_book_take(book, "orders", &figures, 2);
    assert_int_equal(count_of(book, HEALING_EJECT, 2).total, 8);
    assert_int_equal(count_of(book, HEALING_RETRY, 2).total, 0);
    const HealingService *only = healing_book_next(book, NULL);
    assert_string_equal(healing_service_name(only), "orders");
    assert_null(healing_book_next(book, only));
    assert_null(healing_book_service(book, "carts"));
}

static void an_excess_begins_with_one_more_than_the_limit(void **state)
{
    HealingBook *book = *state;
    limit(book, HEALING_EJECT, (HealingLimit){.at_most = 3});
    for (int i = 0; i < 3; i++)
        eject(book, "a", 1 * SECOND);
    assert_null(changed(book, 1 * SECOND));
    eject(book, "a", 2 * SECOND);
    const HealingEntry *excess = changed(book, 2 * SECOND);
    assert_true(excess->excess);
    assert_string_equal(excess->why, "4 in 12 s, at most 3");
    assert_true(count_of(book, HEALING_EJECT, 2 * SECOND).excess);
    assert_int_equal(count_current(book), 2); /* what began, and the excess */
}

static void it_ends_when_half_of_the_limit_is_left(void **state)
{
    HealingBook *book = *state;
    limit(book, HEALING_EJECT, (HealingLimit){.at_most = 4});
    for (int i = 0; i < 3; i++)
        eject(book, "a", 0);
    eject(book, "a", 1 * SECOND);
    for (int i = 0; i < 2; i++)
        eject(book, "a", 2 * SECOND);
    assert_non_null(changed(book, 2 * SECOND));
    assert_null(changed(book, 12 * SECOND)); /* 3 of 6 are left */
    const HealingEntry *over = changed(book, 13 * SECOND);
    assert_string_equal(over->how, "2 in 12 s");
    assert_int_equal(over->ended - over->began, 11 * SECOND);
    assert_false(count_of(book, HEALING_EJECT, 13 * SECOND).excess);
}

static void what_has_left_the_window_does_not_count(void **state)
{
    HealingBook *book = *state;
    limit(book, HEALING_EJECT, (HealingLimit){.at_most = 1});
    eject(book, "a", 0);
    eject(book, "a", 12 * SECOND);
    assert_null(changed(book, 12 * SECOND));
    assert_int_equal(count_of(book, HEALING_EJECT, 12 * SECOND).lately, 1);
    eject(book, "a", 12 * SECOND);
    assert_non_null(changed(book, 12 * SECOND));
}

static void a_limit_of_zero_allows_none(void **state)
{
    limit(*state, HEALING_EJECT, (HealingLimit){.at_most = 0});
    eject(*state, "a", 0);
    assert_non_null(changed(*state, 0));
    assert_null(changed(*state, 11 * SECOND));
    assert_non_null(changed(*state, 12 * SECOND));
}

static void a_share_of_the_calls_may_be_more(void **state)
{
    HealingBook *book = *state;
    limit(book, HEALING_RETRY, (HealingLimit){.at_most = 5, .percent = 10});
    retry(book, 1000, 100, 1 * SECOND);
    assert_null(changed(book, 1 * SECOND));
    retry(book, 1000, 101, 1 * SECOND);
    assert_string_equal(changed(book, 1 * SECOND)->why, "101 in 12 s, at most 100");
}

static void of_few_calls_the_number_counts(void **state)
{
    HealingBook *book = *state;
    limit(book, HEALING_RETRY, (HealingLimit){.at_most = 5, .percent = 10});
    retry(book, 20, 5, 1 * SECOND);
    assert_null(changed(book, 1 * SECOND));
    retry(book, 20, 6, 1 * SECOND);
    assert_string_equal(changed(book, 1 * SECOND)->why, "6 in 12 s, at most 5");
}

static void calls_count_only_in_the_same_time(void **state)
{
    HealingBook *book = *state;
    limit(book, HEALING_RETRY, (HealingLimit){.at_most = 5, .percent = 10});
    retry(book, 1000, 1, 0);
    retry(book, 1010, 8, 12 * SECOND);
    assert_string_equal(changed(book, 12 * SECOND)->why, "7 in 12 s, at most 5");
}

static void of_acts_on_instances_the_share_is_of_the_instances(void **state)
{
    HealingBook *book = *state;
    limit(book, HEALING_EJECT, (HealingLimit){.at_most = 5, .percent = 100});
    retry(book, 1000, 0, 0);
    for (int i = 0; i < 10; i++)
        eject(book, "a", 0);
    assert_null(changed(book, 0));
    eject(book, "a", 0);
    assert_string_equal(changed(book, 0)->why, "11 in 12 s, at most 10");
}

static void only_acts_that_stop_stop_and_only_in_an_excess(void **state)
{
    HealingBook *book = *state;
    limit(book, HEALING_EJECT, (HealingLimit){.at_most = 1, .stop = true});
    eject(book, "a", 0);
    changed(book, 0);
    assert_true(healing_book_may(book, HEALING_EJECT, "orders"));
    assert_false(healing_book_stops(book));
    eject(book, "a", 0);
    assert_string_equal(changed(book, 0)->why, "2 in 12 s, at most 1: no more are done");
    assert_false(healing_book_may(book, HEALING_EJECT, "orders"));
    assert_true(healing_book_may(book, HEALING_EJECT, "carts"));
    assert_true(healing_book_may(book, HEALING_CHECK, "orders"));
    assert_true(healing_book_stops(book));
    limit(book, HEALING_EJECT, (HealingLimit){.at_most = 1, .stop = false});
    assert_true(healing_book_may(book, HEALING_EJECT, "orders"));
    assert_false(healing_book_stops(book));
    assert_non_null(changed(book, 20 * SECOND));
    assert_false(healing_book_stops(book));
}

static void another_time_begins_a_new_window(void **state)
{
    HealingBook *book = *state;
    limit(book, HEALING_EJECT, (HealingLimit){.at_most = 1});
    eject(book, "a", 0);
    HealingLimit limits[HEALING_ACTS] = {{0}};
    limits[HEALING_EJECT] = (HealingLimit){.per = 24 * SECOND, .at_most = 1};
    healing_book_limit(book, limits);
    eject(book, "a", 0);
    assert_null(changed(book, 0));
}

static void without_a_limit_nothing_is_too_much(void **state)
{
    for (int i = 0; i < 1000; i++)
        eject(*state, "a", 0);
    assert_null(changed(*state, 0));
    assert_int_equal(count_of(*state, HEALING_EJECT, 0).most, UINT64_MAX);
}

static void an_excess_is_listed_even_beyond_the_bound(void **state)
{
    HealingBook *book = *state;
    char subject[16];
    limit(book, HEALING_EJECT, (HealingLimit){.at_most = 1});
    for (int i = 0; i < HEALING_CURRENT; i++) {
        snprintf(subject, sizeof subject, "i%d", i);
        eject(book, subject, 0);
    }
    assert_non_null(changed(book, 0));
    assert_int_equal(count_current(book), HEALING_CURRENT + 1);
}

/* ---- Of another process ---------------------------------------------------------------------- */

static void entries_of_another_process_keep_their_times_and_are_not_counted(void **state)
{
    HealingBook *book = *state;
    HealingEntry lasting = entry_of("a", 5), ended = entry_of("b", 6);
    lasting.how = "";
    ended.ended = 9;
    healing_book_restore(book, &lasting);
    healing_book_restore(book, &lasting); /* once is enough */
    healing_book_restore(book, &ended);
    assert_int_equal(count_current(book), 1);
    assert_int_equal(count_history(book), 1);
    assert_int_equal(count_of(book, HEALING_EJECT, 10).total, 0);
    assert_int_equal(count_of(book, HEALING_EJECT, 10).now, 1);
    assert_int_equal(give_back(book, "a", 10)->began, 5);
    assert_int_equal(count_of(book, HEALING_EJECT, 10).now, 0);
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
        cmocka_unit_test_setup_teardown(figures_replace_each_other_and_add_to_what_was_begun, begin,
                                        end),
        cmocka_unit_test_setup_teardown(an_excess_begins_with_one_more_than_the_limit, begin, end),
        cmocka_unit_test_setup_teardown(it_ends_when_half_of_the_limit_is_left, begin, end),
        cmocka_unit_test_setup_teardown(what_has_left_the_window_does_not_count, begin, end),
        cmocka_unit_test_setup_teardown(a_limit_of_zero_allows_none, begin, end),
        cmocka_unit_test_setup_teardown(a_share_of_the_calls_may_be_more, begin, end),
        cmocka_unit_test_setup_teardown(of_few_calls_the_number_counts, begin, end),
        cmocka_unit_test_setup_teardown(calls_count_only_in_the_same_time, begin, end),
        cmocka_unit_test_setup_teardown(of_acts_on_instances_the_share_is_of_the_instances, begin,
                                        end),
        cmocka_unit_test_setup_teardown(only_acts_that_stop_stop_and_only_in_an_excess, begin, end),
        cmocka_unit_test_setup_teardown(another_time_begins_a_new_window, begin, end),
        cmocka_unit_test_setup_teardown(without_a_limit_nothing_is_too_much, begin, end),
        cmocka_unit_test_setup_teardown(an_excess_is_listed_even_beyond_the_bound, begin, end),
        cmocka_unit_test_setup_teardown(
            entries_of_another_process_keep_their_times_and_are_not_counted, begin, end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
