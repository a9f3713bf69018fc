#include "tests/unit/check.h"

static void a_chain_tells_cause_beneath_cause(void **state)
{
    Arena *arena = arena_new(ARENA_UNLIMITED);
    Result r = FAIL_FIELD(arena, FAULT_BAD_VALUE, "items[2].price", "%d is too much", 7);
    r = FAIL_OVER(arena, r, FAULT_CANNOT_CONVERT, "giving v1 to v3");
    assert_string_equal(error_text(arena, r),
                        "CANNOT_CONVERT: giving v1 to v3; because BAD_VALUE: 7 is too much");
    assert_string_equal(error_with_field(r)->field, "items[2].price");
    assert_ptr_equal(error_origin(r)->fault, &FAULT_BAD_VALUE);
    assert_string_equal(error_text(arena, OK), "ok");
    arena_free(arena);
}

static void a_copied_chain_outlives_its_arena(void **state)
{
    Arena *first = arena_new(ARENA_UNLIMITED), *second = arena_new(ARENA_UNLIMITED);
    Result r = FAIL_OVER(first, FAIL(first, FAULT_NO_FILE, "open x"), FAULT_BAD_CONFIG, "loading");
    Result copy = error_copy(second, r);
    arena_free(first);
    assert_string_equal(error_text(second, copy), "BAD_CONFIG: loading; because NO_FILE: open x");
    arena_free(second);
}

static void only_what_is_written_for_the_caller_is_told(void **state)
{
    Arena *arena = arena_new(ARENA_UNLIMITED), *other = arena_new(ARENA_UNLIMITED);
    Result kept = FAIL(arena, FAULT_BAD_VALUE, "asking 10.0.0.7");
    Result told = FAIL_TELL(arena, FAULT_BAD_VALUE, "it is too long");
    Result field = FAIL_FIELD(arena, FAULT_BAD_VALUE, "name", "it is too long");
    assert_false(kept.error->told);
    assert_true(told.error->told && field.error->told);
    assert_null(told.error->field);
    assert_null(error_with_field(told));
    Result copy = error_copy(other, FAIL_OVER(arena, told, FAULT_BAD_MESSAGE, "reading"));
    assert_false(copy.error->told);
    assert_true(copy.error->cause->told);
    arena_free(arena);
    arena_free(other);
}

static void every_fault_has_a_name_and_codes_of_its_own_kind(void **state)
{
    for (size_t i = 0; fault_table[i]; i++) {
        const Fault *fault = fault_table[i];
        assert_ptr_equal(fault_by_name(fault->name), fault);
        assert_in_range(fault->http_status, 400, 599);
        assert_in_range(fault->grpc_status, 1, 16);
    }
    assert_null(fault_by_name("NO_SUCH_FAULT"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_chain_tells_cause_beneath_cause),
        cmocka_unit_test(a_copied_chain_outlives_its_arena),
        cmocka_unit_test(only_what_is_written_for_the_caller_is_told),
        cmocka_unit_test(every_fault_has_a_name_and_codes_of_its_own_kind),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
