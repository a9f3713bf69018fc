#include "gateway/report/config_report.h"
#include "gateway/service/config_load.h"

#include "adapters/text/json.h"
#include "tests/unit/check.h"
#include "tests/unit/gateway/garage.h"

typedef struct Loaded {
    Arena *arena;
    Problems problems;
    Config *config;
} Loaded;

static Loaded load(const char *text)
{
    Loaded l = {.arena = arena_new(ARENA_UNLIMITED)};
    Arena *config_arena = arena_new(ARENA_UNLIMITED);
    l.problems = problems_in(l.arena);
    assert_ok(l.arena, config_load_text(bytes_of(text), FILES "a.yaml", NULL, config_arena,
                                        &l.problems, &l.config));
    if (!l.config)
        arena_free(config_arena);
    return l;
}

static void unload(Loaded *l)
{
    if (l->config)
        config_unref(l->config);
    arena_free(l->arena);
}

static const JsonNode *json_of(Loaded *l)
{
    Buffer out = buffer_in(l->arena);
    JsonNode *root;
    Problems warnings = problems_in(l->arena);
    problem_add(&warnings, "a.yaml", 0, 0, "", NULL, "it is \"late\"");
    config_report_json(l->config, &l->problems, &warnings, &out);
    assert_ok(l->arena, json_parse(l->arena, buffer_bytes(&out), NULL, &root));
    return root;
}

static void of_instances_that_a_network_lists_nothing_is_known(void **state)
{
    Loaded l = load("listen: ['127.0.0.1:0']\nservices:\n"
                    "  - name: garage\n"
                    "    discovery: {dns: [{name: 'cars.test:80', instance: {versions: [v1]}}]}\n"
                    "    versions: [{name: v1, package: garage.v1, schema: garage.binpb}]\n");
    Buffer out = buffer_in(l.arena);
    config_report(l.config, &out);
    assert_string_equal(
        without_folder(l.arena, buffer_bytes(&out)),
        "listens on 127.0.0.1:0\n"
        "garage: instances are listed in DNS cars.test:80, which is not asked here\n"
        "  v1: 4 methods of garage.v1; instances as listed; the default\n"
        "a.yaml is good\n");
    const JsonNode *garage = json_member(json_of(&l), "services")->first;
    assert_int_equal(json_member(garage, "instances")->kind, JSON_NULL);
    assert_bytes(json_member(garage, "listed_in")->text, "DNS cars.test:80");
    unload(&l);
}

static void a_good_config_is_told_with_its_losses(void **state)
{
    Loaded l = load(
        "listen: ['127.0.0.1:0']\nadmin: localhost:1\nservices:\n"
        "  - name: garage\n"
        "    versions:\n"
        "      - {name: v1, package: garage.v1, schema: garage.binpb}\n"
        "      - {name: v2, package: garage.v2, schema: garage.binpb}\n"
        "      - {name: v3, package: garage.v1, schema: garage.binpb}\n"
        "    changes: [v1-v2.yaml]\n"
        "    instances: ['127.0.0.1:7002', {address: '127.0.0.1:7003', versions: [v2, v3]}]\n");
    assert_null(l.config); /* the first instance does not say its versions */
    unload(&l);

    l = load("listen: ['127.0.0.1:0']\nadmin: localhost:1\nservices:\n"
             "  - name: garage\n"
             "    versions:\n"
             "      - {name: v1, package: garage.v1, schema: garage.binpb}\n"
             "      - {name: v2, package: garage.v2, schema: garage.binpb}\n"
             "      - {name: v3, package: garage.v1, schema: garage.binpb}\n"
             "    changes: [v1-v2.yaml]\n"
             "    instances: [{address: '127.0.0.1:7003', versions: [v2, v3]}]\n");
    Buffer out = buffer_in(l.arena);
    config_report(l.config, &out);
    assert_string_equal(
        without_folder(l.arena, buffer_bytes(&out)),
        "listens on 127.0.0.1:0\n"
        "admin on localhost:1\n"
        "garage: 1 instance\n"
        "  v1: 4 methods of garage.v1; no instance, by way of v2; the default\n"
        "  v2: 4 methods of garage.v2; 1 instance\n"
        "  v3: 4 methods of garage.v1; 1 instance\n"
        "  v1 -> v2\n"
        "  defaulted Car.colour: stays unset\n"
        "  dropped   Car.note: it has no counterpart  [v1-v2.yaml:6]\n"
        "  6 kept, 0 converted, 0 respelled, 1 defaulted, 0 narrowed, 1 dropped, 0 loud\n"
        "  v1 -> v3: no way\n"
        "  v2 -> v1\n"
        "  defaulted Car.note: stays unset\n"
        "  dropped   Car.colour: it has no counterpart  [v1-v2.yaml:7]\n"
        "  6 kept, 0 converted, 0 respelled, 1 defaulted, 0 narrowed, 1 dropped, 0 loud\n"
        "  v2 -> v3: no way\n"
        "  v3 -> v1: no way\n"
        "  v3 -> v2: no way\n"
        "a.yaml is good\n");
    unload(&l);
}

static void what_rest_instances_cannot_answer_is_noted(void **state)
{
    Loaded l = load(LISTEN "services:\n"
                           "  - name: garage\n"
                           "    versions: [{name: v1, package: garage.v1, schema: garage.binpb}]\n"
                           "    instances: [{address: '127.0.0.1:7001', protocol: rest}]\n");
    Buffer out = buffer_in(l.arena);
    config_report(l.config, &out);
    assert_string_equal(
        without_folder(l.arena, buffer_bytes(&out)),
        "listens on 127.0.0.1:0\n"
        "garage: 1 instance\n"
        "  v1: 4 methods of garage.v1; 1 instance; the default\n"
        "    note: /garage.v1.Cars/Watch has no HTTP rule: REST instances cannot answer it\n"
        "    note: /garage.v1.Cars/Scrap has no HTTP rule: REST instances cannot answer it\n"
        "a.yaml is good\n");
    unload(&l);
}

static void the_dates_of_versions_are_told(void **state)
{
    Loaded l = load(LISTEN "services:\n"
                           "  - name: garage\n"
                           "    versions:\n"
                           "      - {name: v1, package: garage.v1, schema: garage.binpb,\n"
                           "         released: 2024-01-02, deprecated: 2026-03-01T12:00:00Z,\n"
                           "         sunset: 2027-03-01}\n"
                           "    instances: ['127.0.0.1:7001']\n");
    Buffer out = buffer_in(l.arena);
    config_report(l.config, &out);
    assert_non_null(strstr(arena_text(l.arena, buffer_bytes(&out)),
                           "1 instance; released 2024-01-02; deprecated 2026-03-01; sunset "
                           "2027-03-01; the default\n"));
    const JsonNode *version =
        json_member(json_member(json_of(&l), "services")->first, "versions")->first;
    assert_bytes(json_member(version, "released")->text, "2024-01-02T00:00:00Z");
    assert_bytes(json_member(version, "deprecated")->text, "2026-03-01T12:00:00Z");
    assert_bytes(json_member(version, "sunset")->text, "2027-03-01T00:00:00Z");
    unload(&l);
}

static void programs_read_the_same_as_json(void **state)
{
    Loaded l = load(GOOD);
    const JsonNode *root = json_of(&l);
    assert_int_equal(json_member(root, "ok")->kind, JSON_TRUE);
    assert_int_equal(json_member(root, "problems")->count, 0);
    assert_int_equal(json_member(root, "warnings")->count, 1);
    assert_bytes(json_member(root, "warnings")->first->text, "it is \"late\"");
    const JsonNode *garage = json_member(root, "services")->first;
    assert_bytes(json_member(garage, "name")->text, "garage");
    assert_int_equal(json_member(garage, "versions")->count, 3);
    assert_int_equal(json_member(garage, "pairs")->count, 6);
    const JsonNode *pair = json_member(garage, "pairs")->first;
    assert_bytes(json_member(pair, "to")->text, "v2");
    assert_bytes(json_member(json_member(pair, "losses"), "dropped")->text, "1");
    unload(&l);
}

static void mistakes_are_json_too(void **state)
{
    Loaded l = load("listen: ['127.0.0.1:0']\nruotes: [1]\n");
    const JsonNode *root = json_of(&l);
    assert_int_equal(json_member(root, "ok")->kind, JSON_FALSE);
    assert_int_equal(json_member(root, "problems")->count, 1);
    const JsonNode *problem = json_member(root, "problems")->first;
    assert_bytes(json_member(problem, "line")->text, "2");
    assert_bytes(json_member(problem, "path")->text, "ruotes");
    assert_bytes(json_member(problem, "hint")->text, "did you mean routes");
    unload(&l);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(of_instances_that_a_network_lists_nothing_is_known),
        cmocka_unit_test(a_good_config_is_told_with_its_losses),
        cmocka_unit_test(what_rest_instances_cannot_answer_is_noted),
        cmocka_unit_test(the_dates_of_versions_are_told),
        cmocka_unit_test(programs_read_the_same_as_json),
        cmocka_unit_test(mistakes_are_json_too),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
