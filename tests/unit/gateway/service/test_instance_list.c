#include "tests/unit/check.h"

#include "gateway/service/instance_list.h"

#include <openssl/ssl.h>

static const Discovery discovery = {.file = "list.yaml"};
static Version versions[] = {{.name = "v1"}, {.name = "v2", .index = 1}};
static Service service;
static Arena *arena;
static Problems problems;
static InstanceList list;

static int set_up(void **state)
{
    arena = arena_new(ARENA_UNLIMITED);
    service =
        (Service){.name = "orders", .versions = versions, .n_versions = 2, .discovery = &discovery};
    return 0;
}

static int tear_down(void **state)
{
    arena_free(arena);
    return 0;
}

static Result read_with(const char *text, const Table *had)
{
    problems = problems_in(arena);
    return config_list_read(arena, &service, bytes_of(text), had, &problems, &list);
}

/* What was told of it, a line each. */
static const char *told(void)
{
    Buffer out = buffer_in(arena);
    problems_print(&problems, &out);
    return arena_text(arena, buffer_bytes(&out));
}

static void an_entry_is_what_it_would_be_in_the_config(void **state)
{
    assert_ok(arena, read_with("instances:\n"
                               "  - {address: '127.0.0.1:7001', versions: [v2], build: 3.1.0}\n"
                               "  - address: '[::1]:7002'\n"
                               "    protocol: connect\n"
                               "    codec: json\n"
                               "    versions: [v1, v2]\n"
                               "    compression: gzip\n",
                               NULL));
    assert_string_equal(told(), "");
    assert_int_equal(list.n, 2);
    const Instance *first = list.items[0], *second = list.items[1];
    assert_string_equal(first->address.text, "127.0.0.1:7001");
    assert_int_equal(first->versions, 2);
    assert_string_equal(first->build, "3.1.0");
    assert_true(first->http2);
    assert_ptr_equal(first->service, &service);
    assert_string_equal(second->address.host, "::1");
    assert_int_equal(second->protocol, UPSTREAM_CONNECT);
    assert_int_equal(second->codec, CODEC_JSON);
    assert_int_equal(second->compression, COMPRESSION_GZIP);
    assert_int_equal(second->versions, 3);
    assert_false(second->discovered);
}

static void json_is_read_too(void **state)
{
    assert_ok(arena,
              read_with("{\"instances\": [{\"address\": \"a:1\", \"versions\": [\"v1\"]}]}", NULL));
    assert_int_equal(list.n, 1);
}

static void what_is_wrong_is_told_with_its_place_and_left_out(void **state)
{
    assert_ok(arena, read_with("instances:\n"
                               "  - {address: '10.0.0.300:1', versions: [v1]}\n"
                               "  - {address: 'a:1', versions: [v1]}\n"
                               "  - {address: 'b:1', versions: [v3]}\n"
                               "  - {address: 'c:1'}\n"
                               "  - {address: 'd:1', version: [v1]}\n"
                               "  - {address: 'e:1', versions: [v2]}\n",
                               NULL));
    assert_int_equal(list.n, 2);
    assert_int_equal(list.n_refused, 4);
    assert_string_equal(list.items[0]->address.text, "a:1");
    assert_string_equal(list.items[1]->address.text, "e:1");
    assert_string_equal(
        told(),
        "list.yaml:2:15: instances[0].address: 10.0.0.300 is neither an IP address nor a host name "
        "(for example 10.0.0.7:7001)\n"
        "list.yaml:4:33: instances[2].versions[0]: orders has no version v3 (did you mean v1)\n"
        "list.yaml:5:5: instances[3]: the key versions is missing: orders has more than one "
        "(versions: [v2])\n"
        "list.yaml:6:22: instances[4].version: there is no such key (did you mean "
        "versions)\n");
}

static void the_second_of_an_address_is_left_out(void **state)
{
    assert_ok(arena, read_with("instances:\n"
                               "  - {address: 'a:1', versions: [v1]}\n"
                               "  - {address: 'a:1', versions: [v2]}\n",
                               NULL));
    assert_int_equal(list.n, 1);
    assert_int_equal(list.n_refused, 1);
    assert_int_equal(list.items[0]->versions, 1);
    assert_non_null(strstr(told(), "the address a:1 occurs twice"));
}

static void an_entry_that_has_not_changed_is_the_same_instance(void **state)
{
    assert_ok(arena, read_with("instances:\n"
                               "  - {address: 'a:1', versions: [v1]}\n"
                               "  - {address: 'b:1', versions: [v1], tls: {}}\n",
                               NULL));
    Instance *a = list.items[0], *b = list.items[1];
    assert_non_null(b->tls);
    Table had = table_in(arena);
    table_put(&had, a->said, a);
    table_put(&had, b->said, b);
    assert_ok(arena, read_with("# in another place, written otherwise\n"
                               "instances:\n"
                               "  - {address: c:1, versions: [v1]}\n"
                               "  - address: \"b:1\"\n"
                               "    versions: [ v1 ]\n"
                               "    tls: {}\n"
                               "  - {address: a:1, versions: [v2]}\n",
                               &had));
    assert_string_equal(told(), "");
    assert_int_equal(list.n, 3);
    assert_string_equal(list.items[0]->address.text, "c:1");
    assert_ptr_equal(list.items[1], b);
    assert_ptr_not_equal(list.items[2], a); /* it speaks another version now */
    SSL_CTX_free(b->tls);
}

static void a_service_without_versions_has_instances_of_plain_http(void **state)
{
    service.n_versions = 0;
    assert_ok(arena, read_with("instances: ['a:1', {address: 'b:1', versions: [v1]}]", NULL));
    assert_int_equal(list.n, 1);
    assert_int_equal(list.items[0]->protocol, UPSTREAM_HTTP);
}

static void what_is_no_list_is_refused_as_a_whole(void **state)
{
    const char *texts[] = {"",
                           "[]",
                           "x",
                           "instances: [",
                           "instances: {}",
                           "instances: []\ninstances: []",
                           "services: []",
                           "{\"instances\": [], \"more\": 1}"};
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        Result r = read_with(texts[i], NULL);
        assert_fault(r, FAULT_BAD_CONFIG);
        assert_true(problems.n > 0);
        assert_int_equal(list.n, 0);
    }
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(an_entry_is_what_it_would_be_in_the_config),
        TEST(json_is_read_too),
        TEST(what_is_wrong_is_told_with_its_place_and_left_out),
        TEST(the_second_of_an_address_is_left_out),
        TEST(an_entry_that_has_not_changed_is_the_same_instance),
        TEST(a_service_without_versions_has_instances_of_plain_http),
        TEST(what_is_no_list_is_refused_as_a_whole),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
