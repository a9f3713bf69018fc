#include "tests/unit/check.h"

#include "gateway/fleet/process_mark.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static Arena *arena;

static int setup(void **state)
{
    (void)state;
    arena = arena_new(ARENA_UNLIMITED);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    arena_free(arena);
    return 0;
}

static Bytes text(const char *mark)
{
    return bytes_of(mark);
}

/* The mark of another process, whose number and start are given, in the place of this one. */
static Bytes mark_of(Bytes own, long pid, const char *start)
{
    const char *whole = arena_text(arena, own);
    const char *space = strchr(whole, '.');
    const char *behind = strchr(space + 1, '.');
    return bytes_of(arena_printf(arena, "%.*s.%ld.%s", (int)(behind - whole), whole, pid, start));
}

/* A child that waits, and writes its own mark before. */
static pid_t start_child(Bytes *mark_out)
{
    int ends[2];
    char line[256];
    assert_int_equal(pipe(ends), 0);
    pid_t child = fork();
    if (child == 0) {
        Bytes mark = process_mark_own(arena);
        if (write(ends[1], mark.data, mark.size) < 0)
            _exit(1);
        for (;;)
            pause();
    }
    ssize_t n = read(ends[0], line, sizeof line);
    assert_true(n > 0);
    close(ends[0]);
    close(ends[1]);
    *mark_out = bytes_copy(arena, bytes(line, (size_t)n));
    return child;
}

static void a_process_lives_until_it_has_died(void **state)
{
    (void)state;
    Bytes own = process_mark_own(arena), mark;
    assert_int_equal(process_mark_life(own, own), PROCESS_LIVES);
    assert_int_equal(process_mark_pid(own), getpid());
    pid_t child = start_child(&mark);
    assert_int_equal(process_mark_pid(mark), child);
    assert_int_equal(process_mark_life(mark, own), PROCESS_LIVES);
    siginfo_t info;
    assert_int_equal(kill(child, SIGKILL), 0);
    assert_int_equal(waitid(P_PID, (id_t)child, &info, WEXITED | WNOWAIT), 0);
    assert_int_equal(process_mark_life(mark, own), PROCESS_GONE); /* nobody has waited for it */
    assert_int_equal(waitpid(child, NULL, 0), child);
    assert_int_equal(process_mark_life(mark, own), PROCESS_GONE);
    assert_false(process_mark_is_sibling(mark, own));
}

static void a_number_that_is_used_again_is_another_process(void **state)
{
    (void)state;
    Bytes own = process_mark_own(arena);
    assert_int_equal(process_mark_life(mark_of(own, getpid(), "1"), own), PROCESS_GONE);
}

static void of_other_places_nothing_is_known(void **state)
{
    (void)state;
    static const char *const others[] = {
        "", "x", "boot.space", "boot.pid:[1].1.1", "unknown.00.1.0", "....", "a.b.c.d",
    };
    Bytes own = process_mark_own(arena);
    for (size_t i = 0; i < sizeof others / sizeof *others; i++)
        assert_int_equal(process_mark_life(text(others[i]), own), PROCESS_UNSURE);
    assert_int_equal(process_mark_life(own, text("boot.space.1.1")), PROCESS_UNSURE);
    assert_int_equal(process_mark_pid(text("boot.pid:[1].4711.9")), 4711);
    assert_int_equal(process_mark_pid(text("boot.pid:[1]")), 0);
}

static void siblings_have_one_parent(void **state)
{
    (void)state;
    Bytes own = process_mark_own(arena), mark;
    pid_t child = start_child(&mark);
    assert_false(process_mark_is_sibling(mark, own));
    assert_true(process_mark_is_sibling(own, own));
    int status;
    pid_t other = fork();
    if (other == 0)
        _exit(process_mark_is_sibling(mark, process_mark_own(arena)) ? 7 : 1);
    assert_int_equal(waitpid(other, &status, 0), other);
    assert_int_equal(WEXITSTATUS(status), 7);
    kill(child, SIGKILL);
    assert_int_equal(waitpid(child, NULL, 0), child);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_process_lives_until_it_has_died, setup, teardown),
        cmocka_unit_test_setup_teardown(a_number_that_is_used_again_is_another_process, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(of_other_places_nothing_is_known, setup, teardown),
        cmocka_unit_test_setup_teardown(siblings_have_one_parent, setup, teardown),
    };
    return cmocka_run_group_tests_name("process_mark", tests, NULL, NULL);
}
