#include "tests/unit/protocols/http/http_chaos.h"

#include <stdlib.h>

uint32_t http_chaos_dice(HttpChaos *chaos, uint32_t n)
{
    chaos->dice = chaos->dice * 1103515245 + 12345;
    return (chaos->dice >> 16) % n;
}

static const char words[] =
    "The quick brown fox jumps over the lazy dog, again and again and again.";

static HttpHead some_head(HttpChaos *chaos, uint16_t status)
{
    static const char *const methods[] = {"GET", "POST", "HEAD", "OPTIONS"};
    static Field fields[] = {
        {{(const uint8_t *)"x-one", 5}, {(const uint8_t *)words, 20}},
        {{(const uint8_t *)"te", 2}, {(const uint8_t *)"trailers", 8}},
        {{(const uint8_t *)"upgrade", 7}, {(const uint8_t *)"x", 1}},
        {{(const uint8_t *)"bad name", 8}, {(const uint8_t *)"a\r\nb", 4}},
    };
    return (HttpHead){
        .method = bytes_of(methods[http_chaos_dice(chaos, 4)]),
        .authority = bytes_of("example.com"),
        .path = bytes_of("/some/where"),
        .status = status,
        .content_length = http_chaos_dice(chaos, 2) ? -1 : (int64_t)http_chaos_dice(chaos, 100),
        .upgrade = status == 101 || http_chaos_dice(chaos, 8) == 0,
        .fields = {.items = fields, .n = http_chaos_dice(chaos, 5)},
    };
}

static void send_head(HttpChaos *chaos, HttpStream *stream)
{
    static const uint16_t statuses[] = {100, 101, 103, 200, 200, 200, 204, 304, 500};
    HttpHead head = some_head(chaos, statuses[http_chaos_dice(chaos, 9)]);
    http_stream_send_head(stream, &head, http_chaos_dice(chaos, 4) == 0);
}

static void send_body(HttpChaos *chaos, HttpStream *stream)
{
    size_t before = http_stream_queued(stream);
    size_t size = http_chaos_dice(chaos, sizeof words);
    for (uint32_t n = 1 + http_chaos_dice(chaos, 3) * 300; n && before < 1 << 20; n--)
        http_stream_send_body(stream, bytes(words, size));
}

static void send_end(HttpChaos *chaos, HttpStream *stream)
{
    HttpHead head = some_head(chaos, 200);
    http_stream_send_end(stream, http_chaos_dice(chaos, 2) ? &head.fields : NULL);
}

static void release(ChaosStream *s)
{
    HttpStream *stream = s->stream;
    s->stream = NULL;
    http_stream_release(stream);
}

static ChaosStream *place_for(HttpChaos *chaos, HttpStream *stream)
{
    ChaosStream *s = &chaos->streams[http_chaos_dice(chaos, CHAOS_STREAMS)];
    if (s->stream)
        release(s);
    *s = (ChaosStream){.chaos = chaos, .stream = stream};
    return s;
}

static const HttpStreamEvents stream_events;

static void open_stream(HttpChaos *chaos)
{
    HttpHead head = some_head(chaos, 0);
    ChaosStream *s = place_for(chaos, NULL);
    if (http_connection_capacity(chaos->connection))
        s->stream = http_stream_open(chaos->connection, &head, http_chaos_dice(chaos, 2),
                                     &stream_events, s);
}

void http_chaos_act(HttpChaos *chaos)
{
    ChaosStream *s = &chaos->streams[http_chaos_dice(chaos, CHAOS_STREAMS)];
    if (chaos->client && http_chaos_dice(chaos, 6) == 0) {
        open_stream(chaos);
        return;
    }
    if (!s->stream)
        return;
    switch (http_chaos_dice(chaos, 10)) {
    case 0:
    case 1: send_head(chaos, s->stream); break;
    case 2:
    case 3: send_body(chaos, s->stream); break;
    case 4: send_end(chaos, s->stream); break;
    case 5:
    case 6:
        http_stream_consume(s->stream, s->owed);
        s->owed = 0;
        break;
    case 7: http_stream_reset(s->stream, http_chaos_dice(chaos, HTTP2_ERROR_COUNT)); break;
    default: release(s); break;
    }
}

static void answer(ChaosStream *s)
{
    HttpHead head = {.status = 200, .content_length = -1};
    http_stream_send_head(s->stream, &head, false);
    http_stream_send_body(s->stream, bytes_of("ok"));
    http_stream_send_end(s->stream, NULL);
}

static void maybe_act(HttpChaos *chaos)
{
    if (!chaos->calm && http_chaos_dice(chaos, 3) == 0)
        http_chaos_act(chaos);
}

static void on_head(void *owner, HttpStream *stream, const HttpHead *head, bool end)
{
    ChaosStream *s = owner;
    CHECK(s->stream == stream && !s->head && (!s->end || s->tunnel) && !s->reset);
    CHECK(s->chaos->client ? head->status >= 200 || head->status == 101 : head->method.size > 0);
    for (uint32_t i = 0; i < head->fields.n; i++)
        CHECK(head->fields.items[i].name.size && head->fields.items[i].name.data[0] != ':');
    s->head = true;
    s->tunnel = head->upgrade;
    s->chaos->heads++;
    maybe_act(s->chaos);
}

static void on_body(void *owner, HttpStream *stream, Bytes piece)
{
    ChaosStream *s = owner;
    CHECK(s->stream == stream && s->head && (!s->end || s->tunnel) && !s->reset && piece.size);
    s->owed += piece.size;
    if (s->chaos->calm) {
        http_stream_consume(stream, piece.size);
        s->owed = 0;
    }
    maybe_act(s->chaos);
}

static void on_end(void *owner, HttpStream *stream, const Fields *trailers)
{
    ChaosStream *s = owner;
    CHECK(s->stream == stream && s->head && (!s->end || s->tunnel) && !s->reset);
    s->end = true;
    s->chaos->ends++;
    if (s->chaos->calm && !s->chaos->client)
        answer(s);
    if (s->chaos->calm)
        release(s);
    else
        maybe_act(s->chaos);
}

static void on_drain(void *owner, HttpStream *stream)
{
    ChaosStream *s = owner;
    CHECK(s->stream == stream && !s->reset);
    maybe_act(s->chaos);
}

static void on_reset(void *owner, HttpStream *stream, Result why)
{
    ChaosStream *s = owner;
    CHECK(s->stream == stream && !s->reset && failed(why));
    s->reset = true;
    s->chaos->resets++;
    if (s->chaos->calm)
        release(s);
    else
        maybe_act(s->chaos);
}

static const HttpStreamEvents stream_events = {on_head, on_body, on_end, on_drain, on_reset};

static void on_stream(void *owner, HttpConnection *connection, HttpStream *stream,
                      const HttpHead *head)
{
    http_stream_attach(stream, &stream_events, place_for(owner, stream));
}

static void ignore(void *owner, HttpConnection *connection)
{
}

static const HttpConnectionEvents connection_events = {on_stream, ignore};

void http_chaos_begin(HttpChaos *chaos, HttpMaker *maker, bool client, const HttpLimits *limits,
                      uint32_t seed)
{
    *chaos = (HttpChaos){.arena = arena_new(ARENA_UNLIMITED), .dice = seed, .client = client};
    chaos->connection = maker(limits, false, &connection_events, chaos);
}

static void release_all(HttpChaos *chaos)
{
    for (int i = 0; i < CHAOS_STREAMS; i++) {
        if (chaos->streams[i].stream)
            release(&chaos->streams[i]);
    }
}

void http_chaos_end(HttpChaos *chaos)
{
    http_connection_lost(chaos->connection, FAIL(chaos->arena, FAULT_SYSTEM, "it is over"));
    for (int i = 0; i < CHAOS_STREAMS; i++)
        chaos->streams[i].reset |= chaos->streams[i].stream != NULL;
    if (http_chaos_dice(chaos, 2))
        release_all(chaos);
    http_connection_free(chaos->connection);
    release_all(chaos);
    arena_free(chaos->arena);
}

bool http_chaos_move(HttpChaos *from, HttpChaos *to)
{
    struct iovec vectors[5];
    bool moved = false;
    int n;
    while ((n = http_connection_output(from->connection, vectors, 5)) > 0) {
        Buffer all = buffer_in(from->arena);
        for (int i = 0; i < n; i++)
            buffer_add(&all, vectors[i].iov_base, vectors[i].iov_len);
        http_connection_sent(from->connection, all.size);
        if (to && all.size)
            error_ignore(http_connection_feed(to->connection, buffer_bytes(&all), 1),
                         "its streams were told");
        moved = true;
    }
    arena_reset(from->arena);
    return moved;
}

void http_chaos_settle(HttpChaos *client, HttpChaos *server)
{
    bool moved;
    do {
        moved = http_chaos_move(client, server);
        moved = http_chaos_move(server, client) || moved;
    } while (moved);
}
