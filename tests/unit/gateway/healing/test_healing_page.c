#include "tests/unit/check.h"

#include "adapters/text/json.h"
#include "base/arena.h"
#include "gateway/healing/healing.h"
#include "gateway/healing/healing_internal.h"
#include "gateway/healing/healing_page.h"

static int begin(void **state)
{
    *state = arena_new(ARENA_UNLIMITED);
    return 0;
}

static int end(void **state)
{
    arena_free(*state);
    healing_forget();
    return 0;
}

static JsonNode *page(Arena *arena)
{
    Buffer out = buffer_in(arena);
    JsonNode *root;
    buffer_add_byte(&out, '{');
    healing_write(&out);
    buffer_add_byte(&out, '}');
    assert_ok(arena, json_parse(arena, buffer_bytes(&out), &(JsonLimits){0}, &root));
    return root;
}

static const char *text_at(Arena *arena, const JsonNode *object, const char *name)
{
    const JsonNode *member = json_member(object, name);
    return member ? arena_text(arena, member->text) : NULL;
}

static void the_page_tells_what_is_healed_what_was_and_how_often(void **state)
{
    Arena *arena = *state;
    healing_begin(HEALING_EJECT, "orders", "a", FAIL(arena, FAULT_UPSTREAM_RESET, "reading"),
                  "30 of 100 failed");
    healing_begin(HEALING_EJECT, "orders", "a", OK, "40 of 100 failed");
    healing_begin(HEALING_RESTART, NULL, NULL, OK, "crashed");
    healing_end(HEALING_RESTART, NULL, NULL, "it serves");
    JsonNode *root = page(arena), *now = json_member(root, "now");
    assert_int_equal(now->count, 1);
    assert_string_equal(text_at(arena, now->first, "act"), "eject");
    assert_string_equal(text_at(arena, now->first, "service"), "orders");
    assert_string_equal(text_at(arena, now->first, "subject"), "a");
    assert_string_equal(text_at(arena, now->first, "why"), "40 of 100 failed");
    assert_string_equal(text_at(arena, now->first, "again"), "1");
    assert_non_null(json_member(now->first, "since"));
    assert_non_null(json_member(now->first, "seconds"));
    assert_null(json_member(now->first, "ended"));
    JsonNode *history = json_member(root, "history");
    assert_int_equal(history->count, 1);
    assert_string_equal(text_at(arena, history->first, "how"), "it serves");
    assert_null(json_member(history->first, "service"));
    assert_non_null(json_member(history->first, "ended"));
    JsonNode *acts = json_member(root, "acts");
    assert_int_equal(acts->count, 2);
    assert_string_equal(text_at(arena, acts->first, "total"), "2");
    assert_string_equal(text_at(arena, acts->first, "now"), "1");
    assert_null(json_member(acts->first, "at_most")); /* there is no limit */
}

static void the_newest_come_first_and_their_number_is_limited(void **state)
{
    Arena *arena = *state;
    for (int i = 0; i < HEALING_SHOWN + 2; i++)
        healing_begin(HEALING_CHECK, "orders", arena_printf(arena, "i%d", i), OK, "fails");
    JsonNode *root = page(arena), *now = json_member(root, "now");
    assert_int_equal(now->count, HEALING_SHOWN);
    assert_string_equal(text_at(arena, now->first, "subject"),
                        arena_printf(arena, "i%d", HEALING_SHOWN + 1));
    assert_string_equal(text_at(arena, root, "unlisted"), "2");
}

static void another_process_goes_on_with_it(void **state)
{
    Arena *arena = *state;
    Buffer kept = buffer_in(arena);
    healing_begin(HEALING_EJECT, "orders", "a", FAIL(arena, FAULT_UPSTREAM_RESET, "reading"), "b");
    for (int i = 0; i < 3; i++) {
        healing_begin(HEALING_CHECK, "orders", arena_printf(arena, "i%d", i), OK, "fails");
        healing_end(HEALING_CHECK, "orders", arena_printf(arena, "i%d", i), "is well");
    }
    JsonNode *before = page(arena);
    healing_keep(NULL, &kept);
    healing_forget();
    assert_int_equal(json_member(page(arena), "now")->count, 0);
    assert_ok(arena, healing_restore(arena, buffer_bytes(&kept)));
    JsonNode *after = page(arena);
    const char *const same[] = {"act", "service", "subject", "since", "why", "cause"};
    for (size_t i = 0; i < sizeof same / sizeof *same; i++)
        assert_string_equal(text_at(arena, json_member(after, "now")->first, same[i]),
                            text_at(arena, json_member(before, "now")->first, same[i]));
    const JsonNode *was = json_member(before, "history");
    assert_string_equal(arena_text(arena, json_member(after, "history")->text),
                        arena_text(arena, was->text));
}

static void what_it_has_to_find_out_for_itself_has_ended(void **state)
{
    Arena *arena = *state;
    Buffer kept = buffer_in(arena);
    healing_begin(HEALING_BREAKER, "orders", "a", OK, "open");
    healing_keep(NULL, &kept);
    healing_forget();
    assert_ok(arena, healing_restore(arena, buffer_bytes(&kept)));
    JsonNode *root = page(arena);
    assert_int_equal(json_member(root, "now")->count, 0);
    assert_string_equal(text_at(arena, json_member(root, "history")->first, "how"),
                        "another process has taken over");
}

static void take_over(Arena *arena, const HealingLimit *limits)
{
    Buffer kept = buffer_in(arena);
    healing_keep(NULL, &kept);
    healing_forget();
    healing_book_limit(healing_open_book(), limits);
    healing_close_book();
    assert_ok(arena, healing_restore(arena, buffer_bytes(&kept)));
}

static void crashes_are_counted_on_until_they_are_too_many(void **state)
{
    Arena *arena = *state;
    const HealingLimit limits[HEALING_ACTS] = {[HEALING_RESTART] = {600 * SECOND, 5, 0, false}};
    for (int i = 1; i <= 6; i++) {
        take_over(arena, limits);
        healing_begin(HEALING_RESTART, NULL, NULL, OK, "crashed");
        healing_end(HEALING_RESTART, NULL, NULL, "it serves");
        JsonNode *root = page(arena);
        const JsonNode *count = json_member(root, "acts")->first;
        assert_string_equal(text_at(arena, count, "total"), arena_printf(arena, "%d", i));
        assert_string_equal(text_at(arena, count, "lately"), arena_printf(arena, "%d", i));
        assert_int_equal(json_member(count, "excess")->kind, i > 5 ? JSON_TRUE : JSON_FALSE);
        assert_int_equal(json_member(root, "history")->count, i);
        assert_int_equal(json_member(root, "now")->count, i > 5); /* the excess */
    }
}

static void an_excess_goes_on_and_still_stops(void **state)
{
    Arena *arena = *state;
    HealingLimit limits[HEALING_ACTS] = {[HEALING_EJECT] = {600 * SECOND, 1, 0, true}};
    take_over(arena, limits);
    healing_begin(HEALING_EJECT, "orders", "a", OK, "fails");
    healing_begin(HEALING_EJECT, "orders", "b", OK, "fails");
    assert_false(healing_may(HEALING_EJECT, "orders"));
    take_over(arena, limits);
    healing_look();
    assert_int_equal(json_member(page(arena), "now")->count, 3);
    assert_false(healing_may(HEALING_EJECT, "orders"));
    assert_true(healing_may(HEALING_EJECT, "stock"));

    limits[HEALING_EJECT].per = 300 * SECOND; /* nothing is known of this window */
    take_over(arena, limits);
    healing_look();
    assert_true(healing_may(HEALING_EJECT, "orders"));
}

static void what_its_owner_does_not_know_any_more_has_ended(void **state)
{
    Arena *arena = *state;
    const HealingLimit none[HEALING_ACTS] = {{0}};
    healing_begin(HEALING_MANUAL, "orders", "drain a", OK, "by b");
    healing_begin(HEALING_MANUAL, "orders", "pin v2", OK, "by b");
    healing_begin(HEALING_EJECT, "orders", "a", OK, "fails");
    take_over(arena, none);
    assert_true(healing_goes_on(HEALING_MANUAL, NULL, "pin v2"));
    assert_false(healing_goes_on(HEALING_MANUAL, NULL, "pin v2"));
    assert_false(healing_goes_on(HEALING_MANUAL, "stock", "drain a"));
    healing_settle(HEALING_MANUAL);
    JsonNode *root = page(arena);
    assert_int_equal(json_member(root, "now")->count, 2); /* the ejection is not asked for yet */
    assert_int_equal(json_member(root, "history")->count, 1);
    assert_string_equal(text_at(arena, json_member(root, "history")->first, "subject"), "drain a");
    healing_settle(HEALING_EJECT);
    root = page(arena);
    assert_int_equal(json_member(root, "now")->count, 1);
    assert_string_equal(text_at(arena, json_member(root, "acts")->first, "total"), "1");
}

static void what_it_does_not_know_is_left_out(void **state)
{
    Arena *arena = *state;
    assert_ok(arena,
              healing_restore(arena, bytes_of("{\"entries\": [{\"act\": \"dance\"}, {}, 7, "
                                              "{\"act\": \"eject\"}], \"counts\": [{}, 7, "
                                              "{\"act\": \"eject\", \"lately\": [\"x\"]}]}")));
    assert_int_equal(json_member(page(arena), "now")->count, 1);
    assert_ok(arena, healing_restore(arena, bytes_of("[]")));
    assert_fault(healing_restore(arena, bytes_of("{")), FAULT_INTERNAL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(the_page_tells_what_is_healed_what_was_and_how_often, begin,
                                        end),
        cmocka_unit_test_setup_teardown(the_newest_come_first_and_their_number_is_limited, begin,
                                        end),
        cmocka_unit_test_setup_teardown(another_process_goes_on_with_it, begin, end),
        cmocka_unit_test_setup_teardown(what_it_has_to_find_out_for_itself_has_ended, begin, end),
        cmocka_unit_test_setup_teardown(crashes_are_counted_on_until_they_are_too_many, begin, end),
        cmocka_unit_test_setup_teardown(an_excess_goes_on_and_still_stops, begin, end),
        cmocka_unit_test_setup_teardown(what_its_owner_does_not_know_any_more_has_ended, begin,
                                        end),
        cmocka_unit_test_setup_teardown(what_it_does_not_know_is_left_out, begin, end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
