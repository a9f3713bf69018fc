#include "tests/unit/protocols/http/http_pair.h"

#include <stdio.h>

/* One response, and how it is asked for. */
typedef struct Row {
    const char *method;
    unsigned status;
    int64_t length;
    const char *fields, *body, *trailers; /* trailers NULL: none */
} Row;

static const Row rows[] = {
    {"POST", 200, -1, "content-type: application/grpc\nretry-after: 2", "", "grpc-status: 14"},
    {"POST", 503, 11, "content-type: application/json\nretry-after: 2", "{\"a\": true}", NULL},
    {"GET", 503, 3, "cookie: x", "abc", NULL},
    {"GET", 200, -1, "x: y", "abc", "t: u"},
    {"GET", 503, 0, "", "", NULL},
    {"HEAD", 503, 3, "x: y", "abc", NULL},
    {"GET", 200, -1, "x: y\nconnection: close", "a", "connection: x\nt: u"},
};

static HttpMaker *const makers[][2] = {{http1_server_new, http1_client_new},
                                       {http2_server_new, http2_client_new}};

static const Row *row;
static HttpReady ready;
static bool is_ready;

static Fields fields_of(Arena *arena, const char *lines)
{
    Fields fields = fields_in(arena);
    Bytes rest = bytes_of(lines), line;
    while (rest.size && bytes_split(&rest, '\n', &line)) {
        size_t colon = bytes_find(line, ':');
        fields_add(&fields, bytes_slice(line, 0, colon), bytes_slice(line, colon + 2, SIZE_MAX));
    }
    return fields;
}

static bool respond(Side *side, HttpStream *stream, const HttpHead *head)
{
    assert_true(bytes_are(head->method, row->method));
    if (is_ready) {
        http_stream_send_ready(stream, &ready);
    } else {
        http_stream_send_head(stream, &ready.head, false);
        http_stream_send_body(stream, ready.body);
        http_stream_send_end(stream, ready.trailers);
    }
    http_stream_release(stream);
    return true;
}

/* What the client gets of three responses in turn; the request has a body, or not. */
static void ask(HttpMaker *const *pair, bool in_one, bool with_body, char *log, size_t size)
{
    Side server = {.on_stream = respond}, client = {.releases = true};
    is_ready = in_one;
    side_begin(&server, pair[0], NULL);
    side_begin(&client, pair[1], NULL);
    sides_pump(&client, &server);
    for (int i = 0; i < 3; i++) {
        HttpStream *stream =
            side_open(&client, row->method, "/", "te: trailers", with_body ? 2 : -1, !with_body);
        assert_non_null(stream);
        if (with_body) {
            http_stream_send_body(stream, bytes_of("{}"));
            http_stream_send_end(stream, NULL);
        }
        sides_pump(&client, &server);
        assert_int_equal(http_connection_streams(server.connection), 0);
    }
    assert_string_equal(side_log(&server), "");
    snprintf(log, size, "%s", side_log(&client));
    side_end(&client);
    side_end(&server);
}

static void a_response_that_is_encoded_once_is_the_same_as_one_that_is_sent_in_parts(void **state)
{
    Arena *arena = arena_new(ARENA_UNLIMITED);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        row = &rows[i];
        Fields trailers = fields_of(arena, row->trailers);
        HttpHead head = {.status = (uint16_t)row->status,
                         .content_length = row->length,
                         .fields = fields_of(arena, row->fields)};
        ready = http_ready_of(&head, bytes_of(row->body), row->trailers ? &trailers : NULL, arena);
        for (int way = 0; way < 4; way++) {
            char parts[2000], whole[2000];
            ask(makers[way / 2], false, way % 2, parts, sizeof parts);
            ask(makers[way / 2], true, way % 2, whole, sizeof whole);
            assert_string_equal(whole, parts);
            assert_non_null(strstr(whole, row->status == 200 ? "answer 200" : "answer 503"));
        }
    }
    arena_free(arena);
}

static void what_could_not_be_encoded_is_sent_in_parts(void **state)
{
    Arena *arena = arena_new(ARENA_UNLIMITED);
    row = &rows[0];
    Fields trailers = fields_of(arena, row->trailers);
    HttpHead head = {.status = 200, .content_length = -1, .fields = fields_of(arena, row->fields)};
    char whole[2000], parts[2000];
    ready = http_ready_of(&head, BYTES_NONE, &trailers, arena);
    ask(makers[1], true, false, whole, sizeof whole);
    ready.last = BYTES_NONE;
    ask(makers[1], true, false, parts, sizeof parts);
    assert_string_equal(parts, whole);
    arena_free(arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_response_that_is_encoded_once_is_the_same_as_one_that_is_sent_in_parts),
        cmocka_unit_test(what_could_not_be_encoded_is_sent_in_parts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
