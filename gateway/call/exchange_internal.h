/*
 * The inside of an exchange, for the files of gateway/call only.
 *
 *      caller --- request ----> [ Exchange ] ---- attempt's stream ---> instance
 *             <--- response ---              <-------------------------
 *
 * An exchange is a table of steps; a step returns the next one, STEP_WAIT until an event, or
 * STEP_GONE when the exchange was freed. Every event handler ends with exchange_run or attempt_run;
 * after it the exchange must not be used, since it may be freed. The steps from `pick` to `reply`
 * are of one attempt, and each attempt goes through them by itself. The kind of exchange (one
 * message or many, in each direction; a built-in service; opaque HTTP) is a table of operations.
 */
#ifndef GATEWAY_EXCHANGE_INTERNAL_H
#define GATEWAY_EXCHANGE_INTERNAL_H

#include "adapters/run/plan_run.h"
#include "adapters/schema/wire.h"
#include "base/arena.h"
#include "gateway/cache/joins.h"
#include "gateway/call/attempt.h"
#include "gateway/call/exchange.h"
#include "gateway/cohort/cohort_port.h"
#include "gateway/healing/healing.h"
#include "gateway/identity/identity.h"
#include "gateway/loop/work_pool.h"
#include "gateway/rest/rest_request.h"
#include "gateway/version/negotiate.h"

typedef struct Step {
    const char *name;
    const struct Step *(*run)(Exchange *x, Attempt *attempt);
} Step;

#define EXCHANGE_STEPS(STEP)                                                                       \
    STEP(resolve)   /* client: path -> method, REST binding, or opaque route       */              \
    STEP(negotiate) /* client: which version it speaks, and wants back             */              \
    STEP(pick)      /* an instance, the version that it serves, the plans          */              \
    STEP(convert)   /* a request of one message, for that instance                 */              \
    STEP(connect)   /* a connection with room                                      */              \
    STEP(send)      /* the request                                                 */              \
    STEP(make)      /* in place of the four before: the gateway itself responds    */              \
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

    const Step *first;  /* the call is known, nothing of its request is taken yet */
    const Step *picked; /* an instance is */
    Result (*prepare)(Attempt *attempt);   /* it has an instance: makes its request */
    const Step *(*send)(Attempt *attempt); /* and a connection */

    /* The response of an instance: its head (`end`: nothing follows), a message, its good end. */
    const Step *(*head)(Attempt *attempt, bool end);
    const Step *(*item)(Attempt *attempt, Message message);
    const Step *(*piece)(Attempt *attempt, Message piece); /* NULL: messages come whole */
    const Step *(*reply)(Attempt *attempt);
    const Step *(*reply_fallback)(Exchange *x, Bytes message); /* data NULL: without one */

    void (*release)(Exchange *x); /* it ends; NULL: nothing to do */
} ExchangeKind;

/* exchange_kinds.c */
const ExchangeKind *exchange_kind_of(const Method *method);
/* A response of one message, in the version of the attempt: of an instance, or made. */
const Step *attempt_reply_with(Attempt *attempt, Message message);
/* exchange_fallback.c: responses that are made. */
/* The request is complete: the step in which an instance is picked, or the response is made. */
const Step *exchange_serve(const Exchange *x);
/* What runs is cancelled: before anything that it refers to goes. */
void exchange_drop_making(Exchange *x);
void exchange_describe_making(Exchange *x);
extern const ExchangeKind KIND_BUILTIN; /* exchange_builtin.c */
extern const ExchangeKind KIND_OPAQUE;  /* exchange_opaque.c */
/* exchange_kinds.c: nothing is done with the call yet, nor taken of its request. */
extern const ExchangeKind KIND_HELD;

/* What conversions have lost. */
typedef struct Losses {
    Config *config; /* which counts each of them */
    Buffer names;   /* paths of fields, for the caller: "Order.comment, ..." */
    uint32_t n;
} Losses;

/* A wait for memory, as long as the exchange. */
typedef struct CallWait {
    MemoryWait wait; /* first */
    Exchange *x;
    Attempt *attempt; /* whose response it is; NULL: a request */
} CallWait;

struct Exchange {
    Arena *arena;   /* lives as long as the exchange */
    Arena *scratch; /* for the current message: of a stream, NULL between messages; else the same as
                       arena */
    Arena *last;    /* for the end of the response if `arena` is full; else NULL */
    size_t memory;  /* the most that each of the first two may have */
    Account *account; /* of the client, which the first two are charged to; NULL: of nobody */
    struct CallWait *memory_wait; /* for the rest of the request's message; NULL: it never had to */
    size_t response_bytes;        /* the most that one message of the response may have */
    Loop *loop;
    Config *config; /* the generation it began with */
    Caller *caller; /* NULL: it has had its last event */
    const ExchangeKind *kind;
    Attempt *latest;     /* of its attempts; never NULL */
    Attempt *chosen;     /* the one whose response goes to the caller; NULL: none yet */
    struct Hedge *hedge; /* exchange_retry.c; NULL: no other attempt is planned */
    struct Retry *retry; /* exchange_retry.c; NULL: there was no wait before another attempt */
    struct CohortCall *cohort; /* exchange_place.c; NULL: its service has no rollout */
    struct KeyedCall *keyed;   /* exchange_idempotency.c; NULL: it has no idempotency key */
    Joining *joining; /* exchange_fallback.c; NULL: no other call waits for it, nor it for one */
    Attempt first;

    const Identity *identity; /* never NULL: exchange_identify */
    IpAddress client; /* stands for the client where clients take turns: identity_place. Unknown: a
                         call of the gateway itself, or anonymous by a unix socket */
    bool has_message;
    bool owns_account;
    bool firm;     /* some of the request has gone out: memory is not refused any more */
    bool keeps;    /* its response is kept: Route.stale_for */
    bool by_proof; /* call.timeout ends with the credentials of the client */
    bool bodiless; /* opaque HTTP: the request ended with its head */
    bool told_off; /* an instance asked for no other attempt */

    Call call;
    const Method *method;       /* in the caller's version; NULL: a built-in service, opaque HTTP */
    const RestBinding *binding; /* REST: the rule that matched */
    const RestBinding *reply_binding; /* REST: the rule of the response's version for the same path;
                                         NULL: it has none */
    PlanParameter *parameters;        /* REST: from path and query */
    const Route *route;
    Negotiation version;
    const Instance *only; /* the only one that may be used; NULL: any */
    PickKey key;          /* of a route with affinity; zeros: none */
    struct BuiltinCall *builtin;
    Making *making;  /* NULL: no response is being made, or it was dropped */
    Message message; /* of one: the request's, in the caller's version and codec */

    uint32_t n_parameters;
    uint32_t n_elsewhere; /* attempts of gateways in front, and further ones of those behind */
    uint16_t n_refused;   /* attempts that instances refused without processing them */
    uint16_t n_backoffs;  /* waits since an instance has given a time */
    uint32_t
        retry_after; /* seconds that the client is told, if the gateway has refused it; 0: none */
    uint32_t
        n_jobs; /* of all attempts on the work pool, with those that nobody waits for any more */
    bool responding;       /* some of a response has gone to the caller */
    bool own_response : 1; /* it is the gateway's own: nothing of the chosen attempt's goes into it
                            */
    bool arms_found : 1;   /* exchange_find_arm */
    bool urgent : 1;       /* a leg of a call of catastrophic impact */
    bool asks : 1;         /* KIND_HELD: a policy server is asked about it */
    bool over : 1;         /* it has finished; its memory stays until its jobs (n_jobs) are back */
    uint8_t used_up;       /* PolicyQuestion.used_up */
    uint8_t delivering;    /* events of the caller that are running, nested: */
    const Step *next;      /* the step after they have returned; NULL: the usual one */

    Timer deadline_timer;
    int64_t began, deadline; /* monotonic nanoseconds; deadline may be NO_TIMEOUT */
    Losses losses;
    CallRecord record;
};

/* Whether it goes before others while the loop is crowded. */
static inline bool exchange_is_urgent(const Exchange *x)
{
    return x->urgent || (x->route && x->route->impact == IMPACT_CATASTROPHIC);
}

/* A new exchange with its arena; `memory` is the limit of the arena, and `config` is used. The
   function that creates it fills in the rest. */
Exchange *exchange_make(Loop *loop, Config *config, size_t memory, int64_t began);

/* False: it has ended or is about to end. A step of an attempt is of the latest one. */
bool exchange_run(Exchange *x, const Step *step);

/* The same with a step of this attempt. */
bool attempt_run(Attempt *attempt, const Step *step);

/* The call is known, and its kind; its deadline runs from here on. */
const Step *exchange_begin(Exchange *x, const ExchangeKind *kind);
/* Its deadline runs, and nothing else happens until one of the two functions here: its kind is
   KIND_HELD, and nothing can stand in for its response. */
const Step *exchange_hold(Exchange *x);
const Step *exchange_release(Exchange *x, const Step *begun); /* what exchange_begin has returned */

enum { FOREIGN_SHOWN = 300 /* bytes of an error's body in no known form that the log shows */ };

/* The kinds of failure of a call. Each ends in policy_decide: another attempt, waiting for the
   other one, the route's fallback, or an error to the caller. */
const Step *exchange_fail(Exchange *x, Result why); /* of the whole call */

/* An instance has the same deadline, and its clock may be slightly ahead. */
#define DEADLINE_NEAR (10 * MILLISECOND)

/* What a passed deadline is. Whoever has sent a whole request may expect a response: then the
   service is too slow, or the gateway's work pool. A stream lasts as long as the client lets it,
   and a request that does not come is the client's. */
const Fault *exchange_deadline_fault(const Exchange *x);

const Step *attempt_failed(Attempt *attempt, Result why);   /* another attempt may succeed */
const Step *attempt_unusable(Attempt *attempt, Result why); /* a repetition would fail likewise */
const Step *attempt_failed_by_service(Attempt *attempt);    /* the service returned an error */

/* No instance is left for the latest attempt, which is removed. If no other attempt is live, the
   call ends with the last error response of the service; without one, with the failure of the
   attempt before; without one, with `why`. */
const Step *exchange_nobody_left(Exchange *x, Result why);

/* ---- exchange_place.c: where a call belongs -------------------------------------------------- */

/* In a rollout of its service. */
typedef struct CohortCall {
    CohortPlace place;
    Exchange *x;
    CohortStream stream; /* of a candidate's call that lasts */
    bool away;           /* its arm has no usable instance: the other one serves */
} CohortCall;

/* Exchange.cohort, if its service has a rollout; before the first pick. Once for each call. Also
   tells instances of which rollouts its client has the candidate. */
void exchange_find_arm(Exchange *x);

/* Takes the baggage out of what instances get, if their service gets none. After exchange_find_arm.
 */
void exchange_withhold_baggage(Exchange *x);

/* Of a build: whether only its instances may serve; of a version: in which ones the call may not be
   served, a bit each. */
bool exchange_wants_candidate(const Exchange *x);
uint64_t exchange_versions_barred(const Exchange *x, bool older);

/* Nobody could be picked. Whether its arm has no usable instance, so that the other one serves from
   now on. */
bool exchange_leaves_arm(Exchange *x);

/* The call has ended: counts it for its client, and says its arm in the record. */
void exchange_count_arm(Exchange *x);

/* Exchange.key, for a route with affinity; before the first pick. */
void exchange_find_key(Exchange *x);

/* The field of the request's message at the path, which ends with NULL; `plan`: from JSON to the
   protobuf that has it. False: there is none, or the message cannot be read, or is too large for
   that. What is found is in the arena, or in the message. */
bool exchange_read_field(Exchange *x, const FieldType *const *path, const Plan *plan, Arena *arena,
                         WireField *found_out);

/* For a method with fields in the log: those of the request's first message, CallNotes.fields. Of
   further messages nothing is noted. */
void exchange_note_fields(Exchange *x, Message message);

/* client_resolve.c: the request is complete, of a method with rules of its fields: whether the
   client may make this call. Faults: NOT_ALLOWED, those of reading it. */
MUST_USE Result exchange_allow(Exchange *x);

/* client_shed.c: the request is complete, of a method whose calls may cost more than others. Fault:
   RATE_LIMITED. */
MUST_USE Result exchange_pay(Exchange *x);

/* exchange_convert.c: the request's message as protobuf of the caller's version, in the arena or
   borrowed. Only for a method with a key. */
MUST_USE Result exchange_read_request(Exchange *x, Arena *arena, Bytes *message_out);
/* The same by another plan: of a method with idempotency keys, to protobuf of any version; of one
   in whose requests a rollout looks for its clients. NULL: the message is as it came. */
MUST_USE Result exchange_read_by(Exchange *x, const Plan *plan, Arena *arena, Bytes *message_out);
/* The message of a good response in the codec of the instance, without conversion: opened, and in
   REST taken out of the body. *message: the same as it came, but opened. */
MUST_USE Result attempt_read_answer(Attempt *attempt, Message *message, Arena *arena,
                                    Bytes *plain_out);

/* exchange_convert.c: the call has ended, and Method.shadow is not NULL: it may be copied. */
void exchange_offer_copy(Exchange *x);

/* ---- exchange_retry.c: another attempt ------------------------------------------------------- */

/* The attempt that policy has decided on, after its wait. `before`: the one that has failed. */
const Step *exchange_retry(Attempt *before, const PolicyVerdict *verdict);
void exchange_stop_retry(Exchange *x);

/* grpc-retry-pushback-ms of the response; data NULL: it has none. */
Bytes attempt_pushback(const Attempt *attempt);

/* Counts an act of self-healing for the service of the call, if it has one, and says whether it may
   happen. */
void exchange_heal(const Exchange *x, HealingAct act);
bool exchange_may_heal(const Exchange *x, HealingAct act);

/* What the error of the service says about another attempt. */
void exchange_take_advice(const Attempt *attempt, PolicyQuestion *question);

/* While an attempt is live and none is chosen: starts another one beside it, at an instance that
   was not tried, if policy and budget allow it and there is such an instance; else nothing happens.
   The first acceptable response is passed on. */
bool exchange_attempt_also(Exchange *x);

/* The attempt has an instance: plans another one, if the route says so. */
void exchange_plan_hedge(Attempt *attempt);

/* It has its connection. Whether it may be sent, although another one may have been meanwhile:
   within what is allowed of two at once. If not, it is to give way, which ends it. */
bool attempt_may_be_sent_also(Attempt *attempt);
void attempt_give_way(Attempt *attempt);

void exchange_stop_hedge(Exchange *x);

/* One of two attempts has failed: another one takes its place, after so many nanoseconds, if the
   route has second attempts. */
void exchange_hedge_again(Exchange *x, int64_t wait);

/* The response of this attempt goes to the caller from now on: other live ones are cancelled. */
void exchange_choose(Attempt *attempt);

/* Cancels all attempts; those that are live end with this code and failure. */
void exchange_drop_attempts(Exchange *x, Code code, Result why);

/* Whether an attempt other than this one is live. */
bool exchange_has_other(const Attempt *attempt);

/* What policy is asked about the attempt, but for what has happened. */
PolicyQuestion exchange_question(const Exchange *x, const Attempt *attempt);

/* ---- exchange_idempotency.c: calls with a key ------------------------------------------------ */

typedef struct KeyedCall KeyedCall;

/* The request is complete, and the method may have keys: exchange_serve, if the call has none or is
   the first with its key. */
const Step *exchange_claim(Exchange *x);

/* `keyed` is not NULL, here and in the next four. A good response of one message, as it came, is
   there. Whether it is being recorded: then the call goes on when that is done. *message: the same,
   opened. */
bool exchange_keeps_for_key(Attempt *attempt, Message *message);
/* The same with an error of the service, of which the client is given this. */
bool exchange_keeps_error_for_key(Attempt *attempt, const Status *given);
/* The call has failed, and the client is told this. */
bool exchange_ends_key(Exchange *x, const Status *status);
/* The client has left, for this reason. Whether the call goes on without it, since it may have
   taken effect: its response is kept for the time when the client asks again. `keyed` may be NULL.
 */
bool exchange_outlives_client(Exchange *x, Result why);
Result exchange_why_left(const Exchange *x);
/* The client has left, or the call is over. */
void exchange_leave_key(Exchange *x);
/* What the client is told of its key. */
void exchange_add_key_fields(const Exchange *x, Fields *fields);

/* Whether the call may be sent again, since instances take calls with its key for one. */
bool exchange_is_honoured(const Exchange *x);
/* Whether what has become of it is being recorded. */
bool exchange_is_ending(const Exchange *x);
/* Whether it waits for the store, which is to say whether it may be made. */
bool exchange_asks_for_key(const Exchange *x);
/* Whether it waits for the work pool, which reads its large request. */
bool exchange_is_printing(const Exchange *x);

/* exchange.c: whether a service may have executed the call, and must not do so twice. */
bool exchange_may_have_effect(const Exchange *x);
/* exchange.c: the service's own error goes to the client. */
const Step *exchange_respond(Attempt *attempt, Result why);

/* ---- exchange_fallback.c: what stands in for the response of a failed call ------------------- */

/* Gives the fallback's response in place of the error. NULL: it has none. */
const Step *exchange_fall_back(Exchange *x, Fallback fallback, Result why);

/* The response of the attempt goes to the caller: it is degraded if the attempt is one of a
   fallback. */
void exchange_mark_older(const Attempt *attempt);

/* For a call whose deadline has just been set, of a route with `older`: when its timer fires first:
   half of the time is kept for another version, if that may be asked. */
int64_t exchange_plan_older(Exchange *x);

/* For a call whose kind is known, of a route with `stale`: whether its response is kept. Then it is
   not passed on unread. */
void exchange_plan_keeping(Exchange *x);

/* A response of one message, in the caller's version and codec, is kept if it is to be, and the
   caller has taken it for a good one. Returns `step`, which followed. */
void exchange_keep_reply(const Attempt *attempt, Message message);
static inline const Step *exchange_keep(const Attempt *attempt, Message message, const Step *step)
{
    if (attempt->exchange->keeps && step == &STEP_finish)
        exchange_keep_reply(attempt, message);
    return step;
}

/* The service has returned an error: if it says that there is nothing, or nothing for this client,
   what is kept goes. */
void exchange_drop_reply(const Attempt *attempt);
static inline void exchange_keep_no_more(const Attempt *attempt)
{
    if (attempt->exchange->keeps)
        exchange_drop_reply(attempt);
}

/* A call of one message has its request, and its response is kept: it waits for an equal one that
   is under way, if the route says so. */
const Step *exchange_join(Exchange *x);

/* The call has failed, or what will be its response is for nobody else: the calls that wait for it
   go on by themselves, and it waits for none. */
void exchange_disperse(Exchange *x);

void exchange_on_deadline(Timer *timer); /* exchange.c */

/* The chosen attempt, if the response is the service's; else NULL. */
static inline const Attempt *exchange_answered(const Exchange *x)
{
    return x->own_response ? NULL : x->chosen;
}

/* The attempt that the call is at: the chosen one, or else the latest. */
static inline Attempt *exchange_main_attempt(const Exchange *x)
{
    return x->chosen ? x->chosen : x->latest;
}

/* The attempt that the response and its record are about. The error of a call is never that of
   another version, which was only to stand in. */
static inline const Attempt *exchange_told_attempt(const Exchange *x)
{
    const Attempt *attempt = exchange_main_attempt(x);
    while (!x->chosen && attempt->older)
        attempt = attempt->before;
    return attempt;
}

/* Whether a fallback has given the response without any instance. */
static inline bool exchange_is_served_by_none(const Exchange *x)
{
    return x->own_response && x->record.degraded;
}

bool exchange_is_unary(const Exchange *x);

/* REST: the response is the bytes of a google.api.HttpBody, of any media type. */
bool exchange_is_raw(const Exchange *x);

/* A call of the gateway's own of a method that no config has: there is no version, and nothing is
   converted. */
static inline bool exchange_is_bare(const Exchange *x)
{
    return x->method && !x->method->version;
}

/* ---- attempt.c: what is learned from attempts, for later ones -------------------------------- */

/* What fails matters to the budget, and to what is measured. */
void exchange_learn_failure(Attempt *attempt, const Fault *fault);

/* The head of a response has come; before the gateway's own fields are removed. */
void exchange_learn_head(Attempt *attempt);

/* The call has ended. */
void exchange_learn_end(const Exchange *x);

/* Attempts that count, for the route's limit and for the next instance. */
uint32_t exchange_n_attempts(const Exchange *x);

/* Tells the instance how many attempts there were before this one. */
static inline bool exchange_is_first(const Exchange *x)
{
    return x->record.n_attempts == 0 && x->n_elsewhere == 0;
}
void exchange_add_attempts(const Exchange *x, Fields *fields);
/* Tells a gateway in front, which counts them with its own, how many there were before the last. */
void exchange_add_previous(const Exchange *x, Fields *fields);

/* ---- Events of the caller -------------------------------------------------------------------- */

const Step *exchange_ask_for_more(Exchange *x); /* on_room */
const Step *exchange_give_head(Exchange *x);
const Step *exchange_give_message(Exchange *x, Message message);
const Step *exchange_give_run(Exchange *x, MessageRun run);
const Step *exchange_give_piece(Exchange *x, Message piece);
/* The one message of a response, and its end. */
const Step *exchange_give_response(Exchange *x, Message message, const Fields *trailers);
/* The same two with what the work pool has made of the message. */
const Step *exchange_give_framed(Exchange *x, const Framed *framed);
const Step *exchange_give_framed_response(Exchange *x, const Framed *framed,
                                          const Fields *trailers);
const Step *exchange_give_end(Exchange *x, const Status *status, const Fields *trailers);

/* ---- Back-pressure --------------------------------------------------------------------------- */

/* Of the instance's stream: whether it takes more. False while there is none. */
bool exchange_instance_has_room(const Exchange *x);
/* Whether it is open. */
bool exchange_has_stream(const Exchange *x);

/* Gives back what is owed to the instances, or to this one, once the caller has room for more. */
const Step *exchange_settle(Exchange *x);
const Step *attempt_settle(Attempt *attempt);

/* ---- Memory ---------------------------------------------------------------------------------- */

/* Who makes the call. One that is known is held until another is told, or the exchange is freed. */
void exchange_identify(Exchange *x, const Identity *identity);

/* The account of the call: `account` may be NULL; `owned`: with a reference that the exchange
   returns in its end. */
void exchange_charge(Exchange *x, Account *account, bool owned);
/* Whether the memory budget has room for a new call. Faults: MEMORY_SHARE, MEMORY_FULL. */
MUST_USE Result exchange_admit(Exchange *x);
/* A failure for want of memory, if the budget has refused it to the call's arena or to this one
   (which may be NULL): why it did; any other as it is. */
MUST_USE Result exchange_name_refusal(Exchange *x, const Arena *arena, Result why);
/* A failure that was made in the arena, for as long as the exchange, and named as above. */
MUST_USE Result exchange_keep_error(Exchange *x, const Arena *arena, Result why);
/* Whether the rest of a response must be left with the instance for now: of a message that is kept
   whole, or of one that the caller does not read. When this may have changed, attempt_settle is
   called. */
bool attempt_must_wait(Attempt *attempt);
static inline bool attempt_waits_for_memory(Attempt *attempt)
{
    const Exchange *x = attempt->exchange;
    bool idle = !attempt->side.reader.partial.size && !attempt->memory_wait;
    bool granted = memory_ask(x->account, x->config->limits.http.stream_window) == MEMORY_GRANTED;
    return !(idle && granted) && attempt_must_wait(attempt);
}
/* Ends its wait, and what was counted for its conversion. */
void attempt_stop_waiting(Attempt *attempt);
static inline void attempt_end_wait(Attempt *attempt)
{
    if (attempt->memory_wait || attempt->promised)
        attempt_stop_waiting(attempt);
}
/* The same for the rest of a request's message, of which the caller's reader has a part, if memory
   is not refused any more. CallerEvents.on_room is called. */
bool exchange_must_wait(Exchange *x, MessageReader *reader);
static inline bool exchange_waits_for_memory(Exchange *x, MessageReader *reader)
{
    return x->firm && (reader->partial.size || x->memory_wait) && exchange_must_wait(x, reader);
}
/* From now on the budget does not refuse memory to the call: a service of the gateway's own. */
void exchange_set_firm(Exchange *x);
/* The same: some of the request goes to the instance, and may have an effect. */
void exchange_sent(Attempt *attempt);
/* What of the request waits until the instance reads it is the client's: of a request of many
   messages, or of so many bytes. */
void attempt_charge_request(Attempt *attempt, size_t bytes);
/* For work on a part of a message. */
Arena *exchange_arena_new(const Exchange *x);

/* Counts the fields of a message of the request, in the client's version; the method has `fields`.
   exchange_convert.c */
void exchange_see_fields(Exchange *x, Message message);
Arena *exchange_scratch(Exchange *x); /* for the message at hand */
/* The current message was passed on: its memory is reused for the next one, which may follow at
   once. */
void exchange_forget_message(Exchange *x);
/* All messages so far were passed on: their memory is freed, because the next one may take long. */
void exchange_forget_messages(Exchange *x);

/* For the end of a response when the call has used up its memory. What is written there is bounded
   by data that the call already holds. */
Arena *exchange_last_arena(Exchange *x);

/* ---- exchange_instance.c: the instance's side ------------------------------------------------ */

/* The attempt's request is about to go out with these fields: of a call that is recorded, they name
   a span of the attempt's own. */
void attempt_begin_span(Attempt *attempt, Fields *head);

/* The kinds' parts that have to do with instances: of a request of one message, and of many. */
MUST_USE Result attempt_prepare(Attempt *attempt);
/* The plans between the caller and the picked version, whose side has this codec. */
MUST_USE Result attempt_choose_plans(Attempt *attempt, Codec codec);
/* Sends the head of the request; `end`: there is no body. STEP_WAIT: it was sent. */
const Step *attempt_open_stream(Attempt *attempt, const HttpHead *head, bool end,
                                const HttpStreamEvents *events);
/* The same of the response alone. */
MUST_USE Result attempt_choose_response_plan(Attempt *attempt, Codec codec);
const Step *attempt_send_one(Attempt *attempt);
const Step *attempt_send_head(Attempt *attempt);
const Step *exchange_forward_request(Exchange *x, Message message, bool last);
MUST_USE Result exchange_forward_run(Exchange *x, MessageRun run);
MessageReader *exchange_reader(const Exchange *x); /* of the caller; NULL: it has none */
void attempt_send_made(Attempt *attempt); /* the message that was made, on the open stream */
/* A message has been given that was on the work pool: goes on with what came meanwhile. */
const Step *attempt_take_backlog(Attempt *attempt);
/* An item of a REST instance's stream that says an error: the call ends. */
const Step *attempt_take_error_item(Attempt *attempt, Bytes item);
/* Finds it an instance, before STEP_pick would. */
MUST_USE Result attempt_pick(Attempt *attempt);

/* Removes fields that only the gateway may set from those that the instance sent. */
void attempt_remove_own(const Attempt *attempt, Fields *fields);

/* exchange_compression.c: which messages are compressed, and by what. */
bool attempt_passes_request(const Attempt *attempt); /* a compressed one goes on as it is */
Compression attempt_request_compression(const Attempt *attempt, size_t size);
uint32_t attempt_accepts(const Attempt *attempt); /* what the gateway accepts from the instance */
bool attempt_keeps_answer(const Attempt *attempt);
Compression exchange_answer_compression(const Exchange *x); /* for the answer's head, sizes aside */
/* Whether nothing but a plan reads the messages: see exchange_run_size. */
bool attempt_passes_request_runs(const Attempt *attempt);
bool attempt_passes_answer_runs(const Attempt *attempt);
/* Whether a message of the answer may go on while it arrives: see CallerEvents.on_piece. */
bool attempt_passes_answer_pieces(const Attempt *attempt);
bool exchange_must_compress(const Exchange *x);
bool exchange_varies_by_encoding(const Exchange *x);
MUST_USE Result exchange_check_acceptable(const Exchange *x);

/* exchange_convert.c: one message through a plan. */
bool exchange_copies(
    const Plan *plan); /* whether running the plan only copies; also NULL: same version and codec */

/* Whether nothing reads the messages of the request: they are neither converted nor checked by the
   rules of the route. */
static inline bool attempt_copies_request(const Attempt *attempt)
{
    return !attempt->exchange->method->extras->rules && exchange_copies(attempt->request_plan);
}

/* Where a conversion writes. */
typedef struct Conversion {
    Arena *arena;                /* what it makes, errors included */
    const MessageReader *reader; /* opens compressed messages; NULL: there are none */
    Losses *losses;
    size_t most_closed; /* a larger message is not compressed: it becomes `unclosed`, where the
                           conversion ends without an error; SIZE_MAX: all are */
    bool converted;     /* the message is `unclosed`: it is only to be compressed and framed */
    uint32_t n_unknown;
    Message unclosed; /* data NULL: none */
} Conversion;

/* exchange_read_by on any thread: `message` is the request's, and the conversion has arena and
 * reader. */
MUST_USE Result exchange_read_with(const Exchange *x, Message message, const Plan *plan,
                                   Conversion *c, Bytes *message_out);

/*
 * One message for the other side. The result lives in conversion->arena, or is the message itself.
 * On any thread: of the attempt and its exchange they read what is settled before its messages
 * come, which is: method, binding, parameters, config, plans, target, the pick, and for answers the
 * head of the response.
 */
MUST_USE Result attempt_make_request(const Attempt *attempt, Message message,
                                     Conversion *conversion, MadeRequest *made_out);
MUST_USE Result attempt_make_answer(const Attempt *attempt, Message message, Conversion *conversion,
                                    Message *converted_out);
/* The caller's request in the picked version, on the loop. In scratch, or the message itself. */
MUST_USE Result attempt_convert_request(Attempt *attempt, Bytes *converted_out);
/* The same on the loop, whose losses are the exchange's. In scratch. */
MUST_USE Result attempt_convert_answer(Attempt *attempt, Message message, Message *converted_out);
/* Takes some messages off the front of the run; those that could be converted are there also when
   one has failed. */
MUST_USE Result attempt_convert_requests(Attempt *attempt, MessageRun *run,
                                         MessageRun *converted_out);
MUST_USE Result attempt_convert_answers(Attempt *attempt, MessageRun *run,
                                        MessageRun *converted_out);

/*
 * The instance has failed with a request that passed unread: the fault of its message, as a
 * conversion would have told it; OK: it has none, or was read, or is not held any more. If the
 * loop cannot find out within limits.work_bytes, Attempt.unsure is set.
 */
MUST_USE Result attempt_blame_request(Attempt *attempt);

/* Counts and names what a conversion lost. `names` is in the arena. */
Losses losses_in(Arena *arena, Config *config);
void losses_on_loss(void *owner, const Loss *loss); /* PlanRun.on_loss, whose owner is a Losses */
void losses_name(Losses *losses, Bytes path);
void losses_add(Losses *losses, const Losses *more);

/*
 * exchange_work.c: messages that would hold the loop for too long are converted on the work pool.
 *
 * `message`, if it is compressed and small, is opened into the arena to find out. What is made is
 * given to the kind as if it had been made at once: a request of one message goes on at
 * STEP_connect, one of many is sent, and the caller asked for more.
 */
bool attempt_weigh_request(const Attempt *attempt, Message *message, Arena *arena);
bool attempt_weigh_answer(const Attempt *attempt, Message *message, Arena *arena);

/*
 * Other jobs of a call. Each is in an arena of its own, which is charged to the call's account; the
 * call counts it in n_jobs while the pool has it. Back on the loop, a dropped one is freed first:
 * whether anybody waits for it. If not, the call may be gone by then.
 */
Arena *exchange_job_arena(const Exchange *x, Account **account_out);
void exchange_free_job(Arena *arena, Account *account);
bool exchange_job_is_back(Exchange *x, bool dropped);
/* The pool's queue was full. */
Result exchange_refuse_work(Exchange *x);

/* Whether the request is read by this plan, and its fingerprint made, fast enough for the loop. */
bool exchange_prints_fast(const Exchange *x, const Plan *plan, Message *message, Arena *arena);

enum {
    EXCHANGE_COMPRESSING = 4, /* times what a conversion costs */
    EXCHANGE_PRINTING = 8,    /* likewise, of a message of many small fields */
};

/* Most messages are small: light, whatever their plan costs. */
static inline bool exchange_is_small(const Exchange *x, const Message *message)
{
    return !message->compressed &&
           message->bytes.size <= x->config->limits.work_bytes >> PLAN_HIGHEST_COST;
}

/* The largest message that is compressed on the loop. */
static inline size_t exchange_most_closed(const Exchange *x)
{
    return x->loop->pool ? x->config->limits.work_bytes / EXCHANGE_COMPRESSING : SIZE_MAX;
}

static inline bool attempt_is_light_request(const Attempt *attempt, Message *message, Arena *arena)
{
    return exchange_is_small(attempt->exchange, message) ||
           attempt_weigh_request(attempt, message, arena);
}

static inline bool attempt_is_light_answer(const Attempt *attempt, Message *message, Arena *arena)
{
    return exchange_is_small(attempt->exchange, message) ||
           attempt_weigh_answer(attempt, message, arena);
}

const Step *attempt_work_on_request(Attempt *attempt, Message message, bool last);
const Step *attempt_work_on_answer(Attempt *attempt, Message message);

/* The same for a message that is converted, and too large to be compressed on the loop. */
const Step *attempt_close_request(Attempt *attempt, Message converted, bool last);
const Step *attempt_close_answer(Attempt *attempt, Message converted);
bool attempt_weigh_closing(const Attempt *attempt, Message converted);

static inline bool attempt_is_light_to_close(const Attempt *attempt, Message converted)
{
    return converted.bytes.size <= exchange_most_closed(attempt->exchange) ||
           attempt_weigh_closing(attempt, converted);
}

/* The largest message that is converted by this plan in a run. */
uint32_t exchange_light_run(const Exchange *x, const Plan *plan);
/* Nobody waits for what is on the pool any more. */
void attempt_drop_jobs(Attempt *attempt);
/* Frees the memory of an exchange that is over. On its loop. */
void exchange_free(Exchange *x);

/* exchange_convert.c, too: the details of errors. A detail that cannot be converted to the caller's
   version never replaces the error: it is counted, named and logged. */
void attempt_convert_details(Attempt *attempt, Status *status);

/* And those that the route hides are left out. */
void exchange_hide_details(const Exchange *x, Status *status);
DetailJson exchange_detail_json(const Exchange *x,
                                const Version *version); /* NULL: of no version */

#endif
