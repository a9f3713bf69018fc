#include "gateway/log_output/log_outputs.h"
#include "gateway/report/config_warnings.h"
#include "gateway/service/config_load.h"

#include "base/clock.h"
#include "base/text/date.h"
#include "tests/unit/check.h"
#include "tests/unit/gateway/garage.h"

#include <openssl/ssl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#define DAY (86400 * SECOND)

enum { NAMES_MOST = 8 };

/* A config, and what it is looked at in. */
typedef struct Look {
    Arena *arena;
    Config *config;
    Surroundings here;
    const char *asked[NAMES_MOST]; /* host names, in their order */
    int n_asked;
    const char *unknown; /* this one has no address */
    Problems warnings;
} Look;

static const char *resolve(void *owner, const char *host)
{
    Look *look = owner;
    assert_true(look->n_asked < NAMES_MOST);
    look->asked[look->n_asked++] = host;
    return look->unknown && strcmp(host, look->unknown) == 0 ? "nobody has it" : NULL;
}

static Look *look_at(const char *text)
{
    Arena *arena = arena_new(ARENA_UNLIMITED), *config_arena = arena_new(ARENA_UNLIMITED);
    Look *look = arena_make(arena, Look);
    look->arena = arena;
    look->here = (Surroundings){.memory = UINT64_MAX, .resolve = resolve, .owner = look};
    Problems problems = problems_in(arena);
    Buffer told = buffer_in(arena);
    assert_ok(arena, config_load_text(bytes_of(text), FILES "a.yaml", NULL, config_arena, &problems,
                                      &look->config));
    problems_print(&problems, &told);
    if (!look->config)
        fail_msg("%.*s", BYTES_ARGS(buffer_bytes(&told)));
    look->config->limits.connections =
        look->config->descriptors.room; /* enough, wherever it runs */
    return look;
}

/* All warnings of that moment, a line each. */
static const char *warnings_at(Look *look, int64_t wall)
{
    Buffer out = buffer_in(look->arena);
    look->warnings = problems_in(look->arena);
    look->here.wall = wall;
    look->n_asked = 0;
    config_warnings(look->config, &look->here, &look->warnings);
    for (size_t i = 0; i < look->warnings.n; i++)
        buffer_printf(&out, "%s\n", look->warnings.items[i].reason);
    return arena_text(look->arena, buffer_bytes(&out));
}

static void forget(Look *look)
{
    config_unref(look->config);
    arena_free(look->arena);
}

#define SERVICE(versions, more)                                                                    \
    LISTEN "services:\n  - name: garage\n    versions:\n" versions                                 \
           "    instances: [{address: '127.0.0.1:7003', versions: [v1, v3]}]\n" more
#define V1 "      - {name: v1, package: garage.v1, schema: garage.binpb, sunset: 2027-03-01}\n"
#define V3 "      - {name: v3, package: garage.v3, schema: garage.binpb}\n"

static int64_t day(const char *text)
{
    int64_t seconds;
    assert_true(date_read_day(bytes_of(text), &seconds));
    return seconds * SECOND;
}

/* No key is, at present: what reading one tells is in test_document.c. */
static void of_a_deprecated_key_what_replaces_it(void **state)
{
    Look *look = look_at(GOOD);
    look->config->deprecated = problems_in(look->arena);
    problem_add(&look->config->deprecated, "a.yaml", 3, 5, "listen[0].old", "write new: TEXT",
                "this key is deprecated");
    assert_string_equal(warnings_at(look, day("2026-11-30")),
                        "a.yaml:3:5: listen[0].old: this key is deprecated (write new: TEXT)\n");
    forget(look);
}

static void nothing_is_warned_of_where_all_is_well(void **state)
{
    Look *look = look_at(GOOD);
    assert_string_equal(warnings_at(look, day("2026-03-01")), "");
    assert_int_equal(look->n_asked, 0); /* addresses are not names */
    forget(look);
}

static void a_config_that_serves_nothing_is_warned_of(void **state)
{
    Look *look = look_at("listen: [{address: '127.0.0.1:0'}]\n");
    assert_non_null(strstr(warnings_at(look, 0), "there are no services and no routes"));
    forget(look);
}

#define CELLS(own, of_first, more)                                                                 \
    "listen: [{address: '127.0.0.1:0'}]\ncell: " own "\nservices: []\nroutes:\n"                   \
    "  - {match: /, instances: [{address: '127.0.0.1:1'" of_first "}, "                            \
    "{address: '127.0.0.1:2', cell: b}]}\n" more

static void a_cell_without_instances_is_warned_of(void **state)
{
    static const struct {
        const char *config;
        bool warned;
    } rows[] = {
        {CELLS("a", ", cell: a", ""), false},
        {CELLS("a", "", ""), false}, /* it is of every cell */
        {CELLS("x", ", cell: a", ""), true},
        {CELLS("x", ", cell: a", "  - {match: /x/, instances: ['127.0.0.1:3']}\n"), false},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        Look *look = look_at(rows[i].config);
        assert_string_equal(warnings_at(look, 0),
                            rows[i].warned ? "cell: no instance is in the gateway's cell x, so "
                                             "that all calls leave it; others are in b, for "
                                             "example\n"
                                           : "");
        forget(look);
    }
}

static void a_default_version_is_warned_of_from_its_sunset_on(void **state)
{
    Look *look = look_at(SERVICE(V1 V3, ""));
    assert_string_equal(warnings_at(look, day("2027-03-01") - 1), "");
    assert_string_equal(warnings_at(look, day("2027-03-01")),
                        "garage: the default version v1 is no longer served since its sunset, "
                        "2027-03-01: clients that specify no version get 410\n");
    forget(look);
}

static void another_version_past_its_sunset_is_no_reason_to_warn(void **state)
{
    Look *look = look_at(SERVICE(V1 V3, "    default_version: v3\n"));
    assert_string_equal(warnings_at(look, day("2028-01-01")), "");
    forget(look);
    look = look_at(SERVICE(V1 V3, "    negotiate: [header]\n"));
    assert_string_equal(warnings_at(look, day("2028-01-01")), "");
    forget(look);
}

static void a_pin_to_a_version_past_its_sunset_is_warned_of(void **state)
{
    Look *look = look_at(SERVICE(V1 V3, "    default_version: v3\n    pins: {old: v1, new: v3}\n"));
    assert_string_equal(warnings_at(look, day("2027-03-01") - 1), "");
    assert_string_equal(warnings_at(look, day("2027-03-01")),
                        "garage: the client old is pinned to v1, which is no longer served since "
                        "its sunset, 2027-03-01\n");
    forget(look);
}

/* Wall time of the certificate's first or last second. */
static int64_t time_of(const Look *look, bool last)
{
    const X509 *certificate = SSL_CTX_get0_certificate(look->config->listeners[0].tls);
    struct tm tm = {0};
    assert_int_equal(
        ASN1_TIME_to_tm(last ? X509_get0_notAfter(certificate) : X509_get0_notBefore(certificate),
                        &tm),
        1);
    CivilTime time = {.year = tm.tm_year + 1900,
                      .month = tm.tm_mon + 1,
                      .day = tm.tm_mday,
                      .hour = tm.tm_hour,
                      .minute = tm.tm_min,
                      .second = tm.tm_sec};
    return date_to_seconds(&time) * SECOND;
}

#define TLS "listen: [{address: '127.0.0.1:0', tls: {certificate: server.pem, key: server.key}}]\n"

static void a_certificate_is_warned_of_30_days_before_it_ends(void **state)
{
    Look *look = look_at(TLS GARAGE_SERVICE);
    int64_t begins = time_of(look, false), ends = time_of(look, true);
    char text[DATE_DAY_SIZE];
    date_write_day(ends / SECOND, text);
    assert_string_equal(warnings_at(look, begins), "");
    assert_string_equal(warnings_at(look, ends - 30 * DAY - 1), "");
    assert_string_equal(warnings_at(look, ends - 30 * DAY),
                        arena_printf(look->arena,
                                     "listener 127.0.0.1:0: the certificate ends on %.*s\n",
                                     DATE_DAY_SIZE, text));
    assert_non_null(strstr(warnings_at(look, ends - 1), "the certificate ends on"));
    assert_non_null(strstr(warnings_at(look, ends), "the certificate expired on"));
    assert_non_null(strstr(warnings_at(look, begins - 1), "the certificate is not valid before"));
    forget(look);
}

static void one_certificate_of_many_instances_is_warned_of_once(void **state)
{
    Look *look = look_at(
        "listen: ['127.0.0.1:0', {address: '127.0.0.1:0', "
        "tls: {certificate: server.pem, key: server.key}}]\nservices:\n  - name: garage\n"
        "    versions: [{name: v1, package: garage.v1, schema: garage.binpb}]\n    instances:\n"
        "      - {address: '127.0.0.1:1', tls: {certificate: server.pem, key: server.key}}\n"
        "      - {address: '127.0.0.1:2', tls: {certificate: server.pem, key: server.key}}\n");
    const char *told = warnings_at(look, day("2200-01-01"));
    assert_int_equal(look->warnings.n, 1);
    assert_non_null(strstr(told, "listener 127.0.0.1:0: the certificate expired"));
    forget(look);
}

static void each_name_is_looked_up_once_and_those_without_an_address_are_told(void **state)
{
    Look *look = look_at(
        "listen: ['front.example:80', '[::1]:81', 'unix:/tmp/x']\nadmin: 'front.example:82'\n"
        "services:\n  - name: garage\n"
        "    versions: [{name: v1, package: garage.v1, schema: garage.binpb}]\n"
        "    instances: ['a.example:1', 'b.example:1', 'a.example:2', '[::1]:3', 'unix:/tmp/y']\n");
    assert_string_equal(warnings_at(look, 1), "");
    assert_int_equal(look->n_asked, 3);
    assert_string_equal(look->asked[0], "front.example");
    assert_string_equal(look->asked[1], "a.example");
    assert_string_equal(look->asked[2], "b.example");
    look->unknown = "b.example";
    assert_string_equal(
        warnings_at(look, 1),
        "garage: instance b.example:1: b.example cannot be resolved: nobody has it\n");
    forget(look);
}

static void limits_that_the_machine_cannot_hold_are_warned_of(void **state)
{
    Look *look = look_at(GOOD);
    enum { CALL = 128 << 20 };
    static const struct {
        uint64_t memory, here;
        const char *warning;
    } rows[] = {
        {CALL, CALL, ""},
        {CALL - 1, CALL,
         "limits.call_memory is 134217728 bytes, but limits.memory is 134217727 for all calls\n"},
        {CALL + 1, CALL,
         "limits.memory is 134217729 bytes, but the process may have 134217728 in all\n"},
        {0, 2 * (uint64_t)CALL, ""},
        {0, 2 * (uint64_t)CALL - 2,
         "limits.call_memory is 134217728 bytes, but limits.memory is 134217727 for all calls\n"},
        {CALL, 0, ""}, /* unknown */
        {CALL, CALL - 1,
         "limits.call_memory is 134217728 bytes, but the process may have 134217727 in all\n"
         "limits.memory is 134217728 bytes, but the process may have 134217727 in all\n"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        look->config->limits.memory = rows[i].memory;
        look->here.memory = rows[i].here;
        assert_string_equal(warnings_at(look, 1), rows[i].warning);
    }
    look->here.memory = 0; /* unknown */
    assert_string_equal(warnings_at(look, 1), "");
    look->config->limits.connections++;
    assert_null(strstr(warnings_at(look, 1), "limits.connections")); /* the default */
    look->config->connections_said = true;
    assert_non_null(strstr(warnings_at(look, 1), "limits.connections is"));
    forget(look);
}

static void a_log_that_cannot_be_opened_is_warned_of(void **state)
{
    Look *look = look_at(GOOD "log: {file: /proc/none/log}\n");
    assert_string_equal(warnings_at(look, 1),
                        "the log /proc/none/log cannot be opened: No such file or directory\n");
    LogOutputConfig output;
    look->config->log = log_config_of_file("-", &output);
    assert_string_equal(warnings_at(look, 1), "");
    forget(look);
}

static void a_store_that_cannot_be_used_is_warned_of(void **state)
{
    Look *look = look_at(GOOD "store: {sqlite: " FILES "none.db}\n");
    assert_string_equal(warnings_at(look, 1), "");
    look->config->store.sqlite = FILES "garage.binpb";
    assert_non_null(strstr(warnings_at(look, 1), "garage.binpb is damaged, or no database"));
    look->config->store.sqlite = "/proc/none/store.db";
    assert_non_null(strstr(warnings_at(look, 1), "the folder /proc/none cannot be written"));
    look->config->store.sqlite = NULL;
    assert_string_equal(warnings_at(look, 1), "");
    forget(look);
}

static void a_log_that_is_called_like_an_output_is_warned_of(void **state)
{
    Look *look = look_at(GOOD "log: {file: '-', also: [{file: stdout}]}\n");
    assert_non_null(strstr(warnings_at(look, 1), "log: stdout is a file of that name; the standard "
                                                 "output is \"-\"\n"));
    forget(look);
    look = look_at(GOOD "log: calls.log\n");
    assert_null(strstr(warnings_at(look, 1), "of that name"));
    forget(look);
}

static void a_key_that_others_may_use_is_warned_of(void **state)
{
    Look *look = look_at(GOOD);
    char file[] = "/tmp/keyXXXXXX";
    SecretFile second = {.path = "store.keys[0].file", .file = file},
               first = {.path = "clients.key", .file = file, .next = &second};
    int fd = mkstemp(file);
    assert_true(fd >= 0);
    close(fd);
    look->config->secrets = &first;
    static const mode_t good[] = {0600, 0400, 0700}, bad[] = {0640, 0620, 0604, 0602, 0601};
    for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
        assert_int_equal(chmod(file, good[i]), 0);
        assert_string_equal(warnings_at(look, 1), "");
    }
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        assert_int_equal(chmod(file, bad[i]), 0);
        assert_string_equal(
            warnings_at(look, 1),
            arena_printf(look->arena,
                         "clients.key: other users may use %s (mode %03o): chmod 600\n"
                         "store.keys[0].file: other users may use %s (mode %03o): chmod 600\n",
                         file, (unsigned)bad[i], file, (unsigned)bad[i]));
    }
    unlink(file);
    assert_string_equal(warnings_at(look, 1), "");
    forget(look);
}

static void root_that_stays_root_in_the_sandbox_is_warned_of(void **state)
{
    static const struct {
        bool root, on;
        SandboxConfig said;
        const char *to_name; /* NULL: nothing is warned of */
    } rows[] = {{true, true, {0}, "a"},
                {true, true, {.user = "passerelle"}, NULL},
                {true, true, {.user = "root", .root = true}, "another"},
                {false, true, {.user = "root", .root = true}, "another"},
                {true, false, {0}, NULL},
                {false, true, {0}, NULL}};
    Look *look = look_at(GOOD);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        look->here.root = rows[i].root;
        look->config->sandbox = rows[i].said;
        look->config->sandbox.on = rows[i].on;
        char text[128] = "";
        if (rows[i].to_name)
            snprintf(text, sizeof text,
                     "sandbox: root stays root, and owns the files of root: name %s user\n",
                     rows[i].to_name);
        assert_string_equal(warnings_at(look, 1), text);
    }
    forget(look);
}

static void what_cannot_be_looked_up_in_time_is_not_waited_for(void **state)
{
    Patience patience = {.patience = 60 * SECOND};
    Surroundings here = surroundings_here(&patience);
    assert_true(here.memory > 0 && here.wall > day("2020-01-01"));
    assert_null(here.resolve(here.owner, "127.0.0.1"));
    assert_non_null(here.resolve(here.owner, "a..b"));
    patience.began -= 61 * SECOND;
    assert_non_null(strstr(here.resolve(here.owner, "127.0.0.1"), "too slow"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(of_a_deprecated_key_what_replaces_it),
        cmocka_unit_test(nothing_is_warned_of_where_all_is_well),
        cmocka_unit_test(a_config_that_serves_nothing_is_warned_of),
        cmocka_unit_test(a_cell_without_instances_is_warned_of),
        cmocka_unit_test(a_default_version_is_warned_of_from_its_sunset_on),
        cmocka_unit_test(another_version_past_its_sunset_is_no_reason_to_warn),
        cmocka_unit_test(a_pin_to_a_version_past_its_sunset_is_warned_of),
        cmocka_unit_test(a_certificate_is_warned_of_30_days_before_it_ends),
        cmocka_unit_test(one_certificate_of_many_instances_is_warned_of_once),
        cmocka_unit_test(each_name_is_looked_up_once_and_those_without_an_address_are_told),
        cmocka_unit_test(limits_that_the_machine_cannot_hold_are_warned_of),
        cmocka_unit_test(a_log_that_cannot_be_opened_is_warned_of),
        cmocka_unit_test(a_store_that_cannot_be_used_is_warned_of),
        cmocka_unit_test(a_log_that_is_called_like_an_output_is_warned_of),
        cmocka_unit_test(a_key_that_others_may_use_is_warned_of),
        cmocka_unit_test(root_that_stays_root_in_the_sandbox_is_warned_of),
        cmocka_unit_test(what_cannot_be_looked_up_in_time_is_not_waited_for),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
