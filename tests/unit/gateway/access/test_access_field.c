#include "tests/unit/check.h"

#include "adapters/schema/wire.h"
#include "base/arena.h"
#include "gateway/access/access.h"

/* message M { Part part = 1; Part other = 2; string name = 3; oneof one { string own = 4; string
   foreign = 5; } } message Part { string id = 1; }; and 7: a number. */
static OneofType one;
static const FieldType part = {.name = "part", .number = 1, .kind = KIND_MESSAGE},
                       part_id = {.name = "id", .number = 1, .kind = KIND_STRING},
                       name = {.name = "name", .number = 3, .kind = KIND_STRING},
                       own = {.name = "own", .number = 4, .kind = KIND_STRING, .oneof = &one},
                       foreign = {.name = "foreign", .number = 5, .kind = KIND_STRING};
static const FieldType *of_one[] = {&own, &foreign};

static const Claim claims[] = {{"teams", {(const uint8_t *)"red blue", 8}}};

static Identity ada_of(void)
{
    return (Identity){.name = bytes_of("ada"),
                      .tenant = bytes_of("north"),
                      .class = bytes_of("partner"),
                      .claims = claims,
                      .n_claims = 1};
}

static bool holds(AllowValue value, const char *text, const FieldType *const *path, Bytes request,
                  const Identity *identity)
{
    AllowField rule = {.value = value, .text = text};
    return access_field_holds(&rule, path, request, identity);
}

static void a_value_is_the_clients_or_a_text(void **state)
{
    const FieldType *const path[] = {&name, NULL};
    static const struct {
        AllowValue value;
        const char *text, *found;
        bool holds;
    } rows[] = {
        {ALLOW_CLIENT, NULL, "ada", true},
        {ALLOW_CLIENT, NULL, "Ada", false},
        {ALLOW_CLIENT, NULL, "ad", false},
        {ALLOW_CLIENT, NULL, "adam", false},
        {ALLOW_TENANT, NULL, "north", true},
        {ALLOW_TENANT, NULL, "ada", false},
        {ALLOW_CLASS, NULL, "partner", true},
        {ALLOW_CLASS, NULL, "north", false},
        {ALLOW_CLAIM, "teams", "red", true},
        {ALLOW_CLAIM, "teams", "blue", true},
        {ALLOW_CLAIM, "teams", "red blue", false},
        {ALLOW_CLAIM, "team", "red", false},
        {ALLOW_TEXT, "eu-*", "eu-1", true},
        {ALLOW_TEXT, "eu-*", "us-1", false},
        {ALLOW_TEXT, "eu", "eu", true},
        {ALLOW_TEXT, "*", "", false},
    };
    Identity ada = ada_of();
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        Arena *arena = arena_new(ARENA_UNLIMITED);
        Buffer request = buffer_in(arena);
        wire_add_bytes(&request, 3, bytes_of(rows[i].found));
        if (holds(rows[i].value, rows[i].text, path, buffer_bytes(&request), &ada) != rows[i].holds)
            fail_msg("row %zu", i);
        arena_free(arena);
    }
}

static void what_is_not_there_is_nobodys(void **state)
{
    const FieldType *const path[] = {&name, NULL};
    Identity ada = ada_of();
    assert_false(holds(ALLOW_CLIENT, NULL, path, BYTES_NONE, &ada));
    assert_false(holds(ALLOW_CLIENT, NULL, path, bytes("\x1a\x00", 2), &ada));
    assert_false(holds(ALLOW_CLIENT, NULL, path, BYTES_NONE, &identity_anonymous));
    assert_false(holds(ALLOW_CLIENT, NULL, path, bytes("\x1a\x00", 2), &identity_anonymous));
    assert_false(holds(ALLOW_TENANT, NULL, path, bytes("\x1a\x00", 2), &identity_anonymous));
}

#define ADA                                                                                        \
    "\x0a\x03"                                                                                     \
    "ada"
#define BOB                                                                                        \
    "\x0a\x03"                                                                                     \
    "bob"

static void whatever_is_there_several_times_must_have_the_value_each_time(void **state)
{
    const FieldType *const path[] = {&part, &part_id, NULL};
    Identity ada = ada_of();
    static const struct {
        const char *bytes;
        size_t size;
        bool holds;
    } rows[] = {
        {"\x0a\x05" ADA, 7, true},
        {"\x0a\x05" BOB, 7, false},
        {"\x0a\x0a" ADA ADA, 12, true},
        {"\x0a\x0a" ADA BOB, 12, false},
        {"\x0a\x0a" BOB ADA, 12, false},
        {"\x0a\x05" ADA "\x0a\x05" BOB, 14, false},
        {"\x0a\x05" BOB "\x0a\x05" ADA, 14, false},
        {"\x0a\x05" ADA "\x0a\x00", 9, true}, /* a message in two parts is one */
        {"\x12\x05" ADA, 7, false},           /* of the other field */
        {"\x0a\x05" ADA "\x12\x05" BOB, 14, true},
        {"\x0a\x05" ADA "\x08\x01", 9, false}, /* its number, of another type */
        {"\x0a\x05" ADA "\xff", 8, false},     /* broken */
        {"\x0a\x06" ADA, 7, false},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        if (holds(ALLOW_CLIENT, NULL, path, bytes(rows[i].bytes, rows[i].size), &ada) !=
            rows[i].holds)
            fail_msg("row %zu", i);
}

static void nothing_else_of_its_oneof_may_be_there(void **state)
{
    const FieldType *const path[] = {&own, NULL};
    Identity ada = ada_of();
    one = (OneofType){.name = "one", .fields = of_one, .n_fields = 2};
    assert_true(holds(ALLOW_CLIENT, NULL, path,
                      bytes("\x22\x03"
                            "ada",
                            5),
                      &ada));
    assert_false(holds(ALLOW_CLIENT, NULL, path,
                       bytes("\x22\x03"
                             "ada"
                             "\x2a\x01"
                             "x",
                             8),
                       &ada));
    assert_false(holds(ALLOW_CLIENT, NULL, path,
                       bytes("\x2a\x01"
                             "x"
                             "\x22\x03"
                             "ada",
                             8),
                       &ada));
}

/* Of the kind, in the bytes after the tag. */
static void a_number_is_what_readers_take_it_for(void **state)
{
    static const struct {
        FieldKind kind;
        const char *wire;
        size_t size;
        const char *text;
    } rows[] = {
        {KIND_INT64, "\x38\x05", 2, "5"},
        {KIND_INT64, "\x38\x00", 2, "0"},
        {KIND_INT64, "\x38\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01", 11, "-1"},
        {KIND_UINT64, "\x38\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01", 11, "18446744073709551615"},
        {KIND_INT32, "\x38\x85\x80\x80\x80\x10", 6, "5"}, /* 2^32 + 5 */
        {KIND_UINT32, "\x38\x85\x80\x80\x80\x10", 6, "5"},
        {KIND_INT64, "\x38\x85\x80\x80\x80\x10", 6, "4294967301"},
        {KIND_SINT32, "\x38\x03", 2, "-2"},
        {KIND_SINT64, "\x38\x04", 2, "2"},
        {KIND_FIXED32, "\x3d\xff\xff\xff\xff", 5, "4294967295"},
        {KIND_SFIXED32, "\x3d\xff\xff\xff\xff", 5, "-1"},
        {KIND_SFIXED64, "\x39\xff\xff\xff\xff\xff\xff\xff\xff", 9, "-1"},
        {KIND_FIXED64, "\x39\xff\xff\xff\xff\xff\xff\xff\xff", 9, "18446744073709551615"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        const FieldType number = {.name = "number", .number = 7, .kind = rows[i].kind};
        const FieldType *const path[] = {&number, NULL};
        Bytes request = bytes(rows[i].wire, rows[i].size);
        Identity it = {.name = bytes_of(rows[i].text)};
        if (!holds(ALLOW_CLIENT, NULL, path, request, &it))
            fail_msg("row %zu is not %s", i, rows[i].text);
        it.name = bytes_of("6");
        assert_false(holds(ALLOW_CLIENT, NULL, path, request, &it));
    }
    const FieldType number = {.name = "number", .number = 7, .kind = KIND_INT64};
    const FieldType *const path[] = {&number, NULL};
    Identity five = {.name = bytes_of("5")};
    assert_false(holds(ALLOW_CLIENT, NULL, path,
                       bytes("\x3a\x01"
                             "5",
                             3),
                       &five));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_value_is_the_clients_or_a_text),
        cmocka_unit_test(what_is_not_there_is_nobodys),
        cmocka_unit_test(whatever_is_there_several_times_must_have_the_value_each_time),
        cmocka_unit_test(nothing_else_of_its_oneof_may_be_there),
        cmocka_unit_test(a_number_is_what_readers_take_it_for),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
