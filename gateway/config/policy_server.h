/*
 * PolicyServer: who decides about calls besides the rules of routes: read-only, in the Config's
 * arena. Read by gateway/inventory/policy_servers.c; asked by gateway/authz_call.
 */
#ifndef GATEWAY_POLICY_SERVER_H
#define GATEWAY_POLICY_SERVER_H

#include "base/bytes.h"

typedef struct Route Route;

typedef struct PolicyServer {
    const char *name;
    const Route *route;         /* of calls to it; its service has the instances, and no versions */
    int64_t timeout;            /* nanoseconds, over all attempts */
    bool admits;                /* calls, while it cannot be asked */
    const char *const *headers; /* patterns of names, as in an AllowRule; NULL: it gets all */
    size_t body;                /* the most bytes that it gets of a body; 0: none */
    bool partial_body;          /* a longer one is cut; else its call is refused */
    bool raw_body;              /* it gets them as bytes; else as text */
    size_t response_bytes;      /* the most that it may say */
    size_t message_bytes;       /* of the text of a refusal, that the client gets */
    uint32_t fields;            /* that it may name */
} PolicyServer;

/* What it is told of a route besides. */
typedef struct PolicyContext {
    const char *name, *value;
} PolicyContext;

/* Who is asked about the calls of a route or listener. */
typedef struct PolicyUse {
    const PolicyServer *server; /* NULL: nobody */
    bool said;                  /* else it is as what is wider says */
} PolicyUse;

#endif
