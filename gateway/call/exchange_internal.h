/*
 * The inside of an exchange, for the files gateway/exchange*.c only.
 *
 *                      exchange_request.c                    exchange_instance.c
 *   client's stream --- head, messages ---> [ Exchange ] --- head, messages ---> instance's stream
 *                  <--- head, messages ---   exchange.c  <--- head, messages ---
 *                      exchange_reply.c
 *
 * An exchange is a table of steps; a step returns the next one, STEP_WAIT until an event, or
 * STEP_GONE when the exchange is no more. Events end in exchange_run, and after it the exchange
 * must not be touched: it may be gone.
 */
#ifndef GATEWAY_EXCHANGE_INTERNAL_H
#define GATEWAY_EXCHANGE_INTERNAL_H

#include "adapters/run/plan_run.h"
#include "gateway/builtin/health.h"
#include "gateway/builtin/reflection.h"
#include "gateway/call/attempt.h"
#include "gateway/call/exchange.h"
#include "gateway/headers/forwarding.h"
#include "gateway/headers/request_id.h"
#include "gateway/headers/trace_context.h"
#include "gateway/rest/http_body.h"
#include "gateway/version/negotiate.h"
#include "protocols/http/compression_stream.h"

typedef struct Builtin Builtin; /* exchange_builtin.c */

typedef struct Step {
    const char *name;
    const struct Step *(*run)(Exchange *x);
} Step;

#define EXCHANGE_STEPS(STEP)                                                                       \
    STEP(resolve)   /* path -> method, REST binding, or opaque route               */              \
    STEP(negotiate) /* which version the client speaks, and wants back             */              \
    STEP(opaque)    /* an instance for a route without schema                      */              \
    STEP(builtin)   /* health and reflection: the gateway answers itself           */              \
    STEP(receive)   /* one request message: until it is there                      */              \
    STEP(pick)      /* an instance, the version that it serves, the plans          */              \
    STEP(connect)   /* a connection with room                                      */              \
    STEP(send)      /* the request, converted                                      */              \
    STEP(reply)     /* the answer of one message, converted, and its end           */              \
    STEP(finish)    /* the record; release of everything                           */

#define STEP(name) extern const Step STEP_##name;
EXCHANGE_STEPS(STEP)
#undef STEP
#define STEP_WAIT ((const Step *)1)
#define STEP_GONE ((const Step *)2)

struct Exchange {
    Arena *arena;   /* lives as long as the exchange */
    Arena *scratch; /* for the message at hand: of a stream, NULL between messages; else the same as
                       arena */
    Arena *last;    /* for an end that arena has no room for; else NULL */
    Loop *loop;
    Config *config; /* the generation it began with */
    ClientConnection *client_connection;
    Side client;
    Attempt *attempt; /* the latest; never NULL */
    Attempt first;    /* it, until one is repeated */

    bool bodiless;        /* the request ended with its head */
    const HttpHead *head; /* of the request, during its event only */
    Forwarding forwarding;
    Call call;
    const Method *method;       /* in the client's version; NULL for opaque HTTP */
    const RestBinding *binding; /* REST: the rule that matched */
    PlanParameter *parameters;  /* REST: from path and query */
    uint32_t n_parameters;
    const Route *route;
    Negotiation version;
    Bytes origin; /* of the page that calls, or empty */
    Bytes allow;  /* for the Allow field of a 405 */

    const Builtin *builtin; /* a service of the gateway itself, or NULL */
    ReflectionView reflection;
    HealthWatch watch;

    HttpHead *opaque_head; /* opaque HTTP: what is sent on */
    uint32_t n_interim;    /* opaque HTTP: interim answers so far */
    bool tunnel;           /* opaque HTTP: upgraded; both sides end by themselves */

    Message message; /* unary: the request's, in the client's version and codec */
    bool has_message;
    Buffer early; /* streams: body that came before the instance's stream was there. Of the
                     gateway's own services: what is not read yet */

    Bytes framed; /* the message that is about to go, in scratch */

    char request_id[REQUEST_ID_SIZE]; /* a new one, unless the client's own is taken:
                                         record.request_id */
    TraceContext trace;
    bool replied_head;       /* the client has had the answer's head */
    Compression compression; /* that it names */
    CompressionStream
        *compressor; /* of a body that is compressed as a whole while it is made; or NULL */
    Timer deadline_timer;
    int64_t began, deadline; /* monotonic nanoseconds; deadline may be NO_TIMEOUT */
    Bytes content_type;      /* of an HttpBody answer; else empty */
    Buffer lost; /* paths of fields that were lost, for the client: "Order.comment, ..." */
    uint32_t n_lost;
    CallRecord record;
};

void exchange_run(Exchange *x, const Step *step);

/* The three ways in which a call goes wrong. Each ends in policy_decide: another attempt, the
   route's fallback, or an error to the client. */
const Step *exchange_fail(Exchange *x, Result why);           /* by no fault of the attempt */
const Step *exchange_attempt_failed(Exchange *x, Result why); /* by the attempt's */
const Step *exchange_fail_status(Exchange *x); /* the service answered with an error */

/* No instance is left for the latest attempt: what the one before it found, or its service said, is
   the end of the call; `why`, where there is none before it. */
const Step *exchange_nobody_left(Exchange *x, Result why);

bool exchange_is_unary(const Exchange *x);

/* Gives back what is owed to the sender of one side, once the other side has room for more. */
void exchange_settle(Exchange *x, Side *from, const Side *to);

/* Memory for the message at hand. */
Arena *exchange_scratch(Exchange *x);

/* Forgets what the last message of a stream needed. */
void exchange_forget_message(Exchange *x);

/* exchange_request.c: the client's stream. */
void exchange_start_deadline(Exchange *x);
extern const HttpStreamEvents exchange_client_events;

/* exchange_instance.c: the instance's stream. */
/* For the latest attempt. Faults: those of pick.h. */
MUST_USE Result exchange_pick_instance(Exchange *x);
/* Streams: takes messages out of `input` and sends them on to the instance. */
const Step *exchange_forward_request(Exchange *x, Bytes input);
const Step *exchange_end_request(Exchange *x);

/* exchange_reply.c: the answer. */
const Step *exchange_reply_head(Exchange *x);
const Step *exchange_forward_answer(Exchange *x, const Message *message);
/* Streams: frames and sends a message that is in the client's version and codec already. */
const Step *exchange_send_answer(Exchange *x, Bytes message);
/* Unary: the head, the one message, the end. */
const Step *exchange_reply_message(Exchange *x, Message message);
const Step *exchange_reply_end(Exchange *x, const Status *status, const Fields *trailers);
const Step *exchange_reply_degraded(Exchange *x, const char *reason);
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
bool exchange_must_compress(const Exchange *x);
bool exchange_varies_by_encoding(const Exchange *x);
MUST_USE Result exchange_check_acceptable(const Exchange *x);

/* exchange_convert.c: one message through a plan. The result lives in scratch, or is the message
   itself. */
MUST_USE Result exchange_convert_request(Exchange *x, Bytes message, Bytes *converted_out);
MUST_USE Result exchange_convert_answer(Exchange *x, Bytes message, Bytes *converted_out);

/* Counts and names what a conversion lost; for PlanRun.on_loss, whose owner is the exchange. */
void exchange_on_loss(void *owner, const Loss *loss);
void exchange_name_lost(Exchange *x, Bytes path);

/* exchange_details.c: what errors carry. A detail that cannot be given in the client's version
   never costs the error: it is counted, named and logged. */
void exchange_convert_details(Exchange *x, Status *status);
DetailJson exchange_detail_json(const Exchange *x,
                                const Version *version); /* NULL: of no version */

/* exchange_builtin.c: services of the gateway itself. */
const Builtin *builtin_find(const Config *config, Bytes path); /* NULL: none */
const Step *builtin_read(Exchange *x, Bytes piece);
/* Answers what has been asked, as long as the client takes the answers. */
const Step *builtin_go_on(Exchange *x);

/* exchange_opaque.c: routes without a schema. */
MUST_USE Result opaque_keep_head(
    Exchange *x, Bytes path); /* it is sent on with this path, and the query as it came */
const Step *opaque_send(Exchange *x);
const Step *opaque_forward(Exchange *x, Bytes piece);
const Step *opaque_end_tunnel(Exchange *x); /* the client has said all */

/* exchange_resolve.c: a request has a name and a trace before anything can go wrong with it; then
   the call, its dialect, and the method or binding are filled in. Of the request's fields, those
   that speak for others stand apart afterwards: see forwarding.h. */
MUST_USE Result exchange_name(Exchange *x);
MUST_USE Result exchange_resolve(Exchange *x);
/* Once the method is known: whether Connect's GET may ask it. Fault: METHOD_NOT_ALLOWED. */
MUST_USE Result exchange_check_get(Exchange *x);
/* REST, once the binding in the client's version is known: what it takes of the head, and of the
   body. Faults: NOT_ACCEPTABLE, UNSUPPORTED_MEDIA, UNKNOWN_FIELD. */
MUST_USE Result exchange_take_rest(Exchange *x);
MUST_USE Result exchange_take_rest_body(Exchange *x);
/* The 415 of a body with call.foreign_media. */
MUST_USE Result exchange_refuse_media(Exchange *x);

#endif
