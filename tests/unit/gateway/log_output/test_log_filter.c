#include "tests/unit/check.h"

#include "gateway/log_output/log_filter.h"

static const char call[] =
    "{\"log\":\"call\",\"level\":\"warning\",\"request_id\":\"r1\",\"trace_id\":\"t1\",\"client\":"
    "\"ac me\",\"path\":\"/v1/orders/7\",\"service\":\"orders\",\"method\":"
    "\"shop.orders.v1.Orders/"
    "Get\",\"client_version\":\"v1\",\"served_version\":\"v3\",\"instance\":"
    "\"10.0.0.7:7001\",\"code\":\"OK\",\"degraded\":\"UPSTREAM_RESET\",\"causes\":[{\"fault\":"
    "\"UPSTREAM_DOWN\"},{\"fault\":\"SYSTEM\"}],\"attempts\":[{\"instance\":\"10.0.0.8:7001\","
    "\"why\":\"UPSTREAM_TIMEOUT\"}],\"total_ms\":100.500}";

static bool takes(const char *query, const char *line)
{
    Arena *arena = arena_new(ARENA_UNLIMITED);
    LogFilter filter;
    LogView view;
    assert_ok(arena, log_filter_read(bytes_of(query), arena, &filter));
    assert_true(log_view_read(bytes_of(line), arena, &view));
    bool taken = log_filter_takes(&filter, &view);
    arena_free(arena);
    return taken;
}

static void each_filter_lets_its_own_pass(void **state)
{
    static const char *const good[] = {
        "",
        "service=orders",
        "method=shop.orders.v1.Orders/Get",
        "method=Orders/Get",
        "method=Get",
        "client=ac+me",
        "client=ac%20me",
        "code=OK",
        "code=ok",
        "fault=UPSTREAM_DOWN",
        "fault=SYSTEM",
        "fault=UPSTREAM_RESET",
        "fault=UPSTREAM_TIMEOUT",
        "level=info",
        "level=warning",
        "log=call",
        "path=/v1/orders/",
        "path=%2Fv1",
        "min_ms=0",
        "min_ms=100",
        "instance=10.0.0.7:7001",
        "instance=10.0.0.8:7001",
        "version=v1",
        "version=v3",
        "request_id=r1",
        "request_id=t1",
        "service=orders&code=OK&min_ms=5&&",
    };
    for (size_t i = 0; i < sizeof good / sizeof *good; i++)
        assert_true(takes(good[i], call));
}

static void each_filter_holds_back_the_others(void **state)
{
    static const char *const bad[] = {
        "service=order",
        "method=rders/Get",
        "method=v1",
        "client=acme",
        "code=UNAVAILABLE",
        "code=unknown",
        "fault=UPSTREAM",
        "level=error",
        "log=event",
        "path=/v2",
        "path=/v1/orders/77",
        "min_ms=101",
        "instance=10.0.0.9:7001",
        "version=v2",
        "request_id=r",
        "service=orders&code=NOT_FOUND",
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        assert_false(takes(bad[i], call));
    assert_false(takes("min_ms=0", "{\"log\":\"event\"}"));
    assert_true(takes("log=event", "{\"log\":\"event\"}"));
}

static void a_query_that_says_something_else_is_refused(void **state)
{
    static const char *const bad[] = {
        "servic=a", "service",    "service=",  "service=%zz",     "level=bad",
        "log=tail", "min_ms=1.5", "min_ms=-1", "code=OK&code=OK", "code=OKAY",
        "code=O",   "code=0",     "=a"};
    Arena *arena = arena_new(ARENA_UNLIMITED);
    LogFilter filter;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        assert_fault(log_filter_read(bytes_of(bad[i]), arena, &filter), FAULT_BAD_VALUE);
    Result r = log_filter_read(bytes_of("servic=a"), arena, &filter);
    assert_non_null(strstr(r.error->doing, "service, method, client"));
    arena_free(arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_filter_lets_its_own_pass),
        cmocka_unit_test(each_filter_holds_back_the_others),
        cmocka_unit_test(a_query_that_says_something_else_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
