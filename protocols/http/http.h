/*
 * HttpConnection and HttpStream: one shape for HTTP/1.1 and HTTP/2, client and server side.
 *
 * These are protocol engines without sockets or clocks: the owner of a connection feeds it the
 * bytes received and takes the bytes to send. A stream is one request and its response. Its owner
 * (a call of the gateway) is told of events through HttpStreamEvents and acts through the
 * http_stream_ functions. A connection and all its streams belong to one loop.
 *
 *      socket --feed--> [HttpConnection: HttpStream, HttpStream, ...] --output--> socket
 *                            events |   ^ send_head, send_body, send_end, consume, reset
 *                                   v   |
 *                               owner: a call
 *
 * Re-entrance: events are delivered only from within http_connection_feed, _eof, _timeout, _output
 * or _lost, never from within an http_stream_ function. An owner may call any http_stream_ function
 * from within an event, for any stream of any connection.
 *
 * Lifetime: a stream is valid until its owner calls http_stream_release, which it may do at any
 * time, also from within an event; no event follows. A message that was ended before the release is
 * still sent. A stream that is released before both sides ended is reset (CANCEL); on HTTP/1.1 the
 * connection is closed if it cannot be reused.
 */
#ifndef PROTOCOLS_HTTP_H
#define PROTOCOLS_HTTP_H

#include "base/fields.h"
#include "base/memory/budget.h"
#include "base/result.h"

#include <sys/uio.h>

typedef struct HttpConnection HttpConnection;
typedef struct HttpStream HttpStream;

/* Head of a request or a response. In an event, everything in it is valid during the event only. */
typedef struct HttpHead {
    Bytes method;    /* request: "GET" */
    Bytes scheme;    /* request: "http" or "https" */
    Bytes authority; /* request: from :authority or Host */
    Bytes path;      /* request: path and query, as sent */
    uint16_t status; /* response */
    uint8_t minor;   /* 0 or 1 for HTTP/1.x; 2 for HTTP/2 */
    bool upgrade;    /* HTTP/1.1 request to switch protocols (the name is in the field "upgrade") */
    int64_t content_length; /* -1: unknown */
    Fields fields; /* lower-case names; no pseudo-header fields and no connection-specific ones (RFC
                      9110 section 7.6.1) except "upgrade" as above and "te: trailers" on HTTP/2 */
} HttpHead;

/* Events of a stream. `owner` is the one given to http_stream_attach or http_stream_open. */
typedef struct HttpStreamEvents {
    /* The head is complete; on the client side, that of the final response, or 101. `end`: there is
       no body; on_end still follows. */
    void (*on_head)(void *owner, HttpStream *stream, const HttpHead *head, bool end);
    /* A piece of the body, valid during the event. Its size counts against the receive window until
       it is returned by http_stream_consume. */
    void (*on_body)(void *owner, HttpStream *stream, Bytes piece);
    /* The peer has ended its side. `trailers` is never NULL, may be empty, and is valid during the
       event. */
    void (*on_end)(void *owner, HttpStream *stream, const Fields *trailers);
    /* The send queue fell below its low watermark, after it was above the high one. */
    void (*on_drain)(void *owner, HttpStream *stream);
    /* The stream is closed in both directions: reset by the peer, connection lost, or protocol
       violation. The last event. Faults in `why`: CANCELLED (server side: the client reset the
       stream or left), UPSTREAM_REFUSED (client side: the request was certainly not processed and
       is safe to send again: REFUSED_STREAM, or above the last id of GOAWAY, without any of a
       response; or connection closed before any byte was written), UPSTREAM_RESET,
       PROTOCOL_VIOLATION, UPSTREAM_PROTOCOL, MESSAGE_TOO_LARGE and others. `why` is valid during
       the event. */
    void (*on_reset)(void *owner, HttpStream *stream, Result why);
    /* Client side: an interim response; any number may come before the head (RFC 9110 section
       15.2). NULL: they are ignored. */
    void (*on_interim)(void *owner, HttpStream *stream, const HttpHead *head);
    /* Server side, HTTP/1.1, before the head of the response: what follows of the request breaks
       the rules, or does not come in time. The owner may send its whole response from within the
       event; else the connection responds in its place, and on_reset follows. Either way the
       connection ends. NULL: the connection responds. */
    void (*on_refused)(void *owner, HttpStream *stream, Result why);
} HttpStreamEvents;

/* Limits of one connection; http_limits_default has safe defaults. Timeouts are up to the owner of
   the connection. */
typedef struct HttpLimits {
    uint32_t head_bytes;  /* of one head: names, values, 32 per field (RFC 9113 section 6.5.2) */
    uint32_t head_fields; /* fields of one head */
    uint32_t path_bytes;
    uint32_t streams;           /* concurrent streams that a client may open (HTTP/2) */
    uint32_t stream_window;     /* receive window per stream: bytes of body not yet consumed */
    uint32_t connection_window; /* the same per connection (HTTP/2) */
    uint32_t resets_per_second; /* rate and burst of a token bucket: RST_STREAM frames that a client
                                   sends early or provokes; above it, GOAWAY with ENHANCE_YOUR_CALM
                                   (rapid reset) */
    uint32_t control_frames; /* the same, per second, for PING, SETTINGS, empty frames, PRIORITY and
                                useless WINDOW_UPDATE; http2_watch.h has the cost of each */
    uint32_t queue_high, queue_low; /* high and low watermark of the send queue of one stream, in
                                       bytes: see on_drain */
    uint32_t requests;              /* on one HTTP/1.1 connection; 0: no limit */
} HttpLimits;

extern const HttpLimits http_limits_default;

/* Events of a connection. */
typedef struct HttpConnectionEvents {
    /* Server side: a new stream, and the head that its on_head is about to tell. The owner calls
       http_stream_attach; or it sends the whole response, and releases the stream, which then has
       no events. */
    void (*on_stream)(void *owner, HttpConnection *connection, HttpStream *stream,
                      const HttpHead *head);
    /* There is output, or the connection is to be closed, or, on the client side, its capacity has
       changed other than by http_connection_feed and http_connection_output; called at most once
       until http_connection_output. Must not call back into the connection: it puts the connection
       on the flush list of the loop. NULL: ignored. */
    void (*on_output)(void *owner, HttpConnection *connection);
    /* Server side: the connection refuses a request that gets no owner. It is about to respond with
       this status by itself; 0: it resets the request's stream, without a response. `head` is what
       could be read of it: its members may be empty. `why` is a phrase, valid during the event.
       Returns fields to add to the response, which stay valid until the event's cause returns to
       the owner. NULL: none. */
    Fields (*on_refusal)(void *owner, HttpConnection *connection, unsigned status,
                         const HttpHead *head, const char *why);
} HttpConnectionEvents;

/* The fault of a request that an engine refuses with this status; 0: by a reset. */
const Fault *http_refusal_fault(unsigned status);

/* What a connection waits for; its owner has a timeout for each. */
typedef enum HttpPhase {
    HTTP_IDLE,    /* no open stream and no byte of a head: keep-alive timeout */
    HTTP_HEAD,    /* part of a head (or of the preface) was received: head timeout */
    HTTP_BODY,    /* HTTP/1.1 server: waits for request body, and the receive window is open */
    HTTP_ACTIVE,  /* streams are open */
    HTTP_CLOSING, /* only output is left; then the owner closes the socket */
    HTTP_CLOSED,
} HttpPhase;

/* Server side: responses without a Date get this one (RFC 9110 section 6.6.1). `date` has
   DATE_HTTP_SIZE characters, is borrowed for as long as the connection, and is kept up to date by
   the owner, because engines have no clock. NULL, as at first: none. */
void http_connection_set_date(HttpConnection *connection, const char *date);

/* From now on the memory that the connection holds is charged to `account`, the client's, unless
   http_stream_charge says otherwise. Before that, and for connections to instances, it counts for
   the process only. */
void http_connection_charge(HttpConnection *connection, Account *account);

/* Processes received bytes. `now` is the owner's monotonic clock in nanoseconds; token buckets need
   it. On failure the connection has failed: its streams have had on_reset; the owner sends the
   remaining output (GOAWAY, a 400 response), then closes the socket. The Result is valid until the
   next call into the connection. */
MUST_USE Result http_connection_feed(HttpConnection *connection, Bytes input, int64_t now);

/* The peer has closed its sending side. Of a server's streams those whose request is incomplete get
   on_reset with CANCELLED; the others go on, for a client may send its request, close its side and
   read the response. Once only output is left the connection ends. A client that is gone altogether
   says the same: bytes are sent that mean nothing, to which its host responds with a reset of the
   socket, in HTTP/1.1 (not 1.0) and HTTP/2. On the client side all streams end. */
void http_connection_eof(HttpConnection *connection);

/* The socket is lost: all streams get on_reset with `why`; there is no more output. `why` may be
   OK: a closed connection. */
void http_connection_lost(HttpConnection *connection, Result why);

/* Fills up to `n` vectors with bytes to send and returns how many vectors. They are valid until the
   next call into the connection, and hold at most about 256 KiB, so that one connection does not
   block the loop. http_connection_sent says how many of these bytes were sent. */
int http_connection_output(HttpConnection *connection, struct iovec *vectors, int n);
void http_connection_sent(HttpConnection *connection, size_t bytes);

/* Graceful shutdown: no new streams (GOAWAY, or Connection: close). Open streams continue; when the
   last has ended the phase is HTTP_CLOSING. A server of HTTP/1.1 can say so in a response only: as
   long as it has not, the phase is HTTP_IDLE between two requests, and the next request is served.
   How long to wait for it is decided by the owner (RFC 9112 section 9.6). */
void http_connection_drain(HttpConnection *connection);

/* The same, without a wait for requests that are on their way, whether or not a drain has begun: a
   server of HTTP/2 sends its final GOAWAY, and does not wait for the peer to acknowledge the first
   one. What arrives for later streams is ignored; the client may send them again elsewhere. */
void http_connection_drain_now(HttpConnection *connection);

/* Server side, in HTTP_HEAD or HTTP_BODY: the timeout expired. HTTP/1.1 responds 408 unless a
   response has begun, the stream gets on_reset with REQUEST_TIMEOUT, and only output is left.
   False: there is no such response (HTTP/2); the owner closes the connection. */
bool http_connection_timeout(HttpConnection *connection);

/* Server side: whether the head of a request that is not complete takes more than its first small
   buffer. Then it is memory that a client holds without a call. */
bool http_connection_holds_head(const HttpConnection *connection);

/* Server side, while http_connection_holds_head: refuses the head with MEMORY_SHARE, as if memory
   for its next part was refused. Only output is left; the failure is returned. HTTP/1.1 responds
   429, and HTTP/2 ends with GOAWAY and ENHANCE_YOUR_CALM. */
MUST_USE Result http_connection_shed_head(HttpConnection *connection);

HttpPhase http_connection_phase(const HttpConnection *connection);

/* Back-pressure: false while the owner should not read from the socket, because the receive window
   is used up (HTTP/1.1), or too many frames wait for a client that does not read (HTTP/2). */
bool http_connection_wants_input(const HttpConnection *connection);

/* The number of open streams; and, client side, how many more may be opened now. */
uint32_t http_connection_streams(const HttpConnection *connection);
uint32_t http_connection_capacity(const HttpConnection *connection);

/* Server side, before http_connection_lost: whether some of a response is not sent that its owner
   has ended. `pending`: of the bytes of http_connection_sent, the last ones that did not go out. */
bool http_connection_owes(const HttpConnection *connection, size_t pending);

/* Client side: the largest head of a request that the peer takes, as http_connection_head_size
   counts it; HTTP/2 (SETTINGS_MAX_HEADER_LIST_SIZE). UINT32_MAX: it has not said. It is for the
   owner to obey it. */
uint32_t http_connection_head_most(const HttpConnection *connection);

/* Client side: the size of a request's head on this connection: fields_size, with pseudo-header
   fields. */
size_t http_connection_head_size(const HttpConnection *connection, const HttpHead *head);

/* True when no new streams are possible (GOAWAY, Connection: close, drain, failure). Open streams
   may continue. */
bool http_connection_going(const HttpConnection *connection);

/* HTTP/2: sends a PING, which a live peer acknowledges. Does nothing on HTTP/1.1. */
void http_connection_ping(HttpConnection *connection);

/* HTTP/2: true while a stream has queued body that the flow-control window of the peer does not
   admit. Without progress for long, such a peer only holds memory. Always false on HTTP/1.1, where
   the socket blocks instead. */
bool http_connection_held_up(const HttpConnection *connection);

/* HTTP/1.1, after 101: our side has ended and the peer's has not. When there is no output left, the
   owner shuts down the sending side of the socket and continues to read. */
bool http_connection_half_closed(const HttpConnection *connection);

/* Bytes of body received and sent so far: a measure of progress, for timeouts of slow peers. */
uint64_t http_connection_progress(const HttpConnection *connection);

/* Frees the connection; NULL is allowed. Call http_connection_lost first. Streams that are not
   released stay valid, without a connection. */
void http_connection_free(HttpConnection *connection);

/* Sets the owner of the stream. `events` must outlive the stream. */
void http_stream_attach(HttpStream *stream, const HttpStreamEvents *events, void *owner);

/* Client side: opens a stream and sends the head of the request (copied). NULL when there is no
   capacity, or when method, path or authority are malformed. Connection-specific fields are added
   as the version of HTTP requires. */
HttpStream *http_stream_open(HttpConnection *connection, const HttpHead *head, bool end,
                             const HttpStreamEvents *events, void *owner);

/* From now on the body that is queued on the stream is charged to `account` instead of the
   connection's, until the last of it is sent. HTTP/1.1, which has one queue: with what waits before
   it. NULL: to nobody. */
void http_stream_charge(HttpStream *stream, Account *account);

/* http_connection_charge of the stream's connection, if that is still there. */
void http_stream_charge_connection(HttpStream *stream, Account *account);

/* Server side: sends the head of the response (copied). Interim responses (1xx) may precede it.
   Status 101 turns an HTTP/1.1 connection into a tunnel: bodies are then raw bytes in both
   directions until each side ends. on_end of the request comes before; a second on_end is that of
   the tunnel. A status that HTTP cannot carry resets the stream. */
void http_stream_send_head(HttpStream *stream, const HttpHead *head, bool end);

/* Queues bytes of body (copied). */
void http_stream_send_body(HttpStream *stream, Bytes piece);

/* Ends our side. `trailers` (copied) may be NULL. On HTTP/1.1 a server sends them only to clients
   that sent "TE: trailers"; a client never does. */
void http_stream_send_end(HttpStream *stream, const Fields *trailers);

/* A whole response that many requests get: its fields are checked and encoded once. */
typedef struct HttpReady {
    HttpHead head;
    Bytes body;             /* may be empty */
    const Fields *trailers; /* NULL: none */
    Bytes block, last;      /* HTTP/2: the header blocks of both; data NULL: encoded each time */
} HttpReady;

/* All of it is borrowed, and lives at least as long as `arena`, which the blocks are in. A Date is
   to be among the fields, since what is encoded stays as it is. */
HttpReady http_ready_of(const HttpHead *head, Bytes body, const Fields *trailers, Arena *arena);

/* Server side, instead of http_stream_send_head, _body and _end. */
void http_stream_send_ready(HttpStream *stream, const HttpReady *ready);

/* Bytes of http_stream_send_body that are not sent yet. */
size_t http_stream_queued(const HttpStream *stream);

/* Returns `n` bytes of on_body to the receive window. */
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
   follows. The owner still releases the stream. What is queued is dropped. */
void http_stream_reset(HttpStream *stream, uint32_t http2_error);

/* Resets the stream after the queued bytes are sent: for a server that cannot complete a response.
   (A client that gets no byte of a response may assume that its request was not processed, and send
   it again.) */
void http_stream_cut(HttpStream *stream, uint32_t http2_error);

/* The owner is done with the stream: see Lifetime above. */
void http_stream_release(HttpStream *stream);

/* Constructors. `limits` is copied; `events` must outlive the connection. `secure`: the scheme is
   "https". Free with http_connection_free. HTTP/2 has output from the start (its SETTINGS) without
   on_output: call http_connection_output once. */
HttpConnection *http1_server_new(const HttpLimits *limits, bool secure,
                                 const HttpConnectionEvents *events, void *owner);
HttpConnection *http1_client_new(const HttpLimits *limits, bool secure,
                                 const HttpConnectionEvents *events, void *owner);
HttpConnection *http2_server_new(const HttpLimits *limits, bool secure,
                                 const HttpConnectionEvents *events, void *owner);
HttpConnection *http2_client_new(const HttpLimits *limits, bool secure,
                                 const HttpConnectionEvents *events, void *owner);

/* The reason phrase, "Bad Request"; "" for a status without one (RFC 9110 section 15). A
   literal. */
const char *http_status_phrase(unsigned status);

/* The connection preface of an HTTP/2 client, 24 bytes (RFC 9113 section 3.4). */
#define HTTP2_PREFACE "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"

#endif
