/* Copies of calls, played: what they send, and what becomes of them. */
#include "gateway/shadow/shadows.h"

#include "gateway/instances/instances.h"
#include "tests/unit/gateway/call/scene.h"

/* Clients of v1 are served by 7101; copies go to v2, at 7102. */
#define COPIED(share)                                                                              \
    LISTEN "services:\n" YARD "      - {address: '127.0.0.1:7101', versions: [v1]}\n"              \
           "      - {address: '127.0.0.1:7102', versions: [v2]}\n"                                 \
           "routes: [{match: yard.Yard/Get, shadow: {to: {version: v2}, share: " share             \
           ", at_most: {per_second: 1000, time: 100ms}}}]\n"

#define ITEM_V2 BYTES("\n\1x\x62\3bob")
#define OTHER_V2 BYTES("\n\1x\x62\3eve")

static ShadowBook *book;
static Shadows *shadows;

static Scene *play(void **state, const char *config)
{
    Scene *scene = scene_again(state, config);
    book = shadow_book_new();
    shadows = shadows_open(&scene->loop, book);
    scene->loop.shadows = shadows_port(shadows);
    return scene;
}

static void stop(void)
{
    shadows_stop(shadows);
    shadows_free(shadows);
    shadow_book_free(book);
}

/* A call with its response; the copy has not begun. */
static Peer *call(Scene *scene)
{
    Peer *client = ask_grpc(scene, GET_ITEM, GET_X);
    answer(instance(scene), ITEM);
    assert_string_equal(said(client, "grpc-status"), "0");
    assert_int_equal(n_instances(scene), 1);
    return client;
}

/* The connection of the copy. */
static Peer *copied(Scene *scene)
{
    scene_pass(scene, 2);
    assert_int_equal(n_instances(scene), 2);
    return instance(scene);
}

/* What the page has is in it: "\"equal\":1". */
static void assert_page(Scene *scene, const char *what)
{
    Buffer out = buffer_in(scene->arena);
    shadow_book_write(book, BYTES_NONE, &out);
    buffer_add_byte(&out, '\0');
    if (!strstr((const char *)out.data, what))
        fail_msg("%s is not in %s", what, (const char *)out.data);
}

static void a_copy_begins_when_the_call_has_ended_and_is_marked(void **state)
{
    Scene *scene = play(state, COPIED("100 %"));
    call(scene);
    assert_page(scene, "\"running\":1");
    Peer *copy = copied(scene);
    assert_body(copy, framed(scene, GET_X));
    assert_string_equal(field_of(copy, "passerelle-shadow"), "1");
    answer(copy, ITEM_V2);
    scene_pass(scene, 1);
    assert_page(scene, "\"running\":0");
    assert_page(scene, "\"compared\":1,\"equal\":1,");
    assert_int_equal(scene->n_records, 1); /* the call's */
    stop();
}

static void another_response_is_a_difference(void **state)
{
    Scene *scene = play(state, COPIED("100 %"));
    call(scene);
    answer(copied(scene), OTHER_V2);
    scene_pass(scene, 1);
    assert_page(scene, "\"path\":\"owner\",\"shape\":\"value\",\"calls\":1");
    assert_int_equal(scene->n_apart, 1);
    assert_page(scene, "\"real\":\"\\\"bob\\\"\",\"shadow\":\"\\\"eve\\\"\"");
    stop();
}

static void an_error_of_the_service_is_another_status(void **state)
{
    Scene *scene = play(state, COPIED("100 %"));
    call(scene);
    answer_error(copied(scene), 5, "nothing there");
    scene_pass(scene, 1);
    assert_page(scene, "\"shape\":\"status\"");
    stop();
}

static void errors_are_copied_too(void **state)
{
    Scene *scene = play(state, COPIED("100 %"));
    Peer *client = ask_grpc(scene, GET_ITEM, GET_X);
    answer_error(instance(scene), 5, "nothing there");
    assert_string_equal(said(client, "grpc-status"), "5");
    answer_error(copied(scene), 5, "nothing here");
    scene_pass(scene, 1);
    assert_page(scene, "\"equal\":1,");
    stop();
}

static void a_response_that_does_not_come_or_cannot_be_read_is_a_failure(void **state)
{
    Scene *scene = play(state, COPIED("100 %"));
    call(scene);
    copied(scene);
    scene_pass(scene, 101);
    assert_page(scene, "\"failed\":1,");
    scene_pass(scene, 1000);
    assert_int_equal(atomic_load(&scene_upstream(scene, 7102)->counts.failures), 0);
    stop();
}

static void a_message_that_is_none_is_a_failure(void **state)
{
    Scene *scene = play(state, COPIED("100 %"));
    call(scene);
    answer(copied(scene), BYTES("\n\7x"));
    scene_pass(scene, 1);
    assert_page(scene, "\"failed\":1,\"reason\":\"BAD_MESSAGE\"");
    stop();
}

static void without_an_instance_that_is_up_there_is_no_copy(void **state)
{
    Scene *scene = play(state, COPIED("100 %"));
    scene_set_down(scene, true);
    call(scene);
    scene_pass(scene, 2);
    assert_int_equal(n_instances(scene), 1);
    assert_page(scene, "\"instance\":1");
    scene_set_down(scene, false);
    stop();
}

static void an_instance_with_much_to_do_gets_none(void **state)
{
    Scene *scene = play(state, COPIED("100 %"));
    scene_upstream(scene, 7102)->load = 50;
    call(scene);
    scene_pass(scene, 2);
    assert_int_equal(n_instances(scene), 1);
    assert_page(scene, "\"instance\":1");
    scene_upstream(scene, 7102)->load = 0;
    stop();
}

static void an_instance_that_is_barred_gets_none(void **state)
{
    Scene *scene = play(state, COPIED("100 %"));
    KnownInstance *known = scene->config->services[0].instances[1].known;
    known_instance_bar(known, BAR_DRAINED, true);
    call(scene);
    scene_pass(scene, 2);
    assert_int_equal(n_instances(scene), 1);
    assert_page(scene, "\"instance\":1");
    known_instance_bar(known, BAR_DRAINED, false);
    stop();
}

static int port_of(const Peer *peer)
{
    return peer->instance->address.port;
}

/* What goes there by itself is not copied. */
static void a_build_is_asked_in_the_version_of_the_client(void **state)
{
    Scene *scene =
        play(state,
             LISTEN "services:\n" YARD "      - {address: '127.0.0.1:7101', versions: [v1]}\n"
                    "      - {address: '127.0.0.1:7102', versions: [v1, v2], build: new}\n"
                    "routes: [{match: yard.Yard/Get, shadow: {to: {build: new}, share: 100 %}}]\n");
    int port = 7102;
    for (int i = 0; i < 50 && port == 7102; i++) {
        ask_grpc(scene, GET_ITEM, GET_X);
        port = port_of(instance(scene));
        answer(instance(scene), ITEM);
    }
    assert_int_equal(port, 7101);
    scene_pass(scene, 2);
    assert_int_equal(port_of(instance(scene)), 7102);
    answer(instance(scene), ITEM);
    scene_pass(scene, 1);
    assert_page(scene, "\"version\":\"v1\",\"to\":\"build new\",\"compared\":1,\"equal\":1,");
    stop();
}

static void a_client_that_leaves_has_nothing_to_be_compared(void **state)
{
    Scene *scene = play(state, COPIED("100 %"));
    Peer *client = ask_grpc(scene, GET_ITEM, GET_X);
    break_off(client, 8);
    scene_pass(scene, 2);
    assert_page(scene, "\"running\":0");
    assert_page(scene, "\"shadows\":[]");
    stop();
}

static void what_stops_drops_copies_wherever_they_are(void **state)
{
    Scene *scene = play(state, COPIED("100 %"));
    call(scene); /* it has not begun */
    stop();
    scene = play(state, COPIED("100 %"));
    call(scene);
    copied(scene); /* it waits for its response */
    stop();
    scene_pass(scene, 200);
}

static void the_pool_compares_and_may_be_left(void **state)
{
    Scene *scene = play(state, COPIED("100 %"));
    scene_use_pool(scene, 1 << 20);
    call(scene);
    answer(copied(scene), ITEM_V2);
    scene_pass(scene, 1);
    assert_page(scene, "\"running\":1");
    scene_do_job(scene);
    assert_page(scene, "\"equal\":1,");
    stop();
}

static void a_comparison_that_waits_or_runs_is_dropped(void **state)
{
    Scene *scene = play(state, COPIED("100 %"));
    scene_use_pool(scene, 1 << 20);
    call(scene);
    answer(copied(scene), ITEM_V2);
    scene_pass(scene, 1);
    shadows_stop(shadows); /* it waits */
    assert_page(scene, "\"running\":0");
    stop();
    scene = play(state, COPIED("100 %"));
    scene_use_pool(scene, 1 << 20);
    call(scene);
    answer(copied(scene), ITEM_V2);
    scene_pass(scene, 1);
    scene_begin_job(scene);
    shadows_stop(shadows); /* it runs */
    assert_page(scene, "\"running\":1");
    scene_do_job(scene);
    assert_page(scene, "\"running\":0");
    assert_page(scene, "\"shadows\":[]");
    stop();
}

static void a_full_pool_compares_nothing(void **state)
{
    Scene *scene = play(state, COPIED("100 %"));
    scene_use_pool(scene, 1 << 20);
    call(scene);
    answer(copied(scene), ITEM_V2);
    scene_pass(scene, 1);
    scene_refuse_job(scene);
    assert_page(scene, "\"load\":1");
    assert_page(scene, "\"running\":0");
    stop();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        SCENE_TEST(a_copy_begins_when_the_call_has_ended_and_is_marked),
        SCENE_TEST(another_response_is_a_difference),
        SCENE_TEST(an_error_of_the_service_is_another_status),
        SCENE_TEST(errors_are_copied_too),
        SCENE_TEST(a_response_that_does_not_come_or_cannot_be_read_is_a_failure),
        SCENE_TEST(a_message_that_is_none_is_a_failure),
        SCENE_TEST(without_an_instance_that_is_up_there_is_no_copy),
        SCENE_TEST(an_instance_with_much_to_do_gets_none),
        SCENE_TEST(an_instance_that_is_barred_gets_none),
        SCENE_TEST(a_build_is_asked_in_the_version_of_the_client),
        SCENE_TEST(a_client_that_leaves_has_nothing_to_be_compared),
        SCENE_TEST(what_stops_drops_copies_wherever_they_are),
        SCENE_TEST(the_pool_compares_and_may_be_left),
        SCENE_TEST(a_comparison_that_waits_or_runs_is_dropped),
        SCENE_TEST(a_full_pool_compares_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
