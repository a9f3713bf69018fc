#include "gateway/admin/admin_host.h"

#include "tests/unit/check.h"

static bool allowed_by(const char *listening, const char *const *hosts, uint32_t n,
                       const char *authority)
{
    const Config config = {.admin.host = listening, .admin_hosts = hosts, .n_admin_hosts = n};
    return admin_host_allowed(&config, bytes_of(authority));
}

static bool allowed(const char *authority)
{
    static const char *const hosts[] = {"gw1.internal", "*.monitoring.svc"};
    return allowed_by("Gateway.example", hosts, 2, authority);
}

static void names_that_nobody_else_can_bring_here_are_allowed(void **state)
{
    static const char *const good[] = {
        "localhost",
        "LOCALHOST:9901",
        "localhost.",
        "127.0.0.1",
        "127.0.0.1:9901",
        "10.1.2.3",
        "[::1]",
        "[::1]:9901",
        "[fd00::1:2]",
        "gateway.example",
        "gateway.EXAMPLE:80",
        "gw1.internal",
        "gw1.internal.",
        "GW1.internal:1",
        "a.monitoring.svc",
        "a.b.monitoring.svc:9901",
        "a.monitoring.svc.",
        "127.0.0.1:",
    };
    for (size_t i = 0; i < sizeof good / sizeof *good; i++)
        assert_true(allowed(good[i]) || (print_message("%s\n", good[i]), false));
}

static void all_others_are_not(void **state)
{
    static const char *const bad[] = {
        "",
        ":9901",
        ".",
        "rebound.example",
        "rebound.example:9901",
        "localhost.rebound.example",
        "localhost@rebound.example",
        "notlocalhost",
        "monitoring.svc",
        ".monitoring.svc",
        "xmonitoring.svc",
        "a.monitoring.svc.example",
        "gw1.internal.example",
        "x.gw1.internal",
        "127.0.0.1.example",
        "127.1",
        "0x7f000001",
        "2130706433",
        "::1",
        "[::1",
        "[]",
        "[127.0.0.1]",
        "[::1].example",
        "[0000:0000:0000:0000:0000:0000:0000:0000:0000:0000]",
        "gateway.example gateway.example",
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        assert_false(allowed(bad[i]) && (print_message("%s\n", bad[i]), true));
}

static void a_star_allows_all(void **state)
{
    static const char *const all[] = {"*"};
    assert_true(allowed_by("0.0.0.0", all, 1, "whatever.example:1"));
    assert_false(allowed_by("0.0.0.0", NULL, 0, "whatever.example:1"));
    assert_false(allowed_by(NULL, NULL, 0, "whatever.example:1"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(names_that_nobody_else_can_bring_here_are_allowed),
        cmocka_unit_test(all_others_are_not),
        cmocka_unit_test(a_star_allows_all),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
