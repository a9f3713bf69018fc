#include "protocols/http2/http2_watch.h"

enum {
    BURST = 4,  /* depth of both buckets, in seconds at their rates */
    EARNED = 4, /* tokens that a useful frame returns: it may cause WINDOW_UPDATE and PING frames */
    PIECE = 256,        /* bytes: smaller DATA frames and WINDOW_UPDATE increments are suspicious */
    QUICK = 500 * 1000, /* nanoseconds: the age of a stream at which its reset costs a quarter */
};

void http2_watch_init(Http2Watch *watch, const HttpLimits *limits)
{
    *watch = (Http2Watch){0};
    http_bucket_init(&watch->resets, limits->resets_per_second,
                     http2_in_seconds(limits->resets_per_second, BURST));
    http_bucket_init(&watch->controls, limits->control_frames,
                     http2_in_seconds(limits->control_frames, BURST));
}

/* ---- Costs ----------------------------------------------------------------------------------- */

void http2_watch_earn(Http2Watch *watch, int64_t now)
{
    http_bucket_credit(&watch->controls, EARNED, now);
}

/*
 * An immediate reset is the rapid reset attack and costs a whole token. A late one is usual for a
 * deadline, and its number is bounded by that of concurrent streams: the cost falls with the age of
 * the stream.
 */
bool http2_watch_reset(Http2Watch *watch, int64_t opened, int64_t now)
{
    int64_t age = now - opened;
    int64_t cost = watch->resets.cost * QUICK / (QUICK + age) * QUICK / (QUICK + age);
    return http_bucket_take_time(&watch->resets, cost, now);
}

bool http2_watch_late_reset(Http2Watch *watch, int64_t now)
{
    if (watch->crossing == 0)
        return http2_watch_control(watch, now);
    watch->crossing--;
    return true;
}

/* A receiver may return bytes in increments of any size (RFC 9113 section 6.9): each byte once for
   the connection and once for its stream, even after the stream has ended. */
bool http2_watch_window_update(Http2Watch *watch, uint32_t stream, uint32_t increment, int64_t now)
{
    uint32_t *unreturned = &watch->unreturned[stream != 0];
    bool returns = increment <= *unreturned;
    if (returns)
        *unreturned -= increment;
    return (returns && increment >= PIECE) || http2_watch_control(watch, now);
}

/* Does not count frames that are small because the peer opens its window in small steps ("Data
   Dribble", CVE-2019-9511). */
void http2_watch_sent(Http2Watch *watch, size_t size, bool whole, int64_t now)
{
    for (int level = 0; level < 2; level++) {
        uint64_t unreturned = (uint64_t)watch->unreturned[level] + size;
        watch->unreturned[level] = unreturned < INT32_MAX ? (uint32_t)unreturned : INT32_MAX;
    }
    if (whole || size >= PIECE)
        http2_watch_earn(watch, now);
}

/* ---- Ends of streams ------------------------------------------------------------------------- */

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

void http2_watch_closed(Http2Watch *watch, uint32_t stream, Http2End end, uint32_t streams)
{
    if (end != HTTP2_RESET_BY_PEER && watch->crossing < streams)
        watch->crossing++;
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
