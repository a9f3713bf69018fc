#include "adapters/rules/rules_internal.h"

#include "adapters/prove/tree_random.h"
#include "adapters/prove/tree_scatter.h"
#include "tests/unit/adapters/plans.h"
#include "tests/unit/adapters/rules/slow_rules.h"

#define KINDS "test.kinds.Kinds"

typedef struct Read {
    const FieldRules *rules;
    Problems problems;
} Read;

/* The members of a YAML map: each a path and its rule. */
static Read read_rules(const char *type, const char *yaml)
{
    Read read = {.problems = problems_in(bench.arena)};
    YamlDocument *document = arena_make(bench.arena, YamlDocument);
    const MessageType *message = identity_of(type)->from;
    yaml_parse(bench.arena, bytes_of(yaml), "a.yaml", NULL, &read.problems, document);
    assert_int_equal(read.problems.n, 0);
    RuleText texts[RULES_MOST + 1];
    uint32_t n = 0;
    for (const JsonNode *member = document->root->first; member; member = member->next) {
        const char *name = arena_text(bench.arena, member->name);
        assert_non_null(rule_path(message, name).field);
        texts[n++] = (RuleText){name, member, name};
    }
    read.rules = rules_read(bench.arena, message, texts, n, document, &read.problems);
    return read;
}

static const FieldRules *rules_of(const char *type, const char *yaml)
{
    Read read = read_rules(type, yaml);
    Buffer told = buffer_in(bench.arena);
    problems_print(&read.problems, &told);
    assert_bytes(buffer_bytes(&told), "");
    return read.rules;
}

static Bytes wire_of(const char *json)
{
    PlanOptions options = {.from = CODEC_JSON, .to = CODEC_PROTO, .types = bench.kinds_set};
    return run_ok(compiled(identity_of(KINDS), options), bytes_of(json));
}

static Bytes json_of(Bytes wire)
{
    PlanOptions options = {.from = CODEC_PROTO, .to = CODEC_JSON, .types = bench.kinds_set};
    return run_ok(compiled(identity_of(KINDS), options), wire);
}

/* The message as it becomes, or the fields of the mistakes. */
static Bytes checked(const FieldRules *rules, Bytes message)
{
    Result r = rules_check(rules, false, bench.call, &message);
    Buffer fields = buffer_in(bench.call);
    if (!failed(r))
        return json_of(message);
    for (const Error *mistake = r.error; mistake; mistake = mistake->also)
        buffer_printf(&fields, "%s ", mistake->field ? mistake->field : "-");
    return buffer_bytes(&fields);
}

typedef struct Row {
    const char *rules, *json, *becomes; /* JSON, or fields with a blank behind each */
} Row;

static void expect_rows(const Row *rows, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        Bytes becomes = checked(rules_of(KINDS, rows[i].rules), wire_of(rows[i].json));
        if (!bytes_are(becomes, rows[i].becomes))
            fail_msg("%s: %s becomes %.*s, not %s", rows[i].rules, rows[i].json,
                     BYTES_ARGS(becomes), rows[i].becomes);
    }
}
#define EXPECT(rows) expect_rows(rows, sizeof rows / sizeof *rows)

static void a_required_field_must_be_there(void **state)
{
    static const Row rows[] = {
        {"an_int32: {required: true}", "{}", "an_int32 "},
        {"an_int32: {required: true}", "{\"anInt32\":0}", "an_int32 "},
        {"an_int32: {required: true}", "{\"anInt32\":-1}", "{\"anInt32\":-1}"},
        {"maybe: {required: true}", "{}", "maybe "},
        {"maybe: {required: true}", "{\"maybe\":0}", "{\"maybe\":0}"},
        {"a_string: {required: true}", "{\"aString\":\"\"}", "a_string "},
        {"text: {required: true}", "{\"text\":\"\"}", "text "},
        {"text: {required: true}", "{\"number\":1}", "text "},
        {"text: {required: true}", "{\"text\":\"a\"}", "{\"text\":\"a\"}"},
        {"a_color: {required: true}", "{}", "a_color "},
        {"numbers: {required: true}", "{\"numbers\":[]}", "numbers "},
        {"numbers: {required: true}", "{\"numbers\":[0]}", "{\"numbers\":[0]}"},
        {"labels: {required: true}", "{}", "labels "},
        {"labels: {required: true}", "{\"labels\":{\"\":\"\"}}", "{\"labels\":{\"\":\"\"}}"},
        {"child: {required: true}", "{}", "child "},
        {"child: {required: true}", "{\"child\":{}}", "{\"child\":{}}"},
        {"far_away: {required: true}", "{}", "far_away "},
        {"far_away: {required: true}", "{\"farAway\":1}", "{\"farAway\":1}"},
        {"an_int32: {required: false, at_most: 1}", "{}", "{}"},
    };
    EXPECT(rows);
}

static void what_is_in_a_message_is_demanded_where_it_is_there(void **state)
{
    static const Row rows[] = {
        {"child.an_int32: {required: true}", "{}", "{}"},
        {"child.an_int32: {required: true}", "{\"child\":{}}", "child.an_int32 "},
        {"child.child.maybe: {required: true}", "{\"child\":{\"child\":{}}}", "child.child.maybe "},
        {"child: {required: true}\nchild.an_int32: {required: true}", "{}", "child "},
        {"children.a_string: {required: true}",
         "{\"children\":[{},{\"aString\":\"a\"},{\"aString\":\"\"}]}",
         "children[0].a_string children[2].a_string "},
        {"children.children.maybe: {required: true}",
         "{\"children\":[{\"children\":[{\"maybe\":0},{}]},{}]}", "children[0].children[1].maybe "},
        {"children.child.an_int32: {default: 7}",
         "{\"children\":[{\"child\":{}},{},{\"child\":{\"anInt32\":1}}]}",
         "{\"children\":[{\"child\":{\"anInt32\":7}},{},{\"child\":{\"anInt32\":1}}]}"},
        {"inner.name: {default: a}", "{}", "{}"},
        {"inner.name: {default: a}", "{\"inner\":{}}", "{\"inner\":{\"name\":\"a\"}}"},
        {"inner: {default: {}}\ninner.name: {default: a}", "{}", "{\"inner\":{\"name\":\"a\"}}"},
        {"inner: {default: {size: LARGE}}\ninner.name: {required: true}", "{}", "inner.name "},
    };
    EXPECT(rows);
}

static void an_absent_field_becomes_its_default(void **state)
{
    static const Row rows[] = {
        {"an_int32: {default: 50}", "{}", "{\"anInt32\":50}"},
        {"an_int32: {default: 50}", "{\"anInt32\":0}", "{\"anInt32\":50}"},
        {"an_int32: {default: 50}", "{\"anInt32\":1}", "{\"anInt32\":1}"},
        {"maybe: {default: 50}", "{\"maybe\":0}", "{\"maybe\":0}"},
        {"maybe: {default: 0}", "{}", "{\"maybe\":0}"},
        {"a_string: {default: a}", "{}", "{\"aString\":\"a\"}"},
        {"a_bytes: {default: YQ==}", "{}", "{\"aBytes\":\"YQ==\"}"},
        {"a_color: {default: GREEN}", "{}", "{\"aColor\":\"GREEN\"}"},
        {"an_sint64: {default: -5}", "{}", "{\"anSint64\":\"-5\"}"},
        {"a_float: {default: 1.5}", "{}", "{\"aFloat\":1.5}"},
        {"a_bool: {default: true}", "{}", "{\"aBool\":true}"},
        {"numbers: {default: [1, 0, 2]}", "{}", "{\"numbers\":[1,0,2]}"},
        {"children: {default: [{maybe: 1}]}", "{}", "{\"children\":[{\"maybe\":1}]}"},
        {"labels: {default: {a: b}}", "{}", "{\"labels\":{\"a\":\"b\"}}"},
        {"duration: {default: 1.5s}", "{}", "{\"duration\":\"1.500s\"}"},
        {"wrapped: {default: 0}", "{}", "{\"wrapped\":\"0\"}"},
        {"text: {default: a}", "{}", "{\"text\":\"a\"}"},
        {"text: {default: a}", "{\"number\":0}", "{\"number\":0}"},
        {"nested: {default: {maybe: 1}}", "{\"text\":\"\"}", "{\"text\":\"\"}"},
        {"far_away: {default: 1}", "{\"aBool\":true}", "{\"aBool\":true,\"farAway\":1}"},
    };
    EXPECT(rows);
}

static void bounds_hold_on_both_sides(void **state)
{
    static const Row rows[] = {
        {"an_int32: {at_most: 500}", "{\"anInt32\":500}", "{\"anInt32\":500}"},
        {"an_int32: {at_most: 500}", "{\"anInt32\":501}", "an_int32 "},
        {"an_int32: {at_least: -2}", "{\"anInt32\":-2}", "{\"anInt32\":-2}"},
        {"an_int32: {at_least: -2}", "{\"anInt32\":-3}", "an_int32 "},
        {"an_int32: {at_least: 5}", "{}", "{}"},
        {"maybe: {at_least: 5}", "{\"maybe\":0}", "maybe "},
        {"a_uint64: {at_most: 18446744073709551614}", "{\"aUint64\":\"18446744073709551615\"}",
         "a_uint64 "},
        {"a_uint64: {at_most: 18446744073709551614}", "{\"aUint64\":\"18446744073709551614\"}",
         "{\"aUint64\":\"18446744073709551614\"}"},
        {"an_sint64: {at_least: -9223372036854775807}", "{\"anSint64\":\"-9223372036854775808\"}",
         "an_sint64 "},
        {"a_double: {at_most: 0.5}", "{\"aDouble\":0.5}", "{\"aDouble\":0.5}"},
        {"a_double: {at_most: 0.5}", "{\"aDouble\":0.5000001}", "a_double "},
        {"a_double: {at_most: 0.5}", "{\"aDouble\":\"NaN\"}", "a_double "},
        {"a_string: {at_most: 2}", "{\"aString\":\"\\u00e4\\u00f6\"}", "{\"aString\":\"äö\"}"},
        {"a_string: {at_most: 2}", "{\"aString\":\"abc\"}", "a_string "},
        {"a_string: {at_least: 2}", "{\"aString\":\"\\u00e4\"}", "a_string "},
        {"a_bytes: {at_most: 1}", "{\"aBytes\":\"YQ==\"}", "{\"aBytes\":\"YQ==\"}"},
        {"a_bytes: {at_most: 1}", "{\"aBytes\":\"YWI=\"}", "a_bytes "},
        {"numbers: {at_most: 2}", "{\"numbers\":[1,300]}", "{\"numbers\":[1,300]}"},
        {"numbers: {at_most: 2}", "{\"numbers\":[1,300,3]}", "numbers "},
        {"doubles: {at_least: 2}", "{\"doubles\":[1]}", "doubles "},
        {"fixed: {at_most: 2}", "{\"fixed\":[1,2,3]}", "fixed "},
        {"texts: {at_most: 1}", "{\"texts\":[\"\",\"\"]}", "texts "},
        {"children: {at_most: 1}", "{\"children\":[{},{}]}", "children "},
        {"duration: {at_most: 30s}", "{\"duration\":\"30s\"}", "{\"duration\":\"30s\"}"},
        {"duration: {at_most: 30s}", "{\"duration\":\"30.000000001s\"}", "duration "},
        {"duration: {at_least: -1s}", "{\"duration\":\"-1.000000001s\"}", "duration "},
        {"time: {at_least: 2026-03-01T00:00:00Z}", "{\"time\":\"2026-02-28T23:59:59.999Z\"}",
         "time "},
        {"time: {at_least: 2026-03-01T00:00:00Z}", "{\"time\":\"2026-03-01T00:00:00Z\"}",
         "{\"time\":\"2026-03-01T00:00:00Z\"}"},
        {"wrapped.value: {at_most: 3}", "{\"wrapped\":\"4\"}", "wrapped.value "},
    };
    EXPECT(rows);
}

static void a_value_may_become_its_bound(void **state)
{
    static const Row rows[] = {
        {"an_int32: {at_least: -2, at_most: 5, clamp: true}", "{\"anInt32\":6}", "{\"anInt32\":5}"},
        {"an_int32: {at_least: -2, at_most: 5, clamp: true}", "{\"anInt32\":-3}",
         "{\"anInt32\":-2}"},
        {"an_int32: {at_least: -2, at_most: 5, clamp: true}", "{\"anInt32\":5}", "{\"anInt32\":5}"},
        {"maybe: {at_most: 0, clamp: true}", "{\"maybe\":1}", "{\"maybe\":0}"},
        {"an_int32: {at_most: 0, clamp: true}", "{\"anInt32\":1}", "{}"},
        {"duration: {at_most: 2s, clamp: true}", "{\"duration\":\"2.5s\"}",
         "{\"duration\":\"2s\"}"},
        {"children.an_int32: {at_most: 2, clamp: true}",
         "{\"children\":[{\"anInt32\":3},{},{\"anInt32\":2}]}",
         "{\"children\":[{\"anInt32\":2},{},{\"anInt32\":2}]}"},
    };
    EXPECT(rows);
}

static void only_some_values_may_be_allowed(void **state)
{
    static const Row rows[] = {
        {"a_color: {one_of: [RED, GREEN]}", "{\"aColor\":\"GREEN\"}", "{\"aColor\":\"GREEN\"}"},
        {"a_color: {one_of: [RED, GREEN]}", "{\"aColor\":\"NEGATIVE\"}", "a_color "},
        {"a_color: {one_of: [RED, GREEN]}", "{}", "{}"},
        {"a_string: {one_of: [a, b]}", "{\"aString\":\"b\"}", "{\"aString\":\"b\"}"},
        {"a_string: {one_of: [a, b]}", "{\"aString\":\"ab\"}", "a_string "},
        {"an_int64: {one_of: [1, -1]}", "{\"anInt64\":\"-1\"}", "{\"anInt64\":\"-1\"}"},
        {"an_int64: {one_of: [1, -1]}", "{\"anInt64\":\"2\"}", "an_int64 "},
    };
    EXPECT(rows);
}

static void all_mistakes_are_told_together(void **state)
{
    const FieldRules *rules = rules_of(KINDS, "a_string: {required: true}\n"
                                              "an_int32: {at_most: 5}\n"
                                              "a_color: {one_of: [RED]}\n"
                                              "children.maybe: {required: true}\n");
    Bytes message = wire_of("{\"anInt32\":6,\"aColor\":2,\"children\":[{}]}"), same = message;
    Result r = rules_check(rules, true, bench.call, &message);
    assert_ptr_equal(message.data, same.data);
    static const struct {
        const char *fault, *field, *text;
    } rows[] = {
        {"FIELD_REQUIRED", "children[0].maybe", "children[0].maybe: is required"},
        {"FIELD_REQUIRED", "aString", "aString: is required"},
        {"VALUE_NOT_ALLOWED", "anInt32", "anInt32: must be at most 5"},
        {"VALUE_NOT_ALLOWED", "aColor", "aColor: must be one of RED"},
    };
    const Error *error = r.error;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++, error = error->also) {
        assert_non_null(error);
        assert_string_equal(error->fault->name, rows[i].fault);
        assert_string_equal(error->field, rows[i].field);
        assert_string_equal(error->doing, rows[i].text);
        assert_true(error->told);
    }
    assert_null(error);
}

static void sixteen_mistakes_are_enough(void **state)
{
    const FieldRules *rules = rules_of(KINDS, "children.maybe: {required: true}");
    Buffer children = buffer_in(bench.call);
    for (unsigned n = 1; n <= 17; n++) {
        wire_add_bytes(&children, 34, BYTES_NONE);
        Bytes message = buffer_bytes(&children);
        Result r = rules_check(rules, false, bench.call, &message);
        unsigned told = 0;
        for (const Error *error = r.error; error; error = error->also)
            told++;
        assert_int_equal(told, n < 16 ? n : 16);
    }
}

/* Of a JSON message with invalid fields, and what rules demand of the rest. */
static const char *all_mistakes(const char *yaml, PlanInput input)
{
    PlanOptions options = {.from = CODEC_JSON, .to = CODEC_PROTO, .types = bench.kinds_set};
    Buffer rest = buffer_in(bench.call), fields = buffer_in(bench.call);
    PlanRun run = {.all_mistakes = true, .rest = &rest};
    Bytes out;
    Result r = run_input(compiled(identity_of(KINDS), options), input, &out, &run);
    assert_true(failed(r));
    if (run.has_rest)
        r = rules_check_rest(rules_of(KINDS, yaml), true, bench.call, r, buffer_bytes(&rest));
    for (const Error *error = r.error; error; error = error->also)
        buffer_printf(&fields, "%s ", error->field);
    return arena_text(bench.call, buffer_bytes(&fields));
}

static void mistakes_of_json_are_told_with_those_of_rules(void **state)
{
    static const char rules[] = "an_int32: {required: true, at_most: 5}\n"
                                "a_string: {required: true}\n"
                                "children: {required: true}\n"
                                "children.maybe: {required: true}\n"
                                "child.an_int64: {at_most: 3}\n"
                                "by_number: {required: true}";
    static const struct {
        const char *json, *fields;
    } rows[] = {
        {"{\"aBool\":3,\"anInt32\":6}", "aBool anInt32 aString children byNumber "},
        {"{\"anInt32\":\"x\"}", "anInt32 aString children byNumber "},
        {"{\"an_int32\":\"x\",\"a_string\":\"a\"}", "anInt32 children byNumber "},
        {"{\"anInt32\":1,\"aString\":\"a\",\"children\":[{\"aBool\":1},{}],\"byNumber\":{\"1\":{}}"
         "}",
         "children[0].aBool "},
        {"{\"anInt32\":1,\"aString\":\"a\",\"children\":[{\"maybe\":1}],"
         "\"byNumber\":{\"1\":{\"aBool\":7,\"nothing\":1},\"2\":{}},\"child\":{\"anInt64\":4}}",
         "byNumber[\"1\"].aBool byNumber[\"1\"].nothing child.anInt64 "},
        {"{\"child\":{\"aBool\":1,\"anInt64\":4},\"aString\":\"a\",\"anInt32\":2,\"children\":[],"
         "\"nothing\":{}}",
         "nothing child.aBool children child.anInt64 byNumber "},
        {"{\"anInt32\":1,\"aString\":\"a\",\"children\":[{\"aBool\":1},{\"child\":{\"aBool\":2}},{}"
         "],"
         "\"child\":{\"anInt64\":4}}",
         "children[0].aBool children[1].child.aBool child.anInt64 byNumber "},
        {"{\"aString\":", "(null) "},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        assert_string_equal(all_mistakes(rules, (PlanInput){.bytes = bytes_of(rows[i].json)}),
                            rows[i].fields);
}

/* A parameter names a field in either spelling. */
static void mistakes_of_a_query_are_told_with_those_of_rules(void **state)
{
    PlanParameter query[] = {{bytes_of("an_int32"), bytes_of("x")},
                             {bytes_of("aString"), bytes_of("abc")}};
    PlanInput input = {.no_body = true, .parameters = query, .n_parameters = 2};
    assert_string_equal(all_mistakes("an_int32: {required: true}\na_string: {at_most: 2}\n"
                                     "maybe: {required: true}",
                                     input),
                        "anInt32 aString maybe ");
}

/* ---- Bytes ----------------------------------------------------------------------------------- */

static Bytes record(uint32_t number, Bytes content)
{
    Buffer out = buffer_in(bench.call);
    wire_add_bytes(&out, number, content);
    return buffer_bytes(&out);
}

static Bytes joined(Bytes a, Bytes b)
{
    Buffer out = buffer_in(bench.call);
    buffer_add_bytes(&out, a);
    buffer_add_bytes(&out, b);
    return buffer_bytes(&out);
}

static void a_message_that_needs_nothing_stays_where_it_is(void **state)
{
    const FieldRules *rules = rules_of(KINDS, "an_int32: {default: 1, at_most: 5}\n"
                                              "children.an_int32: {default: 2}");
    Bytes message = wire_of("{\"anInt32\":4,\"children\":[{\"anInt32\":1}]}"), same = message;
    size_t before = arena_size(bench.call);
    assert_ok(bench.call, rules_check(rules, false, bench.call, &message));
    assert_ptr_equal(message.data, same.data);
    assert_int_equal(message.size, same.size);
    assert_int_equal(arena_size(bench.call), before);
}

/* Not every reader puts pieces of a message together. */
static void pieces_of_a_message_become_one(void **state)
{
    const FieldRules *rules = rules_of(KINDS, "child.an_int32: {default: 7}\n"
                                              "child.a_string: {required: true}");
    Bytes one = record(21, wire_of("{\"aString\":\"a\"}")),
          two = record(21, wire_of("{\"maybe\":1}"));
    Bytes message = joined(joined(one, record(9, bytes_of("x"))), two);
    assert_ok(bench.call, rules_check(rules, false, bench.call, &message));
    assert_bytes(message, "\x4a\x01x\xaa\x01\x08\x4a\x01"
                          "a\xa0\x01\x01\x28\x07");
}

static void the_last_member_of_a_oneof_counts(void **state)
{
    const FieldRules *rules = rules_of(KINDS, "nested.a_string: {required: true}");
    Bytes empty = record(24, BYTES_NONE), text = record(22, bytes_of("a"));
    assert_bytes(checked(rules, joined(empty, text)), "{\"text\":\"a\"}");
    assert_bytes(checked(rules, joined(text, empty)), "nested.a_string ");
    /* What was unset is no piece of what comes again. */
    Bytes good = record(24, wire_of("{\"aString\":\"a\"}"));
    assert_bytes(checked(rules, joined(joined(good, text), empty)), "nested.a_string ");
}

static void lists_are_counted_packed_and_loose(void **state)
{
    Bytes packed = record(30, bytes_of("\x01\xac\x02\x03")), loose = bytes("\xf0\x01\x05", 3);
    const FieldRules *most = rules_of(KINDS, "numbers: {at_most: 4}");
    Bytes four = joined(packed, loose), five = joined(loose, four);
    assert_bytes(checked(most, four), "{\"numbers\":[1,300,3,5]}");
    assert_bytes(checked(most, five), "numbers ");
}

/* Else a text of continuation bytes has no characters. */
static void what_is_no_text_does_not_get_around_its_bound(void **state)
{
    static const struct {
        const char *rules;
        const char *value;
    } rows[] = {
        {"a_string: {at_most: 2}", "a\x80\x80"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        const FieldRules *rules = rules_of(KINDS, rows[i].rules);
        uint32_t number = rules->fields[0].field->number;
        Bytes message = record(number, bytes_of(rows[i].value));
        assert_true(failed(rules_check(rules, false, bench.call, &message)));
    }
}

/* Nanoseconds of a second and more, which only protobuf can have, get around no bound. */
static void nanoseconds_of_a_second_and_more_are_seconds(void **state)
{
    static const struct {
        const char *rules;
        int64_t seconds;
        int32_t nanos;
        bool good;
    } rows[] = {
        {"duration: {at_most: 30s}", 29, 999999999, true},
        {"duration: {at_most: 30s}", 29, 1000000000, true},
        {"duration: {at_most: 30s}", 29, 1000000001, false},
        {"duration: {at_most: 30s}", 28, 2147483647, false},
        {"duration: {at_least: 30s}", 31, -1000000000, true},
        {"duration: {at_least: 30s}", 31, -1000000001, false},
        {"duration: {at_least: 30s}", 32, -2147483647, false},
        {"duration: {at_least: -1s}", -1, 0, true},
        {"duration: {at_least: -1s}", -1, -1, false},
        {"duration: {at_least: -1s}", INT64_MIN, -1, false},
        {"duration: {at_most: 30s}", INT64_MAX, 1000000000, false},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        const FieldRules *rules = rules_of(KINDS, rows[i].rules);
        Buffer time = buffer_in(bench.call);
        wire_add_tag(&time, 1, WIRE_VARINT);
        wire_add_varint(&time, (uint64_t)rows[i].seconds);
        wire_add_tag(&time, 2, WIRE_VARINT);
        wire_add_varint(&time, (uint64_t)(int64_t)rows[i].nanos);
        Bytes message = record(rules->fields[0].field->number, buffer_bytes(&time));
        if (failed(rules_check(rules, false, bench.call, &message)) == rows[i].good)
            fail_msg("row %zu: %s", i, rows[i].rules);
    }
}

/* Of another wire type than the field's: an unknown field. */
static void a_record_of_another_type_is_no_value(void **state)
{
    const FieldRules *rules = rules_of(KINDS, "a_string: {required: true}");
    Bytes message = bytes("\x48\x01", 2);
    assert_fault(rules_check(rules, false, bench.call, &message), FAULT_FIELD_REQUIRED);
}

static void malformed_messages_are_refused(void **state)
{
    const FieldRules *rules = rules_of(KINDS, "child.maybe: {default: 1}\n"
                                              "children.maybe: {default: 1}\n"
                                              "duration: {at_most: 1s}");
    static const struct {
        const char *bytes, *field;
    } rows[] = {
        {"\x4a\x05", ""},
        {"\xaa\x01\x02\x4a\x05", "child"},
        {"\x92\x02\x02\x4a\x05", "children[0]"},
        {"\x9a\x03\x02\x4a\x05", "duration"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        Bytes message = bytes_of(rows[i].bytes);
        Result r = rules_check(rules, false, bench.call, &message);
        assert_fault(r, FAULT_BAD_MESSAGE);
        assert_string_equal(r.error->field ? r.error->field : "", rows[i].field);
    }
}

static void groups_are_written_as_groups(void **state)
{
    const FieldRules *rules = rules_of("test.old.Old", "data.inside: {default: 7}\n"
                                                       "rows.cell: {default: a}");
    Bytes message = bytes_of("\x4b\x0a\x01"
                             "b\x4c\x33\x34\x4b\x4c");
    assert_ok(bench.call, rules_check(rules, false, bench.call, &message));
    assert_bytes(message, "\x4b\x0a\x01"
                          "b\x4c\x33\x08\x07\x34\x4b\x0a\x01"
                          "a\x4c");
}

/* proto2: an unknown number of a closed enum is an unknown field. */
static void a_closed_enum_has_its_own_numbers_only(void **state)
{
    const FieldRules *rules = rules_of("test.old.Old", "closed: {required: true}");
    Bytes two = bytes_of("\x20\x02"), three = bytes_of("\x20\x03");
    assert_ok(bench.call, rules_check(rules, false, bench.call, &two));
    assert_fault(rules_check(rules, false, bench.call, &three), FAULT_FIELD_REQUIRED);
}

static void memory_has_a_limit(void **state)
{
    const FieldRules *rules = rules_of(KINDS, "children.a_string: {default: a}");
    Buffer many = buffer_in(bench.call);
    for (unsigned i = 0; i < 10000; i++)
        wire_add_bytes(&many, 34, BYTES_NONE);
    Bytes message = buffer_bytes(&many);
    Arena *small = arena_new(100000);
    assert_fault(rules_check(rules, false, small, &message), FAULT_OUT_OF_MEMORY);
    arena_free(small);
    assert_ok(bench.call, rules_check(rules, false, bench.call, &message));
}

/* ---- Reading --------------------------------------------------------------------------------- */

static void a_rule_that_cannot_work_is_refused(void **state)
{
    static const struct {
        const char *rules, *told;
    } rows[] = {
        {"an_int32: {}", "a.yaml:1:1: an_int32: it demands nothing (required: true, or default: "
                         "VALUE, or at_most: VALUE)\n"},
        {"an_int32: {default: x}", "a.yaml:1:12: an_int32.default: this is no value of int32\n"},
        {"an_int32: {default: 3000000000}",
         "a.yaml:1:12: an_int32.default: this is no value of int32\n"},
        {"an_int32: {default: 0}", "a.yaml:1:12: an_int32.default: the field has this value "
                                   "without it (leave it out)\n"},
        {"an_int32: {required: true, default: 1}",
         "a.yaml:1:12: an_int32.required: a field with a default is never missing (leave it "
         "out)\n"},
        {"a_double: {at_least: NaN}",
         "a.yaml:1:12: a_double.at_least: no value is below or above NaN\n"},
        {"an_int32: {at_least: 6, at_most: 5}",
         "a.yaml:1:12: an_int32.at_least: it is more than at_most: no value fits (a smaller one, "
         "or a larger at_most)\n"},
        {"an_int32: {default: 6, at_most: 5}",
         "a.yaml:1:12: an_int32.default: it is more than at_most allows (5 or less)\n"},
        {"an_int32: {default: 4, at_least: 5}",
         "a.yaml:1:12: an_int32.default: it is less than at_least allows (5 or more)\n"},
        {"a_string: {default: abc, at_most: 2}",
         "a.yaml:1:12: a_string.default: it is more than at_most allows (2 or less)\n"},
        {"numbers: {default: [1, 2], at_most: 1}",
         "a.yaml:1:11: numbers.default: it is more than at_most allows (1 or less)\n"},
        {"duration: {default: 2s, at_most: 1s}",
         "a.yaml:1:12: duration.default: it is more than at_most allows (1s or less)\n"},
        {"a_string: {default: c, one_of: [a, b]}",
         "a.yaml:1:12: a_string.default: it is not among the values of one_of (a, b)\n"},
        {"a_string: {one_of: []}",
         "a.yaml:1:12: a_string.one_of: a list of values is expected (for example [a, b])\n"},
        {"a_color: {one_of: [BLUE]}", "a.yaml:1:20: a_color.one_of: Color has no value BLUE\n"},
        {"a_bool: {one_of: [true]}", "a.yaml:1:10: a_bool.one_of: only for one number, text, "
                                     "bytes or enum value\n"},
        {"a_color: {at_most: RED}",
         "a.yaml:1:11: a_color.at_most: values of test.kinds.Color have no bounds (write "
         "one_of)\n"},
        {"wrapped: {at_most: 3}",
         "a.yaml:1:11: wrapped.at_most: values of google.protobuf.Int64Value have no bounds "
         "(write wrapped.value)\n"},
        {"labels: {at_most: 3}", "a.yaml:1:10: labels.at_most: a map has no bounds\n"},
        {"a_string: {at_most: -1}", "a.yaml:1:12: a_string.at_most: this is no value of uint32\n"},
        {"a_string: {at_most: 3, clamp: true}",
         "a.yaml:1:24: a_string.clamp: only numbers and times can become their bound (leave it "
         "out)\n"},
        {"an_int32: {required: true, clamp: true}",
         "a.yaml:1:28: an_int32.clamp: there is no bound that a value could become (at_most: "
         "VALUE)\n"},
        {"otherName: {required: true}\nrenamed: {at_most: 1}",
         "a.yaml:2:1: renamed: renamed has a rule already (one rule with both, or other "
         "versions)\n"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        Read read = read_rules(KINDS, rows[i].rules);
        Buffer told = buffer_in(bench.arena);
        problems_print(&read.problems, &told);
        assert_bytes(buffer_bytes(&told), rows[i].told);
    }
}

static void paths_lead_to_fields(void **state)
{
    const MessageType *kinds = identity_of(KINDS)->from;
    assert_string_equal(rule_path(kinds, "child.children.anInt32").field->name, "an_int32");
    RulePath path = rule_path(kinds, "child.nothing.x");
    assert_null(path.field);
    assert_bytes(path.name, "nothing");
    assert_ptr_equal(path.in, kinds);
    path = rule_path(kinds, "an_int32.x");
    assert_null(path.field);
    assert_string_equal(path.closed->name, "an_int32");
    assert_string_equal(rule_path(kinds, "labels.x").closed->name, "labels");
    assert_null(rule_path(kinds, "").field);
    const char *deep =
        "child.child.child.child.child.child.child.child.child.child.child.child.child."
        "child.child.child.maybe";
    assert_null(rule_path(kinds, deep).field);
    assert_non_null(rule_path(kinds, deep + strlen("child.")).field);
}

static void rules_are_printed_a_line_each(void **state)
{
    Buffer out = buffer_in(bench.call);
    rules_print(rules_of(KINDS, "an_int32: {default: 50, at_most: 500, clamp: true}\n"
                                "child.a_string: {required: true, at_least: 2}\n"
                                "a_color: {one_of: [RED, GREEN]}"),
                "  ", &out);
    assert_bytes(buffer_bytes(&out), "  an_int32: default 50, at most 500, clamped\n"
                                     "  child.a_string: required, at least 2\n"
                                     "  a_color: one of RED, GREEN\n");
}

/* ---- Against the slow, obvious way ----------------------------------------------------------- */

static const char *const random_rules[] = {
    "an_int32: {at_least: -5, at_most: 5}\nmaybe: {default: 3}\na_string: {required: true}",
    "an_int64: {at_most: 9, clamp: true}\na_double: {at_least: 0, clamp: true}\n"
    "a_uint32: {default: 8, at_most: 4000}",
    "child: {default: {a_string: a}}\nchild.a_string: {default: b}\nchild.child.maybe: {default: "
    "1}",
    "children.an_int32: {default: 2, at_most: 1000, clamp: true}\nchildren: {at_most: 3}\n"
    "children.child.numbers: {default: [1, 2]}",
    "text: {default: x}\nnested.maybe: {required: true}\nnumber: {at_most: 100, clamp: true}",
    "duration: {at_least: 0s, at_most: 30s, clamp: true}\ntime: {required: true}\n"
    "numbers: {at_most: 2}\ncolors: {required: true}\nlabels: {default: {a: b}}",
    "nested.children.nested.an_int32: {default: 7}\nnested.children.texts: {at_most: 1}\n"
    "nested: {default: {}}",
    "a_color: {one_of: [RED, GREEN], default: RED}\na_bytes: {at_most: 2}\nfar_away: {default: 1}",
};

/* Mistakes come in another order: those of elements while the bytes are read. */
static const char *sorted(Bytes words)
{
    const char *list[SLOW_MISTAKES + 1];
    size_t n = 0;
    Bytes word;
    while (bytes_split(&words, ' ', &word) && n <= SLOW_MISTAKES) {
        size_t at = n++;
        const char *text = arena_text(bench.call, word);
        for (; at && strcmp(list[at - 1], text) > 0; at--)
            list[at] = list[at - 1];
        list[at] = text;
    }
    Buffer out = buffer_in(bench.call);
    for (size_t i = 0; i < n; i++)
        buffer_printf(&out, "%s ", list[i]);
    return arena_text(bench.call, buffer_bytes(&out));
}

static void expect_as_slow(const FieldRules *rules, Random *random, const TreeHints *hints)
{
    const MessageType *type = identity_of(KINDS)->from;
    Tree *tree = tree_random(bench.call, random, hints, type), *fast;
    Buffer wire = buffer_in(bench.call), shown = buffer_in(bench.call);
    SlowRules slow = {.arena = bench.call, .paths = buffer_in(bench.call)};
    tree_scatter(tree, random, &wire);
    tree_print(tree, &shown);
    Bytes message = buffer_bytes(&wire);
    Result r = rules_check(rules, false, bench.call, &message);
    slow_message(&slow, rules, tree, "");
    if (slow.n > SLOW_MISTAKES) {
        assert_true(failed(r));
        return;
    }
    Buffer paths = buffer_in(bench.call);
    for (const Error *error = r.error; error; error = error->also)
        buffer_printf(&paths, "%s ", error->field);
    const char *found = sorted(buffer_bytes(&paths)), *wanted = sorted(buffer_bytes(&slow.paths));
    if (strcmp(found, wanted) != 0)
        fail_msg("%.*s: %s, not %s", BYTES_ARGS(buffer_bytes(&shown)), found, wanted);
    if (failed(r))
        return;
    assert_ok(bench.call, tree_parse(bench.call, type, message, &fast));
    tree_forget_raw(tree);
    tree_forget_raw(fast);
    if (!tree_equal(&hints->known, tree, fast)) {
        Buffer is = buffer_in(bench.call), was = buffer_in(bench.call);
        tree_print(fast, &is);
        tree_print(tree, &was);
        fail_msg("%.*s\nbecomes %.*s\nnot %.*s", BYTES_ARGS(buffer_bytes(&shown)),
                 BYTES_ARGS(buffer_bytes(&is)), BYTES_ARGS(buffer_bytes(&was)));
    }
}

static void random_messages_become_what_they_become_slowly(void **state)
{
    Random random;
    TreeHints hints;
    random_seed_fixed(&random, 14);
    tree_hints(bench.arena, bench.kinds_set, &hints);
    for (size_t i = 0; i < sizeof random_rules / sizeof *random_rules; i++) {
        const FieldRules *rules = rules_of(KINDS, random_rules[i]);
        for (unsigned n = 0; n < 100; n++) {
            expect_as_slow(rules, &random, &hints);
            arena_reset(bench.call);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_required_field_must_be_there),
        cmocka_unit_test(what_is_in_a_message_is_demanded_where_it_is_there),
        cmocka_unit_test(an_absent_field_becomes_its_default),
        cmocka_unit_test(bounds_hold_on_both_sides),
        cmocka_unit_test(a_value_may_become_its_bound),
        cmocka_unit_test(only_some_values_may_be_allowed),
        cmocka_unit_test(all_mistakes_are_told_together),
        cmocka_unit_test(sixteen_mistakes_are_enough),
        cmocka_unit_test(mistakes_of_json_are_told_with_those_of_rules),
        cmocka_unit_test(mistakes_of_a_query_are_told_with_those_of_rules),
        cmocka_unit_test(a_message_that_needs_nothing_stays_where_it_is),
        cmocka_unit_test(pieces_of_a_message_become_one),
        cmocka_unit_test(the_last_member_of_a_oneof_counts),
        cmocka_unit_test(lists_are_counted_packed_and_loose),
        cmocka_unit_test(nanoseconds_of_a_second_and_more_are_seconds),
        cmocka_unit_test(a_record_of_another_type_is_no_value),
        cmocka_unit_test(what_is_no_text_does_not_get_around_its_bound),
        cmocka_unit_test(malformed_messages_are_refused),
        cmocka_unit_test(groups_are_written_as_groups),
        cmocka_unit_test(a_closed_enum_has_its_own_numbers_only),
        cmocka_unit_test(memory_has_a_limit),
        cmocka_unit_test(a_rule_that_cannot_work_is_refused),
        cmocka_unit_test(paths_lead_to_fields),
        cmocka_unit_test(rules_are_printed_a_line_each),
        cmocka_unit_test(random_messages_become_what_they_become_slowly),
    };
    return cmocka_run_group_tests(tests, plans_begin, plans_end);
}
