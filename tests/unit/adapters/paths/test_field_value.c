#include "adapters/paths/field_value.h"

#include "tests/unit/check.h"

static const Schema *kinds;
static Arena *arena;

static int load(void **state)
{
    arena = arena_new(ARENA_UNLIMITED);
    assert_ok(arena, schema_load_file(arena, SCHEMAS "kinds.binpb", &kinds));
    return 0;
}

static int unload(void **state)
{
    arena_free(arena);
    return 0;
}

static const FieldType *field(const char *name)
{
    const MessageType *type = schema_message(kinds, bytes_of("test.kinds.Kinds"));
    assert_non_null(type);
    const FieldType *found = message_field(type, bytes_of(name));
    assert_non_null(found);
    return found;
}

static void check(const char *name, WireField found, const char *expected)
{
    Buffer out = buffer_in(arena);
    field_value_add(&out, field(name), &found, 6);
    assert_bytes(buffer_bytes(&out), expected);
}

static WireField number(WireType type, uint64_t value)
{
    return (WireField){.type = type, .value = value};
}

static WireField text(const char *value)
{
    return (WireField){.type = WIRE_LENGTH, .bytes = bytes_of(value)};
}

static void integers_are_those_of_their_kinds(void **state)
{
    check("an_int32", number(WIRE_VARINT, UINT64_MAX), "-1");
    check("an_int32", number(WIRE_VARINT, UINT64_C(1) << 32 | 5), "5");
    check("a_uint32", number(WIRE_VARINT, UINT64_MAX), "4294967295");
    check("an_int64", number(WIRE_VARINT, UINT64_MAX), "-1");
    check("a_uint64", number(WIRE_VARINT, UINT64_MAX), "18446744073709551615");
    check("an_sint32", number(WIRE_VARINT, 3), "-2");
    check("an_sint64", number(WIRE_VARINT, UINT64_MAX), "-9223372036854775808");
    check("a_fixed32", number(WIRE_FIXED32, UINT32_MAX), "4294967295");
    check("an_sfixed32", number(WIRE_FIXED32, UINT32_MAX), "-1");
    check("a_fixed64", number(WIRE_FIXED64, UINT64_MAX), "18446744073709551615");
    check("an_sfixed64", number(WIRE_FIXED64, UINT64_MAX), "-1");
}

static void other_numbers_are_as_in_json(void **state)
{
    check("a_bool", number(WIRE_VARINT, 1), "true");
    check("a_bool", number(WIRE_VARINT, 0), "false");
    check("a_color", number(WIRE_VARINT, 2), "GREEN");
    check("a_color", number(WIRE_VARINT, (uint64_t)-3), "NEGATIVE");
    check("a_color", number(WIRE_VARINT, 77), "77");
    check("a_double", number(WIRE_FIXED64, UINT64_C(0x3ff8000000000000)), "1.5");
    check("a_double", number(WIRE_FIXED64, UINT64_C(0xfff0000000000000)), "-Infinity");
    check("a_float", number(WIRE_FIXED32, 0x3dcccccd), "0.1");
    check("a_float", number(WIRE_FIXED32, 0x7f800000), "Infinity");
    check("a_float", number(WIRE_FIXED32, 0x7fc00000), "NaN");
}

static void texts_and_bytes_are_cut(void **state)
{
    check("a_string", text("abcdef"), "abcdef");
    check("a_string", text("abcdefg"), "abcdef");
    check("a_string", text("abcde\xc3\xa7"), "abcde");
    check("a_bytes", text("abcdef"), "YWJjZGVm");
    check("a_bytes", text("abcdefg"), "YWJjZGVm");
}

static void a_value_of_another_kind_is_none(void **state)
{
    check("a_string", number(WIRE_VARINT, 7), "");
    check("an_int32", text("7"), "");
    check("an_int32", number(WIRE_FIXED32, 7), "");
    check("a_double", number(WIRE_FIXED32, 7), "");
}

static void what_has_one_value_has_a_text(void **state)
{
    assert_true(field_has_text(field("a_bytes")));
    assert_true(field_has_text(field("maybe")));
    assert_true(field_has_text(field("number")));
    assert_false(field_has_text(field("numbers")));
    assert_false(field_has_text(field("labels")));
    assert_false(field_has_text(field("child")));
    assert_false(field_has_text(field("time")));
}

static void a_field_is_found_by_its_path(void **state)
{
    const FieldType *const path[] = {field("child"), field("an_int32"), NULL};
    WireField found;
    assert_true(field_find(path, bytes("\xaa\x01\x04\x28\x07\x28\x08", 7), &found));
    assert_int_equal(found.value, 8);
    assert_true(field_find(path + 1, bytes("\x28\0", 2), &found));
    assert_false(field_find(path, bytes("\x28\x07", 2), &found));
    assert_false(field_find(path, bytes("\xaa\x01\0", 3), &found));
    assert_false(field_find(path, bytes("\xaa\x01\x02\x28", 4), &found));
    assert_false(field_find(path, BYTES_NONE, &found));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(integers_are_those_of_their_kinds),
        cmocka_unit_test(other_numbers_are_as_in_json),
        cmocka_unit_test(texts_and_bytes_are_cut),
        cmocka_unit_test(a_value_of_another_kind_is_none),
        cmocka_unit_test(what_has_one_value_has_a_text),
        cmocka_unit_test(a_field_is_found_by_its_path),
    };
    return cmocka_run_group_tests(tests, load, unload);
}
