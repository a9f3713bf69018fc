/*
 * SchemaAsk: how a config that is being loaded asks an instance for its schema.
 *
 * Reading a config opens no connections itself: whoever loads it passes the function that does
 * (reflection_client.h), or none.
 */
#ifndef GATEWAY_SCHEMA_ASK_H
#define GATEWAY_SCHEMA_ASK_H

#include "gateway/config/config.h"

/* What is asked for. Everything is borrowed for the call. */
typedef struct SchemaQuery {
    const Instance *instance;             /* a gRPC one; `service` NULL */
    const char *package;                  /* whose RPC services are wanted */
    const char *version_header, *version; /* sent with the request, for an instance that serves
                                             several versions */
    int64_t timeout;                      /* nanoseconds, for the whole exchange */
    size_t most;                          /* bytes of all answers together */
} SchemaQuery;

struct SchemaAsk {
    /*
     * Blocks until the schema is there or cannot be had. `config` is the one that is being loaded:
     * its limits are there already. The schema, and the FileDescriptorSet that it is made of, live
     * in `arena`, which has no limit. A retryable fault says that the instance cannot be reached
     * now: a cached schema may stand in.
     */
    Result (*ask)(void *owner, Config *config, const SchemaQuery *query, Arena *arena,
                  Bytes *set_out, const Schema **schema_out);
    void *owner; /* handed to `ask` */
};

#endif
