/*
 * Exchange: one call on its way through the gateway, from its request to its record.
 *
 * It owns itself: it is created by client_accept (client.h) or exchange_new, and is freed after its
 * caller's on_record. Its caller (caller.h) sends the request by the functions here. Those that
 * return a bool may call events of the caller before they return. False means that the call has
 * ended or is about to end: the caller must send nothing more, and the exchange may be freed.
 *
 * One loop, its thread only.
 */
#ifndef GATEWAY_EXCHANGE_H
#define GATEWAY_EXCHANGE_H

#include "gateway/builtin/builtin.h"
#include "gateway/cache/response_key.h"
#include "gateway/call/caller.h"
#include "gateway/config/config.h"
#include "gateway/identity/identity.h"
#include "gateway/loop/loop.h"

typedef struct Exchange Exchange;

/* A call of the gateway's own. Everything that it points to outlives the exchange. */
typedef struct CallOrder {
    const Method *method; /* of the loop's config, in the version of the messages */
    /* NULL: `type` is called on `instance`, whose `known` is not NULL, or else on any one of the
       service of `route`; without version or conversion. */
    const Instance *instance;
    const MethodType *type;
    /* NULL: a call of the gateway itself. Else the call that it is a leg of, which ends after it:
       it is one of the same client. */
    Exchange *of;
    Config *config;      /* whose method or route it is; NULL: that of `of`, else the loop's */
    const Leg *leg;      /* of that */
    const Route *route;  /* in place of the method's; NULL: that */
    const char *step_of; /* a job's id: the call is of one of its steps; NULL: of none */
    Bytes client;        /* of a step: the job's, as it may be recorded; empty: none */
    Bytes request_id;    /* for the log; empty: none */
    const TraceContext *trace; /* in whose span it is; NULL: none */
    Codec codec;               /* of the messages; of a single instance: its own */
    int64_t timeout;           /* nanoseconds for all of it, or NO_TIMEOUT */
    const Fields *metadata;    /* sent along; NULL: none */
    size_t response_bytes;     /* of one message of the response; 0: limits.answer_bytes */
    size_t memory;             /* of the call; 0: limits.call_memory */
} CallOrder;

/*
 * What stands in for the response of a failed call: gateway/failure implements it, and process/
 * gives it to each loop. Without it there is no fallback but another version, which is an attempt.
 */

/* A call, for the functions of the table: all of it is valid during them only. */
typedef struct FallbackCall {
    Loop *loop;
    const Config *config;
    const Route *route;
    const Method *method; /* in the client's version */
    const Version *reply; /* of the response */
    const RestBinding *binding;
    const Call *call;
    const Identity *identity;
    const IpAddress *client;
    Message request; /* as the client sent it */
    bool candidate;  /* it is one of a client that has the candidate of a rollout */
    Arena *arena;    /* as long as the exchange */
} FallbackCall;

typedef struct FallbackReply {
    Bytes message; /* in the caller's version and codec; data NULL: none, of a stream */
    int64_t age;   /* nanoseconds since it was made; 0: it was not kept */
} FallbackReply;

struct FallbackTable {
    /* The response; false: there is none. Of FALLBACK_OLDER: NULL. */
    bool (*give[FALLBACKS])(const FallbackCall *call, FallbackReply *reply_out);
    /* A good response of one message, with the fields of its head and trailers. Whether it may be
       given to equal calls. */
    bool (*keep)(const FallbackCall *call, const Fields *head, const Fields *trailers,
                 Bytes message);
    /* What equal calls have in common; false: none may have the response to this one. */
    bool (*key)(const FallbackCall *call, ResponseKey *key_out);
    /* What is kept for the call is not true any more. */
    void (*drop)(const FallbackCall *call);
};

/*
 * What makes the response of a method in place of its instances: gateway/compose makes it of
 * several calls. process/ gives the makers to each loop.
 */

/* What a maker is about to make; first in what the maker itself knows of it. */
typedef struct Making {
    const MakerTable *maker;
} Making;

/* The call, which outlives what is made for it. */
typedef struct MakeCall {
    Exchange *x;
    Loop *loop;
    const Config *config;
    const Method *method;   /* in the version that is made: Method.made_as */
    Bytes request;          /* of that, in protobuf, as long as the call */
    const Fields *metadata; /* the client's fields, and those about the way: likewise */
    const Identity *identity;
    const CallRecord *record; /* its names */
    int64_t deadline;         /* monotonic nanoseconds, or NO_TIMEOUT */
    Arena *arena;             /* as long as the call */
} MakeCall;

typedef struct Made {
    Result why;         /* failed: of a composed method a loud leg's, */
    const char *leg;    /* which is this one, */
    const Status *said; /* and the error is of its service, in this one's words, as long as the
                           call; else NULL */
    Bytes message;      /* good: in protobuf, in the version that is made */
    bool passed_on;     /* nothing is made: the instances are asked */
    const JobNote *job; /* of which the response tells, as long as the call; NULL: none */
} Made;

struct MakerTable {
    const char *why; /* in the log, in place of the reason for an instance: "composed" */
    /* Begins. The end is exchange_made, in another callback of the loop; it does not come if the
       making is dropped before. NULL: the arena is full. */
    Making *(*begin)(const MakeCall *call);
    /* For the record and the client: "sites; state=ok; ms=3, bill; state=failed;
       reason=UPSTREAM_DOWN; ms=1": in the call's arena. *partial_out: not all are ok. NULL: there
       is nothing to say. */
    Bytes (*describe)(const Making *making, bool *partial_out);
    /* Whether a service may have executed a part of it, and must not do so twice. */
    bool (*may_have_effect)(const Making *making);
    /* Cancels what still runs. */
    void (*drop)(Making *making);
};

/* What was begun for the call has ended. The exchange may be freed before the return. */
void exchange_made(Exchange *x, const Made *made);

/*
 * What tells of the gateway's jobs as operations: google.longrunning.Operations. gateway/job_view
 * implements it, and process/ gives it to each loop that serves operations.
 */

/* What is about to be told; first in what the table itself knows of it. */
typedef struct Telling {
    const OperationTable *table;
} Telling;

/* The call, which outlives what is told to it. */
typedef struct OperationCall {
    Exchange *x;
    Loop *loop;
    const Config *config;
    const Builtin *builtin;
    const Call *call; /* dialect, codecs; of REST path and query say more than the request */
    Bytes request;    /* of call->codec, as long as the call */
    const Identity *identity;
    const CallRecord *record; /* its names */
    int64_t deadline;         /* monotonic nanoseconds, or NO_TIMEOUT */
    Arena *arena;             /* as long as the call */
} OperationCall;

typedef struct Told {
    Result why;         /* failed: this is the end */
    Bytes message;      /* in call->reply_codec; valid during exchange_told */
    bool more;          /* of a stream: it goes on */
    const JobNote *job; /* as in Made */
} Told;

struct OperationTable {
    /* Begins. Each message is told by exchange_told, in another callback of the loop; none is any
       more after the drop. NULL: the arena is full. */
    Telling *(*begin)(const OperationCall *call);
    /* The call has ended, one way or the other. */
    void (*drop)(Telling *telling);
};

/* The exchange may be freed before the return. */
void exchange_told(Exchange *x, const Told *told);

/*
 * What takes copies of calls that have ended, for another version or build: gateway/shadow
 * implements it, and process/ gives it to each loop.
 */

/* A unary call whose client has the response of an instance. All of it is valid during the
   functions of the port only. */
typedef struct EndedCall {
    Config *config;
    const Method *method;     /* in the client's version; it has Method.shadow */
    const Version *served;    /* by which the response was made, */
    const Instance *instance; /* and whose it is; of `admit` only */
    Codec codec;              /* of the response */
    const Fields *metadata;   /* what the client sent, and what is said about the way */
    Bytes request_id;
    Code code;
    const Identity *identity; /* of `admit` only */
    Bytes request;            /* in protobuf, in the client's version; only for `take` */
    Bytes response;           /* code OK: as the instance gave it, in its codec; only for `take` */
} EndedCall;

struct ShadowPort {
    /* Whether a copy is made now of a call whose messages have so many bytes: the arena into which
       they are read, for `take`; NULL: none is. */
    Arena *(*admit)(ShadowPort *port, const EndedCall *call, size_t bytes);
    /* Takes the arena and copies the call. NULL: its messages could not be read. */
    void (*take)(ShadowPort *port, Arena *arena, const EndedCall *call);
};

/* No event is called before exchange_go. Never NULL. */
Exchange *exchange_new(Loop *loop, Caller *caller, const CallOrder *order);
bool exchange_go(Exchange *x);

/* Whether the exchange accepts a message of the request now; on_room is called when this may have
   changed. A request of one message is accepted at any time. */
bool exchange_wants(const Exchange *x);

/* Whether the send buffer is below its watermark: back-pressure for callers that send many
   messages. */
bool exchange_has_room(const Exchange *x);

/* Sends a message of the request; exchange_wants holds. The message is not kept after the return.
 */
bool exchange_send(Exchange *x, Message message);

/* The largest messages that are accepted in runs, framed as in a body of the call's dialect: the
   instance's dialect has the same frames, and there is no compression. 0: none are. */
size_t exchange_run_size(const Exchange *x);

/* Sends a run of messages, of at most that size; exchange_wants holds. */
bool exchange_send_run(Exchange *x, MessageRun run);

/* Ends the request; exchange_wants holds. `last` (may be NULL) is its last message, and stays valid
   as long as the exchange. */
bool exchange_end(Exchange *x, const Message *last);

/* The caller now has some of the request, and had none before: see CallerEvents.has. */
bool exchange_more(Exchange *x);

/* The caller accepts more of the response again: see CallerEvents.has_room. */
bool exchange_room(Exchange *x);

/* Cancels the call. `why` is copied; OK: the caller has all that it wants, and the call went well.
   The exchange is freed before the return, or when the callback that is running returns. */
void exchange_cancel(Exchange *x, Result why);

/* The metadata in the head of the upstream response; empty while there is none. Valid as long as
   the exchange. */
const Fields *exchange_metadata(const Exchange *x);

/* What it is to the client that the conversion of a response has failed with the fault `why`:
   mistakes in the service's response are the service's, not the caller's. */
const Fault *exchange_answer_fault(const Fault *why);

#endif
