#include "tests/unit/check.h"

#include "base/clock.h"
#include "gateway/usage/retirements.h"

#define DAY (86400 * SECOND)
#define NOON (INT64_C(1772366400) * SECOND)

/* Without a store: what one gateway knows. */
static Retirements *all;
static Retiring retiring;
static Version versions[2];
static Service service;
static Config config, without;
static Arena *arena;

static int set_up(void **state)
{
    arena = arena_new(ARENA_UNLIMITED);
    retiring = (Retiring){.unused_for = 30 * DAY};
    versions[0] =
        (Version){.name = "v1", .service = &service, .sunset = NOON, .retiring = &retiring};
    versions[1] = (Version){.name = "v2", .service = &service, .index = 1};
    service = (Service){.name = "orders", .versions = versions, .n_versions = 2};
    config = (Config){.services = &service, .n_services = 1};
    without = (Config){0};
    all = retirements_new();
    retirements_use(all, &config, NOON - 60 * DAY);
    return 0;
}

static int tear_down(void **state)
{
    retirements_free(all);
    arena_free(arena);
    return 0;
}

static bool is_retired(void)
{
    return atomic_load(&retiring.state->retired) != 0;
}

static Result ordered;

static void on_done(void *owner, Result result)
{
    ordered = error_copy(arena, result);
}

static void order(const char *version, bool again, const char *why, int64_t wall)
{
    retirements_order(all,
                      &(RetireOrder){.service = bytes_of("orders"),
                                     .version = bytes_of(version),
                                     .again = again,
                                     .who = "ops",
                                     .why = bytes_of(why)},
                      wall, on_done, NULL);
}

static Bytes page(int64_t wall)
{
    Buffer out = buffer_in(arena);
    retirements_write(all, wall, &out);
    buffer_add_byte(&out, 0);
    return buffer_bytes(&out);
}

static bool page_has(int64_t wall, const char *text)
{
    return strstr((const char *)page(wall).data, text) != NULL;
}

static void a_version_ends_at_the_beat_after_it_is_unused_for_long_enough(void **state)
{
    atomic_store(&retiring.state->used, NOON - 10 * DAY);
    retirements_beat(all, NOON + 20 * DAY - 1);
    assert_false(is_retired());
    assert_true(page_has(NOON + 20 * DAY - 1, "\"state\":\"past_sunset\""));
    retirements_beat(all, NOON + 20 * DAY);
    assert_true(is_retired());
    assert_true(page_has(NOON + 20 * DAY, "nobody has called it for "));
}

static void an_order_needs_a_version_and_a_reason(void **state)
{
    order("v2", false, "why", NOON);
    assert_fault(ordered, FAULT_UNKNOWN_PATH);
    order("v1", false, "", NOON);
    assert_fault(ordered, FAULT_BAD_VALUE);
    assert_false(is_retired());
    order("v1", false, "why", NOON);
    assert_ok(arena, ordered);
    assert_true(is_retired());
}

static void after_it_is_served_again_the_evidence_begins_anew(void **state)
{
    order("v1", false, "over", NOON);
    order("v1", true, "not yet", NOON + DAY);
    assert_false(is_retired());
    retirements_beat(all, NOON + 31 * DAY - 1);
    assert_false(is_retired());
    retirements_beat(all, NOON + 31 * DAY);
    assert_true(is_retired());
}

static void a_time_without_retire_counts_as_use(void **state)
{
    retirements_use(all, &without, NOON);
    retirements_use(all, &config, NOON + 2 * DAY);
    retirements_beat(all, NOON + 32 * DAY - 1);
    assert_false(is_retired());
    retirements_beat(all, NOON + 32 * DAY);
    assert_true(is_retired());
}

static void the_next_process_knows_what_this_one_knew(void **state)
{
    Buffer text = buffer_in(arena);
    atomic_store(&retiring.state->used, NOON - DAY);
    retirements_hand_on(all, &text);
    order("v1", false, "it is over, ada", NOON);
    size_t before = text.size;
    retirements_hand_on(all, &text);
    retirements_free(all);

    all = retirements_new();
    retirements_restore(all, bytes(text.data, before));
    retirements_use(all, &config, NOON);
    assert_false(is_retired());
    assert_true(atomic_load(&retiring.state->used) == NOON - DAY);
    retirements_free(all);

    all = retirements_new();
    retirements_restore(all, bytes(text.data + before, text.size - before));
    retirements_use(all, &config, NOON);
    assert_true(is_retired());
    assert_true(page_has(NOON, "it is over, ada"));
}

static void what_is_damaged_is_left_out(void **state)
{
    static const char *const damaged[] = {"orders v1", "orders v1 x 0 0  ", "orders v1 1 2 -3 a b",
                                          "orders v1 1 2 9 %x y"};
    for (size_t i = 0; i < sizeof damaged / sizeof *damaged; i++)
        retirements_restore(all, bytes_of(damaged[i]));
    retirements_use(all, &config, NOON);
    assert_false(is_retired());
}

static void the_next_change_is_the_sunset_or_that_of_a_brown_out(void **state)
{
    Brownout brownout = {NOON - 10, NOON - 5, 1};
    retiring.brownouts = &brownout;
    retiring.n_brownouts = 1;
    assert_true(retirements_next(all, NOON - 11) == NOON - 10);
    assert_true(retirements_next(all, NOON - 10) == NOON - 5);
    assert_true(retirements_next(all, NOON - 5) == NOON);
    assert_true(retirements_next(all, NOON) == INT64_MAX);
    assert_true(page_has(NOON - 7, "\"state\":\"brownout\""));
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(a_version_ends_at_the_beat_after_it_is_unused_for_long_enough),
        TEST(an_order_needs_a_version_and_a_reason),
        TEST(after_it_is_served_again_the_evidence_begins_anew),
        TEST(a_time_without_retire_counts_as_use),
        TEST(the_next_process_knows_what_this_one_knew),
        TEST(what_is_damaged_is_left_out),
        TEST(the_next_change_is_the_sunset_or_that_of_a_brown_out),
    };
    return cmocka_run_group_tests_name("retirements", tests, NULL, NULL);
}
