/*
 * Http2: one HTTP/2 connection, server or client side (RFC 9113). For this module and its tests
 * only; its constructors are in http.h.
 *
 *      input --http2_receive.c: frames--> http2_head.c: heads --> events
 *      heads and trailers ------------------------> out --> socket
 *      stream.queue --(http2_gather: DATA, by turns)--^
 *
 * Heads and control frames are written to `out` at once, because header compression depends on the
 * order in which heads are sent. Bodies wait in the queues of their streams until the flow-control
 * windows admit them; `out` is filled up to HTTP2_OUT_MOST. Streams with something to send are in
 * the list `ready` and take turns, one frame each; those that wait for the window of the connection
 * are in `stalled`.
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
    Http2Stream *before, *behind; /* neighbours in `turns` */
    Http2Turns *turns;            /* the list in which it waits to send; or NULL */
    Http2Stream *next_due;        /* in the list of streams with a due on_drain */
    HttpQueue queue;              /* body not yet framed */
    MemoryTally *tally;           /* of the queue, if it is charged apart from the connection; NULL:
                                     it never was */
    HttpChunk *trailers;          /* sent after the queue; NULL: none; see Http2Trailers */
    uint64_t mark;  /* bytes of the connection: client side, before the request; server side, up to
                       the end of the response's head; UINT64_MAX: not written yet */
    int64_t opened; /* server side: when HEADERS arrived, by Http2.now */
    int64_t length_left; /* bytes of body still to be received; -1: no Content-Length */
    FlowWindow in;
    uint32_t window;     /* the size of `in` */
    int32_t out;         /* the peer's window, bytes */
    uint32_t unconsumed; /* bytes given to the owner and not yet consumed */
    uint32_t id;
    uint32_t cut_code;
    bool closed : 1;
    bool released : 1; /* by its owner */
    bool silent : 1;   /* no more events: the owner has reset it, or it had its last event */
    bool head_request : 1, head_sent : 1, no_body : 1;
    bool ended : 1, end_sent : 1; /* our side: ended by the owner; END_STREAM written */
    bool head_received : 1, interim_received : 1, remote_ended : 1;
    bool reset_by_peer : 1;
    bool cut : 1; /* to be reset with cut_code when the queue is empty */
    bool above_high : 1, due : 1;
    bool bounded : 1; /* the request has a small Content-Length */
    bool lingers : 1; /* the response is complete; the rest of the request may still arrive */
    bool pinged : 1;  /* a PING was sent after the response; its ACK ends the wait */
};

typedef struct Http2List {
    Http2Stream *newest;
} Http2List;

/* A queue of streams that have something to send. */
struct Http2Turns {
    Http2Stream *first, *last;
};

/* The header block that is being received; there is one at a time (RFC 9113 section 4.3). */
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
    uint32_t seen;         /* which fields were read that may occur once; see http2_head.c */
    const char *malformed; /* why the message is malformed, a literal; or NULL */
    uint8_t *tail;         /* undecoded part of a block in several frames; NULL: one frame */
    size_t tail_size, tail_capacity;
    bool trailers;
    bool end; /* END_STREAM */
    bool too_large;
    bool open; /* END_HEADERS was not received yet */
} Http2Incoming;

/* Client side: the request that was written last, as long as nothing follows it in `out` and the
   socket has not read it. If its stream is reset now, the request is removed and never sent. */
typedef struct Http2Latest {
    Http2Stream *stream; /* NULL: none */
    HpackMark before;
    uint64_t end; /* http2_put_in after it */
} Http2Latest;

typedef enum Http2Reading {
    HTTP2_READS_PREFACE,
    HTTP2_READS_FRAME,   /* a frame header */
    HTTP2_READS_PAYLOAD, /* into `partial` */
    HTTP2_READS_PADDING_SIZE,
    HTTP2_READS_DATA,
    HTTP2_SKIPS, /* padding, and frames of unknown types */
} Http2Reading;

struct Http2 {
    HttpConnection base;

    Http2Reading reading;
    uint8_t n_head; /* bytes received of the preface or of a frame header */
    uint8_t head[FRAME_HEAD];
    Frame frame;          /* the one that is being read */
    uint32_t left;        /* bytes left of its payload; in DATA, of its content */
    uint32_t padding;     /* bytes of padding after the content */
    HttpChunk *partial;   /* the part received of a payload that is not complete */
    size_t held;          /* memory of an unfinished head that is counted: http2_hold_head */
    const Fault *refused; /* why such memory was refused; or NULL */
    HpackDecoder decoder;
    Http2Incoming in;
    FlowWindow in_window;
    int32_t in_initial; /* initial receive window of streams: our setting, once acknowledged */
    Http2Watch watch;
    uint32_t known; /* server side: the highest stream id before this input */

    HttpQueue out;
    HpackEncoder encoder;
    Http2Latest latest;
    uint64_t gone;      /* total bytes sent to the socket */
    uint64_t answered;  /* http2_put_in after the last END_STREAM */
    uint32_t waiting;   /* frames other than DATA written since `out` became full */
    uint32_t resetting; /* RST_STREAM frames written since `out` was last empty */
    int32_t out_window, out_initial;
    uint32_t most_streams; /* the peer's SETTINGS_MAX_CONCURRENT_STREAMS */
    uint32_t most_head;    /* the peer's SETTINGS_MAX_HEADER_LIST_SIZE */
    Http2Turns ready, stalled;

    StreamTable table;
    Http2List live, ended;
    Http2Stream *spare; /* free streams for reuse, linked by `older` */
    uint32_t n_spare;
    Http2Stream *pinned; /* its events are being delivered: it is not freed now; or NULL */
    Http2Stream *due;    /* streams with a due on_drain */
    uint32_t next_id;    /* client side */
    uint32_t open;       /* streams in `live` */
    uint32_t lingering;  /* those of them that only wait for the end of the request */
    int64_t now;
    char *farewell;           /* the error in a service's GOAWAY, with its debug data; or NULL */
    const char *reason;       /* of the connection error; a literal */
    bool linger_ping;         /* a PING for lingering streams is not yet acknowledged */
    bool busy;                /* within http2_feed or http2_output */
    bool some_input, greeted; /* received: any byte; the peer's first SETTINGS */
    bool acknowledged;        /* the peer has acknowledged our SETTINGS */
    bool draining;
    bool no_input;  /* server side: the client has closed its side; open streams go on */
    bool going;     /* no new streams: GOAWAY received, or the final one sent */
    bool last_told; /* server side: the final GOAWAY was sent, with watch.last */
    bool over;      /* input is ignored; only `out` is still sent */
    bool dead;      /* the socket is lost */
};

static inline Http2 *http2_of(HttpConnection *connection)
{
    return (Http2 *)connection;
}

/* Total bytes written to the connection, up to the end of `out`. */
static inline uint64_t http2_put_in(const Http2 *http2)
{
    return http2->gone + http2->out.size;
}

/* ---- http2.c ---- */

/* `id` is not in use. */
Http2Stream *http2_stream_new(Http2 *http2, uint32_t id);
/* Both sides have ended, or it was reset. Frees the stream if its owner has released it, unless it
   is pinned. */
void http2_stream_close(Http2 *http2, Http2Stream *stream);
/* A pinned stream stays valid, even if its owner releases it within an event. One at a time. */
void http2_pin(Http2 *http2, Http2Stream *stream);
void http2_unpin(Http2 *http2);
/* Discards body and trailers not yet framed. */
void http2_drop_unsent(Http2Stream *stream);
/* Calls on_output, except within http2_feed and http2_output. */
void http2_wake(Http2 *http2);
/* To be called before a frame other than DATA is written: counts it for http2_is_swamped. */
void http2_before_frame(Http2 *http2);
/* Writes RST_STREAM and closes the stream, without an event. */
void http2_stream_reset(Http2 *http2, Http2Stream *stream, uint32_t code);
/* END_STREAM was written. */
void http2_stream_end_sent(Http2 *http2, Http2Stream *stream);
/* Return `n` consumed bytes to the receive window of the connection, and of a stream. */
void http2_consume_connection(Http2 *http2, uint32_t n);
void http2_consume_stream(Http2 *http2, Http2Stream *stream, uint32_t n);
/* What the peer may send on a new stream. */
uint32_t http2_first_window(const Http2 *http2);
/* So many acknowledgements wait to be sent that the peer does not seem to read. */
bool http2_is_swamped(const Http2 *http2);
/* PING with ACK was received. */
void http2_ping_answered(Http2 *http2, const uint8_t *opaque);

/* ---- http2_turns: in http2_send.c ---- */

void http2_turns_add(Http2Turns *turns, Http2Stream *stream);
void http2_turns_remove(Http2Stream *stream);
/* Moves all streams of `from` to the front of `into`. */
void http2_turns_return(Http2Turns *into, Http2Turns *from);

/* ---- http2_receive.c: input ---- */

/* Returns the HTTP/2 error code with which we close the connection, or 0. */
uint32_t http2_receive(Http2 *http2, Bytes input);
/* A connection error. Returns `code`. `reason` is a literal. */
uint32_t http2_broken(Http2 *http2, uint32_t code, const char *reason);
/* A stream error of the peer: resets the stream and tells its owner. Returns the code of a
   connection error when there were too many, or 0. */
uint32_t http2_provoked(Http2 *http2, Http2Stream *stream, uint32_t code, const char *reason);
/* Closes the stream and tells its owner that it ended with this code. */
void http2_stream_failed(Http2 *http2, Http2Stream *stream, uint32_t code, const char *reason);
/* The peer has ended its side. `trailers` NULL: none. Returns as http2_provoked. */
uint32_t http2_remote_end(Http2 *http2, Http2Stream *stream, const Fields *trailers);

/* ---- http2_head.c: received heads and trailers ---- */

/* A header block begins. `stream` NULL: it is decoded and ignored. */
void http2_block_begin(Http2 *http2, Http2Stream *stream, uint32_t id, bool end);
/* A fragment of it; `last`: with END_HEADERS. Returns the code of a connection error, or 0. */
uint32_t http2_block_piece(Http2 *http2, Bytes piece, bool last);
/* Counts what a head that is not complete holds now: its decoded fields, the rest of its block, and
   a frame of which only a part came. More than a small head needs is asked for. Returns the code of
   a connection error, or 0. */
uint32_t http2_hold_head(Http2 *http2);
bool http2_holds_head(const HttpConnection *base);
/* The connection error of a head that there is no memory for: MEMORY_SHARE or MEMORY_FULL. */
uint32_t http2_refuse_head(Http2 *http2, const Fault *fault);
/* Frees the memory of the block. */
void http2_block_drop(Http2 *http2);

/* ---- http2_send.c: output ---- */

/* Writes queued bodies and trailers to `out`, as far as windows and HTTP2_OUT_MOST allow. */
void http2_gather(Http2 *http2);
/* The stream has something to send, or its window has grown. */
void http2_resume(Http2 *http2, Http2Stream *stream);
HttpStream *http2_open(HttpConnection *connection, const HttpHead *head, bool end,
                       const HttpStreamEvents *events, void *owner);
void http2_send_head(HttpStream *stream, const HttpHead *head, bool end);
void http2_send_body(HttpStream *stream, Bytes piece);
void http2_send_end(HttpStream *stream, const Fields *trailers);
/* False, and nothing is sent: it is not encoded. */
bool http2_send_ready(HttpStream *stream, const HttpReady *ready);
/* Removes the stream's request from `out`. False: it was sent already, or more was written after
   it. */
bool http2_take_back(Http2 *http2, Http2Stream *stream);
/* Sends a response that the engine makes by itself: an error. `detail` is a literal. */
void http2_answer(Http2 *http2, Http2Stream *stream, unsigned status, const char *detail);

enum { HTTP2_OUT_MOST = 256 * 1024 /* bytes framed ahead of the socket */ };

#endif
