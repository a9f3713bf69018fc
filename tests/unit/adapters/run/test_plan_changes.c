/* Plans of change lists as text: what a list becomes is seen here, and a change of it does not go
   unseen. */
#include "adapters/compile/plan_compile.h"
#include "adapters/run/plan_run.h"
#include "adapters/schema/wire.h"
#include "tests/unit/adapters/changes_schema.h"

static void prints(void **state, const char *kind, const char *yaml, bool upwards, Codec from,
                   Codec to, const char *expected)
{
    Loaded *loaded = *state;
    const MappingSet *set = read_set(loaded, kind, yaml, upwards);
    const MessageType *type = schema_message(
        loaded->schema,
        bytes_of(arena_printf(loaded->arena, "changes.%s.%s.M", kind, upwards ? "Old" : "New")));
    PlanOptions options = {.from = from, .to = to, .types = set};
    const Plan *plan;
    Buffer text = buffer_in(loaded->arena);
    assert_ok(loaded->arena,
              plan_compile(loaded->arena, mapping_set_find(set, type), &options, &plan));
    plan_print(plan, &text);
    assert_bytes(buffer_bytes(&text), expected);
}

static void what_is_renamed_is_put_under_its_new_name(void **state)
{
    prints(state, "Rename", "messages: {M: {a: b}}", true, CODEC_JSON, CODEC_PROTO,
           "#0 json changes.Rename.Old.M -> proto changes.Rename.New.M: fields\n"
           "  scan, 2 slots\n"
           "    1 a -> s0\n"
           "    2 same -> s1\n"
           "  operations\n"
           "    P PUT_VALUE    s0 b string unless-zero  (a)\n"
           "    P PUT_VALUE    s1 same int32 unless-zero\n");
}

/* In the client's names, whatever the field is called, or wherever it stands, in the version
   served. */
static void a_parameter_and_the_body_agree_before_they_are_converted(void **state)
{
    static const PlanParameter parameter = {{(const uint8_t *)"a", 1}, {(const uint8_t *)"x", 1}};
    static const struct {
        const char *body;
        const Fault *fault;
    } rows[] = {
        {"{\"same\":7}", NULL},
        {"{\"a\":\"x\",\"same\":7}", NULL},
        {"{\"a\":\"y\",\"same\":7}", &FAULT_BAD_VALUE},
        {"{\"b\":\"x\"}", &FAULT_UNKNOWN_FIELD},
    };
    Loaded *loaded = *state;
    const MappingSet *set = read_set(loaded, "Rename", "messages: {M: {a: b}}", true);
    const MessageType *type = schema_message(loaded->schema, bytes_of("changes.Rename.Old.M"));
    PlanOptions options = {.from = CODEC_JSON, .to = CODEC_JSON, .types = set};
    const Plan *plan;
    assert_ok(loaded->arena,
              plan_compile(loaded->arena, mapping_set_find(set, type), &options, &plan));
    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
        PlanInput input = {
            .bytes = bytes_of(rows[i].body), .parameters = &parameter, .n_parameters = 1};
        Buffer out = buffer_in(loaded->arena);
        Result r = plan_run(plan, &input, loaded->arena, &out, NULL);
        assert_ptr_equal(failed(r) ? r.error->fault : NULL, rows[i].fault);
        if (!failed(r))
            assert_bytes(buffer_bytes(&out), "{\"b\":\"x\",\"same\":7}");
    }
}

static void what_moves_is_read_from_one_message_and_put_into_another(void **state)
{
    prints(state, "Deep", "messages: {M: {a: box.inner.b, c: box.inner.c}}", false, CODEC_PROTO,
           CODEC_JSON,
           "#0 proto changes.Deep.New.M -> json changes.Deep.Old.M: fields\n"
           "  scan, 4 slots\n"
           "    1 box -> s2\n"
           "        1 inner -> s3\n"
           "            1 b -> s0\n"
           "            2 c -> s1\n"
           "  operations\n"
           "    t SKIP_IF      s0 +2\n"
           "    t SKIP_IF      s1 +1\n"
           "    g GUARD        s2  (box)\n"
           "    t SKIP_IF      s0 +2\n"
           "    t SKIP_IF      s1 +1\n"
           "    g GUARD        s3  (box.inner)\n"
           "    Y PUT_MAP      s0 a message  (box.inner.b)\n"
           "    P PUT_VALUE    s1 c string unless-zero  (box.inner.c)\n");
}

static void what_comes_and_goes_is_guarded_and_made_up(void **state)
{
    prints(state, "Gone",
           "messages:\n  M:\n    comment: {removed: graceful}\n    level: {removed: loud, ignored: "
           "1, back: 3}\n"
           "    currency: {added: EUR}\n    region: {added: graceful}",
           true, CODEC_PROTO, CODEC_PROTO,
           "#0 proto changes.Gone.Old.M -> proto changes.Gone.New.M: fields\n"
           "  scan, 3 slots\n"
           "    1 id => 1 id\n"
           "    2 comment -> s0\n"
           "    3 level -> s1\n"
           "  operations\n"
           "    g GUARD        s0  (comment)\n"
           "    g GUARD        s1 loud  (level)\n"
           "    c CONST        -> s2\n"
           "    l LOSS        \n"
           "    P PUT_VALUE    s2 currency string unless-zero\n");
}

/* The messages of Nest, from the inside out. */
static Bytes nested(Arena *arena, const char *edge, const char *deep)
{
    Buffer message = buffer_in(arena);
    wire_add_bytes(&message, 2, bytes_of(deep));
    for (int level = 8; level >= 0; level--) {
        Buffer outer = buffer_in(arena);
        wire_add_bytes(&outer, 1, buffer_bytes(&message));
        if (level == 8)
            wire_add_bytes(&outer, 2, bytes_of(edge));
        message = outer;
    }
    wire_add_number(&message, 3, 7);
    return buffer_bytes(&message);
}

/* As many as the scan keeps open by itself, and one more. */
static void what_stands_deep_inside_is_found_and_named(void **state)
{
    Loaded *loaded = *state;
    const MappingSet *set = read_set(
        loaded, "Nest", "messages: {M: {a: l.l.l.l.l.l.l.l.s, b: l.l.l.l.l.l.l.l.l.s}}", false);
    const MessageType *type = schema_message(loaded->schema, bytes_of("changes.Nest.New.M"));
    PlanOptions options = {.from = CODEC_PROTO, .to = CODEC_PROTO, .types = set};
    const Plan *plan;
    Arena *arena = loaded->arena;
    assert_ok(arena, plan_compile(arena, mapping_set_find(set, type), &options, &plan));
    static const struct {
        const char *edge, *deep, *path;
    } rows[] = {{"edge", "deep", NULL},
                {"\xff", "deep", "l.l.l.l.l.l.l.l.s"},
                {"edge", "\xff", "l.l.l.l.l.l.l.l.l.s"}};
    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
        PlanInput input = {.bytes = nested(arena, rows[i].edge, rows[i].deep)};
        Buffer out = buffer_in(arena);
        Result r = plan_run(plan, &input, arena, &out, NULL);
        if (rows[i].path)
            assert_string_equal(error_with_field(r)->field, rows[i].path);
        else
            assert_ok(arena, r);
        assert_bytes(buffer_bytes(&out), rows[i].path ? ""
                                                      : "\x12\x04"
                                                        "deep\x0a\x04"
                                                        "edge\x18\x07"); /* as they are read */
    }
}

/* A message's JSON in the other version, or the fault and its path. */
static const char *becomes(void **state, const char *kind, const char *yaml, bool upwards,
                           const char *json)
{
    Loaded *loaded = *state;
    const MappingSet *set = read_set(loaded, kind, yaml, upwards);
    const MessageType *type = schema_message(
        loaded->schema,
        bytes_of(arena_printf(loaded->arena, "changes.%s.%s.M", kind, upwards ? "Old" : "New")));
    PlanOptions options = {.from = CODEC_JSON, .to = CODEC_JSON, .types = set};
    const Plan *plan;
    Buffer out = buffer_in(loaded->arena);
    PlanInput input = {.bytes = bytes_of(json)};
    assert_ok(loaded->arena,
              plan_compile(loaded->arena, mapping_set_find(set, type), &options, &plan));
    Result r = plan_run(plan, &input, loaded->arena, &out, NULL);
    return failed(r) ? error_text(loaded->arena, r) : arena_text(loaded->arena, buffer_bytes(&out));
}

static const char *const merges =
    "messages:\n  M:\n"
    "    emails: {from: [primary, others], first: loud}\n"
    "    items: {to: [item, more], first: graceful}\n"
    "    colors: {from: [color, colors], by: enum_name, first: loud}\n"
    "    scores: {from: [best, scores], first: graceful}\n"
    "    phones: {from: [contact.phone, contact.phones], first: loud}\n"
    "  Item: {a: b}";

static void a_list_begins_with_the_field_that_was_beside_it(void **state)
{
    static const struct {
        bool upwards;
        const char *from, *to;
    } rows[] = {
        {true, "{}", "{}"},
        {true, "{\"primary\":\"a\"}", "{\"emails\":[\"a\"]}"},
        {true, "{\"primary\":\"a\",\"others\":[\"b\",\"c\"]}", "{\"emails\":[\"a\",\"b\",\"c\"]}"},
        {true, "{\"items\":[{\"a\":\"x\"}]}", "{\"item\":{\"b\":\"x\"}}"},
        {true, "{\"items\":[{},{\"a\":\"y\"}]}", "{\"item\":{},\"more\":[{\"b\":\"y\"}]}"},
        {true, "{\"best\":0,\"scores\":[7]}", "{\"scores\":[\"0\",\"7\"]}"},
        {true, "{\"scores\":[7]}", "{\"scores\":[\"7\"]}"},
        {false, "{\"emails\":[\"a\"]}", "{\"primary\":\"a\"}"},
        {false, "{\"emails\":[\"a\",\"\"]}", "{\"primary\":\"a\",\"others\":[\"\"]}"},
        {false, "{\"scores\":[\"0\"]}", "{\"best\":0}"},
        {false, "{\"more\":[{\"b\":\"y\"}]}", "{\"items\":[{\"a\":\"y\"}]}"},
        {false, "{\"phones\":[\"1\",\"2\"]}", "{\"contact\":{\"phone\":\"1\",\"phones\":[\"2\"]}}"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        assert_string_equal(becomes(state, "Merges", merges, rows[i].upwards, rows[i].from),
                            rows[i].to);
}

static void a_list_without_its_first_is_an_error_where_the_list_says_so(void **state)
{
    static const struct {
        bool upwards;
        const char *from, *path;
    } rows[] = {
        {true, "{\"others\":[\"b\"]}", "others"},
        {false, "{\"emails\":[\"\",\"b\"]}", "emails"},
        {false, "{\"emails\":[\"\"]}", "emails"},
        {false, "{\"scores\":[\"1\",\"2147483648\"]}", "scores"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        const char *told = becomes(state, "Merges", merges, rows[i].upwards, rows[i].from);
        if (strncmp(told, "CANNOT_CONVERT", 14) != 0 || !strstr(told, rows[i].path))
            fail_msg("%s: %s", rows[i].from, told);
    }
}

static const char *const keyed =
    "messages:\n  M:\n"
    "    labels: {key: name, duplicates: loud}\n"
    "    prices: {key: id, duplicates: graceful}\n"
    "    tags: {key: on, value: text, by: text, duplicates: graceful}\n"
    "    nodes: {key: id, duplicates: graceful}\n"
    "  Label: {note: {removed: graceful}, color: {removed: graceful}}\n"
    "  Label to LabelValue: {note: text, extra: {added: here}}\n"
    "  Price to Priced: {cents: {by: text}}\n"
    "  Node: {nodes: {key: id, duplicates: loud}, id: {removed: loud}}\n";

static void a_list_becomes_a_map_and_a_map_a_list_in_the_order_of_its_keys(void **state)
{
    static const struct {
        bool upwards;
        const char *from, *to;
    } rows[] = {
        {true, "{\"labels\":[{\"name\":\"b\",\"rank\":7},{\"note\":\"x\"}]}",
         "{\"labels\":{\"b\":{\"rank\":\"7\",\"extra\":\"here\"},\"\":{\"text\":\"x\",\"extra\":"
         "\"here\"}}}"},
        {false, "{\"labels\":{\"b\":{},\"a\":{\"text\":\"x\"}}}",
         "{\"labels\":[{\"name\":\"a\",\"note\":\"x\"},{\"name\":\"b\"}]}"},
        {true, "{\"prices\":{\"10\":{\"cents\":\"5\"},\"-5\":{},\"3\":{}}}",
         "{\"prices\":[{\"id\":-5},{\"id\":3},{\"id\":10,\"cents\":\"5\"}]}"},
        {false, "{\"prices\":[{\"id\":3,\"cents\":\"1\"},{\"id\":4},{\"id\":3,\"cents\":\"2\"}]}",
         "{\"prices\":{\"4\":{},\"3\":{\"cents\":\"2\"}}}"},
        {true, "{\"tags\":[{\"on\":true,\"text\":\"7\"},{\"text\":\"8\"}]}",
         "{\"tags\":{\"true\":7,\"false\":8}}"},
        {true, "{\"nodes\":[{\"id\":\"a\",\"nodes\":[{\"id\":\"b\",\"name\":\"n\"}]}]}",
         "{\"nodes\":{\"a\":{\"nodes\":{\"b\":{\"name\":\"n\"}}}}}"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        assert_string_equal(becomes(state, "Keyed", keyed, rows[i].upwards, rows[i].from),
                            rows[i].to);
}

static void tell_loss(void *owner, const Loss *loss)
{
    if (loss->kind != LOSS_DEFAULTED)
        buffer_printf(owner, "%s;", loss->how);
}

static void loses(void **state, const char *kind, const char *yaml, bool upwards, const char *from,
                  const char *losses)
{
    Loaded *loaded = *state;
    const MappingSet *set = read_set(loaded, kind, yaml, upwards);
    const char *name =
        arena_printf(loaded->arena, "changes.%s.%s.M", kind, upwards ? "Old" : "New");
    const MessageType *type = schema_message(loaded->schema, bytes_of(name));
    PlanOptions options = {.from = CODEC_JSON, .to = CODEC_JSON, .types = set};
    PlanInput input = {.bytes = bytes_of(from)};
    const Plan *plan;
    Buffer out = buffer_in(loaded->arena), told = out;
    PlanRun run = {.on_loss = tell_loss, .owner = &told};
    assert_ok(loaded->arena,
              plan_compile(loaded->arena, mapping_set_find(set, type), &options, &plan));
    assert_ok(loaded->arena, plan_run(plan, &input, loaded->arena, &out, &run));
    assert_bytes(buffer_bytes(&told), losses);
}

#define SCALES                                                                                     \
    "messages: {M: {milliseconds: {to: seconds, by: scale, divided_by: 1000}, "                    \
    "bytes: {to: kilobytes, by: scale, divided_by: 1024}, steps: {by: scale, times: 3}, "          \
    "share: {to: per_mille, by: scale, times: 1000}, ratio: {by: scale, divided_by: 7}, "          \
    "small: {by: scale, divided_by: 9007199254740993}, weight: {to: grams, by: scale, times: "     \
    "1000}, large: {by: scale, times: 10}}}"
#define SECONDS                                                                                    \
    "messages: {M: {at: {by: seconds}, wait: {by: milliseconds}, hours: {by: hours}, days: {by: "  \
    "days}, nanos: {by: nanoseconds}, single: {by: seconds}}}"

/* The list comes back in the order of its keys: where it was in that, nothing is lost. */
static void the_order_of_a_list_is_counted_where_it_does_not_come_back(void **state)
{
    static const struct {
        bool upwards;
        const char *from, *losses;
    } rows[] = {
        {true, "{\"labels\":[]}", ""},
        {true, "{\"labels\":[{\"name\":\"b\"}]}", ""},
        {true, "{\"labels\":[{},{\"name\":\"a\"},{\"name\":\"ab\"},{\"name\":\"b\"}]}", ""},
        {true, "{\"labels\":[{\"name\":\"a\"},{\"name\":\"b\"},{}]}", "a map has no order;"},
        {true, "{\"tags\":[{\"text\":\"8\"},{\"on\":true,\"text\":\"7\"}]}", ""},
        {true, "{\"tags\":[{\"on\":true,\"text\":\"7\"},{\"text\":\"8\"}]}", "a map has no order;"},
        {false, "{\"prices\":[{\"id\":-5},{\"id\":3},{\"id\":10}]}", ""},
        {false, "{\"prices\":[{\"id\":3},{\"id\":-5}]}", "a map has no order;"},
        {false, "{\"prices\":[{\"id\":4},{\"id\":3},{\"id\":4}]}", "a key that comes twice;"},
        {false, "{\"prices\":[{\"id\":3},{\"id\":4},{\"id\":3}]}",
         "a map has no order;a key that comes twice;"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        loses(state, "Keyed", keyed, rows[i].upwards, rows[i].from, rows[i].losses);
}

static void a_zero_that_loses_its_sign_is_counted(void **state)
{
    static const struct {
        const char *kind, *yaml, *from, *losses;
    } rows[] = {
        {"Scales", SCALES, "{\"seconds\":-0.0}", "-0 becomes 0;"},
        {"Scales", SCALES, "{\"seconds\":0.0}", ""},
        {"Scales", SCALES, "{\"seconds\":-1}", ""},
        {"Seconds", SECONDS, "{\"at\":-0.0,\"wait\":0}", "-0 becomes 0;"},
        {"Seconds", SECONDS, "{\"at\":0,\"wait\":-0.0}", "-0 becomes 0;"},
        {"Numbers", "messages: {M: {d: {by: number}}}", "{\"d\":-0.0}", "-0 becomes 0;"},
        {"Numbers", "messages: {M: {d: {by: number}}}", "{\"c\":-0.0,\"d\":0}", ""},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        loses(state, rows[i].kind, rows[i].yaml, false, rows[i].from, rows[i].losses);
}

static void a_key_that_comes_twice_is_an_error_among_few_and_among_many(void **state)
{
    Loaded *loaded = *state;
    for (unsigned n = 1; n < 20; n++) {
        Buffer once = buffer_in(loaded->arena), twice = once;
        for (unsigned i = 0; i < n; i++) {
            buffer_printf(&once, "%s{\"name\":\"%u\"}", i ? "," : "", i);
            buffer_printf(&twice, "%s{\"name\":\"%u\"}", i ? "," : "", i);
        }
        buffer_add_text(&twice, ",{\"name\":\"0\"}");
        const char *told = becomes(
            state, "Keyed", keyed, true,
            arena_printf(loaded->arena, "{\"labels\":[%.*s]}", BYTES_ARGS(buffer_bytes(&twice))));
        if (!strstr(told, "labels[0]: the key is there twice"))
            fail_msg("%s", told);
        told = becomes(
            state, "Keyed", keyed, true,
            arena_printf(loaded->arena, "{\"labels\":[%.*s]}", BYTES_ARGS(buffer_bytes(&once))));
        assert_memory_equal(told, "{\"labels\":{\"0\":", 15);
    }
}

static void an_error_in_a_map_that_becomes_a_list_names_the_key(void **state)
{
    const char *told =
        becomes(state, "Keyed", keyed, true, "{\"prices\":{\"1\":{},\"2147483648\":{}}}");
    if (!strstr(told, "prices[\"2147483648\"]"))
        fail_msg("%s", told);
    assert_string_equal(becomes(state, "Keyed", keyed, true, "{\"prices\":{\"2147483647\":{}}}"),
                        "{\"prices\":[{\"id\":2147483647}]}");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_list_begins_with_the_field_that_was_beside_it),
        cmocka_unit_test(a_list_without_its_first_is_an_error_where_the_list_says_so),
        cmocka_unit_test(a_list_becomes_a_map_and_a_map_a_list_in_the_order_of_its_keys),
        cmocka_unit_test(a_zero_that_loses_its_sign_is_counted),
        cmocka_unit_test(the_order_of_a_list_is_counted_where_it_does_not_come_back),
        cmocka_unit_test(a_key_that_comes_twice_is_an_error_among_few_and_among_many),
        cmocka_unit_test(an_error_in_a_map_that_becomes_a_list_names_the_key),

        cmocka_unit_test(what_is_renamed_is_put_under_its_new_name),
        cmocka_unit_test(a_parameter_and_the_body_agree_before_they_are_converted),
        cmocka_unit_test(what_moves_is_read_from_one_message_and_put_into_another),
        cmocka_unit_test(what_comes_and_goes_is_guarded_and_made_up),
        cmocka_unit_test(what_stands_deep_inside_is_found_and_named),
    };
    return cmocka_run_group_tests(tests, load, unload);
}
