#include "base/net/internal_ip.h"

#include "tests/unit/check.h"

static bool is_internal(const char *text)
{
    IpAddress address;
    if (!ip_read(bytes_of(text), &address))
        fail_msg("%s is no address", text);
    return ip_is_internal(&address);
}

/* The first and the last of each network, and the ones beside it. */
static void addresses_of_the_inside_are_internal_and_their_neighbours_are_not(void **state)
{
    static const char *const rows[][4] = {
        /* before, first, last, after; "": it is internal for another reason, or there is none */
        {"", "0.0.0.0", "0.255.255.255", "1.0.0.0"},
        {"9.255.255.255", "10.0.0.0", "10.255.255.255", "11.0.0.0"},
        {"100.63.255.255", "100.64.0.0", "100.127.255.255", "100.128.0.0"},
        {"126.255.255.255", "127.0.0.0", "127.255.255.255", "128.0.0.0"},
        {"169.253.255.255", "169.254.0.0", "169.254.255.255", "169.255.0.0"},
        {"172.15.255.255", "172.16.0.0", "172.31.255.255", "172.32.0.0"},
        {"191.255.255.255", "192.0.0.0", "192.0.0.255", "192.0.1.0"},
        {"192.0.1.255", "192.0.2.0", "192.0.2.255", "192.0.3.0"},
        {"192.88.98.255", "192.88.99.0", "192.88.99.255", "192.88.100.0"},
        {"192.167.255.255", "192.168.0.0", "192.168.255.255", "192.169.0.0"},
        {"198.17.255.255", "198.18.0.0", "198.19.255.255", "198.20.0.0"},
        {"198.51.99.255", "198.51.100.0", "198.51.100.255", "198.51.101.0"},
        {"203.0.112.255", "203.0.113.0", "203.0.113.255", "203.0.114.0"},
        {"223.255.255.255", "224.0.0.0", "255.255.255.255", ""},
        {"", "::", "::255.255.255.255", ""},
        {"64:ff9b:0:ffff:ffff:ffff:ffff:ffff", "64:ff9b:1::", "64:ff9b:1:ffff::", "64:ff9b:2::"},
        {"", "100::", "100::ffff:ffff:ffff:ffff", "100:0:0:1::"},
        {"2000:ffff::", "2001::", "2001:1ff:ffff::", "2001:200::"},
        {"2001:db7:ffff::", "2001:db8::", "2001:db8:ffff::", "2001:db9::"},
        {"3ffe:ffff::", "3fff::", "3fff:fff::", "3fff:1000::"},
        {"5eff::", "5f00::", "5f00:ffff::", "5f01::"},
        {"fbff::", "fc00::", "fdff::", "fe00::"},
        {"fe7f::", "fe80::", "febf::", ""},
        {"", "fec0::", "feff::", ""},
        {"", "ff00::", "ffff::", ""},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        for (size_t k = 0; k < 4; k++)
            if (rows[i][k][0] && is_internal(rows[i][k]) != (k == 1 || k == 2))
                fail_msg("%s", rows[i][k]);
}

static void an_address_that_leads_to_another_is_as_that_one(void **state)
{
    assert_true(is_internal("::ffff:127.0.0.1"));
    assert_false(is_internal("::ffff:1.1.1.1"));
    assert_true(is_internal("64:ff9b::10.0.0.1"));
    assert_false(is_internal("64:ff9b::1.1.1.1"));
    assert_true(is_internal("2002:0a00:0001::1"));
    assert_false(is_internal("2002:0101:0101::1"));
}

static void what_is_no_address_is_internal(void **state)
{
    assert_true(ip_is_internal(&(IpAddress){.known = false}));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(addresses_of_the_inside_are_internal_and_their_neighbours_are_not),
        cmocka_unit_test(an_address_that_leads_to_another_is_as_that_one),
        cmocka_unit_test(what_is_no_address_is_internal),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
