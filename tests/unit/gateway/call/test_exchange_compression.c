#include "protocols/http/compression.h"
#include "tests/unit/gateway/call/scene.h"

#define GRPC_GZIP "grpc-encoding: gzip"
#define GZIP_INSTANCE YARD_OF("versions: [v1], compression: gzip") "limits: {compress_least: 1}\n"

static Bytes gzipped(Scene *scene, Bytes message)
{
    Buffer out = buffer_in(scene->arena);
    assert_ok(scene->arena, compress_message(scene->arena, COMPRESSION_GZIP, message, &out));
    return buffer_bytes(&out);
}

/* An item that compression makes smaller. */
#define NAME                                                                                       \
    "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx" \
    "xxxxxxxx"
#define LONG_ITEM BYTES("\n\x64" NAME)

/* A gRPC frame of a compressed message. */
static Bytes gzip_frame(Scene *scene, Bytes message)
{
    Bytes frame = framed(scene, gzipped(scene, message));
    ((uint8_t *)(uintptr_t)frame.data)[0] = 1;
    return frame;
}

static Bytes gunzipped(Scene *scene, Bytes message)
{
    Buffer out = buffer_in(scene->arena);
    assert_int_equal(decompress_message(COMPRESSION_GZIP, message, 1 << 20, &out), DECOMPRESSED);
    return buffer_bytes(&out);
}

static Peer *ask_gzip(Scene *scene, const char *path, Bytes message, const char *fields)
{
    Peer *client = begin_grpc(scene, path, fields);
    say(client, gzip_frame(scene, message));
    say_end(client);
    return client;
}

static void answer_gzip(Scene *scene, Bytes message)
{
    Peer *at = instance(scene);
    answer_head(at, 200, "content-type: application/grpc\n" GRPC_GZIP, -1, false);
    say(at, gzip_frame(scene, message));
    answer_trailers(at, "grpc-status: 0");
}

/* ---- Requests -------------------------------------------------------------------------------- */

static void a_request_goes_on_compressed_as_it_came(void **state)
{
    Scene *scene = scene_again(state, GZIP_INSTANCE);
    ask_gzip(scene, MAKE_ITEM, ITEM, GRPC_GZIP);
    assert_body(instance(scene), gzip_frame(scene, ITEM));
    assert_string_equal(field_of(instance(scene), "grpc-encoding"), "gzip");
    answer(instance(scene), ITEM);
}

static void a_request_is_opened_for_an_instance_that_does_not_take_it(void **state)
{
    Scene *scene = *state;
    ask_gzip(scene, MAKE_ITEM, ITEM, GRPC_GZIP);
    assert_body(instance(scene), framed(scene, ITEM));
    answer(instance(scene), ITEM);
}

static void a_request_is_opened_to_be_converted_and_compressed_anew(void **state)
{
    Scene *scene = scene_again(
        state, YARD_OF("versions: [v2], compression: gzip") "limits: {compress_least: 1}\n");
    ask_gzip(scene, MAKE_ITEM, LONG_ITEM, GRPC_GZIP);
    Bytes body = buffer_bytes(&instance(scene)->body);
    assert_int_equal(body.data[0], 1);
    assert_bytes(gunzipped(scene, bytes_slice(body, 5, body.size)), "\n\x64" NAME);
    answer(instance(scene), GET_X);
}

static void a_request_that_is_not_what_it_says_is_refused(void **state)
{
    Scene *scene = scene_again(state, YARD_OF("versions: [v2], compression: gzip"));
    Peer *client = begin_grpc(scene, MAKE_ITEM, GRPC_GZIP);
    say(client, BYTES("\1\0\0\0\4gzip"));
    say_end(client);
    assert_true(client->ended);
    assert_string_not_equal(said(client, "grpc-status"), "0");
    client = begin_grpc(scene, LOAD_ITEMS, GRPC_GZIP);
    say(client, BYTES("\1\0\0\0\4gzip"));
    assert_true(client->ended);
}

static void a_connect_instance_hears_of_the_compression_in_the_head(void **state)
{
    Scene *scene = scene_again(state, YARD_OF("versions: [v1], protocol: connect, compression: "
                                              "gzip") "limits: {compress_least: 8}\n");
    ask_grpc(scene, MAKE_ITEM, ITEM);
    assert_string_equal(field_of(instance(scene), "content-encoding"), "gzip");
    assert_bytes(gunzipped(scene, buffer_bytes(&instance(scene)->body)), "\n\1x\x12\3bob");
    answer_head(instance(scene), 503, "", 0, true);
    ask_grpc(scene, MAKE_ITEM, GET_X); /* too small to be worth it */
    assert_string_equal(field_of(instance(scene), "content-encoding"), "");
    assert_body(instance(scene), GET_X);
    answer_head(instance(scene), 503, "", 0, true);
}

static void a_rest_body_is_opened(void **state)
{
    Scene *scene = scene_again(state, GZIP_INSTANCE);
    Peer *client =
        ask(scene, "POST", "/v1/items", "content-type: application/json\ncontent-encoding: gzip",
            gzipped(scene, BYTES("{\"name\":\"" NAME "\"}")));
    assert_body(instance(scene), gzip_frame(scene, LONG_ITEM));
    answer(instance(scene), ITEM);
    assert_body(client, BYTES(ITEM_JSON));
}

/* ---- Answers --------------------------------------------------------------------------------- */

static void an_answer_goes_on_compressed_as_it_came(void **state)
{
    Scene *scene = *state;
    Peer *client = ask_gzip(scene, GET_ITEM, GET_X, GRPC_GZIP "\ngrpc-accept-encoding: gzip");
    assert_string_equal(field_of(instance(scene), "grpc-accept-encoding"), "gzip");
    answer_gzip(scene, ITEM);
    assert_body(client, gzip_frame(scene, ITEM));
    assert_string_equal(field_of(client, "grpc-encoding"), "gzip");
}

static void a_streams_answers_go_on_compressed_as_they_came(void **state)
{
    Scene *scene = *state;
    Peer *client = begin_grpc(scene, WATCH_ITEM, "grpc-accept-encoding: gzip");
    say_frame(client, GET_X);
    say_end(client);
    answer_gzip(scene, ITEM);
    assert_body(client, gzip_frame(scene, ITEM));
}

static void an_answer_is_opened_for_a_client_that_does_not_take_it(void **state)
{
    Scene *scene = *state;
    Peer *client = ask_grpc(scene, GET_ITEM, GET_X);
    answer_gzip(scene, ITEM);
    assert_body(client, framed(scene, ITEM));
}

static void an_answer_that_is_not_what_it_says_is_the_services_mistake(void **state)
{
    Scene *scene = *state;
    Peer *client = ask_grpc(scene, GET_ITEM, GET_X);
    answer_head(instance(scene), 200, "content-type: application/grpc\n" GRPC_GZIP, -1, false);
    say(instance(scene), BYTES("\1\0\0\0\4gzip"));
    answer_trailers(instance(scene), "grpc-status: 0");
    assert_true(client->ended);
    assert_string_equal(said(client, "grpc-status"), "13");
}

/* What is asked for by REST, and whether its answer is compressed. */
static void assert_rest_compressed(Scene *scene, const char *fields, bool expected)
{
    Peer *client = ask(scene, "GET", "/v1/items/x", fields, BYTES_NONE);
    answer(instance(scene), ITEM);
    assert_string_equal(field_of(client, "content-encoding"), expected ? "gzip" : "");
    if (expected)
        assert_bytes(gunzipped(scene, buffer_bytes(&client->body)), ITEM_JSON);
    else
        assert_body(client, BYTES(ITEM_JSON));
}

static void small_answers_are_not_worth_it(void **state)
{
    assert_rest_compressed(*state, "accept-encoding: gzip", false);
    /* unless nothing else is taken */
    assert_rest_compressed(*state, "accept-encoding: gzip, identity;q=0", true);
}

#define SMALL "limits: {compress_least: 1}\n"
#define YARD_WHERE(option) SCENE_TEXT "  - {match: yard, compress_answers: " option "}\n" SMALL

static void the_route_says_which_answers_are_compressed(void **state)
{
    assert_rest_compressed(scene_again(state, SCENE_TEXT SMALL), "accept-encoding: gzip", true);
    assert_rest_compressed(scene_again(state, SCENE_TEXT SMALL), "", false);
    assert_rest_compressed(scene_again(state, YARD_WHERE("never")), "accept-encoding: gzip", false);
    assert_rest_compressed(scene_again(state, YARD_WHERE("always")), "accept-encoding: gzip", true);
    assert_rest_compressed(scene_again(state, YARD_WHERE("instance")), "accept-encoding: gzip",
                           false);
}

static void an_answer_over_grpc_is_compressed_where_the_route_says_always(void **state)
{
    Scene *scene = scene_again(state, YARD_WHERE("always"));
    Peer *client = begin_grpc(scene, GET_ITEM, "grpc-accept-encoding: gzip");
    say_frame(client, GET_X);
    say_end(client);
    answer(instance(scene), LONG_ITEM);
    assert_body(client, gzip_frame(scene, LONG_ITEM));
}

static void what_an_instance_compressed_is_compressed_again(void **state)
{
    Scene *scene = scene_again(state, YARD_WHERE("instance"));
    Peer *client = ask(scene, "GET", "/v1/items/x", "accept-encoding: gzip", BYTES_NONE);
    answer_gzip(scene, ITEM);
    assert_bytes(gunzipped(scene, buffer_bytes(&client->body)), ITEM_JSON);
}

static void bytes_of_a_media_type_are_not_compressed(void **state)
{
    Scene *scene = scene_again(state, SCENE_TEXT SMALL);
    Peer *client = ask(scene, "GET", "/v1/photos/x", "accept-encoding: gzip", BYTES_NONE);
    answer(instance(scene), BYTES("\n\x09image/png\x12\3png"));
    assert_body(client, BYTES("png"));
    client = ask(scene, "GET", "/v1/films/x", "accept-encoding: gzip", BYTES_NONE);
    answer(instance(scene), BYTES("\n\x09video/mp4\x12\3mp4"));
    assert_body(client, BYTES("mp4"));
}

static void a_request_that_only_another_instance_takes_compressed_is_opened(void **state)
{
    Scene *scene = scene_again(
        state, YARD_OF("versions: [v1], compression: gzip") "      - {address: '127.0.0.1:7102', "
                                                            "versions: [v1]}\n");
    scene_upstream(scene, 7101)->load = 1;
    ask_gzip(scene, MAKE_ITEM, ITEM, GRPC_GZIP);
    assert_body(instance(scene), framed(scene, ITEM));
    answer(instance(scene), ITEM);
}

static void a_request_that_is_asked_again_of_another_instance_is_opened_for_it(void **state)
{
    Scene *scene = scene_again(
        state, YARD_OF("versions: [v1], compression: gzip") "      - {address: '127.0.0.1:7102', "
                                                            "versions: [v1]}\n");
    scene_upstream(scene, 7102)->load = 1;
    ask_gzip(scene, MAKE_ITEM, ITEM, GRPC_GZIP);
    assert_body(instance(scene), gzip_frame(scene, ITEM));
    scene_upstream(scene, 7101)->load = 2;
    break_off(instance(scene), 7);
    assert_body(instance(scene), framed(scene, ITEM));
    answer(instance(scene), ITEM);
    assert_record(scene, "OK, 2 sent: 7101 UNAVAILABLE, 7102 OK");
}

static void a_rest_instances_answer_is_never_passed_on_compressed(void **state)
{
    Scene *scene = scene_again(state, YARD_OF("versions: [v1], protocol: rest"));
    Peer *client = begin_grpc(scene, GET_ITEM, "grpc-accept-encoding: gzip");
    say_frame(client, GET_X);
    say_end(client);
    Bytes body = gzipped(scene, BYTES(ITEM_JSON));
    answer_head(instance(scene), 200, "content-type: application/json\ncontent-encoding: gzip",
                (int64_t)body.size, false);
    say(instance(scene), body);
    say_end(instance(scene));
    assert_body(client, framed(scene, ITEM));
}

static void where_the_route_says_never_an_answer_is_opened(void **state)
{
    Scene *scene = scene_again(state, YARD_WHERE("never"));
    Peer *client = begin_grpc(scene, GET_ITEM, "grpc-accept-encoding: gzip");
    say_frame(client, GET_X);
    say_end(client);
    answer_gzip(scene, ITEM);
    assert_body(client, framed(scene, ITEM));
}

static void an_error_is_opened_to_be_read(void **state)
{
    Scene *scene = scene_again(state, YARD_OF("versions: [v1], protocol: connect"));
    Peer *client = ask(scene, "POST", GET_ITEM,
                       "content-type: application/proto\naccept-encoding: gzip", GET_X);
    Bytes body = gzipped(scene, BYTES("{\"code\":\"not_found\",\"message\":\"no\"}"));
    answer_head(instance(scene), 404, "content-type: application/json\ncontent-encoding: gzip",
                (int64_t)body.size, false);
    say(instance(scene), body);
    say_end(instance(scene));
    assert_int_equal(client->head.status, 404);
    assert_record(scene, "NOT_FOUND UPSTREAM_STATUS, 1 sent: 7101 NOT_FOUND");
}

static void a_connect_client_gets_the_message_as_the_instance_compressed_it(void **state)
{
    Scene *scene = *state;
    Peer *client = ask(scene, "POST", GET_ITEM,
                       "content-type: application/proto\naccept-encoding: gzip", GET_X);
    answer_gzip(scene, ITEM);
    assert_string_equal(field_of(client, "content-encoding"), "gzip");
    assert_body(client, gzipped(scene, ITEM));
}

static void who_refuses_identity_gets_no_identity(void **state)
{
    Scene *scene = scene_again(state, YARD_WHERE("instance"));
    assert_rest_compressed(scene, "accept-encoding: gzip, identity;q=0", true);
    Peer *client =
        ask(scene, "POST", GET_ITEM,
            "content-type: application/proto\naccept-encoding: gzip, identity;q=0", GET_X);
    answer(instance(scene), BYTES_NONE);
    assert_int_equal(client->head.status, 200);
    client = begin_grpc(scene, GET_ITEM, "grpc-accept-encoding: gzip, identity;q=0");
    say_frame(client, GET_X);
    say_end(client);
    answer(instance(scene), ITEM);
    assert_string_equal(said(client, "grpc-status"), "0");
}

static void a_compressed_upload_is_one_message(void **state)
{
    Scene *scene = *state;
    Peer *client =
        ask(scene, "POST", "/v1/photos", "content-type: image/png\ncontent-encoding: gzip",
            gzipped(scene, BYTES("png")));
    assert_body(instance(scene), framed(scene, BYTES("\n\x09image/png\x12\3png")));
    answer(instance(scene), ITEM);
    assert_body(client, BYTES(ITEM_JSON));
}

int main(void)
{
#define TEST(name) SCENE_TEST(name)
    const struct CMUnitTest tests[] = {
        TEST(a_request_goes_on_compressed_as_it_came),
        TEST(a_request_is_opened_for_an_instance_that_does_not_take_it),
        TEST(a_request_is_opened_to_be_converted_and_compressed_anew),
        TEST(a_request_that_is_not_what_it_says_is_refused),
        TEST(a_connect_instance_hears_of_the_compression_in_the_head),
        TEST(a_rest_body_is_opened),
        TEST(an_answer_goes_on_compressed_as_it_came),
        TEST(a_streams_answers_go_on_compressed_as_they_came),
        TEST(an_answer_is_opened_for_a_client_that_does_not_take_it),
        TEST(an_answer_that_is_not_what_it_says_is_the_services_mistake),
        TEST(small_answers_are_not_worth_it),
        TEST(the_route_says_which_answers_are_compressed),
        TEST(an_answer_over_grpc_is_compressed_where_the_route_says_always),
        TEST(what_an_instance_compressed_is_compressed_again),
        TEST(bytes_of_a_media_type_are_not_compressed),
        TEST(a_request_that_only_another_instance_takes_compressed_is_opened),
        TEST(a_request_that_is_asked_again_of_another_instance_is_opened_for_it),
        TEST(a_rest_instances_answer_is_never_passed_on_compressed),
        TEST(where_the_route_says_never_an_answer_is_opened),
        TEST(an_error_is_opened_to_be_read),
        TEST(a_connect_client_gets_the_message_as_the_instance_compressed_it),
        TEST(who_refuses_identity_gets_no_identity),
        TEST(a_compressed_upload_is_one_message),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
