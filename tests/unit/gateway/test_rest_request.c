#include "tests/unit/check.h"

#include "gateway/rest_request.h"

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
    assert_fault(rest_request_write(method("GetBook"), bytes_of("{\"withPages\":true}"), arena, &request),
                 FAULT_BAD_VALUE);
    assert_fault(rest_request_write(method("Hidden"), bytes_of("{}"), arena, &request),
                 FAULT_UNSUPPORTED);
}

static void a_named_body_is_that_field_and_the_rest_the_query(void **state)
{
    RestRequest request = write("UpdateBook", "{\"book\":{\"name\":\"shelves/1/books/2\",\"title\":\"T\"},"
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
    assert_bytes(write("ListBooks", "{\"shelf\":\"x\",\"filter\":{\"author\":\"A&B\",\"words\":[\"c\",\"d\"]},"
                                    "\"pageSize\":5}").path,
                 "/v1/x/books?filter.author=A%26B&filter.words=c&filter.words=d&pageSize=5");
    RestRequest request;
    assert_fault(rest_request_write(method("ListBooks"), bytes_of("{\"shelf\":\"x\",\"like\":[{}]}"), arena,
                                    &request),
                 FAULT_BAD_VALUE);
}

static void a_response_body_is_put_back_into_its_field(void **state)
{
    Bytes message;
    assert_ok(arena, rest_answer_message(method("ListBooks"), bytes_of("[{\"name\":\"n\"}]"), arena,
                                         &message));
    assert_bytes(message, "{\"books\":[{\"name\":\"n\"}]}");
    assert_ok(arena, rest_answer_message(method("GetBook"), BYTES_NONE, arena, &message));
    assert_bytes(message, "{}");
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
        cmocka_unit_test(a_response_body_is_put_back_into_its_field),
    };
    return cmocka_run_group_tests(tests, load, unload);
}
