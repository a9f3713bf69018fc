#include "tests/unit/check.h"

#include "gateway/page/same_origin.h"

typedef struct Case {
    const char *site, *origin; /* NULL: there is no such field */
    bool tls, may;
} Case;

static void check(const Case *c, const char *authority)
{
    OriginSaid said = {.sec_fetch_site = bytes_of(c->site),
                       .origin = bytes_of(c->origin),
                       .authority = bytes_of(authority),
                       .tls = c->tls};
    if (is_same_origin(&said) != c->may)
        fail_msg("%s, %s at %s", c->site, c->origin, authority);
}

static void a_browser_says_where_a_request_comes_from(void **state)
{
    static const Case cases[] = {
        {"same-origin", "http://gw:9901", false, true},
        {"same-origin", NULL, false, true},
        {"none", NULL, false, true},
        {"same-origin", "https://gw:9901", false, true}, /* behind a proxy that speaks TLS */
        {"same-site", "http://gw:9901", false, false},
        {"cross-site", "http://gw:9901", false, false},
        {"cross-site", NULL, false, false},
        {"cross-site", "null", false, false},
        {"Same-Origin", NULL, false, false},
        {"", NULL, false, false},
        {"a new word", NULL, false, false},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        check(&cases[i], "gw:9901");
}

static void without_that_the_origin_is_compared(void **state)
{
    static const Case cases[] = {
        {NULL, NULL, false, true},
        {NULL, NULL, true, true},
        {NULL, "http://gw:9901", false, true},
        {NULL, "http://GW:9901", false, true},
        {NULL, "https://gw:9901", true, true},
        {NULL, "https://gw:9901", false, false},
        {NULL, "http://gw:9901", true, false},
        {NULL, "http://gw:9902", false, false},
        {NULL, "http://gw", false, false},
        {NULL, "http://gw:99011", false, false},
        {NULL, "http://gw:9901.evil.example", false, false},
        {NULL, "http://evil.example", false, false},
        {NULL, "http://evil.example/gw:9901", false, false},
        {NULL, "null", false, false},
        {NULL, "", false, false},
        {NULL, "gw:9901", false, false},
        {NULL, "file://", false, false},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        check(&cases[i], "gw:9901");
}

static void an_origin_of_no_name_is_nobodys(void **state)
{
    check(&(Case){NULL, "http://", false, false}, "");
    check(&(Case){NULL, "http://[::1]:9901", false, true}, "[::1]:9901");
    check(&(Case){NULL, "https://gw", true, true}, "gw");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_browser_says_where_a_request_comes_from),
        cmocka_unit_test(without_that_the_origin_is_compared),
        cmocka_unit_test(an_origin_of_no_name_is_nobodys),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
