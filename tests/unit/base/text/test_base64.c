#include "base/text/base64.h"

#include "tests/unit/check.h"

static Arena *arena;

static Bytes encoded(const char *from, Base64Alphabet alphabet, bool padded)
{
    Buffer out = buffer_in(arena);
    base64_encode(&out, bytes_of(from), alphabet, padded);
    return buffer_bytes(&out);
}

static bool decodes(const char *text, Bytes *out)
{
    Buffer buffer = buffer_in(arena);
    bool good = base64_decode(&buffer, bytes_of(text));
    *out = buffer_bytes(&buffer);
    return good;
}

static void the_vectors_of_rfc_4648_hold_both_ways(void **state)
{
    static const char *const vectors[][2] = {
        {"", ""},
        {"f", "Zg=="},
        {"fo", "Zm8="},
        {"foo", "Zm9v"},
        {"foob", "Zm9vYg=="},
        {"fooba", "Zm9vYmE="},
        {"foobar", "Zm9vYmFy"},
    };
    for (size_t i = 0; i < 7; i++) {
        Bytes back;
        assert_bytes(encoded(vectors[i][0], BASE64_STANDARD, true), vectors[i][1]);
        assert_true(decodes(vectors[i][1], &back));
        assert_bytes(back, vectors[i][0]);
    }
}

static void padding_may_be_left_out(void **state)
{
    Bytes back;
    assert_bytes(encoded("fooba", BASE64_STANDARD, false), "Zm9vYmE");
    assert_true(decodes("Zm9vYmE", &back));
    assert_bytes(back, "fooba");
    assert_true(decodes("Zg", &back));
    assert_bytes(back, "f");
}

static void both_alphabets_are_read(void **state)
{
    Bytes back;
    assert_bytes(encoded("\xfb\xff\xbf", BASE64_STANDARD, true), "+/+/");
    assert_bytes(encoded("\xfb\xff\xbf", BASE64_URL, true), "-_-_");
    assert_true(decodes("-_-_", &back));
    assert_bytes(back, "\xfb\xff\xbf");
    assert_true(decodes("-_", &back));
    assert_bytes(back, "\xfb");
}

static void what_is_not_base64_is_refused(void **state)
{
    static const char *const bad[] = {"Z",     "Zg=",   "Zg===",  "Z===",     "=",    "==",
                                      "Zm9v=", "Zm 9v", "Zm9v\n", "Zg==Zg==", "Zm9!", "Zm8=="};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        Bytes back;
        assert_false(decodes(bad[i], &back));
        assert_int_equal(back.size, 0);
    }
}

int main(void)
{
    arena = arena_new(1 << 20);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_vectors_of_rfc_4648_hold_both_ways),
        cmocka_unit_test(padding_may_be_left_out),
        cmocka_unit_test(both_alphabets_are_read),
        cmocka_unit_test(what_is_not_base64_is_refused),
    };
    int failures = cmocka_run_group_tests(tests, NULL, NULL);
    arena_free(arena);
    return failures;
}
