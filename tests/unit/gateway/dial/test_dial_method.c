#include "gateway/dial/dial_method.h"

#include "gateway/dial/dial_peer.h"
#include "tests/unit/gateway/dial/garage_config.h"

#include <openssl/ssl.h>

static const char text[] =
    LISTEN "services:\n"
           "  - name: garage\n"
           "    versions:\n"
           "      - {name: v1, package: garage.v1, schema: garage.binpb, sunset: 2020-01-01}\n"
           "      - {name: v2, package: garage.v2, schema: garage.binpb}\n"
           "    changes: [v1-v2.yaml]\n"
           "    instances:\n"
           "      - {address: '127.0.0.1:7001', versions: [v1]}\n"
           "      - {address: '127.0.0.1:7002', versions: [v2]}\n"
           "      - {address: '127.0.0.1:7012', versions: [v1, v2]}\n"
           "  - name: other\n"
           "    versions: [{name: v3, package: garage.v3, schema: garage.binpb}]\n"
           "    instances: ['127.0.0.1:7003']\n";

static int setup(void **state)
{
    return load_garage(text);
}

static Result find(const char *name, const char *version, const Method **method)
{
    return dial_method_find(fixture.config, name, version, fixture.arena, method);
}

static void names_lead_to_methods(void **state)
{
    static const char *const rows[][3] = {
        {"garage.Cars/Get", "v1", "/garage.v1.Cars/Get"},
        {"garage.Cars/Get", "v2", "/garage.v2.Cars/Get"},
        {"garage.Cars/Get", NULL, "/garage.v1.Cars/Get"}, /* the default */
        {"garage.Cars/Scrap", NULL, "/garage.v1.Cars/Scrap"},
        {"Cars/Scrap", NULL, "/garage.v1.Cars/Scrap"},
        {"garage.Cars/Wash", NULL, "/garage.v2.Cars/Wash"},
        {"garage.v1.Cars/Get", NULL, "/garage.v1.Cars/Get"},
        {"/garage.v1.Cars/Get", "v1", "/garage.v1.Cars/Get"},
        {"other.Cars/Get", NULL, "/garage.v3.Cars/Get"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        const Method *method;
        assert_ok(fixture.arena, find(rows[i][0], rows[i][1], &method));
        assert_string_equal(method->type->path, rows[i][2]);
    }
}

static void what_is_not_found_is_told_with_what_there_is(void **state)
{
    static const struct {
        const char *name, *version;
        const Fault *fault;
        const char *told;
    } rows[] = {
        {"garage.Cars/Gett", NULL, &FAULT_UNKNOWN_METHOD, "did you mean garage.Cars/Get"},
        {"Cars/Skrap", NULL, &FAULT_UNKNOWN_METHOD, "did you mean Cars/Scrap"},
        {"nothing", NULL, &FAULT_UNKNOWN_METHOD, "there are garage.Cars/Get"},
        {"Cars/Get", NULL, &FAULT_UNKNOWN_METHOD, "garage and other both have Cars/Get"},
        {"garage.Cars/Get", "v9", &FAULT_UNKNOWN_VERSION, "the versions of garage are v1, v2"},
        {"garage.Cars/Wash", "v1", &FAULT_UNKNOWN_VERSION, "garage.Cars/Wash is not in v1"},
        {"garage.v1.Cars/Get", "v2", &FAULT_UNKNOWN_VERSION, "is not in v2"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        const Method *method;
        Result r = find(rows[i].name, rows[i].version, &method);
        assert_fault(r, *rows[i].fault);
        assert_non_null(strstr(error_text(fixture.arena, r), rows[i].told));
    }
}

static Result places_of(const char *version, const char *name, DialPlaces *places)
{
    Fields none = fields_in(fixture.arena);
    return dial_places_find(fixture.config, garage_method(version, name), &none, fixture.arena,
                            places);
}

static void the_places_have_the_best_version_first(void **state)
{
    static const char *const expected[][2] = {{"v2", "127.0.0.1:7002"},
                                              {"v2", "127.0.0.1:7012"},
                                              {"v1", "127.0.0.1:7001"},
                                              {"v1", "127.0.0.1:7012"}};
    DialPlaces places;
    assert_ok(fixture.arena, places_of("v2", "Get", &places));
    assert_int_equal(places.n, 4);
    assert_string_equal(places.best->name, "v2");
    for (uint32_t i = 0; i < 4; i++) {
        assert_string_equal(places.items[i].served->name, expected[i][0]);
        assert_string_equal(places.items[i].instance->address.text, expected[i][1]);
    }
}

static void a_method_that_one_version_has_is_served_there(void **state)
{
    DialPlaces places;
    assert_ok(fixture.arena, places_of("v2", "Wash", &places));
    assert_int_equal(places.n, 2);
}

static void a_version_that_has_ended_is_refused_as_by_the_gateway(void **state)
{
    DialPlaces places;
    assert_fault(places_of("v1", "Get", &places), FAULT_VERSION_SUNSET);
}

static void peers_are_read_from_addresses(void **state)
{
    static const struct {
        const char *address, *host, *path, *authority;
        uint16_t port;
        bool tls;
    } rows[] = {
        {"127.0.0.1:7001", "127.0.0.1", NULL, "127.0.0.1:7001", 7001, false},
        {"http://gw", "gw", NULL, "gw:80", 80, false},
        {"https://gw:8443", "gw", NULL, "gw:8443", 8443, true},
        {"unix:/run/x.sock", NULL, "/run/x.sock", "localhost", 0, false},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        Instance instance;
        assert_ok(fixture.arena,
                  dial_peer_read(fixture.arena, &(DialPeer){rows[i].address}, &instance));
        assert_true(text_equal(instance.address.host, rows[i].host));
        assert_true(text_equal(instance.address.path, rows[i].path));
        assert_string_equal(instance.authority, rows[i].authority);
        assert_int_equal(instance.address.port, rows[i].port);
        assert_int_equal(instance.tls != NULL, rows[i].tls);
        SSL_CTX_free(instance.tls);
    }
}

static void what_is_no_address_or_no_certificate_is_told(void **state)
{
    Instance instance;
    Result r = dial_peer_read(fixture.arena, &(DialPeer){"gw"}, &instance);
    assert_fault(r, FAULT_BAD_VALUE);
    assert_non_null(strstr(error_text(fixture.arena, r), "gw is not an address: write host:port"));
    assert_true(failed(
        dial_peer_read(fixture.arena, &(DialPeer){"https://gw", .ca = "/none.pem"}, &instance)));
    SSL_CTX_free(instance.tls);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(names_lead_to_methods),
        cmocka_unit_test(what_is_not_found_is_told_with_what_there_is),
        cmocka_unit_test(the_places_have_the_best_version_first),
        cmocka_unit_test(a_method_that_one_version_has_is_served_there),
        cmocka_unit_test(a_version_that_has_ended_is_refused_as_by_the_gateway),
        cmocka_unit_test(peers_are_read_from_addresses),
        cmocka_unit_test(what_is_no_address_or_no_certificate_is_told),
    };
    return cmocka_run_group_tests(tests, setup, free_garage);
}
