/*
 * The inside of an exchange, for the files of gateway/call only.
 *
 *      caller --- request ----> [ Exchange ] ---- attempt's stream ---> instance
 *             <--- response ---              <-------------------------
 *
 * An exchange is a table of steps; a step returns the next one, STEP_WAIT until an event, or
 * STEP_GONE when the exchange is no more. Events end in exchange_run, and after it the exchange
 * must not be touched: it may be gone. What kind of exchange it is (one message or many, each way;
 * a built-in service; opaque HTTP) is a table of operations, too.
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

/* What a kind of exchange does where kinds differ. */
typedef struct ExchangeKind {
    const char *name;
    bool streams; /* memory for messages is given back after each */

    /* The request: behind the functions of exchange.h with these names. */
    bool (*wants)(const Exchange *x);
    bool (*has_room)(const Exchange *x);
    const Step *(*take)(Exchange *x, Message message);
    const Step *(*end)(Exchange *x, const Message *last);
    const Step *(*room)(Exchange *x);

    const Step *(*go)(Exchange *x);   /* the call is known, nothing of its request is taken yet */
    Result (*prepare)(Exchange *x);   /* the latest attempt has an instance: how it is asked */
    const Step *(*send)(Exchange *x); /* and a connection */

    /* The response of an instance: its head (`end`: nothing follows), a message, its good end. */
    const Step *(*head)(Attempt *attempt, bool end);
    const Step *(*item)(Attempt *attempt, Message message);
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
    Arena *scratch; /* for the message at hand: of a stream, NULL between messages; else the same as
                       arena */
    Arena *last;    /* for an end that arena has no room for; else NULL */
    size_t memory;  /* the most that each of the first two may have */
    size_t response_bytes; /* the most that one message of the response may have */
    Loop *loop;
    Config *config; /* the generation it began with */
    Caller *caller; /* NULL: it has had its last event */
    const ExchangeKind *kind;
    Attempt *attempt; /* the latest; never NULL */
    Attempt first;    /* it, until one is repeated */

    IpAddress client; /* for whom it is; not known: for the gateway itself, or by a unix socket */

    Call call;
    const Method *method;       /* in the caller's version; NULL: a built-in service, opaque HTTP */
    const RestBinding *binding; /* REST: the rule that matched */
    PlanParameter *parameters;  /* REST: from path and query */
    uint32_t n_parameters;
    const Route *route;
    Negotiation version;
    const Instance *only; /* the one that is asked; NULL: any that can answer */
    struct BuiltinCall *builtin;
    bool bodiless; /* opaque HTTP: the request ended with its head */

    Message message; /* of one: the request's, in the caller's version and codec */
    bool has_message;
    FramedMessage framed; /* the message that is about to go, in scratch */

    bool responding;    /* some of a response has gone to the caller */
    uint8_t delivering; /* events of the caller at work, one within the other: */
    const Step *next;   /* what comes when they have returned; NULL: what would have come */

    Timer deadline_timer;
    int64_t began, deadline; /* monotonic nanoseconds; deadline may be NO_TIMEOUT */
    Buffer lost; /* paths of fields that were lost, for the caller: "Order.comment, ..." */
    uint32_t n_lost;
    CallRecord record;
};

/* A new exchange with its arena; `memory` is the most that it may have. The rest is up to who makes
   it. */
Exchange *exchange_make(Loop *loop, size_t memory, int64_t began);

/* False: it is over or about to be. */
bool exchange_run(Exchange *x, const Step *step);

/* The call is known, and its kind; its deadline runs from here on. */
const Step *exchange_begin(Exchange *x, const ExchangeKind *kind);

/* The three ways in which a call goes wrong. Each ends in policy_decide: another attempt, the
   route's fallback, or an error to the caller. */
const Step *exchange_fail(Exchange *x, Result why);           /* by no fault of the attempt */
const Step *exchange_attempt_failed(Exchange *x, Result why); /* by the attempt's */
const Step *exchange_fail_status(Exchange *x); /* the service answered with an error */

/* No instance is left for the latest attempt: what the one before it found, or its service said, is
   the end of the call; `why`, where there is none before it. */
const Step *exchange_nobody_left(Exchange *x, Result why);

bool exchange_is_unary(const Exchange *x);

/* REST: the response is the bytes of a google.api.HttpBody, of any media type. */
bool exchange_is_raw(const Exchange *x);

/* ---- Events of the caller -------------------------------------------------------------------- */

const Step *exchange_ask_for_more(Exchange *x); /* on_room */
const Step *exchange_give_head(Exchange *x);
const Step *exchange_give_message(Exchange *x, Message message);
const Step *exchange_give_run(Exchange *x, MessageRun run);
/* The one message of a response, and its end. */
const Step *exchange_give_response(Exchange *x, Message message, const Fields *trailers);
const Step *exchange_give_end(Exchange *x, const Status *status, const Fields *trailers);

/* ---- Back-pressure --------------------------------------------------------------------------- */

/* Of the instance's stream: whether it takes more. False while there is none. */
bool exchange_instance_has_room(const Exchange *x);

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

/* Takes what only the gateway may say out of the fields that the instance sent. */
void exchange_remove_own(const Exchange *x, Fields *fields);

/* exchange_compression.c: which messages are compressed, and by what. */
bool exchange_keeps_request(
    const Exchange *x); /* some instance may take its messages as they came */
MUST_USE Result exchange_open_request(Exchange *x,
                                      Message *message); /* unless this one takes it so */
Compression exchange_request_compression(Exchange *x, size_t size); /* once per unary request */
uint32_t exchange_accepts(const Exchange *x); /* what the instance is told that we take */
bool exchange_keeps_answer(const Exchange *x);
Compression exchange_answer_compression(const Exchange *x); /* for the answer's head, sizes aside */
Compression exchange_message_compression(const Exchange *x, Compression compression, size_t size);
/* Whether only a plan may look at the messages on their way: see exchange_takes_runs. */
bool exchange_passes_request_runs(const Exchange *x);
bool exchange_passes_answer_runs(const Exchange *x);
bool exchange_must_compress(const Exchange *x);
bool exchange_varies_by_encoding(const Exchange *x);
MUST_USE Result exchange_check_acceptable(const Exchange *x);

/* exchange_convert.c: one message through a plan. The result lives in scratch, or is the message
   itself. */
bool exchange_copies(const Plan *plan); /* running it would; also NULL, between one and the same */
MUST_USE Result exchange_convert_request(Exchange *x, Bytes message, Bytes *converted_out);
MUST_USE Result exchange_convert_answer(Exchange *x, Bytes message, Bytes *converted_out);
/* Takes some messages off the front of the run; those that could be converted are there also when
   one has failed. */
MUST_USE Result exchange_convert_requests(Exchange *x, MessageRun *run, MessageRun *converted_out);
MUST_USE Result exchange_convert_answers(Exchange *x, MessageRun *run, MessageRun *converted_out);

/* Counts and names what a conversion lost; for PlanRun.on_loss, whose owner is the exchange. */
void exchange_on_loss(void *owner, const Loss *loss);
void exchange_name_lost(Exchange *x, Bytes path);

/* exchange_details.c: what errors carry. A detail that cannot be given in the caller's version
   never costs the error: it is counted, named and logged. */
void exchange_convert_details(Exchange *x, Status *status);
DetailJson exchange_detail_json(const Exchange *x,
                                const Version *version); /* NULL: of no version */

#endif
