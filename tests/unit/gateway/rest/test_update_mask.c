#include "gateway/rest/update_mask.h"

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

static const Schema *schema(void)
{
    const Schema *loaded;
    assert_ok(arena, schema_load_file(arena, SCHEMAS "library.binpb", &loaded));
    return loaded;
}

static Bytes mask_of(const char *type, const char *body)
{
    JsonNode *root;
    Bytes mask;
    assert_ok(arena, json_parse(arena, bytes_of(body), NULL, &root));
    assert_ok(arena,
              update_mask_write(schema_message(schema(), bytes_of(type)), root, arena, &mask));
    return mask;
}

static void a_mask_has_what_the_body_says(void **state)
{
    static const char *const rows[][3] = {
        /* type, body, mask */
        {"test.library.Plant", "{}", ""},
        {"test.library.Plant", "[]", ""},
        {"test.library.Plant", "null", ""},
        {"test.library.Plant", "{\"name\": \"x\"}", "name"},
        {"test.library.Plant", "{\"latin_name\": 1, \"soil\": {\"ph\": 7, \"kind\": null}}",
         "latinName,soil.ph,soil.kind"},
        {"test.library.Plant", "{\"latinName\": 1}", "latinName"},
        {"test.library.Plant", "{\"soil\": {}, \"leaves\": [{\"ph\": 1}], \"free\": {\"a\": 1}}",
         "soil,leaves,free"},
        {"test.library.Plant", "{\"soil\": null, \"notes\": {\"a\": \"b\"}}", "soil,notes"},
        {"test.library.Plant", "{\"soil\": {\"what\": 1}, \"what\": {\"name\": 1}}", ""},
        {"test.library.Plant", "{\"soil\": {\"within\": {\"within\": {\"ph\": 1}}}}",
         "soil.within.within.ph"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        assert_bytes(mask_of(rows[i][0], rows[i][1]), rows[i][2]);
}

static void a_name_that_json_cannot_say_is_refused(void **state)
{
    static const char *const bodies[] = {"{\"row_2\": 1}", "{\"oldName\": 1}", "{\"end_\": 1}"};
    for (size_t i = 0; i < sizeof bodies / sizeof *bodies; i++) {
        JsonNode *root;
        Bytes mask;
        assert_ok(arena, json_parse(arena, bytes_of(bodies[i]), NULL, &root));
        Result r = update_mask_write(schema_message(schema(), bytes_of("test.library.Plant")), root,
                                     arena, &mask);
        assert_true(failed(r) && r.error->fault == &FAULT_BAD_VALUE);
    }
}

static const FieldType *field_for(const char *verb, const char *body, const char *type)
{
    HttpRule rule = {.verb = verb, .body = body};
    return update_mask_field(schema_message(schema(), bytes_of(type)), &rule);
}

static void only_a_patch_of_one_message_has_room_for_a_mask(void **state)
{
    const char *type = "test.library.UpdatePlant";
    assert_string_equal(field_for("PATCH", "plant", type)->name, "update_mask");
    assert_null(field_for("PUT", "plant", type));
    assert_null(field_for("PATCH", "*", type));
    assert_null(field_for("PATCH", "", type));
    assert_null(field_for("PATCH", "plants", type));
    assert_null(field_for("PATCH", "name", type));
    assert_null(field_for("PATCH", "update_mask", type));
    assert_null(field_for("PATCH", "soil", "test.library.Plant"));
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)
    const struct CMUnitTest tests[] = {
        TEST(a_mask_has_what_the_body_says),
        TEST(a_name_that_json_cannot_say_is_refused),
        TEST(only_a_patch_of_one_message_has_room_for_a_mask),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
