#include "gateway/idempotency/idempotency_key.h"

#include "tests/unit/check.h"

enum { MOST = 16 };

static Result read_key(Arena *arena, const char *value, Bytes *key_out)
{
    Fields fields = fields_in(arena);
    fields_add(&fields, bytes_of("x-other"), bytes_of("\"no\""));
    if (value)
        fields_add(&fields, bytes_of("idempotency-key"), bytes_of(value));
    return idempotency_key_read(&fields, MOST, arena, key_out);
}

static void a_string_in_quotes_and_a_word_are_the_same_key(void **state)
{
    static const struct {
        const char *value, *key;
    } good[] = {
        {"\"8e03978e-40d5\"", "8e03978e-40d5"},
        {"8e03978e-40d5", "8e03978e-40d5"},
        {" \"a\" ", "a"},
        {"\"a b,;c\"", "a b,;c"},
        {"\"a\\\"b\\\\c\"", "a\"b\\c"},
        {"\"a\";p", "a"},
        {"\"a\" ; p=1", "a"},
        {"\" \"", " "},
        {"a/b+c=:~", "a/b+c=:~"},
        {"\"0123456789abcdef\"", "0123456789abcdef"}, /* as long as a key may be */
        {"0123456789abcdef", "0123456789abcdef"},
    };
    Arena *arena = arena_new(ARENA_UNLIMITED);
    for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
        Bytes key;
        assert_ok(arena, read_key(arena, good[i].value, &key));
        assert_bytes(key, good[i].key);
    }
    arena_free(arena);
}

static void anything_else_is_no_key(void **state)
{
    static const char *const bad[] = {
        "",
        " ",
        "\"\"",
        "\"",
        "\"a",
        "a\"",
        "a b",
        "a,b",
        "a;b",
        "a\\b",
        "\"a\"b",
        "\"a\";",
        "\"a\\b\"",
        "\"a\\",
        "\"a\\\"",
        "\"\x7f\"",
        "\"\t\"",
        "\xc3\xa9",
        "\"\xc3\xa9\"",
        "\"a\", \"b\"",
        "\"0123456789abcdefg\"",
        "0123456789abcdefg",
        "\"a\";\x01",
    };
    Arena *arena = arena_new(ARENA_UNLIMITED);
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        Bytes key;
        Result r = read_key(arena, bad[i], &key);
        if (!failed(r))
            fail_msg("%s is a key", bad[i]);
        assert_fault(r, FAULT_IDEMPOTENCY_KEY_MALFORMED);
        assert_null(key.data);
    }
    arena_free(arena);
}

static void without_the_field_there_is_none(void **state)
{
    Arena *arena = arena_new(ARENA_UNLIMITED);
    Bytes key;
    assert_ok(arena, read_key(arena, NULL, &key));
    assert_null(key.data);
    arena_free(arena);
}

static void two_fields_are_a_mistake_also_if_they_agree(void **state)
{
    Arena *arena = arena_new(ARENA_UNLIMITED);
    Fields fields = fields_in(arena);
    Bytes key;
    for (int i = 0; i < 2; i++)
        fields_add(&fields, bytes_of("idempotency-key"), bytes_of("a"));
    assert_fault(idempotency_key_read(&fields, MOST, arena, &key), FAULT_IDEMPOTENCY_KEY_MALFORMED);
    arena_free(arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_string_in_quotes_and_a_word_are_the_same_key),
        cmocka_unit_test(anything_else_is_no_key),
        cmocka_unit_test(without_the_field_there_is_none),
        cmocka_unit_test(two_fields_are_a_mistake_also_if_they_agree),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
