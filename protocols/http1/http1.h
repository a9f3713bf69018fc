/*
 * Http1: one HTTP/1.1 connection, server or client side. For this module and its tests only; its
 * constructors are in http.h.
 *
 * Exchanges follow one another: a server reads the next request when the answer to the one before
 * is queued to its end, so answers keep their order and a pipelining client can make us hold one
 * request's answer and a bounded piece of input, no more. Input is parsed where it was read; only
 * what cannot be used yet is held.
 *
 *      reading:  HEAD -> BODY -> WAIT -> HEAD ...        (WAIT: for the answer to end)
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
    Http1Stream *newer, *older; /* in the connection's list of streams that are not released */
    uint64_t left;              /* of our body with a length */
    uint64_t began;             /* the connection's put_in when our head was written */
    size_t unconsumed;          /* bytes of on_body that were not given back */
    Http1Framing framing;       /* of our body */
    bool over;                  /* no longer the connection's exchange */
    bool released;
    bool silent;         /* hears nothing more: it was reset, or has heard its last event */
    bool head_request;   /* HEAD: no body in the answer */
    bool takes_trailers; /* the peer said TE: trailers */
    bool old;            /* the peer speaks HTTP/1.0 */
    bool wants_upgrade;
    bool head_sent, ended; /* our side */
    bool read_all;         /* the peer's side has ended */
    bool above_high;
};

struct Http1 {
    HttpConnection base;
    HttpQueue out;
    HttpChunkPool pool;
    uint64_t put_in, gone; /* bytes that went into `out`, and to the socket, so far */
    Arena *arena;          /* of the head and the trailers in hand */
    uint8_t *held;         /* input that waits: a part of a head, or requests in a row */
    size_t held_size, held_capacity;
    size_t seen;          /* how much of an incomplete head was looked at */
    Http1Stream *stream;  /* the exchange, or NULL between two */
    Http1Stream *streams; /* all that are not released */
    Http1Stream *spare;
    Http1Body body;
    Http1Reading reading;
    uint32_t requests;
    bool keep_alive;   /* after this exchange the connection can be used again */
    bool continue_due; /* 100 Continue is still to be said */
    bool capacity_due; /* on_capacity is still to be called */
    bool draining;
    bool closing; /* when `out` is empty, close */
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

/* An answer that the engine gives by itself; the connection ends with it. */
void http1_write_refusal(Http1 *http1, const Http1Refusal *why);
void http1_write_continue(Http1 *http1);

/* http1_receive.c: the peer's side. Reads as far as can be; the rest is kept until http1_read_held.
   A failure has ended the exchange already. */
MUST_USE Result http1_read(Http1 *http1, Bytes input);
MUST_USE Result http1_read_held(Http1 *http1);
void http1_forget_held(Http1 *http1);

/* The peer broke the rules, or is late: says so where that can be said, and ends the exchange and
 * the connection. */
MUST_USE Result http1_refuse(Http1 *http1, const Http1Refusal *why);

/* The peer's side of the exchange has ended. */
void http1_tell_end(Http1 *http1, const Fields *trailers);

/* http1.c: an exchange's stream; the exchange's last event, when something was lost. */
Http1Stream *http1_stream_new(Http1 *http1);
void http1_exchange_fail(Http1 *http1, Result why);

/* After either side ended. Puts the exchange away when both have. */
void http1_exchange_check(Http1 *http1);

/* Lets the connection end when what is queued has gone out. */
void http1_close_after_output(Http1 *http1);

#endif
