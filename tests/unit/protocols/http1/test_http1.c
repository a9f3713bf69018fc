#include "tests/unit/protocols/http/http_pair.h"

#include "protocols/http/http_engine.h"
#include "tests/unit/protocols/http/http_chaos.h"

#include <ctype.h>
#include <stdio.h>

/* ---- What is read ---------------------------------------------------------------------------- */

static void a_request_is_read_and_answered(void **state)
{
    Side server = {.on_end = side_answer_ok, .releases = true};
    side_begin(&server, http1_server_new, NULL);
    assert_int_equal(http_connection_phase(server.connection), HTTP_IDLE);
    assert_ok(server.arena,
              side_feed_text(&server, "POST /a?b=c HTTP/1.1\r\nHost: example.com\r\n"
                                      "Content-Length: 5\r\nX-One:  1 \r\n\r\nhello"));
    assert_string_equal(side_log(&server), "request POST http://example.com /a?b=c length 5\n"
                                           "  x-one: 1\n"
                                           "body hello\n"
                                           "end\n");
    assert_string_equal(side_wire(&server), "HTTP/1.1 200 OK\r\ncontent-type: text/plain\r\n"
                                            "content-length: 2\r\n\r\nok");
    assert_int_equal(http_connection_phase(server.connection), HTTP_IDLE);
    side_end(&server);
}

static void names_of_fields_come_in_lower_case_wherever_the_letter_stands(void **state)
{
    static const char tokens[] = "!#$%&'*+-.0123456789^_`|~ABCDEFGHIJKLMNOPQRSTUVWXYZ"
                                 "abcdefghijklmnopqrstuvwxyz";
    char name[20], request[100], expected[100];
    Side server = {.releases = true, .on_end = side_answer_ok};
    side_begin(&server, http1_server_new, NULL);
    for (size_t size = 1; size < sizeof name; size++) {
        for (size_t i = 0; i < (sizeof tokens - 1) * size; i++) {
            memset(name, 'x', size);
            name[size] = '\0';
            name[i % size] = tokens[i / size];
            snprintf(request, sizeof request, "GET / HTTP/1.1\r\nHost: a\r\n%s: Y\r\n\r\n", name);
            name[i % size] = (char)tolower(tokens[i / size]);
            snprintf(expected, sizeof expected, "request GET http://a / end\n  %s: Y\nend\n", name);
            assert_ok(server.arena, side_feed_text(&server, request));
            assert_string_equal(side_log(&server), expected);
            side_forget(&server);
        }
    }
    side_end(&server);
}

#define FOUR_LISTS "Connection: a\r\nConnection: a\r\nConnection: a\r\nConnection: a\r\n"
#define EIGHT_LISTS FOUR_LISTS FOUR_LISTS

typedef struct Good {
    const char *request, *log;
} Good;

static const Good good[] = {
    {"GET / HTTP/1.1\r\nHost: a\r\n\r\n", "request GET http://a / end\nend\n"},
    /* an empty line before the request (RFC 9112 section 2.2) */
    {"\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n", "request GET http://a / end\nend\n"},
    {"GET / HTTP/1.1\r\nHost: [::1]:8080\r\n\r\n", "request GET http://[::1]:8080 / end\nend\n"},
    {"GET / HTTP/1.1\r\nHost:\r\n\r\n", "request GET http:// / end\nend\n"},
    {"GET / HTTP/1.0\r\n\r\n", "request GET http:// / end\nend\n"},
    {"OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n", "request OPTIONS http://a * end\nend\n"},
    /* absolute form (RFC 9112 section 3.2.2) */
    {"GET http://a:80/x?y HTTP/1.1\r\nHost: a:80\r\n\r\n",
     "request GET http://a:80 /x?y end\nend\n"},
    {"GET http://A HTTP/1.1\r\nHost: a\r\n\r\n", "request GET http://A / end\nend\n"},
    {"GET http://a?y HTTP/1.1\r\nHost: a\r\n\r\n", "request GET http://a /?y end\nend\n"},
    {"OPTIONS http://a HTTP/1.1\r\nHost: a\r\n\r\n", "request OPTIONS http://a * end\nend\n"},
    {"GET http://b/x HTTP/1.1\r\nHost: a\r\n\r\n", "request GET http://b /x end\nend\n"},
    {"GET http://b/x HTTP/1.1\r\nHost: b:80\r\n\r\n", "request GET http://b /x end\nend\n"},
    {"GET https://b:1 HTTP/1.1\r\nHost:\r\n\r\n", "request GET http://b:1 / end\nend\n"},
    /* what belongs to the connection goes no further (RFC 9110 section 7.6.1) */
    {"GET / HTTP/1.1\r\nHost: a\r\nConnection: x-mine, keep-alive\r\nX-Mine: 1\r\nKeep-Alive: 5\r\n"
     "TE: gzip\r\nProxy-Connection: close\r\nUpgrade: h2c\r\nX-Yours: 2\r\n\r\n",
     "request GET http://a / end\n  x-yours: 2\nend\n"},
    {"GET / HTTP/1.1\r\nHost: a\r\n" EIGHT_LISTS "A: 1\r\nB: 2\r\n\r\n",
     "request GET http://a / end\n  b: 2\nend\n"},
    {"GET / HTTP/1.1\r\nHost: a\r\nX-Empty:\r\nX-Tab:\t\ta\tb\t\r\n\r\n",
     "request GET http://a / end\n  x-empty: \n  x-tab: a\tb\nend\n"},
    {"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n",
     "request POST http://a / length 0 end\nend\n"},
    {"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: Chunked\r\n\r\n5\r\nhello\r\n006 "
     ";x=\"y\"\r\n world\r\n"
     "0\r\n\r\n",
     "request POST http://a /\nbody hello world\nend\n"},
    {"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nA\r\n0123456789\r\n0;last\r\n"
     "X-Sum: 1\r\nHost: evil\r\nContent-Length: 7\r\n\r\n",
     "request POST http://a /\nbody 0123456789\nend\n  x-sum: 1\n"},
    {"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
     "request POST http://a /\nend\n"},
    {"GET / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n",
     "request GET http://a / upgrade end\n  upgrade: websocket\nend\n"},
    {"GET / HTTP/1.9\r\nHost: a\r\n\r\n", "request GET http://a / end\nend\n"},
};

static void well_formed_requests_are_read_as_the_standard_says(void **state)
{
    for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
        Side server = {.on_end = side_answer_ok, .releases = true};
        side_begin(&server, http1_server_new, NULL);
        assert_ok(server.arena, side_feed_text(&server, good[i].request));
        assert_string_equal(side_log(&server), good[i].log);
        assert_non_null(strstr(side_wire(&server), " 200 OK\r\n"));
        side_end(&server);
    }
}

/* Feeds in two pieces, each in memory of just its size. */
static Result feed_split(Side *side, Bytes input, size_t at)
{
    Bytes parts[2] = {bytes_slice(input, 0, at), bytes_slice(input, at, SIZE_MAX)};
    Result r = OK;
    for (int i = 0; i < 2; i++) {
        if (parts[i].size == 0)
            continue;
        uint8_t *copy = test_malloc(parts[i].size);
        memcpy(copy, parts[i].data, parts[i].size);
        Result part = side_feed(side, bytes(copy, parts[i].size));
        test_free(copy);
        if (failed(part) && !failed(r))
            r = error_copy(side->arena, part);
    }
    return r;
}

static void every_split_of_a_request_gives_the_same_events_and_answer(void **state)
{
    for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
        Bytes input = bytes_of(good[i].request);
        for (size_t at = 1; at < input.size; at++) {
            Side server = {.on_end = side_answer_ok, .releases = true};
            side_begin(&server, http1_server_new, NULL);
            Result r = feed_split(&server, input, at);
            if (failed(r))
                fail_msg("%s, split at %zu: %s", good[i].request, at, error_text(server.arena, r));
            assert_string_equal(side_log(&server), good[i].log);
            side_end(&server);
        }
    }
}

static void a_request_may_come_byte_by_byte(void **state)
{
    Bytes input = bytes_of(good[15].request);
    Side server = {.on_end = side_answer_ok, .releases = true};
    side_begin(&server, http1_server_new, NULL);
    for (size_t i = 0; i < input.size; i++)
        assert_ok(server.arena, side_feed(&server, bytes_slice(input, i, 1)));
    assert_string_equal(side_log(&server), good[15].log);
    side_end(&server);
}

/* ---- What is refused ------------------------------------------------------------------------- */

typedef struct Bad {
    const char *request;
    unsigned status;
} Bad;

#define HEAD "POST / HTTP/1.1\r\nHost: a\r\n"
#define CHUNKED HEAD "Transfer-Encoding: chunked\r\n\r\n"

static const Bad bad[] = {
    /* what a ninth one names would go further */
    {"GET / HTTP/1.1\r\nHost: a\r\n" EIGHT_LISTS "Connection: b\r\nB: 2\r\n\r\n", 400},
    /* lengths and codings (RFC 9112 sections 6.1 to 6.3) */
    {HEAD "Content-Length: 1\r\nContent-Length: 1\r\n\r\na", 400},
    {HEAD "Content-Length: 1\r\nContent-Length: 2\r\n\r\nab", 400},
    {HEAD "Content-Length: 1, 1\r\n\r\na", 400},
    {HEAD "Content-Length: +1\r\n\r\na", 400},
    {HEAD "Content-Length: -1\r\n\r\na", 400},
    {HEAD "Content-Length: 0x1\r\n\r\na", 400},
    {HEAD "Content-Length: 1 1\r\n\r\na", 400},
    {HEAD "Content-Length:\r\n\r\na", 400},
    {HEAD "Content-Length: 99999999999999999999\r\n\r\n", 400},
    {HEAD "Content-Length: 9223372036854775808\r\n\r\n", 400},
    {HEAD "Content-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400},
    {HEAD "Transfer-Encoding: chunked\r\nContent-Length: 1\r\n\r\n0\r\n\r\n", 400},
    {HEAD "Transfer-Encoding: gzip\r\n\r\n", 501},
    {HEAD "Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n", 400},
    {HEAD "Transfer-Encoding: chunked, chunked\r\n\r\n0\r\n\r\n", 400},
    {HEAD "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400},
    {HEAD "Transfer-Encoding: \"chunked\"\r\n\r\n0\r\n\r\n", 501},
    {HEAD "Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n", 501},
    {HEAD "Transfer-Encoding: identity\r\n\r\n", 501},
    {HEAD "Transfer-Encoding:\r\n\r\n", 501},
    {"POST / HTTP/1.0\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400},
    /* lines (sections 2.2, 5.1 and 5.2) */
    {"GET / HTTP/1.1\nHost: a\n\n", 400},
    {"GET / HTTP/1.1\r\nHost: a\nX: y\r\n\r\n", 400},
    {"GET / HTTP/1.1\r\nHost: a\r\n\n", 400},
    {"GET / HTTP/1.1\rHost: a\r\n\r\n", 400},
    {"GET / HTTP/1.1\r\nHost: a\rX: y\r\n\r\n", 400},
    {"GET / HTTP/1.1\r\nHost: a\r\nX: y\r\n folded\r\n\r\n", 400},
    {"GET / HTTP/1.1\r\n Host: a\r\n\r\n", 400},
    {"GET / HTTP/1.1\r\nHost : a\r\n\r\n", 400},
    {"GET / HTTP/1.1\r\nHost: a\r\nX\r\n\r\n", 400},
    {"GET / HTTP/1.1\r\nHost: a\r\n: x\r\n\r\n", 400},
    {"GET / HTTP/1.1\r\nHost: a\r\nX(: y\r\n\r\n", 400},
    {"GET / HTTP/1.1\r\nHost: a\r\nX: a\001b\r\n\r\n", 400},
    {"GET / HTTP/1.1\r\nHost: a\r\nX: a\177b\r\n\r\n", 400},
    {"GET / HTTP/1.1\r\nHost: a\r\nX\303\244: a\r\n\r\n", 400},
    /* the request line (section 3) */
    {"GET  / HTTP/1.1\r\nHost: a\r\n\r\n", 400},
    {"GET /  HTTP/1.1\r\nHost: a\r\n\r\n", 400},
    {"GET / HTTP/1.1 \r\nHost: a\r\n\r\n", 400},
    {" GET / HTTP/1.1\r\nHost: a\r\n\r\n", 400},
    {"GET /a b HTTP/1.1\r\nHost: a\r\n\r\n", 400},
    {"GET\t/ HTTP/1.1\r\nHost: a\r\n\r\n", 400},
    {"G@T / HTTP/1.1\r\nHost: a\r\n\r\n", 400},
    {"GET / http/1.1\r\nHost: a\r\n\r\n", 400},
    {"GET /\r\nHost: a\r\n\r\n", 400},
    {"GET /#x HTTP/1.1\r\nHost: a\r\n\r\n", 400},
    {"GET /\303\244 HTTP/1.1\r\nHost: a\r\n\r\n", 400},
    {"GET x HTTP/1.1\r\nHost: a\r\n\r\n", 400},
    {"GET * HTTP/1.1\r\nHost: a\r\n\r\n", 400},
    {"GET ftp://a/ HTTP/1.1\r\nHost: a\r\n\r\n", 400},
    {"GET / HTTP/2.0\r\nHost: a\r\n\r\n", 505},
    {"GET / HTTP/3.0\r\nHost: a\r\n\r\n", 505},
    {"CONNECT a:443 HTTP/1.1\r\nHost: a:443\r\n\r\n", 501},
    {"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 505},
    /* the host (sections 3.2 and 3.2.2) */
    {"GET / HTTP/1.1\r\n\r\n", 400},
    {"GET / HTTP/1.1\r\nHost: a\r\nHost: a\r\n\r\n", 400},
    {"GET / HTTP/1.0\r\nHost: a\r\nHost: b\r\n\r\n", 400},
    {"GET / HTTP/1.1\r\nHost: a b\r\n\r\n", 400},
    {"GET / HTTP/1.1\r\nHost: a/b\r\n\r\n", 400},
    {"GET / HTTP/1.1\r\nHost: u@a\r\n\r\n", 400},
    {"GET / HTTP/1.1\r\nHost: a:b\r\n\r\n", 400},
    {"GET / HTTP/1.1\r\nHost: a:99999\r\n\r\n", 400},
    {"GET / HTTP/1.1\r\nHost: :80\r\n\r\n", 400},
    {"GET / HTTP/1.1\r\nHost: [::1\r\n\r\n", 400},
    {"GET / HTTP/1.1\r\nHost: a, b\r\n\r\n", 400},
    {"GET http:// HTTP/1.1\r\nHost: a\r\n\r\n", 400},
    {"GET http://u:p@a/ HTTP/1.1\r\nHost: a\r\n\r\n", 400},
    /* expectations (RFC 9110 section 10.1.1) */
    {HEAD "Expect: 200-maybe\r\nContent-Length: 1\r\n\r\n", 417},
    {HEAD "Expect: 100-continue\r\nExpect: 100-continue\r\nContent-Length: 1\r\n\r\n", 417},
    /* chunks (RFC 9112 section 7.1) */
    {CHUNKED "g\r\n", 400},
    {CHUNKED "\r\n", 400},
    {CHUNKED ";x\r\n", 400},
    {CHUNKED " 5\r\nhello\r\n", 400},
    {CHUNKED "0x5\r\nhello\r\n", 400},
    {CHUNKED "-1\r\n", 400},
    {CHUNKED "5\nhello\r\n0\r\n\r\n", 400},
    {CHUNKED "5\r\nhello\n0\r\n\r\n", 400},
    {CHUNKED "5\r\nhello0\r\n\r\n", 400},
    {CHUNKED "5\r\nhello\r0\r\n\r\n", 400},
    {CHUNKED "5;a\nb\r\nhello\r\n", 400},
    {CHUNKED "5\rx", 400},
    {CHUNKED "1000000000000000\r\n", 400},
    {CHUNKED "ffffffffffffffff\r\n", 400},
    {CHUNKED "00000000000000000\r\n\r\n", 400},
    {CHUNKED "0\r\nX: y\n\r\n", 400},
    {CHUNKED "0\r\n\n", 400},
    {CHUNKED "0\n\r\n", 400},
    {CHUNKED "0\r\n X: y\r\n\r\n", 400},
    {CHUNKED "0\r\nX : y\r\n\r\n", 400},
    {CHUNKED "0\r\nX\r\n\r\n", 400},
};

static void expect_refusal(Side *server, Result r, const char *request, unsigned status)
{
    char line[32];
    sprintf(line, "HTTP/1.1 %u ", status);
    if (!failed(r) || strncmp(side_wire(server), line, strlen(line)) != 0)
        fail_msg("%s\n is answered %s", request, side_wire(server));
    assert_non_null(strstr(side_wire(server), "\r\nconnection: close\r\n"));
    assert_non_null(strstr(side_wire(server), "\r\ncontent-type: application/problem+json\r\n"));
    assert_non_null(strstr(side_wire(server), "\r\nx-content-type-options: nosniff\r\n"));
    assert_null(strstr(side_log(server), "end\n  "));
    assert_int_equal(http_connection_phase(server->connection), HTTP_CLOSED);
    /* Nothing that comes behind is taken for a request. */
    side_forget(server);
    assert_ok(server->arena, side_feed_text(server, "GET / HTTP/1.1\r\nHost: a\r\n\r\n"));
    assert_string_equal(side_wire(server), "");
    assert_string_equal(side_log(server), "");
}

static void ambiguous_or_malformed_requests_are_refused_and_the_connection_closed(void **state)
{
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        Side server = {.releases = true};
        side_begin(&server, http1_server_new, NULL);
        Result r = side_feed_text(&server, bad[i].request);
        expect_refusal(&server, r, bad[i].request, bad[i].status);
        side_end(&server);
    }
}

static void every_split_of_a_bad_request_gives_the_same_refusal(void **state)
{
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        Bytes input = bytes_of(bad[i].request);
        for (size_t at = 1; at < input.size; at++) {
            Side server = {.releases = true};
            side_begin(&server, http1_server_new, NULL);
            Result r = feed_split(&server, input, at);
            expect_refusal(&server, r, bad[i].request, bad[i].status);
            side_end(&server);
        }
    }
}

static void a_malformed_request_line_is_refused_before_the_head_is_complete(void **state)
{
    static const struct {
        const char *line;
        unsigned status;
    } lines[] = {
        {"GET /x\r\n", 400},
        {"GET /a b HTTP/1.1\r\n", 400},
        {"GET / HTTP/1.1 \r\n", 400},
        {"GET / http/1.1\r\n", 400},
        {"GET / HTTP/1.\r\n", 400},
        {"GET / HTTP/1.1\n", 400},
        {"GET / HTTP/2.0\r\n", 505},
        {"GET x HTTP/1.1\r\n", 400},
        {"GET * HTTP/1.1\r\n", 400},
        {"GET /#x HTTP/1.1\r\n", 400},
        {"GET http:// HTTP/1.1\r\n", 400},
        {"G@T / HTTP/1.1\r\n", 400},
        {"\r\nGET x HTTP/1.1\r\n", 400},
        {"\r\n\r\n", 400},
        {"CONNECT a:1 HTTP/1.1\r\n", 501},
        {"ABCDEFGHIJKLMNOPQRSTUVWXYZABCDEFG / HTTP/1.1\r\n", 501},
    };
    for (size_t i = 0; i < sizeof lines / sizeof *lines; i++) {
        Bytes input = bytes_of(lines[i].line);
        for (size_t at = 0; at < input.size; at++) {
            Side server = {.releases = true};
            side_begin(&server, http1_server_new, NULL);
            Result r = feed_split(&server, input, at);
            expect_refusal(&server, r, lines[i].line, lines[i].status);
            side_end(&server);
        }
    }
}

static void a_request_line_is_waited_for_to_its_end(void **state)
{
    Side server = {.releases = true};
    side_begin(&server, http1_server_new, NULL);
    assert_ok(server.arena, side_feed_text(&server, "GET http:// HTTP/1.1"));
    assert_ok(server.arena, side_feed_text(&server, "\r"));
    assert_int_equal(http_connection_phase(server.connection), HTTP_HEAD);
    assert_fault(side_feed_text(&server, "\n"), FAULT_PROTOCOL_VIOLATION);
    side_end(&server);
}

static const char DATE[] = "Sun, 06 Nov 1994 08:49:37 GMT";

static unsigned count_dates(Side *server)
{
    unsigned n = 0;
    for (const char *at = side_wire(server); (at = strstr(at, "\r\ndate: ")); at++)
        n++;
    return n;
}

static void a_final_response_has_a_date(void **state)
{
    static const struct {
        const char *fields;
        bool own;
    } rows[] = {
        {"", false}, {"x-date: 1\n", false}, {"date: Thu, 01 Jan 1970 00:00:00 GMT\n", true}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        Side server = {0};
        side_begin(&server, http1_server_new, NULL);
        http_connection_set_date(server.connection, DATE);
        assert_ok(server.arena, side_feed_text(&server, "GET / HTTP/1.1\r\nHost: a\r\n\r\n"));
        side_send_head(&server, server.stream, 103, "", -1, false);
        side_take_output(&server);
        assert_int_equal(count_dates(&server), 0);
        side_send_head(&server, server.stream, 204, rows[i].fields, -1, true);
        side_take_output(&server);
        assert_int_equal(count_dates(&server), 1);
        assert_true((strstr(side_wire(&server), DATE) == NULL) == rows[i].own);
        side_end(&server);
    }
}

static void a_refusal_has_a_date(void **state)
{
    Side server = {.releases = true};
    side_begin(&server, http1_server_new, NULL);
    http_connection_set_date(server.connection, DATE);
    assert_fault(side_feed_text(&server, "GET / HTTP/1.1\r\n\r\n"), FAULT_PROTOCOL_VIOLATION);
    assert_int_equal(count_dates(&server), 1);
    side_end(&server);
}

static void what_is_not_http_is_not_answered_in_it(void **state)
{
    Side server = {.releases = true};
    side_begin(&server, http1_server_new, NULL);
    assert_fault(side_feed_text(&server, "INVALID CONNECTION PREFACE\r\n\r\n"),
                 FAULT_PROTOCOL_VIOLATION);
    assert_string_equal(side_wire(&server), "");
    assert_int_equal(http_connection_phase(server.connection), HTTP_CLOSED);
    side_end(&server);
}

static void a_nul_in_a_head_is_refused(void **state)
{
    static const char head[] = "GET / HTTP/1.1\r\nHost: a\r\nX: a\0b\r\n\r\n";
    static const char line[] = "GET /\0 HTTP/1.1\r\nHost: a\r\n\r\n";
    Bytes inputs[] = {bytes(head, sizeof head - 1), bytes(line, sizeof line - 1)};
    for (int i = 0; i < 2; i++) {
        Side server = {.releases = true};
        side_begin(&server, http1_server_new, NULL);
        expect_refusal(&server, side_feed(&server, inputs[i]), "NUL", 400);
        side_end(&server);
    }
}

/* A request whose part number `grown` was repeated until it is `size` long. */
static Bytes grow(Arena *arena, const char *before, const char *grown, size_t size,
                  const char *after)
{
    Buffer text = buffer_in(arena);
    buffer_add_text(&text, before);
    while (text.size < size)
        buffer_add_text(&text, grown);
    buffer_add_text(&text, after);
    return buffer_bytes(&text);
}

static void expect_too_large(const HttpLimits *limits, Bytes (*make)(Arena *), unsigned status)
{
    for (int drops = 0; drops < 2; drops++) {
        Side server = {.releases = true};
        side_begin(&server, http1_server_new, limits);
        Bytes input = make(server.arena);
        Result r = OK;
        size_t step = drops ? 100 : input.size;
        for (size_t at = 0; at < input.size && !failed(r); at += step)
            r = side_feed(&server, bytes_slice(input, at, step));
        expect_refusal(&server, r, "too large", status);
        side_end(&server);
    }
}

static Bytes long_target(Arena *arena)
{
    return grow(arena, "GET /", "aaaaaaaaaa", 20000, " HTTP/1.1\r\nHost: a\r\n\r\n");
}

static Bytes large_field(Arena *arena)
{
    return grow(arena, "GET / HTTP/1.1\r\nHost: a\r\nX: ", "aaaaaaaaaa", 40000, "\r\n\r\n");
}

static Bytes many_fields(Arena *arena)
{
    return grow(arena, "GET / HTTP/1.1\r\nHost: a\r\n", "X: y\r\n", 2000, "\r\n");
}

static Bytes endless_head(Arena *arena)
{
    return grow(arena, "GET / HTTP/1.1\r\nHost: a\r\n", "X: y\r\n", 40000, "");
}

static Bytes large_trailers(Arena *arena)
{
    return grow(arena, CHUNKED "0\r\n", "X: y\r\n", 40000, "\r\n");
}

static void extensions_of_chunks_are_passed_over_but_for_control_characters(void **state)
{
    static const struct {
        const char *extension;
        bool good;
    } rows[] = {
        {"", true},       {";a", true},     {";a=\"b c\"", true}, {" ;a", true},
        {"\t;a", true},   {";a\tb", true},  {";a\x80", true},     {";a\001b", false},
        {";a\bb", false}, {";a\nb", false}, {";a\x1f", false},    {";a\x7f", false},
        {"\v;a", false},  {"g;", false},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        Side server = {0};
        side_begin(&server, http1_server_new, NULL);
        assert_ok(server.arena, side_feed_text(&server, "POST / HTTP/1.1\r\nHost: a\r\n"
                                                        "Transfer-Encoding: chunked\r\n\r\n"));
        Result r = side_feed_text(
            &server, arena_printf(server.arena, "1%s\r\nx\r\n0\r\n\r\n", rows[i].extension));
        if (failed(r) == rows[i].good)
            fail_msg("the extension in row %zu is %s", i, failed(r) ? "refused" : "taken");
        side_end(&server);
    }
}

static Bytes many_extensions(Arena *arena)
{
    return grow(arena, CHUNKED, "1;xxxxxxxxxxxxxxxxxxxxxxxx\r\na\r\n", 10000, "0\r\n\r\n");
}

static void too_much_of_anything_is_refused(void **state)
{
    expect_too_large(NULL, long_target, 414);
    expect_too_large(NULL, large_field, 431);
    expect_too_large(NULL, many_fields, 431);
    expect_too_large(NULL, endless_head, 431);
    expect_too_large(NULL, large_trailers, 431);
    expect_too_large(NULL, many_extensions, 400);
}

/* ---- Exchanges on one connection ------------------------------------------------------------- */

#define GET(path) "GET " path " HTTP/1.1\r\nHost: a\r\n\r\n"

static void pipelined_requests_are_answered_one_after_the_other(void **state)
{
    Side server = {0};
    side_begin(&server, http1_server_new, NULL);
    assert_ok(server.arena, side_feed_text(&server, GET("/1") GET("/2") GET("/3")));
    for (int i = 1; i <= 3; i++) {
        char log[64];
        sprintf(log, "request GET http://a /%d end\nend\n", i);
        assert_string_equal(side_log(&server), log);
        side_forget(&server);
        HttpStream *stream = server.stream;
        side_answer_ok(&server, stream);
        assert_string_equal(side_log(&server), ""); /* no event from within a stream's function */
        side_take_output(&server);
        assert_non_null(strstr(side_wire(&server), "\r\n\r\nok"));
        side_release(&server, stream);
    }
    assert_int_equal(http_connection_phase(server.connection), HTTP_IDLE);
    side_end(&server);
}

static void what_is_pipelined_is_bounded(void **state)
{
    Side server = {0};
    side_begin(&server, http1_server_new, NULL);
    assert_ok(server.arena, side_feed_text(&server, GET("/1")));
    int fed = 0;
    for (; fed < 10000 && http_connection_wants_input(server.connection); fed++)
        assert_ok(server.arena, side_feed_text(&server, GET("/2")));
    assert_in_range(fed, 10, http_limits_default.head_bytes / 20);
    side_end(&server);
}

static void held_input_is_no_longer_counted_once_it_was_read(void **state)
{
    Side server = {.on_end = side_answer_ok, .releases = true};
    side_begin(&server, http1_server_new, NULL);
    int64_t idle = server.connection->tally.held;
    for (int i = 0; i < 3; i++) {
        assert_ok(server.arena, side_feed_text(&server, "GET /1 HTTP/1.1\r\nHo"));
        assert_true(server.connection->tally.held >= idle + 1024);
        assert_ok(server.arena, side_feed_text(&server, "st: a\r\n\r\n"));
        side_take_output(&server);
        assert_int_equal(server.connection->tally.held, idle);
    }
    side_end(&server);
}

enum { LIMIT = 4 * 1024 * 1024, HIGH = LIMIT - LIMIT / 4 };

/* Below the high mark `left` bytes are free, and `hog` holds the rest. */
static int64_t fill_memory(Account *hog, int64_t left)
{
    memory_settle();
    int64_t filled = HIGH - left - memory_total();
    memory_add(MEMORY_CALLS, filled);
    account_add(hog, HIGH - left);
    memory_set_limit(LIMIT);
    memory_settle();
    return filled;
}

static void free_memory(Account *hog, int64_t filled)
{
    memory_add(MEMORY_CALLS, -filled);
    account_add(hog, -account_held(hog));
    memory_set_limit(UINT64_MAX);
    memory_settle();
}

#define K ((size_t)1024)

static Bytes unfinished(Arena *arena, size_t size)
{
    Buffer head = buffer_in(arena);
    buffer_add_text(&head, "GET / HTTP/1.1\r\nHost: a\r\nX: ");
    while (buffer_bytes(&head).size < size)
        buffer_add_text(&head, "x");
    return buffer_bytes(&head);
}

static void a_head_that_grows_beyond_its_first_buffer_needs_memory(void **state)
{
    for (int64_t left = 1024; left >= 1023; left--) {
        Account hog = {0};
        Side server = {.releases = true, .on_end = side_answer_ok};
        side_begin(&server, http1_server_new, NULL);
        http_connection_charge(server.connection, &hog);
        Bytes head = unfinished(server.arena, 2 * K);
        assert_ok(server.arena, side_feed(&server, bytes_slice(head, 0, K)));
        assert_false(http_connection_holds_head(server.connection));
        int64_t filled = fill_memory(&hog, left);
        bool granted = left == 1024;
        Result r = side_feed(&server, bytes_slice(head, K, 1));
        assert_int_equal(failed(r), !granted);
        assert_int_equal(http_connection_holds_head(server.connection), granted);
        if (granted) {
            assert_ok(server.arena, side_feed_text(&server, "\r\n\r\n"));
            assert_non_null(strstr(side_wire(&server), " 200 OK\r\n"));
            assert_false(http_connection_holds_head(server.connection));
        } else {
            assert_ptr_equal(r.error->fault, &FAULT_MEMORY_SHARE);
            assert_non_null(strstr(side_wire(&server), "HTTP/1.1 429 "));
            assert_non_null(strstr(side_wire(&server), "connection: close\r\n"));
            assert_non_null(strstr(side_wire(&server), "\"MEMORY_SHARE\""));
            assert_int_equal(http_connection_phase(server.connection), HTTP_CLOSED);
        }
        http_connection_charge(server.connection, NULL);
        free_memory(&hog, filled);
        side_end(&server);
    }
}

static void a_head_within_its_first_buffer_or_read_at_once_needs_no_memory(void **state)
{
    Account hog = {0};
    int64_t filled = fill_memory(&hog, -1);
    Side server = {.releases = true, .on_end = side_answer_ok};
    side_begin(&server, http1_server_new, NULL);
    http_connection_charge(server.connection, &hog);
    Bytes head = unfinished(server.arena, K - 4);
    assert_ok(server.arena, side_feed(&server, head));
    assert_ok(server.arena, side_feed_text(&server, "\r\n\r\n"));
    Buffer whole = buffer_in(server.arena);
    buffer_add_bytes(&whole, unfinished(server.arena, 20 * K));
    buffer_add_text(&whole, "\r\n\r\n");
    assert_ok(server.arena, side_feed(&server, buffer_bytes(&whole)));
    assert_null(strstr(side_wire(&server), "HTTP/1.1 429 "));
    http_connection_charge(server.connection, NULL);
    free_memory(&hog, filled);
    side_end(&server);
}

static void a_head_that_does_not_come_to_its_end_can_be_shed(void **state)
{
    Side server = {.releases = true};
    side_begin(&server, http1_server_new, NULL);
    int64_t idle = server.connection->tally.held;
    assert_ok(server.arena, side_feed(&server, unfinished(server.arena, 20 * K)));
    assert_true(http_connection_holds_head(server.connection));
    assert_true(server.connection->tally.held >= idle + (int64_t)(20 * K));
    Result r = http_connection_shed_head(server.connection);
    assert_ptr_equal(r.error->fault, &FAULT_MEMORY_SHARE);
    assert_int_equal(server.connection->tally.held, idle);
    assert_false(http_connection_holds_head(server.connection));
    side_take_output(&server);
    assert_non_null(strstr(side_wire(&server), "HTTP/1.1 429 "));
    side_end(&server);
}

static void a_body_that_is_not_consumed_holds_the_sender_back(void **state)
{
    Side server = {.keeps = true};
    HttpLimits limits = http_limits_default;
    limits.stream_window = 10;
    side_begin(&server, http1_server_new, &limits);
    assert_ok(server.arena, side_feed_text(&server, HEAD "Content-Length: 20\r\n\r\n"));
    assert_int_equal(http_connection_phase(server.connection), HTTP_BODY);
    assert_ok(server.arena, side_feed_text(&server, "0123456789"));
    assert_false(http_connection_wants_input(server.connection));
    assert_int_equal(http_connection_phase(server.connection), HTTP_ACTIVE); /* not its fault */
    int outputs = server.outputs;
    http_stream_consume(server.stream, 5);
    assert_true(http_connection_wants_input(server.connection));
    assert_int_equal(server.outputs, outputs + 1); /* so that the owner looks */
    side_end(&server);
}

static void a_slow_reader_is_told_of_by_the_queue_and_its_drain(void **state)
{
    Side server = {0};
    side_begin(&server, http1_server_new, NULL);
    assert_ok(server.arena, side_feed_text(&server, GET("/")));
    side_send_head(&server, server.stream, 200, "", -1, false);
    char piece[10000];
    memset(piece, 'x', sizeof piece);
    for (int i = 0; i < 20; i++)
        http_stream_send_body(server.stream, bytes(piece, sizeof piece));
    assert_true(http_stream_queued(server.stream) > 200000);
    side_forget(&server);
    side_take_output(&server);
    assert_string_equal(side_log(&server), "drain\n");
    assert_int_equal(http_stream_queued(server.stream), 0);
    side_end(&server);
}

static void a_request_of_http_1_0_ends_the_connection_unless_it_asks(void **state)
{
    Side server = {.on_end = side_answer_ok, .releases = true};
    side_begin(&server, http1_server_new, NULL);
    assert_ok(server.arena,
              side_feed_text(&server, "GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n"));
    assert_non_null(strstr(side_wire(&server), "connection: keep-alive\r\n"));
    assert_int_equal(http_connection_phase(server.connection), HTTP_IDLE);
    side_forget(&server);
    assert_ok(server.arena, side_feed_text(&server, "GET / HTTP/1.0\r\n\r\n"));
    assert_non_null(strstr(side_wire(&server), "connection: close\r\n"));
    assert_int_equal(http_connection_phase(server.connection), HTTP_CLOSED);
    side_end(&server);
}

static void connection_close_is_obeyed(void **state)
{
    Side server = {.on_end = side_answer_ok, .releases = true};
    side_begin(&server, http1_server_new, NULL);
    assert_ok(server.arena,
              side_feed_text(&server,
                             "GET / HTTP/1.1\r\nHost: a\r\nConnection: Close\r\n\r\n" GET("/2")));
    assert_non_null(strstr(side_wire(&server), "connection: close\r\n"));
    assert_null(strstr(side_log(&server), "/2"));
    assert_int_equal(http_connection_phase(server.connection), HTTP_CLOSED);
    side_end(&server);
}

static void after_so_many_requests_the_connection_closes(void **state)
{
    Side server = {.on_end = side_answer_ok, .releases = true};
    HttpLimits limits = http_limits_default;
    limits.requests = 2;
    side_begin(&server, http1_server_new, &limits);
    assert_ok(server.arena, side_feed_text(&server, GET("/1")));
    assert_int_equal(http_connection_phase(server.connection), HTTP_IDLE);
    assert_ok(server.arena, side_feed_text(&server, GET("/2")));
    assert_int_equal(http_connection_phase(server.connection), HTTP_CLOSED);
    assert_non_null(strstr(side_wire(&server), "connection: close\r\n"));
    side_end(&server);
}

static void a_draining_server_answers_what_it_has_and_closes(void **state)
{
    Side server = {0};
    side_begin(&server, http1_server_new, NULL);
    assert_ok(server.arena, side_feed_text(&server, GET("/1")));
    http_connection_drain(server.connection);
    assert_int_equal(http_connection_phase(server.connection), HTTP_ACTIVE);
    side_answer_ok(&server, server.stream);
    side_take_output(&server);
    assert_non_null(strstr(side_wire(&server), "connection: close\r\n"));
    assert_int_equal(http_connection_phase(server.connection), HTTP_CLOSED);
    side_end(&server);
}

static void an_idle_server_that_drains_serves_the_request_that_is_on_its_way(void **state)
{
    for (int before = 0; before < 3; before++) {
        Side server = {0};
        side_begin(&server, http1_server_new, NULL);
        for (int i = 0; i < before; i++) {
            assert_ok(server.arena, side_feed_text(&server, GET("/before")));
            side_answer_ok(&server, server.stream);
            side_take_output(&server);
        }
        assert_null(strstr(side_wire(&server), "connection: close"));
        http_connection_drain(server.connection);
        assert_int_equal(http_connection_phase(server.connection), HTTP_IDLE);
        assert_true(http_connection_wants_input(server.connection));
        assert_ok(server.arena, side_feed_text(&server, GET("/last")));
        side_answer_ok(&server, server.stream);
        side_take_output(&server);
        assert_non_null(strstr(side_wire(&server), "connection: close\r\n"));
        assert_int_equal(http_connection_phase(server.connection), HTTP_CLOSED);
        side_end(&server);
    }
}

/* What has come by the drain is answered, and the last response says close; what comes later is
   not. */
static void a_draining_server_answers_the_pipelined_requests_that_it_has(void **state)
{
    static const char *const pipelined[] = {
        GET("/2"), "POST /2 HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\n\r\nabc",
        "POST /2 HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n0\r\n\r\n"};
    for (size_t i = 0; i < sizeof pipelined / sizeof *pipelined; i++) {
        Side server = {0};
        side_begin(&server, http1_server_new, NULL);
        assert_ok(server.arena, side_feed_text(&server, GET("/1")));
        assert_ok(server.arena, side_feed_text(&server, pipelined[i]));
        assert_ok(server.arena, side_feed_text(&server, GET("/3")));
        http_connection_drain(server.connection);
        http_connection_drain(server.connection); /* twice is once */
        assert_ok(server.arena, side_feed_text(&server, GET("/late")));
        for (int answered = 0; answered < 2; answered++) {
            side_answer_ok(&server, server.stream);
            side_take_output(&server);
            assert_null(strstr(side_wire(&server), "connection: close"));
            assert_int_equal(http_connection_phase(server.connection), HTTP_ACTIVE);
        }
        side_answer_ok(&server, server.stream);
        side_take_output(&server);
        assert_non_null(strstr(side_wire(&server), "connection: close\r\n"));
        assert_int_equal(http_connection_phase(server.connection), HTTP_CLOSED);
        assert_non_null(strstr(side_log(&server), "/3"));
        assert_null(strstr(side_log(&server), "/late"));
        side_end(&server);
    }
}

static void what_a_head_has_promised_before_the_drain_is_kept(void **state)
{
    Side server = {0};
    side_begin(&server, http1_server_new, NULL);
    assert_ok(server.arena, side_feed_text(&server, GET("/1")));
    HttpHead head = {.status = 200, .content_length = 2};
    http_stream_send_head(server.stream, &head, false);
    side_take_output(&server);
    http_connection_drain(server.connection);
    http_stream_send_body(server.stream, bytes_of("ok"));
    http_stream_send_end(server.stream, NULL);
    side_take_output(&server);
    assert_null(strstr(side_wire(&server), "connection: close"));
    assert_int_equal(http_connection_phase(server.connection), HTTP_IDLE);
    assert_ok(server.arena, side_feed_text(&server, GET("/2")));
    side_answer_ok(&server, server.stream);
    side_take_output(&server);
    assert_non_null(strstr(side_wire(&server), "connection: close\r\n"));
    assert_int_equal(http_connection_phase(server.connection), HTTP_CLOSED);
    side_end(&server);
}

static void an_idle_client_that_drains_closes_at_once(void **state)
{
    Side client = {0};
    side_begin(&client, http1_client_new, NULL);
    http_connection_drain(client.connection);
    assert_int_equal(http_connection_phase(client.connection), HTTP_CLOSED);
    side_end(&client);
}

/* ---- 100-continue ---------------------------------------------------------------------------- */

#define EXPECTS HEAD "Expect: 100-Continue\r\nContent-Length: 2\r\n\r\n"

static void a_held_back_body_is_asked_for(void **state)
{
    Side server = {.on_end = side_answer_ok, .releases = true};
    side_begin(&server, http1_server_new, NULL);
    assert_ok(server.arena, side_feed_text(&server, EXPECTS));
    assert_string_equal(side_wire(&server), "HTTP/1.1 100 Continue\r\n\r\n");
    assert_ok(server.arena, side_feed_text(&server, "hi"));
    assert_string_equal(side_log(&server), "request POST http://a / length 2\nbody hi\nend\n");
    assert_int_equal(http_connection_phase(server.connection), HTTP_IDLE);
    side_end(&server);
}

static void a_body_that_comes_by_itself_is_not_asked_for(void **state)
{
    Side server = {.on_end = side_answer_ok, .releases = true};
    side_begin(&server, http1_server_new, NULL);
    assert_ok(server.arena, side_feed_text(&server, EXPECTS "hi"));
    assert_null(strstr(side_wire(&server), "100"));
    side_end(&server);
}

static void refuse_at_once(Side *side, HttpStream *stream, const HttpHead *head)
{
    side_send_head(side, stream, 413, "", 0, true);
}

static void a_refused_body_is_not_asked_for_and_the_connection_ends(void **state)
{
    Side server = {.on_head = refuse_at_once};
    side_begin(&server, http1_server_new, NULL);
    assert_ok(server.arena, side_feed_text(&server, EXPECTS));
    assert_string_equal(side_wire(&server),
                        "HTTP/1.1 413 Content Too Large\r\ncontent-length: 0\r\n"
                        "connection: close\r\n\r\n");
    side_end(&server);
}

/* ---- Answers --------------------------------------------------------------------------------- */

static void stream_answer(Side *side, HttpStream *stream)
{
    side_send_head(side, stream, 200, "", -1, false);
    http_stream_send_body(stream, bytes_of("one"));
    http_stream_send_body(stream, bytes_of("two"));
    side_send_trailers(side, stream, "x-sum: 6\ncontent-length: 9");
}

static void expect_wire(void (*answer)(Side *, HttpStream *), const char *request, const char *wire)
{
    Side server = {.on_end = answer, .releases = true};
    side_begin(&server, http1_server_new, NULL);
    assert_ok(server.arena, side_feed_text(&server, request));
    assert_string_equal(side_wire(&server), wire);
    side_end(&server);
}

static void an_answer_of_unknown_length_goes_out_in_chunks(void **state)
{
    expect_wire(stream_answer, GET("/"),
                "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n"
                "3\r\none\r\n3\r\ntwo\r\n0\r\n\r\n");
}

static void trailers_go_out_to_those_who_take_them(void **state)
{
    expect_wire(stream_answer,
                "GET / HTTP/1.1\r\nHost: a\r\nTE: trailers\r\nConnection: TE\r\n\r\n",
                "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n"
                "3\r\none\r\n3\r\ntwo\r\n0\r\nx-sum: 6\r\n\r\n");
}

static void an_answer_of_unknown_length_to_http_1_0_ends_with_the_connection(void **state)
{
    expect_wire(stream_answer, "GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n",
                "HTTP/1.1 200 OK\r\nconnection: close\r\n\r\nonetwo");
}

static void an_answer_to_head_has_no_body(void **state)
{
    expect_wire(side_answer_ok, "HEAD / HTTP/1.1\r\nHost: a\r\n\r\n",
                "HTTP/1.1 200 OK\r\ncontent-type: text/plain\r\ncontent-length: 2\r\n\r\n");
    expect_wire(stream_answer, "HEAD / HTTP/1.1\r\nHost: a\r\n\r\n", "HTTP/1.1 200 OK\r\n\r\n");
}

static void answer_204(Side *side, HttpStream *stream)
{
    side_send_head(side, stream, 204, "", -1, false);
    http_stream_send_body(stream, bytes_of("no"));
    http_stream_send_end(stream, NULL);
}

static void answer_304(Side *side, HttpStream *stream)
{
    side_send_head(side, stream, 304, "etag: \"1\"", 100, false);
    http_stream_send_body(stream, bytes_of("no"));
    http_stream_send_end(stream, NULL);
}

static void answers_that_have_no_body_get_none(void **state)
{
    expect_wire(answer_204, GET("/"), "HTTP/1.1 204 No Content\r\n\r\n");
    expect_wire(answer_304, GET("/"),
                "HTTP/1.1 304 Not Modified\r\netag: \"1\"\r\ncontent-length: 100\r\n\r\n");
}

static void answer_badly(Side *side, HttpStream *stream)
{
    side_send_head(side, stream, 200,
                   "good: 1\nbad name: 2\nBad: 3\nbad: a\rb\nconnection: x\ncontent-length: 9\n"
                   "transfer-encoding: gzip\nkeep-alive: 4",
                   0, true);
}

static void what_could_split_an_answer_does_not_go_out(void **state)
{
    expect_wire(answer_badly, GET("/"), "HTTP/1.1 200 OK\r\ngood: 1\r\ncontent-length: 0\r\n\r\n");
}

static void answer_short(Side *side, HttpStream *stream)
{
    side_send_head(side, stream, 200, "", 10, false);
    http_stream_send_body(stream, bytes_of("short"));
    http_stream_send_end(stream, NULL);
}

static void answer_long(Side *side, HttpStream *stream)
{
    side_send_head(side, stream, 200, "", 3, false);
    http_stream_send_body(stream, bytes_of("longer"));
    http_stream_send_end(stream, NULL);
}

static void a_body_never_differs_from_its_length_on_a_living_connection(void **state)
{
    Side server = {.on_end = answer_short, .releases = true};
    side_begin(&server, http1_server_new, NULL);
    assert_ok(server.arena, side_feed_text(&server, GET("/")));
    assert_int_equal(http_connection_phase(server.connection), HTTP_CLOSED);
    side_end(&server);
    expect_wire(answer_long, GET("/"), "HTTP/1.1 200 OK\r\ncontent-length: 3\r\n\r\nlon");
}

static void early_answer(Side *side, HttpStream *stream, const HttpHead *head)
{
    side_answer_ok(side, stream);
}

static void
an_answer_before_the_end_of_the_request_keeps_the_connection_if_the_rest_is_short(void **state)
{
    Side server = {.on_head = early_answer, .releases = true};
    side_begin(&server, http1_server_new, NULL);
    assert_ok(server.arena, side_feed_text(&server, HEAD "Content-Length: 4\r\n\r\nab"));
    assert_ok(server.arena, side_feed_text(&server, "cd" GET("/2")));
    assert_non_null(strstr(side_log(&server), "request GET http://a /2 end\n"));
    side_end(&server);
}

static void an_answer_before_the_end_of_a_long_request_says_that_the_connection_ends(void **state)
{
    static const char *const unfinished[] = {HEAD "Content-Length: 40000000\r\n\r\nab",
                                             HEAD "Transfer-Encoding: chunked\r\n\r\n2\r\nab\r\n"};
    for (int i = 0; i < 2; i++) {
        Side server = {.on_head = early_answer, .releases = true};
        side_begin(&server, http1_server_new, NULL);
        assert_ok(server.arena, side_feed_text(&server, unfinished[i]));
        assert_false(http_connection_wants_input(server.connection));
        buffer_add_byte(&server.wire, '\0');
        assert_non_null(strstr((const char *)server.wire.data, "connection: close\r\n"));
        assert_int_equal(http_connection_phase(server.connection), HTTP_CLOSED);
        side_end(&server);
    }
}

/* ---- Clients that leave ---------------------------------------------------------------------- */

/* It gets its response, and before that bytes which a client that is gone responds to. */
static void a_client_that_closes_its_side_behind_the_request_is_probed_and_answered(void **state)
{
    Side server = {0};
    side_begin(&server, http1_server_new, NULL);
    assert_ok(server.arena, side_feed_text(&server, GET("/")));
    side_forget(&server);
    http_connection_eof(server.connection);
    assert_string_equal(side_log(&server), "");
    assert_int_equal(http_connection_phase(server.connection), HTTP_ACTIVE);
    side_take_output(&server);
    assert_string_equal(side_wire(&server), "HTTP/1.1 100 Continue\r\n\r\n");
    side_answer_ok(&server, server.stream);
    side_take_output(&server);
    assert_non_null(strstr(side_wire(&server), "connection: close\r\n"));
    assert_non_null(strstr(side_wire(&server), "\r\n\r\nok"));
    assert_int_equal(http_connection_phase(server.connection), HTTP_CLOSED);
    side_end(&server);
}

static void a_client_that_was_only_half_gone_can_still_be_lost(void **state)
{
    Side server = {0};
    side_begin(&server, http1_server_new, NULL);
    assert_ok(server.arena, side_feed_text(&server, GET("/")));
    side_forget(&server);
    http_connection_eof(server.connection);
    Result why = FAIL(server.arena, FAULT_CANCELLED, "reset");
    http_connection_lost(server.connection, why);
    assert_string_equal(side_log(&server), "reset CANCELLED\n");
    side_end(&server);
}

/* 1xx are not for HTTP/1.0. */
static void an_old_client_is_answered_without_a_probe(void **state)
{
    Side server = {0};
    side_begin(&server, http1_server_new, NULL);
    assert_ok(server.arena, side_feed_text(&server, "GET / HTTP/1.0\r\nHost: a\r\n\r\n"));
    http_connection_eof(server.connection);
    side_take_output(&server);
    assert_string_equal(side_wire(&server), "");
    side_answer_ok(&server, server.stream);
    side_take_output(&server);
    assert_non_null(strstr(side_wire(&server), "\r\n\r\nok"));
    assert_int_equal(http_connection_phase(server.connection), HTTP_CLOSED);
    side_end(&server);
}

/* The probe is the first digit of the size of the next chunk, or of the last one. */
static void a_stream_is_probed_between_two_chunks(void **state)
{
    for (int pieces = 0; pieces < 3; pieces++) {
        Side server = {0}, client = {0};
        side_begin(&server, http1_server_new, NULL);
        side_begin(&client, http1_client_new, NULL);
        side_open(&client, "GET", "/", NULL, -1, true);
        sides_pump(&client, &server);
        side_send_head(&server, server.stream, 200, NULL, -1, false);
        http_stream_send_body(server.stream, bytes_of("before "));
        sides_pump(&client, &server);
        side_forget(&server);
        http_connection_eof(server.connection);
        sides_pump(&client, &server);
        assert_string_equal(side_log(&server), "");
        for (int i = 0; i < pieces; i++)
            http_stream_send_body(server.stream, bytes_of("seventeen letters"));
        http_stream_send_end(server.stream, NULL);
        sides_pump(&client, &server);
        const char *all = arena_printf(client.arena, "answer 200\nbody before %s%s\nend\n",
                                       pieces > 0 ? "seventeen letters" : "",
                                       pieces > 1 ? "seventeen letters" : "");
        assert_string_equal(side_log(&client), all);
        assert_int_equal(http_connection_phase(server.connection), HTTP_CLOSED);
        side_end(&client);
        side_end(&server);
    }
}

static void a_response_of_known_length_is_not_probed(void **state)
{
    Side server = {0};
    side_begin(&server, http1_server_new, NULL);
    assert_ok(server.arena, side_feed_text(&server, GET("/")));
    side_send_head(&server, server.stream, 200, NULL, 2, false);
    side_take_output(&server);
    size_t size = server.wire.size;
    http_connection_eof(server.connection);
    side_take_output(&server);
    assert_int_equal(server.wire.size, size);
    http_stream_send_body(server.stream, bytes_of("ok"));
    http_stream_send_end(server.stream, NULL);
    side_take_output(&server);
    assert_int_equal(server.wire.size, size + 2);
    assert_int_equal(http_connection_phase(server.connection), HTTP_CLOSED);
    side_end(&server);
}

/* What came before the end of the input is answered; `rest` is no request. */
static void pipelined_requests_before_the_end_of_the_input_are_all_answered(void **state)
{
    static const struct {
        const char *rest, *log;
    } cases[] = {
        {"", ""},
        {"GET /4 HTT", ""},
        {"POST /4 HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhe",
         "request POST http://a /4 length 5\nbody he\nreset CANCELLED\n"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        Side server = {0};
        side_begin(&server, http1_server_new, NULL);
        assert_ok(server.arena, side_feed_text(&server, GET("/1")));
        assert_ok(server.arena, side_feed_text(&server, GET("/2") GET("/3")));
        assert_ok(server.arena, side_feed_text(&server, cases[i].rest));
        http_connection_eof(server.connection);
        for (int n = 1; n <= 3; n++) {
            const char *path = arena_printf(server.arena, "http://a /%d end\nend\n", n);
            assert_non_null(strstr(side_log(&server), path));
            assert_int_equal(http_connection_phase(server.connection), HTTP_ACTIVE);
            side_forget(&server);
            side_answer_ok(&server, server.stream);
            side_take_output(&server);
        }
        assert_string_equal(side_log(&server), cases[i].log);
        assert_int_equal(http_connection_phase(server.connection), HTTP_CLOSED);
        bool said = strstr(side_wire(&server), "connection: close\r\n") != NULL;
        assert_int_equal(said, i == 0); /* else the rest might have become a request */
        side_end(&server);
    }
}

static void a_client_that_wants_to_switch_protocols_needs_both_directions(void **state)
{
    Side server = {0};
    side_begin(&server, http1_server_new, NULL);
    assert_ok(server.arena,
              side_feed_text(&server, "GET / HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\n"
                                      "Connection: upgrade\r\n\r\n"));
    side_forget(&server);
    http_connection_eof(server.connection);
    assert_string_equal(side_log(&server), "reset CANCELLED\n");
    side_take_output(&server);
    assert_int_equal(http_connection_phase(server.connection), HTTP_CLOSED);
    side_end(&server);
}

static void a_client_that_leaves_within_its_request_is_noticed(void **state)
{
    Side server = {.releases = true};
    side_begin(&server, http1_server_new, NULL);
    assert_ok(server.arena, side_feed_text(&server, HEAD "Content-Length: 5\r\n\r\nhe"));
    http_connection_eof(server.connection);
    assert_string_equal(side_log(&server),
                        "request POST http://a / length 5\nbody he\nreset CANCELLED\n");
    side_end(&server);
}

static void an_answer_goes_out_to_a_client_that_has_closed_its_side_behind_the_request(void **state)
{
    Side server = {.on_end = side_answer_ok, .releases = true};
    side_begin(&server, http1_server_new, NULL);
    assert_ok(server.arena, http_connection_feed(server.connection, bytes_of(GET("/")), 1));
    http_connection_eof(server.connection);
    assert_int_equal(http_connection_phase(server.connection), HTTP_CLOSING);
    side_take_output(&server);
    assert_non_null(strstr(side_wire(&server), "\r\n\r\nok"));
    assert_int_equal(http_connection_phase(server.connection), HTTP_CLOSED);
    side_end(&server);
}

static void what_is_queued_goes_out_before_a_cut(void **state)
{
    Side server = {0};
    side_begin(&server, http1_server_new, NULL);
    assert_ok(server.arena, side_feed_text(&server, GET("/")));
    HttpHead head = {.status = 200, .content_length = -1};
    http_stream_send_head(server.stream, &head, false);
    http_stream_send_body(server.stream, bytes_of("one"));
    http_stream_cut(server.stream, HTTP2_ERROR_INTERNAL);
    side_take_output(&server);
    assert_non_null(strstr(side_wire(&server), "HTTP/1.1 200 OK"));
    assert_non_null(strstr(side_wire(&server), "one\r\n"));
    assert_null(strstr(side_wire(&server), "\r\n0\r\n"));
    assert_int_equal(http_connection_phase(server.connection), HTTP_CLOSED);
    side_end(&server);
}

static void a_lost_connection_tells_its_stream_which_outlives_it(void **state)
{
    Side server = {0};
    side_begin(&server, http1_server_new, NULL);
    assert_ok(server.arena, side_feed_text(&server, GET("/")));
    side_forget(&server);
    http_connection_lost(server.connection, FAIL(server.arena, FAULT_REQUEST_TIMEOUT, "slow"));
    assert_string_equal(side_log(&server), "reset REQUEST_TIMEOUT\n");
    http_stream_send_body(server.stream, bytes_of("x"));
    side_end(&server);
}

static void a_response_is_owed_until_its_last_byte_is_sent(void **state)
{
    Side server = {.on_end = side_answer_ok, .releases = true};
    struct iovec vectors[8];
    side_begin(&server, http1_server_new, NULL);
    assert_false(http_connection_owes(server.connection, 0));
    assert_ok(server.arena, http_connection_feed(server.connection, bytes_of(GET("/")), 1));
    assert_true(http_connection_owes(server.connection, 0));
    assert_int_equal(http_connection_output(server.connection, vectors, 8), 1);
    http_connection_sent(server.connection, vectors[0].iov_len - 1);
    assert_true(http_connection_owes(server.connection, 0));
    http_connection_sent(server.connection, 1);
    assert_false(http_connection_owes(server.connection, 0));
    assert_true(http_connection_owes(server.connection, 1)); /* its last byte was kept */
    side_end(&server);
}

static void a_response_that_its_owner_has_not_ended_is_not_owed(void **state)
{
    Side server = {0};
    side_begin(&server, http1_server_new, NULL);
    assert_ok(server.arena, side_feed_text(&server, GET("/")));
    side_send_head(&server, server.stream, 200, "", 2, false);
    assert_false(http_connection_owes(server.connection, 0));
    side_take_output(&server);
    assert_false(http_connection_owes(server.connection, 1000));
    side_end(&server);
}

/* ---- The client side ------------------------------------------------------------------------- */

static void a_client_and_a_server_understand_each_other(void **state)
{
    Side server = {.on_end = side_answer_ok, .releases = true}, client = {.releases = true};
    side_begin(&server, http1_server_new, NULL);
    side_begin(&client, http1_client_new, NULL);
    for (int i = 0; i < 3; i++) {
        HttpStream *stream = side_open(&client, "POST", "/x", "a: b", -1, false);
        http_stream_send_body(stream, bytes_of("hello, "));
        http_stream_send_body(stream, bytes_of("world"));
        http_stream_send_end(stream, NULL);
        assert_int_equal(http_connection_capacity(client.connection), 0);
        sides_pump(&client, &server);
        assert_int_equal(http_connection_capacity(client.connection), 1);
        assert_string_equal(side_log(&server), "request POST http://example.com /x\n"
                                               "  a: b\n"
                                               "body hello, world\n"
                                               "end\n");
        assert_string_equal(side_log(&client), "answer 200 length 2\n"
                                               "  content-type: text/plain\n"
                                               "body ok\n"
                                               "end\n");
        side_forget(&server);
        side_forget(&client);
    }
    side_end(&client);
    side_end(&server);
}

typedef struct Answer {
    const char *method, *wire, *log;
    bool reusable;
} Answer;

static const Answer answers[] = {
    {"GET", "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok", "answer 200 length 2\nbody ok\nend\n",
     true},
    {"GET", "HTTP/1.1 200 \r\nContent-Length: 0\r\n\r\n", "answer 200 length 0 end\nend\n", true},
    {"GET", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\nX-T: 1\r\n\r\n",
     "answer 200\nbody ok\nend\n  x-t: 1\n", true},
    {"GET",
     "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n"
     "HTTP/1.1 204 No Content\r\n\r\n",
     "interim 100\ninterim 103\n  link: x\nanswer 204 end\nend\n", true},
    {"HEAD", "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n", "answer 200 length 2 end\nend\n",
     true},
    {"GET", "HTTP/1.1 304 Not Modified\r\nContent-Length: 2\r\n\r\n",
     "answer 304 length 2 end\nend\n", true},
    {"GET", "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nok",
     "answer 200 length 2\nbody ok\nend\n", false},
    {"GET", "HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nok", "answer 200 length 2\nbody ok\nend\n",
     false},
    {"GET", "HTTP/1.0 200 OK\r\nConnection: keep-alive\r\nContent-Length: 2\r\n\r\nok",
     "answer 200 length 2\nbody ok\nend\n", true},
    /* what breaks the rules, or ends too early */
    {"GET", "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
     "reset UPSTREAM_PROTOCOL\n", false},
    {"GET", "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\nok",
     "reset UPSTREAM_PROTOCOL\n", false},
    {"GET", "HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\nok", "reset UPSTREAM_PROTOCOL\n", false},
    {"GET", "HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\nok", "reset UPSTREAM_PROTOCOL\n",
     false},
    {"GET", "HTTP/1.1 200 OK\r\nX: y\nZ: a\r\n\r\n", "reset UPSTREAM_PROTOCOL\n", false},
    {"GET", "HTTP/1.1 200 OK\r\nX: y\r\n z\r\n\r\n", "reset UPSTREAM_PROTOCOL\n", false},
    {"GET", "HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n",
     "reset UPSTREAM_PROTOCOL\n", false},
    {"GET", "ICY 200 OK\r\n\r\n", "reset UPSTREAM_PROTOCOL\n", false},
    {"GET", "HTTP/1.1 20 OK\r\n\r\n", "reset UPSTREAM_PROTOCOL\n", false},
    {"GET", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nxx\r\n",
     "answer 200\nreset UPSTREAM_PROTOCOL\n", false},
};

static void a_service_that_answers_in_http2_is_told_as_that(void **state)
{
    static const uint8_t settings[] = {0, 0, 6, 4, 0, 0, 0, 0, 0, 0, 3, 0, 0, 0, 100};
    Side client = {.releases = true};
    side_begin(&client, http1_client_new, NULL);
    side_open(&client, "GET", "/", "", -1, true);
    side_take_output(&client);
    Result r = side_feed(&client, bytes(settings, sizeof settings));
    assert_true(failed(r));
    assert_non_null(strstr(error_text(client.arena, r), "the instance answers in HTTP/2"));
    side_end(&client);
}

static void answers_are_read_as_the_standard_says_at_every_split(void **state)
{
    for (size_t i = 0; i < sizeof answers / sizeof *answers; i++) {
        Bytes input = bytes_of(answers[i].wire);
        for (size_t at = 1; at <= input.size; at++) {
            Side client = {.releases = true};
            side_begin(&client, http1_client_new, NULL);
            side_open(&client, answers[i].method, "/", "", -1, true);
            side_take_output(&client);
            Result r = feed_split(&client, input, at);
            assert_int_equal(failed(r), strstr(answers[i].log, "reset") != NULL);
            assert_string_equal(side_log(&client), answers[i].log);
            assert_int_equal(http_connection_capacity(client.connection), answers[i].reusable);
            side_end(&client);
        }
    }
}

static void an_answer_without_length_ends_with_the_connection(void **state)
{
    Side client = {.releases = true};
    side_begin(&client, http1_client_new, NULL);
    side_open(&client, "GET", "/", "", -1, true);
    side_take_output(&client);
    assert_ok(client.arena, side_feed_text(&client, "HTTP/1.1 200 OK\r\n\r\nall of "));
    assert_ok(client.arena, side_feed_text(&client, "it"));
    http_connection_eof(client.connection);
    assert_string_equal(side_log(&client), "answer 200\nbody all of it\nend\n");
    assert_int_equal(http_connection_phase(client.connection), HTTP_CLOSED);
    side_end(&client);
}

static void an_answer_cut_short_is_a_reset(void **state)
{
    static const char *const cut[] = {
        "",
        "HTTP/1.1 200",
        "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhel",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nhel\r\n",
    };
    for (size_t i = 0; i < sizeof cut / sizeof *cut; i++) {
        Side client = {.releases = true};
        side_begin(&client, http1_client_new, NULL);
        side_open(&client, "GET", "/", "", -1, true);
        side_take_output(&client);
        assert_ok(client.arena, side_feed_text(&client, cut[i]));
        http_connection_eof(client.connection);
        assert_non_null(strstr(side_log(&client), "reset UPSTREAM_RESET\n"));
        side_end(&client);
    }
}

static void a_request_of_which_no_byte_went_out_may_be_sent_again(void **state)
{
    for (int eof = 0; eof < 2; eof++) {
        Side client = {.releases = true};
        side_begin(&client, http1_client_new, NULL);
        side_open(&client, "GET", "/", "", -1, true);
        if (eof)
            http_connection_eof(client.connection);
        else
            http_connection_lost(client.connection, FAIL(client.arena, FAULT_SYSTEM, "gone"));
        assert_string_equal(side_log(&client), "reset UPSTREAM_REFUSED\n");
        side_end(&client);
    }
}

static void bytes_between_two_answers_end_the_connection(void **state)
{
    Side client = {.releases = true};
    side_begin(&client, http1_client_new, NULL);
    side_open(&client, "GET", "/", "", -1, true);
    side_take_output(&client);
    assert_fault(side_feed_text(&client, "HTTP/1.1 204 No Content\r\n\r\nHTTP/1.1 200 OK\r\n"),
                 FAULT_UPSTREAM_PROTOCOL);
    assert_string_equal(side_log(&client), "answer 204 end\nend\n");
    assert_int_equal(http_connection_capacity(client.connection), 0);
    side_end(&client);
}

static void requests_are_written_as_the_standard_says(void **state)
{
    Side client = {0};
    side_begin(&client, http1_client_new, NULL);
    side_open(&client, "GET", "/a?b", "x: 1\nhost: evil\nconnection: x\nte: trailers\nbad\r: 2", -1,
              true);
    side_take_output(&client);
    assert_string_equal(side_wire(&client),
                        "GET /a?b HTTP/1.1\r\nhost: example.com\r\nx: 1\r\n\r\n");
    side_end(&client);

    client = (Side){0};
    side_begin(&client, http1_client_new, NULL);
    side_open(&client, "POST", "/", "", -1, true);
    side_take_output(&client);
    assert_string_equal(side_wire(&client),
                        "POST / HTTP/1.1\r\nhost: example.com\r\ncontent-length: 0\r\n\r\n");
    side_end(&client);

    client = (Side){0};
    side_begin(&client, http1_client_new, NULL);
    HttpStream *stream = side_open(&client, "POST", "/", "", 2, false);
    http_stream_send_body(stream, bytes_of("hi"));
    http_stream_send_end(stream, NULL);
    side_take_output(&client);
    assert_string_equal(side_wire(&client),
                        "POST / HTTP/1.1\r\nhost: example.com\r\ncontent-length: 2\r\n\r\nhi");
    side_end(&client);
}

static void a_request_that_would_break_its_message_is_not_sent(void **state)
{
    static const struct {
        const char *method, *path;
    } rows[] = {
        {"GET / HTTP/1.1\r\n", "/"}, {"GET", "/ HTTP/1.1\r\nx: y"}, {"GET", "x"}, {"GET", ""}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        for (int http2 = 0; http2 < 2; http2++) {
            Side client = {0};
            side_begin(&client, http2 ? http2_client_new : http1_client_new, NULL);
            assert_null(side_open(&client, rows[i].method, rows[i].path, "", -1, true));
            side_end(&client);
        }
    }
}

static void a_released_call_takes_its_connection_along(void **state)
{
    Side client = {0};
    side_begin(&client, http1_client_new, NULL);
    side_release(&client, side_open(&client, "GET", "/", "", -1, true));
    assert_int_equal(http_connection_capacity(client.connection), 0);
    assert_int_equal(http_connection_phase(client.connection), HTTP_CLOSED);
    side_end(&client);
}

/* ---- Tunnels --------------------------------------------------------------------------------- */

static void switch_protocols(Side *side, HttpStream *stream)
{
    if (strstr(side_log(side), "upgrade"))
        side_send_head(side, stream, 101, "upgrade: websocket", -1, false);
}

static void after_101_bytes_go_both_ways_until_each_side_ends(void **state)
{
    Side server = {.on_end = switch_protocols}, client = {0};
    side_begin(&server, http1_server_new, NULL);
    side_begin(&client, http1_client_new, NULL);
    HttpStream *stream = side_open(&client, "GET", "/ws", "upgrade: websocket", -1, true);
    sides_pump(&client, &server);
    assert_string_equal(side_log(&server), "request GET http://example.com /ws upgrade end\n"
                                           "  upgrade: websocket\nend\n");
    assert_string_equal(side_log(&client), "answer 101 upgrade\n  upgrade: websocket\n");
    side_forget(&server);
    side_forget(&client);
    http_stream_send_body(stream, bytes_of("GET / HTTP/1.1\r\n\r\n"));
    http_stream_send_body(server.stream, bytes_of("\1\2\3"));
    sides_pump(&client, &server);
    assert_string_equal(side_log(&server), "body GET / HTTP/1.1\r\n\r\n\n");
    assert_string_equal(side_log(&client), "body \1\2\3\n");
    side_forget(&server);
    http_connection_eof(server.connection);
    assert_string_equal(side_log(&server), "end\n");
    http_stream_send_body(server.stream, bytes_of("bye"));
    http_stream_send_end(server.stream, NULL);
    side_forget(&client);
    sides_pump(&client, &server);
    assert_string_equal(side_log(&client), "body bye\n");
    assert_int_equal(http_connection_phase(server.connection), HTTP_CLOSED);
    side_end(&client);
    side_end(&server);
}

/* What one side of a tunnel has said all of may be answered by the other at length. */
static void a_tunnel_that_is_half_closed_goes_on_the_other_way(void **state)
{
    for (int by_client = 0; by_client < 2; by_client++) {
        Side server = {.on_end = switch_protocols}, client = {0};
        side_begin(&server, http1_server_new, NULL);
        side_begin(&client, http1_client_new, NULL);
        side_open(&client, "GET", "/ws", "upgrade: websocket", -1, true);
        sides_pump(&client, &server);
        server.on_end = NULL;
        Side *first = by_client ? &client : &server, *second = by_client ? &server : &client;
        side_forget(first);
        side_forget(second);

        http_stream_send_body(first->stream, bytes_of("all"));
        http_stream_send_end(first->stream, NULL);
        sides_pump(first, second);
        assert_true(http_connection_half_closed(first->connection));
        assert_int_equal(http_connection_phase(first->connection), HTTP_ACTIVE);
        http_connection_eof(second->connection);
        assert_string_equal(side_log(second), "body all\nend\n");
        http_stream_send_body(second->stream, bytes_of("one more thing"));
        sides_pump(first, second);
        assert_string_equal(side_log(first), "body one more thing\n");

        http_stream_send_end(second->stream, NULL);
        sides_pump(first, second);
        assert_int_equal(http_connection_phase(second->connection), HTTP_CLOSED);
        http_connection_eof(first->connection);
        assert_int_equal(http_connection_phase(first->connection), HTTP_CLOSED);
        side_end(&client);
        side_end(&server);
    }
}

/* A response is complete when our side has ended; a tunnel is not. */
static void a_tunnel_of_which_one_side_has_ended_can_still_be_lost(void **state)
{
    Side server = {0};
    side_begin(&server, http1_server_new, NULL);
    assert_ok(
        server.arena,
        side_feed_text(&server,
                       "GET / HTTP/1.1\r\nHost: a\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\n"));
    side_send_head(&server, server.stream, 101, "upgrade: x", -1, false);
    http_stream_send_end(server.stream, NULL);
    side_take_output(&server);
    side_forget(&server);
    http_connection_lost(server.connection, FAIL(server.arena, FAULT_CANCELLED, "reset"));
    assert_string_equal(side_log(&server), "reset CANCELLED\n");
    side_end(&server);
}

static void bytes_behind_an_upgrade_wait_for_101(void **state)
{
    Side server = {0};
    side_begin(&server, http1_server_new, NULL);
    assert_ok(server.arena,
              side_feed_text(&server, "GET / HTTP/1.1\r\nHost: a\r\nConnection: upgrade\r\n"
                                      "Upgrade: x\r\n\r\nearly"));
    side_forget(&server);
    side_send_head(&server, server.stream, 101, "upgrade: x", -1, false);
    side_take_output(&server);
    assert_string_equal(side_log(&server), "body early\n");
    side_end(&server);
}

/* ---- Owners that do anything ----------------------------------------------------------------- */

static void owners_may_do_anything_at_any_time(void **state)
{
    uint64_t heads = 0, ends = 0, resets = 0;
    for (uint32_t seed = 1; seed <= 3000; seed++) {
        HttpChaos client, server;
        http_chaos_begin(&client, http1_client_new, true, &http_limits_default, seed);
        http_chaos_begin(&server, http1_server_new, false, &http_limits_default, seed + 1000);
        for (int step = 0; step < 20; step++) {
            for (int i = 0; i < 10; i++)
                http_chaos_act(i % 2 ? &client : &server);
            http_chaos_settle(&client, &server);
        }
        heads += client.heads;
        ends += client.ends;
        resets += client.resets;
        http_chaos_end(&client);
        http_chaos_end(&server);
    }
    assert_true(heads > 100 && ends > 50 && resets > 50);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(names_of_fields_come_in_lower_case_wherever_the_letter_stands),
        cmocka_unit_test(a_request_is_read_and_answered),
        cmocka_unit_test(well_formed_requests_are_read_as_the_standard_says),
        cmocka_unit_test(every_split_of_a_request_gives_the_same_events_and_answer),
        cmocka_unit_test(a_request_may_come_byte_by_byte),
        cmocka_unit_test(ambiguous_or_malformed_requests_are_refused_and_the_connection_closed),
        cmocka_unit_test(every_split_of_a_bad_request_gives_the_same_refusal),
        cmocka_unit_test(what_is_not_http_is_not_answered_in_it),
        cmocka_unit_test(a_malformed_request_line_is_refused_before_the_head_is_complete),
        cmocka_unit_test(a_request_line_is_waited_for_to_its_end),
        cmocka_unit_test(a_final_response_has_a_date),
        cmocka_unit_test(a_refusal_has_a_date),
        cmocka_unit_test(a_nul_in_a_head_is_refused),
        cmocka_unit_test(too_much_of_anything_is_refused),
        cmocka_unit_test(pipelined_requests_are_answered_one_after_the_other),
        cmocka_unit_test(what_is_pipelined_is_bounded),
        cmocka_unit_test(held_input_is_no_longer_counted_once_it_was_read),
        cmocka_unit_test(a_head_that_grows_beyond_its_first_buffer_needs_memory),
        cmocka_unit_test(a_head_within_its_first_buffer_or_read_at_once_needs_no_memory),
        cmocka_unit_test(a_head_that_does_not_come_to_its_end_can_be_shed),
        cmocka_unit_test(a_body_that_is_not_consumed_holds_the_sender_back),
        cmocka_unit_test(a_slow_reader_is_told_of_by_the_queue_and_its_drain),
        cmocka_unit_test(a_request_of_http_1_0_ends_the_connection_unless_it_asks),
        cmocka_unit_test(connection_close_is_obeyed),
        cmocka_unit_test(after_so_many_requests_the_connection_closes),
        cmocka_unit_test(a_draining_server_answers_what_it_has_and_closes),
        cmocka_unit_test(an_idle_server_that_drains_serves_the_request_that_is_on_its_way),
        cmocka_unit_test(a_draining_server_answers_the_pipelined_requests_that_it_has),
        cmocka_unit_test(what_a_head_has_promised_before_the_drain_is_kept),
        cmocka_unit_test(extensions_of_chunks_are_passed_over_but_for_control_characters),
        cmocka_unit_test(an_idle_client_that_drains_closes_at_once),
        cmocka_unit_test(a_held_back_body_is_asked_for),
        cmocka_unit_test(a_body_that_comes_by_itself_is_not_asked_for),
        cmocka_unit_test(a_refused_body_is_not_asked_for_and_the_connection_ends),
        cmocka_unit_test(an_answer_of_unknown_length_goes_out_in_chunks),
        cmocka_unit_test(trailers_go_out_to_those_who_take_them),
        cmocka_unit_test(an_answer_of_unknown_length_to_http_1_0_ends_with_the_connection),
        cmocka_unit_test(an_answer_to_head_has_no_body),
        cmocka_unit_test(answers_that_have_no_body_get_none),
        cmocka_unit_test(what_could_split_an_answer_does_not_go_out),
        cmocka_unit_test(a_body_never_differs_from_its_length_on_a_living_connection),
        cmocka_unit_test(
            an_answer_before_the_end_of_the_request_keeps_the_connection_if_the_rest_is_short),
        cmocka_unit_test(an_answer_before_the_end_of_a_long_request_says_that_the_connection_ends),
        cmocka_unit_test(a_client_that_closes_its_side_behind_the_request_is_probed_and_answered),
        cmocka_unit_test(a_client_that_was_only_half_gone_can_still_be_lost),
        cmocka_unit_test(an_old_client_is_answered_without_a_probe),
        cmocka_unit_test(a_stream_is_probed_between_two_chunks),
        cmocka_unit_test(a_response_of_known_length_is_not_probed),
        cmocka_unit_test(pipelined_requests_before_the_end_of_the_input_are_all_answered),
        cmocka_unit_test(a_client_that_wants_to_switch_protocols_needs_both_directions),
        cmocka_unit_test(a_client_that_leaves_within_its_request_is_noticed),
        cmocka_unit_test(
            an_answer_goes_out_to_a_client_that_has_closed_its_side_behind_the_request),
        cmocka_unit_test(what_is_queued_goes_out_before_a_cut),
        cmocka_unit_test(a_lost_connection_tells_its_stream_which_outlives_it),
        cmocka_unit_test(a_response_is_owed_until_its_last_byte_is_sent),
        cmocka_unit_test(a_response_that_its_owner_has_not_ended_is_not_owed),
        cmocka_unit_test(a_client_and_a_server_understand_each_other),
        cmocka_unit_test(a_service_that_answers_in_http2_is_told_as_that),
        cmocka_unit_test(answers_are_read_as_the_standard_says_at_every_split),
        cmocka_unit_test(an_answer_without_length_ends_with_the_connection),
        cmocka_unit_test(an_answer_cut_short_is_a_reset),
        cmocka_unit_test(a_request_of_which_no_byte_went_out_may_be_sent_again),
        cmocka_unit_test(bytes_between_two_answers_end_the_connection),
        cmocka_unit_test(requests_are_written_as_the_standard_says),
        cmocka_unit_test(a_request_that_would_break_its_message_is_not_sent),
        cmocka_unit_test(a_released_call_takes_its_connection_along),
        cmocka_unit_test(after_101_bytes_go_both_ways_until_each_side_ends),
        cmocka_unit_test(a_tunnel_that_is_half_closed_goes_on_the_other_way),
        cmocka_unit_test(a_tunnel_of_which_one_side_has_ended_can_still_be_lost),
        cmocka_unit_test(bytes_behind_an_upgrade_wait_for_101),
        cmocka_unit_test(owners_may_do_anything_at_any_time),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
