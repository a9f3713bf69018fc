#include "base/file/log_file.h"

#include "tests/unit/check.h"

#include "base/arena.h"

#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <unistd.h>

static Arena *arena;
static char path[] = "/tmp/log_file.XXXXXX";
static LogTarget *target;

static int begin(void **state)
{
    int file = mkstemp(path);
    assert_true(file >= 0);
    close(file);
    arena = arena_new(ARENA_UNLIMITED);
    signal(SIGXFSZ, SIG_IGN);
    assert_ok(arena, log_file_open(arena, path, &target));
    return 0;
}

static int end(void **state)
{
    target->free(target);
    arena_free(arena);
    unlink(path);
    strcpy(path, "/tmp/log_file.XXXXXX");
    return 0;
}

/* The file cannot become larger, as on a full disk. */
static void limit(rlim_t size)
{
    struct rlimit limit;
    getrlimit(RLIMIT_FSIZE, &limit);
    limit.rlim_cur = size;
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
}

/* How many lines were lost. */
static uint64_t write_lines(const char *first, const char *second)
{
    struct iovec parts[2] = {{(void *)first, strlen(first)}, {(void *)second, strlen(second)}};
    return target->write(target, parts);
}

static const char *written(void)
{
    static char text[256];
    int file = open(path, O_RDONLY);
    ssize_t size = read(file, text, sizeof text - 1);
    close(file);
    text[size > 0 ? size : 0] = 0;
    return text;
}

static void lines_are_written_whole(void **state)
{
    assert_int_equal(write_lines("one\ntwo\n", "three\n"), 0);
    assert_string_equal(written(), "one\ntwo\nthree\n");
}

static void a_line_that_was_cut_off_is_lost_and_the_next_one_is_whole(void **state)
{
    limit(6);
    assert_int_equal(write_lines("one\ntwo\n", "three\n"), 2);
    assert_int_equal(write_lines("four\n", ""), 1);
    limit(RLIM_INFINITY);
    assert_int_equal(write_lines("five\n", ""), 0);
    assert_string_equal(written(), "one\ntw\nfive\n");
}

static void what_ends_with_a_line_is_not_torn(void **state)
{
    limit(8);
    assert_int_equal(write_lines("one\ntwo\n", "three\n"), 1);
    limit(RLIM_INFINITY);
    assert_int_equal(write_lines("four\n", ""), 0);
    assert_string_equal(written(), "one\ntwo\nfour\n");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(lines_are_written_whole, begin, end),
        cmocka_unit_test_setup_teardown(a_line_that_was_cut_off_is_lost_and_the_next_one_is_whole,
                                        begin, end),
        cmocka_unit_test_setup_teardown(what_ends_with_a_line_is_not_torn, begin, end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
