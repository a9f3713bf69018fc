#include "tests/unit/check.h"

#include "gateway/process/crash_report.h"

static void the_place_is_that_of_the_frame_behind_the_signal(void **state)
{
    CrashText text = crash_text(bytes_of(
        "signal 11 at address 0x10, thread 7\n"
        "/usr/bin/passerelle(on_crash+0x23)[0x5581]\n"
        "/lib/x86_64-linux-gnu/libc.so.6(+0x3c050)[0x7f2f]\n"
        "/usr/bin/passerelle(exchange_run+0x12)[0x5582]\n"
        "/usr/bin/passerelle(loop_run+0x9)[0x5583]\n"
        "end process 7 was ended by signal 11 (Segmentation fault) after serving for 4.200 s\n"));
    assert_true(bytes_are(text.place, "passerelle(exchange_run+0x12)"));
    assert_true(bytes_are(
        text.end,
        "process 7 was ended by signal 11 (Segmentation fault) after serving for 4.200 s"));
    assert_true(bytes_start_with(text.backtrace, "/usr/bin/passerelle(on_crash+0x23)"));
    assert_true(bytes_end_with(text.backtrace, "(loop_run+0x9)[0x5583]"));
}

static void a_process_that_was_killed_has_an_end_only(void **state)
{
    CrashText text = crash_text(bytes_of("end process 7 was ended by signal 9 (Killed)\n"));
    assert_true(bytes_are(text.end, "process 7 was ended by signal 9 (Killed)"));
    assert_int_equal(text.backtrace.size, 0);
    assert_int_equal(text.place.size, 0);
    assert_false(text.hung);
}

static void a_process_that_hung_is_known_with_and_without_a_backtrace(void **state)
{
    CrashText text = crash_text(bytes_of("hung process 7 was ended by the supervisor\n"));
    assert_true(text.hung);
    assert_true(bytes_are(text.end, "process 7 was ended by the supervisor"));
    text = crash_text(bytes_of("signal 6 sent by process 1, thread 7\na/b(+0x1)[1]\nhung x\n"));
    assert_true(text.hung);
    assert_true(bytes_are(text.end, "x"));
    assert_true(bytes_are(text.backtrace, "a/b(+0x1)[1]"));
}

static void without_a_frame_of_libc_the_first_one_is_the_place(void **state)
{
    CrashText text = crash_text(bytes_of("signal 4\na/b(+0x1)[1]\nc(+0x2)[2]\nend x\n"));
    assert_true(bytes_are(text.place, "b(+0x1)"));
    text = crash_text(bytes_of("signal 4\nlibc.so.6(+0x1)[1]\nend x"));
    assert_true(bytes_are(text.place, "libc.so.6(+0x1)"));
}

static void a_text_that_was_cut_off_is_read_as_far_as_it_goes(void **state)
{
    static const char whole[] = "signal 11, thread 7\n/a(b+0x1)[1]\n\n/libc.so.6(c)[2]\nend x\n";
    for (size_t size = 0; size < sizeof whole; size++) {
        CrashText text = crash_text(bytes(whole, size));
        assert_true(text.backtrace.size <= size && text.end.size <= size &&
                    text.place.size <= size);
    }
    assert_int_equal(crash_text(BYTES_NONE).end.size, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_place_is_that_of_the_frame_behind_the_signal),
        cmocka_unit_test(a_process_that_was_killed_has_an_end_only),
        cmocka_unit_test(a_process_that_hung_is_known_with_and_without_a_backtrace),
        cmocka_unit_test(without_a_frame_of_libc_the_first_one_is_the_place),
        cmocka_unit_test(a_text_that_was_cut_off_is_read_as_far_as_it_goes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
