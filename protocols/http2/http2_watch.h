/*
 * Http2Watch: looks at the head of each frame before nghttp2 does.
 *
 * nghttp2 forgets a stream when it closes, so that memory stays small, and drops frames that it
 * cannot place in silence. The watch remembers of the latest streams how they ended, in a few bits
 * each: what a client sends behind its own end is a violation (RFC 9113 section 5.1); what was on
 * its way when we reset the stream is not; and what it sends behind its own reset concerns that
 * stream alone: grpc-java's message may be late for its deadline. It also counts frames that cost
 * work and are of no use. Part of its connection.
 */
#ifndef PROTOCOLS_HTTP2_WATCH_H
#define PROTOCOLS_HTTP2_WATCH_H

#include "base/bytes.h"

enum {
    HTTP2_WATCHED = 1024, /* of how many streams the end is remembered */
    HTTP2_FRAME_HEAD = 9, /* bytes */
};

typedef struct Http2FrameHead {
    uint32_t size;
    uint8_t type, flags;
    uint32_t stream;
    uint32_t increment; /* of a WINDOW_UPDATE; 0 in all others, and in malformed ones */
} Http2FrameHead;

typedef struct Http2Watch {
    uint8_t head[HTTP2_FRAME_HEAD + 4];  /* and a WINDOW_UPDATE's payload */
    uint32_t n;                          /* bytes of `head` that are there */
    uint32_t skip;                       /* of the preface or a payload, before the next head */
    uint32_t last;                       /* the highest stream that the client opened */
    uint64_t opened[HTTP2_WATCHED / 64]; /* rings, by stream id / 2 */
    uint64_t finished[HTTP2_WATCHED / 64];
    uint64_t reset[HTTP2_WATCHED / 64];
} Http2Watch;

/* Who ended a stream. */
typedef enum Http2End {
    HTTP2_ENDED_BY_US,   /* what is on its way may still come */
    HTTP2_FINISHED,      /* by the client, with END_STREAM */
    HTTP2_RESET_BY_PEER, /* by the client, with RST_STREAM */
    HTTP2_SKIPPED,       /* a later one was opened first, which closed it (section 5.1.1) */
} Http2End;

void http2_watch_init(Http2Watch *watch, bool client);

/* Walks on in `input` from *at; true when a frame's head is complete, and *at is behind it (behind
   the payload of a WINDOW_UPDATE). */
bool http2_watch_next(Http2Watch *watch, Bytes input, size_t *at, Http2FrameHead *head_out);

/* The client opens a stream. */
void http2_watch_opened(Http2Watch *watch, uint32_t stream);

/* It has ended. */
void http2_watch_closed(Http2Watch *watch, uint32_t stream, Http2End end);

/* How a stream ended that is not open, and on which a HEADERS or DATA frame comes. What is new
   nghttp2 judges, and what is old is forgotten: both are as if we had ended it. */
Http2End http2_watch_end(const Http2Watch *watch, uint32_t stream);

#endif
