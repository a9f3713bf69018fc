#include "tests/unit/check.h"

#include "base/arena.h"
#include "base/file/file.h"

#include <fcntl.h>
#include <semaphore.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

static char folder[] = "/tmp/fileXXXXXX";
static char path[64];
static Arena *arena;

static void write_file(size_t size)
{
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    for (size_t i = 0; i < size; i++)
        fputc('a' + (int)(i % 26), file);
    assert_int_equal(fclose(file), 0);
}

static void assert_not_read(const char *name, size_t most, const char *why)
{
    Bytes content;
    Result r = file_read(arena, name, most, &content);
    assert_true(failed(r));
    assert_string_equal(r.error->fault->name, "NO_FILE");
    assert_string_equal(r.error->doing, why);
}

static int set_up_all(void **state)
{
    assert_non_null(mkdtemp(folder));
    snprintf(path, sizeof path, "%s/it", folder);
    return 0;
}

static int tear_down_all(void **state)
{
    return rmdir(folder);
}

static int set_up(void **state)
{
    arena = arena_new(ARENA_UNLIMITED);
    return 0;
}

static int tear_down(void **state)
{
    arena_free(arena);
    unlink(path);
    return 0;
}

static void a_file_of_any_size_is_read_whole(void **state)
{
    static const size_t sizes[] = {0, 1, 65535, 65536, 65537, 300000};
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        Bytes content;
        write_file(sizes[i]);
        assert_ok(arena, file_read(arena, path, SIZE_MAX, &content));
        assert_int_equal(content.size, sizes[i]);
        for (size_t k = 0; k < content.size; k++)
            assert_int_equal(content.data[k], 'a' + (int)(k % 26));
    }
}

static void a_file_may_have_as_many_bytes_as_are_allowed_and_no_more(void **state)
{
    Bytes content;
    write_file(1000);
    assert_ok(arena, file_read(arena, path, 1000, &content));
    assert_int_equal(content.size, 1000);
    assert_not_read(path, 999, arena_printf(arena, "read %s: it is larger than 999 bytes", path));
}

static void one_that_is_missing_is_named(void **state)
{
    assert_not_read("/nowhere/at/all", 10, "open /nowhere/at/all: No such file or directory");
}

static void what_is_no_file_is_refused_without_waiting(void **state)
{
    assert_not_read(folder, 10, arena_printf(arena, "open %s: it is a folder", folder));
    assert_not_read("/dev/zero", 10, "open /dev/zero: it is a device, not a file");
    assert_int_equal(mkfifo(path, 0600), 0);
    assert_not_read(path, 10, arena_printf(arena, "open %s: it is a FIFO, not a file", path));
    unlink(path);
    struct sockaddr_un name = {.sun_family = AF_UNIX};
    snprintf(name.sun_path, sizeof name.sun_path, "%s", path);
    int fd = socket(AF_UNIX, SOCK_STREAM, 0);
    assert_int_equal(bind(fd, (struct sockaddr *)&name, sizeof name), 0);
    assert_not_read(path, 10, arena_printf(arena, "open %s: it is a socket, not a file", path));
    close(fd);
}

static void an_arena_that_is_full_is_told(void **state)
{
    Arena *small = arena_new(10000);
    Bytes content;
    write_file(100000);
    Result r = file_read(small, path, SIZE_MAX, &content);
    assert_true(failed(r));
    assert_string_equal(r.error->fault->name, "OUT_OF_MEMORY");
    arena_free(small);
}

static void what_a_shell_has_opened_may_be_a_pipe(void **state)
{
    int ends[2];
    Bytes content;
    assert_int_equal(pipe(ends), 0);
    assert_int_equal(write(ends[1], "listen: []\n", 11), 11);
    close(ends[1]);
    assert_ok(arena, file_read(arena, arena_printf(arena, "/dev/fd/%d", ends[0]), 11, &content));
    assert_bytes(content, "listen: []\n");
    close(ends[0]);
}

static void only_what_is_no_regular_file_has_a_reason(void **state)
{
    write_file(1);
    assert_null(file_not_regular(path));
    assert_null(file_not_regular("/nowhere/at/all"));
    assert_string_equal(file_not_regular("/dev/null"), "it is a device, not a file");
}

/* ---- Notes ----------------------------------------------------------------------------------- */

static FileNote note;
static const char *pipe_path;

static void *read_pipe(void *argument)
{
    Bytes *content = argument;
    Arena *own = arena_new(ARENA_UNLIMITED);
    file_note_use(&note);
    bool read = !failed(file_read(own, pipe_path, 100, content));
    arena_free(own);
    return read ? content : NULL;
}

static void another_thread_is_told_what_a_thread_reads(void **state)
{
    int ends[2];
    pthread_t thread;
    Bytes content;
    void *told;
    assert_int_equal(pipe(ends), 0);
    pipe_path = arena_printf(arena, "/dev/fd/%d", ends[0]);
    file_note_init(&note);
    assert_null(file_note_read(&note, arena));
    assert_int_equal(pthread_create(&thread, NULL, read_pipe, &content), 0);
    const char *read;
    while (!(read = file_note_read(&note, arena)))
        usleep(1000);
    assert_string_equal(read, pipe_path);
    close(ends[1]); /* the end of the file */
    assert_int_equal(pthread_join(thread, &told), 0);
    assert_non_null(told);
    assert_null(file_note_read(&note, arena));
    file_note_deinit(&note);
    close(ends[0]);
}

static void what_is_read_by_other_means_is_noted_too(void **state)
{
    file_note_reading("nobody asks"); /* the thread has no note */
    file_note_init(&note);
    file_note_use(&note);
    file_note_reading("key.pem");
    assert_string_equal(file_note_read(&note, arena), "key.pem");
    file_note_reading(NULL);
    assert_null(file_note_read(&note, arena));
    file_note_use(NULL);
    file_note_deinit(&note);
}

/* What is left beside it would keep the folder from being removed in the end. */
static void a_file_is_replaced_whole_with_the_mode_that_it_is_to_have(void **state)
{
    struct stat like = {.st_mode = 0640, .st_uid = geteuid(), .st_gid = getegid()}, found;
    mode_t mask = umask(0);
    Bytes content;
    assert_ok(arena, file_replace(arena, path, bytes_of("one"), &like));
    assert_true(stat(path, &found) == 0 && (found.st_mode & 0777) == 0640);
    assert_ok(arena, file_replace(arena, path, bytes_of("another"), NULL));
    umask(mask);
    assert_true(stat(path, &found) == 0 && (found.st_mode & 0777) == 0644);
    assert_ok(arena, file_read(arena, path, 100, &content));
    assert_bytes(content, "another");
}

static void one_that_cannot_be_replaced_stays_as_it_is(void **state)
{
    assert_int_equal(mkdir(path, 0700), 0);
    Result r = file_replace(arena, path, bytes_of("one"), NULL);
    assert_int_equal(rmdir(path), 0);
    assert_true(failed(r));
    assert_string_equal(r.error->fault->name, "NO_FILE");
    assert_true(failed(file_replace(arena, "/none/at/all", bytes_of("one"), NULL)));
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(a_file_of_any_size_is_read_whole),
        TEST(a_file_may_have_as_many_bytes_as_are_allowed_and_no_more),
        TEST(one_that_is_missing_is_named),
        TEST(what_is_no_file_is_refused_without_waiting),
        TEST(an_arena_that_is_full_is_told),
        TEST(what_a_shell_has_opened_may_be_a_pipe),
        TEST(only_what_is_no_regular_file_has_a_reason),
        TEST(another_thread_is_told_what_a_thread_reads),
        TEST(what_is_read_by_other_means_is_noted_too),
        TEST(a_file_is_replaced_whole_with_the_mode_that_it_is_to_have),
        TEST(one_that_cannot_be_replaced_stays_as_it_is),
    };
    return cmocka_run_group_tests(tests, set_up_all, tear_down_all);
}
