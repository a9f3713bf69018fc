#include "adapters/schema/wire.h"
#include "base/text/base64.h"
#include "tests/unit/gateway/call/scene.h"

#define TYPES "type.googleapis.com/"

static Bytes any(Scene *scene, const char *type, Bytes value)
{
    Buffer out = buffer_in(scene->arena);
    wire_add_bytes(&out, 1, bytes_of(arena_printf(scene->arena, TYPES "%s", type)));
    wire_add_bytes(&out, 2, value);
    return buffer_bytes(&out);
}

/* google.rpc.BadRequest with a violation of this field. */
static Bytes bad_field(Scene *scene, const char *field)
{
    Buffer violation = buffer_in(scene->arena), out = buffer_in(scene->arena);
    wire_add_bytes(&violation, 1, bytes_of(field));
    wire_add_bytes(&out, 1, buffer_bytes(&violation));
    return any(scene, "google.rpc.BadRequest", buffer_bytes(&out));
}

/* The instance says INVALID_ARGUMENT, with this detail. */
static void answer_detail(Scene *scene, Bytes detail)
{
    Buffer status = buffer_in(scene->arena), text = buffer_in(scene->arena);
    wire_add_number(&status, 1, 3);
    wire_add_bytes(&status, 2, BYTES("no"));
    wire_add_bytes(&status, 3, detail);
    base64_encode(&text, buffer_bytes(&status), BASE64_STANDARD, false);
    answer_head(instance(scene), 200,
                arena_printf(scene->arena,
                             "content-type: application/grpc\ngrpc-status: 3\ngrpc-message: no\n"
                             "grpc-status-details-bin: %.*s",
                             BYTES_ARGS(buffer_bytes(&text))),
                -1, true);
}

/* The detail that a gRPC client got; empty: none. */
static Bytes detail_of(Scene *scene, const Peer *client)
{
    Buffer status = buffer_in(scene->arena);
    assert_true(base64_decode(&status, bytes_of(said(client, "grpc-status-details-bin"))));
    return wire_find_bytes(buffer_bytes(&status), 3);
}

static void assert_same(Bytes actual, Bytes expected)
{
    assert_int_equal(actual.size, expected.size);
    assert_memory_equal(actual.data, expected.data, expected.size);
}

#define V2 YARD_OF("versions: [v2]")

static void a_detail_in_the_clients_own_version_stays_as_it_is(void **state)
{
    Scene *scene = *state;
    Peer *client = ask_grpc(scene, MAKE_ITEM, ITEM);
    answer_detail(scene, bad_field(scene, "owner"));
    assert_same(detail_of(scene, client), bad_field(scene, "owner"));
}

static void a_field_at_fault_is_named_as_the_client_names_it(void **state)
{
    Scene *scene = scene_again(state, V2);
    Peer *client = ask_grpc(scene, MAKE_ITEM, ITEM);
    answer_detail(scene, bad_field(scene, "owner_id"));
    assert_same(detail_of(scene, client), bad_field(scene, "owner"));
    assert_record(scene, "INVALID_ARGUMENT UPSTREAM_STATUS, 1 sent: 7101 INVALID_ARGUMENT");
}

static void a_message_of_the_services_is_given_in_the_clients_version(void **state)
{
    Scene *scene = scene_again(state, V2);
    Peer *client = ask_grpc(scene, MAKE_ITEM, ITEM);
    answer_detail(scene, any(scene, "yard.v2.Item", BYTES("\n\1x\x62\3bob")));
    assert_same(detail_of(scene, client), any(scene, "yard.v1.Item", ITEM));
}

static void a_detail_that_cannot_be_given_is_counted_and_named(void **state)
{
    Scene *scene = scene_again(state, V2);
    Peer *client = ask_grpc(scene, MAKE_ITEM, ITEM);
    answer_detail(scene, any(scene, "yard.v2.Item", BYTES("\n\1x\x82\1\3top")));
    assert_string_equal(said(client, "grpc-status"), "3");
    assert_string_equal(said(client, "grpc-message"), "no");
    assert_int_equal(scene->counted[COUNTER_DETAILS_UNCONVERTED], 1);
    assert_non_null(strstr(error_text(scene->arena, scene->records[0].detail_why), "it stays"));
    assert_same(detail_of(scene, client), any(scene, "yard.v2.Item", BYTES("\n\1x\x82\1\3top")));
    assert_non_null(strstr(said(client, "passerelle-lost"), "yard.v2.Item"));
}

static void only_the_first_of_several_is_told_to_the_log(void **state)
{
    Scene *scene = scene_again(state, V2);
    ask_grpc(scene, MAKE_ITEM, ITEM);
    Bytes bad = any(scene, "yard.v2.Item", BYTES("\n\1x\x82\1\3top"));
    Buffer two = buffer_in(scene->arena);
    buffer_add_bytes(&two, bad);
    Buffer status = buffer_in(scene->arena), text = buffer_in(scene->arena);
    wire_add_number(&status, 1, 3);
    wire_add_bytes(&status, 3, bad);
    wire_add_bytes(&status, 3, bad);
    base64_encode(&text, buffer_bytes(&status), BASE64_STANDARD, false);
    answer_head(instance(scene), 200,
                arena_printf(scene->arena,
                             "content-type: application/grpc\ngrpc-status: 3\n"
                             "grpc-status-details-bin: %.*s",
                             BYTES_ARGS(buffer_bytes(&text))),
                -1, true);
    assert_int_equal(scene->counted[COUNTER_DETAILS_UNCONVERTED], 2);
}

static void a_rest_client_reads_details_as_json(void **state)
{
    Scene *scene = scene_again(state, V2);
    Peer *client =
        ask(scene, "POST", "/v1/items", "content-type: application/json", BYTES(ITEM_JSON));
    answer_detail(scene, any(scene, "yard.v2.Item", BYTES("\n\1x\x62\3bob")));
    assert_int_equal(client->head.status, 400);
    const char *body = arena_text(scene->arena, buffer_bytes(&client->body));
    assert_non_null(strstr(body, "\"owner\":\"bob\""));
}

static void a_rest_instances_details_are_read_from_json_and_its_status_follows(void **state)
{
    Scene *scene = scene_again(state, YARD_OF("versions: [v1], protocol: rest"));
    Peer *client = ask_grpc(scene, GET_ITEM, GET_X);
    const char *body =
        "{\"error\":{\"code\":400,\"message\":\"no\",\"status\":\"INVALID_ARGUMENT\","
        "\"details\":[{\"@type\":\"" TYPES "yard.v1.Item\",\"name\":\"x\","
        "\"owner\":\"bob\"}]}}";
    answer_head(instance(scene), 400, "content-type: application/json", (int64_t)strlen(body),
                false);
    say(instance(scene), bytes_of(body));
    say_end(instance(scene));
    assert_string_equal(said(client, "grpc-status"), "3");
    Buffer status = buffer_in(scene->arena);
    assert_true(base64_decode(&status, bytes_of(said(client, "grpc-status-details-bin"))));
    Bytes own = any(scene, "yard.v1.Item", ITEM);
    const uint8_t *found = memmem(status.data, status.size, own.data, own.size);
    assert_non_null(found);
    const uint8_t *info = memmem(status.data, status.size, "HTTP_STATUS", 11);
    assert_true(info > found);
}

#define BOTH(served) YARD_OF("versions: [" served "]")

static Peer *ask_both(Scene *scene)
{
    return ask(scene, "POST", "/both/x",
               "content-type: application/json; version=1\naccept: application/json; version=2",
               BYTES("{}"));
}

static void a_detail_is_given_in_the_version_of_the_answer(void **state)
{
    Scene *scene = scene_again(state, BOTH("v1"));
    Peer *client = ask_both(scene);
    answer_detail(scene, any(scene, "yard.v1.Item", ITEM));
    const char *body = arena_text(scene->arena, buffer_bytes(&client->body));
    assert_non_null(strstr(body, "\"ownerId\":\"bob\""));
    scene = scene_again(state, BOTH("v2"));
    client = ask_both(scene);
    answer_detail(scene, any(scene, "yard.v2.Item", BYTES("\n\1x\x62\3bob")));
    body = arena_text(scene->arena, buffer_bytes(&client->body));
    assert_non_null(strstr(body, "\"ownerId\":\"bob\""));
}

static void an_error_without_details_needs_no_conversion(void **state)
{
    Scene *scene = scene_again(state, V2);
    Peer *client = ask_grpc(scene, MAKE_ITEM, ITEM);
    answer_error(instance(scene), 9, "full");
    assert_string_equal(said(client, "grpc-status"), "9");
    assert_int_equal(scene->counted[COUNTER_DETAILS_UNCONVERTED], 0);
}

static void an_error_whose_details_find_no_memory_is_told_without_them(void **state)
{
    Scene *scene = scene_again(state, V2);
    bool without = false;
    for (size_t limit = 4096; limit < 48 << 10; limit += 64) {
        scene->config->limits.call_memory = limit;
        Peer *client = ask_grpc(scene, MAKE_ITEM, ITEM);
        if (!client->ended) {
            char owner[1000];
            memset(owner, 'x', sizeof owner);
            Buffer item = buffer_in(scene->arena);
            wire_add_bytes(&item, 12, bytes(owner, sizeof owner));
            answer_detail(scene, any(scene, "yard.v2.Item", buffer_bytes(&item)));
        }
        assert_true(client->ended);
        const char *status = said(client, "grpc-status");
        assert_true(strcmp(status, "3") == 0 || strcmp(status, "8") == 0 ||
                    strcmp(status, "13") == 0);
        without |= strcmp(status, "3") == 0 && !said(client, "grpc-status-details-bin")[0];
        scene_clear(scene);
    }
    assert_true(without);
}

static void a_detail_that_only_the_served_version_knows_can_stay_as_it_is(void **state)
{
    Scene *scene = scene_again(state, YARD_OF("versions: [v1]"));
    Peer *client = ask_grpc(scene, "/yard.v2.Yard/Make", BYTES("\n\1x"));
    Bytes ticket = any(scene, "yard.v1.Ticket",
                       BYTES("\n\1"
                             "7"));
    answer_detail(scene, ticket);
    assert_same(detail_of(scene, client), ticket);
    assert_int_equal(scene->counted[COUNTER_DETAILS_UNCONVERTED], 0);
}

static void a_malformed_detail_of_nobodys_version_stays_as_it_is(void **state)
{
    Scene *scene = scene_again(state, V2);
    Peer *client = ask_grpc(scene, MAKE_ITEM, ITEM);
    Bytes bad = any(scene, "google.rpc.BadRequest", BYTES("\n\7x"));
    answer_detail(scene, bad);
    assert_same(detail_of(scene, client), bad);
}

int main(void)
{
#define TEST(name) SCENE_TEST(name)
    const struct CMUnitTest tests[] = {
        TEST(a_detail_in_the_clients_own_version_stays_as_it_is),
        TEST(a_field_at_fault_is_named_as_the_client_names_it),
        TEST(a_message_of_the_services_is_given_in_the_clients_version),
        TEST(a_detail_that_cannot_be_given_is_counted_and_named),
        TEST(only_the_first_of_several_is_told_to_the_log),
        TEST(a_rest_client_reads_details_as_json),
        TEST(a_rest_instances_details_are_read_from_json_and_its_status_follows),
        TEST(a_detail_is_given_in_the_version_of_the_answer),
        TEST(an_error_without_details_needs_no_conversion),
        TEST(an_error_whose_details_find_no_memory_is_told_without_them),
        TEST(a_detail_that_only_the_served_version_knows_can_stay_as_it_is),
        TEST(a_malformed_detail_of_nobodys_version_stays_as_it_is),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
