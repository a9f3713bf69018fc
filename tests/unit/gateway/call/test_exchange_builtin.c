#include "gateway/builtin/health.h"
#include "tests/unit/gateway/call/scene.h"

#define CHECK_HEALTH "/grpc.health.v1.Health/Check"
#define WATCH_HEALTH "/grpc.health.v1.Health/Watch"
#define REFLECT "/grpc.reflection.v1.ServerReflection/ServerReflectionInfo"
#define REFLECT_ALPHA "/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo"
#define LIST_SERVICES BYTES(":\1*")
#define CARS BYTES("\n\016garage.v1.Cars")
#define SERVING "\0\0\0\0\2\10\1"
#define NOT_SERVING "\0\0\0\0\2\10\2"
#define SERVICE_UNKNOWN "\0\0\0\0\2\10\3"

/* ---- Health ---------------------------------------------------------------------------------- */

static void the_gateway_itself_serves(void **state)
{
    Scene *scene = *state;
    Peer *client = ask_grpc(scene, CHECK_HEALTH, BYTES_NONE);
    assert_body(client, BYTES(SERVING));
    assert_string_equal(said(client, "grpc-status"), "0");
    assert_record(scene, "OK, 0 sent");
    assert_int_equal(scene->records[0].messages_in, 1);
    assert_int_equal(scene->records[0].messages_out, 1);
}

static void a_service_serves_while_an_instance_can_answer(void **state)
{
    Scene *scene = *state;
    assert_body(ask_grpc(scene, CHECK_HEALTH, CARS), BYTES(SERVING));
    Peer *client = ask_grpc(scene, CHECK_HEALTH, BYTES("\n\4cars"));
    assert_string_equal(said(client, "grpc-status"), "5");
    assert_record(scene, "NOT_FOUND UNKNOWN_SERVICE, 0 sent");
}

static void health_is_told_over_grpc_web_and_connect(void **state)
{
    Scene *scene = *state;
    Peer *client = ask(scene, "POST", CHECK_HEALTH, "content-type: application/grpc-web+proto",
                       framed(scene, BYTES_NONE));
    assert_memory_equal(client->body.data, SERVING, sizeof SERVING - 1);
    client = ask(scene, "POST", CHECK_HEALTH, "content-type: application/proto", CARS);
    assert_body(client, BYTES("\10\1"));
    client = ask(scene, "POST", CHECK_HEALTH, "content-type: application/json", BYTES("{}"));
    assert_int_equal(client->head.status, 415);
    assert_record(scene, "UNKNOWN UNSUPPORTED_MEDIA, 0 sent");
}

static void a_watch_over_connects_unary_calls_is_refused(void **state)
{
    Scene *scene = *state;
    Peer *client = ask(scene, "POST", WATCH_HEALTH, "content-type: application/proto", CARS);
    assert_int_equal(client->head.status, 415);
    assert_record(scene, "UNKNOWN UNSUPPORTED_MEDIA, 0 sent");
}

static void a_get_is_refused(void **state)
{
    Scene *scene = *state;
    Peer *client = ask(scene, "GET", CHECK_HEALTH "?encoding=proto&message=", "", BYTES_NONE);
    assert_int_equal(client->head.status, 405);
    assert_string_equal(field_of(client, "allow"), "POST");
}

static void a_malformed_question_is_refused(void **state)
{
    Scene *scene = *state;
    Peer *client = ask_grpc(scene, CHECK_HEALTH, BYTES("\n\7ca"));
    assert_string_equal(said(client, "grpc-status"), "3");
    assert_record(scene, "INVALID_ARGUMENT BAD_MESSAGE, 0 sent");
    client = ask_grpc(scene, WATCH_HEALTH, BYTES("\n\7ca"));
    assert_string_equal(said(client, "grpc-status"), "3");
}

static void one_question_is_asked_and_no_more(void **state)
{
    Scene *scene = *state;
    Peer *client = begin_grpc(scene, CHECK_HEALTH, "");
    say_end(client);
    assert_string_equal(said(client, "grpc-status"), "12");
    assert_record(scene, "UNIMPLEMENTED UNSUPPORTED, 0 sent");
    client = begin_grpc(scene, CHECK_HEALTH, "");
    say(client, BYTES("\0\0\0\0\0\0\0\0\0\0"));
    assert_string_equal(said(client, "grpc-status"), "12");
    client = begin_grpc(scene, WATCH_HEALTH, "");
    say_end(client);
    assert_string_equal(said(client, "grpc-status"), "12");
}

static void a_question_that_is_cut_off_is_refused(void **state)
{
    Scene *scene = *state;
    Peer *client = begin_grpc(scene, CHECK_HEALTH, "");
    say(client, BYTES("\0\0\0"));
    say_end(client);
    assert_string_not_equal(said(client, "grpc-status"), "0");
    client = begin_grpc(scene, CHECK_HEALTH, "");
    say(client, BYTES("\7\0\0\0\0"));
    assert_string_not_equal(said(client, "grpc-status"), "0");
}

static void a_watch_tells_of_changes(void **state)
{
    Scene *scene = *state;
    Peer *client = begin_grpc(scene, WATCH_HEALTH, "");
    say_frame(client, CARS);
    assert_body(client, BYTES(SERVING));
    say_end(client);
    scene_pass(scene, 1001);
    assert_body(client, BYTES(SERVING));
    scene_set_down(scene, true);
    scene_pass(scene, 1001);
    assert_body(client, BYTES(SERVING NOT_SERVING));
    scene_set_down(scene, false);
    scene_pass(scene, 1001);
    assert_body(client, BYTES(SERVING NOT_SERVING SERVING));
    assert_false(client->ended);
    break_off(client, 8);
    assert_record(scene, "CANCELLED CANCELLED, 0 sent");
    assert_int_equal(scene->records[0].messages_out, 3);
}

static void a_watch_of_what_is_not_known_goes_on(void **state)
{
    Scene *scene = *state;
    Peer *client = ask_grpc(scene, WATCH_HEALTH, BYTES("\n\4cars"));
    assert_body(client, BYTES(SERVICE_UNKNOWN));
    assert_false(client->ended);
    break_off(client, 8);
}

static void a_watch_ends_when_the_gateway_goes_down(void **state)
{
    Scene *scene = *state;
    Peer *client = ask_grpc(scene, WATCH_HEALTH, BYTES_NONE);
    Peer *other = ask_grpc(scene, WATCH_HEALTH, CARS);
    scene->loop.leaving = scene->loop.draining = true;
    health_end_watches(&scene->loop);
    scene_pump(scene);
    assert_string_equal(said(client, "grpc-status"), "0");
    assert_string_equal(said(other, "grpc-status"), "0");
    assert_body(other, BYTES(SERVING NOT_SERVING));
    assert_record(scene, "OK, 0 sent");
}

static void a_watch_ends_at_its_deadline(void **state)
{
    Scene *scene = *state;
    Peer *client = begin_grpc(scene, WATCH_HEALTH, "grpc-timeout: 100m");
    say_frame(client, CARS);
    scene_pass(scene, 101);
    assert_string_equal(said(client, "grpc-status"), "4");
    assert_record(scene, "DEADLINE_EXCEEDED CLIENT_DEADLINE, 0 sent");
}

/* ---- Reflection ------------------------------------------------------------------------------ */

static void all_services_are_listed(void **state)
{
    Scene *scene = *state;
    Peer *client = ask_grpc(scene, REFLECT, LIST_SERVICES);
    const char *text = (const char *)client->body.data;
    assert_non_null(memmem(text, client->body.size, "yard.v1.Yard", 12));
    assert_string_equal(said(client, "grpc-status"), "0");
    assert_record(scene, "OK, 0 sent");
    client = ask_grpc(scene, REFLECT_ALPHA, LIST_SERVICES);
    assert_non_null(memmem(client->body.data, client->body.size, "yard.v1.Yard", 12));
}

static void each_question_has_its_answer(void **state)
{
    Scene *scene = *state;
    Peer *client = begin_grpc(scene, REFLECT, "");
    say_frame(client, LIST_SERVICES);
    size_t one = client->body.size;
    say_frame(client, LIST_SERVICES);
    assert_int_equal(client->body.size, 2 * one);
    say_end(client);
    assert_true(client->ended);
    assert_int_equal(scene->records[0].messages_in, 2);
}

static void questions_wait_for_a_client_that_does_not_take_its_answers(void **state)
{
    enum { MANY = 20000 };
    Scene *scene = *state;
    Peer *client = begin_grpc(scene, REFLECT, "");
    say_frame(client, LIST_SERVICES);
    size_t one = client->body.size;
    client->keeps = true;
    Buffer questions = buffer_in(scene->arena);
    for (int i = 0; i < MANY; i++)
        buffer_add_bytes(&questions, framed(scene, LIST_SERVICES));
    say(client, buffer_bytes(&questions));
    say_end(client);
    assert_true(client->body.size < (size_t)MANY * one);
    assert_false(client->ended);
    give_back(client);
    assert_int_equal(client->body.size, (MANY + 1) * one);
    assert_true(client->ended);
    assert_record(scene, "OK, 0 sent");
}

static void no_more_is_answered_than_the_client_takes(void **state)
{
    enum { MANY = 20000 };
    Scene *scene = *state;
    Peer *client = begin_grpc(scene, REFLECT, "");
    say_frame(client, LIST_SERVICES);
    size_t one = client->body.size;
    client->keeps = true;
    Buffer questions = buffer_in(scene->arena);
    for (int i = 0; i < MANY; i++)
        buffer_add_bytes(&questions, framed(scene, LIST_SERVICES));
    say(client, buffer_bytes(&questions));
    break_off(client, 8);
    const HttpLimits *limits = &scene->config->limits.http;
    assert_true(scene->records[0].messages_in <=
                (limits->stream_window + limits->queue_high) / one + 3);
    assert_record(scene, "CANCELLED CANCELLED, 0 sent");
}

static void a_malformed_question_to_reflection_is_refused(void **state)
{
    Scene *scene = *state;
    Peer *client = ask_grpc(scene, REFLECT, BYTES(":\7*"));
    assert_string_equal(said(client, "grpc-status"), "3");
    assert_record(scene, "INVALID_ARGUMENT BAD_MESSAGE, 0 sent");
}

/* The garage has v3, the yard has not; nobody has v9. */
static void a_version_that_no_service_has_is_refused_with_those_that_there_are(void **state)
{
    Scene *scene = *state;
    Peer *client = begin_grpc(scene, REFLECT, "api-version: v3");
    say_frame(client, LIST_SERVICES);
    say_end(client);
    assert_string_equal(said(client, "grpc-status"), "0");
    assert_non_null(memmem(client->body.data, client->body.size, "garage.v3.Cars", 14));
    client = begin_grpc(scene, REFLECT, "api-version: v9");
    say_frame(client, LIST_SERVICES);
    say_end(client);
    assert_string_equal(said(client, "grpc-status"), "3");
    assert_non_null(strstr(said(client, "grpc-message"), "the versions of garage are v1, v2, v3"));
    assert_non_null(strstr(said(client, "grpc-message"), "the versions of yard are v1, v2"));
    assert_int_equal(client->body.size, 0);
    assert_record(scene, "INVALID_ARGUMENT UNKNOWN_VERSION, 0 sent");
    client = begin_grpc(scene, CHECK_HEALTH, "api-version: v9"); /* has no versions */
    say_frame(client, BYTES_NONE);
    say_end(client);
    assert_string_equal(said(client, "grpc-status"), "0");
}

static void reflection_can_be_left_out(void **state)
{
    Scene *scene = scene_again(state, SCENE_TEXT "reflection: false\n");
    Peer *client = ask_grpc(scene, REFLECT, LIST_SERVICES);
    assert_string_equal(said(client, "grpc-status"), "12");
    assert_body(ask_grpc(scene, CHECK_HEALTH, BYTES_NONE), BYTES(SERVING));
}

static void questions_that_are_larger_than_the_memory_of_a_call_end(void **state)
{
    Scene *scene = scene_again(state, SCENE_TEXT LITTLE_MEMORY);
    Peer *client = begin_grpc(scene, REFLECT, "");
    uint8_t *much = arena_calloc(scene->arena, 3 << 20, 1);
    much[1] = 0x7f;
    say(client, bytes(much, 3 << 20));
    assert_string_equal(said(client, "grpc-status"), "8");
}

static void a_service_that_is_not_known_is_not_found_over_connect(void **state)
{
    Scene *scene = *state;
    Peer *client =
        ask(scene, "POST", CHECK_HEALTH, "content-type: application/proto", BYTES("\n\4cars"));
    assert_int_equal(client->head.status, 404);
    assert_record(scene, "NOT_FOUND UNKNOWN_SERVICE, 0 sent");
}

int main(void)
{
#define TEST(name) SCENE_TEST(name)
    const struct CMUnitTest tests[] = {
        TEST(the_gateway_itself_serves),
        TEST(a_service_serves_while_an_instance_can_answer),
        TEST(health_is_told_over_grpc_web_and_connect),
        TEST(a_watch_over_connects_unary_calls_is_refused),
        TEST(a_get_is_refused),
        TEST(a_malformed_question_is_refused),
        TEST(one_question_is_asked_and_no_more),
        TEST(a_question_that_is_cut_off_is_refused),
        TEST(a_watch_tells_of_changes),
        TEST(a_watch_of_what_is_not_known_goes_on),
        TEST(a_watch_ends_when_the_gateway_goes_down),
        TEST(a_watch_ends_at_its_deadline),
        TEST(all_services_are_listed),
        TEST(each_question_has_its_answer),
        TEST(questions_wait_for_a_client_that_does_not_take_its_answers),
        TEST(no_more_is_answered_than_the_client_takes),
        TEST(a_malformed_question_to_reflection_is_refused),
        TEST(a_version_that_no_service_has_is_refused_with_those_that_there_are),
        TEST(reflection_can_be_left_out),
        TEST(questions_that_are_larger_than_the_memory_of_a_call_end),
        TEST(a_service_that_is_not_known_is_not_found_over_connect),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
