#include "tests/unit/check.h"

#include "base/arena.h"
#include "gateway/instances/ejection_text.h"

#include <stdio.h>

#define NOW (1000 * SECOND)

static Arena *arena;
static KnownInstance *one, *other;

static KnownInstance *known_at(const char *address)
{
    Instance instance = {.address = {.text = address, .host = "10.0.0.1", .port = 7001}};
    return known_instance_of(&instance);
}

static int begin(void **state)
{
    arena = arena_new(ARENA_UNLIMITED);
    one = known_at("10.0.0.1:7001");
    other = known_at("unix:/run/with a space");
    return 0;
}

static int end(void **state)
{
    known_instance_unref(one);
    known_instance_unref(other);
    arena_free(arena);
    return 0;
}

/* As a new process: all that was known is gone. */
static void forget(void)
{
    end(NULL);
    begin(NULL);
}

static const char *written(void)
{
    Buffer out = buffer_in(arena);
    ejections_write(&out);
    return arena_text(arena, buffer_bytes(&out));
}

static uint32_t read(const char *text)
{
    return ejections_read(bytes_of(text), NOW);
}

static void what_is_written_is_read_again(void **state)
{
    assert_string_equal(written(), "");
    one->judged.ejected_at = NOW - SECOND;
    one->judged.until = NOW + 30 * SECOND;
    one->judged.times = 3;
    one->judged.reason = OUTLIER_FAILURES;
    other->unhealthy = CHECK_LATE;
    known_instance_warm_up(other, NOW - 5 * SECOND);
    char text[256];
    snprintf(text, sizeof text, "%s", written());
    forget();
    assert_int_equal(read(text), 2);
    assert_int_equal(one->barred, BAR_EJECTED);
    assert_true(one->judged.until == NOW + 30 * SECOND && one->judged.inherited);
    assert_int_equal(one->judged.times, 3);
    assert_int_equal(one->judged.reason, OUTLIER_FAILURES);
    assert_int_equal(other->barred, 0);
    assert_int_equal(other->unhealthy, CHECK_LATE);
    assert_true(other->check_row.unhealthy);
    assert_int_equal(known_instance_share(other, 10 * SECOND, NOW), SHARE_WHOLE / 2);
    const char *again = written();
    assert_true(strlen(again) == strlen(text));
}

static void an_ejection_whose_time_is_over_is_not_one_but_counts_for_the_next(void **state)
{
    assert_int_equal(read("1 1000000000000 0 2 1 0 0 10.0.0.1:7001\n"), 1);
    assert_int_equal(one->barred, 0);
    assert_false(judged_is_ejected(&one->judged));
    assert_int_equal(one->judged.times, 2);
    assert_true(one->judged.returned_at == NOW);
}

static void lines_that_are_wrong_or_of_others_are_left_out(void **state)
{
    static const char *const lines[] = {
        "",
        "\n\n",
        "1 2",
        "x 1000000000001 0 1 1 0 0 10.0.0.1:7001",
        "1 1000000000001 0 1 1 0 0 10.0.0.2:7001",
        "1 1000000000001 0 1 1 0 0 ",
        "1 1000000000001 0 1 1 0 0",
        "1 1000000000001 0 0 1 0 0 10.0.0.1:7001",  /* ejected no time */
        "1 1000000000001 0 65 1 0 0 10.0.0.1:7001", /* more often than anything can be */
        "1 1000000000001 0 1 0 0 0 10.0.0.1:7001",  /* for no reason */
        "1 1000000000001 0 1 5 0 0 10.0.0.1:7001",  /* an unknown one */
        "1 1000000000001 0 1 1 4 0 10.0.0.1:7001",
        "1 1000000000001 0 1 1 -1 0 10.0.0.1:7001",
        "1 87400000000001 0 1 1 0 0 10.0.0.1:7001",            /* for more than a day */
        "1000000000001 1000000000002 0 1 1 0 0 10.0.0.1:7001", /* of the future */
        "1 1000000000001 1000000000001 1 1 0 0 10.0.0.1:7001",
        "1 1000000000001 0 1 1 0 1000000000001 10.0.0.1:7001",
        "1 -1 0 1 1 0 0 10.0.0.1:7001",
    };
    for (size_t i = 0; i < sizeof lines / sizeof *lines; i++)
        assert_int_equal(read(lines[i]), 0);
    assert_int_equal(one->barred, 0);
    assert_int_equal(read("1 1000000000001 0 1 4 0 0 10.0.0.1:7001"), 1); /* silent */
    assert_int_equal(read("nonsense\n1 1000000000001 0 1 1 0 0 10.0.0.1:7001\n"), 1);
    assert_int_equal(one->barred, BAR_EJECTED);
    forget();
    assert_int_equal(read("1 87400000000000 0 64 3 3 1000000000000 10.0.0.1:7001"), 1);
}

#define text_test(f) cmocka_unit_test_setup_teardown(f, begin, end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        text_test(what_is_written_is_read_again),
        text_test(an_ejection_whose_time_is_over_is_not_one_but_counts_for_the_next),
        text_test(lines_that_are_wrong_or_of_others_are_left_out),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
