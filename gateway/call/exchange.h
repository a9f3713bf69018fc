/*
 * Exchange: one call on its way through the gateway, from its request to its record.
 *
 * It belongs to itself: it begins with client_accept (client.h) or exchange_new, and is gone after
 * its caller's on_record. Its caller (caller.h) sends the request by the functions here. Those that
 * return a bool may fire events of the caller before they return; false means that the call is over
 * or about to be: nothing more is to be sent, and the exchange may be gone.
 *
 * One loop, its thread only.
 */
#ifndef GATEWAY_EXCHANGE_H
#define GATEWAY_EXCHANGE_H

#include "gateway/call/caller.h"
#include "gateway/config/config.h"
#include "gateway/loop/loop.h"

typedef struct Exchange Exchange;

/* A call of the gateway's own. Everything that it points to outlives the exchange. */
typedef struct CallOrder {
    const Method *method; /* of the loop's config, in the version of the messages */
    /* NULL: `instance` alone is asked for `type`, as it is: no version, no conversion, no route.
       `instance->known` is there. */
    const Instance *instance;
    const MethodType *type;
    Codec codec;            /* of the messages; of a single instance: its own */
    int64_t timeout;        /* nanoseconds for all of it, or NO_TIMEOUT */
    const Fields *metadata; /* sent along; NULL: none */
    size_t response_bytes;  /* of one message of the response; 0: limits.answer_bytes */
    size_t memory;          /* of the call; 0: limits.call_memory */
} CallOrder;

/* No event fires before exchange_go. Never NULL. */
Exchange *exchange_new(Loop *loop, Caller *caller, const CallOrder *order);
bool exchange_go(Exchange *x);

/* Whether a message of the request would be taken now; on_room says when to ask again. A request of
   one message is taken at any time. */
bool exchange_wants(const Exchange *x);

/* Whether what was sent has left, or nearly: back-pressure for who sends many messages. */
bool exchange_has_room(const Exchange *x);

/* Sends a message of the request, which is wanted. Not kept after the return. */
bool exchange_send(Exchange *x, Message message);

/* Whether messages are taken as they lie in a body of the call's dialect: the instance's has the
   same frames, and no compression. */
bool exchange_takes_runs(const Exchange *x);

/* Sends such messages, which is wanted. */
bool exchange_send_run(Exchange *x, MessageRun run);

/* The request ends, which is wanted; `last` (may be NULL) is one more message, its last one, and
   stays valid as long as the exchange. */
bool exchange_end(Exchange *x, const Message *last);

/* There is some of the request where there was nothing: see CallerEvents.has. */
bool exchange_more(Exchange *x);

/* The caller takes more of the response than before: see CallerEvents.has_room. */
bool exchange_room(Exchange *x);

/* The caller wants no more of it. `why` has failed, and is copied. The exchange is gone, or goes
   when the event at work returns. */
void exchange_cancel(Exchange *x, Result why);

/* What the service said before its first message; empty while there is no response of a service.
   As long as the exchange. */
const Fields *exchange_metadata(const Exchange *x);

#endif
