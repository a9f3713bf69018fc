#include "tests/unit/check.h"

#include "base/arena.h"
#include "gateway/headers/forwarding.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { LARGE = 1 << 20 };

static Arena *arena;

static int begin(void **state)
{
    arena = arena_new(LARGE);
    return 0;
}

static int end(void **state)
{
    arena_free(arena);
    return 0;
}

/* "name: value\n" for each. */
static Fields fields_of(const char *text)
{
    Fields fields = fields_in(arena);
    Bytes rest = bytes_of(text), line;
    while (bytes_split(&rest, '\n', &line)) {
        if (!line.size)
            break;
        size_t colon = bytes_find(line, ':');
        fields_add(&fields, bytes_slice(line, 0, colon),
                   bytes_trim(bytes_slice(line, colon + 1, SIZE_MAX)));
    }
    return fields;
}

static const char *text_of(const Fields *fields)
{
    Buffer text = buffer_in(arena);
    for (uint32_t i = 0; i < fields->n; i++)
        buffer_printf(&text, "%.*s: %.*s\n", BYTES_ARGS(fields->items[i].name),
                      BYTES_ARGS(fields->items[i].value));
    buffer_add_byte(&text, 0);
    return (const char *)text.data;
}

#define SELF "passerelle-0123456789abcdef"
#define OTHER "passerelle-fedcba9876543210"

static Forwarding from(const char *peer, bool trusted)
{
    return (Forwarding){.self = SELF, .peer = peer, .trusted = trusted};
}

static BaggageConfig baggage = {.members = 64, .bytes = 8192, .strangers = true};

static const char *const identity[] = {"x-client", "x-tenant", NULL};

/* What is left of the fields; `forwarding` has read the others. */
static const char *left_of(Forwarding *forwarding, const char *text)
{
    Fields fields = fields_of(text), rest;
    assert_ok(arena, forwarding_read(forwarding, &fields, identity, &baggage, arena, arena, &rest));
    return text_of(&rest);
}

/* What goes on as the gateway's own word. */
static const char *passed_on(Forwarding *forwarding, ForwardingKind kind, const char *text)
{
    Fields out = fields_in(arena);
    left_of(forwarding, text);
    forwarding_write(forwarding, kind, bytes_of("shop.example"), 1, bytes_of("id-1"), &out);
    return text_of(&out);
}

#define EVERYTHING                                                                                 \
    "forwarded: for=6.6.6.6\nx-forwarded-for: 6.6.6.6\nx-forwarded-host: "                         \
    "evil\nx-forwarded-proto: https\n"                                                             \
    "x-forwarded-port: 443\nx-forwarded-prefix: /evil\nx-forwarded-client-cert: evil\nx-real-ip: " \
    "6.6.6.6\n"                                                                                    \
    "proxy: http://evil\nx-request-id: evil\nx-client: evil\nx-tenant: evil\nx-client-ip: "        \
    "6.6.6.6\nx-cluster-client-ip: 6\n"                                                            \
    "true-client-ip: 6.6.6.6\nx-original-url: /admin\nx-rewrite-url: /admin\nx-original-host: "    \
    "evil\n"                                                                                       \
    "passerelle-degraded: evil\n"
#define UNDERSCORES                                                                                \
    "x_forwarded_for: 6.6.6.6\nx-forwarded_for: 6.6.6.6\nx_real_ip: 6.6.6.6\nx_request_id: "       \
    "evil\nx_client: evil\nx_tenant: evil\n"                                                       \
    "x_forwarded_port: 443\npasserelle_hops: 0\n"

static void a_stranger_speaks_for_nobody(void **state)
{
    Forwarding stranger = from("192.0.2.1:4711", false);
    assert_string_equal(
        left_of(&stranger, "accept: a\n" EVERYTHING "x-clients: 1\ncookie: b\n" UNDERSCORES),
        "accept: a\nx-clients: 1\ncookie: b\n");
    assert_int_equal(stranger.request_id.size, 0);

    Forwarding again = from("192.0.2.1:4711", false);
    assert_string_equal(
        passed_on(&again, FORWARDING_HTTP, EVERYTHING UNDERSCORES),
        "x-forwarded-for: 192.0.2.1\nx-forwarded-host: shop.example\nx-forwarded-proto: http\n"
        "via: 1.1 " SELF "\nx-request-id: id-1\n");
}

static void what_a_trusted_proxy_says_is_kept_and_continued(void **state)
{
    Forwarding proxy = from("10.0.0.7:4711", true);
    assert_string_equal(
        left_of(&proxy,
                "x-forwarded-port: 443\nx-real-ip: 6.6.6.6\nx-client: ada\nx-forwarded-for: 1\n"),
        "x-forwarded-port: 443\nx-real-ip: 6.6.6.6\nx-client: ada\n");

    Forwarding again = from("[2001:db8::7]:4711", true);
    assert_string_equal(
        passed_on(
            &again, FORWARDING_RPC,
            "x-forwarded-for: 192.0.2.1\nx-forwarded-for: 192.0.2.2, 192.0.2.3\n"
            "x-forwarded-host: www.example\nx-forwarded-proto: https\nforwarded: for=192.0.2.1\n"
            "via: 1.0 fred\n"),
        "x-forwarded-for: 192.0.2.1, 192.0.2.2, 192.0.2.3, 2001:db8::7\nx-forwarded-host: "
        "www.example\n"
        "x-forwarded-proto: https\n"
        "forwarded: for=192.0.2.1, for=\"[2001:db8::7]\";host=\"shop.example\";proto=http\n"
        "passerelle-hops: " SELF "\nvia: 1.0 fred\nx-request-id: id-1\n");
}

static void names_that_collide_are_dropped_whoever_sends_them(void **state)
{
    Forwarding proxy = from("10.0.0.7:4711", true);
    assert_string_equal(left_of(&proxy, UNDERSCORES "under_score: 1\n"), "under_score: 1\n");
    assert_int_equal(proxy.forwarded_for.size, 0);
    assert_int_equal(proxy.hops, 0);
}

static void a_peer_of_a_unix_socket_has_no_address(void **state)
{
    Forwarding proxy = from("unix", true);
    assert_string_equal(
        passed_on(&proxy, FORWARDING_HTTP, "forwarded: for=192.0.2.1\n"),
        "x-forwarded-for: unix\nx-forwarded-host: shop.example\nx-forwarded-proto: http\n"
        "forwarded: for=192.0.2.1, for=unknown;host=\"shop.example\";proto=http\n"
        "via: 1.1 " SELF "\nx-request-id: id-1\n");
}

static void hops_are_counted_whoever_says_them(void **state)
{
    static const struct {
        const char *text;
        uint32_t hops;
        bool passed_us;
    } cases[] = {
        {"", 0, false},
        {"via: 1.1 " SELF "\n", 1, true},
        {"via: 1.1 " OTHER " (edge)\n", 1, false},
        {"via: 1.1 fred, 2  " OTHER "\nvia: 1.0 " SELF "\n", 2, true},
        {"via: 1.1 passerelle, 1.1 passerelle-not, 1.1 x" SELF "\nvia: " SELF "\nvia: ,,\n", 0,
         false},
        {"passerelle-hops: " OTHER "\n", 1, false},
        {"passerelle-hops: " OTHER "," SELF "\npasserelle-hops: " SELF "\n", 3, true},
        {"passerelle-hops: " OTHER "\nvia: 1.1 " SELF "\n", 2, true},
        {"passerelle-hops: 7\n", 0, false},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        Forwarding forwarding = from("192.0.2.1:1", i % 2);
        left_of(&forwarding, cases[i].text);
        assert_int_equal(forwarding.hops, cases[i].hops);
        assert_int_equal(forwarding.passed_us, cases[i].passed_us);
    }
}

static void attempts_before_this_one_are_believed_of_everybody_and_not_passed_on(void **state)
{
    for (int trusted = 0; trusted < 2; trusted++) {
        Forwarding forwarding = from("192.0.2.1:1", trusted);
        assert_string_equal(left_of(&forwarding, "x: 1\ngrpc-previous-rpc-attempts: 2\n"),
                            "x: 1\n");
        assert_bytes(forwarding.attempts, "2");
        forwarding = from("192.0.2.1:1", trusted);
        left_of(&forwarding, "grpc-previous-rpc-attempts: 2\ngrpc-previous-rpc-attempts: 0\n");
        assert_bytes(forwarding.attempts, "2, 0"); /* which is no number */
    }
}

static void a_call_may_pass_few_gateways_and_none_twice(void **state)
{
    Forwarding forwarding = {.hops = 7};
    assert_ok(arena, forwarding_check(&forwarding, 8, arena));
    forwarding.hops = 8;
    assert_fault(forwarding_check(&forwarding, 8, arena), FAULT_LOOP_DETECTED);
    forwarding = (Forwarding){.self = SELF, .hops = 1, .passed_us = true};
    assert_fault(forwarding_check(&forwarding, 8, arena), FAULT_LOOP_DETECTED);
}

static void each_kind_names_its_own_hop_and_passes_the_others_on(void **state)
{
    Forwarding http = from("192.0.2.1:1", false), rpc = http;
    const char *before = "via: 1.1 fred\npasserelle-hops: " OTHER "\n";
    const char *text = passed_on(&http, FORWARDING_HTTP, before);
    assert_non_null(strstr(text, "via: 1.1 fred, 1.1 " SELF "\npasserelle-hops: " OTHER "\n"));
    text = passed_on(&rpc, FORWARDING_RPC, before);
    assert_non_null(strstr(text, "passerelle-hops: " OTHER ", " SELF "\nvia: 1.1 fred\n"));
}

static void every_gateway_has_a_name_of_its_own(void **state)
{
    Random random;
    random_seed_fixed(&random, 7);
    HopName one = hop_name_new(&random), other = hop_name_new(&random);
    assert_int_equal(strlen(one.text), HOP_NAME_SIZE);
    assert_true(bytes_start_with(bytes_of(one.text), "passerelle-"));
    assert_string_not_equal(one.text, other.text);
}

static void a_request_id_is_taken_when_it_needs_no_quotes(void **state)
{
    char id[130];
    memset(id, 'a', sizeof id);
    assert_true(request_id_is_good(bytes_of("AZaz09._:/+=-")));
    assert_true(request_id_is_good(bytes(id, 1)));
    assert_true(request_id_is_good(bytes(id, 128)));
    assert_false(request_id_is_good(bytes(id, 129)));
    assert_false(request_id_is_good(BYTES_NONE));
    for (int c = 0; c < 256; c++) {
        uint8_t one = (uint8_t)c;
        bool good =
            c && strchr("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._:/+=-", c);
        assert_int_equal(request_id_is_good(bytes(&one, 1)), good);
    }
}

static void a_request_id_comes_from_a_trusted_proxy_and_once(void **state)
{
    Forwarding one = from("10.0.0.7:1", true), two = one, bad = one;
    left_of(&one, "x-request-id: mine-7\n");
    assert_true(bytes_are(one.request_id, "mine-7"));
    left_of(&two, "x-request-id: mine-7\nx-request-id: mine-8\n");
    assert_int_equal(two.request_id.size, 0);
    left_of(&bad, "x-request-id: \"mine\"\n");
    assert_int_equal(bad.request_id.size, 0);
}

static void the_client_is_the_last_that_is_no_trusted_proxy(void **state)
{
    static const struct {
        const char *list, *client;
    } cases[] = {
        {"192.0.2.1", "192.0.2.1"},
        {"6.6.6.6, 192.0.2.1, 10.0.0.9", "192.0.2.1"},
        {"6.6.6.6, 192.0.2.1:4711, 10.0.0.9:80", "192.0.2.1"},
        {"[2001:db8::1]:443, 10.0.0.9", "2001:db8::1"},
        {"2001:db8::1", "2001:db8::1"},
        {"10.0.0.1, 10.0.0.2", "10.0.0.1"},
        {"6.6.6.6, unknown, 10.0.0.9", "10.0.0.9"},
        {"6.6.6.6,", "10.0.0.7"},
        {"", "10.0.0.7"},
    };
    IpRange range;
    assert_true(ip_range_read(bytes_of("10.0.0.0/8"), &range));
    TrustedPeers trusted = {.ranges = &range, .n = 1};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        Forwarding proxy = from("10.0.0.7:4711", true);
        proxy.forwarded_for = bytes_of(cases[i].list);
        Bytes client = forwarding_client(&proxy, &trusted);
        assert_string_equal(arena_text(arena, client), cases[i].client);
    }
}

static void unix_sockets_are_trusted_by_their_own_word(void **state)
{
    IpRange range;
    IpAddress none = {.known = false}, some;
    assert_true(ip_range_read(bytes_of("::/0"), &range) && ip_read(bytes_of("2001:db8::1"), &some));
    TrustedPeers networks = {.ranges = &range, .n = 1}, sockets = {.unix_sockets = true};
    assert_true(trusted_peers_have(&networks, &some));
    assert_false(trusted_peers_have(&networks, &none));
    assert_true(trusted_peers_have(&sockets, &none));
    assert_false(trusted_peers_have(&sockets, &some));
}

static void two_identities_are_none(void **state)
{
    Forwarding proxy = from("10.0.0.7:1", true), again = proxy;
    assert_string_equal(left_of(&proxy, "x-client: user\naccept: a\nx-client: root\n"),
                        "accept: a\n");
    assert_string_equal(left_of(&again, "x-client: user\naccept: a\n"),
                        "x-client: user\naccept: a\n");
}

static void a_forwarded_with_an_open_quote_is_not_continued(void **state)
{
    static const char *const open[] = {"forwarded: for=\"1.1.1.1\n", "forwarded: for=\"a\\\"\n",
                                       "forwarded: for=a\nforwarded: for=\"\n"};
    for (size_t i = 0; i < sizeof open / sizeof *open; i++) {
        Forwarding proxy = from("10.0.0.7:1", true);
        left_of(&proxy, open[i]);
        assert_int_equal(proxy.forwarded.size, 0);
    }
    Forwarding good = from("10.0.0.7:1", true);
    left_of(&good, "forwarded: for=\"a\\\"b\"\n");
    assert_true(good.forwarded.size > 0);
}

static void fields_of_other_proxies_are_no_strangers_to_say(void **state)
{
    static const char *const names[] = {
        "cf-connecting-ip", "fastly-client-ip", "x-envoy-external-address",
        "forwarded-for",    "x-forwarded",      "front-end-https",
        "x-url-scheme",     "ssl-client-cert",  "x-ssl-client-verify"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        char text[64];
        snprintf(text, sizeof text, "%s: 1\n", names[i]);
        Forwarding stranger = from("192.0.2.1:1", false), proxy = from("10.0.0.7:1", true);
        assert_string_equal(left_of(&stranger, text), "");
        assert_string_equal(left_of(&proxy, text), text);
    }
}

static void a_head_that_does_not_fit_is_an_error(void **state)
{
    char value[3000];
    memset(value, 'a', sizeof value);
    Arena *small = arena_new(4096);
    Fields fields = fields_in(arena), rest;
    for (int i = 0; i < 4; i++)
        fields_add(&fields, bytes_of("x-forwarded-for"), bytes(value, sizeof value));
    Forwarding proxy = from("10.0.0.7:1", true);
    assert_fault(forwarding_read(&proxy, &fields, NULL, &baggage, small, small, &rest),
                 FAULT_OUT_OF_MEMORY);
    arena_free(small);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_stranger_speaks_for_nobody, begin, end),
        cmocka_unit_test_setup_teardown(what_a_trusted_proxy_says_is_kept_and_continued, begin,
                                        end),
        cmocka_unit_test_setup_teardown(names_that_collide_are_dropped_whoever_sends_them, begin,
                                        end),
        cmocka_unit_test_setup_teardown(a_peer_of_a_unix_socket_has_no_address, begin, end),
        cmocka_unit_test_setup_teardown(hops_are_counted_whoever_says_them, begin, end),
        cmocka_unit_test_setup_teardown(
            attempts_before_this_one_are_believed_of_everybody_and_not_passed_on, begin, end),
        cmocka_unit_test_setup_teardown(a_call_may_pass_few_gateways_and_none_twice, begin, end),
        cmocka_unit_test_setup_teardown(each_kind_names_its_own_hop_and_passes_the_others_on, begin,
                                        end),
        cmocka_unit_test_setup_teardown(every_gateway_has_a_name_of_its_own, begin, end),
        cmocka_unit_test_setup_teardown(a_request_id_is_taken_when_it_needs_no_quotes, begin, end),
        cmocka_unit_test_setup_teardown(a_request_id_comes_from_a_trusted_proxy_and_once, begin,
                                        end),
        cmocka_unit_test_setup_teardown(the_client_is_the_last_that_is_no_trusted_proxy, begin,
                                        end),
        cmocka_unit_test_setup_teardown(unix_sockets_are_trusted_by_their_own_word, begin, end),
        cmocka_unit_test_setup_teardown(two_identities_are_none, begin, end),
        cmocka_unit_test_setup_teardown(a_forwarded_with_an_open_quote_is_not_continued, begin,
                                        end),
        cmocka_unit_test_setup_teardown(fields_of_other_proxies_are_no_strangers_to_say, begin,
                                        end),
        cmocka_unit_test_setup_teardown(a_head_that_does_not_fit_is_an_error, begin, end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
