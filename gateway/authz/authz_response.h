/*
 * AuthzResponse: what a policy server has decided: an envoy.service.auth.v3.CheckResponse.
 *
 * It may be hostile, or broken: whatever does not say clearly that the call is allowed, and how, is
 * an error. Plain functions.
 */
#ifndef GATEWAY_AUTHZ_RESPONSE_H
#define GATEWAY_AUTHZ_RESPONSE_H

#include "base/fields.h"
#include "base/result.h"
#include "gateway/config/policy_server.h"

/* What is to be done with a field. */
typedef enum AuthzAction {
    AUTHZ_APPEND,           /* another one, whether there are some or not */
    AUTHZ_ADD_IF_ABSENT,    /* only if there is none */
    AUTHZ_OVERWRITE_OR_ADD, /* in place of all */
    AUTHZ_OVERWRITE,        /* only if there are some */
    AUTHZ_REMOVE,           /* all of the name */
} AuthzAction;

typedef struct AuthzChange {
    AuthzAction action;
    Bytes name, value; /* the name in lower case */
} AuthzChange;

typedef struct AuthzChanges {
    AuthzChange *items;
    uint32_t n;
} AuthzChanges;

typedef struct AuthzResponse {
    bool allowed;
    uint16_t http_status;  /* refused: 300 to 599, but for 304 */
    Bytes message;         /* refused: UTF-8; may be empty */
    AuthzChanges request;  /* allowed: in its order */
    AuthzChanges response; /* of the gateway's response, whoever makes it */
    uint32_t n_unfit;      /* fields for the response that no policy server may set: left out */
} AuthzResponse;

/* Borrows from the message. Faults: UPSTREAM_MESSAGE: it is malformed, or says nothing, or more
   than it may; BAD_VALUE: it allows the call with a change of the request that cannot be made. */
MUST_USE Result authz_response_read(const PolicyServer *server, Bytes message, Arena *arena,
                                    AuthzResponse *out);

/* Whether a policy server may change this field of a request, or of a response: not what frames the
   message, says where it goes, or is the gateway's own. `name` is in lower case. */
bool authz_may_change_request(Bytes name);
bool authz_may_change_response(Bytes name);

/* Borrows names and values. */
void authz_apply(const AuthzChanges *changes, Fields *fields);

#endif
