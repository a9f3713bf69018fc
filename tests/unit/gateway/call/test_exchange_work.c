/* Messages on the work pool: which go there, and what becomes of a call meanwhile. */
#include "base/random.h"
#include "gateway/call/exchange_internal.h"
#include "gateway/upstream/candidates.h"
#include "protocols/http/compression.h"
#include "tests/unit/gateway/call/scene.h"

#define V2 YARD_OF("versions: [v2]")
#define NAME "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx" /* 64 */
#define LARGE BYTES("\n\x40" NAME)
#define SMALL ITEM
enum { LIGHT = 60, PORT = 7101 };

static Scene *pooled(void **state, const char *config)
{
    Scene *scene = scene_again(state, config);
    scene->pool.eager = false;
    scene_use_pool(scene, LIGHT);
    return scene;
}

static Bytes compressed(Scene *scene, Compression compression, Bytes message)
{
    Buffer out = buffer_in(scene->arena);
    assert_ok(scene->arena, compress_message(scene->arena, compression, message, &out));
    return buffer_bytes(&out);
}

static Bytes compressed_frame(Scene *scene, Compression compression, Bytes message)
{
    Bytes frame = framed(scene, compressed(scene, compression, message));
    ((uint8_t *)(uintptr_t)frame.data)[0] = 1;
    return frame;
}

/* An item whose name has so many bytes. */
static Bytes item_of(Scene *scene, size_t size)
{
    Buffer item = buffer_in(scene->arena);
    assert_in_range(size, 3, 129);
    buffer_add_byte(&item, 0x0a);
    buffer_add_byte(&item, (uint8_t)(size - 2));
    for (size_t i = 2; i < size; i++)
        buffer_add_byte(&item, 'x');
    return buffer_bytes(&item);
}

/* ---- Which messages -------------------------------------------------------------------------- */

static void a_message_of_the_limit_is_converted_on_the_loop(void **state)
{
    Scene *scene = pooled(state, V2);
    Peer *client = ask_grpc(scene, MAKE_ITEM, item_of(scene, LIGHT));
    assert_int_equal(scene->pool.n, 0);
    answer(instance(scene), item_of(scene, LIGHT));
    assert_int_equal(scene->pool.n, 0);
    assert_body(client, framed(scene, item_of(scene, LIGHT)));
}

static void a_larger_one_is_converted_on_the_pool(void **state)
{
    Scene *scene = pooled(state, V2);
    Peer *client = ask_grpc(scene, MAKE_ITEM, item_of(scene, LIGHT + 1));
    assert_int_equal(scene->pool.n, 1);
    assert_int_equal(n_instances(scene), 0); /* it takes no connection meanwhile */
    scene_do_job(scene);
    assert_body(instance(scene), framed(scene, item_of(scene, LIGHT + 1)));
    answer(instance(scene), item_of(scene, LIGHT + 1));
    assert_int_equal(scene->pool.n, 1);
    assert_false(client->ended);
    scene_do_job(scene);
    assert_body(client, framed(scene, item_of(scene, LIGHT + 1)));
    assert_record(scene, "OK, 1 sent: 7101 OK");
}

/* Messages within messages cost twice as much for a byte. */
static void what_costs_more_for_a_byte_is_for_the_pool_earlier(void **state)
{
    for (size_t size = LIGHT / 2; size <= LIGHT / 2 + 1; size++) {
        Scene *scene = pooled(state, V2);
        Bytes item = item_of(scene, size - 2);
        Buffer request = buffer_in(scene->arena);
        buffer_add_byte(&request, 0x0a);
        buffer_add_byte(&request, (uint8_t)item.size);
        buffer_add_bytes(&request, item);
        ask_grpc(scene, "/yard.v1.Yard/Put", buffer_bytes(&request));
        assert_int_equal(scene->pool.n, size > LIGHT / 2);
        if (scene->pool.n)
            scene_do_job(scene);
        assert_body(instance(scene), framed(scene, buffer_bytes(&request)));
        answer(instance(scene), BYTES("\n\3\n\1x"));
        assert_record(scene, "OK, 1 sent: 7101 OK");
    }
}

static void what_nobody_reads_is_not_for_the_pool(void **state)
{
    Scene *scene = pooled(state, SCENE_TEXT);
    Peer *client = ask_grpc(scene, MAKE_ITEM, LARGE);
    answer(instance(scene), LARGE);
    assert_body(client, framed(scene, LARGE));
    assert_int_equal(scene->pool.n, 0);
}

static void what_is_compressed_anew_is_for_the_pool_four_times_as_early(void **state)
{
    Scene *scene =
        pooled(state, YARD_OF("versions: [v1], compression: gzip") "limits: {compress_least: 1}\n");
    ask_grpc(scene, MAKE_ITEM, item_of(scene, LIGHT / 4));
    assert_int_equal(scene->pool.n, 0);
    answer(instance(scene), SMALL);
    ask_grpc(scene, MAKE_ITEM, item_of(scene, LIGHT / 4 + 1));
    assert_int_equal(scene->pool.n, 1);
    scene_do_job(scene);
    answer(instance(scene), SMALL);
}

/* Converted on the loop, it is found to be too large to be compressed there; the pool compresses
   it, and does not convert it again. */
static void what_becomes_too_large_to_be_compressed_is_compressed_on_the_pool(void **state)
{
    Scene *scene = pooled(state, YARD_OF("versions: [v2], protocol: connect, codec: json, "
                                         "compression: gzip") "limits: {compress_least: 1}\n");
    Bytes item = BYTES("\n\1x\x1a\1n"); /* with a note, which is lost once */
    Bytes json = BYTES("{\"name\":\"x\"}");
    for (size_t limit = json.size; limit >= json.size - 1; limit--) {
        scene_use_pool(scene, limit * EXCHANGE_COMPRESSING);
        Peer *client = ask_grpc(scene, MAKE_ITEM, item);
        assert_int_equal(scene->pool.n, limit < json.size);
        if (scene->pool.n)
            scene_do_job(scene);
        assert_string_equal(field_of(instance(scene), "content-encoding"), "gzip");
        Buffer plain = buffer_in(scene->arena);
        assert_int_equal(decompress_message(COMPRESSION_GZIP, buffer_bytes(&instance(scene)->body),
                                            1000, &plain),
                         DECOMPRESSED);
        assert_true(bytes_equal(buffer_bytes(&plain), json));
        answer_head(instance(scene), 200, "content-type: application/json", 2, false);
        say(instance(scene), BYTES("{}"));
        say_end(instance(scene));
        assert_string_equal(said(client, "grpc-status"), "0");
        assert_int_equal(scene->records[scene->n_records - 1].n_losses, 1);
        assert_string_equal(field_of(client, "passerelle-lost"), "Item.note");
    }
}

static void of_a_compressed_message_the_size_counts_that_it_becomes(void **state)
{
    static const struct {
        Compression compression;
        const char *field;
    } kinds[] = {{COMPRESSION_GZIP, "grpc-encoding: gzip"},
                 {COMPRESSION_BR, "grpc-encoding: br"},
                 {COMPRESSION_ZSTD, "grpc-encoding: zstd"},
                 {COMPRESSION_DEFLATE, "grpc-encoding: deflate"}};
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
        for (size_t size = LIGHT; size <= LIGHT + 1; size++) {
            Scene *scene = pooled(state, V2);
            Bytes item = item_of(scene, size);
            Peer *client = begin_grpc(scene, MAKE_ITEM, kinds[i].field);
            say(client, compressed_frame(scene, kinds[i].compression, item));
            say_end(client);
            assert_int_equal(scene->pool.n, size > LIGHT);
            if (size > LIGHT)
                scene_do_job(scene);
            assert_body(instance(scene), framed(scene, item));
            answer(instance(scene), SMALL);
            assert_record(scene, "OK, 1 sent: 7101 OK");
        }
    }
}

static void what_cannot_be_decompressed_is_found_on_the_pool(void **state)
{
    Scene *scene = pooled(state, V2);
    Peer *client = begin_grpc(scene, MAKE_ITEM, "grpc-encoding: gzip");
    say(client, BYTES("\1\0\0\0\4gzip"));
    say_end(client);
    scene_do_job(scene);
    assert_string_equal(said(client, "grpc-status"), "3");
    assert_record(scene, "INVALID_ARGUMENT BAD_REQUEST, 0 sent");
}

static void a_message_that_goes_on_compressed_is_not_for_the_pool(void **state)
{
    Scene *scene = pooled(state, YARD_OF("versions: [v1], compression: gzip"));
    Peer *client = begin_grpc(scene, MAKE_ITEM, "grpc-encoding: gzip");
    say(client, compressed_frame(scene, COMPRESSION_GZIP, LARGE));
    say_end(client);
    assert_int_equal(scene->pool.n, 0);
    answer(instance(scene), SMALL);
    assert_record(scene, "OK, 1 sent: 7101 OK");
}

static void losses_on_the_pool_are_counted_and_named(void **state)
{
    Scene *scene = pooled(state, V2);
    Peer *client = ask_grpc(scene, MAKE_ITEM, BYTES("\n\x40" NAME "\x1a\1n"));
    scene_do_job(scene);
    answer(instance(scene), SMALL);
    assert_string_equal(field_of(client, "passerelle-lost"), "Item.note");
    assert_int_equal(scene->records[0].n_losses, 1);
}

static void a_failure_on_the_pool_is_that_of_the_loop(void **state)
{
    Scene *scene = pooled(state, V2);
    Peer *client = ask_grpc(scene, MAKE_ITEM, BYTES("\n\x40" NAME "*\3wax"));
    scene_do_job(scene);
    assert_string_equal(said(client, "grpc-status"), "3");
    assert_record(scene, "INVALID_ARGUMENT CANNOT_CONVERT, 0 sent");
    assert_string_equal(scene->records[0].why.error->doing, "converting Item of v1 to v2");
}

/* ---- Streams --------------------------------------------------------------------------------- */

static void messages_of_a_request_keep_their_order(void **state)
{
    Scene *scene = pooled(state, V2);
    Peer *client = begin_grpc(scene, LOAD_ITEMS, "");
    say_frame(client, SMALL);
    say_frame(client, LARGE);
    say_frame(client, GET_X);
    say_frame(client, LARGE);
    say_end(client);
    size_t small = SMALL.size + 5, large = LARGE.size + 5;
    assert_int_equal(scene->pool.n, 1);
    assert_int_equal(instance(scene)->body.size, small);
    scene_do_job(scene);
    assert_int_equal(scene->pool.n, 1);
    assert_int_equal(instance(scene)->body.size, small + large + GET_X.size + 5);
    assert_false(instance(scene)->ended);
    scene_do_job(scene);
    assert_int_equal(instance(scene)->body.size, small + 2 * large + GET_X.size + 5);
    assert_true(instance(scene)->ended);
    answer(instance(scene), SMALL);
    assert_record(scene, "OK, 1 sent: 7101 OK");
}

static void messages_of_a_response_keep_their_order(void **state)
{
    Scene *scene = pooled(state, V2);
    Peer *client = ask_grpc(scene, WATCH_ITEM, GET_X);
    Peer *at = instance(scene);
    answer_grpc_head(at);
    say_frame(at, GET_X);
    say_frame(at, LARGE);
    say_frame(at, GET_X);
    say_frame(at, LARGE);
    answer_trailers(at, "grpc-status: 0");
    size_t small = GET_X.size + 5, large = LARGE.size + 5;
    assert_int_equal(client->body.size, small);
    scene_do_job(scene);
    assert_int_equal(client->body.size, 2 * small + large);
    assert_false(client->ended);
    scene_do_job(scene);
    assert_int_equal(client->body.size, 2 * small + 2 * large);
    assert_string_equal(said(client, "grpc-status"), "0");
    assert_record(scene, "OK, 1 sent: 7101 OK");
}

static void both_directions_of_a_stream_have_a_job_each(void **state)
{
    Scene *scene = pooled(state, V2);
    Peer *client = begin_grpc(scene, TRADE_ITEMS, "");
    answer_grpc_head(instance(scene));
    say_frame(client, LARGE);
    say_frame(instance(scene), LARGE);
    assert_int_equal(scene->pool.n, 2);
    scene_do_job(scene);
    scene_do_job(scene);
    assert_body(client, framed(scene, LARGE));
    assert_body(instance(scene), framed(scene, LARGE));
    say_end(client);
    answer_trailers(instance(scene), "grpc-status: 0");
    assert_record(scene, "OK, 1 sent: 7101 OK");
}

/* What comes behind a message on the pool is bounded by the window of its stream. */
static void a_sender_is_held_back_while_its_message_is_on_the_pool(void **state)
{
    enum { WINDOW = 65535, PIECE = 1000, PIECES = 200 };
    Scene *scene = pooled(state, V2 "limits: {stream_window: 65535, connection_window: 1MiB}\n");
    Peer *client = ask_grpc(scene, WATCH_ITEM, GET_X);
    Peer *at = instance(scene);
    Buffer frames = buffer_in(scene->arena);
    answer_grpc_head(at);
    say_frame(at, LARGE);
    while (frames.size < PIECE)
        buffer_add_bytes(&frames, framed(scene, GET_X));
    for (int i = 0; i < PIECES; i++)
        say(at, buffer_bytes(&frames));
    assert_int_equal(scene->pool.n, 1);
    assert_int_equal(client->body.size, 0);
    size_t queued = http_stream_queued(at->stream);
    assert_true(queued > 0 && queued >= PIECES * frames.size - 2 * WINDOW);
    scene_do_job(scene);
    assert_int_equal(http_stream_queued(at->stream), 0);
    assert_int_equal(client->body.size, LARGE.size + 5 + PIECES * frames.size);
    answer_trailers(at, "grpc-status: 0");
    assert_record(scene, "OK, 1 sent: 7101 OK");
}

/* With one job at a time: what comes behind a message is read when it is done. */
static void what_is_wrong_behind_a_message_on_the_pool_is_found_after_it(void **state)
{
    static const struct {
        const char *what;
        size_t size;
        const char *given, *record;
    } rows[] = {
#define ROW(literal, given, record) {literal, sizeof literal - 1, given, record}
        ROW("\0\0\0\0\3\n\1y\0\0\0\0\x9\n\1x\x82\1\3top\0\0\0\0\3\n\1z", "\n\1y",
            "INTERNAL UPSTREAM_CONVERT, 1 sent: 7101 INTERNAL"),
        ROW("\7\0\0\0\0", NULL, "INTERNAL UPSTREAM_PROTOCOL, 1 sent: 7101 INTERNAL"),
        ROW("\0\0\0\0\3\n\1y\0\0\0\0\3", "\n\1y",
            "INTERNAL UPSTREAM_PROTOCOL, 1 sent: 7101 INTERNAL"),
#undef ROW
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        Scene *scene = pooled(state, V2);
        Peer *client = ask_grpc(scene, WATCH_ITEM, GET_X);
        Peer *at = instance(scene);
        answer_grpc_head(at);
        say_frame(at, LARGE);
        say(at, bytes(rows[i].what, rows[i].size));
        answer_trailers(at, "grpc-status: 0");
        assert_int_equal(client->body.size, 0);
        scene_do_job(scene);
        Buffer expected = buffer_in(scene->arena);
        buffer_add_bytes(&expected, framed(scene, LARGE));
        if (rows[i].given)
            buffer_add_bytes(&expected, framed(scene, bytes_of(rows[i].given)));
        assert_body(client, buffer_bytes(&expected));
        assert_record(scene, rows[i].record);
    }
}

static void messages_behind_the_second_one_on_the_pool_stay_behind_it(void **state)
{
    Scene *scene = pooled(state, V2);
    Peer *client = ask_grpc(scene, WATCH_ITEM, GET_X);
    Peer *at = instance(scene);
    Buffer all = buffer_in(scene->arena);
    const Bytes messages[] = {LARGE, GET_X, LARGE, BYTES("\n\1y"), BYTES("\n\1z")};
    answer_grpc_head(at);
    for (int i = 0; i < 5; i++) {
        buffer_add_bytes(&all, framed(scene, messages[i]));
        say_frame(at, messages[i]);
    }
    answer_trailers(at, "grpc-status: 0");
    scene_do_job(scene);
    assert_int_equal(client->body.size, LARGE.size + 5 + GET_X.size + 5);
    assert_false(client->ended);
    scene_do_job(scene);
    assert_body(client, buffer_bytes(&all));
    assert_string_equal(said(client, "grpc-status"), "0");
    assert_record(scene, "OK, 1 sent: 7101 OK");
}

static void the_end_frame_may_come_behind_a_message_on_the_pool(void **state)
{
    Scene *scene = pooled(state, YARD_OF("versions: [v2], protocol: grpc_web"));
    Peer *client = ask_grpc(scene, WATCH_ITEM, GET_X);
    Peer *at = instance(scene);
    answer_head(at, 200, "content-type: application/grpc-web+proto", -1, false);
    say_frame(at, LARGE);
    say(at, BYTES("\x80\0\0\0\x10grpc-status: 9\r\n"));
    say_end(at);
    assert_false(client->ended);
    scene_do_job(scene);
    assert_body(client, framed(scene, LARGE));
    assert_record(scene, "FAILED_PRECONDITION UPSTREAM_STATUS, 1 sent: 7101 FAILED_PRECONDITION");
}

static void an_error_line_may_come_behind_a_line_on_the_pool(void **state)
{
    Scene *scene = pooled(state, YARD_OF("versions: [v1], protocol: rest"));
    Peer *client = ask_grpc(scene, WATCH_ITEM, GET_X);
    answer_head(instance(scene), 200, "content-type: application/x-ndjson", -1, false);
    say(instance(scene), BYTES("{\"name\":\"" NAME "\"}\n{\"error\":{\"code\":5}}\n{}\n"));
    scene_do_job(scene);
    assert_int_equal(client->body.size, LARGE.size + 5);
    assert_string_equal(said(client, "grpc-status"), "5");
}

static void the_last_line_of_a_rest_instance_may_be_a_large_one(void **state)
{
    Scene *scene = pooled(state, YARD_OF("versions: [v1], protocol: rest"));
    Peer *client = ask_grpc(scene, WATCH_ITEM, GET_X);
    answer_head(instance(scene), 200, "content-type: application/x-ndjson", -1, false);
    say(instance(scene), BYTES("{\"name\":\"" NAME "\"}\n{\"name\":\"" NAME "\"}"));
    say_end(instance(scene));
    scene_do_job(scene);
    assert_false(client->ended);
    scene_do_job(scene);
    assert_int_equal(client->body.size, 2 * (LARGE.size + 5));
    assert_string_equal(said(client, "grpc-status"), "0");
}

static void an_error_may_be_a_large_line(void **state)
{
    Scene *scene = pooled(state, YARD_OF("versions: [v1], protocol: rest"));
    Peer *client = ask_grpc(scene, WATCH_ITEM, GET_X);
    answer_head(instance(scene), 200, "content-type: application/x-ndjson", -1, false);
    say(instance(scene),
        BYTES("{\"error\":{\"code\":404,\"status\":\"NOT_FOUND\",\"message\":\"" NAME "\"}}\n"));
    scene_do_job(scene);
    assert_string_equal(said(client, "grpc-status"), "5");
    assert_string_equal(said(client, "grpc-message"), NAME);
}

/* ---- Meanwhile ------------------------------------------------------------------------------- */

typedef struct Play {
    Scene *scene;
    Peer *client;
} Play;

#define TIMEOUT "grpc-timeout: 1000m"

static Play request_of_one(Scene *scene, const char *path)
{
    Play play = {scene, begin_grpc(scene, path, TIMEOUT)};
    say_frame(play.client, LARGE);
    say_end(play.client);
    return play;
}

static Play unary_request(Scene *scene)
{
    return request_of_one(scene, MAKE_ITEM);
}

/* In JSON, for the two versions have the same request. */
static Play server_stream_request(Scene *scene)
{
    Play play = {scene, client_new(scene, http2_client_new, http2_server_new)};
    client_head(play.client, "POST", WATCH_ITEM,
                "content-type: application/grpc+json\nte: trailers\n" TIMEOUT, -1, false);
    say_frame(play.client, BYTES("{\"name\":\"" NAME "\"}"));
    say_end(play.client);
    return play;
}

static Play request_of_many(Scene *scene, const char *path)
{
    Play play = {scene, begin_grpc(scene, path, TIMEOUT)};
    say_frame(play.client, LARGE);
    say_frame(play.client, GET_X);
    return play;
}

static Play client_stream_request(Scene *scene)
{
    return request_of_many(scene, LOAD_ITEMS);
}

static Play both_stream_request(Scene *scene)
{
    Play play = request_of_many(scene, TRADE_ITEMS);
    answer_grpc_head(instance(scene));
    return play;
}

static Play answer_large(Scene *scene, const char *path, bool ends)
{
    Play play = {scene, begin_grpc(scene, path, TIMEOUT)};
    say_frame(play.client, GET_X);
    say_end(play.client);
    answer_grpc_head(instance(scene));
    say_frame(instance(scene), LARGE);
    if (ends)
        answer_trailers(instance(scene), "grpc-status: 0");
    return play;
}

static Play unary_answer(Scene *scene)
{
    return answer_large(scene, GET_ITEM, true);
}

static Play client_stream_answer(Scene *scene)
{
    return answer_large(scene, LOAD_ITEMS, true);
}

static Play server_stream_answer(Scene *scene)
{
    return answer_large(scene, WATCH_ITEM, false);
}

static Play both_stream_answer(Scene *scene)
{
    return answer_large(scene, TRADE_ITEMS, true);
}

static Play (*const plays[])(Scene *scene) = {
    unary_request, server_stream_request, client_stream_request, both_stream_request,
    unary_answer,  client_stream_answer,  server_stream_answer,  both_stream_answer,
};
enum { PLAYS = sizeof plays / sizeof *plays };

static void client_leaves(Play *play)
{
    break_off(play->client, HTTP2_ERROR_CANCEL);
    assert_record(play->scene, play->scene->records[0].n_attempts
                                   ? "CANCELLED CANCELLED, 1 sent: 7101 CANCELLED"
                                   : "CANCELLED CANCELLED, 0 sent");
}

static void client_is_lost(Play *play)
{
    lose(play->client);
    assert_int_equal(play->scene->n_records, 1);
}

static void deadline_passes(Play *play)
{
    scene_pass(play->scene, 1001);
    assert_string_equal(said(play->client, "grpc-status"), "4");
}

static void instance_breaks_off(Play *play)
{
    if (n_instances(play->scene) && instance(play->scene)->stream && !instance(play->scene)->ended)
        break_off(instance(play->scene), HTTP2_ERROR_CANCEL);
    else
        client_leaves(play);
    assert_int_equal(play->scene->n_records, 1);
}

static void (*const turns[])(Play *play) = {client_leaves, client_is_lost, deadline_passes,
                                            instance_breaks_off};

static void assert_ends(void **state, bool begun)
{
    for (int i = 0; i < PLAYS; i++) {
        for (size_t k = 0; k < sizeof turns / sizeof *turns; k++) {
            Scene *scene = pooled(state, V2);
            Play play = plays[i](scene);
            assert_int_equal(scene->pool.n, 1);
            if (begun)
                scene_begin_job(scene);
            turns[k](&play);
            assert_int_equal(scene->n_records, 1);
            assert_int_equal(scene->loop.n_calls, 0);
            assert_int_equal(scene->pool.n, begun);
            assert_int_equal(scene->pool.n_cancelled, !begun);
            if (begun) /* the memory is there until the job is back */
                scene_do_job(scene);
        }
    }
}

static void a_deadline_that_passes_on_the_pool_is_the_gateways(void **state)
{
    Scene *scene = pooled(state, V2);
    Peer *client = begin_grpc(scene, MAKE_ITEM, "grpc-timeout: 100m");
    say_frame(client, item_of(scene, LIGHT + 1));
    say_end(client);
    scene_pass(scene, 101);
    assert_record(scene, "DEADLINE_EXCEEDED GATEWAY_DEADLINE, 0 sent");

    scene = pooled(state, V2);
    client = begin_grpc(scene, MAKE_ITEM, "grpc-timeout: 100m");
    say_frame(client, item_of(scene, 3));
    say_end(client);
    answer(instance(scene), item_of(scene, LIGHT + 1));
    scene_pass(scene, 101);
    assert_record(scene, "DEADLINE_EXCEEDED GATEWAY_DEADLINE, 1 sent: 7101 DEADLINE_EXCEEDED");
}

static void a_call_that_ends_takes_back_its_waiting_job(void **state)
{
    assert_ends(state, false);
}

static void a_call_that_ends_leaves_its_memory_to_its_running_job(void **state)
{
    assert_ends(state, true);
}

/* Its error may name the instance. */
static void a_running_job_keeps_the_instances_that_its_call_picked_from(void **state)
{
    Scene *scene = pooled(state, YARD_OF("versions: [v1], protocol: rest"));
    Play play = unary_request(scene);
    scene_do_job(scene);
    answer_head(instance(scene), 200, "content-type: application/json", -1, false);
    say(instance(scene), BYTES("{\"name\":\"" NAME NAME));
    say_end(instance(scene));
    scene_begin_job(scene);

    Service *service = &scene->config->services[0];
    InstanceSet *set = instance_set_of(service);
    instance_set_use(service, instance_set_new(service, NULL, 0));
    candidates_take(&scene->loop, instance_set_of(service));
    client_leaves(&play);
    assert_int_equal(atomic_load(&set->references), 2);
    scene_do_job(scene);
    assert_int_equal(atomic_load(&set->references), 1);
    instance_set_unref(set);
}

static void a_call_that_ends_leaves_its_memory_to_both_of_its_jobs(void **state)
{
    Scene *scene = pooled(state, V2);
    Play play = both_stream_request(scene);
    say_frame(instance(scene), LARGE);
    assert_int_equal(scene->pool.n, 2);
    scene_begin_job(scene);
    scene_begin_job(scene);
    client_leaves(&play);
    scene_do_job(scene);
    scene_do_job(scene);
    assert_int_equal(scene->loop.n_calls, 0);
}

/* What comes while a message is on the pool is kept, in the memory of the call. */
static void however_little_memory_a_call_with_jobs_may_have_it_ends(void **state)
{
    static const struct {
        const char *config, *path, *trailers;
        bool many;
    } rows[] = {
        {V2, WATCH_ITEM, "grpc-status: 0\nx-a: b\nx-c: d\nx-e: f\nx-g: h\nx-i: j", true},
        {V2, WATCH_ITEM, "grpc-status: 0\nx-a: b\nx-c: d\nx-e: f\nx-g: h\nx-i: j", false},
        {V2, MAKE_ITEM, "grpc-status: 0", false},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        Scene *scene = pooled(state, rows[i].config);
        bool refused = false, good = false;
        for (size_t limit = 4 << 10; limit < 48 << 10; limit += 32) {
            scene->config->limits.call_memory = limit;
            Peer *client = begin_grpc(scene, rows[i].path, "");
            say_frame(client, rows[i].path[12] == 'M' ? LARGE : GET_X);
            say_end(client);
            while (scene->pool.n)
                scene_do_job(scene);
            if (!client->ended) {
                Peer *at = instance(scene);
                answer_grpc_head(at);
                say_frame(at, LARGE);
                for (int k = 0; rows[i].many && k < 100 && !at->reset; k++)
                    say_frame(at, item_of(scene, LIGHT));
                if (!at->reset)
                    answer_trailers(at, rows[i].trailers);
            }
            while (scene->pool.n)
                scene_do_job(scene);
            assert_true(client->ended || client->reset);
            assert_int_equal(scene->n_records, 1);
            refused |= strstr(scene->record_texts[0], "OUT_OF_MEMORY") != NULL;
            good |= strncmp(scene->record_texts[0], "OK", 2) == 0;
            scene_clear(scene);
        }
        assert_true(refused && good);
    }
}

static void a_call_whose_job_is_refused_fails(void **state)
{
    for (int i = 0; i < PLAYS; i++) {
        Scene *scene = pooled(state, V2);
        Play play = plays[i](scene);
        scene_refuse_job(scene);
        assert_string_equal(said(play.client, "grpc-status"), "14");
        const Error *why = scene->records[0].why.error;
        assert_string_equal(why->fault->name, "OVERLOADED");
        assert_non_null(strstr(why->doing, "limits.work_waits"));
    }
}

static void every_kind_goes_on_when_its_job_is_done(void **state)
{
    for (int i = 0; i < PLAYS; i++) {
        Scene *scene = pooled(state, V2);
        Play play = plays[i](scene);
        scene_do_job(scene);
        if (!play.client->ended) {
            if (i == 2 || i == 3)
                say_end(play.client);
            if (i < 3)
                answer(instance(scene), GET_X);
            else
                answer_trailers(instance(scene), "grpc-status: 0");
        }
        assert_string_equal(said(play.client, "grpc-status"), "0");
        assert_record(scene, "OK, 1 sent: 7101 OK");
    }
}

/* ---- Beside the loop ------------------------------------------------------------------------- */

/* Random items, each by a unary call and one of a stream: what comes out on the loop comes out of
   the pool. */
static void pool_and_loop_give_the_same_bytes(void **state)
{
    static const char *const fields[] = {"", "grpc-accept-encoding: gzip",
                                         "grpc-accept-encoding: br", "grpc-encoding: gzip"};
    Random random;
    random_seed_fixed(&random, 7);
    for (int round = 0; round < 60; round++) {
        Buffer told[2];
        size_t size = 3 + random_below(&random, 120);
        const char *field = fields[round % 4];
        Arena *arena = arena_new(ARENA_UNLIMITED);
        for (int pool = 0; pool < 2; pool++) {
            Scene *scene = pooled(state, V2);
            scene_use_pool(scene, pool ? 0 : 1 << 20);
            scene->pool.eager = true;
            Bytes item = item_of(scene, size);
            Peer *client = begin_grpc(scene, round % 2 ? MAKE_ITEM : TRADE_ITEMS, field);
            say(client, round % 4 == 3 ? compressed_frame(scene, COMPRESSION_GZIP, item)
                                       : framed(scene, item));
            say_end(client);
            told[pool] = buffer_in(arena);
            buffer_add_bytes(&told[pool], buffer_bytes(&instance(scene)->body));
            answer(instance(scene), item);
            buffer_add_bytes(&told[pool], buffer_bytes(&client->body));
            assert_record(scene, "OK, 1 sent: 7101 OK");
            assert_int_equal(scene->pool.n_run > 0, pool);
        }
        assert_true(bytes_equal(buffer_bytes(&told[0]), buffer_bytes(&told[1])));
        arena_free(arena);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        SCENE_TEST(a_message_of_the_limit_is_converted_on_the_loop),
        SCENE_TEST(a_larger_one_is_converted_on_the_pool),
        SCENE_TEST(what_costs_more_for_a_byte_is_for_the_pool_earlier),
        SCENE_TEST(what_nobody_reads_is_not_for_the_pool),
        SCENE_TEST(what_is_compressed_anew_is_for_the_pool_four_times_as_early),
        SCENE_TEST(what_becomes_too_large_to_be_compressed_is_compressed_on_the_pool),
        SCENE_TEST(of_a_compressed_message_the_size_counts_that_it_becomes),
        SCENE_TEST(what_cannot_be_decompressed_is_found_on_the_pool),
        SCENE_TEST(a_message_that_goes_on_compressed_is_not_for_the_pool),
        SCENE_TEST(losses_on_the_pool_are_counted_and_named),
        SCENE_TEST(a_failure_on_the_pool_is_that_of_the_loop),
        SCENE_TEST(messages_of_a_request_keep_their_order),
        SCENE_TEST(messages_of_a_response_keep_their_order),
        SCENE_TEST(both_directions_of_a_stream_have_a_job_each),
        SCENE_TEST(a_sender_is_held_back_while_its_message_is_on_the_pool),
        SCENE_TEST(what_is_wrong_behind_a_message_on_the_pool_is_found_after_it),
        SCENE_TEST(messages_behind_the_second_one_on_the_pool_stay_behind_it),
        SCENE_TEST(the_end_frame_may_come_behind_a_message_on_the_pool),
        SCENE_TEST(an_error_line_may_come_behind_a_line_on_the_pool),
        SCENE_TEST(the_last_line_of_a_rest_instance_may_be_a_large_one),
        SCENE_TEST(an_error_may_be_a_large_line),
        SCENE_TEST(a_deadline_that_passes_on_the_pool_is_the_gateways),
        SCENE_TEST(a_call_that_ends_takes_back_its_waiting_job),
        SCENE_TEST(a_call_that_ends_leaves_its_memory_to_its_running_job),
        SCENE_TEST(a_running_job_keeps_the_instances_that_its_call_picked_from),
        SCENE_TEST(a_call_that_ends_leaves_its_memory_to_both_of_its_jobs),
        SCENE_TEST(however_little_memory_a_call_with_jobs_may_have_it_ends),
        SCENE_TEST(a_call_whose_job_is_refused_fails),
        SCENE_TEST(every_kind_goes_on_when_its_job_is_done),
        SCENE_TEST(pool_and_loop_give_the_same_bytes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
