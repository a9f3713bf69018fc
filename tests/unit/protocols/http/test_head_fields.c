/* Which fields of a head frame the call, which go on, and which are dropped. */
#include "protocols/http/head_fields.h"

#include "tests/unit/check.h"

static Arena *arena;
static HeadFields head;

static int set_up(void **state)
{
    arena = arena_new(ARENA_UNLIMITED);
    return 0;
}

static int tear_down(void **state)
{
    arena_free(arena);
    return 0;
}

static Result read_fields(HeadSide side, const char *const *names_and_values)
{
    Fields fields = fields_in(arena);
    for (; names_and_values[0]; names_and_values += 2)
        fields_add_text(&fields, names_and_values[0], names_and_values[1]);
    return head_fields_read(&fields, side, arena, &head);
}

#define READ(side, ...) read_fields(side, (const char *const[]){__VA_ARGS__, NULL})

/* "name=value name=value", in order. */
static const char *text_of(const Fields *fields)
{
    Buffer text = buffer_in(arena);
    for (uint32_t i = 0; i < fields->n; i++)
        buffer_printf(&text, "%s%.*s=%.*s", i ? " " : "", BYTES_ARGS(fields->items[i].name),
                      BYTES_ARGS(fields->items[i].value));
    buffer_add_byte(&text, '\0');
    return (const char *)text.data;
}

static void framing_fields_are_taken_out_and_metadata_keeps_its_order(void **state)
{
    assert_ok(arena, READ(HEAD_OF_REQUEST, "x-b", "1", "content-type", "application/grpc", "x-a",
                          "2", "grpc-timeout", "1S", "te", "trailers", "x-b", "3"));
    assert_bytes(head.values[FIELD_CONTENT_TYPE], "application/grpc");
    assert_bytes(head.values[FIELD_GRPC_TIMEOUT], "1S");
    assert_null(head.values[FIELD_GRPC_ENCODING].data);
    assert_string_equal(text_of(&head.metadata), "x-b=1 x-a=2 x-b=3");
    assert_int_equal(head.all.n, 6);
}

static void an_empty_head_has_nothing(void **state)
{
    assert_ok(arena, read_fields(HEAD_OF_REQUEST, (const char *const[]){NULL}));
    assert_int_equal(head.all.n + head.metadata.n + head.trailers.n, 0);
}

static void values_of_one_name_are_joined(void **state)
{
    assert_ok(arena, READ(HEAD_OF_REQUEST, "accept", "a", "accept", "", "accept", "b;q=0"));
    assert_bytes(head.values[FIELD_ACCEPT], "a, , b;q=0");
}

/* One letter more or less is another name. */
static void only_the_whole_name_counts(void **state)
{
    static const char *const names[] = {"t",
                                        "tea",
                                        "contenttype",
                                        "grpc-statu",
                                        "grpc-status-",
                                        "trailer-",
                                        "trailers-x",
                                        "connections",
                                        "access-control-",
                                        "access-contro1-x",
                                        "connect-protocol-versions"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        assert_ok(arena, READ(HEAD_OF_CONNECT_ANSWER, names[i], "1"));
        if (head.metadata.n != 1)
            fail_msg("%s is no metadata", names[i]);
    }
}

static void each_side_has_its_own_metadata(void **state)
{
    static const struct {
        HeadSide side;
        const char *metadata, *trailers;
    } rows[] = {
        {HEAD_OF_REQUEST, "access-control-a=1 trailer-x=2 x=5", ""},
        {HEAD_OF_ANSWER, "trailer-x=2 x=5", ""},
        {HEAD_OF_CONNECT_ANSWER, "x=5", "x=2"},
        {HEAD_OF_TRAILERS, "trailer-x=2 x=5", ""},
        {HEAD_OF_HTTP, "access-control-a=1 trailer-x=2 expect=4 x=5", ""},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        assert_ok(arena, READ(rows[i].side, "access-control-a", "1", "trailer-x", "2", "connection",
                              "3", "expect", "4", "x", "5"));
        assert_string_equal(text_of(&head.metadata), rows[i].metadata);
        assert_string_equal(text_of(&head.trailers), rows[i].trailers);
    }
}

static void what_frames_the_call_is_no_trailer_of_connect(void **state)
{
    assert_ok(arena, READ(HEAD_OF_CONNECT_ANSWER, "trailer-grpc-status", "7", "trailer-connection",
                          "close", "trailer-trailer-x", "1", "trailer-ok", "2"));
    assert_string_equal(text_of(&head.trailers), "trailer-x=1 ok=2");
    assert_null(head.values[FIELD_GRPC_STATUS].data);
}

static void binary_values_are_split_and_normalized(void **state)
{
    static const struct {
        const char *value, *metadata;
    } rows[] = {
        {"", "x-bin="},
        {"AAA", "x-bin=AAA"},
        {"AA==", "x-bin=AA"},
        {"-_8", "x-bin=+/8"},
        {"AAAA, BBBB,CC==", "x-bin=AAAA x-bin=BBBB x-bin=CA"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        assert_ok(arena, READ(HEAD_OF_REQUEST, "x-bin", rows[i].value));
        assert_string_equal(text_of(&head.metadata), rows[i].metadata);
        assert_ok(arena, READ(HEAD_OF_HTTP, "x-bin", rows[i].value)); /* nobody reads it */
        assert_bytes(head.metadata.items[0].value, rows[i].value);
    }
}

static void a_value_that_is_no_base64_fails_a_request_alone(void **state)
{
    Result r = READ(HEAD_OF_REQUEST, "x-bin", "!", "y-bin", "?", "content-type", "a/b", "z", "1");
    assert_fault(r, FAULT_BAD_REQUEST);
    assert_non_null(strstr(r.error->doing, "x-bin"));
    assert_bytes(head.values[FIELD_CONTENT_TYPE], "a/b");
    assert_string_equal(text_of(&head.metadata), "z=1");
    assert_ok(arena, READ(HEAD_OF_ANSWER, "x-bin", "!", "z", "1"));
    assert_string_equal(text_of(&head.metadata), "x-bin=! z=1");
    assert_ok(arena, READ(HEAD_OF_REQUEST, "-bin", "!")); /* it has no name before "-bin" */
}

static void an_arena_at_its_limit_is_a_fault(void **state)
{
    Arena *small = arena_new(8192);
    char large[8193];
    memset(large, 'a', sizeof large - 1);
    large[sizeof large - 1] = '\0';
    Fields fields = fields_in(arena);
    fields_add_text(&fields, "x", large);
    assert_fault(head_fields_read(&fields, HEAD_OF_REQUEST, small, &head), FAULT_OUT_OF_MEMORY);
    assert_int_equal(head.metadata.n, 0);
    arena_free(small);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(framing_fields_are_taken_out_and_metadata_keeps_its_order),
        cmocka_unit_test(an_empty_head_has_nothing),
        cmocka_unit_test(values_of_one_name_are_joined),
        cmocka_unit_test(only_the_whole_name_counts),
        cmocka_unit_test(each_side_has_its_own_metadata),
        cmocka_unit_test(what_frames_the_call_is_no_trailer_of_connect),
        cmocka_unit_test(binary_values_are_split_and_normalized),
        cmocka_unit_test(a_value_that_is_no_base64_fails_a_request_alone),
        cmocka_unit_test(an_arena_at_its_limit_is_a_fault),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
