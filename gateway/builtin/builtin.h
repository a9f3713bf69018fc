/*
 * Builtin: a method that the gateway itself serves. Constant; any thread.
 */
#ifndef GATEWAY_BUILTIN_H
#define GATEWAY_BUILTIN_H

#include "gateway/config/config.h"

typedef enum BuiltinMethod {
    BUILTIN_CHECK,   /* grpc.health.v1.Health/Check */
    BUILTIN_WATCH,   /* grpc.health.v1.Health/Watch */
    BUILTIN_REFLECT, /* grpc.reflection.v1.ServerReflection/ServerReflectionInfo, and v1alpha */
    /* google.longrunning.Operations, of the gateway's jobs: */
    BUILTIN_GET_OPERATION,
    BUILTIN_LIST_OPERATIONS,
    BUILTIN_CANCEL_OPERATION,
    BUILTIN_DELETE_OPERATION,
    BUILTIN_WAIT_OPERATION,
    BUILTIN_FOLLOW_OPERATION, /* passerelle.jobs.v1.Jobs/Follow: a message for each state */
    BUILTIN_PAGE,             /* of the catalog, by REST only */
} BuiltinMethod;

typedef struct Builtin {
    const char *path;
    BuiltinMethod method;
    bool one_request; /* else each message of the request's stream is answered */
    bool stream;      /* of responses */
    bool json;        /* its messages may be JSON, too */
} Builtin;

/* By the path of an RPC, without a query. NULL: none, or the config does not serve it. */
const Builtin *builtin_find(const Config *config, Bytes path);

/* The same by a REST path, of which *allowed_out are the verbs if it is one, but not with this one;
   else it stays as it is. */
const Builtin *builtin_find_rest(const Config *config, Bytes verb, Bytes path, Bytes *allowed_out);

/* The states of an operation as a stream. */
const Builtin *builtin_follow(void);

static inline bool builtin_is_health(const Builtin *builtin)
{
    return builtin->method <= BUILTIN_WATCH;
}

static inline bool builtin_is_operation(const Builtin *builtin)
{
    return builtin->method >= BUILTIN_GET_OPERATION && builtin->method < BUILTIN_PAGE;
}

/* Whether it is answered however much there is to do: what others need to know of the gateway. */
static inline bool builtin_is_vital(const Builtin *builtin)
{
    return builtin->method <= BUILTIN_REFLECT;
}

#endif
