/*
 * Http2Watch: what a peer costs, and how its latest streams ended.
 *
 * What comes for nothing is counted by token buckets; what is of use, in either direction, pays for
 * some of it.
 *
 *      frame             costs                                          earns
 *      HEADERS, DATA                                                    EARNED controls
 *      our DATA                                                         EARNED controls, or none
 *                                                                       when the peer's window cuts
 *                                                                       it small
 *      WINDOW_UPDATE     1 control, or nothing when it returns at
 *                        least PIECE bytes that were sent
 *      RST_STREAM        a reset or a part of one, or nothing when the
 *                        answer has begun; 1 control when the stream is
 *                        over, or nothing when the two may have crossed
 *      an error that     1 reset
 *      ends a stream
 *      HEADERS, DATA     1 control
 *      behind a reset
 *      DATA with nothing 1 control
 *      in it; all else
 *
 * How a stream ended is stored in a few bits. A frame after the client's own END_STREAM is a
 * connection error (RFC 9113 section 5.1); a frame that crossed our RST_STREAM is not; a frame
 * after the client's own RST_STREAM is an error of that stream only: grpc-java may send a message
 * after its deadline. Part of its connection. `now` is that of http_connection_feed.
 */
#ifndef PROTOCOLS_HTTP2_WATCH_H
#define PROTOCOLS_HTTP2_WATCH_H

#include "protocols/http/http_engine.h"

enum { HTTP2_WATCHED = 1024 /* streams whose end is stored */ };

typedef struct Http2Watch {
    HttpBucket resets, controls;
    uint32_t crossing;      /* ended streams that the peer may still reset */
    uint32_t unreturned[2]; /* DATA bytes sent and not returned by WINDOW_UPDATE: connection,
                               streams */
    uint32_t last;          /* highest stream id opened by the client */
    uint64_t opened[HTTP2_WATCHED / 64]; /* rings, by stream id / 2 */
    uint64_t finished[HTTP2_WATCHED / 64];
    uint64_t reset[HTTP2_WATCHED / 64];
} Http2Watch;

/* Who ended a stream. */
typedef enum Http2End {
    HTTP2_ENDED_BY_US,   /* frames in flight may still arrive */
    HTTP2_FINISHED,      /* by the client, with END_STREAM */
    HTTP2_RESET_BY_PEER, /* by the client, with RST_STREAM */
    HTTP2_SKIPPED,       /* closed because a later stream was opened first (section 5.1.1) */
} Http2End;

void http2_watch_init(Http2Watch *watch, const HttpLimits *limits);

/* ---- Costs: false when the peer cannot pay ---- */

static inline bool http2_watch_control(Http2Watch *watch, int64_t now)
{
    return http_bucket_take(&watch->controls, now);
}

void http2_watch_earn(Http2Watch *watch, int64_t now);

/* The peer resets a stream that was opened at that time and is not answered yet. */
bool http2_watch_reset(Http2Watch *watch, int64_t opened, int64_t now);

/* The peer resets a stream that has ended. */
bool http2_watch_late_reset(Http2Watch *watch, int64_t now);

/* A mistake of the peer's made us reset a stream. */
static inline bool http2_watch_provoked(Http2Watch *watch, int64_t now)
{
    return http_bucket_take(&watch->resets, now);
}

bool http2_watch_window_update(Http2Watch *watch, uint32_t stream, uint32_t increment, int64_t now);

/* A DATA frame was sent; `whole`: with all that its stream had. */
void http2_watch_sent(Http2Watch *watch, size_t size, bool whole, int64_t now);

/* ---- Ends of streams ---- */

/* The client opened a stream. */
void http2_watch_opened(Http2Watch *watch, uint32_t stream);

/* The stream ended. `streams`: how many may be open at once, and be reset by those who do not know
   yet that they ended. */
void http2_watch_closed(Http2Watch *watch, uint32_t stream, Http2End end, uint32_t streams);

/* How a stream ended that the client has opened, or skipped. HTTP2_ENDED_BY_US also for old ones,
   which are forgotten. */
Http2End http2_watch_end(const Http2Watch *watch, uint32_t stream);

#endif
