#include "tests/unit/check.h"

#include "base/clock.h"
#include "gateway/upstream/endpoint.h"

#include <stdio.h>
#include <string.h>

static Endpoint *endpoints;

static IpAddress ip(const char *text)
{
    IpAddress address;
    assert_true(ip_read(bytes_of(text), &address));
    return address;
}

/* "a b c" are the ones that are named; the first stays the first. */
static void set(const char *list)
{
    IpAddress addresses[16];
    uint32_t n = 0;
    char copy[200];
    snprintf(copy, sizeof(copy), "%s", list);
    for (char *rest, *one = strtok_r(copy, " ", &rest); one; one = strtok_r(NULL, " ", &rest))
        addresses[n++] = ip(one);
    endpoints_forget(endpoints);
    endpoints_name(&endpoints, addresses, n, 0);
}

static Endpoint *at(const char *text)
{
    IpAddress address = ip(text);
    Endpoint *endpoint = endpoint_find(endpoints, &address);
    assert_non_null(endpoint);
    return endpoint;
}

static void assert_order(int64_t now, const char *expected)
{
    IpAddress order[16];
    char text[400] = "";
    uint32_t n = endpoints_order(endpoints, now, order, 16);
    for (uint32_t i = 0; i < n; i++) {
        char one[IP_TEXT_SIZE];
        ip_write(&order[i], one);
        size_t size = strlen(text);
        snprintf(text + size, sizeof(text) - size, "%s%s", i ? " " : "", one);
    }
    assert_string_equal(text, expected);
}

static int used(void **state)
{
    endpoints_free(&endpoints);
    return 0;
}

static void families_take_turns_and_ipv6_is_first(void **state)
{
    set("10.0.0.1 10.0.0.2 10.0.0.3 2001:db8::1 2001:db8::2");
    assert_order(0, "2001:db8::1 10.0.0.1 2001:db8::2 10.0.0.2 10.0.0.3");
}

static void those_with_the_fewest_links_come_first(void **state)
{
    set("10.0.0.1 10.0.0.2 2001:db8::1");
    at("2001:db8::1")->n_links = 1;
    at("10.0.0.1")->n_links = 1;
    assert_order(0, "10.0.0.2 2001:db8::1 10.0.0.1");
}

static void those_that_failed_come_last_for_a_while(void **state)
{
    set("10.0.0.1 10.0.0.2");
    endpoint_failed(at("10.0.0.1"), 0);
    assert_order(SECOND - 1, "10.0.0.2 10.0.0.1");
    assert_order(SECOND, "10.0.0.1 10.0.0.2");
    endpoint_failed(at("10.0.0.1"), 0);
    assert_order(2 * SECOND - 1, "10.0.0.2 10.0.0.1");
    assert_order(2 * SECOND, "10.0.0.1 10.0.0.2");
    for (int i = 0; i < 100; i++)
        endpoint_failed(at("10.0.0.1"), 0);
    assert_order(64 * SECOND - 1, "10.0.0.2 10.0.0.1");
    assert_order(64 * SECOND, "10.0.0.1 10.0.0.2");
    endpoint_connected(at("10.0.0.1"));
    assert_order(0, "10.0.0.1 10.0.0.2");
}

static void those_that_are_not_named_any_more_stay_while_links_lead_there(void **state)
{
    set("10.0.0.1 10.0.0.2");
    at("10.0.0.1")->n_links = 1;
    set("10.0.0.3");
    assert_order(0, "10.0.0.3");
    assert_false(at("10.0.0.1")->named);
    IpAddress gone = ip("10.0.0.2");
    assert_null(endpoint_find(endpoints, &gone));
    at("10.0.0.1")->n_links = 0;
    set("10.0.0.3");
    gone = ip("10.0.0.1");
    assert_null(endpoint_find(endpoints, &gone));
    assert_true(endpoints_any_named(endpoints));
    set("");
    assert_false(endpoints_any_named(endpoints));
    assert_order(0, "");
}

static void all_that_are_not_named_any_more_go_at_once(void **state)
{
    set("10.0.0.1 10.0.0.2 10.0.0.3");
    set("10.0.0.3 10.0.0.4");
    IpAddress first = ip("10.0.0.1"), second = ip("10.0.0.2");
    assert_null(endpoint_find(endpoints, &first));
    assert_null(endpoint_find(endpoints, &second));
    assert_order(0, "10.0.0.3 10.0.0.4");
}

static void an_endpoint_without_a_link_is_missed_unless_it_is_avoided(void **state)
{
    set("10.0.0.1");
    Endpoint *endpoint = at("10.0.0.1");
    assert_true(endpoint_is_missed(endpoint, 0));
    endpoint_failed(endpoint, 0);
    assert_false(endpoint_is_missed(endpoint, SECOND - 1));
    assert_true(endpoint_is_missed(endpoint, SECOND));
    endpoint->n_links = 1;
    assert_false(endpoint_is_missed(endpoint, SECOND));
    endpoint->n_links = 0;
    endpoint->named = false;
    assert_false(endpoint_is_missed(endpoint, SECOND));
}

static void an_address_is_one_endpoint_however_often_it_is_said(void **state)
{
    set("10.0.0.1 10.0.0.1 10.0.0.2 10.0.0.1");
    assert_order(0, "10.0.0.1 10.0.0.2");
}

static void each_loop_begins_with_another(void **state)
{
    IpAddress addresses[] = {ip("10.0.0.1"), ip("10.0.0.2"), ip("10.0.0.3")};
    endpoints_name(&endpoints, addresses, 3, 4);
    assert_order(0, "10.0.0.2 10.0.0.3 10.0.0.1");
}

#define endpoint_test(f) cmocka_unit_test_teardown(f, used)

int main(void)
{
    const struct CMUnitTest tests[] = {
        endpoint_test(families_take_turns_and_ipv6_is_first),
        endpoint_test(those_with_the_fewest_links_come_first),
        endpoint_test(those_that_failed_come_last_for_a_while),
        endpoint_test(those_that_are_not_named_any_more_stay_while_links_lead_there),
        endpoint_test(all_that_are_not_named_any_more_go_at_once),
        endpoint_test(an_endpoint_without_a_link_is_missed_unless_it_is_avoided),
        endpoint_test(an_address_is_one_endpoint_however_often_it_is_said),
        endpoint_test(each_loop_begins_with_another),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
