#include "protocols/rest/rest.h"

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

/* The value of a template is its text. */
static RestTable *table_of(const char *const *rules)
{
    RestTable *table = rest_table_new(arena);
    for (; rules[0]; rules += 2) {
        void *shadowed;
        assert_ok(arena, rest_table_add(table, bytes_of(rules[0]), bytes_of(rules[1]),
                                        (void *)(uintptr_t)rules[1], &shadowed));
        assert_null(shadowed);
    }
    return table;
}

static RestMatch match;

/* The text of the template that matches, or "". */
static const char *matched(const RestTable *table, const char *verb, const char *path)
{
    bool found;
    assert_ok(arena,
              rest_table_match(table, bytes_of(verb), bytes_of(path), arena, &match, &found));
    return found ? match.value : "";
}

/* The variable's text when there is just one. */
static Bytes the_variable(const RestTable *table, const char *path)
{
    assert_string_not_equal(matched(table, "GET", path), "");
    assert_int_equal(match.n_parameters, 1);
    return match.parameters[0].text;
}

static void literals_come_before_variables_and_these_before_the_rest(void **state)
{
    RestTable *table =
        table_of((const char *const[]){"GET", "/v1/**", "GET", "/v1/orders/{id}", "GET",
                                       "/v1/orders/recent", "GET", "/v1/{kind}/recent", NULL});
    assert_string_equal(matched(table, "GET", "/v1/orders/recent"), "/v1/orders/recent");
    assert_string_equal(matched(table, "GET", "/v1/orders/42"), "/v1/orders/{id}");
    assert_bytes(match.parameters[0].field_path, "id");
    assert_bytes(match.parameters[0].text, "42");
    assert_string_equal(matched(table, "GET", "/v1/users/recent"), "/v1/{kind}/recent");
    assert_string_equal(matched(table, "GET", "/v1/users/old"), "/v1/**");
    assert_string_equal(matched(table, "GET", "/v1/orders/42/items"), "/v1/**");
    assert_string_equal(matched(table, "GET", "/v2/orders/42"), "");
}

static void a_double_star_matches_none_one_or_many_segments(void **state)
{
    RestTable *table = table_of((const char *const[]){"GET", "/files/{path=**}", NULL});
    assert_bytes(the_variable(table, "/files"), "");
    assert_bytes(the_variable(table, "/files/a"), "a");
    assert_bytes(the_variable(table, "/files/a/b//c"), "a/b//c");
    assert_bytes(the_variable(table, "/files/"), "");
}

static void the_root_matches_itself_alone(void **state)
{
    RestTable *alone = table_of((const char *const[]){"GET", "/", NULL});
    assert_string_equal(matched(alone, "GET", "/"), "/");
    assert_int_equal(match.n_parameters, 0);
    assert_string_equal(matched(alone, "GET", "/x"), "");
    assert_string_equal(matched(alone, "GET", "//"), "");
    assert_string_equal(matched(alone, "POST", "/"), "");
    assert_bytes(match.allowed, "GET, HEAD");

    RestTable *table =
        table_of((const char *const[]){"GET", "/{id}", "GET", "/", "GET", "/{all=**}", NULL});
    assert_string_equal(matched(table, "GET", "/"), "/");
    assert_string_equal(matched(table, "GET", "/7"), "/{id}");
    assert_string_equal(matched(table, "GET", "/7/8"), "/{all=**}");
}

static void a_star_matches_one_segment_that_is_not_empty(void **state)
{
    RestTable *table =
        table_of((const char *const[]){"GET", "/v1/*/x", "GET", "/v1/{a}/y/{b.c}", NULL});
    assert_string_equal(matched(table, "GET", "/v1/q/x"), "/v1/*/x");
    assert_int_equal(match.n_parameters, 0);
    assert_string_equal(matched(table, "GET", "/v1//x"), "");
    assert_string_equal(matched(table, "GET", "/v1/x"), "");
    assert_string_equal(matched(table, "GET", "/v1/q/x/"), "");
    assert_string_equal(matched(table, "GET", "/v1/1/y/2"), "/v1/{a}/y/{b.c}");
    assert_int_equal(match.n_parameters, 2);
    assert_bytes(match.parameters[1].field_path, "b.c");
    assert_bytes(match.parameters[1].text, "2");
}

static void a_variable_may_span_a_pattern(void **state)
{
    RestTable *table = table_of((const char *const[]){"GET", "/v1/{name=projects/*/topics/*}",
                                                      "GET", "/v1/{name=projects/*}/all", NULL});
    assert_bytes(the_variable(table, "/v1/projects/p1/topics/t2"), "projects/p1/topics/t2");
    assert_bytes(the_variable(table, "/v1/projects/p1/all"), "projects/p1");
    assert_string_equal(matched(table, "GET", "/v1/projects/p1/things/t2"), "");
}

static void a_verb_is_told_from_a_colon_in_a_segment(void **state)
{
    RestTable *table =
        table_of((const char *const[]){"POST", "/v1/{name}:cancel", "GET", "/v1/{name}", "POST",
                                       "/v1/orders:list", "POST", "/v1/**:undo", NULL});
    assert_string_equal(matched(table, "POST", "/v1/a:b:cancel"), "/v1/{name}:cancel");
    assert_bytes(match.parameters[0].text, "a:b");
    assert_string_equal(matched(table, "GET", "/v1/a:b"), "/v1/{name}");
    assert_bytes(match.parameters[0].text, "a:b");
    assert_string_equal(matched(table, "POST", "/v1/orders:list"), "/v1/orders:list");
    assert_string_equal(matched(table, "POST", "/v1/a/b/c:undo"), "/v1/**:undo");
    assert_string_equal(matched(table, "POST", "/v1/a%3Acancel"), "");
    assert_string_equal(matched(table, "GET", "/v1/a%3Acancel"), "/v1/{name}");
    assert_bytes(match.parameters[0].text, "a:cancel");
    assert_string_equal(matched(table, "POST", "/v1/a:other"), "");
}

static void single_segments_are_decoded_wholly_and_several_keep_reserved_escapes(void **state)
{
    RestTable *table = table_of((const char *const[]){"GET", "/v1/{id}", "GET", "/v2/{name=a/*}",
                                                      "GET", "/v3/{rest=**}", NULL});
    assert_bytes(the_variable(table, "/v1/x%2Fy%20z%3a"), "x/y z:");
    assert_bytes(the_variable(table, "/v2/a/x%2Fy%20z%3a+"), "a/x%2Fy z%3a+");
    assert_bytes(the_variable(table, "/v3/x%2Fy%20z"), "x%2Fy z");

    rest_table_decode_reserved(table);
    assert_bytes(the_variable(table, "/v2/a/x%2Fy%20z%3a"), "a/x%2Fy z:");
}

static void an_escaped_literal_is_still_that_literal(void **state)
{
    RestTable *table = table_of((const char *const[]){"GET", "/v1/orders", NULL});
    assert_string_equal(matched(table, "GET", "/v1/%6frders"), "/v1/orders");
    assert_string_equal(matched(table, "GET", "/v1%2Forders"), "");
}

static void a_bad_escape_in_the_path_is_the_clients_mistake(void **state)
{
    RestTable *table = table_of((const char *const[]){"GET", "/v1/{id}", NULL});
    bool found;
    assert_fault(
        rest_table_match(table, bytes_of("GET"), bytes_of("/v1/%zz"), arena, &match, &found),
        FAULT_BAD_REQUEST);
    assert_fault(
        rest_table_match(table, bytes_of("GET"), bytes_of("/v1/a%4"), arena, &match, &found),
        FAULT_BAD_REQUEST);
}

static void head_is_answered_wherever_get_is(void **state)
{
    RestTable *table =
        table_of((const char *const[]){"GET", "/a/{x}", "*", "/a/{any}", "HEAD", "/b", "GET",
                                       "/b/{y=**}", "POST", "/c", "*", "/d", NULL});
    assert_string_equal(matched(table, "HEAD", "/a/1"), "/a/{x}");
    assert_string_equal(matched(table, "PUT", "/a/1"), "/a/{any}");
    assert_string_equal(matched(table, "HEAD", "/b"), "/b");
    assert_string_equal(matched(table, "HEAD", "/b/1"), "/b/{y=**}");
    assert_string_equal(matched(table, "HEAD", "/c"), "");
    assert_bytes(match.allowed, "POST");
    assert_string_equal(matched(table, "HEAD", "/d"), "/d");
}

static void another_verb_of_the_path_is_told_for_allow(void **state)
{
    RestTable *table =
        table_of((const char *const[]){"GET", "/v1/orders/{id}", "DELETE", "/v1/orders/{id}", "GET",
                                       "/v1/**", "*", "/any/{x}", NULL});
    assert_string_equal(matched(table, "PUT", "/v1/orders/1"), "");
    assert_bytes(match.allowed, "DELETE, GET, HEAD");
    assert_string_equal(matched(table, "PUT", "/v9/orders/1"), "");
    assert_int_equal(match.allowed.size, 0);
    assert_string_equal(matched(table, "BREW", "/any/1"), "/any/{x}");
}

static void a_less_special_template_serves_a_verb_that_the_special_one_lacks(void **state)
{
    RestTable *table =
        table_of((const char *const[]){"POST", "/v1/special", "GET", "/v1/{name}", NULL});
    assert_string_equal(matched(table, "GET", "/v1/special"), "/v1/{name}");
    assert_string_equal(matched(table, "POST", "/v1/special"), "/v1/special");
}

static void the_last_of_two_equal_rules_wins(void **state)
{
    RestTable *table = table_of((const char *const[]){"GET", "/v1/{a}", NULL});
    void *shadowed;
    assert_ok(arena,
              rest_table_add(table, bytes_of("GET"), bytes_of("/v1/{b}"), "second", &shadowed));
    assert_string_equal(shadowed, "/v1/{a}");
    assert_string_equal(matched(table, "GET", "/v1/x"), "second");
    assert_bytes(match.parameters[0].field_path, "b");
}

static void a_path_far_deeper_than_all_templates_is_no_trouble(void **state)
{
    RestTable *table =
        table_of((const char *const[]){"GET", "/a/{b}", "GET", "/r/{rest=**}", NULL});
    char path[4001];
    for (size_t i = 0; i < 4000; i += 2)
        memcpy(path + i, "/a", 2);
    path[4000] = '\0';
    assert_string_equal(matched(table, "GET", path), "");
    path[1] = 'r';
    assert_int_equal(the_variable(table, path).size, 4000 - 3);
    assert_string_equal(matched(table, "GET", ""), "");
    assert_string_equal(matched(table, "GET", "*"), "");
    assert_string_equal(matched(table, "GET", "/"), "");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(literals_come_before_variables_and_these_before_the_rest),
        cmocka_unit_test(a_double_star_matches_none_one_or_many_segments),
        cmocka_unit_test(the_root_matches_itself_alone),
        cmocka_unit_test(a_star_matches_one_segment_that_is_not_empty),
        cmocka_unit_test(a_variable_may_span_a_pattern),
        cmocka_unit_test(a_verb_is_told_from_a_colon_in_a_segment),
        cmocka_unit_test(single_segments_are_decoded_wholly_and_several_keep_reserved_escapes),
        cmocka_unit_test(an_escaped_literal_is_still_that_literal),
        cmocka_unit_test(a_bad_escape_in_the_path_is_the_clients_mistake),
        cmocka_unit_test(head_is_answered_wherever_get_is),
        cmocka_unit_test(another_verb_of_the_path_is_told_for_allow),
        cmocka_unit_test(a_less_special_template_serves_a_verb_that_the_special_one_lacks),
        cmocka_unit_test(the_last_of_two_equal_rules_wins),
        cmocka_unit_test(a_path_far_deeper_than_all_templates_is_no_trouble),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
