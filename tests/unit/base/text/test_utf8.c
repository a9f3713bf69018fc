#include "base/text/utf8.h"

#include "tests/unit/check.h"

static void every_character_is_written_and_found_valid(void **state)
{
    Arena *arena = arena_new(ARENA_UNLIMITED);
    Buffer all = buffer_in(arena);
    for (uint32_t c = 0; c <= 0x10ffff; c++) {
        all.size = 0;
        utf8_add_character(&all, c);
        assert_true(utf8_valid(buffer_bytes(&all)));
        assert_int_equal(
            all.size, c >= 0xd800 && c <= 0xdfff ? 3 : 1 + (c > 0x7f) + (c > 0x7ff) + (c > 0xffff));
    }
    arena_free(arena);
}

static void what_is_not_utf8_is_found_wherever_it_stands(void **state)
{
    static const char *const bad[] = {
        "\x80",
        "\xc0\xaf",
        "\xc1\xbf",
        "\xc3",
        "\xe0\x80\x80",
        "\xe0\x9f\xbf",
        "\xed\xa0\x80",
        "\xed\xbf\xbf",
        "\xe2\x82",
        "\xf0\x8f\xbf\xbf",
        "\xf4\x90\x80\x80",
        "\xf5\x80\x80\x80",
        "\xff",
        "\xf0\x9f\x98",
        "\xc3(",
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        for (size_t before = 0; before < 20; before++) {
            char text[32];
            memset(text, 'a', before);
            strcpy(text + before, bad[i]);
            assert_false(utf8_valid(bytes_of(text)));
            assert_int_equal(utf8_valid_prefix(bytes_of(text)), before);
            strcat(text, " tail");
            assert_int_equal(utf8_valid_prefix(bytes_of(text)), before);
        }
    }
}

static void repair_keeps_what_is_good(void **state)
{
    Arena *arena = arena_new(ARENA_UNLIMITED);
    Buffer out = buffer_in(arena);
    utf8_add_repaired(&out, bytes_of("gr\xc3\xbc\xc3\x9f"
                                     "e \xff\xc3 \xf0\x9f\x98\x80"));
    assert_bytes(buffer_bytes(&out), "gr\xc3\xbc\xc3\x9f"
                                     "e \xef\xbf\xbd\xef\xbf\xbd \xf0\x9f\x98\x80");
    arena_free(arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_character_is_written_and_found_valid),
        cmocka_unit_test(what_is_not_utf8_is_found_wherever_it_stands),
        cmocka_unit_test(repair_keeps_what_is_good),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
