#include "adapters/schema/wire.h"

#include "tests/unit/check.h"

static void varints_are_read_as_they_are_written(void **state)
{
    const uint64_t numbers[] = {0, 1, 127, 128, 300, 1u << 31, UINT64_C(1) << 63, UINT64_MAX};
    for (size_t i = 0; i < sizeof(numbers) / sizeof(*numbers); i++) {
        uint8_t text[10];
        uint64_t back;
        const uint8_t *end = wire_put_varint(text, numbers[i]);
        assert_int_equal(end - text, wire_varint_size(numbers[i]));
        assert_ptr_equal(wire_varint(text, end, &back), end);
        assert_int_equal(back, numbers[i]);
        assert_null(wire_varint(text, end - 1, &back));
    }
}

static void an_eleventh_byte_of_a_varint_is_refused(void **state)
{
    const uint8_t text[] = {0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0};
    uint64_t number;
    assert_null(wire_varint(text, text + sizeof(text), &number));
}

static void zigzag_goes_both_ways(void **state)
{
    const int64_t numbers[] = {0, -1, 1, INT32_MIN, INT64_MIN, INT64_MAX};
    for (size_t i = 0; i < sizeof(numbers) / sizeof(*numbers); i++)
        assert_int_equal(wire_unzigzag(wire_zigzag(numbers[i])), numbers[i]);
    assert_int_equal(wire_zigzag(-2), 3);
}

static bool read_all(Bytes from, unsigned *n_out)
{
    WireReader reader = wire_reader(from);
    *n_out = 0;
    for (WireField f; wire_next(&reader, &f);)
        ++*n_out;
    return !reader.bad;
}

static void fields_of_every_wire_type_are_read(void **state)
{
    static const uint8_t text[] = {0x08, 5,   0x11, 1,    2,    3, 4,    5,    6, 7, 8, 0x1a,
                                   2,    'h', 'i',  0x23, 0x08, 1, 0x24, 0x2d, 1, 0, 0, 0};
    WireReader reader = wire_reader(bytes(text, sizeof(text)));
    WireField f;
    assert_true(wire_next(&reader, &f));
    assert_int_equal(f.value, 5);
    assert_true(wire_next(&reader, &f));
    assert_int_equal(f.value, 0x0807060504030201);
    assert_true(wire_next(&reader, &f));
    assert_bytes(f.bytes, "hi");
    assert_true(wire_next(&reader, &f));
    assert_int_equal(f.type, WIRE_GROUP);
    assert_int_equal(f.bytes.size, 2);
    assert_int_equal(f.record.size, 4);
    assert_true(wire_next(&reader, &f));
    assert_int_equal(f.value, 1);
    assert_false(wire_next(&reader, &f));
    assert_false(reader.bad);
}

static void a_message_cut_off_anywhere_inside_a_field_is_bad(void **state)
{
    static const uint8_t text[] = {0x1a, 3, 'a', 'b', 'c', 0x23, 0x0b, 0x0c, 0x24};
    unsigned n;
    for (size_t size = 1; size < sizeof(text); size++)
        assert_int_equal(read_all(bytes(text, size), &n), size == 5);
    assert_true(read_all(bytes(text, sizeof(text)), &n));
    assert_int_equal(n, 2);
}

static void field_zero_stray_ends_and_wrong_ends_are_bad(void **state)
{
    unsigned n;
    assert_false(read_all(bytes("\x00\x01", 2), &n));
    assert_false(read_all(bytes("\x0c", 1), &n));
    assert_false(read_all(bytes("\x0b\x14", 2), &n));
    assert_false(read_all(bytes("\x0e\x00", 2), &n));
}

static void groups_nested_without_end_are_refused(void **state)
{
    uint8_t text[4000];
    unsigned n;
    memset(text, 0x0b, 2000);
    memset(text + 2000, 0x0c, 2000);
    assert_false(read_all(bytes(text, sizeof(text)), &n));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(varints_are_read_as_they_are_written),
        cmocka_unit_test(an_eleventh_byte_of_a_varint_is_refused),
        cmocka_unit_test(zigzag_goes_both_ways),
        cmocka_unit_test(fields_of_every_wire_type_are_read),
        cmocka_unit_test(a_message_cut_off_anywhere_inside_a_field_is_bad),
        cmocka_unit_test(field_zero_stray_ends_and_wrong_ends_are_bad),
        cmocka_unit_test(groups_nested_without_end_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
