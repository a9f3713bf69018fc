#include "base/text/percent.h"

#include "tests/unit/check.h"

static Arena *arena;

static Bytes encoded(const char *text, PercentKeep keep)
{
    Buffer out = buffer_in(arena);
    percent_encode(&out, bytes_of(text), keep);
    return buffer_bytes(&out);
}

static Bytes decoded(const char *text, PercentLeave leave)
{
    Buffer out = buffer_in(arena);
    assert_true(percent_decode(&out, bytes_of(text), leave));
    return buffer_bytes(&out);
}

static void each_place_keeps_its_own_characters(void **state)
{
    assert_bytes(encoded("a b/c-_.~%+\xc3\xbc", PERCENT_KEEP_UNRESERVED),
                 "a%20b%2Fc-_.~%25%2B%C3%BC");
    assert_bytes(encoded("a b/c", PERCENT_KEEP_PATH), "a%20b/c");
    assert_bytes(encoded("not found: \"x\" 100%\n\x7f", PERCENT_KEEP_VISIBLE),
                 "not found: \"x\" 100%25%0A%7F");
}

static void escapes_are_decoded_but_for_those_that_are_to_be_left(void **state)
{
    assert_bytes(decoded("a%20b%2fc%3A+", PERCENT_LEAVE_NOTHING), "a b/c:+");
    assert_bytes(decoded("a%20b%2fc%3A+", PERCENT_LEAVE_SLASH), "a b%2fc:+");
    assert_bytes(decoded("a%20b%2fc%3A+%41", PERCENT_LEAVE_RESERVED), "a b%2fc%3A+A");
    assert_bytes(decoded("a+b%2Bc", PERCENT_PLUS_IS_SPACE), "a b+c");
    assert_int_equal(decoded("%00", PERCENT_LEAVE_RESERVED).size, 1);
}

static void a_bad_escape_is_refused_or_where_asked_left_alone(void **state)
{
    static const char *const bad[] = {"%", "%4", "%4g", "%g4", "a%", "100%!"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        Buffer out = buffer_in(arena);
        assert_false(percent_decode(&out, bytes_of(bad[i]), PERCENT_LEAVE_NOTHING));
        out.size = 0;
        percent_decode_leniently(&out, bytes_of(bad[i]));
        assert_bytes(buffer_bytes(&out), bad[i]);
    }
    Buffer out = buffer_in(arena);
    percent_decode_leniently(&out, bytes_of("50%25 of%20 %zz"));
    assert_bytes(buffer_bytes(&out), "50% of  %zz");
}

static void a_normal_form_keeps_what_must_be_escaped(void **state)
{
    Buffer out = buffer_in(arena);
    assert_true(percent_normalize(&out, bytes_of("%41%7e-%2d%2f%c3%bc%25%32%65+%00")));
    assert_bytes(buffer_bytes(&out), "A~--%2F%C3%BC%252e+%00");
    assert_false(percent_normalize(&out, bytes_of("a%4")));
    assert_int_equal(percent_byte(bytes_of("%2Fx")), '/');
    assert_int_equal(percent_byte(bytes_of("%2")), -1);
    assert_int_equal(percent_byte(bytes_of("x2F")), -1);
}

int main(void)
{
    arena = arena_new(1 << 20);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_place_keeps_its_own_characters),
        cmocka_unit_test(escapes_are_decoded_but_for_those_that_are_to_be_left),
        cmocka_unit_test(a_bad_escape_is_refused_or_where_asked_left_alone),
        cmocka_unit_test(a_normal_form_keeps_what_must_be_escaped),
    };
    int failures = cmocka_run_group_tests(tests, NULL, NULL);
    arena_free(arena);
    return failures;
}
