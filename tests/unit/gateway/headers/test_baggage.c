#include "gateway/headers/baggage.h"

#include "base/arena.h"

#include "tests/unit/check.h"

#include <stdio.h>

static Arena *arena;

static int set_up(void **state)
{
    arena = arena_new(ARENA_UNLIMITED);
    return 0;
}

static int tear_down(void **state)
{
    arena_free(arena);
    return 0;
}

static Bytes found(const char *list)
{
    Fields fields = fields_in(arena);
    fields_add(&fields, bytes_of("other"), bytes_of("a=never"));
    fields_add(&fields, bytes_of("baggage"), bytes_of("b=2"));
    fields_add(&fields, bytes_of("baggage"), bytes_of(list));
    return baggage_find(&fields, "a");
}

static Bytes without(const char *list)
{
    return baggage_without(bytes_of(list), "a", arena);
}

static void a_member_is_found_by_its_name(void **state)
{
    assert_bytes(found("a=1"), "1");
    assert_bytes(found("c=3, a = 1 ;p=q"), "1");
    assert_bytes(found("a=1,a=2"), "1");
    assert_null(found("aa=1,A=1,x;a=1,a").data);
    assert_null(found("").data);
    assert_non_null(found("a=").data);
    assert_int_equal(found("a=").size, 0);
}

static void all_members_of_the_name_are_taken_out(void **state)
{
    assert_bytes(without("a=1"), "");
    assert_bytes(without("a=1;p=q,b=2"), "b=2");
    assert_bytes(without("b=2, a=1,c=3;a=4,a =5"), "b=2,c=3;a=4");
    assert_bytes(without("b=2"), "b=2");
    assert_bytes(without("a"), "a");
}

static void without_memory_nothing_is_passed_on(void **state)
{
    char list[8000] = "a=1,b=";
    memset(list + strlen(list), 'b', sizeof list - strlen(list) - 1);
    Arena *full = arena_new(4096);
    Bytes none = baggage_without(bytes(list, sizeof list - 1), "a", full);
    assert_int_equal(none.size, 0);
    arena_free(full);
}

/* ---- Room ------------------------------------------------------------------------------------ */

static BaggageRoom room;

static Bytes within(uint32_t members, size_t most, const char *list)
{
    room = (BaggageRoom){members, most};
    return baggage_within(bytes_of(list), &room);
}

static void members_have_room_up_to_a_number(void **state)
{
    assert_bytes(within(2, 100, "a=1,b=2"), "a=1,b=2");
    assert_bytes(within(2, 100, "a=1,b=2,c=3"), "a=1,b=2");
    assert_bytes(within(1, 100, "a=1,, ,"), "a=1,, ,"); /* empty ones are none */
    assert_int_equal(within(0, 100, "a=1").size, 0);
}

static void members_are_whole_up_to_a_number_of_bytes(void **state)
{
    assert_bytes(within(9, 7, "a=1,b=2"), "a=1,b=2");
    assert_bytes(within(9, 6, "a=1,b=2"), "a=1");
    assert_bytes(within(9, 3, "a=1,b=2"), "a=1");
    assert_int_equal(within(9, 2, "a=1,b=2").size, 0);
    assert_int_equal(within(9, 2, "").size, 0);
}

static void the_room_is_that_of_all_fields_of_a_request(void **state)
{
    assert_bytes(within(3, 11, "a=1,b=2"), "a=1,b=2");
    assert_int_equal(room.members, 1);
    assert_int_equal(room.bytes, 3); /* with the comma between the fields */
    assert_bytes(baggage_within(bytes_of("c=3,d=4"), &room), "c=3");
    assert_int_equal(room.members, 0);
    assert_int_equal(baggage_within(bytes_of("e=5"), &room).size, 0);
}

static void what_the_standard_wants_passed_on_has_room(void **state)
{
    char list[8193];
    size_t size = 0;
    for (int i = 0; i < 64; i++) /* 64 members of 127 bytes, and 63 commas */
        size +=
            (size_t)snprintf(list + size, sizeof list - size, "%sk%02d=%0123d", i ? "," : "", i, 0);
    assert_int_equal(size, 64 * 127 + 63);
    assert_int_equal(within(64, 8192, list).size, size);
    assert_int_equal(within(63, 8192, list).size, size - 128);
    assert_int_equal(within(64, size - 1, list).size, size - 128);
}

/* ---- Recording ------------------------------------------------------------------------------- */

static const char *const names[] = {"tenant", "plan"};
static const BaggageConfig config = {.record = names, .n_record = 2};

static const BaggageNotes *noted(const char *list)
{
    Fields fields = fields_in(arena);
    fields_add(&fields, bytes_of("baggage"), bytes_of(list));
    return baggage_note(&fields, &config, arena);
}

static void named_members_are_recorded_and_no_others(void **state)
{
    const BaggageNotes *notes = noted("user=ada, plan=gold;secret=1,tenant=acme");
    assert_int_equal(notes->n, 2);
    assert_string_equal(notes->items[0].name, "tenant");
    assert_bytes(notes->items[0].value, "acme");
    assert_bytes(notes->items[1].value, "gold");
    assert_int_equal(noted("plan=gold")->n, 1);
    assert_null(noted("user=ada"));
    assert_null(noted("tenant=,plan"));
}

static void values_are_decoded_and_valid_texts(void **state)
{
    assert_bytes(noted("tenant=a%20b%2Cc")->items[0].value, "a b,c");
    assert_bytes(noted("tenant=100%")->items[0].value, "100%");
    assert_bytes(noted("tenant=%ff")->items[0].value, "\xef\xbf\xbd");
}

static void without_memory_nothing_is_recorded(void **state)
{
    static char value[8000];
    memset(value, 'a', sizeof value - 1);
    Arena *full = arena_new(4096);
    Fields fields = fields_in(arena);
    fields_add(&fields, bytes_of("baggage"), bytes_of(arena_printf(arena, "tenant=%s", value)));
    assert_null(baggage_note(&fields, &config, full));
    arena_free(full);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_member_is_found_by_its_name, set_up, tear_down),
        cmocka_unit_test_setup_teardown(all_members_of_the_name_are_taken_out, set_up, tear_down),
        cmocka_unit_test_setup_teardown(without_memory_nothing_is_passed_on, set_up, tear_down),
        cmocka_unit_test(members_have_room_up_to_a_number),
        cmocka_unit_test(members_are_whole_up_to_a_number_of_bytes),
        cmocka_unit_test(the_room_is_that_of_all_fields_of_a_request),
        cmocka_unit_test(what_the_standard_wants_passed_on_has_room),
        cmocka_unit_test_setup_teardown(named_members_are_recorded_and_no_others, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(values_are_decoded_and_valid_texts, set_up, tear_down),
        cmocka_unit_test_setup_teardown(without_memory_nothing_is_recorded, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
