/* Two attempts at once: which response the client gets, whatever either instance does. */
#include "tests/unit/gateway/call/scene.h"

#define HEDGED(route) SCENE_INSTANCES_TEXT "routes:\n  - {match: yard, " route "}\n"
#define AFTER_50 "hedge: {after: 50ms}"

enum { AFTER = 50 };

/* The two instances that a call is at. */
typedef struct Pair {
    Scene *scene;
    Peer *client, *one, *two;
} Pair;

static void assert_asked(const Scene *scene, unsigned n)
{
    assert_int_equal(n_instances(scene), n);
}

static void pass_until_hedge(Scene *scene)
{
    scene_pass(scene, AFTER + 1); /* a timer fires within a millisecond */
}

static Pair ask_both(void **state, const char *path, const char *config)
{
    Pair pair = {.scene = scene_again(state, config)};
    pair.client = ask_grpc(pair.scene, path, GET_X);
    pair.one = instance(pair.scene);
    pass_until_hedge(pair.scene);
    assert_asked(pair.scene, 2);
    pair.two = instance(pair.scene);
    return pair;
}

static Pair get_from_both(void **state)
{
    return ask_both(state, GET_ITEM, HEDGED(AFTER_50));
}

static void assert_counted(const Pair *pair, unsigned hedges, unsigned cancelled)
{
    assert_int_equal(pair->scene->counted[COUNTER_HEDGES], hedges);
    assert_int_equal(pair->scene->healed[HEALING_HEDGE], hedges);
    assert_int_equal(pair->scene->counted[COUNTER_ATTEMPTS_CANCELLED], cancelled);
    assert_int_equal(pair->scene->counted[COUNTER_RETRIES], 0);
}

static void assert_got_item(const Pair *pair)
{
    assert_string_equal(said(pair->client, "grpc-status"), "0");
    assert_body(pair->client, framed(pair->scene, ITEM));
}

/* ---- One answers ----------------------------------------------------------------------------- */

static void another_instance_is_asked_when_the_time_has_passed(void **state)
{
    Scene *scene = scene_again(state, HEDGED(AFTER_50));
    ask_grpc(scene, GET_ITEM, GET_X);
    scene_pass(scene, AFTER - 1);
    assert_asked(scene, 1);
    scene_pass(scene, 2);
    assert_asked(scene, 2);
    assert_body(instance(scene), framed(scene, GET_X));
    answer(instance(scene), ITEM);
}

static void a_response_in_time_leaves_the_others_alone(void **state)
{
    Scene *scene = scene_again(state, HEDGED(AFTER_50));
    ask_grpc(scene, GET_ITEM, GET_X);
    scene_pass(scene, AFTER - 1);
    answer(instance(scene), ITEM);
    scene_pass(scene, 2 * AFTER);
    assert_asked(scene, 1);
    assert_record(scene, "OK, 1 sent: 7101 OK");
    assert_int_equal(scene->counted[COUNTER_HEDGES], 0);
}

static void the_first_wins_and_the_second_is_cancelled(void **state)
{
    Pair pair = get_from_both(state);
    answer(pair.one, ITEM);
    assert_got_item(&pair);
    assert_string_equal(pair.two->reset, "CANCELLED");
    assert_record(pair.scene, "OK, 2 sent: 7101 OK, 7102 CANCELLED");
    assert_string_equal(pair.scene->records[0].instance->address.text, "127.0.0.1:7101");
    assert_counted(&pair, 1, 1);
}

static void the_second_wins_and_the_first_is_cancelled(void **state)
{
    Pair pair = get_from_both(state);
    answer(pair.two, ITEM);
    assert_got_item(&pair);
    assert_string_equal(pair.one->reset, "CANCELLED");
    assert_record(pair.scene, "OK, 2 sent: 7101 CANCELLED, 7102 OK");
    assert_string_equal(pair.scene->records[0].instance->address.text, "127.0.0.1:7102");
    assert_counted(&pair, 1, 1);
}

static void what_was_cancelled_may_still_speak(void **state)
{
    Pair pair = get_from_both(state);
    scene_hold(pair.two, true);
    answer(pair.one, ITEM);
    answer(pair.two, BYTES("\n\1y"));
    scene_hold(pair.two, false);
    scene_pump(pair.scene);
    assert_got_item(&pair);
    assert_record(pair.scene, "OK, 2 sent: 7101 OK, 7102 CANCELLED");
}

static void the_fields_of_the_winner_are_passed_on(void **state)
{
    Pair pair = get_from_both(state);
    answer_head(pair.one, 200, "content-type: application/grpc\nx-by: one", -1, false);
    answer_head(pair.two, 200, "content-type: application/grpc\nx-by: two", -1, false);
    say_frame(pair.two, ITEM);
    answer_trailers(pair.two, "grpc-status: 0");
    assert_string_equal(field_of(pair.client, "x-by"), "two");
    assert_got_item(&pair);
}

static void a_stream_is_of_who_begins_it_first(void **state)
{
    Pair pair = ask_both(state, WATCH_ITEM, HEDGED(AFTER_50));
    answer_grpc_head(pair.two);
    assert_true(pair.client->headed);
    assert_string_equal(pair.one->reset, "CANCELLED");
    say_frame(pair.two, ITEM);
    answer_trailers(pair.two, "grpc-status: 0");
    assert_got_item(&pair);
    assert_record(pair.scene, "OK, 2 sent: 7101 CANCELLED, 7102 OK");
}

/* Its head waits for the first message. */
static void a_stream_of_rest_is_of_who_has_the_first_message(void **state)
{
    Scene *scene = scene_again(state, HEDGED(AFTER_50));
    Peer *client = ask(scene, "GET", "/v1/items/x:watch", "", BYTES_NONE);
    Peer *one = instance(scene);
    pass_until_hedge(scene);
    Peer *two = instance(scene);
    answer_grpc_head(one);
    answer_grpc_head(two);
    assert_false(client->headed);
    say_frame(two, ITEM);
    assert_string_equal(one->reset, "CANCELLED");
    answer_trailers(two, "grpc-status: 0");
    assert_body(client, BYTES(ITEM_JSON "\n"));
}

/* ---- One fails ------------------------------------------------------------------------------- */

static void when_the_first_breaks_off_the_second_is_waited_for(void **state)
{
    Pair pair = get_from_both(state);
    break_off(pair.one, 2);
    assert_false(pair.client->headed);
    answer(pair.two, ITEM);
    assert_got_item(&pair);
    assert_record(pair.scene, "OK, 2 sent: 7101 UNAVAILABLE, 7102 OK");
    assert_counted(&pair, 1, 0);
}

static void when_the_second_breaks_off_the_first_is_waited_for(void **state)
{
    Pair pair = get_from_both(state);
    break_off(pair.two, 2);
    assert_false(pair.client->headed);
    answer(pair.one, ITEM);
    assert_got_item(&pair);
    assert_record(pair.scene, "OK, 2 sent: 7101 OK, 7102 UNAVAILABLE");
    assert_counted(&pair, 1, 0);
}

static void unavailable_is_not_the_response_while_the_other_may_answer(void **state)
{
    Pair pair = get_from_both(state);
    answer_error(pair.two, 14, "closed today");
    assert_false(pair.client->headed);
    answer(pair.one, ITEM);
    assert_got_item(&pair);
    assert_record(pair.scene, "OK, 2 sent: 7101 OK, 7102 UNAVAILABLE");
}

static void any_other_error_of_the_service_is_the_response(void **state)
{
    Pair pair = get_from_both(state);
    answer_error(pair.two, 5, "no such item");
    assert_string_equal(said(pair.client, "grpc-status"), "5");
    assert_string_equal(pair.one->reset, "CANCELLED");
    assert_record(pair.scene, "NOT_FOUND UPSTREAM_STATUS, 2 sent: 7101 CANCELLED, 7102 NOT_FOUND");
    assert_counted(&pair, 1, 1);
}

static void a_response_that_cannot_be_passed_on_does_not_win(void **state)
{
    Pair pair = get_from_both(state);
    answer_grpc_head(pair.one);
    answer_trailers(pair.one, "grpc-status: 0"); /* and no message */
    assert_false(pair.client->headed);
    answer(pair.two, ITEM);
    assert_got_item(&pair);
    assert_record(pair.scene, "OK, 2 sent: 7101 UNIMPLEMENTED, 7102 OK");
}

static void a_head_that_is_none_does_not_win(void **state)
{
    Pair pair = get_from_both(state);
    answer_head(pair.two, 200, "content-type: text/html", -1, false);
    assert_false(pair.client->headed);
    answer(pair.one, ITEM);
    assert_got_item(&pair);
}

/* ---- Both fail ------------------------------------------------------------------------------- */

static void when_both_break_off_the_call_fails(void **state)
{
    Pair pair = get_from_both(state);
    break_off(pair.two, 2);
    break_off(pair.one, 2);
    assert_asked(pair.scene, 2);
    assert_string_equal(said(pair.client, "grpc-status"), "14");
    assert_record(pair.scene,
                  "UNAVAILABLE UPSTREAM_RESET, 2 sent: 7101 UNAVAILABLE, 7102 UNAVAILABLE");
}

static void what_the_service_has_said_comes_before_a_reset(void **state)
{
    for (int first = 0; first < 2; first++) {
        Pair pair = get_from_both(state);
        answer_error(first ? pair.two : pair.one, 14, "closed today");
        break_off(first ? pair.one : pair.two, 2);
        assert_string_equal(said(pair.client, "grpc-status"), "14");
        assert_string_equal(said(pair.client, "grpc-message"), "closed today");
        assert_record(pair.scene,
                      "UNAVAILABLE UPSTREAM_STATUS, 2 sent: 7101 UNAVAILABLE, 7102 UNAVAILABLE");
    }
}

static void of_two_errors_of_the_service_the_last_is_told(void **state)
{
    Pair pair = get_from_both(state);
    answer_error(pair.one, 14, "closed today");
    answer_error(pair.two, 14, "closed for ever");
    assert_string_equal(said(pair.client, "grpc-message"), "closed for ever");
}

static void when_both_fail_the_default_comes(void **state)
{
    Pair pair = ask_both(state, GET_ITEM,
                         SCENE_INSTANCES_TEXT
                         "routes:\n  - {match: yard.Yard/Get, hedge: {after: 50ms}, "
                         "on_failure: {graceful: {default: {name: x}, version: v1}}}\n");
    break_off(pair.one, 2);
    assert_false(pair.client->headed);
    break_off(pair.two, 2);
    assert_string_equal(said(pair.client, "grpc-status"), "0");
    assert_body(pair.client, framed(pair.scene, GET_X));
    assert_record(pair.scene, "OK UPSTREAM_RESET degraded by UPSTREAM_RESET (default), 2 sent: "
                              "7101 UNAVAILABLE, 7102 UNAVAILABLE");
}

static void a_third_attempt_follows_where_the_route_allows_it(void **state)
{
    Pair pair = ask_both(state, GET_ITEM,
                         SCENE_INSTANCES_TEXT
                         "      - {address: '127.0.0.1:7103', versions: [v1]}\n"
                         "routes:\n  - {match: yard, attempts: 3, hedge: {after: 50ms}}\n");
    break_off(pair.two, 2);
    break_off(pair.one, 2);
    assert_asked(pair.scene, 3);
    answer(instance(pair.scene), ITEM);
    assert_got_item(&pair);
    assert_record(pair.scene, "OK, 3 sent: 7101 UNAVAILABLE, 7102 UNAVAILABLE, 7103 OK");
}

/* ---- The call ends --------------------------------------------------------------------------- */

static void nothing(Pair *pair)
{
}

static void head_of_one(Pair *pair)
{
    answer_grpc_head(pair->one);
}

static void heads_of_both(Pair *pair)
{
    answer_grpc_head(pair->one);
    answer_grpc_head(pair->two);
}

static void message_of_two(Pair *pair)
{
    answer_grpc_head(pair->two);
    say_frame(pair->two, ITEM);
}

/* Neither of the two has won yet. */
static void (*const undecided[])(Pair *pair) = {nothing, head_of_one, heads_of_both,
                                                message_of_two};
enum { UNDECIDED = sizeof undecided / sizeof *undecided };

static void a_client_that_leaves_cancels_both(void **state)
{
    for (unsigned i = 0; i < UNDECIDED; i++) {
        Pair pair = get_from_both(state);
        undecided[i](&pair);
        break_off(pair.client, 8);
        assert_string_equal(pair.one->reset, "CANCELLED");
        assert_string_equal(pair.two->reset, "CANCELLED");
        assert_record(pair.scene, "CANCELLED CANCELLED, 2 sent: 7101 CANCELLED, 7102 CANCELLED");
        assert_counted(&pair, 1, 0);
    }
}

static void the_deadline_is_of_both(void **state)
{
    for (unsigned i = 0; i < UNDECIDED; i++) {
        Pair pair = ask_both(state, GET_ITEM, HEDGED("timeout: 100ms, " AFTER_50));
        undecided[i](&pair);
        scene_pass(pair.scene, 100 - AFTER);
        assert_string_equal(said(pair.client, "grpc-status"), "4");
        assert_string_equal(pair.one->reset, "CANCELLED");
        assert_string_equal(pair.two->reset, "CANCELLED");
        assert_record(pair.scene, "DEADLINE_EXCEEDED DEADLINE_EXCEEDED, 2 sent: "
                                  "7101 DEADLINE_EXCEEDED, 7102 DEADLINE_EXCEEDED");
    }
}

static void one_that_failed_keeps_its_outcome_when_the_client_leaves(void **state)
{
    Pair pair = get_from_both(state);
    break_off(pair.one, 2);
    break_off(pair.client, 8);
    assert_record(pair.scene, "CANCELLED CANCELLED, 2 sent: 7101 UNAVAILABLE, 7102 CANCELLED");
}

/* ---- Connecting ------------------------------------------------------------------------------ */

static void a_connection_that_is_not_needed_any_more_is_not_waited_for(void **state)
{
    Scene *scene = scene_again(state, HEDGED(AFTER_50));
    scene_upstream(scene, 7102)->want = WANT_WAITS;
    ask_grpc(scene, GET_ITEM, GET_X);
    pass_until_hedge(scene);
    assert_non_null(scene_upstream(scene, 7102)->wait);
    answer(instance(scene), ITEM);
    assert_null(scene_upstream(scene, 7102)->wait);
    assert_int_equal(scene->n_cancelled, 1);
    assert_record(scene, "OK, 1 sent: 7101 OK");
    assert_int_equal(scene->counted[COUNTER_ATTEMPTS_CANCELLED], 0); /* it was not sent */
}

static void who_waits_for_a_connection_is_helped_by_another_instance(void **state)
{
    Scene *scene = scene_again(state, HEDGED(AFTER_50));
    scene_upstream(scene, 7101)->want = WANT_WAITS;
    ask_grpc(scene, GET_ITEM, GET_X);
    pass_until_hedge(scene);
    answer(instance(scene), ITEM);
    assert_null(scene_upstream(scene, 7101)->wait);
    assert_record(scene, "OK, 1 sent: 7102 OK");
}

#define NO_BUDGET                                                                                  \
    LISTEN "services:\n" YARD "      - {address: '127.0.0.1:7101', versions: [v1]}\n"              \
           "      - {address: '127.0.0.1:7102', versions: [v1]}\n"                                 \
           "    retry_budget: {percent: 20, at_least: 0}\n"                                        \
           "routes:\n  - {match: yard, hedge: {after: 50ms}}\n"

static Scene *connect_late(void **state, const char *config)
{
    Scene *scene = scene_again(state, config);
    scene_upstream(scene, 7101)->want = WANT_WAITS;
    ask_grpc(scene, GET_ITEM, GET_X);
    pass_until_hedge(scene);
    assert_asked(scene, 1);
    return scene;
}

static void an_attempt_in_place_of_one_that_was_not_sent_costs_no_budget(void **state)
{
    Scene *scene = connect_late(state, NO_BUDGET);
    answer(instance(scene), ITEM);
    assert_record(scene, "OK, 1 sent: 7102 OK");
}

static void it_takes_its_place_where_the_budget_does_not_allow_both(void **state)
{
    Scene *scene = connect_late(state, NO_BUDGET);
    Peer *at = instance(scene);
    scene_connect(scene, 7101);
    answer(at, ITEM);
    assert_record(scene, "OK, 1 sent: 7102 OK");
}

static void within_the_budget_both_are_sent(void **state)
{
    Scene *scene = connect_late(state, HEDGED(AFTER_50));
    scene_connect(scene, 7101);
    assert_asked(scene, 2);
    answer(instance(scene), ITEM);
    assert_record(scene, "OK, 2 sent: 7101 OK, 7102 CANCELLED");
}

static void a_second_instance_that_cannot_be_reached_changes_nothing(void **state)
{
    Scene *scene = scene_again(state, HEDGED(AFTER_50));
    scene_upstream(scene, 7102)->want = WANT_WAITS;
    ask_grpc(scene, GET_ITEM, GET_X);
    pass_until_hedge(scene);
    scene_connect_fails(scene, 7102);
    answer(instance(scene), ITEM);
    assert_record(scene, "OK, 1 sent: 7101 OK, 7102 UNAVAILABLE");
}

static void without_another_instance_there_is_no_second_attempt(void **state)
{
    Scene *scene = scene_again(state, HEDGED(AFTER_50));
    scene_upstream(scene, 7102)->state = UPSTREAM_DOWN;
    ask_grpc(scene, GET_ITEM, GET_X);
    pass_until_hedge(scene);
    assert_asked(scene, 1);
    answer(instance(scene), ITEM);
    assert_record(scene, "OK, 1 sent: 7101 OK");
    assert_int_equal(scene->counted[COUNTER_HEDGES], 0);
}

/* ---- Who gets one ---------------------------------------------------------------------------- */

static void methods_with_side_effects_get_none(void **state)
{
    Scene *scene = scene_again(state, HEDGED(AFTER_50));
    ask_grpc(scene, MAKE_ITEM, ITEM);
    pass_until_hedge(scene);
    assert_asked(scene, 1);
    answer(instance(scene), ITEM);
}

static void a_retry_counts_towards_the_attempts(void **state)
{
    Scene *scene = scene_again(state, HEDGED("attempts: 2, " AFTER_50));
    ask_grpc(scene, GET_ITEM, GET_X);
    break_off(instance(scene), 2);
    assert_asked(scene, 2);
    pass_until_hedge(scene);
    assert_asked(scene, 2);
    answer(instance(scene), ITEM);
}

static Pair ask_both_of_three(void **state, const char *attempts)
{
    static char config[1024];
    snprintf(config, sizeof config,
             SCENE_INSTANCES_TEXT
             "      - {address: '127.0.0.1:7103', versions: [v1]}\n"
             "routes:\n  - {match: yard, attempts: %s, hedge: {after: 50ms}}\n",
             attempts);
    return ask_both(state, GET_ITEM, config);
}

static void if_neither_responds_the_third_takes_the_place_of_the_first(void **state)
{
    Pair pair = ask_both_of_three(state, "3");
    scene_pass(pair.scene, AFTER - 2);
    assert_asked(pair.scene, 2);
    scene_pass(pair.scene, 3);
    assert_asked(pair.scene, 3);
    assert_string_equal(pair.one->reset, "CANCELLED");
    assert_null(pair.two->reset);
    answer(instance(pair.scene), ITEM);
    assert_got_item(&pair);
    assert_record(pair.scene, "OK, 3 sent: 7101 CANCELLED, 7102 CANCELLED, 7103 OK");
    assert_counted(&pair, 2, 2);
}

static void the_place_is_not_taken_without_another_instance(void **state)
{
    Pair pair = ask_both_of_three(state, "10");
    for (int i = 0; i < 10; i++)
        scene_pass(pair.scene, AFTER);
    assert_asked(pair.scene, 3);
    assert_null(pair.two->reset);
    answer(pair.two, ITEM);
    assert_got_item(&pair);
}

static void nor_beyond_the_attempts_of_the_route(void **state)
{
    Pair pair = ask_both_of_three(state, "2");
    scene_pass(pair.scene, 10 * AFTER);
    assert_asked(pair.scene, 2);
    assert_null(pair.one->reset);
    answer(pair.one, ITEM);
}

static void nor_from_one_whose_response_has_begun(void **state)
{
    Pair pair = ask_both_of_three(state, "3");
    answer_grpc_head(pair.one);
    scene_pass(pair.scene, 10 * AFTER);
    assert_asked(pair.scene, 2);
    break_off(pair.one, 2);
    answer(pair.two, ITEM);
    assert_got_item(&pair);
}

/* Two attempts and two calls are four: half of them is two. */
static void while_there_are_too_many_hedges_there_are_no_more(void **state)
{
    Scene *scene = scene_again(state, HEDGED(AFTER_50));
    scene->healing_stopped = true;
    ask_grpc(scene, GET_ITEM, GET_X);
    pass_until_hedge(scene);
    assert_asked(scene, 1);
    assert_int_equal(scene->healed[HEALING_HEDGE], 0);
    answer(instance(scene), ITEM);
}

static void the_budget_is_a_share_of_the_running_calls(void **state)
{
    Scene *scene = scene_again(state, HEDGED("hedge: {after: 50ms, percent: 50}"));
    for (int i = 0; i < 3; i++)
        ask_grpc(scene, GET_ITEM, GET_X);
    pass_until_hedge(scene);
    assert_asked(scene, 3 + 2);
    assert_int_equal(scene->counted[COUNTER_HEDGES], 2);
    for (uint32_t i = 0; i < scene->n_peers; i++)
        if (scene->peers[i].instance && !scene->peers[i].reset)
            answer(&scene->peers[i], ITEM);
}

static void one_call_may_always_have_it_again(void **state)
{
    Scene *scene = scene_again(state, HEDGED("hedge: {after: 50ms, percent: 1}"));
    for (unsigned i = 1; i <= 2; i++) {
        ask_grpc(scene, GET_ITEM, GET_X);
        ask_grpc(scene, GET_ITEM, GET_X);
        pass_until_hedge(scene);
        assert_int_equal(scene->counted[COUNTER_HEDGES], i);
        for (uint32_t k = 0; k < scene->n_peers; k++)
            if (scene->peers[k].instance && scene->peers[k].stream && !scene->peers[k].reset &&
                !scene->peers[k].ended_by_test && scene->loop.n_calls)
                answer(&scene->peers[k], ITEM);
        scene_clear(scene);
    }
}

static void who_found_no_room_tries_again(void **state)
{
    Scene *scene = scene_again(state, HEDGED("hedge: {after: 50ms, percent: 1}"));
    ask_grpc(scene, GET_ITEM, GET_X);
    Peer *first = instance(scene);
    scene_pass(scene, 20); /* its second attempt comes first */
    ask_grpc(scene, GET_ITEM, GET_X);
    pass_until_hedge(scene);
    assert_int_equal(scene->counted[COUNTER_HEDGES], 1);
    answer(first, ITEM);
    pass_until_hedge(scene);
    assert_int_equal(scene->counted[COUNTER_HEDGES], 2);
    answer(instance(scene), ITEM);
}

/* ---- Beside retries -------------------------------------------------------------------------- */

#define THREE_HEDGED                                                                               \
    SCENE_INSTANCES_TEXT "      - {address: '127.0.0.1:7103', versions: [v1]}\n"                   \
                         "routes:\n  - {match: yard, attempts: 3, hedge: {after: 50ms}}\n"

static void answer_unavailable(Peer *peer, const char *more)
{
    const char *fields = arena_printf(peer->scene->arena,
                                      "content-type: application/grpc\ngrpc-status: 14\n%s", more);
    answer_head(peer, 200, fields, -1, true);
}

static void when_one_of_two_is_unavailable_the_next_one_is_asked_at_once(void **state)
{
    Pair pair = ask_both(state, GET_ITEM, THREE_HEDGED);
    answer_unavailable(pair.two, "");
    scene_pass(pair.scene, 1);
    assert_asked(pair.scene, 3);
    answer(instance(pair.scene), ITEM);
    assert_got_item(&pair);
    assert_record(pair.scene, "OK, 3 sent: 7101 CANCELLED, 7102 UNAVAILABLE, 7103 OK");
}

static void or_when_its_pushback_says(void **state)
{
    Pair pair = ask_both(state, GET_ITEM, THREE_HEDGED);
    answer_unavailable(pair.two, "grpc-retry-pushback-ms: 500");
    scene_pass(pair.scene, 499);
    assert_asked(pair.scene, 2);
    scene_pass(pair.scene, 2);
    assert_asked(pair.scene, 3);
    answer(instance(pair.scene), ITEM);
    assert_got_item(&pair);
}

static void a_negative_pushback_ends_hedging_and_retries(void **state)
{
    Pair pair = ask_both(state, GET_ITEM, THREE_HEDGED);
    answer_unavailable(pair.two, "grpc-retry-pushback-ms: -1");
    scene_pass(pair.scene, 1000);
    assert_asked(pair.scene, 2);
    break_off(pair.one, 2);
    scene_pass(pair.scene, 1000);
    assert_asked(pair.scene, 2);
    assert_string_equal(field_of(pair.client, "passerelle-not-retried"), "pushback");
}

static void the_only_one_that_is_unavailable_is_followed_at_once(void **state)
{
    Scene *scene = scene_again(state, HEDGED(AFTER_50));
    ask_grpc(scene, GET_ITEM, GET_X);
    answer_unavailable(instance(scene), "");
    assert_asked(scene, 2);
    answer(instance(scene), ITEM);
    assert_record(scene, "OK, 2 sent: 7101 UNAVAILABLE, 7102 OK");
}

static void after_a_retry_the_next_one_is_planned_anew(void **state)
{
    Scene *scene = scene_again(state, THREE_HEDGED);
    ask_grpc(scene, GET_ITEM, GET_X);
    scene_pass(scene, AFTER - 10);
    answer_unavailable(instance(scene), "");
    assert_asked(scene, 2);
    scene_pass(scene, AFTER - 1);
    assert_asked(scene, 2);
    scene_pass(scene, 2);
    assert_asked(scene, 3);
    answer(instance(scene), ITEM);
}

static void second_attempts_tell_how_many_there_were(void **state)
{
    Pair pair = get_from_both(state);
    assert_string_equal(field_of(pair.one, "grpc-previous-rpc-attempts"), "");
    assert_string_equal(field_of(pair.two, "grpc-previous-rpc-attempts"), "1");
    answer(pair.one, ITEM);
}

static void second_attempts_count_in_the_retry_budget(void **state)
{
    Scene *scene = scene_again(
        state, LISTEN "services:\n" YARD "      - {address: '127.0.0.1:7101', versions: [v1]}\n"
                      "      - {address: '127.0.0.1:7102', versions: [v1]}\n"
                      "    retry_budget: {percent: 20, at_least: 0}\n"
                      "routes:\n  - {match: yard, hedge: {after: 50ms, percent: 100}}\n");
    for (int i = 0; i < 5; i++) {
        ask_grpc(scene, GET_ITEM, GET_X);
        answer(instance(scene), ITEM);
    }
    ask_grpc(scene, GET_ITEM, GET_X);
    pass_until_hedge(scene);
    assert_asked(scene, 5 + 2);
    answer(instance(scene), ITEM);
    ask_grpc(scene, GET_ITEM, GET_X);
    pass_until_hedge(scene);
    assert_asked(scene, 5 + 2 + 1);
    answer(instance(scene), ITEM);
    assert_int_equal(scene->records[scene->n_records - 1].retry_refused, RETRY_REFUSED_BUDGET);
}

/* Two instances, and no budget for attempts beside others. */
static Scene *scene_without_budget(void **state)
{
    return scene_again(state, LISTEN
                       "services:\n" YARD "      - {address: '127.0.0.1:7101', versions: [v1]}\n"
                       "      - {address: '127.0.0.1:7102', versions: [v1]}\n"
                       "    retry_budget: {percent: 20, at_least: 0}\n"
                       "routes:\n  - {match: yard, hedge: {after: 50ms, percent: 100}}\n");
}

static void an_attempt_in_place_of_one_at_a_silent_instance_costs_no_budget(void **state)
{
    Scene *scene = scene_without_budget(state);
    ask_grpc(scene, GET_ITEM, GET_X);
    pass_until_hedge(scene);
    assert_asked(scene, 1);
    for (int port = 7101; port <= 7102; port++)
        scene_upstream(scene, port)->silent = true;
    pass_until_hedge(scene);
    assert_asked(scene, 2);
    answer(instance(scene), ITEM);
}

static void an_instance_that_does_not_respond_is_doubted_also_if_no_other_one_is_asked(void **state)
{
    Scene *scene = scene_without_budget(state);
    ask_grpc(scene, GET_ITEM, GET_X);
    struct Upstream *one = scene_upstream(scene, 7101), *two = scene_upstream(scene, 7102);
    assert_int_equal(one->n_doubts + two->n_doubts, 0);
    pass_until_hedge(scene);
    assert_int_equal(one->n_doubts + two->n_doubts, 1);
    answer_grpc_head(instance(scene));
    pass_until_hedge(scene);
    assert_int_equal(one->n_doubts + two->n_doubts, 1); /* it has begun */
    say_frame(instance(scene), ITEM);
    answer_trailers(instance(scene), "grpc-status: 0");
}

/* ---- After what is measured ------------------------------------------------------------------ */

#define AFTER_P95                                                                                  \
    SCENE_INSTANCES_TEXT "routes:\n  - {match: yard, hedge: {after: p95, percent: 100}}\n"

static void take(Scene *scene, int64_t milliseconds)
{
    ask_grpc(scene, GET_ITEM, GET_X);
    scene_pass(scene, milliseconds);
    answer(instance(scene), ITEM);
    scene_clear(scene);
}

static void there_is_none_before_enough_was_measured(void **state)
{
    Scene *scene = scene_again(state, AFTER_P95);
    for (int i = 0; i < DELAYS_NEEDED - 1; i++)
        take(scene, 20);
    ask_grpc(scene, GET_ITEM, GET_X);
    scene_pass(scene, 5000);
    assert_asked(scene, 1);
    answer(instance(scene), ITEM);
}

static void the_second_attempt_begins_when_most_calls_have_a_response(void **state)
{
    Scene *scene = scene_again(state, AFTER_P95);
    for (int i = 0; i < DELAYS_NEEDED; i++)
        take(scene, 20);
    ask_grpc(scene, GET_ITEM, GET_X);
    scene_pass(scene, 19);
    assert_asked(scene, 1);
    scene_pass(scene, 4); /* a bucket of the sketch is as wide */
    assert_asked(scene, 2);
    answer(instance(scene), ITEM);
    assert_record(scene, "OK, 2 sent: 7101 CANCELLED, 7102 OK");
}

/* A twentieth is slow, and cancelled once it has a second attempt: it counts all the same. */
static void those_that_lose_are_measured_too(void **state)
{
    Scene *scene = scene_again(state, AFTER_P95);
    for (int i = 0; i < DELAYS_NEEDED; i++)
        take(scene, 20);
    for (int i = 0; i < 3000; i++)
        take(scene, i % 10 ? 20 : 1000);
    ask_grpc(scene, GET_ITEM, GET_X);
    scene_pass(scene, 19);
    assert_asked(scene, 1);
    answer(instance(scene), ITEM);
}

/* ---- Memory ---------------------------------------------------------------------------------- */

enum { LIMIT = 16 << 20, HIGH = 12 << 20 };

static void no_other_instance_is_asked_when_memory_is_short(void **state)
{
    for (int64_t above = 0; above < 2; above++) {
        Scene *scene = scene_again(state, HEDGED(AFTER_50));
        memory_set_limit(LIMIT);
        ask_grpc(scene, GET_ITEM, GET_X);
        Peer *first = instance(scene);
        memory_settle();
        int64_t more = HIGH - memory_total() + above;
        memory_add(MEMORY_CALLS, more);
        memory_settle();
        pass_until_hedge(scene);
        assert_asked(scene, above ? 1 : 2);
        answer(first, ITEM);
        memory_add(MEMORY_CALLS, -more);
        memory_settle();
        memory_set_limit(UINT64_MAX);
    }
}

static void what_came_of_the_other_response_is_freed_at_once(void **state)
{
    enum { LARGE = 100 << 10 }; /* it is kept whole */
    Pair pair = get_from_both(state);
    uint8_t *zeros = arena_calloc(pair.scene->arena, 1, LARGE);
    Bytes frame = framed(pair.scene, bytes(zeros, LARGE));
    answer_grpc_head(pair.two);
    say(pair.two, bytes_slice(frame, 0, 20000));
    say(pair.two, bytes_slice(frame, 20000, LARGE / 2));
    memory_settle();
    int64_t both = memory_used(MEMORY_CALLS);
    scene_hold(pair.client, true);
    answer_grpc_head(pair.one);
    say_frame(pair.one, ITEM);
    memory_settle();
    assert_in_range(memory_used(MEMORY_CALLS), both - LARGE, both + (16 << 10));
    answer_trailers(pair.one, "grpc-status: 0");
    memory_settle();
    assert_true(memory_used(MEMORY_CALLS) < both - LARGE / 2);
    scene_hold(pair.client, false);
    scene_pump(pair.scene);
    assert_got_item(&pair);
}

int main(void)
{
#define TEST(name) SCENE_TEST(name)
    const struct CMUnitTest tests[] = {
        TEST(another_instance_is_asked_when_the_time_has_passed),
        TEST(a_response_in_time_leaves_the_others_alone),
        TEST(the_first_wins_and_the_second_is_cancelled),
        TEST(the_second_wins_and_the_first_is_cancelled),
        TEST(what_was_cancelled_may_still_speak),
        TEST(the_fields_of_the_winner_are_passed_on),
        TEST(a_stream_is_of_who_begins_it_first),
        TEST(a_stream_of_rest_is_of_who_has_the_first_message),
        TEST(when_the_first_breaks_off_the_second_is_waited_for),
        TEST(when_the_second_breaks_off_the_first_is_waited_for),
        TEST(unavailable_is_not_the_response_while_the_other_may_answer),
        TEST(any_other_error_of_the_service_is_the_response),
        TEST(a_response_that_cannot_be_passed_on_does_not_win),
        TEST(a_head_that_is_none_does_not_win),
        TEST(when_both_break_off_the_call_fails),
        TEST(what_the_service_has_said_comes_before_a_reset),
        TEST(of_two_errors_of_the_service_the_last_is_told),
        TEST(when_both_fail_the_default_comes),
        TEST(a_third_attempt_follows_where_the_route_allows_it),
        TEST(a_client_that_leaves_cancels_both),
        TEST(the_deadline_is_of_both),
        TEST(one_that_failed_keeps_its_outcome_when_the_client_leaves),
        TEST(a_connection_that_is_not_needed_any_more_is_not_waited_for),
        TEST(who_waits_for_a_connection_is_helped_by_another_instance),
        TEST(an_attempt_in_place_of_one_that_was_not_sent_costs_no_budget),
        TEST(it_takes_its_place_where_the_budget_does_not_allow_both),
        TEST(within_the_budget_both_are_sent),
        TEST(a_second_instance_that_cannot_be_reached_changes_nothing),
        TEST(without_another_instance_there_is_no_second_attempt),
        TEST(methods_with_side_effects_get_none),
        TEST(a_retry_counts_towards_the_attempts),
        TEST(while_there_are_too_many_hedges_there_are_no_more),
        TEST(if_neither_responds_the_third_takes_the_place_of_the_first),
        TEST(the_place_is_not_taken_without_another_instance),
        TEST(nor_beyond_the_attempts_of_the_route),
        TEST(nor_from_one_whose_response_has_begun),
        TEST(the_budget_is_a_share_of_the_running_calls),
        TEST(one_call_may_always_have_it_again),
        TEST(who_found_no_room_tries_again),
        TEST(when_one_of_two_is_unavailable_the_next_one_is_asked_at_once),
        TEST(or_when_its_pushback_says),
        TEST(a_negative_pushback_ends_hedging_and_retries),
        TEST(the_only_one_that_is_unavailable_is_followed_at_once),
        TEST(after_a_retry_the_next_one_is_planned_anew),
        TEST(second_attempts_tell_how_many_there_were),
        TEST(second_attempts_count_in_the_retry_budget),
        TEST(an_attempt_in_place_of_one_at_a_silent_instance_costs_no_budget),
        TEST(an_instance_that_does_not_respond_is_doubted_also_if_no_other_one_is_asked),
        TEST(there_is_none_before_enough_was_measured),
        TEST(the_second_attempt_begins_when_most_calls_have_a_response),
        TEST(those_that_lose_are_measured_too),
        TEST(no_other_instance_is_asked_when_memory_is_short),
        TEST(what_came_of_the_other_response_is_freed_at_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
