#include "tests/unit/check.h"

#include "base/clock.h"
#include "base/file/log_file.h"

#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

typedef struct Fixture {
    Arena *arena;
    char folder[32];
    const char *path;
} Fixture;

#define PATIENCE (20 * SECOND)

static int begin(void **state)
{
    Fixture *f = calloc(1, sizeof *f);
    f->arena = arena_new(ARENA_UNLIMITED);
    strcpy(f->folder, "/tmp/test_log.XXXXXX");
    if (!mkdtemp(f->folder))
        return -1;
    f->path = arena_printf(f->arena, "%s/log", f->folder);
    *state = f;
    return 0;
}

static int end(void **state)
{
    Fixture *f = *state;
    unlink(f->path);
    unlink(arena_printf(f->arena, "%s.old", f->path));
    rmdir(f->folder);
    arena_free(f->arena);
    free(f);
    return 0;
}

static Bytes read_whole(Fixture *f, const char *path)
{
    Buffer out = buffer_in(f->arena);
    char piece[4096];
    int file = open(path, O_RDONLY);
    assert_true(file >= 0);
    for (ssize_t n; (n = read(file, piece, sizeof piece)) > 0;)
        buffer_add(&out, piece, (size_t)n);
    close(file);
    return buffer_bytes(&out);
}

static Log *start_log(Fixture *f, const char *path)
{
    LogTarget *target;
    Log *log;
    assert_ok(f->arena, log_file_open(f->arena, path, &target));
    assert_ok(f->arena, log_start(f->arena, target, &log));
    return log;
}

static Log *open_log(Fixture *f)
{
    return start_log(f, f->path);
}

static void open_again(Fixture *f, Log *log)
{
    LogTarget *target;
    assert_ok(f->arena, log_file_open(f->arena, f->path, &target));
    log_direct(log, target);
}

static void what_was_said_before_the_end_is_in_the_file(void **state)
{
    Fixture *f = *state;
    Log *log = open_log(f);
    LogRing *ring = log_ring(log, 4096);
    assert_true(log_write(ring, bytes_of("one")));
    assert_true(log_write(ring, bytes_of("two")));
    assert_true(log_close(log, PATIENCE));
    assert_bytes(read_whole(f, f->path), "one\ntwo\n");
}

static void a_line_that_crosses_the_rings_end_stays_whole(void **state)
{
    Fixture *f = *state;
    Log *log = open_log(f);
    LogRing *ring = log_ring(log, 16);
    Buffer expected = buffer_in(f->arena);
    for (int i = 0; i < 200; i++) {
        const char *line = arena_printf(f->arena, "line %d", i);
        while (!log_write(ring, bytes_of(line)))
            usleep(100);
        buffer_printf(&expected, "%s\n", line);
    }
    assert_true(log_close(log, PATIENCE));
    assert_true(bytes_equal(read_whole(f, f->path), buffer_bytes(&expected)));
}

/* To wait for its reader would be to do nothing, in silence. */
static void a_fifo_that_nobody_reads_is_refused(void **state)
{
    Fixture *f = *state;
    LogTarget *none;
    assert_int_equal(mkfifo(f->path, 0600), 0);
    Result r = log_file_open(f->arena, f->path, &none);
    assert_fault(r, FAULT_NO_FILE);
    assert_non_null(strstr(error_text(f->arena, r), "nobody reads"));
}

/* The reader of the pipe sleeps: the writer is stuck, the ring fills, and the producer goes on. */
static void a_full_ring_drops_and_counts(void **state)
{
    Fixture *f = *state;
    assert_int_equal(mkfifo(f->path, 0600), 0);
    int reader = open(f->path, O_RDONLY | O_NONBLOCK);
    assert_int_not_equal(fcntl(reader, F_SETPIPE_SZ, 4096), -1);
    Log *log = open_log(f);
    LogRing *ring = log_ring(log, 1024);
    char line[100];
    memset(line, 'x', sizeof line);
    int written = 0, dropped = 0;
    while (dropped < 100) {
        if (log_write(ring, bytes(line, sizeof line)))
            written++;
        else
            dropped++;
        usleep(100);
    }
    assert_true(written >= 1024 / 101);
    assert_int_equal(log_dropped(log), dropped);

    /* Once the reader wakes up all that was taken comes out. */
    int out = 0;
    fcntl(reader, F_SETFL, 0);
    char piece[101];
    for (; out < written; out++) {
        size_t size = 0;
        while (size < sizeof piece) {
            ssize_t n = read(reader, piece + size, sizeof piece - size);
            assert_true(n > 0);
            size += (size_t)n;
        }
        assert_int_equal(piece[100], '\n');
    }
    assert_true(log_close(log, PATIENCE));
    close(reader);
}

static void a_line_larger_than_the_ring_is_dropped(void **state)
{
    Fixture *f = *state;
    Log *log = open_log(f);
    LogRing *ring = log_ring(log, 8);
    assert_false(log_write(ring, bytes_of("12345678")));
    assert_true(log_write(ring, bytes_of("1234567")));
    assert_int_equal(log_dropped(log), 1);
    assert_true(log_close(log, PATIENCE));
    assert_bytes(read_whole(f, f->path), "1234567\n");
}

static void after_a_rotation_lines_go_to_the_new_file(void **state)
{
    Fixture *f = *state;
    const char *old = arena_printf(f->arena, "%s.old", f->path);
    Log *log = open_log(f);
    LogRing *ring = log_ring(log, 4096);
    log_write(ring, bytes_of("before"));
    while (read_whole(f, f->path).size == 0)
        usleep(1000);
    assert_int_equal(rename(f->path, old), 0);
    open_again(f, log);
    usleep(20000);
    log_write(ring, bytes_of("after"));
    assert_true(log_close(log, PATIENCE));
    assert_bytes(read_whole(f, old), "before\n");
    assert_bytes(read_whole(f, f->path), "after\n");
}

static void a_file_that_cannot_be_opened_is_an_error(void **state)
{
    Fixture *f = *state;
    LogTarget *none = NULL;
    assert_fault(log_file_open(f->arena, "/nonexistent/log", &none), FAULT_NO_FILE);
    assert_null(none);
}

static void of_two_targets_the_later_one_is_used(void **state)
{
    Fixture *f = *state;
    Log *log = open_log(f);
    open_again(f, log);
    open_again(f, log);
    assert_true(log_write_shared(log, bytes_of("still here")));
    log_count_failure(log);
    assert_int_equal(log_failed(log), 1);
    assert_true(log_close(log, PATIENCE));
    assert_bytes(read_whole(f, f->path), "still here\n");
}

static void whether_a_file_could_be_opened_is_known_without_creating_it(void **state)
{
    char folder[16], path[32], missing[48], beneath_file[48];
    Arena *arena = arena_new(ARENA_UNLIMITED);
    snprintf(folder, sizeof folder, "/tmp/logXXXXXX");
    assert_non_null(mkdtemp(folder));
    snprintf(path, sizeof path, "%s/log", folder);
    snprintf(missing, sizeof missing, "%s/none/log", folder);
    snprintf(beneath_file, sizeof beneath_file, "%s/log", path);
    assert_ok(arena, log_file_check(arena, "-"));
    assert_ok(arena, log_file_check(arena, path));
    assert_int_equal(access(path, F_OK), -1); /* not created */
    assert_ok(arena, log_file_check(arena, "log-in-this-folder"));
    assert_fault(log_file_check(arena, missing), FAULT_NO_FILE);
    Result r = log_file_check(arena, folder);
    assert_fault(r, FAULT_NO_FILE);
    assert_non_null(strstr(r.error->doing, "Is a directory"));
    close(open(path, O_CREAT | O_WRONLY, 0600));
    assert_ok(arena, log_file_check(arena, path));
    assert_fault(log_file_check(arena, beneath_file), FAULT_NO_FILE);
    if (geteuid() != 0) { /* root may write everywhere */
        assert_int_equal(chmod(path, 0400), 0);
        assert_fault(log_file_check(arena, path), FAULT_NO_FILE);
        unlink(path);
        assert_int_equal(chmod(folder, 0500), 0);
        assert_fault(log_file_check(arena, path), FAULT_NO_FILE);
    }
    unlink(path);
    rmdir(folder);
    arena_free(arena);
}

static void lines_that_the_file_refuses_are_counted(void **state)
{
    Fixture *f = *state;
    Log *log = start_log(f, "/dev/full");
    LogRing *ring = log_ring(log, 4096);
    log_write(ring, bytes_of("one"));
    log_write(ring, bytes_of("two"));
    while (log_failed(log) < 2)
        usleep(1000);
    assert_int_equal(log_failed(log), 2);
    assert_true(log_close(log, PATIENCE));
}

typedef struct Producer {
    Log *log;
    int number;
} Producer;

enum { PRODUCERS = 4, LINES = 5000 };

/* A FIFO whose reader does not read. */
static void a_file_that_takes_no_lines_does_not_hold_up_the_end(void **state)
{
    Fixture *f = *state;
    assert_int_equal(mkfifo(f->path, 0600), 0);
    int reader = open(f->path, O_RDONLY | O_NONBLOCK);
    Log *log = open_log(f);
    LogRing *ring = log_ring(log, 1 << 20);
    char line[1000];
    memset(line, 'x', sizeof line);
    for (int i = 0; i < 200; i++) /* more than a FIFO holds */
        assert_true(log_write(ring, bytes(line, sizeof line)));
    assert_false(log_close(log, 50 * MILLISECOND));
    close(reader); /* the writer gets EPIPE, and ends */
}

static void *produce(void *argument)
{
    Producer *producer = argument;
    LogRing *ring = log_ring(producer->log, 1 << 12);
    for (int i = 0; i < LINES; i++) {
        char line[64];
        int size = snprintf(line, sizeof line, "%d %d", producer->number, i);
        while (!log_write(ring, bytes(line, (size_t)size)))
            usleep(50);
        if (i % 100 == 0)
            log_write_shared(producer->log, bytes_of("shared"));
    }
    return NULL;
}

static void many_threads_write_whole_lines_each_in_its_order(void **state)
{
    Fixture *f = *state;
    Producer producers[PRODUCERS];
    pthread_t threads[PRODUCERS];
    Log *log = open_log(f);
    for (int i = 0; i < PRODUCERS; i++) {
        producers[i] = (Producer){log, i};
        assert_int_equal(pthread_create(&threads[i], NULL, produce, &producers[i]), 0);
    }
    for (int i = 0; i < PRODUCERS; i++)
        pthread_join(threads[i], NULL);
    assert_true(log_close(log, PATIENCE));

    int next[PRODUCERS] = {0}, shared = 0;
    Bytes text = read_whole(f, f->path), line;
    while (bytes_split(&text, '\n', &line) && line.size) {
        if (bytes_are(line, "shared")) {
            shared++;
            continue;
        }
        int number, i;
        assert_int_equal(sscanf((const char *)arena_text(f->arena, line), "%d %d", &number, &i), 2);
        assert_in_range(number, 0, PRODUCERS - 1);
        assert_int_equal(i, next[number]++);
    }
    for (int i = 0; i < PRODUCERS; i++)
        assert_int_equal(next[i], LINES);
    assert_int_equal(shared, PRODUCERS * LINES / 100);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)

/* To stderr, which is a file here. */
static void without_a_file_lines_are_counted_until_there_is_one(void **state)
{
    Fixture *f = *state;
    Log *log;
    const char *errors = arena_printf(f->arena, "%s.old", f->path);
    int before = dup(STDERR_FILENO), file = open(errors, O_WRONLY | O_CREAT | O_TRUNC, 0600);
    dup2(file, STDERR_FILENO);
    log = start_log(f, NULL);
    assert_true(log_write_shared(log, bytes_of("one")));
    assert_true(log_write_shared(log, bytes_of("two")));
    while (log_failed(log) < 2)
        usleep(1000);
    open_again(f, log);
    while (access(f->path, F_OK) != 0 || read_whole(f, f->path).size == 0) {
        log_write_shared(log, bytes_of("three"));
        usleep(1000);
    }
    uint64_t failed = log_failed(log);
    assert_true(log_close(log, PATIENCE));
    dup2(before, STDERR_FILENO); /* it was not closed */
    close(before);
    close(file);
    assert_true(bytes_start_with(read_whole(f, errors), "one\ntwo\n"));
    assert_true(bytes_start_with(read_whole(f, f->path), "three\n"));
    assert_true(failed >= 2);
}

/* ---- Who else gets the lines ----------------------------------------------------------------- */

typedef struct Tapped {
    Arena *arena;
    Buffer lines;
} Tapped;

/* On the writer's thread; read when it has ended, or nobody gets lines any more. */
static void tap(void *owner, const struct iovec parts[2])
{
    Tapped *tapped = owner;
    for (int i = 0; i < 2; i++)
        buffer_add(&tapped->lines, parts[i].iov_base, parts[i].iov_len);
}

static void who_taps_the_log_gets_all_lines_from_then_on_until_it_has_enough(void **state)
{
    Fixture *f = *state;
    Log *log = open_log(f);
    Tapped tapped = {.lines = buffer_in(f->arena)};
    LogRing *ring = log_ring(log, 16); /* lines begin at its end, and end at its start */
    log_tap(log, tap, &tapped);
    log_write_shared(log, bytes_of("one"));
    for (int i = 0; i < 3; i++)
        while (!log_write(ring, bytes_of("0123456")))
            ;
    log_tap(log, NULL, NULL);
    log_write_shared(log, bytes_of("none"));
    assert_true(log_close(log, PATIENCE));
    assert_int_equal(tapped.lines.size, strlen("one\n") + 3 * strlen("0123456\n"));
    assert_null(memmem(tapped.lines.data, tapped.lines.size, "none", 4));
    assert_non_null(memmem(tapped.lines.data, tapped.lines.size, "0123456\n", 8));
    assert_bytes(bytes_slice(read_whole(f, f->path), tapped.lines.size, SIZE_MAX), "none\n");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(what_was_said_before_the_end_is_in_the_file),
        TEST(a_line_that_crosses_the_rings_end_stays_whole),
        TEST(a_fifo_that_nobody_reads_is_refused),
        TEST(a_full_ring_drops_and_counts),
        TEST(a_line_larger_than_the_ring_is_dropped),
        TEST(after_a_rotation_lines_go_to_the_new_file),
        TEST(a_file_that_cannot_be_opened_is_an_error),
        TEST(of_two_targets_the_later_one_is_used),
        TEST(lines_that_the_file_refuses_are_counted),
        TEST(a_file_that_takes_no_lines_does_not_hold_up_the_end),
        cmocka_unit_test_setup_teardown(without_a_file_lines_are_counted_until_there_is_one, begin,
                                        end),
        cmocka_unit_test(whether_a_file_could_be_opened_is_known_without_creating_it),
        TEST(many_threads_write_whole_lines_each_in_its_order),
        TEST(who_taps_the_log_gets_all_lines_from_then_on_until_it_has_enough),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
