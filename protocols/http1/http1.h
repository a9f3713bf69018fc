/*
 * Http1: one HTTP/1.1 connection, server or client side. For this module and its tests only; its
 * constructors are in http.h.
 *
 * Exchanges are sequential: a server reads the next request when the previous response is queued to
 * its end. So responses keep their order, and a pipelining client makes us hold at most one
 * response and a bounded amount of input. Input is parsed in place; only input that cannot be
 * processed yet is copied.
 *
 *      reading:  HEAD -> BODY -> WAIT -> HEAD ...        (WAIT: for the response to end)
 *                   \-> TUNNEL after 101                  NOTHING: the connection is ending
 *
 * An Http1Stream outlives its exchange, and even its connection, until its owner releases it.
 */
#ifndef PROTOCOLS_HTTP1_H
#define PROTOCOLS_HTTP1_H

#include "protocols/http/http_engine.h"
#include "protocols/http/http_queue.h"
#include "protocols/http1/http1_body.h"
#include "protocols/http1/http1_head.h"

typedef struct Http1 Http1;
typedef struct Http1Stream Http1Stream;

typedef enum Http1Reading {
    HTTP1_READ_HEAD,
    HTTP1_READ_BODY,
    HTTP1_READ_WAIT,
    HTTP1_READ_TUNNEL,
    HTTP1_READ_NOTHING,
} Http1Reading;

struct Http1Stream {
    HttpStream base;
    Http1Stream *newer, *older; /* in the list of streams that are not released */
    uint64_t left;              /* bytes of our body still to queue, with HTTP1_LENGTH */
    uint64_t began;             /* put_in of the connection before our head was written */
    size_t unconsumed;          /* bytes of on_body not yet returned by consume */
    Http1Framing framing;       /* of our body */
    bool over;                  /* no longer the current exchange of the connection */
    bool released;
    bool silent;         /* no more events: it was reset, or has had its last one */
    bool head_request;   /* HEAD: no body in the response */
    bool takes_trailers; /* the peer sent TE: trailers */
    bool old;            /* the peer uses HTTP/1.0 */
    bool wants_upgrade;
    bool head_sent, ended; /* our side */
    bool read_all;         /* the peer's side has ended */
    bool tunnel;           /* after 101; server side */
    bool above_high;
};

struct Http1 {
    HttpConnection base;
    HttpQueue out;
    MemoryTally *tally;    /* of `out`, while it is charged apart from the connection; else NULL */
    uint64_t put_in, gone; /* total bytes queued in `out`, and sent to the socket */
    uint64_t answered;     /* put_in at the end of the last body */
    Arena *arena;          /* of the current head and trailers */
    uint8_t *held;         /* unprocessed input: part of a head, or pipelined requests */
    uint32_t held_size, held_capacity;
    uint32_t seen; /* bytes of an incomplete head that were parsed */
    uint32_t requests;
    Http1Stream *stream;  /* of the current exchange; NULL: none */
    Http1Stream *streams; /* all streams that are not released */
    Http1Body body;
    Http1Reading reading;
    bool keep_alive;   /* the connection can be reused after this exchange */
    bool continue_due; /* 100 Continue is still to be sent */
    bool feeding;      /* within http1_feed */
    bool draining;
    uint32_t owed; /* unread bytes of pipelined requests that had arrived when the drain began, or
                      the input ended; these requests still get responses */
    bool ended;    /* server side: the client has closed its side, and unread is only `owed` */
    bool closing;  /* close when `out` is empty */
    bool dead;
};

static inline Http1 *http1_of(HttpConnection *connection)
{
    return (Http1 *)connection;
}

/* http1_write.c: our side of the exchange. */
void http1_send_head(HttpStream *stream, const HttpHead *head, bool end);
void http1_send_body(HttpStream *stream, Bytes piece);
void http1_send_end(HttpStream *stream, const Fields *trailers);
void http1_write_request(Http1Stream *stream, const HttpHead *head, bool end);

/* Writes a response that the engine makes by itself; the connection ends with it. `head` is what
   was read of the request. */
void http1_write_refusal(Http1 *http1, const Http1Refusal *why, const HttpHead *head);
void http1_write_continue(Http1 *http1);

/* Bytes before or within the response that mean nothing, if there are such. */
void http1_write_probe(Http1 *http1);

/* http1_receive.c: the peer's side. Processes as much input as possible; the rest is held until
   http1_read_held. On failure the exchange has already ended. */
MUST_USE Result http1_read(Http1 *http1, Bytes input);
MUST_USE Result http1_read_held(Http1 *http1);
/* Whether a request's head that is not complete has more than its first buffer. */
bool http1_holds_head(const HttpConnection *base);
/* Refuses it for want of memory: MEMORY_SHARE or MEMORY_FULL. */
MUST_USE Result http1_refuse_head(Http1 *http1, const Fault *fault);
/* Discards held input. */
void http1_forget_held(Http1 *http1);

/* Protocol violation or timeout: the stream's owner, or else the connection, responds with an error
   where possible; the exchange and the connection end. `head` is what was read of a request that
   has no stream yet; NULL: nothing. Returns the failure. */
MUST_USE Result http1_refuse(Http1 *http1, const Http1Refusal *why, const HttpHead *head);

/* The peer's side of the exchange has ended: on_end. */
void http1_tell_end(Http1 *http1, const Fields *trailers);

/* http1.c: the stream of a new exchange (never NULL); and the end of the exchange with on_reset. */
Http1Stream *http1_stream_new(Http1 *http1);
void http1_exchange_fail(Http1 *http1, Result why);

/* Called after either side ended. Finishes the exchange when both have. */
void http1_exchange_check(Http1 *http1);

/* Ends the connection after the queued output is sent. */
void http1_close_after_output(Http1 *http1);

#endif
