#include "gateway/memory/accounts.h"
#include "tests/unit/gateway/call/scene.h"

enum { LIMIT = 16 << 20, HIGH = 12 << 20 };

static Account *hog, *client_account;

static void hold(Account *account, int64_t more)
{
    account_add(account, more);
    memory_add(MEMORY_CALLS, more);
    memory_settle();
}

static int open_accounts(void)
{
    static const char *const addresses[] = {"192.0.2.1", "192.0.2.2"};
    IpAddress one, other;
    assert_true(ip_read(bytes_of(addresses[0]), &one) && ip_read(bytes_of(addresses[1]), &other));
    memory_set_limit(LIMIT);
    hog = account_open(&one);
    client_account = account_open(&other);
    return 0;
}

static int set_up(void **state)
{
    scene_set_up(state);
    return open_accounts();
}

/* All instances are in v2. */
static int set_up_converting(void **state)
{
    scene_set_up(state);
    scene_again(state, YARD_OF("versions: [v2]"));
    return open_accounts();
}

/* The same, and messages of more than 64 KiB are for the pool. */
static int set_up_pool(void **state)
{
    scene_set_up(state);
    Scene *scene = scene_again(state, YARD_OF("versions: [v2]"));
    scene->pool.eager = false;
    scene_use_pool(scene, 64 << 10);
    return open_accounts();
}

static int set_up_proxy(void **state)
{
    scene_set_up(state);
    scene_again(state, "trusted_proxies: [127.0.0.0/8]\n" GARAGE_SERVICE YARD
                       "      - {address: '127.0.0.1:7101', versions: [v1]}\n" LISTEN);
    return open_accounts();
}

static int tear_down(void **state)
{
    hold(hog, -account_held(hog));
    assert_int_equal(account_held(client_account), 0); /* however its calls have ended */
    account_close(hog);
    account_close(client_account);
    memory_set_limit(UINT64_MAX);
    return scene_tear_down(state);
}

/* A call of the client whose account this is. */
static Peer *begin(Scene *scene, Account *account, const char *path)
{
    Peer *client = client_new(scene, http2_client_new, http2_server_new);
    client->client->account = account;
    client_head(client, "POST", path, "content-type: application/grpc\nte: trailers", -1, false);
    return client;
}

static Peer *call(Scene *scene, Account *account)
{
    Peer *client = begin(scene, account, GET_ITEM);
    if (!client->ended) {
        say_frame(client, GET_X);
        say_end(client);
    }
    return client;
}

static void who_holds_more_than_a_share_is_refused_above_the_high_mark(void **state)
{
    Scene *scene = *state;
    hold(hog, HIGH + 1);
    Peer *client = call(scene, hog);
    assert_string_equal(said(client, "grpc-status"), "8");
    assert_record(scene, "RESOURCE_EXHAUSTED MEMORY_SHARE, 0 sent");
    assert_int_equal(scene->counted[COUNTER_MEMORY_SHARE], 1);
    assert_int_equal(n_instances(scene), 0);
}

static void who_holds_little_is_not_refused_because_of_another(void **state)
{
    Scene *scene = *state;
    hold(hog, HIGH + 1);
    Peer *client = call(scene, client_account);
    answer(instance(scene), ITEM);
    assert_string_equal(said(client, "grpc-status"), "0");
}

static void an_eighth_above_the_limit_new_calls_are_refused(void **state)
{
    Scene *scene = *state;
    hold(hog, LIMIT + LIMIT / 8 - 4000);
    Peer *client = call(scene, client_account);
    assert_string_equal(said(client, "grpc-status"), "8");
    assert_record(scene, "RESOURCE_EXHAUSTED MEMORY_FULL, 0 sent");
    assert_int_equal(scene->counted[COUNTER_MEMORY_FULL], 1);
}

static void health_is_told_above_the_limit(void **state)
{
    Scene *scene = *state;
    hold(hog, LIMIT + LIMIT / 8);
    Peer *client = begin(scene, client_account, "/grpc.health.v1.Health/Check");
    say_frame(client, BYTES_NONE);
    say_end(client);
    assert_string_equal(said(client, "grpc-status"), "0");
}

static void a_rest_client_hears_when_to_come_back(void **state)
{
    Scene *scene = *state;
    struct {
        Account *account;
        unsigned status;
    } rows[] = {{hog, 429}, {client_account, 503}};
    hold(hog, LIMIT + LIMIT / 8);
    for (int i = 0; i < 2; i++) {
        Peer *client = client_new(scene, http2_client_new, http2_server_new);
        client->client->account = rows[i].account;
        client_head(client, "GET", "/v1/items/x", "", -1, true);
        assert_int_equal(client->head.status, rows[i].status);
        assert_string_equal(field_of(client, "retry-after"), "1");
    }
}

static Bytes large(Scene *scene, size_t size)
{
    uint8_t *message = arena_calloc(scene->arena, 1, size);
    size_t field = size - 4;
    memcpy(message,
           (uint8_t[]){0x7a, (uint8_t)(field | 0x80), (uint8_t)(field >> 7 | 0x80),
                       (uint8_t)(field >> 14)},
           4);
    return bytes(message, size);
}

/* An item of 1 MiB that can be converted. */
static Bytes large_text(Scene *scene)
{
    enum { SIZE = 1 << 20 };
    uint8_t *item = arena_alloc(scene->arena, SIZE);
    memset(item, 'x', SIZE);
    memcpy(item, "\n\xfc\xff\x3f", 4);
    return bytes(item, SIZE);
}

static void what_a_request_holds_is_its_clients_until_the_call_ends(void **state)
{
    Scene *scene = *state;
    Peer *client = begin(scene, client_account, MAKE_ITEM);
    Bytes frame = framed(scene, large(scene, 1 << 20));
    say(client, bytes_slice(frame, 0, frame.size / 2));
    assert_true(account_held(client_account) >= (int64_t)frame.size / 2);
    say(client, bytes_slice(frame, frame.size / 2, SIZE_MAX));
    say_end(client);
    answer(instance(scene), ITEM);
    assert_string_equal(said(client, "grpc-status"), "0");
    assert_int_equal(account_held(client_account), 0);
}

static void a_client_that_leaves_gives_back_what_its_request_held(void **state)
{
    Scene *scene = *state;
    Peer *client = begin(scene, client_account, MAKE_ITEM);
    Bytes frame = framed(scene, large(scene, 1 << 20));
    say(client, bytes_slice(frame, 0, frame.size / 2));
    break_off(client, HTTP2_ERROR_CANCEL);
    assert_int_equal(account_held(client_account), 0);
}

static void a_request_that_grows_beyond_the_share_is_refused_before_it_is_sent(void **state)
{
    Scene *scene = *state;
    Peer *client = begin(scene, hog, MAKE_ITEM);
    hold(hog, HIGH - (768 << 10)); /* room is taken in steps of four */
    Bytes frame = framed(scene, large(scene, 1 << 20));
    say(client, bytes_slice(frame, 0, 100 << 10));
    assert_false(client->ended);
    say(client, bytes_slice(frame, 100 << 10, SIZE_MAX));
    assert_string_equal(said(client, "grpc-status"), "8");
    assert_record(scene, "RESOURCE_EXHAUSTED MEMORY_SHARE, 0 sent");
    assert_int_equal(scene->counted[COUNTER_MEMORY_SHARE], 1);
}

static void a_request_whose_conversion_goes_beyond_the_share_is_refused_by_that_name(void **state)
{
    Scene *scene = *state;
    Peer *client = begin(scene, hog, MAKE_ITEM);
    say(client, framed(scene, large_text(scene)));
    hold(hog, HIGH + 1 - account_held(hog));
    say_end(client);
    assert_string_equal(said(client, "grpc-status"), "8");
    assert_record(scene, "RESOURCE_EXHAUSTED MEMORY_SHARE, 0 sent");
    assert_int_equal(scene->counted[COUNTER_MEMORY_SHARE], 1);
}

/* It may have had an effect: the rest of its response waits with the instance. */
static void a_call_that_was_sent_is_not_refused_but_waits(void **state)
{
    Scene *scene = *state;
    Peer *client = client_new(scene, http2_client_new, http2_server_new);
    client->client->account = client_account;
    client_head(client, "POST", GET_ITEM, "content-type: application/proto", -1, false);
    say(client, GET_X);
    say_end(client);
    Peer *at = instance(scene);
    hold(hog, LIMIT + LIMIT / 8);
    Bytes frame = framed(scene, large(scene, 1 << 20));
    answer_grpc_head(at);
    say(at, frame);
    scene_pass(scene, 50);
    assert_true(http_stream_queued(at->stream) > frame.size / 2);
    assert_false(client->ended);
    hold(hog, -LIMIT);
    scene_pass(scene, 50);
    assert_int_equal(http_stream_queued(at->stream), 0);
    answer_trailers(at, "grpc-status: 0");
    assert_int_equal(client->head.status, 200);
    assert_int_equal(client->body.size, 1 << 20);
}

/* What has been cut before is whole by now, and the rest is not kept at all. */
static void a_stream_of_whole_messages_waits_for_no_memory(void **state)
{
    enum { SIZE = 16000, MESSAGES = 400 };
    Scene *scene = *state;
    Peer *client = begin(scene, client_account, WATCH_ITEM);
    say_frame(client, GET_X);
    say_end(client);
    Peer *at = instance(scene);
    Bytes frame = framed(scene, large(scene, SIZE));
    assert_true(MESSAGES * frame.size > 2 * scene->config->limits.http.stream_window);
    answer_grpc_head(at);
    say(at, bytes_slice(frame, 0, 100));
    say(at, bytes_slice(frame, 100, SIZE_MAX));
    hold(hog, LIMIT + LIMIT / 8);
    for (int i = 1; i < MESSAGES; i++)
        say(at, frame);
    assert_int_equal(client->body.size, MESSAGES * frame.size);
    answer_trailers(at, "grpc-status: 0");
    assert_record(scene, "OK, 1 sent: 7101 OK");
}

/* The limit may be exceeded by an eighth, so that what has begun ends. */
static void of_calls_that_wait_one_after_the_other_goes_on_without_memory(void **state)
{
    Scene *scene = *state;
    Peer *clients[2], *at[2];
    Bytes frame = framed(scene, large(scene, 60 << 10));
    for (int i = 0; i < 2; i++) {
        clients[i] = begin(scene, client_account, GET_ITEM);
        say_frame(clients[i], GET_X);
        say_end(clients[i]);
        at[i] = instance(scene);
    }
    hold(hog, LIMIT);
    for (int i = 0; i < 2; i++) {
        answer_grpc_head(at[i]);
        say(at[i], bytes_slice(frame, 0, 40 << 10));
    }
    for (int i = 0; i < 2; i++) {
        scene_pass(scene, 50);
        say(at[i], bytes_slice(frame, 40 << 10, SIZE_MAX));
        answer_trailers(at[i], "grpc-status: 0");
        assert_string_equal(said(clients[i], "grpc-status"), "0");
        assert_body(clients[i], frame);
    }
}

/* Others would be refused for what it holds. */
static void a_call_that_waits_is_ended_when_its_client_holds_nearly_all(void **state)
{
    Scene *scene = *state;
    Peer *client = client_new(scene, http2_client_new, http2_server_new);
    client->client->account = hog;
    client_head(client, "POST", "/v1/items", "content-type: application/json", -1, false);
    say(client, bytes_of(ITEM_JSON));
    say_end(client);
    Peer *at = instance(scene);
    hold(hog, LIMIT + LIMIT / 8);
    answer_grpc_head(at);
    Bytes frame = framed(scene, large(scene, 60 << 10));
    say(at, bytes_slice(frame, 0, 40 << 10));
    assert_false(client->ended);
    scene_pass(scene, 50);
    assert_true(client->ended);
    assert_int_equal(client->head.status, 429);
    const char *body = arena_text(scene->arena, buffer_bytes(&client->body));
    assert_non_null(strstr(body, "\"retryable\":false"));
    assert_string_equal(at->reset, "CANCELLED");
    assert_record(scene, "RESOURCE_EXHAUSTED MEMORY_SHARE, 1 sent: 7101 RESOURCE_EXHAUSTED");
    assert_int_equal(scene->counted[COUNTER_MEMORY_SHARE], 1);
}

static void a_client_that_leaves_while_its_call_waits_for_memory_leaves_nothing(void **state)
{
    Scene *scene = *state;
    Peer *client = begin(scene, client_account, GET_ITEM);
    say_frame(client, GET_X);
    say_end(client);
    Peer *at = instance(scene);
    hold(hog, LIMIT + LIMIT / 8);
    answer_grpc_head(at);
    Bytes frame = framed(scene, large(scene, 60 << 10));
    say(at, bytes_slice(frame, 0, 40 << 10));
    scene_pass(scene, 50);
    assert_false(client->ended);
    break_off(client, HTTP2_ERROR_CANCEL);
    assert_string_equal(at->reset, "CANCELLED");
    assert_int_equal(account_held(client_account), 0);
    scene_pass(scene, 50);
    assert_record(scene, "CANCELLED CANCELLED, 1 sent: 7101 CANCELLED");
}

/* ---- Any memory ------------------------------------------------------------------------------ */

static Peer *get_part_by_rest(Scene *scene)
{
    return ask(scene, "GET", "/v1/items/x", "range: bytes=0-2\nx-a: b\nx-c: d", BYTES_NONE);
}

static Peer *get_photo_by_rest(Scene *scene)
{
    return ask(scene, "GET", "/v1/photos/x", "range: bytes=0-2", BYTES_NONE);
}

static Peer *watch_by_rest(Scene *scene)
{
    return ask(scene, "GET", "/v1/items/x:watch", "", BYTES_NONE);
}

static Peer *get(Scene *scene)
{
    return ask_grpc(scene, GET_ITEM, GET_X);
}

static Peer *watch(Scene *scene)
{
    return ask_grpc(scene, WATCH_ITEM, GET_X);
}

static Peer *trade(Scene *scene)
{
    return ask_grpc(scene, TRADE_ITEMS, BYTES("\n\1x\x1a\1n"));
}

#define FIELDS "x-a: b\nx-c: d\nx-e: f\nx-g: h\nx-i: j\nx-k: l\nx-m: n\nx-o: p"

static void answer_json(Peer *at)
{
    answer_head(at, 200, "content-type: application/json\n" FIELDS, -1, false);
    say(at, BYTES(ITEM_JSON));
    say_end(at);
}

static void answer_error_in_stream(Peer *at)
{
    answer_head(at, 200, "content-type: application/x-ndjson", -1, false);
    say(at,
        BYTES(ITEM_JSON "\n{\"error\":{\"code\":5,\"message\":\"no\",\"details\":"
                        "[{\"@type\":\"type.googleapis.com/yard.v1.Ticket\",\"id\":\"7\"},"
                        "{\"@type\":\"type.googleapis.com/yard.v1.Item\",\"name\":\"x\"}]}}\n"));
}

static void answer_item(Peer *at)
{
    answer_grpc_head(at);
    say_frame(at, BYTES("\n\1x\x7a\3red"));
    if (at->stream && !at->reset)
        answer_trailers(at, "grpc-status: 0\n" FIELDS);
}

static void answer_large(Peer *at)
{
    answer_grpc_head(at);
    say_frame(at, large(at->scene, 200 << 10));
    if (at->stream && !at->reset)
        answer_trailers(at, "grpc-status: 0\n" FIELDS);
}

/* Every call at every limit: it ends, once, with what it promised or with an error. */
static void however_little_memory_a_call_may_have_it_ends(void **state)
{
    static const struct {
        const char *config;
        Peer *(*ask)(Scene *scene);
        void (*answer)(Peer *at);
    } plays[] = {
        {YARD_OF("versions: [v1], protocol: rest"), get_part_by_rest, answer_json},
        {YARD_OF("versions: [v1], protocol: rest"), get_photo_by_rest, answer_json},
        {YARD_OF("versions: [v1], protocol: rest"), watch_by_rest, answer_error_in_stream},
        {YARD_OF("versions: [v1], protocol: rest"), watch, answer_error_in_stream},
        {YARD_OF("versions: [v1]"), watch_by_rest, answer_item},
        {YARD_OF("versions: [v1]"), get, answer_large},
        {YARD_OF("versions: [v2]"), get, answer_item},
        {YARD_OF("versions: [v2]"), watch, answer_item},
        {YARD_OF("versions: [v2]"), trade, answer_item},
    };
    for (size_t i = 0; i < sizeof plays / sizeof *plays; i++) {
        Scene *scene = scene_again(state, plays[i].config);
        bool refused = false, good = false;
        for (size_t limit = 4 << 10; limit < 32 << 10; limit += 32) {
            scene->config->limits.call_memory = limit;
            Peer *client = plays[i].ask(scene);
            if (!client->ended && !client->reset)
                plays[i].answer(instance(scene));
            assert_true(client->ended || client->reset);
            assert_int_equal(scene->n_records, 1);
            refused |= strstr(scene->record_texts[0], "OUT_OF_MEMORY") != NULL;
            good |= !strstr(scene->record_texts[0], "OUT_OF_MEMORY");
            scene_clear(scene);
        }
        assert_true(refused && good);
    }
}

/* ---- Clients that do not read ---------------------------------------------------------------- */

enum { PART = 64 << 10 };

/* A call whose response has to be kept whole. */
static Peer *call_kept(Scene *scene, Account *account)
{
    Peer *client = client_new(scene, http2_client_new, http2_server_new);
    client->client->account = account;
    client_head(client, "POST", GET_ITEM, "content-type: application/proto", -1, false);
    say(client, GET_X);
    say_end(client);
    return client;
}

static void begin_answer(Scene *scene, Peer *at, size_t size)
{
    answer_grpc_head(at);
    say(at, framed(scene, large(scene, size)));
}

static void the_responses_of_who_holds_its_share_come_one_after_the_other(void **state)
{
    Scene *scene = *state;
    Peer *clients[2], *at[2];
    for (int i = 0; i < 2; i++) {
        clients[i] = call_kept(scene, hog);
        at[i] = instance(scene);
    }
    hold(hog, HIGH);
    for (int i = 0; i < 2; i++)
        begin_answer(scene, at[i], 1 << 20);
    scene_pass(scene, 50);
    assert_int_equal(http_stream_queued(at[0]->stream), 0);
    assert_true(http_stream_queued(at[1]->stream) > 900 << 10);
    assert_in_range(account_held(hog), HIGH + (1 << 20), HIGH + (1 << 20) + (1 << 18) + 3 * PART);
    answer_trailers(at[0], "grpc-status: 0");
    scene_pass(scene, 50);
    assert_int_equal(clients[0]->body.size, 1 << 20);
    assert_int_equal(http_stream_queued(at[1]->stream), 0);
    answer_trailers(at[1], "grpc-status: 0");
    assert_int_equal(clients[1]->body.size, 1 << 20);
}

static void another_client_is_answered_meanwhile(void **state)
{
    Scene *scene = *state;
    Peer *first = call_kept(scene, hog), *at = instance(scene);
    Peer *other = call_kept(scene, client_account), *at_other = instance(scene);
    hold(hog, HIGH);
    hog->growing = true; /* on another loop */
    begin_answer(scene, at, 300 << 10);
    begin_answer(scene, at_other, 300 << 10);
    scene_pass(scene, 50);
    assert_int_equal(http_stream_queued(at_other->stream), 0);
    assert_true(http_stream_queued(at->stream) > 200 << 10);
    answer_trailers(at_other, "grpc-status: 0");
    assert_int_equal(other->body.size, 300 << 10);
    hog->growing = false;
    scene_pass(scene, 50);
    answer_trailers(at, "grpc-status: 0");
    assert_int_equal(first->body.size, 300 << 10);
}

static void what_is_passed_on_waits_for_its_reader_when_memory_is_short(void **state)
{
    for (int is_short = 0; is_short < 2; is_short++) {
        Scene *scene = *state;
        Peer *client = call(scene, hog), *at = instance(scene);
        scene_hold(client, true);
        if (is_short)
            hold(hog, HIGH);
        begin_answer(scene, at, 1 << 20);
        scene_pass(scene, 50);
        size_t left = http_stream_queued(at->stream);
        if (is_short)
            assert_true(left >= (1 << 20) - 70000);
        else
            assert_true(left < (1 << 20) - 128 * 1024);
        scene_hold(client, false);
        for (int i = 0; i < 20; i++)
            scene_pass(scene, 20);
        answer_trailers(at, "grpc-status: 0");
        assert_string_equal(said(client, "grpc-status"), "0");
        assert_int_equal(client->body.size, (1 << 20) + 5);
        hold(hog, -account_held(hog));
    }
}

/* Some of its request has had an effect: the next message waits with the client. */
static void a_message_of_a_stream_that_was_begun_waits_for_memory(void **state)
{
    Scene *scene = *state;
    Peer *client = begin(scene, client_account, LOAD_ITEMS);
    say_frame(client, ITEM);
    hold(hog, LIMIT + LIMIT / 8);
    Bytes frame = framed(scene, large(scene, 1 << 20));
    say(client, frame);
    scene_pass(scene, 50);
    assert_false(client->ended);
    assert_true(http_stream_queued(client->stream) > frame.size / 2);
    hold(hog, -LIMIT);
    for (int i = 0; i < 20; i++)
        scene_pass(scene, 20);
    assert_int_equal(http_stream_queued(client->stream), 0);
    say_end(client);
    answer(instance(scene), ITEM);
    assert_string_equal(said(client, "grpc-status"), "0");
}

static void a_client_that_leaves_gives_back_the_turn(void **state)
{
    Scene *scene = *state;
    Peer *client = call_kept(scene, hog);
    hold(hog, HIGH);
    begin_answer(scene, instance(scene), 1 << 20);
    assert_true(hog->growing);
    break_off(client, HTTP2_ERROR_CANCEL);
    assert_false(hog->growing);
}

/* ---- On the work pool ------------------------------------------------------------------------ */

/* A request of 1 MiB, which is on the pool, to be converted. */
static Peer *call_on_pool(Scene *scene, Account *account)
{
    Peer *client = begin(scene, account, MAKE_ITEM);
    say(client, framed(scene, large_text(scene)));
    say_end(client);
    assert_int_equal(scene->pool.n, 1);
    return client;
}

static void what_a_job_makes_is_its_clients_until_it_is_sent(void **state)
{
    Scene *scene = *state;
    Peer *client = call_on_pool(scene, client_account);
    int64_t kept = account_held(client_account);
    assert_in_range(kept, 1 << 20, 2 << 20);
    scene_run_job(scene);
    assert_in_range(account_held(client_account), kept + (1 << 20), kept + (3 << 20));
    scene_do_job(scene);
    assert_in_range(account_held(client_account), kept, kept + (64 << 10));
    answer(instance(scene), ITEM);
    assert_string_equal(said(client, "grpc-status"), "0");
    assert_int_equal(account_held(client_account), 0);
}

static void what_a_job_makes_is_its_clients_while_it_waits_for_a_connection(void **state)
{
    Scene *scene = *state;
    Peer *client = call_on_pool(scene, client_account);
    int64_t kept = account_held(client_account);
    scene_upstream(scene, 7101)->want = WANT_WAITS;
    scene_do_job(scene);
    assert_in_range(account_held(client_account), kept + (1 << 20), kept + (3 << 20));
    break_off(client, HTTP2_ERROR_CANCEL);
    assert_int_equal(account_held(client_account), 0);
}

static void what_a_running_job_holds_stays_its_clients_when_the_call_has_ended(void **state)
{
    Scene *scene = *state;
    Peer *client = call_on_pool(scene, client_account);
    memory_settle();
    scene_run_job(scene);
    break_off(client, HTTP2_ERROR_CANCEL);
    memory_settle();
    assert_in_range(account_held(client_account), 1 << 20, 3 << 20);
    assert_in_range(memory_used(MEMORY_CALLS), account_held(client_account) + (1 << 20), 5 << 20);
    scene_do_job(scene);
    memory_settle();
    assert_int_equal(account_held(client_account), 0);
    assert_int_equal(memory_used(MEMORY_CALLS), 0);
}

/* The connection, and its reference to the account, may go before the job is back. */
static void a_job_keeps_the_account_of_its_client(void **state)
{
    IpAddress address;
    assert_true(ip_read(bytes_of("192.0.2.3"), &address));
    Account *account = account_open(&address);
    Scene *scene = *state;
    Peer *client = call_on_pool(scene, account);
    uint32_t n = accounts_open();
    scene_begin_job(scene);
    break_off(client, HTTP2_ERROR_CANCEL);
    client->client->account = NULL;
    account_close(account);
    assert_int_equal(accounts_open(), n);
    scene_do_job(scene);
    assert_int_equal(accounts_open(), n - 1);
}

static void a_job_that_grows_beyond_the_share_is_refused(void **state)
{
    Scene *scene = *state;
    call_on_pool(scene, hog);
    hold(hog, HIGH - account_held(hog));
    scene_do_job(scene);
    assert_record(scene, "RESOURCE_EXHAUSTED MEMORY_SHARE, 0 sent");
    assert_int_equal(scene->counted[COUNTER_MEMORY_SHARE], 1);
}

static void the_response_of_a_call_that_was_sent_is_converted_at_the_limit(void **state)
{
    Scene *scene = *state;
    Peer *client = call_on_pool(scene, client_account);
    scene_do_job(scene);
    hold(hog, LIMIT - (2 << 20));
    answer(instance(scene), bytes_slice(buffer_bytes(&instance(scene)->body), 5, SIZE_MAX));
    scene_pass(scene, 500);
    assert_int_equal(scene->pool.n, 1);
    scene_do_job(scene);
    assert_string_equal(said(client, "grpc-status"), "0");
    assert_int_equal(client->body.size, (1 << 20) + 5);
}

/* ---- What waits to be sent ------------------------------------------------------------------- */

/* As much of a stream as a client may send before its instance reads. */
static void say_much(Scene *scene, Peer *client)
{
    Bytes frame = framed(scene, large(scene, 20 << 10));
    for (int i = 0; i < 12; i++)
        say(client, frame);
}

/* A request of a stream that its instance does not read. */
static Peer *call_unread(Scene *scene, Account *account)
{
    Peer *client = begin(scene, account, LOAD_ITEMS);
    scene_hold(instance(scene), true);
    say_much(scene, client);
    return client;
}

static void what_waits_for_an_instance_is_its_clients(void **state)
{
    Scene *scene = *state;
    Peer *client = call_unread(scene, client_account);
    assert_in_range(account_held(client_account), 240 << 10, 360 << 10);
    assert_true(account_queued(client_account) < 64 << 10); /* it need not read first */
    break_off(client, HTTP2_ERROR_CANCEL);
    assert_int_equal(account_held(client_account), 0);
    scene_hold(instance(scene), false);
}

static void what_the_instance_has_read_is_nobodys(void **state)
{
    Scene *scene = *state;
    Peer *client = call_unread(scene, client_account);
    scene_hold(instance(scene), false);
    scene_pump(scene);
    assert_true(account_held(client_account) < 64 << 10);
    say_end(client);
    answer(instance(scene), ITEM);
    assert_int_equal(account_held(client_account), 0);
}

static void what_waits_for_an_http1_instance_is_its_clients(void **state)
{
    Scene *scene = *state;
    Peer *client = client_new(scene, http2_client_new, http2_server_new);
    client->client->account = client_account;
    client_head(client, "POST", "/old/files", "", -1, false);
    say(client, BYTES("x")); /* a request is sent with the first of its body */
    scene_hold(instance(scene), true);
    say(client, large(scene, 200 << 10));
    assert_in_range(account_held(client_account), 200 << 10, 300 << 10);
    scene_hold(instance(scene), false);
    scene_pump(scene);
    say_end(client);
    answer_head(instance(scene), 204, "", -1, true);
    assert_int_equal(account_held(client_account), 0);
}

/* The limit to the byte: all that is held is the hog's, and a call needs 4096 bytes. */
static void who_has_much_wait_for_an_instance_is_refused_the_next_call(void **state)
{
    enum { CALL = 4096 };
    for (int64_t above = 0; above < 2; above++) {
        Scene *scene = *state;
        Peer *next = client_new(scene, http2_client_new, http2_server_new);
        next->client->account = hog;
        Peer *client = begin(scene, hog, LOAD_ITEMS), *at = instance(scene);
        scene_hold(at, true);
        memory_settle();
        int64_t others = memory_total() - account_held(hog);
        account_add(hog, others);
        say_much(scene, client);
        memory_settle();
        hold(hog, HIGH - CALL - memory_total() + above);
        client_head(next, "POST", GET_ITEM, "content-type: application/grpc\nte: trailers", -1,
                    false);
        assert_int_equal(next->ended, above);
        account_add(hog, -others);
        hold(hog, -HIGH / 2);
        scene_hold(at, false);
        if (!above)
            break_off(next, HTTP2_ERROR_CANCEL);
        break_off(client, HTTP2_ERROR_CANCEL);
        hold(hog, -account_held(hog));
    }
}

/* 127.0.0.1 is the proxy, whose account is the hog's. */
static Peer *call_by_proxy(Scene *scene, HttpMaker *client_maker, HttpMaker *server_maker)
{
    Peer *client = client_new(scene, client_maker, server_maker);
    client->client->account = hog;
    assert_true(ip_read(bytes_of("127.0.0.1"), &client->client->address));
    http_connection_charge(client->gateway, hog);
    client_head(client, "POST", GET_ITEM,
                "content-type: application/proto\nx-forwarded-for: 192.0.2.2", (int64_t)GET_X.size,
                false);
    say(client, GET_X);
    say_end(client);
    return client;
}

static void what_waits_for_a_proxy_is_the_clients_that_it_names(void **state)
{
    static HttpMaker *const makers[][2] = {{http2_client_new, http2_server_new},
                                           {http1_client_new, http1_server_new}};
    Scene *scene = *state;
    for (int version = 0; version < 2; version++) {
        Peer *client = call_by_proxy(scene, makers[version][0], makers[version][1]);
        scene_hold(client, true);
        answer(instance(scene), large(scene, 500 << 10));
        assert_int_equal(scene->n_records, version + 1); /* the call is over */
        assert_in_range(account_held(client_account), 500 << 10, 1 << 20);
        assert_in_range(account_queued(client_account), 500 << 10, 1 << 20);
        assert_true(account_held(hog) < 100 << 10);
        scene_hold(client, false);
        scene_pump(scene);
        assert_true(client->ended);
        assert_int_equal(account_held(client_account), 0);
        http_connection_charge(client->gateway, NULL);
    }
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
#define POOL_TEST(name) cmocka_unit_test_setup_teardown(name, set_up_pool, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(who_holds_more_than_a_share_is_refused_above_the_high_mark),
        TEST(who_holds_little_is_not_refused_because_of_another),
        TEST(an_eighth_above_the_limit_new_calls_are_refused),
        TEST(health_is_told_above_the_limit),
        TEST(a_rest_client_hears_when_to_come_back),
        TEST(what_a_request_holds_is_its_clients_until_the_call_ends),
        TEST(a_client_that_leaves_gives_back_what_its_request_held),
        TEST(a_request_that_grows_beyond_the_share_is_refused_before_it_is_sent),
        cmocka_unit_test_setup_teardown(
            a_request_whose_conversion_goes_beyond_the_share_is_refused_by_that_name,
            set_up_converting, tear_down),
        TEST(a_call_that_was_sent_is_not_refused_but_waits),
        TEST(a_stream_of_whole_messages_waits_for_no_memory),
        TEST(of_calls_that_wait_one_after_the_other_goes_on_without_memory),
        TEST(a_call_that_waits_is_ended_when_its_client_holds_nearly_all),
        TEST(a_client_that_leaves_while_its_call_waits_for_memory_leaves_nothing),
        SCENE_TEST(however_little_memory_a_call_may_have_it_ends),
        TEST(the_responses_of_who_holds_its_share_come_one_after_the_other),
        TEST(another_client_is_answered_meanwhile),
        TEST(what_is_passed_on_waits_for_its_reader_when_memory_is_short),
        TEST(a_message_of_a_stream_that_was_begun_waits_for_memory),
        TEST(a_client_that_leaves_gives_back_the_turn),
        TEST(what_waits_for_an_instance_is_its_clients),
        TEST(what_the_instance_has_read_is_nobodys),
        TEST(what_waits_for_an_http1_instance_is_its_clients),
        TEST(who_has_much_wait_for_an_instance_is_refused_the_next_call),
        cmocka_unit_test_setup_teardown(what_waits_for_a_proxy_is_the_clients_that_it_names,
                                        set_up_proxy, tear_down),
        POOL_TEST(what_a_job_makes_is_its_clients_until_it_is_sent),
        POOL_TEST(what_a_job_makes_is_its_clients_while_it_waits_for_a_connection),
        POOL_TEST(what_a_running_job_holds_stays_its_clients_when_the_call_has_ended),
        POOL_TEST(a_job_keeps_the_account_of_its_client),
        POOL_TEST(a_job_that_grows_beyond_the_share_is_refused),
        POOL_TEST(the_response_of_a_call_that_was_sent_is_converted_at_the_limit),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
