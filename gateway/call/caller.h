/*
 * Caller: the interface of whatever makes a call and gets its response. The HTTP client is one
 * caller (client.h). Others belong to the gateway itself, for example the reflection client, which
 * requests an instance's schema.
 *
 *             exchange_send, _end, _room, _cancel (exchange.h)
 *      Caller ------------------------------------------------> Exchange
 *             <------------------------------------------------
 *             on_room, on_head, on_message, on_piece, on_response, on_end, on_record
 *
 * Messages are in the caller's version and codec, without frames; they, trailers and failures are
 * valid during the event only. All happens on the loop of the exchange.
 *
 * Lifetime: a caller belongs to whoever made it, and must live until on_record, which is the last
 * event and comes exactly once; the exchange is freed after it. A callback may call the functions
 * of its exchange. It may also cancel the exchange and free the caller: on_record is called before
 * exchange_cancel returns, and no event follows, even if a connection, a response or a timer is
 * still pending.
 */
#ifndef GATEWAY_CALLER_H
#define GATEWAY_CALLER_H

#include "gateway/telemetry/telemetry.h"
#include "protocols/dialect/dialect.h"

typedef struct Caller Caller;

typedef enum CallerHas { CALLER_HAS_NOTHING, CALLER_HAS_SOME, CALLER_HAS_ALL } CallerHas;

typedef struct CallerEvents {
    /* The exchange may accept more of the request now: see exchange_wants and exchange_has_room. */
    void (*on_room)(Caller *caller);

    /* The head of a stream of messages has arrived; its first message may take long. A failure
       returned from here ends the call, as from the next four. */
    MUST_USE Result (*on_head)(Caller *caller);
    /* One message of a stream. */
    MUST_USE Result (*on_message)(Caller *caller, Message message);
    /* A run of messages of a stream, uncompressed and still framed, from a dialect with the same
       frames as call.dialect. NULL: messages come by on_message. */
    MUST_USE Result (*on_run)(Caller *caller, MessageRun run);
    /* A piece of the only message of a unary response, in order: `left` bytes follow it. The
       status is not known yet; on_end follows instead of on_response, maybe before the last piece.
       The exchange passes on so what is large and needs no conversion, from a dialect with the same
       frames as call.dialect. NULL: each message comes whole. */
    MUST_USE Result (*on_piece)(Caller *caller, Message piece);
    /* The only message of a successful unary response, and its trailers. */
    MUST_USE Result (*on_response)(Caller *caller, Message message, const Fields *trailers);
    /* The status of the call: once, unless the caller cancels it before. `trailers` may be NULL. */
    void (*on_end)(Caller *caller, const Status *status, const Fields *trailers);
    /* The last event: the record of the call. */
    void (*on_record)(Caller *caller, const CallRecord *record);

    /* How much of the unsent request the caller has. With CALLER_HAS_NOTHING no HTTP/1.1 connection
       is taken, because other calls could use it meanwhile; the caller calls exchange_more as soon
       as it has some. NULL: the caller has all of it, or will at once. */
    CallerHas (*has)(const Caller *caller);

    /* Whether the caller accepts more of the response. While it does not, reading from the instance
       is paused; the caller calls exchange_room when it does again. */
    bool (*has_room)(const Caller *caller);
    /* Keeps a message that the caller sends for as long as the exchange; `data` NULL: out of
       memory. NULL: it is copied. */
    Bytes (*keep)(Caller *caller, Bytes message);
    /* Decompresses a message that the caller passed as `compressed`, in place. NULL: it passes
       none. */
    MUST_USE Result (*open)(Caller *caller, Message *message);
} CallerEvents;

struct Caller {
    const CallerEvents *events;
};

#endif
