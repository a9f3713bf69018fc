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

static Result n_mistakes(Arena *arena, unsigned n)
{
    Result mistakes[4];
    for (unsigned i = 0; i < n; i++)
        mistakes[i] = FAIL_FIELD(arena, FAULT_BAD_VALUE, arena_printf(arena, "f%u", i), "bad");
    return error_with_others(arena, mistakes, n);
}

static void a_mistake_has_the_others_beside_it_also_in_a_copy(void **state)
{
    Arena *first = arena_new(ARENA_UNLIMITED), *second = arena_new(ARENA_UNLIMITED);
    assert_false(failed(n_mistakes(first, 0)));
    assert_null(n_mistakes(first, 1).error->also);
    Result r = FAIL_OVER(first, n_mistakes(first, 3), FAULT_BAD_VALUE, "converting");
    Result copy = error_copy(second, r);
    arena_free(first);
    const Error *mistake = copy.error->cause;
    for (unsigned i = 0; i < 3; i++, mistake = mistake->also)
        assert_string_equal(mistake->field, arena_printf(second, "f%u", i));
    assert_null(mistake);
    arena_free(second);
}

/* Such an arena has one error, which is given again and again. */
static void the_others_have_an_end_also_without_memory(void **state)
{
    Arena *arena = arena_new(ARENA_UNLIMITED), *full = arena_new(4096);
    Result four = n_mistakes(arena, 4);
    while (arena_alloc(full, 16)) {
    }
    unsigned n = 0;
    for (const Error *e = n_mistakes(full, 4).error; e; e = e->also)
        n++;
    assert_int_equal(n, 1);
    for (const Error *e = error_copy(full, four).error; e; e = e->also)
        n++;
    assert_int_equal(n, 2);
    arena_free(arena);
    arena_free(full);
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
        cmocka_unit_test(a_mistake_has_the_others_beside_it_also_in_a_copy),
        cmocka_unit_test(the_others_have_an_end_also_without_memory),
        cmocka_unit_test(only_what_is_written_for_the_caller_is_told),
        cmocka_unit_test(every_fault_has_a_name_and_codes_of_its_own_kind),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
