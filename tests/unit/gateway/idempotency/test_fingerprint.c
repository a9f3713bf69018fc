#include "gateway/idempotency/fingerprint.h"

#include "adapters/schema/wire.h"
#include "tests/unit/check.h"

enum { DEPTH = 20 };

static Arena *arena;
static const MessageType *kinds, *old /* proto2 */;

static int load(void **state)
{
    const Schema *schema;
    arena = arena_new(ARENA_UNLIMITED);
    assert_ok(arena, schema_load_file(arena, SCHEMAS "kinds.binpb", &schema));
    kinds = schema_message(schema, bytes_of("test.kinds.Kinds"));
    assert_non_null(kinds);
    assert_ok(arena, schema_load_file(arena, SCHEMAS "old.binpb", &schema));
    old = schema_message(schema, bytes_of("test.old.Old"));
    assert_non_null(old);
    return 0;
}

static int unload(void **state)
{
    arena_free(arena);
    return 0;
}

/* ---- Messages as they could come: a list of fields, in this order
 * --------------------------------- */

typedef struct Part {
    uint32_t number;
    uint64_t value;
    const char *text; /* NULL: a number */
    size_t size;      /* 0: that of the text */
    WireType type;    /* of a number */
} Part;

#define NUMBER(n, v)                                                                               \
    {                                                                                              \
        .number = (n), .value = (v), .type = WIRE_VARINT                                           \
    }
#define TEXT(n, t)                                                                                 \
    {                                                                                              \
        .number = (n), .text = (t), .size = sizeof(t) - 1                                          \
    }

static Bytes message_of(const Part *parts, size_t n)
{
    Buffer out = buffer_in(arena);
    for (size_t i = 0; i < n; i++)
        if (parts[i].text)
            wire_add_bytes(&out, parts[i].number, bytes(parts[i].text, parts[i].size));
        else
            wire_add_number(&out, parts[i].number, parts[i].value);
    return bytes_copy(arena, buffer_bytes(&out));
}

static Bytes spelled(const MessageType *type, Bytes message)
{
    Buffer out = buffer_in(arena);
    assert_ok(arena, fingerprint_spell(type, message, DEPTH, arena, &out));
    return bytes_copy(arena, buffer_bytes(&out));
}

static void compare(const MessageType *type, Bytes a, Bytes b, bool same, const char *what)
{
    if (bytes_equal(spelled(type, a), spelled(type, b)) != same)
        fail_msg("%s", what);
}

#define MESSAGE(...)                                                                               \
    message_of((const Part[]){__VA_ARGS__}, sizeof((const Part[]){__VA_ARGS__}) / sizeof(Part))
#define SAME_OF(type, a, b) compare(type, a, b, true, #a " and " #b " differ")
#define DIFFER_OF(type, a, b) compare(type, a, b, false, #a " and " #b " are the same")
#define SAME(a, b) SAME_OF(kinds, a, b)
#define DIFFER(a, b) DIFFER_OF(kinds, a, b)

static void the_order_of_fields_does_not_matter(void **state)
{
    SAME(MESSAGE(NUMBER(3, 1), TEXT(9, "a"), NUMBER(8, 1)),
         MESSAGE(NUMBER(8, 1), NUMBER(3, 1), TEXT(9, "a")));
    DIFFER(MESSAGE(TEXT(32, "a"), TEXT(32, "b")), MESSAGE(TEXT(32, "b"), TEXT(32, "a")));
}

static void of_a_field_that_is_there_twice_the_last_one_counts(void **state)
{
    SAME(MESSAGE(NUMBER(3, 1), NUMBER(3, 2)), MESSAGE(NUMBER(3, 2)));
    SAME(MESSAGE(TEXT(9, "a"), TEXT(9, "b")), MESSAGE(TEXT(9, "b")));
    SAME(MESSAGE(NUMBER(3, 1), NUMBER(3, 0)), MESSAGE(NUMBER(5, 0)));
}

static void what_a_field_has_when_it_is_absent_is_left_out(void **state)
{
    SAME(MESSAGE(NUMBER(3, 0), NUMBER(8, 0), TEXT(9, ""), TEXT(12, "")), BYTES_NONE);
    DIFFER(MESSAGE(NUMBER(20, 0)), BYTES_NONE); /* it is optional: zero is something */
    DIFFER(MESSAGE(TEXT(21, "")), BYTES_NONE);  /* a message is there, or is not */
    DIFFER(MESSAGE(TEXT(22, "")), BYTES_NONE);  /* of a oneof */
    DIFFER(MESSAGE(NUMBER(3, 1)), BYTES_NONE);
    DIFFER(MESSAGE(NUMBER(3, 1)), MESSAGE(NUMBER(3, 2)));
    DIFFER(MESSAGE(NUMBER(3, 1)), MESSAGE(NUMBER(4, 1)));
}

static void a_list_of_numbers_is_the_same_packed_and_loose(void **state)
{
    SAME(MESSAGE(NUMBER(30, 1), NUMBER(30, 2), NUMBER(30, 3)), MESSAGE(TEXT(30, "\1\2\3")));
    SAME(MESSAGE(NUMBER(30, 1), TEXT(30, "\2\3")), MESSAGE(TEXT(30, "\1\2\3")));
    SAME(MESSAGE(TEXT(31, "\1\2")), MESSAGE(NUMBER(31, 1), NUMBER(31, 2)));
    SAME(MESSAGE(TEXT(30, "")), BYTES_NONE);
    DIFFER(MESSAGE(TEXT(30, "\1\2")), MESSAGE(TEXT(30, "\2\1")));
    DIFFER(MESSAGE(TEXT(30, "\0")), BYTES_NONE); /* a list of one zero */
    SAME(MESSAGE(TEXT(36, "\1\0\0\0")), MESSAGE(TEXT(36, ""), TEXT(36, "\1\0\0\0")));
}

static void numbers_are_what_their_kind_makes_of_them(void **state)
{
    SAME(MESSAGE(NUMBER(8, 1)), MESSAGE(NUMBER(8, 77)));                      /* bool */
    SAME(MESSAGE(NUMBER(5, 1)), MESSAGE(NUMBER(5, UINT64_C(0x100000001))));   /* int32 */
    SAME(MESSAGE(NUMBER(5, UINT64_MAX)), MESSAGE(NUMBER(5, UINT32_MAX)));     /* -1 */
    SAME(MESSAGE(NUMBER(13, 1)), MESSAGE(NUMBER(13, UINT64_C(0x100000001)))); /* uint32 */
    DIFFER(MESSAGE(NUMBER(3, 1)), MESSAGE(NUMBER(3, UINT64_C(0x100000001)))); /* int64 */
}

static void of_a_oneof_the_last_member_counts(void **state)
{
    SAME(MESSAGE(TEXT(22, "a"), NUMBER(23, 1)), MESSAGE(NUMBER(23, 1)));
    SAME(MESSAGE(NUMBER(23, 1), TEXT(22, "a")), MESSAGE(TEXT(22, "a")));
    DIFFER(MESSAGE(TEXT(22, "a"), NUMBER(23, 1)), MESSAGE(NUMBER(23, 1), TEXT(22, "a")));
    /* What a message had before another member came is lost. */
    SAME(MESSAGE(TEXT(24, "\x18\1"), NUMBER(23, 1), TEXT(24, "\x28\2")),
         MESSAGE(TEXT(24, "\x28\2")));
    SAME(MESSAGE(TEXT(24, "\x18\1"), TEXT(24, "\x28\2")), MESSAGE(TEXT(24, "\x18\1\x28\2")));
}

static void messages_within_are_spelled_too_and_joined_where_they_are_no_list(void **state)
{
    SAME(MESSAGE(TEXT(21, "\x28\2\x18\1")), MESSAGE(TEXT(21, "\x18\1"), TEXT(21, "\x28\2")));
    SAME(MESSAGE(TEXT(34, "\x28\2\x18\1")), MESSAGE(TEXT(34, "\x18\1\x28\2")));
    DIFFER(MESSAGE(TEXT(34, "\x18\1"), TEXT(34, "\x28\2")), MESSAGE(TEXT(34, "\x18\1\x28\2")));
}

static void maps_are_the_same_in_any_order_and_the_last_of_equal_keys_counts(void **state)
{
    SAME(MESSAGE(TEXT(40, "\x0a\1a\x12\1x"), TEXT(40, "\x0a\1b\x12\1y")),
         MESSAGE(TEXT(40, "\x0a\1b\x12\1y"), TEXT(40, "\x12\1x\x0a\1a")));
    SAME(MESSAGE(TEXT(40, "\x0a\1a\x12\1x"), TEXT(40, "\x0a\1a\x12\1y")),
         MESSAGE(TEXT(40, "\x0a\1a\x12\1y")));
    SAME(MESSAGE(TEXT(40, "\x0a\0\x12\1x")), MESSAGE(TEXT(40, "\x12\1x")));
    DIFFER(MESSAGE(TEXT(40, "\x0a\1a\x12\1x")), MESSAGE(TEXT(40, "\x0a\1b\x12\1x")));
    DIFFER(MESSAGE(TEXT(40, "\x0a\1a\x12\1x")), MESSAGE(TEXT(40, "\x0a\1a\x12\1y")));
    SAME(MESSAGE(TEXT(41, "\x08\1\x12\2\x18\1"), TEXT(41, "\x08\2\x12\0")),
         MESSAGE(TEXT(41, "\x08\2\x12\0"), TEXT(41, "\x08\1\x12\2\x18\1")));
}

static void an_absent_key_or_value_of_a_map_is_the_zero_one(void **state)
{
    SAME(MESSAGE(TEXT(40, "\x0a\0\x12\0")), MESSAGE(TEXT(40, "")));
    SAME(MESSAGE(TEXT(41, "\x08\1\x12\0")), MESSAGE(TEXT(41, "\x08\1")));
    DIFFER(MESSAGE(TEXT(41, "\x08\1\x12\2\x18\1")), MESSAGE(TEXT(41, "\x08\1")));
    /* Also in proto2, where every field tells whether it is there. */
    SAME_OF(old, MESSAGE(TEXT(10, "\x0a\0\x10\0")), MESSAGE(TEXT(10, "")));
    SAME_OF(old, MESSAGE(TEXT(10, "\x0a\0\x10\1")), MESSAGE(TEXT(10, "\x10\1")));
    DIFFER_OF(old, MESSAGE(TEXT(10, "\x10\1")), MESSAGE(TEXT(10, "")));
    DIFFER_OF(old, MESSAGE(NUMBER(2, 0)), BYTES_NONE);
}

static void an_item_of_a_message_set_is_the_extension_that_it_names(void **state)
{
    static const char item[] = "\x0b\x10\xe8\7\x1a\3\x0a\1t\x0c";
    SAME_OF(old, MESSAGE(TEXT(11, item)), MESSAGE(TEXT(11, "\x0b\x1a\3\x0a\1t\x10\xe8\7\x0c")));
    SAME_OF(old, MESSAGE(TEXT(11, item)), /* what else is in the item is nothing */
            MESSAGE(TEXT(11, "\x0b\x10\xe8\7\x1a\3\x0a\1t\x0a\1u\x0c")));
    SAME_OF(old, MESSAGE(TEXT(11, item)), MESSAGE(TEXT(11, "\xc2\x3e\3\x0a\1t")));
    DIFFER_OF(old, MESSAGE(TEXT(11, item)), MESSAGE(TEXT(11, "\x0b\x10\xe8\7\x1a\3\x0a\1u\x0c")));
    DIFFER_OF(old, MESSAGE(TEXT(11, item)), /* an extension that nobody knows */
              MESSAGE(TEXT(11, "\x0b\x10\xe9\7\x1a\3\x0a\1t\x0c")));
}

static void of_an_any_the_message_is_spelled_where_its_type_is_known(void **state)
{
#define ANY(type, message) TEXT(56, "\x0a\x18x/test.kinds." type "\x12\4" message)
    SAME(MESSAGE(ANY("Kinds.Inner", "\x10\1\x0a\0")), MESSAGE(ANY("Kinds.Inner", "\x0a\0\x10\1")));
    DIFFER(MESSAGE(ANY("Kinds.Inner", "\x10\1\x0a\0")),
           MESSAGE(ANY("Kinds.Inner", "\x10\2\x0a\0")));
    DIFFER(MESSAGE(ANY("Kinds.Other", "\x10\1\x0a\0")),
           MESSAGE(ANY("Kinds.Other", "\x0a\0\x10\1")));
    /* What is no message of its type passes as it is, and so it is taken as it is. */
    SAME(MESSAGE(ANY("Kinds.Inner", "\1\x0f\3\0")), MESSAGE(ANY("Kinds.Inner", "\1\x0f\3\0")));
    DIFFER(MESSAGE(ANY("Kinds.Inner", "\1\x0f\3\0")), MESSAGE(ANY("Kinds.Inner", "\1\x0f\3\1")));
}

static void unknown_fields_tell_requests_apart(void **state)
{
    DIFFER(MESSAGE(NUMBER(99, 1)), BYTES_NONE);
    DIFFER(MESSAGE(NUMBER(99, 1)), MESSAGE(NUMBER(99, 2)));
    SAME(MESSAGE(NUMBER(99, 1), NUMBER(98, 2)), MESSAGE(NUMBER(98, 2), NUMBER(99, 1)));
    DIFFER(MESSAGE(NUMBER(9, 1)), MESSAGE(NUMBER(99, 1))); /* a text that is a number is unknown */
}

static void what_is_nested_too_deeply_is_taken_as_it_is(void **state)
{
    Bytes a = MESSAGE(TEXT(21, "\xaa\1\4\x28\2\x18\1")),
          b = MESSAGE(TEXT(21, "\xaa\1\4\x18\1\x28\2"));
    for (uint32_t depth = 1; depth <= 3; depth++) {
        Buffer one = buffer_in(arena), other = buffer_in(arena);
        assert_ok(arena, fingerprint_spell(kinds, a, depth, arena, &one));
        assert_ok(arena, fingerprint_spell(kinds, b, depth, arena, &other));
        assert_int_equal(bytes_equal(buffer_bytes(&one), buffer_bytes(&other)), depth >= 3);
    }
}

static void what_is_no_message_is_refused(void **state)
{
    static const char *const bad[] = {"\xff", "\x18", "\x4a\5a", "\xf2\1\1\xff", "\xa2\2\4\1\1\1"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        Buffer out = buffer_in(arena);
        assert_fault(fingerprint_spell(kinds, bytes_of(bad[i]), DEPTH, arena, &out),
                     FAULT_BAD_MESSAGE);
    }
}

static void a_call_without_memory_has_no_fingerprint(void **state)
{
    Arena *small = arena_new(8192);
    Buffer out = buffer_in(arena);
    Part many[600];
    for (size_t i = 0; i < 600; i++)
        many[i] = (Part)TEXT(32, "aaaa");
    assert_fault(fingerprint_spell(kinds, message_of(many, 600), DEPTH, small, &out),
                 FAULT_OUT_OF_MEMORY);
    arena_free(small);
}

static void methods_have_fingerprints_of_their_own(void **state)
{
    MethodType one = {.path = "/a.B/C", .input = kinds}, other = {.path = "/a.B/D", .input = kinds};
    Fingerprint a, b, again;
    Bytes message = MESSAGE(NUMBER(3, 1));
    assert_ok(arena, fingerprint_of(&one, message, DEPTH, arena, &a));
    assert_ok(arena, fingerprint_of(&other, message, DEPTH, arena, &b));
    assert_ok(arena, fingerprint_of(&one, message, DEPTH, arena, &again));
    assert_memory_not_equal(a.bytes, b.bytes, FINGERPRINT_SIZE);
    assert_memory_equal(a.bytes, again.bytes, FINGERPRINT_SIZE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_order_of_fields_does_not_matter),
        cmocka_unit_test(of_a_field_that_is_there_twice_the_last_one_counts),
        cmocka_unit_test(what_a_field_has_when_it_is_absent_is_left_out),
        cmocka_unit_test(a_list_of_numbers_is_the_same_packed_and_loose),
        cmocka_unit_test(numbers_are_what_their_kind_makes_of_them),
        cmocka_unit_test(of_a_oneof_the_last_member_counts),
        cmocka_unit_test(messages_within_are_spelled_too_and_joined_where_they_are_no_list),
        cmocka_unit_test(maps_are_the_same_in_any_order_and_the_last_of_equal_keys_counts),
        cmocka_unit_test(an_absent_key_or_value_of_a_map_is_the_zero_one),
        cmocka_unit_test(an_item_of_a_message_set_is_the_extension_that_it_names),
        cmocka_unit_test(of_an_any_the_message_is_spelled_where_its_type_is_known),
        cmocka_unit_test(unknown_fields_tell_requests_apart),
        cmocka_unit_test(what_is_nested_too_deeply_is_taken_as_it_is),
        cmocka_unit_test(what_is_no_message_is_refused),
        cmocka_unit_test(a_call_without_memory_has_no_fingerprint),
        cmocka_unit_test(methods_have_fingerprints_of_their_own),
    };
    return cmocka_run_group_tests(tests, load, unload);
}
