#include "adapters/program/same_message.h"

#include "tests/unit/adapters/changes_schema.h"

static bool same(void **state, Bytes a, Bytes b)
{
    Loaded *loaded = *state;
    const MessageType *type = schema_message(loaded->schema, bytes_of("changes.Given.New.M"));
    bool answer = messages_same(type, a, b);
    assert_int_equal(messages_same(type, b, a), answer);
    return answer;
}

#define WIRE(text) bytes(text, sizeof(text) - 1)

static void the_order_of_fields_says_nothing(void **state)
{
    assert_true(same(state,
                     WIRE("\x0a\x01"
                          "a\x80\x01\x01"),
                     WIRE("\x80\x01\x01\x0a\x01"
                          "a")));
    assert_false(same(state,
                      WIRE("\x0a\x01"
                           "a"),
                      WIRE("\x0a\x01"
                           "b")));
}

static void a_zero_without_presence_is_unset(void **state)
{
    assert_true(same(state, WIRE("\x80\x01\x00"), BYTES_NONE));
    assert_false(same(state, WIRE("\x80\x01\x01"), BYTES_NONE));
}

static void an_empty_message_is_not_an_unset_one(void **state)
{
    assert_false(same(state, WIRE("\x9a\x01\x00"), BYTES_NONE));
    assert_true(same(state, WIRE("\x9a\x01\x00"), WIRE("\x9a\x01\x00")));
}

/* numbers = [-1, 2], packed and one by one; and cut off. */
static void packed_or_not_a_list_is_the_same(void **state)
{
    Bytes packed = WIRE("\xa2\x01\x02\x01\x04"), single = WIRE("\xa0\x01\x01\xa0\x01\x04");
    assert_true(same(state, packed, single));
    assert_false(same(state, packed, WIRE("\xa0\x01\x01")));
    assert_false(same(state, WIRE("\xa2\x01\x02\x01\x84"), single));
}

static void the_order_of_a_list_counts(void **state)
{
    assert_false(same(state,
                      WIRE("\x52\x01"
                           "a\x52\x01"
                           "b"),
                      WIRE("\x52\x01"
                           "b\x52\x01"
                           "a")));
}

/* names = {by: {a: 1, b: 2}} */
static void the_order_of_a_map_does_not(void **state)
{
    assert_true(same(state,
                     WIRE("\x62\x0e\x0a\x05\x0a\x01"
                          "a\x10\x01\x0a\x05\x0a\x01"
                          "b\x10\x02"),
                     WIRE("\x62\x0e\x0a\x05\x0a\x01"
                          "b\x10\x02\x0a\x05\x0a\x01"
                          "a\x10\x01")));
    assert_false(same(state,
                      WIRE("\x62\x07\x0a\x05\x0a\x01"
                           "a\x10\x01"),
                      WIRE("\x62\x07\x0a\x05\x0a\x01"
                           "a\x10\x02")));
}

static void of_a_single_value_the_last_one_counts(void **state)
{
    assert_true(same(state, WIRE("\x80\x01\x01\x80\x01\x00"), BYTES_NONE));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_order_of_fields_says_nothing),
        cmocka_unit_test(a_zero_without_presence_is_unset),
        cmocka_unit_test(an_empty_message_is_not_an_unset_one),
        cmocka_unit_test(packed_or_not_a_list_is_the_same),
        cmocka_unit_test(the_order_of_a_list_counts),
        cmocka_unit_test(the_order_of_a_map_does_not),
        cmocka_unit_test(of_a_single_value_the_last_one_counts),
    };
    return cmocka_run_group_tests(tests, load, unload);
}
