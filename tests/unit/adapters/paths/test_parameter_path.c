#include "adapters/paths/parameter_path.h"

#include "tests/unit/check.h"

static const Schema *schema;
static Arena *arena;

static int set_up(void **state)
{
    arena = arena_new(ARENA_UNLIMITED);
    return failed(schema_load_file(arena, SCHEMAS "kinds.binpb", &schema));
}

static int tear_down(void **state)
{
    arena_free(arena);
    return 0;
}

/* The steps as "field" or "field<key>", and how they end. */
static const char *steps_of(const char *text)
{
    Buffer out = buffer_in(arena);
    ParameterPath path =
        parameter_path(schema_message(schema, bytes_of("test.kinds.Kinds")), bytes_of(text));
    for (;;) {
        switch (parameter_path_next(&path)) {
        case PARAMETER_FIELD:
            buffer_printf(&out, "%s ", path.field->name);
            if (path.key.data)
                buffer_printf(&out, "<%.*s> ", BYTES_ARGS(path.key));
            break;
        case PARAMETER_END:
            buffer_add_text(&out, path.rest.data ? "and more" : "end");
            return arena_text(arena, buffer_bytes(&out));
        case PARAMETER_UNKNOWN:
            buffer_printf(&out, "unknown \"%.*s\"", BYTES_ARGS(path.name));
            return arena_text(arena, buffer_bytes(&out));
        case PARAMETER_BAD_KEY:
            buffer_add_text(&out, "bad key");
            return arena_text(arena, buffer_bytes(&out));
        }
    }
}

static void a_path_leads_through_messages_by_either_spelling(void **state)
{
    assert_string_equal(steps_of("a_string"), "a_string end");
    assert_string_equal(steps_of("child.anInt32"), "child an_int32 end");
    assert_string_equal(steps_of("child.inner.name"), "child inner name end");
    assert_string_equal(steps_of("children.an_int32"), "children an_int32 end");
}

static void an_entry_of_a_map_is_a_step_with_its_key(void **state)
{
    assert_string_equal(steps_of("labels"), "labels end");
    assert_string_equal(steps_of("labels[a.b]"), "labels <a.b> end");
    assert_string_equal(steps_of("labels.a.b"), "labels <a.b> end");
    assert_string_equal(steps_of("child.labels.[a]"), "child labels <[a]> end");
    assert_string_equal(steps_of("by_number[1].labels[2]"), "by_number <1> labels <2> end");
    assert_string_equal(steps_of("byNumber.1.aString"), "by_number <1> a_string end");
    assert_string_equal(steps_of("by_number[a].b].a_string"), "by_number <a> unknown \"b]\"");
}

static void what_leads_nowhere_says_where_it_ends(void **state)
{
    assert_string_equal(steps_of(""), "unknown \"\"");
    assert_string_equal(steps_of("nothing"), "unknown \"nothing\"");
    assert_string_equal(steps_of("child.nothing.x"), "child unknown \"nothing\"");
    assert_string_equal(steps_of("child."), "child unknown \"\"");
    assert_string_equal(steps_of("texts[0]"), "unknown \"texts[0]\"");
    assert_string_equal(steps_of("child[a].x"), "unknown \"child[a]\"");
    assert_string_equal(steps_of("a_string.x"), "a_string and more");
    assert_string_equal(steps_of("labels."), "bad key");
    assert_string_equal(steps_of("labels[]"), "bad key");
    assert_string_equal(steps_of("labels["), "bad key");
    assert_string_equal(steps_of("labels[a"), "bad key");
    assert_string_equal(steps_of("by_number[1]a_string"), "bad key");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_path_leads_through_messages_by_either_spelling),
        cmocka_unit_test(an_entry_of_a_map_is_a_step_with_its_key),
        cmocka_unit_test(what_leads_nowhere_says_where_it_ends),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
