#include "tests/unit/check.h"

#include "gateway/rest/http_body.h"
#include "gateway/rest/rest_request.h"

static Arena *arena;
static const ServiceType *library;

static int load(void **state)
{
    const Schema *schema;
    arena = arena_new(ARENA_UNLIMITED);
    assert_ok(arena, schema_load_file(arena, SCHEMAS "library.binpb", &schema));
    library = schema_service(schema, bytes_of("test.library.Library"));
    assert_non_null(library);
    return 0;
}

static int unload(void **state)
{
    arena_free(arena);
    return 0;
}

static const MethodType *method(const char *name)
{
    for (uint32_t i = 0; i < library->n_methods; i++) {
        if (strcmp(library->methods[i].name, name) == 0)
            return &library->methods[i];
    }
    fail_msg("no method %s", name);
    return NULL;
}

static RestRequest write(const char *name, const char *message)
{
    RestRequest request;
    assert_ok(arena, rest_request_write(method(name), bytes_of(message), arena, &request));
    return request;
}

static void variables_go_into_the_path_and_the_rest_into_the_query(void **state)
{
    RestRequest request = write("GetBook", "{\"name\":\"shelves/a b/books/1\",\"withPages\":true}");
    assert_bytes(request.verb, "GET");
    assert_bytes(request.path, "/v1/shelves/a%20b/books/1?withPages=true");
    assert_false(request.has_body);
}

static void another_binding_is_taken_when_the_first_does_not_fit(void **state)
{
    assert_bytes(write("GetBook", "{\"isbn\":\"3-16/148\"}").path, "/v1/books/3-16%2F148");
}

static void without_its_variables_a_message_has_no_path(void **state)
{
    RestRequest request;
    assert_fault(
        rest_request_write(method("GetBook"), bytes_of("{\"withPages\":true}"), arena, &request),
        FAULT_BAD_VALUE);
    assert_fault(rest_request_write(method("Hidden"), bytes_of("{}"), arena, &request),
                 FAULT_UNSUPPORTED);
}

static void a_named_body_is_that_field_and_the_rest_the_query(void **state)
{
    RestRequest request =
        write("UpdateBook", "{\"book\":{\"name\":\"shelves/1/books/2\",\"title\":\"T\"},"
                            "\"updateMask\":\"title\"}");
    assert_bytes(request.verb, "PATCH");
    assert_bytes(request.path, "/v1/shelves/1/books/2?updateMask=title");
    assert_true(request.has_body);
    assert_bytes(request.body, "{\"name\":\"shelves/1/books/2\",\"title\":\"T\"}");
}

static void a_star_body_is_all_but_the_variables(void **state)
{
    RestRequest request = write("LendBook", "{\"name\":\"shelves/1/books/2\",\"reader\":\"Ann\"}");
    assert_bytes(request.verb, "POST");
    assert_bytes(request.path, "/v1/shelves/1/books/2:lend");
    assert_bytes(request.body, "{\"reader\":\"Ann\"}");
}

static void nested_and_repeated_fields_are_spelled_in_the_query(void **state)
{
    assert_bytes(write("ListBooks",
                       "{\"shelf\":\"x\",\"filter\":{\"author\":\"A&B\",\"words\":[\"c\",\"d\"]},"
                       "\"pageSize\":5}")
                     .path,
                 "/v1/x/books?filter.author=A%26B&filter.words=c&filter.words=d&pageSize=5");
    RestRequest request;
    assert_fault(rest_request_write(method("ListBooks"),
                                    bytes_of("{\"shelf\":\"x\",\"like\":[{}]}"), arena, &request),
                 FAULT_BAD_VALUE);
}

static void what_has_no_spelling_in_a_query_is_left_to_another_binding(void **state)
{
    assert_bytes(
        write(
            "FindBooks",
            "{\"name\":\"n\",\"since\":\"2026-01-02T03:04:05Z\",\"most\":\"7\",\"shape\":\"ROUND\","
            "\"key\":\"+/8=\"}")
            .path,
        "/v1/books:find?name=n&since=2026-01-02T03%3A04%3A05Z&most=7&shape=ROUND&key=%2B%2F8%3D");
    static const char *const messages[] = {
        "{\"name\":\"n\",\"labels\":{\"a.b\":\"c\"}}",
        "{\"name\":\"n\",\"extra\":{\"a\":{\"b\":1}}}",
        "{\"name\":\"n\",\"like\":[{}]}",
    };
    for (size_t i = 0; i < 3; i++) {
        RestRequest request = write("FindBooks", messages[i]);
        assert_bytes(request.path, "/v1/n/books:find");
        assert_string_equal(request.rule->response_body, "books");
        assert_bytes(request.body,
                     arena_printf(arena, "{%s", messages[i] + strlen("{\"name\":\"n\",")));
    }
    RestRequest request;
    assert_fault(
        rest_request_write(method("FindBooks"), bytes_of("{\"labels\":{}}"), arena, &request),
        FAULT_BAD_VALUE);
}

static void a_zero_that_json_leaves_out_is_said_in_the_path(void **state)
{
    assert_bytes(write("GetPage", "{\"mark\":\"m\"}").path, "/v1/pages/0/FLAT/false/m");
    RestRequest request;
    assert_fault(
        rest_request_write(method("GetPage"), bytes_of("{\"number\":\"5\"}"), arena, &request),
        FAULT_BAD_VALUE);
}

/* RFC 3986 section 6.2.2.2: they mean the same when they are escaped, so that nothing hides
   them. */
static void a_value_cannot_climb_out_of_its_place_in_the_path(void **state)
{
    static const char *const bad[] = {"..", ".", "a/../b", "a/..", "../a", "./a"};
    RestRequest request;
    for (size_t i = 0; i < 6; i++) {
        Bytes message = bytes_of(arena_printf(arena, "{\"path\":\"%s\"}", bad[i]));
        assert_fault(rest_request_write(method("Everything"), message, arena, &request),
                     FAULT_BAD_VALUE);
    }
    assert_bytes(write("Everything", "{\"path\":\"a/.b/c..\"}").path, "/v1/files/a/.b/c..");
    assert_fault(
        rest_request_write(method("GetBook"), bytes_of("{\"isbn\":\"..\"}"), arena, &request),
        FAULT_BAD_VALUE);
}

static void a_field_that_is_the_body_is_there_though_unset(void **state)
{
    assert_bytes(write("UpdateBook", "{\"book\":{\"name\":\"shelves/1/books/2\"}}").body,
                 "{\"name\":\"shelves/1/books/2\"}");
    assert_bytes(write("PutWords", "{}").body, "[]");
    assert_bytes(write("PutAuthor", "{}").body, "\"\"");
    assert_bytes(write("PutAuthor", "{\"author\":\"A\",\"words\":[\"w\"]}").body, "\"A\"");
}

static void an_http_body_is_a_body_of_its_own_type(void **state)
{
    RestRequest request = write(
        "PutPage", "{\"number\":3,\"page\":{\"contentType\":\"image/png\",\"data\":\"AAH/\"}}");
    assert_bytes(request.path, "/v1/pages/3");
    assert_bytes(request.content_type, "image/png");
    assert_memory_equal(request.body.data, "\x00\x01\xff", 3);
    request = write("PutScan", "{\"data\":\"AAH/\"}");
    assert_bytes(request.content_type, "application/octet-stream");
    assert_int_equal(request.body.size, 3);
    assert_bytes(write("LendBook", "{\"name\":\"shelves/1/books/2\"}").content_type,
                 "application/json");
    assert_int_equal(write("ListBooks", "{\"shelf\":\"x\"}").content_type.size, 0);
}

static Bytes answer_of(const char *name, const HttpRule *rule, const char *content_type,
                       const char *body)
{
    Bytes message;
    assert_ok(arena, rest_answer_message(rule ? rule : method(name)->http, method(name),
                                         bytes_of(content_type), bytes_of(body), arena, &message));
    return message;
}

static void a_response_body_is_put_back_into_its_field(void **state)
{
    assert_bytes(answer_of("ListBooks", NULL, "application/json", "[{\"name\":\"n\"}]"),
                 "{\"books\":[{\"name\":\"n\"}]}");
    assert_bytes(answer_of("GetBook", NULL, "application/json", ""), "{}");
    assert_bytes(answer_of("FindBooks", NULL, "application/json", "{}"), "{}");
    assert_bytes(
        answer_of("FindBooks", &method("FindBooks")->http->additional[0], "application/json", "[]"),
        "{\"books\":[]}");
}

static void a_rule_tells_whether_its_body_is_an_http_body(void **state)
{
    assert_true(http_body_in(method("PutPage"), method("PutPage")->http)); /* a field */
    assert_true(http_body_in(method("PutScan"), method("PutScan")->http)); /* the whole message */
    assert_false(http_body_in(method("PutAuthor"), method("PutAuthor")->http));
    assert_false(http_body_in(method("GetPage"), method("GetPage")->http)); /* has no body */
}

static void bytes_of_any_type_become_an_http_body(void **state)
{
    assert_true(http_body_out(method("GetPage"), method("GetPage")->http));
    assert_true(http_body_out(method("PutPage"), method("PutPage")->http));
    assert_false(http_body_out(method("GetBook"), method("GetBook")->http));
    assert_bytes(answer_of("GetPage", NULL, "text/html", "<p>"),
                 "{\"contentType\":\"text/html\",\"data\":\"PHA+\"}");
    assert_bytes(answer_of("PutPage", NULL, "a/b", "<p>"),
                 "{\"scan\":{\"contentType\":\"a/b\",\"data\":\"PHA+\"}}");
}

static void a_stream_says_its_error_in_the_place_of_a_message(void **state)
{
    static const struct {
        const char *method, *item, *taken;
        RestItem kind;
    } items[] = {
        {"Leaf", "{\"scan\":{}}", "{\"scan\":{}}", REST_ITEM_MESSAGE},
        {"Leaf", "{\"result\":{\"scan\":{}}}", "{\"scan\":{}}", REST_ITEM_MESSAGE},
        {"Leaf", "{\"result\":{},\"more\":1}", "{\"result\":{},\"more\":1}", REST_ITEM_MESSAGE},
        {"Leaf", "{\"error\":{\"code\":5}}", "{\"error\":{\"code\":5}}", REST_ITEM_ERROR},
        {"Leaf", "{\"error\":\"no\"}", "{\"error\":\"no\"}", REST_ITEM_MESSAGE},
        {"Leaf", "no json", "no json", REST_ITEM_MESSAGE},
        {"LeafNamed", "{\"result\":{\"scan\":{}}}", "{\"result\":{\"scan\":{}}}",
         REST_ITEM_MESSAGE},
        {"LeafNamed", "{\"error\":{}}", "{\"error\":{}}", REST_ITEM_MESSAGE},
    };
    for (size_t i = 0; i < sizeof items / sizeof *items; i++) {
        Bytes item = bytes_of(items[i].item);
        assert_int_equal(rest_item_read(method(items[i].method), &item, arena), items[i].kind);
        assert_bytes(item, items[i].taken);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(variables_go_into_the_path_and_the_rest_into_the_query),
        cmocka_unit_test(another_binding_is_taken_when_the_first_does_not_fit),
        cmocka_unit_test(without_its_variables_a_message_has_no_path),
        cmocka_unit_test(a_named_body_is_that_field_and_the_rest_the_query),
        cmocka_unit_test(a_star_body_is_all_but_the_variables),
        cmocka_unit_test(nested_and_repeated_fields_are_spelled_in_the_query),
        cmocka_unit_test(what_has_no_spelling_in_a_query_is_left_to_another_binding),
        cmocka_unit_test(a_zero_that_json_leaves_out_is_said_in_the_path),
        cmocka_unit_test(a_value_cannot_climb_out_of_its_place_in_the_path),
        cmocka_unit_test(a_field_that_is_the_body_is_there_though_unset),
        cmocka_unit_test(an_http_body_is_a_body_of_its_own_type),
        cmocka_unit_test(a_rule_tells_whether_its_body_is_an_http_body),
        cmocka_unit_test(bytes_of_any_type_become_an_http_body),
        cmocka_unit_test(a_stream_says_its_error_in_the_place_of_a_message),
        cmocka_unit_test(a_response_body_is_put_back_into_its_field),
    };
    return cmocka_run_group_tests(tests, load, unload);
}
