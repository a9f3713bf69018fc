#include "protocols/http/compression.h"
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
    assert_int_equal(scene->healed[HEALING_OLDER], 1);
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

#define NO_BUDGET                                                                                  \
    LISTEN "services:\n" YARD "      - {address: '127.0.0.1:7101', versions: [v1]}\n"              \
           "      - {address: '127.0.0.1:7102', versions: [v2]}\n"                                 \
           "    retry_budget: {percent: 20, at_least: 0}\nroutes:\n"

static void a_fault_of_the_other_version_leaves_the_instance_of_the_first_one(void **state)
{
    Scene *scene = with_older(state);
    Peer *client = ask_grpc(scene, GET_ITEM, GET_X);
    answer_grpc_head(instance(scene));
    answer_trailers(instance(scene), "grpc-status: 0"); /* and no message */
    answer_error(instance(scene), 5, "no such item here");
    assert_string_equal(said(client, "grpc-status"), "12");
    assert_string_equal(said(client, "passerelle-served-version"), "v1");
    assert_string_equal(scene->records[0].instance->address.text, "127.0.0.1:7101");
    assert_string_equal(scene->records[0].served_version->name, "v1");
}

static void without_budget_the_other_version_is_not_asked_and_the_error_says_so(void **state)
{
    Scene *scene = scene_again(state, NO_BUDGET OLDER_OF("yard.Yard/Get", ""));
    Peer *client = ask_grpc(scene, GET_ITEM, GET_X);
    answer_error(instance(scene), 13, "oops");
    assert_string_equal(said(client, "grpc-message"), "oops");
    assert_string_equal(said(client, "passerelle-not-retried"), "budget");
    assert_int_equal(scene->records[0].retry_refused, RETRY_REFUSED_BUDGET);
    assert_record(scene, "INTERNAL UPSTREAM_STATUS, 1 sent: 7101 INTERNAL");
}

static void nor_when_the_fallback_before_it_has_no_response(void **state)
{
    Scene *scene = scene_again(
        state, NO_BUDGET
        "  - {match: yard.Yard/Get, on_failure: {graceful: {stale: 10m, older: true}}}\n");
    Peer *client = ask_grpc(scene, GET_ITEM, GET_X);
    answer_error(instance(scene), 13, "oops");
    assert_string_equal(said(client, "passerelle-not-retried"), "budget");
}

static void nor_when_half_of_the_time_has_passed(void **state)
{
    Scene *scene = scene_again(state, NO_BUDGET OLDER_OF("yard.Yard/Get", ""));
    Peer *client = begin_grpc(scene, GET_ITEM, "grpc-timeout: 100m");
    say_frame(client, GET_X);
    say_end(client);
    scene_pass(scene, 55);
    scene_pass(scene, 50);
    assert_string_equal(said(client, "grpc-status"), "4");
    assert_string_equal(said(client, "passerelle-not-retried"), "budget");
    assert_int_equal(scene->records[0].retry_refused, RETRY_REFUSED_BUDGET);
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
    assert_string_equal(said(client, "passerelle-served-version"), "");
    assert_null(scene->records[0].served_version);
    assert_string_equal(scene->records[0].instance->address.text, "127.0.0.1:7101");
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
    assert_string_equal(field_of(client, "passerelle-degraded"), "UPSTREAM_PROTOCOL; by=older");
    assert_record(scene, "OK UPSTREAM_PROTOCOL degraded by UPSTREAM_PROTOCOL (older), "
                         "2 sent: 7101 UNKNOWN, 7102 OK");
}

static void garbage_has_one_name_in_the_response_and_the_record(void **state)
{
    static const char *const garbage[] = {"content-type: text/html",
                                          "content-type: application/grpc\ngrpc-status: abc"};
    for (size_t i = 0; i < sizeof garbage / sizeof *garbage; i++) {
        Scene *scene = with_older(state);
        Peer *client = ask(scene, "GET", "/v1/items/x", "", BYTES_NONE);
        answer_head(instance(scene), 200, garbage[i], -1, true);
        answer_error(instance(scene), 5, "no such item here");
        assert_int_equal(client->head.status, 502);
        assert_non_null(memmem(client->body.data, client->body.size, "\"UPSTREAM_PROTOCOL\"", 19));
        assert_record(scene, "UNKNOWN UPSTREAM_PROTOCOL, 2 sent: 7101 UNKNOWN, 7102 NOT_FOUND");
    }
}

/* ---- Retries stay with their version --------------------------------------------------------- */

#define THREE_INSTANCES                                                                            \
    LISTEN "services:\n" YARD "      - {address: '127.0.0.1:7101', versions: [v1]}\n"              \
           "      - {address: '127.0.0.1:7102', versions: [v2]}\n"                                 \
           "      - {address: '127.0.0.1:7103', versions: [v1]}\n"                                 \
           "routes:\n"

static void a_retry_is_made_good_by_an_instance_of_the_same_version(void **state)
{
    Scene *scene = scene_again(state, THREE_INSTANCES "  - {match: yard.Yard/Get, attempts: 3, "
                                                      "on_failure: {graceful: {older: true}}}\n");
    Peer *client = ask_grpc(scene, GET_ITEM, GET_X);
    const char *first = instance(scene)->instance->address.text;
    answer_error(instance(scene), 14, "closed today");
    scene_back_off(scene);
    const char *second = instance(scene)->instance->address.text;
    assert_string_not_equal(second, first);
    assert_string_not_equal(second, "127.0.0.1:7102");
    answer(instance(scene), ITEM);
    assert_string_equal(said(client, "grpc-status"), "0");
    assert_string_equal(field_of(client, "passerelle-degraded"), "");
}

static void a_retry_returns_to_the_only_instance_of_its_version(void **state)
{
    Scene *scene = scene_again(state, TWO_VERSIONS "  - {match: yard.Yard/Get, attempts: 2}\n");
    Peer *client = ask_grpc(scene, GET_ITEM, GET_X);
    answer_error(instance(scene), 14, "closed today");
    scene_back_off(scene);
    answer(instance(scene), ITEM);
    assert_string_equal(said(client, "grpc-status"), "0");
    assert_record(scene, "OK, 2 sent: 7101 UNAVAILABLE, 7101 OK");
}

static void an_error_of_the_other_version_behind_retries_does_not_count(void **state)
{
    Scene *scene = with_older(state);
    Peer *client = ask_grpc(scene, GET_ITEM, GET_X);
    answer_error(instance(scene), 14, "closed today");
    scene_back_off(scene);
    answer_error(instance(scene), 14, "closed today");
    assert_string_equal(instance(scene)->instance->address.text, "127.0.0.1:7102");
    answer_error(instance(scene), 5, "no such item here");
    assert_string_equal(said(client, "grpc-status"), "14");
    assert_string_equal(said(client, "grpc-message"), "closed today");
    assert_record(scene, "UNAVAILABLE UPSTREAM_STATUS, "
                         "3 sent: 7101 UNAVAILABLE, 7101 UNAVAILABLE, 7102 NOT_FOUND");
}

static void where_its_version_is_gone_a_retry_is_an_attempt_of_the_fallback(void **state)
{
    Scene *scene = with_older(state);
    Peer *client = ask_grpc(scene, GET_ITEM, GET_X);
    Peer *first = instance(scene);
    scene_upstream(scene, 7101)->state = UPSTREAM_DOWN;
    break_off(first, 2);
    scene_back_off(scene);
    answer(instance(scene), ITEM_V2);
    assert_string_equal(said(client, "grpc-status"), "0");
    assert_string_equal(field_of(client, "passerelle-degraded"), "UPSTREAM_RESET; by=older");
    assert_record(scene, "OK UPSTREAM_RESET degraded by UPSTREAM_RESET (older), "
                         "2 sent: 7101 UNAVAILABLE, 7102 OK");
}

static void without_that_fallback_it_goes_where_a_new_call_goes(void **state)
{
    Scene *scene = scene_again(state, TWO_VERSIONS "  - {match: yard.Yard/Get}\n");
    Peer *client = ask_grpc(scene, GET_ITEM, GET_X);
    Peer *first = instance(scene);
    scene_upstream(scene, 7101)->state = UPSTREAM_DOWN;
    break_off(first, 2);
    scene_back_off(scene);
    answer(instance(scene), ITEM_V2);
    assert_string_equal(said(client, "grpc-status"), "0");
    assert_string_equal(field_of(client, "passerelle-degraded"), "");
    assert_record(scene, "OK, 2 sent: 7101 UNAVAILABLE, 7102 OK");
}

static void what_no_instance_has_seen_may_go_to_another_version(void **state)
{
    Scene *scene = with_older(state);
    scene_upstream(scene, 7101)->want = WANT_WAITS;
    Peer *client = ask_grpc(scene, GET_ITEM, GET_X);
    scene_connect_fails(scene, 7101);
    answer(instance(scene), ITEM_V2);
    assert_string_equal(said(client, "grpc-status"), "0");
    assert_string_equal(field_of(client, "passerelle-degraded"), "");
}

static void a_second_attempt_beside_a_slow_one_is_at_its_version(void **state)
{
    Scene *scene =
        scene_again(state, TWO_VERSIONS "  - {match: yard.Yard/Get, hedge: {after: 50ms}}\n");
    Peer *client = ask_grpc(scene, GET_ITEM, GET_X);
    scene_pass(scene, 60);
    assert_int_equal(n_instances(scene), 1);
    answer(instance(scene), ITEM);
    assert_string_equal(said(client, "grpc-status"), "0");
    scene =
        scene_again(state, THREE_INSTANCES "  - {match: yard.Yard/Get, hedge: {after: 50ms}}\n");
    ask_grpc(scene, GET_ITEM, GET_X);
    scene_pass(scene, 60);
    assert_int_equal(n_instances(scene), 2);
    assert_string_not_equal(instance(scene)->instance->address.text, "127.0.0.1:7102");
    answer(instance(scene), ITEM);
}

/* ---- Equal calls ----------------------------------------------------------------------------- */

static Scene *with_join(void **state)
{
    return scene_again(state, SCENE_INSTANCES_TEXT
                       "routes:\n"
                       "  - match: yard.Yard/Get\n"
                       "    on_failure: {graceful: {stale: {for: 10m, public: true, join: 1m}}}\n");
}

static Peer *ask_in_time(Scene *scene, const char *timeout)
{
    Peer *client = begin_grpc(scene, GET_ITEM, timeout);
    say_frame(client, GET_X);
    say_end(client);
    return client;
}

static void answer_all_that_are_asked(Scene *scene)
{
    for (uint32_t i = 0; i < scene->n_peers; i++) {
        Peer *peer = &scene->peers[i];
        if (peer->instance && http_connection_streams(peer->gateway))
            answer(peer, ITEM);
    }
}

static void those_that_wait_for_a_call_that_gets_an_error_ask_at_once(void **state)
{
    Scene *scene = with_join(state);
    Peer *clients[4];
    for (int i = 0; i < 4; i++)
        clients[i] = ask_grpc(scene, GET_ITEM, GET_X);
    assert_int_equal(n_instances(scene), 1);
    answer_error(instance(scene), 5, "no such item");
    assert_string_equal(said(clients[0], "grpc-status"), "5");
    scene_pass(scene, 2);
    assert_int_equal(n_instances(scene), 4);
    answer_all_that_are_asked(scene);
    for (int i = 1; i < 4; i++)
        assert_string_equal(said(clients[i], "grpc-status"), "0");
    assert_int_equal(scene->counted[COUNTER_JOINED], 0);
}

static void those_that_wait_for_a_call_whose_response_is_broken_ask_at_once(void **state)
{
    Scene *scene = with_join(state);
    Peer *clients[3];
    for (int i = 0; i < 3; i++)
        clients[i] = ask_grpc(scene, GET_ITEM, GET_X);
    answer_grpc_head(instance(scene));
    answer_trailers(instance(scene), "grpc-status: 0"); /* and no message */
    assert_string_equal(said(clients[0], "grpc-status"), "12");
    scene_pass(scene, 2);
    assert_int_equal(n_instances(scene), 3);
    answer_all_that_are_asked(scene);
    assert_string_equal(said(clients[2], "grpc-status"), "0");
}

static void one_of_those_that_wait_takes_the_place_of_a_call_without_time(void **state)
{
    Scene *scene = with_join(state);
    Peer *first = ask_in_time(scene, "grpc-timeout: 100m"), *clients[3];
    for (int i = 0; i < 3; i++)
        clients[i] = ask_grpc(scene, GET_ITEM, GET_X);
    assert_int_equal(n_instances(scene), 1);
    scene_pass(scene, 105);
    assert_string_equal(said(first, "grpc-status"), "4");
    scene_pass(scene, 2);
    assert_int_equal(n_instances(scene), 2);
    answer(instance(scene), ITEM);
    scene_pass(scene, 2);
    assert_int_equal(n_instances(scene), 2);
    for (int i = 0; i < 3; i++)
        assert_string_equal(said(clients[i], "grpc-status"), "0");
    assert_int_equal(scene->counted[COUNTER_JOINED], 2);
}

static void half_of_the_time_is_kept_to_ask_without_an_equal_call(void **state)
{
    Scene *scene = with_join(state);
    ask_grpc(scene, GET_ITEM, GET_X);
    Peer *client = ask_in_time(scene, "grpc-timeout: 100m");
    scene_pass(scene, 45);
    assert_int_equal(n_instances(scene), 1);
    scene_pass(scene, 10);
    assert_int_equal(n_instances(scene), 2);
    scene_pass(scene, 50);
    assert_string_equal(said(client, "grpc-status"), "4");
    const Error *cause = scene->records[0].why.error->cause;
    assert_non_null(cause);
    assert_non_null(strstr(cause->doing, " ms of it waiting for an equal call"));
    answer_all_that_are_asked(scene);
}

/* ---- In time --------------------------------------------------------------------------------- */

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

/* ---- Kept responses -------------------------------------------------------------------------- */

#define STALE_OF(match, more) "  - {match: " match ", on_failure: {graceful: {stale: " more "}}}\n"
#define KEEPING                                                                                    \
    SCENE_TEXT STALE_OF("yard.Yard/Get", "10m")                                                    \
        STALE_OF("garage.Cars/Get", "{for: 10s, public: true}, writes: true")
#define OF_ADA "authorization: Bearer ada"

static Peer *get_item(Scene *scene, const char *fields)
{
    Peer *client = begin_grpc(scene, GET_ITEM, fields);
    say_frame(client, GET_X);
    say_end(client);
    return client;
}

static Peer *fail_item(Scene *scene, const char *fields)
{
    Peer *client = get_item(scene, fields);
    answer_error(instance(scene), 13, "oops");
    return client;
}

static void assert_kept(Peer *client, const char *mark, Bytes body)
{
    assert_string_equal(said(client, "grpc-status"), "0");
    assert_string_equal(field_of(client, "passerelle-degraded"), mark);
    assert_string_equal(field_of(client, "cache-control"), "no-store");
    assert_body(client, framed(client->scene, body));
}

static void assert_not_kept(Peer *client)
{
    assert_string_equal(said(client, "grpc-status"), "13");
    assert_string_equal(said(client, "passerelle-degraded"), "");
}

static void the_last_good_response_stands_in_with_its_age(void **state)
{
    Scene *scene = scene_again(state, KEEPING);
    get_item(scene, OF_ADA);
    answer(instance(scene), ITEM);
    scene_pass(scene, 31900);
    assert_kept(fail_item(scene, OF_ADA), "UPSTREAM_STATUS; by=stale; age=31", ITEM);
    assert_record(scene,
                  "OK UPSTREAM_STATUS degraded by UPSTREAM_STATUS (stale), 1 sent: 7102 INTERNAL");
    get_item(scene, OF_ADA);
    answer(instance(scene), BYTES("\n\1x\x12\5alice"));
    assert_kept(fail_item(scene, OF_ADA), "UPSTREAM_STATUS; by=stale; age=0",
                BYTES("\n\1x\x12\5alice"));
}

static void a_response_that_is_too_old_does_not_stand_in(void **state)
{
    Scene *scene = scene_again(state, KEEPING);
    get_item(scene, OF_ADA);
    answer(instance(scene), ITEM);
    scene_pass(scene, 600 * 1000);
    assert_kept(fail_item(scene, OF_ADA), "UPSTREAM_STATUS; by=stale; age=600", ITEM);
    scene_pass(scene, 1);
    assert_not_kept(fail_item(scene, OF_ADA));
}

static void nobody_gets_the_response_of_another_client(void **state)
{
    Scene *scene = scene_again(state, KEEPING);
    get_item(scene, OF_ADA);
    answer(instance(scene), ITEM);
    assert_not_kept(fail_item(scene, "authorization: Bearer bob"));
    assert_not_kept(fail_item(scene, OF_ADA "\ncookie: a=b"));
    assert_not_kept(fail_item(scene, OF_ADA "\nauthorization: Bearer ada"));
    assert_not_kept(fail_item(scene, "cookie: Bearer ada"));
    assert_not_kept(fail_item(scene, ""));
    assert_kept(fail_item(scene, OF_ADA), "UPSTREAM_STATUS; by=stale; age=0", ITEM);
}

static void another_request_has_another_response(void **state)
{
    Scene *scene = scene_again(state, KEEPING);
    get_item(scene, OF_ADA);
    answer(instance(scene), ITEM);
    Peer *client = begin_grpc(scene, GET_ITEM, OF_ADA);
    say_frame(client, BYTES("\n\1y"));
    say_end(client);
    answer_error(instance(scene), 13, "oops");
    assert_not_kept(client);
    client = ask(scene, "GET", "/v1/items/x", OF_ADA, BYTES_NONE);
    answer_error(instance(scene), 13, "oops");
    assert_int_equal(client->head.status, 500);
}

static void of_a_client_that_nothing_tells_apart_nothing_is_kept(void **state)
{
    Scene *scene = scene_again(state, KEEPING);
    get_item(scene, "");
    answer(instance(scene), ITEM);
    assert_not_kept(fail_item(scene, ""));
}

static void empty_credentials_are_none(void **state)
{
    static const char *const rows[] = {
        "authorization:",
        "cookie:",
        "authorization:  \t\ncookie: ",
        "authorization: Bearer",
        "authorization: bearer ",
        "authorization: Basic",
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        Scene *scene = scene_again(state, KEEPING);
        get_item(scene, rows[i]);
        answer(instance(scene), ITEM);
        assert_not_kept(fail_item(scene, rows[i]));
    }
}

#define TRUSTING                                                                                   \
    "identity_header: x-client\n"                                                                  \
    "identity: {tenant_header: x-tenant, class_header: x-class,\n"                                 \
    "           claim_headers: {plan: x-plan, region: x-region}}\n"                                \
    "trusted_proxies: [127.0.0.0/8]\n" KEEPING

static Peer *trusted_get(Scene *scene, const char *fields)
{
    Peer *client = client_new(scene, http2_client_new, http2_server_new);
    assert_true(ip_read(bytes_of("127.0.0.1"), &client->client->address));
    client_head(client, "GET", "/v1/items/x", fields, -1, true);
    return client;
}

static unsigned status_when_failed(Scene *scene, const char *fields)
{
    Peer *client = trusted_get(scene, fields);
    answer_error(instance(scene), 13, "oops");
    return client->head.status;
}

static void a_name_with_another_claim_is_another_client(void **state)
{
    Scene *scene = scene_again(state, TRUSTING);
    trusted_get(scene, "x-client: ada\nx-plan: gold");
    answer(instance(scene), ITEM);
    assert_int_equal(status_when_failed(scene, "x-client: ada\nx-plan: iron"), 500);
    assert_int_equal(status_when_failed(scene, "x-client: ada\nx-region: gold"), 500);
    assert_int_equal(status_when_failed(scene, "x-client: ada\nx-plan: gold\nx-region: eu"), 500);
    assert_int_equal(status_when_failed(scene, "x-client: ada"), 500);
    assert_int_equal(status_when_failed(scene, "x-client: ada\nx-plan: gold"), 200);
}

static void a_name_of_another_tenant_or_class_is_another_client(void **state)
{
    Scene *scene = scene_again(state, TRUSTING);
    trusted_get(scene, "x-client: ada\nx-tenant: red\nx-class: gold");
    answer(instance(scene), ITEM);
    assert_int_equal(status_when_failed(scene, "x-client: ada\nx-tenant: blue\nx-class: gold"),
                     500);
    assert_int_equal(status_when_failed(scene, "x-client: ada\nx-tenant: red\nx-class: iron"), 500);
    assert_int_equal(status_when_failed(scene, "x-client: ada\nx-tenant: red"), 500);
    assert_int_equal(status_when_failed(scene, "x-client: ada\nx-tenant: gold\nx-class: red"), 500);
    assert_int_equal(status_when_failed(scene, "x-client: ada"), 500);
    assert_int_equal(status_when_failed(scene, "x-client: ada\nx-tenant: red\nx-class: gold"), 200);
}

static void what_the_service_denies_is_no_longer_kept(void **state)
{
    static const struct {
        int code;
        bool kept;
    } rows[] = {{3, true}, {5, false}, {7, false}, {9, true}, {13, true}, {16, false}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        Scene *scene = scene_again(state, KEEPING);
        get_item(scene, OF_ADA);
        answer(instance(scene), ITEM);
        get_item(scene, "authorization: Bearer bob");
        answer(instance(scene), ITEM);
        get_item(scene, OF_ADA);
        answer_error(instance(scene), rows[i].code, "oops");
        Peer *client = fail_item(scene, OF_ADA);
        if ((*said(client, "grpc-status") == '0') != rows[i].kept)
            fail_msg("after %d: %s", rows[i].code, rows[i].kept ? "not kept" : "kept");
        assert_kept(fail_item(scene, "authorization: Bearer bob"),
                    "UPSTREAM_STATUS; by=stale; age=0", ITEM);
    }
}

static void a_request_that_must_not_be_stored_is_denied_as_well(void **state)
{
    Scene *scene = scene_again(state, KEEPING);
    get_item(scene, OF_ADA);
    answer(instance(scene), ITEM);
    get_item(scene, OF_ADA "\ncache-control: no-store");
    answer_error(instance(scene), 7, "no");
    assert_not_kept(fail_item(scene, OF_ADA));
}

static void answer_item(Scene *scene, const char *head, const char *trailers)
{
    answer_head(instance(scene), 200,
                arena_printf(scene->arena, "content-type: application/grpc\n%s", head), -1, false);
    say_frame(instance(scene), ITEM);
    answer_trailers(instance(scene), arena_printf(scene->arena, "grpc-status: 0\n%s", trailers));
}

static void a_newer_response_that_may_not_be_kept_takes_the_place_of_the_last(void **state)
{
    Scene *scene = scene_again(state, KEEPING);
    get_item(scene, OF_ADA);
    answer(instance(scene), ITEM);
    get_item(scene, OF_ADA);
    answer_item(scene, "cache-control: no-store", "");
    assert_not_kept(fail_item(scene, OF_ADA));
}

static void trailers_count_as_the_head_does(void **state)
{
    static const char *const forbidding[] = {"vary: accept-language", "vary: cookie\nvary: *"};
    for (size_t i = 0; i < sizeof forbidding / sizeof *forbidding; i++) {
        Scene *scene = scene_again(state, KEEPING);
        get_item(scene, OF_ADA);
        answer_item(scene, "", forbidding[i]);
        Peer *client = fail_item(scene, OF_ADA);
        if (strcmp(said(client, "grpc-status"), "13") != 0)
            fail_msg("kept with %s", forbidding[i]);
    }
    Scene *scene = scene_again(state, KEEPING);
    get_item(scene, OF_ADA);
    answer_item(scene, "", "vary: cookie");
    assert_kept(fail_item(scene, OF_ADA), "UPSTREAM_STATUS; by=stale; age=0", ITEM);
}

static Peer *get_car(Scene *scene, const char *path)
{
    return ask(scene, "GET", path, "", BYTES_NONE);
}

static void answer_car(Scene *scene, const char *fields)
{
    answer_head(instance(scene), 200,
                arena_printf(scene->arena, "content-type: application/grpc\n%s", fields), -1,
                false);
    say_frame(instance(scene), CAR_V3);
    answer_trailers(instance(scene), "grpc-status: 0");
}

static void public_responses_are_shared_by_such_clients(void **state)
{
    Scene *scene = scene_again(state, KEEPING);
    get_car(scene, "/v1/cars/x");
    answer_car(scene, "");
    Peer *client = get_car(scene, "/v1/cars/x");
    answer_error(instance(scene), 13, "oops");
    assert_int_equal(client->head.status, 200);
    assert_body(client, BYTES("{\"name\":\"x\",\"owner\":\"bob\",\"doors\":4}"));
    assert_string_equal(field_of(client, "passerelle-degraded"),
                        "UPSTREAM_STATUS; by=stale; age=0");
    client = get_car(scene, "/v1/cars/y");
    answer_error(instance(scene), 13, "oops");
    assert_int_equal(client->head.status, 500);
}

static Peer *get_car_of(Scene *scene, const char *host, const char *fields)
{
    Peer *client = client_new(scene, http2_client_new, http2_server_new);
    client->authority = host;
    client_head(client, "GET", "/v1/cars/x", fields, -1, true);
    return client;
}

static void public_responses_are_of_one_host_and_one_origin(void **state)
{
    static const struct {
        const char *host, *fields;
        unsigned status;
    } rows[] = {
        {"evil.example", "origin: https://a.example", 500},
        {"example.com", "origin: https://evil.example", 500},
        {"example.com", "", 500},
        {"example.com", "origin: https://a.example", 200},
        {"example.com", "origin: https://a.example\nauthorization: \ncookie:", 200},
    };
    Scene *scene = scene_again(state, KEEPING);
    get_car_of(scene, "example.com", "origin: https://a.example");
    answer_car(scene, "vary: origin");
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        Peer *client = get_car_of(scene, rows[i].host, rows[i].fields);
        answer_error(instance(scene), 13, "oops");
        if (client->head.status != rows[i].status)
            fail_msg("%s, %s: %u", rows[i].host, rows[i].fields, client->head.status);
    }
}

static void what_caches_may_not_have_is_not_kept(void **state)
{
    static const struct {
        const char *fields;
        bool anonymous, with_client; /* it is kept of */
    } rows[] = {
        {"cache-control: max-age=0", true, true},
        {"cache-control: No-Store", false, false},
        {"cache-control: max-age=0, no-store", false, false},
        {"cache-control: public\ncache-control: no-store", false, false},
        {"cache-control: No-Cache", false, false},
        {"cache-control: no-cache=\"set-cookie\"", false, false},
        {"cache-control: max-age=9, must-revalidate", false, false},
        {"cache-control: proxy-revalidate", false, false},
        {"cache-control: s-maxage=60", false, false},
        {"cache-control: private", false, true},
        {"cache-control: private=\"x\"", false, true},
        {"cache-control: no-storey, x-private", true, true},
        {"vary: accept-encoding , Cookie", true, true},
        {"vary: accept-language", false, false},
        {"vary: *", false, false},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        for (int own = 0; own < 2; own++) {
            Scene *scene = scene_again(state, KEEPING);
            const char *fields = own ? OF_ADA : "";
            ask(scene, "GET", "/v1/cars/x", fields, BYTES_NONE);
            answer_car(scene, rows[i].fields);
            Peer *client = ask(scene, "GET", "/v1/cars/x", fields, BYTES_NONE);
            answer_error(instance(scene), 13, "oops");
            bool kept = own ? rows[i].with_client : rows[i].anonymous;
            if ((client->head.status == 200) != kept)
                fail_msg("%s: %s", rows[i].fields, kept ? "not kept" : "kept");
        }
}

static void a_request_that_must_not_be_stored_leaves_nothing(void **state)
{
    Scene *scene = scene_again(state, KEEPING);
    get_item(scene, OF_ADA "\ncache-control: no-store");
    answer(instance(scene), ITEM);
    assert_not_kept(fail_item(scene, OF_ADA));
}

static void a_degraded_response_is_not_kept(void **state)
{
    Scene *scene = scene_again(state, TWO_VERSIONS OLDER_OF("yard.Yard/Get", ", stale: 10m"));
    get_item(scene, OF_ADA);
    answer_error(instance(scene), 13, "oops");
    answer(instance(scene), ITEM_V2);
    get_item(scene, OF_ADA);
    answer_error(instance(scene), 13, "oops");
    Peer *client = instance(scene);
    answer_error(client, 13, "oops");
    assert_record(scene, "INTERNAL UPSTREAM_STATUS, 2 sent: 7101 INTERNAL, 7102 INTERNAL");
}

/* As another config would have it. */
static void change_contracts(Scene *scene, int more)
{
    const Method *get = table_get(&scene->config->methods, bytes_of(GET_ITEM));
    scene->config->contracts += (uint64_t)more;
    method_extras(scene->config->arena, (Method *)(uintptr_t)get)->contract += (uint64_t)more;
}

static void nothing_outlives_a_change_of_schemas(void **state)
{
    Scene *scene = scene_again(state, KEEPING);
    get_item(scene, OF_ADA);
    answer(instance(scene), ITEM);
    fallbacks_use(scene->fallbacks, scene->config); /* the same ones */
    assert_kept(fail_item(scene, OF_ADA), "UPSTREAM_STATUS; by=stale; age=0", ITEM);
    change_contracts(scene, 1);
    assert_not_kept(fail_item(scene, OF_ADA));
    change_contracts(scene, -1);
    assert_kept(fail_item(scene, OF_ADA), "UPSTREAM_STATUS; by=stale; age=0", ITEM);
    change_contracts(scene, 1);
    fallbacks_use(scene->fallbacks, scene->config);
    change_contracts(scene, -1);
    assert_not_kept(fail_item(scene, OF_ADA));
}

static void a_compressed_response_is_kept_for_clients_that_take_none(void **state)
{
    Scene *scene = scene_again(state, KEEPING);
    get_item(scene, OF_ADA "\ngrpc-accept-encoding: gzip");
    Buffer packed = buffer_in(scene->arena);
    assert_ok(scene->arena, compress_message(scene->arena, COMPRESSION_GZIP, ITEM, &packed));
    answer_head(instance(scene), 200, "content-type: application/grpc\ngrpc-encoding: gzip", -1,
                false);
    Bytes frame = framed(scene, buffer_bytes(&packed));
    ((uint8_t *)(uintptr_t)frame.data)[0] = 1; /* compressed */
    say(instance(scene), frame);
    answer_trailers(instance(scene), "grpc-status: 0");
    assert_kept(fail_item(scene, OF_ADA), "UPSTREAM_STATUS; by=stale; age=0", ITEM);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        SCENE_TEST(an_instance_of_another_version_stands_in),
        SCENE_TEST(what_the_instance_says_to_caches_does_not_outlive_a_fallback),
        SCENE_TEST(an_error_of_the_other_version_leaves_the_first_one),
        SCENE_TEST(a_fault_of_the_other_version_leaves_the_instance_of_the_first_one),
        SCENE_TEST(without_budget_the_other_version_is_not_asked_and_the_error_says_so),
        SCENE_TEST(nor_when_the_fallback_before_it_has_no_response),
        SCENE_TEST(nor_when_half_of_the_time_has_passed),
        SCENE_TEST(after_the_other_version_comes_the_next_fallback),
        SCENE_TEST(garbage_of_one_version_is_made_good_by_another),
        SCENE_TEST(garbage_has_one_name_in_the_response_and_the_record),
        SCENE_TEST(a_retry_is_made_good_by_an_instance_of_the_same_version),
        SCENE_TEST(a_retry_returns_to_the_only_instance_of_its_version),
        SCENE_TEST(an_error_of_the_other_version_behind_retries_does_not_count),
        SCENE_TEST(where_its_version_is_gone_a_retry_is_an_attempt_of_the_fallback),
        SCENE_TEST(without_that_fallback_it_goes_where_a_new_call_goes),
        SCENE_TEST(what_no_instance_has_seen_may_go_to_another_version),
        SCENE_TEST(a_second_attempt_beside_a_slow_one_is_at_its_version),
        SCENE_TEST(those_that_wait_for_a_call_that_gets_an_error_ask_at_once),
        SCENE_TEST(those_that_wait_for_a_call_whose_response_is_broken_ask_at_once),
        SCENE_TEST(one_of_those_that_wait_takes_the_place_of_a_call_without_time),
        SCENE_TEST(half_of_the_time_is_kept_to_ask_without_an_equal_call),
        SCENE_TEST(half_of_the_time_is_kept_for_another_version),
        SCENE_TEST(both_versions_together_have_one_deadline),
        SCENE_TEST(without_an_instance_of_another_version_the_slow_one_has_all_of_the_time),
        SCENE_TEST(a_request_that_may_have_had_an_effect_is_not_sent_to_another_version),
        SCENE_TEST(a_stream_that_cannot_begin_comes_from_another_version),
        SCENE_TEST(a_stream_of_another_version_that_breaks_ends_as_any_other),
        SCENE_TEST(a_fallback_that_is_skipped_is_an_empty_success),
        SCENE_TEST(the_last_good_response_stands_in_with_its_age),
        SCENE_TEST(a_response_that_is_too_old_does_not_stand_in),
        SCENE_TEST(nobody_gets_the_response_of_another_client),
        SCENE_TEST(another_request_has_another_response),
        SCENE_TEST(of_a_client_that_nothing_tells_apart_nothing_is_kept),
        SCENE_TEST(empty_credentials_are_none),
        SCENE_TEST(a_name_with_another_claim_is_another_client),
        SCENE_TEST(a_name_of_another_tenant_or_class_is_another_client),
        SCENE_TEST(what_the_service_denies_is_no_longer_kept),
        SCENE_TEST(a_request_that_must_not_be_stored_is_denied_as_well),
        SCENE_TEST(a_newer_response_that_may_not_be_kept_takes_the_place_of_the_last),
        SCENE_TEST(trailers_count_as_the_head_does),
        SCENE_TEST(public_responses_are_shared_by_such_clients),
        SCENE_TEST(public_responses_are_of_one_host_and_one_origin),
        SCENE_TEST(what_caches_may_not_have_is_not_kept),
        SCENE_TEST(a_request_that_must_not_be_stored_leaves_nothing),
        SCENE_TEST(a_degraded_response_is_not_kept),
        SCENE_TEST(nothing_outlives_a_change_of_schemas),
        SCENE_TEST(a_compressed_response_is_kept_for_clients_that_take_none),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
