#include "protocols/http2/http2_watch.h"

#include "protocols/http/http.h"

#include <nghttp2/nghttp2.h>

void http2_watch_init(Http2Watch *watch, bool client)
{
    *watch = (Http2Watch){.skip = client ? 0 : sizeof HTTP2_PREFACE - 1};
}

static inline uint32_t number(const uint8_t *at, int size)
{
    uint32_t n = 0;
    for (int i = 0; i < size; i++)
        n = n << 8 | at[i];
    return n;
}

/* A WINDOW_UPDATE is read with its payload. */
static size_t whole_size(const uint8_t *head)
{
    bool whole = head[3] == NGHTTP2_WINDOW_UPDATE && number(head, 3) == 4;
    return whole ? HTTP2_FRAME_HEAD + 4 : HTTP2_FRAME_HEAD;
}

static void read_head(const uint8_t *head, size_t size, Http2FrameHead *head_out)
{
    *head_out = (Http2FrameHead){
        .size = number(head, 3),
        .type = head[3],
        .flags = head[4],
        .stream = number(head + 5, 4) & 0x7fffffff,
        .increment = size > HTTP2_FRAME_HEAD ? number(head + HTTP2_FRAME_HEAD, 4) & 0x7fffffff : 0,
    };
}

/* Byte by byte: the head comes in pieces. NULL: it goes on. */
static const uint8_t *gather(Http2Watch *watch, Bytes input, size_t *at)
{
    size_t wanted = watch->n < HTTP2_FRAME_HEAD ? HTTP2_FRAME_HEAD : whole_size(watch->head);
    while (watch->n < wanted && *at < input.size) {
        watch->head[watch->n++] = input.data[(*at)++];
        if (watch->n == HTTP2_FRAME_HEAD)
            wanted = whole_size(watch->head);
    }
    return watch->n < wanted ? NULL : watch->head;
}

bool http2_watch_next(Http2Watch *watch, Bytes input, size_t *at, Http2FrameHead *head_out)
{
    size_t left = input.size - *at;
    size_t skipped = watch->skip < left ? watch->skip : left;
    watch->skip -= (uint32_t)skipped;
    *at += skipped;
    left -= skipped;

    const uint8_t *head = input.data + *at;
    if (watch->n == 0 && left >= sizeof watch->head)
        *at += whole_size(head);
    else
        head = gather(watch, input, at);
    if (!head)
        return false;
    size_t size = whole_size(head);
    read_head(head, size, head_out);
    watch->skip = head_out->size - (uint32_t)(size - HTTP2_FRAME_HEAD);
    watch->n = 0;
    return true;
}

static void put(uint64_t *ring, uint32_t stream, bool bit)
{
    uint32_t place = stream / 2 % HTTP2_WATCHED;
    uint64_t mask = UINT64_C(1) << place % 64;
    if (bit)
        ring[place / 64] |= mask;
    else
        ring[place / 64] &= ~mask;
}

static bool get(const uint64_t *ring, uint32_t stream)
{
    uint32_t place = stream / 2 % HTTP2_WATCHED;
    return ring[place / 64] >> place % 64 & 1;
}

void http2_watch_opened(Http2Watch *watch, uint32_t stream)
{
    if (stream <= watch->last)
        return;
    if (stream - watch->last > 2 * HTTP2_WATCHED) { /* a jump: nothing in the rings is recent */
        memset(watch->opened, 0, sizeof watch->opened);
    } else {
        for (uint32_t id = watch->last + 2; id < stream; id += 2)
            put(watch->opened, id, false);
    }
    put(watch->opened, stream, true);
    put(watch->finished, stream, false);
    put(watch->reset, stream, false);
    watch->last = stream;
}

void http2_watch_closed(Http2Watch *watch, uint32_t stream, Http2End end)
{
    if (stream + 2 * HTTP2_WATCHED <= watch->last)
        return;
    put(watch->finished, stream, end == HTTP2_FINISHED);
    put(watch->reset, stream, end == HTTP2_RESET_BY_PEER);
}

Http2End http2_watch_end(const Http2Watch *watch, uint32_t stream)
{
    if (stream % 2 == 0 || stream > watch->last || stream + 2 * HTTP2_WATCHED <= watch->last)
        return HTTP2_ENDED_BY_US;
    if (!get(watch->opened, stream))
        return HTTP2_SKIPPED;
    if (get(watch->finished, stream))
        return HTTP2_FINISHED;
    return get(watch->reset, stream) ? HTTP2_RESET_BY_PEER : HTTP2_ENDED_BY_US;
}
