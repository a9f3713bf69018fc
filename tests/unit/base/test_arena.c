#include "tests/unit/check.h"

#ifdef __SANITIZE_ADDRESS__
#include <sanitizer/asan_interface.h>
#endif

static void memory_is_aligned_and_distinct(void **state)
{
    Arena *arena = arena_new(ARENA_UNLIMITED);
    uint8_t *before = NULL;
    for (size_t size = 0; size < 5000; size += 7) {
        uint8_t *memory = arena_alloc(arena, size);
        assert_non_null(memory);
        assert_int_equal((uintptr_t)memory % 16, 0);
        assert_ptr_not_equal(memory, before);
        memset(memory, 0xaa, size);
        before = memory;
    }
    arena_free(arena);
}

static void an_arena_at_its_limit_says_no_and_still_gives_an_error(void **state)
{
    Arena *arena = arena_new(64 * 1024);
    size_t given = 0;
    while (arena_alloc(arena, 1000))
        given += 1000;
    assert_in_range(given, 40 * 1024, 64 * 1024);
    while (arena_alloc(arena, 16))
        given += 16;

    Result r = FAIL(arena, FAULT_OUT_OF_MEMORY, "the %dth wish", 7);
    assert_fault(r, FAULT_OUT_OF_MEMORY);
    r = FAIL_OVER(arena, r, FAULT_BAD_MESSAGE, "reading");
    assert_fault(r, FAULT_BAD_MESSAGE);
    assert_null(r.error->cause); /* the spare one is used again, never in a circle */
    arena_free(arena);
}

static void errors_beside_the_spare_one_are_never_in_a_circle(void **state)
{
    Arena *arena = arena_new(64 * 1024), *other = arena_new(ARENA_UNLIMITED);
    while (arena_alloc(arena, 16))
        continue;
    Result spare = FAIL(arena, FAULT_OUT_OF_MEMORY, "converting");
    Result between = FAIL_OVER(other, spare, FAULT_BAD_MESSAGE, "reading");
    Result again = FAIL_OVER(arena, between, FAULT_BAD_REQUEST, "answering");
    assert_fault(again, FAULT_BAD_REQUEST);
    assert_null(again.error->cause);
    assert_ptr_equal(between.error->cause, again.error);
    Result copy = error_copy(arena, between);
    assert_non_null(error_text(other, copy)); /* it ends */
    arena_free(arena);
    arena_free(other);
}

static void the_latest_block_grows_in_place(void **state)
{
    Arena *arena = arena_new(ARENA_UNLIMITED);
    char *text = arena_alloc(arena, 4);
    memcpy(text, "abc", 4);
    char *grown = arena_grow(arena, text, 4, 100);
    assert_ptr_equal(grown, text);
    char *other = arena_alloc(arena, 1);
    assert_true(other >= grown + 100);
    char *moved = arena_grow(arena, grown, 100, 200);
    assert_ptr_not_equal(moved, grown);
    assert_string_equal(moved, "abc");
    arena_free(arena);
}

static void a_reset_arena_starts_again_within_its_limit(void **state)
{
    Arena *arena = arena_new(100 * 1024);
    for (int round = 0; round < 50; round++) {
        for (int i = 0; i < 9; i++)
            assert_non_null(arena_alloc(arena, 8 * 1024));
        arena_reset(arena);
    }
    arena_free(arena);
}

static void a_size_that_overflows_is_refused(void **state)
{
    Arena *arena = arena_new(ARENA_UNLIMITED);
    assert_null(arena_calloc(arena, SIZE_MAX / 2, 4));
    assert_null(arena_alloc(arena, SIZE_MAX - 3));
    arena_free(arena);
}

/* Only the sanitizer's builds can tell. */
static void what_is_not_handed_out_is_out_of_bounds(void **state)
{
#ifdef __SANITIZE_ADDRESS__
    Arena *arena = arena_new(ARENA_UNLIMITED);
    for (int round = 0; round < 2; round++) {
        uint8_t *memory = arena_alloc(arena, 32);
        assert_false(__asan_address_is_poisoned(memory + 31));
        assert_true(__asan_address_is_poisoned(memory + 32));
        memory = arena_grow(arena, memory, 32, 40);
        assert_false(__asan_address_is_poisoned(memory + 39));
        assert_true(__asan_address_is_poisoned(memory + 40));
        uint8_t *other = arena_alloc(arena, 10000);
        assert_true(__asan_address_is_poisoned(other + 10000));
        arena_reset(arena);
        assert_true(__asan_address_is_poisoned(memory));
    }
    arena_free(arena);
#endif
}

/* Where it stands alone in its block: other sizes and neighbours are told apart by what is held. */
static void what_is_large_grows_without_leaving_a_copy(void **state)
{
    enum { SIZE = 1 << 20, TIMES = 12 };
    Arena *arena = arena_new((TIMES + 1) * SIZE);
    uint8_t *large = NULL;
    for (size_t i = 1; i <= TIMES; i++) {
        large = arena_grow(arena, large, (i - 1) * SIZE, i * SIZE);
        assert_non_null(large);
        memset(large + (i - 1) * SIZE, (int)i, SIZE);
        assert_true(arena_size(arena) < i * SIZE * 5 / 4 + 3 * 4096); /* as the allocator rounds */
    }
    for (size_t i = 0; i < TIMES; i++)
        assert_int_equal(large[i * SIZE], i + 1);
    assert_null(arena_grow(arena, large, TIMES * SIZE, (TIMES + 2) * SIZE)); /* the limit */
    assert_int_equal(large[0], 1);

    uint8_t *neighbour = arena_alloc(arena, 16); /* now it is not the latest */
    assert_non_null(neighbour);
    memset(neighbour, 7, 16);
    assert_null(arena_grow(arena, large, TIMES * SIZE, TIMES * SIZE + 4096));
    assert_int_equal(neighbour[15], 7);
    arena_free(arena);
}

static void what_a_charged_arena_holds_is_its_accounts(void **state)
{
    Account one = {0}, other = {0};
    Arena *arena = arena_new(1 << 20);
    arena_charge(arena, &one, false);
    assert_non_null(arena_alloc(arena, 1000));
    assert_int_equal(account_held(&one), 0); /* the first block */
    assert_non_null(arena_alloc(arena, 100000));
    int64_t held = account_held(&one);
    assert_true(held >= 100000);
    arena_charge(arena, &other, true);
    assert_int_equal(account_held(&one), 0);
    assert_int_equal(account_held(&other), held);
    void *large = arena_alloc(arena, 200000);
    assert_non_null(arena_grow(arena, large, 200000, 300000));
    assert_true(account_held(&other) >= held + 300000);
    arena_reset(arena);
    assert_int_equal(account_held(&other), 0);
    assert_non_null(arena_alloc(arena, 100000));
    arena_free(arena);
    assert_int_equal(account_held(&other), 0);
    memory_settle();
    assert_int_equal(memory_total(), 0);
}

static void an_arena_grows_as_far_as_the_budget_grants_unless_it_is_firm(void **state)
{
    Account account = {0};
    Arena *arena = arena_new(64 << 20);
    memory_set_limit(1 << 20); /* three quarters are the share of a single client */
    arena_charge(arena, &account, false);
    assert_non_null(arena_alloc(arena, 700 << 10));
    assert_int_equal(arena_refusal(arena), MEMORY_GRANTED);
    memory_settle();
    assert_null(arena_alloc(arena, 100 << 10));
    assert_int_equal(arena_refusal(arena), MEMORY_OVER_SHARE);
    memory_add(MEMORY_CALLS, 1 << 20); /* others hold all */
    memory_settle();
    arena_charge(arena, NULL, false);
    assert_null(arena_alloc(arena, 1 << 20));
    assert_int_equal(arena_refusal(arena), MEMORY_OVER_LIMIT);
    memory_add(MEMORY_CALLS, -(1 << 20));
    arena_charge(arena, &account, true);
    assert_non_null(arena_alloc(arena, 1 << 20));
    memory_set_limit(UINT64_MAX);
    arena_free(arena);
    memory_settle();
    assert_int_equal(memory_total(), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_large_grows_without_leaving_a_copy),
        cmocka_unit_test(what_a_charged_arena_holds_is_its_accounts),
        cmocka_unit_test(an_arena_grows_as_far_as_the_budget_grants_unless_it_is_firm),
        cmocka_unit_test(memory_is_aligned_and_distinct),
        cmocka_unit_test(an_arena_at_its_limit_says_no_and_still_gives_an_error),
        cmocka_unit_test(errors_beside_the_spare_one_are_never_in_a_circle),
        cmocka_unit_test(the_latest_block_grows_in_place),
        cmocka_unit_test(a_reset_arena_starts_again_within_its_limit),
        cmocka_unit_test(a_size_that_overflows_is_refused),
        cmocka_unit_test(what_is_not_handed_out_is_out_of_bounds),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
