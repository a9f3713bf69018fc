#include "gateway/signal/signal_list.h"

#include "base/clock.h"
#include "gateway/signal/signal_kind.h"
#include "tests/unit/check.h"

#include <stdio.h>

#define HOUR (3600 * SECOND)
#define NOW (INT64_C(1796119200) * SECOND) /* 2026-12-01T10:00:00Z */

static SignalEntry entry_of(Arena *arena, const char *subject, int64_t at)
{
    Finding finding = {.kind = FINDING_SILENT,
                       .subject = subject,
                       .client = bytes_of(subject),
                       .since = NOW - HOUR};
    finding_add_number(&finding, "hours", 4);
    return signal_entry_of(&finding, "gw1", at, arena);
}

static void a_signal_is_listed_once_in_a_time(void **state)
{
    Arena *arena = arena_new(ARENA_UNLIMITED);
    SignalList list = {.n = 0};
    SignalEntry first = entry_of(arena, "ada", NOW), early = entry_of(arena, "ada", NOW + HOUR - 1),
                late = entry_of(arena, "ada", NOW + HOUR);
    assert_true(signal_list_take(&list, &first, HOUR));
    assert_false(signal_list_take(&list, &early, HOUR));
    assert_int_equal(list.items[0].entry.times, 1);
    assert_true(signal_list_take(&list, &late, HOUR));
    assert_int_equal(list.n, 1);
    assert_int_equal(list.items[0].entry.times, 2);
    signal_list_deinit(&list);
    arena_free(arena);
}

static void what_is_found_again_is_not_acknowledged_any_more(void **state)
{
    Arena *arena = arena_new(ARENA_UNLIMITED);
    SignalList list = {.n = 0};
    SignalEntry first = entry_of(arena, "ada", NOW), again = entry_of(arena, "ada", NOW + HOUR);
    signal_list_take(&list, &first, HOUR);
    assert_false(signal_list_acknowledge(&list, bytes_of("0000000000000000"), bytes_of("uid 0"),
                                         bytes_of("why"), NOW));
    assert_true(signal_list_acknowledge(&list, bytes_of(first.id), bytes_of("uid 0"),
                                        bytes_of("why"), NOW));
    Buffer out = buffer_in(arena);
    signal_entry_write(&list.items[0].entry, &out);
    assert_string_equal(
        arena_text(arena, buffer_bytes(&out)),
        arena_printf(
            arena,
            "{\"id\":\"%s\",\"kind\":\"silent\",\"subject\":\"ada\","
            "\"since\":\"2026-12-01T09:00:00Z\",\"at\":\"2026-12-01T10:00:00Z\",\"times\":1,"
            "\"node\":\"gw1\",\"evidence\":{\"hours\":4},"
            "\"acknowledged\":\"2026-12-01T10:00:00Z\",\"who\":\"uid 0\",\"why\":\"why\"}",
            first.id));
    signal_list_take(&list, &again, HOUR);
    assert_int_equal(list.items[0].entry.acknowledged, 0);
    signal_list_deinit(&list);
    arena_free(arena);
}

static void the_latest_are_first_and_the_oldest_go(void **state)
{
    Arena *arena = arena_new(ARENA_UNLIMITED);
    SignalList list = {.n = 0};
    char name[16];
    for (int i = 0; i < SIGNALS_LISTED + 5; i++) {
        snprintf(name, sizeof name, "client %d", i);
        SignalEntry entry = entry_of(arena, name, NOW + i);
        assert_true(signal_list_take(&list, &entry, HOUR));
    }
    const SignalEntry **sorted = signal_list_sorted(&list, arena);
    assert_int_equal(list.n, SIGNALS_LISTED);
    assert_bytes(sorted[0]->subject, name);
    assert_bytes(sorted[SIGNALS_LISTED - 1]->subject, "client 5");
    signal_list_deinit(&list);
    arena_free(arena);
}

static void a_client_is_forgotten(void **state)
{
    Arena *arena = arena_new(ARENA_UNLIMITED);
    SignalList list = {.n = 0};
    SignalEntry ada = entry_of(arena, "ada", NOW), bob = entry_of(arena, "bob", NOW);
    signal_list_take(&list, &ada, HOUR);
    signal_list_take(&list, &bob, HOUR);
    signal_list_forget_client(&list, BYTES_NONE);
    assert_int_equal(list.n, 2);
    signal_list_forget_client(&list, bytes_of("ada"));
    assert_int_equal(list.n, 1);
    assert_bytes(list.items[0].entry.subject, "bob");
    signal_list_deinit(&list);
    arena_free(arena);
}

static void kinds_do_not_know_versions(void **state)
{
    static const struct {
        const char *method, *without;
    } rows[] = {{"shop.orders.v1.Orders/Get", "shop.orders.Orders/Get"},
                {"shop.orders.v2beta1.Orders/Get", "shop.orders.Orders/Get"},
                {"shop.vat.Orders/Get", "shop.vat.Orders/Get"},
                {"v1.Orders/Get", "Orders/Get"},
                {"Orders/Get", "Orders/Get"},
                {"v1", "v1"},
                {"", ""}};
    char out[SIGNAL_METHOD_SIZE];
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        assert_int_equal(signal_method_write(bytes_of(rows[i].method), out),
                         strlen(rows[i].without));
        assert_string_equal(out, rows[i].without);
    }
    FailureKey key = {.fault = &FAULT_UPSTREAM_DOWN, .code = CODE_UNAVAILABLE}, other = key;
    key.method = bytes_of("shop.orders.v1.Orders/Get");
    other.method = bytes_of("shop.orders.v3.Orders/Get");
    key.client_version = bytes_of("v1");
    assert_true(signal_kind(&key) == signal_kind(&other));
    other.cause = bytes_of("reset");
    assert_true(signal_kind(&key) != signal_kind(&other));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_signal_is_listed_once_in_a_time),
        cmocka_unit_test(what_is_found_again_is_not_acknowledged_any_more),
        cmocka_unit_test(the_latest_are_first_and_the_oldest_go),
        cmocka_unit_test(a_client_is_forgotten),
        cmocka_unit_test(kinds_do_not_know_versions),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
