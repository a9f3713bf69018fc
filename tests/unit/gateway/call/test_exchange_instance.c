#include "base/text/base64.h"
#include "tests/unit/gateway/call/scene.h"

#include <stdio.h>

#define JSON "content-type: application/json"

static void answer_whole(Peer *at, unsigned status, const char *fields, const char *body)
{
    answer_head(at, status, fields, (int64_t)strlen(body), false);
    say(at, bytes_of(body));
    say_end(at);
}

static Bytes repeated(Scene *scene, Bytes piece, size_t n)
{
    Buffer much = buffer_in(scene->arena);
    for (size_t i = 0; i < n; i++)
        buffer_add_bytes(&much, piece);
    return buffer_bytes(&much);
}

/* ---- Picking --------------------------------------------------------------------------------- */

static void a_version_that_nobody_gives_the_answer_in_is_refused(void **state)
{
    Scene *scene = scene_again(state, YARD_OF("versions: [v2]"));
    Peer *client = ask_grpc(scene, "/yard.v1.Yard/Old", GET_X);
    assert_string_equal(said(client, "grpc-status"), "12");
    assert_record(scene, "UNIMPLEMENTED METHOD_REMOVED, 0 sent");
}

static void an_answer_can_be_of_another_version_than_the_request(void **state)
{
    Scene *scene = scene_again(state, YARD_OF("versions: [v1]"));
    Peer *client = ask(scene, "POST", "/both/x",
                       "content-type: application/json; version=1\n"
                       "accept: application/json; version=2",
                       BYTES("{\"owner\":\"bob\"}"));
    answer(instance(scene), ITEM);
    assert_body(client, BYTES("{\"name\":\"x\",\"ownerId\":\"bob\"}"));
    assert_string_equal(scene->records[0].client_version->name, "v1");
    assert_string_equal(scene->records[0].reply_version->name, "v2");
}

static void a_rest_answer_of_another_version_has_the_form_of_that_versions_rule(void **state)
{
    const struct {
        const char *config, *fields;
        Bytes request, answer, expected;
    } rows[] = {
        {YARD_OF("versions: [v1]"),
         "content-type: application/json; version=1\naccept: application/json; version=2",
         BYTES("{\"owner\":\"bob\"}"), BYTES("\n\x08\n\1x\x12\3bob"),
         BYTES("{\"item\":{\"name\":\"x\",\"ownerId\":\"bob\"}}")},
        {YARD_OF("versions: [v1]"),
         "content-type: application/json; version=2\naccept: application/json; version=1",
         BYTES("{\"ownerId\":\"bob\"}"), BYTES("\n\x08\n\1x\x12\3bob"), BYTES(ITEM_JSON)},
        {YARD_OF("versions: [v2]"),
         "content-type: application/json; version=2\naccept: application/json; version=1",
         BYTES("{\"ownerId\":\"bob\"}"), BYTES("\n\x08\n\1x\x62\3bob"), BYTES(ITEM_JSON)},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        Scene *scene = scene_again(state, rows[i].config);
        Peer *client = ask(scene, "PUT", "/both/x", rows[i].fields, rows[i].request);
        answer(instance(scene), rows[i].answer);
        assert_body(client, rows[i].expected);
    }
}

/* ---- Connect --------------------------------------------------------------------------------- */

#define CONNECT_JSON YARD_OF("versions: [v1], protocol: connect, codec: json")

static void a_connect_instance_is_asked_in_its_codec(void **state)
{
    Scene *scene = scene_again(state, CONNECT_JSON);
    Peer *client = ask_grpc(scene, MAKE_ITEM, ITEM);
    Peer *at = instance(scene);
    assert_bytes(at->head.method, "POST");
    assert_bytes(at->head.path, MAKE_ITEM);
    assert_string_equal(field_of(at, "content-type"), "application/json");
    assert_body(at, BYTES(ITEM_JSON));
    assert_int_equal(at->head.content_length, sizeof ITEM_JSON - 1);
    answer_whole(at, 200, JSON, ITEM_JSON);
    assert_body(client, framed(scene, ITEM));
    assert_record(scene, "OK, 1 sent: 7101 OK");
}

static void a_connect_instances_error_is_passed_on(void **state)
{
    Scene *scene = scene_again(state, CONNECT_JSON);
    Peer *client = ask_grpc(scene, GET_ITEM, GET_X);
    answer_whole(instance(scene), 404, JSON, "{\"code\":\"not_found\",\"message\":\"no\"}");
    assert_string_equal(said(client, "grpc-status"), "5");
    assert_string_equal(said(client, "grpc-message"), "no");
    assert_record(scene, "NOT_FOUND UPSTREAM_STATUS, 1 sent: 7101 NOT_FOUND");
}

static void what_came_as_a_get_goes_on_as_a_get(void **state)
{
    Scene *scene = scene_again(state, CONNECT_JSON "limits: {path_bytes: 256}\n");
    Peer *client =
        ask(scene, "GET", GET_ITEM "?connect=v1&encoding=json&message=%7B%22name%22%3A%22x%22%7D",
            "", BYTES_NONE);
    assert_bytes(instance(scene)->head.method, "GET");
    assert_int_equal(instance(scene)->body.size, 0);
    answer_whole(instance(scene), 200, JSON, ITEM_JSON);
    assert_body(client, BYTES(ITEM_JSON));
    assert_true(bytes_start_with(instance(scene)->head.path, GET_ITEM "?"));
}

static void a_get_that_grew_too_long_goes_on_as_a_post(void **state)
{
    Scene *scene = scene_again(state, CONNECT_JSON "limits: {path_bytes: 256}\n");
    char text[512];
    /* 130 bytes in protobuf are 174 in base64; each quote is escaped in JSON, and again. */
    uint8_t message[132] = {'\n', 129, 1};
    memset(message + 3, '"', 129);
    Buffer base64 = buffer_in(scene->arena);
    base64_encode(&base64, bytes(message, sizeof message), BASE64_URL, false);
    snprintf(text, sizeof text, GET_ITEM "?connect=v1&encoding=proto&base64=1&message=%.*s",
             BYTES_ARGS(buffer_bytes(&base64)));
    Peer *client = ask(scene, "GET", text, "", BYTES_NONE);
    assert_bytes(instance(scene)->head.method, "POST");
    answer_whole(instance(scene), 200, JSON, ITEM_JSON);
    assert_body(client, ITEM);
}

static void a_connect_instances_stream_ends_with_its_last_frame(void **state)
{
    Scene *scene = scene_again(state, YARD_OF("versions: [v1], protocol: connect, http2: true"));
    Peer *client = ask_grpc(scene, WATCH_ITEM, GET_X);
    Peer *at = instance(scene);
    assert_string_equal(field_of(at, "content-type"), "application/connect+proto");
    answer_head(at, 200, "content-type: application/connect+proto", -1, false);
    say_frame(at, ITEM);
    assert_body(client, framed(scene, ITEM));
    say(at, BYTES("\2\0\0\0\2{}"));
    say_end(at);
    assert_string_equal(said(client, "grpc-status"), "0");
    client = ask_grpc(scene, WATCH_ITEM, GET_X);
    answer_head(instance(scene), 200, "content-type: application/connect+proto", -1, false);
    say(instance(scene), BYTES("\2\0\0\0\x1e{\"error\":{\"code\":\"not_found\"}}"));
    say_end(instance(scene));
    assert_string_equal(said(client, "grpc-status"), "5");
    assert_record(scene, "NOT_FOUND UPSTREAM_STATUS, 1 sent: 7101 NOT_FOUND");
}

static void a_grpc_web_instances_trailers_are_in_its_body(void **state)
{
    Scene *scene = scene_again(state, YARD_OF("versions: [v1], protocol: grpc_web"));
    Peer *client = ask_grpc(scene, GET_ITEM, GET_X);
    Peer *at = instance(scene);
    assert_string_equal(field_of(at, "content-type"), "application/grpc-web+proto");
    answer_head(at, 200, "content-type: application/grpc-web+proto", -1, false);
    say_frame(at, ITEM);
    say(at, BYTES("\x80\0\0\0\x10grpc-status: 0\r\n"));
    say_end(at);
    assert_body(client, framed(scene, ITEM));
    assert_string_equal(said(client, "grpc-status"), "0");
    assert_record(scene, "OK, 1 sent: 7101 OK");
}

/* ---- REST ------------------------------------------------------------------------------------ */

#define REST YARD_OF("versions: [v1], protocol: rest")

static void a_rest_instance_is_asked_by_its_path(void **state)
{
    Scene *scene = scene_again(state, REST);
    Peer *client = ask_grpc(scene, GET_ITEM, GET_X);
    Peer *at = instance(scene);
    assert_bytes(at->head.method, "GET");
    assert_bytes(at->head.path, "/v1/items/x");
    answer_whole(at, 200, JSON, ITEM_JSON);
    assert_body(client, framed(scene, ITEM));
    client = ask_grpc(scene, MAKE_ITEM, ITEM);
    at = instance(scene);
    assert_bytes(at->head.method, "POST");
    assert_body(at, BYTES(ITEM_JSON));
    answer_whole(at, 200, JSON, ITEM_JSON);
    assert_body(client, framed(scene, ITEM));
}

static void a_rest_instances_error_is_passed_on(void **state)
{
    Scene *scene = scene_again(state, REST);
    Peer *client = ask_grpc(scene, GET_ITEM, GET_X);
    answer_whole(instance(scene), 404, JSON, "{\"error\":{\"code\":404,\"message\":\"no\"}}");
    assert_string_equal(said(client, "grpc-status"), "5");
    assert_string_equal(said(client, "grpc-message"), "no");
}

static void a_message_that_no_path_can_say_troubles_no_instance(void **state)
{
    Scene *scene = scene_again(state, REST);
    Peer *client = ask_grpc(scene, GET_ITEM, BYTES_NONE);
    assert_true(client->ended);
    assert_string_not_equal(said(client, "grpc-status"), "0");
    assert_int_equal(n_instances(scene), 0);
}

static void a_stream_of_requests_cannot_be_asked_of_rest(void **state)
{
    Scene *scene = scene_again(state, REST);
    Peer *client = begin_grpc(scene, LOAD_ITEMS, "");
    assert_string_equal(said(client, "grpc-status"), "12");
    assert_record(scene, "UNIMPLEMENTED UNSUPPORTED, 0 sent");
}

static void a_rest_instances_stream_is_its_lines(void **state)
{
    Scene *scene = scene_again(state, REST);
    Peer *client = ask_grpc(scene, WATCH_ITEM, GET_X);
    answer_head(instance(scene), 200, "content-type: application/x-ndjson", -1, false);
    say(instance(scene), BYTES("{\"result\":" ITEM_JSON "}\n" ITEM_JSON));
    assert_body(client, framed(scene, ITEM));
    say_end(instance(scene));
    assert_int_equal(client->body.size, 2 * (ITEM.size + 5));
    assert_string_equal(said(client, "grpc-status"), "0");
    assert_record(scene, "OK, 1 sent: 7101 OK");
}

static void an_error_within_a_rest_instances_stream_ends_it(void **state)
{
    Scene *scene = scene_again(state, REST);
    for (int last = 0; last < 2; last++) {
        Peer *client = ask_grpc(scene, WATCH_ITEM, GET_X);
        Peer *at = instance(scene);
        answer_head(at, 200, "content-type: application/x-ndjson", -1, false);
        say(at, BYTES(ITEM_JSON "\n{\"error\":{\"code\":5,\"message\":\"no\"}}"));
        if (last)
            say_end(at);
        else
            say(at, BYTES("\n" ITEM_JSON "\n"));
        assert_body(client, framed(scene, ITEM));
        assert_string_equal(said(client, "grpc-status"), "5");
        assert_record(scene, "NOT_FOUND UPSTREAM_STATUS, 1 sent: 7101 NOT_FOUND");
    }
}

static void bytes_of_a_rest_instance_are_an_http_body(void **state)
{
    Scene *scene = scene_again(state, REST);
    Peer *client = ask_grpc(scene, "/yard.v1.Yard/Photo", GET_X);
    answer_whole(instance(scene), 200, "content-type: image/png", "png");
    assert_body(client, framed(scene, BYTES("\n\x09image/png\x12\3png")));
    client = ask_grpc(scene, "/yard.v1.Yard/Film", GET_X);
    answer_head(instance(scene), 200, "content-type: video/mp4", -1, false);
    say(instance(scene), BYTES("mp4"));
    assert_body(client, framed(scene, BYTES("\n\x09video/mp4\x12\3mp4")));
    say_end(instance(scene));
    assert_string_equal(said(client, "grpc-status"), "0");
}

static void a_part_is_asked_for_where_the_bytes_pass_as_they_are(void **state)
{
    Scene *scene = scene_again(state, REST);
    Peer *client =
        ask(scene, "GET", "/v1/photos/x", "range: bytes=0-2\nif-range: \"1\"", BYTES_NONE);
    Peer *at = instance(scene);
    assert_string_equal(field_of(at, "range"), "bytes=0-2");
    assert_string_equal(field_of(at, "if-range"), "\"1\"");
    assert_string_equal(field_of(at, "accept-encoding"), "");
    answer_whole(at, 206, "content-type: image/png\ncontent-range: bytes 0-2/9", "png");
    assert_int_equal(client->head.status, 206);
    assert_string_equal(field_of(client, "content-range"), "bytes 0-2/9");
    assert_body(client, BYTES("png"));
}

static void the_whole_is_asked_for_where_the_response_is_converted(void **state)
{
    Scene *scene = scene_again(state, REST);
    const char *fields = "range: bytes=0-2\nif-range: \"1\"\nx-other: said";
    Peer *client = ask(scene, "GET", "/v1/items/x", fields, BYTES_NONE);
    for (int i = 0; i < 2; i++) {
        Peer *at = instance(scene);
        assert_string_equal(field_of(at, "range"), "");
        assert_string_equal(field_of(at, "if-range"), "");
        assert_string_equal(field_of(at, "x-other"), "said");
        answer_whole(at, 200, JSON, ITEM_JSON);
        if (i == 0)
            assert_body(client, BYTES(ITEM_JSON));
        client = begin_grpc(scene, "/yard.v1.Yard/Photo", fields);
        say_frame(client, GET_X);
        say_end(client);
    }
    answer_whole(instance(scene), 200, "content-type: image/png", "png");
    assert_body(client, framed(scene, BYTES("\n\x09image/png\x12\3png")));
}

static void a_rest_instance_may_answer_without_content(void **state)
{
    static const unsigned codes[] = {204, 205};
    Scene *scene = scene_again(state, REST);
    for (int i = 0; i < 2; i++) {
        Peer *client = ask(scene, "POST", "/v1/items", JSON, BYTES(ITEM_JSON));
        answer_head(instance(scene), codes[i], "", -1, true);
        assert_int_equal(client->head.status, codes[i]);
        assert_int_equal(client->body.size, 0);
        assert_true(client->ended);
        client = ask_grpc(scene, MAKE_ITEM, ITEM);
        answer_head(instance(scene), codes[i], "", -1, true);
        assert_body(client, framed(scene, BYTES_NONE));
        assert_record(scene, "OK, 1 sent: 7101 OK");
    }
}

static void json_of_a_rest_instance_that_is_none_is_its_fault(void **state)
{
    Scene *scene = scene_again(state, REST);
    Peer *client = ask_grpc(scene, GET_ITEM, GET_X);
    answer_whole(instance(scene), 200, JSON, "{\"name\":");
    assert_string_equal(said(client, "grpc-status"), "13");
    assert_record(scene, "INTERNAL UPSTREAM_MESSAGE, 1 sent: 7101 INTERNAL");
    client = ask_grpc(scene, GET_ITEM, GET_X);
    answer_whole(instance(scene), 200, "content-type: text/html", "<html>");
    assert_string_equal(said(client, "grpc-status"), "13");
}

/* ---- Answers that are none ------------------------------------------------------------------- */

static void a_proxys_page_is_an_error(void **state)
{
    Scene *scene = *state;
    Peer *client = ask_grpc(scene, MAKE_ITEM, ITEM);
    answer_whole(instance(scene), 502, "content-type: text/html", "<html>Bad Gateway</html>");
    assert_string_equal(said(client, "grpc-status"), "14");
    assert_record(scene, "UNAVAILABLE UPSTREAM_STATUS, 1 sent: 7101 UNAVAILABLE");
    client = ask_grpc(scene, MAKE_ITEM, ITEM);
    answer_whole(instance(scene), 200, "content-type: text/html", "<html>Hello</html>");
    assert_true(client->ended);
    assert_string_not_equal(said(client, "grpc-status"), "0");
}

static void an_end_without_a_status_is_no_success(void **state)
{
    Scene *scene = *state;
    Peer *client = ask_grpc(scene, MAKE_ITEM, ITEM);
    answer_grpc_head(instance(scene));
    say_frame(instance(scene), ITEM);
    say_end(instance(scene));
    assert_true(client->ended);
    assert_string_not_equal(said(client, "grpc-status"), "0");
}

static void two_messages_for_one_are_the_services_mistake(void **state)
{
    Scene *scene = *state;
    Peer *client = ask_grpc(scene, GET_ITEM, GET_X);
    answer_grpc_head(instance(scene));
    say_frame(instance(scene), ITEM);
    assert_false(client->headed); /* until the end is there */
    say_frame(instance(scene), ITEM);
    assert_string_equal(said(client, "grpc-status"), "12");
    assert_record(scene, "UNIMPLEMENTED UPSTREAM_CARDINALITY, 1 sent: 7101 UNIMPLEMENTED");
    assert_string_equal(instance(scene)->reset, "CANCELLED");
}

static void no_message_at_a_good_end_is_the_services_mistake(void **state)
{
    Scene *scene = *state;
    Peer *client = ask_grpc(scene, GET_ITEM, GET_X);
    answer_error(instance(scene), 0, "");
    assert_string_equal(said(client, "grpc-status"), "12");
    assert_record(scene, "UNIMPLEMENTED UPSTREAM_CARDINALITY, 1 sent: 7101 UNIMPLEMENTED");
}

static void frames_that_are_malformed_are_the_services_mistake(void **state)
{
    Scene *scene = *state;
    Peer *client = ask_grpc(scene, GET_ITEM, GET_X);
    answer_grpc_head(instance(scene));
    say(instance(scene), BYTES("\7\0\0\0\0"));
    assert_true(client->ended);
    assert_string_not_equal(said(client, "grpc-status"), "0");
    client = ask_grpc(scene, GET_ITEM, GET_X);
    answer_grpc_head(instance(scene));
    say(instance(scene), BYTES("\0\0\0\0\7x"));
    answer_trailers(instance(scene), "grpc-status: 0");
    assert_true(client->ended);
    assert_string_not_equal(said(client, "grpc-status"), "0");
}

/* The call with a field of so many bytes. */
static Peer *ask_with_field(Scene *scene, size_t size)
{
    const char *fields = arena_printf(scene->arena, "x-large: %0*d\n", (int)size, 0);
    Peer *client = begin_grpc(scene, GET_ITEM, fields);
    say_frame(client, GET_X);
    say_end(client);
    return client;
}

static size_t size_of_head(const Peer *instance)
{
    return http_connection_head_size(instance->gateway, &instance->head);
}

static void a_head_that_is_larger_than_the_instance_takes_is_the_callers_mistake(void **state)
{
    Scene *scene = *state;
    uint32_t most = scene->config->limits.http.head_bytes;
    enum { SIZE = 1000 };
    ask_with_field(scene, SIZE);
    size_t rest = most - size_of_head(instance(scene));
    answer(instance(scene), ITEM);

    Peer *client = ask_with_field(scene, SIZE + rest);
    assert_int_equal(size_of_head(instance(scene)), most);
    answer(instance(scene), ITEM);
    assert_string_equal(said(client, "grpc-status"), "0");

    uint32_t n_before = scene->n_records;
    client = ask_with_field(scene, SIZE + rest + 1);
    assert_int_equal(scene->n_records, n_before + 1);
    assert_string_equal(said(client, "grpc-status"), "8");
    assert_non_null(strstr(said(client, "grpc-message"), "takes 32768 at most"));
    assert_record(scene, "RESOURCE_EXHAUSTED HEAD_TOO_LARGE, 0 sent");
}

static void a_refusal_of_a_large_head_is_no_failure_of_the_instance(void **state)
{
    static const struct {
        unsigned status, failures;
    } rows[] = {{431, 0}, {430, 1}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        Scene *scene = scene_again(state, YARD_OF("versions: [v1]"));
        ask_grpc(scene, GET_ITEM, GET_X);
        answer_head(instance(scene), rows[i].status, "content-type: text/plain\n", -1, true);
        assert_int_equal(scene_upstream(scene, 7101)->counts.calls, 1);
        assert_int_equal(scene_upstream(scene, 7101)->counts.failures, rows[i].failures);
    }
}

static void an_answer_that_is_larger_than_allowed_is_not_read(void **state)
{
    Scene *scene = *state;
    Peer *client = ask_grpc(scene, GET_ITEM, GET_X);
    answer_grpc_head(instance(scene));
    say(instance(scene), BYTES("\0\x7f\0\0\0"));
    assert_string_equal(said(client, "grpc-status"), "8");
    assert_record(scene, "RESOURCE_EXHAUSTED UPSTREAM_TOO_LARGE, 1 sent: 7101 RESOURCE_EXHAUSTED");
}

static void a_head_that_cannot_be_read_is_the_services_mistake(void **state)
{
    Scene *scene = *state;
    Peer *client = ask_grpc(scene, GET_ITEM, GET_X);
    answer_head(instance(scene), 200, "content-type: application/grpc\ngrpc-encoding: rot13", -1,
                false);
    assert_true(client->ended);
    assert_string_not_equal(said(client, "grpc-status"), "0");
}

static void an_answer_that_is_larger_than_the_memory_of_a_call_ends_it(void **state)
{
    Scene *scene = scene_again(state, YARD_OF("versions: [v2]") LITTLE_MEMORY);
    Peer *client = ask_grpc(scene, GET_ITEM, GET_X);
    Buffer message = buffer_in(scene->arena);
    buffer_add_bytes(&message, BYTES("\n\x80\xdb\x35"));
    buffer_add_bytes(&message, repeated(scene, BYTES("x"), 880000));
    answer_grpc_head(instance(scene));
    say_frame(instance(scene), buffer_bytes(&message));
    answer_trailers(instance(scene), "grpc-status: 0");
    assert_string_equal(said(client, "grpc-status"), "8");
    assert_record(scene, "RESOURCE_EXHAUSTED OUT_OF_MEMORY, 1 sent: 7101 RESOURCE_EXHAUSTED");
}

/* ---- Back-pressure --------------------------------------------------------------------------- */

static void an_instances_stream_waits_for_a_client_that_takes_nothing(void **state)
{
    enum { MANY = 400000 };
    Scene *scene = *state;
    Peer *client = begin_grpc(scene, WATCH_ITEM, "");
    client->keeps = true;
    say_frame(client, GET_X);
    say_end(client);
    Peer *at = instance(scene);
    answer_grpc_head(at);
    Bytes much = repeated(scene, framed(scene, ITEM), MANY);
    say(at, much);
    const HttpLimits *limits = &scene->config->limits.http;
    size_t taken = much.size - http_stream_queued(at->stream);
    /* What is on its way: two windows, and the queue between them. */
    assert_true(taken <= limits->stream_window + client->body.size + limits->queue_high + 65536);
    assert_true(http_stream_queued(at->stream) > much.size / 2);
    give_back(client);
    assert_int_equal(client->body.size, much.size);
    assert_int_equal(http_stream_queued(at->stream), 0);
    answer_trailers(at, "grpc-status: 0");
    assert_record(scene, "OK, 1 sent: 7101 OK");
}

static void a_clients_stream_waits_for_an_instance_that_takes_nothing(void **state)
{
    enum { MANY = 400000 };
    Scene *scene = *state;
    Peer *client = begin_grpc(scene, LOAD_ITEMS, "");
    Peer *at = instance(scene);
    at->keeps = true;
    Bytes much = repeated(scene, framed(scene, ITEM), MANY);
    say(client, much);
    const HttpLimits *limits = &scene->config->limits.http;
    size_t taken = much.size - http_stream_queued(client->stream);
    assert_true(taken <= limits->stream_window + at->body.size + limits->queue_high + 65536);
    assert_true(http_stream_queued(client->stream) > much.size / 2);
    give_back(at);
    assert_int_equal(at->body.size, much.size);
    say_end(client);
    answer(at, ITEM);
    assert_record(scene, "OK, 1 sent: 7101 OK");
}

/* A field of unknown number. */
static Bytes large_message(Scene *scene, size_t size)
{
    Buffer message = buffer_in(scene->arena);
    size_t field = size - 4;
    const uint8_t head[] = {0x7a, (uint8_t)(field | 0x80), (uint8_t)(field >> 7 | 0x80),
                            (uint8_t)(field >> 14)};
    buffer_add(&message, head, sizeof head);
    buffer_add_bytes(&message, repeated(scene, BYTES("x"), (uint32_t)field));
    return buffer_bytes(&message);
}

static void a_small_response_is_kept_until_its_status_is_known(void **state)
{
    Scene *scene = *state;
    Peer *client = ask_grpc(scene, GET_ITEM, GET_X);
    Bytes most = large_message(scene, scene->config->limits.http.queue_high);
    answer_grpc_head(instance(scene));
    say_frame(instance(scene), most);
    assert_false(client->headed);
    answer_trailers(instance(scene), "grpc-status: 5\ngrpc-message: none");
    assert_int_equal(client->body.size, 0);
    assert_string_equal(said(client, "grpc-status"), "5");
}

static void a_larger_response_goes_on_as_it_comes(void **state)
{
    Scene *scene = *state;
    Peer *client = ask_grpc(scene, GET_ITEM, GET_X);
    Peer *at = instance(scene);
    Bytes more = large_message(scene, scene->config->limits.http.queue_high + 1);
    Bytes frame = framed(scene, more);
    answer_grpc_head(at);
    say(at, bytes_slice(frame, 0, 5));
    assert_false(client->headed);
    say(at, bytes_slice(frame, 5, 10));
    assert_int_equal(client->body.size, 15);
    say(at, bytes_slice(frame, 15, SIZE_MAX));
    assert_body(client, frame);
    assert_false(client->ended);
    answer_trailers(at, "grpc-status: 0\nx-after: said");
    assert_string_equal(said(client, "grpc-status"), "0");
    assert_string_equal(trailer_of(client, "x-after"), "said");
    assert_record(scene, "OK, 1 sent: 7101 OK");
    assert_int_equal(scene->records[0].messages_out, 1);
    assert_int_equal(scene->records[0].bytes_out, frame.size);
}

static void a_large_response_waits_for_a_client_that_takes_nothing(void **state)
{
    Scene *scene = *state;
    Peer *client = begin_grpc(scene, GET_ITEM, "");
    client->keeps = true;
    say_frame(client, GET_X);
    say_end(client);
    Peer *at = instance(scene);
    Bytes frame = framed(scene, large_message(scene, 2000000));
    answer_grpc_head(at);
    say(at, frame);
    const HttpLimits *limits = &scene->config->limits.http;
    size_t taken = frame.size - http_stream_queued(at->stream);
    assert_true(taken <= limits->stream_window + client->body.size + limits->queue_high + 65536);
    assert_true(http_stream_queued(at->stream) > frame.size / 2);
    give_back(client);
    answer_trailers(at, "grpc-status: 0");
    assert_body(client, frame);
    assert_record(scene, "OK, 1 sent: 7101 OK");
}

static void a_large_response_may_end_with_an_error(void **state)
{
    Scene *scene = *state;
    Peer *client = ask_grpc(scene, GET_ITEM, GET_X);
    Bytes message = large_message(scene, 200000);
    answer_grpc_head(instance(scene));
    say_frame(instance(scene), message);
    answer_trailers(instance(scene), "grpc-status: 14\ngrpc-message: gone");
    assert_body(client, framed(scene, message));
    assert_string_equal(trailer_of(client, "grpc-status"), "14");
    assert_string_equal(trailer_of(client, "grpc-message"), "gone");
    assert_record(scene, "UNAVAILABLE UPSTREAM_STATUS, 1 sent: 7101 UNAVAILABLE");
}

static void a_large_response_that_breaks_off_is_cut(void **state)
{
    Scene *scene = *state;
    Peer *client = ask_grpc(scene, GET_ITEM, GET_X);
    Bytes frame = framed(scene, large_message(scene, 200000));
    answer_grpc_head(instance(scene));
    say(instance(scene), bytes_slice(frame, 0, frame.size - 1));
    break_off(instance(scene), HTTP2_ERROR_INTERNAL);
    assert_body(client, bytes_slice(frame, 0, frame.size - 1));
    assert_false(client->ended);
    assert_non_null(client->reset);
    assert_record(scene, "UNAVAILABLE UPSTREAM_RESET, 1 sent: 7101 UNAVAILABLE");
}

static void an_error_behind_a_message_that_was_cut_off_is_the_services(void **state)
{
    static const struct {
        const char *trailers, *record;
    } rows[] = {
        {"grpc-status: 4\ngrpc-message: too late",
         "DEADLINE_EXCEEDED UPSTREAM_STATUS, 1 sent: 7101 DEADLINE_EXCEEDED"},
        {"grpc-status: 0", "INTERNAL UPSTREAM_PROTOCOL, 1 sent: 7101 INTERNAL"},
        {"grpc-message: no status", "INTERNAL UPSTREAM_PROTOCOL, 1 sent: 7101 INTERNAL"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        Scene *scene = scene_again(state, YARD_OF("versions: [v1]"));
        Peer *client = ask_grpc(scene, MAKE_ITEM, ITEM);
        answer_grpc_head(instance(scene));
        say(instance(scene), bytes_slice(framed(scene, ITEM), 0, 6));
        answer_trailers(instance(scene), rows[i].trailers);
        assert_true(client->ended);
        assert_record(scene, rows[i].record);
    }
}

static void a_large_response_is_the_only_one(void **state)
{
    static const size_t sizes[][2] = {{200000, 200000}, {200000, 10}, {10, 200000}};
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        Scene *scene = scene_again(state, YARD_OF("versions: [v1]"));
        Peer *client = ask_grpc(scene, GET_ITEM, GET_X);
        answer_grpc_head(instance(scene));
        say_frame(instance(scene), large_message(scene, sizes[i][0]));
        say_frame(instance(scene), large_message(scene, sizes[i][1]));
        assert_string_equal(said(client, "grpc-status"), "12");
        assert_record(scene, "UNIMPLEMENTED UPSTREAM_CARDINALITY, 1 sent: 7101 UNIMPLEMENTED");
    }
}

static void a_large_response_that_is_converted_is_kept_whole(void **state)
{
    Scene *scene = scene_again(state, YARD_OF("versions: [v2]"));
    Peer *client = ask_grpc(scene, GET_ITEM, GET_X);
    answer_grpc_head(instance(scene));
    say_frame(instance(scene), large_message(scene, 200000));
    assert_false(client->headed);
    answer_trailers(instance(scene), "grpc-status: 0");
    assert_string_equal(said(client, "grpc-status"), "0");
}

static void a_large_response_to_another_dialect_is_kept_whole(void **state)
{
    Scene *scene = *state;
    Peer *client = ask(scene, "POST", GET_ITEM, "content-type: application/proto", GET_X);
    answer_grpc_head(instance(scene));
    say_frame(instance(scene), large_message(scene, 200000));
    assert_false(client->headed);
    answer_trailers(instance(scene), "grpc-status: 5");
    assert_int_equal(client->head.status, 404);
}

static void both_directions_of_a_stream_wait_for_themselves(void **state)
{
    Scene *scene = *state;
    Peer *client = begin_grpc(scene, TRADE_ITEMS, "");
    Peer *at = instance(scene);
    client->keeps = at->keeps = true;
    answer_grpc_head(at);
    Bytes much = repeated(scene, framed(scene, ITEM), 100000);
    say(client, much);
    say(at, much);
    assert_true(http_stream_queued(client->stream) > 0 && http_stream_queued(at->stream) > 0);
    give_back(at); /* requests go on, answers do not */
    assert_int_equal(at->body.size, much.size);
    assert_true(http_stream_queued(at->stream) > 0);
    give_back(client);
    assert_int_equal(client->body.size, much.size);
    say_end(client);
    answer_trailers(at, "grpc-status: 0");
    assert_record(scene, "OK, 1 sent: 7101 OK");
}

static void a_client_that_leaves_while_both_wait_frees_both(void **state)
{
    Scene *scene = *state;
    Peer *client = begin_grpc(scene, TRADE_ITEMS, "");
    Peer *at = instance(scene);
    client->keeps = at->keeps = true;
    answer_grpc_head(at);
    Bytes much = repeated(scene, framed(scene, ITEM), 100000);
    say(client, much);
    say(at, much);
    break_off(client, 8);
    assert_string_equal(at->reset, "CANCELLED");
    assert_record(scene, "CANCELLED CANCELLED, 1 sent: 7101 CANCELLED");
}

static void an_answer_that_ends_before_the_request_ends_the_call(void **state)
{
    Scene *scene = *state;
    Peer *client = begin_grpc(scene, LOAD_ITEMS, "");
    say_frame(client, ITEM);
    answer_error(instance(scene), 9, "full");
    assert_string_equal(said(client, "grpc-status"), "9");
    assert_record(scene, "FAILED_PRECONDITION UPSTREAM_STATUS, 1 sent: 7101 FAILED_PRECONDITION");
}

static void without_a_way_to_the_version_of_the_answer_nobody_is_asked(void **state)
{
    Scene *scene =
        scene_again(state, LISTEN "services:\n  - name: yard\n    versions:\n"
                                  "      - {name: v1, package: yard.v1, schema: yard.binpb}\n"
                                  "      - {name: v2, package: yard.v2, schema: yard.binpb}\n"
                                  "    instances:\n"
                                  "      - {address: '127.0.0.1:7101', versions: [v1]}\n"
                                  "      - {address: '127.0.0.1:7102', versions: [v2]}\n");
    Peer *client = ask(scene, "POST", "/both/x",
                       "content-type: application/json; version=1\n"
                       "accept: application/json; version=2",
                       BYTES("{}"));
    assert_int_equal(client->head.status, 503);
    assert_record(scene, "UNAVAILABLE NO_INSTANCE, 0 sent");
}

static void an_error_in_place_of_a_stream_is_passed_on(void **state)
{
    Scene *scene = scene_again(state, REST);
    Peer *client = ask_grpc(scene, WATCH_ITEM, GET_X);
    answer_whole(instance(scene), 404, JSON, "{\"error\":{\"code\":404,\"message\":\"no\"}}");
    assert_string_equal(said(client, "grpc-status"), "5");
    scene = scene_again(state, SCENE_TEXT);
    client = ask_grpc(scene, WATCH_ITEM, GET_X);
    answer_whole(instance(scene), 400, "content-type: text/html", "<html>");
    assert_string_equal(said(client, "grpc-status"), "13");
    assert_false(client->body.size);
}

static void an_error_that_cannot_be_read_is_an_error_all_the_same(void **state)
{
    Scene *scene = scene_again(state, REST);
    const char *errors[] = {"{\"error\":{\"code\":\"x\"}}\n", "{\"error\":{"};
    for (int i = 0; i < 2; i++) {
        Peer *client = ask_grpc(scene, WATCH_ITEM, GET_X);
        answer_head(instance(scene), 200, "content-type: application/x-ndjson", -1, false);
        say(instance(scene), bytes_of(errors[i]));
        if (!client->ended)
            say_end(instance(scene));
        assert_true(client->ended);
        assert_string_not_equal(said(client, "grpc-status"), "0");
    }
}

static void what_a_stream_said_wrong_while_connecting_is_found_when_it_is_sent(void **state)
{
    Scene *scene = *state;
    scene_upstream(scene, 7101)->want = WANT_WAITS;
    Peer *client = begin_grpc(scene, LOAD_ITEMS, "");
    say(client, BYTES("\7\0\0\0\0"));
    say_end(client);
    assert_false(client->ended);
    scene_connect(scene, 7101);
    assert_true(client->ended);
    assert_string_not_equal(said(client, "grpc-status"), "0");
    assert_int_equal(instance(scene)->n_streams, 0);
}

static void a_stream_that_ends_with_its_head_has_no_messages(void **state)
{
    Scene *scene = *state;
    Peer *client = client_new(scene, http2_client_new, http2_server_new);
    client_head(client, "POST", LOAD_ITEMS, "content-type: application/grpc\nte: trailers", -1,
                true);
    assert_true(instance(scene)->ended);
    assert_int_equal(instance(scene)->body.size, 0);
    answer(instance(scene), ITEM);
    assert_body(client, framed(scene, ITEM));
    assert_int_equal(scene->records[0].messages_in, 0);
}

static void a_client_over_http1_that_closes_its_connection_has_left(void **state)
{
    Scene *scene = *state;
    Peer *client = client_new(scene, http1_client_new, http1_server_new);
    client_head(client, "GET", "/v1/items/x", "", -1, true);
    lose(client);
    assert_string_equal(instance(scene)->reset, "CANCELLED");
    assert_int_equal(scene->n_records, 1);
}

int main(void)
{
#define TEST(name) SCENE_TEST(name)
    const struct CMUnitTest tests[] = {
        TEST(a_version_that_nobody_gives_the_answer_in_is_refused),
        TEST(an_answer_can_be_of_another_version_than_the_request),
        TEST(a_rest_answer_of_another_version_has_the_form_of_that_versions_rule),
        TEST(a_connect_instance_is_asked_in_its_codec),
        TEST(a_connect_instances_error_is_passed_on),
        TEST(what_came_as_a_get_goes_on_as_a_get),
        TEST(a_get_that_grew_too_long_goes_on_as_a_post),
        TEST(a_connect_instances_stream_ends_with_its_last_frame),
        TEST(a_grpc_web_instances_trailers_are_in_its_body),
        TEST(a_rest_instance_is_asked_by_its_path),
        TEST(a_rest_instances_error_is_passed_on),
        TEST(a_message_that_no_path_can_say_troubles_no_instance),
        TEST(a_stream_of_requests_cannot_be_asked_of_rest),
        TEST(a_rest_instances_stream_is_its_lines),
        TEST(an_error_within_a_rest_instances_stream_ends_it),
        TEST(bytes_of_a_rest_instance_are_an_http_body),
        TEST(a_part_is_asked_for_where_the_bytes_pass_as_they_are),
        TEST(the_whole_is_asked_for_where_the_response_is_converted),
        TEST(a_rest_instance_may_answer_without_content),
        TEST(json_of_a_rest_instance_that_is_none_is_its_fault),
        TEST(a_proxys_page_is_an_error),
        TEST(an_end_without_a_status_is_no_success),
        TEST(two_messages_for_one_are_the_services_mistake),
        TEST(no_message_at_a_good_end_is_the_services_mistake),
        TEST(frames_that_are_malformed_are_the_services_mistake),
        TEST(a_head_that_is_larger_than_the_instance_takes_is_the_callers_mistake),
        TEST(a_refusal_of_a_large_head_is_no_failure_of_the_instance),
        TEST(an_answer_that_is_larger_than_allowed_is_not_read),
        TEST(a_head_that_cannot_be_read_is_the_services_mistake),
        TEST(an_answer_that_is_larger_than_the_memory_of_a_call_ends_it),
        TEST(an_instances_stream_waits_for_a_client_that_takes_nothing),
        TEST(a_clients_stream_waits_for_an_instance_that_takes_nothing),
        TEST(a_small_response_is_kept_until_its_status_is_known),
        TEST(a_larger_response_goes_on_as_it_comes),
        TEST(a_large_response_waits_for_a_client_that_takes_nothing),
        TEST(a_large_response_may_end_with_an_error),
        TEST(a_large_response_that_breaks_off_is_cut),
        TEST(an_error_behind_a_message_that_was_cut_off_is_the_services),
        TEST(a_large_response_is_the_only_one),
        TEST(a_large_response_that_is_converted_is_kept_whole),
        TEST(a_large_response_to_another_dialect_is_kept_whole),
        TEST(both_directions_of_a_stream_wait_for_themselves),
        TEST(a_client_that_leaves_while_both_wait_frees_both),
        TEST(an_answer_that_ends_before_the_request_ends_the_call),
        TEST(without_a_way_to_the_version_of_the_answer_nobody_is_asked),
        TEST(an_error_in_place_of_a_stream_is_passed_on),
        TEST(an_error_that_cannot_be_read_is_an_error_all_the_same),
        TEST(what_a_stream_said_wrong_while_connecting_is_found_when_it_is_sent),
        TEST(a_stream_that_ends_with_its_head_has_no_messages),
        TEST(a_client_over_http1_that_closes_its_connection_has_left),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
