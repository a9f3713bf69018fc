#include "tests/unit/gateway/call/scene.h"

#define GRPC "content-type: application/grpc\nte: trailers"
#define JSON "content-type: application/json"

static Peer *head(Scene *scene, const char *path, const char *fields, int64_t length)
{
    Peer *client = client_new(scene, http2_client_new, http2_server_new);
    client_head(client, "POST", path, fields, length, false);
    return client;
}

/* ---- Negotiating ----------------------------------------------------------------------------- */

static void a_version_that_is_not_there_is_refused(void **state)
{
    Scene *scene = *state;
    Peer *client = ask(scene, "GET", "/cars", "api-version: v9", BYTES_NONE);
    assert_int_equal(client->head.status, 400);
    assert_record(scene, "INVALID_ARGUMENT UNKNOWN_VERSION, 0 sent");
}

static void a_header_chooses_among_the_versions_of_a_path(void **state)
{
    Scene *scene = *state;
    Peer *client = ask(scene, "GET", "/cars?owner_id=bob", "api-version: v2", BYTES_NONE);
    answer(instance(scene), BYTES("\n\6\n\1x\x1a\1y"));
    assert_body(client, BYTES("[{\"name\":\"x\",\"ownerId\":\"y\"}]"));
    assert_string_equal(scene->records[0].client_version->name, "v2");
    client = ask(scene, "GET", "/cars?owner=bob", "", BYTES_NONE);
    answer(instance(scene), BYTES("\n\6\n\1x\x1a\1y"));
    assert_body(client, BYTES("[{\"name\":\"x\",\"owner\":\"y\"}]"));
    assert_string_equal(scene->records[1].client_version->name, "v1");
}

static void a_path_that_the_version_does_not_have_is_not_found(void **state)
{
    Scene *scene = *state;
    Peer *client = ask(scene, "GET", "/cars", "api-version: v3", BYTES_NONE);
    assert_int_equal(client->head.status, 404);
    assert_record(scene, "UNIMPLEMENTED UNKNOWN_PATH, 0 sent");
}

#define BY_HEADER_FIRST                                                                            \
    LISTEN GARAGE_SERVICE "    negotiate: [header, path, default]\n    on_conflict: first\n" YARD  \
                          "      - {address: '127.0.0.1:7101', versions: [v1]}\n"                  \
                          "    negotiate: [header, path, default]\n    on_conflict: first\n"

static void a_header_can_stand_above_the_path(void **state)
{
    Scene *scene = scene_again(state, BY_HEADER_FIRST);
    Peer *client = head(scene, "/garage.v1.Cars/Get", GRPC "\napi-version: v3", -1);
    say_frame(client, GET_X);
    say_end(client);
    answer(instance(scene), CAR_V3);
    assert_body(client, framed(scene, CAR_V3));
    assert_string_equal(scene->records[0].client_version->name, "v3");
}

static void a_method_without_counterpart_in_the_version_is_not_known(void **state)
{
    Scene *scene = scene_again(state, BY_HEADER_FIRST);
    Peer *client = head(scene, "/garage.v1.Cars/Scrap", GRPC "\napi-version: v3", -1);
    assert_string_equal(said(client, "grpc-status"), "12");
    assert_record(scene, "UNIMPLEMENTED UNKNOWN_METHOD, 0 sent");
}

static void a_stream_is_not_asked_in_connects_unary_form(void **state)
{
    Scene *scene = *state;
    Peer *client = head(scene, WATCH_ITEM, JSON, -1);
    assert_int_equal(client->head.status, 415);
    assert_record(scene, "UNKNOWN UNSUPPORTED_MEDIA, 0 sent");
}

static void a_body_that_says_to_be_too_large_is_not_waited_for(void **state)
{
    Scene *scene = *state;
    Peer *client = head(scene, MAKE_ITEM, JSON, 20 << 20);
    assert_int_equal(client->head.status, 429); /* Connect's RESOURCE_EXHAUSTED */
    assert_record(scene, "RESOURCE_EXHAUSTED MESSAGE_TOO_LARGE, 0 sent");
    client = head(scene, "/v1/items", JSON, 20 << 20);
    assert_int_equal(client->head.status, 413);
}

static void who_takes_only_what_is_not_given_hears_so(void **state)
{
    Scene *scene = scene_again(state, SCENE_TEXT "  - {match: yard, compress_answers: never}\n");
    Peer *client =
        ask(scene, "GET", "/v1/items/x", "accept-encoding: gzip, identity;q=0", BYTES_NONE);
    assert_int_equal(client->head.status, 406);
    assert_record(scene, "INVALID_ARGUMENT NOT_ACCEPTABLE, 0 sent");
    client = ask(scene, "GET", "/v1/cars/x", "accept-encoding: identity;q=0", BYTES_NONE);
    assert_int_equal(client->head.status, 406);
}

/* ---- Receiving ------------------------------------------------------------------------------- */

static void one_message_is_taken_and_no_more(void **state)
{
    Scene *scene = *state;
    Peer *client = begin_grpc(scene, GET_ITEM, "");
    say_frame(client, GET_X);
    assert_int_equal(n_instances(scene), 0); /* until the end is there */
    say_frame(client, GET_X);
    assert_string_equal(said(client, "grpc-status"), "12");
    assert_record(scene, "UNIMPLEMENTED UNSUPPORTED, 0 sent");
}

static void no_message_is_no_call(void **state)
{
    Scene *scene = *state;
    Peer *client = begin_grpc(scene, GET_ITEM, "");
    say_end(client);
    assert_string_equal(said(client, "grpc-status"), "12");
    assert_record(scene, "UNIMPLEMENTED UNSUPPORTED, 0 sent");
}

static void a_message_that_is_cut_off_is_refused(void **state)
{
    Scene *scene = *state;
    Peer *client = begin_grpc(scene, GET_ITEM, "");
    say(client, BYTES("\0\0\0\0\3\n"));
    say_end(client);
    assert_string_not_equal(said(client, "grpc-status"), "0");
    assert_int_equal(n_instances(scene), 0);
}

static void a_frame_that_is_malformed_is_refused(void **state)
{
    Scene *scene = *state;
    Peer *client = begin_grpc(scene, GET_ITEM, "");
    say(client, BYTES("\7\0\0\0\0"));
    assert_true(client->ended);
    assert_string_not_equal(said(client, "grpc-status"), "0");
}

static void a_frame_that_is_too_large_is_refused_by_its_head(void **state)
{
    Scene *scene = *state;
    Peer *client = begin_grpc(scene, GET_ITEM, "");
    say(client, BYTES("\0\x7f\0\0\0"));
    assert_string_equal(said(client, "grpc-status"), "8");
    assert_record(scene, "RESOURCE_EXHAUSTED MESSAGE_TOO_LARGE, 0 sent");
}

static void connects_end_of_a_stream_is_no_message(void **state)
{
    Scene *scene = *state;
    Peer *client = head(scene, WATCH_ITEM, "content-type: application/connect+proto", -1);
    say_frame(client, GET_X);
    say(client, BYTES("\2\0\0\0\2{}"));
    say_end(client);
    if (!client->ended) {
        answer_grpc_head(instance(scene));
        say_frame(instance(scene), ITEM);
        answer_trailers(instance(scene), "grpc-status: 0");
    }
    assert_true(client->ended);
}

static void a_rest_body_is_the_message(void **state)
{
    Scene *scene = *state;
    Peer *client = ask(scene, "POST", "/v1/items", JSON, BYTES(ITEM_JSON));
    assert_body(instance(scene), framed(scene, ITEM));
    answer(instance(scene), ITEM);
    assert_body(client, BYTES(ITEM_JSON));
}

static void a_value_that_does_not_fit_is_refused_before_an_instance_is_asked(void **state)
{
    Scene *scene = *state;
    Peer *client = ask(scene, "POST", "/v1/items", JSON, BYTES("{\"parts\":\"many\"}"));
    assert_int_equal(client->head.status, 400);
    assert_record(scene, "INVALID_ARGUMENT BAD_VALUE, 0 sent");
    assert_int_equal(n_instances(scene), 0);
}

/* ---- Streams before they are connected ------------------------------------------------------- */

static void what_a_stream_says_while_connecting_is_kept(void **state)
{
    Scene *scene = *state;
    scene_upstream(scene, 7101)->want = WANT_WAITS;
    Peer *client = begin_grpc(scene, LOAD_ITEMS, "");
    say_frame(client, ITEM);
    say(client, BYTES("\0\0\0"));
    scene_connect(scene, 7101);
    assert_body(instance(scene), framed(scene, ITEM));
    say(client, BYTES("\0\3\n\1x"));
    say_end(client);
    assert_int_equal(instance(scene)->body.size, 5 + ITEM.size + 5 + 3);
    assert_true(instance(scene)->ended);
    answer(instance(scene), ITEM);
    assert_record(scene, "OK, 1 sent: 7101 OK");
}

static void a_stream_that_has_ended_while_connecting_is_sent_whole(void **state)
{
    Scene *scene = *state;
    scene_upstream(scene, 7101)->want = WANT_WAITS;
    Peer *client = begin_grpc(scene, LOAD_ITEMS, "");
    say_frame(client, ITEM);
    say_end(client);
    scene_connect(scene, 7101);
    assert_body(instance(scene), framed(scene, ITEM));
    assert_true(instance(scene)->ended);
    answer(instance(scene), ITEM);
    assert_string_equal(said(client, "grpc-status"), "0");
}

static void a_stream_that_says_much_while_connecting_is_held_back_by_its_window(void **state)
{
    Scene *scene = *state;
    scene_upstream(scene, 7101)->want = WANT_WAITS;
    Peer *client = begin_grpc(scene, LOAD_ITEMS, "");
    Buffer much = buffer_in(scene->arena);
    uint32_t n = 100000;
    for (uint32_t i = 0; i < n; i++)
        buffer_add_bytes(&much, framed(scene, ITEM));
    say(client, buffer_bytes(&much));
    assert_true(http_stream_queued(client->stream) >= much.size - 262144);
    scene_connect(scene, 7101);
    assert_int_equal(instance(scene)->body.size, much.size);
    say_end(client);
    answer(instance(scene), ITEM);
    assert_int_equal(scene->records[0].messages_in, n);
}

static void a_stream_that_is_malformed_ends(void **state)
{
    Scene *scene = *state;
    Peer *client = begin_grpc(scene, LOAD_ITEMS, "");
    say_frame(client, ITEM);
    say(client, BYTES("\7\0\0\0\0"));
    assert_true(client->ended);
    assert_string_equal(instance(scene)->reset, "CANCELLED");
    client = begin_grpc(scene, LOAD_ITEMS, "");
    say(client, BYTES("\0\0\0"));
    say_end(client);
    assert_true(client->ended);
    assert_string_not_equal(said(client, "grpc-status"), "0");
}

/* ---- Memory ---------------------------------------------------------------------------------- */

/* In JSON it is six times as large. */
static void a_request_that_is_larger_than_the_memory_of_a_call_ends(void **state)
{
    Scene *scene = scene_again(state, YARD_OF("versions: [v1], protocol: rest") LITTLE_MEMORY);
    Buffer message = buffer_in(scene->arena);
    uint8_t *text = arena_alloc(scene->arena, 200000);
    memset(text, 1, 200000);
    buffer_add_bytes(&message, BYTES("\n\xc0\x9a\x0c"));
    buffer_add(&message, text, 200000);
    Peer *client = ask_grpc(scene, MAKE_ITEM, buffer_bytes(&message));
    assert_string_equal(said(client, "grpc-status"), "8");
    assert_record(scene, "RESOURCE_EXHAUSTED OUT_OF_MEMORY, 0 sent");
}

static void a_stream_that_is_larger_than_the_memory_of_a_call_while_connecting_ends(void **state)
{
    Scene *scene = scene_again(state, SCENE_TEXT LITTLE_MEMORY);
    scene_upstream(scene, 7101)->want = WANT_WAITS;
    Peer *client = begin_grpc(scene, LOAD_ITEMS, "");
    say(client, bytes(arena_calloc(scene->arena, 3 << 20, 1), 3 << 20));
    assert_string_equal(said(client, "grpc-status"), "8");
    assert_int_equal(scene->n_cancelled, 1);
}

static void a_routes_timeout_is_the_deadline_of_those_who_give_a_longer_one(void **state)
{
    Scene *scene = scene_again(state, SCENE_TEXT "  - {match: yard, timeout: 200ms}\n");
    Peer *client = begin_grpc(scene, MAKE_ITEM, "grpc-timeout: 10S");
    scene_pass(scene, 199);
    assert_false(client->ended);
    scene_pass(scene, 2);
    assert_string_equal(said(client, "grpc-status"), "4");
    client = begin_grpc(scene, MAKE_ITEM, "grpc-timeout: 100m");
    scene_pass(scene, 101);
    assert_string_equal(said(client, "grpc-status"), "4");
}

static void streams_have_only_the_deadline_of_their_callers(void **state)
{
    Scene *scene = scene_again(state, SCENE_TEXT "  - {match: yard, timeout: 200ms}\n");
    Peer *client = ask_grpc(scene, WATCH_ITEM, GET_X);
    scene_pass(scene, 100000);
    assert_false(client->ended);
    answer(instance(scene), ITEM);
    assert_string_equal(said(client, "grpc-status"), "0");
}

static void without_any_timeout_there_is_no_deadline(void **state)
{
    Scene *scene = scene_again(state, SCENE_TEXT "limits: {call_time: 0s}\n");
    Peer *client = ask_grpc(scene, MAKE_ITEM, ITEM);
    assert_string_equal(field_of(instance(scene), "grpc-timeout"), "");
    scene_pass(scene, 1000000);
    answer(instance(scene), ITEM);
    assert_string_equal(said(client, "grpc-status"), "0");
}

static void a_path_that_versions_share_leaves_the_choice_to_the_header(void **state)
{
    Scene *scene =
        scene_again(state, LISTEN "services:\n  - name: yard\n    versions:\n"
                                  "      - {name: v1, package: yard.v1, schema: yard.binpb}\n"
                                  "      - {name: v2, package: yard.v1, schema: yard.binpb}\n"
                                  "    instances:\n"
                                  "      - {address: '127.0.0.1:7101', versions: [v1, v2]}\n");
    Peer *client = begin_grpc(scene, MAKE_ITEM, "api-version: v2");
    say_frame(client, ITEM);
    say_end(client);
    answer(instance(scene), ITEM);
    assert_string_equal(scene->records[0].client_version->name, "v2");
    ask_grpc(scene, MAKE_ITEM, ITEM);
    answer(instance(scene), ITEM);
    assert_string_equal(scene->records[1].client_version->name, "v1");
}

static void an_empty_body_says_nothing(void **state)
{
    Scene *scene = *state;
    Peer *client = ask(scene, "POST", "/v1/items", JSON, bytes("", 0));
    assert_body(instance(scene), framed(scene, BYTES_NONE));
    answer(instance(scene), ITEM);
    assert_body(client, BYTES(ITEM_JSON));
}

/* ---- Refused by HTTP ------------------------------------------------------------------------- */

/* A call over HTTP/1.1 whose body has begun. */
static Peer *begin_body(Scene *scene, const char *path, const char *fields)
{
    Peer *client = client_new(scene, http1_client_new, http1_server_new);
    client_head(client, "POST", path, fields, -1, false);
    return client;
}

static void feed_gateway(Peer *client, const char *bytes)
{
    Result r = http_connection_feed(client->gateway, bytes_of(bytes), client->scene->loop.now);
    assert_fault(r, FAULT_PROTOCOL_VIOLATION);
    scene_pump(client->scene);
}

static void a_body_that_breaks_the_rules_of_http_is_answered_in_the_calls_dialect(void **state)
{
    Scene *scene = *state;
    Peer *client = begin_body(scene, "/v1/items", JSON);
    feed_gateway(client, "no chunk\r\n");
    assert_int_equal(client->head.status, 400);
    assert_string_equal(field_of(client, "content-type"), "application/problem+json");
    assert_true(
        bytes_equal(bytes_of(field_of(client, "x-request-id")), scene->records[0].request_id));
    assert_record(scene, "INVALID_ARGUMENT BAD_REQUEST, 0 sent");

    client = begin_body(scene, GET_ITEM, "content-type: application/grpc-web");
    feed_gateway(client, "no chunk\r\n");
    assert_int_equal(client->head.status, 200);
    assert_non_null(memmem(client->body.data, client->body.size, "grpc-status: 3\r\n", 16));
}

static void a_body_that_does_not_come_in_time_is_answered_in_the_calls_dialect(void **state)
{
    Scene *scene = *state;
    Peer *client = begin_body(scene, "/v1/items", JSON);
    assert_true(http_connection_timeout(client->gateway));
    scene_pump(scene);
    assert_int_equal(client->head.status, 408);
    assert_string_not_equal(field_of(client, "x-request-id"), "");
    assert_record(scene, "DEADLINE_EXCEEDED REQUEST_TIMEOUT, 0 sent");
    client = begin_body(scene, GET_ITEM, "content-type: application/grpc-web");
    assert_true(http_connection_timeout(client->gateway));
    scene_pump(scene);
    assert_non_null(memmem(client->body.data, client->body.size, "grpc-status: 4\r\n", 16));
}

/* ---- Ended from above ------------------------------------------------------------------------ */

/* The gateway goes down and waits no more. Returns how many calls of the connection that ended. */
static uint32_t end_calls(Peer *client)
{
    Scene *scene = client->scene;
    uint32_t n = client_end_all(client->client,
                                FAIL(scene->arena, FAULT_SHUTTING_DOWN, "the gateway stops"));
    scene_pump(scene);
    return n;
}

static void a_call_that_is_ended_from_above_is_told_so_in_its_dialect(void **state)
{
    Scene *scene = *state;
    Peer *client = ask_grpc(scene, GET_ITEM, GET_X);
    assert_int_equal(end_calls(client), 1);
    assert_string_equal(said(client, "grpc-status"), "14");
    assert_record(scene, "UNAVAILABLE SHUTTING_DOWN, 1 sent: 7101 UNAVAILABLE");
    assert_string_equal(instance(scene)->reset, "CANCELLED"); /* it works for nobody now */

    client = ask(scene, "GET", "/v1/items/x", "", BYTES_NONE);
    assert_int_equal(end_calls(client), 1);
    assert_int_equal(client->head.status, 503);
    assert_true(client->ended);

    client = ask(scene, "POST", GET_ITEM, "content-type: application/json", BYTES("{}"));
    assert_int_equal(end_calls(client), 1);
    assert_int_equal(client->head.status, 503);
    assert_non_null(memmem(client->body.data, client->body.size, "\"unavailable\"", 13));
}

static void a_stream_that_is_ended_from_above_ends_with_an_error(void **state)
{
    Scene *scene = *state;
    Peer *client = ask_grpc(scene, WATCH_ITEM, GET_X);
    answer_grpc_head(instance(scene));
    say_frame(instance(scene), ITEM);
    assert_int_equal(end_calls(client), 1);
    assert_body(client, framed(scene, ITEM));
    assert_string_equal(trailer_of(client, "grpc-status"), "14");
    assert_null(client->reset);

    client = head(scene, WATCH_ITEM, "content-type: application/connect+json", -1);
    say_frame(client, BYTES("{}"));
    say_end(client);
    answer_grpc_head(instance(scene));
    say_frame(instance(scene), ITEM);
    assert_int_equal(end_calls(client), 1);
    assert_true(client->ended && !client->reset);
    assert_non_null(memmem(client->body.data, client->body.size, "\"code\":\"unavailable\"", 20));

    client = ask(scene, "GET", "/v1/items/x:watch", "accept: text/event-stream", BYTES_NONE);
    answer_grpc_head(instance(scene));
    say_frame(instance(scene), ITEM);
    assert_int_equal(end_calls(client), 1);
    assert_true(client->ended && !client->reset);
    assert_non_null(memmem(client->body.data, client->body.size, "event: error", 12));
}

static void
a_request_that_is_not_there_to_its_end_is_answered_when_it_is_ended_from_above(void **state)
{
    Scene *scene = *state;
    Peer *client = begin_grpc(scene, GET_ITEM, "");
    assert_int_equal(end_calls(client), 1);
    assert_string_equal(said(client, "grpc-status"), "14");
    client = begin_grpc(scene, TRADE_ITEMS, "");
    say_frame(client, ITEM);
    assert_int_equal(end_calls(client), 1);
    assert_string_equal(said(client, "grpc-status"), "14");
}

static void what_has_no_end_in_its_dialect_is_cut_off(void **state)
{
    Scene *scene = *state;
    Peer *client = ask(scene, "GET", "/old/x", "", BYTES_NONE);
    answer_head(instance(scene), 200, "", 10, false);
    say(instance(scene), BYTES("half"));
    assert_int_equal(end_calls(client), 1);
    assert_non_null(client->reset);
    assert_false(client->ended);
}

static void note_status(void *owner, HttpStream *stream, const HttpHead *head, bool end)
{
    *(unsigned *)owner = head->status;
}

static void drop_body(void *owner, HttpStream *stream, Bytes piece)
{
}

static void on_end(void *owner, HttpStream *stream, const Fields *trailers)
{
    http_stream_release(stream);
}

static const HttpStreamEvents status_events = {
    .on_head = note_status, .on_body = drop_body, .on_end = on_end};

static void all_calls_of_a_connection_are_ended_from_above(void **state)
{
    Scene *scene = *state;
    Peer *client = client_new(scene, http2_client_new, http2_server_new);
    HttpHead head = {.method = bytes_of("GET"),
                     .authority = bytes_of("x"),
                     .path = bytes_of("/v1/items/x"),
                     .content_length = -1,
                     .fields = fields_in(scene->arena)};
    unsigned statuses[3] = {0};
    assert_int_equal(end_calls(client), 0);
    client->n_streams = 3;
    for (int i = 0; i < 3; i++)
        assert_non_null(
            http_stream_open(client->connection, &head, true, &status_events, &statuses[i]));
    scene_pump(scene);
    answer(instance(scene), ITEM); /* the last one ends well before */
    assert_int_equal(end_calls(client), 2);
    assert_int_equal(end_calls(client), 0);
    assert_int_equal(statuses[0], 503);
    assert_int_equal(statuses[1], 503);
    assert_int_equal(statuses[2], 200);
    assert_int_equal(scene->n_records, 3);
    assert_int_equal(scene->n_unused, 1);
}

int main(void)
{
#define TEST(name) SCENE_TEST(name)
    const struct CMUnitTest tests[] = {
        TEST(a_version_that_is_not_there_is_refused),
        TEST(a_header_chooses_among_the_versions_of_a_path),
        TEST(a_path_that_the_version_does_not_have_is_not_found),
        TEST(a_header_can_stand_above_the_path),
        TEST(a_method_without_counterpart_in_the_version_is_not_known),
        TEST(a_stream_is_not_asked_in_connects_unary_form),
        TEST(a_body_that_says_to_be_too_large_is_not_waited_for),
        TEST(who_takes_only_what_is_not_given_hears_so),
        TEST(one_message_is_taken_and_no_more),
        TEST(no_message_is_no_call),
        TEST(a_message_that_is_cut_off_is_refused),
        TEST(a_frame_that_is_malformed_is_refused),
        TEST(a_frame_that_is_too_large_is_refused_by_its_head),
        TEST(connects_end_of_a_stream_is_no_message),
        TEST(a_rest_body_is_the_message),
        TEST(a_value_that_does_not_fit_is_refused_before_an_instance_is_asked),
        TEST(what_a_stream_says_while_connecting_is_kept),
        TEST(a_stream_that_has_ended_while_connecting_is_sent_whole),
        TEST(a_stream_that_says_much_while_connecting_is_held_back_by_its_window),
        TEST(a_stream_that_is_malformed_ends),
        TEST(a_request_that_is_larger_than_the_memory_of_a_call_ends),
        TEST(a_stream_that_is_larger_than_the_memory_of_a_call_while_connecting_ends),
        TEST(a_routes_timeout_is_the_deadline_of_those_who_give_a_longer_one),
        TEST(streams_have_only_the_deadline_of_their_callers),
        TEST(without_any_timeout_there_is_no_deadline),
        TEST(a_path_that_versions_share_leaves_the_choice_to_the_header),
        TEST(an_empty_body_says_nothing),
        TEST(a_body_that_breaks_the_rules_of_http_is_answered_in_the_calls_dialect),
        TEST(a_body_that_does_not_come_in_time_is_answered_in_the_calls_dialect),
        TEST(a_call_that_is_ended_from_above_is_told_so_in_its_dialect),
        TEST(a_stream_that_is_ended_from_above_ends_with_an_error),
        TEST(a_request_that_is_not_there_to_its_end_is_answered_when_it_is_ended_from_above),
        TEST(what_has_no_end_in_its_dialect_is_cut_off),
        TEST(all_calls_of_a_connection_are_ended_from_above),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
