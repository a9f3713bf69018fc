/*
 * HttpConnection and HttpStream: one shape for HTTP/1.1 and HTTP/2, client and server side.
 *
 * These are protocol engines without sockets and clocks: whoever owns the connection feeds it the
 * bytes that came in and takes away the bytes that shall go out. A stream is one request and its
 * answer. Its owner (a call of the gateway) hears of it through HttpStreamEvents and speaks through
 * the http_stream_ functions. Everything of one connection belongs to one loop.
 *
 *      socket --feed--> [HttpConnection: HttpStream, HttpStream, ...] --output--> socket
 *                            events |   ^ send_head, send_body, send_end, consume, reset
 *                                   v   |
 *                               owner: a call
 *
 * Re-entrance: events are only ever delivered from within http_connection_feed, _eof, _output or
 * _lost, never from within a http_stream_ function. An owner may call any http_stream_ function
 * from within an event, for any stream of any connection.
 *
 * Lifetime: the stream is valid for its owner until the owner calls http_stream_release, which it
 * may do at any time, also from within an event; afterwards it hears nothing more. What it had sent
 * with an end still goes out; a stream released before both sides ended is reset (CANCEL), or on
 * HTTP/1.1 the connection closed when it cannot be used again.
 */
#ifndef PROTOCOLS_HTTP_H
#define PROTOCOLS_HTTP_H

#include "base/fields.h"
#include "base/result.h"

#include <sys/uio.h>

typedef struct HttpConnection HttpConnection;
typedef struct HttpStream HttpStream;

/* Head of a request or an answer. Everything in it is valid during the event only. */
typedef struct HttpHead {
    Bytes method;    /* request: "GET" */
    Bytes scheme;    /* request: "http" or "https" */
    Bytes authority; /* request: from :authority or Host */
    Bytes path;      /* request: path and query, as sent */
    uint16_t status; /* answer */
    uint8_t minor;   /* 0 or 1 for HTTP/1.x; 2 for HTTP/2 */
    bool
        upgrade; /* HTTP/1.1 request that asks for another protocol (its name in field "upgrade") */
    int64_t content_length; /* -1: not said */
    Fields fields; /* lower-case names; no pseudo-fields, no connection-specific ones (RFC 9110
                      section 7.6.1) except "upgrade" as above and "te: trailers" on HTTP/2 */
} HttpHead;

/* What the owner of a stream hears. `owner` is what was given to http_stream_attach. */
typedef struct HttpStreamEvents {
    /* The head is there; on the client side, the answer's final one, or 101.
       `end`: there is no body; on_end follows nonetheless, as always. */
    void (*on_head)(void *owner, HttpStream *stream, const HttpHead *head, bool end);
    /* A piece of the body, valid during the event. Its size is owed: give it back by consume. */
    void (*on_body)(void *owner, HttpStream *stream, Bytes piece);
    /* The peer has sent everything. `trailers` may have no fields; valid during the event. */
    void (*on_end)(void *owner, HttpStream *stream, const Fields *trailers);
    /* What is queued for the peer fell below the low-water mark (after it had been above). */
    void (*on_drain)(void *owner, HttpStream *stream);
    /* Dead in both directions: reset by the peer, connection lost, protocol broken. The last event.
       `why`'s fault tells: CANCELLED (peer reset or left; server side), UPSTREAM_REFUSED (client
       side: provably not processed: REFUSED_STREAM, above GOAWAY's last id, or connection closed
       before any byte was written: safe to send again), UPSTREAM_RESET, PROTOCOL_VIOLATION,
       UPSTREAM_PROTOCOL, MESSAGE_TOO_LARGE... */
    void (*on_reset)(void *owner, HttpStream *stream, Result why);
    /* Client side: an interim answer, of any number before the head (RFC 9110 section 15.2). NULL
     * skips them. */
    void (*on_interim)(void *owner, HttpStream *stream, const HttpHead *head);
} HttpStreamEvents;

/* Limits of one connection; all have safe defaults in http_limits_default. Times are kept by the
   connection's owner, not here. */
typedef struct HttpLimits {
    uint32_t head_bytes;  /* of one head, names, values and 32 for each (RFC 9113 section 6.5.2) */
    uint32_t head_fields; /* how many fields */
    uint32_t path_bytes;
    uint32_t streams;           /* concurrent streams a client may open (HTTP/2) */
    uint32_t stream_window;     /* bytes of body not yet consumed, per stream */
    uint32_t connection_window; /* per connection (HTTP/2) */
    uint32_t resets_per_second; /* RST_STREAMs (quick ones, or provoked) that a client may cause
                                   before it is sent away with ENHANCE_YOUR_CALM; a token bucket
                                   (rapid reset) */
    uint32_t control_frames; /* PING, SETTINGS, empty frames, PRIORITY, WINDOW_UPDATE without use,
                                per second, likewise; for what each costs see http2_receive.c */
    uint32_t queue_high, queue_low; /* bytes queued for sending on one stream: marks for on_drain */
    uint32_t requests;              /* on one HTTP/1.1 connection, 0: no limit */
} HttpLimits;

extern const HttpLimits http_limits_default;

/* What a connection needs from its owner. */
typedef struct HttpConnectionEvents {
    /* Server side: a new stream; called before its on_head. The owner attaches itself to it. */
    void (*on_stream)(void *owner, HttpConnection *connection, HttpStream *stream);
    /* There is something to put out, or its end: called at most once until output was taken. Must
       not call back into the connection; it puts the connection on the loop's flush list. */
    void (*on_output)(void *owner, HttpConnection *connection);
    /* Client side: how many new streams may be opened changed (settings, stream ended, GOAWAY). */
    void (*on_capacity)(void *owner, HttpConnection *connection);
} HttpConnectionEvents;

/* What a connection is waiting for; its owner keeps the time for each. */
typedef enum HttpPhase {
    HTTP_IDLE, /* no stream open, no byte of a head: keep-alive time */
    HTTP_HEAD, /* part of a head (or the preface) is there: head time */
    HTTP_BODY, /* HTTP/1.1 server: a request's body is awaited and is not held back by its reader */
    HTTP_ACTIVE,  /* streams are at work */
    HTTP_CLOSING, /* only output is left, then close the socket */
    HTTP_CLOSED,
} HttpPhase;

/* `now` is the owner's clock (nanoseconds), given so that buckets can refill. */
/* Reads what came in. On failure the connection is broken: streams have had on_reset, what is left
   to put out (GOAWAY, a 400) is in output, and then the socket is closed. */
MUST_USE Result http_connection_feed(HttpConnection *connection, Bytes input, int64_t now);

/* The peer has closed its sending side. */
void http_connection_eof(HttpConnection *connection);

/* The socket is lost: all streams hear on_reset with `why`, nothing more goes out. */
void http_connection_lost(HttpConnection *connection, Result why);

/* Fills up to `n` vectors with bytes to send, valid until the next call into the connection;
   returns how many. http_connection_sent says how many of these bytes went out. Together at most a
   bounded amount (about 256 KiB), so that one connection does not hold up the loop. */
int http_connection_output(HttpConnection *connection, struct iovec *vectors, int n);
void http_connection_sent(HttpConnection *connection, size_t bytes);

/* No more new streams: GOAWAY, or Connection: close. Streams at work go on; when the last has ended
   the phase is HTTP_CLOSING. */
void http_connection_drain(HttpConnection *connection);

/* What a server waits for in HTTP_HEAD or HTTP_BODY did not come in time: HTTP/1.1 answers 408 if
   nothing of an answer has gone before, and the stream hears REQUEST_TIMEOUT; then only output is
   left. False: nothing can be said (HTTP/2), the owner gives the connection up. */
bool http_connection_timeout(HttpConnection *connection);

HttpPhase http_connection_phase(const HttpConnection *connection);

/* False while nothing more should be read from the socket: so much is unconsumed (HTTP/1.1), or so
   many frames wait to be sent to a client that takes nothing (HTTP/2). */
bool http_connection_wants_input(const HttpConnection *connection);

/* Streams open now, and (client side) how many more may be opened now. */
uint32_t http_connection_streams(const HttpConnection *connection);
uint32_t http_connection_capacity(const HttpConnection *connection);

/* Takes no new streams any more (GOAWAY, Connection: close, drain, failure); those at work may go
 * on. */
bool http_connection_going(const HttpConnection *connection);

/* HTTP/2: sends a PING, so that a peer that is there gives a sign of life. Nothing on HTTP/1.1. */
void http_connection_ping(HttpConnection *connection);

/* HTTP/2: a stream has body queued that its peer's window does not admit. With no progress for
   long, the peer holds memory of ours and does nothing for it. False on HTTP/1.1, whose peers hold
   up the socket. */
bool http_connection_held_up(const HttpConnection *connection);

/* HTTP/1.1, after 101: our side has ended and the peer's has not. When there is no output left the
   owner ends the socket's sending side, and goes on reading. */
bool http_connection_half_closed(const HttpConnection *connection);

/* Bytes of body moved in and out so far: progress, for timeouts against slow peers. */
uint64_t http_connection_progress(const HttpConnection *connection);

/* Frees it. Streams must have ended or been released; call http_connection_lost first. */
void http_connection_free(HttpConnection *connection);

/* Makes the caller the owner of the stream. */
void http_stream_attach(HttpStream *stream, const HttpStreamEvents *events, void *owner);

/* Client side: a new stream; sends the request's head. NULL when there is no capacity, or the
   method, path or authority hold what would break the message. The connection-specific fields are
   added as the version of HTTP needs them. */
HttpStream *http_stream_open(HttpConnection *connection, const HttpHead *head, bool end,
                             const HttpStreamEvents *events, void *owner);

/* Server side: the answer's head (copied). Status 1xx may come before. Status 101 turns an HTTP/1.1
   connection into a tunnel: bodies are then raw bytes in both directions until each side ends. The
   server has heard on_end for the request before; a second one tells the tunnel's. */
void http_stream_send_head(HttpStream *stream, const HttpHead *head, bool end);

/* Queues body bytes (copied). All that is queued counts for http_stream_queued. */
void http_stream_send_body(HttpStream *stream, Bytes piece);

/* Ends our side. `trailers` may be NULL; on HTTP/1.1 they go out only where the peer said TE:
   trailers (server) or never (client). */
void http_stream_send_end(HttpStream *stream, const Fields *trailers);

/* Bytes accepted by send_body that have not been put out yet. */
size_t http_stream_queued(const HttpStream *stream);

/* Gives `n` bytes of on_body back to the peer's window. */
void http_stream_consume(HttpStream *stream, size_t n);

/* HTTP/2 error codes (RFC 9113 section 7), of RST_STREAM and GOAWAY. A peer may send others. */
typedef enum Http2Error {
    HTTP2_ERROR_NONE,
    HTTP2_ERROR_PROTOCOL,
    HTTP2_ERROR_INTERNAL,
    HTTP2_ERROR_FLOW_CONTROL,
    HTTP2_ERROR_SETTINGS_TIMEOUT,
    HTTP2_ERROR_STREAM_CLOSED,
    HTTP2_ERROR_FRAME_SIZE,
    HTTP2_ERROR_REFUSED_STREAM,
    HTTP2_ERROR_CANCEL,
    HTTP2_ERROR_COMPRESSION,
    HTTP2_ERROR_CONNECT,
    HTTP2_ERROR_ENHANCE_YOUR_CALM,
    HTTP2_ERROR_INADEQUATE_SECURITY,
    HTTP2_ERROR_HTTP_1_1_REQUIRED,
    HTTP2_ERROR_COUNT,
} Http2Error;

/* Resets the stream: RST_STREAM with an Http2Error; HTTP/1.1 closes the connection. No event
   follows. The owner still releases the stream. */
void http_stream_reset(HttpStream *stream, uint32_t http2_error);

void http_stream_release(HttpStream *stream);

/* Constructors. `secure` gives the scheme. `owner` and events as above. Heap; see _free. HTTP/2 has
   output from the start (its SETTINGS), of which on_output does not tell: take it once. */
HttpConnection *http1_server_new(const HttpLimits *limits, bool secure,
                                 const HttpConnectionEvents *events, void *owner);
HttpConnection *http1_client_new(const HttpLimits *limits, bool secure,
                                 const HttpConnectionEvents *events, void *owner);
HttpConnection *http2_server_new(const HttpLimits *limits, bool secure,
                                 const HttpConnectionEvents *events, void *owner);
HttpConnection *http2_client_new(const HttpLimits *limits, bool secure,
                                 const HttpConnectionEvents *events, void *owner);

/* The 24 bytes that an HTTP/2 client sends first (RFC 9113 section 3.4). */
#define HTTP2_PREFACE "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"

#endif
