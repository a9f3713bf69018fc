/* How calls of google.longrunning.Operations come to whoever tells of the gateway's jobs, and how
   clients of each dialect are told. */
#include "tests/unit/gateway/call/scene.h"

#define GET "/google.longrunning.Operations/GetOperation"
#define FOLLOW "/passerelle.jobs.v1.Jobs/Follow"
#define ASK_X BYTES("\n\14operations/x")
#define JOB_X "\n\14operations/x"

/* The latest call that was begun; one at a time. */
static struct {
    Telling telling; /* first */
    OperationCall call;
    unsigned begun, dropped;
    bool full;
} desk;

static const OperationTable table;

static Telling *begin(const OperationCall *call)
{
    desk.call = *call;
    desk.telling.table = &table;
    desk.begun++;
    return desk.full ? NULL : &desk.telling;
}

static void drop(Telling *telling)
{
    assert_ptr_equal(telling, &desk.telling);
    desk.dropped++;
}

static const OperationTable table = {.begin = begin, .drop = drop};

static Scene *play_with(void **state, bool has_jobs)
{
    Scene *scene = *state;
    memset(&desk, 0, sizeof desk);
    scene->config->n_jobs = has_jobs;
    scene->loop.operations = &table;
    return scene;
}

static Scene *play(void **state)
{
    return play_with(state, true);
}

static const JobNote running = {.name = {(const uint8_t *)"operations/x", 12},
                                .state = "running",
                                .accepted = true,
                                .retry_after = 2};
static const JobNote done = {.name = {(const uint8_t *)"operations/x", 12}, .state = "done"};

static void tell(Scene *scene, Bytes message, const JobNote *job, bool more)
{
    exchange_told(desk.call.x, &(Told){.message = message, .job = job, .more = more});
    scene_pump(scene);
}

/* ---- One answer ------------------------------------------------------------------------------ */

static void an_operation_is_told_later_over_grpc(void **state)
{
    Scene *scene = play(state);
    Peer *client = ask_grpc(scene, GET, ASK_X);
    assert_int_equal(desk.call.builtin->method, BUILTIN_GET_OPERATION);
    assert_bytes(desk.call.request, JOB_X);
    assert_false(client->headed);
    tell(scene, ASK_X, &running, false);
    assert_body(client, BYTES("\0\0\0\0\16" JOB_X));
    assert_string_equal(said(client, "grpc-status"), "0");
    assert_string_equal(field_of(client, "passerelle-job"), "operations/x; state=running");
    assert_string_equal(field_of(client, "retry-after"), "");
    assert_int_equal(desk.dropped, 1);
    assert_record(scene, "OK, 0 sent");
    assert_int_equal(scene->records[0].messages_in, 1);
    assert_int_equal(scene->records[0].messages_out, 1);
}

static void it_is_told_as_json_where_the_client_speaks_json(void **state)
{
    Scene *scene = play(state);
    Peer *client = ask(scene, "POST", GET, "content-type: application/json", BYTES("{}"));
    assert_int_equal(desk.call.call->reply_codec, CODEC_JSON);
    tell(scene, BYTES("{\"done\":true}"), &done, false);
    assert_int_equal(client->head.status, 200);
    assert_string_equal(field_of(client, "content-type"), "application/json");
    assert_body(client, BYTES("{\"done\":true}"));
    client = ask(scene, "POST", GET, "content-type: application/grpc-web+json",
                 framed(scene, BYTES("{}")));
    tell(scene, BYTES("{}"), &done, false);
    assert_memory_equal(client->body.data, "\0\0\0\0\2{}", 7);
}

typedef struct RestCase {
    const char *verb, *path;
    BuiltinMethod method;
} RestCase;

static void rest_has_the_bindings_of_longrunning_operations(void **state)
{
    static const RestCase cases[] = {
        {"GET", "/v1/operations?page_size=2", BUILTIN_LIST_OPERATIONS},
        {"GET", "/v1/operations/x", BUILTIN_GET_OPERATION},
        {"HEAD", "/v1/operations/x", BUILTIN_GET_OPERATION},
        {"DELETE", "/v1/operations/x", BUILTIN_DELETE_OPERATION},
        {"POST", "/v1/operations/x:cancel", BUILTIN_CANCEL_OPERATION},
        {"POST", "/v1/operations/x:wait", BUILTIN_WAIT_OPERATION},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        Scene *scene = play(state);
        Peer *client = ask(scene, cases[i].verb, cases[i].path, "", BYTES_NONE);
        assert_int_equal(desk.begun, 1);
        assert_int_equal(desk.call.builtin->method, cases[i].method);
        assert_int_equal(desk.call.call->dialect, DIALECT_REST);
        tell(scene, BYTES("{}"), &done, false);
        assert_int_equal(client->head.status, 200);
    }
}

static void a_rest_client_is_told_to_come_back(void **state)
{
    Scene *scene = play(state);
    Peer *client = ask(scene, "GET", "/v1/operations/x", "", BYTES_NONE);
    tell(scene, BYTES("{}"), &running, false);
    assert_int_equal(client->head.status, 202);
    assert_string_equal(field_of(client, "retry-after"), "2");
    assert_string_equal(field_of(client, "location"), "");
    assert_string_equal(field_of(client, "cache-control"), "no-store");
}

static void other_verbs_are_refused_with_those_that_there_are(void **state)
{
    static const char *const cases[][3] = {
        {"PUT", "/v1/operations/x", "GET, HEAD, DELETE, OPTIONS"},
        {"GET", "/v1/operations/x:cancel", "POST, OPTIONS"},
        {"GET", "/v1/operations/x:wait", "POST, OPTIONS"},
        {"POST", "/v1/operations", "GET, HEAD, OPTIONS"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        Scene *scene = play(state);
        Peer *client = ask(scene, cases[i][0], cases[i][1], "", BYTES_NONE);
        assert_int_equal(client->head.status, 405);
        assert_string_equal(field_of(client, "allow"), cases[i][2]);
        assert_int_equal(desk.begun, 0);
    }
}

static void paths_beside_it_are_not_its(void **state)
{
    Scene *scene = play(state);
    assert_int_equal(ask(scene, "GET", "/v1/operationsx", "", BYTES_NONE)->head.status, 404);
    assert_int_equal(ask(scene, "GET", "/v1/operations/", "", BYTES_NONE)->head.status, 404);
    assert_int_equal(desk.begun, 0);
}

static void without_jobs_in_the_config_there_are_no_operations(void **state)
{
    Scene *scene = play_with(state, false);
    assert_string_equal(said(ask_grpc(scene, GET, ASK_X), "grpc-status"), "12");
    assert_int_equal(ask(scene, "GET", "/v1/operations/x", "", BYTES_NONE)->head.status, 404);
}

static void without_a_store_they_are_not_there_now(void **state)
{
    Scene *scene = play(state);
    scene->loop.operations = NULL;
    assert_string_equal(said(ask_grpc(scene, GET, ASK_X), "grpc-status"), "14");
    assert_record(scene, "UNAVAILABLE STORE_DOWN, 0 sent");
}

static void a_failure_is_told_in_the_dialect(void **state)
{
    Scene *scene = play(state);
    Peer *client = ask_grpc(scene, GET, ASK_X);
    Arena *arena = arena_new(ARENA_UNLIMITED);
    exchange_told(desk.call.x, &(Told){.why = FAIL(arena, FAULT_BAD_REQUEST, "of this kind")});
    arena_free(arena);
    scene_pump(scene);
    assert_string_equal(said(client, "grpc-status"), "3");
    assert_int_equal(desk.dropped, 1);
    assert_record(scene, "INVALID_ARGUMENT BAD_REQUEST, 0 sent");
}

static void nothing_is_told_to_a_client_that_has_left(void **state)
{
    Scene *scene = play(state);
    Peer *client = ask_grpc(scene, GET, ASK_X);
    break_off(client, 8);
    assert_int_equal(desk.dropped, 1);
    assert_record(scene, "CANCELLED CANCELLED, 0 sent");
}

static void the_deadline_is_the_clients(void **state)
{
    Scene *scene = play(state);
    Peer *client = begin_grpc(scene, GET, "grpc-timeout: 100m");
    say_frame(client, ASK_X);
    say_end(client);
    scene_pass(scene, 101);
    assert_string_equal(said(client, "grpc-status"), "4");
    assert_int_equal(desk.dropped, 1);
}

static void a_call_without_memory_for_it_fails(void **state)
{
    Scene *scene = play(state);
    desk.full = true;
    assert_string_equal(said(ask_grpc(scene, GET, ASK_X), "grpc-status"), "8");
    assert_int_equal(desk.dropped, 0);
}

/* ---- A stream of states ---------------------------------------------------------------------- */

static void states_follow_each_other_over_grpc(void **state)
{
    Scene *scene = play(state);
    Peer *client = ask_grpc(scene, FOLLOW, ASK_X);
    assert_int_equal(desk.call.builtin->method, BUILTIN_FOLLOW_OPERATION);
    tell(scene, BYTES("one"), &running, true);
    assert_body(client, BYTES("\0\0\0\0\3one"));
    assert_false(client->ended);
    tell(scene, BYTES("two"), &done, false);
    assert_body(client, BYTES("\0\0\0\0\3one\0\0\0\0\3two"));
    assert_string_equal(said(client, "grpc-status"), "0");
    assert_int_equal(desk.dropped, 1);
}

static void they_are_events_for_a_browser(void **state)
{
    Scene *scene = play(state);
    Peer *client = ask(scene, "GET", "/v1/operations/x", "accept: text/event-stream", BYTES_NONE);
    assert_int_equal(desk.call.builtin->method, BUILTIN_FOLLOW_OPERATION);
    tell(scene, BYTES("{\"a\":1}"), &running, true);
    tell(scene, BYTES("{\"a\":2}"), &done, false);
    assert_string_equal(field_of(client, "content-type"), "text/event-stream");
    assert_body(client, BYTES("id: 1\ndata: {\"a\":1}\n\nid: 2\ndata: {\"a\":2}\n\n"
                              "event: end\nid: end\ndata: {}\n\n"));
}

static void an_event_stream_that_has_ended_is_not_begun_again(void **state)
{
    Scene *scene = play(state);
    Peer *client = ask(scene, "GET", "/v1/operations/x",
                       "accept: text/event-stream\nlast-event-id: end", BYTES_NONE);
    assert_int_equal(client->head.status, 204);
    assert_int_equal(desk.begun, 0);
}

static void what_a_client_takes_must_be_there(void **state)
{
    Scene *scene = play(state);
    Peer *client = ask(scene, "GET", "/v1/operations", "accept: text/event-stream", BYTES_NONE);
    assert_int_equal(client->head.status, 406);
    client = ask(scene, "GET", "/v1/operations/x", "accept: image/png", BYTES_NONE);
    assert_int_equal(client->head.status, 406);
}

static void a_slow_reader_is_dropped(void **state)
{
    Scene *scene = play(state);
    Peer *client = ask_grpc(scene, FOLLOW, ASK_X);
    scene_hold(client, true);
    Bytes much = bytes(arena_calloc(scene->arena, 1 << 20, 1), 1 << 20);
    tell(scene, much, &running, true);
    assert_int_equal(desk.dropped, 0);
    tell(scene, BYTES("two"), &running, true);
    assert_int_equal(desk.dropped, 1);
    assert_record(scene, "CANCELLED CLIENT_STALLED, 0 sent");
    scene_hold(client, false);
}

int main(void)
{
#define TEST(name) SCENE_TEST(name)
    const struct CMUnitTest tests[] = {
        TEST(an_operation_is_told_later_over_grpc),
        TEST(it_is_told_as_json_where_the_client_speaks_json),
        TEST(rest_has_the_bindings_of_longrunning_operations),
        TEST(a_rest_client_is_told_to_come_back),
        TEST(other_verbs_are_refused_with_those_that_there_are),
        TEST(paths_beside_it_are_not_its),
        TEST(without_jobs_in_the_config_there_are_no_operations),
        TEST(without_a_store_they_are_not_there_now),
        TEST(a_failure_is_told_in_the_dialect),
        TEST(nothing_is_told_to_a_client_that_has_left),
        TEST(the_deadline_is_the_clients),
        TEST(a_call_without_memory_for_it_fails),
        TEST(states_follow_each_other_over_grpc),
        TEST(they_are_events_for_a_browser),
        TEST(an_event_stream_that_has_ended_is_not_begun_again),
        TEST(what_a_client_takes_must_be_there),
        TEST(a_slow_reader_is_dropped),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
