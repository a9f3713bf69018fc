/*
 * A call whose connections are cut: after each byte, in each direction, on each side, in each
 * dialect. What must not happen twice does not, and no error invites anybody to try again what may
 * have happened.
 */
#include "base/text/base64.h"
#include "tests/unit/gateway/call/scene.h"

/* ---- Dialects -------------------------------------------------------------------------------- */

#define MADE_JSON "{\"name\":\"x\",\"owner\":\"bob\"}"

typedef struct Talk {
    const char *name;
    HttpMaker *client, *server; /* engines of a client that speaks it */
    const char *path, *fields;
    const char *instance; /* how an instance of it is configured */
    const char *answer_fields;
    const char *answer_trailers; /* NULL: none */
    bool framed, json, web_trailers;
    bool opaque;      /* a path prefix */
    bool unavailable; /* an instance of it has made the payment, and says that it is unavailable */
} Talk;

static const Talk grpc = {
    .name = "grpc",
    .client = http2_client_new,
    .server = http2_server_new,
    .path = MAKE_ITEM,
    .fields = "content-type: application/grpc\nte: trailers",
    .instance = "versions: [v1]",
    .answer_fields = "content-type: application/grpc",
    .answer_trailers = "grpc-status: 0",
    .framed = true,
};
static const Talk grpc_web = {
    .name = "grpc-web",
    .client = http1_client_new,
    .server = http1_server_new,
    .path = MAKE_ITEM,
    .fields = "content-type: application/grpc-web+proto",
    .instance = "versions: [v1], protocol: grpc_web",
    .answer_fields = "content-type: application/grpc-web+proto",
    .framed = true,
    .web_trailers = true,
};
static const Talk connect_http1 = {
    .name = "connect",
    .client = http1_client_new,
    .server = http1_server_new,
    .path = MAKE_ITEM,
    .fields = "content-type: application/proto\nconnect-protocol-version: 1",
    .instance = "versions: [v1], protocol: connect",
    .answer_fields = "content-type: application/proto",
};
static const Talk connect_http2 = {
    .name = "connect over HTTP/2",
    .client = http2_client_new,
    .server = http2_server_new,
    .path = MAKE_ITEM,
    .fields = "content-type: application/proto\nconnect-protocol-version: 1",
    .instance = "versions: [v1], protocol: connect, http2: true",
    .answer_fields = "content-type: application/proto",
};
static const Talk rest = {
    .name = "rest",
    .client = http1_client_new,
    .server = http1_server_new,
    .path = "/v1/items",
    .fields = "content-type: application/json",
    .instance = "versions: [v1], protocol: rest",
    .answer_fields = "content-type: application/json",
    .json = true,
};

static const Talk opaque = {
    .name = "opaque",
    .client = http1_client_new,
    .server = http1_server_new,
    .path = "/old/pay",
    .fields = "content-type: text/plain",
    .answer_fields = "content-type: text/plain",
    .opaque = true,
};

/* ---- Playing --------------------------------------------------------------------------------- */

typedef struct Play {
    Scene *scene;
    const Talk *client_talk, *instance_talk;
    Peer *client;
    bool answered[SCENE_PEERS];
    uint32_t n_executed;
} Play;

static Bytes message_of(Scene *scene, const Talk *talk)
{
    Bytes message = talk->json ? bytes_of(MADE_JSON) : ITEM;
    return talk->framed ? framed(scene, message) : message;
}

static void answer_in(Peer *peer, const Talk *talk)
{
    Bytes body = message_of(peer->scene, talk);
    if (talk->unavailable) {
        answer_error(peer, 14, "busy");
        return;
    }
    answer_head(peer, 200, talk->answer_fields, talk->framed ? -1 : (int64_t)body.size, false);
    if (!peer->held)
        say(peer, body);
    if (!peer->held && talk->web_trailers)
        say(peer, BYTES("\x80\0\0\0\x10grpc-status: 0\r\n"));
    if (peer->held)
        return;
    if (talk->answer_trailers)
        answer_trailers(peer, talk->answer_trailers);
    else
        say_end(peer);
}

/* An instance that has a whole request executes it, and answers. */
static void serve(Play *play)
{
    for (uint32_t i = 0; i < play->scene->n_peers; i++) {
        Peer *peer = &play->scene->peers[i];
        if (!peer->instance || !peer->ended || play->answered[i])
            continue;
        play->answered[i] = true;
        play->n_executed++;
        if (!peer->held && !peer->reset)
            answer_in(peer, play->instance_talk);
    }
}

static void send_request(Play *play)
{
    Scene *scene = play->scene;
    const Talk *talk = play->client_talk;
    Peer *client = play->client = client_new(scene, talk->client, talk->server);
    Bytes body = message_of(scene, talk);
    client_head(client, "POST", talk->path, talk->fields, (int64_t)body.size, false);
    if (!client->held)
        say(client, body);
    if (!client->held)
        say_end(client);
}

static Play play_cut(Scene *scene, const Talk *client, const Talk *instance_talk, Cut *cut)
{
    Play play = {.scene = scene, .client_talk = client, .instance_talk = instance_talk};
    scene->cut = cut;
    send_request(&play);
    for (int i = 0; i < 4; i++) {
        serve(&play);
        scene_back_off(scene);
    }
    return play;
}

/* ---- What must be true ----------------------------------------------------------------------- */

static bool says(const Peer *client, const char *text)
{
    return client->body.size &&
           memmem(client->body.data, client->body.size, text, strlen(text)) != NULL;
}

/* The details of a Connect error are messages: base64. */
static bool details_forbid(const Peer *client)
{
    static const char value[] = "\"value\":\"", no[] = "retryable\x12\x05"
                                                       "false";
    const char *at = arena_text(client->scene->arena, buffer_bytes(&client->body));
    while ((at = strstr(at, value))) {
        Buffer detail = buffer_in(client->scene->arena);
        at += strlen(value);
        if (base64_decode(&detail, bytes(at, strcspn(at, "\""))) &&
            memmem(detail.data, detail.size, no, strlen(no)))
            return true;
    }
    return false;
}

/* Trailers of gRPC, a frame of gRPC-Web, the body of the others. */
static bool forbids(const Peer *client)
{
    return strcmp(trailer_of(client, "grpc-retry-pushback-ms"), "-1") == 0 ||
           says(client, "grpc-retry-pushback-ms: -1") || says(client, "\"retryable\":false") ||
           details_forbid(client);
}

static bool succeeded(const Play *play)
{
    const Peer *client = play->client;
    if (!play->client_talk->framed)
        return client->head.status == 200;
    return strcmp(said(client, "grpc-status"), "0") == 0 || says(client, "grpc-status: 0");
}

static void fail_play(const Play *play, const Cut *cut, const char *what)
{
    fail_msg(
        "%s: client %s, instance %s, %s side cut %s after %zu bytes %s the gateway, executed %u",
        what, play->client_talk->name, play->instance_talk->name,
        cut->of_client ? "client's" : "instance's", cut->by_end ? "(end)" : "", cut->after,
        cut->from_gateway ? "from" : "to", play->n_executed);
}

static void check(const Play *play, const Cut *cut)
{
    const Peer *client = play->client;
    if (play->n_executed > 1)
        fail_play(play, cut, "executed twice");
    if (!cut->of_client && !client->ended && !client->reset)
        fail_play(play, cut, "without an end");
    if (!client->ended)
        return;
    if (succeeded(play) && play->n_executed != 1)
        fail_play(play, cut, "success of nothing");
    if (!succeeded(play) && play->n_executed && !forbids(client))
        fail_play(play, cut, "an error that invites");
}

static void write_config(char *config, size_t size, const Talk *talk)
{
    if (talk->opaque) {
        snprintf(config, size, "%s", SCENE_TEXT);
        return;
    }
    snprintf(config, size,
             LISTEN "services:\n" YARD "      - {address: '127.0.0.1:7101', %s}\n"
                    "      - {address: '127.0.0.1:7102', %s}\n",
             talk->instance, talk->instance);
}

/* Returns how many places there are. */
static size_t cut_everywhere(void **state, const Talk *client, const Talk *instance_talk, Cut cut)
{
    enum { PLAYS = 1000 /* with one scene, whose memory grows */ };
    char config[2000];
    write_config(config, sizeof config, instance_talk);
    Scene *scene = scene_again(state, config);
    size_t n = 0;
    for (bool happened = true; happened; n++) {
        Cut here = cut;
        here.after = n;
        Play play = play_cut(scene, client, instance_talk, &here);
        check(&play, &here);
        happened = here.happened;
        scene_clear(scene);
        if (n % PLAYS == PLAYS - 1)
            scene = scene_again(state, config);
    }
    return n;
}

static void cut_all(void **state, const Talk *client, const Talk *instance_talk, bool of_client)
{
    for (int i = 0; i < 4; i++) {
        Cut cut = {.of_client = of_client, .from_gateway = i & 1, .by_end = i & 2};
        size_t places = cut_everywhere(state, client, instance_talk, cut);
        assert_true(places > 20);
    }
}

/* ---- Tests ----------------------------------------------------------------------------------- */

static void a_payment_is_made_once_wherever_an_instance_is_cut_off(void **state)
{
    static const Talk *const talks[] = {&grpc, &grpc_web, &connect_http1, &connect_http2, &rest};
    for (size_t i = 0; i < sizeof talks / sizeof *talks; i++)
        cut_all(state, &grpc, talks[i], false);
}

static void whatever_its_client_speaks(void **state)
{
    static const Talk *const talks[] = {&grpc_web, &connect_http1, &connect_http2, &rest};
    for (size_t i = 0; i < sizeof talks / sizeof *talks; i++)
        cut_all(state, talks[i], &grpc, false);
    cut_all(state, &rest, &rest, false);
}

static void a_payment_is_made_once_wherever_its_client_is_cut_off(void **state)
{
    static const Talk *const talks[] = {&grpc, &grpc_web, &connect_http1, &connect_http2, &rest};
    for (size_t i = 0; i < sizeof talks / sizeof *talks; i++)
        cut_all(state, talks[i], &grpc, true);
}

static void a_service_that_is_unavailable_after_a_payment_is_believed_once(void **state)
{
    static const Talk *const talks[] = {&grpc, &grpc_web, &rest};
    Talk unavailable = grpc;
    unavailable.unavailable = true;
    for (size_t i = 0; i < sizeof talks / sizeof *talks; i++)
        cut_all(state, talks[i], &unavailable, false);
}

static void a_payment_on_a_path_prefix_is_made_once_too(void **state)
{
    cut_all(state, &opaque, &opaque, false);
    cut_all(state, &opaque, &opaque, true);
}

/* What may be repeated is, and its client gets a whole response, wherever the first was cut. */
static uint32_t get_everywhere(void **state, const Talk *instance_talk, Cut cut)
{
    char config[2000];
    Talk get = grpc;
    get.path = GET_ITEM;
    write_config(config, sizeof config, instance_talk);
    Scene *scene = scene_again(state, config);
    uint32_t n_twice = 0;
    for (bool happened = true; happened; cut.after++) {
        Cut here = cut;
        Play play = play_cut(scene, &get, instance_talk, &here);
        if (!succeeded(&play) || play.n_executed > 2)
            fail_play(&play, &here, "a repetition that does not help");
        assert_body(play.client, framed(scene, ITEM));
        n_twice += play.n_executed == 2;
        happened = here.happened;
        scene_clear(scene);
    }
    return n_twice;
}

static void no_response_is_halved_where_a_repetition_does_no_harm(void **state)
{
    static const Talk *const talks[] = {&grpc, &grpc_web, &connect_http1, &connect_http2, &rest};
    for (size_t i = 0; i < sizeof talks / sizeof *talks; i++) {
        for (int k = 0; k < 4; k++) {
            Cut cut = {.from_gateway = k & 1, .by_end = k & 2};
            uint32_t n_twice = get_everywhere(state, talks[i], cut);
            assert_true(cut.from_gateway || n_twice > 20);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        SCENE_TEST(a_payment_is_made_once_wherever_an_instance_is_cut_off),
        SCENE_TEST(whatever_its_client_speaks),
        SCENE_TEST(a_payment_is_made_once_wherever_its_client_is_cut_off),
        SCENE_TEST(a_service_that_is_unavailable_after_a_payment_is_believed_once),
        SCENE_TEST(a_payment_on_a_path_prefix_is_made_once_too),
        SCENE_TEST(no_response_is_halved_where_a_repetition_does_no_harm),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
