#include "adapters/compare/compare.h"

#include "adapters/prove/tree_random.h"
#include "adapters/prove/tree_scatter.h"
#include "tests/unit/adapters/compare/slow_compare.h"
#include "tests/unit/adapters/plans.h"

#define KINDS "test.kinds.Kinds"

static Bytes wire_of(const char *json)
{
    PlanOptions options = {.from = CODEC_JSON, .to = CODEC_PROTO, .types = bench.kinds_set};
    return run_ok(compiled(identity_of(KINDS), options), bytes_of(json));
}

static const FieldType *field_named(const char *name)
{
    return message_field(identity_of(KINDS)->from, bytes_of(name));
}

/* "path shape first/second; ..." */
static Bytes told(Bytes first, Bytes second, const CompareRules *rules)
{
    Comparison comparison;
    Buffer out = buffer_in(bench.call);
    assert_ok(bench.call, compare_messages(identity_of(KINDS)->from, first, second, rules,
                                           bench.call, &comparison));
    for (const Difference *each = comparison.first; each; each = each->next) {
        buffer_printf(&out, "%s%.*s %s", out.size ? "; " : "", BYTES_ARGS(each->path),
                      difference_shape_name(each->shape));
        if (each->n > 1)
            buffer_printf(&out, " x%u", each->n);
        if (each->first.size || each->second.size)
            buffer_printf(&out, " %.*s/%.*s", BYTES_ARGS(each->first), BYTES_ARGS(each->second));
    }
    return buffer_bytes(&out);
}

static Bytes differences(const char *first, const char *second)
{
    return told(wire_of(first), wire_of(second), &(CompareRules){.show = {.most = 40}});
}

static void equal_messages_do_not_differ(void **state)
{
    const char *message = "{\"aString\": \"a\", \"numbers\": [1, 2], \"labels\": {\"a\": \"b\"}}";
    assert_bytes(differences(message, message), "");
    assert_bytes(differences("{}", "{}"), "");
}

static void a_field_is_added_missing_or_has_another_value(void **state)
{
    assert_bytes(differences("{\"aString\": \"a\"}", "{\"anInt32\": 7}"),
                 "an_int32 added /7; a_string missing \"a\"/");
    assert_bytes(differences("{\"anInt32\": -1}", "{\"anInt32\": 7}"), "an_int32 value -1/7");
    assert_bytes(differences("{\"aColor\": \"RED\"}", "{\"aColor\": \"GREEN\"}"),
                 "a_color value RED/GREEN");
    assert_bytes(differences("{\"child\": {\"aBool\": true}}", "{\"child\": {}}"),
                 "child.a_bool missing true/");
}

static void what_is_unset_is_zero_unless_the_two_can_be_told_apart(void **state)
{
    assert_bytes(told(bytes("\x28\x00", 2), BYTES_NONE, &(CompareRules){.ignored = NULL}), "");
    assert_bytes(differences("{\"maybe\": 0}", "{}"), "maybe missing 0/");
    assert_bytes(differences("{}", "{\"child\": {}}"), "child added /{}");
}

static void the_order_of_a_map_means_nothing_and_that_of_a_list_does(void **state)
{
    assert_bytes(differences("{\"labels\": {\"a\": \"1\", \"b\": \"2\"}}",
                             "{\"labels\": {\"b\": \"2\", \"a\": \"1\"}}"),
                 "");
    assert_bytes(differences("{\"numbers\": [1, 2, 3]}", "{\"numbers\": [1, 3, 2]}"),
                 "numbers order 2/3");
    assert_bytes(differences("{\"mask\": \"a,b\"}", "{\"mask\": \"b,a\"}"), "");
}

static void entries_are_compared_by_their_keys(void **state)
{
    assert_bytes(differences("{\"byNumber\": {\"1\": {\"aBool\": true}, \"2\": {}}}",
                             "{\"byNumber\": {\"3\": {}, \"1\": {}}}"),
                 "by_number.a_bool missing true/; by_number missing {}/; by_number added /{}");
}

static void an_element_in_between_is_one_difference(void **state)
{
    assert_bytes(differences("{\"texts\": [\"a\", \"b\", \"c\"]}",
                             "{\"texts\": [\"a\", \"x\", \"b\", \"c\"]}"),
                 "texts added /\"x\"");
    assert_bytes(differences("{\"texts\": [\"a\", \"b\", \"c\"]}", "{\"texts\": [\"c\"]}"),
                 "texts missing x2 \"a\"/");
}

static void elements_are_told_together(void **state)
{
    assert_bytes(differences("{\"children\": [{\"anInt32\": 1}, {\"anInt32\": 2}]}",
                             "{\"children\": [{\"anInt32\": 3}, {\"anInt32\": 4}]}"),
                 "children.an_int32 value x2 1/3");
}

static void another_member_of_a_oneof_is_another_type(void **state)
{
    assert_bytes(differences("{\"text\": \"a\"}", "{\"number\": 1}"), "choice type");
    assert_bytes(differences("{\"number\": 2}", "{\"number\": 1}"), "number value 2/1");
    assert_bytes(differences("{\"number\": 2}", "{}"), "number missing 2/");
}

static void an_any_is_compared_by_its_content(void **state)
{
    static const char any[] = "{\"any\": {\"@type\": \"%s/test.kinds.Kinds.Inner\", %s}}";
    const char *first = arena_printf(bench.call, any, "x", "\"name\": \"a\", \"size\": \"LARGE\"");
    const char *same = arena_printf(bench.call, any, "y", "\"size\": \"LARGE\", \"name\": \"a\"");
    const char *other = arena_printf(bench.call, any, "x", "\"name\": \"b\", \"size\": \"LARGE\"");
    assert_bytes(differences(first, same), "");
    assert_bytes(differences(first, other), "any.name value \"a\"/\"b\"");
    assert_bytes(
        differences(first, "{\"any\": {\"@type\": \"x/google.protobuf.Empty\", \"value\": {}}}"),
        "any type");
}

static void numbers_that_mean_the_same_are_the_same(void **state)
{
    assert_bytes(differences("{\"aDouble\": \"NaN\"}", "{\"aDouble\": \"NaN\"}"), "");
    assert_bytes(differences("{\"doubles\": [-0.0]}", "{\"doubles\": [0]}"), "");
    assert_bytes(differences("{\"aFloat\": -0.0}", "{}"), "");
    assert_bytes(differences("{\"aFloat\": 0.1}", "{\"aFloat\": 0.2}"),
                 "a_float value 0.100000001/0.200000003");
}

static void what_is_ignored_does_not_differ_wherever_it_is(void **state)
{
    const FieldType *ignored[] = {field_named("an_int32"), field_named("labels"), NULL};
    CompareRules rules = {.ignored = ignored};
    Bytes first = wire_of("{\"anInt32\": 1, \"labels\": {\"a\": \"b\"}, "
                          "\"children\": [{\"anInt32\": 1}, {\"anInt32\": 2, \"aBool\": true}]}");
    Bytes second = wire_of("{\"children\": [{\"anInt32\": 3}, {\"anInt32\": 4}]}");
    assert_bytes(told(first, second, &rules), "children.a_bool missing");
}

static bool hides_labels(const void *owner, Bytes path)
{
    return bytes_end_with(path, owner);
}

static void what_is_hidden_is_not_shown(void **state)
{
    CompareRules rules = {.show = {.most = 60, .hides = hides_labels, .owner = "a_string"}};
    Bytes first = wire_of("{\"aString\": \"secret\", \"child\": {\"aString\": \"secret\", "
                          "\"anInt32\": 1}}");
    assert_bytes(told(first, BYTES_NONE, &rules),
                 "a_string missing redacted/; "
                 "child missing {an_int32: 1, a_string: redacted}/");
}

static void a_long_value_is_cut(void **state)
{
    CompareRules rules = {.show = {.most = 8}};
    assert_bytes(told(wire_of("{\"aString\": \"0123456789\"}"), BYTES_NONE, &rules),
                 "a_string missing \"0123456.../");
}

static void what_is_no_message_is_told(void **state)
{
    Comparison comparison;
    CompareRules rules = {.ignored = NULL};
    const MessageType *type = identity_of(KINDS)->from;
    Bytes bad = bytes("\x0a", 1), good = BYTES_NONE;
    assert_fault(compare_messages(type, bad, good, &rules, bench.call, &comparison),
                 FAULT_BAD_MESSAGE);
    assert_fault(compare_messages(type, good, bad, &rules, bench.call, &comparison),
                 FAULT_BAD_MESSAGE);
}

/* Messages of field 21, each in the one before. */
static Bytes nested(Arena *arena, unsigned depth)
{
    Bytes inner = BYTES_NONE;
    for (unsigned i = 0; i < depth; i++) {
        Buffer outer = buffer_in(arena);
        wire_add_bytes(&outer, 34, inner);
        inner = buffer_bytes(&outer);
    }
    return inner;
}

static void depth_has_a_limit_and_costs_little_below_it(void **state)
{
    Comparison comparison;
    CompareRules rules = {.ignored = NULL};
    const MessageType *type = identity_of(KINDS)->from;
    Arena *arena = bench.call;
    assert_ok(arena, compare_messages(type, nested(arena, 99), nested(arena, 98), &rules, arena,
                                      &comparison));
    assert_int_equal(comparison.n, 1);
    assert_fault(
        compare_messages(type, nested(arena, 100), nested(arena, 100), &rules, arena, &comparison),
        FAULT_TOO_DEEP);
}

static void memory_has_a_limit(void **state)
{
    Arena *small = arena_new(16 * 1024);
    Comparison comparison;
    CompareRules rules = {.ignored = NULL};
    Buffer many = buffer_in(bench.call);
    for (unsigned i = 0; i < 2000; i++)
        wire_add_number(&many, 31, i);
    assert_fault(compare_messages(identity_of(KINDS)->from, buffer_bytes(&many), BYTES_NONE, &rules,
                                  small, &comparison),
                 FAULT_OUT_OF_MEMORY);
    arena_free(small);
}

/* ---- Random messages ------------------------------------------------------------------------- */

static Bytes scattered(const Tree *tree, Random *random)
{
    Buffer out = buffer_in(bench.call);
    tree_scatter(tree, random, &out);
    return buffer_bytes(&out);
}

static Comparison compared(Bytes first, Bytes second, const CompareRules *rules)
{
    Comparison comparison;
    assert_ok(bench.call, compare_messages(identity_of(KINDS)->from, first, second, rules,
                                           bench.call, &comparison));
    return comparison;
}

/* Another message, mostly alike: some of its fields are those of a random one. */
static Tree *altered(const Tree *tree, Random *random, const TreeHints *hints)
{
    Tree *other = tree_random(bench.call, random, hints, tree->type);
    for (uint32_t i = 0; i < tree->type->n_fields; i++)
        if (random_below(random, 8) && !tree->type->fields[i].oneof)
            other->fields[i] = tree->fields[i];
    tree_forget_raw(other);
    return other;
}

static void expect_as_slow(Random *random, const TreeHints *hints)
{
    const MessageType *type = identity_of(KINDS)->from;
    const FieldType *ignored[] = {field_named("an_int32"), field_named("texts"), NULL};
    CompareRules rules = {.ignored = random_below(random, 2) ? ignored : NULL};
    Tree *first = tree_random(bench.call, random, hints, type);
    Tree *second = altered(first, random, hints);
    tree_forget_raw(first);
    Comparison fast = compared(scattered(first, random), scattered(second, random), &rules);
    SlowCompare *slow = arena_make(bench.call, SlowCompare);
    slow->arena = bench.call;
    slow->ignored = rules.ignored;
    slow_trees(slow, "", first, second);
    if (!slow_agrees(slow, &fast)) {
        for (uint32_t i = 0; i < slow->n; i++)
            print_message("slow: %s\n", slow->lines[i]);
        fail_msg("fast: %.*s",
                 BYTES_ARGS(told(scattered(first, random), scattered(second, random), &rules)));
    }
}

static void random_messages_differ_as_they_do_slowly(void **state)
{
    Random random;
    TreeHints hints;
    random_seed_fixed(&random, 62);
    tree_hints(bench.arena, bench.kinds_set, &hints);
    for (unsigned n = 0; n < 300; n++) {
        expect_as_slow(&random, &hints);
        arena_reset(bench.call);
    }
}

static void however_a_message_is_written_it_means_the_same(void **state)
{
    Random random;
    TreeHints hints;
    random_seed_fixed(&random, 63);
    tree_hints(bench.arena, bench.kinds_set, &hints);
    for (unsigned n = 0; n < 150; n++) {
        Tree *tree = tree_random(bench.call, &random, &hints, identity_of(KINDS)->from);
        tree_forget_raw(tree);
        CompareRules rules = {.show = {.most = 80}};
        assert_bytes(told(scattered(tree, &random), scattered(tree, &random), &rules), "");
        arena_reset(bench.call);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(equal_messages_do_not_differ),
        cmocka_unit_test(a_field_is_added_missing_or_has_another_value),
        cmocka_unit_test(what_is_unset_is_zero_unless_the_two_can_be_told_apart),
        cmocka_unit_test(the_order_of_a_map_means_nothing_and_that_of_a_list_does),
        cmocka_unit_test(entries_are_compared_by_their_keys),
        cmocka_unit_test(an_element_in_between_is_one_difference),
        cmocka_unit_test(elements_are_told_together),
        cmocka_unit_test(another_member_of_a_oneof_is_another_type),
        cmocka_unit_test(an_any_is_compared_by_its_content),
        cmocka_unit_test(numbers_that_mean_the_same_are_the_same),
        cmocka_unit_test(what_is_ignored_does_not_differ_wherever_it_is),
        cmocka_unit_test(what_is_hidden_is_not_shown),
        cmocka_unit_test(a_long_value_is_cut),
        cmocka_unit_test(what_is_no_message_is_told),
        cmocka_unit_test(depth_has_a_limit_and_costs_little_below_it),
        cmocka_unit_test(memory_has_a_limit),
        cmocka_unit_test(random_messages_differ_as_they_do_slowly),
        cmocka_unit_test(however_a_message_is_written_it_means_the_same),
    };
    return cmocka_run_group_tests(tests, plans_begin, plans_end);
}
