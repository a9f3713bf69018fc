#include "gateway/signal/novelty.h"

#include "base/clock.h"
#include "tests/unit/check.h"

#define HOUR (3600 * SECOND)
#define DAY (24 * HOUR)
#define BEGIN (1000 * DAY)

static const NoveltyRules rules = {
    .warm_up = 7 * DAY, .forgotten = 30 * DAY, .failures = 3, .clients = 2};

static void on_new(void *owner, const NoveltyFound *found)
{
    NoveltyFound *last = owner;
    last->kind++; /* how many */
    last->example = found->example;
    last->failures = found->failures;
    last->clients = found->clients;
}

/* A look at one kind; how many were news. */
static uint64_t look(Novelty *novelty, uint64_t kind, uint64_t failures, uint64_t clients,
                     int64_t first, int64_t wall)
{
    NoveltyFound found = {.kind = 0};
    NoveltyCount count = {.kind = kind,
                          .example = kind,
                          .first = first,
                          .last = wall,
                          .failures = failures,
                          .clients = clients};
    novelty_begin(novelty, wall);
    novelty_count(novelty, &rules, &count, wall);
    novelty_end(novelty, &rules, wall, on_new, &found);
    return found.kind;
}

static Novelty warm(void)
{
    return (Novelty){.since = BEGIN - 7 * DAY};
}

static void a_new_kind_is_told_once(void **state)
{
    Novelty novelty = warm();
    assert_int_equal(look(&novelty, 7, 3, 2, BEGIN, BEGIN), 1);
    assert_int_equal(look(&novelty, 7, 30, 20, BEGIN, BEGIN + HOUR), 0);
    novelty_deinit(&novelty);
}

static void few_failures_or_one_client_are_no_news(void **state)
{
    Novelty novelty = warm();
    assert_int_equal(look(&novelty, 7, 2, 2, BEGIN, BEGIN), 0);
    assert_int_equal(look(&novelty, 8, 1000, 1, BEGIN, BEGIN), 0);
    assert_int_equal(look(&novelty, 7, 3, 2, BEGIN, BEGIN + HOUR), 1);
    novelty_deinit(&novelty);
}

static void what_comes_within_the_warm_up_is_known(void **state)
{
    Novelty novelty = {.since = BEGIN - 7 * DAY + 1};
    assert_int_equal(look(&novelty, 7, 3, 2, BEGIN, BEGIN), 0);
    assert_int_equal(look(&novelty, 7, 300, 20, BEGIN, BEGIN + DAY), 0);
    assert_int_equal(look(&novelty, 8, 3, 2, BEGIN + 1, BEGIN + 1), 1);
    novelty_deinit(&novelty);
}

static void a_kind_that_was_there_before_the_memory_is_known(void **state)
{
    Novelty novelty = warm();
    assert_int_equal(look(&novelty, 7, 30, 20, BEGIN - 100 * DAY, BEGIN), 0);
    novelty_deinit(&novelty);
}

static void a_kind_that_stays_rare_for_a_day_is_known(void **state)
{
    Novelty early = warm(), late = warm();
    look(&early, 7, 1, 1, BEGIN, BEGIN);
    look(&early, 7, 1, 1, BEGIN, BEGIN + DAY - 1);
    assert_int_equal(look(&early, 7, 3, 2, BEGIN, BEGIN + DAY), 1);
    look(&late, 7, 1, 1, BEGIN, BEGIN);
    look(&late, 7, 1, 1, BEGIN, BEGIN + DAY);
    assert_int_equal(look(&late, 7, 3, 2, BEGIN, BEGIN + DAY + 1), 0);
    novelty_deinit(&early);
    novelty_deinit(&late);
}

static void a_kind_that_was_not_seen_for_long_is_new_again(void **state)
{
    Novelty novelty = warm();
    assert_int_equal(look(&novelty, 7, 3, 2, BEGIN, BEGIN), 1);
    assert_int_equal(look(&novelty, 7, 3, 2, BEGIN, BEGIN + 30 * DAY), 0);
    assert_int_equal(look(&novelty, 7, 3, 2, BEGIN, BEGIN + 60 * DAY + 1), 1);
    novelty_deinit(&novelty);
}

static void rows_of_one_kind_are_added(void **state)
{
    Novelty novelty = warm();
    NoveltyFound found = {.kind = 0};
    NoveltyCount one = {
        .kind = 7, .example = 1, .first = BEGIN, .last = BEGIN, .failures = 1, .clients = 1};
    NoveltyCount two = {
        .kind = 7, .example = 2, .first = BEGIN, .last = BEGIN, .failures = 2, .clients = 2};
    novelty_begin(&novelty, BEGIN);
    novelty_count(&novelty, &rules, &one, BEGIN);
    novelty_count(&novelty, &rules, &two, BEGIN);
    novelty_end(&novelty, &rules, BEGIN, on_new, &found);
    assert_int_equal(found.kind, 1);
    assert_int_equal(found.failures, 3);
    assert_int_equal(found.clients, 2);
    assert_int_equal(found.example, 2);
    novelty_deinit(&novelty);
}

static void memory_is_bounded(void **state)
{
    Novelty novelty = warm();
    for (uint64_t i = 0; i <= NOVELTY_KINDS; i++)
        look(&novelty, i, 1, 1, BEGIN, BEGIN + (int64_t)i);
    assert_int_equal(novelty.n, NOVELTY_KINDS);
    for (uint32_t i = 1; i < novelty.n; i++)
        assert_true(novelty.kinds[i - 1].kind < novelty.kinds[i].kind);
    assert_int_equal(novelty.kinds[0].kind, 1); /* the one that was not seen for longest has gone */
    novelty_deinit(&novelty);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_new_kind_is_told_once),
        cmocka_unit_test(few_failures_or_one_client_are_no_news),
        cmocka_unit_test(what_comes_within_the_warm_up_is_known),
        cmocka_unit_test(a_kind_that_was_there_before_the_memory_is_known),
        cmocka_unit_test(a_kind_that_stays_rare_for_a_day_is_known),
        cmocka_unit_test(a_kind_that_was_not_seen_for_long_is_new_again),
        cmocka_unit_test(rows_of_one_kind_are_added),
        cmocka_unit_test(memory_is_bounded),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
