/* Plans from JSON and to JSON. protobuf's own suite has every corner; here is what it does not
   ask. */
#include "tests/unit/adapters/plans.h"

#define KINDS "test.kinds.Kinds"
#define OLD "test.old.Old"

static void every_kind_comes_back_in_its_canonical_form(void **state)
{
    const char *json =
        "{\"aDouble\":1.5,\"aFloat\":0.1,\"anInt64\":\"-5\",\"aUint64\":\"18446744073709551615\","
        "\"anInt32\":-2147483648,\"aFixed64\":\"9\",\"aFixed32\":4294967295,\"aBool\":true,"
        "\"aString\":\"h\\\"\xc3\xa9\",\"aBytes\":\"AQID\",\"aUint32\":7,\"aColor\":\"GREEN\","
        "\"anSfixed32\":-1,\"anSfixed64\":\"-1\",\"anSint32\":-7,\"anSint64\":\"-8\",\"maybe\":0,"
        "\"child\":{\"child\":{},\"text\":\"\"},\"otherName\":\"x\",\"numbers\":[1,2,300],"
        "\"looseNumbers\":[5,-1],\"texts\":[\"a\",\"\"],\"colors\":[\"RED\",\"NEGATIVE\",9],"
        "\"children\":[{\"anInt32\":1},{}],\"doubles\":[\"NaN\",\"-Infinity\",1e+100],"
        "\"fixed\":[1],\"zigzags\":[\"-1\"],\"bools\":[false,true],"
        "\"labels\":{\"k\":\"v\",\"\":\"\"},\"byNumber\":{\"-7\":{\"anInt32\":3}},"
        "\"byBool\":{\"true\":\"RED\"},\"byLong\":{\"5\":0.25},"
        "\"time\":\"2026-03-01T10:00:20.021Z\",\"duration\":\"-1.500s\",\"mask\":\"aB,c.dE\","
        "\"structure\":{\"a\":[1,null,{\"b\":true}]},\"value\":null,\"list\":[1,\"x\"],"
        "\"any\":{\"@type\":\"x/test.kinds.Kinds.Inner\",\"name\":\"n\",\"size\":\"LARGE\"},"
        "\"wrapped\":\"0\",\"wrappedText\":\"\",\"values\":[null,1],"
        "\"times\":[\"1969-12-31T23:59:59.999999999Z\"],\"inner\":{\"name\":\"i\"},\"farAway\":3}";
    assert_bytes(json_there_and_back(KINDS, json, (PlanOptions){0}), json);
}

static void both_spellings_and_the_loose_forms_are_read(void **state)
{
    assert_bytes(json_there_and_back(
                     KINDS,
                     "{\"an_int32\":\"1e2\",\"anInt64\":5.0,\"a_color\":2,\"aDouble\":\"1.5\","
                     "\"a_bytes\":\"-_8\",\"renamed\":\"y\",\"aFixed32\":null,\"numbers\":null}",
                     (PlanOptions){0}),
                 "{\"aDouble\":1.5,\"anInt64\":\"5\",\"anInt32\":100,\"aBytes\":\"+/8=\","
                 "\"aColor\":\"GREEN\",\"otherName\":\"y\"}");
}

static void what_does_not_fit_is_refused_with_its_path(void **state)
{
    static const struct {
        const char *json, *field, *fault;
    } rows[] = {
        {"[]", NULL, "BAD_VALUE"},
        {"{\"anInt32\":2147483648}", "anInt32", "BAD_VALUE"},
        {"{\"anInt32\":1.5}", "anInt32", "BAD_VALUE"},
        {"{\"anInt32\":\" 1\"}", "anInt32", "BAD_VALUE"},
        {"{\"aUint32\":-1}", "aUint32", "BAD_VALUE"},
        {"{\"anInt64\":\"9223372036854775808\"}", "anInt64", "BAD_VALUE"},
        {"{\"aFloat\":1e39}", "aFloat", "BAD_VALUE"},
        {"{\"aDouble\":\"infinity\"}", "aDouble", "BAD_VALUE"},
        {"{\"aBool\":\"true\"}", "aBool", "BAD_VALUE"},
        {"{\"aString\":1}", "aString", "BAD_VALUE"},
        {"{\"aBytes\":\"*\"}", "aBytes", "BAD_VALUE"},
        {"{\"aColor\":\"BLUE\"}", "aColor", "BAD_VALUE"},
        {"{\"an_int32\":1,\"anInt32\":1}", "anInt32", "BAD_VALUE"},
        {"{\"text\":\"\",\"number\":1}", "number", "BAD_VALUE"},
        {"{\"chldren\":[]}", "chldren", "UNKNOWN_FIELD"},
        {"{\"children\":{}}", "children", "BAD_VALUE"},
        {"{\"child\":[]}", "child", "BAD_VALUE"},
        {"{\"texts\":[\"a\",null]}", "texts[1]", "BAD_VALUE"},
        {"{\"children\":[{},{\"labels\":{\"x\":3}}]}", "children[1].labels[\"x\"]", "BAD_VALUE"},
        {"{\"byNumber\":{\"x\":{}}}", "byNumber[\"x\"]", "BAD_VALUE"},
        {"{\"byNumber\":{\"1\":{},\"1.0\":{}}}", "byNumber", "BAD_VALUE"},
        {"{\"labels\":{\"a\":\"\",\"b\":\"\",\"a\":\"\"}}", "labels", "BAD_VALUE"},
        {"{\"child\":{\"child\":{\"anInt32\":\"x\"}}}", "child.child.anInt32", "BAD_VALUE"},
        {"{\"time\":\"2026-02-29T00:00:00Z\"}", "time", "BAD_VALUE"},
        {"{\"time\":\"2026-03-01t00:00:00Z\"}", "time", "BAD_VALUE"},
        {"{\"duration\":\"1.5\"}", "duration", "BAD_VALUE"},
        {"{\"mask\":\"a_b\"}", "mask", "BAD_VALUE"},
        {"{\"mask\":\"a,,b\"}", "mask", "BAD_VALUE"},
        {"{\"mask\":\"a,\"}", "mask", "BAD_VALUE"},
        {"{\"mask\":\",a\"}", "mask", "BAD_VALUE"},
        {"{\"structure\":{\"a\":1,\"a\":2}}", "structure", "BAD_VALUE"},
        {"{\"any\":{\"@type\":\"x/no.such.Type\",\"a\":1}}", "any", "BAD_VALUE"},
        {"{\"any\":{\"name\":\"n\"}}", "any.@type", "BAD_VALUE"},
        {"{\"times\":[\"1970-01-01T00:00:00Z\",3]}", "times[1]", "BAD_VALUE"},
        {"{\"wrapped\":{}}", "wrapped", "BAD_VALUE"},
        {"{", NULL, "BAD_JSON"},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
        Result r = json_in(KINDS, rows[i].json);
        if (!failed(r))
            fail_msg("%s was taken", rows[i].json);
        assert_string_equal(r.error->fault->name, rows[i].fault);
        if (!rows[i].field)
            assert_null(r.error->field);
        else
            assert_string_equal(r.error->field, rows[i].field);
    }
}

static void the_nearest_known_field_is_named(void **state)
{
    Result r = json_in(KINDS, "{\"chldren\":[]}");
    assert_non_null(strstr(r.error->doing, "did you mean \"children\""));
}

static void unknown_members_and_enum_names_are_counted_when_told_so(void **state)
{
    PlanOptions options = {.from = CODEC_JSON, .to = CODEC_PROTO, .unknown = UNKNOWN_COUNT};
    PlanRun run = {0};
    Bytes out;
    PlanInput input = {.bytes = bytes_of("{\"x\":{\"y\":[1]},\"aColor\":\"BLUE\",\"anInt32\":1,"
                                         "\"colors\":[\"RED\",\"BLUE\"]}")};
    assert_ok(bench.call, run_input(compiled(identity_of(KINDS), options), input, &out, &run));
    assert_int_equal(run.n_unknown, 3);
    assert_int_equal(out.size, 2 + 4);
}

static void options_change_how_json_is_written(void **state)
{
    const char *type = "test.kinds.Kinds.Inner";
    assert_bytes(json_there_and_back(type, "{\"size\":1}", (PlanOptions){.enums_as_numbers = true}),
                 "{\"size\":1}");
    assert_bytes(json_there_and_back(type, "{}", (PlanOptions){.emit_defaults = true}),
                 "{\"name\":\"\",\"size\":\"NONE\"}");
    assert_bytes(json_there_and_back(KINDS, "{\"anInt32\":1}", (PlanOptions){.proto_names = true}),
                 "{\"an_int32\":1}");
    assert_bytes(json_there_and_back(type, "{}", (PlanOptions){0}), "{}");
}

static void defaults_leave_out_what_has_presence(void **state)
{
    PlanOptions options = {.emit_defaults = true};
    Bytes out = json_there_and_back(KINDS, "{}", options);
    const char *text = arena_text(bench.call, out);
    assert_non_null(strstr(text, "\"anInt64\":\"0\""));
    assert_non_null(strstr(text, "\"numbers\":[]"));
    assert_non_null(strstr(text, "\"labels\":{}"));
    assert_non_null(strstr(text, "\"aColor\":\"COLOR_UNSPECIFIED\""));
    assert_null(strstr(text, "\"maybe\""));
    assert_null(strstr(text, "\"child\""));
    assert_null(strstr(text, "\"text\""));
}

/* Of all fields, these; and what is written is read as what it was. */
static void nulls_are_for_unset_messages(void **state)
{
    PlanOptions options = {.emit_nulls = true};
    assert_bytes(json_there_and_back(KINDS, "{}", options),
                 "{\"child\":null,\"time\":null,\"duration\":null,\"mask\":null,"
                 "\"structure\":null,\"list\":null,\"any\":null,\"wrapped\":null,"
                 "\"wrappedText\":null,\"wrappedBool\":null,\"empty\":null,\"type\":null,"
                 "\"inner\":null}");
    assert_bytes(json_there_and_back("test.kinds.Kinds.Inner", "{}", options), "{}");
    assert_bytes(json_there_and_back(OLD, "{\"id\":\"x\"}", options),
                 "{\"id\":\"x\",\"data\":null,\"set\":null}");
    assert_bytes(json_there_and_back(OLD, "{\"id\":\"x\",\"data\":{},\"set\":{}}", options),
                 "{\"id\":\"x\",\"data\":{},\"set\":{}}");
    Bytes out = json_there_and_back(KINDS, "{\"children\":[{}],\"byNumber\":{\"1\":{}}}", options);
    const char *text = arena_text(bench.call, out);
    assert_non_null(strstr(text, "\"children\":[{\"child\":null"));
    assert_non_null(strstr(text, "\"byNumber\":{\"1\":{\"child\":null"));
    assert_bytes(json_there_and_back(KINDS, text, (PlanOptions){0}),
                 "{\"children\":[{}],\"byNumber\":{\"1\":{}}}");
}

static Bytes only_of(const char *field, const char *json, bool nulls)
{
    PlanOptions options = {
        .from = CODEC_JSON, .to = CODEC_JSON, .only_field = field, .emit_nulls = nulls};
    return run_ok(compiled(identity_of(KINDS), options), bytes_of(json));
}

static void nulls_are_written_from_json_too_and_for_the_only_field(void **state)
{
    PlanOptions options = {.from = CODEC_JSON, .to = CODEC_JSON, .emit_nulls = true};
    const Plan *plan = compiled(identity_of(KINDS), options);
    assert_false(plan_is_copy(plan));
    const char *text = arena_text(bench.call, run_ok(plan, bytes_of("{\"inner\":{}}")));
    assert_non_null(strstr(text, "{\"child\":null"));
    assert_non_null(strstr(text, "\"inner\":{}"));
    assert_bytes(only_of("inner", "{}", true), "null");
    assert_bytes(only_of("inner", "{\"inner\":{}}", true), "{}");
    assert_bytes(only_of("nested", "{}", true), "{}");
    assert_bytes(only_of("children", "{}", true), "[]");
}

static Bytes only(const char *field, const char *json)
{
    return only_of(field, json, false);
}

static void one_field_alone_can_be_the_answer(void **state)
{
    assert_bytes(only("a_string", "{\"aString\":\"x\"}"), "\"x\"");
    assert_bytes(only("a_string", "{}"), "\"\"");
    assert_bytes(only("children", "{\"children\":[{},{\"anInt32\":1}]}"), "[{},{\"anInt32\":1}]");
    assert_bytes(only("children", "{}"), "[]");
    assert_bytes(only("labels", "{}"), "{}");
    assert_bytes(only("inner", "{\"inner\":{\"name\":\"x\"}}"), "{\"name\":\"x\"}");
    assert_bytes(only("inner", "{}"), "{}");
    assert_bytes(only("an_int64", "{\"anInt64\":3}"), "\"3\"");
}

/* ---- proto2 ---------------------------------------------------------------------------------- */

static void groups_extensions_and_message_sets_come_back(void **state)
{
    const char *json =
        "{\"id\":\"x\",\"count\":0,\"closed\":\"ONE\",\"list\":[\"TWO\"],\"data\":{\"inside\":1},"
        "\"packed\":[1],\"loose\":[1,2],\"rows\":[{\"cell\":\"a\"},{}],\"byName\":{\"a\":\"ON\"},"
        "\"set\":{\"[test.old.SetItem.item]\":{\"text\":\"t\"}},\"[test.old.extra]\":5,"
        "\"[test.old.Old.Scope.scoped]\":{\"depth\":1},\"[test.old.extras]\":[\"a\",\"b\"]}";
    assert_bytes(json_there_and_back(OLD, json, (PlanOptions){0}), json);
}

static void a_required_field_is_missed(void **state)
{
    Result r = json_in(OLD, "{\"count\":1}");
    assert_fault(r, FAULT_FIELD_REQUIRED);
    assert_string_equal(r.error->field, "id");
}

/* ---- Any ------------------------------------------------------------------------------------- */

static void an_any_of_unknown_type_is_kept(void **state)
{
    const char *json = "{\"any\":{\"@type\":\"x/no.such.Type\",\"value\":\"AQID\"}}";
    assert_bytes(json_there_and_back(KINDS, json, (PlanOptions){0}), json);
}

static void well_known_types_stand_in_an_any_as_value(void **state)
{
    const char *json = "{\"any\":{\"@type\":\"x/google.protobuf.Duration\",\"value\":\"3s\"}}";
    assert_bytes(json_there_and_back(KINDS, json, (PlanOptions){0}), json);
    assert_bytes(json_there_and_back(KINDS,
                                     "{\"any\":{\"name\":\"n\",\"@type\":"
                                     "\"x/test.kinds.Kinds.Inner\"}}",
                                     (PlanOptions){0}),
                 "{\"any\":{\"@type\":\"x/test.kinds.Kinds.Inner\",\"name\":\"n\"}}");
    assert_bytes(json_there_and_back(KINDS, "{\"any\":{}}", (PlanOptions){0}), "{\"any\":{}}");
}

#define ANY "{\"any\":{\"@type\":\"x/google.protobuf.%s\"%s}}"

/* What C++, C#, Go, Java, JavaScript, PHP and Python write, or have written. */
static void each_spelling_of_a_well_known_type_in_an_any_is_read(void **state)
{
    static const struct {
        const char *type, *members, *canonical;
    } rows[] = {
        /* Go, C#, JavaScript; then C++, Java, Python. */
        {"Empty", ",\"value\":{}", ""},
        {"Empty", "", ""},
        {"Any", ",\"value\":{\"@type\":\"x/google.protobuf.Empty\",\"value\":{}}",
         ",\"value\":{\"@type\":\"x/google.protobuf.Empty\"}"},
        /* C# and JavaScript, of all that is google.protobuf's. */
        {"SourceContext", ",\"value\":{\"fileName\":\"a\"}", ",\"fileName\":\"a\""},
        {"SourceContext", ",\"fileName\":\"a\"", ",\"fileName\":\"a\""},
        {"SourceContext", ",\"value\":{}", ""},
        {"Option", ",\"value\":{\"name\":\"a\"}", ",\"name\":\"a\""},
        {"Option", ",\"value\":{\"name\":\"a\",\"value\":{\"@type\":\"x/google.protobuf.Empty\"}}",
         ",\"name\":\"a\",\"value\":{\"@type\":\"x/google.protobuf.Empty\"}"},
        {"Option", ",\"value\":{\"@type\":\"x/google.protobuf.Empty\"}",
         ",\"value\":{\"@type\":\"x/google.protobuf.Empty\"}"},
        {"Option", ",\"value\":{}", ",\"value\":{}"},
        /* C++ until 2022 left out a value of no bytes. */
        {"Duration", "", ",\"value\":\"0s\""},
        {"Timestamp", "", ",\"value\":\"1970-01-01T00:00:00Z\""},
        {"FieldMask", "", ",\"value\":\"\""},
        {"Struct", "", ",\"value\":{}"},
        {"ListValue", "", ",\"value\":[]"},
        {"Value", "", ",\"value\":null"},
        {"Any", "", ",\"value\":{}"},
        {"BoolValue", "", ",\"value\":false"},
        {"StringValue", "", ",\"value\":\"\""},
        {"BytesValue", "", ",\"value\":\"\""},
        {"Int32Value", "", ",\"value\":0"},
        {"UInt64Value", "", ",\"value\":\"0\""},
        {"DoubleValue", "", ",\"value\":0"},
        {"FloatValue", ",\"value\":\"NaN\"", ",\"value\":\"NaN\""},
        {"Int64Value", ",\"value\":7", ",\"value\":\"7\""},
        {"Value", ",\"value\":null", ",\"value\":null"},
        {"Nobodys", "", ",\"value\":\"\""},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
        const char *json = arena_printf(bench.call, ANY, rows[i].type, rows[i].members);
        const char *canonical = arena_printf(bench.call, ANY, rows[i].type, rows[i].canonical);
        assert_bytes(json_there_and_back(KINDS, json, (PlanOptions){0}), canonical);
    }
}

static void what_is_no_spelling_of_an_any_is_refused(void **state)
{
    static const char *const bad[] = {
        "\"x/google.protobuf.Duration\",\"value\":\"1s\",\"more\":1",
        "\"x/google.protobuf.Duration\",\"seconds\":1",
        "\"x/google.protobuf.Duration\",\"value\":{}",
        "\"x/google.protobuf.Empty\",\"value\":{\"more\":1}",
        "\"x/google.protobuf.Empty\",\"value\":\"\"",
        "\"x/google.protobuf.Empty\",\"value\":{},\"more\":1",
        "\"x/google.protobuf.SourceContext\",\"value\":{\"fileName\":\"a\"},\"fileName\":\"a\"",
        "\"x/test.kinds.Kinds.Inner\",\"value\":{\"name\":\"n\"}",
        "\"x/google.protobuf.Nobodys\",\"value\":{}",
    };
    const Plan *plan =
        compiled(identity_of(KINDS),
                 (PlanOptions){.from = CODEC_JSON, .to = CODEC_PROTO, .types = bench.kinds_set});
    for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
        Result r = run_result_of(
            plan, bytes_of(arena_printf(bench.call, "{\"any\":{\"@type\":%s}}", bad[i])));
        assert_true(failed(r));
        assert_non_null(error_with_field(r));
    }
}

/* ---- Body and parameters --------------------------------------------------------------------- */

static Result with_parameters(PlanInput input, const PlanParameter *parameters, uint32_t n,
                              Bytes *out)
{
    PlanOptions options = {.from = CODEC_JSON, .to = CODEC_JSON};
    input.parameters = parameters;
    input.n_parameters = n;
    return run_input(compiled(identity_of(KINDS), options), input, out, NULL);
}

#define PARAMETER(name, value)                                                                     \
    {                                                                                              \
        {(const uint8_t *)(name), sizeof(name) - 1},                                               \
        {                                                                                          \
            (const uint8_t *)(value), sizeof(value) - 1                                            \
        }                                                                                          \
    }

static void parameters_are_read_by_the_type_of_their_field(void **state)
{
    static const PlanParameter parameters[] = {
        PARAMETER("an_int64", "-5"),        PARAMETER("aBool", "true"),
        PARAMETER("a_color", "RED"),        PARAMETER("colors", "2"),
        PARAMETER("colors", "RED"),         PARAMETER("child.a_string", "12"),
        PARAMETER("child.inner.name", "n"), PARAMETER("aBytes", "AQID"),
        PARAMETER("aDouble", "1e3"),        PARAMETER("time", "1970-01-01T00:00:01Z"),
        PARAMETER("wrapped", "7"),          PARAMETER("mask", "a,b"),
    };
    Bytes out;
    PlanInput input = {.no_body = true};
    assert_ok(bench.call,
              with_parameters(input, parameters, sizeof(parameters) / sizeof(*parameters), &out));
    assert_bytes(out,
                 "{\"aDouble\":1000,\"anInt64\":\"-5\",\"aBool\":true,\"aBytes\":\"AQID\","
                 "\"aColor\":\"RED\",\"child\":{\"aString\":\"12\",\"inner\":{\"name\":\"n\"}},"
                 "\"colors\":[\"GREEN\",\"RED\"],\"time\":\"1970-01-01T00:00:01Z\","
                 "\"mask\":\"a,b\",\"wrapped\":\"7\"}");
}

/* All spellings of strconv.ParseBool, which grpc-gateway takes, and of languages and forms. */
static void a_boolean_of_a_url_has_the_spellings_of_people(void **state)
{
    static const struct {
        const char *text, *json;
    } rows[] = {
        {"true", "true"},   {"True", "true"}, {"TRUE", "true"},   {"t", "true"},
        {"T", "true"},      {"1", "true"},    {"false", "false"}, {"False", "false"},
        {"FALSE", "false"}, {"f", "false"},   {"F", "false"},     {"0", "false"},
    };
    Bytes out;
    PlanInput input = {.no_body = true};
    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
        PlanParameter parameters[] = {{bytes_of("bools"), bytes_of(rows[i].text)},
                                      {bytes_of("by_bool[true]"), bytes_of("RED")},
                                      {bytes_of("wrapped_bool"), bytes_of(rows[i].text)}};
        assert_ok(bench.call, with_parameters(input, parameters, 3, &out));
        assert_bytes(out, arena_printf(bench.call,
                                       "{\"bools\":[%s],\"byBool\":{\"true\":\"RED\"},"
                                       "\"wrappedBool\":%s}",
                                       rows[i].json, rows[i].json));
    }
}

static void a_text_that_is_no_boolean_is_refused_as_one(void **state)
{
    static const char *const bad[] = {"", "2", "yes", "on", "tr", "truee", "01", " true", "-1"};
    Bytes out;
    for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
        PlanParameter parameter = {bytes_of("a_bool"), bytes_of(bad[i])};
        assert_fault(with_parameters((PlanInput){.no_body = true}, &parameter, 1, &out),
                     FAULT_BAD_VALUE);
    }
    /* In a body JSON's own spelling is the only one. */
    assert_fault(
        with_parameters((PlanInput){.bytes = bytes_of("{\"aBool\":\"true\"}")}, NULL, 0, &out),
        FAULT_BAD_VALUE);
}

static void entries_of_maps_are_said_by_brackets_or_dots(void **state)
{
    static const struct {
        const char *path, *text, *json;
    } rows[] = {
        {"labels[a]", "b", "{\"labels\":{\"a\":\"b\"}}"},
        {"labels.a", "b", "{\"labels\":{\"a\":\"b\"}}"},
        {"labels[a]", "", "{\"labels\":{\"a\":\"\"}}"},
        {"labels.app.kubernetes.io/name", "x", "{\"labels\":{\"app.kubernetes.io/name\":\"x\"}}"},
        {"labels[app.kubernetes.io/name]", "x", "{\"labels\":{\"app.kubernetes.io/name\":\"x\"}}"},
        {"labels[a]b]", "x", "{\"labels\":{\"a]b\":\"x\"}}"},
        {"labels[[a]]", "x", "{\"labels\":{\"[a]\":\"x\"}}"},
        {"labels[a].b]", "x", "{\"labels\":{\"a].b\":\"x\"}}"},
        {"labels..", "x", "{\"labels\":{\".\":\"x\"}}"},
        {"labels.[a]", "x", "{\"labels\":{\"[a]\":\"x\"}}"},
        {"child.labels[a]", "b", "{\"child\":{\"labels\":{\"a\":\"b\"}}}"},
        {"by_number[7].a_string", "x", "{\"byNumber\":{\"7\":{\"aString\":\"x\"}}}"},
        {"byNumber.7.aString", "x", "{\"byNumber\":{\"7\":{\"aString\":\"x\"}}}"},
        {"by_number[-7].labels[a.b]", "x", "{\"byNumber\":{\"-7\":{\"labels\":{\"a.b\":\"x\"}}}}"},
        {"by_number.7.by_number.8.a_int32", "x", NULL},
        {"by_number.7.by_number.8.an_int32", "9",
         "{\"byNumber\":{\"7\":{\"byNumber\":{\"8\":{\"anInt32\":9}}}}}"},
        {"by_bool[True]", "RED", "{\"byBool\":{\"true\":\"RED\"}}"},
        {"by_bool.0", "1", "{\"byBool\":{\"false\":\"RED\"}}"},
        {"by_long[18446744073709551615]", "0.5", "{\"byLong\":{\"18446744073709551615\":0.5}}"},
        {"labels[]", "x", NULL},
        {"labels.", "x", NULL},
        {"labels[", "x", NULL},
        {"labels[a", "x", NULL},
        {"labels[a]b", "x", NULL},
        {"labels[a][b", "x", NULL},
        {"labels", "x", NULL},
        {"labels]", "x", NULL},
        {"texts[]", "x", NULL},
        {"texts[0]", "x", NULL},
        {"child[a_string]", "x", NULL},
        {"by_number[7]", "x", NULL},
        {"by_number[7]a_string", "x", NULL},
        {"by_number[7].", "x", NULL},
        {"by_number[x].a_string", "x", NULL},
        {"by_number[2147483648].a_string", "x", NULL},
        {"by_number[7].nothing", "x", NULL},
        {"by_bool[2]", "RED", NULL},
        {"by_long[-1]", "1", NULL},
        {"labels[a\xff]", "x", NULL},
        {"labels[a]", "\xff", NULL},
    };
    Bytes out;
    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
        PlanParameter parameter = {bytes_of(rows[i].path), bytes_of(rows[i].text)};
        Result r = with_parameters((PlanInput){.no_body = true}, &parameter, 1, &out);
        if (failed(r) != !rows[i].json)
            fail_msg("%s: %s", rows[i].path, failed(r) ? r.error->doing : "taken");
        if (failed(r))
            assert_non_null(error_with_field(r));
        else
            assert_bytes(out, rows[i].json);
    }
}

static void entries_of_one_map_come_together_and_each_key_once(void **state)
{
    static const PlanParameter good[] = {PARAMETER("labels[a]", "1"), PARAMETER("labels.b", "2"),
                                         PARAMETER("by_number[1].a_string", "x"),
                                         PARAMETER("by_number.1.an_int32", "3"),
                                         PARAMETER("by_number.2.an_int32", "4")};
    static const PlanParameter same[][2] = {
        {PARAMETER("labels[a]", "1"), PARAMETER("labels.a", "1")},
        {PARAMETER("by_bool[1]", "RED"), PARAMETER("by_bool[true]", "RED")},
        {PARAMETER("by_long[1]", "2"), PARAMETER("by_long.1.0", "2")},
        {PARAMETER("by_number[1].a_string", "1"), PARAMETER("by_number[1e0].a_string", "1")},
    };
    Bytes out;
    PlanInput input = {.no_body = true};
    assert_ok(bench.call, with_parameters(input, good, 5, &out));
    assert_bytes(out, "{\"labels\":{\"a\":\"1\",\"b\":\"2\"},\"byNumber\":{\"1\":{\"anInt32\":3,"
                      "\"aString\":\"x\"},\"2\":{\"anInt32\":4}}}");
    for (size_t i = 0; i < sizeof(same) / sizeof(*same); i++)
        assert_fault(with_parameters(input, same[i], 2, &out), FAULT_BAD_VALUE);

    input = (PlanInput){.bytes = bytes_of("{\"labels\":{\"a\":\"1\",\"z\":\"\"}}")};
    assert_ok(bench.call, with_parameters(input, good, 2, &out));
    assert_bytes(out, "{\"labels\":{\"a\":\"1\",\"z\":\"\",\"b\":\"2\"}}");
    static const PlanParameter other[] = {PARAMETER("labels[z]", "2")};
    assert_fault(with_parameters(input, other, 1, &out), FAULT_BAD_VALUE);
}

static void parameters_join_the_body(void **state)
{
    static const PlanParameter parameters[] = {
        PARAMETER("child.a_string", "path"), PARAMETER("numbers", "3"), PARAMETER("numbers", "4")};
    Bytes out;
    PlanInput input = {.bytes = bytes_of("{\"child\":{\"anInt32\":1},\"numbers\":[]}")};
    assert_ok(bench.call, with_parameters(input, parameters, 3, &out));
    assert_bytes(out, "{\"child\":{\"anInt32\":1,\"aString\":\"path\"},\"numbers\":[3,4]}");

    input = (PlanInput){.bytes = bytes_of("{\"anInt32\":1}"), .body_field = bytes_of("child")};
    assert_ok(bench.call, with_parameters(input, parameters, 1, &out));
    assert_bytes(out, "{\"child\":{\"anInt32\":1,\"aString\":\"path\"}}");
}

typedef struct TwiceSaid {
    const char *body;
    PlanParameter parameter;
} TwiceSaid;

static void what_the_body_says_too_is_said_once_when_it_is_the_same(void **state)
{
    static const TwiceSaid rows[] = {
        {"{\"aString\":\"x\"}", PARAMETER("a_string", "x")},
        {"{\"a_string\":\"\\u0078\"}", PARAMETER("aString", "x")},
        {"{\"anInt64\":\"7\"}", PARAMETER("an_int64", "7")},
        {"{\"anInt64\":7.0}", PARAMETER("an_int64", "7")},
        {"{\"anInt64\":7e0}", PARAMETER("an_int64", "7")},
        {"{\"aBool\":true}", PARAMETER("a_bool", "true")},
        {"{\"aColor\":\"RED\"}", PARAMETER("a_color", "1")},
        {"{\"aColor\":1}", PARAMETER("a_color", "RED")},
        {"{\"aColor\":\"CRIMSON\"}", PARAMETER("a_color", "RED")},
        {"{\"maybe\":0}", PARAMETER("maybe", "0")},
        {"{\"aBytes\":\"+/8=\"}", PARAMETER("a_bytes", "-_8")},
        {"{\"aDouble\":100}", PARAMETER("a_double", "1e2")},
        {"{\"time\":\"1970-01-01T00:00:01Z\"}", PARAMETER("time", "1970-01-01T01:00:01.000+01:00")},
        {"{\"wrapped\":7}", PARAMETER("wrapped", "7")},
        {"{\"mask\":\"a,b\"}", PARAMETER("mask", "a,b")},
        {"{\"child\":{\"aString\":\"x\"}}", PARAMETER("child.a_string", "x")},
    };
    Bytes out, without;
    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
        PlanInput input = {.bytes = bytes_of(rows[i].body)};
        assert_ok(bench.call, with_parameters(input, &rows[i].parameter, 1, &out));
        assert_ok(bench.call,
                  with_parameters((PlanInput){.no_body = true}, &rows[i].parameter, 1, &without));
        assert_bytes(out, arena_text(bench.call, without));
    }
}

static void what_the_body_leaves_unset_is_the_parameters(void **state)
{
    static const TwiceSaid rows[] = {
        {"{\"aString\":null}", PARAMETER("a_string", "x")},
        {"{\"aString\":\"\"}", PARAMETER("a_string", "x")},
        {"{\"anInt64\":\"0\"}", PARAMETER("an_int64", "7")},
        {"{\"aBool\":false}", PARAMETER("a_bool", "true")},
        {"{\"aColor\":0}", PARAMETER("a_color", "RED")},
        {"{\"child\":null}", PARAMETER("child.a_string", "x")},
        {"{\"numbers\":[]}", PARAMETER("numbers", "3")},
        {"{\"numbers\":null}", PARAMETER("numbers", "3")},
    };
    Bytes out, without;
    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
        PlanInput input = {.bytes = bytes_of(rows[i].body)};
        assert_ok(bench.call, with_parameters(input, &rows[i].parameter, 1, &out));
        assert_ok(bench.call,
                  with_parameters((PlanInput){.no_body = true}, &rows[i].parameter, 1, &without));
        assert_bytes(out, arena_text(bench.call, without));
    }
}

static void a_parameter_that_contradicts_the_body_is_refused_and_named(void **state)
{
    static const TwiceSaid rows[] = {
        {"{\"aString\":\"body\"}", PARAMETER("a_string", "path")},
        {"{\"a_string\":\"x\"}", PARAMETER("aString", "X")},
        {"{\"aString\":\"x\"}", PARAMETER("a_string", "")},
        {"{\"anInt64\":\"7\"}", PARAMETER("an_int64", "8")},
        {"{\"anInt64\":7}", PARAMETER("an_int64", "0")},
        {"{\"aBool\":true}", PARAMETER("a_bool", "false")},
        {"{\"aColor\":\"RED\"}", PARAMETER("a_color", "2")},
        {"{\"aBytes\":\"AQID\"}", PARAMETER("a_bytes", "AQIE")},
        {"{\"time\":\"1970-01-01T00:00:01Z\"}", PARAMETER("time", "1970-01-01T00:00:02Z")},
        {"{\"wrapped\":0}", PARAMETER("wrapped", "7")},
        {"{\"maybe\":0}", PARAMETER("maybe", "7")}, /* zero is set */
        {"{\"child\":{\"aString\":\"x\"}}", PARAMETER("child.a_string", "y")},
        {"{\"numbers\":[3]}", PARAMETER("numbers", "3")},
        {"{\"aString\":{}}", PARAMETER("a_string", "x")},
        {"{\"aString\":\"x\",\"a_string\":\"y\"}", PARAMETER("a_string", "x")},
        {"{\"anInt64\":\"x\"}", PARAMETER("an_int64", "7")},
        {"{\"text\":\"x\"}", PARAMETER("number", "7")}, /* a oneof */
        {"{\"nested\":{}}", PARAMETER("text", "x")},
        {"{\"text\":\"x\"}", PARAMETER("nested.text", "x")},
    };
    Bytes out;
    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
        Result r = with_parameters((PlanInput){.bytes = bytes_of(rows[i].body)}, &rows[i].parameter,
                                   1, &out);
        assert_fault(r, FAULT_BAD_VALUE);
        assert_non_null(error_with_field(r));
    }
}

static void parameters_that_fit_nowhere_are_refused(void **state)
{
    static const struct {
        PlanParameter parameter;
        const char *fault;
    } rows[] = {
        {PARAMETER("nothing", "1"), "UNKNOWN_FIELD"},
        {PARAMETER("child.nothing", "1"), "UNKNOWN_FIELD"},
        {PARAMETER("child", "1"), "BAD_VALUE"},
        {PARAMETER("labels", "1"), "BAD_VALUE"},
        {PARAMETER("a_string.x", "1"), "BAD_VALUE"},
        {PARAMETER("children.an_int32", "1"), "BAD_VALUE"},
        {PARAMETER("an_int32", "x"), "BAD_VALUE"},
        {PARAMETER("", "x"), "UNKNOWN_FIELD"},
        {PARAMETER("any.type_url", "x"), "BAD_VALUE"},
        {PARAMETER("a_string", "a\xff"), "BAD_VALUE"},
    };
    Bytes out;
    PlanInput input = {.no_body = true};
    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
        Result r = with_parameters(input, &rows[i].parameter, 1, &out);
        assert_true(failed(r));
        assert_string_equal(r.error->fault->name, rows[i].fault);
        assert_true(r.error->told);
        assert_int_equal(error_with_field(r) != NULL, rows[i].parameter.field_path.size > 0);
    }
    static const PlanParameter near = PARAMETER("child.aStrin", "1");
    Result r = with_parameters(input, &near, 1, &out);
    assert_non_null(strstr(r.error->doing, "has no field \"aStrin\"; did you mean \"aString\"?"));
    PlanParameter argument = PARAMETER("child.aStrin", "1");
    argument.called = "argument";
    r = with_parameters(input, &argument, 1, &out);
    assert_non_null(strstr(r.error->doing, "argument child.aStrin: "));
    static const PlanParameter twice[] = {PARAMETER("an_int32", "1"), PARAMETER("anInt32", "2")};
    assert_fault(with_parameters(input, twice, 2, &out), FAULT_BAD_VALUE);
    input = (PlanInput){.bytes = bytes_of("[1]")};
    assert_fault(with_parameters(input, twice, 1, &out), FAULT_BAD_VALUE);
}

static void how_a_field_that_is_no_text_is_given_is_told(void **state)
{
    static const struct {
        PlanParameter parameter;
        const char *text;
    } rows[] = {
        {PARAMETER("child", "1"), "parameter child: its field is a message: give its fields, as "
                                  "child.a_double=..."},
        {PARAMETER("labels", "1"), "parameter labels: its field is a map: give its entries, as "
                                   "labels[KEY]=..."},
        {PARAMETER("children", "1"),
         "parameter children: its field cannot be given as text, only in a body of JSON"},
    };
    Bytes out;
    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
        Result r = with_parameters((PlanInput){.no_body = true}, &rows[i].parameter, 1, &out);
        assert_string_equal(r.error->doing, rows[i].text);
    }
}

static void unknown_parameters_are_counted_where_unknown_fields_are(void **state)
{
    static const PlanParameter parameters[] = {PARAMETER("nothing", "1"),
                                               PARAMETER("child.inner.nothing", "2"),
                                               PARAMETER("an_int32", "3")};
    PlanOptions options = {.from = CODEC_JSON, .to = CODEC_JSON, .unknown = UNKNOWN_COUNT};
    PlanInput input = {.no_body = true, .parameters = parameters, .n_parameters = 3};
    PlanRun run = {0};
    Buffer out = buffer_in(bench.call);
    assert_ok(bench.call,
              plan_run(compiled(identity_of(KINDS), options), &input, bench.call, &out, &run));
    assert_bytes(buffer_bytes(&out), "{\"anInt32\":3}");
    assert_int_equal(run.n_unknown, 2);
}

/* ---- Limits ---------------------------------------------------------------------------------- */

static void depth_and_elements_are_limited(void **state)
{
    PlanOptions options = {
        .from = CODEC_JSON, .to = CODEC_PROTO, .max_depth = 3, .max_elements = 5};
    const Plan *plan = compiled(identity_of(KINDS), options);
    run_ok(plan, bytes_of("{\"child\":{\"child\":{}}}"));
    assert_fault(run_result_of(plan, bytes_of("{\"child\":{\"child\":{\"child\":{}}}}")),
                 FAULT_TOO_DEEP);
    run_ok(plan, bytes_of("{\"numbers\":[1,2,3,4]}"));
    assert_fault(run_result_of(plan, bytes_of("{\"numbers\":[1,2,3,4,5]}")),
                 FAULT_MESSAGE_TOO_LARGE);
}

/* Wherever memory ends, it is an error and nothing else. */
static void a_small_arena_is_an_error(void **state)
{
    PlanOptions options = {.from = CODEC_JSON, .to = CODEC_JSON, .types = bench.kinds_set};
    const Plan *plan = compiled(identity_of(KINDS), options);
    Buffer json = buffer_in(bench.call);
    buffer_add_text(&json,
                    "{\"labels\":{\"a\":\"\\n\"},\"structure\":{\"a\":[1,2]},\"any\":{\"@type\":"
                    "\"x/test.kinds.Kinds\",\"texts\":[\"a\"]},\"children\":[");
    for (int i = 0; i < 300; i++)
        buffer_printf(&json, "%s{\"aBytes\":\"AQID\",\"texts\":[\"a\",\"b\"],\"child\":{}}",
                      i ? "," : "");
    buffer_add_text(&json, "]}");
    PlanInput input = {.bytes = buffer_bytes(&json)};
    bool worked = false;
    for (size_t limit = 5000; limit < 1000000; limit += 977) {
        Arena *arena = arena_new(limit);
        Buffer out = buffer_in(arena);
        Result r = plan_run(plan, &input, arena, &out, NULL);
        if (failed(r))
            assert_string_equal(r.error->fault->name, "OUT_OF_MEMORY");
        worked |= !failed(r);
        arena_free(arena);
    }
    assert_true(worked);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_kind_comes_back_in_its_canonical_form),
        cmocka_unit_test(both_spellings_and_the_loose_forms_are_read),
        cmocka_unit_test(what_does_not_fit_is_refused_with_its_path),
        cmocka_unit_test(the_nearest_known_field_is_named),
        cmocka_unit_test(unknown_members_and_enum_names_are_counted_when_told_so),
        cmocka_unit_test(options_change_how_json_is_written),
        cmocka_unit_test(defaults_leave_out_what_has_presence),
        cmocka_unit_test(nulls_are_for_unset_messages),
        cmocka_unit_test(nulls_are_written_from_json_too_and_for_the_only_field),
        cmocka_unit_test(one_field_alone_can_be_the_answer),
        cmocka_unit_test(groups_extensions_and_message_sets_come_back),
        cmocka_unit_test(a_required_field_is_missed),
        cmocka_unit_test(an_any_of_unknown_type_is_kept),
        cmocka_unit_test(well_known_types_stand_in_an_any_as_value),
        cmocka_unit_test(each_spelling_of_a_well_known_type_in_an_any_is_read),
        cmocka_unit_test(what_is_no_spelling_of_an_any_is_refused),
        cmocka_unit_test(parameters_are_read_by_the_type_of_their_field),
        cmocka_unit_test(a_boolean_of_a_url_has_the_spellings_of_people),
        cmocka_unit_test(a_text_that_is_no_boolean_is_refused_as_one),
        cmocka_unit_test(entries_of_maps_are_said_by_brackets_or_dots),
        cmocka_unit_test(entries_of_one_map_come_together_and_each_key_once),
        cmocka_unit_test(parameters_join_the_body),
        cmocka_unit_test(what_the_body_says_too_is_said_once_when_it_is_the_same),
        cmocka_unit_test(what_the_body_leaves_unset_is_the_parameters),
        cmocka_unit_test(a_parameter_that_contradicts_the_body_is_refused_and_named),
        cmocka_unit_test(parameters_that_fit_nowhere_are_refused),
        cmocka_unit_test(how_a_field_that_is_no_text_is_given_is_told),
        cmocka_unit_test(unknown_parameters_are_counted_where_unknown_fields_are),
        cmocka_unit_test(depth_and_elements_are_limited),
        cmocka_unit_test(a_small_arena_is_an_error),
    };
    return cmocka_run_group_tests(tests, plans_begin, plans_end);
}
