#include "tests/unit/check.h"

#include "gateway/handover/channel.h"

#include <sys/stat.h>
#include <unistd.h>

static int ends[2];
static Notice got;

static int set_up(void **state)
{
    assert_true(channel_open(ends));
    return 0;
}

static int tear_down(void **state)
{
    close(ends[0]);
    close(ends[1]);
    return 0;
}

static void a_message_arrives_whole_with_its_descriptors(void **state)
{
    int pipes[2];
    char byte = 0;
    assert_int_equal(pipe(pipes), 0);
    assert_true(channel_send(ends[0], NOTICE_KEEP, bytes_of("127.0.0.1:80"), pipes, 2));
    assert_true(channel_send(ends[0], NOTICE_SERVING, BYTES_NONE, NULL, 0));
    assert_int_equal(channel_receive(ends[1], &got), CHANNEL_NOTICE);
    assert_int_equal(got.kind, NOTICE_KEEP);
    assert_true(bytes_are(got.text, "127.0.0.1:80"));
    assert_int_equal(got.n_fds, 2);
    assert_int_equal(write(got.fds[1], "x", 1), 1);
    assert_int_equal(read(pipes[0], &byte, 1), 1);
    assert_int_equal(byte, 'x');
    notice_close(&got);
    assert_int_equal(channel_receive(ends[1], &got), CHANNEL_NOTICE);
    assert_int_equal(got.kind, NOTICE_SERVING);
    assert_int_equal(got.text.size, 0);
    assert_int_equal(got.n_fds, 0);
    assert_int_equal(channel_receive(ends[1], &got), CHANNEL_EMPTY);
    close(pipes[0]);
    close(pipes[1]);
}

static void as_many_descriptors_as_fit_arrive_and_no_more_are_sent(void **state)
{
    int fds[CHANNEL_FDS + 1];
    for (int i = 0; i < CHANNEL_FDS + 1; i++)
        fds[i] = STDERR_FILENO;
    assert_false(channel_send(ends[0], NOTICE_KEEP, bytes_of("a"), fds, CHANNEL_FDS + 1));
    assert_true(channel_send(ends[0], NOTICE_KEEP, bytes_of("a"), fds, CHANNEL_FDS));
    assert_int_equal(channel_receive(ends[1], &got), CHANNEL_NOTICE);
    assert_int_equal(got.n_fds, CHANNEL_FDS);
    struct stat info;
    int first = got.fds[0], last = got.fds[CHANNEL_FDS - 1];
    assert_int_equal(fstat(last, &info), 0);
    notice_close(&got);
    assert_int_equal(fstat(first, &info), -1);
    assert_int_equal(fstat(last, &info), -1);
}

static void a_text_that_is_too_long_is_cut(void **state)
{
    static uint8_t text[CHANNEL_TEXT + 1];
    memset(text, 'a', sizeof text);
    assert_true(channel_send(ends[0], NOTICE_FAILED, bytes(text, CHANNEL_TEXT), NULL, 0));
    assert_int_equal(channel_receive(ends[1], &got), CHANNEL_NOTICE);
    assert_int_equal(got.text.size, CHANNEL_TEXT);
    assert_true(channel_send(ends[0], NOTICE_FAILED, bytes(text, sizeof text), NULL, 0));
    assert_int_equal(channel_receive(ends[1], &got), CHANNEL_NOTICE);
    assert_int_equal(got.text.size, CHANNEL_TEXT);
}

static void what_is_no_message_is_passed_over(void **state)
{
    assert_int_equal(write(ends[0], "?", 1), 1);
    assert_int_equal(write(ends[0], "f\0b", 3), 3);
    assert_true(channel_send(ends[0], NOTICE_GO, BYTES_NONE, NULL, 0));
    assert_int_equal(channel_receive(ends[1], &got), CHANNEL_NOTICE);
    assert_int_equal(got.kind, NOTICE_GO);
}

static void the_end_of_the_other_side_is_seen(void **state)
{
    int other[2];
    assert_true(channel_open(other));
    close(other[0]);
    assert_int_equal(channel_receive(other[1], &got), CHANNEL_CLOSED);
    assert_false(channel_send(other[1], NOTICE_GO, BYTES_NONE, NULL, 0));
    close(other[1]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_message_arrives_whole_with_its_descriptors, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(as_many_descriptors_as_fit_arrive_and_no_more_are_sent,
                                        set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_text_that_is_too_long_is_cut, set_up, tear_down),
        cmocka_unit_test_setup_teardown(what_is_no_message_is_passed_over, set_up, tear_down),
        cmocka_unit_test_setup_teardown(the_end_of_the_other_side_is_seen, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
