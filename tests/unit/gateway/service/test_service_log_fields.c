/* Which fields of requests lines of the log have: what a route names, in each version. */
#include "gateway/log_output/log_fields.h"

#include "gateway/config/config_reader.h"
#include "tests/unit/check.h"
#include "tests/unit/gateway/service/loaded.h"

static Loaded load(const char *match, const char *fields)
{
    Arena *arena = arena_new(ARENA_UNLIMITED);
    return load_text(arena, arena_printf(arena,
                                         "%s%sroutes:\n  - {match: %s, log: {fields: [%s]}, "
                                         "instances: %s}\n",
                                         LISTEN, GARAGE_SERVICE, match, fields,
                                         match[0] == '/' ? "['127.0.0.1:7004']" : "[]"));
}

static const LogFields *fields_of(const Loaded *l, const char *path)
{
    assert_string_equal(l->told, "");
    const Method *found = table_get(&l->config->methods, bytes_of(path));
    assert_non_null(found);
    return found->extras->log_fields;
}

static void each_version_has_those_that_its_requests_have(void **state)
{
    Loaded l = load("garage", "owner, ownerId, name");
    const LogFields *old = fields_of(&l, "/garage.v1.Cars/List");
    const LogFields *new = fields_of(&l, "/garage.v3.Cars/List");
    assert_int_equal(old->n, 1);
    assert_string_equal(old->items[0].name, "owner");
    assert_non_null(old->to_proto);
    assert_int_equal(new->n, 1);
    assert_string_equal(new->items[0].name, "owner_id"); /* as the schema spells it */
    assert_string_equal(new->items[0].path[0]->name, "owner_id");
    assert_null(new->items[0].path[1]);
    assert_string_equal(fields_of(&l, "/garage.v3.Cars/Watch")->items[0].name, "name");
    unload(&l);
}

static void without_the_setting_nothing_is_read(void **state)
{
    Loaded l = load("garage.Cars/Get", "name");
    assert_non_null(fields_of(&l, "/garage.v1.Cars/Get"));
    assert_null(fields_of(&l, "/garage.v1.Cars/List"));
    unload(&l);
    l = load("garage", "");
    assert_null(fields_of(&l, "/garage.v1.Cars/Get"));
    unload(&l);
}

static void two_spellings_of_a_field_are_one(void **state)
{
    Loaded l = load("garage", "owner_id, ownerId");
    assert_int_equal(fields_of(&l, "/garage.v3.Cars/List")->n, 1);
    unload(&l);
}

static void expect_told(const char *match, const char *fields, const char *told)
{
    Loaded l = load(match, fields);
    assert_null(l.config);
    if (!strstr(l.told, told))
        fail_msg("%s", l.told);
    unload(&l);
}

static void mistakes_are_told(void **state)
{
    expect_told("garage", "name, ownr",
                "routes[0].log.fields[1]: no request of garage has the field ownr (did you mean "
                "owner)");
    expect_told("garage.Cars/Get", "name.x", "no request of garage.Cars/Get has the field name.x");
    expect_told("garage.Cars/Get", "''", "no request of garage.Cars/Get has the field ");
    expect_told("/x/", "name",
                "routes[0].log.fields: what passes through a path prefix is not read");
}

static void a_line_has_at_most_sixteen_fields(void **state)
{
#define FOUR "name, name, name, name, "
    Loaded l = load("garage", FOUR FOUR FOUR "name, name, name, name");
    assert_int_equal(fields_of(&l, "/garage.v1.Cars/Get")->n, 1);
    unload(&l);
    expect_told("garage", FOUR FOUR FOUR FOUR "name", "at most 16 fields");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_version_has_those_that_its_requests_have),
        cmocka_unit_test(without_the_setting_nothing_is_read),
        cmocka_unit_test(two_spellings_of_a_field_are_one),
        cmocka_unit_test(mistakes_are_told),
        cmocka_unit_test(a_line_has_at_most_sixteen_fields),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
