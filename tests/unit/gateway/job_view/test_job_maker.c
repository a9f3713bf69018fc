#include "tests/unit/gateway/job_view/desk.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define MAKE_V2 "/yard.v2.Yard/Make"
#define GET_V2 "/yard.v2.Yard/Get"
#define BOTH_V1 "/yard.v1.Yard/Both"

static Desk *desk;

static Desk *play(void **state)
{
    desk = desk_play(state, JOB);
    return desk;
}

static int end(void **state)
{
    if (desk)
        desk_free(desk);
    desk = NULL;
    return scene_tear_down(state);
}

/* ---- Beginning ------------------------------------------------------------------------------- */

static void a_job_is_stored_before_its_client_is_answered(void **state)
{
    play(state);
    Peer *client = ask_grpc(desk->scene, MAKE_ITEM, ITEM);
    assert_int_equal(desk->asked, ACCEPT);
    assert_false(client->headed);
    const JobRecord *record = desk->admission.record;
    assert_true(job_id_is_valid(record->id));
    assert_bytes(record->definition, "yard.Yard/Make");
    assert_bytes(record->resource, "item/x");
    assert_true(bytes_equal(record->request, ITEM));
    assert_int_equal(record->client.size, 0);
    assert_int_not_equal(record->request_id.size, 0);
    assert_int_equal(record->position.state, JOB_QUEUED);
    assert_true(desk->admission.refuse_busy);
    assert_int_equal(desk->admission.queued_per_client, 10000);
    desk_accept(desk, JOB_ACCEPTED);
    assert_body(client, framed(desk->scene, BYTES("\n\1x\x12\3bob\x1a\6queued")));
    assert_string_equal(said(client, "grpc-status"), "0");
    const char *expected =
        arena_printf(desk->arena, "operations/%.*s; state=queued", BYTES_ARGS(record->id));
    assert_string_equal(field_of(client, "passerelle-job"), expected);
    assert_int_equal(desk->n_works, 1);
    assert_record(desk->scene, "OK, 0 sent");
    assert_string_equal(desk->scene->records[0].served_why, "job");
}

static void a_rest_client_is_told_where_its_job_is(void **state)
{
    play(state);
    Peer *client =
        ask(desk->scene, "POST", "/v1/items", "content-type: application/json", BYTES(ITEM_JSON));
    desk_accept(desk, JOB_ACCEPTED);
    assert_int_equal(client->head.status, 202);
    assert_body(client, BYTES("{\"name\":\"x\",\"owner\":\"bob\",\"note\":\"queued\"}"));
    assert_string_equal(
        field_of(client, "location"),
        arena_printf(desk->arena, "/v1/operations/%.*s", BYTES_ARGS(desk->job->id)));
    assert_string_equal(field_of(client, "retry-after"), "1");
}

static void a_client_of_another_version_begins_the_same_job(void **state)
{
    play(state);
    Peer *client = ask_grpc(desk->scene, MAKE_V2, BYTES("\n\1x\x62\3bob"));
    assert_true(bytes_equal(desk->admission.record->request, ITEM));
    desk_accept(desk, JOB_ACCEPTED);
    assert_body(client, framed(desk->scene, BYTES("\n\1x\x62\3bob")));
    assert_string_equal(said(client, "grpc-status"), "0");
}

static void a_second_job_on_the_same_thing_is_refused(void **state)
{
    play(state);
    Peer *client = ask_grpc(desk->scene, MAKE_ITEM, ITEM);
    desk_accept(desk, JOB_RESOURCE_BUSY);
    assert_string_equal(said(client, "grpc-status"), "10");
    assert_record(desk->scene, "ABORTED JOB_BUSY, 0 sent");
    client =
        ask(desk->scene, "POST", "/v1/items", "content-type: application/json", BYTES(ITEM_JSON));
    desk_accept(desk, JOB_RESOURCE_BUSY);
    assert_int_equal(client->head.status, 409);
    assert_int_equal(desk->n_works, 0);
}

static void or_waits_for_its_turn(void **state)
{
    desk = desk_play(state, JOB_OF("", ", busy: queue"));
    Peer *client = ask_grpc(desk->scene, MAKE_ITEM, ITEM);
    assert_false(desk->admission.refuse_busy);
    desk_accept(desk, JOB_ACCEPTED);
    assert_string_equal(said(client, "grpc-status"), "0");
}

static void a_client_with_too_many_jobs_is_told_so(void **state)
{
    desk = desk_play(state, JOB_OF("    queued_per_client: 3\n", ""));
    Peer *client = ask_grpc(desk->scene, MAKE_ITEM, ITEM);
    assert_int_equal(desk->admission.queued_per_client, 3);
    desk_accept(desk, JOB_TOO_MANY);
    assert_string_equal(said(client, "grpc-status"), "8");
    assert_record(desk->scene, "RESOURCE_EXHAUSTED TOO_MANY_JOBS, 0 sent");
}

static void a_client_of_which_too_much_is_stored_is_told_so(void **state)
{
    desk = desk_play(state, JOB_OF("    stored_per_client: 40MiB\n", ""));
    Peer *client = ask_grpc(desk->scene, MAKE_ITEM, ITEM);
    assert_int_equal(desk->admission.stored_per_client, 40 << 20);
    desk_accept(desk, JOB_TOO_MUCH);
    assert_string_equal(said(client, "grpc-status"), "8");
    assert_record(desk->scene, "RESOURCE_EXHAUSTED TOO_MUCH_STORED, 0 sent");
}

static void a_request_that_does_not_say_on_what_is_refused(void **state)
{
    play(state);
    Peer *client = ask_grpc(desk->scene, MAKE_ITEM, BYTES("\x12\3bob"));
    assert_int_equal(desk->n_asked, 0);
    scene_pass(desk->scene, 1);
    assert_string_equal(said(client, "grpc-status"), "3");
    assert_record(desk->scene, "INVALID_ARGUMENT FIELD_REQUIRED, 0 sent");
}

static void fields_that_the_job_forwards_are_kept(void **state)
{
    desk = desk_play(state, JOB_OF("    forward: [x-tenant]\n", ""));
    Peer *client = begin_grpc(desk->scene, MAKE_ITEM, "x-tenant: t1\nx-other: o");
    say_frame(client, ITEM);
    say_end(client);
    assert_int_equal(desk->admission.record->forwarded.n, 1);
    assert_bytes(fields_get(&desk->admission.record->forwarded, "x-tenant"), "t1");
    desk_accept(desk, JOB_ACCEPTED);
}

/* ---- A store that fails ---------------------------------------------------------------------- */

static void without_the_store_no_job_is_promised(void **state)
{
    play(state);
    Peer *client = ask_grpc(desk->scene, MAKE_ITEM, ITEM);
    desk_fail(desk, &FAULT_STORE_DOWN);
    assert_string_equal(said(client, "grpc-status"), "14");
    assert_string_equal(said(client, "grpc-retry-pushback-ms"), "");
    assert_record(desk->scene, "UNAVAILABLE STORE_DOWN, 0 sent");
}

static void what_may_be_stored_is_asked_once_more_as_the_same_job(void **state)
{
    play(state);
    Peer *client = ask_grpc(desk->scene, MAKE_ITEM, ITEM);
    Bytes id = desk->admission.record->id;
    desk_fail(desk, &FAULT_STORE_UNKNOWN);
    assert_int_equal(desk->asked, ACCEPT);
    assert_true(bytes_equal(desk->admission.record->id, id));
    desk_accept(desk, JOB_ACCEPTED_BEFORE);
    assert_string_equal(said(client, "grpc-status"), "0");
    assert_int_equal(desk->n_works, 1);
}

static void an_unknown_outcome_is_told_as_one_that_must_not_be_retried(void **state)
{
    play(state);
    Peer *client = ask_grpc(desk->scene, MAKE_ITEM, ITEM);
    desk_fail(desk, &FAULT_STORE_UNKNOWN);
    desk_fail(desk, &FAULT_STORE_UNKNOWN);
    assert_string_equal(said(client, "grpc-status"), "2");
    assert_string_equal(said(client, "grpc-retry-pushback-ms"), "-1");
    assert_record(desk->scene, "UNKNOWN STORE_UNKNOWN, 0 sent");
}

static void a_client_that_leaves_has_begun_its_job_all_the_same(void **state)
{
    play(state);
    Peer *client = ask_grpc(desk->scene, MAKE_ITEM, ITEM);
    break_off(client, 8);
    assert_record(desk->scene, "CANCELLED CANCELLED, 0 sent");
    desk_accept(desk, JOB_ACCEPTED);
}

static void a_gateway_without_a_store_promises_nothing(void **state)
{
    play(state);
    job_desk_close(desk->scene->loop.jobs);
    Peer *client = ask_grpc(desk->scene, MAKE_ITEM, ITEM);
    scene_pass(desk->scene, 1);
    assert_string_equal(said(client, "grpc-status"), "14");
    client = ask_grpc(desk->scene, GET_ITEM, GET_X);
    scene_pass(desk->scene, 1);
    answer(instance(desk->scene), ITEM);
    assert_string_equal(said(client, "grpc-status"), "0");
}

/* ---- Reading --------------------------------------------------------------------------------- */

static void a_thing_is_read_from_its_unfinished_job_also_without_instances(void **state)
{
    play(state);
    desk_has(desk, NULL, JOB_RUNNING);
    scene_set_down(desk->scene, true);
    Peer *client = ask_grpc(desk->scene, GET_ITEM, GET_X);
    assert_int_equal(desk->asked, FIND);
    assert_bytes(desk->about, "item/x");
    desk_give(desk);
    assert_body(client, framed(desk->scene, BYTES("\n\1x\x12\3bob\x1a\7running")));
    assert_string_equal(field_of(client, "passerelle-job"),
                        "operations/01jd00000000000000000000zz; state=running");
    assert_int_equal(n_instances(desk->scene), 0);
}

static void it_is_converted_for_a_reader_of_another_version(void **state)
{
    play(state);
    desk_has(desk, NULL, JOB_WAITING);
    Peer *client = ask(desk->scene, "GET", "/v2/items/x", "", BYTES_NONE);
    desk_give(desk);
    assert_int_equal(client->head.status, 200);
    assert_body(client, BYTES("{\"name\":\"x\",\"ownerId\":\"bob\"}"));
    assert_string_equal(field_of(client, "passerelle-lost"), "Item.note");
    assert_string_equal(field_of(client, "retry-after"), "1");
}

static void expect_instances(Desk *of, const char *path, Bytes request)
{
    Peer *client = ask_grpc(of->scene, path, request);
    desk_give(of);
    answer(instance(of->scene), ITEM);
    assert_string_equal(said(client, "grpc-status"), "0");
    assert_string_equal(field_of(client, "passerelle-job"), "");
    assert_body(client, framed(of->scene, ITEM));
}

static void without_a_job_or_after_it_instances_are_asked(void **state)
{
    static const JobState ends[] = {JOB_DONE, JOB_UNDONE, JOB_FAILED};
    play(state);
    expect_instances(desk, GET_ITEM, GET_X);
    for (size_t i = 0; i < sizeof ends / sizeof *ends; i++) {
        desk_has(desk, NULL, ends[i]);
        expect_instances(desk, GET_ITEM, GET_X);
    }
}

static void the_job_of_another_client_is_not_shown(void **state)
{
    play(state);
    desk_has(desk, "somebody else", JOB_RUNNING);
    expect_instances(desk, GET_ITEM, GET_X);
}

static Bytes client_with(const char *fields)
{
    Peer *client = begin_grpc(desk->scene, MAKE_ITEM, fields);
    say_frame(client, ITEM);
    say_end(client);
    assert_int_equal(desk->asked, ACCEPT);
    Bytes name = bytes_copy(desk->arena, desk->admission.record->client);
    desk_accept(desk, JOB_ACCEPTED);
    return name;
}

static bool is_shown(Bytes client_of_job, const char *fields)
{
    desk_has(desk, arena_text(desk->arena, client_of_job), JOB_RUNNING);
    Peer *reader = begin_grpc(desk->scene, GET_ITEM, fields);
    say_frame(reader, GET_X);
    say_end(reader);
    desk_give(desk);
    bool shown = reader->headed;
    if (!shown)
        answer(instance(desk->scene), ITEM);
    assert_string_equal(said(reader, "grpc-status"), "0");
    return shown;
}

#define ADA "authorization: Bearer ada"
#define BOB "authorization: Bearer bob"

static void credentials_that_nobody_can_compare_are_shown_nothing_by_the_thing(void **state)
{
    play(state);
    Bytes nobody = client_with(""), ada = client_with(ADA);
    assert_int_equal(nobody.size, 0);
    assert_bytes(ada, "authorization:");
    assert_true(is_shown(nobody, ""));
    assert_false(is_shown(nobody, ADA));
    assert_false(is_shown(ada, ""));
    assert_false(is_shown(ada, ADA));
}

static void with_a_key_the_same_credentials_are_known_again(void **state)
{
    char key[] = "/tmp/passerelle-job-XXXXXX";
    int fd = mkstemp(key);
    assert_true(fd >= 0);
    assert_int_equal(dprintf(fd, "%064d\n", 7), 65);
    close(fd);
    Arena *arena = arena_new(ARENA_UNLIMITED);
    desk = desk_play(state, arena_printf(arena, "clients: {recorded: hashed, key: %s}\n" JOB, key));
    Bytes ada = client_with(ADA), with_cookie = client_with(ADA "\ncookie: a=b");
    assert_int_equal(ada.size, strlen("authorization:") + 32);
    assert_true(is_shown(ada, ADA));
    assert_true(is_shown(with_cookie, ADA "\ncookie: a=b"));
    assert_false(is_shown(with_cookie, ADA));
    assert_false(is_shown(ada, BOB));
    assert_false(is_shown(ada, ""));
    unlink(key);
    arena_free(arena);
}

static void a_job_of_another_definition_is_not_shown(void **state)
{
    play(state);
    desk_has(desk, NULL, JOB_RUNNING)->structure++;
    expect_instances(desk, GET_ITEM, GET_X);
    desk_has(desk, NULL, JOB_RUNNING)->revision++;
    expect_instances(desk, GET_ITEM, GET_X);
}

static void a_store_that_is_down_does_not_keep_from_reading(void **state)
{
    play(state);
    Peer *client = ask_grpc(desk->scene, GET_ITEM, GET_X);
    desk_fail(desk, &FAULT_STORE_DOWN);
    answer(instance(desk->scene), ITEM);
    assert_string_equal(said(client, "grpc-status"), "0");
}

static void a_request_of_nothing_is_for_instances(void **state)
{
    play(state);
    Peer *client = ask_grpc(desk->scene, GET_ITEM, BYTES_NONE);
    assert_int_equal(desk->n_asked, 0);
    scene_pass(desk->scene, 1);
    answer(instance(desk->scene), ITEM);
    assert_string_equal(said(client, "grpc-status"), "0");
}

static void a_reader_that_leaves_is_forgotten(void **state)
{
    play(state);
    desk_has(desk, NULL, JOB_RUNNING);
    Peer *client = ask_grpc(desk->scene, GET_ITEM, GET_X);
    break_off(client, 8);
    desk_give(desk);
    assert_record(desk->scene, "CANCELLED CANCELLED, 0 sent");
}

static void an_answer_may_never_come(void **state)
{
    play(state);
    Peer *client = ask_grpc(desk->scene, GET_ITEM, GET_X);
    break_off(client, 8);
    desk->asked = NOTHING;
}

static void what_was_shown_last_stands_in_when_the_service_fails_afterwards(void **state)
{
    desk = desk_play(state, JOB "routes: [{match: yard.Yard/Get, on_failure: {graceful: {stale: "
                                "{for: 10m, public: true}}}}]\n");
    desk_has(desk, NULL, JOB_RUNNING);
    Peer *client = ask_grpc(desk->scene, GET_ITEM, GET_X);
    desk_give(desk);
    assert_string_equal(field_of(client, "passerelle-degraded"), "");
    desk_has(desk, NULL, JOB_DONE);
    client = ask_grpc(desk->scene, GET_ITEM, GET_X);
    desk_give(desk);
    answer_error(instance(desk->scene), 13, "oops");
    assert_string_equal(said(client, "grpc-status"), "0");
    assert_string_equal(field_of(client, "passerelle-degraded"),
                        "UPSTREAM_STATUS; by=stale; age=0");
    assert_body(client, framed(desk->scene, BYTES("\n\1x\x12\3bob\x1a\7running")));
}

/* ---- Blocking -------------------------------------------------------------------------------- */

static void what_collides_with_a_job_is_refused_whoever_has_begun_it(void **state)
{
    static const char *const clients[] = {NULL, "somebody else"};
    play(state);
    for (size_t i = 0; i < sizeof clients / sizeof *clients; i++) {
        desk_has(desk, clients[i], JOB_UNDOING);
        Peer *client = ask_grpc(desk->scene, BOTH_V1, ITEM);
        assert_bytes(desk->about, "item/x");
        desk_give(desk);
        assert_string_equal(said(client, "grpc-status"), "10");
        assert_null(strstr(said(client, "grpc-message"), "01jd"));
    }
    assert_record(desk->scene, "ABORTED JOB_BUSY, 0 sent");
}

static void and_goes_on_after_it(void **state)
{
    play(state);
    expect_instances(desk, BOTH_V1, ITEM);
    desk_has(desk, NULL, JOB_DONE);
    expect_instances(desk, BOTH_V1, ITEM);
}

static void what_nobody_knows_about_is_refused(void **state)
{
    play(state);
    Peer *client = ask_grpc(desk->scene, BOTH_V1, ITEM);
    desk_fail(desk, &FAULT_STORE_DOWN);
    assert_string_equal(said(client, "grpc-status"), "14");
    assert_record(desk->scene, "UNAVAILABLE STORE_DOWN, 0 sent");
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, scene_set_up, end)
    const struct CMUnitTest tests[] = {
        TEST(a_job_is_stored_before_its_client_is_answered),
        TEST(a_rest_client_is_told_where_its_job_is),
        TEST(a_client_of_another_version_begins_the_same_job),
        TEST(a_second_job_on_the_same_thing_is_refused),
        TEST(or_waits_for_its_turn),
        TEST(a_client_with_too_many_jobs_is_told_so),
        TEST(a_client_of_which_too_much_is_stored_is_told_so),
        TEST(a_request_that_does_not_say_on_what_is_refused),
        TEST(fields_that_the_job_forwards_are_kept),
        TEST(without_the_store_no_job_is_promised),
        TEST(what_may_be_stored_is_asked_once_more_as_the_same_job),
        TEST(an_unknown_outcome_is_told_as_one_that_must_not_be_retried),
        TEST(a_client_that_leaves_has_begun_its_job_all_the_same),
        TEST(a_gateway_without_a_store_promises_nothing),
        TEST(a_thing_is_read_from_its_unfinished_job_also_without_instances),
        TEST(it_is_converted_for_a_reader_of_another_version),
        TEST(without_a_job_or_after_it_instances_are_asked),
        TEST(the_job_of_another_client_is_not_shown),
        TEST(credentials_that_nobody_can_compare_are_shown_nothing_by_the_thing),
        TEST(with_a_key_the_same_credentials_are_known_again),
        TEST(a_job_of_another_definition_is_not_shown),
        TEST(a_store_that_is_down_does_not_keep_from_reading),
        TEST(a_request_of_nothing_is_for_instances),
        TEST(a_reader_that_leaves_is_forgotten),
        TEST(an_answer_may_never_come),
        TEST(what_was_shown_last_stands_in_when_the_service_fails_afterwards),
        TEST(what_collides_with_a_job_is_refused_whoever_has_begun_it),
        TEST(and_goes_on_after_it),
        TEST(what_nobody_knows_about_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
