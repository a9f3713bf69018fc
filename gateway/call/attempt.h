/*
 * Attempt: one request of an exchange to one instance: which instance and version, by which plans,
 * the stream, what came back, its own times and its failure.
 *
 * An exchange has a list of attempts, the latest first. A retry is a new attempt; the ones before
 * it keep what they know, so that the record can name each of them, and so that an error response
 * of the service stands when nobody else is left to ask. Nothing in an attempt is shared with
 * another one.
 *
 * In the exchange's arena and as long as it; its loop's thread only.
 */
#ifndef GATEWAY_ATTEMPT_H
#define GATEWAY_ATTEMPT_H

#include "gateway/policy/policy.h"
#include "gateway/telemetry/telemetry.h"
#include "gateway/upstream/pick.h"
#include "protocols/dialect/dialect.h"

typedef struct Attempt Attempt;
typedef struct Exchange Exchange;

/* One of the two streams that an exchange stands between. */
typedef struct Side {
    HttpConnection *connection; /* instance: where the stream is to be opened; used at once */
    HttpStream *stream;         /* NULL: not open, or released */
    MessageReader reader;       /* of what comes from there */
    size_t owed;                /* bytes received and not given back to the sender's window yet */
    bool ended;                 /* it has sent everything */
} Side;

struct Attempt {
    Exchange *exchange;
    Attempt *before; /* the one before it; NULL: it is the first */

    Pick pick;       /* zeroed until an instance is found */
    PickTried tried; /* this instance, and those before it that are not to be asked again */
    const Plan *request_plan, *response_plan;
    RequestTarget target;
    const HttpRule *rest_rule; /* of a REST instance: the binding that it is asked by */

    UpstreamWait wait; /* for a connection, while `waiting` */
    bool waiting;
    bool held; /* until some of the request is there */
    Side side;
    bool request_runs, response_runs; /* messages pass in their frames: exchange_takes_runs */
    bool sent;                        /* some of the request has gone to the instance */
    bool may_return;                  /* where no other is left, to those that were tried */

    bool has_answer; /* the head of the response is read */
    Answer answer;
    Message answer_message; /* unary */
    bool has_answer_message;
    Bytes end_frame; /* gRPC-Web's trailers, Connect's EndStream, the body of a Connect error */

    AttemptRecord record; /* its times are monotonic nanoseconds */
};

/* Makes a new attempt the exchange's latest; `tried`: those that it is not to go to. False at the
   arena's limit. */
bool attempt_add(Exchange *x, const PickTried *tried);

/* The request's head is about to be sent. */
void attempt_asked(Attempt *attempt);

/* Lets go of what it waits for, and of the stream: a response that is not complete is reset. What
   is known of it stays. Twice is once. */
void attempt_drop(Attempt *attempt);

/* It has ended so, now; the first word stands. `why` fails unless the code is OK. */
void attempt_end(Attempt *attempt, Code code, Result why);

/* Whether the instance had to do with it: something was sent, or it could not be reached. */
bool attempt_counts(const Attempt *attempt);

#endif
