/*
 * AuthzPort: how calls ask policy servers. gateway/authz_call implements it, and process/ gives it
 * to each loop that has clients.
 */
#ifndef GATEWAY_AUTHZ_PORT_H
#define GATEWAY_AUTHZ_PORT_H

#include "gateway/authz/authz_response.h"
#include "gateway/config/config.h"
#include "gateway/loop/loop.h"

/* A question that has no answer yet. */
typedef struct AuthzAsking AuthzAsking;

/* Of all of it the asking has copies, but for server and config. */
typedef struct AuthzQuestion {
    const PolicyServer *server;
    Config *config;         /* whose server it is; the asking uses it as long as it runs */
    Bytes request;          /* the CheckRequest */
    Bytes request_id;       /* of the call */
    const Fields *metadata; /* sent along */
    /* The answer, in another callback of the loop, once: failed: there is none, or none that is
       good; else `said` is, as long as the function. Both are NULL or OK where the other is not.
       The asking is over. */
    void (*on_said)(void *owner, Result why, const AuthzResponse *said);
    void *owner;
} AuthzQuestion;

struct AuthzPort {
    /* Never NULL. */
    AuthzAsking *(*ask)(Loop *loop, const AuthzQuestion *question);
    /* Nobody wants to know any more: on_said is not called. */
    void (*drop)(AuthzAsking *asking);
};

#endif
