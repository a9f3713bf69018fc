#include "tests/unit/gateway/call/scene.h"

/* ---- Failing and trying again ------------------------------------------------------------------
 */

static void an_instance_that_cannot_be_reached_is_passed_over_and_recorded(void **state)
{
    Scene *scene = *state;
    scene_upstream(scene, 7101)->want = WANT_WAITS;
    Peer *client = ask_grpc(scene, MAKE_ITEM, ITEM);
    scene_connect_fails(scene, 7101);
    answer(instance(scene), ITEM);
    assert_string_equal(said(client, "grpc-status"), "0");
    assert_record(scene, "OK, 1 sent: 7101 UNAVAILABLE, 7102 OK");
    assert_int_equal(scene->counted[COUNTER_RETRIES], 1);
}

static void where_no_instance_can_be_reached_the_last_failure_is_told(void **state)
{
    Scene *scene = *state;
    scene_upstream(scene, 7101)->want = scene_upstream(scene, 7102)->want = WANT_WAITS;
    Peer *client = ask_grpc(scene, GET_ITEM, GET_X);
    scene_connect_fails(scene, 7101);
    scene_connect_fails(scene, 7102);
    assert_string_equal(said(client, "grpc-status"), "14");
    assert_record(scene, "UNAVAILABLE UPSTREAM_DOWN, 0 sent: 7101 UNAVAILABLE, 7102 UNAVAILABLE");
    assert_int_equal(scene->counted[COUNTER_RETRIES], 2);
}

static void where_all_instances_are_down_nothing_is_tried(void **state)
{
    Scene *scene = *state;
    for (int port = 7101; port <= 7102; port++) {
        scene_upstream(scene, port)->state = UPSTREAM_DOWN;
        scene_upstream(scene, port)->failure =
            FAIL(scene->arena, FAULT_UPSTREAM_DOWN, "connection refused");
    }
    Peer *client = ask_grpc(scene, GET_ITEM, GET_X);
    assert_string_equal(said(client, "grpc-status"), "14");
    assert_record(scene, "UNAVAILABLE UPSTREAM_DOWN, 0 sent");
}

static void a_connection_without_room_is_a_refusal(void **state)
{
    Scene *scene = *state;
    scene_upstream(scene, 7101)->want = WANT_FULL;
    ask_grpc(scene, GET_ITEM, GET_X);
    answer(instance(scene), ITEM);
    assert_record(scene, "OK, 2 sent: 7101 UNAVAILABLE, 7102 OK");
}

static void a_stream_of_requests_that_finds_no_room_goes_elsewhere(void **state)
{
    Scene *scene = *state;
    scene_upstream(scene, 7101)->want = WANT_FULL;
    Peer *client = begin_grpc(scene, LOAD_ITEMS, "");
    say_frame(client, ITEM);
    say_end(client);
    assert_body(instance(scene), framed(scene, ITEM));
    answer(instance(scene), ITEM);
    assert_record(scene, "OK, 2 sent: 7101 UNAVAILABLE, 7102 OK");
}

static void a_refusal_is_repeated_whatever_the_method(void **state)
{
    Scene *scene = *state;
    Peer *client = ask_grpc(scene, MAKE_ITEM, ITEM);
    break_off(instance(scene), 7);
    assert_int_equal(n_instances(scene), 2);
    assert_body(instance(scene), framed(scene, ITEM));
    answer(instance(scene), ITEM);
    assert_string_equal(said(client, "grpc-status"), "0");
    assert_record(scene, "OK, 2 sent: 7101 UNAVAILABLE, 7102 OK");
}

static void who_refuses_twice_and_more_is_left_alone(void **state)
{
    Scene *scene = *state;
    Peer *client = ask_grpc(scene, MAKE_ITEM, ITEM);
    for (int i = 0; i < 4; i++)
        if (instance(scene)->stream)
            break_off(instance(scene), 7);
    assert_true(client->ended);
    assert_string_equal(said(client, "grpc-status"), "14");
    assert_record(scene, "UNAVAILABLE UPSTREAM_REFUSED, 4 sent: "
                         "7101 UNAVAILABLE, 7102 UNAVAILABLE, 7101 UNAVAILABLE, 7102 UNAVAILABLE");
}

static void a_repeatable_method_is_asked_again_after_a_reset(void **state)
{
    Scene *scene = *state;
    ask_grpc(scene, GET_ITEM, GET_X);
    break_off(instance(scene), 2);
    answer(instance(scene), ITEM);
    assert_record(scene, "OK, 2 sent: 7101 UNAVAILABLE, 7102 OK");
}

static void it_is_asked_again_where_only_the_same_instance_is_left(void **state)
{
    Scene *scene = *state;
    scene_upstream(scene, 7102)->state = UPSTREAM_DOWN;
    ask_grpc(scene, GET_ITEM, GET_X);
    break_off(instance(scene), 2);
    answer(instance(scene), ITEM);
    assert_record(scene, "OK, 2 sent: 7101 UNAVAILABLE, 7101 OK");
}

static void it_is_asked_no_more_than_the_route_allows(void **state)
{
    Scene *scene = *state;
    Peer *client = ask_grpc(scene, GET_ITEM, GET_X);
    break_off(instance(scene), 2);
    break_off(instance(scene), 2);
    assert_string_equal(said(client, "grpc-status"), "14");
    assert_record(scene, "UNAVAILABLE UPSTREAM_RESET, 2 sent: 7101 UNAVAILABLE, 7102 UNAVAILABLE");
}

static void another_method_is_not_asked_again_after_a_reset(void **state)
{
    Scene *scene = *state;
    Peer *client = ask_grpc(scene, MAKE_ITEM, ITEM);
    break_off(instance(scene), 2);
    assert_int_equal(n_instances(scene), 1);
    assert_string_equal(said(client, "grpc-status"), "14");
    assert_record(scene, "UNAVAILABLE UPSTREAM_RESET, 1 sent: 7101 UNAVAILABLE");
}

static void a_lost_connection_is_a_reset(void **state)
{
    Scene *scene = *state;
    ask_grpc(scene, GET_ITEM, GET_X);
    Peer *at = instance(scene);
    http_connection_lost(at->gateway, FAIL(scene->arena, FAULT_UPSTREAM_RESET, "it went away"));
    scene_pump(scene);
    answer(instance(scene), ITEM);
    assert_record(scene, "OK, 2 sent: 7101 UNAVAILABLE, 7102 OK");
}

static void an_answer_that_breaks_off_within_its_message_is_asked_for_again(void **state)
{
    Scene *scene = *state;
    Peer *client = ask_grpc(scene, GET_ITEM, GET_X);
    answer_grpc_head(instance(scene));
    say(instance(scene), BYTES("\0\0\0\0\x09\n\1"));
    break_off(instance(scene), 2);
    answer(instance(scene), ITEM);
    assert_body(client, framed(scene, ITEM));
    assert_record(scene, "OK, 2 sent: 7101 UNAVAILABLE, 7102 OK");
}

static void a_stream_that_breaks_off_behind_its_head_is_not_asked_for_again(void **state)
{
    Scene *scene = *state;
    Peer *client = ask_grpc(scene, "/garage.v1.Cars/Watch", GET_X);
    answer_grpc_head(instance(scene));
    say_frame(instance(scene), CAR_V3);
    break_off(instance(scene), 2);
    assert_int_equal(n_instances(scene), 1);
    assert_string_equal(said(client, "grpc-status"), "14");
    assert_record(scene, "UNAVAILABLE UPSTREAM_RESET, 1 sent: 7003 UNAVAILABLE");
}

static void a_stream_of_requests_that_was_begun_is_not_sent_again(void **state)
{
    Scene *scene = *state;
    Peer *client = begin_grpc(scene, LOAD_ITEMS, "");
    say_frame(client, ITEM);
    break_off(instance(scene), 7);
    assert_int_equal(n_instances(scene), 1);
    assert_string_equal(said(client, "grpc-status"), "14");
    assert_record(scene, "UNAVAILABLE UPSTREAM_REFUSED, 1 sent: 7101 UNAVAILABLE");
}

static void a_stream_of_requests_of_which_nothing_was_sent_goes_elsewhere(void **state)
{
    Scene *scene = *state;
    Peer *client = begin_grpc(scene, LOAD_ITEMS, "");
    say(client, BYTES("\0\0\0\0")); /* the beginning of a message, which is kept */
    break_off(instance(scene), 7);
    assert_int_equal(n_instances(scene), 2);
    say(client, BYTES("\3\n\1x"));
    say_end(client);
    assert_body(instance(scene), BYTES("\0\0\0\0\3\n\1x"));
    answer(instance(scene), ITEM);
    assert_record(scene, "OK, 2 sent: 7101 UNAVAILABLE, 7102 OK");
}

static void unavailable_is_believed_and_asked_elsewhere(void **state)
{
    Scene *scene = *state;
    Peer *client = ask_grpc(scene, GET_ITEM, GET_X);
    answer_error(instance(scene), 14, "closed today");
    assert_false(client->headed);
    answer(instance(scene), ITEM);
    assert_string_equal(said(client, "grpc-status"), "0");
    assert_record(scene, "OK, 2 sent: 7101 UNAVAILABLE, 7102 OK");
}

static void unavailable_with_nobody_left_gives_the_services_own_message(void **state)
{
    Scene *scene = *state;
    scene_upstream(scene, 7102)->state = UPSTREAM_DOWN;
    Peer *client = ask_grpc(scene, GET_ITEM, GET_X);
    answer_error(instance(scene), 14, "closed today");
    assert_string_equal(said(client, "grpc-status"), "14");
    assert_string_equal(said(client, "grpc-message"), "closed today");
    assert_record(scene, "UNAVAILABLE UPSTREAM_STATUS, 1 sent: 7101 UNAVAILABLE");
}

static void a_reset_with_nobody_left_says_how_many_were_asked(void **state)
{
    Scene *scene = *state;
    ask_grpc(scene, GET_ITEM, GET_X);
    scene_upstream(scene, 7101)->state = scene_upstream(scene, 7102)->state = UPSTREAM_DOWN;
    break_off(instance(scene), 2);
    assert_record(scene, "UNAVAILABLE UPSTREAM_RESET, 1 sent: 7101 UNAVAILABLE");
    assert_string_equal(scene->records[0].why.error->doing, "no other instance is left");
}

static void an_error_of_the_service_is_passed_on(void **state)
{
    Scene *scene = *state;
    Peer *client = ask_grpc(scene, GET_ITEM, GET_X);
    answer_error(instance(scene), 5, "no such item");
    assert_string_equal(said(client, "grpc-status"), "5");
    assert_string_equal(said(client, "grpc-message"), "no such item");
    assert_record(scene, "NOT_FOUND UPSTREAM_STATUS, 1 sent: 7101 NOT_FOUND");
}

int main(void)
{
#define TEST(name) SCENE_TEST(name)
    const struct CMUnitTest tests[] = {
        TEST(an_instance_that_cannot_be_reached_is_passed_over_and_recorded),
        TEST(where_no_instance_can_be_reached_the_last_failure_is_told),
        TEST(where_all_instances_are_down_nothing_is_tried),
        TEST(a_connection_without_room_is_a_refusal),
        TEST(a_stream_of_requests_that_finds_no_room_goes_elsewhere),
        TEST(a_refusal_is_repeated_whatever_the_method),
        TEST(who_refuses_twice_and_more_is_left_alone),
        TEST(a_repeatable_method_is_asked_again_after_a_reset),
        TEST(it_is_asked_again_where_only_the_same_instance_is_left),
        TEST(it_is_asked_no_more_than_the_route_allows),
        TEST(another_method_is_not_asked_again_after_a_reset),
        TEST(a_lost_connection_is_a_reset),
        TEST(an_answer_that_breaks_off_within_its_message_is_asked_for_again),
        TEST(a_stream_that_breaks_off_behind_its_head_is_not_asked_for_again),
        TEST(a_stream_of_requests_that_was_begun_is_not_sent_again),
        TEST(a_stream_of_requests_of_which_nothing_was_sent_goes_elsewhere),
        TEST(unavailable_is_believed_and_asked_elsewhere),
        TEST(unavailable_with_nobody_left_gives_the_services_own_message),
        TEST(a_reset_with_nobody_left_says_how_many_were_asked),
        TEST(an_error_of_the_service_is_passed_on),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
