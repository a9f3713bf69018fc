#include "tests/unit/check.h"

#include "gateway/inventory/instance_list.h"

#include <openssl/ssl.h>

static Version versions[] = {{.name = "v1"}, {.name = "v2", .index = 1}};
static Service service;
static Arena *arena;
static Problems problems;
static InstanceList list;

static int set_up(void **state)
{
    arena = arena_new(ARENA_UNLIMITED);
    service = (Service){
        .name = "orders",
        .versions = versions,
        .n_versions = 2,
    };
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
    ListDocument document = {.name = "list.yaml", .base = "list.yaml", .text = bytes_of(text)};
    return config_list_read(arena, &service, &document, 1, had, &problems, &list);
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

static void instances_with_the_same_settings_of_tls_share_a_context(void **state)
{
    assert_ok(arena, read_with("instances:\n"
                               "  - {address: 'a:1', versions: [v1], tls: {}}\n"
                               "  - {address: 'b:1', versions: [v1], tls: {name: c}}\n"
                               "  - {address: 'c:1', versions: [v1], tls: {}, protocol: connect}\n"
                               "  - {address: 'd:1', versions: [v9], tls: {}}\n",
                               NULL));
    assert_int_equal(list.n, 3);
    assert_non_null(list.items[0]->tls);
    assert_ptr_equal(list.items[0]->tls, list.items[1]->tls);
    assert_ptr_not_equal(list.items[0]->tls, list.items[2]->tls); /* HTTP/1.1 */
    for (int i = 0; i < 3; i++)
        SSL_CTX_free(list.items[i]->tls);
}

/* A key of etcd, or what DNS says. */
static void a_text_may_be_one_entry(void **state)
{
    const struct {
        const char *text, *address, *told;
    } cases[] = {
        {"{\"address\": \"a:1\", \"versions\": [\"v1\"]}", "a:1", ""},
        {"address: b:1\nversions: [v1]\n", "b:1", ""},
        {"c:1", NULL,
         "key:1:1: the key versions is missing: orders has more than one (versions: [v2])\n"},
        {"{address: d:1, versions: [v9]}", NULL,
         "key:1:27: versions[0]: orders has no version v9 (did you mean v1)\n"},
        {"{address: e}", NULL, NULL},
        {"{", NULL, NULL},
        {"", NULL, NULL},
        {"[]", NULL, NULL},
        {"null", NULL, NULL},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        ListDocument document = {.name = "key",
                                 .base = "gateway.yaml",
                                 .text = bytes_of(cases[i].text),
                                 .is_entry = true};
        problems = problems_in(arena);
        assert_ok(arena, config_list_read(arena, &service, &document, 1, NULL, &problems, &list));
        assert_int_equal(list.n, cases[i].address ? 1 : 0);
        assert_int_equal(list.n_refused, cases[i].address ? 0 : 1);
        if (cases[i].address)
            assert_string_equal(list.items[0]->address.text, cases[i].address);
        else
            assert_true(problems.n > 0);
        if (cases[i].told)
            assert_string_equal(told(), cases[i].told);
    }
}

static void several_texts_are_one_list_and_those_that_are_none_are_marked(void **state)
{
    ListDocument documents[] = {
        {.name = "a",
         .base = "a",
         .text = bytes_of("instances: [{address: 'a:1', versions: [v1]}]")},
        {.name = "b", .base = "b", .text = bytes_of("instances: [")},
        {.name = "c",
         .base = "c",
         .text = bytes_of("instances: [{address: 'a:1', versions: [v2]}]")},
        {.name = "d",
         .base = "d",
         .text = bytes_of("instances: [{address: 'd:1', versions: [v2]}]")},
    };
    problems = problems_in(arena);
    assert_ok(arena, config_list_read(arena, &service, documents, 4, NULL, &problems, &list));
    assert_int_equal(list.n, 2);
    assert_int_equal(list.n_refused, 1);
    assert_string_equal(list.items[1]->address.text, "d:1");
    for (int i = 0; i < 4; i++)
        assert_int_equal(documents[i].bad, i == 1);
    assert_non_null(strstr(told(), "b:"));
    assert_non_null(strstr(told(), "c: instances: the address a:1 occurs twice"));
    Table had = table_in(arena);
    for (uint32_t i = 0; i < list.n; i++)
        table_put(&had, list.items[i]->said, list.items[i]);
    documents[2].text = documents[0].text; /* as said as the first one, which is known */
    problems = problems_in(arena);
    assert_ok(arena, config_list_read(arena, &service, documents, 4, &had, &problems, &list));
    assert_non_null(strstr(told(), "c: instances: the address a:1 occurs twice"));
    assert_ok(arena, config_list_read(arena, &service, NULL, 0, NULL, &problems, &list));
    assert_int_equal(list.n, 0);
}

static void instances_are_read_again_from_what_they_were_read_from(void **state)
{
    assert_ok(arena, read_with("instances:\n"
                               "  - {address: 'a:1', versions: [v1], build: '7'}\n"
                               "  - {address: 'b:1', versions: [v2]}\n",
                               NULL));
    InstanceList before = list;
    Instance of_config = {.address.text = "c:1"}; /* not from a list */
    Instance *all[] = {before.items[0], &of_config, before.items[1]};
    Service other = service;
    other.n_versions = 1; /* there is no v2 any more */
    problems = problems_in(arena);
    assert_ok(arena, config_list_again(arena, &other, all, 3, &problems, &list));
    assert_int_equal(list.n, 1);
    assert_int_equal(list.n_refused, 1);
    assert_string_equal(list.items[0]->build, "7");
    assert_ptr_equal(list.items[0]->service, &other);
    assert_non_null(strstr(told(), "b:1.versions[0]: orders has no version v2"));
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
        TEST(instances_with_the_same_settings_of_tls_share_a_context),
        TEST(a_text_may_be_one_entry),
        TEST(several_texts_are_one_list_and_those_that_are_none_are_marked),
        TEST(instances_are_read_again_from_what_they_were_read_from),
        TEST(a_service_without_versions_has_instances_of_plain_http),
        TEST(what_is_no_list_is_refused_as_a_whole),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
