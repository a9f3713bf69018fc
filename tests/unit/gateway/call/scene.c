#include "tests/unit/gateway/call/scene.h"

#include "gateway/memory/accounts.h"
#include "gateway/memory/memory_wait.h"

#include "gateway/instances/instance_set.h"
#include "gateway/loop/config_use.h"
#include "gateway/service/config_load.h"

#include <dirent.h>
#include <stdlib.h>

/* ---- Peers ----------------------------------------------------------------------------------- */

/* Names and values too: the caller's are gone after its call. */
static Fields keep_fields(Arena *arena, const Fields *from)
{
    Fields fields = fields_in(arena);
    for (uint32_t i = 0; i < from->n; i++)
        fields_add(&fields, bytes_copy(arena, from->items[i].name),
                   bytes_copy(arena, from->items[i].value));
    return fields;
}

static void on_head(void *owner, HttpStream *stream, const HttpHead *head, bool end)
{
    Peer *peer = owner;
    Arena *arena = peer->scene->arena;
    peer->head = *head;
    peer->head.method = bytes_copy(arena, head->method);
    peer->head.path = bytes_copy(arena, head->path);
    peer->head.authority = bytes_copy(arena, head->authority);
    peer->head.fields = keep_fields(arena, &head->fields);
    peer->headed = true;
}

static void on_body(void *owner, HttpStream *stream, Bytes piece)
{
    Peer *peer = owner;
    buffer_add_bytes(&peer->body, piece);
    if (peer->keeps)
        peer->owed += piece.size;
    else
        http_stream_consume(stream, piece.size);
}

static void on_end(void *owner, HttpStream *stream, const Fields *trailers)
{
    Peer *peer = owner;
    peer->trailers = keep_fields(peer->scene->arena, trailers);
    peer->ended = true;
}

static void on_drain(void *owner, HttpStream *stream)
{
    ((Peer *)owner)->drains++;
}

static void on_reset(void *owner, HttpStream *stream, Result why)
{
    ((Peer *)owner)->reset = why.error->fault->name;
}

static void on_interim(void *owner, HttpStream *stream, const HttpHead *head)
{
    ((Peer *)owner)->interims++;
}

static const HttpStreamEvents stream_events = {on_head,  on_body,  on_end,
                                               on_drain, on_reset, on_interim};

static void peer_on_stream(void *owner, HttpConnection *connection, HttpStream *stream,
                           const HttpHead *head)
{
    Peer *peer = owner;
    peer->n_streams++;
    peer->stream = stream;
    http_stream_attach(stream, &stream_events, peer);
}

static void gateway_on_stream(void *owner, HttpConnection *connection, HttpStream *stream,
                              const HttpHead *head)
{
    Peer *peer = owner;
    peer->n_accepted++;
    client_accept(peer->client, stream, peer->scene->loop.now);
}

static void on_nothing(void *owner, HttpConnection *connection)
{
}

static const HttpConnectionEvents peer_events = {peer_on_stream, on_nothing};
static const HttpConnectionEvents gateway_events = {gateway_on_stream, on_nothing};

/* A connection that has said its last: its socket is closed, or half of it. */
static bool has_ended(const HttpConnection *connection)
{
    return http_connection_half_closed(connection) ||
           http_connection_phase(connection) >= HTTP_CLOSING;
}

/* Both ends hear of it, or the gateway's only of the end of the other's bytes. */
static bool cut(Peer *peer)
{
    Arena *arena = peer->scene->arena;
    peer->cut->happened = peer->held = true;
    if (peer->cut->by_end)
        http_connection_eof(peer->gateway);
    else
        http_connection_lost(peer->gateway, FAIL(arena, FAULT_UPSTREAM_RESET, "it was cut"));
    http_connection_lost(peer->connection, FAIL(arena, FAULT_SYSTEM, "it was cut"));
    return true;
}

/* How many bytes of so many may pass in this direction. */
static size_t room(const Peer *peer, const HttpConnection *from, size_t size)
{
    if (!peer->cut || peer->cut->from_gateway != (from == peer->gateway))
        return size;
    size_t left = peer->cut->after - peer->passed;
    return size < left ? size : left;
}

/* Takes some output of one and feeds it to the other, copied to its exact size, so that reading
   past it is noticed. */
static bool move(Peer *peer, HttpConnection *from, HttpConnection *to, bool *ended)
{
    struct iovec vectors[4];
    int n = http_connection_output(from, vectors, 4);
    if (n == 0 && has_ended(from) && !*ended) {
        *ended = true;
        http_connection_eof(to);
        return true;
    }
    if (n == 0)
        return false;
    size_t size = 0;
    for (int i = 0; i < n; i++)
        size += vectors[i].iov_len;
    if (size && (size = room(peer, from, size)) == 0)
        return cut(peer);
    if (peer->cut && peer->cut->from_gateway == (from == peer->gateway))
        peer->passed += size;
    uint8_t *copy = malloc(size ? size : 1), *at = copy;
    for (int i = 0; i < n; i++) {
        size_t left = size - (size_t)(at - copy);
        size_t part = vectors[i].iov_len < left ? vectors[i].iov_len : left;
        memcpy(at, vectors[i].iov_base, part);
        at += part;
    }
    http_connection_sent(from, size);
    error_ignore(http_connection_feed(to, bytes(copy, size), peer->scene->loop.now),
                 "the streams have heard of it");
    free(copy);
    return true;
}

static bool peer_move(Peer *peer)
{
    if (peer->held)
        return false;
    bool moved = move(peer, peer->connection, peer->gateway, &peer->ended_by_test);
    if (peer->held)
        return moved;
    return move(peer, peer->gateway, peer->connection, &peer->ended_by_gateway) || moved;
}

static void peer_pump(Peer *peer)
{
    while (peer_move(peer))
        ;
}

static bool scene_move(Scene *scene)
{
    bool moved = false;
    for (uint32_t i = 0; i < scene->n_peers; i++)
        moved |= peer_move(&scene->peers[i]);
    return moved;
}

static bool scene_work(Scene *scene)
{
    if (!scene->pool.eager || !scene->pool.n)
        return false;
    scene_do_job(scene);
    return true;
}

/* As a loop: what comes in, then the timers that are due. */
void scene_pump(Scene *scene)
{
    do {
        while (scene_move(scene))
            continue;
        timer_wheel_run(&scene->loop.timers, scene->loop.now);
    } while (scene_move(scene) || scene_work(scene));
}

static Peer *peer_new(Scene *scene)
{
    assert_true(scene->n_peers < SCENE_PEERS);
    Peer *peer = &scene->peers[scene->n_peers++];
    *peer = (Peer){.scene = scene, .body = buffer_in(scene->arena)};
    return peer;
}

static void connection_close(Arena *arena, HttpConnection *connection)
{
    http_connection_lost(connection, FAIL(arena, FAULT_SYSTEM, "the test closes the connection"));
}

static void peer_free(Peer *peer)
{
    connection_close(peer->scene->arena, peer->connection);
    connection_close(peer->scene->arena, peer->gateway);
    if (peer->stream)
        http_stream_release(peer->stream);
    http_connection_free(peer->connection);
    http_connection_free(peer->gateway);
}

HttpConnection *instance_new(Scene *scene, const struct Upstream *upstream)
{
    bool http2 = upstream->instance->http2;
    Peer *peer = peer_new(scene);
    peer->instance = upstream->instance;
    const HttpLimits *limits = &scene->config->limits.http;
    peer->connection =
        (http2 ? http2_server_new : http1_server_new)(limits, false, &peer_events, peer);
    peer->gateway =
        (http2 ? http2_client_new : http1_client_new)(limits, false, &gateway_events, peer);
    peer_pump(peer); /* as the pool waits for the first frame */
    peer->cut = scene->cut && !scene->cut->of_client && n_instances(scene) == 1 ? scene->cut : NULL;
    if (upstream->want == WANT_FULL)
        http_connection_drain(peer->gateway);
    return peer->gateway;
}

void scene_set_down(Scene *scene, bool down)
{
    for (uint32_t i = 0; i < scene->config->n_services; i++) {
        const Service *service = &scene->config->services[i];
        for (uint32_t k = 0; k < service->n_instances; k++)
            known_instance_set_down(service->instances[k].known, down);
    }
}

/* ---- The scene ------------------------------------------------------------------------------- */

static Scene *playing; /* a config's instances and a wait know no loop */

Scene *scene_playing(void)
{
    return playing;
}

static unsigned n_scenes;

Scene *scene_new(const char *config)
{
    n_scenes++;
    Scene *scene = calloc(1, sizeof *scene);
    Arena *config_arena = arena_new(ARENA_UNLIMITED);
    Problems problems = problems_in(config_arena);
    scene->arena = arena_new(ARENA_UNLIMITED);
    assert_ok(scene->arena, config_load_text(bytes_of(config), FILES "a.yaml", NULL, config_arena,
                                             &problems, &scene->config));
    if (!scene->config) {
        Buffer text = buffer_in(scene->arena);
        problems_print(&problems, &text);
        fail_msg("%s", arena_text(scene->arena, buffer_bytes(&text)));
    }
    for (uint32_t i = 0; i < scene->config->n_services; i++)
        scene->config->services[i].retries.n_loops = 1; /* there is one, on every machine */
    instances_adopt(scene->config, NULL);
    scene->loop.config = scene->config;
    scene->loop.now = clock_now();
    scene->loop.scratch = arena_new(ARENA_UNLIMITED);
    scene->fallbacks = fallbacks_new(scene->config);
    scene->loop.fallbacks = fallbacks_table(scene->fallbacks);
    scene->loop.hop = "passerelle-0123456789abcdef";
    random_seed_fixed(&scene->loop.random, 1);
    timer_wheel_init(&scene->loop.timers, scene->loop.now);
    playing = scene;
    scene->pool.eager = getenv("SCENE_POOL") != NULL;
    if (scene->pool.eager)
        scene_use_pool(scene, 0);
    return scene;
}

static void assert_nothing_is_held(void)
{
    memory_settle();
    assert_int_equal(memory_total(), 0);
    assert_int_equal(memory_clients(), 0);
    assert_int_equal(accounts_open(), 0);
}

static uint32_t n_records_of_clients(const Scene *scene)
{
    uint32_t n = 0;
    for (uint32_t i = 0; i < scene->n_records; i++)
        n += !scene->records[i].leg;
    return n;
}

void scene_clear(Scene *scene)
{
    uint32_t n_calls = 0;
    scene_pump(scene);
    for (uint32_t i = 0; i < scene->n_peers; i++) {
        Peer *peer = &scene->peers[i];
        if (peer->client) {
            n_calls += peer->n_accepted;
            assert_int_equal(peer->client->n_exchanges, 0);
        }
        assert_int_equal(http_connection_streams(peer->gateway), 0);
        peer_free(peer);
    }
    assert_int_equal(scene->loop.n_calls, 0);
    assert_int_equal(n_records_of_clients(scene), n_calls);
    assert_null(scene->loop.watches);
    assert_int_equal(timer_wheel_wait(&scene->loop.timers, scene->loop.now), -1);
    for (int i = 0; i < SCENE_INSTANCES; i++)
        assert_null(scene->upstreams[i].wait);
    assert_int_equal(scene->pool.n, 0);
    fallbacks_free(scene->fallbacks);
    scene->fallbacks = NULL;
    if (n_scenes == 1)
        assert_nothing_is_held();
    scene->fallbacks = fallbacks_new(scene->config);
    scene->loop.fallbacks = fallbacks_table(scene->fallbacks);
    scene->n_peers = scene->n_records = 0;
    scene->cut = NULL;
}

/* Because of this, ThreadSanitizer does without scenes: ../meson.build. */
static void assert_one_thread(void)
{
    DIR *threads = opendir("/proc/self/task");
    assert_non_null(threads);
    int n = -2; /* . and .. */
    while (readdir(threads))
        n++;
    closedir(threads);
    assert_int_equal(n, 1);
}

void scene_free(Scene *scene)
{
    assert_one_thread();
    scene_clear(scene);
    scene->loop.config = NULL;
    memory_waits_free(&scene->loop);
    candidates_end(&scene->loop);
    config_uses_trim(&scene->loop);
    fallbacks_free(scene->fallbacks);
    config_unref(scene->config);
    arena_free(scene->loop.scratch);
    arena_free(scene->arena);
    free(scene);
    n_scenes--;
}

void scene_now(Scene *scene)
{
    playing = scene;
}

int scene_set_up(void **state)
{
    *state = scene_new(SCENE_TEXT);
    return 0;
}

int scene_tear_down(void **state)
{
    scene_free(*state);
    return 0;
}

Scene *scene_again(void **state, const char *config)
{
    scene_free(*state);
    return *state = scene_new(config);
}

void scene_pass(Scene *scene, int64_t milliseconds)
{
    scene->loop.now += milliseconds * MILLISECOND;
    timer_wheel_run(&scene->loop.timers, scene->loop.now);
    scene_pump(scene);
}

void scene_back_off(Scene *scene)
{
    enum { INITIAL_BACKOFF = 100 /* the default of config.proto */ };
    scene_pass(scene, INITIAL_BACKOFF + 1); /* a timer fires within a millisecond */
}

/* ---- Clients --------------------------------------------------------------------------------- */

static void on_unused(ClientConnection *client)
{
    playing->n_unused++;
}

Peer *client_new(Scene *scene, HttpMaker *client, HttpMaker *server)
{
    Peer *peer = peer_new(scene);
    peer->client = arena_make(scene->arena, ClientConnection);
    *peer->client = (ClientConnection){
        .loop = &scene->loop,
        .peer = "127.0.0.1:50000",
        .listener = "127.0.0.1:0",
        .on_unused = on_unused,
    };
    const HttpLimits *limits = &scene->config->limits.http;
    peer->connection = client(limits, false, &peer_events, peer);
    peer->gateway = server(limits, false, &gateway_events, peer);
    peer_pump(peer);
    peer->cut = scene->cut && scene->cut->of_client ? scene->cut : NULL;
    return peer;
}

static Fields fields_from(Arena *arena, const char *lines)
{
    Fields fields = fields_in(arena);
    Bytes rest = bytes_of(lines), line;
    while (bytes_split(&rest, '\n', &line)) {
        size_t colon = bytes_find(line, ':');
        if (colon < line.size)
            fields_add(&fields, bytes_slice(line, 0, colon),
                       bytes_trim(bytes_slice(line, colon + 1, SIZE_MAX)));
    }
    return fields;
}

/* What was heard of the stream before is forgotten. */
static void forget(Peer *peer)
{
    if (peer->stream)
        http_stream_release(peer->stream);
    peer->stream = NULL;
    peer->headed = peer->ended = false;
    peer->reset = NULL;
    peer->body.size = 0;
    peer->trailers = (Fields){0};
}

void client_head(Peer *client, const char *verb, const char *path, const char *fields,
                 int64_t length, bool end)
{
    forget(client);
    HttpHead head = {
        .method = bytes_of(verb),
        .authority = bytes_of(client->authority ? client->authority : "example.com"),
        .path = bytes_of(path),
        .content_length = length,
        .fields = fields_from(client->scene->arena, fields),
    };
    head.upgrade = fields_get(&head.fields, "upgrade").data != NULL;
    client->n_streams++;
    client->stream = http_stream_open(client->connection, &head, end, &stream_events, client);
    assert_non_null(client->stream);
    scene_pump(client->scene);
}

Peer *ask(Scene *scene, const char *verb, const char *path, const char *fields, Bytes body)
{
    Peer *client = client_new(scene, http2_client_new, http2_server_new);
    client_head(client, verb, path, fields, body.data ? (int64_t)body.size : -1, !body.data);
    if (body.data) {
        say(client, body);
        say_end(client);
    }
    return client;
}

Peer *begin_grpc(Scene *scene, const char *path, const char *more_fields)
{
    Peer *client = client_new(scene, http2_client_new, http2_server_new);
    client_head(
        client, "POST", path,
        arena_printf(scene->arena, "content-type: application/grpc\nte: trailers\n%s", more_fields),
        -1, false);
    return client;
}

Peer *ask_grpc(Scene *scene, const char *path, Bytes message)
{
    Peer *client = begin_grpc(scene, path, "");
    say_frame(client, message);
    say_end(client);
    return client;
}

Peer *ask_huge(Scene *scene, const char *path)
{
    char *value = arena_calloc(scene->arena, HUGE_HEAD + 1, 1);
    memset(value, 'x', HUGE_HEAD);
    Peer *client = client_new(scene, http1_client_new, http1_server_new);
    client_head(client, "GET", path, arena_printf(scene->arena, "huge: %s", value), -1, true);
    return client;
}

/* ---- Both ------------------------------------------------------------------------------------ */

void say(Peer *peer, Bytes piece)
{
    http_stream_send_body(peer->stream, piece);
    scene_pump(peer->scene);
}

Bytes framed(Scene *scene, Bytes message)
{
    Buffer frame = buffer_in(scene->arena);
    buffer_add_byte(&frame, 0);
    for (int shift = 24; shift >= 0; shift -= 8)
        buffer_add_byte(&frame, (uint8_t)(message.size >> shift));
    buffer_add_bytes(&frame, message);
    return buffer_bytes(&frame);
}

void say_frame(Peer *peer, Bytes message)
{
    say(peer, framed(peer->scene, message));
}

void say_end(Peer *peer)
{
    http_stream_send_end(peer->stream, NULL);
    scene_pump(peer->scene);
}

void break_off(Peer *peer, uint32_t http2_error)
{
    http_stream_reset(peer->stream, http2_error);
    http_stream_release(peer->stream);
    peer->stream = NULL;
    scene_pump(peer->scene);
}

void give_back(Peer *peer)
{
    size_t owed = peer->owed;
    peer->keeps = false;
    peer->owed = 0;
    http_stream_consume(peer->stream, owed);
    scene_pump(peer->scene);
}

void lose(Peer *peer)
{
    connection_close(peer->scene->arena, peer->gateway);
    scene_pump(peer->scene);
}

void lose_by_instance(Peer *peer)
{
    http_connection_eof(peer->gateway);
    scene_pump(peer->scene);
}

void scene_hold(Peer *peer, bool held)
{
    peer->held = held;
}

static const char *field_in(const Peer *peer, const Fields *fields, const char *name)
{
    return arena_text(peer->scene->arena, fields_joined(fields, name));
}

const char *field_of(const Peer *peer, const char *name)
{
    return field_in(peer, &peer->head.fields, name);
}

const char *trailer_of(const Peer *peer, const char *name)
{
    return field_in(peer, &peer->trailers, name);
}

const char *said(const Peer *peer, const char *name)
{
    const char *trailer = trailer_of(peer, name);
    return trailer[0] ? trailer : field_of(peer, name);
}

void assert_body(const Peer *peer, Bytes expected)
{
    if (!bytes_equal(buffer_bytes(&peer->body), expected))
        fail_msg("the body is %zu bytes \"%.*s\", not %zu \"%.*s\"", peer->body.size,
                 BYTES_ARGS(buffer_bytes(&peer->body)), expected.size, BYTES_ARGS(expected));
}

/* ---- Instances ------------------------------------------------------------------------------- */

Peer *instance(Scene *scene)
{
    for (uint32_t i = scene->n_peers; i > 0; i--) {
        if (scene->peers[i - 1].instance)
            return &scene->peers[i - 1];
    }
    fail_msg("no instance was asked");
    return NULL;
}

uint32_t n_instances(const Scene *scene)
{
    uint32_t n = 0;
    for (uint32_t i = 0; i < scene->n_peers; i++)
        n += scene->peers[i].instance != NULL;
    return n;
}

void answer_head(Peer *peer, unsigned status, const char *fields, int64_t length, bool end)
{
    HttpHead head = {
        .status = (uint16_t)status,
        .content_length = length,
        .fields = fields_from(peer->scene->arena, fields),
    };
    http_stream_send_head(peer->stream, &head, end);
    scene_pump(peer->scene);
}

void answer_trailers(Peer *peer, const char *fields)
{
    Fields trailers = fields_from(peer->scene->arena, fields);
    http_stream_send_end(peer->stream, &trailers);
    scene_pump(peer->scene);
}

void answer_grpc_head(Peer *peer)
{
    answer_head(peer, 200, "content-type: application/grpc", -1, false);
}

void answer(Peer *peer, Bytes message)
{
    answer_grpc_head(peer);
    say_frame(peer, message);
    answer_trailers(peer, "grpc-status: 0");
}

void answer_error(Peer *peer, int code, const char *message)
{
    const char *fields = arena_printf(
        peer->scene->arena, "content-type: application/grpc\ngrpc-status: %d\ngrpc-message: %s",
        code, message);
    answer_head(peer, 200, fields, -1, true);
}
