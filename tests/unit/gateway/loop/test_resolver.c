#include "tests/unit/check.h"

#include "base/arena.h"
#include "gateway/loop/resolver.h"
#include "tests/unit/gateway/dns_server.h"
#include "tests/unit/gateway/doubles.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static Loop loop;
static Resolver *resolver;
static DnsServer server, another;
static DnsConfig dns;

/* What was told of one lookup. */
typedef struct Told {
    Lookup lookup;
    int n;                  /* times */
    char addresses[4][256]; /* "::1 127.0.0.1", each time */
    int64_t at[4];          /* when */
    int64_t until;
    bool more, over, known; /* known: the name servers could say */
    char why[256];
} Told;

static Told told, other;

static void on_resolved(Lookup *lookup, const Resolved *resolved, Result why)
{
    Told *t = (Told *)lookup;
    assert_true(t->n < 4);
    t->at[t->n] = loop.now;
    char *text = t->addresses[t->n++];
    t->known = resolved != NULL;
    t->more = resolved && resolved->more;
    t->until = resolved ? resolved->until : 0;
    t->over = !t->more;
    for (uint32_t i = 0; resolved && i < resolved->n; i++) {
        char ip[IP_TEXT_SIZE];
        ip_write(&resolved->addresses[i], ip);
        size_t size = strlen(text);
        snprintf(text + size, 256 - size, "%s%s", size ? " " : "", ip);
    }
    assert_true(failed(why) == (!resolved || resolved->n == 0));
    if (failed(why)) {
        assert_fault(why, FAULT_SYSTEM);
        snprintf(t->why, sizeof(t->why), "%s", error_origin(why)->doing);
    }
}

static const DnsName script[] = {
    {"both.test", {"10.0.0.1 10.0.0.2"}, {"2001:db8::1"}, 30},
    {"four.test", {"10.0.0.4"}, {NULL}, 30},
    {"six.test", {NULL}, {"2001:db8::6"}, 30},
    {"none.test", {NULL}, {NULL}, 30},
    {"slow.test", {"10.0.0.1", DNS_ANSWERS, 300 * MILLISECOND}, {NULL}, 30},
    {"late-six.test", {"10.0.0.1"}, {"2001:db8::1", DNS_ANSWERS, 200 * MILLISECOND}, 30},
    {"late-four.test", {"10.0.0.1", DNS_ANSWERS, 200 * MILLISECOND}, {"2001:db8::1"}, 30},
    {"soon-six.test", {"10.0.0.1"}, {"2001:db8::1", DNS_ANSWERS, 20 * MILLISECOND}, 30},
    {"dead-six.test", {"10.0.0.1"}, {NULL, DNS_IS_SILENT}, 30},
    {"failing.test", {NULL, DNS_FAILS}, {NULL, DNS_FAILS}, 30},
    {"half.test", {"10.0.0.1"}, {NULL, DNS_FAILS}, 30},
    {"dead.test", {NULL, DNS_IS_SILENT}, {NULL, DNS_IS_SILENT}, 30},
    {"brief.test", {"10.0.0.1"}, {NULL}, 0},
    {"shop.corp.test", {"10.0.0.7"}, {NULL}, 30},
    {"shop.trap.test", {NULL}, {"2001:db8::66"}, 30},
    {"a.shop.corp.test", {"10.0.0.8"}, {NULL}, 30},
    {"long.test", {"10.0.0.1"}, {NULL}, 60000},
    {NULL},
};

static void lookup(Told *t, const char *name)
{
    *t = (Told){.lookup.on_resolved = on_resolved};
    lookup_begin(resolver, &t->lookup, name);
    assert_int_equal(t->n, 0); /* never from within the call */
}

static bool is_over(void)
{
    return told.over;
}

static bool is_told(void)
{
    return told.n > 0;
}

static void look_up(const char *name)
{
    lookup(&told, name);
    loop_run_until(&loop, is_over);
    assert_false(lookup_running(&told.lookup));
}

static bool servers_are_closed(void)
{
    return server.closed && (another.closed || !another.loop);
}

static int fresh(void **state)
{
    setenv("LOCALDOMAIN", "", 1); /* the machine's own search domains are not the test's */
    loop_init(&loop, 0);
    dns_server_open(&server, &loop, script);
    another = (DnsServer){.loop = NULL};
    resolver = resolver_new(&loop);
    dns = (DnsConfig){.servers = server.address};
    resolver_use(resolver, &dns);
    told = other = (Told){.over = false};
    return 0;
}

static int used(void **state)
{
    resolver_free(resolver);
    dns_server_close(&server);
    if (another.loop)
        dns_server_close(&another);
    loop_run_until(&loop, servers_are_closed);
    loop_deinit(&loop);
    return 0;
}

static void both_families_of_a_name_are_found(void **state)
{
    look_up("both.test");
    assert_string_equal(told.addresses[told.n - 1], "2001:db8::1 10.0.0.1 10.0.0.2");
}

static void a_name_may_have_one_family_only(void **state)
{
    look_up("four.test");
    assert_string_equal(told.addresses[0], "10.0.0.4");
    assert_int_equal(told.n, 1);
    look_up("six.test");
    assert_string_equal(told.addresses[told.n - 1], "2001:db8::6");
}

static void an_answer_that_takes_its_time_is_waited_for(void **state)
{
    look_up("slow.test");
    assert_string_equal(told.addresses[0], "10.0.0.1");
    assert_int_equal(dns_server_asked(&server, "slow.test A"), 1);
}

static void ipv6_is_told_at_once_and_ipv4_when_it_comes(void **state)
{
    lookup(&told, "late-four.test");
    int64_t began = loop.now;
    loop_run_until(&loop, is_told);
    assert_string_equal(told.addresses[0], "2001:db8::1");
    assert_true(told.more && told.at[0] - began < RESOLVER_DELAY);
    loop_run_until(&loop, is_over);
    assert_string_equal(told.addresses[1], "2001:db8::1 10.0.0.1");
}

static void ipv4_waits_a_moment_for_ipv6(void **state)
{
    lookup(&told, "late-six.test");
    int64_t began = loop.now;
    loop_run_until(&loop, is_told);
    assert_string_equal(told.addresses[0], "10.0.0.1");
    assert_true(told.more && told.at[0] - began >= RESOLVER_DELAY);
    loop_run_until(&loop, is_over);
    assert_string_equal(told.addresses[1], "2001:db8::1 10.0.0.1");

    look_up("soon-six.test");
    assert_int_equal(told.n, 1);
    assert_string_equal(told.addresses[0], "2001:db8::1 10.0.0.1");
}

static void one_family_without_an_answer_does_not_hold_up_the_other(void **state)
{
    dns.timeout = 100 * MILLISECOND;
    dns.attempts = 2;
    resolver_use(resolver, &dns);
    lookup(&told, "dead-six.test");
    loop_run_until(&loop, is_told);
    assert_string_equal(told.addresses[0], "10.0.0.1");
    assert_true(told.more);
    loop_run_until(&loop, is_over);
    assert_string_equal(told.addresses[1], "10.0.0.1");

    look_up("half.test");
    assert_string_equal(told.addresses[told.n - 1], "10.0.0.1");
}

static void a_name_that_does_not_exist_is_said(void **state)
{
    look_up("nowhere.test");
    assert_string_equal(told.why, "resolving nowhere.test: there is no such name (NXDOMAIN)");
    assert_true(told.known);
}

static void a_name_without_addresses_is_said(void **state)
{
    look_up("none.test");
    assert_string_equal(told.why, "resolving none.test: the name has no addresses");
    assert_true(told.known);
}

static void a_server_that_fails_is_said(void **state)
{
    look_up("failing.test");
    assert_string_equal(told.why, "resolving failing.test: the name server failed (SERVFAIL)");
    assert_false(told.known);
}

static void a_server_that_says_nothing_is_asked_again_and_given_up(void **state)
{
    dns.timeout = 50 * MILLISECOND;
    dns.attempts = 3;
    resolver_use(resolver, &dns);
    look_up("dead.test");
    assert_string_equal(told.why, "resolving dead.test: no name server responds");
    assert_int_equal(dns_server_asked(&server, "dead.test A"), 3);
    assert_false(told.known);
}

static void a_dead_server_does_not_hold_up_other_names(void **state)
{
    lookup(&other, "dead.test");
    int64_t began = loop.now;
    look_up("four.test");
    assert_string_equal(told.addresses[0], "10.0.0.4");
    assert_true(told.at[0] - began < SECOND);
    assert_int_equal(other.n, 0);
    lookup_cancel(&other.lookup);
}

static void where_nobody_listens_the_next_server_is_asked(void **state)
{
    char servers[80];
    snprintf(servers, sizeof(servers), "127.0.0.1:9,%s", server.address);
    dns.servers = servers;
    resolver_use(resolver, &dns);
    look_up("four.test");
    assert_string_equal(told.addresses[0], "10.0.0.4");
}

static void where_a_server_fails_the_next_one_is_asked(void **state)
{
    char servers[80];
    static const DnsName fails[] = {{"four.test", {NULL, DNS_FAILS}, {NULL, DNS_FAILS}},
                                    {"failing.test", {NULL, DNS_FAILS}, {NULL, DNS_FAILS}},
                                    {NULL}};
    dns_server_open(&another, &loop, fails);
    snprintf(servers, sizeof(servers), "%s,%s", another.address, server.address);
    dns.servers = servers;
    resolver_use(resolver, &dns);
    look_up("four.test");
    assert_string_equal(told.addresses[0], "10.0.0.4");
    look_up("failing.test");
    assert_non_null(strstr(told.why, "the name servers cannot be reached, or fail"));
}

static void names_in_the_hosts_file_need_no_server(void **state)
{
    look_up("localhost");
    assert_non_null(strstr(told.addresses[0], "127.0.0.1"));
    assert_int_equal(told.n, 1);
    assert_int_equal(server.n_asked, 0);
}

static void relative_names_are_completed_by_the_search_domains(void **state)
{
    setenv("LOCALDOMAIN", "lab.test corp.test", 1); /* c-ares: in place of those of resolv.conf */
    look_up("shop");
    assert_string_equal(told.addresses[told.n - 1], "10.0.0.7");
    assert_string_equal(server.asked[0], "shop.lab.test AAAA");
    assert_int_equal(dns_server_asked(&server, "shop.lab.test A"), 1);
    assert_int_equal(dns_server_asked(&server, "shop.corp.test A"), 1);
    assert_int_equal(server.n_asked, 4);
}

/* Else its addresses could be those of two hosts. */
static void both_families_come_from_one_search_domain(void **state)
{
    setenv("LOCALDOMAIN", "corp.test trap.test", 1);
    look_up("shop"); /* shop.corp.test has IPv4 only, shop.trap.test IPv6 */
    assert_string_equal(told.addresses[told.n - 1], "10.0.0.7");
    assert_int_equal(dns_server_asked(&server, "shop.trap.test AAAA"), 0);
}

static void a_name_with_a_dot_is_asked_for_as_it_is_first(void **state)
{
    setenv("LOCALDOMAIN", "corp.test", 1);
    look_up("four.test");
    assert_string_equal(told.addresses[0], "10.0.0.4");
    assert_int_equal(server.n_asked, 2);
    look_up("a.shop"); /* then within the domains */
    assert_string_equal(told.addresses[0], "10.0.0.8");
    look_up("four.test.");
    assert_string_equal(told.addresses[0], "10.0.0.4");
    server.n_asked = 0;
    look_up("shop.");
    assert_non_null(strstr(told.why, "NXDOMAIN"));
    assert_int_equal(server.n_asked, 2);
}

static void addresses_are_good_for_their_time_to_live(void **state)
{
    look_up("four.test");
    assert_int_equal(told.until - told.at[0], 30 * SECOND);
    look_up("brief.test"); /* 0 s */
    assert_int_equal(told.until - told.at[0], RESOLVER_TTL_LEAST);
    look_up("long.test"); /* 60,000 s */
    assert_int_equal(told.until - told.at[0], RESOLVER_TTL_MOST);
    look_up("localhost");
    assert_int_equal(told.until - told.at[0], RESOLVER_TTL_LEAST);
}

static void a_cancelled_lookup_hears_nothing(void **state)
{
    lookup(&told, "four.test");
    lookup_cancel(&told.lookup);
    lookup_cancel(&told.lookup);
    assert_false(lookup_running(&told.lookup));
    lookup(&other, "localhost"); /* known already, but not told yet */
    lookup_cancel(&other.lookup);
    Told first = told;
    look_up("slow.test");
    assert_int_equal(first.n, 0);
    assert_int_equal(other.n, 0);
    assert_string_equal(told.addresses[0], "10.0.0.1");
}

static void the_end_of_the_resolver_ends_its_lookups(void **state)
{
    lookup(&told, "dead.test");
    lookup(&other, "localhost");
    resolver_free(resolver);
    resolver = NULL;
    assert_false(lookup_running(&told.lookup));
    assert_false(lookup_running(&other.lookup));
    assert_int_equal(told.n + other.n, 0);
}

static bool another_is_asked(void)
{
    return another.n_asked == 2;
}

static void lookups_under_way_go_to_new_servers(void **state)
{
    static const DnsName nothing[] = {{"four.test", {NULL, DNS_IS_SILENT}, {NULL, DNS_IS_SILENT}},
                                      {NULL}};
    dns_server_open(&another, &loop, nothing);
    dns.servers = another.address;
    resolver_use(resolver, &dns);
    lookup(&told, "four.test");
    loop_run_until(&loop, another_is_asked);
    dns.servers = server.address;
    resolver_use(resolver, &dns);
    loop_run_until(&loop, is_over);
    assert_string_equal(told.addresses[0], "10.0.0.4");
}

#define resolver_test(f) cmocka_unit_test_setup_teardown(f, fresh, used)

/* ---- Records --------------------------------------------------------------------------------- */

enum { TYPE_A = 1, TYPE_AAAA = 28 };

/* What was told of one query for records. */
typedef struct Records {
    RecordQuery query;
    int n; /* times */
    uint8_t first[12];
    size_t size;
    bool fails;
    char why[256];
} Records;

static Records records;

static void on_records(RecordQuery *query, Bytes response, Result why)
{
    Records *r = (Records *)query;
    assert_null(query->answer); /* it may begin again */
    r->n++;
    r->size = response.size;
    if (response.size >= sizeof r->first)
        memcpy(r->first, response.data, sizeof r->first);
    r->fails = failed(why);
    if (r->fails)
        snprintf(r->why, sizeof r->why, "%s", error_origin(why)->doing);
}

static bool has_records(void)
{
    return records.n > 0;
}

static void ask_records(const char *name, uint16_t type)
{
    records = (Records){.query.on_records = on_records};
    records_begin(resolver, &records.query, name, type);
    assert_int_equal(records.n, 0); /* never from within the call */
}

static void the_response_to_a_query_for_records_is_given_as_it_came(void **state)
{
    ask_records("both.test", TYPE_A);
    loop_run_until(&loop, has_records);
    assert_false(records.fails);
    assert_true(records.size > 12);
    assert_int_equal(records.first[7], 2); /* answers */
    ask_records("both.test", TYPE_AAAA);
    loop_run_until(&loop, has_records);
    assert_int_equal(records.first[7], 1);
}

static void a_name_without_records_has_an_empty_response(void **state)
{
    const char *names[] = {"none.test", "nobody.test"};
    for (int i = 0; i < 2; i++) {
        ask_records(names[i], TYPE_A);
        loop_run_until(&loop, has_records);
        assert_false(records.fails);
        assert_int_equal(records.size, 0);
    }
}

static void records_are_asked_for_by_the_full_name(void **state)
{
    setenv("LOCALDOMAIN", "corp.test", 1);
    ask_records("shop", TYPE_A); /* shop.corp.test exists */
    loop_run_until(&loop, has_records);
    assert_int_equal(records.size, 0);
    assert_int_equal(dns_server_asked(&server, "shop A"), 1);
}

static void a_query_for_records_fails_with_the_name_servers(void **state)
{
    ask_records("failing.test", TYPE_A);
    loop_run_until(&loop, has_records);
    assert_true(records.fails);
    assert_string_equal(records.why, "resolving failing.test: the name server failed (SERVFAIL)");
}

static void a_query_for_records_that_was_cancelled_tells_nothing(void **state)
{
    ask_records("slow.test", TYPE_A);
    records_cancel(&records.query);
    records_cancel(&records.query);
    look_up("slow.test");
    assert_int_equal(records.n, 0);
    ask_records("dead.test", TYPE_A);
    records_cancel(&records.query); /* its answer comes with the end of the resolver */
}

static void a_query_for_records_ends_with_the_name_servers_that_it_was_sent_to(void **state)
{
    ask_records("dead.test", TYPE_A);
    dns_server_open(&another, &loop, script);
    dns = (DnsConfig){.servers = another.address};
    resolver_use(resolver, &dns);
    loop_run_until(&loop, has_records);
    assert_true(records.fails);
    assert_non_null(strstr(records.why, "the name servers have changed meanwhile"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        resolver_test(both_families_of_a_name_are_found),
        resolver_test(a_name_may_have_one_family_only),
        resolver_test(an_answer_that_takes_its_time_is_waited_for),
        resolver_test(ipv6_is_told_at_once_and_ipv4_when_it_comes),
        resolver_test(ipv4_waits_a_moment_for_ipv6),
        resolver_test(one_family_without_an_answer_does_not_hold_up_the_other),
        resolver_test(a_name_that_does_not_exist_is_said),
        resolver_test(a_name_without_addresses_is_said),
        resolver_test(a_server_that_fails_is_said),
        resolver_test(a_server_that_says_nothing_is_asked_again_and_given_up),
        resolver_test(a_dead_server_does_not_hold_up_other_names),
        resolver_test(where_nobody_listens_the_next_server_is_asked),
        resolver_test(where_a_server_fails_the_next_one_is_asked),
        resolver_test(names_in_the_hosts_file_need_no_server),
        resolver_test(relative_names_are_completed_by_the_search_domains),
        resolver_test(both_families_come_from_one_search_domain),
        resolver_test(a_name_with_a_dot_is_asked_for_as_it_is_first),
        resolver_test(addresses_are_good_for_their_time_to_live),
        resolver_test(a_cancelled_lookup_hears_nothing),
        resolver_test(the_end_of_the_resolver_ends_its_lookups),
        resolver_test(lookups_under_way_go_to_new_servers),
        resolver_test(the_response_to_a_query_for_records_is_given_as_it_came),
        resolver_test(a_name_without_records_has_an_empty_response),
        resolver_test(records_are_asked_for_by_the_full_name),
        resolver_test(a_query_for_records_fails_with_the_name_servers),
        resolver_test(a_query_for_records_that_was_cancelled_tells_nothing),
        resolver_test(a_query_for_records_ends_with_the_name_servers_that_it_was_sent_to),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
