#include "tests/unit/check.h"

#include "base/net/ip.h"

#include <arpa/inet.h>
#include <netinet/in.h>

static IpAddress ip(const char *text)
{
    IpAddress address;
    assert_true(ip_read(bytes_of(text), &address));
    return address;
}

static bool range_has(const char *range_text, const char *address_text)
{
    IpRange range;
    IpAddress address = ip(address_text);
    assert_true(ip_range_read(bytes_of(range_text), &range));
    return ip_range_has(&range, &address);
}

static void an_address_is_written_as_it_is_read(void **state)
{
    static const char *const texts[] = {"0.0.0.0", "192.0.2.1", "255.255.255.255",
                                        "::",      "::1",       "2001:db8::1"};
    char text[IP_TEXT_SIZE];
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        IpAddress address = ip(texts[i]);
        assert_int_equal(ip_write(&address, text), strlen(texts[i]));
        assert_string_equal(text, texts[i]);
    }
}

static void what_is_no_address_is_refused(void **state)
{
    static const char *const texts[] = {
        "",           "unknown",
        "1.2.3",      "1.2.3.256",
        "1.2.3.4:80", "[::1]",
        "::1%lo",     " ::1",
        "_hidden",    "2001:db8:0000:0000:0000:0000:0000:0000:0000:0001"};
    IpAddress address;
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        assert_false(ip_read(bytes_of(texts[i]), &address));
    assert_false(ip_read(bytes("::1\0", 4), &address));
}

static void ipv4_at_a_socket_for_both_is_ipv4(void **state)
{
    struct sockaddr_in four = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(0x0a000001)};
    struct sockaddr_in6 six = {.sin6_family = AF_INET6};
    struct sockaddr local = {.sa_family = AF_UNIX};
    IpAddress mapped = ip("::ffff:10.0.0.1"), plain = ip_of((struct sockaddr *)&four);
    memcpy(&six.sin6_addr, mapped.bytes, 16);
    IpAddress by_six = ip_of((struct sockaddr *)&six);
    assert_memory_equal(by_six.bytes, plain.bytes, 16);
    assert_true(range_has("10.0.0.0/8", "::ffff:10.0.0.1"));
    assert_false(ip_of(&local).known);
}

static void an_address_of_a_socket_is_read_as_it_is_written(void **state)
{
    static const char *const texts[] = {"192.0.2.1", "2001:db8::1", "::1"};
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        IpAddress address;
        IpSocketAddress socket_address;
        assert_true(ip_read(bytes_of(texts[i]), &address));
        assert_int_equal(ip_is_v4(&address), i == 0);
        socklen_t size = ip_socket_address(&address, 8080, &socket_address);
        assert_int_equal(size, i == 0 ? sizeof(struct sockaddr_in) : sizeof(struct sockaddr_in6));
        assert_int_equal(socket_address.v4.sin_port, htons(8080));
        IpAddress again = ip_of(&socket_address.any);
        assert_memory_equal(again.bytes, address.bytes, sizeof address.bytes);
    }
}

static void a_range_ends_where_its_prefix_does(void **state)
{
    assert_true(range_has("10.0.0.0/8", "10.0.0.0"));
    assert_true(range_has("10.0.0.0/8", "10.255.255.255"));
    assert_false(range_has("10.0.0.0/8", "9.255.255.255"));
    assert_false(range_has("10.0.0.0/8", "11.0.0.0"));
    assert_true(range_has("192.0.2.128/25", "192.0.2.128"));
    assert_false(range_has("192.0.2.128/25", "192.0.2.127"));
    assert_true(range_has("192.0.2.1", "192.0.2.1"));
    assert_false(range_has("192.0.2.1", "192.0.2.2"));
    assert_true(range_has("2001:db8::/33", "2001:db8:7fff::1"));
    assert_false(range_has("2001:db8::/33", "2001:db8:8000::"));
    assert_true(range_has("0.0.0.0/0", "255.0.0.1"));
    assert_false(range_has("0.0.0.0/0", "2001:db8::1"));
    assert_true(range_has("::/0", "2001:db8::1"));
}

static void what_is_no_range_is_refused(void **state)
{
    static const char *const texts[] = {
        "",           "/8",     "10.0.0.0/",      "10.0.0.0/33", "10.0.0.0/-1", "10.0.0.0/8/8",
        "10.0.0.1/8", "::/129", "2001:db8::1/64", "10/8",        "localhost"};
    IpRange range;
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        assert_false(ip_range_read(bytes_of(texts[i]), &range));
}

static void what_was_meant_has_no_bits_behind_its_prefix(void **state)
{
    static const char *const pairs[][2] = {{"10.1.2.3/8", "10.0.0.0/8"},
                                           {"2001:db8::1/32", "2001:db8::/32"},
                                           {"192.0.2.1", "192.0.2.1/32"},
                                           {"::1", "::1/128"}};
    char text[IP_TEXT_SIZE + 4];
    IpRange range;
    for (size_t i = 0; i < sizeof pairs / sizeof *pairs; i++) {
        assert_true(ip_range_mean(bytes_of(pairs[i][0]), &range));
        ip_range_write(&range, text);
        assert_string_equal(text, pairs[i][1]);
    }
    assert_false(ip_range_mean(bytes_of("10.0.0.0/33"), &range));
}

static void no_range_has_a_peer_without_an_address(void **state)
{
    IpRange all;
    IpAddress none = {.known = false};
    assert_true(ip_range_read(bytes_of("::/0"), &all));
    assert_false(ip_range_has(&all, &none));
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_address_is_written_as_it_is_read),
        cmocka_unit_test(what_is_no_address_is_refused),
        cmocka_unit_test(ipv4_at_a_socket_for_both_is_ipv4),
        cmocka_unit_test(an_address_of_a_socket_is_read_as_it_is_written),
        cmocka_unit_test(a_range_ends_where_its_prefix_does),
        cmocka_unit_test(what_is_no_range_is_refused),
        cmocka_unit_test(what_was_meant_has_no_bits_behind_its_prefix),
        cmocka_unit_test(no_range_has_a_peer_without_an_address),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
