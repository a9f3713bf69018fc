#include "gateway/rest/rest_alt.h"

#include "base/arena.h"
#include "tests/unit/check.h"

static Arena *arena;

static int begin(void **state)
{
    arena = arena_new(ARENA_UNLIMITED);
    return 0;
}

static int end(void **state)
{
    arena_free(arena);
    return 0;
}

static void a_form_is_json_or_proto(void **state)
{
    static const struct {
        const char *text;
        RestAlt alt; /* NONE: refused */
    } rows[] = {
        {"json", REST_ALT_JSON},
        {"proto", REST_ALT_PROTO},
        {"json;enum-encoding=int", REST_ALT_JSON_NUMBERS},
        {"json;enum-encoding=int;x", REST_ALT_NONE},
        {"json; enum-encoding=string", REST_ALT_JSON},
        {"json;", REST_ALT_NONE},
        {"JSON", REST_ALT_NONE},
        {"", REST_ALT_NONE},
        {";", REST_ALT_NONE},
        {"media", REST_ALT_NONE},
        {"json;enum-encoding=name", REST_ALT_NONE},
        {"proto;enum-encoding=int", REST_ALT_NONE},
        {"proto json", REST_ALT_NONE},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        RestAlt alt;
        Result r = rest_alt_read(bytes_of(rows[i].text), arena, &alt);
        if (failed(r) != (rows[i].alt == REST_ALT_NONE) || (!failed(r) && alt != rows[i].alt))
            fail_msg("$alt=%s", rows[i].text);
        error_ignore(r, "it was expected");
    }
}

static void a_refusal_names_the_part_that_is_wrong(void **state)
{
    static const char *const rows[][2] = {
        {"", "\"\" in $alt: there is json and proto"},
        {"media;x=y", "\"media\" in $alt: there is json and proto"},
        {"proto;enum-encoding=int",
         "\"enum-encoding=int\" in $alt: proto stands alone, since it has enums as numbers"},
        {"json;enum-encoding=int;x=y",
         "\"x=y\" in $alt: behind json there is enum-encoding=int and =string"},
        {"json;", "\"\" in $alt: behind json there is enum-encoding=int and =string"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        RestAlt alt;
        Result r = rest_alt_read(bytes_of(rows[i][0]), arena, &alt);
        assert_true(failed(r));
        assert_string_equal(r.error->doing, rows[i][1]);
    }
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)
    const struct CMUnitTest tests[] = {
        TEST(a_form_is_json_or_proto),
        TEST(a_refusal_names_the_part_that_is_wrong),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
