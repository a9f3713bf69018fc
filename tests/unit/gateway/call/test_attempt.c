#include "base/clock.h"
#include "base/text/date.h"
#include "tests/unit/gateway/call/scene.h"

/* ---- Failing and trying again ---------------------------------------------------------------- */

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
    assert_int_equal(scene->healed[HEALING_RETRY], 1);
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

static void who_waits_long_for_a_connection_goes_to_another_instance(void **state)
{
    Scene *scene = *state;
    scene_upstream(scene, 7101)->want = WANT_WAITS;
    Peer *client = ask_grpc(scene, MAKE_ITEM, ITEM);
    scene_connect_is_late(scene, 7101);
    assert_null(scene_upstream(scene, 7101)->wait);
    answer(instance(scene), ITEM);
    assert_string_equal(said(client, "grpc-status"), "0");
    assert_record(scene, "OK, 1 sent: 7101 UNAVAILABLE, 7102 OK");
    assert_int_equal(scene->counted[COUNTER_RETRIES], 1);
}

static void where_no_other_one_is_up_it_is_waited_for(void **state)
{
    Scene *scene = *state;
    scene_upstream(scene, 7101)->want = WANT_WAITS;
    scene_upstream(scene, 7102)->state = UPSTREAM_DOWN;
    scene_upstream(scene, 7102)->worth_a_try = true;
    Peer *client = ask_grpc(scene, MAKE_ITEM, ITEM);
    scene_connect_is_late(scene, 7101);
    scene_connect(scene, 7101);
    answer(instance(scene), ITEM);
    assert_string_equal(said(client, "grpc-status"), "0");
    assert_record(scene, "OK, 1 sent: 7101 OK");
    assert_int_equal(scene->counted[COUNTER_RETRIES], 0);
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

static void the_first_refusal_is_not_counted_and_the_others_are(void **state)
{
    Scene *scene = *state;
    Peer *client = ask_grpc(scene, MAKE_ITEM, ITEM);
    break_off(instance(scene), 7);
    assert_int_equal(n_instances(scene), 2);
    break_off(instance(scene), 7);
    assert_int_equal(n_instances(scene), 2); /* it waits */
    scene_back_off(scene);
    break_off(instance(scene), 7);
    assert_true(client->ended);
    assert_string_equal(said(client, "grpc-status"), "14");
    assert_record(scene, "UNAVAILABLE UPSTREAM_REFUSED, 3 sent: "
                         "7101 UNAVAILABLE, 7102 UNAVAILABLE, 7101 UNAVAILABLE");
}

static void a_repeatable_method_is_asked_again_after_a_reset(void **state)
{
    Scene *scene = *state;
    ask_grpc(scene, GET_ITEM, GET_X);
    break_off(instance(scene), 2);
    scene_back_off(scene);
    answer(instance(scene), ITEM);
    assert_record(scene, "OK, 2 sent: 7101 UNAVAILABLE, 7102 OK");
}

static void it_is_asked_again_where_only_the_same_instance_is_left(void **state)
{
    Scene *scene = *state;
    scene_upstream(scene, 7102)->state = UPSTREAM_DOWN;
    ask_grpc(scene, GET_ITEM, GET_X);
    break_off(instance(scene), 2);
    scene_back_off(scene);
    answer(instance(scene), ITEM);
    assert_record(scene, "OK, 2 sent: 7101 UNAVAILABLE, 7101 OK");
}

static void it_is_asked_no_more_than_the_route_allows(void **state)
{
    Scene *scene = *state;
    Peer *client = ask_grpc(scene, GET_ITEM, GET_X);
    break_off(instance(scene), 2);
    scene_back_off(scene);
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
    scene_back_off(scene);
    answer(instance(scene), ITEM);
    assert_record(scene, "OK, 2 sent: 7101 UNAVAILABLE, 7102 OK");
}

static void garbage_on_the_connection_is_a_reset(void **state)
{
    Scene *scene = *state;
    ask_grpc(scene, GET_ITEM, GET_X);
    Peer *at = instance(scene);
    http_connection_lost(at->gateway, FAIL(scene->arena, FAULT_UPSTREAM_PROTOCOL, "no HTTP"));
    scene_pump(scene);
    scene_back_off(scene);
    answer(instance(scene), ITEM);
    assert_record(scene, "OK, 2 sent: 7101 INTERNAL, 7102 OK");
}

static void an_answer_that_breaks_off_within_its_message_is_asked_for_again(void **state)
{
    Scene *scene = *state;
    Peer *client = ask_grpc(scene, GET_ITEM, GET_X);
    answer_grpc_head(instance(scene));
    say(instance(scene), BYTES("\0\0\0\0\x09\n\1"));
    break_off(instance(scene), 2);
    scene_back_off(scene);
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
    scene_back_off(scene);
    answer(instance(scene), ITEM);
    assert_string_equal(said(client, "grpc-status"), "0");
    assert_record(scene, "OK, 2 sent: 7101 UNAVAILABLE, 7102 OK");
}

static void unavailable_is_asked_again_where_only_the_same_instance_is_left(void **state)
{
    Scene *scene = *state;
    scene_upstream(scene, 7102)->state = UPSTREAM_DOWN;
    Peer *client = ask_grpc(scene, GET_ITEM, GET_X);
    answer_error(instance(scene), 14, "closed today");
    scene_back_off(scene);
    answer_error(instance(scene), 14, "closed still");
    assert_string_equal(said(client, "grpc-status"), "14");
    assert_string_equal(said(client, "grpc-message"), "closed still");
    assert_record(scene, "UNAVAILABLE UPSTREAM_STATUS, 2 sent: 7101 UNAVAILABLE, 7101 UNAVAILABLE");
}

static void unavailable_with_nobody_left_gives_the_services_own_message(void **state)
{
    Scene *scene = *state;
    scene_upstream(scene, 7102)->state = UPSTREAM_DOWN;
    Peer *client = ask_grpc(scene, GET_ITEM, GET_X);
    answer_error(instance(scene), 14, "closed today");
    scene_upstream(scene, 7101)->state = UPSTREAM_DOWN;
    scene_back_off(scene);
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
    scene_back_off(scene);
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

/* ---- What is known of instances -------------------------------------------------------------- */

static void assert_counts(Scene *scene, int port, unsigned calls, unsigned failures, unsigned timed)
{
    InstanceCounts *counts = &scene_upstream(scene, port)->counts;
    assert_int_equal(counts->calls, calls);
    assert_int_equal(counts->failures, failures);
    assert_int_equal(counts->timed, timed);
    memset(counts, 0, sizeof *counts);
}

static void errors_count_against_an_instance_unless_they_are_the_callers(void **state)
{
    static const struct {
        int code;
        unsigned failures;
    } rows[] = {{2, 1}, {3, 0},  {4, 1},  {5, 0},  {6, 0},  {7, 0},
                {9, 0}, {11, 0}, {12, 1}, {13, 1}, {15, 1}, {16, 0}};
    Scene *scene = *state;
    scene_upstream(scene, 7102)->state = UPSTREAM_DOWN;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        ask_grpc(scene, MAKE_ITEM, ITEM);
        scene_pass(scene, 7);
        answer_error(instance(scene), rows[i].code, "no");
        assert_counts(scene, 7101, 1, rows[i].failures, 1);
    }
}

static void quotas_and_conflicts_of_clients_count_neither_for_nor_against_an_instance(void **state)
{
    static const int codes[] = {8, 10};
    Scene *scene = *state;
    scene_upstream(scene, 7102)->state = UPSTREAM_DOWN;
    for (size_t i = 0; i < sizeof codes / sizeof *codes; i++) {
        ask_grpc(scene, MAKE_ITEM, ITEM);
        scene_pass(scene, 7);
        answer_error(instance(scene), codes[i], "no");
        assert_counts(scene, 7101, 0, 0, 1);
    }
}

static void each_attempt_counts_for_its_own_instance(void **state)
{
    Scene *scene = *state;
    ask_grpc(scene, GET_ITEM, GET_X);
    scene_pass(scene, 7);
    break_off(instance(scene), 2);
    scene_back_off(scene);
    scene_pass(scene, 7);
    answer(instance(scene), ITEM);
    assert_counts(scene, 7101, 1, 1, 0);
    assert_counts(scene, 7102, 1, 0, 1);
}

static void what_was_not_sent_does_not_count(void **state)
{
    Scene *scene = *state;
    scene_upstream(scene, 7101)->want = scene_upstream(scene, 7102)->want = WANT_WAITS;
    ask_grpc(scene, GET_ITEM, GET_X);
    scene_connect_fails(scene, 7101);
    scene_connect_fails(scene, 7102);
    assert_counts(scene, 7101, 0, 0, 0);
    assert_counts(scene, 7102, 0, 0, 0);
}

static void what_the_client_cancels_does_not_count(void **state)
{
    Scene *scene = *state;
    Peer *client = ask_grpc(scene, GET_ITEM, GET_X);
    scene_pass(scene, 7);
    break_off(client, 8);
    assert_record(scene, "CANCELLED CANCELLED, 1 sent: 7101 CANCELLED");
    assert_counts(scene, 7101, 0, 0, 0);
}

/* A call whose deadline passes. */
static void call_in_vain(Scene *scene, const char *method, int milliseconds)
{
    const char *timeout = arena_printf(scene->arena, "grpc-timeout: %dm", milliseconds);
    Peer *client = begin_grpc(scene, method, timeout);
    say_frame(client, GET_X);
    say_end(client);
    scene_pass(scene, milliseconds + 1);
}

/* One instance, whose good responses take 7 ms. */
static Scene *responsive_scene(void **state)
{
    Scene *scene = *state;
    scene_upstream(scene, 7102)->state = UPSTREAM_DOWN;
    ask_grpc(scene, GET_ITEM, GET_X);
    scene_pass(scene, 7);
    answer(instance(scene), ITEM);
    assert_counts(scene, 7101, 1, 0, 1);
    return scene;
}

static void an_instance_that_does_not_respond_in_time_has_failed_and_taken_that_time(void **state)
{
    Scene *scene = responsive_scene(state);
    call_in_vain(scene, GET_ITEM, 14);
    assert_counts(scene, 7101, 1, 1, 1);
}

static void a_deadline_that_left_less_than_twice_the_usual_time_says_nothing(void **state)
{
    Scene *scene = responsive_scene(state);
    call_in_vain(scene, GET_ITEM, 13);
    assert_counts(scene, 7101, 0, 0, 0);
}

static void a_deadline_says_nothing_of_a_method_that_has_not_responded_yet(void **state)
{
    Scene *scene = responsive_scene(state);
    call_in_vain(scene, MAKE_ITEM, 1000);
    assert_counts(scene, 7101, 0, 0, 0);
}

static void an_error_just_before_a_short_deadline_says_nothing(void **state)
{
    static const struct {
        int timeout, after;
        unsigned calls;
    } rows[] = {{13, 2, 1}, {13, 4, 0}, {14, 13, 1}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        Scene *scene = responsive_scene(state);
        const char *timeout = arena_printf(scene->arena, "grpc-timeout: %dm", rows[i].timeout);
        Peer *client = begin_grpc(scene, GET_ITEM, timeout);
        say_frame(client, GET_X);
        say_end(client);
        scene_pass(scene, rows[i].after);
        answer_error(instance(scene), 13, "no");
        assert_counts(scene, 7101, rows[i].calls, rows[i].calls, 1);
        scene_pass(scene, 20);
    }
}

static void a_stream_counts_without_its_time(void **state)
{
    Scene *scene = *state;
    ask_grpc(scene, WATCH_ITEM, GET_X);
    scene_pass(scene, 7);
    answer(instance(scene), ITEM);
    assert_counts(scene, 7101, 1, 0, 0);
}

/* ---- When ------------------------------------------------------------------------------------ */

#define WITH(route) SCENE_INSTANCES_TEXT "routes:\n  - {match: yard, " route "}\n"
#define TWO_AND(settings)                                                                          \
    LISTEN "services:\n" YARD "      - {address: '127.0.0.1:7101', versions: [v1]}\n"              \
           "      - {address: '127.0.0.1:7102', versions: [v1]}\n" settings
#define NO_LEAST "    retry_budget: {percent: 20, at_least: 0}\n"

static void where_all_were_tried_the_one_that_failed_just_now_comes_last(void **state)
{
    for (uint64_t seed = 0; seed < 8; seed++) {
        Scene *scene = scene_again(
            state, WITH("attempts: 5, retry: {initial_backoff: 1ms, max_backoff: 2ms}"));
        random_seed_fixed(&scene->loop.random, seed);
        ask_grpc(scene, GET_ITEM, GET_X);
        for (int i = 0; i < 4; i++) {
            const Instance *latest = instance(scene)->instance;
            break_off(instance(scene), 2);
            scene_back_off(scene);
            assert_ptr_not_equal(instance(scene)->instance, latest);
        }
        answer(instance(scene), ITEM);
    }
}

/* UNAVAILABLE, with more fields: Trailers-Only. */
static void answer_unavailable(Peer *peer, const char *more)
{
    const char *fields = arena_printf(peer->scene->arena,
                                      "content-type: application/grpc\ngrpc-status: 14\n%s", more);
    answer_head(peer, 200, fields, -1, true);
}

static void assert_asked(const Scene *scene, uint32_t n)
{
    assert_int_equal(n_instances(scene), n);
}

static void a_retry_waits_and_the_next_one_longer(void **state)
{
    enum { TIMES = 40 };
    int longer = 0;
    for (int i = 0; i < TIMES; i++) {
        Scene *scene = scene_again(state, WITH("attempts: 3"));
        random_seed_fixed(&scene->loop.random, (uint64_t)i);
        ask_grpc(scene, GET_ITEM, GET_X);
        break_off(instance(scene), 2);
        assert_asked(scene, 1);
        scene_back_off(scene);
        assert_asked(scene, 2);
        break_off(instance(scene), 2);
        scene_back_off(scene);
        longer += n_instances(scene) == 2;
        scene_pass(scene, 100);
        assert_asked(scene, 3);
        answer(instance(scene), ITEM);
    }
    assert_in_range(longer, TIMES / 4, TIMES * 3 / 4);
}

static void a_route_says_how_long(void **state)
{
    Scene *scene =
        scene_again(state, WITH("attempts: 10, retry: {initial_backoff: 1ms, max_backoff: 2ms}"));
    ask_grpc(scene, GET_ITEM, GET_X);
    for (uint32_t i = 1; i < 10; i++) {
        break_off(instance(scene), 2);
        scene_pass(scene, 3);
        assert_asked(scene, i + 1);
    }
    answer(instance(scene), ITEM);
}

static void assert_asked_after(Scene *scene, int64_t milliseconds)
{
    uint32_t n = n_instances(scene);
    scene_pass(scene, milliseconds - 1);
    assert_asked(scene, n);
    scene_pass(scene, 2);
    assert_asked(scene, n + 1);
}

static void a_pushback_says_when(void **state)
{
    Scene *scene = scene_again(state, WITH("attempts: 3, retry: {max_backoff: 5s}"));
    ask_grpc(scene, GET_ITEM, GET_X);
    answer_unavailable(instance(scene), "grpc-retry-pushback-ms: 5000");
    assert_asked_after(scene, 5000);
    answer_grpc_head(instance(scene));
    answer_trailers(instance(scene), "grpc-status: 14\ngrpc-retry-pushback-ms: 7");
    assert_asked_after(scene, 7);
    answer(instance(scene), ITEM);
    assert_record(scene, "OK, 3 sent: 7101 UNAVAILABLE, 7102 UNAVAILABLE, 7101 OK");
}

static void after_a_pushback_the_waits_begin_anew(void **state)
{
    for (uint64_t seed = 0; seed < 20; seed++) {
        Scene *scene = scene_again(state, WITH("attempts: 4"));
        random_seed_fixed(&scene->loop.random, seed);
        ask_grpc(scene, GET_ITEM, GET_X);
        answer_unavailable(instance(scene), "");
        scene_back_off(scene);
        answer_unavailable(instance(scene), "grpc-retry-pushback-ms: 1");
        scene_pass(scene, 2);
        answer_unavailable(instance(scene), "");
        scene_back_off(scene); /* else it would be up to 400 ms */
        assert_asked(scene, 4);
        answer(instance(scene), ITEM);
    }
}

static void a_negative_pushback_forbids_it_and_is_told(void **state)
{
    static const char *const never[] = {"-1", "-5000", "soon", "1.5", "01"};
    for (size_t i = 0; i < sizeof never / sizeof *never; i++) {
        Scene *scene = *state;
        Peer *client = ask_grpc(scene, GET_ITEM, GET_X);
        answer_unavailable(instance(scene),
                           arena_printf(scene->arena, "grpc-retry-pushback-ms: %s", never[i]));
        assert_asked(scene, 1);
        assert_string_equal(field_of(client, "passerelle-not-retried"), "pushback");
        assert_string_equal(said(client, "grpc-status"), "14");
        assert_int_equal(scene->records[0].retry_refused, RETRY_REFUSED_PUSHBACK);
        scene_clear(scene);
    }
}

static void assert_says(const Peer *client, const char *text)
{
    if (!memmem(client->body.data, client->body.size, text, strlen(text)))
        fail_msg("%s is not in %.*s", text, (int)client->body.size, client->body.data);
}

static void a_negative_pushback_forbids_it_to_clients_of_rest_and_connect_too(void **state)
{
    Scene *scene = *state;
    Peer *client = ask(scene, "GET", "/v1/items/x", "", BYTES_NONE);
    answer_unavailable(instance(scene), "grpc-retry-pushback-ms: -1");
    assert_int_equal(client->head.status, 503);
    assert_says(client, "\"retryable\":false");
    assert_string_equal(field_of(client, "retry-after"), "");
    client = ask(scene, "POST", GET_ITEM, "content-type: application/json", BYTES("{}"));
    answer_unavailable(instance(scene), "grpc-retry-pushback-ms: -1");
    assert_says(client, "{\"code\":\"unavailable\"");
    assert_says(client, "google.rpc.ErrorInfo");
}

static void what_must_not_be_repeated_says_so_to_clients_of_connect(void **state)
{
    Scene *scene = *state;
    Peer *client = ask(scene, "POST", MAKE_ITEM, "content-type: application/json", BYTES("{}"));
    answer_unavailable(instance(scene), "");
    assert_says(client, "{\"code\":\"unavailable\"");
    assert_says(client, "google.rpc.ErrorInfo");
    client = ask(scene, "POST", MAKE_ITEM, "content-type: application/json", BYTES("{}"));
    answer_error(instance(scene), 9, "not now");
    assert_null(memmem(client->body.data, client->body.size, "ErrorInfo", 9));
}

static void a_pushback_is_retry_after_to_clients_of_rest_and_connect(void **state)
{
    static const struct {
        const char *milliseconds, *seconds;
    } rows[] = {{"0", "0"}, {"1", "1"}, {"5000", "5"}, {"5001", "6"}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        Scene *scene = scene_again(state, WITH("attempts: 1"));
        const char *pushback =
            arena_printf(scene->arena, "grpc-retry-pushback-ms: %s", rows[i].milliseconds);
        Peer *client = ask(scene, "GET", "/v1/items/x", "", BYTES_NONE);
        answer_unavailable(instance(scene), pushback);
        assert_string_equal(field_of(client, "retry-after"), rows[i].seconds);
        assert_says(client, "\"retryable\":true");
        client = ask(scene, "POST", GET_ITEM, "content-type: application/json", BYTES("{}"));
        answer_unavailable(instance(scene), pushback);
        assert_string_equal(field_of(client, "retry-after"), rows[i].seconds);
        client = ask_grpc(scene, GET_ITEM, GET_X);
        answer_unavailable(instance(scene), pushback);
        assert_string_equal(field_of(client, "retry-after"), "");
        client = ask(scene, "POST", "/v1/items", "content-type: application/json", BYTES("{}"));
        answer_unavailable(instance(scene), pushback);
        assert_string_equal(field_of(client, "retry-after"), "");
        assert_says(client, "\"retryable\":false");
    }
}

static void the_services_own_retry_after_comes_before_its_pushback(void **state)
{
    Scene *scene = scene_again(state, WITH("attempts: 1"));
    Peer *client = ask(scene, "GET", "/v1/items/x", "", BYTES_NONE);
    answer_head(instance(scene), 200, "content-type: application/grpc\nretry-after: 7", -1, false);
    answer_trailers(instance(scene), "grpc-status: 14\ngrpc-retry-pushback-ms: 5000");
    assert_string_equal(field_of(client, "retry-after"), "7");
}

#define REST_INSTANCE YARD_OF("versions: [v1], protocol: rest")

static void retry_after_of_a_rest_instance_says_when(void **state)
{
    Scene *scene =
        scene_again(state, REST_INSTANCE "routes:\n  - {match: yard, retry: {max_backoff: 10s}}\n");
    ask_grpc(scene, GET_ITEM, GET_X);
    answer_head(instance(scene), 503, "retry-after: 3", 0, true);
    assert_asked_after(scene, 3000);
    answer_head(instance(scene), 503, "retry-after: 3", 0, true);
    assert_record(scene, "UNAVAILABLE UPSTREAM_STATUS, 2 sent: 7101 UNAVAILABLE, 7101 UNAVAILABLE");
}

static void it_may_be_a_date(void **state)
{
    Scene *scene =
        scene_again(state, REST_INSTANCE "routes:\n  - {match: yard, retry: {max_backoff: 10s}}\n");
    char date[DATE_HTTP_SIZE];
    ask_grpc(scene, GET_ITEM, GET_X);
    date_write_http(clock_wall() / SECOND + 10, date);
    answer_head(instance(scene), 503,
                arena_printf(scene->arena, "retry-after: %.*s", DATE_HTTP_SIZE, date), 0, true);
    scene_pass(scene, 5000);
    assert_asked(scene, 1);
    scene_pass(scene, 5002);
    assert_asked(scene, 2);
    answer_head(instance(scene), 503, "", 0, true);
}

static void what_could_not_end_before_the_deadline_is_not_begun(void **state)
{
    Scene *scene = *state;
    Peer *client = begin_grpc(scene, GET_ITEM, "grpc-timeout: 1S");
    say_frame(client, GET_X);
    say_end(client);
    answer_unavailable(instance(scene), "grpc-retry-pushback-ms: 1000");
    assert_asked(scene, 1);
    assert_string_equal(field_of(client, "passerelle-not-retried"), "deadline");
    assert_int_equal(scene->records[0].retry_refused, RETRY_REFUSED_DEADLINE);
}

/* ---- How often ------------------------------------------------------------------------------- */

/* Calls that the service answers. */
static void go_well(Scene *scene, int n)
{
    for (; n; n--) {
        ask_grpc(scene, GET_ITEM, GET_X);
        answer(instance(scene), ITEM);
    }
}

static void without_budget_there_is_no_retry_and_the_error_says_so(void **state)
{
    Scene *scene = scene_again(state, TWO_AND(NO_LEAST));
    Peer *client = ask_grpc(scene, GET_ITEM, GET_X);
    break_off(instance(scene), 2);
    assert_asked(scene, 1);
    assert_string_equal(field_of(client, "passerelle-not-retried"), "budget");
    assert_non_null(strstr(said(client, "grpc-message"),
                           "not retried: the retry budget of the service is exhausted"));
    assert_int_equal(scene->records[0].retry_refused, RETRY_REFUSED_BUDGET);
    assert_record(scene, "UNAVAILABLE UPSTREAM_RESET, 1 sent: 7101 UNAVAILABLE");
}

static void while_there_are_too_many_retries_there_are_no_more(void **state)
{
    Scene *scene = scene_again(state, TWO_AND(""));
    scene->healing_stopped = true;
    Peer *client = ask_grpc(scene, GET_ITEM, GET_X);
    break_off(instance(scene), 2);
    assert_asked(scene, 1);
    assert_string_equal(field_of(client, "passerelle-not-retried"), "budget");
    assert_int_equal(scene->healed[HEALING_RETRY], 0);
}

static void an_error_of_the_service_stays_as_it_is(void **state)
{
    Scene *scene = scene_again(state, TWO_AND(NO_LEAST));
    Peer *client = ask_grpc(scene, GET_ITEM, GET_X);
    answer_error(instance(scene), 14, "closed today");
    assert_string_equal(said(client, "grpc-message"), "closed today");
    assert_string_equal(field_of(client, "passerelle-not-retried"), "budget");
}

static void calls_that_go_well_earn_retries(void **state)
{
    Scene *scene = scene_again(state, TWO_AND(NO_LEAST));
    for (int good = 4; good <= 5; good++) {
        go_well(scene, good == 4 ? 4 : 1);
        ask_grpc(scene, GET_ITEM, GET_X);
        uint32_t before = n_instances(scene);
        answer_error(instance(scene), 14, "busy");
        scene_back_off(scene);
        assert_asked(scene, good == 5 ? before + 1 : before);
    }
    answer(instance(scene), ITEM);
}

static void calls_that_fail_earn_none(void **state)
{
    Scene *scene = scene_again(state, TWO_AND(NO_LEAST));
    for (int i = 0; i < 30; i++) {
        ask_grpc(scene, GET_ITEM, GET_X);
        answer_error(instance(scene), 14, "busy");
    }
    assert_int_equal(scene->counted[COUNTER_RETRIES], 0);
    for (int i = 0; i < 5; i++) { /* it serves its callers, who ask for what is not there */
        ask_grpc(scene, GET_ITEM, GET_X);
        answer_error(instance(scene), 5, "no such item");
    }
    ask_grpc(scene, GET_ITEM, GET_X);
    answer_error(instance(scene), 14, "busy");
    scene_back_off(scene);
    assert_int_equal(scene->counted[COUNTER_RETRIES], 1);
    answer(instance(scene), ITEM);
}

/* They wait at the same time, and the budget is for one. */
static void calls_that_wait_have_taken_their_budget(void **state)
{
    Scene *scene = scene_again(state, TWO_AND(NO_LEAST));
    go_well(scene, 5);
    ask_grpc(scene, GET_ITEM, GET_X);
    Peer *first = instance(scene);
    ask_grpc(scene, GET_ITEM, GET_X);
    answer_error(first, 14, "busy");
    answer_error(instance(scene), 14, "busy");
    uint32_t before = n_instances(scene);
    scene_back_off(scene);
    assert_asked(scene, before + 1);
    answer(instance(scene), ITEM);
}

/* Refused by the first instance; in budget for one. */
static void refuse_once(Scene *scene)
{
    go_well(scene, 5);
    ask_grpc(scene, MAKE_ITEM, ITEM);
    break_off(instance(scene), 7);
}

static void a_refusal_that_another_instance_makes_good_costs_nothing(void **state)
{
    Scene *scene = scene_again(state, TWO_AND(NO_LEAST));
    refuse_once(scene);
    answer(instance(scene), ITEM);
    ask_grpc(scene, GET_ITEM, GET_X);
    uint32_t before = n_instances(scene);
    answer_error(instance(scene), 14, "busy");
    scene_back_off(scene);
    assert_asked(scene, before + 1);
    answer(instance(scene), ITEM);
}

static void a_refusal_counts_while_nobody_knows(void **state)
{
    Scene *scene = scene_again(state, TWO_AND(NO_LEAST));
    refuse_once(scene);
    Peer *on_trial = instance(scene);
    Peer *client = ask_grpc(scene, GET_ITEM, GET_X);
    answer_error(instance(scene), 14, "busy");
    assert_string_equal(field_of(client, "passerelle-not-retried"), "budget");
    answer(on_trial, ITEM);
}

static void a_second_refusal_has_cost_a_retry(void **state)
{
    Scene *scene = scene_again(state, TWO_AND(NO_LEAST));
    refuse_once(scene);
    break_off(instance(scene), 7);
    assert_record(scene,
                  "UNAVAILABLE UPSTREAM_REFUSED, 2 sent: 7102 UNAVAILABLE, 7101 UNAVAILABLE");
    Peer *client = ask_grpc(scene, GET_ITEM, GET_X);
    answer_error(instance(scene), 14, "busy");
    assert_string_equal(field_of(client, "passerelle-not-retried"), "budget");
}

/* ---- Attempts of other gateways -------------------------------------------------------------- */

static void an_instance_hears_how_many_attempts_there_were(void **state)
{
    Scene *scene = scene_again(state, WITH("attempts: 3"));
    Peer *client = ask_grpc(scene, GET_ITEM, GET_X);
    for (int i = 0; i < 3; i++) {
        const char *expected = i ? arena_printf(scene->arena, "%d", i) : "";
        assert_string_equal(field_of(instance(scene), "grpc-previous-rpc-attempts"), expected);
        assert_string_equal(field_of(instance(scene), "grpc-transparent-retry-attempts"), "");
        answer_unavailable(instance(scene), "grpc-retry-pushback-ms: 0");
    }
    assert_string_equal(field_of(client, "grpc-previous-rpc-attempts"), "2");
}

static void a_refused_attempt_is_told_as_another_kind(void **state)
{
    Scene *scene = *state;
    Peer *client = ask_grpc(scene, MAKE_ITEM, ITEM);
    break_off(instance(scene), 7);
    assert_string_equal(field_of(instance(scene), "grpc-previous-rpc-attempts"), "");
    assert_string_equal(field_of(instance(scene), "grpc-transparent-retry-attempts"), "1");
    answer(instance(scene), ITEM);
    assert_string_equal(field_of(client, "grpc-previous-rpc-attempts"), "");
}

static Peer *ask_after(Scene *scene, const char *previous)
{
    Peer *client = begin_grpc(
        scene, GET_ITEM, arena_printf(scene->arena, "grpc-previous-rpc-attempts: %s", previous));
    say_frame(client, GET_X);
    say_end(client);
    return client;
}

static void attempts_of_a_gateway_in_front_count(void **state)
{
    Scene *scene = scene_again(state, WITH("attempts: 3"));
    Peer *client = ask_after(scene, "1");
    assert_string_equal(field_of(instance(scene), "grpc-previous-rpc-attempts"), "1");
    answer_unavailable(instance(scene), "grpc-retry-pushback-ms: 0");
    assert_string_equal(field_of(instance(scene), "grpc-previous-rpc-attempts"), "2");
    answer_unavailable(instance(scene), "grpc-retry-pushback-ms: 0");
    assert_asked(scene, 2);
    assert_string_equal(field_of(client, "passerelle-not-retried"), "attempts");
    assert_string_equal(field_of(client, "grpc-previous-rpc-attempts"), "2");
}

static void nobody_gains_by_what_is_said_of_attempts(void **state)
{
    static const struct {
        const char *said;
        uint32_t asked;
    } rows[] = {{"0", 2},
                {"1", 1},
                {"2", 1},
                {"4294967295", 1},
                {"99999999999999999999", 2},
                {"-100", 2},
                {"x", 2},
                {"0, 0", 2},
                {"", 2}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        Scene *scene = *state;
        ask_after(scene, rows[i].said);
        for (uint32_t n = 0; n < rows[i].asked; n++)
            answer_unavailable(instance(scene), "grpc-retry-pushback-ms: 0");
        assert_asked(scene, rows[i].asked);
        assert_record(scene, rows[i].asked == 1
                                 ? "UNAVAILABLE UPSTREAM_STATUS, 1 sent: 7101 UNAVAILABLE"
                                 : "UNAVAILABLE UPSTREAM_STATUS, 2 sent: 7101 "
                                   "UNAVAILABLE, 7102 UNAVAILABLE");
        scene_free(scene);
        *state = scene_new(SCENE_TEXT);
    }
}

static void attempts_of_a_gateway_behind_count(void **state)
{
    for (int behind = 0; behind <= 2; behind++) {
        Scene *scene = scene_again(state, WITH("attempts: 3"));
        Peer *client = ask_grpc(scene, GET_ITEM, GET_X);
        answer_unavailable(instance(scene),
                           arena_printf(scene->arena,
                                        "grpc-retry-pushback-ms: 0\ngrpc-previous-rpc-attempts: %d",
                                        behind));
        assert_asked(scene, behind < 2 ? 2 : 1);
        if (behind < 2) {
            assert_string_equal(field_of(instance(scene), "grpc-previous-rpc-attempts"),
                                behind ? "2" : "1");
            answer(instance(scene), ITEM);
        }
        assert_string_equal(field_of(client, "grpc-previous-rpc-attempts"),
                            behind == 0 ? "1" : "2");
    }
}

/* ---- What clients with policies of their own hear -------------------------------------------- */

static void an_error_after_a_possible_effect_forbids_a_retry_to_grpc_clients(void **state)
{
    Scene *scene = *state;
    Peer *client = ask_grpc(scene, MAKE_ITEM, ITEM);
    break_off(instance(scene), 2);
    assert_string_equal(said(client, "grpc-status"), "14");
    assert_string_equal(trailer_of(client, "grpc-retry-pushback-ms"), "-1");

    client = ask_grpc(scene, MAKE_ITEM, ITEM);
    answer_unavailable(instance(scene), "");
    assert_string_equal(said(client, "grpc-retry-pushback-ms"), "-1");

    client = ask_grpc(scene, MAKE_ITEM, ITEM);
    answer_unavailable(instance(scene), "grpc-retry-pushback-ms: 20"); /* its own word */
    assert_string_equal(said(client, "grpc-retry-pushback-ms"), "20");

    client = ask_grpc(scene, MAKE_ITEM, ITEM);
    answer_error(instance(scene), 5, "no such item");
    assert_string_equal(said(client, "grpc-retry-pushback-ms"), "");
}

static void an_error_without_an_effect_allows_it(void **state)
{
    Scene *scene = scene_again(state, WITH("attempts: 1"));
    Peer *client = ask_grpc(scene, GET_ITEM, GET_X);
    break_off(instance(scene), 2);
    assert_string_equal(said(client, "grpc-status"), "14");
    assert_string_equal(said(client, "grpc-retry-pushback-ms"), "");
    client = ask_grpc(scene, MAKE_ITEM, ITEM);
    break_off(instance(scene), 7);
    break_off(instance(scene), 7);
    assert_string_equal(said(client, "grpc-status"), "14");
    assert_string_equal(said(client, "grpc-retry-pushback-ms"), "");
}

int main(void)
{
#define TEST(name) SCENE_TEST(name)
    const struct CMUnitTest tests[] = {
        TEST(an_instance_that_cannot_be_reached_is_passed_over_and_recorded),
        TEST(where_no_instance_can_be_reached_the_last_failure_is_told),
        TEST(who_waits_long_for_a_connection_goes_to_another_instance),
        TEST(where_no_other_one_is_up_it_is_waited_for),
        TEST(where_all_instances_are_down_nothing_is_tried),
        TEST(a_connection_without_room_is_a_refusal),
        TEST(a_stream_of_requests_that_finds_no_room_goes_elsewhere),
        TEST(a_refusal_is_repeated_whatever_the_method),
        TEST(the_first_refusal_is_not_counted_and_the_others_are),
        TEST(where_all_were_tried_the_one_that_failed_just_now_comes_last),
        TEST(a_repeatable_method_is_asked_again_after_a_reset),
        TEST(it_is_asked_again_where_only_the_same_instance_is_left),
        TEST(it_is_asked_no_more_than_the_route_allows),
        TEST(another_method_is_not_asked_again_after_a_reset),
        TEST(a_lost_connection_is_a_reset),
        TEST(garbage_on_the_connection_is_a_reset),
        TEST(an_answer_that_breaks_off_within_its_message_is_asked_for_again),
        TEST(a_stream_that_breaks_off_behind_its_head_is_not_asked_for_again),
        TEST(a_stream_of_requests_that_was_begun_is_not_sent_again),
        TEST(a_stream_of_requests_of_which_nothing_was_sent_goes_elsewhere),
        TEST(unavailable_is_believed_and_asked_elsewhere),
        TEST(unavailable_is_asked_again_where_only_the_same_instance_is_left),
        TEST(unavailable_with_nobody_left_gives_the_services_own_message),
        TEST(a_reset_with_nobody_left_says_how_many_were_asked),
        TEST(an_error_of_the_service_is_passed_on),
        TEST(a_retry_waits_and_the_next_one_longer),
        TEST(a_route_says_how_long),
        TEST(a_pushback_says_when),
        TEST(after_a_pushback_the_waits_begin_anew),
        TEST(a_negative_pushback_forbids_it_and_is_told),
        TEST(a_negative_pushback_forbids_it_to_clients_of_rest_and_connect_too),
        TEST(what_must_not_be_repeated_says_so_to_clients_of_connect),
        TEST(a_pushback_is_retry_after_to_clients_of_rest_and_connect),
        TEST(the_services_own_retry_after_comes_before_its_pushback),
        TEST(retry_after_of_a_rest_instance_says_when),
        TEST(it_may_be_a_date),
        TEST(what_could_not_end_before_the_deadline_is_not_begun),
        TEST(without_budget_there_is_no_retry_and_the_error_says_so),
        TEST(while_there_are_too_many_retries_there_are_no_more),
        TEST(an_error_of_the_service_stays_as_it_is),
        TEST(calls_that_go_well_earn_retries),
        TEST(calls_that_fail_earn_none),
        TEST(calls_that_wait_have_taken_their_budget),
        TEST(a_refusal_that_another_instance_makes_good_costs_nothing),
        TEST(a_refusal_counts_while_nobody_knows),
        TEST(a_second_refusal_has_cost_a_retry),
        TEST(an_instance_hears_how_many_attempts_there_were),
        TEST(a_refused_attempt_is_told_as_another_kind),
        TEST(attempts_of_a_gateway_in_front_count),
        TEST(nobody_gains_by_what_is_said_of_attempts),
        TEST(attempts_of_a_gateway_behind_count),
        TEST(an_error_after_a_possible_effect_forbids_a_retry_to_grpc_clients),
        TEST(an_error_without_an_effect_allows_it),
        TEST(errors_count_against_an_instance_unless_they_are_the_callers),
        TEST(quotas_and_conflicts_of_clients_count_neither_for_nor_against_an_instance),
        SCENE_TEST(quotas_and_conflicts_of_clients_count_neither_for_nor_against_an_instance),
        TEST(each_attempt_counts_for_its_own_instance),
        TEST(what_was_not_sent_does_not_count),
        TEST(what_the_client_cancels_does_not_count),
        TEST(an_instance_that_does_not_respond_in_time_has_failed_and_taken_that_time),
        TEST(a_deadline_that_left_less_than_twice_the_usual_time_says_nothing),
        TEST(a_deadline_says_nothing_of_a_method_that_has_not_responded_yet),
        TEST(an_error_just_before_a_short_deadline_says_nothing),
        TEST(a_stream_counts_without_its_time),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
