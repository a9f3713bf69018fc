/*
 * Http2Watch: reads the head of each frame before nghttp2 does.
 *
 * nghttp2 forgets a stream when it closes and silently drops frames of unknown streams. The watch
 * stores how the latest streams ended, in a few bits each. A frame after the client's own
 * END_STREAM is a connection error (RFC 9113 section 5.1); a frame that crossed our RST_STREAM is
 * not; a frame after the client's own RST_STREAM is an error of that stream only: grpc-java may
 * send a message after its deadline. Part of its connection.
 */
#ifndef PROTOCOLS_HTTP2_WATCH_H
#define PROTOCOLS_HTTP2_WATCH_H

#include "base/bytes.h"

enum {
    HTTP2_WATCHED = 1024, /* streams whose end is stored */
    HTTP2_FRAME_HEAD = 9, /* bytes */
};

typedef struct Http2FrameHead {
    uint32_t size;
    uint8_t type, flags;
    uint32_t stream;
    uint32_t increment; /* of a WINDOW_UPDATE; 0 in other frames and in malformed ones */
} Http2FrameHead;

typedef struct Http2Watch {
    uint8_t head[HTTP2_FRAME_HEAD + 4];  /* with the payload of a WINDOW_UPDATE */
    uint32_t n;                          /* bytes in `head` */
    uint32_t skip;                       /* bytes of preface or payload before the next head */
    uint32_t last;                       /* highest stream id opened by the client */
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

void http2_watch_init(Http2Watch *watch, bool client);

/* Continues in `input` at *at. True when the head of a frame is complete; *at is then after it
   (after the payload of a WINDOW_UPDATE). False when the input is used up. */
bool http2_watch_next(Http2Watch *watch, Bytes input, size_t *at, Http2FrameHead *head_out);

/* The client opened a stream. */
void http2_watch_opened(Http2Watch *watch, uint32_t stream);

/* The stream ended. */
void http2_watch_closed(Http2Watch *watch, uint32_t stream, Http2End end);

/* How a stream ended that is not open and gets a HEADERS or DATA frame. HTTP2_ENDED_BY_US also for
   streams not yet opened, which nghttp2 checks, and for old ones, which are forgotten. */
Http2End http2_watch_end(const Http2Watch *watch, uint32_t stream);

#endif
