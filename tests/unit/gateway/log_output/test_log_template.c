#include "tests/unit/check.h"

#include "gateway/log_output/log_members.h"
#include "gateway/log_output/log_template.h"

#define TIME "\"time\":\"2026-11-30T10:33:00.123Z\""

static Arena *arena;

static int begin(void **state)
{
    arena = arena_new(ARENA_UNLIMITED);
    return 0;
}

static int end(void **state)
{
    arena_free(arena);
    return 0;
}

static const LogTemplate *read(const char *text)
{
    const LogTemplate *template;
    assert_ok(arena, log_template_read(arena, bytes_of(text), &template));
    return template;
}

static void check(const char *text, const char *line, const char *expected)
{
    LogView view;
    Buffer out = buffer_in(arena);
    assert_true(log_view_read(bytes_of(line), arena, &view));
    log_template_write(read(text), &view, &out);
    assert_bytes(buffer_bytes(&out), expected);
}

static void members_stand_where_the_template_has_them(void **state)
{
    static const char line[] = "{\"client\":\"acme\",\"http_status\":200,\"total_ms\":3.456,"
                               "\"causes\":[{\"fault\":\"A\"},{\"fault\":\"B\",\"line\":[7,8]}],"
                               "\"fields\":{\"order.id\":\"o-7\"},\"none\":\"\",\"yes\":true}";
    check("%{client}", line, "acme");
    check("%{client} %{http_status} %{total_ms}ms", line, "acme 200 3.456ms");
    check("<%{client}>\t%%%{yes}%%", line, "<acme>\t%true%");
    check("%{causes.0.fault}/%{causes.1.fault}/%{causes.1.line.1}", line, "A/B/8");
    check("%{fields.order.id}", line, "o-7");
}

static void what_is_missing_or_empty_is_a_dash(void **state)
{
    static const char line[] = "{\"a\":\"\",\"b\":[1],\"c\":{\"d\":1}}";
    check("%{a} \"%{a}\" %{x} %{b.1} %{b.x} %{c.e} %{c.d.e} %{b.0}", line, "- \"-\" - - - - - 1");
}

/* The JSON line has it as \uXXXX; what clients send may be anything. */
static void what_could_pass_for_something_else_is_escaped(void **state)
{
    static const struct {
        const char *json, *bare, *quoted;
    } rows[] = {
        {"a b", "a\\x20b", "a b"},
        {"a\\\"b", "a\\\"b", "a\\\"b"},
        {"a\\\\b", "a\\\\b", "a\\\\b"},
        {"a\\\\x20b", "a\\\\x20b", "a\\\\x20b"},
        {"a\\nb", "a\\nb", "a\\nb"},
        {"a\\r\\nb", "a\\r\\nb", "a\\r\\nb"},
        {"a\\tb", "a\\tb", "a\\tb"},
        {"a\\u0000b", "a\\x00b", "a\\x00b"},
        {"a\\u001b[31mb", "a\\x1b[31mb", "a\\x1b[31mb"},
        {"a\\u007fb", "a\\x7fb", "a\\x7fb"},
        {"a\\u009bb", "a\\u009bb", "a\\u009bb"},
        {"a\\u202eb", "a\\u202eb", "a\\u202eb"},
        {"gar\xc3\xa7on", "gar\xc3\xa7on", "gar\xc3\xa7on"},
        {"%{client}", "%{client}", "%{client}"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        const char *line = arena_printf(arena, "{\"client\":\"%s\"}", rows[i].json);
        check("%{client}", line, rows[i].bare);
        check("\"%{client}\"", line, arena_printf(arena, "\"%s\"", rows[i].quoted));
        check("\"%{client}\" %{client}", line,
              arena_printf(arena, "\"%s\" %s", rows[i].quoted, rows[i].bare));
    }
}

static void combined_is_what_apache_writes(void **state)
{
    check(log_template_combined,
          "{" TIME ",\"log\":\"call\",\"peer\":\"192.0.2.7:5000\",\"client\":\"ada l\",\"verb\":"
          "\"GET\",\"path\":\"/v1/orders/7\",\"http_status\":200,\"bytes_out\":57,\"protocol\":"
          "\"HTTP/1.1\",\"user_agent\":\"curl/8 \\\"x\\\"\",\"referer\":\"https://a.example/\"}",
          "192.0.2.7 - ada\\x20l [30/Nov/2026:10:33:00 +0000] \"GET /v1/orders/7 HTTP/1.1\" 200 57 "
          "\"https://a.example/\" \"curl/8 \\\"x\\\"\"");
    check(log_template_combined, "{}", "- - - [] \"- - -\" - - \"-\" \"-\"");
}

static void the_address_is_the_clients_without_its_port(void **state)
{
    check("%{address}", "{\"peer\":\"192.0.2.7:5000\"}", "192.0.2.7");
    check("%{address}", "{\"peer\":\"[2001:db8::1]:5000\"}", "2001:db8::1");
    check("%{address}", "{\"peer\":\"unix\"}", "unix");
    check("%{address}", "{\"peer\":\"10.0.0.1:1\",\"forwarded_for\":\"2001:db8::7\"}",
          "2001:db8::7");
    check("%{address}", "{}", "-");
}

static void what_is_no_template_is_refused(void **state)
{
    static const char *const bad[] = {"",       "text",  "%",        "%%",          "%{}",
                                      "%{a",    "%a",    "%{a b}",   "%{a}\n",      "\x01%{a}",
                                      "%{a-b}", "%{a}%", "%{a}\x7f", "%{\xc3\xa7}", "\xff%{a}"};
    const LogTemplate *template;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        assert_fault(log_template_read(arena, bytes_of(bad[i]), &template), FAULT_BAD_CONFIG);
}

static void a_template_has_a_limit(void **state)
{
    const LogTemplate *template;
    Buffer most = buffer_in(arena);
    for (int i = 1; i < LOG_TEMPLATE_PIECES; i++)
        buffer_add_text(&most, "%{a}");
    assert_ok(arena, log_template_read(arena, buffer_bytes(&most), &template));
    buffer_add_text(&most, "%{a}");
    assert_fault(log_template_read(arena, buffer_bytes(&most), &template), FAULT_BAD_CONFIG);

    Buffer long_one = buffer_in(arena);
    buffer_add_text(&long_one, "%{a}");
    while (long_one.size < LOG_TEMPLATE_SIZE)
        buffer_add_byte(&long_one, 'x');
    assert_ok(arena, log_template_read(arena, buffer_bytes(&long_one), &template));
    buffer_add_byte(&long_one, 'x');
    assert_fault(log_template_read(arena, buffer_bytes(&long_one), &template), FAULT_BAD_CONFIG);
}

static void a_template_knows_which_members_it_has(void **state)
{
    const LogTemplate *template = read("%{a} %{b.c}");
    assert_true(log_template_has(template, "a"));
    assert_true(log_template_has(template, "b"));
    assert_false(log_template_has(template, "c"));
    assert_false(log_template_has(template, "b.c.d"));
    assert_true(log_template_has(read(log_template_combined), "user_agent"));
}

static void a_member_that_no_line_has_is_told(void **state)
{
    static const struct {
        const char *name, *near; /* NULL: a line of a call has it */
    } rows[] = {
        {"client", NULL},
        {"causes", NULL},
        {"causes.0", NULL},
        {"causes.12.fault", NULL},
        {"attempts.0.why", NULL},
        {"detail_causes.1.at", NULL},
        {"fields.order.id", NULL},
        {"claims.NAME", NULL},
        {"baggage.tenant", NULL},
        {"clint", "client"},
        {"clint.x", "client"},
        {"client.name", "client"},
        {"fields.", "fields.NAME"},
        {"causes.fault", "causes.0.fault"},
        {"causes.0.falt", "causes.0.fault"},
        {"attempts.0.fault", "attempts.0.instance"},
        {"causes.", "causes.0.fault"},
        {"causes.0.fault.x", "causes.0.fault"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        Bytes name = bytes_of(rows[i].name);
        assert_int_equal(log_member_exists(name), !rows[i].near);
        if (rows[i].near)
            assert_string_equal(log_member_near(arena, name), rows[i].near);
    }
    assert_null(log_member_near(arena, bytes_of("nosuchthing")));
    assert_bytes(log_template_stranger(read("%{client} %{clint} %{x}")), "clint");
    assert_bytes(log_template_stranger(read("%{address} %{apache_time}")), "");
    assert_bytes(log_template_stranger(read(log_template_combined)), "");
}

static void a_line_that_is_no_object_has_no_view(void **state)
{
    static const char *const bad[] = {"", "[]", "{", "{\"a\":1", "{\"a\":1}x", "{\"a\":01}", "7"};
    LogView view;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        assert_false(log_view_read(bytes_of(bad[i]), arena, &view));
    assert_true(log_view_read(bytes_of("{}"), arena, &view));
    assert_int_equal(log_view_severity(&view), 6);
}

static void members_beyond_the_most_are_left_out(void **state)
{
    LogView view;
    Buffer line = buffer_in(arena);
    buffer_add_byte(&line, '{');
    for (int i = 0; i <= LOG_VIEW_MEMBERS; i++)
        buffer_printf(&line, "%s\"m%d\":%d", i ? "," : "", i, i);
    buffer_add_byte(&line, '}');
    assert_true(log_view_read(buffer_bytes(&line), arena, &view));
    assert_int_equal(view.n, LOG_VIEW_MEMBERS);
    assert_bytes(log_view_get(&view, "m95"), "95");
    assert_int_equal(log_view_get(&view, "m96").size, 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(members_stand_where_the_template_has_them),
        TEST(what_is_missing_or_empty_is_a_dash),
        TEST(what_could_pass_for_something_else_is_escaped),
        TEST(combined_is_what_apache_writes),
        TEST(the_address_is_the_clients_without_its_port),
        TEST(what_is_no_template_is_refused),
        TEST(a_template_has_a_limit),
        TEST(a_template_knows_which_members_it_has),
        TEST(a_member_that_no_line_has_is_told),
        TEST(a_line_that_is_no_object_has_no_view),
        TEST(members_beyond_the_most_are_left_out),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
