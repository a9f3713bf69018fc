#include "gateway/headers/baggage.h"

#include "base/arena.h"

#include "tests/unit/check.h"

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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_member_is_found_by_its_name, set_up, tear_down),
        cmocka_unit_test_setup_teardown(all_members_of_the_name_are_taken_out, set_up, tear_down),
        cmocka_unit_test_setup_teardown(without_memory_nothing_is_passed_on, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
