#include "adapters/place/placement.h"

#include "tests/unit/adapters/plans.h"

#define KINDS "test.kinds.Kinds"

static const MessageType *kinds(void)
{
    return schema_message(bench.kinds, bytes_of(KINDS));
}

/* Two sources, a and b, both of Kinds. */
static Placement *placement(void)
{
    PlaceSource sources[] = {{"a", kinds()}, {"b", kinds()}};
    return placement_new(bench.arena, place_envelope(bench.arena, sources, 2), kinds());
}

static void move(Placement *p, const char *into, uint32_t source, const char *from)
{
    PlaceMistake mistake = placement_move(p, bytes_of(into), source, bytes_of(from));
    if (mistake.what)
        fail_msg("%s", mistake.what);
}

static Bytes wire_of(const char *json)
{
    PlanOptions options = {.from = CODEC_JSON, .to = CODEC_PROTO, .types = bench.kinds_set};
    return run_ok(compiled(identity_of(KINDS), options), bytes_of(json));
}

static void add(Buffer *envelope, uint32_t source, const char *json)
{
    place_record(envelope, source, wire_of(json));
}

static Bytes json_of(Bytes wire)
{
    PlanOptions options = {.from = CODEC_PROTO, .to = CODEC_JSON, .types = bench.kinds_set};
    return run_ok(compiled(identity_of(KINDS), options), wire);
}

static Bytes placed(Placement *p, const Buffer *envelope)
{
    PlanOptions options = {.from = CODEC_PROTO, .to = CODEC_PROTO, .walk_all = true};
    return run_ok(compiled(placement_mapping(p), options), buffer_bytes(envelope));
}

static void fields_get_from_their_sources_to_their_places(void **state)
{
    Placement *p = placement();
    Buffer envelope = buffer_in(bench.call);
    move(p, "a_string", 0, "a_string");
    move(p, "child.a_string", 1, "child.renamed");
    move(p, "child.texts", 0, "texts");
    move(p, "an_int64", 1, "an_int32");
    move(p, "labels", 0, "labels");
    move(p, "time", 0, "time");
    add(&envelope, 0,
        "{\"aString\":\"x\",\"texts\":[\"s\",\"t\"],\"labels\":{\"k\":\"v\"},"
        "\"time\":\"2026-01-01T00:00:00Z\"}");
    add(&envelope, 1, "{\"anInt32\":-7,\"child\":{\"otherName\":\"y\"},\"aString\":\"no\"}");
    assert_bytes(json_of(placed(p, &envelope)),
                 "{\"anInt64\":\"-7\",\"aString\":\"x\",\"child\":{\"aString\":\"y\","
                 "\"texts\":[\"s\",\"t\"]},\"labels\":{\"k\":\"v\"},"
                 "\"time\":\"2026-01-01T00:00:00Z\"}");
}

static void a_source_that_is_not_there_leaves_its_fields_unset(void **state)
{
    Placement *p = placement();
    Buffer envelope = buffer_in(bench.call);
    move(p, "a_string", 0, "a_string");
    move(p, "child.a_string", 1, "a_string");
    add(&envelope, 0, "{\"aString\":\"x\"}");
    assert_bytes(json_of(placed(p, &envelope)), "{\"aString\":\"x\"}");
}

static void all_of_a_source_is_a_message_in_the_result(void **state)
{
    Placement *p = placement();
    Buffer envelope = buffer_in(bench.call);
    move(p, "child.child", 1, ".");
    add(&envelope, 1, "{\"aString\":\"x\",\"child\":{\"anInt32\":1}}");
    assert_bytes(json_of(placed(p, &envelope)),
                 "{\"child\":{\"child\":{\"aString\":\"x\",\"child\":{\"anInt32\":1}}}}");
}

static void parts_that_follow_each_other_are_one_message(void **state)
{
    Placement *first = placement(), *second = placement();
    Buffer envelope = buffer_in(bench.call), whole = buffer_in(bench.call);
    move(first, "child.a_string", 0, "a_string");
    move(second, "child.an_int32", 0, "an_int32");
    add(&envelope, 0, "{\"aString\":\"x\",\"anInt32\":5}");
    buffer_add_bytes(&whole, placed(first, &envelope));
    buffer_add_bytes(&whole, placed(second, &envelope));
    assert_bytes(json_of(buffer_bytes(&whole)), "{\"child\":{\"anInt32\":5,\"aString\":\"x\"}}");
}

static void a_message_of_another_type_gets_the_fields_of_the_same_names(void **state)
{
    const MessageType *inner = schema_message(bench.kinds, bytes_of("test.kinds.Kinds.Inner"));
    const MessageType *row = schema_message(bench.kinds, bytes_of("test.kinds.Row64"));
    PlaceSource sources[] = {{"long", schema_message(bench.kinds, bytes_of("test.kinds.Row65"))},
                             {"inner", inner}};
    const MessageType *envelope = place_envelope(bench.arena, sources, 2);
    assert_int_equal(envelope->n_fields, 2);
    Placement *p = placement_new(bench.arena, envelope, row);
    PlaceMistake mistake = placement_move(p, bytes_of("f1"), 0, bytes_of("."));
    assert_string_equal(mistake.what, "test.kinds.Row65 (all of long) does not fit int32 "
                                      "test.kinds.Row64.f1");
    p = placement_new(bench.arena, envelope, kinds());
    mistake = placement_move(p, bytes_of("inner"), 0, bytes_of("."));
    assert_string_equal(mistake.what,
                        "test.kinds.Row65 and test.kinds.Kinds.Inner have no field in common");
    mistake = placement_move(placement_new(bench.arena, envelope, kinds()), bytes_of("time"), 1,
                             bytes_of("."));
    assert_string_equal(mistake.what,
                        "test.kinds.Kinds.Inner does not fit google.protobuf.Timestamp");
}

static void a_number_does_not_go_where_it_may_not_fit(void **state)
{
    static const struct {
        const char *into, *from;
        bool fits;
    } rows[] = {
        {"an_int64", "an_int32", true},     {"an_int32", "an_int64", false},
        {"an_int64", "a_uint32", true},     {"an_int32", "a_uint32", false},
        {"a_double", "a_float", true},      {"a_float", "a_double", false},
        {"a_uint64", "a_uint32", true},     {"a_uint64", "an_int32", false},
        {"an_sint64", "an_int64", true},    {"a_string", "a_bytes", false},
        {"a_color", "a_color", true},       {"an_int32", "a_color", false},
        {"numbers", "loose_numbers", true}, {"numbers", "an_int32", false},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        PlaceMistake mistake =
            placement_move(placement(), bytes_of(rows[i].into), 0, bytes_of(rows[i].from));
        assert_int_equal(!mistake.what, rows[i].fits);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(fields_get_from_their_sources_to_their_places),
        cmocka_unit_test(a_source_that_is_not_there_leaves_its_fields_unset),
        cmocka_unit_test(all_of_a_source_is_a_message_in_the_result),
        cmocka_unit_test(parts_that_follow_each_other_are_one_message),
        cmocka_unit_test(a_message_of_another_type_gets_the_fields_of_the_same_names),
        cmocka_unit_test(a_number_does_not_go_where_it_may_not_fit),
    };
    return cmocka_run_group_tests(tests, plans_begin, plans_end);
}
