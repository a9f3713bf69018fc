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
} BuiltinMethod;

typedef struct Builtin {
    const char *path;
    BuiltinMethod method;
    bool one_request; /* else each message of the request's stream is answered */
    bool stream;      /* of responses */
} Builtin;

/* By the path of an RPC, without a query. NULL: none, or the config does not serve it. */
const Builtin *builtin_find(const Config *config, Bytes path);

#endif
