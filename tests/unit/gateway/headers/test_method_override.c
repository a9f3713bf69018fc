#include "gateway/headers/method_override.h"

#include "base/arena.h"
#include "tests/unit/check.h"

static Arena *arena;

static int begin(void **state)
{
    arena = arena_new(ARENA_UNLIMITED);
    return 0;
}

static int end(void **state)
{
    arena_free(arena);
    return 0;
}

static HttpHead head_of(const char *method, const char *override)
{
    HttpHead head = {.method = bytes_of(method), .fields = fields_in(arena)};
    fields_add_text(&head.fields, "accept", "*/*");
    if (override)
        fields_add_text(&head.fields, "x-http-method-override", override);
    return head;
}

static void a_post_stands_for_what_it_names(void **state)
{
    static const char *const verbs[] = {"GET", "PUT", "PATCH", "DELETE"};
    for (size_t i = 0; i < sizeof verbs / sizeof *verbs; i++) {
        const HttpHead *meant;
        HttpHead head = head_of("POST", verbs[i]);
        assert_ok(arena, method_override_read(&head, arena, &meant));
        assert_bytes(meant->method, verbs[i]);
        assert_int_equal(meant->fields.n, 1);
        assert_int_equal(head.fields.n, 2); /* as it came */
    }
}

static void others_mean_what_they_say(void **state)
{
    static const char *const verbs[] = {"GET", "PUT", "OPTIONS", "post"};
    const HttpHead *meant;
    HttpHead plain = head_of("POST", NULL);
    assert_ok(arena, method_override_read(&plain, arena, &meant));
    assert_null(meant);
    for (size_t i = 0; i < sizeof verbs / sizeof *verbs; i++) {
        HttpHead head = head_of(verbs[i], "DELETE");
        assert_ok(arena, method_override_read(&head, arena, &meant));
        assert_null(meant);
    }
}

static void what_cannot_be_meant_is_refused(void **state)
{
    static const char *const verbs[] = {"",        "put",     "POST",    "HEAD",
                                        "CONNECT", "OPTIONS", "PUT, PUT"};
    const HttpHead *meant;
    for (size_t i = 0; i < sizeof verbs / sizeof *verbs; i++) {
        HttpHead head = head_of("POST", verbs[i]);
        Result r = method_override_read(&head, arena, &meant);
        assert_true(failed(r) && r.error->fault == &FAULT_BAD_REQUEST);
    }
    HttpHead twice = head_of("POST", "PUT");
    fields_add_text(&twice.fields, "x-http-method-override", "PUT");
    Result r = method_override_read(&twice, arena, &meant);
    assert_true(failed(r) && r.error->fault == &FAULT_BAD_REQUEST);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)
    const struct CMUnitTest tests[] = {
        TEST(a_post_stands_for_what_it_names),
        TEST(others_mean_what_they_say),
        TEST(what_cannot_be_meant_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
