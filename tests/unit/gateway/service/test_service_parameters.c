/* What routes may demand of requests, and for which versions and methods. */
#include "gateway/config/config_reader.h"

#include "tests/unit/check.h"
#include "tests/unit/gateway/service/loaded.h"

static Loaded load(const char *routes)
{
    Arena *arena = arena_new(ARENA_UNLIMITED);
    return load_text(arena, arena_printf(arena, "%sroutes:\n%s", GOOD, routes));
}

/* The rules of a method, a line each; "": none. */
static const char *rules_at(const Loaded *l, const char *path)
{
    const Method *method = table_get(&l->config->methods, bytes_of(path));
    Buffer out = buffer_in(l->arena);
    assert_non_null(method);
    assert_true(!method->extras->rules == !method->extras->to_rules);
    if (method->extras->rules)
        rules_print(method->extras->rules, "", &out);
    return arena_text(l->arena, buffer_bytes(&out));
}

static void a_method_has_the_rules_of_its_version(void **state)
{
    Loaded l = load("  - match: garage.Cars/List\n"
                    "    parameters:\n"
                    "      owner: {versions: [v1], required: true}\n"
                    "      owner_id: {versions: [v2], default: me}\n"
                    "      newest: {field: owner_id, versions: [v3], at_most: 9}\n");
    assert_string_equal(l.told, "");
    assert_string_equal(rules_at(&l, "/garage.v1.Cars/List"), "owner: required\n");
    assert_string_equal(rules_at(&l, "/garage.v2.Cars/List"), "owner_id: default me\n");
    assert_string_equal(rules_at(&l, "/garage.v3.Cars/List"), "owner_id: at most 9\n");
    assert_string_equal(rules_at(&l, "/garage.v1.Cars/Get"), "");
    unload(&l);
}

/* Those of its methods whose request has the field. */
static void a_route_of_a_service_means_the_methods_that_have_the_field(void **state)
{
    Loaded l = load("  - match: garage\n"
                    "    parameters: {name: {required: true}}\n"
                    "  - match: garage.Cars/Watch\n");
    assert_string_equal(l.told, "");
    assert_string_equal(rules_at(&l, "/garage.v2.Cars/Get"), "name: required\n");
    assert_string_equal(rules_at(&l, "/garage.v2.Cars/Wash"), "name: required\n");
    assert_string_equal(rules_at(&l, "/garage.v2.Cars/List"), "");
    assert_string_equal(rules_at(&l, "/garage.v2.Cars/Watch"), "");
    unload(&l);
}

static void parameters_that_cannot_work_are_refused(void **state)
{
    static const struct {
        const char *parameters, *told;
    } rows[] = {
        {"owner: {required: true}",
         "a.yaml:13:18: routes[0].parameters.owner: ListRequest of v2 has no field owner "
         "(versions: [v1])\n"},
        {"ownr: {required: true, versions: [v1]}",
         "a.yaml:13:18: routes[0].parameters.ownr: ListRequest of v1 has no field ownr (did you "
         "mean owner)\n"},
        {"nothing: {required: true}",
         "a.yaml:13:18: routes[0].parameters.nothing: ListRequest of v1 has no field nothing\n"},
        {"owner.name: {required: true, versions: [v1]}",
         "a.yaml:13:18: routes[0].parameters.owner.name: nothing is within owner: it is no "
         "message\n"},
        {"owner: {required: true, versions: [v9]}",
         "a.yaml:13:53: routes[0].parameters.owner: garage has no version v9 (did you mean v1)\n"},
        {"owner: {default: [1], versions: [v1]}",
         "a.yaml:13:26: routes[0].parameters.owner.default: this is no value of string\n"},
        {"owner_id: {default: [1], versions: [v2, v3]}", /* once, not for each version */
         "a.yaml:13:29: routes[0].parameters.owner_id.default: this is no value of string\n"},
        {"owner: {default: abc, at_most: 2, versions: [v1]}",
         "a.yaml:13:26: routes[0].parameters.owner.default: it is more than at_most allows (2 or "
         "less)\n"},
        {"owner: {defualt: abc, required: true, versions: [v1]}",
         "a.yaml:13:26: routes[0].parameters.owner.defualt: there is no such key (did you mean "
         "default)\n"},
        {"owner: {required: true, versions: [v1]}, x: {field: owner, at_most: 3, versions: [v1]}",
         "a.yaml:13:59: routes[0].parameters.x: owner has a rule already (one rule with both, or "
         "other versions)\n"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        Loaded l = {0};
        Arena *arena = arena_new(ARENA_UNLIMITED);
        l = load(arena_printf(arena, "  - match: garage.Cars/List\n    parameters: {%s}\n",
                              rows[i].parameters));
        assert_null(l.config);
        assert_string_equal(l.told, rows[i].told);
        unload(&l);
        arena_free(arena);
    }
}

static void a_version_without_a_method_of_the_route_is_refused(void **state)
{
    Loaded l = load("  - match: garage.Cars/Scrap\n"
                    "    parameters: {name: {required: true, versions: [v3]}}\n");
    assert_string_equal(l.told, "a.yaml:13:52: routes[0].parameters.name: garage.Cars/Scrap "
                                "matches no method of v3\n");
    unload(&l);
}

static void a_path_prefix_has_no_parameters(void **state)
{
    Loaded l = load("  - {match: /old/, instances: ['127.0.0.1:80'], parameters: {a: {required: "
                    "true}}}\n");
    assert_string_equal(l.told,
                        "a.yaml:12:61: routes[0].parameters: what passes through a path prefix is "
                        "not read (to match an RPC write service.RpcService/Method)\n");
    unload(&l);
}

/* What is kept for when a call fails is of a request that meant something else before. */
static void other_parameters_are_another_contract(void **state)
{
    static const char route[] = "  - match: garage.Cars/Get\n"
                                "    on_failure: {graceful: {stale: 10m, writes: true}}\n";
    Loaded without = load(route);
    Loaded with =
        load(arena_printf(without.arena, "%s    parameters: {name: {default: a}}\n", route));
    Loaded same =
        load(arena_printf(without.arena, "%s    parameters: {name: {default: a}}\n", route));
    assert_string_equal(with.told, "");
    const Bytes path = bytes_of("/garage.v1.Cars/Get");
    const Method *a = table_get(&without.config->methods, path);
    const Method *b = table_get(&with.config->methods, path);
    const Method *c = table_get(&same.config->methods, path);
    assert_true(a->extras->contract != b->extras->contract);
    assert_true(b->extras->contract == c->extras->contract);
    unload(&with);
    unload(&same);
    unload(&without);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_method_has_the_rules_of_its_version),
        cmocka_unit_test(a_route_of_a_service_means_the_methods_that_have_the_field),
        cmocka_unit_test(parameters_that_cannot_work_are_refused),
        cmocka_unit_test(a_version_without_a_method_of_the_route_is_refused),
        cmocka_unit_test(a_path_prefix_has_no_parameters),
        cmocka_unit_test(other_parameters_are_another_contract),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
