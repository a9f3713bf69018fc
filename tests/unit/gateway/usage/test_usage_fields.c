#include "tests/unit/check.h"

#include "adapters/schema/schema.h"
#include "gateway/usage/usage_fields.h"
#include "gateway/usage/usage_find.h"

#define NOON (INT64_C(1772366400) * SECOND)

static Arena *arena;
static UsageTable *table;
static UsageNames *names;
static Method method;
static const UsageFields *fields;

static int set_up(void **state)
{
    static Service service = {.name = "orders"};
    static Version version = {.name = "v1", .service = &service};
    arena = arena_new(ARENA_UNLIMITED);
    assert_ok(arena, schema_load_file(arena, SCHEMAS "usage.binpb", &version.schema));
    const ServiceType *orders = schema_service(version.schema, bytes_of("test.usage.Orders"));
    method =
        (Method){.version = &version, .type = &orders->methods[0], .extras = &method_no_extras};
    table = usage_table_new(1 << 20);
    names = usage_names_new();
    fields = usage_fields_new(&method, names, table, arena);
    return 0;
}

static int tear_down(void **state)
{
    usage_table_free(table);
    usage_names_free(names);
    arena_free(arena);
    return 0;
}

static void see(bool json, const PlanInput *input)
{
    usage_fields_see(
        fields,
        &(UsageRequest){.input = input, .json = json, .client = bytes_of("ada"), .wall = NOON},
        arena);
}

static void see_json(const char *text)
{
    see(true, &(PlanInput){.bytes = bytes_of(text)});
}

/* Each field that was seen, in order, each of them as often as `calls` says. */
static void assert_seen(const char *expected, uint64_t calls)
{
    UsageFound found;
    Buffer seen = buffer_in(arena);
    usage_find(table, names, &(UsageQuestion){.fields = true}, arena, &found);
    for (uint32_t i = 0; i < found.n_methods; i++) {
        buffer_printf(&seen, "%s%.*s", i ? " " : "", BYTES_ARGS(found.methods[i].name.field));
        assert_int_equal(found.methods[i].calls, calls);
    }
    assert_bytes(buffer_bytes(&seen), expected);
}

static void of_json_each_field_that_is_set_counts_once(void **state)
{
    see_json("{\"order\": {\"id\": \"1\", \"items\": [{\"sku\": \"a\"}, {\"sku\": \"b\"}],"
             " \"extras\": {\"x\": {\"quantity\": 3}}, \"placedAt\": \"2026-03-01T00:00:00Z\"}}");
    assert_seen("Item.quantity Item.sku Order.extras Order.id Order.items Order.placed_at "
                "UpdateRequest.order",
                1);
}

static void of_json_null_sets_nothing_and_unknown_names_are_no_fields(void **state)
{
    see_json("{\"order\": {\"id\": null, \"colour\": {\"id\": 1}, \"buyer\": {}}}");
    assert_seen("Order.buyer UpdateRequest.order", 1);
}

static void what_is_before_a_mistake_counts(void **state)
{
    see_json("{\"order\": {\"id\": \"1\", ");
    see_json("[]");
    see_json("");
    assert_seen("Order.id UpdateRequest.order", 1);
}

static void of_protobuf_the_same_fields_count(void **state)
{
    static const char order[] = "\x0a\x01"
                                "1"
                                "\x1a\x03\x0a\x01"
                                "a"
                                "\x1a\x02\x10\x03" /* items */
                                "\x22\x07\x0a\x01"
                                "x"
                                "\x12\x02\x10\x03" /* extras */
                                "\x2a\x02\x08\x05"
                                "\x98\x06\x01"; /* unknown */
    Buffer message = buffer_in(arena);
    buffer_add_byte(&message, 0x0a);
    buffer_add_byte(&message, sizeof order - 1);
    buffer_add_bytes(&message, bytes(order, sizeof order - 1));
    see(false, &(PlanInput){.bytes = buffer_bytes(&message)});
    see(false, &(PlanInput){.bytes = buffer_bytes(&message)});
    assert_seen("Item.quantity Item.sku Order.extras Order.id Order.items Order.placed_at "
                "UpdateRequest.order",
                2);
}

static void a_mask_names_fields_of_the_message_beside_it(void **state)
{
    see_json("{\"updateMask\": \"buyer.mail,items,buyer.colour\"}");
    assert_seen("UpdateRequest.update_mask mask:Buyer.mail mask:Order.items", 1);
}

static void a_mask_in_protobuf_is_the_same(void **state)
{
    static const char mask[] = "\x12\x13\x0a\x0a"
                               "buyer.mail"
                               "\x0a\x05"
                               "items";
    see(false, &(PlanInput){.bytes = bytes(mask, sizeof mask - 1)});
    assert_seen("UpdateRequest.update_mask mask:Buyer.mail mask:Order.items", 1);
}

static void of_rest_path_query_and_body_count(void **state)
{
    static const PlanParameter parameters[] = {
        {{(const uint8_t *)"order.buyer.name", 16}, {(const uint8_t *)"ada", 3}},
        {{(const uint8_t *)"update_mask", 11}, {(const uint8_t *)"id", 2}},
    };
    see(true, &(PlanInput){.bytes = bytes_of("{\"id\": \"1\"}"),
                           .body_field = bytes_of("order"),
                           .parameters = parameters,
                           .n_parameters = 2});
    assert_seen("Buyer.name Order.buyer Order.id UpdateRequest.order UpdateRequest.update_mask "
                "mask:Order.id",
                1);
}

static void without_a_body_only_parameters_count(void **state)
{
    see(true, &(PlanInput){.bytes = bytes_of("{\"order\": {}}"), .no_body = true});
    assert_seen("", 1);
}

/* Messages in themselves, deeper than anybody reads. */
static void a_request_that_is_too_deep_ends_well(void **state)
{
    Buffer text = buffer_in(arena);
    buffer_add_text(&text, "{\"order\":");
    for (int i = 0; i < 5000; i++)
        buffer_add_text(&text, "{\"parent\":");
    see(true, &(PlanInput){.bytes = buffer_bytes(&text)});
    assert_seen("Order.parent UpdateRequest.order", 1);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(of_json_each_field_that_is_set_counts_once),
        TEST(of_json_null_sets_nothing_and_unknown_names_are_no_fields),
        TEST(what_is_before_a_mistake_counts),
        TEST(of_protobuf_the_same_fields_count),
        TEST(a_mask_names_fields_of_the_message_beside_it),
        TEST(a_mask_in_protobuf_is_the_same),
        TEST(of_rest_path_query_and_body_count),
        TEST(without_a_body_only_parameters_count),
        TEST(a_request_that_is_too_deep_ends_well),
    };
    return cmocka_run_group_tests_name("usage_fields", tests, NULL, NULL);
}
