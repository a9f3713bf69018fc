#include "tests/unit/adapters/plans.h"

static uint8_t cost_of(const char *type, PlanOptions options)
{
    return plan_cost(compiled(identity_of(type), options));
}

static uint8_t json_cost_of(const char *type)
{
    return cost_of(type, (PlanOptions){.from = CODEC_PROTO, .to = CODEC_JSON});
}

static void a_byte_of_texts_costs_no_more_than_usual(void **state)
{
    assert_int_equal(json_cost_of("google.protobuf.StringValue"), 0);
    assert_int_equal(json_cost_of("google.protobuf.Int64Value"), 0);
}

static void what_is_long_in_json_costs_more(void **state)
{
    uint8_t time = json_cost_of("google.protobuf.Timestamp");
    uint8_t single = json_cost_of("google.protobuf.FloatValue");
    uint8_t number = json_cost_of("google.protobuf.DoubleValue");
    assert_in_range(time, 1, single - 1);
    assert_in_range(single, 1, number - 1);
    assert_in_range(number, 1, PLAN_HIGHEST_COST);
}

static void a_message_costs_what_the_dearest_in_it_does(void **state)
{
    uint8_t number = json_cost_of("google.protobuf.DoubleValue");
    assert_int_equal(json_cost_of("google.protobuf.Value"), number);
    assert_int_equal(json_cost_of("google.protobuf.Struct"), number);
    assert_true(json_cost_of("test.kinds.Kinds") >= number);
}

/* Whatever the schema has may be inside. */
static void an_any_costs_what_the_dearest_of_all_does(void **state)
{
    assert_int_equal(json_cost_of("google.protobuf.Any"), json_cost_of("test.kinds.Kinds"));
}

static void what_is_only_copied_costs_nothing(void **state)
{
    PlanOptions options = {.from = CODEC_PROTO, .to = CODEC_PROTO, .unknown = UNKNOWN_KEEP};
    const Plan *plan = compiled(identity_of("google.protobuf.DoubleValue"), options);
    assert_true(plan_is_copy(plan));
    assert_int_equal(plan_cost(plan), 0);
}

/* An empty message has them all. */
static void defaults_that_are_written_cost_their_names(void **state)
{
    const char *type = "test.kinds.Row64";
    PlanOptions options = {.from = CODEC_PROTO, .to = CODEC_JSON};
    uint8_t without = cost_of(type, options);
    options.emit_defaults = true;
    assert_true(cost_of(type, options) > without);
    options.emit_defaults = false;
    options.emit_nulls = true;
    assert_true(cost_of(type, options) > without);
}

static void enums_cost_their_names_or_if_they_are_numbers_little(void **state)
{
    const char *type = "test.kinds.Kinds.Inner";
    PlanOptions options = {.from = CODEC_PROTO, .to = CODEC_JSON};
    uint8_t by_name = cost_of(type, options);
    options.enums_as_numbers = true;
    assert_true(cost_of(type, options) < by_name);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_byte_of_texts_costs_no_more_than_usual),
        cmocka_unit_test(what_is_long_in_json_costs_more),
        cmocka_unit_test(a_message_costs_what_the_dearest_in_it_does),
        cmocka_unit_test(an_any_costs_what_the_dearest_of_all_does),
        cmocka_unit_test(what_is_only_copied_costs_nothing),
        cmocka_unit_test(defaults_that_are_written_cost_their_names),
        cmocka_unit_test(enums_cost_their_names_or_if_they_are_numbers_little),
    };
    return cmocka_run_group_tests(tests, plans_begin, plans_end);
}
