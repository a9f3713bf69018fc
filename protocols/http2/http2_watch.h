/*
 * Http2Watch: limits on frames that make work without use (rapid reset, control frame floods), and
 * a record of how the latest streams of a client ended.
 *
 * Such frames take tokens from two buckets, `resets` and `controls`; useful frames, in either
 * direction, return tokens to `controls`.
 *
 *      frame             takes                                          returns
 *      HEADERS, DATA                                                    EARNED controls
 *      our DATA                                                         EARNED controls, or none
 *                                                                       when the peer's window cuts
 *                                                                       it small
 *      WINDOW_UPDATE     1 control, or nothing when it returns at
 *                        least PIECE bytes that were sent
 *      RST_STREAM        a reset or a fraction of one, or nothing when the
 *                        response has begun; 1 control when the stream is
 *                        over, or nothing when the two may have crossed
 *      an error that     1 reset
 *      ends a stream
 *      HEADERS, DATA     1 control
 *      after a reset
 *      empty DATA; all   1 control
 *      other frames
 *
 * How a stream ended is stored in a few bits. A frame after the client's own END_STREAM is a
 * connection error (RFC 9113 section 5.1). A frame that was sent before our RST_STREAM arrived is
 * no error. A frame after the client's own RST_STREAM is a stream error only, because grpc-java may
 * send a message after its deadline. Part of its connection. `now` is that of http_connection_feed.
 */
#ifndef PROTOCOLS_HTTP2_WATCH_H
#define PROTOCOLS_HTTP2_WATCH_H

#include "protocols/http/http_engine.h"

enum { HTTP2_WATCHED = 1024 /* streams whose end is stored */ };

typedef struct Http2Watch {
    HttpBucket resets, controls;
    uint32_t crossing;      /* ended streams that the peer may still reset without cost */
    uint32_t unreturned[2]; /* DATA bytes sent and not returned by WINDOW_UPDATE: connection,
                               streams */
    uint32_t last;          /* highest stream id opened by the client */
    uint64_t opened[HTTP2_WATCHED / 64]; /* ring buffers of bits, by stream id / 2 */
    uint64_t finished[HTTP2_WATCHED / 64];
    uint64_t reset[HTTP2_WATCHED / 64];
} Http2Watch;

/* Who ended a stream. */
typedef enum Http2End {
    HTTP2_ENDED_BY_US,   /* frames in flight may still arrive */
    HTTP2_FINISHED,      /* by the client, with END_STREAM */
    HTTP2_RESET_BY_PEER, /* by the client, with RST_STREAM */
    HTTP2_SKIPPED,       /* never opened: a higher id was opened first (section 5.1.1) */
} Http2End;

void http2_watch_init(Http2Watch *watch, const HttpLimits *limits);

/* ---- Costs: false when the tokens do not suffice; the caller then ends the connection ---- */

/* One frame of no use. */
static inline bool http2_watch_control(Http2Watch *watch, int64_t now)
{
    return http_bucket_take(&watch->controls, now);
}

/* One useful frame. */
void http2_watch_earn(Http2Watch *watch, int64_t now);

/* RST_STREAM for a stream that was opened at `opened` and has no response yet. */
bool http2_watch_reset(Http2Watch *watch, int64_t opened, int64_t now);

/* RST_STREAM for a stream that has ended. */
bool http2_watch_late_reset(Http2Watch *watch, int64_t now);

/* We reset a stream because of an error of the peer. */
/* A limit per second for so many seconds: at most what fits. */
static inline uint32_t http2_in_seconds(uint32_t per_second, uint32_t seconds)
{
    return per_second > UINT32_MAX / seconds ? UINT32_MAX : per_second * seconds;
}

static inline bool http2_watch_provoked(Http2Watch *watch, int64_t now)
{
    return http_bucket_take(&watch->resets, now);
}

/* WINDOW_UPDATE; `stream` 0: of the connection. */
bool http2_watch_window_update(Http2Watch *watch, uint32_t stream, uint32_t increment, int64_t now);

/* A DATA frame with `size` bytes was sent; `whole`: the stream has no more queued. */
void http2_watch_sent(Http2Watch *watch, size_t size, bool whole, int64_t now);

/* ---- Ends of streams ---- */

/* The client opened a stream. */
void http2_watch_opened(Http2Watch *watch, uint32_t stream);

/* The stream ended. `streams`: the limit of concurrent streams; as many RST_STREAM frames may
   arrive from a client that does not know yet that its streams ended. */
void http2_watch_closed(Http2Watch *watch, uint32_t stream, Http2End end, uint32_t streams);

/* How a stream ended whose id is not above `last`. HTTP2_ENDED_BY_US also for streams that are too
   old to be stored. */
Http2End http2_watch_end(const Http2Watch *watch, uint32_t stream);

#endif
