#include "tests/unit/check.h"

#include "gateway/profile/heap_dump.h"

#define HEAD "heap_v2/4096\n  t*: 3: 6000 [0: 0]\n  t0: 3: 6000 [0: 0]\n"

static Arena *arena;
static StackBook book;
static int64_t period;

static int set_up(void **state)
{
    arena = arena_new(ARENA_UNLIMITED);
    book = stack_book_in(arena);
    period = 0;
    return 0;
}

static int tear_down(void **state)
{
    arena_free(arena);
    return 0;
}

static Result read_text(const char *text)
{
    return heap_dump_read(arena, bytes_of(text), NULL, &book, &period);
}

static void a_dump_is_read(void **state)
{
    assert_ok(arena, read_text(HEAD "@ 0x1000 0x2000 0xFfee0011\n"
                                    "  t*: 1: 40960 [0: 0]\n"
                                    "  t0: 1: 40960 [0: 0]\n"
                                    "@ 0x3000\n"
                                    "  t*: 2: 8192 [0: 0]\n"
                                    "\nMAPPED_LIBRARIES:\nwhatever follows\n"));
    assert_int_equal(period, 4096);
    assert_int_equal(book.n, 2);
    assert_int_equal(book.first->n, 3);
    assert_int_equal(book.first->frames[0], 0xfff); /* within the call, not behind it */
    assert_int_equal(book.first->frames[2], 0xffee0010);
}

/* An object of ten periods is sampled nearly always, one of a period with 1 - 1/e, and one of a
   hundredth of it about once in a hundred times. */
static void each_sample_stands_for_those_that_were_not_sampled(void **state)
{
    assert_ok(arena, read_text(HEAD "@ 0x1\n  t*: 1: 40960 [0: 0]\n"
                                    "@ 0x2\n  t*: 2: 8192 [0: 0]\n"
                                    "@ 0x3\n  t*: 1: 41 [0: 0]\n"));
    const Stack *large = book.first, *middle = large->next, *small = middle->next;
    assert_int_equal(large->values[0], 1);
    assert_in_range(large->values[1], 40960, 40963);
    assert_int_equal(middle->values[0], 3);
    assert_in_range(middle->values[1], 12958, 12961);
    assert_in_range(small->values[0], 100, 101);
    assert_in_range(small->values[1], 4115, 4117);
}

static void what_was_freed_is_left_out(void **state)
{
    assert_ok(arena, read_text(HEAD "@ 0x1\n  t*: 0: 0 [0: 0]\n@ 0x2\n  t*: 1: 8 [0: 0]\n"));
    assert_int_equal(book.n, 1);
    assert_int_equal(book.first->frames[0], 1);
}

static void the_sums_of_all_stacks_are_no_stack(void **state)
{
    assert_ok(arena, read_text(HEAD));
    assert_int_equal(book.n, 0);
}

static bool is_allocator(uint64_t address)
{
    return address >= 0x1000 && address < 0x2000;
}

static void the_allocators_own_frames_are_left_out_where_they_are_innermost(void **state)
{
    const char *text = HEAD "@ 0x1001 0x1100 0x5000 0x1200 0x6000\n  t*: 1: 9 [0: 0]\n";
    assert_ok(arena, heap_dump_read(arena, bytes_of(text), is_allocator, &book, &period));
    assert_int_equal(book.first->n, 3);
    assert_int_equal(book.first->frames[0], 0x4fff);
    assert_int_equal(book.first->frames[1], 0x11ff);
}

static void another_text_is_refused_with_its_line(void **state)
{
    static const char *const texts[] = {
        "",
        "heap_v2/\n",
        "heap_v2/0\n",
        "heap_v2/1073741825\n",
        "heap profile: 1: 2 [3: 4] @ heap/4096\n",
        HEAD "@ 1000\n",
        HEAD "@ 0x\n",
        HEAD "@ 0x0\n",
        HEAD "@ 0x12345678901234567\n",
        HEAD "@ 0xg\n",
        HEAD "@ 0x1\n  t*: 1 9 [0: 0]\n",
        HEAD "@ 0x1\n  t*: 1: -9 [0: 0]\n",
        HEAD "@ 0x1\n  t*: 9223372036854775808: 9 [0: 0]\n",
        HEAD "something else\n",
    };
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        assert_fault(read_text(texts[i]), FAULT_INTERNAL);
    Result r = read_text(HEAD "@ 0xg\n");
    assert_non_null(strstr(error_text(arena, r), "line 4 of jemalloc's profile: \"@ 0xg\""));
}

static void the_limits_are_read(void **state)
{
    assert_ok(arena, read_text("heap_v2/1073741824\n"));
    assert_int_equal(period, 1 << 30);
    assert_ok(arena, read_text(HEAD "@ 0x1234567890123456\n  t*: 1: 9223372036854775807 [0: 0]\n"));
    assert_int_equal(book.n, 0); /* it stands for more than can be counted */
    assert_ok(arena, read_text(HEAD "@ 0xffffffffffffffff\n  t*: 1: 100 [0: 0]\n"));
    assert_true(book.first->frames[0] == 0xfffffffffffffffe);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_dump_is_read, set_up, tear_down),
        cmocka_unit_test_setup_teardown(each_sample_stands_for_those_that_were_not_sampled, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(what_was_freed_is_left_out, set_up, tear_down),
        cmocka_unit_test_setup_teardown(the_sums_of_all_stacks_are_no_stack, set_up, tear_down),
        cmocka_unit_test_setup_teardown(
            the_allocators_own_frames_are_left_out_where_they_are_innermost, set_up, tear_down),
        cmocka_unit_test_setup_teardown(another_text_is_refused_with_its_line, set_up, tear_down),
        cmocka_unit_test_setup_teardown(the_limits_are_read, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
