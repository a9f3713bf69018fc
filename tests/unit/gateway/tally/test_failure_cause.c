#include "tests/unit/check.h"

#include "adapters/schema/schema.h"
#include "gateway/tally/failure_cause.h"

static Arena *arena;
static MethodType *find;
static Version served;
static Method method;
static CallRecord record;

static int load(void **state)
{
    const Schema *schema;
    arena = arena_new(ARENA_UNLIMITED);
    assert_ok(arena, schema_load_file(arena, SCHEMAS "library.binpb", &schema));
    const ServiceType *library = schema_service(schema, bytes_of("test.library.Library"));
    for (uint32_t i = 0; i < library->n_methods; i++)
        if (strcmp(library->methods[i].name, "FindBooks") == 0)
            find = &library->methods[i];
    assert_non_null(find);
    method = (Method){.type = find, .extras = &method_no_extras};
    record = (CallRecord){.method = &method};
    return 0;
}

static int unload(void **state)
{
    arena_free(arena);
    return 0;
}

static void check(FaultSide side, Result why, const char *expected)
{
    char out[CAUSE_SIZE];
    size_t size = failure_cause_write(&record, &served, side, why, out);
    assert_bytes(bytes(out, size), expected);
}

static Result wrong(const char *field)
{
    return FAIL_FIELD(arena, FAULT_BAD_VALUE, field, "%s: 'evil \" words' is no number", field);
}

static void a_mistake_of_a_client_has_the_text_of_its_fault(void **state)
{
    check(SIDE_CLIENT, FAIL(arena, FAULT_UNKNOWN_PATH, "finding /evil/words"),
          "nothing is served at this path");
    check(SIDE_CLIENT, FAIL(arena, FAULT_UNSUPPORTED_MEDIA, "evil/words is not taken"),
          "the content type is not supported here");
    check(SIDE_CLIENT, FAIL(arena, FAULT_UPSTREAM_STATUS, "10.0.0.7:1 returned NOT_FOUND: words"),
          "the service returned an error");
}

static void of_a_chain_the_innermost_fault_counts(void **state)
{
    Result why = FAIL(arena, FAULT_BAD_JSON, "evil words");
    check(SIDE_CLIENT, FAIL_OVER(arena, why, FAULT_BAD_MESSAGE, "evil words"),
          "the body is not valid JSON");
}

static void a_field_is_named_as_the_schema_names_it(void **state)
{
    check(SIDE_CLIENT, wrong("name"), "a value does not fit its field: name");
    check(SIDE_CLIENT, wrong("like[3].pages"), "a value does not fit its field: like.pages");
    check(SIDE_CLIENT, FAIL_OVER(arena, wrong("like[3].pages"), FAULT_BAD_VALUE, "reading"),
          "a value does not fit its field: like.pages");
}

static void both_spellings_of_a_field_are_one(void **state)
{
    const ServiceType *library = find->service;
    for (uint32_t i = 0; i < library->n_methods; i++)
        if (strcmp(library->methods[i].name, "GetBook") == 0)
            method.type = &library->methods[i];
    check(SIDE_CLIENT, wrong("withPages"), "a value does not fit its field: with_pages");
    check(SIDE_CLIENT, wrong("with_pages"), "a value does not fit its field: with_pages");
    method.type = find;
}

static void what_the_schema_does_not_have_is_left_out(void **state)
{
    check(SIDE_CLIENT, wrong("evil"), "a value does not fit its field");
    check(SIDE_CLIENT, wrong("like[3].evil"), "a value does not fit its field: like");
    check(SIDE_CLIENT, wrong("labels[\"evil\"]"), "a value does not fit its field: labels");
    check(SIDE_CLIENT, wrong("labels[\"a].evil\"].evil"), "a value does not fit its field: labels");
    check(SIDE_CLIENT, wrong("extra.evil[7]"), "a value does not fit its field: extra");
    check(SIDE_CLIENT, wrong("like[evil"), "a value does not fit its field: like");
    check(SIDE_CLIENT, wrong("."), "a value does not fit its field");
}

static void a_message_that_contains_itself_makes_no_endless_paths(void **state)
{
    char path[1000] = "extra.fields[\"k\"]";
    for (int i = 0; i < 20; i++)
        strcat(path, ".list_value.values[7]");
    const char *expected = "a value does not fit its field: extra.fields.list_value.values."
                           "list_value.values.list_value.values";
    check(SIDE_CLIENT, wrong(path), expected);
}

/* The field of a response that cannot be read. */
static void a_response_is_looked_up_too(void **state)
{
    Result why = FAIL_OVER(arena, wrong("books[1].title"), FAULT_UPSTREAM_MESSAGE, "converting");
    check(SIDE_UPSTREAM, why, "a value does not fit its field: books.title");
}

static void the_served_version_may_have_other_fields(void **state)
{
    const ServiceType *library = find->service;
    Method older = {.type = &library->methods[0], .extras = &method_no_extras};
    MethodPair pair = {.target = &older, .extras = &pair_no_extras};
    method.pairs = &pair;
    check(SIDE_UPSTREAM, FAIL_OVER(arena, wrong("isbn"), FAULT_UPSTREAM_MESSAGE, "converting"),
          "a value does not fit its field: isbn");
    method.pairs = NULL;
    check(SIDE_UPSTREAM, FAIL_OVER(arena, wrong("isbn"), FAULT_UPSTREAM_MESSAGE, "converting"),
          "a value does not fit its field");
}

static void without_a_method_there_is_no_schema(void **state)
{
    record.method = NULL;
    check(SIDE_CLIENT, wrong("name"), "a value does not fit its field");
    record.method = &method;
    method.type = &(MethodType){.path = "/a/b"};
    check(SIDE_CLIENT, wrong("name"), "a value does not fit its field");
    method.type = find;
}

static void what_others_do_wrong_is_told_without_particulars(void **state)
{
    Result why = FAIL(arena, FAULT_SYSTEM, "connecting to 10.0.0.7:7001: connection refused");
    check(SIDE_UPSTREAM, FAIL_OVER(arena, why, FAULT_UPSTREAM_DOWN, "calling"),
          "connecting to *: connection refused");
    why = FAIL(arena, FAULT_UPSTREAM_STATUS, "10.0.0.7:7001 returned INTERNAL: \"ada\" is locked");
    check(SIDE_UPSTREAM, why, "* returned INTERNAL: \"*\" is locked");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_mistake_of_a_client_has_the_text_of_its_fault),
        cmocka_unit_test(of_a_chain_the_innermost_fault_counts),
        cmocka_unit_test(a_field_is_named_as_the_schema_names_it),
        cmocka_unit_test(both_spellings_of_a_field_are_one),
        cmocka_unit_test(what_the_schema_does_not_have_is_left_out),
        cmocka_unit_test(a_message_that_contains_itself_makes_no_endless_paths),
        cmocka_unit_test(a_response_is_looked_up_too),
        cmocka_unit_test(the_served_version_may_have_other_fields),
        cmocka_unit_test(without_a_method_there_is_no_schema),
        cmocka_unit_test(what_others_do_wrong_is_told_without_particulars),
    };
    return cmocka_run_group_tests_name("failure_cause", tests, load, unload);
}
