/*
 * HttpEngine: the interface that an HTTP engine (http1/, http2/) implements, and what all engines
 * share: the first members of each connection and stream, token buckets, and the bodies of
 * responses that an engine writes by itself.
 *
 * http.c calls the engine of a connection through the table `HttpEngine`. An engine embeds
 * HttpConnection and HttpStream as the first member of its own types and converts pointers between
 * them. Only engines, http.c and their tests include this; users of a connection see http.h alone.
 * Everything of one connection belongs to one loop.
 */
#ifndef PROTOCOLS_HTTP_ENGINE_H
#define PROTOCOLS_HTTP_ENGINE_H

#include "base/arena.h"
#include "base/clock.h"
#include "protocols/http/http.h"

/* One row per engine; the functions have the contracts of those in http.h. */
typedef struct HttpEngine {
    bool only_messages; /* HTTP/2: no protocol switching (RFC 9113 section 8.6) */
    Result (*feed)(HttpConnection *connection, Bytes input, int64_t now);
    void (*eof)(HttpConnection *connection);
    void (*lost)(HttpConnection *connection, Result why);
    int (*output)(HttpConnection *connection, struct iovec *vectors, int n);
    void (*sent)(HttpConnection *connection, size_t size);
    void (*drain)(HttpConnection *connection);
    void (*drain_now)(HttpConnection *connection); /* NULL: as `drain` */
    void (*timeout)(HttpConnection *connection);   /* NULL: no response possible */
    bool (*holds_head)(const HttpConnection *connection);
    Result (*shed_head)(HttpConnection *connection);
    HttpPhase (*phase)(const HttpConnection *connection);
    bool (*wants_input)(const HttpConnection *connection);
    uint32_t (*streams)(const HttpConnection *connection);
    bool (*owes)(const HttpConnection *connection, size_t pending);
    uint32_t (*capacity)(const HttpConnection *connection);
    uint32_t (*head_most)(const HttpConnection *connection); /* NULL: no peer says so */
    bool (*going)(const HttpConnection *connection);
    bool (*held_up)(const HttpConnection *connection);     /* NULL: never */
    bool (*half_closed)(const HttpConnection *connection); /* NULL: never */
    void (*ping)(HttpConnection *connection);              /* NULL: not supported */
    void (*destroy)(HttpConnection *connection);
    HttpStream *(*open)(HttpConnection *connection, const HttpHead *head, bool end,
                        const HttpStreamEvents *events, void *owner);
    void (*charge)(HttpStream *stream, Account *account);
    void (*send_head)(HttpStream *stream, const HttpHead *head, bool end);
    void (*send_body)(HttpStream *stream, Bytes piece);
    void (*send_end)(HttpStream *stream, const Fields *trailers);
    bool (*send_ready)(HttpStream *stream, const HttpReady *ready); /* NULL, or false: nothing is
                                                                       sent, as others are */
    size_t (*queued)(const HttpStream *stream);
    void (*consume)(HttpStream *stream, size_t n);
    void (*reset)(HttpStream *stream, uint32_t http2_error);
    void (*cut)(HttpStream *stream, uint32_t http2_error);
    void (*release)(HttpStream *stream);
} HttpEngine;

struct HttpConnection {
    const HttpEngine *engine;
    const HttpConnectionEvents *events;
    void *owner;
    HttpLimits limits;
    uint64_t progress;
    const char *date;  /* http_connection_set_date; or NULL */
    MemoryTally tally; /* what the connection holds: http_connection_charge */
    Arena *errors;     /* of the latest Result; NULL until the first failure */
    bool client, secure;
    bool output_told; /* on_output was called, http_connection_output not since */
};

/* `connection` is NULL after the connection was freed before the stream was released. */
struct HttpStream {
    HttpConnection *connection;
    const HttpStreamEvents *events; /* NULL: no owner */
    void *owner;
};

/* Counts `more` bytes (negative: returned) of the connection's memory outside of queues. The rest
   is subtracted when the connection is freed. */
static inline void http_connection_hold(HttpConnection *connection, int64_t more)
{
    tally_add(&connection->tally, MEMORY_CONNECTIONS, more);
}

/* Whether a head that is not complete may take `more` bytes beyond its first buffer, which nobody
   asks for. NULL: it may, and always on the client's side; else why not. */
const Fault *http_connection_ask(const HttpConnection *connection, size_t more);

/* `limits` is copied; `engine` and `events` must outlive the connection. */
void http_connection_init(HttpConnection *connection, const HttpEngine *engine,
                          const HttpLimits *limits, bool client, bool secure,
                          const HttpConnectionEvents *events, void *owner);
void http_connection_deinit(HttpConnection *connection);

/* Calls on_output, unless it was called since the last output. */
void http_connection_wake(HttpConnection *connection);

/* The fields of a response that the engine makes by itself: on_refusal. */
Fields http_connection_refusal(HttpConnection *connection, unsigned status, const HttpHead *head,
                               const char *why);

/* The Date to add to a final response with these fields; data NULL: none. */
Bytes http_connection_date(const HttpConnection *connection, const Fields *fields);

/* An arena for one Result, which is valid until the next call of this function. Never NULL. */
Arena *http_connection_errors(HttpConnection *connection);

/* A token bucket. `full_at` is the time when the bucket is full again; taking a token moves it by
   `cost`. A token is worth 1 / `per_second` seconds; fractions can be taken. */
typedef struct HttpBucket {
    int64_t full_at;
    int64_t cost;  /* nanoseconds per token */
    int64_t depth; /* nanoseconds from empty to full */
} HttpBucket;

void http_bucket_init(HttpBucket *bucket, uint32_t per_second, uint32_t burst);

/* Takes the tokens of `time` nanoseconds. False when there are not enough; then none are taken. */
bool http_bucket_take_time(HttpBucket *bucket, int64_t time, int64_t now);

/* Takes one token. False when there is none. */
static inline bool http_bucket_take(HttpBucket *bucket, int64_t now)
{
    return http_bucket_take_time(bucket, bucket->cost, now);
}

/* Returns `n` tokens; the bucket never holds more than its depth. */
static inline void http_bucket_credit(HttpBucket *bucket, uint32_t n, int64_t now)
{
    bucket->full_at -= bucket->cost * n;
    if (bucket->full_at < now)
        bucket->full_at = now;
}

/* Writes the body of a response that the engine makes by itself: application/problem+json (RFC
   9457) with the reason (http_refusal_fault). `detail` is a literal that needs no escapes. Returns
   the size, less than `capacity`. */
size_t http_problem_text(unsigned status, const char *detail, char *text, size_t capacity);

#define HTTP_PROBLEM_TYPE "application/problem+json"

#endif
