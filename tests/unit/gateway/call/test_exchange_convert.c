#include "protocols/dialect/dialect.h"
#include "protocols/http/compression.h"
#include "tests/unit/gateway/call/scene.h"

#define V2 YARD_OF("versions: [v2]")
#define JSON "content-type: application/json"

static void a_value_that_the_served_version_cannot_have_is_the_callers_mistake(void **state)
{
    Scene *scene = scene_again(state, V2);
    Peer *client = ask_grpc(scene, MAKE_ITEM, BYTES("\n\1x*\3wax"));
    assert_string_equal(said(client, "grpc-status"), "3");
    assert_record(scene, "INVALID_ARGUMENT CANNOT_CONVERT, 0 sent");
    assert_string_equal(scene->records[0].why.error->doing, "converting Item of v1 to v2");
}

static void a_value_that_the_clients_version_cannot_have_is_the_services(void **state)
{
    Scene *scene = scene_again(state, V2);
    Peer *client = ask_grpc(scene, MAKE_ITEM, ITEM);
    answer(instance(scene), BYTES("\n\1x\x82\1\3top"));
    assert_string_equal(said(client, "grpc-status"), "13");
    assert_record(scene, "INTERNAL UPSTREAM_CONVERT, 1 sent: 7101 INTERNAL");
}

static void a_message_that_is_malformed_is_its_senders_mistake(void **state)
{
    Scene *scene = scene_again(state, V2);
    Peer *client = ask_grpc(scene, MAKE_ITEM, BYTES("\n\7x"));
    assert_string_equal(said(client, "grpc-status"), "3");
    assert_record(scene, "INVALID_ARGUMENT BAD_MESSAGE, 0 sent");
    client = ask_grpc(scene, MAKE_ITEM, ITEM);
    answer(instance(scene), BYTES("\n\7x"));
    assert_string_equal(said(client, "grpc-status"), "13");
    assert_record(scene, "INTERNAL UPSTREAM_MESSAGE, 1 sent: 7101 INTERNAL");
}

static void a_stream_ends_with_the_message_that_cannot_be_given(void **state)
{
    Scene *scene = scene_again(state, V2);
    Peer *client = begin_grpc(scene, TRADE_ITEMS, "");
    answer_grpc_head(instance(scene));
    say_frame(client, ITEM);
    say_frame(instance(scene), BYTES("\n\1x"));
    say_frame(instance(scene), BYTES("\n\1x\x82\1\3top"));
    assert_string_equal(said(client, "grpc-status"), "13");
    assert_body(client, framed(scene, GET_X));
    client = begin_grpc(scene, TRADE_ITEMS, "");
    say_frame(client, BYTES("*\3wax"));
    assert_string_equal(said(client, "grpc-status"), "3");
    assert_string_equal(instance(scene)->reset, "CANCELLED");
}

/* Messages of one frame of HTTP/2. */
static Bytes together(Scene *scene, const Bytes *messages, int n)
{
    Buffer out = buffer_in(scene->arena);
    for (int i = 0; i < n; i++)
        buffer_add_bytes(&out, framed(scene, messages[i]));
    return buffer_bytes(&out);
}

static void of_messages_that_come_together_those_before_a_bad_one_are_given(void **state)
{
    Scene *scene = scene_again(state, V2);
    Bytes items[] = {GET_X, GET_X, BYTES("\n\1x\x82\1\3top"), GET_X};
    Peer *client = begin_grpc(scene, TRADE_ITEMS, "");
    answer_grpc_head(instance(scene));
    say(instance(scene), together(scene, items, 4));
    assert_string_equal(said(client, "grpc-status"), "13");
    assert_body(client, together(scene, items, 2));
    assert_int_equal(scene->records[0].messages_out, 2);

    items[2] = BYTES("*\3wax");
    client = begin_grpc(scene, TRADE_ITEMS, "");
    say(client, together(scene, items, 4));
    assert_string_equal(said(client, "grpc-status"), "3");
    assert_int_equal(scene->records[1].messages_in, 2);
    assert_string_equal(instance(scene)->reset, "CANCELLED");
}

/* More than is converted at once. */
static void many_messages_that_come_together_are_all_given(void **state)
{
    enum { MANY = 20000 };
    Scene *scene = scene_again(state, YARD_OF("versions: [v2], protocol: grpc_web"));
    Peer *client = ask_grpc(scene, WATCH_ITEM, GET_X);
    Bytes *items = arena_array(scene->arena, Bytes, MANY);
    for (int i = 0; i < MANY; i++)
        items[i] = ITEM;
    Bytes given = together(scene, items, MANY);
    for (int i = 0; i < MANY; i++)
        items[i] = BYTES("\n\1x\x62\3bob");
    Peer *at = instance(scene);
    answer_head(at, 200, "content-type: application/grpc-web+proto", -1, false);
    say(at, together(scene, items, MANY));
    say(at, BYTES("\x80\0\0\0\x10grpc-status: 0\r\n"));
    say_end(at);
    assert_body(client, given);
    assert_int_equal(scene->records[0].messages_out, MANY);
    assert_record(scene, "OK, 1 sent: 7101 OK");
}

static void
what_the_clients_version_requires_and_the_service_leaves_out_is_the_services(void **state)
{
    Scene *scene = scene_again(state, V2);
    for (int there = 0; there < 2; there++) {
        ask_grpc(scene, "/yard.v1.Yard/Put", BYTES_NONE);
        answer(instance(scene), there ? BYTES("\n\3\n\1x") : BYTES_NONE);
        assert_record(scene, there ? "OK, 1 sent: 7101 OK"
                                   : "INTERNAL UPSTREAM_CONVERT, 1 sent: 7101 INTERNAL");
    }
}

static void json_of_a_rest_instance_that_passes_is_checked_all_the_same(void **state)
{
    static const char *const bad[] = {"[]", "\"x\"", "{\"name\":", "{} {}", "<html>"};
    Scene *scene = scene_again(state, YARD_OF("versions: [v1], protocol: rest"));
    for (size_t i = 0; i <= sizeof bad / sizeof *bad; i++) {
        bool good = i == sizeof bad / sizeof *bad;
        const char *body = good ? "{\"anything\":1}" : bad[i];
        Peer *client = ask(scene, "GET", "/v1/items/x", "", BYTES_NONE);
        answer_head(instance(scene), 200, JSON, (int64_t)strlen(body), false);
        say(instance(scene), bytes_of(body));
        say_end(instance(scene));
        assert_int_equal(client->head.status, good ? 200 : 502);
        assert_record(scene, good ? "OK, 1 sent: 7101 OK"
                                  : "INTERNAL UPSTREAM_MESSAGE, 1 sent: 7101 INTERNAL");
    }
}

static void a_loss_is_named_once_and_counted_each_time(void **state)
{
    Scene *scene = scene_again(state, V2);
    Peer *client = begin_grpc(scene, LOAD_ITEMS, "");
    for (int i = 0; i < 3; i++)
        say_frame(client, BYTES("\n\1x\x1a\1n"));
    say_end(client);
    answer(instance(scene), BYTES("\n\1x\x7a\3red"));
    assert_string_equal(field_of(client, "passerelle-lost"), "Item.note, Item.colour");
    assert_int_equal(scene->records[0].n_losses, 4);
}

static void unknown_fields_of_an_answer_are_counted(void **state)
{
    Scene *scene = scene_again(state, V2);
    ask_grpc(scene, MAKE_ITEM, ITEM);
    answer(instance(scene), BYTES("\n\1x\xa2\6\1?"));
    assert_record(scene, "OK, 1 sent: 7101 OK");
    assert_int_equal(scene->records[0].n_unknown, 1);
}

static void a_body_of_any_media_type_is_an_http_body(void **state)
{
    Scene *scene = *state;
    Peer *client = ask(scene, "POST", "/v1/keep", "content-type: image/png", BYTES("png"));
    assert_body(instance(scene), framed(scene, BYTES("\n\x09image/png\x12\3png")));
    answer(instance(scene), ITEM);
    assert_body(client, BYTES(ITEM_JSON));
}

static void an_upload_is_a_message_for_each_piece(void **state)
{
    Scene *scene = *state;
    Peer *client = client_new(scene, http2_client_new, http2_server_new);
    client_head(client, "POST", "/v1/photos", "content-type: image/png", -1, false);
    say(client, BYTES("png"));
    assert_body(instance(scene), framed(scene, BYTES("\n\x09image/png\x12\3png")));
    say(client, BYTES("png"));
    say_end(client);
    assert_true(instance(scene)->ended);
    answer(instance(scene), ITEM);
    assert_body(client, BYTES(ITEM_JSON));
    assert_int_equal(scene->records[0].messages_in, 2);
}

static void an_upload_of_nothing_is_one_message(void **state)
{
    Scene *scene = *state;
    ask(scene, "POST", "/v1/photos", "content-type: image/png", bytes("", 0));
    assert_true(instance(scene)->ended);
    assert_true(instance(scene)->body.size >= 5);
    answer(instance(scene), ITEM);
    assert_int_equal(scene->records[0].messages_in, 1);
}

static void a_rest_body_is_the_one_message_of_a_stream(void **state)
{
    Scene *scene = *state;
    Peer *client = ask(scene, "POST", "/v1/items:load", JSON, BYTES(ITEM_JSON));
    assert_body(instance(scene), framed(scene, ITEM));
    answer(instance(scene), ITEM);
    assert_body(client, BYTES(ITEM_JSON));
    client = ask(scene, "POST", "/v1/items:load", JSON, BYTES("{\"parts\":\"many\"}"));
    assert_int_equal(client->head.status, 400);
    client = ask(scene, "POST", "/v1/items:load", JSON, BYTES("{"));
    assert_int_equal(client->head.status, 400);
}

static void what_is_larger_converted_than_the_memory_of_a_call_ends_it(void **state)
{
    Scene *scene = scene_again(state, V2 LITTLE_MEMORY);
    for (size_t size = 100 << 10; size < 900 << 10; size += 50 << 10) {
        Buffer message = buffer_in(scene->arena);
        char *text = arena_calloc(scene->arena, size + 1, 1);
        memset(text, 'x', size);
        buffer_add_byte(&message, '\n');
        for (size_t left = size; left; left >>= 7)
            buffer_add_byte(&message, (uint8_t)((left & 0x7f) | (left > 0x7f ? 0x80 : 0)));
        buffer_add_text(&message, text);
        Peer *client = ask_grpc(scene, MAKE_ITEM, buffer_bytes(&message));
        if (!client->ended)
            answer(instance(scene), GET_X);
        assert_true(client->ended);
        client = ask_grpc(scene, MAKE_ITEM, ITEM);
        answer(instance(scene), buffer_bytes(&message));
        assert_true(client->ended);
        const char *status = said(client, "grpc-status");
        assert_true(strcmp(status, "0") == 0 || strcmp(status, "8") == 0);
        client = ask(scene, "POST", "/v1/keep", "content-type: image/png", bytes_of(text));
        if (!client->ended)
            answer(instance(scene), GET_X);
        assert_true(client->ended);
    }
    assert_int_equal(scene->loop.n_calls, 0);
}

/* ---- Size ------------------------------------------------------------------------------------ */

/* Letters that compress well, but are no bomb. */
static void fill(uint8_t *text, size_t size)
{
    uint32_t seed = 1;
    memset(text, 'k', size);
    for (size_t i = 0; i < size; i += 50) {
        seed = seed * 1664525 + 1013904223;
        text[i] = (uint8_t)('a' + (seed >> 24) % 26);
    }
}

/* An Item of so many bytes, in JSON and in protobuf. */
static Bytes large_item(Scene *scene, bool json, size_t size)
{
    Buffer out = buffer_in(scene->arena);
    size_t frame = json ? sizeof "{\"name\":\"\"}" - 1 : 5, text = size - frame;
    buffer_reserve(&out, size);
    if (json)
        buffer_add_text(&out, "{\"name\":\"");
    else
        buffer_add_bytes(
            &out, bytes((uint8_t[]){0x0a, (uint8_t)(text | 0x80), (uint8_t)(text >> 7 | 0x80),
                                    (uint8_t)(text >> 14 | 0x80), (uint8_t)(text >> 21)},
                        5));
    fill(out.data + out.size, text);
    out.size += text;
    if (json)
        buffer_add_text(&out, "\"}");
    return buffer_bytes(&out);
}

static const struct {
    const char *path, *type;
    Dialect dialect;
    bool json;
} dialects[] = {
    {MAKE_ITEM, "application/grpc", DIALECT_GRPC, false},
    {MAKE_ITEM, "application/grpc-web+proto", DIALECT_GRPC_WEB, false},
    {MAKE_ITEM, "application/grpc-web-text", DIALECT_GRPC_WEB_TEXT, false},
    {MAKE_ITEM, "application/proto", DIALECT_CONNECT, false},
    {MAKE_ITEM, "application/json", DIALECT_CONNECT, true},
    {"/v1/items", "application/json", DIALECT_REST, true},
};
static const Compression compressions[] = {COMPRESSION_IDENTITY, COMPRESSION_GZIP, COMPRESSION_BR,
                                           COMPRESSION_ZSTD, COMPRESSION_DEFLATE};
static const char *const versions[] = {YARD_OF("versions: [v1]"), YARD_OF("versions: [v2]")};
enum {
    DIALECTS = sizeof dialects / sizeof *dialects,
    COMPRESSIONS = sizeof compressions / sizeof *compressions,
    WAYS = DIALECTS * COMPRESSIONS * 2,
};

static Bytes body_of(Scene *scene, Dialect dialect, Compression compression, Bytes item)
{
    Buffer out = buffer_in(scene->arena);
    assert_ok(scene->arena, message_write(dialect, item, compression, false, &out));
    return buffer_bytes(&out);
}

/* One of the ways that a message may go: in this dialect, compressed by this, converted or not. */
static void send_and_get(void **state, unsigned way, size_t size)
{
    unsigned d = way % DIALECTS, c = way / DIALECTS % COMPRESSIONS;
    bool framed_dialect = dialect_is_framed(dialects[d].dialect), json = dialects[d].json;
    const char *name = compression_name(compressions[c]), *in = framed_dialect ? "grpc" : "content";
    Scene *scene = scene_again(state, versions[way / DIALECTS / COMPRESSIONS]);
    Bytes item = large_item(scene, json, size);
    const char *fields =
        arena_printf(scene->arena, "content-type: %s\n%s-encoding: %s\n%saccept-encoding: %s",
                     dialects[d].type, in, name, framed_dialect ? "grpc-" : "", name);
    Peer *client = ask(scene, "POST", dialects[d].path, fields,
                       body_of(scene, dialects[d].dialect, compressions[c], item));
    assert_int_equal(n_instances(scene), 1);
    size_t text = size - (json ? sizeof "{\"name\":\"\"}" - 1 : 5);
    assert_in_range(instance(scene)->body.size, 5 + 2 + text, 5 + 5 + text);
    answer_head(
        instance(scene), 200,
        arena_printf(scene->arena, "content-type: application/grpc\ngrpc-encoding: %s", name), -1,
        false);
    say(instance(scene),
        body_of(scene, DIALECT_GRPC, compressions[c], large_item(scene, false, size)));
    answer_trailers(instance(scene), "grpc-status: 0");
    assert_int_equal(client->head.status, 200);
    assert_record(scene, "OK, 1 sent: 7101 OK");
    assert_true(client->body.size >= size / (c ? 100 : 1));
}

/* With the limits as they are by default. At the limit each dialect converts and passes on, by one
   compression after the other; below it the same in turn. */
static void a_message_of_any_size_up_to_the_limit_comes_and_goes(void **state)
{
    enum { STEP = 1 << 20, LIMIT = 16 << 20 };
    for (unsigned way = 0; way < WAYS; way += COMPRESSIONS)
        send_and_get(state, way, LIMIT);
    for (unsigned i = 1; i < LIMIT / STEP; i++)
        send_and_get(state, i * 7 % WAYS, LIMIT - (size_t)i * STEP);
}

int main(void)
{
#define TEST(name) SCENE_TEST(name)
    const struct CMUnitTest tests[] = {
        SCENE_TEST(a_message_of_any_size_up_to_the_limit_comes_and_goes),
        TEST(a_value_that_the_served_version_cannot_have_is_the_callers_mistake),
        TEST(a_value_that_the_clients_version_cannot_have_is_the_services),
        TEST(a_message_that_is_malformed_is_its_senders_mistake),
        TEST(a_stream_ends_with_the_message_that_cannot_be_given),
        TEST(of_messages_that_come_together_those_before_a_bad_one_are_given),
        TEST(many_messages_that_come_together_are_all_given),
        TEST(what_the_clients_version_requires_and_the_service_leaves_out_is_the_services),
        TEST(json_of_a_rest_instance_that_passes_is_checked_all_the_same),
        TEST(a_loss_is_named_once_and_counted_each_time),
        TEST(unknown_fields_of_an_answer_are_counted),
        TEST(a_body_of_any_media_type_is_an_http_body),
        TEST(an_upload_is_a_message_for_each_piece),
        TEST(an_upload_of_nothing_is_one_message),
        TEST(a_rest_body_is_the_one_message_of_a_stream),
        TEST(what_is_larger_converted_than_the_memory_of_a_call_ends_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
