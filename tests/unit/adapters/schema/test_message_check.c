#include "adapters/schema/message_check.h"

#include "adapters/schema/wire.h"
#include "tests/unit/check.h"

enum { DEPTH = 3, MOST = 1000 };

typedef struct Loaded {
    Arena *arena;
    const MessageType *kinds;
} Loaded;

static int load(void **state)
{
    static Loaded loaded;
    const Schema *schema;
    loaded.arena = arena_new(ARENA_UNLIMITED);
    assert_ok(loaded.arena, schema_load_file(loaded.arena, SCHEMAS "kinds.binpb", &schema));
    loaded.kinds = schema_message(schema, bytes_of("test.kinds.Kinds"));
    *state = &loaded;
    return 0;
}

static int unload(void **state)
{
    arena_free(((Loaded *)*state)->arena);
    return 0;
}

#define CHECKED(text, most)                                                                        \
    message_check(((const Loaded *)*state)->kinds,                                                 \
                  bytes((const uint8_t *)(text), sizeof(text) - 1), DEPTH, most)
#define assert_found(text, expected) assert_int_equal(CHECKED(text, MOST), MESSAGE_CHECK_##expected)

static void messages_of_the_type_are_valid(void **state)
{
    assert_found("", VALID);
    assert_found("\x18\x05", VALID);                       /* an_int64: 5 */
    assert_found("\x4a\x02\xc3\xa9", VALID);               /* a_string */
    assert_found("\x62\x02\xff\xfe", VALID);               /* a_bytes: anything */
    assert_found("\xf2\x01\x03\x01\x80\x01", VALID);       /* numbers, packed */
    assert_found("\xf0\x01\x01", VALID);                   /* and not */
    assert_found("\xc2\x02\x06\x0a\x01k\x12\x01v", VALID); /* labels */
    assert_found("\xfa\x3f\x02\xff\xfe", VALID);           /* field 1023, which nobody knows */
}

static void broken_bytes_are_found(void **state)
{
    assert_found("\x18", NOT_WIRE);             /* no value */
    assert_found("\x4a\x05hi", NOT_WIRE);       /* the end is missing */
    assert_found("\x02\x01", NOT_WIRE);         /* field 0 */
    assert_found("\x1f", NOT_WIRE);             /* wire type 7 */
    assert_found("\xaa\x01\x01\x18", NOT_WIRE); /* in child */
    assert_found("\xf2\x01\x01\x80", NOT_WIRE); /* in a packed list of varints, */
    assert_found("\x9a\x02\x07"
                 "1234567",
                 NOT_WIRE); /* and of doubles */
    assert_found("\xa2\x02\x03"
                 "123",
                 NOT_WIRE);                 /* and of fixed32 */
    assert_found("\x48\x01", NOT_WIRE);     /* a_string as a number */
    assert_found("\x1a\x01\x01", NOT_WIRE); /* an_int64 as a text */
}

static void texts_that_are_no_utf8_are_found_wherever_they_are(void **state)
{
    assert_found("\x4a\x02\xff\xfe", NOT_UTF8);
    assert_found("\x82\x02\x01\x80", NOT_UTF8);         /* texts */
    assert_found("\xaa\x01\x03\x4a\x01\xff", NOT_UTF8); /* child.a_string */
    assert_found("\xc2\x02\x03\x0a\x01\xff", NOT_UTF8); /* a key of labels, */
    assert_found("\xc2\x02\x03\x12\x01\xff", NOT_UTF8); /* and a value */
}

static void messages_may_be_nested_as_deep_as_is_allowed(void **state)
{
    assert_found("\xaa\x01\x06\xaa\x01\x03\xaa\x01\x00", VALID);
    assert_found("\xaa\x01\x09\xaa\x01\x06\xaa\x01\x03\xaa\x01\x00", TOO_DEEP);
}

static void a_required_field_must_be_there(void **state)
{
    const Loaded *l = *state;
    const Schema *schema;
    assert_ok(l->arena, schema_load_file(l->arena, SCHEMAS "old.binpb", &schema));
    const MessageType *old = schema_message(schema, bytes_of("test.old.Old"));
    uint32_t n_required = 0;
    Buffer whole = buffer_in(l->arena);
    for (uint32_t i = 0; i < old->n_fields; i++) {
        if (!old->fields[i].required)
            continue;
        n_required++;
        assert_int_equal(message_check(old, buffer_bytes(&whole), DEPTH, MOST),
                         MESSAGE_CHECK_INCOMPLETE);
        assert_int_equal(old->fields[i].kind, KIND_STRING);
        wire_add_bytes(&whole, old->fields[i].number, BYTES_NONE);
    }
    assert_true(n_required > 0);
    assert_int_equal(message_check(old, buffer_bytes(&whole), DEPTH, MOST), MESSAGE_CHECK_VALID);
}

static void no_more_is_looked_at_than_is_allowed(void **state)
{
    assert_int_equal(CHECKED("\x4a\x03txt", 5), MESSAGE_CHECK_VALID);
    assert_int_equal(CHECKED("\x4a\x03txt", 4), MESSAGE_CHECK_TOO_LONG);
    assert_int_equal(CHECKED("\x62\x03txt", 2), MESSAGE_CHECK_VALID); /* bytes are not read */
    assert_int_equal(CHECKED("\x62\x03txt", 1), MESSAGE_CHECK_TOO_LONG);
    assert_int_equal(CHECKED("\xfb\x3f\x18\x05\xfc\x3f", 6), MESSAGE_CHECK_VALID); /* a group */
    assert_int_equal(CHECKED("\xfb\x3f\x18\x05\xfc\x3f", 5), MESSAGE_CHECK_TOO_LONG);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(messages_of_the_type_are_valid),
        cmocka_unit_test(broken_bytes_are_found),
        cmocka_unit_test(texts_that_are_no_utf8_are_found_wherever_they_are),
        cmocka_unit_test(messages_may_be_nested_as_deep_as_is_allowed),
        cmocka_unit_test(a_required_field_must_be_there),
        cmocka_unit_test(no_more_is_looked_at_than_is_allowed),
    };
    return cmocka_run_group_tests(tests, load, unload);
}
