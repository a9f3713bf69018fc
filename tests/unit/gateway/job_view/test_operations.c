#include "base/arena.h"
#include "tests/unit/gateway/job_view/desk.h"

#define ID "01jd00000000000000000000zz"
#define NAME "operations/" ID
#define ASK_JOB BYTES("\n\45" NAME)
#define SERVICE "/google.longrunning.Operations/"
#define FOLLOW "/passerelle.jobs.v1.Jobs/Follow"
#define TRUSTING "identity_header: x-client\ntrusted_proxies: [127.0.0.0/8]\n" JOB

/* The metadata that each operation has, in JSON. */
#define METADATA_WITH(failed_step, state)                                                          \
    "\"metadata\":{\"@type\":\"type.googleapis.com/google.protobuf.Struct\",\"value\":{"           \
    "\"createTime\":\"1970-01-01T00:16:40Z\"," failed_step "\"method\":\"yard.Yard/Make\","        \
    "\"state\":\"" state "\",\"step\":\"look\"}}"
#define METADATA(state) METADATA_WITH("", state)
#define METADATA_FAILED METADATA_WITH("\"failedStep\":\"look\",", "failed")
#define METADATA_UNDONE METADATA_WITH("\"failedStep\":\"look\",", "undone")

static Desk *desk;

static int begin(void **state)
{
    scene_set_up(state);
    desk = desk_play(state, TRUSTING);
    return 0;
}

static int end(void **state)
{
    desk_free(desk);
    return scene_tear_down(state);
}

static Peer *get(const char *fields)
{
    return ask(desk->scene, "GET", "/v1/" NAME, fields, BYTES_NONE);
}

static Peer *as(const char *client_name, const char *verb, const char *path)
{
    Peer *client = client_new(desk->scene, http2_client_new, http2_server_new);
    assert_true(ip_read(bytes_of("127.0.0.1"), &client->client->address));
    client_head(client, verb, path, arena_printf(desk->arena, "x-client: %s", client_name), -1,
                true);
    return client;
}

/* ---- One operation --------------------------------------------------------------------------- */

static void an_unfinished_job_is_an_operation_that_is_not_done(void **state)
{
    desk_has(desk, NULL, JOB_RUNNING);
    Peer *client = get("");
    assert_int_equal(desk->asked, READ);
    assert_bytes(desk->about, ID);
    desk_give(desk);
    assert_int_equal(client->head.status, 202);
    assert_body(client, BYTES("{\"name\":\"" NAME "\"," METADATA("running") "}"));
    assert_string_equal(field_of(client, "retry-after"), "1");
    assert_string_equal(field_of(client, "passerelle-job"), NAME "; state=running");
}

static void a_job_that_waits_says_how_long(void **state)
{
    desk_has(desk, NULL, JOB_WAITING)->position.due = clock_wall() + 20 * SECOND;
    Peer *client = get("");
    desk_give(desk);
    assert_string_equal(field_of(client, "retry-after"), "20");
    desk_has(desk, NULL, JOB_WAITING)->position.due = clock_wall() + 2000 * SECOND;
    client = get("");
    desk_give(desk);
    assert_string_equal(field_of(client, "retry-after"), "60");
}

static void a_done_one_has_its_response_in_the_clients_version(void **state)
{
    desk_has(desk, NULL, JOB_DONE);
    Peer *client = get("api-version: v1");
    desk_give(desk);
    assert_int_equal(client->head.status, 200);
    assert_body(client, BYTES("{\"name\":\"" NAME "\",\"done\":true,\"response\":{"
                              "\"@type\":\"type.googleapis.com/yard.v1.Item\",\"name\":\"x\","
                              "\"owner\":\"bob\",\"note\":\"done\"}," METADATA("done") "}"));
    assert_string_equal(field_of(client, "retry-after"), "");
    client = get("api-version: v2");
    desk_give(desk);
    assert_body(client, BYTES("{\"name\":\"" NAME "\",\"done\":true,\"response\":{"
                              "\"@type\":\"type.googleapis.com/yard.v2.Item\",\"name\":\"x\","
                              "\"ownerId\":\"bob\"}," METADATA("done") "}"));
}

static void a_version_that_there_is_not_is_an_error(void **state)
{
    desk_has(desk, NULL, JOB_DONE);
    Peer *client = get("api-version: v9");
    desk_give(desk);
    assert_int_equal(client->head.status, 400);
    assert_record(desk->scene, "INVALID_ARGUMENT UNKNOWN_VERSION, 0 sent");
}

static void a_failed_one_has_its_error(void **state)
{
    JobRecord *job = desk_has(desk, NULL, JOB_FAILED);
    job->failure = (JobFailure){.step = bytes_of("look"),
                                .fault = bytes_of("UPSTREAM_STATUS"),
                                .code = CODE_NOT_FOUND,
                                .message = bytes_of("no such item")};
    Peer *client = get("");
    desk_give(desk);
    assert_int_equal(client->head.status, 200);
    assert_body(client, BYTES("{\"name\":\"" NAME "\",\"done\":true,\"error\":{\"code\":5,"
                              "\"message\":\"no such item\"}," METADATA_FAILED "}"));
}

static void failed_because(const char *fault)
{
    JobRecord *job = desk_has(desk, NULL, JOB_FAILED);
    job->failure = (JobFailure){.step = bytes_of("look"),
                                .fault = bytes_of(fault),
                                .code = CODE_UNAVAILABLE,
                                .message = bytes_of("UPSTREAM_DOWN: connecting to 192.0.2.7")};
}

static void instances_and_causes_are_told_only_where_errors_are_full(void **state)
{
    static const struct Told {
        const char *errors, *fault, *message;
    } told[] = {
        {"", "UPSTREAM_DOWN", "no instance of the service can be reached"},
        {"", "A_FAULT_OF_A_NEWER_GATEWAY", "a step has failed"},
        {"errors: full\n", "UPSTREAM_DOWN", "UPSTREAM_DOWN: connecting to 192.0.2.7"},
    };
    Arena *texts = arena_new(ARENA_UNLIMITED);
    for (size_t i = 0; i < sizeof told / sizeof *told; i++) {
        desk_free(desk);
        desk = desk_play(state, arena_printf(texts, "%s%s", told[i].errors, TRUSTING));
        failed_because(told[i].fault);
        Peer *client = get("");
        desk_give(desk);
        assert_body(client, bytes_of(arena_printf(desk->arena,
                                                  "{\"name\":\"" NAME
                                                  "\",\"done\":true,\"error\":{\"code\":14,"
                                                  "\"message\":\"%s\"}," METADATA_FAILED "}",
                                                  told[i].message)));
    }
    arena_free(texts);
}

static void whoever_knows_the_name_needs_no_credentials_for_it(void **state)
{
    desk_has(desk, "authorization:5f", JOB_RUNNING);
    Peer *client = get("");
    desk_give(desk);
    assert_int_equal(client->head.status, 202);
    client = as("authorization:5f", "GET", "/v1/" NAME);
    desk_give(desk);
    assert_int_equal(client->head.status, 404);
}

static void a_cancelled_one_is_cancelled(void **state)
{
    desk_has(desk, NULL, JOB_UNDONE)->position.cancelled = true;
    Peer *client = get("");
    desk_give(desk);
    assert_non_null(memmem(client->body.data, client->body.size, "\"code\":1,", 9));
}

static void over_grpc_it_is_protobuf(void **state)
{
    desk_has(desk, NULL, JOB_DONE);
    Peer *client = ask_grpc(desk->scene, SERVICE "GetOperation", ASK_JOB);
    desk_give(desk);
    assert_string_equal(said(client, "grpc-status"), "0");
    const char *start = "\n\45" NAME "\30\1\52";
    assert_memory_equal(client->body.data + 5, start, strlen(start));
}

static void a_success_whose_response_cannot_be_made_is_not_told_as_a_failure(void **state)
{
    desk_has(desk, "ada", JOB_DONE)->structure++;
    static const char *const asks[][2] = {{"GET", ""}, {"POST", ":wait"}};
    for (size_t i = 0; i < sizeof asks / sizeof *asks; i++) {
        Peer *client =
            as("ada", asks[i][0], arena_printf(desk->arena, "/v1/" NAME "%s", asks[i][1]));
        desk_give(desk);
        assert_int_equal(client->head.status, 409);
        assert_record(desk->scene, "FAILED_PRECONDITION JOB_STUCK, 0 sent");
        assert_null(memmem(client->body.data, client->body.size, "\"done\":", 7));
    }
    Peer *client = as("ada", "GET", "/v1/operations");
    desk_give(desk);
    assert_body(client, BYTES("{\"operations\":[{\"name\":\"" NAME
                              "\",\"done\":true," METADATA("done") "}]}"));
}

static void a_failure_is_told_whatever_has_become_of_its_definition(void **state)
{
    JobRecord *job = desk_has(desk, NULL, JOB_UNDONE);
    job->structure++;
    job->failure = (JobFailure){.step = bytes_of("look"),
                                .fault = bytes_of("UPSTREAM_STATUS"),
                                .code = CODE_NOT_FOUND,
                                .message = bytes_of("no such item")};
    Peer *client = get("");
    desk_give(desk);
    assert_body(client, BYTES("{\"name\":\"" NAME "\",\"done\":true,\"error\":{\"code\":5,"
                              "\"message\":\"no such item\"}," METADATA_UNDONE "}"));
}

/* ---- Whose it is ----------------------------------------------------------------------------- */

static void assert_unknown(Peer *client)
{
    assert_int_equal(client->head.status, 404);
    assert_record(desk->scene, "NOT_FOUND UNKNOWN_OPERATION, 0 sent");
}

static void what_there_is_not_is_not_found(void **state)
{
    Peer *client = get("");
    desk_give(desk);
    assert_unknown(client);
}

static void a_name_of_another_kind_is_not_even_asked_for(void **state)
{
    Peer *client = ask(desk->scene, "GET", "/v1/operations/x", "", BYTES_NONE);
    assert_int_equal(desk->n_asked, 0);
    scene_pass(desk->scene, 1);
    assert_unknown(client);
}

static void the_job_of_another_client_is_not_found_just_so(void **state)
{
    static const char *const verbs[][2] = {
        {"GET", ""}, {"DELETE", ""}, {"POST", ":cancel"}, {"POST", ":wait"}};
    for (size_t i = 0; i < sizeof verbs / sizeof *verbs; i++) {
        const char *path = arena_printf(desk->arena, "/v1/" NAME "%s", verbs[i][1]);
        desk_has(desk, "ada", JOB_RUNNING);
        Peer *client = as("bob", verbs[i][0], path);
        desk_give(desk);
        assert_unknown(client);
        Bytes with_job = bytes_copy(desk->arena, buffer_bytes(&client->body));
        desk->job = NULL;
        client = as("bob", verbs[i][0], path);
        desk_give(desk);
        assert_unknown(client);
        assert_int_equal(client->body.size, with_job.size); /* but for the request id */
        desk_has(desk, "ada", JOB_RUNNING);
        client = ask(desk->scene, verbs[i][0], path, "", BYTES_NONE);
        desk_give(desk);
        assert_unknown(client);
    }
}

static void its_own_client_finds_it(void **state)
{
    desk_has(desk, "ada", JOB_DONE);
    Peer *client = as("ada", "GET", "/v1/" NAME);
    desk_give(desk);
    assert_int_equal(client->head.status, 200);
}

static void what_the_gateway_began_by_itself_is_nobodys(void **state)
{
    desk_has(desk, NULL, JOB_DONE)->request_id = BYTES_NONE;
    Peer *client = get("");
    desk_give(desk);
    assert_unknown(client);
}

static void a_store_that_is_down_is_told(void **state)
{
    Peer *client = get("");
    desk_fail(desk, &FAULT_STORE_DOWN);
    assert_int_equal(client->head.status, 503);
    assert_record(desk->scene, "UNAVAILABLE STORE_DOWN, 0 sent");
}

/* ---- Cancelling and deleting ----------------------------------------------------------------- */

static Peer *cancel(void)
{
    return ask(desk->scene, "POST", "/v1/" NAME ":cancel", "content-type: application/json",
               BYTES("{}"));
}

static void a_cancel_is_an_order_to_whoever_executes_the_job(void **state)
{
    desk_has(desk, NULL, JOB_RUNNING);
    Peer *client = cancel();
    desk_give(desk);
    assert_int_equal(desk->asked, ORDER);
    assert_int_equal(desk->order.event, JOB_CANCEL);
    assert_int_equal(desk->n_orders, 0);
    desk_ordered(desk, JOB_ORDERED);
    assert_int_equal(desk->n_orders, 1);
    assert_int_equal(client->head.status, 200);
    assert_body(client, BYTES("{}"));
}

static void a_cancel_that_comes_too_late_is_no_error(void **state)
{
    desk_has(desk, NULL, JOB_DONE);
    Peer *client = cancel();
    desk_give(desk);
    assert_int_equal(desk->n_asked, 1);
    assert_int_equal(client->head.status, 200);
    desk_has(desk, NULL, JOB_RUNNING);
    client = cancel();
    desk_give(desk);
    desk->job->position.state = JOB_DONE;
    desk_ordered(desk, JOB_UNFIT);
    assert_int_equal(desk->asked, READ);
    desk_give(desk);
    assert_int_equal(client->head.status, 200);
    desk_has(desk, NULL, JOB_RUNNING);
    client = cancel();
    desk_give(desk);
    desk_ordered(desk, JOB_NOT_THERE);
    assert_unknown(client);
}

static void assert_failed(Peer *client)
{
    assert_int_equal(client->head.status, 409);
    assert_record(desk->scene, "FAILED_PRECONDITION OPERATION_FAILED, 0 sent");
}

static void what_has_failed_is_not_cancelled(void **state)
{
    desk_has(desk, NULL, JOB_FAILED);
    Peer *client = cancel();
    desk_give(desk);
    assert_failed(client);
    assert_int_equal(desk->asked, NOTHING);
}

static void nor_is_what_fails_meanwhile(void **state)
{
    desk_has(desk, NULL, JOB_RUNNING);
    Peer *client = cancel();
    desk_give(desk);
    desk->job->position.state = JOB_FAILED;
    desk_ordered(desk, JOB_UNFIT);
    desk_give(desk);
    assert_failed(client);
}

static void a_job_is_deleted_when_it_has_ended(void **state)
{
    desk_has(desk, NULL, JOB_UNDONE);
    Peer *client = ask(desk->scene, "DELETE", "/v1/" NAME, "", BYTES_NONE);
    desk_give(desk);
    assert_int_equal(desk->asked, REMOVE);
    desk_ordered(desk, JOB_ORDERED);
    assert_int_equal(client->head.status, 200);
    assert_body(client, BYTES("{}"));
}

static void a_job_that_goes_on_or_has_failed_is_not_deleted(void **state)
{
    desk_has(desk, NULL, JOB_RUNNING);
    Peer *client = ask(desk->scene, "DELETE", "/v1/" NAME, "", BYTES_NONE);
    desk_give(desk);
    assert_int_equal(client->head.status, 409);
    assert_record(desk->scene, "FAILED_PRECONDITION OPERATION_UNFINISHED, 0 sent");
    desk_has(desk, NULL, JOB_FAILED);
    client = ask(desk->scene, "DELETE", "/v1/" NAME, "", BYTES_NONE);
    desk_give(desk);
    assert_failed(client);
    desk_has(desk, NULL, JOB_DONE); /* an operator is faster */
    client = ask(desk->scene, "DELETE", "/v1/" NAME, "", BYTES_NONE);
    desk_give(desk);
    desk_ordered(desk, JOB_UNFIT);
    assert_int_equal(client->head.status, 409);
}

/* ---- Lists ----------------------------------------------------------------------------------- */

static void a_client_lists_its_own_jobs(void **state)
{
    desk_has(desk, "ada", JOB_RUNNING);
    Peer *client = as("ada", "GET", "/v1/operations?page_size=1&filter=done%3Dfalse");
    assert_int_equal(desk->asked, LIST);
    assert_bytes(*desk->filter.client, "ada");
    assert_int_equal(desk->filter.most, 1);
    assert_int_equal(desk->filter.content, JOB_CONTENT_OF_DONE); /* no other is shown */
    assert_int_not_equal(desk->filter.states, 0);
    desk_give(desk);
    assert_int_equal(client->head.status, 200);
    assert_body(client, BYTES("{\"operations\":[{\"name\":\"" NAME
                              "\"," METADATA("running") "}],\"nextPageToken\":\"" ID "\"}"));
}

static void a_list_of_none_is_empty(void **state)
{
    Peer *client = as("ada", "GET", "/v1/operations");
    desk_give(desk);
    assert_body(client, BYTES("{\"operations\":[]}"));
}

static void nobody_lists_the_jobs_of_those_whom_nothing_tells_apart(void **state)
{
    Peer *client = ask(desk->scene, "GET", "/v1/operations", "", BYTES_NONE);
    scene_pass(desk->scene, 1);
    assert_int_equal(client->head.status, 403);
    assert_record(desk->scene, "PERMISSION_DENIED IDENTITY_REQUIRED, 0 sent");
    assert_int_equal(desk->n_asked, 0);
}

static void a_list_that_cannot_be_read_is_told(void **state)
{
    Peer *client = as("ada", "GET", "/v1/operations");
    desk_fail(desk, &FAULT_STORE_DOWN);
    assert_int_equal(client->head.status, 503);
}

/* ---- Waiting --------------------------------------------------------------------------------- */

static Peer *wait_for(const char *query)
{
    return ask(desk->scene, "POST", arena_printf(desk->arena, "/v1/" NAME ":wait%s", query), "",
               BYTES_NONE);
}

static void a_wait_ends_with_the_job(void **state)
{
    JobRecord *job = desk_has(desk, NULL, JOB_RUNNING);
    Peer *client = wait_for("");
    desk_give(desk);
    assert_false(client->headed);
    scene_pass(desk->scene, 1010); /* it looks by itself */
    desk_give(desk);
    assert_false(client->headed);
    job->position.state = JOB_DONE;
    scene_pass(desk->scene, 1010);
    desk_give(desk);
    assert_int_equal(client->head.status, 200);
    assert_non_null(memmem(client->body.data, client->body.size, "\"done\":true", 11));
    scene_pass(desk->scene, 3000);
    assert_int_equal(desk->asked, NOTHING);
}

static void or_with_its_time(void **state)
{
    desk_has(desk, NULL, JOB_RUNNING);
    Peer *client = wait_for("?timeout=0.5s");
    desk_give(desk);
    scene_pass(desk->scene, 499);
    assert_int_equal(desk->asked, NOTHING);
    scene_pass(desk->scene, 3);
    desk_give(desk);
    assert_int_equal(client->head.status, 202);
}

static void or_before_the_clients_deadline(void **state)
{
    desk_has(desk, NULL, JOB_RUNNING);
    Peer *client = begin_grpc(desk->scene, SERVICE "WaitOperation", "grpc-timeout: 500m");
    say_frame(client, ASK_JOB);
    say_end(client);
    desk_give(desk);
    scene_pass(desk->scene, 452);
    desk_give(desk);
    assert_string_equal(said(client, "grpc-status"), "0");
}

static void what_changes_while_the_store_is_asked_is_not_missed(void **state)
{
    JobRecord *job = desk_has(desk, NULL, JOB_RUNNING);
    Peer *client = wait_for("");
    scene_pass(desk->scene, 1010); /* the first question is not answered yet */
    assert_int_equal(desk->n_asked, 1);
    desk_give(desk);
    job->position.state = JOB_DONE;
    desk_give(desk);
    assert_int_equal(client->head.status, 200);
}

static void a_wait_ends_when_the_gateway_goes_down(void **state)
{
    desk_has(desk, NULL, JOB_RUNNING);
    Peer *client = wait_for("");
    desk_give(desk);
    desk->scene->loop.draining = true;
    job_desk_drain(desk->scene->loop.jobs);
    scene_pass(desk->scene, 1);
    desk_give(desk);
    assert_int_equal(client->head.status, 202);
}

/* For a job of his own. */
static Peer *wait_as(const char *client_name)
{
    desk_has(desk, client_name, JOB_RUNNING);
    Peer *client = as(client_name, "POST", "/v1/" NAME ":wait");
    if (desk->asked != NOTHING)
        desk_give(desk);
    scene_pass(desk->scene, 1);
    return client;
}

static void no_more_wait_than_may(void **state)
{
    Peer *waits[] = {wait_as("ann"), wait_as("bob"), wait_as("cid")};
    Peer *more = wait_as("dan");
    assert_int_equal(more->head.status, 503);
    assert_record(desk->scene, "UNAVAILABLE OVERLOADED, 0 sent");
    for (int i = 0; i < 3; i++)
        break_off(waits[i], 8);
}

static void a_client_waits_for_no_more_than_its_share_and_others_have_theirs(void **state)
{
    Peer *one = wait_as("ann"), *two = wait_as("ann");
    Peer *more = wait_as("ann");
    assert_int_equal(more->head.status, 429);
    assert_record(desk->scene, "RESOURCE_EXHAUSTED TOO_MANY_WAITS, 0 sent");
    Peer *other = wait_as("bob");
    break_off(one, 8);
    Peer *again = wait_as("ann"); /* one of hers has ended */
    assert_int_equal(other->head.status, 0);
    assert_int_equal(again->head.status, 0);
    break_off(two, 8);
    break_off(other, 8);
    break_off(again, 8);
}

static void clients_without_an_identity_share_by_their_address(void **state)
{
    desk_has(desk, NULL, JOB_RUNNING);
    Peer *one = wait_for("");
    desk_give(desk);
    Peer *two = wait_for("");
    desk_give(desk);
    Peer *more = wait_for("");
    scene_pass(desk->scene, 1);
    assert_int_equal(more->head.status, 429);
    break_off(one, 8);
    break_off(two, 8);
}

/* ---- Following ------------------------------------------------------------------------------- */

static void each_state_is_told_once_as_it_comes(void **state)
{
    JobRecord *job = desk_has(desk, NULL, JOB_QUEUED);
    Peer *client = get("accept: text/event-stream");
    desk_give(desk);
    scene_pass(desk->scene, 1010);
    desk_give(desk);
    assert_body(client, BYTES("id: 1\ndata: {\"name\":\"" NAME "\"," METADATA("queued") "}\n\n"));
    job->position.state = JOB_RUNNING;
    scene_pass(desk->scene, 1010);
    desk_give(desk);
    job->position.state = JOB_FAILED;
    scene_pass(desk->scene, 1010);
    desk_give(desk);
    assert_true(client->ended);
    const char *last = "event: end\nid: end\ndata: {}\n\n";
    assert_memory_equal(client->body.data + client->body.size - strlen(last), last, strlen(last));
    assert_int_equal(desk->scene->records[0].messages_out, 3);
}

static void a_new_step_is_news(void **state)
{
    JobRecord *job = desk_has(desk, NULL, JOB_RUNNING);
    Peer *client = ask_grpc(desk->scene, FOLLOW, ASK_JOB);
    desk_give(desk);
    size_t one = client->body.size;
    job->position.step = 1;
    scene_pass(desk->scene, 1010);
    desk_give(desk);
    assert_int_equal(client->body.size, 2 * one);
    break_off(client, 8);
    scene_pass(desk->scene, 3000);
    assert_int_equal(desk->asked, NOTHING);
}

static void a_finished_job_is_told_and_that_is_all(void **state)
{
    desk_has(desk, NULL, JOB_DONE);
    Peer *client = ask_grpc(desk->scene, FOLLOW, ASK_JOB);
    desk_give(desk);
    assert_string_equal(said(client, "grpc-status"), "0");
}

static void a_job_that_is_deleted_meanwhile_is_not_found(void **state)
{
    desk_has(desk, NULL, JOB_RUNNING);
    Peer *client = ask_grpc(desk->scene, FOLLOW, ASK_JOB);
    desk_give(desk);
    desk->job = NULL;
    scene_pass(desk->scene, 1010);
    desk_give(desk);
    assert_string_equal(said(client, "grpc-status"), "5");
}

static void followers_are_sent_elsewhere_when_the_gateway_goes_down(void **state)
{
    desk_has(desk, NULL, JOB_RUNNING);
    Peer *client = ask_grpc(desk->scene, FOLLOW, ASK_JOB);
    desk_give(desk);
    desk->scene->loop.draining = true;
    job_desk_drain(desk->scene->loop.jobs);
    scene_pass(desk->scene, 1);
    desk_give(desk);
    assert_string_equal(said(client, "grpc-status"), "14");
    assert_record(desk->scene, "UNAVAILABLE SHUTTING_DOWN, 0 sent");
}

static void whoever_leaves_is_forgotten(void **state)
{
    desk_has(desk, NULL, JOB_RUNNING);
    break_off(ask_grpc(desk->scene, FOLLOW, ASK_JOB), 8);
    desk_give(desk);
    break_off(wait_for(""), 8);
    desk_give(desk);
    scene_pass(desk->scene, 3000);
    assert_int_equal(desk->asked, NOTHING);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)
    const struct CMUnitTest tests[] = {
        TEST(an_unfinished_job_is_an_operation_that_is_not_done),
        TEST(a_job_that_waits_says_how_long),
        TEST(a_done_one_has_its_response_in_the_clients_version),
        TEST(a_version_that_there_is_not_is_an_error),
        TEST(a_failed_one_has_its_error),
        TEST(instances_and_causes_are_told_only_where_errors_are_full),
        TEST(whoever_knows_the_name_needs_no_credentials_for_it),
        TEST(a_cancelled_one_is_cancelled),
        TEST(over_grpc_it_is_protobuf),
        TEST(a_success_whose_response_cannot_be_made_is_not_told_as_a_failure),
        TEST(a_failure_is_told_whatever_has_become_of_its_definition),
        TEST(what_there_is_not_is_not_found),
        TEST(a_name_of_another_kind_is_not_even_asked_for),
        TEST(the_job_of_another_client_is_not_found_just_so),
        TEST(its_own_client_finds_it),
        TEST(what_the_gateway_began_by_itself_is_nobodys),
        TEST(a_store_that_is_down_is_told),
        TEST(a_cancel_is_an_order_to_whoever_executes_the_job),
        TEST(a_cancel_that_comes_too_late_is_no_error),
        TEST(what_has_failed_is_not_cancelled),
        TEST(nor_is_what_fails_meanwhile),
        TEST(a_job_is_deleted_when_it_has_ended),
        TEST(a_job_that_goes_on_or_has_failed_is_not_deleted),
        TEST(a_client_lists_its_own_jobs),
        TEST(a_list_of_none_is_empty),
        TEST(nobody_lists_the_jobs_of_those_whom_nothing_tells_apart),
        TEST(a_list_that_cannot_be_read_is_told),
        TEST(a_wait_ends_with_the_job),
        TEST(or_with_its_time),
        TEST(or_before_the_clients_deadline),
        TEST(what_changes_while_the_store_is_asked_is_not_missed),
        TEST(a_wait_ends_when_the_gateway_goes_down),
        TEST(no_more_wait_than_may),
        TEST(a_client_waits_for_no_more_than_its_share_and_others_have_theirs),
        TEST(clients_without_an_identity_share_by_their_address),
        TEST(each_state_is_told_once_as_it_comes),
        TEST(a_new_step_is_news),
        TEST(a_finished_job_is_told_and_that_is_all),
        TEST(a_job_that_is_deleted_meanwhile_is_not_found),
        TEST(followers_are_sent_elsewhere_when_the_gateway_goes_down),
        TEST(whoever_leaves_is_forgotten),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
