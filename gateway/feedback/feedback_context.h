/*
 * FeedbackContext: what happened to a client when it said something, of the records of its calls
 * (gateway/ledger): the newest ones of that time that failed, were degraded or lost something, in
 * which version it was, and in which arm of a rollout. Plain functions.
 */
#ifndef GATEWAY_FEEDBACK_CONTEXT_H
#define GATEWAY_FEEDBACK_CONTEXT_H

#include "base/bytes.h"

enum {
    FEEDBACK_CALLS = 10, /* that are shown */
    FEEDBACK_KINDS = 8,  /* of failures among them */
};

/* A call, as its record says. Borrowed. */
typedef struct FeedbackCall {
    Bytes request, method, code, client_version, served_version;
} FeedbackCall;

/* The kind of failures in the ledger that it is one of; 0: none is known. */
typedef uint64_t FeedbackKindOf(void *owner, const FeedbackCall *call);

typedef struct FeedbackContext {
    uint32_t n_calls;
    Bytes shown; /* {"version":"v1","arm":"candidate","calls":7,"bad":[...]} */
    uint64_t kinds[FEEDBACK_KINDS];
    uint32_t n_kinds;
} FeedbackContext;

/* Whose the newest of the records is, in the arena; empty: nobody knows. `requests` as below. */
Bytes feedback_client_of(Bytes requests, Arena *arena);

/* `requests`: {"requests":[...]}, or one record, or nothing. Calls that began more than `window`
   before or after `at` are left out. The rest is in the arena. */
void feedback_context_make(Bytes requests, int64_t at, int64_t window, FeedbackKindOf *kind_of,
                           void *owner, Arena *arena, FeedbackContext *context_out);

#endif
