#include "tests/unit/check.h"

#include "gateway/admin/admin.h"
#include "gateway/instances/instances.h"
#include "tests/unit/gateway/telemetry_fixture.h"

#include <arpa/inet.h>
#include <openssl/sha.h>
#include <sys/socket.h>
#include <sys/un.h>

typedef struct Listener {
    Fixture *f;
    atomic_bool ready;
    Admin *admin;
} Listener;

static Listener listener;

enum { MOST = 8 };

static Config config_at(Address address)
{
    return (Config){.admin = address, .descriptors = {.admin = MOST}};
}

static int begin(void **state)
{
    const Config config = config_at((Address){.text = "127.0.0.1:0", .host = "127.0.0.1"});
    if (fixture_begin(state) != 0)
        return -1;
    listener.f = *state;
    atomic_store(&listener.ready, true);
    return failed(admin_start(listener.f->arena, &config, &config.admin,
                              &(AdminSees){.ready = &listener.ready}, &listener.admin))
               ? -1
               : 0;
}

static int end(void **state)
{
    admin_stop(listener.admin);
    listener.admin = NULL;
    return fixture_end(state);
}

static int connect_to(uint16_t port)
{
    struct sockaddr_in name = {.sin_family = AF_INET, .sin_port = htons(port)};
    name.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    assert_true(fd >= 0);
    assert_int_equal(connect(fd, (struct sockaddr *)&name, sizeof name), 0);
    return fd;
}

/* Sends the text and reads until the server closes. */
static const char *exchange(Arena *arena, int fd, const char *text)
{
    Buffer answer = buffer_in(arena);
    assert_int_equal(write(fd, text, strlen(text)), strlen(text));
    ssize_t n;
    do {
        buffer_reserve(&answer, 4096);
        n = read(fd, answer.data + answer.size, 4096);
        answer.size += n > 0 ? (size_t)n : 0;
    } while (n > 0);
    close(fd);
    return arena_text(arena, buffer_bytes(&answer));
}

static const char *ask(const char *verb, const char *path, const char *more)
{
    Arena *arena = listener.f->arena;
    const char *text =
        arena_printf(arena, "%s %s HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n%s\r\n",
                     verb, path, more);
    return exchange(arena, connect_to(admin_port(listener.admin)), text);
}

#define assert_has(answer, text) assert_non_null(strstr((answer), (text)))

static void it_says_that_it_lives(void **state)
{
    const char *answer = ask("GET", "/healthz", "");
    assert_has(answer, "HTTP/1.1 200 OK\r\n");
    assert_has(answer, "\r\n\r\nalive\n");
    assert_has(answer, "cache-control: no-store\r\n");
}

static void it_is_ready_only_while_calls_are_taken(void **state)
{
    assert_has(ask("GET", "/readyz", ""), "HTTP/1.1 200 OK\r\n");
    atomic_store(&listener.ready, false);
    const char *answer = ask("GET", "/readyz", "");
    assert_has(answer, "HTTP/1.1 503 Service Unavailable\r\n");
    assert_has(answer, "content-type: application/problem+json\r\n");
    assert_has(answer, "\"title\":\"Service Unavailable\",\"status\":503,");
    assert_has(ask("GET", "/healthz", ""), "HTTP/1.1 200 OK\r\n");
}

static void metrics_come_in_the_format_that_is_asked_for(void **state)
{
    telemetry_record(&listener.f->loop, &listener.f->record);
    const char *answer = ask("GET", "/metrics", "");
    assert_has(answer, "content-type: text/plain; version=0.0.4; charset=utf-8\r\n");
    assert_has(answer, "\npasserelle_service_duration_seconds_count{service=\"orders\"} 1\n");
    answer = ask("GET", "/metrics?x=y", "accept: application/openmetrics-text;version=1.0.0\r\n");
    assert_has(answer,
               "content-type: application/openmetrics-text; version=1.0.0; charset=utf-8\r\n");
    assert_has(answer, "\n# EOF\n");
}

static void the_config_is_told_with_the_state_of_its_instances(void **state)
{
    Fixture *f = listener.f;
    known_instance_set_down(f->config->services[0].instances[0].known, true);
    known_instance_bar(f->config->services[0].instances[0].known, BAR_EJECTED, true);
    const char *answer = ask("GET", "/config", "");
    assert_has(answer, "content-type: application/json\r\n");
    assert_has(
        answer,
        "{\"generation\":1,\"file\":\"shop.yaml\",\"listeners\":[],\"services\":[{\"name\":"
        "\"orders\","
        "\"versions\":[{\"name\":\"v1\",\"methods\":1},{\"name\":\"v2\",\"methods\":1}],"
        "\"all_used\":false,\"instances\":[{\"address\":\"127.0.0.1:7001\",\"protocol\":\"grpc\","
        "\"codec\":\"proto\","
        "\"tls\":false,\"build\":\"3.1.0\",\"weight\":1,\"versions\":[\"v1\"],\"up\":false,\"loops_"
        "away\":1,"
        "\"running\":0,\"called\":false,"
        "\"barred\":[\"ejected\"]},"
        "{\"address\":\"127.0.0.1:7002\",");
    assert_has(answer, "\"up\":true,\"loops_away\":0,\"running\":0,\"called\":false,\"barred\":[]}]"
                       "}],\"routes\":[{"
                       "\"match\":\"orders\","
                       "\"impact\":\"high\",\"on_failure\":\"graceful\",\"attempts\":0,"
                       "\"timeout_ms\":0}]}\n");
}

static void other_pages_and_verbs_are_problems(void **state)
{
    const char *answer = ask("GET", "/nothing", "");
    assert_has(answer, "HTTP/1.1 404 Not Found\r\n");
    assert_has(answer, "content-type: application/problem+json\r\n");
    answer = ask("POST", "/metrics", "content-length: 2\r\n\r\n{}");
    assert_has(answer, "HTTP/1.1 405 Method Not Allowed\r\n");
    assert_has(answer, "allow: GET, HEAD\r\n");
    assert_has(answer, "\"status\":405");
}

static void a_head_has_no_body(void **state)
{
    const char *answer = ask("HEAD", "/healthz", "");
    assert_has(answer, "HTTP/1.1 200 OK\r\n");
    assert_true(bytes_end_with(bytes_of(answer), "\r\n\r\n"));
}

static void bodies_that_nobody_wants_are_refused(void **state)
{
    const char *answer = ask("POST", "/metrics", "content-length: 10000000\r\n");
    assert_has(answer, " 413 ");
    assert_has(answer, "content-type: application/problem+json\r\n");
    assert_has(answer, "\"status\":413,");
    assert_has(answer, "\"detail\":\"request entity is too large\"");
}

/* As strict as the listeners for clients, and in the same shape. */
static void malformed_requests_are_refused_with_a_problem(void **state)
{
    static const struct {
        const char *fields, *detail;
    } cases[] = {
        {"content-length: 5\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n",
         "Content-Length and Transfer-Encoding are both present"},
        {"content-length: 0\r\ncontent-length: 0\r\n", "there are several Content-Length fields"},
        {"content-length: x\r\n", "broken content-length header"},
        {"transfer-encoding: gzip\r\n", "unknown transfer-encoding"},
        {"transfer-encoding: chunked\r\n\r\nzz\r\n", "broken chunked-encoding"},
        {"host: localhost\r\n", "there must be exactly one Host field"},
        {"a: b\r\n c\r\n", "a header field is folded over several lines"},
        {"authorization: a\r\nauthorization: b\r\n", "a field that may be sent once is sent twice"},
        {"passerelle-why: a\r\nPasserelle-Why: b\r\n",
         "a field that may be sent once is sent twice"},
        {"origin: http://a\r\norigin: http://a\r\n", "a field that may be sent once is sent twice"},
        {"sec-fetch-site: none\r\nSec-Fetch-Site: none\r\n",
         "a field that may be sent once is sent twice"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const char *answer = ask("GET", "/healthz", cases[i].fields);
        assert_has(answer, "HTTP/1.1 400 ");
        assert_has(answer, "Connection: close\r\n");
        assert_has(answer, "content-type: application/problem+json\r\n");
        if (!strstr(answer, cases[i].detail))
            fail_msg("%s got %s", cases[i].fields, answer);
    }
    assert_has(ask("GET", "/healthz", "authorization: a\r\npasserelle-why: a\r\n"), " 200 ");
}

static void it_stops_while_connections_are_open(void **state)
{
    Fixture *f = listener.f;
    int idle = connect_to(admin_port(listener.admin)),
        half = connect_to(admin_port(listener.admin));
    const char *kept = "GET /healthz HTTP/1.1\r\nhost: localhost\r\n\r\n", *part = "GET /heal";
    char answer[1024];
    assert_int_equal(write(idle, kept, strlen(kept)), strlen(kept));
    assert_true(read(idle, answer, sizeof answer) > 0);
    assert_int_equal(write(half, part, strlen(part)), strlen(part));
    uint16_t port = admin_port(listener.admin);
    admin_stop(listener.admin);
    listener.admin = NULL;
    assert_true(read(idle, answer, sizeof answer) <= 0);
    assert_true(read(half, answer, sizeof answer) <= 0);
    close(idle);
    close(half);

    /* And the port is free again. */
    const Config config = config_at((Address){.text = "again", .host = "127.0.0.1", .port = port});
    assert_ok(f->arena, admin_start(f->arena, &config, &config.admin,
                                    &(AdminSees){.ready = &listener.ready}, &listener.admin));
    assert_has(ask("GET", "/healthz", ""), "alive");
}

/* Asks on a connection that stays; gives whether there was an answer. */
static bool ask_on(int fd, const char *path)
{
    char text[256], answer[4096];
    int size = snprintf(text, sizeof text, "GET %s HTTP/1.1\r\nhost: 127.0.0.1\r\n\r\n", path);
    return send(fd, text, (size_t)size, MSG_NOSIGNAL) == size &&
           read(fd, answer, sizeof answer) > 12 && memcmp(answer, "HTTP/1.1 200", 12) == 0;
}

static bool is_closed(int fd)
{
    char byte;
    return read(fd, &byte, 1) <= 0;
}

static void a_newcomer_takes_the_place_of_whoever_was_silent_longest(void **state)
{
    int fds[MOST + 1];
    for (int i = 0; i < MOST; i++) {
        fds[i] = connect_to(admin_port(listener.admin));
        assert_true(ask_on(fds[i], "/healthz"));
    }
    assert_true(
        ask_on(fds[0], "/healthz")); /* all have room, and now the second was silent longest */
    fds[MOST] = connect_to(admin_port(listener.admin));
    assert_true(ask_on(fds[MOST], "/healthz"));
    assert_true(is_closed(fds[1]));
    for (int i = 0; i <= MOST; i++) {
        if (i != 1)
            assert_true(ask_on(fds[i], "/readyz"));
        close(fds[i]);
    }
}

static void an_operator_is_the_last_to_go(void **state)
{
    static OperatorConfig operators[] = {{.name = "ops", .role = ROLE_READ, .has_token = true}};
    SHA256((const uint8_t *)"secret", 6, operators[0].token_hash);
    listener.f->config->operators = operators;
    listener.f->config->n_operators = 1;
    int fds[2 * MOST];
    for (int i = 0; i < 2 * MOST; i++) { /* the oldest one is the operator */
        fds[i] = connect_to(admin_port(listener.admin));
        assert_true(ask_on(fds[i], i == 0
                                       ? "/healthz HTTP/1.1\r\nauthorization: Bearer secret\r\nx:"
                                       : "/healthz"));
    }
    for (int i = 1; i <= MOST; i++)
        assert_true(is_closed(fds[i]));
    assert_true(ask_on(fds[0], "/healthz"));
    for (int i = 0; i < 2 * MOST; i++)
        close(fds[i]);
    listener.f->config->n_operators = 0;
}

static void among_operators_the_one_goes_who_was_silent_longest(void **state)
{
    static OperatorConfig operators[] = {{.name = "ops", .role = ROLE_READ, .has_token = true}};
    SHA256((const uint8_t *)"secret", 6, operators[0].token_hash);
    listener.f->config->operators = operators;
    listener.f->config->n_operators = 1;
    int fds[MOST + 1];
    for (int i = 0; i <= MOST; i++) {
        fds[i] = connect_to(admin_port(listener.admin));
        assert_true(ask_on(fds[i], "/healthz HTTP/1.1\r\nauthorization: Bearer secret\r\nx:"));
    }
    assert_true(is_closed(fds[0]));
    for (int i = 0; i <= MOST; i++)
        close(fds[i]);
    listener.f->config->n_operators = 0;
}

static void hundreds_who_say_nothing_or_half_of_something_hold_up_nobody(void **state)
{
    enum { SILENT = 300 };
    static const char *const said[] = {"", "GET /metr",
                                       "GET /config HTTP/1.1\r\nhost: localhost\r\n\r\n"};
    int fds[SILENT];
    for (int i = 0; i < SILENT; i++) {
        fds[i] = connect_to(admin_port(listener.admin));
        send(fds[i], said[i % 3], strlen(said[i % 3]), MSG_NOSIGNAL);
    }
    assert_has(ask("GET", "/healthz", ""), "alive");
    assert_has(ask("GET", "/metrics", ""), "passerelle_build_info");
    for (int i = 0; i < SILENT; i++)
        close(fds[i]);
    assert_has(ask("GET", "/healthz", ""), "alive");
}

static const char *ask_as(const char *host)
{
    Arena *arena = listener.f->arena;
    return exchange(
        arena, connect_to(admin_port(listener.admin)),
        arena_printf(arena, "GET /config HTTP/1.1\r\nhost: %s\r\nconnection: close\r\n\r\n", host));
}

static void who_asks_by_an_unknown_name_is_told_which_setting_allows_it(void **state)
{
    static const char *const hosts[] = {"*.monitoring.svc"};
    const char *answer = ask_as("rebound.example:9901");
    assert_has(answer, "HTTP/1.1 421 Misdirected Request\r\n");
    assert_has(answer, "content-type: application/problem+json\r\n");
    assert_has(answer, "admin.hosts");
    assert_null(strstr(answer, "generation"));
    assert_has(ask_as("gw1.monitoring.svc:9901"), " 421 ");

    listener.f->config->admin_hosts = hosts; /* as a reload does, by another config */
    listener.f->config->n_admin_hosts = 1;
    assert_has(ask_as("gw1.monitoring.svc:9901"), " 200 ");
}

static void the_name_counts_wherever_the_request_has_it(void **state)
{
    Arena *arena = listener.f->arena;
    uint16_t port = admin_port(listener.admin);
    const char *whole = "GET http://rebound.example/config HTTP/1.1\r\nhost: "
                        "localhost\r\nconnection: close\r\n\r\n";
    assert_null(strstr(exchange(arena, connect_to(port), whole), "generation"));
    const char *none = "GET /healthz HTTP/1.0\r\n\r\n"; /* a simple health check: no browser */
    assert_has(exchange(arena, connect_to(port), none), "alive");
}

static void an_address_that_is_taken_is_an_error(void **state)
{
    Arena *arena = listener.f->arena;
    Admin *second = NULL;
    const Config config = config_at(
        (Address){.text = "second", .host = "127.0.0.1", .port = admin_port(listener.admin)});
    Result r =
        admin_start(arena, &config, &config.admin, &(AdminSees){.ready = &listener.ready}, &second);
    assert_fault(r, FAULT_SYSTEM);
    assert_non_null(strstr(error_text(arena, r), "Address already in use"));
    assert_null(second);
}

static void it_listens_on_a_unix_socket(void **state)
{
    Arena *arena = listener.f->arena;
    const char *path = arena_printf(arena, "%s.sock", listener.f->log);
    const Config config =
        config_at((Address){.text = arena_printf(arena, "unix:%s", path), .path = path});
    Admin *admin;
    assert_ok(arena, admin_start(arena, &config, &config.admin,
                                 &(AdminSees){.ready = &listener.ready}, &admin));
    struct sockaddr_un name = {.sun_family = AF_UNIX};
    strcpy(name.sun_path, path);
    int fd = socket(AF_UNIX, SOCK_STREAM, 0);
    assert_int_equal(connect(fd, (struct sockaddr *)&name, sizeof name), 0);
    assert_has(
        exchange(arena, fd, "GET /healthz HTTP/1.1\r\nhost: any.name\r\nconnection: close\r\n\r\n"),
        "alive");
    assert_int_equal(admin_port(admin), 0);
    admin_stop(admin);
    assert_int_equal(access(path, F_OK), -1);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(it_says_that_it_lives),
        TEST(it_is_ready_only_while_calls_are_taken),
        TEST(metrics_come_in_the_format_that_is_asked_for),
        TEST(the_config_is_told_with_the_state_of_its_instances),
        TEST(other_pages_and_verbs_are_problems),
        TEST(a_head_has_no_body),
        TEST(bodies_that_nobody_wants_are_refused),
        TEST(malformed_requests_are_refused_with_a_problem),
        TEST(it_stops_while_connections_are_open),
        TEST(a_newcomer_takes_the_place_of_whoever_was_silent_longest),
        TEST(an_operator_is_the_last_to_go),
        TEST(among_operators_the_one_goes_who_was_silent_longest),
        TEST(hundreds_who_say_nothing_or_half_of_something_hold_up_nobody),
        TEST(who_asks_by_an_unknown_name_is_told_which_setting_allows_it),
        TEST(the_name_counts_wherever_the_request_has_it),
        TEST(an_address_that_is_taken_is_an_error),
        TEST(it_listens_on_a_unix_socket),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
