/* Plans from protobuf: the freedoms that senders have, and what is no message. */
#include "adapters/program/program.h"
#include "adapters/schema/wire.h"
#include "tests/unit/adapters/plans.h"

#define KINDS "test.kinds.Kinds"
#define OLD "test.old.Old"
#define WIRE(text) bytes(text, sizeof(text) - 1)

static const Plan *to_json(const char *type)
{
    PlanOptions options = {.from = CODEC_PROTO, .to = CODEC_JSON, .unknown = UNKNOWN_COUNT};
    return compiled(identity_of(type), options);
}

static const Plan *to_wire(const char *type, UnknownFields unknown)
{
    PlanOptions options = {
        .from = CODEC_PROTO, .to = CODEC_PROTO, .unknown = unknown, .walk_all = true};
    return compiled(identity_of(type), options);
}

static void of_a_single_field_the_last_value_counts(void **state)
{
    assert_bytes(run_ok(to_json(KINDS), WIRE("\x28\x01\x28\x02")), "{\"anInt32\":2}");
    assert_bytes(run_ok(to_json(KINDS), WIRE("\x28\x01\x28\x00")), "{}");
    assert_bytes(run_ok(to_json(KINDS), WIRE("\xa0\x01\x01\xa0\x01\x00")), "{\"maybe\":0}");
}

static void messages_in_pieces_are_one(void **state)
{
    assert_bytes(run_ok(to_json(KINDS), WIRE("\xaa\x01\x02\x28\x01\xaa\x01\x03\x4a\x01x")),
                 "{\"child\":{\"anInt32\":1,\"aString\":\"x\"}}");
    Bytes value = WIRE("\xb2\x03\x16\x2a\x09\x0a\x07\x0a\x01"
                       "a\x12\x02\x20\x01"
                       "\x2a\x09\x0a\x07\x0a\x01"
                       "b\x12\x02\x20\x01");
    assert_bytes(run_ok(to_json(KINDS), value), "{\"value\":{\"a\":true,\"b\":true}}");
}

static void the_last_member_of_a_oneof_counts(void **state)
{
    assert_bytes(run_ok(to_json(KINDS), WIRE("\xb2\x01\x01x\xb8\x01\x05")), "{\"number\":5}");
    assert_bytes(run_ok(to_json(KINDS), WIRE("\xb8\x01\x05\xb2\x01\x01x")), "{\"text\":\"x\"}");
    /* A message that another member has unset begins anew. */
    assert_bytes(
        run_ok(to_json(KINDS), WIRE("\xc2\x01\x02\x28\x01\xb8\x01\x05\xc2\x01\x02\x18\x07")),
        "{\"nested\":{\"anInt64\":\"7\"}}");
}

static void lists_may_be_packed_loose_or_both_and_in_pieces(void **state)
{
    Bytes mixed =
        WIRE("\xf2\x01\x02\x01\x02\x28\x09\xf0\x01\x03\xf0\x01\x04\xf2\x01\x00\xf2\x01\x01\x05");
    assert_bytes(run_ok(to_json(KINDS), mixed), "{\"anInt32\":9,\"numbers\":[1,2,3,4,5]}");
    Bytes wire = run_ok(to_wire(KINDS, UNKNOWN_REFUSE), mixed);
    assert_bytes(run_ok(to_json(KINDS), wire), "{\"anInt32\":9,\"numbers\":[1,2,3,4,5]}");
    assert_bytes(run_ok(to_json(KINDS), WIRE("\xfa\x01\x02\x01\x02\xf8\x01\x03")),
                 "{\"looseNumbers\":[1,2,3]}");
    assert_bytes(run_ok(to_json(KINDS), WIRE("\x82\x02\x01"
                                             "a\x28\x01\x82\x02\x01"
                                             "b\x82\x02\x00")),
                 "{\"anInt32\":1,\"texts\":[\"a\",\"b\",\"\"]}");
}

static void of_equal_keys_the_last_counts_in_json(void **state)
{
    Bytes map = WIRE("\xc2\x02\x06\x0a\x01k\x12\x01"
                     "1\xc2\x02\x06\x0a\x01j\x12\x01"
                     "2"
                     "\xc2\x02\x06\x0a\x01k\x12\x01"
                     "3");
    assert_bytes(run_ok(to_json(KINDS), map), "{\"labels\":{\"j\":\"2\",\"k\":\"3\"}}");
}

static void many_equal_keys_are_told_apart_too(void **state)
{
    Buffer map = buffer_in(bench.call);
    for (unsigned i = 0; i < 1000; i++) {
        uint8_t entry[] = {0x0a, 1, (uint8_t)('a' + i * 7 % 10), 0x12, 1, (uint8_t)('0' + i / 100)};
        wire_add_bytes(&map, 40, bytes(entry, sizeof(entry)));
    }
    Bytes json = run_ok(to_json(KINDS), buffer_bytes(&map));
    assert_int_equal(json.size, strlen("{\"labels\":{}}") + 10 * strlen("\"a\":\"9\"") + 9);
    const char *text = arena_text(bench.call, json);
    for (int c = 'a'; c < 'a' + 10; c++)
        assert_non_null(strstr(text, arena_printf(bench.call, "\"%c\":\"9\"", c)));
}

static void an_entry_may_lack_its_key_or_value(void **state)
{
    Bytes bare = run_ok(to_wire(KINDS, UNKNOWN_REFUSE), WIRE("\xc2\x02\x00\xca\x02\x02\x08\x07"));
    assert_bytes(run_ok(to_json(KINDS), bare), "{\"labels\":{\"\":\"\"},\"byNumber\":{\"7\":{}}}");
    assert_bytes(run_ok(to_json(KINDS), WIRE("\xc2\x02\x00")), "{\"labels\":{\"\":\"\"}}");
    assert_bytes(run_ok(to_json(KINDS), WIRE("\xca\x02\x02\x08\x07")), "{\"byNumber\":{\"7\":{}}}");
    assert_bytes(run_ok(to_json(KINDS), WIRE("\xca\x02\x06\x12\x02\x28\x01\x08\x07")),
                 "{\"byNumber\":{\"7\":{\"anInt32\":1}}}");
}

static void unknown_fields_go_by_the_policy(void **state)
{
    Bytes message =
        WIRE("\x28\x01\x98\x06\x05\x9b\x06\x08\x01\x9c\x06\xaa\x01\x05\x28\x02\x98\x06\x07");
    PlanRun run = {0};
    Bytes out;
    PlanInput input = {.bytes = message};
    Result r = run_input(to_wire(KINDS, UNKNOWN_REFUSE), input, &out, &run);
    assert_fault(r, FAULT_UNKNOWN_FIELD);
    assert_ok(bench.call, run_input(to_wire(KINDS, UNKNOWN_COUNT), input, &out, &run));
    assert_int_equal(run.n_unknown, 3);
    assert_int_equal(out.size, 2 + 5);
    run.n_unknown = 0;
    assert_ok(bench.call, run_input(to_wire(KINDS, UNKNOWN_KEEP), input, &out, &run));
    assert_int_equal(run.n_unknown, 0);
    assert_int_equal(out.size, message.size);
    assert_memory_equal(out.data, "\x28\x01\xaa\x01\x05\x28\x02\x98\x06\x07\x98\x06\x05\x9b", 14);
}

static void a_field_of_another_wire_type_is_unknown(void **state)
{
    Result r = run_result_of(to_wire(KINDS, UNKNOWN_REFUSE), WIRE("\x2a\x01x"));
    assert_fault(r, FAULT_UNKNOWN_FIELD);
}

static void closed_enums_put_foreign_values_aside(void **state)
{
    Bytes message = WIRE("\x0a\x01i\x20\x09\x28\x01\x28\x09\x28\x02");
    assert_bytes(run_ok(to_json(OLD), message), "{\"id\":\"i\",\"list\":[\"ONE\",\"TWO\"]}");
    assert_bytes(run_ok(to_json(OLD), WIRE("\x0a\x01i\x28\x09")), "{\"id\":\"i\"}");
    Bytes kept = run_ok(to_wire(OLD, UNKNOWN_KEEP), message);
    assert_int_equal(kept.size, message.size);
    assert_bytes(run_ok(to_json(KINDS), WIRE("\x70\x09")), "{\"aColor\":9}");
}

static void text_must_be_utf8(void **state)
{
    Result r = run_result_of(to_wire(KINDS, UNKNOWN_REFUSE), WIRE("\x4a\x01\xff"));
    assert_fault(r, FAULT_BAD_VALUE);
    assert_string_equal(r.error->field, "a_string");
    r = run_result_of(to_json(KINDS), WIRE("\x82\x02\x01"
                                           "a\x82\x02\x02\xc3"
                                           "a"));
    assert_fault(r, FAULT_BAD_VALUE);
    assert_string_equal(r.error->field, "texts[1]");
    r = run_result_of(to_wire(KINDS, UNKNOWN_REFUSE), WIRE("\x82\x02\x01"
                                                           "a\x28\x01\x82\x02\x02\xc3"
                                                           "a"));
    assert_fault(r, FAULT_BAD_VALUE);
    assert_string_equal(r.error->field, "texts[1]");
    r = run_result_of(to_wire(KINDS, UNKNOWN_REFUSE),
                      WIRE("\x92\x02\x00\x92\x02\x06\xc2\x02\x03\x0a\x01\xff"));
    assert_fault(r, FAULT_BAD_VALUE);
    assert_string_equal(r.error->field, "children[1].labels[0]");
    /* proto2 does not ask for it between protobuf and protobuf; JSON always does. */
    run_ok(to_wire(OLD, UNKNOWN_REFUSE), WIRE("\x0a\x01\xff"));
    assert_fault(run_result_of(to_json(OLD), WIRE("\x0a\x01\xff")), FAULT_BAD_VALUE);
}

static void groups_and_message_sets_are_read(void **state)
{
    assert_bytes(run_ok(to_json(OLD), WIRE("\x0a\x01i\x33\x08\x05\x34\x4b\x0a\x01x\x4c\x4b\x4c")),
                 "{\"id\":\"i\",\"data\":{\"inside\":5},\"rows\":[{\"cell\":\"x\"},{}]}");
    assert_bytes(
        run_ok(to_json(OLD), WIRE("\x0a\x01i\x5a\x0a\x0b\x1a\x03\x0a\x01t\x10\xe8\x07\x0c")),
        "{\"id\":\"i\",\"set\":{\"[test.old.SetItem.item]\":{\"text\":\"t\"}}}");
}

/* Every cut gives a shorter message or a fault, never anything else; and nothing is read behind
   it. */
static void a_message_cut_off_anywhere_is_handled(void **state)
{
    PlanOptions options = {.from = CODEC_JSON, .to = CODEC_PROTO};
    const char *json =
        "{\"anInt64\":\"-5\",\"aDouble\":1,\"aFloat\":1,\"aString\":\"text\",\"numbers\":[1,300],"
        "\"children\":[{\"anInt32\":1}],\"byNumber\":{\"7\":{}},\"labels\":{\"a\":\"b\"},"
        "\"structure\":{\"a\":[1,null]},\"time\":\"2026-03-01T10:00:20Z\"}";
    Bytes whole = run_ok(compiled(identity_of(KINDS), options), bytes_of(json));
    const Plan *plans[] = {to_json(KINDS), to_wire(KINDS, UNKNOWN_KEEP)};
    for (size_t size = 0; size < whole.size; size++) {
        uint8_t *exact = test_malloc(size ? size : 1); /* an overrun is found by cmocka, or ASan */
        memcpy(exact, whole.data, size);
        for (int i = 0; i < 2; i++) {
            Result r = run_result_of(plans[i], bytes(exact, size));
            if (failed(r))
                assert_string_equal(r.error->fault->name, "BAD_MESSAGE");
        }
        test_free(exact);
    }
    assert_bytes(run_ok(plans[0], BYTES_NONE), "{}");
}

static void nesting_without_end_is_refused(void **state)
{
    Buffer deep = buffer_in(bench.call);
    for (int i = 0; i < 200; i++) {
        Buffer outer = buffer_in(bench.call);
        wire_add_bytes(&outer, 21, buffer_bytes(&deep));
        deep = outer;
    }
    assert_fault(run_result_of(to_json(KINDS), buffer_bytes(&deep)), FAULT_TOO_DEEP);
    uint8_t groups[500];
    memset(groups, 0x9b, sizeof(groups));
    for (size_t i = 1; i < sizeof(groups); i += 2)
        groups[i] = 0x06;
    assert_fault(run_result_of(to_json(KINDS), bytes(groups, sizeof(groups))), FAULT_BAD_MESSAGE);
}

static void elements_are_limited(void **state)
{
    PlanOptions options = {.from = CODEC_PROTO, .to = CODEC_JSON, .max_elements = 3};
    const Plan *plan = compiled(identity_of(KINDS), options);
    run_ok(plan, WIRE("\xf2\x01\x03\x01\x02\x03"));
    assert_fault(run_result_of(plan, WIRE("\xf2\x01\x04\x01\x02\x03\x04")),
                 FAULT_MESSAGE_TOO_LARGE);
    options.to = CODEC_PROTO;
    options.walk_all = true;
    const Plan *straight = compiled(identity_of(KINDS), options);
    run_ok(straight, WIRE("\xf2\x01\x02\x01\x02\x82\x02\x00"));
    assert_fault(run_result_of(straight, WIRE("\xf2\x01\x02\x01\x02\x82\x02\x00\xf0\x01\x05")),
                 FAULT_MESSAGE_TOO_LARGE);
    assert_fault(run_result_of(plan, WIRE("\x82\x02\x00\x82\x02\x00\x82\x02\x00\x82\x02\x00")),
                 FAULT_MESSAGE_TOO_LARGE);
}

static void a_canonical_message_does_not_show_how_its_sender_spelled_it(void **state)
{
    PlanOptions options = {
        .from = CODEC_PROTO, .to = CODEC_PROTO, .walk_all = true, .canonical = true};
    const Plan *plan = compiled(identity_of(KINDS), options);
    Bytes mixed = WIRE("\xf2\x01\x03\x01\x82\x00\x28\x09\xf0\x01\x05\x28\x01");
    assert_true(bytes_equal(run_ok(plan, mixed), WIRE("\x28\x01\xf2\x01\x03\x01\x02\x05")));
    assert_true(bytes_equal(run_ok(plan, WIRE("\xf2\x01\x02\x82\x00")), WIRE("\xf2\x01\x01\x02")));
    assert_int_equal(run_ok(plan, WIRE("\x28\x01\x28\x00")).size, 0);
    assert_int_equal(run_ok(to_wire(KINDS, UNKNOWN_KEEP), WIRE("\x28\x01\x28\x00")).size, 4);
}

static void equal_messages_are_copied(void **state)
{
    PlanOptions options = {.from = CODEC_PROTO, .to = CODEC_PROTO};
    const Plan *plan = compiled(identity_of(KINDS), options);
    assert_true(plan_is_copy(plan));
    assert_false(plan_is_copy(to_wire(KINDS, UNKNOWN_KEEP)));
    assert_false(plan_is_copy(to_json(KINDS)));
    Bytes out = run_ok(plan, WIRE("\xff\xff"));
    assert_int_equal(out.size, 2);
}

/* Three levels need more room for frames than a run begins with; the children share it. */
static size_t memory_for_children(uint32_t n)
{
    Buffer children = buffer_in(bench.call), message = children, outer = children;
    for (uint32_t i = 0; i < n; i++)
        wire_add_bytes(&children, 34, bytes("\x28\x01", 2));
    wire_add_bytes(&message, 21, buffer_bytes(&children));
    wire_add_bytes(&outer, 21, buffer_bytes(&message));
    Arena *arena = arena_new(ARENA_UNLIMITED);
    Buffer out = buffer_in(bench.call);
    PlanInput input = {.bytes = buffer_bytes(&outer)};
    assert_ok(arena, plan_run(to_json(KINDS), &input, arena, &out, NULL));
    assert_true(out.size > n * strlen("{\"anInt32\":1}"));
    size_t used = arena_size(arena);
    arena_free(arena);
    return used;
}

static void the_messages_of_a_list_share_their_memory(void **state)
{
    assert_true(to_json(KINDS)->program->frame_size * 3 > 2048);
    assert_int_equal(memory_for_children(5000), memory_for_children(5));
}

static void run_row(const char *type, uint32_t n, bool woken)
{
    PlanOptions options = {.from = CODEC_JSON, .to = CODEC_PROTO};
    const Plan *plan = compiled(identity_of(type), options);
    assert_true((plan->program->wakes != NULL) == woken);
    assert_bytes(run_ok(plan, bytes_of("{}")), "");
    for (uint32_t i = 1; i <= n; i++) { /* one alone, and with the first and the last */
        Buffer alone = buffer_in(bench.call), three = alone, json = alone, more = alone;
        buffer_printf(&json, "{\"f%u\":7}", i);
        wire_add_number(&alone, i, 7);
        assert_true(bytes_equal(run_ok(plan, buffer_bytes(&json)), buffer_bytes(&alone)));
        if (i == 1 || i == n)
            continue;
        buffer_printf(&more, "{\"f%u\":9,\"f%u\":8,\"f1\":1}", n, i);
        wire_add_number(&three, 1, 1);
        wire_add_number(&three, i, 8);
        wire_add_number(&three, n, 9);
        assert_true(bytes_equal(run_ok(plan, buffer_bytes(&more)), buffer_bytes(&three)));
    }
}

static void each_field_is_written_when_it_is_set(void **state)
{
    run_row("test.kinds.Row64", 64, true);
    run_row("test.kinds.Row65", 65, false);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(of_a_single_field_the_last_value_counts),
        cmocka_unit_test(messages_in_pieces_are_one),
        cmocka_unit_test(the_last_member_of_a_oneof_counts),
        cmocka_unit_test(lists_may_be_packed_loose_or_both_and_in_pieces),
        cmocka_unit_test(of_equal_keys_the_last_counts_in_json),
        cmocka_unit_test(many_equal_keys_are_told_apart_too),
        cmocka_unit_test(an_entry_may_lack_its_key_or_value),
        cmocka_unit_test(unknown_fields_go_by_the_policy),
        cmocka_unit_test(a_field_of_another_wire_type_is_unknown),
        cmocka_unit_test(closed_enums_put_foreign_values_aside),
        cmocka_unit_test(text_must_be_utf8),
        cmocka_unit_test(groups_and_message_sets_are_read),
        cmocka_unit_test(a_message_cut_off_anywhere_is_handled),
        cmocka_unit_test(nesting_without_end_is_refused),
        cmocka_unit_test(elements_are_limited),
        cmocka_unit_test(a_canonical_message_does_not_show_how_its_sender_spelled_it),
        cmocka_unit_test(equal_messages_are_copied),
        cmocka_unit_test(the_messages_of_a_list_share_their_memory),
        cmocka_unit_test(each_field_is_written_when_it_is_set),
    };
    return cmocka_run_group_tests(tests, plans_begin, plans_end);
}
