/*
 * Http2: one HTTP/2 connection over nghttp2, server or client side. For this module and its tests
 * only; its constructors are in http.h.
 *
 * nghttp2 frames, checks and counts windows; this keeps the streams of the owners, their bodies,
 * and the limits that nghttp2 has not. Output is gathered from nghttp2 into `out` when the owner
 * asks for it or at the end of a feed, never from within a callback of nghttp2:
 * nghttp2_session_mem_send and _mem_recv do not nest. Everything else that owners do in an event,
 * nghttp2 allows.
 *
 *      stream.queue --(read_body: how much; send_frame: moves it)--> out --> socket
 *
 * A stream is freed when nghttp2 has closed it and its owner has released it. Until the first it is
 * in the list `live`, between the two in the list `ended`.
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
    Http2Stream *next_due;      /* in the connection's list of drains to tell */
    HttpQueue queue;            /* of body that is not framed yet */
    HttpChunk *trailers;        /* those to send after the queue: see Http2Trailers */
    uint64_t began;             /* the connection's put_in before our first frame; client side */
    uint64_t answered;          /* the same behind the answer's head; server side */
    int64_t opened;             /* when the request's head began; server side */
    size_t unconsumed;
    int32_t id;
    bool closed;   /* nghttp2 knows it no more */
    bool released; /* nobody listens */
    bool silent;   /* its owner hears nothing more: it reset the stream, or has heard its end */
    bool deferred; /* nghttp2 waits for nghttp2_session_resume_data */
    bool head_request, head_sent, no_body;
    bool ended, end_sent; /* our side: as its owner said, and as framed */
    bool head_received, remote_ended;
    bool reset_by_peer;
    bool resetting; /* our RST_STREAM waits to be framed */
    bool not_sent;  /* the request never became a frame */
    bool above_high, due;
    bool bounded; /* the request said its length, and it is not much */
    bool lingers; /* all of the answer is out, and the rest of the request may come */
    bool pinged;  /* a PING went out behind the answer: when it is answered, the rest may not */
};

typedef struct Http2List {
    Http2Stream *newest;
} Http2List;

/* A header block that is coming in; HTTP/2 lets only one at a time (RFC 9113 section 4.3). */
typedef struct Http2Incoming {
    Arena *arena;
    HttpHead head;
    Http2Stream *stream; /* NULL: nobody wants this block */
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
    HttpChunkPool pool;
    uint64_t put_in, gone; /* bytes that went into `out`, and to the socket, so far */
    Http2Watch watch;
    Http2Incoming in;
    Http2List live, ended;
    Http2Stream *spare; /* linked by `older` */
    uint32_t n_spare;
    Http2Stream *due;   /* on_drain is to be told */
    uint32_t open;      /* how many are in `live` */
    uint32_t lingering; /* of them, those that only wait for the end of their request */
    uint32_t resetting; /* and those that the peer does not know to be over */
    int64_t now;
    HttpBucket resets, controls;
    uint32_t crossing; /* streams that ended, and that the peer may still reset */
    uint32_t
        out_unreturned[2]; /* bytes of DATA sent and not given back, by connection and by streams */
    bool linger_ping;      /* a PING is out for streams that linger */
    bool capacity_due;
    bool busy;                /* in _feed or _output */
    bool some_input, greeted; /* any byte, and the peer's SETTINGS, have come */
    bool flooded;
    bool draining;
    bool going;  /* no new streams: GOAWAY has come, or the last one was sent */
    bool failed; /* a GOAWAY with an error was sent */
    bool over;   /* the session is not used any more; only `out` is left */
    bool dead;
};

static inline Http2 *http2_of(HttpConnection *connection)
{
    return (Http2 *)connection;
}

/* http2.c */
Http2Stream *http2_stream_new(Http2 *http2);
void http2_stream_closed(Http2 *http2, Http2Stream *stream); /* nghttp2 has let go of it */
void http2_drop_unsent(Http2 *http2,
                       Http2Stream *stream); /* body and trailers that are not framed yet */
void http2_wake(Http2 *http2);
/* Frames what there is into `out`, up to a bound. */
void http2_gather(Http2 *http2);

/* The PING that stands behind a shutdown notice: after a GOAWAY was sent, and of one that is
 * answered. */
void http2_ping_behind_notice(Http2 *http2);
bool http2_is_drain_ping(const uint8_t *opaque);

/* The answer is out before the request has ended (RFC 9113 section 8.1). What is on its way may
   still come, for one round trip of a PING, or when it is short; then RST_STREAM(NO_ERROR) says
   that it is of no use. */
void http2_linger(Http2 *http2, Http2Stream *stream);
void http2_linger_answered(Http2 *http2, const uint8_t *opaque);

/* http2_receive.c: what comes in. Returns nghttp2's error or 0; in `code_out` the HTTP/2 error code
   when we end the connection for a reason of our own, else 0. */
int http2_receive(Http2 *http2, Bytes input, uint32_t *code_out);
void http2_receive_callbacks(nghttp2_session_callbacks *callbacks);
/* Counts a reset that the peer provoked. False: it is too many. */
bool http2_afford_reset(Http2 *http2);
/* A DATA frame of `size` bytes went out; `whole`: with all that there was to send. It pays for
 * control frames. */
void http2_note_data(Http2 *http2, size_t size, bool whole);

/* http2_send.c: what goes out. */
void http2_send_callbacks(nghttp2_session_callbacks *callbacks, bool client);
HttpStream *http2_open(HttpConnection *connection, const HttpHead *head, bool end,
                       const HttpStreamEvents *events, void *owner);
void http2_send_head(HttpStream *stream, const HttpHead *head, bool end);
void http2_send_body(HttpStream *stream, Bytes piece);
void http2_send_end(HttpStream *stream, const Fields *trailers);
/* An answer that the engine gives by itself. */
void http2_answer(Http2 *http2, Http2Stream *stream, unsigned status, const char *detail);
void http2_submit_reset(Http2 *http2, Http2Stream *stream, uint32_t code);

#endif
