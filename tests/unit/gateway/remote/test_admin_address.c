#include "gateway/remote/admin_address.h"

#include "base/arena.h"
#include "tests/unit/check.h"

static Arena *arena;
static AdminAddress address;

static int set_up(void **state)
{
    arena = arena_new(ARENA_UNLIMITED);
    return 0;
}

static int tear_down(void **state)
{
    arena_free(arena);
    return 0;
}

static void assert_host(const char *text, const char *host, const char *port, bool tls)
{
    assert_true(admin_address_read(arena, text, &address));
    assert_null(address.path);
    assert_string_equal(address.host, host);
    assert_string_equal(address.port, port);
    assert_int_equal(address.tls, tls);
}

static void a_path_is_a_unix_socket(void **state)
{
    static const char *const texts[] = {"unix:/run/x.sock", "/run/x.sock"};
    for (size_t i = 0; i < 2; i++) {
        assert_true(admin_address_read(arena, texts[i], &address));
        assert_string_equal(address.path, "/run/x.sock");
        assert_false(address.tls);
    }
    assert_true(admin_address_read(arena, "unix:x", &address));
    assert_string_equal(address.path, "x");
}

static void a_relative_path_has_a_slash_or_the_usual_end(void **state)
{
    static const char *const texts[] = {"adm.sock", "./adm", "../adm:1", "run/adm", "a-b/c"};
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        assert_true(admin_address_read(arena, texts[i], &address));
        assert_string_equal(address.path, texts[i]);
    }
}

static void a_host_has_a_port(void **state)
{
    assert_host("gw1:9901", "gw1", "9901", false);
    assert_host("127.0.0.1:1", "127.0.0.1", "1", false);
    assert_host("[::1]:65535", "::1", "65535", false);
}

static void a_url_has_the_usual_port(void **state)
{
    assert_host("http://gw1", "gw1", "80", false);
    assert_host("https://gw1", "gw1", "443", true);
    assert_host("https://[2001:db8::1]/", "2001:db8::1", "443", true);
    assert_host("https://gw1:9901/", "gw1", "9901", true);
}

static void what_is_no_address_is_refused(void **state)
{
    static const char *const texts[] = {
        "",          "gw1",          "gw1:",       "gw1:0",         "gw1:65536",   "gw1:x",
        ":9901",     "::1:9901",     "[gw1]:9901", "[]:9901",       "[::1]",       "[::1]9901",
        "unix:",     "https://",     "http:///",   "https://gw1/x", "ftp://gw1:1", "a@gw1:9901",
        "gw1:9901/", "adm.sock:1/x", "adm.sockx",  "gw1:99 01",     "gw1:+1",      "https://a:b:1"};
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        if (admin_address_read(arena, texts[i], &address))
            fail_msg("%s was taken", texts[i]);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_path_is_a_unix_socket),
        TEST(a_relative_path_has_a_slash_or_the_usual_end),
        TEST(a_host_has_a_port),
        TEST(a_url_has_the_usual_port),
        TEST(what_is_no_address_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
