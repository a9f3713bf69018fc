/*
 * Caller: for whom a call is made, and who gets its response. The HTTP client is one caller
 * (client.h); others are the gateway's own: what asks an instance for its schema is one.
 *
 *             exchange_send, _end, _room, _cancel (exchange.h)
 *      Caller ------------------------------------------------> Exchange
 *             <------------------------------------------------
 *             on_room, on_head, on_message, on_response, on_end, on_record
 *
 * Messages are in the caller's version and codec, without frames; they, trailers and failures are
 * valid during the event only. All happens on the loop of the exchange.
 *
 * Lifetime: a caller belongs to whoever made it, and must live until on_record, which is the last
 * event and comes exactly once; the exchange is gone after it. An event may act on its exchange; it
 * may cancel it and free the caller, too: on_record comes before exchange_cancel returns, and then
 * nothing more, whatever is still on its way (a connection, a response, a timer).
 */
#ifndef GATEWAY_CALLER_H
#define GATEWAY_CALLER_H

#include "gateway/telemetry/telemetry.h"
#include "protocols/dialect/dialect.h"

typedef struct Caller Caller;

typedef enum CallerHas { CALLER_HAS_NOTHING, CALLER_HAS_SOME, CALLER_HAS_ALL } CallerHas;

typedef struct CallerEvents {
    /* The exchange may take more of the request now: see exchange_wants and exchange_has_room. */
    void (*on_room)(Caller *caller);

    /* The head of a stream of messages is there; its first message may take long. Failing here ends
       the call, as in the next two. */
    MUST_USE Result (*on_head)(Caller *caller);
    /* One message of a stream. */
    MUST_USE Result (*on_message)(Caller *caller, Message message);
    /* Messages of a stream, uncompressed and in their frames, from a dialect that shares them with
       call.dialect. NULL: they come by on_message. */
    MUST_USE Result (*on_run)(Caller *caller, MessageRun run);
    /* The one message of a response that is no stream, which ends well, and its trailers. */
    MUST_USE Result (*on_response)(Caller *caller, Message message, const Fields *trailers);
    /* How the call has ended: once, unless the caller cancels it before. `trailers` may be NULL. */
    void (*on_end)(Caller *caller, const Status *status, const Fields *trailers);
    /* The last event: all that is known of the call. */
    void (*on_record)(Caller *caller, const CallRecord *record);

    /* How much of the request is there that was not sent yet. A connection of HTTP/1.1, which other
       calls could use meanwhile, is not taken for CALLER_HAS_NOTHING; the caller says exchange_more
       when that is over. NULL: all is there, or about to be. */
    CallerHas (*has)(const Caller *caller);

    /* Whether more of the response is welcome. While it is not, the instance is held back; the
       caller says exchange_room when it is again. */
    bool (*has_room)(const Caller *caller);
    /* Keeps a message that the caller sends for as long as the exchange; `data` NULL: out of
       memory. NULL: it is copied. */
    Bytes (*keep)(Caller *caller, Bytes message);
    /* Opens a message that the caller gave as `compressed`, in place. NULL: it gives none. */
    MUST_USE Result (*open)(Caller *caller, Message *message);
} CallerEvents;

struct Caller {
    const CallerEvents *events;
};

#endif
