#include "gateway/compose/composition.h"

#include "adapters/schema/wire.h"
#include "base/text/base64.h"
#include "tests/unit/gateway/call/scene.h"

/* A page of v2, that v1 has by its change list; the legs are calls of the yard, at 7101. */
#define PANEL(more, legs)                                                                          \
    LISTEN "services:\n" YARD "      - {address: '127.0.0.1:7101', versions: [v1]}\n"              \
           "  - name: panel\n"                                                                     \
           "    versions:\n"                                                                       \
           "      - {name: v1, package: panel.v1, schema: panel.binpb}\n"                          \
           "      - name: v2\n"                                                                    \
           "        package: panel.v2\n"                                                           \
           "        schema: panel.binpb\n"                                                         \
           "        compose: [{method: Pages/Overview, report: legs" more ", legs: [" legs "]}]\n" \
           "    changes: [panel.yaml]\n"
#define LEG(name, more) "{name: " name ", method: yard.Yard/Get" more "}"
#define OF_CUSTOMER ", request: {name: request.customer}"
#define THING ", response: {thing: .}" OF_CUSTOMER
#define OTHER ", response: {other: .}" OF_CUSTOMER
#define GRACEFUL(fallbacks) ", on_failure: {graceful: {" fallbacks "}}"

#define PAGE_V2 "/panel.v2.Pages/Overview"
#define PAGE_V1 "/panel.v1.Pages/Overview"

static const MakerTable *const makers[MAKERS] = {[MAKER_COMPOSE] = &composition_maker};

static Scene *play(void **state, const char *config)
{
    Scene *scene = scene_again(state, config);
    scene->loop.makers = makers;
    return scene;
}

/* The peer of the attempt that was the nth to connect. */
static Peer *leg(Scene *scene, uint32_t n)
{
    for (uint32_t i = 0; i < scene->n_peers; i++)
        if (scene->peers[i].instance && n-- == 0)
            return &scene->peers[i];
    fail_msg("there is no such attempt");
    return NULL;
}

static const CallRecord *record_of(const Scene *scene, const char *leg)
{
    for (uint32_t i = 0; i < scene->n_records; i++) {
        const char *name = scene->records[i].leg;
        if (leg ? name && strcmp(name, leg) == 0 : !name)
            return &scene->records[i];
    }
    fail_msg("there is no record of %s", leg ? leg : "the call");
    return NULL;
}

#define CUSTOMER BYTES("\n\1x")
#define THING_X "\n\010\n\1x\x12\3bob" /* Page.thing */

/* ---- All is well ----------------------------------------------------------------------------- */

static void a_response_is_made_of_the_responses_of_legs_that_run_at_the_same_time(void **state)
{
    Scene *scene = play(state, PANEL("", LEG("a", THING) ", " LEG("b", OTHER)));
    Peer *client = ask_grpc(scene, PAGE_V2, CUSTOMER);
    assert_int_equal(n_instances(scene), 2);
    assert_body(leg(scene, 0), framed(scene, GET_X));
    assert_body(leg(scene, 1), framed(scene, GET_X));
    answer(leg(scene, 1), BYTES("\n\1y\x20\7"));
    assert_false(client->headed);
    scene_pass(scene, 12);
    answer(leg(scene, 0), ITEM);
    assert_string_equal(said(client, "grpc-status"), "0");
    assert_body(client, framed(scene, BYTES(THING_X "\x22\5\n\1yH\7"
                                                    "\x1a\011\n\1a\x12\2ok \x0c"
                                                    "\x1a\7\n\1b\x12\2ok")));
    assert_string_equal(field_of(client, "passerelle-legs"),
                        "a; state=ok; ms=12, b; state=ok; ms=0");
    assert_string_equal(field_of(client, "cache-control"), "");
}

static void each_leg_has_its_record_beside_that_of_the_call(void **state)
{
    Scene *scene = play(state, PANEL("", LEG("a", THING)));
    ask_grpc(scene, PAGE_V2, CUSTOMER);
    answer(leg(scene, 0), ITEM);
    assert_int_equal(scene->n_records, 2);
    const CallRecord *of_leg = record_of(scene, "a"), *of_call = record_of(scene, NULL);
    assert_true(bytes_equal(of_leg->request_id, of_call->request_id));
    assert_string_equal(of_leg->peer, "127.0.0.1:50000");
    assert_string_equal(of_leg->method->type->path, GET_ITEM);
    assert_string_equal(of_leg->route->match, "panel.Pages/Overview legs.a");
    assert_string_equal(of_leg->instance->address.text, "127.0.0.1:7101");
    assert_string_equal(of_call->served_version->name, "v2");
    assert_string_equal(of_call->served_why, "composed");
    assert_null(of_call->instance);
    assert_false(of_call->partial);
}

static void another_version_of_the_composed_method_gets_it_through_the_change_list(void **state)
{
    Scene *scene =
        play(state,
             PANEL("", LEG("a", OF_CUSTOMER ", response: {owner_name: owner, thing.name: name}")));
    Peer *client = ask(scene, "GET", "/v1/pages/x", "", BYTES_NONE);
    answer(leg(scene, 0), ITEM);
    assert_body(client, BYTES("{\"thing\":{\"name\":\"x\"},\"owner\":\"bob\","
                              "\"legs\":[{\"name\":\"a\",\"state\":\"ok\"}]}"));
    client = ask(scene, "GET", "/v2/pages/x", "", BYTES_NONE);
    answer(leg(scene, 1), ITEM);
    assert_body(client, BYTES("{\"thing\":{\"name\":\"x\"},\"ownerName\":\"bob\","
                              "\"legs\":[{\"name\":\"a\",\"state\":\"ok\"}]}"));
}

static void a_leg_is_as_urgent_as_its_call(void **state)
{
    static const char *const impacts[] = {"high", "catastrophic"};
    for (int i = 0; i < 2; i++) {
        char text[4096];
        snprintf(text, sizeof text, "%sroutes:\n  - {match: panel, impact: %s}\n",
                 PANEL("", LEG("a", THING)), impacts[i]);
        Scene *scene = play(state, text);
        scene_upstream(scene, 7101)->want = WANT_WAITS;
        ask_grpc(scene, PAGE_V2, CUSTOMER);
        assert_int_equal(scene_upstream(scene, 7101)->wait->urgent, i == 1);
        scene_connect(scene, 7101);
        answer(leg(scene, 0), ITEM);
    }
}

static void a_leg_waits_for_the_response_that_it_needs(void **state)
{
    Scene *scene =
        play(state, PANEL("", LEG("b", ", request: {name: legs.a.owner, view: request.customer},"
                                       " response: {owner_name: name}") ", " LEG("a", THING)));
    Peer *client = ask_grpc(scene, PAGE_V2, CUSTOMER);
    assert_int_equal(n_instances(scene), 1);
    answer(leg(scene, 0), ITEM);
    assert_int_equal(n_instances(scene), 2);
    assert_body(leg(scene, 1), framed(scene, BYTES("\x12\1x\n\3bob")));
    answer(leg(scene, 1), BYTES("\n\3Bob"));
    assert_body(client, framed(scene, BYTES("\x12\3Bob" THING_X "\x1a\7\n\1b\x12\2ok"
                                            "\x1a\7\n\1a\x12\2ok")));
}

static void two_legs_fill_one_message(void **state)
{
    Scene *scene =
        play(state, PANEL("", LEG("a", OF_CUSTOMER ", response: {shelf.left: name}") ", " LEG(
                                  "b", OF_CUSTOMER ", response: {shelf.right: owner}")));
    Peer *client = ask(scene, "GET", "/v2/pages/x", "", BYTES_NONE);
    answer(leg(scene, 0), ITEM);
    answer(leg(scene, 1), ITEM);
    assert_body(client, BYTES("{\"legs\":[{\"name\":\"a\",\"state\":\"ok\"},"
                              "{\"name\":\"b\",\"state\":\"ok\"}],"
                              "\"shelf\":{\"left\":\"x\",\"right\":\"bob\"}}"));
}

static void no_more_legs_run_at_the_same_time_than_fan_out_says(void **state)
{
    Scene *scene = play(state, PANEL(", fan_out: 1", LEG("a", THING) ", " LEG("b", OTHER)));
    Peer *client = ask_grpc(scene, PAGE_V2, CUSTOMER);
    assert_int_equal(n_instances(scene), 1);
    answer(leg(scene, 0), ITEM);
    assert_int_equal(n_instances(scene), 2);
    answer(leg(scene, 1), ITEM);
    assert_string_equal(said(client, "grpc-status"), "0");
}

static void a_leg_sends_the_named_fields_of_the_client_and_those_about_the_way(void **state)
{
    Scene *scene =
        play(state, PANEL("", LEG("a", THING ", forward: [Authorization]") ", " LEG("b", OTHER)));
    Peer *client =
        begin_grpc(scene, PAGE_V2,
                   "authorization: Bearer t\ncookie: c\nx-mine: m\n"
                   "traceparent: 00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01");
    say_frame(client, CUSTOMER);
    say_end(client);
    assert_string_equal(field_of(leg(scene, 0), "authorization"), "Bearer t");
    assert_string_equal(field_of(leg(scene, 0), "cookie"), "");
    assert_string_equal(field_of(leg(scene, 1), "authorization"), "");
    assert_string_equal(field_of(leg(scene, 1), "x-mine"), "");
    assert_string_not_equal(field_of(leg(scene, 1), "traceparent"), "");
    assert_string_equal(field_of(leg(scene, 1), "x-forwarded-host"), "example.com");
    assert_string_equal(field_of(leg(scene, 1), "passerelle-hops"), scene->loop.hop);
    answer(leg(scene, 0), ITEM);
    answer(leg(scene, 1), ITEM);
}

/* ---- A leg fails ----------------------------------------------------------------------------- */

static void a_loud_leg_that_fails_cancels_the_others_and_is_named(void **state)
{
    Scene *scene = play(state, PANEL("", LEG("a", THING) ", " LEG("b", OTHER)));
    Peer *client = ask(scene, "GET", "/v2/pages/x", "", BYTES_NONE);
    answer_error(leg(scene, 1), 5, "no such item");
    assert_string_equal(leg(scene, 0)->reset, "CANCELLED");
    assert_int_equal(client->head.status, 404);
    Bytes body = buffer_bytes(&client->body);
    const char *text = arena_text(scene->arena, body);
    assert_non_null(strstr(text, "\"detail\":\"no such item\""));
    assert_null(strstr(text, "\"reason\"")); /* the service gives none */
    assert_non_null(strstr(text, "\"leg\":\"b\""));
    assert_non_null(strstr(text, "\"code\":\"NOT_FOUND\""));
    assert_string_equal(field_of(client, "passerelle-legs"),
                        "a; state=failed; reason=CANCELLED; ms=0, "
                        "b; state=failed; reason=UPSTREAM_STATUS; code=NOT_FOUND; ms=0");
    const CallRecord *record = record_of(scene, NULL);
    assert_string_equal(record->failed_leg, "b");
    assert_string_equal(record->why.error->doing, "the leg b");
    assert_string_equal(record_of(scene, "a")->why.error->fault->name, "CANCELLED");
}

/* google.protobuf.Any. */
static void add_any(Scene *scene, Buffer *status, const char *type, Bytes value)
{
    Buffer any = buffer_in(scene->arena);
    wire_add_bytes(&any, 1, bytes_of(type));
    wire_add_bytes(&any, 2, value);
    wire_add_bytes(status, 3, buffer_bytes(&any));
}

/* NOT_FOUND with an ErrorInfo, and a detail of a type that nobody knows. */
static void answer_not_found(Scene *scene, Peer *peer)
{
    Buffer status = buffer_in(scene->arena), text = buffer_in(scene->arena);
    wire_add_number(&status, 1, 5);
    wire_add_bytes(&status, 2, BYTES("no order x"));
    add_any(scene, &status, "type.googleapis.com/google.rpc.ErrorInfo",
            BYTES("\n\017ORDER_NOT_FOUND\x12\4yard"));
    add_any(scene, &status, "a/b", BYTES("own"));
    base64_encode(&text, buffer_bytes(&status), BASE64_STANDARD, false);
    answer_head(peer, 200,
                arena_printf(scene->arena,
                             "content-type: application/grpc\ngrpc-status: 5\n"
                             "grpc-message: no order x\ngrpc-status-details-bin: %.*s",
                             BYTES_ARGS(buffer_bytes(&text))),
                -1, true);
}

static bool contains(Bytes all, Bytes part)
{
    return memmem(all.data, all.size, part.data, part.size) != NULL;
}

static void the_error_of_a_loud_leg_is_what_its_service_has_said(void **state)
{
    Scene *scene = play(state, PANEL("", LEG("a", THING)));
    Peer *client = ask_grpc(scene, PAGE_V2, CUSTOMER);
    answer_not_found(scene, leg(scene, 0));
    assert_string_equal(said(client, "grpc-status"), "5");
    assert_string_equal(said(client, "grpc-message"), "no order x");
    Buffer details = buffer_in(scene->arena);
    assert_true(base64_decode(&details, bytes_of(said(client, "grpc-status-details-bin"))));
    assert_true(contains(buffer_bytes(&details),
                         BYTES("\n\017ORDER_NOT_FOUND\x12\4yard\x1a\010\n\3leg\x12\1a")));
    assert_true(contains(buffer_bytes(&details), BYTES("\n\3a/b\x12\3own")));
    assert_int_equal(record_of(scene, NULL)->status.code, CODE_NOT_FOUND);
}

static void and_in_a_problem_too(void **state)
{
    Scene *scene = play(state, PANEL("", LEG("a", THING)));
    Peer *client = ask(scene, "GET", "/v1/pages/x", "", BYTES_NONE);
    answer_not_found(scene, leg(scene, 0));
    assert_int_equal(client->head.status, 404);
    const char *text = arena_text(scene->arena, buffer_bytes(&client->body));
    assert_non_null(strstr(text, "\"detail\":\"no order x\",\"code\":\"NOT_FOUND\","
                                 "\"reason\":\"ORDER_NOT_FOUND\""));
    assert_non_null(strstr(text, "\"leg\":\"a\""));
}

static void a_fault_of_the_gateway_keeps_its_own_code(void **state)
{
    Scene *scene = play(state, PANEL("", LEG("a", THING)));
    scene_upstream(scene, 7101)->want = WANT_WAITS;
    Peer *client = ask_grpc(scene, PAGE_V2, CUSTOMER);
    scene_connect_fails(scene, 7101);
    assert_string_equal(said(client, "grpc-status"), "14");
    assert_string_equal(record_of(scene, NULL)->why.error->fault->name, "UPSTREAM_DOWN");
    assert_string_equal(field_of(client, "passerelle-legs"),
                        "a; state=failed; reason=UPSTREAM_DOWN; ms=0");
}

#define FOR_ADA "routes: [{match: yard, allow: [{client: [ada]}]}]\n"

static void a_leg_that_the_client_may_not_call_is_not_sent(void **state)
{
    Scene *scene = play(state, PANEL("", LEG("a", THING)) FOR_ADA);
    Peer *client = ask_grpc(scene, PAGE_V2, CUSTOMER);
    assert_string_equal(said(client, "grpc-status"), "7");
    assert_int_equal(n_instances(scene), 0);
    scene = play(state, PANEL("", LEG("a", THING GRACEFUL("default: {}"))) FOR_ADA);
    client = ask_grpc(scene, PAGE_V2, CUSTOMER);
    assert_string_equal(said(client, "grpc-status"), "0");
    assert_int_equal(n_instances(scene), 0);
}

static void a_graceful_leg_leaves_what_its_fallback_says(void **state)
{
    Scene *scene = play(state, PANEL("", LEG("a", THING GRACEFUL("default: {name: none}")) ", " LEG(
                                             "b", OTHER GRACEFUL("skip: true"))));
    Peer *client = ask_grpc(scene, PAGE_V2, CUSTOMER);
    answer_error(leg(scene, 0), 13, "oops");
    answer_error(leg(scene, 1), 13, "oops");
    assert_string_equal(said(client, "grpc-status"), "0");
    assert_body(client, framed(scene, BYTES("\n\6\n\4none"
                                            "\x1a\x28\n\1a\x12\010degraded\x1a\x0fUPSTREAM_STATUS"
                                            "2\010INTERNAL"
                                            "\x1a\x27\n\1b\x12\7skipped\x1a\x0fUPSTREAM_STATUS"
                                            "2\010INTERNAL")));
    assert_string_equal(field_of(client, "passerelle-legs"),
                        "a; state=degraded; reason=UPSTREAM_STATUS; code=INTERNAL; ms=0, "
                        "b; state=skipped; reason=UPSTREAM_STATUS; code=INTERNAL; ms=0");
    assert_string_equal(field_of(client, "cache-control"), "no-store");
    assert_true(record_of(scene, NULL)->partial);
    assert_string_equal(record_of(scene, "a")->degraded, "UPSTREAM_STATUS");
}

static void a_graceful_leg_without_a_fallback_that_has_a_response_has_failed(void **state)
{
    Scene *scene =
        play(state, PANEL("", LEG("a", THING GRACEFUL("stale: 10m")) ", " LEG("b", OTHER)));
    Peer *client = ask_grpc(scene, PAGE_V2, CUSTOMER);
    answer_error(leg(scene, 0), 13, "oops");
    assert_false(client->headed);
    answer(leg(scene, 1), ITEM);
    assert_string_equal(said(client, "grpc-status"), "0");
    assert_string_equal(
        field_of(client, "passerelle-legs"),
        "a; state=failed; reason=UPSTREAM_STATUS; code=INTERNAL; ms=0, b; state=ok; ms=0");
}

static void a_kept_response_stands_in_with_its_age(void **state)
{
    Scene *scene =
        play(state, PANEL("", LEG("a", THING GRACEFUL("stale: {for: 10m, public: true}"))));
    ask_grpc(scene, PAGE_V2, CUSTOMER);
    answer(leg(scene, 0), ITEM);
    scene_pass(scene, 31500);
    Peer *client = ask_grpc(scene, PAGE_V2, CUSTOMER);
    answer_error(leg(scene, 1), 13, "oops");
    assert_string_equal(field_of(client, "passerelle-legs"),
                        "a; state=degraded; reason=UPSTREAM_STATUS; code=INTERNAL; ms=0; age=31");
    assert_body(client, framed(scene, BYTES(THING_X "\x1a\x2a\n\1a\x12\010degraded"
                                                    "\x1a\x0fUPSTREAM_STATUS2\010INTERNAL(\x1f")));
}

static void a_response_that_cannot_be_read_is_the_failure_of_its_leg(void **state)
{
    Scene *scene =
        play(state, PANEL("", LEG("a", THING GRACEFUL("skip: true")) ", " LEG("b", OTHER)));
    Peer *client = ask_grpc(scene, PAGE_V2, CUSTOMER);
    answer(leg(scene, 0), BYTES("\n\x7fgarbage"));
    answer(leg(scene, 1), ITEM);
    assert_string_equal(said(client, "grpc-status"), "0");
    assert_string_equal(field_of(client, "passerelle-legs"),
                        "a; state=skipped; reason=UPSTREAM_MESSAGE; ms=0, b; state=ok; ms=0");
}

static void nor_is_it_kept_in_place_of_the_last_good_one(void **state)
{
    Scene *scene =
        play(state, PANEL("", LEG("a", THING GRACEFUL("stale: {for: 10m, public: true}"))));
    ask_grpc(scene, PAGE_V2, CUSTOMER);
    answer(leg(scene, 0), ITEM);
    Peer *client = ask_grpc(scene, PAGE_V2, CUSTOMER);
    answer(leg(scene, 1), BYTES("\n\x7fgarbage"));
    assert_string_equal(field_of(client, "passerelle-legs"),
                        "a; state=degraded; reason=UPSTREAM_MESSAGE; ms=0");
    client = ask_grpc(scene, PAGE_V2, CUSTOMER);
    answer_error(leg(scene, 2), 13, "oops");
    assert_string_equal(field_of(client, "passerelle-legs"),
                        "a; state=degraded; reason=UPSTREAM_STATUS; code=INTERNAL; ms=0");
}

/* Nobody else reads what passes from a message to one of the same type. */
static void a_part_of_the_same_type_is_read_too(void **state)
{
    Scene *scene =
        play(state, PANEL("", "{name: a, method: yard.Yard/Put, response: {kept: item}" GRACEFUL(
                                  "skip: true, writes: true") "}, " LEG("b", OTHER)));
    Peer *client = ask_grpc(scene, PAGE_V2, CUSTOMER);
    answer(leg(scene, 0), BYTES("\n\3\n\x7fg"));
    answer(leg(scene, 1), ITEM);
    assert_string_equal(said(client, "grpc-status"), "0");
    assert_string_equal(field_of(client, "passerelle-legs"),
                        "a; state=skipped; reason=UPSTREAM_MESSAGE; ms=0, b; state=ok; ms=0");
}

static void a_leg_without_what_it_needs_is_not_asked(void **state)
{
    Scene *scene = play(
        state, PANEL("", LEG("a", THING GRACEFUL("skip: true")) ", " LEG(
                             "b", ", request: {name: legs.a.owner}, response: {other: .}" GRACEFUL(
                                      "default: {name: none}"))));
    Peer *client = ask_grpc(scene, PAGE_V2, CUSTOMER);
    answer_error(leg(scene, 0), 13, "oops");
    assert_int_equal(n_instances(scene), 1);
    assert_string_equal(field_of(client, "passerelle-legs"),
                        "a; state=skipped; reason=UPSTREAM_STATUS; code=INTERNAL; ms=0, "
                        "b; state=skipped; reason=UPSTREAM_STATUS; code=INTERNAL; ms=0");
}

static void and_if_it_is_loud_the_call_fails(void **state)
{
    Scene *scene = play(state, PANEL("", LEG("a", THING GRACEFUL("skip: true")) ", " LEG(
                                             "b", ", request: {name: legs.a.owner},"
                                                  " response: {other: .}")));
    Peer *client = ask_grpc(scene, PAGE_V2, CUSTOMER);
    answer_error(leg(scene, 0), 13, "oops");
    assert_string_equal(said(client, "grpc-status"), "13");
    assert_string_equal(said(client, "grpc-message"), "there is no response of the leg a");
    assert_string_equal(record_of(scene, NULL)->failed_leg, "b");
}

static void with_what_the_service_of_the_other_leg_has_said(void **state)
{
    Scene *scene = play(state, PANEL("", LEG("a", THING GRACEFUL("stale: 10m")) ", " LEG(
                                             "b", ", request: {name: legs.a.owner},"
                                                  " response: {other: .}")));
    Peer *client = ask_grpc(scene, PAGE_V2, CUSTOMER);
    answer_not_found(scene, leg(scene, 0));
    assert_string_equal(said(client, "grpc-status"), "5");
    assert_string_equal(said(client, "grpc-message"), "no order x");
    assert_string_equal(record_of(scene, NULL)->failed_leg, "b");
}

static void a_required_leg_fails_the_call_if_no_fallback_has_a_response(void **state)
{
    Scene *scene = play(
        state,
        PANEL("", LEG("a", THING ", required: true" GRACEFUL("stale: {for: 10m, public: true}"))));
    Peer *client = ask_grpc(scene, PAGE_V2, CUSTOMER);
    answer_error(leg(scene, 0), 13, "oops");
    assert_string_equal(said(client, "grpc-status"), "13");
    assert_string_equal(record_of(scene, NULL)->failed_leg, "a");
}

static void and_goes_on_with_one(void **state)
{
    Scene *scene = play(
        state,
        PANEL("", LEG("a", THING ", required: true" GRACEFUL("stale: {for: 10m, public: true}"))));
    ask_grpc(scene, PAGE_V2, CUSTOMER);
    answer(leg(scene, 0), ITEM);
    Peer *client = ask_grpc(scene, PAGE_V2, CUSTOMER);
    answer_error(leg(scene, 1), 13, "oops");
    assert_string_equal(said(client, "grpc-status"), "0");
    assert_string_equal(field_of(client, "passerelle-legs"),
                        "a; state=degraded; reason=UPSTREAM_STATUS; code=INTERNAL; ms=0");
}

static void a_required_leg_without_what_it_needs_fails_the_call(void **state)
{
    Scene *scene =
        play(state, PANEL("", LEG("a", THING GRACEFUL("skip: true")) ", " LEG(
                                  "b", ", required: true, request: {name: legs.a.owner}, response: "
                                       "{other: .}" GRACEFUL("default: {name: none}"))));
    Peer *client = ask_grpc(scene, PAGE_V2, CUSTOMER);
    answer_error(leg(scene, 0), 13, "oops");
    assert_string_equal(said(client, "grpc-status"), "13");
    assert_string_equal(record_of(scene, NULL)->failed_leg, "b");
}

static void a_leg_has_its_own_timeout(void **state)
{
    Scene *scene =
        play(state, PANEL("", LEG("a", THING ", timeout: 200ms" GRACEFUL(
                                           "default: {name: none}")) ", " LEG("b", OTHER)));
    Peer *client = ask_grpc(scene, PAGE_V2, CUSTOMER);
    answer(leg(scene, 1), ITEM);
    scene_pass(scene, 199);
    assert_false(client->headed);
    scene_pass(scene, 2);
    assert_string_equal(said(client, "grpc-status"), "0");
    assert_string_equal(field_of(client, "passerelle-legs"),
                        "a; state=degraded; reason=DEADLINE_EXCEEDED; ms=201, b; state=ok; ms=0");
}

static void and_leaves_time_for_the_response_if_the_client_has_less(void **state)
{
    Scene *scene = play(state, PANEL("", LEG("a", THING ", timeout: 10s" GRACEFUL("skip: true"))));
    Peer *client = begin_grpc(scene, PAGE_V2, "grpc-timeout: 100m");
    say_frame(client, CUSTOMER);
    say_end(client);
    scene_pass(scene, 89);
    assert_false(client->headed);
    scene_pass(scene, 2);
    assert_string_equal(said(client, "grpc-status"), "0");
}

static void which_is_100_ms_of_a_long_one(void **state)
{
    Scene *scene = play(state, PANEL("", LEG("a", THING ", timeout: 10s" GRACEFUL("skip: true"))));
    Peer *client = begin_grpc(scene, PAGE_V2, "grpc-timeout: 5S");
    say_frame(client, CUSTOMER);
    say_end(client);
    scene_pass(scene, 4899);
    assert_false(client->headed);
    scene_pass(scene, 2);
    assert_string_equal(said(client, "grpc-status"), "0");
}

static void a_client_that_leaves_cancels_the_legs(void **state)
{
    Scene *scene = play(state, PANEL("", LEG("a", THING) ", " LEG("b", OTHER)));
    Peer *client = ask_grpc(scene, PAGE_V2, CUSTOMER);
    break_off(client, 8);
    scene_pump(scene);
    assert_string_equal(leg(scene, 0)->reset, "CANCELLED");
    assert_string_equal(leg(scene, 1)->reset, "CANCELLED");
    assert_int_equal(scene->n_records, 3);
}

/* ---- Fallbacks of the whole ------------------------------------------------------------------ */

#define KEPT_PANEL                                                                                 \
    PANEL("", LEG("a", THING GRACEFUL("skip: true")) ", " LEG("b", OTHER))                         \
    "routes: [{match: panel, on_failure: {graceful: {stale: {for: 10m, public: true}}}}]\n"

static void a_whole_page_stands_in_for_one_that_fails(void **state)
{
    Scene *scene = play(state, KEPT_PANEL);
    Peer *client = ask_grpc(scene, PAGE_V2, CUSTOMER);
    answer(leg(scene, 0), ITEM);
    answer(leg(scene, 1), ITEM);
    Bytes page = bytes_copy(scene->arena, buffer_bytes(&client->body));
    ask_grpc(scene, PAGE_V2, CUSTOMER); /* which lacks a part */
    answer_error(leg(scene, 2), 13, "oops");
    answer(leg(scene, 3), ITEM);
    client = ask_grpc(scene, PAGE_V2, CUSTOMER);
    answer_error(leg(scene, 5), 13, "oops");
    assert_string_equal(said(client, "grpc-status"), "0");
    assert_string_equal(field_of(client, "passerelle-degraded"),
                        "UPSTREAM_STATUS; by=stale; age=0");
    assert_body(client, page); /* with its report; the header is about this call */
    assert_string_equal(field_of(client, "passerelle-legs"),
                        "a; state=failed; reason=CANCELLED; ms=0, "
                        "b; state=failed; reason=UPSTREAM_STATUS; code=INTERNAL; ms=0");
}

static void but_not_for_what_the_client_has_to_know(void **state)
{
    Scene *scene = play(state, KEPT_PANEL);
    ask_grpc(scene, PAGE_V2, CUSTOMER);
    answer(leg(scene, 0), ITEM);
    answer(leg(scene, 1), ITEM);
    Peer *client = ask_grpc(scene, PAGE_V2, CUSTOMER);
    answer_error(leg(scene, 3), 7, "not yours");
    assert_string_equal(said(client, "grpc-status"), "7");
    client = ask_grpc(scene, PAGE_V2, CUSTOMER); /* nothing is kept any more */
    answer_error(leg(scene, 5), 13, "oops");
    assert_string_equal(said(client, "grpc-status"), "13");
}

/* ---- Limits ---------------------------------------------------------------------------------- */

static Bytes item_of(Scene *scene, size_t size)
{
    Buffer out = buffer_in(scene->arena);
    char *name = arena_array(scene->arena, char, size);
    memset(name, 'n', size);
    wire_add_bytes(&out, 1, bytes(name, size - 3));
    assert_int_equal(out.size, size);
    return buffer_bytes(&out);
}

static void the_responses_of_all_legs_have_the_size_that_bytes_says(void **state)
{
    enum { BYTES_MOST = 1024, REQUEST = 3 };
    Scene *scene = play(state, PANEL(", bytes: 1KiB", LEG("a", THING) ", " LEG("b", OTHER)));
    Peer *client = ask_grpc(scene, PAGE_V2, CUSTOMER);
    answer(leg(scene, 0), item_of(scene, 512));
    answer(leg(scene, 1), item_of(scene, BYTES_MOST - REQUEST - 512));
    assert_string_equal(said(client, "grpc-status"), "0");
    client = ask_grpc(scene, PAGE_V2, CUSTOMER);
    answer(leg(scene, 2), item_of(scene, 512));
    answer(leg(scene, 3), item_of(scene, BYTES_MOST - REQUEST - 511));
    assert_string_not_equal(said(client, "grpc-status"), "0");
    assert_string_equal(field_of(client, "passerelle-legs"),
                        "a; state=ok; ms=0, b; state=failed; reason=UPSTREAM_TOO_LARGE; ms=0");
}

static void and_so_has_the_request(void **state)
{
    Scene *scene = play(state, PANEL(", bytes: 1KiB", LEG("a", THING)));
    Peer *client = ask_grpc(scene, PAGE_V2, item_of(scene, 1024));
    assert_int_equal(n_instances(scene), 1);
    answer(leg(scene, 0), BYTES(""));
    assert_string_equal(said(client, "grpc-status"), "0");
    client = ask_grpc(scene, PAGE_V2, item_of(scene, 1025));
    assert_int_equal(n_instances(scene), 1);
    assert_string_equal(record_of(scene, NULL)->status.code == CODE_OK ? "" : "it failed", "");
    assert_string_equal(said(client, "grpc-status"), "8");
}

/* ---- Effects --------------------------------------------------------------------------------- */

#define MAKE ", method: yard.Yard/Make" OF_CUSTOMER ", response: {other: .}"

static void an_error_after_a_leg_may_have_had_an_effect_is_not_retryable(void **state)
{
    Scene *scene = play(state, PANEL("", LEG("a", THING) ", {name: b" MAKE "}"));
    Peer *client = ask_grpc(scene, PAGE_V2, CUSTOMER);
    answer_error(leg(scene, 0), 14, "away");
    answer_error(instance(scene), 14, "away");
    (void)client;
    assert_true(record_of(scene, NULL)->status.may_have_effect);
}

static void an_error_without_one_is(void **state)
{
    Scene *scene = play(state, PANEL("", LEG("a", THING)));
    ask_grpc(scene, PAGE_V2, CUSTOMER);
    answer_error(leg(scene, 0), 13, "oops");
    assert_false(record_of(scene, NULL)->status.may_have_effect);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        SCENE_TEST(a_response_is_made_of_the_responses_of_legs_that_run_at_the_same_time),
        SCENE_TEST(each_leg_has_its_record_beside_that_of_the_call),
        SCENE_TEST(another_version_of_the_composed_method_gets_it_through_the_change_list),
        SCENE_TEST(a_leg_is_as_urgent_as_its_call),
        SCENE_TEST(a_leg_waits_for_the_response_that_it_needs),
        SCENE_TEST(two_legs_fill_one_message),
        SCENE_TEST(no_more_legs_run_at_the_same_time_than_fan_out_says),
        SCENE_TEST(a_leg_sends_the_named_fields_of_the_client_and_those_about_the_way),
        SCENE_TEST(a_loud_leg_that_fails_cancels_the_others_and_is_named),
        SCENE_TEST(the_error_of_a_loud_leg_is_what_its_service_has_said),
        SCENE_TEST(and_in_a_problem_too),
        SCENE_TEST(a_fault_of_the_gateway_keeps_its_own_code),
        SCENE_TEST(a_leg_that_the_client_may_not_call_is_not_sent),
        SCENE_TEST(a_graceful_leg_leaves_what_its_fallback_says),
        SCENE_TEST(a_graceful_leg_without_a_fallback_that_has_a_response_has_failed),
        SCENE_TEST(a_kept_response_stands_in_with_its_age),
        SCENE_TEST(a_response_that_cannot_be_read_is_the_failure_of_its_leg),
        SCENE_TEST(nor_is_it_kept_in_place_of_the_last_good_one),
        SCENE_TEST(a_part_of_the_same_type_is_read_too),
        SCENE_TEST(a_leg_without_what_it_needs_is_not_asked),
        SCENE_TEST(and_if_it_is_loud_the_call_fails),
        SCENE_TEST(with_what_the_service_of_the_other_leg_has_said),
        SCENE_TEST(a_required_leg_fails_the_call_if_no_fallback_has_a_response),
        SCENE_TEST(and_goes_on_with_one),
        SCENE_TEST(a_required_leg_without_what_it_needs_fails_the_call),
        SCENE_TEST(a_leg_has_its_own_timeout),
        SCENE_TEST(and_leaves_time_for_the_response_if_the_client_has_less),
        SCENE_TEST(which_is_100_ms_of_a_long_one),
        SCENE_TEST(a_client_that_leaves_cancels_the_legs),
        SCENE_TEST(a_whole_page_stands_in_for_one_that_fails),
        SCENE_TEST(but_not_for_what_the_client_has_to_know),
        SCENE_TEST(the_responses_of_all_legs_have_the_size_that_bytes_says),
        SCENE_TEST(and_so_has_the_request),
        SCENE_TEST(an_error_after_a_leg_may_have_had_an_effect_is_not_retryable),
        SCENE_TEST(an_error_without_one_is),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
