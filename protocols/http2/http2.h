/*
 * Http2: one HTTP/2 connection over nghttp2, server or client side. For this module and its tests
 * only; its constructors are in http.h.
 *
 * nghttp2 does framing, validation and flow control; this holds the streams, their bodies, and the
 * limits that nghttp2 does not have. Output is gathered from nghttp2 into `out` when the owner asks
 * for it or at the end of a feed, never within a callback of nghttp2: nghttp2_session_mem_send and
 * _mem_recv do not nest. nghttp2 allows everything else that owners do in an event.
 *
 *      stream.queue --(read_body: how much; send_frame: moves it)--> out --> socket
 *
 * A stream is freed when nghttp2 has closed it and its owner has released it. It is in the list
 * `live` until nghttp2 closes it, then in `ended` until it is released.
 */
#ifndef PROTOCOLS_HTTP2_H
#define PROTOCOLS_HTTP2_H

#include "protocols/http/http_engine.h"
#include "protocols/http/http_queue.h"
#include "protocols/http2/http2_watch.h"

#include <nghttp2/nghttp2.h>

typedef struct Http2 Http2;
typedef struct Http2Stream Http2Stream;

struct Http2Stream {
    HttpStream base;
    Http2Stream *newer, *older; /* in `live` or `ended` */
    Http2Stream *next_due;      /* in the list of streams with a due on_drain */
    HttpQueue queue;            /* of body not yet framed */
    HttpChunk *trailers;        /* sent after the queue; NULL: none; see Http2Trailers */
    HttpChunk *submitted;       /* names and values of HEADERS that nghttp2 has not framed yet */
    uint64_t began;             /* client side: put_in of the connection before the first frame */
    uint64_t
        answered;   /* server side: put_in after the head of the response; UINT64_MAX: not sent */
    int64_t opened; /* server side: when the head of the request began */
    size_t unconsumed;
    uint32_t interim; /* heads of interim responses that are not framed yet */
    int32_t id;
    bool closed;   /* nghttp2 has closed it */
    bool released; /* by its owner */
    bool silent;   /* no more events: the owner reset it, or it has had its last event */
    bool deferred; /* DATA is deferred until nghttp2_session_resume_data */
    bool head_request, head_sent, no_body;
    bool ended, end_sent; /* our side: ended by the owner; END_STREAM framed */
    bool head_received, remote_ended;
    bool reset_by_peer;
    bool resetting; /* RST_STREAM submitted but not framed */
    bool cut;       /* to be reset when the queue is empty, with cut_code */
    uint32_t cut_code;
    bool not_sent; /* the request was never framed */
    bool above_high, due;
    bool bounded; /* the request has a small Content-Length */
    bool lingers; /* the response is sent completely; the rest of the request may still come */
    bool pinged;  /* a PING was sent after the response; its ACK ends the lingering */
};

typedef struct Http2List {
    Http2Stream *newest;
} Http2List;

/* The header block that is being received; HTTP/2 allows one at a time (RFC 9113 section 4.3). */
typedef struct Http2Incoming {
    Arena *arena;
    HttpHead head;
    Http2Stream *stream; /* NULL: the block is ignored */
    Bytes host, expect;
    size_t size;
    uint32_t n, cookies;
    bool trailers;
    bool too_large;
    bool open; /* not complete yet */
} Http2Incoming;

struct Http2 {
    HttpConnection base;
    nghttp2_session *session;
    HttpQueue out;
    uint32_t blocks;       /* header blocks sent */
    uint64_t put_in, gone; /* total bytes queued in `out`, and sent to the socket */
    Http2Watch watch;
    Http2Incoming in;
    Http2List live, ended;
    Http2Stream *spare; /* linked by `older` */
    uint32_t n_spare;
    Http2Stream *due;   /* streams with a due on_drain */
    uint32_t open;      /* streams in `live` */
    uint32_t lingering; /* of them: waiting only for the end of the request */
    uint32_t resetting; /* of them: reset, but RST_STREAM not yet framed */
    int64_t now;
    HttpBucket resets, controls;
    uint32_t crossing;          /* ended streams that the peer may still reset */
    uint32_t out_unreturned[2]; /* DATA bytes sent and not returned by WINDOW_UPDATE: connection,
                                   streams */
    bool linger_ping;           /* a PING for lingering streams is not yet acknowledged */
    bool capacity_due;
    bool busy;                /* in _feed or _output */
    bool some_input, greeted; /* received: any byte; the peer's SETTINGS */
    bool flooded;
    bool draining;
    bool going;  /* no new streams: GOAWAY received, or the final one sent */
    bool failed; /* a GOAWAY with an error was sent */
    bool over;   /* the session is no longer used; only `out` is left */
    bool dead;
};

static inline Http2 *http2_of(HttpConnection *connection)
{
    return (Http2 *)connection;
}

/* http2.c */
Http2Stream *http2_stream_new(Http2 *http2);
void http2_stream_closed(Http2 *http2, Http2Stream *stream); /* by nghttp2 */
void http2_drop_unsent(Http2 *http2,
                       Http2Stream *stream); /* discards body and trailers not yet framed */
/* Tells the owner that there is output, outside of _feed and _output. */
void http2_wake(Http2 *http2);

/* Frames pending output into `out`, up to a limit. */
void http2_gather(Http2 *http2);

/* The PING after the shutdown notice: sends it after a GOAWAY was sent; recognizes its ACK by the
   payload. */
void http2_ping_behind_notice(Http2 *http2);
bool http2_is_drain_ping(const uint8_t *opaque);

/* The response is complete before the request has ended (RFC 9113 section 8.1). The rest of the
   request is still accepted for one round trip of a PING, or if it is short; then
   RST_STREAM(NO_ERROR) stops it. */
void http2_linger(Http2 *http2, Http2Stream *stream);
void http2_linger_answered(Http2 *http2, const uint8_t *opaque);

/* http2_receive.c: input. Returns an error of nghttp2 or 0. `code_out`: the HTTP/2 error code with
   which we close the connection, or 0. */
int http2_receive(Http2 *http2, Bytes input, uint32_t *code_out);
void http2_receive_callbacks(nghttp2_session_callbacks *callbacks);
/* Counts a reset that the peer provoked. False: too many. */
bool http2_afford_reset(Http2 *http2);
/* A DATA frame of `size` bytes was sent; `whole`: the queue is empty. Credits the bucket of control
   frames. */
void http2_note_data(Http2 *http2, size_t size, bool whole);

/* http2_send.c: output. */
void http2_send_callbacks(nghttp2_session_callbacks *callbacks, bool client);
HttpStream *http2_open(HttpConnection *connection, const HttpHead *head, bool end,
                       const HttpStreamEvents *events, void *owner);
void http2_send_head(HttpStream *stream, const HttpHead *head, bool end);
void http2_send_body(HttpStream *stream, Bytes piece);
void http2_send_end(HttpStream *stream, const Fields *trailers);
/* Sends a response that the engine makes by itself. `detail` is a literal. */
void http2_answer(Http2 *http2, Http2Stream *stream, unsigned status, const char *detail);
void http2_submit_reset(Http2 *http2, Http2Stream *stream, uint32_t code);

#endif
