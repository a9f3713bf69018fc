/*
 * Http2: one HTTP/2 connection, server or client side (RFC 9113). For this module and its tests
 * only; its constructors are in http.h.
 *
 *      input --http2_receive.c: frames--> http2_head.c: heads --> events
 *      heads and trailers ------------------------> out --> socket
 *      stream.queue --(http2_gather: DATA, by turns)--^
 *
 * Heads and control frames are written to `out` at once: the state of header compression follows
 * the order of the wire. Bodies wait in their streams' queues, because the peer's windows and other
 * streams have a say in them; `out` gets as much as is worth a write. Streams with something to
 * send stand in `ready` and take turns, a frame each; those that the window of the connection stops
 * stand in `stalled`.
 *
 * A stream is freed when it is closed and its owner has released it. It is in the list `live` and
 * in the table of streams until it is closed, then in `ended` until it is released.
 */
#ifndef PROTOCOLS_HTTP2_H
#define PROTOCOLS_HTTP2_H

#include "protocols/http/http_engine.h"
#include "protocols/http/http_queue.h"
#include "protocols/http2/flow_window.h"
#include "protocols/http2/frame.h"
#include "protocols/http2/hpack_decoder.h"
#include "protocols/http2/hpack_encoder.h"
#include "protocols/http2/http2_watch.h"
#include "protocols/http2/stream_table.h"

typedef struct Http2 Http2;
typedef struct Http2Turns Http2Turns;

struct Http2Stream {
    HttpStream base;
    Http2Stream *next;            /* in the table of streams */
    Http2Stream *newer, *older;   /* in `live` or `ended` */
    Http2Stream *before, *behind; /* in `turns` */
    Http2Turns *turns;            /* where it waits to send; or NULL */
    Http2Stream *next_due;        /* in the list of streams with a due on_drain */
    HttpQueue queue;              /* of body not yet framed */
    HttpChunk *trailers;          /* sent after the queue; NULL: none; see Http2Trailers */
    uint64_t mark;  /* client side: bytes of the connection before the request; server side: those
                       with the head of the response; UINT64_MAX: not sent yet */
    int64_t opened; /* server side: when the head of the request began */
    int64_t length_left; /* of a body whose length was declared; else -1 */
    FlowWindow in;
    int32_t out;         /* what the peer's window admits */
    uint32_t unconsumed; /* given to the owner, and not consumed */
    uint32_t id;
    uint32_t cut_code;
    bool closed : 1;
    bool released : 1; /* by its owner */
    bool silent : 1;   /* no more events: the owner reset it, or it has had its last event */
    bool head_request : 1, head_sent : 1, no_body : 1;
    bool ended : 1, end_sent : 1; /* our side: ended by the owner; END_STREAM framed */
    bool head_received : 1, remote_ended : 1;
    bool reset_by_peer : 1;
    bool cut : 1; /* to be reset when the queue is empty, with cut_code */
    bool above_high : 1, due : 1;
    bool bounded : 1; /* the request has a small Content-Length */
    bool lingers : 1; /* the response is sent completely; the rest of the request may still come */
    bool pinged : 1;  /* a PING was sent after the response; its ACK ends the lingering */
};

typedef struct Http2List {
    Http2Stream *newest;
} Http2List;

/* Streams that take turns, first come first served. */
struct Http2Turns {
    Http2Stream *first, *last;
};

/* The header block that is being received; HTTP/2 allows one at a time (RFC 9113 section 4.3). */
typedef struct Http2Incoming {
    Arena *arena;
    HpackBlock block;
    HttpHead head;
    Http2Stream *stream; /* NULL: the block is ignored */
    Bytes host, expect;
    size_t size;
    uint32_t id;
    uint32_t n, cookies;
    uint32_t pieces;       /* CONTINUATION frames */
    uint32_t seen;         /* of the fields that may be there once; see http2_head.c */
    const char *malformed; /* why; a literal; or NULL */
    uint8_t *tail;         /* what is left of a block in pieces; NULL: there is one piece */
    size_t tail_size, tail_capacity;
    bool trailers;
    bool end; /* END_STREAM */
    bool too_large;
    bool open; /* not complete yet */
} Http2Incoming;

/* Client side: the request that was written last, as long as nothing stands behind it and nobody
   has seen it. When its call is broken off, the service need not hear of it. */
typedef struct Http2Latest {
    Http2Stream *stream; /* NULL: none */
    HpackMark before;
    uint64_t end; /* http2_put_in behind it */
} Http2Latest;

typedef enum Http2Reading {
    HTTP2_READS_PREFACE,
    HTTP2_READS_FRAME,   /* the head of one */
    HTTP2_READS_PAYLOAD, /* into `partial` */
    HTTP2_READS_PADDING_SIZE,
    HTTP2_READS_DATA,
    HTTP2_SKIPS, /* padding, and frames that nobody knows */
} Http2Reading;

struct Http2 {
    HttpConnection base;

    Http2Reading reading;
    uint8_t n_head; /* bytes of the preface or of a frame's head */
    uint8_t head[FRAME_HEAD];
    Frame frame;        /* that is being read */
    uint32_t left;      /* bytes of its payload; of its content, in DATA */
    uint32_t padding;   /* behind the content */
    HttpChunk *partial; /* the payload of a frame that comes in pieces */
    HpackDecoder decoder;
    Http2Incoming in;
    FlowWindow in_window;
    int32_t in_initial; /* of streams: what the peer takes our setting for */
    Http2Watch watch;
    uint32_t known; /* server side: the latest stream before this input */

    HttpQueue out;
    HpackEncoder encoder;
    Http2Latest latest;
    uint64_t gone;      /* bytes that were sent to the socket */
    uint32_t waiting;   /* frames that were written while `out` was full */
    uint32_t resetting; /* of them: RST_STREAM frames since `out` was last empty */
    int32_t out_window, out_initial;
    uint32_t most_streams; /* that the peer allows */
    Http2Turns ready, stalled;

    StreamTable table;
    Http2List live, ended;
    Http2Stream *spare; /* linked by `older` */
    uint32_t n_spare;
    Http2Stream *pinned; /* whose events are being delivered: it is not freed meanwhile */
    Http2Stream *due;    /* streams with a due on_drain */
    uint32_t next_id;    /* client side */
    uint32_t open;       /* streams in `live` */
    uint32_t lingering;  /* of them: waiting only for the end of the request */
    int64_t now;
    const char *reason; /* why the connection is broken off; a literal */
    bool linger_ping;   /* a PING for lingering streams is not yet acknowledged */
    bool capacity_due;
    bool busy;                /* in _feed or _output */
    bool some_input, greeted; /* received: any byte; the peer's SETTINGS */
    bool acknowledged;        /* our SETTINGS were */
    bool draining;
    bool going;     /* no new streams: GOAWAY received, or the final one sent */
    bool last_told; /* the final one was sent: no streams above the watch's last one */
    bool over;      /* nothing is read any more; only `out` is left */
    bool dead;
};

static inline Http2 *http2_of(HttpConnection *connection)
{
    return (Http2 *)connection;
}

/* Bytes of the connection up to the end of `out`. */
static inline uint64_t http2_put_in(const Http2 *http2)
{
    return http2->gone + http2->out.size;
}

/* ---- http2.c ---- */

/* `id` is not in use. */
Http2Stream *http2_stream_new(Http2 *http2, uint32_t id);
/* The stream is over. It may be freed, unless it is pinned. */
void http2_stream_close(Http2 *http2, Http2Stream *stream);
/* While a stream is pinned its owner may release it, and it can still be looked at. */
void http2_pin(Http2 *http2, Http2Stream *stream);
void http2_unpin(Http2 *http2);
/* Discards body and trailers not yet framed. */
void http2_drop_unsent(Http2Stream *stream);
/* Tells the owner that there is output, outside of _feed and _output. */
void http2_wake(Http2 *http2);
/* To be called before a frame other than DATA is written. */
void http2_before_frame(Http2 *http2);
/* Writes RST_STREAM and closes the stream, without an event. */
void http2_stream_reset(Http2 *http2, Http2Stream *stream, uint32_t code);
/* END_STREAM was written. */
void http2_stream_end_sent(Http2 *http2, Http2Stream *stream);
/* Returns bytes to the window of the connection; and to that of a stream. */
void http2_consume_connection(Http2 *http2, uint32_t n);
void http2_consume_stream(Http2 *http2, Http2Stream *stream, uint32_t n);
/* More acknowledgements wait than a peer that reads would leave. */
bool http2_is_swamped(const Http2 *http2);
/* The peer has answered a PING of ours. */
void http2_ping_answered(Http2 *http2, const uint8_t *opaque);

/* ---- http2_turns: in http2_send.c ---- */

void http2_turns_add(Http2Turns *turns, Http2Stream *stream);
void http2_turns_remove(Http2Stream *stream);
/* Everything of `from` goes before what is in `into`. */
void http2_turns_return(Http2Turns *into, Http2Turns *from);

/* ---- http2_receive.c: input ---- */

/* Returns the HTTP/2 error code with which we close the connection, or 0. */
uint32_t http2_receive(Http2 *http2, Bytes input);
/* An error of the connection. */
uint32_t http2_broken(Http2 *http2, uint32_t code, const char *reason);
/* An error of the stream, by the peer: resets it and tells its owner. Returns an error of the
   connection when there are too many, or 0. */
uint32_t http2_provoked(Http2 *http2, Http2Stream *stream, uint32_t code);
/* Closes the stream and tells its owner that it ended with this code. */
void http2_stream_failed(Http2 *http2, Http2Stream *stream, uint32_t code);
/* The peer has ended its side. `trailers` NULL: none. */
uint32_t http2_remote_end(Http2 *http2, Http2Stream *stream, const Fields *trailers);

/* ---- http2_head.c: heads that are received ---- */

/* A block begins; `stream` NULL: it is ignored. */
void http2_block_begin(Http2 *http2, Http2Stream *stream, uint32_t id, bool end);
/* A piece of it; `last`: with END_HEADERS. Returns an error of the connection, or 0. */
uint32_t http2_block_piece(Http2 *http2, Bytes piece, bool last);
void http2_block_drop(Http2 *http2);

/* ---- http2_send.c: output ---- */

/* Frames pending output into `out`, up to a limit. */
void http2_gather(Http2 *http2);
/* The stream has something to send, or its window was opened. */
void http2_resume(Http2 *http2, Http2Stream *stream);
HttpStream *http2_open(HttpConnection *connection, const HttpHead *head, bool end,
                       const HttpStreamEvents *events, void *owner);
void http2_send_head(HttpStream *stream, const HttpHead *head, bool end);
void http2_send_body(HttpStream *stream, Bytes piece);
void http2_send_end(HttpStream *stream, const Fields *trailers);
/* The stream's request was written last, and is taken back. False: it was seen, or more stands
   behind it. */
bool http2_take_back(Http2 *http2, Http2Stream *stream);
/* Sends a response that the engine makes by itself. `detail` is a literal. */
void http2_answer(Http2 *http2, Http2Stream *stream, unsigned status, const char *detail);

enum { HTTP2_OUT_MOST = 256 * 1024 /* bytes framed ahead of the socket */ };

#endif
