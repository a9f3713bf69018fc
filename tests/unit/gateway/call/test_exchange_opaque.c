#include "gateway/call/client_internal.h"
#include "tests/unit/gateway/call/scene.h"

static Peer *http1(Scene *scene)
{
    return client_new(scene, http1_client_new, http1_server_new);
}

static Peer *get(Scene *scene, const char *path)
{
    return ask(scene, "GET", path, "accept: */*", BYTES_NONE);
}

/* ---- Through --------------------------------------------------------------------------------- */

static void a_request_goes_through_as_it_is(void **state)
{
    Scene *scene = *state;
    Peer *client = get(scene, "/old/x?q=1");
    Peer *at = instance(scene);
    assert_bytes(at->head.path, "/old/x?q=1");
    assert_bytes(at->head.authority, "example.com");
    assert_string_equal(field_of(at, "accept"), "*/*");
    assert_string_equal(field_of(at, "x-forwarded-for"), "127.0.0.1");
    assert_true(at->ended);
    answer_head(at, 404, "content-type: text/plain\nx-request-id: mine", 4, false);
    say(at, BYTES("none"));
    say_end(at);
    assert_int_equal(client->head.status, 404);
    assert_string_equal(field_of(client, "content-type"), "text/plain");
    assert_true(bytes_are(scene->records[0].request_id, field_of(client, "x-request-id")));
    assert_body(client, BYTES("none"));
    assert_true(client->ended);
    assert_record(scene, "NOT_FOUND UPSTREAM_STATUS, 1 sent: 7201 NOT_FOUND");
    assert_int_equal(scene->records[0].http_status, 404);
    assert_int_equal(scene->records[0].bytes_out, 4);
    assert_int_equal(scene->records[0].dialect, DIALECT_HTTP);
}

#ifndef __has_feature
#define __has_feature(name) 0 /* gcc defines __SANITIZE_ADDRESS__ instead */
#endif

/* With the fields that most requests and responses have: another block would cost as much as the
   log line. */
static void an_ordinary_call_needs_one_block_of_memory(void **state)
{
    Scene *scene = *state;
    Peer *client =
        ask(scene, "GET", "/old/orders/42", "accept: */*\nuser-agent: curl/7.88.1", BYTES_NONE);
    answer_head(instance(scene), 200,
                "content-type: application/json\ndate: Mon, 30 Nov 2026 08:00:00 GMT", 4, false);
    say(instance(scene), BYTES("no"));
    size_t held = arena_size(client->client->clients->x->arena);
    say(instance(scene), BYTES("ne"));
    assert_true(client->ended);
#if defined(__SANITIZE_ADDRESS__) || __has_feature(address_sanitizer)
    assert_true(held >= 3584); /* there is space between allocations then */
#else
    assert_int_equal(held, 3584);
#endif
}

static void an_answer_without_a_body_ends_with_its_head(void **state)
{
    Scene *scene = *state;
    Peer *client = get(scene, "/old/x");
    answer_head(instance(scene), 204, "", -1, true);
    assert_int_equal(client->head.status, 204);
    assert_true(client->ended);
    assert_record(scene, "OK, 1 sent: 7201 OK");
}

static void a_path_is_sent_on_in_its_normal_form(void **state)
{
    Scene *scene = *state;
    get(scene, "/old/a/../%78");
    assert_bytes(instance(scene)->head.path, "/old/x");
    answer_head(instance(scene), 204, "", -1, true);
}

static void a_path_that_can_be_read_in_two_ways_is_refused(void **state)
{
    Scene *scene = *state;
    Peer *client = get(scene, "/old/..%2fx");
    assert_int_equal(client->head.status, 400);
    client = get(scene, "/old/%zz");
    assert_int_equal(client->head.status, 400);
    assert_record(scene, "INVALID_ARGUMENT BAD_REQUEST, 0 sent");
    assert_int_equal(n_instances(scene), 0);
}

static void a_path_beside_the_prefixes_is_not_found(void **state)
{
    Scene *scene = *state;
    Peer *client = get(scene, "/older");
    assert_int_equal(client->head.status, 404);
    assert_record(scene, "UNIMPLEMENTED UNKNOWN_PATH, 0 sent");
}

static void a_path_that_loosely_belongs_to_a_method_is_refused(void **state)
{
    Scene *scene = scene_again(state, SCENE_INSTANCES_TEXT
                               "routes:\n  - {match: /, instances: ['127.0.0.1:7201']}\n");
    assert_int_equal(get(scene, "/a/..//v1/items/x")->head.status, 400);
    assert_int_equal(get(scene, "/a/../v1/items/x")->head.status, 400);
    assert_int_equal(get(scene, "/a/../yard.v1.Yard/Get")->head.status, 400);
    assert_int_equal(n_instances(scene), 0);
    Peer *client = get(scene, "/a/../b");
    answer_head(instance(scene), 204, "", -1, true);
    assert_int_equal(client->head.status, 204);
}

static void the_longest_prefix_has_the_path(void **state)
{
    Scene *scene =
        scene_again(state, SCENE_TEXT "  - {match: /old/new/, instances: ['127.0.0.1:7203']}\n");
    get(scene, "/old/new/x");
    assert_string_equal(instance(scene)->instance->address.text, "127.0.0.1:7203");
    answer_head(instance(scene), 204, "", -1, true);
    assert_int_equal(get(scene, "/old//new/x")->head.status, 400);
}

/* A lenient server cuts segments at ";", which shortens one prefix more than the other. */
static void the_longest_prefix_has_the_path_in_its_loose_reading_too(void **state)
{
    Scene *scene = scene_again(state, SCENE_TEXT
                               "  - {match: /a;with-parameters/, instances: ['127.0.0.1:7203']}\n"
                               "  - {match: /a/b/, instances: ['127.0.0.1:7204']}\n");
    Peer *client = get(scene, "/a;with-parameters/c");
    assert_string_equal(instance(scene)->instance->address.text, "127.0.0.1:7203");
    answer_head(instance(scene), 204, "", -1, true);
    assert_int_equal(client->head.status, 204);
    assert_int_equal(get(scene, "/a;with-parameters/b/c")->head.status, 400);
    assert_int_equal(get(scene, "/a/b/c%252f..%252fd")->head.status, 400);
    assert_int_equal(n_instances(scene), 1);
}

static void an_authority_that_the_config_says_takes_the_place_of_the_clients(void **state)
{
    Scene *scene = scene_again(state, SCENE_INSTANCES_TEXT
                               "routes:\n  - {match: /old/, instances: [{address: "
                               "'127.0.0.1:7201', protocol: http, authority: inside}]}\n");
    get(scene, "/old/x");
    assert_bytes(instance(scene)->head.authority, "inside");
    answer_head(instance(scene), 204, "", -1, true);
}

static void a_body_goes_through_in_both_directions(void **state)
{
    Scene *scene = *state;
    Peer *client = http1(scene);
    client_head(client, "POST", "/old/x", "content-type: text/plain\nte: trailers", -1, false);
    say(client, BYTES("ab"));
    Peer *at = instance(scene);
    assert_body(at, BYTES("ab"));
    say(client, BYTES("cd"));
    say_end(client);
    assert_body(at, BYTES("abcd"));
    assert_true(at->ended);
    answer_head(at, 200, "", -1, false);
    say(at, BYTES("ef"));
    assert_body(client, BYTES("ef"));
    say_end(at);
    assert_true(client->ended);
    assert_record(scene, "OK, 1 sent: 7201 OK");
    assert_int_equal(scene->records[0].bytes_in, 4);
}

/* 200 to 599 are statuses of final responses; from 400 they are errors. */
static void an_error_of_the_service_goes_through_and_counts_as_one(void **state)
{
    static const struct {
        unsigned status;
        const char *record;
    } cases[] = {
        {200, "OK, 1 sent: 7201 OK"},
        {399, "OK, 1 sent: 7201 OK"},
        {400, "INVALID_ARGUMENT UPSTREAM_STATUS, 1 sent: 7201 INVALID_ARGUMENT"},
        {500, "INTERNAL UPSTREAM_STATUS, 1 sent: 7201 INTERNAL"},
        {503, "UNAVAILABLE UPSTREAM_STATUS, 1 sent: 7201 UNAVAILABLE"},
        {599, "UNKNOWN UPSTREAM_STATUS, 1 sent: 7201 UNKNOWN"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        Scene *scene = scene_again(state, SCENE_TEXT);
        Peer *client = get(scene, "/old/x");
        answer_head(instance(scene), cases[i].status, "", -1, false);
        say(instance(scene), BYTES("why"));
        say_end(instance(scene));
        assert_int_equal(client->head.status, cases[i].status);
        assert_body(client, BYTES("why"));
        assert_record(scene, cases[i].record);
    }
}

static void an_error_counts_against_its_instance_by_its_status(void **state)
{
    static const struct {
        unsigned status, failures;
    } cases[] = {{200, 0}, {399, 0}, {400, 0}, {404, 0}, {428, 0},
                 {499, 0}, {500, 1}, {503, 1}, {599, 1}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        Scene *scene = scene_again(state, SCENE_TEXT);
        get(scene, "/old/x");
        scene_pass(scene, 7);
        answer_head(instance(scene), cases[i].status, "", 0, true);
        assert_int_equal(scene_upstream(scene, 7201)->counts.calls, 1);
        assert_int_equal(scene_upstream(scene, 7201)->counts.failures, cases[i].failures);
        assert_int_equal(scene_upstream(scene, 7201)->counts.timed, 1);
    }
}

static void a_status_that_http_does_not_have_is_refused(void **state)
{
    static const unsigned statuses[] = {600, 999};
    for (size_t i = 0; i < sizeof statuses / sizeof *statuses; i++) {
        Scene *scene = scene_again(state, SCENE_TEXT);
        Peer *client = get(scene, "/old/x");
        answer_head(instance(scene), statuses[i], "", -1, false);
        assert_int_equal(client->head.status, 502);
        assert_record(scene, "UNKNOWN UPSTREAM_HTTP_STATUS, 1 sent: 7201 UNKNOWN");
    }
}

/* An instance that sends them unasked. */
static void an_answers_trailers_go_through(void **state)
{
    Scene *scene = *state;
    Peer *client = ask(scene, "GET", "/old/x", "te: trailers", BYTES_NONE);
    assert_ok(scene->arena,
              http_connection_feed(instance(scene)->gateway,
                                   BYTES("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n"
                                         "1\r\nx\r\n0\r\nsum: 5\r\n\r\n"),
                                   scene->loop.now));
    scene_pump(scene);
    assert_body(client, BYTES("x"));
    assert_true(client->ended);
    assert_string_equal(trailer_of(client, "sum"), "5");
    assert_record(scene, "OK, 1 sent: 7201 OK");
}

static void what_came_while_connecting_goes_first(void **state)
{
    Scene *scene = *state;
    scene_upstream(scene, 7201)->want = scene_upstream(scene, 7202)->want = WANT_WAITS;
    Peer *client = ask(scene, "POST", "/old/x", "", BYTES("early"));
    scene_connect(scene, 7201);
    assert_body(instance(scene), BYTES("early"));
    assert_true(instance(scene)->ended);
    answer_head(instance(scene), 204, "", -1, true);
    assert_int_equal(client->head.status, 204);
}

static void interim_answers_go_through_but_for_100_and_many(void **state)
{
    Scene *scene = *state;
    Peer *client = get(scene, "/old/x");
    answer_head(instance(scene), 100, "", -1, false);
    assert_int_equal(client->interims, 0);
    for (int i = 0; i < 20; i++)
        answer_head(instance(scene), 103, "link: </a>", -1, false);
    assert_int_equal(client->interims, 16);
    answer_head(instance(scene), 204, "", -1, true);
    assert_int_equal(client->head.status, 204);
}

/* ---- Tunnels --------------------------------------------------------------------------------- */

static Peer *upgrade(Scene *scene)
{
    Peer *client = http1(scene);
    client_head(client, "GET", "/old/x", "upgrade: websocket", -1, true);
    assert_string_equal(field_of(instance(scene), "upgrade"), "websocket");
    answer_head(instance(scene), 101, "upgrade: websocket", -1, false);
    assert_int_equal(client->head.status, 101);
    return client;
}

static void a_tunnel_carries_bytes_until_both_sides_have_ended(void **state)
{
    Scene *scene = *state;
    Peer *client = upgrade(scene), *at = instance(scene);
    say(client, BYTES("ping"));
    assert_body(at, BYTES("ping"));
    say(at, BYTES("pong"));
    assert_body(client, BYTES("pong"));
    say_end(at);
    assert_int_equal(scene->n_records, 0);
    say(client, BYTES("!"));
    assert_body(at, BYTES("ping!"));
    say_end(client);
    assert_record(scene, "OK, 1 sent: 7201 OK");
}

static void a_tunnel_that_the_client_ends_first_waits_for_the_instance(void **state)
{
    Scene *scene = *state;
    Peer *client = upgrade(scene), *at = instance(scene);
    say_end(client);
    assert_int_equal(scene->n_records, 0);
    say(at, BYTES("bye"));
    say_end(at);
    assert_body(client, BYTES("bye"));
    assert_record(scene, "OK, 1 sent: 7201 OK");
}

static void a_tunnel_that_breaks_off_breaks_off_the_client(void **state)
{
    Scene *scene = *state;
    Peer *client = upgrade(scene);
    lose(instance(scene));
    assert_record(scene, "INTERNAL SYSTEM, 1 sent: 7201 INTERNAL");
    assert_int_equal(http_connection_streams(client->gateway), 0);
}

/* ---- Back-pressure --------------------------------------------------------------------------- */

static void an_instance_waits_for_a_client_that_takes_nothing(void **state)
{
    Scene *scene = *state;
    Peer *client = client_new(scene, http2_client_new, http2_server_new);
    client->keeps = true;
    client_head(client, "GET", "/old/x", "", -1, true);
    Peer *at = instance(scene);
    answer_head(at, 200, "", -1, false);
    enum { SIZE = 4 << 20 };
    uint8_t *much = arena_alloc(scene->arena, SIZE);
    memset(much, 'x', SIZE);
    say(at, bytes(much, SIZE));
    assert_true(client->body.size < SIZE / 2);
    assert_false(http_connection_wants_input(at->gateway)); /* so its socket is not read */
    give_back(client);
    assert_int_equal(client->body.size, SIZE);
    say_end(at);
    assert_record(scene, "OK, 1 sent: 7201 OK");
}

static void a_client_waits_for_an_instance_that_takes_nothing(void **state)
{
    Scene *scene = *state;
    Peer *client = client_new(scene, http2_client_new, http2_server_new);
    client_head(client, "POST", "/old/x", "", -1, false);
    say(client, BYTES("x"));
    Peer *at = instance(scene);
    enum { SIZE = 4 << 20 };
    uint8_t *much = arena_alloc(scene->arena, SIZE);
    memset(much, 'x', SIZE);
    http_stream_send_body(client->stream, bytes(much, SIZE));
    /* The instance's socket takes nothing. */
    scene_hold(at, true);
    scene_pump(scene);
    assert_true(http_stream_queued(client->stream) > SIZE / 2);
    scene_hold(at, false);
    scene_pump(scene);
    assert_int_equal(at->body.size, 1 + SIZE);
    say_end(client);
    answer_head(at, 204, "", -1, true);
    assert_record(scene, "OK, 1 sent: 7201 OK");
}

/* ---- Bodies that arrive late
 * ---------------------------------------------------------------------
 */

static void a_request_takes_no_connection_before_its_body_comes(void **state)
{
    Scene *scene = *state;
    Peer *client = http1(scene);
    client_head(client, "POST", "/old/x", "", 4, false);
    assert_int_equal(n_instances(scene), 0);
    say(client, BYTES("ab"));
    assert_body(instance(scene), BYTES("ab"));
    say(client, BYTES("cd"));
    assert_body(instance(scene), BYTES("abcd"));
    answer_head(instance(scene), 204, "", -1, true);
    assert_int_equal(client->head.status, 204);
    assert_record(scene, "OK, 1 sent: 7201 OK");
}

static void an_empty_body_has_come_when_it_has_ended(void **state)
{
    Scene *scene = *state;
    Peer *client = client_new(scene, http2_client_new, http2_server_new);
    client_head(client, "POST", "/old/x", "", -1, false);
    assert_int_equal(n_instances(scene), 0);
    say_end(client);
    assert_true(instance(scene)->ended);
    answer_head(instance(scene), 204, "", -1, true);
    assert_int_equal(client->head.status, 204);
}

static const UpstreamWait *wait_of(Scene *scene)
{
    const UpstreamWait *wait = scene_upstream(scene, 7201)->wait;
    return wait ? wait : scene_upstream(scene, 7202)->wait;
}

static void what_is_of_catastrophic_impact_is_urgent(void **state)
{
    static const char *const impacts[] = {"low", "high", "catastrophic"};
    for (int i = 0; i < 3; i++) {
        char text[1024];
        snprintf(text, sizeof text,
                 SCENE_INSTANCES_TEXT "routes:\n  - {match: /old/, impact: %s, instances: "
                                      "['127.0.0.1:7201']}\n",
                 impacts[i]);
        Scene *scene = scene_again(state, text);
        scene_upstream(scene, 7201)->want = WANT_WAITS;
        get(scene, "/old/x");
        assert_int_equal(wait_of(scene)->urgent, i == 2);
        scene_connect(scene, 7201);
        answer_head(instance(scene), 204, "", -1, true);
    }
}

static void a_connection_is_wanted_for_a_whole_request_or_a_part_of_one(void **state)
{
    Scene *scene = *state;
    scene_upstream(scene, 7201)->want = scene_upstream(scene, 7202)->want = WANT_WAITS;
    Peer *client = http1(scene);
    assert_true(ip_read(bytes_of("192.0.2.1"), &client->client->address));
    client_head(client, "POST", "/old/x", "", -1, false);
    assert_null(wait_of(scene));
    say(client, BYTES("ab"));
    assert_true(wait_of(scene)->partial);
    assert_memory_equal(wait_of(scene)->client.bytes, client->client->address.bytes, 16);
    scene_connect(scene, 7201);
    say_end(client);
    answer_head(instance(scene), 204, "", -1, true);

    client = http1(scene);
    client_head(client, "POST", "/old/x", "", -1, false);
    http_stream_send_body(client->stream, BYTES("all"));
    http_stream_send_end(client->stream, NULL);
    scene_pump(scene);
    assert_false(wait_of(scene)->partial);
    scene_connect(scene, 7202);
    answer_head(instance(scene), 204, "", -1, true);

    get(scene, "/old/x");
    assert_false(wait_of(scene)->partial);
    scene_connect(scene, 7201);
    answer_head(instance(scene), 204, "", -1, true);
}

static void who_leaves_before_its_body_came_has_asked_nobody(void **state)
{
    Scene *scene = *state;
    Peer *client = http1(scene);
    client_head(client, "POST", "/old/x", "", 4, false);
    lose(client);
    assert_int_equal(n_instances(scene), 0);
    assert_record(scene, "INTERNAL SYSTEM, 0 sent");
}

/* ---- Failing --------------------------------------------------------------------------------- */

static void a_get_is_asked_again_where_the_instance_breaks_off(void **state)
{
    Scene *scene = *state;
    Peer *client = get(scene, "/old/x");
    lose_by_instance(instance(scene));
    scene_back_off(scene);
    answer_head(instance(scene), 204, "", -1, true);
    assert_int_equal(client->head.status, 204);
    assert_record(scene, "OK, 2 sent: 7201 UNAVAILABLE, 7202 OK");
}

static void a_post_is_not_asked_again(void **state)
{
    Scene *scene = *state;
    Peer *client = ask(scene, "POST", "/old/x", "", BYTES("body"));
    lose_by_instance(instance(scene));
    assert_int_equal(client->head.status, 503);
    assert_record(scene, "UNAVAILABLE UPSTREAM_RESET, 1 sent: 7201 UNAVAILABLE");
}

static void an_answer_that_breaks_off_is_broken_off(void **state)
{
    Scene *scene = *state;
    Peer *client = get(scene, "/old/x");
    answer_head(instance(scene), 200, "", 10, false);
    say(instance(scene), BYTES("half"));
    lose_by_instance(instance(scene));
    assert_non_null(client->reset);
    assert_false(client->ended);
    assert_record(scene, "UNAVAILABLE UPSTREAM_RESET, 1 sent: 7201 UNAVAILABLE");
}

static void an_instance_that_cannot_be_reached_is_passed_over(void **state)
{
    Scene *scene = *state;
    scene_upstream(scene, 7201)->want = WANT_WAITS;
    Peer *client = ask(scene, "POST", "/old/x", "", BYTES("body"));
    scene_connect_fails(scene, 7201);
    assert_body(instance(scene), BYTES("body"));
    answer_head(instance(scene), 204, "", -1, true);
    assert_int_equal(client->head.status, 204);
    assert_record(scene, "OK, 1 sent: 7201 UNAVAILABLE, 7202 OK");
}

static void a_connection_without_room_is_a_refusal(void **state)
{
    Scene *scene = *state;
    scene_upstream(scene, 7201)->want = WANT_FULL;
    get(scene, "/old/x");
    answer_head(instance(scene), 204, "", -1, true);
    assert_record(scene, "OK, 2 sent: 7201 UNAVAILABLE, 7202 OK");
}

static void without_instances_there_is_503(void **state)
{
    Scene *scene = *state;
    scene_upstream(scene, 7201)->state = scene_upstream(scene, 7202)->state = UPSTREAM_DOWN;
    scene_upstream(scene, 7201)->failure = scene_upstream(scene, 7202)->failure =
        FAIL(scene->arena, FAULT_UPSTREAM_DOWN, "connection refused");
    Peer *client = get(scene, "/old/x");
    assert_int_equal(client->head.status, 503);
    assert_record(scene, "UNAVAILABLE UPSTREAM_DOWN, 0 sent");
}

static void a_malformed_call_is_refused(void **state)
{
    Scene *scene = *state;
    Peer *client = ask(scene, "GET", "/old/x",
                       "passerelle-hops: passerelle-0123456789abcdef\n"
                       "via: 1.1 passerelle-0123456789abcdef",
                       BYTES_NONE);
    assert_int_equal(client->head.status, 508);
    assert_record(scene, "INTERNAL LOOP_DETECTED, 0 sent");
}

static void a_request_that_is_larger_than_the_memory_of_a_call_ends(void **state)
{
    Scene *scene = scene_again(state, SCENE_TEXT LITTLE_MEMORY);
    scene_upstream(scene, 7201)->want = scene_upstream(scene, 7202)->want = WANT_WAITS;
    Peer *client = client_new(scene, http2_client_new, http2_server_new);
    client_head(client, "POST", "/old/x", "", -1, false);
    uint8_t *much = arena_calloc(scene->arena, 3 << 20, 1);
    say(client, bytes(much, 3 << 20));
    assert_int_equal(client->head.status, 503);
    assert_record(scene, "RESOURCE_EXHAUSTED OUT_OF_MEMORY, 0 sent");
}

static void heads_that_are_larger_than_the_memory_of_a_call_end(void **state)
{
    Scene *scene = scene_again(state, SCENE_TEXT HUGE_HEADS);
    Peer *client = ask_huge(scene, "/old/x");
    assert_int_equal(client->head.status, 503);
    assert_record(scene, "RESOURCE_EXHAUSTED OUT_OF_MEMORY, 0 sent");
    assert_int_equal(n_instances(scene), 0);
}

/* ---- Leaving --------------------------------------------------------------------------------- */

static void a_client_that_leaves_while_connecting_takes_its_wait_along(void **state)
{
    Scene *scene = *state;
    scene_upstream(scene, 7201)->want = WANT_WAITS;
    break_off(get(scene, "/old/x"), 8);
    assert_int_equal(scene->n_cancelled, 1);
    assert_record(scene, "CANCELLED CANCELLED, 0 sent");
}

static void a_client_that_leaves_closes_the_instances_connection(void **state)
{
    Scene *scene = *state;
    Peer *client = get(scene, "/old/x");
    answer_head(instance(scene), 200, "", -1, false);
    say(instance(scene), BYTES("half"));
    break_off(client, 8);
    assert_record(scene, "CANCELLED CANCELLED, 1 sent: 7201 CANCELLED");
    HttpPhase phase = http_connection_phase(instance(scene)->gateway);
    assert_true(phase == HTTP_CLOSING || phase == HTTP_CLOSED);
}

static void without_opaque_routes_there_is_no_such_path(void **state)
{
    Scene *scene = scene_again(state, YARD_OF("versions: [v1]"));
    assert_int_equal(get(scene, "/old/x")->head.status, 404);
    assert_record(scene, "UNIMPLEMENTED UNKNOWN_PATH, 0 sent");
}

static void a_path_that_is_read_in_two_ways_by_one_route_goes_through(void **state)
{
    Scene *scene = scene_again(state, SCENE_TEXT "  - {match: /, instances: ['127.0.0.1:7203']}\n");
    get(scene, "/old//x");
    assert_bytes(instance(scene)->head.path, "/old//x");
    assert_string_equal(instance(scene)->instance->address.text, "127.0.0.1:7201");
    answer_head(instance(scene), 204, "", -1, true);
    assert_record(scene, "OK, 1 sent: 7201 OK");
}

int main(void)
{
#define TEST(name) SCENE_TEST(name)
    const struct CMUnitTest tests[] = {
        TEST(a_request_goes_through_as_it_is),
        TEST(an_ordinary_call_needs_one_block_of_memory),
        TEST(an_answer_without_a_body_ends_with_its_head),
        TEST(a_path_is_sent_on_in_its_normal_form),
        TEST(a_path_that_can_be_read_in_two_ways_is_refused),
        TEST(a_path_beside_the_prefixes_is_not_found),
        TEST(a_path_that_loosely_belongs_to_a_method_is_refused),
        TEST(the_longest_prefix_has_the_path),
        TEST(the_longest_prefix_has_the_path_in_its_loose_reading_too),
        TEST(an_authority_that_the_config_says_takes_the_place_of_the_clients),
        TEST(a_body_goes_through_in_both_directions),
        TEST(an_error_of_the_service_goes_through_and_counts_as_one),
        TEST(an_error_counts_against_its_instance_by_its_status),
        TEST(a_status_that_http_does_not_have_is_refused),
        TEST(an_answers_trailers_go_through),
        TEST(what_came_while_connecting_goes_first),
        TEST(interim_answers_go_through_but_for_100_and_many),
        TEST(a_tunnel_carries_bytes_until_both_sides_have_ended),
        TEST(a_tunnel_that_the_client_ends_first_waits_for_the_instance),
        TEST(a_tunnel_that_breaks_off_breaks_off_the_client),
        TEST(an_instance_waits_for_a_client_that_takes_nothing),
        TEST(a_client_waits_for_an_instance_that_takes_nothing),
        TEST(a_request_takes_no_connection_before_its_body_comes),
        TEST(an_empty_body_has_come_when_it_has_ended),
        TEST(what_is_of_catastrophic_impact_is_urgent),
        TEST(a_connection_is_wanted_for_a_whole_request_or_a_part_of_one),
        TEST(who_leaves_before_its_body_came_has_asked_nobody),
        TEST(a_get_is_asked_again_where_the_instance_breaks_off),
        TEST(a_post_is_not_asked_again),
        TEST(an_answer_that_breaks_off_is_broken_off),
        TEST(an_instance_that_cannot_be_reached_is_passed_over),
        TEST(a_connection_without_room_is_a_refusal),
        TEST(without_instances_there_is_503),
        TEST(a_malformed_call_is_refused),
        TEST(a_request_that_is_larger_than_the_memory_of_a_call_ends),
        TEST(heads_that_are_larger_than_the_memory_of_a_call_end),
        TEST(a_client_that_leaves_while_connecting_takes_its_wait_along),
        TEST(a_client_that_leaves_closes_the_instances_connection),
        TEST(without_opaque_routes_there_is_no_such_path),
        TEST(a_path_that_is_read_in_two_ways_by_one_route_goes_through),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
