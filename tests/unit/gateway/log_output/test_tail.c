#include "tests/unit/check.h"

#include "gateway/log_output/tail.h"

static Arena *arena;
static int woken;

static int begin(void **state)
{
    arena = arena_new(ARENA_UNLIMITED);
    woken = 0;
    return 0;
}

static int end(void **state)
{
    arena_free(arena);
    return 0;
}

static void wake(void *owner)
{
    ++*(int *)owner;
}

static TailReader *open_with(const char *query)
{
    LogFilter filter;
    assert_ok(arena, log_filter_read(bytes_of(query), arena, &filter));
    return tail_open(&filter, wake, &woken);
}

static void tell(const char *line)
{
    LogView view;
    assert_true(log_view_read(bytes_of(line), arena, &view));
    tail_tell(&view);
}

static Bytes take(TailReader *reader)
{
    Buffer out = buffer_in(arena);
    bool any = tail_take(reader, &out);
    assert_int_equal(any, out.size > 0);
    return buffer_bytes(&out);
}

static void a_reader_gets_the_lines_that_it_wants(void **state)
{
    tell("{\"service\":\"early\"}");
    assert_false(tail_is_read());
    TailReader *reader = open_with("service=orders");
    assert_true(tail_is_read());
    tell("{\"service\":\"orders\"}");
    tell("{\"service\":\"sites\"}");
    tell("{\"service\":\"orders\",\"n\":2}");
    assert_bytes(take(reader), "{\"service\":\"orders\"}\n{\"service\":\"orders\",\"n\":2}\n");
    assert_int_equal(take(reader).size, 0);
    tail_close(reader);
    assert_false(tail_is_read());
}

static void a_reader_is_woken_once_until_it_has_taken_all(void **state)
{
    TailReader *reader = open_with("");
    tail_wake();
    assert_int_equal(woken, 0);
    tell("{}");
    tail_wake();
    assert_int_equal(woken, 1);
    tell("{}");
    tail_wake();
    assert_int_equal(woken, 1);
    assert_bytes(take(reader), "{}\n{}\n");
    tell("{}");
    tail_wake();
    assert_int_equal(woken, 1); /* it has got something: it asks again by itself */
    assert_bytes(take(reader), "{}\n");
    assert_int_equal(take(reader).size, 0);
    tell("{}");
    tail_wake();
    assert_int_equal(woken, 2);
    tail_close(reader);
}

/* Both sides of the queue's end. */
static void what_has_no_room_is_lost_and_told_where_it_is_missing(void **state)
{
    TailReader *reader = open_with("");
    uint64_t before = tail_lost();
    Buffer line = buffer_in(arena);
    buffer_add_text(&line, "{\"x\":\"");
    while (line.size < TAIL_QUEUE - 3) /* with its end of line it fills the queue */
        buffer_add_byte(&line, 'x');
    buffer_add_text(&line, "\"}");
    const char *full = arena_text(arena, buffer_bytes(&line));
    tell(full);
    assert_int_equal(take(reader).size, TAIL_QUEUE);
    assert_int_equal(tail_lost(), before);

    tell("{}");
    tell(full);
    tell("{}"); /* has room, but would come before what is missing */
    assert_bytes(take(reader), "{}\n{\"log\":\"tail\",\"lost\":2}\n");
    assert_int_equal(tail_lost(), before + 2);
    tell("{\"a\":1}");
    assert_bytes(take(reader), "{\"a\":1}\n");
    tail_close(reader);
}

static void a_line_that_is_too_long_for_a_queue_is_told(void **state)
{
    TailReader *reader = open_with("");
    Buffer line = buffer_in(arena);
    buffer_add_text(&line, "{\"x\":\"");
    while (line.size < TAIL_QUEUE)
        buffer_add_byte(&line, 'x');
    buffer_add_text(&line, "\"}");
    tell(arena_text(arena, buffer_bytes(&line)));
    tail_wake();
    assert_int_equal(woken, 1);
    assert_bytes(take(reader), "{\"log\":\"tail\",\"lost\":1}\n");
    tail_close(reader);
}

static void there_are_at_most_so_many_readers(void **state)
{
    TailReader *readers[TAIL_READERS];
    for (int i = 0; i < TAIL_READERS; i++)
        assert_non_null(readers[i] = open_with(""));
    assert_null(open_with(""));
    assert_int_equal(tail_readers(), TAIL_READERS);
    tail_close(readers[3]);
    assert_non_null(readers[3] = open_with(""));
    tell("{}");
    for (int i = 0; i < TAIL_READERS; i++) {
        assert_bytes(take(readers[i]), "{}\n");
        tail_close(readers[i]);
    }
    assert_int_equal(tail_readers(), 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_reader_gets_the_lines_that_it_wants),
        TEST(a_reader_is_woken_once_until_it_has_taken_all),
        TEST(what_has_no_room_is_lost_and_told_where_it_is_missing),
        TEST(a_line_that_is_too_long_for_a_queue_is_told),
        TEST(there_are_at_most_so_many_readers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
