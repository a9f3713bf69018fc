/* How calls find an instance: cells, weights, affinity, and connections that are kept ready. */
#include "gateway/config/config_reader.h"

#include "tests/unit/check.h"
#include "tests/unit/gateway/service/loaded.h"

/* The garage with more settings: of the config, of the service, and its routes. */
static Loaded load(const char *of_config, const char *of_service, const char *routes)
{
    Arena *arena = arena_new(ARENA_UNLIMITED);
    return load_text(arena, arena_printf(arena, "%s%s%s%s%s", LISTEN, of_config, GARAGE_SERVICE,
                                         of_service, routes));
}

static const Method *method(const Loaded *l, const char *path)
{
    assert_string_equal(l->told, "");
    const Method *found = table_get(&l->config->methods, bytes_of(path));
    assert_non_null(found);
    return found;
}

static void without_settings_nothing_is_kept_together(void **state)
{
    Loaded l = load("", "", "");
    const Service *service = &l.config->services[0];
    assert_string_equal(l.told, "");
    assert_null(service->cells.own);
    assert_false(service->has_affinity);
    assert_int_equal(service->warm, 0);
    assert_int_equal(service->instances[0].weight, 1);
    assert_null(service->instances[0].cell);
    assert_false(service->instances[0].far);
    assert_int_equal(l.config->limits.warm_connections, 1000);
    unload(&l);
}

static void an_instance_is_far_if_its_cell_is_another_one(void **state)
{
    Loaded l = load("cell: a\n",
                    "      - {address: '127.0.0.1:7004', versions: [v3], cell: a, weight: 7}\n"
                    "      - {address: '127.0.0.1:7005', versions: [v3], cell: b}\n",
                    "");
    const Service *service = &l.config->services[0];
    assert_string_equal(l.told, "");
    assert_int_equal(service->cells.healthy, 70);
    assert_int_equal(service->cells.spill, 50);
    assert_string_equal(service->cells.own, "a");
    assert_false(service->instances[0].far); /* of every cell */
    assert_false(service->instances[1].far);
    assert_true(service->instances[2].far);
    assert_int_equal(service->instances[1].weight, 7);
    unload(&l);
}

static void without_a_cell_of_the_gateway_none_is_far(void **state)
{
    Loaded l = load("", "      - {address: '127.0.0.1:7005', versions: [v3], cell: b}\n", "");
    assert_false(l.config->services[0].instances[1].far);
    unload(&l);
}

static void a_path_prefix_has_cells_affinity_and_warm_connections_too(void **state)
{
    Loaded l = load("cell: a\ncells: {healthy: 50, spill: 10}\n", "",
                    "routes:\n  - {match: /x/, warm: 3, affinity: {header: X-Session, bound: 2}, "
                    "instances: [{address: '127.0.0.1:7006', cell: b}]}\n");
    const Route *route = &l.config->http_routes[0];
    assert_string_equal(l.told, "");
    assert_int_equal(route->service->warm, 3);
    assert_int_equal(route->service->cells.healthy, 50);
    assert_int_equal(route->service->cells.spill, 10);
    assert_true(route->service->instances[0].far);
    assert_true(route->service->has_affinity);
    assert_int_equal(route->affinity.by, AFFINITY_HEADER);
    assert_string_equal(route->affinity.name, "x-session");
    assert_true(route->affinity.bound == 2);
    unload(&l);
}

static void a_route_has_its_own_affinity_or_that_of_its_service(void **state)
{
    Loaded l = load("", "    affinity: {client: true}\n    warm: 2\n",
                    "routes:\n  - {match: garage.Cars/Get, affinity: {header: x-a}}\n"
                    "  - {match: garage.Cars/List}\n");
    assert_int_equal(method(&l, "/garage.v3.Cars/Get")->route->affinity.by, AFFINITY_HEADER);
    assert_int_equal(method(&l, "/garage.v3.Cars/List")->route->affinity.by, AFFINITY_CLIENT);
    assert_int_equal(method(&l, "/garage.v3.Cars/Watch")->route->affinity.by, AFFINITY_CLIENT);
    assert_true(l.config->services[0].has_affinity);
    assert_int_equal(l.config->services[0].warm, 2);
    unload(&l);
}

/* Methods whose request has no such field go by load. */
static void a_field_is_looked_up_in_each_version(void **state)
{
    Loaded l = load("", "    affinity: {field: owner}\n", "");
    const Method *list = method(&l, "/garage.v1.Cars/List");
    assert_string_equal(list->extras->key[0]->name, "owner");
    assert_null(list->extras->key[1]);
    assert_non_null(list->extras->to_key);
    assert_null(method(&l, "/garage.v3.Cars/List")->extras->key);
    assert_null(method(&l, "/garage.v1.Cars/Get")->extras->key);
    unload(&l);
}

static void expect_told(const char *of_service, const char *routes, const char *told)
{
    Loaded l = load("", of_service, routes);
    assert_null(l.config);
    if (!strstr(l.told, told))
        fail_msg("%s", l.told);
    unload(&l);
}

static void mistakes_are_told(void **state)
{
    expect_told(
        "    affinity: {field: ownr}\n", "",
        "services[0].affinity.field: no request of garage has the text or whole number ownr");
    expect_told("", "routes:\n  - {match: garage.Cars/Get, affinity: {field: nam}}\n",
                "routes[0].affinity.field: no request of garage.Cars/Get has the text or whole "
                "number nam (did you mean name)");
    expect_told("", "routes:\n  - {match: garage.Cars/Get, affinity: {field: name.x}}\n",
                "no request of garage.Cars/Get has");
    expect_told("    affinity: {header: a, client: true}\n", "", "exactly one of header");
    expect_told("    affinity: {client: true, bound: 100.1}\n", "", "at most 100 times the mean");
    expect_told("    affinity: {client: true, bound: 1}\n", "", "more than 1");
    expect_told("      - {address: '127.0.0.1:7004', versions: [v3], weight: 1001}\n", "",
                "weight");
    expect_told("      - {address: '127.0.0.1:7004', versions: [v3], weight: 0}\n", "", "weight");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(without_settings_nothing_is_kept_together),
        cmocka_unit_test(an_instance_is_far_if_its_cell_is_another_one),
        cmocka_unit_test(without_a_cell_of_the_gateway_none_is_far),
        cmocka_unit_test(a_path_prefix_has_cells_affinity_and_warm_connections_too),
        cmocka_unit_test(a_route_has_its_own_affinity_or_that_of_its_service),
        cmocka_unit_test(a_field_is_looked_up_in_each_version),
        cmocka_unit_test(mistakes_are_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
