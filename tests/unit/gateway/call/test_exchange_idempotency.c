/* Fingerprints of requests with an idempotency key: which are made on the work pool, what is
   recorded, and what becomes of a call meanwhile. Claims are a double. */
#include "gateway/call/exchange_internal.h"
#include "gateway/idempotency/claim_record.h"
#include "gateway/idempotency/claims.h"
#include "gateway/store/seal.h"
#include "protocols/http/compression.h"
#include "tests/unit/gateway/call/scene.h"

#define KEYED                                                                                      \
    YARD_OF("versions: [v1]")                                                                      \
    "store: {sqlite: /nowhere/store.db}\n"                                                         \
    "clients: {recorded: hashed, key: server.key}\n"                                               \
    "routes: [{match: yard, timeout: 1s, idempotency: {key: required}}]\n"
#define KEY "authorization: Bearer ada\nidempotency-key: \"k\"\n"
enum { LIGHT = 480, MOST = LIGHT / EXCHANGE_PRINTING };

/* ---- The double of claims.h ------------------------------------------------------------------ */

struct ClaimTask {
    void (*on_found)(void *owner, const ClaimFound *found);
    void (*on_done)(void *owner, Result why);
    void *owner;
};

struct ClaimPort {
    ClaimTask asking;
    uint32_t n_asked, n_kept, n_ended;
    uint32_t counts[KEYED_OUTCOMES];
    uint8_t content[1000];
    size_t size;
};

static ClaimPort claims;

static void keep_content(Bytes content)
{
    assert_in_range(content.size, 1, sizeof claims.content);
    memcpy(claims.content, content.data, content.size);
    claims.size = content.size;
}

ClaimTask *claim_ask(ClaimPort *port, const ClaimRow *row, Bytes content,
                     void (*on_found)(void *owner, const ClaimFound *found), void *owner)
{
    port->n_asked++;
    port->asking = (ClaimTask){.on_found = on_found, .owner = owner};
    assert_true(row->id.size > 0);
    keep_content(content);
    return &port->asking;
}

ClaimTask *claim_take(ClaimPort *port, const ClaimRow *row, Bytes token,
                      void (*on_done)(void *owner, Result why), void *owner)
{
    fail_msg("no instance honours keys here");
    return NULL;
}

ClaimTask *claim_keep(ClaimPort *port, const ClaimRow *row, Bytes content,
                      void (*on_done)(void *owner, Result why), void *owner)
{
    port->n_kept++;
    port->asking = (ClaimTask){.on_done = on_done, .owner = owner};
    return &port->asking;
}

ClaimTask *claim_end(ClaimPort *port, const ClaimRow *row, ClaimEnd end,
                     void (*on_done)(void *owner, Result why), void *owner)
{
    port->n_ended++;
    return NULL;
}

void claim_abandon(ClaimTask *task)
{
    if (task)
        task->owner = NULL;
}

void claims_count(const ClaimPort *port, KeyedOutcome outcome)
{
    claims.counts[outcome]++;
}

void claims_count_close(const ClaimPort *port, ClaimClose close)
{
}

void claim_port_close(ClaimPort *port)
{
}

Bytes claim_id(Bytes service, Bytes client, Bytes key, Arena *arena)
{
    return bytes_of("id");
}

Bytes claim_key_hash(Bytes key, Arena *arena)
{
    return bytes_of("hash");
}

/* ---- Scenes ---------------------------------------------------------------------------------- */

static Scene *keyed(void **state, const char *config)
{
    Scene *scene = scene_again(state, config);
    memset(&claims, 0, sizeof claims);
    scene->loop.claims = &claims;
    scene->pool.eager = false;
    scene_use_pool(scene, LIGHT);
    return scene;
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

static Peer *ask_with_key(Scene *scene, const char *fields, Bytes message)
{
    Peer *client = begin_grpc(scene, MAKE_ITEM, arena_printf(scene->arena, KEY "%s", fields));
    say(client, message);
    say_end(client);
    return client;
}

static Peer *ask_for(Scene *scene, Bytes item)
{
    return ask_with_key(scene, "", framed(scene, item));
}

static const SealPlace place = {"idempotency", "content", {(const uint8_t *)"id", 2}};

/* What was recorded when the call began. */
static ClaimRecord recorded(Scene *scene)
{
    Bytes text;
    ClaimRecord record;
    assert_ok(scene->arena, unseal(&scene->config->store.keys, &place,
                                   bytes(claims.content, claims.size), scene->arena, &text));
    assert_ok(scene->arena, claim_record_read(text, scene->arena, &record));
    return record;
}

static void found(const ClaimFound *found)
{
    assert_non_null(claims.asking.owner);
    claims.asking.on_found(claims.asking.owner, found);
    scene_pump(scene_playing());
}

static void is_kept(void)
{
    assert_int_equal(claims.n_kept, 1);
    claims.asking.on_done(claims.asking.owner, OK);
    scene_pump(scene_playing());
}

/* There is a record of another call, which is done. */
static void found_done(Scene *scene, ClaimRecord record)
{
    Buffer text = buffer_in(scene->arena), content = buffer_in(scene->arena);
    record.response = (ClaimResponse){.version = bytes_of("v1"),
                                      .codec = CODEC_PROTO,
                                      .message = ITEM,
                                      .metadata = fields_in(scene->arena),
                                      .trailers = fields_in(scene->arena)};
    claim_record_write(&record, &text);
    seal(&scene->config->store.keys, &place, buffer_bytes(&text), &content);
    found(&(ClaimFound){.state = CLAIM_DONE,
                        .until = INT64_MAX,
                        .token = bytes_of("token"),
                        .content = buffer_bytes(&content)});
}

/* ---- Which requests -------------------------------------------------------------------------- */

static void the_print_of_a_request_of_the_limit_is_made_on_the_loop(void **state)
{
    Scene *scene = keyed(state, KEYED);
    Peer *client = ask_for(scene, item_of(scene, MOST));
    assert_int_equal(scene->pool.n, 0);
    assert_int_equal(claims.n_asked, 1);
    lose(client);
}

static void that_of_a_larger_one_on_the_pool(void **state)
{
    Scene *scene = keyed(state, KEYED);
    Peer *client = ask_for(scene, item_of(scene, MOST + 1));
    assert_int_equal(scene->pool.n, 1);
    assert_int_equal(claims.n_asked, 0);
    assert_int_equal(n_instances(scene), 0);
    scene_do_job(scene);
    assert_int_equal(claims.n_asked, 1);
    found(&(ClaimFound){.ours = true});
    assert_body(instance(scene), framed(scene, item_of(scene, MOST + 1)));
    answer(instance(scene), ITEM);
    assert_false(client->ended);
    is_kept();
    assert_body(client, framed(scene, ITEM));
}

static void of_a_compressed_request_the_size_counts_that_it_becomes(void **state)
{
    for (size_t size = MOST; size <= MOST + 1; size++) {
        Scene *scene = keyed(state, KEYED);
        Buffer out = buffer_in(scene->arena);
        assert_ok(scene->arena,
                  compress_message(scene->arena, COMPRESSION_GZIP, item_of(scene, size), &out));
        Bytes frame = framed(scene, buffer_bytes(&out));
        ((uint8_t *)(uintptr_t)frame.data)[0] = 1;
        Peer *client = ask_with_key(scene, "grpc-encoding: gzip\n", frame);
        assert_int_equal(scene->pool.n, size > MOST);
        if (scene->pool.n)
            scene_do_job(scene);
        assert_int_equal(claims.n_asked, 1);
        lose(client);
    }
}

static void pool_and_loop_make_the_same_prints(void **state)
{
    ClaimRecord records[2];
    for (size_t i = 0; i < 2; i++) {
        Scene *scene = keyed(state, KEYED);
        scene_use_pool(scene, i ? LIGHT : 1000);
        Peer *client = ask_for(scene, item_of(scene, MOST + 1));
        assert_int_equal(scene->pool.n, i);
        if (i)
            scene_do_job(scene);
        records[i] = recorded(scene);
        assert_int_equal(records[i].n_prints, 2);
        lose(client);
    }
    assert_memory_equal(&records[0].prints[0].print, &records[1].prints[0].print, FINGERPRINT_SIZE);
    assert_memory_equal(&records[0].prints[1].print, &records[1].prints[1].print, FINGERPRINT_SIZE);
}

static void what_is_no_message_is_found_on_the_pool(void **state)
{
    Scene *scene = keyed(state, KEYED);
    Peer *client = ask_with_key(scene, "grpc-encoding: gzip\n", BYTES("\1\0\0\0\4gzip"));
    scene_do_job(scene);
    assert_string_equal(said(client, "grpc-status"), "3");
    assert_record(scene, "INVALID_ARGUMENT BAD_REQUEST, 0 sent");
    assert_int_equal(claims.n_asked, 0);
}

/* ---- What becomes of the call meanwhile ------------------------------------------------------ */

static void leave(Scene *scene, Peer *client)
{
    break_off(client, HTTP2_ERROR_CANCEL);
    assert_record(scene, "CANCELLED CANCELLED, 0 sent");
}

static void be_lost(Scene *scene, Peer *client)
{
    lose(client);
    assert_int_equal(scene->n_records, 1);
}

static void pass_deadline(Scene *scene, Peer *client)
{
    scene_pass(scene, 1001);
    assert_string_equal(said(client, "grpc-status"), "4");
    assert_record(scene, "DEADLINE_EXCEEDED GATEWAY_DEADLINE, 0 sent");
}

static void (*const ends[])(Scene *scene, Peer *client) = {leave, be_lost, pass_deadline};

static void a_call_that_ends_takes_back_its_waiting_job_and_asks_nobody(void **state)
{
    for (size_t i = 0; i < sizeof ends / sizeof *ends; i++) {
        Scene *scene = keyed(state, KEYED);
        ends[i](scene, ask_for(scene, item_of(scene, MOST + 1)));
        assert_int_equal(scene->pool.n_cancelled, 1);
        assert_int_equal(scene->loop.n_calls, 0);
        assert_int_equal(claims.n_asked + claims.n_ended, 0);
    }
}

static void a_call_that_ends_leaves_its_memory_to_its_running_job_and_asks_nobody(void **state)
{
    for (size_t i = 0; i < sizeof ends / sizeof *ends; i++) {
        Scene *scene = keyed(state, KEYED);
        Peer *client = ask_for(scene, item_of(scene, MOST + 1));
        scene_begin_job(scene);
        ends[i](scene, client);
        assert_int_equal(scene->loop.n_calls, 0);
        scene_do_job(scene); /* reads what the client has sent */
        assert_int_equal(claims.n_asked + claims.n_ended, 0);
    }
}

/* Whose media type is in its head, which is the connection's. */
static void a_client_that_leaves_leaves_the_head_of_its_body_to_the_job(void **state)
{
    Scene *scene = keyed(state, KEYED);
    Peer *client =
        ask(scene, "POST", "/v1/keep", KEY "content-type: image/png\n", item_of(scene, MOST + 1));
    assert_int_equal(scene->pool.n, 1);
    scene_begin_job(scene);
    lose(client);
    scene_do_job(scene);
    assert_int_equal(claims.n_asked, 0);
}

static void a_call_whose_job_is_refused_fails_and_asks_nobody(void **state)
{
    Scene *scene = keyed(state, KEYED);
    Peer *client = ask_for(scene, item_of(scene, MOST + 1));
    scene_refuse_job(scene);
    assert_string_equal(said(client, "grpc-status"), "14");
    assert_record(scene, "UNAVAILABLE OVERLOADED, 0 sent");
    assert_int_equal(claims.n_asked, 0);
}

/* It is the store's then, not the gateway's. */
static void a_deadline_that_passes_behind_the_pool_is_the_stores(void **state)
{
    Scene *scene = keyed(state, KEYED);
    ask_for(scene, item_of(scene, MOST + 1));
    scene_do_job(scene);
    scene_pass(scene, 1001);
    assert_record(scene, "UNAVAILABLE IDEMPOTENCY_STORE_DOWN, 0 sent");
}

/* ---- Comparing ------------------------------------------------------------------------------- */

static void what_was_read_already_is_compared_without_the_pool(void **state)
{
    Scene *scene = keyed(state, KEYED);
    Peer *client = ask_for(scene, item_of(scene, MOST + 1));
    scene_do_job(scene);
    ClaimRecord record = recorded(scene);
    record.prints[0] = record.prints[--record.n_prints]; /* a v2 client's */
    found_done(scene, record);
    assert_int_equal(scene->pool.n, 0);
    assert_body(client, framed(scene, ITEM));
    assert_string_equal(field_of(client, "idempotent-replayed"), "true");
}

/* The Method of the yard's v1. */
static Method *make_item(const Scene *scene)
{
    Version *version = &scene->config->services[0].versions[0];
    for (uint32_t i = 0; i < version->n_methods; i++)
        if (strcmp(version->methods[i].type->path, MAKE_ITEM) == 0)
            return &version->methods[i];
    fail_msg("no such method");
    return NULL;
}

/* A record of a time when the config had other versions, which were compared in v2. */
static Peer *ask_where_v2_was_compared(void **state, size_t size, ClaimRecord *record_out)
{
    Scene *scene = keyed(state, KEYED);
    ask_for(scene, item_of(scene, size));
    if (scene->pool.n)
        scene_do_job(scene);
    *record_out = recorded(scene);
    record_out->prints[0] = record_out->prints[--record_out->n_prints];
    record_out->prints[0].version = bytes_of("v2");
    found(&(ClaimFound){.why = OK});
    method_extras(scene->config->arena, make_item(scene))->print_in = make_item(scene)->version;
    Peer *client = ask_for(scene, item_of(scene, size));
    if (scene->pool.n)
        scene_do_job(scene);
    assert_int_equal(claims.n_asked, 2);
    assert_int_equal(recorded(scene).n_prints, 1);
    return client;
}

static void what_was_not_is_read_once_more_on_the_pool_if_it_is_large(void **state)
{
    for (size_t size = MOST; size <= MOST + 1; size++) {
        for (int is_other = 0; is_other < 2; is_other++) {
            ClaimRecord record;
            Peer *client = ask_where_v2_was_compared(state, size, &record);
            Scene *scene = *state;
            record.prints[0].print.bytes[0] ^= (uint8_t)is_other;
            found_done(scene, record);
            assert_int_equal(scene->pool.n, size > MOST);
            if (scene->pool.n)
                scene_do_job(scene);
            assert_string_equal(said(client, "grpc-status"), is_other ? "9" : "0");
            assert_int_equal(claims.counts[KEYED_REPLAYED], !is_other);
            assert_int_equal(claims.counts[KEYED_REUSED], is_other);
        }
    }
}

static void a_client_that_leaves_while_it_is_compared_changes_nothing(void **state)
{
    for (int begun = 0; begun < 2; begun++) {
        ClaimRecord record;
        Peer *client = ask_where_v2_was_compared(state, MOST + 1, &record);
        Scene *scene = *state;
        found_done(scene, record);
        if (begun)
            scene_begin_job(scene);
        lose(client);
        assert_int_equal(scene->pool.n, begun);
        if (begun)
            scene_do_job(scene);
        assert_int_equal(claims.n_ended + claims.n_kept, 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        SCENE_TEST(the_print_of_a_request_of_the_limit_is_made_on_the_loop),
        SCENE_TEST(that_of_a_larger_one_on_the_pool),
        SCENE_TEST(of_a_compressed_request_the_size_counts_that_it_becomes),
        SCENE_TEST(pool_and_loop_make_the_same_prints),
        SCENE_TEST(what_is_no_message_is_found_on_the_pool),
        SCENE_TEST(a_call_that_ends_takes_back_its_waiting_job_and_asks_nobody),
        SCENE_TEST(a_call_that_ends_leaves_its_memory_to_its_running_job_and_asks_nobody),
        SCENE_TEST(a_client_that_leaves_leaves_the_head_of_its_body_to_the_job),
        SCENE_TEST(a_call_whose_job_is_refused_fails_and_asks_nobody),
        SCENE_TEST(a_deadline_that_passes_behind_the_pool_is_the_stores),
        SCENE_TEST(what_was_read_already_is_compared_without_the_pool),
        SCENE_TEST(what_was_not_is_read_once_more_on_the_pool_if_it_is_large),
        SCENE_TEST(a_client_that_leaves_while_it_is_compared_changes_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
