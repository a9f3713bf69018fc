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
 * valid during the event only. All happens on the loop of the exchange. A large message is
 * converted elsewhere (work_pool.h): until it is there, the exchange wants no more of the request,
 * and no later event of the response comes but the end of a call that fails.
 *
 * Lifetime: a caller belongs to whoever made it, and must live until on_record, which is the last
 * event and comes exactly once; the exchange is freed after it. A callback may call the functions
 * of its exchange. It may also cancel the exchange and free the caller: on_record is called before
 * exchange_cancel returns, and no event follows, even if a connection, a response or a timer is
 * still pending.
 */
#ifndef GATEWAY_CALLER_H
#define GATEWAY_CALLER_H

#include "gateway/rest/framing.h"
#include "gateway/telemetry/telemetry.h"
#include "protocols/dialect/dialect.h"

typedef struct Caller Caller;

typedef enum CallerHas { CALLER_HAS_NOTHING, CALLER_HAS_SOME, CALLER_HAS_ALL } CallerHas;

typedef struct CallerEvents {
    /* The exchange may accept more of the request now: see exchange_wants and exchange_has_room.
       NULL: the caller has nothing more. */
    void (*on_room)(Caller *caller);

    /* The head of a stream of messages has arrived; its first message may take long. A failure
       returned from here ends the call, as from the next four. NULL: that is no news. */
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
       is paused; the caller calls exchange_room when it does again. NULL: it always does. */
    bool (*has_room)(const Caller *caller);
    /* Whether nothing of the response waits in it. NULL: never does anything. */
    bool (*is_idle)(const Caller *caller);
    /* The reader of the caller's messages, which lives as long as the exchange: it keeps messages,
       and opens those that the caller passes as `compressed`. NULL: messages are copied, and none
       is compressed. */
    MessageReader *(*reader)(Caller *caller);

    /* How the messages of the response are framed; valid until the next event. NULL: they are not,
       nor the next two called. */
    const Framing *(*framing)(Caller *caller);
    /* As on_message and on_response, with a message that is framed so. */
    MUST_USE Result (*on_framed)(Caller *caller, const Framed *framed);
    MUST_USE Result (*on_framed_response)(Caller *caller, const Framed *framed,
                                          const Fields *trailers);
} CallerEvents;

struct Caller {
    const CallerEvents *events;
};

static inline bool caller_has_room(const Caller *caller)
{
    return !caller->events->has_room || caller->events->has_room(caller);
}

#endif
