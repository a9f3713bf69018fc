#include "protocols/http2/http2_watch.h"

enum {
    BURST = 4,   /* seconds' worth of resets and control frames that a peer may use at once */
    EARNED = 4,  /* control frames that come with a frame of use: window updates, measuring PINGs */
    PIECE = 256, /* bytes sent that a WINDOW_UPDATE may return for nothing, or fewer in a frame of
                    their own */
    QUICK =
        500 *
        1000, /* nanoseconds within which a reset is quick: at twice the age it costs a quarter */
};

void http2_watch_init(Http2Watch *watch, const HttpLimits *limits)
{
    *watch = (Http2Watch){0};
    http_bucket_init(&watch->resets, limits->resets_per_second, limits->resets_per_second * BURST);
    http_bucket_init(&watch->controls, limits->control_frames, limits->control_frames * BURST);
}

/* ---- Costs ----------------------------------------------------------------------------------- */

void http2_watch_earn(Http2Watch *watch, int64_t now)
{
    http_bucket_credit(&watch->controls, EARNED, now);
}

/*
 * At once it is rapid reset. Later it is what a deadline does: only so many streams as are allowed
 * can wait for theirs at the same time.
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

/* A receiver returns what it has read as it likes (RFC 9113 section 6.9): each byte once for the
   connection, and once for its stream, also when that has ended meanwhile. */
bool http2_watch_window_update(Http2Watch *watch, uint32_t stream, uint32_t increment, int64_t now)
{
    uint32_t *unreturned = &watch->unreturned[stream != 0];
    bool returns = increment <= *unreturned;
    if (returns)
        *unreturned -= increment;
    return (returns && increment >= PIECE) || http2_watch_control(watch, now);
}

/* Cut small by a window that is opened by bits, a frame is work for nothing ("data dribble"). */
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
