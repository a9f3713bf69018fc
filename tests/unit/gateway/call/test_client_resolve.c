#include "gateway/memory/accounts.h"
#include "tests/unit/gateway/call/scene.h"

static Peer *get(Scene *scene, const char *path, const char *fields)
{
    return ask(scene, "GET", path, fields, BYTES_NONE);
}

/* Asks, and lets the instance answer. */
static Peer *get_well(Scene *scene, const char *path, const char *fields)
{
    Peer *client = get(scene, path, fields);
    answer(instance(scene), ITEM);
    return client;
}

static Peer *post(Scene *scene, const char *path, const char *type, const char *body)
{
    return ask(scene, "POST", path,
               type[0] ? arena_printf(scene->arena, "content-type: %s", type) : "", bytes_of(body));
}

/* ---- What is asked for ----------------------------------------------------------------------- */

static void a_path_that_nobody_serves_is_not_found(void **state)
{
    Scene *scene = *state;
    assert_int_equal(get(scene, "/v1/trains/x", "")->head.status, 404);
    assert_record(scene, "UNIMPLEMENTED UNKNOWN_PATH, 0 sent");
}

static void a_method_that_nobody_serves_is_not_known(void **state)
{
    Scene *scene = *state;
    Peer *client = ask_grpc(scene, "/yard.v1.Yard/Sell", GET_X);
    assert_string_equal(said(client, "grpc-status"), "12");
    assert_record(scene, "UNIMPLEMENTED UNKNOWN_METHOD, 0 sent");
}

static void a_method_that_nobody_serves_is_told_to_connect_in_its_own_way(void **state)
{
    static const struct {
        const char *type;
        unsigned status;
        const char *content_type, *said;
    } clients[] = {
        {"application/json", 404, "application/json", "{\"code\":\"unimplemented\""},
        {"application/proto", 404, "application/json", "{\"code\":\"unimplemented\""},
        {"application/connect+json", 404, "application/connect+json",
         "{\"error\":{\"code\":\"unimplemented\""},
        {"application/connect+proto", 404, "application/connect+proto",
         "{\"error\":{\"code\":\"unimplemented\""},
    };
    for (size_t i = 0; i < sizeof clients / sizeof *clients; i++) {
        Scene *scene = *state;
        Peer *client = post(scene, "/yard.v1.Yard/Sell", clients[i].type, "{}");
        assert_int_equal(client->head.status, clients[i].status);
        assert_string_equal(field_of(client, "content-type"), clients[i].content_type);
        assert_non_null(
            memmem(client->body.data, client->body.size, clients[i].said, strlen(clients[i].said)));
        assert_record(scene, "UNIMPLEMENTED UNKNOWN_METHOD, 0 sent");
    }
    Scene *scene = *state;
    Peer *client = get(scene, "/yard.v1.Yard/Sell?connect=v1&encoding=json&message={}", "");
    assert_string_equal(field_of(client, "content-type"), "application/json");
    client = post(scene, "/v1/trains", "application/json", "{}"); /* of REST */
    assert_string_equal(field_of(client, "content-type"), "application/problem+json");
    assert_record(scene, "UNIMPLEMENTED UNKNOWN_PATH, 0 sent");
}

static void a_path_that_takes_other_verbs_says_which(void **state)
{
    Scene *scene = *state;
    Peer *client = ask(scene, "DELETE", "/v1/items/x", "", BYTES_NONE);
    assert_int_equal(client->head.status, 405);
    assert_string_equal(field_of(client, "allow"), "PUT, GET, HEAD, OPTIONS");
    assert_record(scene, "UNKNOWN METHOD_NOT_ALLOWED, 0 sent");
}

static void a_path_that_is_not_well_formed_is_refused(void **state)
{
    Scene *scene = *state;
    assert_int_equal(get(scene, "/v1/items/%zz", "")->head.status, 400);
    assert_int_equal(get(scene, "/v1/items/x?view=%zz", "")->head.status, 400);
    assert_record(scene, "INVALID_ARGUMENT BAD_REQUEST, 0 sent");
}

static void connects_get_asks_methods_without_side_effects_only(void **state)
{
    Scene *scene = *state;
    Peer *client =
        get(scene, GET_ITEM "?connect=v1&encoding=json&message=%7B%22name%22%3A%22x%22%7D", "");
    answer(instance(scene), ITEM);
    assert_int_equal(client->head.status, 200);
    assert_body(client, BYTES(ITEM_JSON));
    client = get(scene, MAKE_ITEM "?connect=v1&encoding=json&message=%7B%7D", "");
    assert_int_equal(client->head.status, 405);
    assert_string_equal(field_of(client, "allow"), "POST");
    client = get(scene, MAKE_ITEM, "");
    assert_int_equal(client->head.status, 405);
    client = ask(scene, "PUT", GET_ITEM, "content-type: application/json", BYTES("{}"));
    assert_int_equal(client->head.status, 405);
    assert_string_equal(field_of(client, "allow"), "GET, HEAD, POST");
}

static void a_methods_path_takes_no_other_media(void **state)
{
    Scene *scene = *state;
    Peer *client = post(scene, MAKE_ITEM, "text/plain", "{}");
    assert_int_equal(client->head.status, 415);
    assert_record(scene, "UNKNOWN UNSUPPORTED_MEDIA, 0 sent");
    client = post(scene, MAKE_ITEM, "", "{}");
    assert_int_equal(client->head.status, 415);
}

static void a_body_without_a_type_is_json_where_the_config_says_so(void **state)
{
    Scene *scene = scene_again(state, SCENE_TEXT "untyped_bodies: json\n");
    Peer *client = post(scene, MAKE_ITEM, "", ITEM_JSON);
    answer(instance(scene), ITEM);
    assert_int_equal(client->head.status, 200);
    client = post(scene, "/v1/items", "", ITEM_JSON);
    answer(instance(scene), ITEM);
    assert_int_equal(client->head.status, 200);
}

/* ---- REST: what the rule takes --------------------------------------------------------------- */

static void parameters_of_the_query_fill_fields(void **state)
{
    Scene *scene = *state;
    get_well(scene, "/v1/items/x?view=all", "");
    assert_body(instance(scene), framed(scene, BYTES("\n\1x\x12\3all")));
}

static void a_parameter_that_the_body_says_is_refused(void **state)
{
    Scene *scene = *state;
    Peer *client = ask(scene, "PUT", "/v1/items/x?item.owner=eve", "content-type: application/json",
                       BYTES("{\"owner\":\"bob\"}"));
    assert_int_equal(client->head.status, 400);
    assert_record(scene, "INVALID_ARGUMENT UNKNOWN_FIELD, 0 sent");
    client = post(scene, "/v1/items?owner=eve", "application/json", ITEM_JSON);
    assert_int_equal(client->head.status, 400);
}

static void a_parameter_beside_the_body_is_taken(void **state)
{
    Scene *scene = *state;
    Peer *client = ask(scene, "PUT", "/v1/items/x?dry=true", "content-type: application/json",
                       BYTES("{\"owner\":\"bob\"}"));
    assert_int_equal(instance(scene)->body.data[instance(scene)->body.size - 1], 1);
    answer(instance(scene), BYTES("\n\x08"
                                  "\n\1x\x12\3bob"));
    assert_body(client, BYTES(ITEM_JSON));
}

static void what_the_rule_has_no_place_for_can_be_counted(void **state)
{
    Scene *scene = scene_again(state, SCENE_TEXT "  - {match: yard, unknown_fields: count}\n");
    Peer *client = ask(scene, "PUT", "/v1/items/x?item.owner=eve&item.note=n&dry=true",
                       "content-type: application/json", BYTES("{\"owner\":\"bob\"}"));
    answer(instance(scene), BYTES("\n\x08"
                                  "\n\1x\x12\3bob"));
    assert_int_equal(client->head.status, 200);
    assert_int_equal(scene->records[0].n_unknown, 2);
}

static void a_body_where_none_is_taken_is_refused(void **state)
{
    Scene *scene = *state;
    const char *type = "content-type: application/json";
    Peer *client = ask(scene, "GET", "/v1/items/x", type, BYTES("{\"view\":\"all\"}"));
    assert_int_equal(client->head.status, 400);
    assert_record(scene, "INVALID_ARGUMENT UNKNOWN_FIELD, 0 sent");
    client = ask(scene, "GET", "/v1/items/x", type, BYTES("[]"));
    assert_int_equal(client->head.status, 400);
    client = ask(scene, "GET", "/v1/items/x", type, BYTES("{} x"));
    assert_int_equal(client->head.status, 400);
    client = ask(scene, "GET", "/v1/items/x", type, BYTES(" { } "));
    answer(instance(scene), ITEM);
    assert_int_equal(client->head.status, 200);
    client = ask(scene, "GET", "/v1/items/x", type, bytes("", 0));
    answer(instance(scene), ITEM);
    assert_int_equal(client->head.status, 200);
}

static void a_body_that_is_not_json_is_refused(void **state)
{
    Scene *scene = *state;
    assert_int_equal(post(scene, "/v1/items", "text/plain", "x")->head.status, 415);
    Peer *client = client_new(scene, http2_client_new, http2_server_new);
    client_head(client, "POST", "/v1/items", "content-type: text/plain", -1, false);
    assert_false(client->headed); /* whether there is a body is not known yet */
    say(client, BYTES("x"));
    assert_int_equal(client->head.status, 415);
    client = client_new(scene, http2_client_new, http2_server_new);
    client_head(client, "POST", "/v1/items:load", "content-type: text/plain", -1, false);
    assert_int_equal(client->head.status, 415);
    assert_record(scene, "UNKNOWN UNSUPPORTED_MEDIA, 0 sent");
}

static void a_client_that_takes_no_json_gets_none(void **state)
{
    Scene *scene = *state;
    assert_int_equal(get(scene, "/v1/items/x", "accept: text/html")->head.status, 406);
    assert_int_equal(get(scene, "/v1/items/x:watch", "accept: text/html")->head.status, 406);
    assert_record(scene, "INVALID_ARGUMENT NOT_ACCEPTABLE, 0 sent");
}

/* ---- Who asks -------------------------------------------------------------------------------- */

#define TRUSTING                                                                                   \
    "identity_header: x-client\n"                                                                  \
    "trusted_proxies: [127.0.0.0/8]\n" GARAGE_SERVICE YARD                                         \
    "      - {address: '127.0.0.1:7101', versions: [v1]}\n" LISTEN

static Scene *trusting(void **state)
{
    Scene *scene = scene_again(state, TRUSTING);
    return scene;
}

static Peer *trusted_client(Scene *scene, const char *fields)
{
    Peer *client = client_new(scene, http2_client_new, http2_server_new);
    assert_true(ip_read(bytes_of("127.0.0.1"), &client->client->address));
    client_head(client, "GET", "/v1/items/x", fields, -1, true);
    answer(instance(scene), ITEM);
    return client;
}

static void a_trusted_proxy_speaks_for_its_client(void **state)
{
    Scene *scene = trusting(state);
    trusted_client(scene, "x-client: panel\nx-forwarded-for: 192.0.2.7\n"
                          "x-request-id: 0123456789abcdef");
    assert_bytes(scene->records[0].client, "panel");
    assert_bytes(scene->records[0].forwarded_for, "192.0.2.7");
    assert_bytes(scene->records[0].request_id, "0123456789abcdef");
    assert_string_equal(field_of(instance(scene), "x-forwarded-for"), "192.0.2.7, 127.0.0.1");
}

static void anybody_else_speaks_for_himself(void **state)
{
    Scene *scene = trusting(state);
    get_well(scene, "/v1/items/x",
             "x-client: panel\nx-forwarded-for: 192.0.2.7\n"
             "x-request-id: 0123456789abcdef");
    assert_int_equal(scene->records[0].client.size, 0);
    assert_int_equal(scene->records[0].forwarded_for.size, 0);
    assert_int_equal(scene->records[0].request_id.size, 32);
    assert_string_equal(field_of(instance(scene), "x-forwarded-for"), "127.0.0.1");
}

static void a_trusted_proxy_that_names_nobody_is_known_by_its_certificate(void **state)
{
    Scene *scene = trusting(state);
    Peer *client = client_new(scene, http2_client_new, http2_server_new);
    assert_true(ip_read(bytes_of("127.0.0.1"), &client->client->address));
    client->client->certificate = &(CertificateNames){{[CERTIFICATE_SUBJECT] = "CN=panel"}};
    client_head(client, "GET", "/v1/items/x", "", -1, true);
    answer(instance(scene), ITEM);
    assert_bytes(scene->records[0].client, "CN=panel");
}

static void a_call_is_its_clients_turn_and_memory_by_the_proved_name(void **state)
{
    Scene *scene = trusting(state);
    Peer *client = client_new(scene, http2_client_new, http2_server_new);
    assert_true(ip_read(bytes_of("127.0.0.1"), &client->client->address));
    uint32_t before = accounts_open();
    client_head(client, "GET", "/v1/items/x", "x-client: panel", -1, true);
    assert_int_equal(accounts_open(), before + 1);
    answer(instance(scene), ITEM);
    assert_int_equal(accounts_open(), before);
    assert_non_null(scene->records[0].identity); /* which is gone with its call */
}

static void an_anonymous_call_has_no_account_of_its_own(void **state)
{
    Scene *scene = trusting(state);
    Peer *client = client_new(scene, http2_client_new, http2_server_new);
    uint32_t before = accounts_open();
    client_head(client, "GET", "/v1/items/x", "x-client: panel", -1, true);
    assert_int_equal(accounts_open(), before);
    answer(instance(scene), ITEM);
    assert_null(scene->records[0].identity);
}

static void a_listener_that_the_config_has_no_more_trusts_nobody(void **state)
{
    Scene *scene = trusting(state);
    Peer *client = client_new(scene, http2_client_new, http2_server_new);
    assert_true(ip_read(bytes_of("127.0.0.1"), &client->client->address));
    client->client->listener = "127.0.0.1:9";
    client_head(client, "GET", "/v1/items/x", "x-client: panel", -1, true);
    answer(instance(scene), ITEM);
    assert_int_equal(scene->records[0].client.size, 0);
}

static void a_call_that_comes_back_is_a_loop(void **state)
{
    Scene *scene = *state;
    Peer *client = get(scene, "/v1/items/x", "passerelle-hops: passerelle-0123456789abcdef");
    assert_int_equal(client->head.status, 508);
    assert_record(scene, "INTERNAL LOOP_DETECTED, 0 sent");
}

static void a_trace_is_continued(void **state)
{
    Scene *scene = *state;
    get_well(scene, "/v1/items/x",
             "traceparent: 00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01");
    assert_non_null(
        strstr(field_of(instance(scene), "traceparent"), "00-0af7651916cd43dd8448eb211c80319c-"));
}

/* ---- The server itself ----------------------------------------------------------------------- */

static void options_of_the_server_asks_no_route(void **state)
{
    Scene *scene = *state;
    Peer *client = ask(scene, "OPTIONS", "*", "", BYTES_NONE);
    assert_int_equal(client->head.status, 204);
    assert_string_equal(field_of(client, "allow"), "GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS");
    assert_record(scene, "OK, 0 sent");
}

/* ---- Pages of other origins ------------------------------------------------------------------ */

static void a_preflight_is_answered_without_a_service(void **state)
{
    Scene *scene = scene_again(state, SCENE_TEXT "cors: {origins: ['https://panel.example']}\n");
    Peer *client =
        ask(scene, "OPTIONS", "/v1/items/x",
            "origin: https://panel.example\naccess-control-request-method: GET", BYTES_NONE);
    assert_int_equal(client->head.status, 204);
    assert_string_equal(field_of(client, "access-control-allow-origin"), "https://panel.example");
    assert_record(scene, "OK, 0 sent");
    client = get_well(scene, "/v1/items/x", "origin: https://panel.example");
    assert_string_equal(field_of(client, "access-control-allow-origin"), "https://panel.example");
}

/* ---- Memory ---------------------------------------------------------------------------------- */

static void a_head_that_is_larger_than_the_memory_of_a_call_ends_it(void **state)
{
    Scene *scene = scene_again(state, SCENE_TEXT HUGE_HEADS);
    Peer *client = ask_huge(scene, "/v1/items/x");
    assert_int_equal(client->head.status, 503);
    assert_record(scene, "RESOURCE_EXHAUSTED OUT_OF_MEMORY, 0 sent");
}

static void a_query_of_too_many_parameters_ends_it(void **state)
{
    Scene *scene = scene_again(state, SCENE_TEXT HUGE_HEADS);
    Buffer path = buffer_in(scene->arena);
    buffer_add_text(&path, "/v1/items/x?");
    for (int i = 0; i < 60000; i++)
        buffer_add_text(&path, "view=a&");
    Peer *client = client_new(scene, http1_client_new, http1_server_new);
    client_head(client, "GET", arena_text(scene->arena, buffer_bytes(&path)), "", -1, true);
    assert_true(client->headed);
    assert_int_not_equal(client->head.status, 200);
}

int main(void)
{
#define TEST(name) SCENE_TEST(name)
    const struct CMUnitTest tests[] = {
        TEST(a_path_that_nobody_serves_is_not_found),
        TEST(a_method_that_nobody_serves_is_not_known),
        TEST(a_method_that_nobody_serves_is_told_to_connect_in_its_own_way),
        TEST(a_path_that_takes_other_verbs_says_which),
        TEST(a_path_that_is_not_well_formed_is_refused),
        TEST(connects_get_asks_methods_without_side_effects_only),
        TEST(a_methods_path_takes_no_other_media),
        TEST(a_body_without_a_type_is_json_where_the_config_says_so),
        TEST(parameters_of_the_query_fill_fields),
        TEST(a_parameter_that_the_body_says_is_refused),
        TEST(a_parameter_beside_the_body_is_taken),
        TEST(what_the_rule_has_no_place_for_can_be_counted),
        TEST(a_body_where_none_is_taken_is_refused),
        TEST(a_body_that_is_not_json_is_refused),
        TEST(a_client_that_takes_no_json_gets_none),
        TEST(a_trusted_proxy_speaks_for_its_client),
        TEST(anybody_else_speaks_for_himself),
        TEST(a_call_is_its_clients_turn_and_memory_by_the_proved_name),
        TEST(an_anonymous_call_has_no_account_of_its_own),
        TEST(a_trusted_proxy_that_names_nobody_is_known_by_its_certificate),
        TEST(a_listener_that_the_config_has_no_more_trusts_nobody),
        TEST(a_call_that_comes_back_is_a_loop),
        TEST(a_trace_is_continued),
        TEST(options_of_the_server_asks_no_route),
        TEST(a_preflight_is_answered_without_a_service),
        TEST(a_head_that_is_larger_than_the_memory_of_a_call_ends_it),
        TEST(a_query_of_too_many_parameters_ends_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
