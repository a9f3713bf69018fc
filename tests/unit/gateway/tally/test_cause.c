#include "tests/unit/check.h"

#include "gateway/tally/cause.h"

#include <string.h>

static const char *plain(const char *text)
{
    static char out[CAUSE_SIZE + 1];
    out[cause_write(bytes_of(text), out)] = '\0';
    return out;
}

#define assert_cause(text, expected) assert_string_equal(plain(text), expected)

static void numbers_are_gone(void **state)
{
    assert_cause("order 4711 is locked", "order # is locked");
    assert_cause("12,000 of 1.5 are in use.", "# of # are in use.");
    assert_cause("after 300ms", "after #ms");
    assert_cause("order4711 and order_9", "order# and order_#");
    assert_cause("HTTP/2, int32", "HTTP/#, int#");
    assert_cause("line 3:14", "line *");
    assert_cause("", "");
    assert_cause("connection refused", "connection refused");
}

static void names_of_versions_stay(void **state)
{
    assert_cause("v1 to v999", "v1 to v999");
    assert_cause("shop.orders.v2.Orders/Get", "shop.orders.v2.Orders/Get");
    assert_cause("to v1000", "to v#");
    assert_cause("dev2", "dev#");
}

static void addresses_are_gone(void **state)
{
    assert_cause("connecting to 10.0.0.7:7001: refused", "connecting to *: refused");
    assert_cause("10.0.0.7 returned INTERNAL: no", "* returned INTERNAL: no");
    assert_cause("from orders-3.internal:7001.", "from *.");
    assert_cause("from a:65535, a:123456", "from *, a:#");
    assert_cause("from [2001:db8::1]:7001 and ::1", "from * and *");
    assert_cause("at unix:/run/orders.sock", "at *");
    assert_cause("see https://x.example/a?b=1", "see *");
    assert_cause("ada@example.com left", "* left");
    assert_cause("1.2.3 of orders.internal", "# of orders.internal");
}

static void values_in_quotes_are_gone(void **state)
{
    assert_cause("reading \"12,5\" as a number", "reading \"*\" as a number");
    assert_cause("no 'ada' and no `bob`", "no \"*\" and no \"*\"");
    assert_cause("can't read the client's list", "can't read the client's list");
    assert_cause("it said \"ada and", "it said \"*\"");
    assert_cause("it said 'ada and", "it said 'ada and");
}

static void ids_are_gone(void **state)
{
    assert_cause("order 3f2504e0-4f89-41d3-9a0c-0305e82c3301 is locked", "order * is locked");
    assert_cause("trace 0af7651916cd43dd8448eb211c80319c", "trace *");
    assert_cause("at 0x7ffe12, key a1b2", "at *, key *");
    /* Of letters only it takes eight, with a digit four: shorter ones are words. */
    assert_cause("deadbeef, facade", "*, facade");
    assert_cause("c0de, e2e", "*, e#e");
}

static void of_a_list_one_stays(void **state)
{
    assert_cause("fields 1, 2, 3 and 4", "fields # and #");
    assert_cause("of \"a\", \"b\" or \"c\"", "of \"*\" or \"*\"");
    assert_cause("10.0.0.1:80, 10.0.0.2:80: refused", "*: refused");
    assert_cause("1 2", "# #");
}

static void a_long_text_is_cut_between_characters(void **state)
{
    char text[CAUSE_SIZE + 2], out[CAUSE_SIZE];
    memset(text, 'x', sizeof text);
    assert_int_equal(cause_write(bytes(text, CAUSE_SIZE - 1), out), CAUSE_SIZE - 1);
    assert_int_equal(cause_write(bytes(text, CAUSE_SIZE), out), CAUSE_SIZE);
    assert_int_equal(cause_write(bytes(text, CAUSE_SIZE + 1), out), CAUSE_SIZE);
    memcpy(text + CAUSE_SIZE - 2, "\xc3\xa9", 2);
    assert_int_equal(cause_write(bytes(text, CAUSE_SIZE), out), CAUSE_SIZE);
    memcpy(text + CAUSE_SIZE - 2, "x\xc3\xa9", 3);
    assert_int_equal(cause_write(bytes(text, CAUSE_SIZE + 1), out), CAUSE_SIZE - 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(numbers_are_gone),
        cmocka_unit_test(names_of_versions_stay),
        cmocka_unit_test(addresses_are_gone),
        cmocka_unit_test(values_in_quotes_are_gone),
        cmocka_unit_test(ids_are_gone),
        cmocka_unit_test(of_a_list_one_stays),
        cmocka_unit_test(a_long_text_is_cut_between_characters),
    };
    return cmocka_run_group_tests_name("cause", tests, NULL, NULL);
}
