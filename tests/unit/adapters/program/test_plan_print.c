/* Plans as text: what a plan does is seen here, and a change of it does not go unseen. */
#include "tests/unit/adapters/plans.h"

static Bytes printed(const char *type, PlanOptions options)
{
    Buffer out = buffer_in(bench.call);
    plan_print(compiled(identity_of(type), options), &out);
    return buffer_bytes(&out);
}

static void a_program_is_a_scan_and_its_operations(void **state)
{
    PlanOptions options = {.from = CODEC_JSON, .to = CODEC_PROTO};
    assert_bytes(printed("test.kinds.Kinds.Inner", options),
                 "#0 json test.kinds.Kinds.Inner -> proto test.kinds.Kinds.Inner: fields\n"
                 "  scan, 2 slots\n"
                 "    1 name -> s0\n"
                 "    2 size -> s1\n"
                 "  operations\n"
                 "    P PUT_VALUE    s0 name string unless-zero\n"
                 "    P PUT_VALUE    s1 size enum unless-zero\n");
}

static void what_stays_as_it_is_between_protobuf_goes_straight(void **state)
{
    PlanOptions options = {.from = CODEC_PROTO, .to = CODEC_PROTO, .walk_all = true};
    assert_bytes(printed("test.kinds.Kinds.Inner", options),
                 "#0 proto test.kinds.Kinds.Inner -> proto test.kinds.Kinds.Inner: fields\n"
                 "  scan, 0 slots\n"
                 "    1 name => 1 name\n"
                 "    2 size => 2 size\n"
                 "  operations\n");
}

static void nested_programs_are_told_once(void **state)
{
    PlanOptions options = {.from = CODEC_PROTO, .to = CODEC_JSON};
    assert_bytes(printed("test.old.MessageSet", options),
                 "#0 proto test.old.MessageSet -> json test.old.MessageSet: fields\n"
                 "  scan, 1 slots\n"
                 "    1000 test.old.SetItem.item -> s0\n"
                 "  operations\n"
                 "    S PUT_MESSAGE  s0 test.old.SetItem.item message #1\n"
                 "#1 proto test.old.SetItem -> json test.old.SetItem: fields\n"
                 "  scan, 1 slots\n"
                 "    1 text -> s0\n"
                 "  operations\n"
                 "    P PUT_VALUE    s0 text string\n");
}

static void equal_messages_are_said_to_be_copied(void **state)
{
    PlanOptions options = {.from = CODEC_PROTO, .to = CODEC_PROTO};
    assert_bytes(printed("test.old.Old", options),
                 "#0 proto test.old.Old -> proto test.old.Old: copy\n");
}

static void well_known_types_are_read_and_written_by_their_own_rules(void **state)
{
    PlanOptions options = {.from = CODEC_JSON, .to = CODEC_JSON};
    assert_bytes(printed("google.protobuf.Timestamp", options),
                 "#0 json google.protobuf.Timestamp -> json google.protobuf.Timestamp: staged\n"
                 "  #1, then #2\n"
                 "#1 json google.protobuf.Timestamp -> proto google.protobuf.Timestamp: read\n"
                 "#2 proto google.protobuf.Timestamp -> json google.protobuf.Timestamp: write\n");
}

static void a_cache_changes_nothing_that_is_seen(void **state)
{
    PlanOptions options = {.from = CODEC_PROTO, .to = CODEC_JSON, .types = bench.kinds_set};
    Bytes alone = printed("test.kinds.Kinds", options);
    options.cache = plan_cache_new(bench.arena, bench.arena);
    printed("test.kinds.Kinds.Inner", options);
    Bytes shared = printed("test.kinds.Kinds", options);
    assert_true(bytes_equal(alone, shared));
    assert_bytes(run_ok(compiled(identity_of("test.kinds.Kinds"), options), bytes("\x28\x01", 2)),
                 "{\"anInt32\":1}");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_program_is_a_scan_and_its_operations),
        cmocka_unit_test(what_stays_as_it_is_between_protobuf_goes_straight),
        cmocka_unit_test(nested_programs_are_told_once),
        cmocka_unit_test(equal_messages_are_said_to_be_copied),
        cmocka_unit_test(well_known_types_are_read_and_written_by_their_own_rules),
        cmocka_unit_test(a_cache_changes_nothing_that_is_seen),
    };
    return cmocka_run_group_tests(tests, plans_begin, plans_end);
}
