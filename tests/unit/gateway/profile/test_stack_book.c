#include "tests/unit/check.h"

#include "gateway/profile/stack_book.h"

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

static void add(StackBook *book, const uint64_t *frames, uint32_t n, const char *thread)
{
    stack_book_add(book, frames, n, thread, (int64_t[STACK_VALUES]){1, 10});
}

static void equal_stacks_of_a_thread_are_one(void **state)
{
    StackBook book = stack_book_in(arena);
    uint64_t frames[] = {1, 2, 3}, others[] = {1, 2, 4};
    add(&book, frames, 3, "loop 0");
    frames[0] = 9; /* it was copied */
    add(&book, (uint64_t[]){1, 2, 3}, 3, "loop 0");
    add(&book, others, 3, "loop 0");
    add(&book, (uint64_t[]){1, 2}, 2, "loop 0");
    assert_int_equal(book.n, 3);
    assert_int_equal(book.first->values[0], 2);
    assert_int_equal(book.first->values[1], 20);
    assert_int_equal(book.first->n, 3);
    assert_int_equal(book.first->frames[0], 1);
    assert_int_equal(book.first->next->values[0], 1);
    assert_int_equal(book.first->next->next->n, 2);
    assert_null(book.first->next->next->next);
}

static void equal_stacks_of_two_threads_are_two(void **state)
{
    StackBook book = stack_book_in(arena);
    add(&book, (uint64_t[]){1}, 1, "loop 0");
    add(&book, (uint64_t[]){1}, 1, "loop 1");
    add(&book, (uint64_t[]){1}, 1, NULL);
    assert_int_equal(book.n, 3);
    assert_string_equal(book.first->next->thread, "loop 1");
    assert_null(book.first->next->next->thread);
}

static void a_stack_may_have_no_frames(void **state)
{
    StackBook book = stack_book_in(arena);
    add(&book, NULL, 0, NULL);
    add(&book, NULL, 0, NULL);
    assert_int_equal(book.n, 1);
    assert_int_equal(book.first->values[0], 2);
}

static void a_count_ends_at_what_can_be_counted(void **state)
{
    StackBook book = stack_book_in(arena);
    for (int i = 0; i < 3; i++)
        stack_book_add(&book, NULL, 0, NULL, (int64_t[STACK_VALUES]){INT64_MAX / 2, 1});
    assert_true(book.first->values[0] == INT64_MAX);
    assert_int_equal(book.first->values[1], 3);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(equal_stacks_of_a_thread_are_one, set_up, tear_down),
        cmocka_unit_test_setup_teardown(equal_stacks_of_two_threads_are_two, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_stack_may_have_no_frames, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_count_ends_at_what_can_be_counted, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
