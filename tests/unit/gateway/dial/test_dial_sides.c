#include "gateway/dial/dial_sides.h"

#include "tests/unit/gateway/dial/garage_config.h"

static const char text[] =
    LISTEN "services:\n"
           "  - name: garage\n"
           "    versions:\n"
           "      - {name: v1, package: garage.v1, schema: garage.binpb}\n"
           "      - {name: v2, package: garage.v2, schema: garage.binpb}\n"
           "    changes: [v1-v2.yaml]\n"
           "    instances:\n"
           "      - {address: '127.0.0.1:7001', protocol: connect, codec: json, versions: [v1]}\n"
           "      - {address: '127.0.0.1:7002', versions: [v2]}\n"
           "routes:\n"
           "  - {match: garage.Cars/List, parameters: {owner: {required: true, versions: [v1]}}}\n";

static int setup(void **state)
{
    return load_garage(text);
}

static DialPlans plans_of(const char *version, const char *name, const char *served, Codec codec)
{
    DialPlans plans;
    assert_ok(fixture.arena, dial_plans_make(fixture.arena, garage_method(version, name),
                                             garage_method(served, "Get")->version, codec, &plans));
    return plans;
}

static const char car_v1[] = "\x0a\x01x\x12\x03"
                             "ada\x22\x02hi"; /* name x, owner ada, note hi */
static const char car_v2[] =
    "\x0a\x01x\x12\x03"
    "ada\x2a\x03red\x98\x06\x01"; /* name, owner_id, colour; and field 99 */

static void a_request_is_shown_on_both_sides(void **state)
{
    DialPlans plans = plans_of("v1", "List", "v2", CODEC_PROTO);
    PlanParameter field = {bytes_of("owner"), bytes_of("ada")};
    PlanInput input = {.no_body = true, .parameters = &field, .n_parameters = 1};
    Bytes json, sent;
    DialSides sides;
    assert_ok(fixture.arena, dial_request_write(&plans, &input, fixture.arena, &json));
    assert_bytes(json, "{\"owner\":\"ada\"}");
    assert_ok(fixture.arena, dial_request_convert(&plans, json, fixture.arena, &sides, &sent));
    assert_bytes(sides.client, "{\"owner\":\"ada\"}");
    assert_bytes(sides.instance, "{\"ownerId\":\"ada\"}");
    assert_bytes(sent, "\x0a\x03"
                       "ada");
    assert_false(dial_sides_lose(&sides));
}

static void what_the_route_demands_holds(void **state)
{
    DialPlans plans = plans_of("v1", "List", "v2", CODEC_PROTO);
    DialSides sides;
    Bytes sent;
    assert_fault(dial_request_convert(&plans, bytes_of("{}"), fixture.arena, &sides, &sent),
                 FAULT_FIELD_REQUIRED);
    assert_bytes(sides.client, "{}");
    assert_null(sides.instance.data);
}

static void a_field_that_the_version_has_not_is_told(void **state)
{
    DialPlans plans = plans_of("v1", "List", "v2", CODEC_PROTO);
    Bytes json;
    assert_fault(dial_request_write(&plans, &(PlanInput){.bytes = bytes_of("{\"ownr\": \"a\"}")},
                                    fixture.arena, &json),
                 FAULT_UNKNOWN_FIELD);
}

static void what_a_response_loses_is_listed(void **state)
{
    DialPlans plans = plans_of("v1", "Get", "v2", CODEC_PROTO);
    DialSides sides;
    Bytes message = bytes(car_v2, sizeof car_v2 - 1);
    assert_ok(fixture.arena, dial_response_convert(&plans, message, fixture.arena, &sides));
    assert_bytes(sides.instance, "{\"name\":\"x\",\"ownerId\":\"ada\",\"colour\":\"red\"}");
    assert_bytes(sides.client, "{\"name\":\"x\",\"owner\":\"ada\"}");
    assert_int_equal(sides.n_losses, 1);
    assert_string_equal(sides.losses[0].loss->path, "Car.colour");
    assert_int_equal(sides.losses[0].n, 1);
    assert_int_equal(sides.n_unknown, 1);
    assert_true(dial_sides_lose(&sides));
}

static void the_same_version_passes(void **state)
{
    DialPlans plans = plans_of("v2", "Get", "v2", CODEC_PROTO);
    DialSides sides;
    assert_ok(fixture.arena, dial_response_convert(&plans, bytes(car_v2, sizeof car_v2 - 4),
                                                   fixture.arena, &sides));
    assert_bytes(sides.instance, "{\"name\":\"x\",\"ownerId\":\"ada\",\"colour\":\"red\"}");
    assert_true(bytes_equal(sides.instance, sides.client));
    assert_false(dial_sides_lose(&sides));
}

static void an_instance_of_json_is_shown_as_it_is(void **state)
{
    DialPlans plans = plans_of("v2", "Get", "v1", CODEC_JSON);
    DialSides sides;
    Bytes said = bytes_of("{\"name\": \"x\", \"owner\": \"ada\", \"note\": \"hi\"}");
    assert_ok(fixture.arena, dial_response_convert(&plans, said, fixture.arena, &sides));
    assert_bytes(sides.instance, "{\"name\":\"x\",\"owner\":\"ada\",\"note\":\"hi\"}");
    assert_bytes(sides.client, "{\"name\":\"x\",\"ownerId\":\"ada\"}");
    assert_string_equal(sides.losses[0].loss->path, "Car.note");
}

static void a_codec_that_no_instance_has_is_told(void **state)
{
    DialPlans plans = plans_of("v2", "Get", "v1", CODEC_PROTO);
    DialSides sides;
    Bytes sent;
    assert_fault(dial_request_convert(&plans, bytes_of("{}"), fixture.arena, &sides, &sent),
                 FAULT_UNSUPPORTED);
    assert_fault(
        dial_response_convert(&plans, bytes(car_v1, sizeof car_v1 - 1), fixture.arena, &sides),
        FAULT_UNSUPPORTED);
}

static void a_response_that_is_none_is_told(void **state)
{
    DialPlans plans = plans_of("v1", "Get", "v2", CODEC_PROTO);
    DialSides sides;
    assert_fault(dial_response_convert(&plans, bytes_of("\x0a\x7f"), fixture.arena, &sides),
                 FAULT_UPSTREAM_MESSAGE);
    assert_null(sides.instance.data);
    assert_null(sides.client.data);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_request_is_shown_on_both_sides),
        cmocka_unit_test(what_the_route_demands_holds),
        cmocka_unit_test(a_field_that_the_version_has_not_is_told),
        cmocka_unit_test(what_a_response_loses_is_listed),
        cmocka_unit_test(the_same_version_passes),
        cmocka_unit_test(an_instance_of_json_is_shown_as_it_is),
        cmocka_unit_test(a_codec_that_no_instance_has_is_told),
        cmocka_unit_test(a_response_that_is_none_is_told),
    };
    return cmocka_run_group_tests(tests, setup, free_garage);
}
