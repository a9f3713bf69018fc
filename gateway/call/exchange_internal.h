/*
 * The inside of an exchange, for the files of gateway/call only.
 *
 *      caller --- request ----> [ Exchange ] ---- attempt's stream ---> instance
 *             <--- response ---              <-------------------------
 *
 * An exchange is a table of steps; a step returns the next one, STEP_WAIT until an event, or
 * STEP_GONE when the exchange was freed. Every event handler ends with exchange_run; after it the
 * exchange must not be used, since it may be freed. The kind of exchange (one message or many, in
 * each direction; a built-in service; opaque HTTP) is a table of operations.
 */
#ifndef GATEWAY_EXCHANGE_INTERNAL_H
#define GATEWAY_EXCHANGE_INTERNAL_H

#include "adapters/run/plan_run.h"
#include "base/arena.h"
#include "gateway/call/attempt.h"
#include "gateway/call/exchange.h"
#include "gateway/version/negotiate.h"

typedef struct Step {
    const char *name;
    const struct Step *(*run)(Exchange *x);
} Step;

#define EXCHANGE_STEPS(STEP)                                                                       \
    STEP(resolve)   /* client: path -> method, REST binding, or opaque route       */              \
    STEP(negotiate) /* client: which version it speaks, and wants back             */              \
    STEP(pick)      /* an instance, the version that it serves, the plans          */              \
    STEP(connect)   /* a connection with room                                      */              \
    STEP(send)      /* the request, converted                                      */              \
    STEP(reply)     /* the response has ended: what becomes of it                  */              \
    STEP(finish)    /* the record; release of everything                           */

#define STEP(name) extern const Step STEP_##name;
EXCHANGE_STEPS(STEP)
#undef STEP
#define STEP_WAIT ((const Step *)1)
#define STEP_GONE ((const Step *)2)

/* The operations in which the kinds of exchange differ. */
typedef struct ExchangeKind {
    const char *name;
    bool streams; /* memory for messages is given back after each */

    /* The request: behind the functions of exchange.h with these names. */
    bool (*wants)(const Exchange *x);
    bool (*has_room)(const Exchange *x);
    const Step *(*take)(Exchange *x, Message message);
    const Step *(*end)(Exchange *x, const Message *last);
    const Step *(*room)(Exchange *x);

    const Step *first;                /* the call is known, nothing of its request is taken yet */
    Result (*prepare)(Exchange *x);   /* the latest attempt has an instance: makes its request */
    const Step *(*send)(Exchange *x); /* and a connection */

    /* The response of an instance: its head (`end`: nothing follows), a message, its good end. */
    const Step *(*head)(Attempt *attempt, bool end);
    const Step *(*item)(Attempt *attempt, Message message);
    const Step *(*piece)(Attempt *attempt, Message piece); /* NULL: messages come whole */
    const Step *(*reply)(Exchange *x);
    const Step *(*reply_default)(Exchange *x, Bytes message);

    void (*release)(Exchange *x); /* it ends; NULL: nothing to do */
} ExchangeKind;

/* exchange_kinds.c */
const ExchangeKind *exchange_kind_of(const MethodType *type);
extern const ExchangeKind KIND_BUILTIN; /* exchange_builtin.c */
extern const ExchangeKind KIND_OPAQUE;  /* exchange_opaque.c */

struct Exchange {
    Arena *arena;   /* lives as long as the exchange */
    Arena *scratch; /* for the current message: of a stream, NULL between messages; else the same as
                       arena */
    Arena *last;    /* for the end of the response if `arena` is full; else NULL */
    size_t memory;  /* the most that each of the first two may have */
    size_t response_bytes; /* the most that one message of the response may have */
    Loop *loop;
    Config *config; /* the generation it began with */
    Caller *caller; /* NULL: it has had its last event */
    const ExchangeKind *kind;
    Attempt *attempt; /* the latest; never NULL */
    Attempt first;    /* it, until one is repeated */

    IpAddress client; /* the client's address; unknown: a call of the gateway itself, or by a unix
                         socket */

    Call call;
    const Method *method;       /* in the caller's version; NULL: a built-in service, opaque HTTP */
    const RestBinding *binding; /* REST: the rule that matched */
    PlanParameter *parameters;  /* REST: from path and query */
    uint32_t n_parameters;
    const Route *route;
    Negotiation version;
    const Instance *only; /* the only one that may be used; NULL: any */
    struct BuiltinCall *builtin;
    bool bodiless; /* opaque HTTP: the request ended with its head */

    Message message; /* of one: the request's, in the caller's version and codec */
    bool has_message;
    FramedMessage framed; /* the next message to send, in scratch */

    bool responding;    /* some of a response has gone to the caller */
    uint8_t delivering; /* events of the caller that are running, nested: */
    const Step *next;   /* the step after they have returned; NULL: the usual one */

    Timer deadline_timer;
    int64_t began, deadline; /* monotonic nanoseconds; deadline may be NO_TIMEOUT */
    Buffer lost; /* paths of fields that were lost, for the caller: "Order.comment, ..." */
    uint32_t n_lost;
    CallRecord record;
};

/* A new exchange with its arena; `memory` is the limit of the arena. The function that creates it
   fills in the rest. */
Exchange *exchange_make(Loop *loop, size_t memory, int64_t began);

/* False: it has ended or is about to end. */
bool exchange_run(Exchange *x, const Step *step);

/* The call is known, and its kind; its deadline runs from here on. */
const Step *exchange_begin(Exchange *x, const ExchangeKind *kind);

/* The three kinds of failure of a call. Each ends in policy_decide: another attempt, the route's
   fallback, or an error to the caller. */
const Step *exchange_fail(Exchange *x, Result why);           /* not caused by the attempt */
const Step *exchange_attempt_failed(Exchange *x, Result why); /* caused by the attempt */
const Step *exchange_fail_status(Exchange *x); /* the service answered with an error */

/* No instance is left for the latest attempt. The call ends with the failure or the error response
   of the previous attempt; without one, with `why`. */
const Step *exchange_nobody_left(Exchange *x, Result why);

bool exchange_is_unary(const Exchange *x);

/* REST: the response is the bytes of a google.api.HttpBody, of any media type. */
bool exchange_is_raw(const Exchange *x);

/* ---- Events of the caller -------------------------------------------------------------------- */

const Step *exchange_ask_for_more(Exchange *x); /* on_room */
const Step *exchange_give_head(Exchange *x);
const Step *exchange_give_message(Exchange *x, Message message);
const Step *exchange_give_run(Exchange *x, MessageRun run);
const Step *exchange_give_piece(Exchange *x, Message piece);
/* The one message of a response, and its end. */
const Step *exchange_give_response(Exchange *x, Message message, const Fields *trailers);
const Step *exchange_give_end(Exchange *x, const Status *status, const Fields *trailers);

/* ---- Back-pressure --------------------------------------------------------------------------- */

/* Of the instance's stream: whether it takes more. False while there is none. */
bool exchange_instance_has_room(const Exchange *x);
/* Whether it is open. */
bool exchange_has_stream(const Exchange *x);

/* Gives back what is owed to the instance, once the caller has room for more. */
const Step *exchange_settle(Exchange *x);

/* ---- Memory ---------------------------------------------------------------------------------- */

Arena *exchange_scratch(Exchange *x); /* for the message at hand */
/* The message at hand has gone: its memory is for the next one, which comes at once, if any. */
void exchange_forget_message(Exchange *x);
/* All that has come has gone: the next message may take long. */
void exchange_forget_messages(Exchange *x);

/* For an end when the call has used up its own memory. What is written there is bounded by what is
   there already. */
Arena *exchange_last_arena(Exchange *x);

/* ---- exchange_instance.c: the instance's side -------------------------------------------------
 */

/* The kinds' parts that have to do with instances: of a request of one message, and of many. */
MUST_USE Result exchange_prepare(Exchange *x);
const Step *exchange_send_one(Exchange *x);
const Step *exchange_send_head(Exchange *x);
MUST_USE Result exchange_forward_request(Exchange *x, Message message);
MUST_USE Result exchange_forward_run(Exchange *x, MessageRun run);

/* Removes fields that only the gateway may set from those that the instance sent. */
void exchange_remove_own(const Exchange *x, Fields *fields);

/* exchange_compression.c: which messages are compressed, and by what. */
bool exchange_keeps_request(
    const Exchange *x); /* some instance may take its messages as they came */
MUST_USE Result exchange_open_request(Exchange *x,
                                      Message *message); /* unless this one takes it so */
Compression exchange_request_compression(Exchange *x, size_t size); /* once per unary request */
uint32_t exchange_accepts(const Exchange *x); /* what the gateway accepts from the instance */
bool exchange_keeps_answer(const Exchange *x);
Compression exchange_answer_compression(const Exchange *x); /* for the answer's head, sizes aside */
Compression exchange_message_compression(const Exchange *x, Compression compression, size_t size);
/* Whether nothing but a plan reads the messages: see exchange_takes_runs. */
bool exchange_passes_request_runs(const Exchange *x);
bool exchange_passes_answer_runs(const Exchange *x);
/* Whether a message of the answer may go on while it arrives: see CallerEvents.on_piece. */
bool exchange_passes_answer_pieces(const Exchange *x);
bool exchange_must_compress(const Exchange *x);
bool exchange_varies_by_encoding(const Exchange *x);
MUST_USE Result exchange_check_acceptable(const Exchange *x);

/* exchange_convert.c: one message through a plan. The result lives in scratch, or is the message
   itself. */
bool exchange_copies(
    const Plan *plan); /* whether running the plan only copies; also NULL: same version and codec */
MUST_USE Result exchange_convert_request(Exchange *x, Bytes message, Bytes *converted_out);
MUST_USE Result exchange_convert_answer(Exchange *x, Bytes message, Bytes *converted_out);
/* Takes some messages off the front of the run; those that could be converted are there also when
   one has failed. */
MUST_USE Result exchange_convert_requests(Exchange *x, MessageRun *run, MessageRun *converted_out);
MUST_USE Result exchange_convert_answers(Exchange *x, MessageRun *run, MessageRun *converted_out);

/* Counts and names what a conversion lost; for PlanRun.on_loss, whose owner is the exchange. */
void exchange_on_loss(void *owner, const Loss *loss);
void exchange_name_lost(Exchange *x, Bytes path);

/* exchange_details.c: the details of errors. A detail that cannot be converted to the caller's
   version never replaces the error: it is counted, named and logged. */
void exchange_convert_details(Exchange *x, Status *status);
DetailJson exchange_detail_json(const Exchange *x,
                                const Version *version); /* NULL: of no version */

#endif
