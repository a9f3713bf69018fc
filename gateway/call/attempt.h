/*
 * Attempt: one request of an exchange to one instance: which instance and version, by which plans,
 * the stream, what came back, its own times and its failure.
 *
 * An exchange has a list of attempts, the latest first. A retry is a new attempt; the ones before
 * it keep their results, so that the record can list each of them, and so that an error response of
 * the service can still be sent if no other instance is left. Two may be live at once (hedging):
 * the first whose response is acceptable is chosen, and the other is cancelled. Nothing in an
 * attempt is shared with another one.
 *
 * In the exchange's arena and as long as it; its loop's thread only.
 */
#ifndef GATEWAY_ATTEMPT_H
#define GATEWAY_ATTEMPT_H

#include "gateway/memory/memory_wait.h"
#include "gateway/overload/service_gate.h"
#include "gateway/policy/policy.h"
#include "gateway/rest/rest_request.h"
#include "gateway/telemetry/telemetry.h"
#include "gateway/upstream/pick.h"
#include "protocols/dialect/dialect.h"

typedef struct Attempt Attempt;
typedef struct Exchange Exchange;
typedef struct MessageJob MessageJob; /* exchange_work.c */

/* A request's message as an instance gets it. */
typedef struct MadeRequest {
    FramedMessage framed;
    Compression compression;
    const RestRequest *rest; /* of a REST instance */
} MadeRequest;

/* What has come of a response behind a message that is on the work pool. */
typedef struct Backlog {
    Buffer body;
    bool ended; /* with these: */
    Fields trailers;
} Backlog;

/* One of the two streams that an exchange stands between. */
typedef struct Side {
    HttpConnection *connection; /* instance: the one to open the stream on; used at once */
    HttpStream *stream;         /* NULL: not open, or released */
    MessageReader reader;       /* of messages from this side */
    size_t owed;                /* bytes received and not given back to the sender's window yet */
    bool ended;                 /* it has sent everything */
} Side;

struct Attempt {
    Exchange *exchange;
    Attempt *before; /* the previous one; NULL: this is the first */

    Pick pick;       /* zeroed until an instance is found */
    PickTried tried; /* this instance, and earlier ones that must not be tried again */
    const Plan *request_plan, *response_plan;
    const Version *reply_version; /* of the response to the caller; NULL: none */
    RequestTarget target;
    const HttpRule *rest_rule; /* of a REST instance: the binding used for the request */

    MadeRequest made; /* the next message to send; in the exchange's scratch, or of one: */
    Arena *made_in;   /* NULL: in scratch */
    MessageJob *request_job, *answer_job; /* on the work pool; NULL: none */

    GatePass pass; /* through the gate of its service, which counts it */
    union {
        GateWait gate;     /* for a place there, before it has an instance; */
        UpstreamWait wait; /* for a connection, while `waiting` */
    };
    Side side;
    /* The largest messages that pass in runs (exchange_run_size); 0: none do. */
    uint32_t request_run_size, response_run_size;

    bool queued; /* at the gate: `gate` waits */
    bool waiting;
    bool held;               /* until some of the request has arrived */
    bool sent;               /* some of the request has gone to the instance */
    bool may_return;         /* instances that were tried may be tried again if no other is left */
    bool also;               /* it was started while another one was live */
    bool charged;            /* to the limits of two at once */
    bool older;              /* at a version that has not failed: FALLBACK_OLDER */
    bool trial;              /* it follows the first refusal: PolicyCharge */
    bool unsure;             /* it has failed, maybe because of the message */
    bool broken;             /* its connection or stream broke */
    bool has_answer;         /* the head of the response is read */
    bool has_error;          /* and the response is an error, which can be passed on */
    bool passes;             /* its messages go on compressed as they came */
    bool has_answer_message; /* unary; */
    bool passed;             /* it goes on in pieces, while it arrives; */
    uint32_t promised;       /* bytes that converting it will take, counted already */

    struct CallWait *memory_wait; /* for the rest of its response; NULL: it never had to */
    Answer answer;
    Backlog *backlog;       /* NULL: no message of it was on the work pool yet */
    Arena *answer_in;       /* where its messages are put together if another one is live when they
                               come, so that they go with it; else NULL: in the exchange's arena */
    Message answer_message; /* unary */
    size_t piece_left;      /* so much of it is still to come */
    Bytes end_frame; /* gRPC-Web's trailers, Connect's EndStream, the body of a Connect error */

    AttemptRecord record; /* its times are monotonic nanoseconds */
};

/* Adds a new attempt, which becomes the exchange's latest. `tried`: instances that it must not use.
   Returns false at the arena's limit. */
bool attempt_add(Exchange *x, const PickTried *tried);

/* The request's head is about to be sent. */
void attempt_asked(Attempt *attempt);

/* A response that may last has begun well: whatever comes of it later, the service works, and the
   attempt holds nobody up at its gate. Does nothing if it has passed none. */
void attempt_goes_well(Attempt *attempt);

/* Cancels what it waits for, and releases the stream: an incomplete response is reset. Its record
   stays. May be called twice. */
void attempt_drop(Attempt *attempt);

/* What was counted for the conversion of its response counts no longer: it has begun, or never
 * will. */
void attempt_forget_promise(Attempt *attempt);

/* Frees the message that was made for it, if that has an arena for itself. */
void attempt_forget_made(Attempt *attempt);

/* Records the end of the attempt, with the present time. Only the first call counts. `why` has
   failed unless the code is OK. */
void attempt_end(Attempt *attempt, Code code, Result why);

/* Whether its response may still come. Of one that has begun: for which an instance was picked. */
bool attempt_is_live(const Attempt *attempt);

/* Whether the attempt counts for the instance: something was sent, or the instance could not be
   reached. */
bool attempt_counts(const Attempt *attempt);

#endif
