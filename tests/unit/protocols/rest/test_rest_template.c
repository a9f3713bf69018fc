#include "protocols/rest/rest.h"

#include "base/table.h"
#include "tests/unit/check.h"

static Arena *arena;

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

static const RestTemplate *parsed(const char *text)
{
    const RestTemplate *template = NULL;
    assert_ok(arena, rest_template_parse(arena, bytes_of(text), &template));
    return template;
}

static Bytes value_in_table(void *owner, Bytes field_path)
{
    return bytes_of(table_get(owner, field_path));
}

/* Values are names and texts, ended by NULL. */
static Result expand(const char *text, const char *const *values, Buffer *out)
{
    Table table = table_in(arena);
    for (; values[0]; values += 2)
        table_put(&table, bytes_of(values[0]), (void *)(uintptr_t)values[1]);
    *out = buffer_in(arena);
    return rest_template_expand(parsed(text), value_in_table, &table, arena, out);
}

#define EXPAND(text, out, ...) expand(text, (const char *const[]){__VA_ARGS__, NULL}, out)

static void the_whole_grammar_is_understood(void **state)
{
    const Bytes *paths;
    assert_int_equal(rest_template_variables(parsed("/v1/*/x/**"), &paths), 0);
    assert_int_equal(
        rest_template_variables(parsed("/v1/{a}/{b.c_d.e=x/*/y}/{Rest=**}:do-it"), &paths), 3);
    assert_bytes(paths[0], "a");
    assert_bytes(paths[1], "b.c_d.e");
    assert_bytes(paths[2], "Rest");
    parsed("/v1/a.b~c-d_e/{x=**}:verb");
    parsed("/{x=a/**}");
    parsed("/v1/a:b:c");
}

static void the_root_is_a_template_without_segments(void **state)
{
    const Bytes *paths;
    Buffer out;
    assert_int_equal(rest_template_variables(parsed("/"), &paths), 0);
    assert_ok(arena, EXPAND("/", &out, "id", "x"));
    assert_bytes(buffer_bytes(&out), "/");
}

static void a_malformed_template_is_refused_with_its_column(void **state)
{
    static const struct {
        const char *text, *column;
    } bad[] = {
        {"", "column 1"},
        {"v1", "column 1"},
        {"//", "column 2"},
        {"/:verb", "column 2"},
        {"/v1//x", "column 5"},
        {"/v1/", "column 5"},
        {"/v1/{", "column 6"},
        {"/v1/{a", "column 7"},
        {"/v1/{}", "column 6"},
        {"/v1/{1a}", "column 6"},
        {"/v1/{a.}", "column 8"},
        {"/v1/{a=}", "column 8"},
        {"/v1/{a={b}}", "column 9"},
        {"/v1/{a}{b}", "column 8"},
        {"/v1/**/x", "column 9"},
        {"/v1/{a=**}/x", "column 13"},
        {"/v1/{a}/{a}", "column 12"},
        {"/v1/a b", "column 6"},
        {"/v1/a?b", "column 6"},
        {"/v1/%41", "column 5"},
        {"/v1/x:", "column 7"},
        {"/v1/{a}:b:c", "column 11"},
        {"/v1/***", "column 7"},
        {"/v1/a*", "column 6"},
        {"/v1/}", "column 5"},
        {"/v1/x:do/it", "column 9"},
        {"/v1/{a=x:y}", "column 9"},
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        const RestTemplate *template;
        Result r = rest_template_parse(arena, bytes_of(bad[i].text), &template);
        assert_fault(r, FAULT_BAD_SCHEMA);
        if (!strstr(r.error->doing, arena_printf(arena, "%s:", bad[i].column)))
            fail_msg("%s: not %s", r.error->doing, bad[i].column);
    }
}

static void single_segments_encode_all_but_the_unreserved_and_several_keep_slashes(void **state)
{
    Buffer out;
    assert_ok(arena, EXPAND("/v1/{id}/x", &out, "id", "a/b c-_.~\xc3\xbc"));
    assert_bytes(buffer_bytes(&out), "/v1/a%2Fb%20c-_.~%C3%BC/x");
    assert_ok(arena, EXPAND("/v1/{name=projects/*/topics/*}:publish", &out, "name",
                            "projects/p 1/topics/t@2"));
    assert_bytes(buffer_bytes(&out), "/v1/projects/p%201/topics/t%402:publish");
    assert_ok(arena, EXPAND("/files/{path=**}", &out, "path", "a//b"));
    assert_bytes(buffer_bytes(&out), "/files/a//b");
    assert_ok(arena, EXPAND("/v1/{a.b}/{c}", &out, "a.b", "1", "c", "2"));
    assert_bytes(buffer_bytes(&out), "/v1/1/2");
}

static void what_does_not_fit_the_path_is_told_with_the_field(void **state)
{
    static const char *const names[] = {
        "projects/p", "projects/p/topics/",  "things/p/topics/t", "projects/p/topics/t/u",
        "",           "/projects/p/topics/t"};
    Buffer out;
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        Result r = EXPAND("/v1/{name=projects/*/topics/*}", &out, "name", names[i]);
        assert_fault(r, FAULT_BAD_VALUE);
        assert_string_equal(error_with_field(r)->field, "name");
    }
    assert_fault(EXPAND("/v1/{id}", &out, "other", "x"), FAULT_BAD_VALUE);
    assert_fault(EXPAND("/v1/{id}", &out, "id", ""), FAULT_BAD_VALUE);
    assert_fault(EXPAND("/v1/*/{id}", &out, "id", "x"), FAULT_BAD_VALUE);
    assert_fault(EXPAND("/v1/{id}", &out, "id", ".."), FAULT_BAD_VALUE);
    assert_fault(EXPAND("/v1/{id=**}", &out, "id", "a/../../b"), FAULT_BAD_VALUE);
}

static void what_is_written_is_read_back(void **state)
{
    static const char *const ids[] = {"42", "a/b", "a:b", "\xc3\xbc%20+ ?#", "...", "a:cancel"};
    RestTable *table = rest_table_new(arena);
    void *shadowed;
    assert_ok(arena, rest_table_add(table, bytes_of("POST"), bytes_of("/v1/{id}:cancel"), table,
                                    &shadowed));
    for (size_t i = 0; i < sizeof ids / sizeof *ids; i++) {
        Buffer path;
        RestMatch match;
        bool found;
        assert_ok(arena, EXPAND("/v1/{id}:cancel", &path, "id", ids[i]));
        assert_ok(arena, rest_table_match(table, bytes_of("POST"), buffer_bytes(&path), arena,
                                          &match, &found));
        assert_true(found);
        assert_bytes(match.parameters[0].text, ids[i]);
    }
}

static void a_query_is_split_and_decoded(void **state)
{
    RestParameter *parameters;
    size_t n;
    assert_ok(arena,
              rest_query_parse(bytes_of("a.b=1&c=x%20y+z&&tags=p&tags=q&empty=&bare&e%3Df=a=b"),
                               arena, &parameters, &n));
    static const char *const expected[][2] = {{"a.b", "1"},  {"c", "x y z"}, {"tags", "p"},
                                              {"tags", "q"}, {"empty", ""},  {"bare", ""},
                                              {"e=f", "a=b"}};
    assert_int_equal(n, 7);
    for (size_t i = 0; i < n; i++) {
        assert_bytes(parameters[i].field_path, expected[i][0]);
        assert_bytes(parameters[i].text, expected[i][1]);
    }
    assert_ok(arena, rest_query_parse(BYTES_NONE, arena, &parameters, &n));
    assert_int_equal(n, 0);
    assert_fault(rest_query_parse(bytes_of("a=%2"), arena, &parameters, &n), FAULT_BAD_REQUEST);
    assert_fault(rest_query_parse(bytes_of("%xx=2"), arena, &parameters, &n), FAULT_BAD_REQUEST);
}

static void a_query_is_written_so_that_it_is_read_back(void **state)
{
    RestParameter *parameters;
    size_t n;
    Buffer path = buffer_in(arena);
    buffer_add_text(&path, "/v1/orders");
    rest_query_add(&path, bytes_of("a.b"), bytes_of("x y&z=+%"));
    rest_query_add(&path, bytes_of("t"), bytes_of("\xc3\xbc"));
    assert_bytes(buffer_bytes(&path), "/v1/orders?a.b=x%20y%26z%3D%2B%25&t=%C3%BC");
    assert_ok(arena, rest_query_parse(bytes_slice(buffer_bytes(&path), 11, SIZE_MAX), arena,
                                      &parameters, &n));
    assert_int_equal(n, 2);
    assert_bytes(parameters[0].text, "x y&z=+%");
    assert_bytes(parameters[1].text, "\xc3\xbc");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_whole_grammar_is_understood),
        cmocka_unit_test(the_root_is_a_template_without_segments),
        cmocka_unit_test(a_malformed_template_is_refused_with_its_column),
        cmocka_unit_test(single_segments_encode_all_but_the_unreserved_and_several_keep_slashes),
        cmocka_unit_test(what_does_not_fit_the_path_is_told_with_the_field),
        cmocka_unit_test(what_is_written_is_read_back),
        cmocka_unit_test(a_query_is_split_and_decoded),
        cmocka_unit_test(a_query_is_written_so_that_it_is_read_back),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
