#include "tests/unit/gateway/call/scene.h"

/* ---- Steps ----------------------------------------------------------------------------------- */

static void a_grpc_call_goes_through_in_the_version_of_the_instance_and_back(void **state)
{
    Scene *scene = *state;
    Peer *client = ask_grpc(scene, "/garage.v1.Cars/Get", GET_X);
    Peer *at = instance(scene);
    assert_bytes(at->head.path, "/garage.v3.Cars/Get");
    assert_body(at, framed(scene, GET_X));
    assert_true(at->ended);
    answer(at, CAR_V3);
    assert_int_equal(client->head.status, 200);
    assert_body(client, BYTES(CAR_V1));
    assert_string_equal(said(client, "grpc-status"), "0");
    assert_string_equal(field_of(client, "passerelle-served-version"), "v3");
    assert_record(scene, "OK, 1 sent: 7003 OK");
    assert_string_equal(scene->records[0].served_why, "fewest losses");
}

static void a_rest_call_is_converted_to_json_of_its_version(void **state)
{
    Scene *scene = *state;
    Peer *client = ask(scene, "GET", "/v1/cars/x", "", BYTES_NONE);
    assert_body(instance(scene), framed(scene, GET_X));
    answer(instance(scene), CAR_V3);
    assert_int_equal(client->head.status, 200);
    assert_string_equal(field_of(client, "content-type"), "application/json");
    assert_body(client, BYTES("{\"name\":\"x\",\"owner\":\"bob\",\"doors\":4}"));
    assert_record(scene, "OK, 1 sent: 7003 OK");
    assert_int_equal(scene->records[0].dialect, DIALECT_REST);
    assert_int_equal(scene->records[0].http_status, 200);
}

static void a_connect_call_is_answered_in_its_codec(void **state)
{
    Scene *scene = *state;
    Peer *client = ask(scene, "POST", "/garage.v1.Cars/Get", "content-type: application/json",
                       BYTES("{\"name\":\"x\"}"));
    answer(instance(scene), CAR_V3);
    assert_body(client, BYTES("{\"name\":\"x\",\"owner\":\"bob\",\"doors\":4}"));
    assert_record(scene, "OK, 1 sent: 7003 OK");
}

static void a_grpc_web_call_has_its_trailers_in_the_body(void **state)
{
    Scene *scene = *state;
    Peer *client = ask(scene, "POST", "/garage.v1.Cars/Get",
                       "content-type: application/grpc-web+proto", framed(scene, GET_X));
    answer(instance(scene), CAR_V3);
    assert_string_equal(field_of(client, "content-type"), "application/grpc-web+proto");
    assert_memory_equal(client->body.data, CAR_V1, sizeof CAR_V1 - 1);
    assert_int_equal(client->body.data[sizeof CAR_V1 - 1], 0x80);
    assert_record(scene, "OK, 1 sent: 7003 OK");
}

static void a_stream_of_answers_goes_through_message_by_message(void **state)
{
    Scene *scene = *state;
    Peer *client = ask_grpc(scene, "/garage.v1.Cars/Watch", GET_X);
    Peer *at = instance(scene);
    answer_grpc_head(at);
    assert_true(client->headed);
    say_frame(at, CAR_V3);
    assert_body(client, BYTES(CAR_V1));
    say_frame(at, CAR_V3);
    assert_body(client, BYTES(CAR_V1 CAR_V1));
    answer_trailers(at, "grpc-status: 0");
    assert_string_equal(said(client, "grpc-status"), "0");
    assert_record(scene, "OK, 1 sent: 7003 OK");
    assert_int_equal(scene->records[0].messages_out, 2);
}

static void a_stream_of_requests_goes_through_message_by_message(void **state)
{
    Scene *scene = *state;
    Peer *client = begin_grpc(scene, LOAD_ITEMS, "");
    Peer *at = instance(scene);
    say_frame(client, ITEM);
    assert_body(at, framed(scene, ITEM));
    say_frame(client, ITEM);
    assert_int_equal(at->body.size, 2 * (ITEM.size + 5));
    assert_false(at->ended);
    say_end(client);
    assert_true(at->ended);
    answer(at, ITEM);
    assert_body(client, framed(scene, ITEM));
    assert_int_equal(scene->records[0].messages_in, 2);
    assert_int_equal(scene->records[0].messages_out, 1);
}

static void the_records_times_are_those_of_the_steps(void **state)
{
    Scene *scene = *state;
    scene_upstream(scene, 7101)->want = scene_upstream(scene, 7102)->want = WANT_WAITS;
    Peer *client = ask_grpc(scene, GET_ITEM, GET_X);
    scene_pass(scene, 3);
    scene_connect(scene, 7101);
    scene_pass(scene, 5);
    answer(instance(scene), ITEM);
    assert_true(client->ended);
    assert_int_equal(scene->records[0].time_upstream_head, 8 * MILLISECOND);
    assert_int_equal(scene->records[0].bytes_in, GET_X.size + 5);
    assert_int_equal(scene->records[0].bytes_out, ITEM.size + 5);
}

static void a_connection_hears_when_its_last_exchange_has_ended(void **state)
{
    Scene *scene = *state;
    ask_grpc(scene, GET_ITEM, GET_X);
    assert_int_equal(scene->n_unused, 0);
    answer(instance(scene), ITEM);
    assert_int_equal(scene->n_unused, 1);
}

/* ---- Cancelled by the client ----------------------------------------------------------------- */

static void a_client_that_leaves_while_its_message_is_received_costs_no_instance(void **state)
{
    Scene *scene = *state;
    Peer *client = begin_grpc(scene, GET_ITEM, "");
    say(client, BYTES("\0\0\0"));
    break_off(client, 8);
    assert_int_equal(n_instances(scene), 0);
    assert_record(scene, "CANCELLED CANCELLED, 0 sent");
    assert_int_equal(scene->records[0].http_status, 499);
}

static void a_client_that_leaves_while_connecting_takes_its_wait_along(void **state)
{
    Scene *scene = *state;
    scene_upstream(scene, 7101)->want = scene_upstream(scene, 7102)->want = WANT_WAITS;
    Peer *client = ask_grpc(scene, GET_ITEM, GET_X);
    break_off(client, 8);
    assert_int_equal(scene->n_cancelled, 1);
    assert_null(scene_upstream(scene, 7101)->wait);
    assert_int_equal(n_instances(scene), 0);
    assert_record(scene, "CANCELLED CANCELLED, 0 sent");
}

static void a_client_that_leaves_a_stream_while_connecting_takes_what_it_said_along(void **state)
{
    Scene *scene = *state;
    scene_upstream(scene, 7101)->want = scene_upstream(scene, 7102)->want = WANT_WAITS;
    Peer *client = begin_grpc(scene, LOAD_ITEMS, "");
    say_frame(client, ITEM);
    break_off(client, 8);
    assert_int_equal(scene->n_cancelled, 1);
    assert_record(scene, "CANCELLED CANCELLED, 0 sent");
}

static void a_client_that_leaves_before_the_answer_resets_the_instances_stream(void **state)
{
    Scene *scene = *state;
    Peer *client = ask_grpc(scene, GET_ITEM, GET_X);
    Peer *at = instance(scene);
    break_off(client, 8);
    assert_string_equal(at->reset, "CANCELLED");
    assert_record(scene, "CANCELLED CANCELLED, 1 sent: 7101 CANCELLED");
}

static void a_late_answer_is_dropped(void **state)
{
    Scene *scene = *state;
    Peer *client = ask_grpc(scene, GET_ITEM, GET_X);
    Peer *at = instance(scene);
    /* The answer is on its way when the client leaves. */
    http_stream_reset(client->stream, 8);
    HttpHead head = {.status = 200, .content_length = -1, .fields = fields_in(scene->arena)};
    fields_add_text(&head.fields, "content-type", "application/grpc");
    http_stream_send_head(at->stream, &head, false);
    http_stream_send_body(at->stream, framed(scene, ITEM));
    scene_pump(scene);
    assert_record(scene, "CANCELLED CANCELLED, 1 sent: 7101 CANCELLED");
    assert_false(client->headed);
    assert_int_equal(scene->n_records, 1);
}

static void a_client_that_leaves_within_a_stream_resets_the_instances_stream(void **state)
{
    Scene *scene = *state;
    Peer *client = ask_grpc(scene, WATCH_ITEM, GET_X);
    Peer *at = instance(scene);
    answer_grpc_head(at);
    say_frame(at, ITEM);
    break_off(client, 8);
    assert_string_equal(at->reset, "CANCELLED");
    assert_record(scene, "CANCELLED CANCELLED, 1 sent: 7101 CANCELLED");
    assert_int_equal(scene->records[0].messages_out, 1);
}

static void a_client_that_leaves_its_own_stream_resets_the_instances_stream(void **state)
{
    Scene *scene = *state;
    Peer *client = begin_grpc(scene, LOAD_ITEMS, "");
    say_frame(client, ITEM);
    break_off(client, 8);
    assert_string_equal(instance(scene)->reset, "CANCELLED");
    assert_record(scene, "CANCELLED CANCELLED, 1 sent: 7101 CANCELLED");
}

static void a_client_whose_connection_is_lost_has_left(void **state)
{
    Scene *scene = *state;
    Peer *client = ask_grpc(scene, GET_ITEM, GET_X);
    lose(client);
    assert_string_equal(instance(scene)->reset, "CANCELLED");
    assert_record(scene, "INTERNAL SYSTEM, 1 sent: 7101 INTERNAL");
}

static void a_client_that_leaves_between_two_attempts_ends_the_second(void **state)
{
    Scene *scene = *state;
    scene_upstream(scene, 7102)->want = WANT_WAITS;
    Peer *client = ask_grpc(scene, GET_ITEM, GET_X);
    break_off(instance(scene), 2);
    scene_back_off(scene);
    assert_non_null(scene_upstream(scene, 7102)->wait);
    break_off(client, 8);
    assert_record(scene, "CANCELLED CANCELLED, 1 sent: 7101 UNAVAILABLE");
}

static void a_client_that_leaves_before_the_next_attempt_prevents_it(void **state)
{
    Scene *scene = *state;
    Peer *client = ask_grpc(scene, GET_ITEM, GET_X);
    break_off(instance(scene), 2);
    break_off(client, 8);
    assert_record(scene, "CANCELLED CANCELLED, 1 sent: 7101 UNAVAILABLE");
    scene_back_off(scene);
    assert_int_equal(n_instances(scene), 1);
}

/* ---- Deadlines ------------------------------------------------------------------------------- */

static void the_deadline_ends_a_request_that_does_not_come(void **state)
{
    Scene *scene = *state;
    Peer *client = begin_grpc(scene, GET_ITEM, "grpc-timeout: 100m");
    scene_pass(scene, 99);
    assert_false(client->headed);
    scene_pass(scene, 2);
    assert_string_equal(said(client, "grpc-status"), "4");
    assert_record(scene, "DEADLINE_EXCEEDED CLIENT_DEADLINE, 0 sent");
}

static void who_gives_no_time_has_nobody_to_blame(void **state)
{
    Scene *scene = *state;
    Peer *client = begin_grpc(scene, GET_ITEM, "grpc-timeout: 0m");
    say_frame(client, GET_X);
    say_end(client);
    scene_pass(scene, 1);
    assert_string_equal(said(client, "grpc-status"), "4");
    assert_record(scene, "DEADLINE_EXCEEDED CLIENT_DEADLINE, 0 sent");
}

/* It is an attempt at an instance that does not connect, and none where other calls have its
   connections. */
static void the_deadline_ends_the_wait_for_a_connection(void **state)
{
    for (int connected = 0; connected < 2; connected++) {
        Scene *scene = scene_again(state, SCENE_TEXT);
        scene_upstream(scene, 7101)->want = WANT_WAITS;
        scene_upstream(scene, 7101)->connected = connected;
        Peer *client = begin_grpc(scene, GET_ITEM, "grpc-timeout: 100m");
        say_frame(client, GET_X);
        say_end(client);
        scene_pass(scene, 101);
        assert_int_equal(scene->n_cancelled, 1);
        assert_string_equal(said(client, "grpc-status"), "4");
        assert_string_equal(said(client, "passerelle-served-version"), "");
        assert_record(scene, connected ? "DEADLINE_EXCEEDED DEADLINE_EXCEEDED, 0 sent"
                                       : "DEADLINE_EXCEEDED DEADLINE_EXCEEDED, 0 sent: "
                                         "7101 DEADLINE_EXCEEDED");
        const Error *cause = scene->records[0].why.error->cause;
        assert_string_equal(cause->doing, "waiting for a connection to 127.0.0.1:7101");
    }
}

static void a_connection_that_comes_after_the_deadline_is_not_used(void **state)
{
    Scene *scene = *state;
    scene_upstream(scene, 7101)->want = WANT_WAITS;
    Peer *client = begin_grpc(scene, GET_ITEM, "grpc-timeout: 100m");
    say_frame(client, GET_X);
    say_end(client);
    scene->loop.now += 100 * MILLISECOND; /* and the timer has not fired yet */
    scene_connect(scene, 7101);
    assert_int_equal(instance(scene)->n_streams, 0);
    assert_string_equal(said(client, "grpc-status"), "4");
    assert_record(scene, "DEADLINE_EXCEEDED DEADLINE_EXCEEDED, 0 sent");
}

static void the_deadline_ends_the_wait_for_an_answer(void **state)
{
    Scene *scene = *state;
    Peer *client = begin_grpc(scene, GET_ITEM, "grpc-timeout: 100m");
    say_frame(client, GET_X);
    say_end(client);
    Peer *at = instance(scene);
    assert_string_equal(field_of(at, "grpc-timeout"), "100000u");
    scene_pass(scene, 101);
    assert_string_equal(at->reset, "CANCELLED");
    assert_string_equal(said(client, "grpc-status"), "4");
    assert_string_equal(said(client, "grpc-message"),
                        "the deadline passed before the response arrived: no response within 100 "
                        "ms (the client's)");
    assert_record(scene, "DEADLINE_EXCEEDED DEADLINE_EXCEEDED, 1 sent: 7101 DEADLINE_EXCEEDED");
}

static void the_deadline_ends_a_stream_whose_head_is_out(void **state)
{
    Scene *scene = *state;
    Peer *client = begin_grpc(scene, WATCH_ITEM, "grpc-timeout: 100m");
    say_frame(client, GET_X);
    say_end(client);
    answer_grpc_head(instance(scene));
    say_frame(instance(scene), ITEM);
    scene_pass(scene, 101);
    assert_string_equal(instance(scene)->reset, "CANCELLED");
    assert_string_equal(said(client, "grpc-status"), "4");
    assert_record(scene, "DEADLINE_EXCEEDED CLIENT_DEADLINE, 1 sent: 7101 DEADLINE_EXCEEDED");
}

static void an_instance_that_gives_up_just_before_the_deadline_has_missed_it(void **state)
{
    Scene *scene = *state;
    Peer *client = begin_grpc(scene, MAKE_ITEM, "grpc-timeout: 100m");
    say_frame(client, ITEM);
    say_end(client);
    scene->loop.now += 95 * MILLISECOND;
    break_off(instance(scene), 8);
    assert_string_equal(said(client, "grpc-status"), "4");
    assert_record(scene, "DEADLINE_EXCEEDED DEADLINE_EXCEEDED, 1 sent: 7101 DEADLINE_EXCEEDED");
}

static void the_deadline_covers_all_attempts(void **state)
{
    Scene *scene = *state;
    Peer *client = begin_grpc(scene, GET_ITEM, "grpc-timeout: 999m");
    say_frame(client, GET_X);
    say_end(client);
    scene_pass(scene, 800);
    break_off(instance(scene), 2);
    scene_back_off(scene);
    assert_int_equal(n_instances(scene), 2);
    assert_string_equal(field_of(instance(scene), "grpc-timeout"), "98000000n");
    scene_pass(scene, 99);
    assert_record(scene, "DEADLINE_EXCEEDED DEADLINE_EXCEEDED, "
                         "2 sent: 7101 UNAVAILABLE, 7102 DEADLINE_EXCEEDED");
    assert_true(client->ended);
}

/* ---- Falling back ---------------------------------------------------------------------------- */

#define DEFAULT_OF(match)                                                                          \
    "  - {match: " match ", on_failure: {graceful: {default: {name: none}, writes: true}}}\n"
#define GRACEFUL                                                                                   \
    SCENE_TEXT DEFAULT_OF("yard.Yard/Get") DEFAULT_OF("yard.Yard/Make")                            \
        DEFAULT_OF("yard.Yard/Watch") DEFAULT_OF("garage.Cars/Get")

static void a_default_stands_in_once_all_attempts_have_failed(void **state)
{
    Scene *scene = scene_again(state, GRACEFUL);
    Peer *client = ask_grpc(scene, GET_ITEM, GET_X);
    break_off(instance(scene), 2);
    scene_back_off(scene);
    break_off(instance(scene), 2);
    assert_string_equal(said(client, "grpc-status"), "0");
    assert_string_equal(field_of(client, "passerelle-degraded"), "UPSTREAM_RESET; by=default");
    assert_body(client, framed(scene, BYTES("\n\4none")));
    assert_record(scene, "OK UPSTREAM_RESET degraded by UPSTREAM_RESET (default), "
                         "2 sent: 7101 UNAVAILABLE, 7102 UNAVAILABLE");
}

static void a_default_stands_in_for_a_services_error_that_is_not_the_callers(void **state)
{
    Scene *scene = scene_again(state, GRACEFUL);
    Peer *client = ask_grpc(scene, MAKE_ITEM, ITEM);
    answer_error(instance(scene), 13, "oops");
    assert_body(client, framed(scene, BYTES("\n\4none")));
    assert_record(
        scene, "OK UPSTREAM_STATUS degraded by UPSTREAM_STATUS (default), 1 sent: 7101 INTERNAL");
    client = ask_grpc(scene, MAKE_ITEM, ITEM);
    answer_error(instance(scene), 5, "no such item");
    assert_string_equal(said(client, "grpc-status"), "5");
}

static void a_default_stands_in_at_the_deadline(void **state)
{
    Scene *scene = scene_again(state, GRACEFUL);
    Peer *client = ask(scene, "GET", "/v1/cars/x", "", BYTES_NONE);
    scene_pass(scene, 60001);
    assert_int_equal(client->head.status, 200);
    assert_body(client, BYTES("{\"name\":\"none\"}"));
    assert_string_equal(instance(scene)->reset, "CANCELLED");
    assert_record(scene, "OK DEADLINE_EXCEEDED degraded by DEADLINE_EXCEEDED (default), "
                         "1 sent: 7003 DEADLINE_EXCEEDED");
}

static void a_default_is_a_stream_of_one_message(void **state)
{
    Scene *scene = scene_again(state, GRACEFUL);
    Peer *client = ask_grpc(scene, WATCH_ITEM, GET_X);
    answer_error(instance(scene), 13, "oops");
    assert_body(client, framed(scene, BYTES("\n\4none")));
    assert_string_equal(said(client, "grpc-status"), "0");
    assert_record(
        scene, "OK UPSTREAM_STATUS degraded by UPSTREAM_STATUS (default), 1 sent: 7101 INTERNAL");
}

static void a_default_comes_too_late_where_the_answer_has_begun(void **state)
{
    Scene *scene = scene_again(state, GRACEFUL);
    Peer *client = ask_grpc(scene, WATCH_ITEM, GET_X);
    answer_grpc_head(instance(scene));
    say_frame(instance(scene), ITEM);
    answer_trailers(instance(scene), "grpc-status: 13\ngrpc-message: oops");
    assert_string_equal(said(client, "grpc-status"), "13");
    assert_record(scene, "INTERNAL UPSTREAM_STATUS, 1 sent: 7101 INTERNAL");
}

static void what_the_caller_did_wrong_is_told_in_place_of_a_default(void **state)
{
    Scene *scene = scene_again(state, GRACEFUL);
    Peer *client = ask(scene, "GET", "/v1/cars/x?doors=4", "", BYTES_NONE);
    assert_int_equal(client->head.status, 400);
    assert_record(scene, "INVALID_ARGUMENT UNKNOWN_FIELD, 0 sent");
}

static void two_calls_of_one_connection_stand_side_by_side(void **state)
{
    Scene *scene = *state;
    Peer *client = begin_grpc(scene, GET_ITEM, "");
    HttpStream *first = client->stream;
    client->stream = NULL;
    client_head(client, "GET", "/v1/items/x", "", -1, true);
    assert_int_equal(client->client->n_exchanges, 2);
    answer(instance(scene), ITEM);
    assert_body(client, BYTES(ITEM_JSON));
    assert_int_equal(client->client->n_exchanges, 1);
    assert_int_equal(scene->n_unused, 0);
    client->client->on_unused = NULL;
    http_stream_reset(first, 8);
    http_stream_release(first);
    scene_pump(scene);
    assert_record(scene, "CANCELLED CANCELLED, 0 sent");
    assert_int_equal(client->client->n_exchanges, 0);
}

static void a_call_ends_with_the_config_that_it_began_with(void **state)
{
    Scene *scene = *state;
    Peer *client = ask_grpc(scene, GET_ITEM, GET_X);
    Scene *other = scene_new(YARD_OF("versions: [v2]"));
    scene->loop.config = other->config;
    answer(instance(scene), ITEM);
    assert_body(client, framed(scene, ITEM));
    assert_string_equal(field_of(client, "passerelle-served-version"), "v1");
    scene->loop.config = scene->config;
    scene_free(other);
    scene_now(scene);
}

/* ---- Memory: whatever it is that runs out of it ---------------------------------------------- */

enum { PADDING = 3000 };

/* A message of that many bytes and a bit: its field 1 is text. */
static Bytes padded(Scene *scene, Bytes more)
{
    Buffer message = buffer_in(scene->arena);
    buffer_add_bytes(&message, BYTES("\n\xb8\x17"));
    for (int i = 0; i < PADDING; i++)
        buffer_add_byte(&message, 'x');
    buffer_add_bytes(&message, more);
    return buffer_bytes(&message);
}

static const char *padding(Scene *scene)
{
    char *text = arena_calloc(scene->arena, PADDING + 1, 1);
    memset(text, 'x', PADDING);
    return text;
}

/* The instance that is at work now, or NULL. */
static Peer *at_work(Scene *scene)
{
    Peer *at = n_instances(scene) ? instance(scene) : NULL;
    return at && at->stream && !at->reset ? at : NULL;
}

static void answer_padded(Scene *scene)
{
    Peer *at = at_work(scene);
    if (at)
        answer_head(
            at, 200,
            arena_printf(scene->arena, "content-type: application/grpc\nage: %s", padding(scene)),
            -1, false);
    if (at && !at->reset)
        say_frame(at, padded(scene, BYTES("\x1a\3bob")));
    if (at && !at->reset)
        answer_trailers(at, arena_printf(scene->arena, "grpc-status: 0\nsum: %s", padding(scene)));
}

static void break_off_if_at_work(Scene *scene)
{
    if (!at_work(scene))
        return;
    break_off(instance(scene), 2);
    scene_back_off(scene);
}

static Peer *play_grpc(Scene *scene)
{
    Peer *client = ask_grpc(scene, "/garage.v1.Cars/Get", padded(scene, BYTES_NONE));
    answer_padded(scene);
    return client;
}

static Peer *play_rest(Scene *scene)
{
    const char *path = arena_printf(scene->arena, "/v1/items/%s?view=%s", padding(scene), "all");
    Peer *client = ask(scene, "GET", path, "accept-encoding: gzip", BYTES_NONE);
    answer_padded(scene);
    return client;
}

static Peer *play_many_parameters(Scene *scene)
{
    Buffer path = buffer_in(scene->arena);
    buffer_add_text(&path, "/v1/items/x?view=a");
    for (int i = 0; i < 100; i++)
        buffer_add_text(&path, "&view=a");
    Peer *client = ask(scene, "GET", arena_text(scene->arena, buffer_bytes(&path)), "", BYTES_NONE);
    answer_padded(scene);
    return client;
}

static Peer *play_many_fields(Scene *scene)
{
    Buffer fields = buffer_in(scene->arena);
    for (int i = 0; i < 100; i++)
        buffer_printf(&fields, "a%d: b\n", i);
    Peer *client = ask(scene, "GET", "/old/x?q=1", arena_text(scene->arena, buffer_bytes(&fields)),
                       BYTES_NONE);
    Peer *at = at_work(scene);
    if (at)
        answer_head(at, 200, arena_text(scene->arena, buffer_bytes(&fields)), 0, true);
    return client;
}

static Peer *play_body(Scene *scene)
{
    const char *json = arena_printf(scene->arena, "{\"name\":\"%s\"}", padding(scene));
    Peer *client =
        ask(scene, "POST", "/v1/items", "content-type: application/json", bytes_of(json));
    answer_padded(scene);
    return client;
}

static Peer *play_bytes(Scene *scene)
{
    Peer *client =
        ask(scene, "POST", "/v1/keep", "content-type: image/png", bytes_of(padding(scene)));
    answer_padded(scene);
    return client;
}

static Peer *play_requests(Scene *scene)
{
    Peer *client = begin_grpc(scene, LOAD_ITEMS, "");
    if (!client->ended)
        say_frame(client, padded(scene, BYTES_NONE));
    if (!client->ended)
        say_end(client);
    answer_padded(scene);
    return client;
}

static Peer *play_answers(Scene *scene)
{
    Peer *client = ask(scene, "GET", "/v1/items/x:watch", "accept-encoding: gzip", BYTES_NONE);
    answer_padded(scene);
    return client;
}

static Peer *play_attempts(Scene *scene)
{
    Peer *client = ask_grpc(scene, GET_ITEM, padded(scene, BYTES_NONE));
    break_off_if_at_work(scene);
    break_off_if_at_work(scene);
    return client;
}

static Peer *play_fallback(Scene *scene)
{
    Peer *client = ask(scene, "GET", "/v1/items/x:watch", "accept-encoding: gzip", BYTES_NONE);
    break_off_if_at_work(scene);
    break_off_if_at_work(scene);
    return client;
}

static Peer *play_error(Scene *scene)
{
    Peer *client =
        ask(scene, "POST", "/v1/items", "content-type: application/json", BYTES(ITEM_JSON));
    if (at_work(scene))
        answer_error(instance(scene), 9, padding(scene));
    return client;
}

static Peer *play_health(Scene *scene)
{
    return ask_grpc(scene, "/grpc.health.v1.Health/Check", padded(scene, BYTES_NONE));
}

static Peer *play_reflection(Scene *scene)
{
    return ask_grpc(scene, "/grpc.reflection.v1.ServerReflection/ServerReflectionInfo",
                    BYTES("\x22\x0cyard.v1.Yard"));
}

static Peer *play_raw_answer(Scene *scene)
{
    Peer *client = ask(scene, "GET", "/v1/photos/x", "", BYTES_NONE);
    Peer *at = at_work(scene);
    if (at && at->instance->protocol == UPSTREAM_REST) {
        answer_head(at, 200, "content-type: image/png", PADDING, false);
        say(at, bytes_of(padding(scene)));
        if (!at->reset)
            say_end(at);
    } else {
        answer_padded(scene);
    }
    return client;
}

static Peer *play_connects_get(Scene *scene)
{
    const char *path = arena_printf(
        scene->arena,
        GET_ITEM "?connect=v1&encoding=json&message=%%7B%%22name%%22%%3A%%22%s%%22%%7D",
        padding(scene));
    Peer *client = ask(scene, "GET", path, "", BYTES_NONE);
    answer_padded(scene);
    return client;
}

/* Under base64 the default needs memory of the call. */
static void a_default_that_cannot_be_given_leaves_what_it_stood_in_for(void **state)
{
    enum { LARGE = 20000 };
    char config[sizeof SCENE_TEXT + LARGE + 200];
    snprintf(config, sizeof config,
             "%s  - {match: yard.Yard/Get, on_failure: {graceful: {default: {name: %0*d}}}}\n",
             SCENE_TEXT, LARGE, 7);
    Scene *scene = scene_again(state, config);
    bool given = false, left = false;
    for (size_t limit = 12 << 10; limit < 96 << 10; limit += 1 << 10) {
        scene->config->limits.call_memory = limit;
        Peer *client = ask(scene, "POST", GET_ITEM, "content-type: application/grpc-web-text+proto",
                           bytes_of("AAAAAAMKAXg="));
        break_off_if_at_work(scene);
        break_off_if_at_work(scene);
        assert_true(client->ended || client->reset);
        const CallRecord *record = &scene->records[0];
        const Error *error = record->why.error;
        assert_non_null(error);
        given |= record->degraded != NULL;
        if (error->fault == &FAULT_UPSTREAM_RESET &&
            strstr(error->doing, "the response by default cannot be sent")) {
            assert_null(record->degraded);
            left = true;
        }
        scene_clear(scene);
    }
    assert_true(given && left);
}

/* Its default is of use only once the call has a kind, which knows how to give it. */
static void a_stream_of_json_that_has_no_memory_to_begin_ends_with_that_error(void **state)
{
    Scene *scene =
        scene_again(state, SCENE_TEXT "  - {match: yard.Yard/Watch, on_failure: {graceful: "
                                      "{default: {name: x}, writes: true}}}\n");
    bool refused = false;
    scene->config->limits.call_memory = 4096; /* the first block; the field fills it up */
    for (int size = 0; size < 4096; size += 16) {
        const char *field = arena_printf(scene->arena, "x-fill: %0*d", size, 0);
        Peer *client = ask(scene, "GET", "/v1/items/x:watch", field, BYTES_NONE);
        break_off_if_at_work(scene);
        break_off_if_at_work(scene);
        assert_true(client->ended || client->reset);
        const CallRecord *record = &scene->records[0];
        refused |= record->why.error && record->why.error->fault == &FAULT_OUT_OF_MEMORY &&
                   !record->degraded && record->n_attempts == 0;
        scene_clear(scene);
    }
    assert_true(refused);
}

static void wherever_a_call_runs_out_of_memory_it_ends_and_frees_all(void **state)
{
    Peer *(*const plays[])(Scene * scene) = {
        play_grpc,       play_rest,         play_many_parameters, play_many_fields, play_body,
        play_bytes,      play_requests,     play_answers,         play_attempts,    play_fallback,
        play_raw_answer, play_connects_get, play_error,           play_health,      play_reflection,
    };
    const char *configs[] = {
        GRACEFUL,
        LISTEN GARAGE_SERVICE YARD "      - {address: '127.0.0.1:7102', versions: [v2]}\n"
                                   "routes:\n"
                                   "  - {match: /old/, instances: ['127.0.0.1:7201']}\n",
        LISTEN GARAGE_SERVICE YARD
        "      - {address: '127.0.0.1:7101', versions: [v1], protocol: rest}\n",
        LISTEN GARAGE_SERVICE YARD
        "      - {address: '127.0.0.1:7101', versions: [v1], protocol: connect, codec: json}\n",
    };
    for (size_t c = 0; c < sizeof configs / sizeof *configs; c++) {
        Scene *scene = scene_again(state, configs[c]);
        for (size_t i = 0; i < sizeof plays / sizeof *plays; i++) {
            for (size_t limit = 4096; limit < 48 << 10; limit += 304) {
                scene->config->limits.call_memory = limit;
                Peer *client = plays[i](scene);
                if (!client->ended && !client->reset)
                    fail_msg("play %zu does not end with %zu bytes", i, limit);
                scene_clear(scene);
            }
        }
    }
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, scene_set_up, scene_tear_down)
    const struct CMUnitTest tests[] = {
        TEST(a_grpc_call_goes_through_in_the_version_of_the_instance_and_back),
        TEST(a_rest_call_is_converted_to_json_of_its_version),
        TEST(a_connect_call_is_answered_in_its_codec),
        TEST(a_grpc_web_call_has_its_trailers_in_the_body),
        TEST(a_stream_of_answers_goes_through_message_by_message),
        TEST(a_stream_of_requests_goes_through_message_by_message),
        TEST(the_records_times_are_those_of_the_steps),
        TEST(a_connection_hears_when_its_last_exchange_has_ended),
        TEST(a_client_that_leaves_while_its_message_is_received_costs_no_instance),
        TEST(a_client_that_leaves_while_connecting_takes_its_wait_along),
        TEST(a_client_that_leaves_a_stream_while_connecting_takes_what_it_said_along),
        TEST(a_client_that_leaves_before_the_answer_resets_the_instances_stream),
        TEST(a_late_answer_is_dropped),
        TEST(a_client_that_leaves_within_a_stream_resets_the_instances_stream),
        TEST(a_client_that_leaves_its_own_stream_resets_the_instances_stream),
        TEST(a_client_whose_connection_is_lost_has_left),
        TEST(a_client_that_leaves_between_two_attempts_ends_the_second),
        TEST(a_client_that_leaves_before_the_next_attempt_prevents_it),
        TEST(the_deadline_ends_a_request_that_does_not_come),
        TEST(who_gives_no_time_has_nobody_to_blame),
        TEST(the_deadline_ends_the_wait_for_a_connection),
        TEST(a_connection_that_comes_after_the_deadline_is_not_used),
        TEST(the_deadline_ends_the_wait_for_an_answer),
        TEST(the_deadline_ends_a_stream_whose_head_is_out),
        TEST(an_instance_that_gives_up_just_before_the_deadline_has_missed_it),
        TEST(the_deadline_covers_all_attempts),
        TEST(a_default_stands_in_once_all_attempts_have_failed),
        TEST(a_default_stands_in_for_a_services_error_that_is_not_the_callers),
        TEST(a_default_stands_in_at_the_deadline),
        TEST(a_default_is_a_stream_of_one_message),
        TEST(a_default_comes_too_late_where_the_answer_has_begun),
        TEST(what_the_caller_did_wrong_is_told_in_place_of_a_default),
        TEST(two_calls_of_one_connection_stand_side_by_side),
        TEST(a_call_ends_with_the_config_that_it_began_with),
        TEST(a_default_that_cannot_be_given_leaves_what_it_stood_in_for),
        TEST(a_stream_of_json_that_has_no_memory_to_begin_ends_with_that_error),
        TEST(wherever_a_call_runs_out_of_memory_it_ends_and_frees_all),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
