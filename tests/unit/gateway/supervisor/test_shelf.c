#include "tests/unit/check.h"

#include "base/arena.h"
#include "base/file/memory_file.h"
#include "gateway/supervisor/shelf.h"
#include "gateway/supervisor/supervised.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

static Shelf shelf;

static int file(void)
{
    return memory_file_make("x", bytes_of("x"));
}

static int socket_fd(void)
{
    return socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
}

static bool is_open(int fd)
{
    return fcntl(fd, F_GETFD) >= 0;
}

static int tear_down(void **state)
{
    while (shelf.n)
        shelf_drop(&shelf, bytes_of(shelf.entries[0].name));
    return 0;
}

static void what_is_dropped_is_closed_and_the_rest_stays(void **state)
{
    int a = file(), b = file(), c = file();
    assert_true(shelf_add(&shelf, bytes_of("one"), a));
    assert_true(shelf_add(&shelf, bytes_of("two"), b));
    assert_true(shelf_add(&shelf, bytes_of("one"), c));
    shelf_drop(&shelf, bytes_of("one"));
    assert_false(is_open(a));
    assert_true(is_open(b));
    assert_false(is_open(c));
    assert_int_equal(shelf.n, 1);
    assert_string_equal(shelf.entries[0].name, "two");
    shelf_drop(&shelf, bytes_of("three"));
    assert_int_equal(shelf.n, 1);
}

static void sockets_go_and_files_stay(void **state)
{
    int a = socket_fd(), b = file();
    shelf_add(&shelf, bytes_of("127.0.0.1:80"), a);
    shelf_add(&shelf, bytes_of("blob x"), b);
    shelf_drop_sockets(&shelf);
    assert_false(is_open(a));
    assert_true(is_open(b));
    assert_int_equal(shelf.n, 1);
}

static void what_does_not_fit_is_closed(void **state)
{
    int a = file();
    assert_false(shelf_add(&shelf, bytes_of("a\nkept 3 b"), a));
    assert_false(is_open(a));
    shelf.n = SHELF_SIZE;
    int b = file();
    assert_false(shelf_add(&shelf, bytes_of("b"), b));
    assert_false(is_open(b));
    shelf.n = 0;
}

static void its_lines_are_a_roll(void **state)
{
    Arena *arena = arena_new(ARENA_UNLIMITED);
    int a = file(), b = socket_fd(), out = memfd_create("out", MFD_CLOEXEC);
    shelf_add(&shelf, bytes_of("blob x"), a);
    shelf_add(&shelf, bytes_of("unix:/run/a b"), b);
    assert_true(shelf_write(&shelf, out));
    Bytes rest = memory_file_read(arena, out, 1000);
    RollLine line;
    assert_true(roll_next(&rest, &line));
    assert_int_equal(line.fd, a);
    assert_true(bytes_are(line.rest, "blob x"));
    assert_true(roll_next(&rest, &line));
    assert_int_equal(line.fd, b);
    assert_true(bytes_are(line.rest, "unix:/run/a b"));
    assert_false(roll_next(&rest, &line));
    close(out);
    arena_free(arena);
}

static void only_what_is_passed_on_survives_an_exec(void **state)
{
    int a = file();
    shelf_add(&shelf, bytes_of("a"), a);
    shelf_pass_on(&shelf, true);
    assert_int_equal(fcntl(a, F_GETFD), 0);
    shelf_pass_on(&shelf, false);
    assert_int_equal(fcntl(a, F_GETFD), FD_CLOEXEC);
}

static void a_gateway_is_told_of_in_a_line(void **state)
{
    Arena *arena = arena_new(ARENA_UNLIMITED);
    int out = memfd_create("out", MFD_CLOEXEC);
    Supervised child = {
        .role = ROLE_DRAINING, .pid = 77, .channel = -1, .crash = 9, .began = 5, .served = 6};
    Supervised read;
    assert_true(supervised_write(&child, out));
    child.channel = 8;
    child.role = ROLE_STARTING;
    assert_true(supervised_write(&child, out));
    Bytes rest = memory_file_read(arena, out, 1000);
    RollLine line;
    assert_true(roll_next(&rest, &line));
    assert_true(supervised_read(&line, &read));
    assert_int_equal(read.channel, -1);
    assert_int_equal(read.role, ROLE_DRAINING);
    assert_int_equal(read.pid, 77);
    assert_int_equal(read.crash, 9);
    assert_int_equal(read.began, 5);
    assert_int_equal(read.served, 6);
    assert_true(roll_next(&rest, &line));
    assert_true(supervised_read(&line, &read));
    assert_int_equal(read.channel, 8);
    assert_int_equal(read.role, ROLE_STARTING);
    static const char *const wrong[] = {"child 8",
                                        "kept 8 77 9 1 5 6",
                                        "child 8 1 9 1 5 6",
                                        "child 8 77 9 0 5 6",
                                        "child 8 77 9 5 5 6",
                                        "child 8 77 9 1 5",
                                        "child 8 77 9 1 5 6 7",
                                        "child 8 77 9 1 5 x"};
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        rest = bytes_of(wrong[i]);
        assert_true(roll_next(&rest, &line));
        assert_false(supervised_read(&line, &read));
    }
    close(out);
    arena_free(arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(what_is_dropped_is_closed_and_the_rest_stays, tear_down),
        cmocka_unit_test_teardown(sockets_go_and_files_stay, tear_down),
        cmocka_unit_test_teardown(what_does_not_fit_is_closed, tear_down),
        cmocka_unit_test_teardown(its_lines_are_a_roll, tear_down),
        cmocka_unit_test_teardown(only_what_is_passed_on_survives_an_exec, tear_down),
        cmocka_unit_test(a_gateway_is_told_of_in_a_line),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
