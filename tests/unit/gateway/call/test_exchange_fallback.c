#include "tests/unit/gateway/call/scene.h"

/* A v1 instance at 7101 and a v2 one at 7102; routes follow. */
#define TWO_VERSIONS                                                                               \
    LISTEN "services:\n" YARD "      - {address: '127.0.0.1:7101', versions: [v1]}\n"              \
           "      - {address: '127.0.0.1:7102', versions: [v2]}\n"                                 \
           "routes:\n"
#define ITEM_V2 BYTES("\n\1xb\3bob")
#define OLDER_OF(match, more)                                                                      \
    "  - {match: " match ", on_failure: {graceful: {older: true" more "}}}\n"

static Scene *with_older(void **state)
{
    return scene_again(state, TWO_VERSIONS OLDER_OF("yard.Yard/Get", "")
                                  OLDER_OF("yard.Yard/Make", "") OLDER_OF("yard.Yard/Watch", ""));
}

static void an_instance_of_another_version_stands_in(void **state)
{
    Scene *scene = with_older(state);
    Peer *client = ask_grpc(scene, GET_ITEM, GET_X);
    assert_string_equal(instance(scene)->instance->address.text, "127.0.0.1:7101");
    answer_error(instance(scene), 13, "oops");
    assert_string_equal(instance(scene)->instance->address.text, "127.0.0.1:7102");
    answer(instance(scene), ITEM_V2);
    assert_string_equal(said(client, "grpc-status"), "0");
    assert_string_equal(field_of(client, "passerelle-degraded"), "UPSTREAM_STATUS; by=older");
    assert_string_equal(field_of(client, "cache-control"), "no-store");
    assert_string_equal(field_of(client, "passerelle-served-version"), "v2");
    assert_body(client, framed(scene, ITEM));
    assert_record(scene, "OK UPSTREAM_STATUS degraded by UPSTREAM_STATUS (older), "
                         "2 sent: 7101 INTERNAL, 7102 OK");
}

static void what_the_instance_says_to_caches_does_not_outlive_a_fallback(void **state)
{
    Scene *scene = with_older(state);
    Peer *client = ask(scene, "GET", "/v1/items/x", "", BYTES_NONE);
    answer_error(instance(scene), 13, "oops");
    Peer *older = instance(scene);
    answer_head(older, 200,
                "content-type: application/grpc\ncache-control: public, max-age=60\nexpires: never",
                -1, false);
    say_frame(older, ITEM_V2);
    answer_trailers(older, "grpc-status: 0");
    assert_body(client, BYTES(ITEM_JSON));
    assert_string_equal(field_of(client, "cache-control"), "no-store");
    assert_string_equal(field_of(client, "expires"), "");
}

static void an_error_of_the_other_version_leaves_the_first_one(void **state)
{
    Scene *scene = with_older(state);
    Peer *client = ask_grpc(scene, GET_ITEM, GET_X);
    answer_error(instance(scene), 13, "oops");
    answer_error(instance(scene), 5, "no such item here");
    assert_string_equal(said(client, "grpc-status"), "13");
    assert_string_equal(said(client, "grpc-message"), "oops");
    assert_string_equal(said(client, "passerelle-degraded"), "");
    assert_record(scene, "INTERNAL UPSTREAM_STATUS, 2 sent: 7101 INTERNAL, 7102 NOT_FOUND");
}

static void after_the_other_version_comes_the_next_fallback(void **state)
{
    Scene *scene = scene_again(
        state, TWO_VERSIONS OLDER_OF("yard.Yard/Get",
                                     ", stale: 10m, default: {name: none}, writes: true"));
    Peer *client = ask_grpc(scene, GET_ITEM, GET_X);
    answer_error(instance(scene), 13, "oops");
    answer_error(instance(scene), 5, "no such item here");
    assert_string_equal(said(client, "grpc-status"), "0");
    assert_string_equal(field_of(client, "passerelle-degraded"), "UPSTREAM_STATUS; by=default");
    assert_body(client, framed(scene, BYTES("\n\4none")));
    assert_record(scene, "OK UPSTREAM_STATUS degraded by UPSTREAM_STATUS (default), "
                         "2 sent: 7101 INTERNAL, 7102 NOT_FOUND");
}

static void garbage_of_one_version_is_made_good_by_another(void **state)
{
    Scene *scene = with_older(state);
    Peer *client = ask_grpc(scene, GET_ITEM, GET_X);
    answer_head(instance(scene), 200, "content-type: text/html", -1, false);
    say(instance(scene), BYTES("<html>"));
    say_end(instance(scene));
    answer(instance(scene), ITEM_V2);
    assert_string_equal(said(client, "grpc-status"), "0");
    assert_true(strstr(field_of(client, "passerelle-degraded"), "; by=older") != NULL);
}

static void half_of_the_time_is_kept_for_another_version(void **state)
{
    Scene *scene = with_older(state);
    Peer *client = begin_grpc(scene, GET_ITEM, "grpc-timeout: 100m");
    say_frame(client, GET_X);
    say_end(client);
    scene_pass(scene, 45);
    assert_int_equal(n_instances(scene), 1);
    scene_pass(scene, 10);
    assert_int_equal(n_instances(scene), 2);
    answer(instance(scene), ITEM_V2);
    assert_string_equal(field_of(client, "passerelle-degraded"), "DEADLINE_EXCEEDED; by=older");
    assert_record(scene, "OK DEADLINE_EXCEEDED degraded by DEADLINE_EXCEEDED (older), "
                         "2 sent: 7101 DEADLINE_EXCEEDED, 7102 OK");
}

static void both_versions_together_have_one_deadline(void **state)
{
    Scene *scene = with_older(state);
    Peer *client = begin_grpc(scene, GET_ITEM, "grpc-timeout: 100m");
    say_frame(client, GET_X);
    say_end(client);
    scene_pass(scene, 55);
    scene_pass(scene, 50);
    assert_string_equal(said(client, "grpc-status"), "4");
    assert_record(scene, "DEADLINE_EXCEEDED DEADLINE_EXCEEDED, "
                         "2 sent: 7101 DEADLINE_EXCEEDED, 7102 DEADLINE_EXCEEDED");
}

static void without_an_instance_of_another_version_the_slow_one_has_all_of_the_time(void **state)
{
    Scene *scene = with_older(state);
    scene_upstream(scene, 7102)->state = UPSTREAM_DOWN;
    Peer *client = begin_grpc(scene, GET_ITEM, "grpc-timeout: 100m");
    say_frame(client, GET_X);
    say_end(client);
    scene_pass(scene, 60);
    answer(instance(scene), ITEM);
    assert_string_equal(said(client, "grpc-status"), "0");
    assert_record(scene, "OK, 1 sent: 7101 OK");
}

static void a_request_that_may_have_had_an_effect_is_not_sent_to_another_version(void **state)
{
    Scene *scene = with_older(state);
    Peer *client = ask_grpc(scene, MAKE_ITEM, ITEM);
    scene_pass(scene, 31000);
    answer_error(instance(scene), 13, "oops");
    assert_string_equal(said(client, "grpc-status"), "13");
    assert_record(scene, "INTERNAL UPSTREAM_STATUS, 1 sent: 7101 INTERNAL");
}

static void a_stream_that_cannot_begin_comes_from_another_version(void **state)
{
    Scene *scene = with_older(state);
    Peer *client = ask_grpc(scene, WATCH_ITEM, GET_X);
    answer_error(instance(scene), 13, "oops");
    answer_grpc_head(instance(scene));
    assert_string_equal(field_of(client, "passerelle-degraded"), "UPSTREAM_STATUS; by=older");
    say_frame(instance(scene), ITEM_V2);
    answer_trailers(instance(scene), "grpc-status: 0");
    assert_body(client, framed(scene, ITEM));
    assert_string_equal(said(client, "grpc-status"), "0");
}

static void a_stream_of_another_version_that_breaks_ends_as_any_other(void **state)
{
    Scene *scene = with_older(state);
    Peer *client = ask_grpc(scene, WATCH_ITEM, GET_X);
    answer_error(instance(scene), 13, "oops");
    answer_grpc_head(instance(scene));
    say_frame(instance(scene), ITEM_V2);
    break_off(instance(scene), 2);
    assert_body(client, framed(scene, ITEM));
    assert_string_equal(said(client, "grpc-status"), "14");
    assert_record(scene, "UNAVAILABLE UPSTREAM_RESET, 2 sent: 7101 INTERNAL, 7102 UNAVAILABLE");
}

static void a_fallback_that_is_skipped_is_an_empty_success(void **state)
{
    Scene *scene =
        scene_again(state, TWO_VERSIONS
                    "  - {match: yard, on_failure: {graceful: {skip: true, writes: true}}}\n");
    Peer *client = ask_grpc(scene, GET_ITEM, GET_X);
    answer_error(instance(scene), 13, "oops");
    assert_string_equal(said(client, "grpc-status"), "0");
    assert_string_equal(field_of(client, "passerelle-degraded"), "UPSTREAM_STATUS; by=skip");
    assert_body(client, BYTES("\0\0\0\0\0"));
    client = ask_grpc(scene, WATCH_ITEM, GET_X);
    answer_error(instance(scene), 13, "oops");
    assert_string_equal(said(client, "grpc-status"), "0");
    assert_string_equal(said(client, "passerelle-degraded"), "UPSTREAM_STATUS; by=skip");
    assert_body(client, BYTES_NONE);
    client = ask(scene, "GET", "/v1/items/x:watch", "", BYTES_NONE);
    answer_error(instance(scene), 13, "oops");
    assert_int_equal(client->head.status, 200);
    assert_string_equal(field_of(client, "passerelle-degraded"), "UPSTREAM_STATUS; by=skip");
    assert_body(client, BYTES_NONE);
    client = ask(scene, "GET", "/v1/items/x", "", BYTES_NONE);
    answer_error(instance(scene), 13, "oops");
    assert_body(client, BYTES("{}"));
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        SCENE_TEST(an_instance_of_another_version_stands_in),
        SCENE_TEST(what_the_instance_says_to_caches_does_not_outlive_a_fallback),
        SCENE_TEST(an_error_of_the_other_version_leaves_the_first_one),
        SCENE_TEST(after_the_other_version_comes_the_next_fallback),
        SCENE_TEST(garbage_of_one_version_is_made_good_by_another),
        SCENE_TEST(half_of_the_time_is_kept_for_another_version),
        SCENE_TEST(both_versions_together_have_one_deadline),
        SCENE_TEST(without_an_instance_of_another_version_the_slow_one_has_all_of_the_time),
        SCENE_TEST(a_request_that_may_have_had_an_effect_is_not_sent_to_another_version),
        SCENE_TEST(a_stream_that_cannot_begin_comes_from_another_version),
        SCENE_TEST(a_stream_of_another_version_that_breaks_ends_as_any_other),
        SCENE_TEST(a_fallback_that_is_skipped_is_an_empty_success),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
