/* All invalid fields of a message, for a client that would else correct them one call at a time. */
#include "adapters/schema/wire.h"
#include "tests/unit/adapters/plans.h"

#define KINDS "test.kinds.Kinds"

/* The paths of an error and of those beside it, each with a blank behind it. */
static const char *fields_of(Result r)
{
    Buffer fields = buffer_in(bench.call);
    for (const Error *mistake = r.error; mistake; mistake = mistake->also)
        buffer_printf(&fields, "%s ", mistake->field ? mistake->field : "-");
    buffer_add_byte(&fields, '\0');
    return (const char *)fields.data;
}

static Result run_all_mistakes(PlanOptions options, PlanInput input)
{
    PlanRun run = {.all_mistakes = true};
    Bytes out;
    options.types = bench.kinds_set;
    return run_input(compiled(identity_of(KINDS), options), input, &out, &run);
}

static const char *mistakes_in(const char *json)
{
    PlanOptions options = {.from = CODEC_JSON, .to = CODEC_PROTO};
    return fields_of(run_all_mistakes(options, (PlanInput){.bytes = bytes_of(json)}));
}

static void each_invalid_field_is_found_with_its_path(void **state)
{
    static const struct {
        const char *json, *fields;
    } rows[] = {
        {"{\"anInt32\":1}", ""},
        {"{\"anInt32\":1.5,\"aBool\":3,\"aString\":\"x\"}", "anInt32 aBool "},
        {"{\"chldren\":[],\"anInt32\":1.5,\"nothing\":1}", "chldren anInt32 nothing "},
        {"{\"child\":{\"anInt32\":\"x\",\"aBool\":1},\"aBytes\":\"*\"}",
         "aBytes child.anInt32 child.aBool "},
        {"{\"children\":[{\"anInt32\":\"x\"},{},{\"aBool\":1,\"child\":{\"aBytes\":\"*\"}}]}",
         "children[0].anInt32 children[2].aBool children[2].child.aBytes "},
        {"{\"byNumber\":{\"1\":{\"anInt32\":\"x\",\"aBool\":1}}}",
         "byNumber[\"1\"].anInt32 byNumber[\"1\"].aBool "},
        {"{\"time\":\"today\",\"duration\":\"long\",\"times\":[3]}", "time duration times[0] "},
        {"{\"text\":\"\",\"number\":1,\"aBool\":1}", "number aBool "},
        {"{\"any\":{\"@type\":\"x/test.kinds.Kinds.Inner\",\"size\":\"HUGE\",\"nme\":1},"
         "\"anInt32\":[]}",
         "anInt32 any.size any.nme "},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        assert_string_equal(mistakes_in(rows[i].json), rows[i].fields);
}

/* Packed and not, and texts, which JSON copies as they are. */
static void each_invalid_element_of_a_list_is_found(void **state)
{
    static const struct {
        const char *json, *fields;
    } rows[] = {
        {"{\"numbers\":[1,\"x\",2,1.5,null]}", "numbers[1] numbers[3] numbers[4] "},
        {"{\"numbers\":[\"x\"]}", "numbers[0] "},
        {"{\"looseNumbers\":[\"x\",1,\"y\"],\"aBool\":3}",
         "aBool looseNumbers[0] looseNumbers[2] "},
        {"{\"texts\":[1,\"a\",2]}", "texts[0] texts[2] "},
        {"{\"colors\":[\"NOT\",1,\"NOR\"],\"bools\":[0,true,1]}",
         "colors[0] colors[2] bools[0] bools[2] "},
        {"{\"child\":{\"children\":[{},{\"numbers\":[\"x\",1,\"y\"]}]}}",
         "child.children[1].numbers[0] child.children[1].numbers[2] "},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        assert_string_equal(mistakes_in(rows[i].json), rows[i].fields);
        PlanOptions options = {.from = CODEC_JSON, .to = CODEC_JSON};
        PlanInput input = {.bytes = bytes_of(rows[i].json)};
        assert_string_equal(fields_of(run_all_mistakes(options, input)), rows[i].fields);
    }
}

static void sixteen_elements_are_enough(void **state)
{
    for (unsigned n = 15; n <= 17; n++) {
        Buffer json = buffer_in(bench.call);
        buffer_add_text(&json, "{\"numbers\":[1");
        for (unsigned i = 0; i < n; i++)
            buffer_add_text(&json, ",\"x\"");
        buffer_add_text(&json, "]}");
        buffer_add_byte(&json, '\0');
        unsigned found = 0;
        for (const char *at = mistakes_in((const char *)json.data); (at = strchr(at, ' ')); at++)
            found++;
        assert_int_equal(found, n < 16 ? n : 16);
    }
}

static void without_being_asked_the_first_one_is_enough(void **state)
{
    assert_string_equal(fields_of(json_in(KINDS, "{\"anInt32\":1.5,\"aBool\":3}")), "anInt32 ");
}

/* Nothing can be said of the fields of a text that is no JSON, or goes beyond a limit. */
static void where_nothing_can_go_on_the_first_one_is_all(void **state)
{
    assert_string_equal(mistakes_in("{\"anInt32\":1.5,"), "- ");
    PlanOptions options = {.from = CODEC_JSON, .to = CODEC_PROTO, .max_depth = 3};
    PlanInput input = {.bytes = bytes_of("{\"anInt32\":1.5,\"aBool\":3}")};
    assert_string_equal(fields_of(run_all_mistakes(options, input)), "anInt32 aBool ");
}

static void sixteen_are_enough(void **state)
{
    for (unsigned n = 15; n <= 17; n++) {
        Buffer json = buffer_in(bench.call);
        buffer_add_text(&json, "{\"children\":[");
        for (unsigned i = 0; i < n; i++)
            buffer_add_text(&json, i ? ",{\"anInt32\":\"x\"}" : "{\"anInt32\":\"x\"}");
        buffer_add_text(&json, "]}");
        buffer_add_byte(&json, '\0');
        unsigned found = 0;
        for (const char *at = mistakes_in((const char *)json.data); (at = strchr(at, ' ')); at++)
            found++;
        assert_int_equal(found, n < 16 ? n : 16);
    }
}

static void those_of_parameters_come_before_those_of_the_body(void **state)
{
    static const PlanParameter parameters[] = {
        {{(const uint8_t *)"nothing", 7}, {(const uint8_t *)"1", 1}},
        {{(const uint8_t *)"a_uint32", 8}, {(const uint8_t *)"7", 1}},
        {{(const uint8_t *)"child", 5}, {(const uint8_t *)"x", 1}},
        {{(const uint8_t *)"an_int32", 8}, {(const uint8_t *)"many", 4}},
    };
    PlanOptions options = {.from = CODEC_JSON, .to = CODEC_PROTO};
    PlanInput input = {.bytes = bytes_of("{\"aBool\":3}"),
                       .parameters = parameters,
                       .n_parameters = sizeof parameters / sizeof *parameters};
    assert_string_equal(fields_of(run_all_mistakes(options, input)),
                        "nothing child aBool anInt32 ");
}

static void a_mistake_says_what_is_meant(void **state)
{
    static const struct {
        const char *json, *path, *text, *told;
    } rows[] = {
        {"{\"aColor\":\"GREN\"}", NULL, NULL, "Color has no value \"GREN\"; did you mean GREEN?"},
        {"{\"aColor\":\"ELSEWHERE\"}", NULL, NULL, "Color has no value \"ELSEWHERE\""},
        {"{}", "a_color", "RDE", "Color has no value \"RDE\"; did you mean RED?"},
        {"{}", "a_color", "", "Color has no value \"\""},
        {"{}", "a_string", "y", "parameter a_string: the path has it already: leave it out"},
        {"{}", "an_int32", "8", "parameter an_int32: given twice"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        const PlanParameter parameters[] = {
            {bytes_of("aString"), bytes_of("x"), PARAMETER_OF_PATH},
            {bytes_of("an_int32"), bytes_of("7"), NULL},
            {bytes_of(rows[i].path ? rows[i].path : "a_bool"),
             bytes_of(rows[i].text ? rows[i].text : "true"), NULL},
        };
        PlanOptions options = {.from = CODEC_JSON, .to = CODEC_PROTO, .types = bench.kinds_set};
        PlanInput input = {.bytes = bytes_of(rows[i].json), .parameters = parameters};
        input.n_parameters = sizeof parameters / sizeof *parameters;
        Result r = run_all_mistakes(options, input);
        assert_true(failed(r));
        const char *told = error_text(bench.call, r);
        size_t size = strlen(told), end = strlen(rows[i].told);
        if (size < end || strcmp(told + size - end, rows[i].told) != 0)
            fail_msg("row %zu: %s", i, told);
    }
}

/* Of a message in protobuf, texts may be invalid; its records are left one by one. */
static void texts_of_protobuf_are_all_checked(void **state)
{
    Bytes wire = run_ok(
        compiled(identity_of(KINDS),
                 (PlanOptions){.from = CODEC_JSON, .to = CODEC_PROTO, .types = bench.kinds_set}),
        bytes_of("{\"aString\":\"#\",\"child\":{\"aString\":\"#\",\"anInt32\":1},"
                 "\"texts\":[\"#\",\"a\"],\"children\":[{},{\"aString\":\"#\"}]}"));
    uint8_t *bad = arena_alloc(bench.call, wire.size);
    for (size_t i = 0; i < wire.size; i++)
        bad[i] = wire.data[i] == '#' ? 0xff : wire.data[i];
    PlanOptions options = {.from = CODEC_PROTO, .to = CODEC_JSON};
    assert_string_equal(
        fields_of(run_all_mistakes(options, (PlanInput){.bytes = bytes(bad, wire.size)})),
        "a_string child.a_string texts[0] children[1].a_string ");
}

/* The slow way to find them all: correct the first one, and ask again. */
static const char *one_after_the_other(const char *const *members, const char *const *paths,
                                       size_t n, uint64_t chosen)
{
    Buffer all = buffer_in(bench.call);
    for (;;) {
        Buffer json = buffer_in(bench.call);
        buffer_add_byte(&json, '{');
        for (size_t i = 0; i < n; i++) {
            if (chosen >> i & 1)
                buffer_printf(&json, "%s%s", json.size > 1 ? "," : "", members[i]);
        }
        buffer_add_text(&json, "}");
        buffer_add_byte(&json, '\0');
        Result r = json_in(KINDS, (const char *)json.data);
        if (!failed(r))
            break;
        buffer_printf(&all, "%s ", r.error->field);
        for (size_t i = 0; i < n; i++) {
            if (strcmp(paths[i], r.error->field) == 0)
                chosen &= ~(UINT64_C(1) << i);
        }
    }
    buffer_add_byte(&all, '\0');
    return (const char *)all.data;
}

static void they_are_those_that_are_found_one_after_the_other(void **state)
{
    static const char *const members[] = {
        "\"anInt32\":1.5",
        "\"aUint32\":7",
        "\"aBool\":3",
        "\"wrong\":0",
        "\"child\":{\"aColor\":\"BLUE\"}",
        "\"inner\":{\"name\":1}",
        "\"times\":[\"1969-12-31T23:59:59Z\",3]",
        "\"labels\":{\"k\":7}",
        "\"any\":{\"@type\":\"x/no.such.Type\"}",
        "\"aString\":\"good\"",
        "\"wrapped\":{}",
    };
    static const char *const paths[] = {
        "anInt32",       "",    "aBool", "wrong",   "child.aColor", "inner.name", "times[1]",
        "labels[\"k\"]", "any", "",      "wrapped",
    };
    enum { N = sizeof members / sizeof *members };
    for (uint64_t chosen = 0; chosen < UINT64_C(1) << N; chosen++) {
        Buffer json = buffer_in(bench.call);
        buffer_add_byte(&json, '{');
        for (size_t i = 0; i < N; i++) {
            if (chosen >> i & 1)
                buffer_printf(&json, "%s%s", json.size > 1 ? "," : "", members[i]);
        }
        buffer_add_text(&json, "}");
        buffer_add_byte(&json, '\0');
        assert_string_equal(mistakes_in((const char *)json.data),
                            one_after_the_other(members, paths, N, chosen));
        arena_reset(bench.call);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_invalid_field_is_found_with_its_path),
        cmocka_unit_test(each_invalid_element_of_a_list_is_found),
        cmocka_unit_test(sixteen_elements_are_enough),
        cmocka_unit_test(without_being_asked_the_first_one_is_enough),
        cmocka_unit_test(where_nothing_can_go_on_the_first_one_is_all),
        cmocka_unit_test(sixteen_are_enough),
        cmocka_unit_test(a_mistake_says_what_is_meant),
        cmocka_unit_test(those_of_parameters_come_before_those_of_the_body),
        cmocka_unit_test(texts_of_protobuf_are_all_checked),
        cmocka_unit_test(they_are_those_that_are_found_one_after_the_other),
    };
    return cmocka_run_group_tests(tests, plans_begin, plans_end);
}
