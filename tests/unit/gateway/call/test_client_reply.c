#include "protocols/http/compression.h"
#include "tests/unit/gateway/call/scene.h"

static Peer *get(Scene *scene, const char *path, const char *fields)
{
    return ask(scene, "GET", path, fields, BYTES_NONE);
}

static const char *filled(Scene *scene, char with, size_t size)
{
    char *text = arena_calloc(scene->arena, size + 1, 1);
    memset(text, with, size);
    return text;
}

/* ---- Fields ---------------------------------------------------------------------------------- */

static void a_services_metadata_is_passed_on_without_what_is_ours(void **state)
{
    Scene *scene = *state;
    Peer *client = ask_grpc(scene, GET_ITEM, GET_X);
    answer_head(instance(scene), 200,
                "content-type: application/grpc\nitem-age: 5\nx-request-id: mine", -1, false);
    say_frame(instance(scene), ITEM);
    answer_trailers(instance(scene), "grpc-status: 0\nitem-sum: 7\npasserelle-degraded: no");
    assert_string_equal(field_of(client, "item-age"), "5");
    assert_true(bytes_are(scene->records[0].request_id, field_of(client, "x-request-id")));
    assert_string_equal(trailer_of(client, "item-sum"), "7");
    assert_string_equal(said(client, "passerelle-degraded"), "");
}

static void what_was_lost_is_named(void **state)
{
    Scene *scene = scene_again(state, YARD_OF("versions: [v2]"));
    Peer *client = ask_grpc(scene, MAKE_ITEM, BYTES("\n\1x\x1a\1n"));
    assert_body(instance(scene), framed(scene, GET_X));
    answer(instance(scene), BYTES("\n\1x\x7a\3red"));
    assert_string_equal(field_of(client, "passerelle-lost"), "Item.note, Item.colour");
    assert_int_equal(scene->records[0].n_losses, 2);
}

static void what_a_stream_loses_is_named_at_its_end(void **state)
{
    Scene *scene = scene_again(state, YARD_OF("versions: [v2]"));
    Peer *client = ask_grpc(scene, WATCH_ITEM, GET_X);
    answer_grpc_head(instance(scene));
    say_frame(instance(scene), ITEM);
    assert_string_equal(field_of(client, "passerelle-lost"), "");
    say_frame(instance(scene), BYTES("\n\1x\x7a\3red"));
    answer_trailers(instance(scene), "grpc-status: 0\nitem-sum: 7");
    assert_string_equal(trailer_of(client, "passerelle-lost"), "Item.colour");
    assert_string_equal(trailer_of(client, "item-sum"), "7");

    client = get(scene, "/v1/items/x:watch", "accept: text/event-stream");
    answer_grpc_head(instance(scene));
    say_frame(instance(scene), BYTES("\n\1x\x7a\3red"));
    answer_trailers(instance(scene), "grpc-status: 0");
    const char *body = arena_text(scene->arena, buffer_bytes(&client->body));
    assert_non_null(strstr(body, "event: end\nid: end\ndata: {\"metadata\":{\"passerelle-lost\":"
                                 "[\"Item.colour\"]}}\n\n"));
}

/* ---- REST: streams and bytes ----------------------------------------------------------------- */

static void a_stream_is_lines_of_json(void **state)
{
    Scene *scene = *state;
    Peer *client = get(scene, "/v1/items/x:watch", "");
    answer_grpc_head(instance(scene));
    assert_false(client->headed); /* its status is not known yet */
    say_frame(instance(scene), ITEM);
    assert_string_equal(field_of(client, "content-type"), "application/x-ndjson");
    assert_body(client, BYTES(ITEM_JSON "\n"));
    answer_trailers(instance(scene), "grpc-status: 0");
    assert_true(client->ended);
    assert_record(scene, "OK, 1 sent: 7101 OK");
}

static void a_stream_is_events_where_the_client_wants_them(void **state)
{
    Scene *scene = *state;
    Peer *client = get(scene, "/v1/items/x:watch", "accept: text/event-stream");
    answer_grpc_head(instance(scene));
    say_frame(instance(scene), ITEM);
    assert_body(client, BYTES("id: 1\ndata: " ITEM_JSON "\n\n"));
    answer_trailers(instance(scene), "grpc-status: 13\ngrpc-message: oops");
    assert_non_null(strstr(arena_text(scene->arena, buffer_bytes(&client->body)), "oops"));
    assert_record(scene, "INTERNAL UPSTREAM_STATUS, 1 sent: 7101 INTERNAL");
}

static void a_stream_is_compressed_as_a_whole(void **state)
{
    Scene *scene = *state;
    Peer *client = get(scene, "/v1/items/x:watch", "accept-encoding: gzip");
    answer_grpc_head(instance(scene));
    say_frame(instance(scene), ITEM);
    assert_string_equal(field_of(client, "content-encoding"), "gzip");
    say_frame(instance(scene), ITEM);
    answer_trailers(instance(scene), "grpc-status: 0");
    Buffer plain = buffer_in(scene->arena);
    assert_int_equal(
        decompress_message(COMPRESSION_GZIP, buffer_bytes(&client->body), 1000, &plain),
        DECOMPRESSED);
    assert_bytes(buffer_bytes(&plain), ITEM_JSON "\n" ITEM_JSON "\n");
}

static void a_stream_is_one_array_where_the_client_wants_json(void **state)
{
    Scene *scene = *state;
    Peer *client = get(scene, "/v1/items/x:watch", "accept: application/json");
    answer_grpc_head(instance(scene));
    say_frame(instance(scene), ITEM);
    assert_string_equal(field_of(client, "content-type"), "application/json");
    assert_body(client, BYTES("[\n" ITEM_JSON "\n"));
    say_frame(instance(scene), ITEM);
    answer_trailers(instance(scene), "grpc-status: 0");
    assert_body(client, BYTES("[\n" ITEM_JSON "\n," ITEM_JSON "\n]"));
    assert_true(client->ended);
}

static void a_stream_that_fails_before_its_first_message_has_its_errors_status(void **state)
{
    static const char *const accepts[] = {"accept: */*", "accept: application/json",
                                          "accept: text/event-stream"};
    for (size_t i = 0; i < sizeof accepts / sizeof *accepts; i++) {
        Scene *scene = i ? scene_again(state, YARD_OF("versions: [v1]")) : *state;
        Peer *client = get(scene, "/v1/items/x:watch", accepts[i]);
        answer_grpc_head(instance(scene));
        answer_trailers(instance(scene), "grpc-status: 9\ngrpc-message: no");
        assert_int_equal(client->head.status, 400);
        assert_string_equal(field_of(client, "content-type"), "application/problem+json");
        assert_true(client->ended);
    }
}

static void a_stream_without_messages_has_its_type_and_end(void **state)
{
    static const struct {
        const char *accept, *type, *body;
    } rows[] = {
        {"accept: */*", "application/x-ndjson", ""},
        {"accept: application/json", "application/json", "[]"},
        {"accept: text/event-stream", "text/event-stream", "event: end\nid: end\ndata: {}\n\n"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        Scene *scene = i ? scene_again(state, YARD_OF("versions: [v1]")) : *state;
        Peer *client = get(scene, "/v1/items/x:watch", rows[i].accept);
        answer_grpc_head(instance(scene));
        answer_trailers(instance(scene), "grpc-status: 0");
        assert_int_equal(client->head.status, 200);
        assert_string_equal(field_of(client, "content-type"), rows[i].type);
        assert_body(client, bytes_of(rows[i].body));
        assert_true(client->ended);
    }
}

static void a_reconnect_after_the_end_of_events_asks_nobody(void **state)
{
    Scene *scene = *state;
    Peer *client = get(scene, "/v1/items/x:watch", "accept: text/event-stream\nlast-event-id: end");
    assert_int_equal(client->head.status, 204);
    assert_true(client->ended);
    assert_record(scene, "OK, 0 sent");
    client = get(scene, "/v1/items/x:watch", "accept: text/event-stream\nlast-event-id: 4");
    answer_grpc_head(instance(scene));
    say_frame(instance(scene), ITEM);
    assert_body(client, BYTES("id: 5\ndata: " ITEM_JSON "\n\n"));
    answer_trailers(instance(scene), "grpc-status: 0");
}

static void a_compressed_stream_ends_with_its_error(void **state)
{
    Scene *scene = *state;
    Peer *client = get(scene, "/v1/items/x:watch", "accept-encoding: gzip");
    answer_grpc_head(instance(scene));
    say_frame(instance(scene), ITEM);
    break_off(instance(scene), 2);
    assert_record(scene, "UNAVAILABLE UPSTREAM_RESET, 1 sent: 7101 UNAVAILABLE");
    assert_true(client->ended || client->reset);
}

static void an_http_body_is_its_bytes(void **state)
{
    Scene *scene = *state;
    Peer *client = get(scene, "/v1/photos/x", "");
    answer(instance(scene), BYTES("\n\x09image/png\x12\3png"));
    assert_string_equal(field_of(client, "content-type"), "image/png");
    assert_body(client, BYTES("png"));
    client = get(scene, "/v1/films/x", "");
    answer_grpc_head(instance(scene));
    assert_false(client->headed); /* its type is not known yet */
    say_frame(instance(scene), BYTES("\n\x09video/mp4\x12\3mp4"));
    assert_string_equal(field_of(client, "content-type"), "video/mp4");
    say_frame(instance(scene), BYTES("\x12\3mp4"));
    assert_body(client, BYTES("mp4mp4"));
    answer_trailers(instance(scene), "grpc-status: 0");
    assert_true(client->ended);
}

static void bytes_that_break_off_are_broken_off(void **state)
{
    Scene *scene = *state;
    Peer *client = get(scene, "/v1/films/x", "");
    answer_grpc_head(instance(scene));
    say_frame(instance(scene), BYTES("\n\x09video/mp4\x12\3mp4"));
    break_off(instance(scene), 2);
    assert_non_null(client->reset);
    assert_record(scene, "UNAVAILABLE UPSTREAM_RESET, 1 sent: 7101 UNAVAILABLE");
}

static void only_a_field_is_the_answer_where_the_rule_says_so(void **state)
{
    Scene *scene = *state;
    Peer *client = ask(scene, "PUT", "/v1/items/x", "content-type: application/json",
                       BYTES("{\"owner\":\"bob\"}"));
    answer(instance(scene), BYTES("\n\x08"
                                  "\n\1x\x12\3bob"));
    assert_body(client, BYTES(ITEM_JSON));
}

/* ---- Defaults -------------------------------------------------------------------------------- */

#define DEFAULT_OF(match, message)                                                                 \
    "  - {match: " match ", on_failure: {graceful: {default: " message ", writes: true}}}\n"

static void a_default_of_which_only_a_field_is_the_answer_is_that_field(void **state)
{
    Scene *scene =
        scene_again(state, SCENE_TEXT DEFAULT_OF("garage.Cars/List", "{cars: [{name: none}]}"));
    Peer *client = get(scene, "/cars", "");
    answer_error(instance(scene), 13, "oops");
    assert_body(client, BYTES("[{\"name\":\"none\"}]"));
    assert_string_equal(field_of(client, "passerelle-degraded"), "UPSTREAM_STATUS; by=default");
}

static void a_default_is_compressed_as_any_answer(void **state)
{
    Scene *scene = scene_again(state, SCENE_TEXT DEFAULT_OF("yard.Yard/Watch", "{name: none}"));
    Peer *client = get(scene, "/v1/items/x:watch", "accept-encoding: gzip");
    answer_error(instance(scene), 13, "oops");
    Buffer plain = buffer_in(scene->arena);
    assert_int_equal(
        decompress_message(COMPRESSION_GZIP, buffer_bytes(&client->body), 1000, &plain),
        DECOMPRESSED);
    assert_bytes(buffer_bytes(&plain), "{\"name\":\"none\"}\n");
}

/* ---- Memory ---------------------------------------------------------------------------------- */

static void an_error_is_told_even_where_the_memory_of_the_call_is_used_up(void **state)
{
    Scene *scene = scene_again(state, SCENE_TEXT HUGE_HEADS);
    Peer *client = ask_grpc(scene, MAKE_ITEM, ITEM);
    const char *half = filled(scene, 'x', 30000);
    answer_head(instance(scene), 200,
                arena_printf(scene->arena,
                             "content-type: application/grpc\ngrpc-status: 9\ngrpc-message: %s\n"
                             "a: %s",
                             half, half),
                -1, true);
    assert_string_equal(said(client, "grpc-status"), "9");
    assert_record(scene, "FAILED_PRECONDITION UPSTREAM_STATUS, 1 sent: 7101 FAILED_PRECONDITION");
}

static void an_answer_that_cannot_be_framed_ends_the_call(void **state)
{
    Scene *scene = scene_again(state, SCENE_TEXT LITTLE_MEMORY);
    for (size_t size = 100 << 10; size < 900 << 10; size += 100 << 10) {
        Buffer message = buffer_in(scene->arena);
        buffer_add_byte(&message, '\n');
        for (size_t left = size; left; left >>= 7)
            buffer_add_byte(&message, (uint8_t)((left & 0x7f) | (left > 0x7f ? 0x80 : 0)));
        buffer_add_text(&message, filled(scene, 'x', size));
        Peer *client = get(scene, "/v1/items/x", "");
        answer(instance(scene), buffer_bytes(&message));
        assert_true(client->ended);
        assert_true(client->head.status == 200 || client->head.status == 503 ||
                    client->head.status == 429);
    }
}

static void a_streams_answer_that_cannot_be_framed_ends_the_stream(void **state)
{
    Scene *scene = scene_again(state, SCENE_TEXT LITTLE_MEMORY);
    for (size_t size = 100 << 10; size < 900 << 10; size += 100 << 10) {
        Buffer message = buffer_in(scene->arena);
        buffer_add_byte(&message, '\n');
        for (size_t left = size; left; left >>= 7)
            buffer_add_byte(&message, (uint8_t)((left & 0x7f) | (left > 0x7f ? 0x80 : 0)));
        buffer_add_text(&message, filled(scene, '"', size));
        Peer *client = get(scene, "/v1/items/x:watch", "accept-encoding: gzip");
        answer_grpc_head(instance(scene));
        say_frame(instance(scene), buffer_bytes(&message));
        if (instance(scene)->reset == NULL)
            answer_trailers(instance(scene), "grpc-status: 0");
        assert_true(client->ended || client->reset);
    }
}

/* ---- HEAD ------------------------------------------------------------------------------------ */

static void head_has_the_head_of_get_and_no_body(void **state)
{
    Scene *scene = *state;
    static const char *const paths[] = {
        "/v1/items/x", GET_ITEM "?connect=v1&encoding=json&message=%7B%22name%22%3A%22x%22%7D"};
    for (int i = 0; i < 2; i++) {
        for (int is_head = 0; is_head < 2; is_head++) {
            Peer *client = ask(scene, is_head ? "HEAD" : "GET", paths[i], "", BYTES_NONE);
            answer(instance(scene), ITEM);
            assert_int_equal(client->head.status, 200);
            assert_int_equal(client->head.content_length, strlen(ITEM_JSON));
            assert_string_equal(field_of(client, "content-type"), "application/json");
            assert_body(client, is_head ? BYTES_NONE : BYTES(ITEM_JSON));
            assert_true(client->ended);
        }
    }
}

static void head_of_a_stream_ends_with_its_head(void **state)
{
    Scene *scene = *state;
    Peer *client = ask(scene, "HEAD", "/v1/items/x:watch", "accept: text/event-stream", BYTES_NONE);
    answer_grpc_head(instance(scene));
    say_frame(instance(scene), ITEM);
    assert_int_equal(client->head.status, 200);
    assert_string_equal(field_of(client, "content-type"), "text/event-stream");
    assert_true(client->ended && !client->reset);
    assert_body(client, BYTES_NONE);
    assert_string_equal(instance(scene)->reset, "CANCELLED");
    assert_record(scene, "OK, 1 sent: 7101 OK");
}

/* Its stream is gone with the head, before the message that brought it is looked at. */
static void head_of_a_stream_over_http1_ends_with_its_head(void **state)
{
    Scene *scene = *state;
    Peer *client = client_new(scene, http1_client_new, http1_server_new);
    client_head(client, "HEAD", "/v1/items/x:watch", "", 0, true);
    answer_grpc_head(instance(scene));
    say_frame(instance(scene), ITEM);
    assert_int_equal(client->head.status, 200);
    assert_true(client->ended && !client->reset);
    assert_body(client, BYTES_NONE);
    assert_string_equal(instance(scene)->reset, "CANCELLED");
    assert_record(scene, "OK, 1 sent: 7101 OK");
}

static void head_of_an_error_has_no_body_either(void **state)
{
    Scene *scene = *state;
    Peer *client = ask(scene, "HEAD", "/v1/items/x", "", BYTES_NONE);
    answer_error(instance(scene), 5, "nobody");
    assert_int_equal(client->head.status, 404);
    assert_body(client, BYTES_NONE);
    assert_true(client->ended);
}

/* ---- Vary ------------------------------------------------------------------------------------ */

static bool varies_by(const Peer *client, const char *name)
{
    Bytes list = bytes_of(field_of(client, "vary")), part;
    while (bytes_split(&list, ',', &part))
        if (bytes_are(bytes_trim(part), name))
            return true;
    return false;
}

static void all_that_a_response_depends_on_is_in_vary_without_being_asked(void **state)
{
    Scene *scene = scene_again(state, "cors: {origins: ['https://panel.example']}\n" SCENE_TEXT);
    Peer *client = ask(scene, "GET", "/v1/items/x", "", BYTES_NONE);
    answer(instance(scene), ITEM);
    assert_true(varies_by(client, "accept") && varies_by(client, "accept-encoding") &&
                varies_by(client, "origin"));
    client = ask(scene, "GET", "/v1/items/x", "", BYTES_NONE);
    answer_error(instance(scene), 5, "nobody");
    assert_int_equal(client->head.status, 404);
    assert_true(varies_by(client, "accept") && varies_by(client, "accept-encoding") &&
                varies_by(client, "origin"));
    client = ask(scene, "GET", "/nowhere", "", BYTES_NONE);
    assert_int_equal(client->head.status, 404);
    assert_true(varies_by(client, "origin"));
}

/* ---- May it be sent again? ------------------------------------------------------------------- */

static void assert_retryable(const Peer *client, bool expected)
{
    const char *body = arena_text(client->scene->arena, buffer_bytes(&client->body));
    assert_non_null(strstr(body, expected ? "\"retryable\":true" : "\"retryable\":false"));
}

static void an_error_after_a_possible_effect_does_not_invite_to_another_try(void **state)
{
    Scene *scene = scene_again(state, YARD_OF("versions: [v1]"));
    Peer *client =
        ask(scene, "POST", "/v1/items", "content-type: application/json", bytes_of(ITEM_JSON));
    break_off(instance(scene), HTTP2_ERROR_INTERNAL);
    assert_int_equal(client->head.status, 503);
    assert_retryable(client, false);

    client = ask(scene, "POST", "/v1/items", "content-type: application/json", bytes_of(ITEM_JSON));
    answer_error(instance(scene), 14, "busy");
    assert_int_equal(client->head.status, 503);
    assert_retryable(client, false);
}

static void an_error_without_an_effect_does(void **state)
{
    Scene *scene = scene_again(state, YARD_OF("versions: [v1]"));
    scene_upstream(scene, 7101)->want = WANT_WAITS;
    Peer *client =
        ask(scene, "POST", "/v1/items", "content-type: application/json", bytes_of(ITEM_JSON));
    scene_connect_fails(scene, 7101);
    assert_int_equal(client->head.status, 503);
    assert_retryable(client, true);

    /* What only reads may be sent again, whatever became of it. */
    client = ask(scene, "GET", "/v1/items/x", "", BYTES_NONE);
    scene_connect(scene, 7101);
    answer_error(instance(scene), 14, "busy");
    scene_back_off(scene);
    scene_connect(scene, 7101);
    answer_error(instance(scene), 14, "busy");
    assert_int_equal(client->head.status, 503);
    assert_retryable(client, true);
}

int main(void)
{
#define TEST(name) SCENE_TEST(name)
    const struct CMUnitTest tests[] = {
        SCENE_TEST(an_error_after_a_possible_effect_does_not_invite_to_another_try),
        SCENE_TEST(an_error_without_an_effect_does),
        TEST(head_has_the_head_of_get_and_no_body),
        TEST(head_of_a_stream_ends_with_its_head),
        TEST(head_of_a_stream_over_http1_ends_with_its_head),
        TEST(head_of_an_error_has_no_body_either),
        TEST(all_that_a_response_depends_on_is_in_vary_without_being_asked),
        TEST(a_services_metadata_is_passed_on_without_what_is_ours),
        TEST(what_was_lost_is_named),
        TEST(a_stream_is_lines_of_json),
        TEST(a_stream_is_events_where_the_client_wants_them),
        TEST(what_a_stream_loses_is_named_at_its_end),
        TEST(a_stream_is_compressed_as_a_whole),
        TEST(a_stream_is_one_array_where_the_client_wants_json),
        TEST(a_stream_that_fails_before_its_first_message_has_its_errors_status),
        TEST(a_stream_without_messages_has_its_type_and_end),
        TEST(a_reconnect_after_the_end_of_events_asks_nobody),
        TEST(a_compressed_stream_ends_with_its_error),
        TEST(an_http_body_is_its_bytes),
        TEST(bytes_that_break_off_are_broken_off),
        TEST(only_a_field_is_the_answer_where_the_rule_says_so),
        TEST(a_default_of_which_only_a_field_is_the_answer_is_that_field),
        TEST(a_default_is_compressed_as_any_answer),
        TEST(an_error_is_told_even_where_the_memory_of_the_call_is_used_up),
        TEST(an_answer_that_cannot_be_framed_ends_the_call),
        TEST(a_streams_answer_that_cannot_be_framed_ends_the_stream),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
