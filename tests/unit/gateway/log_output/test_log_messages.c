/* Lines as messages of syslog and entries of the journal, and for people. */
#include "tests/unit/check.h"

#include "gateway/log_output/journal_entry.h"
#include "gateway/log_output/log_readable.h"
#include "gateway/log_output/syslog_message.h"

#include <stdlib.h>
#include <time.h>

#define TIME "\"time\":\"2026-11-03T10:33:00.123Z\""
#define CALL "{" TIME ",\"log\":\"call\",\"level\":\"info\",\"client\":\"acme\"}"

static Arena *arena;

static int begin(void **state)
{
    arena = arena_new(ARENA_UNLIMITED);
    setenv("TZ", "UTC-1", 1); /* an hour ahead */
    tzset();
    return 0;
}

static int end(void **state)
{
    arena_free(arena);
    return 0;
}

static LogView *view_of(const char *line)
{
    LogView *view = arena_make(arena, LogView);
    assert_true(log_view_read(bytes_of(line), arena, view));
    return view;
}

/* ---- syslog ---------------------------------------------------------------------------------- */

static void check_syslog(const SyslogForm *form, const char *line, const char *text,
                         const char *expected, bool whole)
{
    Buffer out = buffer_in(arena);
    assert_int_equal(syslog_message_write(form, view_of(line), bytes_of(text), &out), whole);
    assert_bytes(buffer_bytes(&out), expected);
}

static const SyslogForm new_form = {
    .facility = SYSLOG_LOCAL0, .most = 8192, .host = "gw1", .process = 4711};

static void a_message_says_what_the_standard_wants(void **state)
{
    check_syslog(&new_form, CALL, "text",
                 "<134>1 2026-11-03T10:33:00.123Z gw1 passerelle 4711 call - text", true);
    SyslogForm form = new_form;
    form.host = "a b\n\xc3\xa7";
    form.facility = 3;
    check_syslog(&form, "{\"log\":\"event\",\"level\":\"error\"}", "t",
                 "<27>1 - ab passerelle 4711 event - t", true);
    form.host = "";
    check_syslog(&form, "{\"level\":\"warning\"}", "t", "<28>1 - - passerelle 4711 call - t", true);
}

static void the_daemon_of_this_machine_gets_what_libc_sends(void **state)
{
    SyslogForm form = new_form;
    form.local = true;
    check_syslog(&form, CALL, "text", "<134>Nov  3 11:33:00 passerelle[4711]: text", true);
    check_syslog(&form, "{}", "text", "<134>passerelle[4711]: text", true);
}

/* Receivers of a stream find the end of a message by its length. */
static void over_a_stream_bytes_are_counted(void **state)
{
    SyslogForm form = new_form;
    form.counted = form.local = true;
    check_syslog(&form, "{}", "gar\xc3\xa7on", "30 <134>passerelle[4711]: gar\xc3\xa7on", true);
}

static void a_message_is_cut_between_two_characters(void **state)
{
    SyslogForm form = new_form;
    form.local = form.counted = true;
    form.most = strlen("<134>passerelle[4711]: ") + 6;
    check_syslog(&form, "{}", "abcdef", "29 <134>passerelle[4711]: abcdef", true);
    check_syslog(&form, "{}", "abcdefg", "29 <134>passerelle[4711]: abcdef", false);
    check_syslog(&form, "{}", "abcde\xc3\xa7", "28 <134>passerelle[4711]: abcde", false);
    form.most = 5;
    check_syslog(&form, "{}", "abc", "23 <134>passerelle[4711]: ", false);
}

static void facilities_have_names(void **state)
{
    assert_int_equal(syslog_facility("kern"), 0);
    assert_int_equal(syslog_facility("daemon"), 3);
    assert_int_equal(syslog_facility("local0"), 16);
    assert_int_equal(syslog_facility("local7"), 23);
    assert_int_equal(syslog_facility("local8"), -1);
    assert_null(syslog_facilities[24]);
}

/* ---- The journal ----------------------------------------------------------------------------- */

static void an_entry_has_a_field_for_each_member(void **state)
{
    Buffer out = buffer_in(arena);
    journal_entry_write(view_of("{\"log\":\"call\",\"level\":\"warning\",\"total_ms\":3.4,"
                                "\"causes\":[{\"fault\":\"A\"}],\"client\":\"a\\\"b\"}"),
                        bytes_of("hello"), &out);
    assert_bytes(buffer_bytes(&out), "MESSAGE=hello\nPRIORITY=4\nSYSLOG_IDENTIFIER=passerelle\n"
                                     "PASSERELLE_LOG=call\nPASSERELLE_LEVEL=warning\n"
                                     "PASSERELLE_TOTAL_MS=3.4\n"
                                     "PASSERELLE_CAUSES=[{\"fault\":\"A\"}]\n"
                                     "PASSERELLE_CLIENT=a\"b\n");
}

static void a_value_of_several_lines_cannot_pass_for_a_field(void **state)
{
    static const char expected[] = "MESSAGE\n\x05\0\0\0\0\0\0\0a\nb=c\nPRIORITY=6\n"
                                   "SYSLOG_IDENTIFIER=passerelle\n"
                                   "PASSERELLE_X_Y\n\x0b\0\0\0\0\0\0\0\nPRIORITY=0\n";
    Buffer out = buffer_in(arena);
    journal_entry_write(view_of("{\"x-y\":\"\\nPRIORITY=0\"}"), bytes_of("a\nb=c"), &out);
    assert_int_equal(out.size, sizeof expected - 1);
    assert_memory_equal(out.data, expected, out.size);
}

static void a_name_is_cut_where_the_journal_would_refuse_it(void **state)
{
    Buffer line = buffer_in(arena), out = buffer_in(arena);
    buffer_add_text(&line, "{\"");
    for (int i = 0; i < 60; i++)
        buffer_add_byte(&line, 'a');
    buffer_add_text(&line, "\":1}");
    journal_entry_write(view_of(arena_text(arena, buffer_bytes(&line))), bytes_of("m"), &out);
    const char *name = strstr(arena_text(arena, buffer_bytes(&out)), "PASSERELLE_");
    assert_int_equal(strcspn(name, "="), 64);
}

/* ---- For people ------------------------------------------------------------------------------ */

static void check_readable(const char *line, bool colours, const char *expected)
{
    Buffer out = buffer_in(arena);
    log_readable_write(view_of(line), colours, &out);
    assert_bytes(buffer_bytes(&out), expected);
}

static void a_line_for_people_says_what_matters(void **state)
{
    check_readable("{" TIME ",\"log\":\"call\",\"level\":\"info\",\"request_id\":\"r1\",\"client\":"
                   "\"acme\",\"verb\":\"GET\",\"path\":\"/v1/orders/7\",\"method\":"
                   "\"shop.orders.v1.Orders/Get\",\"client_version\":\"v1\",\"served_version\":"
                   "\"v3\",\"instance\":\"10.0.0.7:7001\",\"code\":\"OK\",\"losses\":2,"
                   "\"total_ms\":3.456}",
                   false,
                   "10:33:00.123 OK 3.456ms acme GET /v1/orders/7 shop.orders.v1.Orders/Get v1>v3 "
                   "10.0.0.7:7001 2 lost r1");
    check_readable(
        "{" TIME ",\"log\":\"call\",\"level\":\"warning\",\"client_version\":\"v1\","
        "\"served_version\":\"v1\",\"code\":\"OK\",\"degraded\":\"UPSTREAM_DOWN\","
        "\"degraded_by\":\"stale\",\"losses\":0,\"causes\":[{\"fault\":\"UPSTREAM_DOWN\","
        "\"doing\":\"connecting\"},{\"fault\":\"SYSTEM\",\"doing\":\"refused\"}]}",
        false,
        "10:33:00.123 WARNING OK v1 degraded by stale UPSTREAM_DOWN: connecting, "
        "refused");
    check_readable("{" TIME ",\"log\":\"event\",\"level\":\"error\",\"event\":\"upstream_down\","
                   "\"message\":\"no\"}",
                   false, "10:33:00.123 ERROR upstream_down: no");
}

static void a_terminal_gets_colours_and_nothing_of_clients(void **state)
{
    check_readable("{" TIME ",\"log\":\"call\",\"level\":\"error\",\"code\":\"UNKNOWN\",\"path\":"
                   "\"/\\u001b[2J\\n\"}",
                   true, "\x1b[2m10:33:00.123\x1b[0m\x1b[31m ERROR UNKNOWN /\\x1b[2J\\n\x1b[0m");
    check_readable("{" TIME ",\"log\":\"call\",\"level\":\"info\",\"code\":\"OK\"}", true,
                   "\x1b[2m10:33:00.123\x1b[0m OK");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_message_says_what_the_standard_wants),
        TEST(the_daemon_of_this_machine_gets_what_libc_sends),
        TEST(over_a_stream_bytes_are_counted),
        TEST(a_message_is_cut_between_two_characters),
        TEST(facilities_have_names),
        TEST(an_entry_has_a_field_for_each_member),
        TEST(a_value_of_several_lines_cannot_pass_for_a_field),
        TEST(a_name_is_cut_where_the_journal_would_refuse_it),
        TEST(a_line_for_people_says_what_matters),
        TEST(a_terminal_gets_colours_and_nothing_of_clients),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
